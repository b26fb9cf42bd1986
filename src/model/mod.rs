//! What flows between the stages: rows, reasons, outcomes, batches and tasks.
//!
//! Duty: the vocabulary every other module shares. Guarantee: plain data, `std` and `serde` only, no I/O but that of
//! [`failpoint`], which only debug builds have.
//! Must not know: any other module of this crate.

pub mod cause;
pub mod clock;
pub mod code;
pub mod entitlement;
pub mod entity;
pub mod event;
pub mod failpoint;
pub mod outcome;
pub mod reply;
pub mod row;
pub mod slice;
