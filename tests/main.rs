//! Whole runs of the built binary, and what holds for the tree as a whole.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod auth;
mod changed;
mod cli;
mod contract;
mod demo;
mod detail_fields;
mod disks;
mod doctor;
mod entitlements;
mod exports;
mod families;
mod faults;
mod formats;
mod hierarchy;
mod hostile;
mod inputs;
mod judge;
mod layering;
mod ledger;
mod malformed;
mod manual;
mod mapping;
mod memory;
mod plan;
mod policies;
mod retry;
mod retry_files;
mod routes;
mod sandbox_policies;
mod stopping;
mod support;
mod torture;
mod truth;
mod unchanged;
