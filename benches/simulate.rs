//! Simulates whole loads of a million rows in made-up time, and prints what they cost.
//! usage: cargo run --example simulate [-- ROWS]

#![expect(clippy::print_stdout, reason = "a program that prints measurements")]

#[path = "../src/engine/simulation/account.rs"]
mod account;
#[path = "../src/engine/simulation/loader.rs"]
mod loader;
#[path = "../src/engine/simulation/site.rs"]
mod site;
#[path = "../src/engine/simulation/world.rs"]
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

use loader::Load;
use parts::{TaskSlots, Verify, Wish};
use site::{Dice, Terms};
use std::time::{Duration, Instant};
use world::World;

/// How long a task takes.
type Times = fn(&mut Dice) -> Duration;

/// Kinds of task times, by name.
const TIMES: [(&str, Times); 3] = [
    ("constant 8 s", |_| Duration::from_secs(8)),
    ("log-normal", |dice| {
        Duration::from_secs_f64(8.0 * (0.5 * dice.normal()).exp())
    }),
    ("heavy-tailed", |dice| {
        let share = dice.share().max(1e-9);
        Duration::from_secs_f64((4.0 * share.powf(-1.0 / 1.5)).min(600.0))
    }),
];

fn main() {
    let rows = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .next_back()
        .unwrap_or(1_000_000_u64);
    println!(
        "{rows} rows, 100 a task, 5 slots learned, 30 to 80 ms a request, 50 requests a second"
    );
    for (name, time) in TIMES {
        let terms = Terms {
            slots: 5,
            serial: false,
            hostile: false,
            time,
            item: Duration::ZERO,
            call: Duration::ZERO,
        };
        let load = Load {
            keys: (0..rows).collect(),
            slots: TaskSlots::Auto,
            most_slots: 5,
            requests_per_second: 50,
            items: 100,
            stretch: 2_000,
            latency: (30, 80),
            route: Wish::Bulk,
            verify: Verify::Sample,
            findable: true,
        };
        let started = Instant::now();
        let mut world = World::new(terms, vec![load], 1);
        world.run(None);
        let real = started.elapsed();
        let account = world.account(5);
        println!(
            "{name}: {real:.1?} for {:.0} s simulated ({} events); {:.3} of the clairvoyant makespan, {:.1} % of the \
             slots in use, polls {:.1} a task and {:.2} % late, {} timed out",
            account.makespan,
            account.events,
            account.makespan / account.clairvoyant,
            100.0 * account.slots_in_use,
            account.polls_per_task,
            100.0 * account.mean_delay,
            account.timed_out,
        );
    }
}
