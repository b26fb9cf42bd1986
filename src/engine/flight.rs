//! A batch under way, and where it stands.

use super::batcher::Batch;
use crate::model::outcome::Counts;
use crate::model::reply::{TaskFailure, TaskId};
use std::sync::Arc;
use std::time::Instant;

/// Where a batch stands.
#[derive(Debug)]
pub(super) enum Phase {
    /// Its intent is being made durable.
    Preparing,
    /// It may leave once a slot is free, not before the instant.
    Queued { not_before: Option<Instant> },
    /// Its request is under way.
    Sending,
    /// It is sent again at the instant.
    Backoff { until: Instant },
    /// Its task is waited for.
    Waiting(Wait),
    /// Its task ended; remote ids in the failures are being looked up.
    Identifying { failures: Vec<TaskFailure> },
    /// Its outcomes are being made durable.
    Settling { counts: Counts },
}

/// A task that is waited for.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) task: TaskId,
    pub(super) since: Instant,
    pub(super) next_poll: Instant,
    pub(super) polling: bool,
    pub(super) poll_errors: u32,
}

/// A batch between its cut and its durable outcome.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) batch: Batch,
    pub(super) key: String,
    pub(super) body: Arc<Vec<u8>>,
    pub(super) phase: Phase,
    pub(super) attempts: u32,
    /// Answers in a row that asked to wait.
    pub(super) throttles: u32,
    /// An earlier attempt may have reached the site.
    pub(super) maybe_applied: bool,
    pub(super) first_sent: Option<Instant>,
}

impl Flight {
    /// Whether the site may count it against the task limit.
    pub(super) fn holds_slot(&self) -> bool {
        match self.phase {
            Phase::Sending | Phase::Backoff { .. } | Phase::Waiting(_) => true,
            Phase::Preparing
            | Phase::Queued { .. }
            | Phase::Identifying { .. }
            | Phase::Settling { .. } => false,
        }
    }
}
