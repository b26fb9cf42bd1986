//! Files → chunks of rows, in bounded memory.
//!
//! Duty: find the input files, open them, check what headers and footers show, and stream their rows in
//! reading order with their physical lines. Guarantee: every record read has exactly one [`RowId`]; a record that
//! cannot be read is a [`chunk::BadRow`], not the end of the run. Must not know: mappings, the site, the ledger.
//!
//! ```text
//! spec ─▶ expand ─▶ detect ─▶ csv · parquet · arrow (header, footer) ─▶ dataset ─▶ chunks ─▶ RowChunk
//! ```
//!
//! [`RowId`]: crate::model::row::RowId

mod arrow;
mod cells;
pub mod chunk;
mod chunks;
mod columnar;
mod convert;
mod csv;
mod dataset;
mod detect;
mod differences;
pub mod digest;
mod error;
mod expand;
mod json_lines;
mod kept;
mod kind;
mod parquet;
mod recorded;
mod row_set;
mod spec;
mod spool;
mod stretch;
#[cfg(test)]
mod tests;
mod texts;

pub use cells::RowCells;
pub use chunks::Chunks;
pub use dataset::{Dataset, SourceFile};
pub use error::{Place, SourceError, SourceErrorKind, SourceErrors};
pub use kept::{KeptPlace, RowKeeper};
pub use recorded::{RecordedColumn, RecordedKind, RecordedSchema, RecordedSource};
pub use row_set::RowSet;
pub use spec::{ChunkRequest, CsvOptions, Format, Header, SourceSpec, UnknownFormat};
pub use texts::{At, TextChunk, TextTable, Texts};
