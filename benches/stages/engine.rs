//! The decisions of a load, against a site in the same process that has done every task at once, in made-up time.

#[path = "../../src/engine/simulation/account.rs"]
mod account;
#[path = "../../src/engine/simulation/loader.rs"]
mod loader;
#[path = "../../src/engine/simulation/site.rs"]
#[allow(dead_code, reason = "this site has no moods")]
mod site;
#[path = "../../src/engine/simulation/world.rs"]
mod world;

/// What the simulation is made of.
mod parts {
    pub(super) use csm_loader::api::client::Gate;
    pub(super) use csm_loader::api::contract::Endpoint;
    pub(super) use csm_loader::engine::batcher::BatchLimits;
    pub(super) use csm_loader::engine::limits::{TaskSlots, Verify};
    pub(super) use csm_loader::engine::message::{Command, Event, Now, StageConfig};
    pub(super) use csm_loader::engine::pace::{Pace, Passage, Rates};
    pub(super) use csm_loader::engine::route::Wish;
    pub(super) use csm_loader::engine::seen::{Called, Seen};
    pub(super) use csm_loader::engine::state::Engine;
    pub(super) use csm_loader::ledger::PastTask;
    pub(super) use csm_loader::ledger::record::Record;
    pub(super) use csm_loader::model::clock::{Clock, UnixMillis};
    pub(super) use csm_loader::model::code::Code;
    pub(super) use csm_loader::model::event::RunEvent;
    pub(super) use csm_loader::model::outcome::{BatchSeq, Route, RowOutcome, Status};
    pub(super) use csm_loader::model::reply::{
        Accepted, ApiError, ErrorClass, TaskFailure, TaskId, TaskView, Throttle,
    };
    pub(super) use csm_loader::model::row::{FileId, KeyHash, PreparedRow, Reason, RowId, RowRef};
    pub(super) use csm_loader::model::slice::Slice;
}

use crate::input::ROWS;
use divan::Bencher;
use divan::counter::ItemsCount;
use loader::Load;
use parts::{TaskSlots, Verify, Wish};
use site::Terms;
use std::time::Duration;
use world::World;

/// Batches under way at a time.
#[divan::bench(args = [5, 16])]
fn bulk_requests(bencher: Bencher, slots: usize) {
    let world = || {
        let terms = Terms {
            slots,
            serial: false,
            hostile: false,
            time: |_| Duration::ZERO,
            item: Duration::ZERO,
            call: Duration::ZERO,
        };
        let load = Load {
            keys: (0..ROWS).collect(),
            slots: TaskSlots::Auto,
            most_slots: slots,
            requests_per_second: 100_000,
            items: 100,
            stretch: 2_000,
            latency: (0, 1),
            route: Wish::Bulk,
            verify: Verify::Failed,
            findable: true,
        };
        World::new(terms, vec![load], 1)
    };
    bencher
        .counter(ItemsCount::new(ROWS))
        .with_inputs(world)
        .bench_local_values(|mut world| {
            world.run(None);
            assert!(world.account(slots).makespan > 0.0);
        });
}
