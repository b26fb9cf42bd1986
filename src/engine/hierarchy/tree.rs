//! What the first reading found out about the parents of rows.

use crate::model::code::Code;
use crate::model::row::{Reason, RowId};
use std::fmt::Write;

/// Rows of a circle that a message names.
const SHOWN: usize = 6;

/// A row that does not simply go out when it is read. 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) row: RowId,
    /// Its parent's row; of a circle the next row on the way round.
    pub(super) parent: Option<RowId>,
    /// Its place among the rows that wait.
    pub(super) rank: u32,
    pub(super) fate: Fate,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes out when it is read.
    Straight,
    /// It goes out behind its parent.
    Waits,
    /// Nobody has its parent.
    Missing,
    /// Its parent's rows were refused.
    ParentRefused,
    /// It is its own ancestor.
    Circle,
}

/// Which rows wait for their parents, in which order, and which are refused.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// By row; a row that is not here goes out when it is read.
    placed: Vec<Placed>,
}

/// What becomes of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It goes out when it is read, unless it is left out for another reason.
    AtOnce,
    /// It waits.
    Behind {
        /// Its place among those that wait.
        rank: u32,
        /// The row of its parent; `None` of a row that follows others of its own key.
        parent: Option<RowId>,
    },
    /// It is refused.
    Refused,
}

impl Tree {
    pub(super) fn of(placed: Vec<Placed>) -> Self {
        Self { placed }
    }

    /// The rows that are refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        let refused = |placed: &&Placed| placed.fate != Fate::Waits;
        self.placed.iter().filter(refused).count() as u64
    }

    /// What becomes of a row.
    #[must_use]
    pub fn turn(&self, row: RowId) -> Turn {
        let Some(placed) = self.find(row) else {
            return Turn::AtOnce;
        };
        match placed.fate {
            Fate::Straight => Turn::AtOnce,
            Fate::Waits => Turn::Behind {
                rank: placed.rank,
                parent: placed.parent,
            },
            Fate::Missing | Fate::ParentRefused | Fate::Circle => Turn::Refused,
        }
    }

    /// Why a row is refused, if it is. `field` is the detail that names the parent, `name` the parent's name.
    #[must_use]
    pub fn reason(&self, row: RowId, field: Option<&str>, name: &str) -> Option<Reason> {
        let placed = self.find(row)?;
        let (code, message) = match placed.fate {
            Fate::Straight | Fate::Waits => return None,
            Fate::Missing => (
                Code::ParentMissing,
                format!("neither the input nor the site has an organization named \"{name}\""),
            ),
            Fate::ParentRefused => (
                Code::ParentRejected,
                format!(
                    "its parent \"{name}\", row {}, was rejected",
                    placed.parent.map_or(0, |row| row.0)
                ),
            ),
            Fate::Circle => (
                Code::ParentCycle,
                format!("its parents go round in a circle: {}", self.way(row)),
            ),
        };
        Some(Reason {
            code: code.into(),
            field: field.map(str::to_owned),
            message,
        })
    }

    /// The rows of a circle from one of them on, until one comes again.
    fn way(&self, row: RowId) -> String {
        let mut seen = vec![row];
        let mut way = format!("row {}", row.0);
        let mut next = self.find(row).and_then(|placed| placed.parent);
        while let Some(row) = next {
            let again = seen.contains(&row);
            if !again && seen.len() == SHOWN {
                way.push_str(" → …");
                break;
            }
            // writing into a text has no way to fail
            let _ = write!(way, " → row {}", row.0);
            if again {
                break;
            }
            seen.push(row);
            next = self.find(row).and_then(|placed| placed.parent);
        }
        way
    }

    fn find(&self, row: RowId) -> Option<&Placed> {
        let found = self.placed.binary_search_by_key(&row, |placed| placed.row);
        found.ok().map(|index| &self.placed[index])
    }
}
