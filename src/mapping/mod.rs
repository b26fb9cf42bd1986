//! Mapping file → plan; chunk of rows → payloads or reasons.
mod diagnostic;
mod file;
mod reader;
mod references;
mod suggest;
mod types;
pub use diagnostic::Diagnostics;
pub use file::MappingFile;
mod expr;
mod functions;
mod sql;
