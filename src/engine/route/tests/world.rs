//! A made-up site in made-up time, loaded both ways as the router says. One seed, one course.

use super::super::{Choice, Facts, Queue, RouteConfig, Router};
use crate::engine::limits::TaskSlots;
use crate::engine::slots::{Ended, SlotGate};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// What a site is like, and what is loaded into it.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// Unfinished tasks that the site bears.
    pub(super) slots: usize,
    /// Tasks that it works at once.
    pub(super) workers: usize,
    /// Milliseconds of a task, and of each of its items.
    pub(super) task: f64,
    pub(super) item: f64,
    /// Milliseconds of a single call.
    pub(super) call: f64,
    /// Calls that a row takes.
    pub(super) calls: u32,
    /// How much times vary, as a share; 0 for not at all.
    pub(super) spread: f64,
    /// Slots that are wanted.
    pub(super) wanted: TaskSlots,
    pub(super) rows: u64,
}

/// How a load went.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Account {
    /// Until the last row ended, in seconds.
    pub(super) makespan: f64,
    pub(super) by_bulk: u64,
    pub(super) by_calls: u64,
    /// The most rows that were in tasks at once.
    pub(super) most_in_tasks: usize,
    pub(super) said: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// A task's end is seen.
    Ended { number: usize },
    /// A row's call is answered; so many of its calls are left.
    Answered { began: u64, left: u32 },
    /// A look at how old tasks are.
    Tick,
}

struct Task {
    rows: usize,
    sent: u64,
    before: Queue,
}

struct World<'a> {
    terms: &'a Terms,
    start: Instant,
    /// Microseconds since the start, as all times here.
    now: u64,
    events: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    order: u64,
    /// When the next request may leave.
    lane: u64,
    tasks: Vec<Option<Task>>,
    /// When each worker is free.
    workers: Vec<u64>,
    waiting: usize,
    under_way: usize,
    in_flight: usize,
    pace: u64,
    gate: SlotGate,
    left: u64,
    seed: u64,
    account: Account,
}

const SECOND: u64 = 1_000_000;

/// The whole of a load.
pub(super) fn load(terms: &Terms, mut router: Router, config: &RouteConfig) -> Account {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "microseconds"
    )]
    let pace = (1e6 / config.requests_per_second) as u64;
    let mut world = World {
        terms,
        start: Instant::now(),
        now: 0,
        events: BinaryHeap::new(),
        order: 0,
        lane: 0,
        tasks: Vec::new(),
        workers: vec![0; terms.workers],
        waiting: 0,
        under_way: 0,
        in_flight: config.single_in_flight,
        pace,
        gate: SlotGate::new(terms.wanted, terms.slots),
        left: terms.rows,
        seed: 7,
        account: Account::default(),
    };
    world.push(SECOND, Happening::Tick);
    loop {
        world.assign(&mut router);
        let Some(Reverse((at, _, happening))) = world.events.pop() else {
            unreachable!("a tick is always to come");
        };
        world.now = at;
        world.happen(happening, &mut router);
        world.account.said.extend(router.explain());
        let busy = world.unfinished() + world.under_way + world.waiting;
        if world.left == 0 && busy == 0 {
            break;
        }
        assert!(
            busy > 0 || world.left > 0 && world.now < 30 * 24 * 3_600 * SECOND,
            "{router:?} waits for nothing"
        );
    }
    world.account.makespan = seconds(world.now);
    world.account
}

