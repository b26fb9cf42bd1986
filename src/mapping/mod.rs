//! Mapping file → plan; chunk of rows → payloads or reasons.
mod diagnostic;
mod references;
mod suggest;
mod types;
