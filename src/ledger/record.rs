//! What can be written to the ledger.

use crate::model::clock::UnixMillis;
use crate::model::entity::{Asked, Entity};
use crate::model::outcome::{BatchSeq, RowOutcome};
use crate::model::reply::TaskId;
use crate::model::row::RowRef;
use std::sync::Arc;

/// The header of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunHeader {
    /// Its id, as results files show it.
    pub id: String,
    /// Random UUID: the name space of its idempotency keys.
    pub nonce: String,
    /// The site, as people call it.
    pub site: String,
    /// When it started.
    pub started_at: UnixMillis,
}

/// The header of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageHeader {
    /// Its number in the run, from 0.
    pub stage: u32,
    /// What it loads.
    pub entity: Entity,
    /// With which verb.
    pub operation: Asked,
    /// Digest of the mapping file.
    pub mapping: u128,
    /// Path of the results file.
    pub results: Option<String>,
    /// Its input files: name, bytes, digest of the content.
    pub files: Vec<(String, u64, u128)>,
}

/// One durable step of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A stage begins.
    StageStarted(StageHeader),
    /// A bulk request is about to leave: written before it does.
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
        rows: Vec<RowRef>,
        /// When.
        at: UnixMillis,
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
    /// The run is over.
    RunFinished {
        /// When.
        at: UnixMillis,
        /// Why it stopped early.
        stopped: Option<String>,
    },
}
