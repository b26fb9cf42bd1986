//! What people and their tools see of a run: results file, progress, log, summary, and the list of codes.
//!
//! Duty: turn rows' outcomes and run events into files and text. Guarantee: a results file is in place whole or
//! not at all; a writer that is slow or gone never fails or holds up a run; cell values appear in the results file
//! alone (the summary repeats the site's words about one example row a code). Must not know: any module but
//! `model`; where standard error is, or which flags were given: writers and paths are handed in.

pub mod codes;
pub(crate) mod figures;
pub mod forecast;
pub mod progress;
pub mod results;
pub mod summary;
