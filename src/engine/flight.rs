//! A batch under way, and where it stands.

use super::batcher::Batch;
use super::retry::Tries;
use crate::model::outcome::Counts;
use crate::model::reply::{TaskFailure, TaskId};
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
    Identifying { failures: Vec<TaskFailure> },
    /// Its outcomes are being made durable.
    Settling { counts: Counts },
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

/// A batch between its cut and its durable outcome.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) batch: Batch,
    pub(super) key: String,
    pub(super) body: Arc<Vec<u8>>,
    pub(super) phase: Phase,
    pub(super) attempts: u32,
    pub(super) tries: Tries,
    /// An earlier attempt may have reached the site.
    pub(super) maybe_applied: bool,
    pub(super) first_sent: Option<Instant>,
    /// Our tasks that the site had when it was sent last, itself among them.
    pub(super) depth: usize,
}

impl Flight {
    /// Whether the site may count it against the task limit.
    pub(super) fn holds_slot(&self) -> bool {
        match self.phase {
            Phase::Sending | Phase::Backoff { .. } | Phase::Waiting(_) => true,
            Phase::Preparing
            | Phase::Queued
            | Phase::Identifying { .. }
            | Phase::Settling { .. } => false,
        }
    }
}
