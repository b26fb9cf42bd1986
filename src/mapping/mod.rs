//! Mapping file → plan; chunk of rows → payloads or reasons.
//!
//! Duty: read a mapping file, check it against a source's columns and report every fault at once; then map and
//! validate chunks, column by column. Guarantee: each row of a chunk ends in exactly one of two lists, in row order,
//! with all its reasons; a row's result depends on that row alone, so any chunking gives the same output; bad input
//! never panics. Must not know: where chunks come from, how names are looked up, what is sent when.
//!
//! ```text
//! MappingFile::read ──▶ Plan::compile ──▶ Plan::draft(chunk) ──▶ Draft::names → look up ──▶ Draft::finish ──▶ Mapped
//! ```

mod cast;
mod cells;
mod compile;
mod definition;
mod diagnostic;
mod draft;
mod entitlement;
mod expr;
mod file;
mod functions;
mod identity;
mod memo;
mod needs;
mod payload;
mod plan;
mod reader;
mod references;
mod sink;
mod sql;
mod suggest;
mod syntax;
mod tree;
mod types;
mod uses;
mod value;
mod writer;

pub use diagnostic::Diagnostics;
pub use draft::{Draft, Emit};
pub use file::MappingFile;
pub use needs::DetailNeed;
pub use plan::Plan;
pub use references::{Known, OnMissing, RefKind, References};

#[cfg(test)]
mod tests;
