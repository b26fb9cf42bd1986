//! The results file: one row for every source row, in source order, whatever happened.
//!
//! Duty: encode rows as CSV, JSON lines, Parquet or Arrow. Guarantee: rows ascend; memory does not grow with
//! their number; the file appears under its name whole and durable, or not at all. Must not know: where rows come from.

mod columnar;
mod columns;
mod csv_file;
mod gone;
mod json_lines;
mod name;
mod temporary;
mod writer;

#[cfg(test)]
mod tests;

pub use columns::{SOURCE_PREFIX, column_names};
pub use gone::{GoneWriter, gone_name};
pub use name::{ResultsFormat, default_name, expand_name, format_of};
pub use writer::{ResultsWriter, check_place};

use crate::model::clock::UnixMillis;
use crate::model::entity::{Asked, Entity};
use crate::model::outcome::{Route, Status};
use crate::model::row::Reason;
use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

/// What is the same for all rows of a results file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultsHeader {
    /// The run's id.
    pub run: String,
    /// What was loaded.
    pub entity: Entity,
    /// With which verb.
    pub operation: Asked,
    /// The source's columns that follow as `src.<name>`; empty without `--with-source`. Names are unique.
    pub source_columns: Vec<String>,
}

/// One row of a results file.
#[derive(Clone)]
pub struct ResultRow<'a> {
    /// The row's number in its dataset, from 1.
    pub row: u64,
    /// The file it came from.
    pub source: &'a str,
    /// The physical line (from 1) on which its record starts, for formats with lines.
    pub line: Option<u64>,
    /// The value of the mapping's `key`; empty when it has none.
    pub key: &'a str,
    /// How it ended.
    pub status: Status,
    /// Why, when it did not load.
    pub reasons: &'a [Reason],
    /// The site's id of the record, where known.
    pub remote_id: Option<&'a str>,
    /// Which way it travelled, if it was sent.
    pub route: Option<Route>,
    /// The number of the batch it travelled in.
    pub batch: Option<u64>,
    /// The site's task that judged it.
    pub task_id: Option<&'a str>,
    /// The trace id of the answer, for the site's support.
    pub trace_id: Option<&'a str>,
    /// How often the request that held it was sent.
    pub attempts: u32,
    /// When it was decided.
    pub finished_at: UnixMillis,
    /// The source's cells, one for each of [`ResultsHeader::source_columns`]; none at all for a row that has
    /// no cells (a record that could not be read): they are written as nulls.
    pub cells: &'a [Option<Cow<'a, str>>],
}

/// Why a results file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The name's ending says no known format.
    #[error("results file {}: its name must end in {}", path.display(), ResultsFormat::ENDINGS)]
    Ending {
        /// The name as given.
        path: PathBuf,
    },
    /// Something that is not a file has the name.
    #[error("results file {}: exists and is not a regular file; choose another name", path.display())]
    NotAFile {
        /// The name as given.
        path: PathBuf,
    },
    /// Reading or writing failed.
    #[error("results file {}: failed to {doing}", path.display())]
    Io {
        /// The name as given.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// A row came after one with the same or a higher number: a defect of this program.
    #[error("results file {}: row {row} came after row {previous}; this is a bug", path.display())]
    OutOfOrder {
        /// The name as given.
        path: PathBuf,
        /// The row.
        row: u64,
        /// The row before it.
        previous: u64,
    },
    /// A row has another number of source cells than the file has columns for: a defect of this program.
    #[error(
        "results file {}: row {row} has {cells} source cells for {columns} columns; this is a bug",
        path.display()
    )]
    SourceCells {
        /// The name as given.
        path: PathBuf,
        /// The row.
        row: u64,
        /// Its cells.
        cells: usize,
        /// The file's source columns.
        columns: usize,
    },
    /// Another number of rows was written than was read: a defect of this program.
    #[error(
        "results file {}: {written} rows written for {expected} rows read; this is a bug",
        path.display()
    )]
    RowCount {
        /// The name as given.
        path: PathBuf,
        /// The rows read.
        expected: u64,
        /// The rows written.
        written: u64,
    },
}
