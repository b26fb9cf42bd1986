//! A batch under way, and where it stands.

use super::batcher::Batch;
use super::judging::Judging;
use super::retry::Tries;
use crate::model::outcome::{Counts, Route, Status};
use crate::model::reply::{TaskFailure, TaskId};
use crate::model::row::Reason;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where a batch stands.
#[derive(Debug)]
pub(super) enum Phase {
    /// Its intent is being made durable.
    Preparing,
    /// It may leave once a slot is free.
    Queued,
    /// Its request is under way.
    Sending,
    /// It is sent again at the instant.
    Backoff { until: Instant },
    /// Its task is waited for.
    Waiting(Wait),
    /// Its task ended; remote ids in the failures are being looked up.
    Identifying {
        /// It finished, or else it failed as a whole.
        finished: bool,
        failures: Vec<TaskFailure>,
    },
    /// What the site holds of its rows is being found out.
    Judging(Box<Judging>),
    /// Its rows travel by calls of their own.
    Calling(Calling),
    /// Its outcomes are being made durable, and the intents of what its other rows go on in.
    Settling { counts: Counts, left: Left },
}

/// What goes on when a batch is settled.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// By index, rows that go on in one of the flights.
    pub(super) rows: Vec<usize>,
    pub(super) flights: Vec<Flight>,
}

/// A task that is waited for.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) task: TaskId,
    pub(super) since: Instant,
    /// It was accepted by an earlier process, so that its time is not known.
    pub(super) inherited: bool,
    /// The last poll did not find it.
    pub(super) gone: bool,
    pub(super) next_poll: Instant,
    /// When the poll that is under way was asked for.
    pub(super) asked: Option<Instant>,
    /// The age at which a poll last found it running.
    pub(super) running: Option<Duration>,
    /// What became of polls that got no answer.
    pub(super) tries: Tries,
    /// Polls in a row whose answers made no sense.
    pub(super) senseless: u32,
}

/// Rows on the single route.
#[derive(Debug, Default)]
pub(super) struct Calling {
    /// By index, those that wait for their turn.
    pub(super) queue: VecDeque<usize>,
    /// Rows whose intent is not durable, or whose calls are under way, and since when they wait for their turn.
    pub(super) under_way: BTreeMap<usize, Instant>,
    /// Rows that single calls cannot write: they go on in a bulk request.
    pub(super) bounced: Vec<usize>,
    /// Outcomes that are not durable.
    pub(super) unwritten: usize,
    pub(super) counts: Counts,
}

/// How a row of a batch ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) status: Status,
    pub(super) reasons: Vec<Reason>,
    pub(super) remote_id: Option<String>,
}

impl End {
    /// An end without an id.
    pub(super) fn new(status: Status, reasons: Vec<Reason>) -> Self {
        Self {
            status,
            reasons,
            remote_id: None,
        }
    }
}

/// A batch between its cut and its durable outcome.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) batch: Batch,
    pub(super) key: String,
    pub(super) body: Arc<Vec<u8>>,
    pub(super) phase: Phase,
    pub(super) route: Route,
    pub(super) attempts: u32,
    pub(super) tries: Tries,
    /// An earlier attempt may have reached the site.
    pub(super) maybe_applied: bool,
    pub(super) first_sent: Option<Instant>,
    /// When it was sent last, by this process.
    pub(super) last_sent: Option<Instant>,
    /// How often its rows were sent under a new key, because a read-back did not show them.
    pub(super) rounds: u32,
    /// A reading did not show its rows, so that its task is not believed unread.
    pub(super) unseen: bool,
    /// Single calls for its rows may have been made by an interrupted run.
    pub(super) begun: bool,
}

impl Flight {
    /// A batch that is about to be made durable.
    pub(super) fn new(batch: Batch, key: String, body: Arc<Vec<u8>>) -> Self {
        Self {
            batch,
            key,
            body,
            phase: Phase::Preparing,
            route: Route::Bulk,
            attempts: 0,
            tries: Tries::default(),
            maybe_applied: false,
            first_sent: None,
            last_sent: None,
            rounds: 0,
            unseen: false,
            begun: false,
        }
    }

    /// A batch whose rows travel by single calls, all of them.
    pub(super) fn of_calls(batch: Batch) -> Self {
        let calling = Calling {
            queue: (0..batch.rows().len()).collect(),
            ..Calling::default()
        };
        Self {
            phase: Phase::Calling(calling),
            route: Route::Single,
            ..Self::new(batch, String::new(), Arc::default())
        }
    }

    /// Whether the site may count it against the task limit.
    pub(super) fn holds_slot(&self) -> bool {
        match self.phase {
            Phase::Sending | Phase::Backoff { .. } | Phase::Waiting(_) => true,
            Phase::Preparing
            | Phase::Queued
            | Phase::Identifying { .. }
            | Phase::Judging(_)
            | Phase::Calling(_)
            | Phase::Settling { .. } => false,
        }
    }
}
