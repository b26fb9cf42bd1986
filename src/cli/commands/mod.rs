//! One file per command.

pub(super) mod auth;
pub(super) mod check;
pub(super) mod codes;
pub(super) mod contract;
pub(super) mod load;
pub(super) mod report;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the command is offered once it can send")
)]
mod retry;
pub(super) mod runs;
pub(super) mod sandbox;
mod show;
pub(super) mod state;
