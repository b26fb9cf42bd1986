//! The state machine against a made-up site in virtual time: whatever order things happen in, every row ends in
//! exactly one status, keys never fly together, limits and waits are respected.

use super::batcher::tests::{LIMITS, row};
use super::limits::TaskSlots;
use super::message::{Command, Durable, Event, Now, StageConfig};
use super::state::Engine;
use crate::ledger::record::Record;
use crate::model::outcome::{BatchSeq, RowOutcome, Status};
use crate::model::reply::{Accepted, ApiError, ErrorClass, TaskFailure, TaskId, TaskView};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Deterministic randomness for the site's moods.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

struct World {
    engine: Engine,
    now: Instant,
    dice: Dice,
    hostile: bool,
    slots: usize,
    /// What is under way: (when it happens, event).
    pending: Vec<(Instant, Event)>,
    /// Key → task and its end.
    tasks: HashMap<String, (TaskId, Instant)>,
    by_task: HashMap<TaskId, (BatchSeq, Instant)>,
    bodies: BTreeMap<BatchSeq, (String, Vec<u8>)>,
    durable: BTreeSet<BatchSeq>,
    flying: BTreeMap<BatchSeq, Vec<u64>>,
    quiet_until: Option<Instant>,
    input: Vec<(u64, u64)>,
    outcomes: BTreeMap<u64, RowOutcome>,
    most_active: usize,
}

fn error(class: ErrorClass) -> ApiError {
    ApiError {
        class,
        request: "POST".into(),
        status: None,
        message: "no".into(),
        trace_id: None,
    }
}

impl World {
    fn new(input: Vec<(u64, u64)>, seed: u64, hostile: bool, slots: usize) -> Self {
        let mut jitter = Dice(seed ^ 7);
        let engine = Engine::new(StageConfig {
            stage: 0,
            batches: LIMITS,
            nonce: Uuid::nil(),
            slots: TaskSlots::Auto,
            most_slots: 5,
            max_errors: None,
            details: Vec::new(),
            fold: str::to_lowercase,
            random: Box::new(move || {
                f64::from(u32::try_from(jitter.roll(1_000)).unwrap()) / 1_000.0
            }),
        });
        Self {
            engine,
            now: Instant::now(),
            dice: Dice(seed),
            hostile,
            slots,
            pending: Vec::new(),
            tasks: HashMap::new(),
            by_task: HashMap::new(),
            bodies: BTreeMap::new(),
            durable: BTreeSet::new(),
            flying: BTreeMap::new(),
            quiet_until: None,
            input,
            outcomes: BTreeMap::new(),
            most_active: 0,
        }
    }

    fn later(&mut self, millis: u64, event: Event) {
        let wait = Duration::from_millis(self.dice.roll(millis) + 1);
        self.pending.push((self.now + wait, event));
    }

    fn run(&mut self, stop_after: Option<usize>) {
        let rows = self.input.len();
        self.step(Event::Woken);
        for steps in 0..200_000 {
            if self.engine.finished() {
                assert_eq!(self.outcomes.len(), rows, "rows without an outcome");
                assert_eq!(self.engine.counts().total(), rows as u64);
                return;
            }
            if stop_after == Some(steps) {
                self.step(Event::Stop("stopped by the test".into()));
                continue;
            }
            let next = (0..self.pending.len()).min_by_key(|index| self.pending[*index].0);
            let wake = self.engine.next_wake();
            match (next, wake) {
                (Some(index), wake) if wake.is_none_or(|wake| self.pending[index].0 <= wake) => {
                    let (at, event) = self.pending.swap_remove(index);
                    self.now = self.now.max(at);
                    self.step(event);
                }
                (_, Some(wake)) => {
                    self.now = self.now.max(wake);
                    self.step(Event::Woken);
                }
                _ => panic!("nothing will ever happen again"),
            }
        }
        panic!("no end in sight");
    }

