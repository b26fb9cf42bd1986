//! What a format's reader delivers: rows of one file, before folder columns and order make a chunk of them.

use super::chunk::BadRow;
use crate::model::row::RowId;
use polars::prelude::Column;

/// How much a reader may deliver at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Records, readable or not; at least 1.
    pub(super) rows: usize,
    /// Bytes that the columns hold; at least 1.
    pub(super) bytes: usize,
}

/// Consecutive records of one file.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    /// The row number of each readable row.
    pub(super) ids: Vec<RowId>,
    /// The line of each readable row; empty for formats without lines.
    pub(super) lines: Vec<u64>,
    /// The wanted columns in the order in which they were asked for, one row for each of `ids`.
    pub(super) columns: Vec<Column>,
    /// The unreadable records.
    pub(super) bad: Vec<BadRow>,
}

impl Stretch {
    /// Records, readable or not.
    pub(super) fn records(&self) -> usize {
        self.ids.len() + self.bad.len()
    }
}
