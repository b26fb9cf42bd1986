//! What can be written to the ledger.

mod header;
mod sent;

pub use header::{Difference, Invocation, RunHeader, Shape, StageHeader};
pub use sent::{ContentHash, RowHashes, SentRow, SentRows};

use crate::model::clock::UnixMillis;
use crate::model::failpoint::Step;
use crate::model::outcome::{BatchSeq, RowOutcome};
use crate::model::reply::TaskId;
use crate::model::slice::Slice;
use std::sync::Arc;

/// One durable step of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A stage begins. Of a stage that was begun before, when its run is continued: nothing is written.
    StageStarted(StageHeader),
    /// The input was read to its end once.
    StageRead {
        /// The stage.
        stage: u32,
        /// Rows of each of its files, in order.
        rows: Vec<u64>,
    },
    /// A bulk request is about to leave: written before it does. What was confirmed of its rows is void from here on.
    Sending {
        /// The stage.
        stage: u32,
        /// The batch.
        batch: BatchSeq,
        /// Its idempotency key.
        key: String,
        /// The exact bytes.
        body: Arc<Vec<u8>>,
        /// Its rows, in the body's order.
        rows: SentRows,
        /// When.
        at: UnixMillis,
    },
    /// Single calls are about to be made for rows: written before they are. What was confirmed of them is void from
    /// here on. Their outcomes follow as `Rows`.
    Calling {
        /// The stage.
        stage: u32,
        /// The rows.
        rows: SentRows,
        /// What each of them sends, in their order, by which it can be looked for without its input; or nothing.
        items: Vec<Slice>,
    },
    /// The site accepted a bulk request.
    Accepted {
        /// The stage.
        stage: u32,
        /// The batch.
        batch: BatchSeq,
        /// Its task.
        task: TaskId,
        /// The answer's trace id.
        trace_id: Option<String>,
    },
    /// A batch is decided: its rows' outcomes, and its body goes.
    Settled {
        /// The stage.
        stage: u32,
        /// The batch.
        batch: BatchSeq,
        /// The trace id of a refusal; an accepted batch keeps the one of its acceptance.
        trace_id: Option<String>,
        /// The outcomes of its rows. Each has one, but for a refused batch of definitions: rows without one travel on.
        outcomes: Vec<RowOutcome>,
        /// When.
        at: UnixMillis,
    },
    /// A batch was given up while its fate is open: its rows count as unconfirmed until its run is taken up again, which
    /// goes on with the batch. Its body stays.
    Suspended {
        /// The stage.
        stage: u32,
        /// The batch.
        batch: BatchSeq,
        /// One outcome per row of the batch, none of them loaded.
        outcomes: Vec<RowOutcome>,
    },
    /// Rows decided without a batch: rejected, duplicate, unchanged, single calls, not sent.
    Rows {
        /// The stage.
        stage: u32,
        /// Their outcomes.
        outcomes: Vec<RowOutcome>,
    },
    /// A stage is settled.
    StageFinished {
        /// The stage.
        stage: u32,
        /// When.
        at: UnixMillis,
    },
    /// The run is over; if it stopped early it stays open, and can be continued.
    RunFinished {
        /// When.
        at: UnixMillis,
        /// Why it stopped early.
        stopped: Option<String>,
    },
}

impl Record {
    /// The step that it is, for those who kill the program there.
    pub(super) const fn step(&self) -> Step {
        match self {
            Self::StageStarted(_) => Step::StageStarted,
            Self::StageRead { .. } => Step::StageRead,
            Self::Sending { .. } => Step::Sending,
            Self::Calling { .. } => Step::Calling,
            Self::Accepted { .. } => Step::Accepted,
            Self::Settled { .. } | Self::Suspended { .. } => Step::Settled,
            Self::Rows { .. } => Step::Rows,
            Self::StageFinished { .. } => Step::StageFinished,
            Self::RunFinished { .. } => Step::RunFinished,
        }
    }
}
