//! One file per command.

pub(super) mod auth;
pub(super) mod check;
pub(super) mod codes;
pub(super) mod contract;
pub(super) mod load;
pub(super) mod sandbox;
mod show;
