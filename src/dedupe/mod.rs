//! Which row of a natural key is sent: decided before the first send, by one pass over (key hash, row).
//!
//! Duty: take the key of every row that passed validation, spill it to partitions on disk, and give back, in row
//! order, the rows that lose to another row of their key. Guarantee: memory stays flat (one partition at a time);
//! keys are compared by a 128-bit hash. Must not know: mappings, the site, the ledger.

mod keys;
mod partitions;
mod rows;
mod runs;
mod spill;

pub use keys::{KeySet, SortedKeys};
pub use rows::SpilledRows;
pub use runs::{Merged, Runs};
pub use spill::{Decided, KeySpill, KeyedRows, Losers, Winner};

use crate::model::row::RowId;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What happens to rows that share a natural key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The last row of a key is sent; earlier ones are duplicates.
    #[default]
    Last,
    /// The first row of a key is sent; later ones are duplicates.
    First,
    /// Every row is sent, one after the other.
    AllInOrder,
    /// No row of the key is sent; all are rejected.
    Reject,
}

impl Policy {
    /// The name used in job files and flags.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::First => "first",
            Self::AllInOrder => "all-in-order",
            Self::Reject => "reject",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Last, Self::First, Self::AllInOrder, Self::Reject]
            .into_iter()
            .find(|policy| policy.name() == text)
            .ok_or_else(|| {
                format!("unknown policy {text:?}; use last, first, all-in-order or reject")
            })
    }
}

/// A row that is not sent because of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loser {
    /// The row.
    pub row: RowId,
    /// Why.
    pub verdict: Verdict,
}

/// Why a row is not sent because of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Another row of the key is sent.
    Duplicate {
        /// That row.
        winner: RowId,
    },
    /// All rows of the key are refused.
    Rejected {
        /// How many there are.
        rows: u64,
        /// The first of them.
        first: RowId,
    },
}
