//! Whole runs of the built binary, and what holds for the tree as a whole.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cli;
mod demo;
mod exports;
mod faults;
mod formats;
mod inputs;
mod layering;
mod malformed;
mod mapping;
mod policies;
mod retry_files;
mod stopping;
mod support;
