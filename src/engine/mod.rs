//! Decides in plain functions of (state, event, now), acts in one driver.
//!
//! Duty: cut batches, hold the site's task slots, send, wait, repeat, and end every row in exactly one status.
//! Guarantee: [`batcher`], [`state`], [`slots`], [`retry`], [`poll`] and [`attribute`] do no I/O, read no clock and
//! await nothing. Must not know: how files are read, what mappings mean, how results are shown.

pub mod attribute;
pub mod batcher;
mod flight;
pub mod limits;
pub mod message;
pub mod poll;
pub mod retry;
#[cfg(test)]
mod simulation;
pub mod slots;
pub mod state;