    fn step(&mut self, event: Event) {
        let now = Now {
            at: self.now,
            unix: 0,
        };
        for command in self.engine.handle(now, event) {
            self.perform(command);
        }
        let active = self
            .by_task
            .values()
            .filter(|(_, end)| *end > self.now)
            .count();
        assert!(active <= self.slots, "the site never grants more");
        self.most_active = self.most_active.max(active);
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::ReadMore => {
                let count = (usize::try_from(self.dice.roll(9)).unwrap()).min(self.input.len());
                let rows: Vec<_> = self
                    .input
                    .drain(..count)
                    .map(|(id, key)| row(id, key, "{}"))
                    .collect();
                let event = if rows.is_empty() && self.input.is_empty() {
                    Event::InputEnded
                } else {
                    Event::Rows {
                        rows,
                        decided: Vec::new(),
                    }
                };
                self.later(3, event);
            }
            Command::Persist(records, then) => {
                for record in records {
                    self.record(record);
                }
                if let Durable::Intent(seq) = then {
                    self.durable.insert(seq);
                }
                self.later(3, Event::Durable(then));
            }
            Command::Submit { batch, key, body } => self.submit(batch, key, body.to_vec()),
            Command::Poll(batch, task) => self.poll(batch, &task),
            Command::Identify(batch, _) => self.later(5, Event::Identified(batch, HashMap::new())),
            Command::Tell(_) => {}
        }
    }

    fn record(&mut self, record: Record) {
        match record {
            Record::Sending { batch, rows, .. } => {
                let keys: Vec<u64> = rows
                    .iter()
                    .map(|row| row.row.key.as_str().parse().unwrap())
                    .collect();
                for other in self.flying.values().flatten() {
                    assert!(!keys.contains(other), "key {other} is in flight twice");
                }
                self.flying.insert(batch, keys);
            }
            Record::Settled {
                batch, outcomes, ..
            } => {
                self.flying.remove(&batch);
                self.keep(outcomes);
            }
            Record::Rows { outcomes, .. } => self.keep(outcomes),
            _ => {}
        }
    }

    fn keep(&mut self, outcomes: Vec<RowOutcome>) {
        for outcome in outcomes {
            let again = self.outcomes.insert(outcome.row.id.0, outcome);
            assert!(again.is_none(), "two outcomes for a row");
        }
    }

    fn submit(&mut self, batch: BatchSeq, key: String, body: Vec<u8>) {
        assert!(
            self.durable.contains(&batch),
            "a request left before its intent was durable"
        );
        assert!(
            self.quiet_until.is_none_or(|until| until <= self.now),
            "a request inside a wait"
        );
        let first = self
            .bodies
            .entry(batch)
            .or_insert_with(|| (key.clone(), body.clone()));
        assert_eq!(first, &(key.clone(), body), "a repetition differs");
        let mood = if self.hostile { self.dice.roll(12) } else { 11 };
        let answer = match mood {
            0 => Err(error(ErrorClass::NotSent)),
            1 => Err(error(ErrorClass::Refused)),
            2 => {
                let after = Duration::from_millis(self.dice.roll(3_000));
                Err(error(ErrorClass::Throttled { after: Some(after) }))
            }
            3 => Err(error(ErrorClass::MaybeApplied)),
            mood => {
                let used = self
                    .by_task
                    .values()
                    .filter(|(_, end)| *end > self.now)
                    .count();
                let known = self.tasks.get(&key).cloned();
                if known.is_none() && used >= self.slots {
                    Err(error(ErrorClass::Busy))
                } else {
                    let end = self.now + Duration::from_millis(100 + self.dice.roll(5_000));
                    let task = known.map_or_else(|| TaskId(format!("t{key}")), |(task, _)| task);
                    self.tasks.entry(key).or_insert((task.clone(), end));
                    self.by_task.entry(task.clone()).or_insert((batch, end));
                    match mood {
                        4 => Err(error(ErrorClass::MaybeApplied)),
                        _ => Ok(Accepted {
                            task,
                            trace_id: None,
                        }),
                    }
                }
            }
        };
        self.later(50, Event::Submitted(batch, answer));
    }

    fn poll(&mut self, batch: BatchSeq, task: &TaskId) {
        let (_, end) = self.by_task[task];
        let mood = if self.hostile { self.dice.roll(10) } else { 9 };
        let answer = match mood {
            0 => Err(error(ErrorClass::MaybeApplied)),
            1 if end <= self.now => Ok(TaskView::Failed(Vec::new())),
            2 if end <= self.now => Ok(TaskView::Gone),
            3 if end <= self.now => Ok(TaskView::Finished(vec![TaskFailure {
                entity_id: Some("C1@EXAMPLE.com".into()),
                error: "Invalid".into(),
                ..TaskFailure::default()
            }])),
            _ if end <= self.now => Ok(TaskView::Finished(Vec::new())),
            _ => Ok(TaskView::Running),
        };
        self.later(20, Event::Polled(batch, answer));
    }
}

fn rows(keys: &[u64]) -> Vec<(u64, u64)> {
    (1..).zip(keys.iter().copied()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_row_ends_once_on_a_friendly_site_and_loads(keys in prop::collection::vec(0..40_u64, 0..80), seed: u64, slots in 1..6_usize) {
        let mut world = World::new(rows(&keys), seed, false, slots);
        world.run(None);
        prop_assert!(world.outcomes.values().all(|outcome| outcome.status == Status::Loaded));
    }

    #[test]
    fn every_row_ends_once_on_a_hostile_site(keys in prop::collection::vec(0..40_u64, 0..80), seed: u64, slots in 1..6_usize) {
        World::new(rows(&keys), seed, true, slots).run(None);
    }

    #[test]
    fn a_stop_at_any_moment_leaves_no_row_without_an_outcome(keys in prop::collection::vec(0..40_u64, 0..80), seed: u64, hostile: bool, after in 0..60_usize) {
        World::new(rows(&keys), seed, hostile, 3).run(Some(after));
    }
}

#[test]
fn a_long_load_uses_all_slots_that_the_site_grants() {
    let mut world = World::new((1..=400).map(|id| (id, id)).collect(), 3, false, 5);
    world.run(None);
    assert_eq!(world.most_active, 5);
}
