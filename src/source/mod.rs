//! Files → chunks of rows, in bounded memory.
//!
//! Duty: find the input files, open them, check what headers and footers show, and stream their rows in
//! reading order with their physical lines. Guarantee: every record read has exactly one [`RowId`]; a record that
//! cannot be read is a [`chunk::BadRow`], not the end of the run. Must not know: mappings, the site, the ledger.
//!
//! [`RowId`]: crate::model::row::RowId

pub mod chunk;
