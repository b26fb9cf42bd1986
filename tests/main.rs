//! Whole runs of the built binary, and what holds for the tree as a whole.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cli;
mod demo;
mod exports;
mod faults;
mod formats;
mod inputs;
mod layering;
mod ledger;
mod malformed;
mod mapping;
mod policies;
mod stopping;
mod support;
