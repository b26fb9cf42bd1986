//! One file per command.

pub(super) mod check;
pub(super) mod codes;
pub(super) mod load;
pub(super) mod report;
pub(super) mod runs;
pub(super) mod sandbox;
mod show;
pub(super) mod state;
