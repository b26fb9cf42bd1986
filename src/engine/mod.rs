//! Decides in plain functions of (state, event, now), acts in one driver.
//!
//! Duty: cut batches, hold the site's task slots, send, wait, repeat, and end every row in exactly one status.
//! Guarantee: [`batcher`], [`state`], [`slots`], [`route`], [`quiet`], [`retry`], [`poll`] and [`attribute`] do no I/O, read no clock and
//! await nothing. Must not know: how files are read, what mappings mean, how results are shown.

pub mod asking;
pub mod attribute;
pub mod batcher;
pub mod check;
mod config;
pub mod context;
mod definitions;
pub mod drafts;
pub mod driver;
mod entitlements;
pub mod estimate;
pub mod feed;
mod flight;
pub mod found;
pub mod gone;
pub mod hierarchy;
pub mod job;
mod judging;
mod lately;
pub mod limits;
pub mod message;
mod once;
pub mod outcome;
pub mod pace;
pub mod past;
mod patience;
pub mod poll;
pub mod preview;
mod products;
pub mod publish;
pub mod quiet;
mod readings;
pub mod recall;
pub mod rejected;
pub mod reread;
pub mod resolve;
mod resume;
pub mod retry;
pub mod route;
pub mod run;
pub mod seen;
pub mod settle;
pub mod settled;
#[cfg(test)]
mod simulation;
pub mod single;
pub mod slots;
mod standing;
pub mod state;
pub mod stop;
pub mod survey;
pub mod verify;
pub mod why;
