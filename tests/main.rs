//! Whole runs of the built binary, and what holds for the tree as a whole.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod auth;
mod cli;
mod contract;
mod demo;
mod exports;
mod faults;
mod formats;
mod inputs;
mod judge;
mod layering;
mod malformed;
mod mapping;
mod policies;
mod sandbox_policies;
mod stopping;
mod support;
