//! Rows kept in a file of their own, with the numbers, files and lines they had where they came from.
//!
//! Duty: take rows as text, type their cells by a recorded schema, and be a dataset of exactly these rows. Guarantee:
//! every reading gives the same rows; one whose cells cannot be typed is a bad row. Must not know: where the text is from.
//!
//! The file is Arrow IPC: four columns of our own ([`ROW`], [`FILE`], [`LINE`], [`BAD`]), then `src.<name>` for each column of
//! the schema. The names of the files and the schema stand in its metadata, so that it can be opened by another process.

mod cell;
mod read;
mod write;

pub(super) use read::{Chunks, Layout};
pub use write::{KeptPlace, RowKeeper};

use super::recorded::RecordedSchema;
use serde::{Deserialize, Serialize};

/// The row's number.
const ROW: &str = "row";
/// Its file's position.
const FILE: &str = "file";
/// Its physical line, where it has one.
const LINE: &str = "line";
/// JSON `[code, message]` for a row that is none.
const BAD: &str = "bad";
/// Our own columns, which come first.
const OWN: [&str; 4] = [ROW, FILE, LINE, BAD];
/// What stands before the name of a source's column.
const PREFIX: &str = "src.";
/// Where the metadata stands in the Arrow schema.
const METADATA: &str = "csm-loader.kept";

/// What a file of kept rows says about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    /// The names of the files that the rows came from, by position.
    files: Vec<String>,
    /// Their columns.
    columns: RecordedSchema,
}