impl World<'_> {
    fn push(&mut self, at: u64, happening: Happening) {
        self.order += 1;
        self.events.push(Reverse((at, self.order, happening)));
    }

    fn unfinished(&self) -> usize {
        self.tasks.iter().flatten().count()
    }

    fn queue(&self) -> Queue {
        Queue {
            tasks: self.unfinished(),
            rows: self.tasks.iter().flatten().map(|task| task.rows).sum(),
        }
    }

    fn instant(&self) -> Instant {
        self.start + Duration::from_micros(self.now)
    }

    /// When a request leaves that is ready now.
    fn leave(&mut self) -> u64 {
        let at = self.lane.max(self.now);
        self.lane = at + self.pace;
        at
    }

    /// A time around this many milliseconds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "microseconds"
    )]
    fn around(&mut self, milliseconds: f64) -> u64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let share = (self.seed >> 40) as f64 / (1_u64 << 24) as f64;
        (1e3 * milliseconds * (1.0 + self.terms.spread * (2.0 * share - 1.0))) as u64
    }

    fn assign(&mut self, router: &mut Router) {
        while self.left > 0 {
            let now = self.instant();
            let tasks = self.unfinished();
            self.gate.tick(now, tasks);
            let facts = Facts {
                rows_left: Some(self.left),
                slots: self.gate.ceiling(),
                free_slots: self.gate.ceiling().saturating_sub(tasks),
                unfinished: self.queue(),
                single_rows: self.waiting + self.under_way,
                calls: Some(f64::from(self.terms.calls)),
            };
            let most = |rows: usize, left: u64| u64::min(rows as u64, left);
            match router.assign(now, &facts) {
                Choice::Bulk { most_rows } => {
                    assert!(facts.free_slots > 0);
                    let rows = most(most_rows, self.left);
                    self.left -= rows;
                    self.account.by_bulk += rows;
                    self.submit(usize::try_from(rows).unwrap());
                }
                Choice::Single { most_rows } => {
                    let rows = most(most_rows, self.left);
                    self.left -= rows;
                    self.account.by_calls += rows;
                    self.waiting += usize::try_from(rows).unwrap();
                    self.call();
                }
                Choice::Wait => {
                    assert!(tasks + facts.single_rows > 0 || facts.free_slots == 0);
                    break;
                }
            }
        }
    }

    fn submit(&mut self, rows: usize) {
        let sent = self.leave();
        let before = self.queue();
        let worker = (0..self.workers.len())
            .min_by_key(|worker| self.workers[*worker])
            .unwrap();
        #[expect(clippy::cast_precision_loss, reason = "a hundred")]
        let work = self.around(self.terms.task + self.terms.item * rows as f64);
        let ends = self.workers[worker].max(sent) + work;
        self.workers[worker] = ends;
        let number = self.tasks.len();
        self.tasks.push(Some(Task { rows, sent, before }));
        let most = &mut self.account.most_in_tasks;
        *most = (*most).max(before.rows + rows);
        // polls find it late by a hundredth, and take their turns
        self.lane += 2 * self.pace;
        let seen = (ends + (ends - sent) / 150 + 2_000).max(self.lane);
        self.push(seen, Happening::Ended { number });
    }

    fn call(&mut self) {
        while self.waiting > 0 && self.under_way < self.in_flight {
            self.waiting -= 1;
            self.under_way += 1;
            let began = self.now;
            self.next_call(began, self.terms.calls);
        }
    }

    fn next_call(&mut self, began: u64, left: u32) {
        let answered = self.leave() + self.around(self.terms.call);
        let left = left - 1;
        self.push(answered, Happening::Answered { began, left });
    }

    fn happen(&mut self, happening: Happening, router: &mut Router) {
        match happening {
            Happening::Ended { number } => {
                let task = self.tasks[number].take().unwrap();
                let took = Duration::from_micros(self.now - task.sent);
                router.task_ended(task.rows, took, task.before);
                let ended = Ended {
                    took,
                    depth: task.before.tasks + 1,
                    clean: true,
                };
                self.gate.ended(self.instant(), ended);
            }
            Happening::Answered { began, left: 0 } => {
                let took = Duration::from_micros(self.now - began);
                router.single_done(1, self.terms.calls, took);
                self.under_way -= 1;
                self.call();
            }
            Happening::Answered { began, left } => self.next_call(began, left),
            Happening::Tick => {
                for task in self.tasks.iter().flatten() {
                    let age = Duration::from_micros(self.now.saturating_sub(task.sent));
                    router.task_running(task.rows, age, task.before);
                    self.gate
                        .unfinished(self.start + Duration::from_micros(self.now), age);
                }
                self.push(self.now + SECOND, Happening::Tick);
            }
        }
        // ended tasks at the front are forgotten, so that looks at all of them stay short
        let ended = self.tasks.iter().all(Option::is_none);
        if ended {
            self.tasks.clear();
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a load")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
