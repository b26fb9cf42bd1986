//! How a row ended.

use crate::model::clock::UnixMillis;
use crate::model::row::{Reason, RowRef};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The final status of a row, as the results file shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Status {
    /// The site confirmed it.
    Loaded = 0,
    /// The site already holds the same content; not sent.
    Unchanged = 1,
    /// Our validation refused it; never sent.
    Rejected = 2,
    /// The site refused it.
    Failed = 3,
    /// Another row with the same natural key was sent instead.
    Duplicate = 4,
    /// Sent, and the site could not be made to tell.
    Unconfirmed = 5,
    /// The run stopped before it.
    NotSent = 6,
}

impl Status {
    /// Every status, in the order in which summaries show them.
    pub const ALL: [Self; 7] = [
        Self::Loaded,
        Self::Unchanged,
        Self::Rejected,
        Self::Failed,
        Self::Duplicate,
        Self::Unconfirmed,
        Self::NotSent,
    ];

    /// The word in the results file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Unchanged => "unchanged",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Duplicate => "duplicate",
            Self::Unconfirmed => "unconfirmed",
            Self::NotSent => "not_sent",
        }
    }

    /// The status with this number in the ledger.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|status| *status as u8 == number)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Which way a row travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// In a bulk request, judged by its task.
    Bulk,
    /// By single-record calls.
    Single,
}

impl Route {
    /// The word in the results file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Single => "single",
        }
    }
}

/// A batch's number within its stage, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BatchSeq(pub u64);

/// The one outcome of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowOutcome {
    /// The row.
    pub row: RowRef,
    /// How it ended.
    pub status: Status,
    /// Why, when it did not load; empty for `loaded`.
    pub reasons: Vec<Reason>,
    /// The site's id of the record, where known.
    pub remote_id: Option<String>,
    /// Which way it travelled; `None` when it was never sent.
    pub route: Option<Route>,
    /// The batch it travelled in; `None` when it was never in one.
    pub batch: Option<BatchSeq>,
    /// How often the request that held it was sent.
    pub attempts: u32,
    /// When it was decided.
    pub finished_at: UnixMillis,
}

/// How many rows ended in each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    counts: [u64; Status::ALL.len()],
}

impl Counts {
    /// Adds `rows` rows of one status.
    pub fn add(&mut self, status: Status, rows: u64) {
        self.counts[status as usize] += rows;
    }

    /// The rows of one status.
    #[must_use]
    pub fn of(&self, status: Status) -> u64 {
        self.counts[status as usize]
    }

    /// The rows of all statuses.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The rows that count as errors: rejected, failed and unconfirmed.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.of(Status::Rejected) + self.of(Status::Failed) + self.of(Status::Unconfirmed)
    }

    /// Whether some row needs attention: anything but loaded, unchanged or duplicate.
    #[must_use]
    pub fn any_not_loaded(&self) -> bool {
        self.errors() + self.of(Status::NotSent) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_keep_their_numbers_and_counts_add_up() {
        for status in Status::ALL {
            assert_eq!(Status::from_number(status as u8), Some(status));
        }
        assert_eq!(Status::from_number(7), None);
        let mut counts = Counts::default();
        counts.add(Status::Loaded, 3);
        counts.add(Status::Duplicate, 1);
        assert_eq!((counts.total(), counts.any_not_loaded()), (4, false));
        counts.add(Status::NotSent, 1);
        assert!(counts.any_not_loaded());
    }
}
