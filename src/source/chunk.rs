//! The unit that leaves a source: a Polars frame of some thousand rows, with row numbers, lines and bad records.
//!
//! A leaf of its own: `mapping` may see it, and it sees nothing but `model`.

use crate::model::code::Code;
use crate::model::row::{FileId, RowId};
use polars::prelude::{DataFrame, DataType};

/// The columns of a dataset, the same for all its files.
///
/// Types are few: `String` (all CSV cells, and whatever has no type below, rendered as text), `Int64`, `UInt64`,
/// `Float64`, `Boolean`, `Date`, `Datetime(µs)` in UTC, `Decimal`, and `List(String)`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourceSchema {
    columns: Vec<(String, DataType)>,
}

impl SourceSchema {
    /// A schema of these columns, in order. Names are unique: sources refuse duplicate headers.
    #[must_use]
    pub fn new(columns: Vec<(String, DataType)>) -> Self {
        Self { columns }
    }

    /// Name and type of each column, in order.
    #[must_use]
    pub fn columns(&self) -> &[(String, DataType)] {
        &self.columns
    }

    /// The type of a column.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&DataType> {
        self.columns
            .iter()
            .find(|(column, _)| column == name)
            .map(|(_, kind)| kind)
    }
}

/// A record that could not be read as a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its row number.
    pub row: RowId,
    /// The physical line on which it starts.
    pub line: Option<u64>,
    /// What is wrong with it.
    pub code: Code,
    /// The same in words, with numbers (`has 3 fields, the header has 5`), without cell values.
    pub message: String,
}

/// Some thousand rows of one file.
#[derive(Debug, Clone)]
pub struct RowChunk {
    /// The file.
    pub file: FileId,
    /// The row number of each row of the frame, ascending. Numbers in between belong to `bad`.
    pub ids: Vec<RowId>,
    /// The physical line (from 1) on which each row's record starts; empty for formats without lines.
    pub lines: Vec<u64>,
    /// The requested columns, one row for each of `ids`.
    pub frame: DataFrame,
    /// Records of this stretch that could not be read, ascending.
    pub bad: Vec<BadRow>,
}

impl RowChunk {
    /// The physical line of the frame's row at `index`, where the format has lines.
    #[must_use]
    pub fn line(&self, index: usize) -> Option<u64> {
        self.lines.get(index).copied()
    }

    /// Records in this chunk, readable or not.
    #[must_use]
    pub fn records(&self) -> usize {
        self.ids.len() + self.bad.len()
    }
}
