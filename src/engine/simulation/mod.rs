//! The state machine, with the gate that its requests pass, against a made-up site in made-up time.
//!
//! All but the tests is also part of `benches/simulate.rs`, and so takes what it needs from `parts`.

mod account;
mod loader;
mod orders;
mod plans;
mod routes;
mod scenarios;
mod site;
mod world;

/// What the simulation is made of.
mod parts {
    pub(super) use crate::api::client::Gate;
    pub(super) use crate::api::contract::Endpoint;
    pub(super) use crate::engine::batcher::BatchLimits;
    pub(super) use crate::engine::limits::{TaskSlots, Verify};
    pub(super) use crate::engine::message::{Command, Event, Now, StageConfig};
    pub(super) use crate::engine::pace::{Pace, Passage, Rates};
    pub(super) use crate::engine::route::Wish;
    pub(super) use crate::engine::seen::{Called, Seen};
    pub(super) use crate::engine::state::Engine;
    pub(super) use crate::ledger::PastTask;
    pub(super) use crate::ledger::record::Record;
    pub(super) use crate::model::clock::{Clock, UnixMillis};
    pub(super) use crate::model::code::Code;
    pub(super) use crate::model::event::RunEvent;
    pub(super) use crate::model::outcome::{BatchSeq, Route, RowOutcome, Status};
    pub(super) use crate::model::reply::{
        Accepted, ApiError, ErrorClass, TaskFailure, TaskId, TaskView, Throttle,
    };
    pub(super) use crate::model::row::{FileId, KeyHash, PreparedRow, Reason, RowId, RowRef};
    pub(super) use crate::model::slice::Slice;
}
