//! One file per command.

pub(super) mod auth;
pub(super) mod check;
pub(super) mod codes;
pub(super) mod contract;
pub(super) mod doctor;
pub(super) mod load;
pub(super) mod manual;
pub(super) mod plan;
pub(super) mod report;
pub(super) mod resume;
pub(super) mod retry;
pub(super) mod runs;
pub(super) mod sandbox;
mod show;
pub(super) mod state;

pub(super) use sandbox::FOLDER as SANDBOX_FOLDER;
