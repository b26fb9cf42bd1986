//! What goes into the state machine and what comes out of it.

use super::batcher::BatchLimits;
use super::limits::{MaxErrors, TaskSlots, Verify};
use super::route::Wish;
use super::seen::{Called, Lacks, Seen};
use crate::ledger::record::Record;
use crate::model::clock::UnixMillis;
use crate::model::event::RunEvent;
use crate::model::outcome::{BatchSeq, Counts, RowOutcome};
use crate::model::reply::{Accepted, ApiError, TaskId, TaskView};
use crate::model::row::{PreparedRow, RowId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The present: for intervals, and for what is written down.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Monotonic.
    pub at: Instant,
    /// Wall clock.
    pub unix: UnixMillis,
}

/// Tells how many calls write a row by itself.
pub type CallsOf = Box<dyn Fn(&PreparedRow) -> Option<f64> + Send>;

/// What shapes and bounds a stage.
pub struct StageConfig {
    /// The stage's number in the run.
    pub stage: u32,
    /// The caps of one request.
    pub batches: BatchLimits,
    /// The name space of the run's idempotency keys.
    pub nonce: Uuid,
    /// How long the site remembers an idempotency key.
    pub key_lifetime: Duration,
    /// Task slots wanted.
    pub slots: TaskSlots,
    /// Task slots that the contract grants.
    pub most_slots: usize,
    /// Polls that may leave in a second.
    pub polls_per_second: f64,
    /// When to stop early.
    pub max_errors: Option<MaxErrors>,
    /// The detail fields of the plan, by bit.
    pub details: Vec<String>,
    /// Which way rows travel.
    pub route: Wish,
    /// Requests that may leave in a second.
    pub requests_per_second: f64,
    /// Points that requests may cost in an hour, where they cost any.
    pub points_an_hour: Option<f64>,
    /// Rows of the stage that are to be sent, at most.
    pub expected_rows: u64,
    /// Calls that it takes to write a row by itself; `None` where that may not come to the same.
    pub calls: CallsOf,
    /// Rows that may travel by single calls at a time.
    pub single_in_flight: usize,
    /// Of which rows it is read back what the site holds.
    pub verify: Verify,
    /// Whether all its rows can be found again on the site: else only those in doubt are looked for.
    pub findable: bool,
    /// Whether a row names organizations or products that its record is to belong to.
    pub associates: Box<dyn Fn(&PreparedRow) -> bool + Send>,
    /// Whether a row that was not applied may be sent again: not where another run takes this one's place.
    pub resend: bool,
    /// Folds what the site calls a record, for comparison with natural keys.
    pub fold: fn(&str) -> String,
    /// Uniform in 0..1, for jitter.
    pub random: Box<dyn FnMut() -> f64 + Send>,
}

/// A batch of an interrupted run that is not decided.
#[derive(Debug)]
pub struct Undecided {
    /// Its number.
    pub seq: BatchSeq,
    /// Its idempotency key.
    pub key: String,
    /// The exact bytes that may have gone out.
    pub body: Arc<Vec<u8>>,
    /// Its rows, in the body's order.
    pub rows: Vec<PreparedRow>,
    /// Its task, if the site is known to have accepted it.
    pub task: Option<TaskId>,
    /// How long ago it was about to leave.
    pub age: Duration,
}

/// How far an interrupted stage had come.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Rows with a durable outcome, by status.
    pub counts: Counts,
    /// The highest number of a batch.
    pub last: Option<BatchSeq>,
    /// Batches without a durable outcome, in their order.
    pub undecided: Vec<Undecided>,
    /// Rows without an outcome that are read again, and that may have been sent.
    pub begun: HashSet<RowId>,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// What was read; answers [`Command::ReadMore`].
    Rows {
        /// Rows to send: in row order, or parents before their children.
        rows: Vec<PreparedRow>,
        /// Rows decided without the site: rejected, duplicate, not sent.
        decided: Vec<RowOutcome>,
    },
    /// No more rows; answers [`Command::ReadMore`].
    InputEnded,
    /// Records handed over earlier are durable.
    Durable(Durable),
    /// A request was answered, or was not.
    Submitted(BatchSeq, Result<Accepted, ApiError>),
    /// A poll was answered, or was not.
    Polled(BatchSeq, Result<TaskView, ApiError>),
    /// Remote ids named in failures were looked up: id → folded identity, as far as they were found.
    Identified(BatchSeq, HashMap<String, String>),
    /// What the site holds of the rows that [`Command::ReadBack`] named, in their order.
    ReadBack(BatchSeq, Vec<Seen>),
    /// The memberships and products of a row, by its index in the batch, were repaired, or were not.
    Joined(BatchSeq, usize, Called),
    /// The calls of a row, by its index in the batch, ended.
    Called(BatchSeq, usize, Called),
    /// The moment that [`Engine::next_wake`](super::state::Engine::next_wake) named has come.
    Woken,
    /// Send nothing new; wait for what is in flight.
    Stop(String),
}

/// Which records became durable.
#[derive(Debug, Clone, PartialEq)]
pub enum Durable {
    /// A batch's intent.
    Intent(BatchSeq),
    /// A batch's outcomes.
    Settled(BatchSeq),
    /// The intent of the calls of a row, by its index in the batch.
    Calling(BatchSeq, usize),
    /// Outcomes of rows of a batch on the single route.
    Called(BatchSeq, Counts),
    /// Outcomes of rows that never were in a batch.
    Rows(Counts),
    /// Something nobody waits for.
    Noted,
}

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// Get more rows.
    ReadMore,
    /// Make these durable, then say so.
    Persist(Vec<Record>, Durable),
    /// Send a bulk request.
    Submit {
        /// The batch.
        batch: BatchSeq,
        /// Its idempotency key.
        key: String,
        /// Its body.
        body: Arc<Vec<u8>>,
    },
    /// Ask for a task's state.
    Poll(BatchSeq, TaskId),
    /// Find out whom remote ids mean.
    Identify(BatchSeq, Vec<String>),
    /// Find out what the site holds of these rows of a batch.
    ReadBack(BatchSeq, Vec<PreparedRow>),
    /// Make a record a member of organizations, and give it products.
    Join {
        /// The batch.
        batch: BatchSeq,
        /// The row's index in it.
        index: usize,
        /// The record's id.
        record: String,
        /// What it lacks.
        lacks: Lacks,
    },
    /// Write a row by calls of its own.
    Call {
        /// The batch.
        batch: BatchSeq,
        /// The row's index in it.
        index: usize,
        /// The row.
        row: PreparedRow,
        /// Whether to look for its record first: an earlier process may have made the calls.
        look_first: bool,
    },
    /// Tell everyone who watches.
    Tell(RunEvent),
}
