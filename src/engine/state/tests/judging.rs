//! From answers that leave something open to one true outcome for each row.

use super::config;
use crate::engine::batcher::BatchLimits;
use crate::engine::batcher::tests::{LIMITS, row};
use crate::engine::limits::{TaskSlots, Verify};
use crate::engine::message::{Command, Event, Now, Recovered, StageConfig};
use crate::engine::route::Wish;
use crate::engine::seen::{Called, Seen};
use crate::engine::state::Engine;
use crate::ledger::record::Record;
use crate::model::outcome::{BatchSeq, Counts, Route, RowOutcome, Status};
use crate::model::reply::{Accepted, ApiError, ErrorClass, TaskFailure, TaskId, TaskView};
use crate::model::row::{PreparedRow, RowId};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Instant;

const WIDE: BatchLimits = BatchLimits {
    items: 100,
    bytes: 1 << 20,
    ..LIMITS
};

/// What a bulk request of these rows is answered: how its task ends, or why it is refused.
type Bulk = Box<dyn FnMut(&mut Site, &[u64]) -> Result<TaskView, ErrorClass>>;

/// A site that answers at once, and how it is asked.
#[derive(Default)]
struct Site {
    /// Rows that it holds.
    held: BTreeSet<u64>,
    /// Rows whose record lacks its organizations, until they are repaired.
    apart: BTreeSet<u64>,
    /// Rows whose record lacks its product, until it is given.
    bare: BTreeSet<u64>,
    /// From this reading on it does not tell.
    blind_from: Option<usize>,
    /// Rows that it takes in no way.
    poison: BTreeSet<u64>,
    /// Whether it does not tell.
    silent: bool,
    /// Whether repairs are taken.
    mends: bool,
    /// The rows of each bulk request, by its key; those of each reading; those of each call.
    submits: Vec<(String, Vec<u64>)>,
    readings: Vec<Vec<u64>>,
    calls: Vec<(u64, bool)>,
}

impl Site {
    fn find(&self, row: u64) -> Seen {
        let remote_id = Some(format!("r{row}"));
        let blind = |from| self.readings.len() + 1 >= from;
        if self.silent || self.blind_from.is_some_and(blind) {
            let tried = "nothing names it".to_owned();
            return Seen::Unknown { tried };
        }
        if !self.held.contains(&row) {
            Seen::Absent
        } else if [&self.apart, &self.bare]
            .iter()
            .any(|rows| rows.contains(&row))
        {
            let of = |rows: &BTreeSet<u64>, what: &str| -> Vec<String> {
                let what = rows.contains(&row).then(|| what.to_owned());
                what.into_iter().collect()
            };
            Seen::Differs {
                remote_id,
                fields: Vec::new(),
                missing: of(&self.apart, "o1"),
                products: of(&self.bare, "p1"),
                why: None,
            }
        } else {
            let notes = Vec::new();
            Seen::Holds { remote_id, notes }
        }
    }

    fn call(&mut self, row: u64) -> Called {
        if self.poison.contains(&row) {
            return Called::Refused {
                reasons: vec![crate::engine::state::answers::reason(
                    crate::model::code::Code::SiteRejected,
                    &error(ErrorClass::Refused),
                )],
                remote_id: None,
                trace_id: None,
            };
        }
        self.held.insert(row);
        Called::Loaded {
            remote_id: Some(format!("r{row}")),
            calls: 1,
        }
    }
}

fn error(class: ErrorClass) -> ApiError {
    ApiError {
        class,
        request: "POST".into(),
        status: Some(400),
        message: "the site's words".into(),
        trace_id: None,
    }
}

fn failure(of: Option<u64>, words: &str) -> TaskFailure {
    TaskFailure {
        entity_id: of.map(|row| format!("c{row}@example.com")),
        error: words.into(),
        ..TaskFailure::default()
    }
}

fn number(row: &PreparedRow) -> u64 {
    row.item.as_str().parse().unwrap()
}

/// A load of rows that is driven to its end.
struct Load {
    engine: Engine,
    site: Site,
    bulk: Bulk,
    views: HashMap<BatchSeq, TaskView>,
    outcomes: BTreeMap<u64, RowOutcome>,
    now: Instant,
    /// How many readings come before a stop.
    stop_at_reading: Option<usize>,
    /// The call that a stop cuts short, and how it ends.
    stop_at_call: Option<(u64, Called)>,
    suspended: bool,
}

impl Load {
    fn new(
        config: StageConfig,
        site: Site,
        bulk: impl FnMut(&mut Site, &[u64]) -> Result<TaskView, ErrorClass> + 'static,
    ) -> Self {
        Self {
            engine: Engine::new(config),
            site,
            bulk: Box::new(bulk),
            views: HashMap::new(),
            outcomes: BTreeMap::new(),
            now: Instant::now(),
            stop_at_reading: None,
            stop_at_call: None,
            suspended: false,
        }
    }

    /// Loads so many rows.
    fn run(mut self, rows: u64) -> Self {
        let rows = (1..=rows).map(|id| row(id, id, &id.to_string()));
        let rows = Event::Rows {
            rows: rows.collect(),
            decided: Vec::new(),
        };
        let mut events = VecDeque::from([rows, Event::InputEnded]);
        for _ in 0..100_000 {
            let event = match events.pop_front() {
                Some(event) => event,
                None if self.engine.finished() => return self,
                None => {
                    self.now = self.engine.next_wake().expect("something to wait for");
                    Event::Woken
                }
            };
            let now = Now {
                at: self.now,
                unix: 0,
            };
            for command in self.engine.handle(now, event) {
                events.extend(self.perform(command));
            }
        }
        panic!("no end in sight");
    }

    fn perform(&mut self, command: Command) -> Option<Event> {
        Some(match command {
            Command::Persist(records, then) => {
                for record in records {
                    self.record(record);
                }
                Event::Durable(then)
            }
            Command::Submit { batch, key, body } => {
                let body: HashMap<String, Vec<u64>> = serde_json::from_slice(&body).unwrap();
                let rows = body.into_values().next().unwrap();
                self.site.submits.push((key, rows.clone()));
                let answer = (self.bulk)(&mut self.site, &rows).map(|view| {
                    self.views.insert(batch, view);
                    Accepted {
                        task: TaskId(batch.0.to_string()),
                        trace_id: None,
                    }
                });
                Event::Submitted(batch, answer.map_err(error))
            }
            Command::Poll(batch, _) => Event::Polled(batch, Ok(self.views[&batch].clone())),
            Command::Identify(batch, _) => Event::Identified(batch, HashMap::new()),
            Command::ReadBack(batch, rows) => {
                let rows: Vec<_> = rows.iter().map(number).collect();
                let seen = rows.iter().map(|row| self.site.find(*row)).collect();
                self.site.readings.push(rows);
                if self.stop_at_reading == Some(self.site.readings.len()) {
                    let now = Now {
                        at: self.now,
                        unix: 0,
                    };
                    let commands = self.engine.handle(now, Event::Stop("interrupted".into()));
                    assert!(commands.is_empty(), "{commands:?}");
                    let unknown = |_: &u64| Seen::Unknown {
                        tried: "cut short".into(),
                    };
                    let rows = self.site.readings.last().unwrap();
                    return Some(Event::ReadBack(batch, rows.iter().map(unknown).collect()));
                }
                Event::ReadBack(batch, seen)
            }
            Command::Join {
                batch,
                index,
                record,
                lacks,
            } => {
                let row: u64 = record.strip_prefix('r').unwrap().parse().unwrap();
                let missing = |rows: &BTreeSet<u64>| rows.contains(&row);
                assert_eq!(missing(&self.site.apart), lacks.organizations == ["o1"]);
                assert_eq!(missing(&self.site.bare), lacks.products == ["p1"]);
                let called = if self.site.mends {
                    self.site.apart.remove(&row);
                    self.site.bare.remove(&row);
                    self.site.call(row)
                } else {
                    Called::Refused {
                        reasons: Vec::new(),
                        remote_id: None,
                        trace_id: None,
                    }
                };
                Event::Joined(batch, index, called)
            }
            Command::Call {
                batch,
                index,
                row,
                look_first,
            } => {
                self.site.calls.push((number(&row), look_first));
                if let Some((_, called)) = self.stop_at_call.take_if(|at| at.0 == number(&row)) {
                    let now = Now {
                        at: self.now,
                        unix: 0,
                    };
                    let stop = Event::Stop("interrupted".into());
                    for command in self.engine.handle(now, stop) {
                        let Command::Persist(records, then) = command else {
                            panic!("{command:?}");
                        };
                        for record in records {
                            self.record(record);
                        }
                        let durable = self.engine.handle(now, Event::Durable(then));
                        assert!(durable.is_empty(), "{durable:?}");
                    }
                    return Some(Event::Called(batch, index, called));
                }
                Event::Called(batch, index, self.site.call(number(&row)))
            }
            Command::ReadMore | Command::Tell(_) => return None,
        })
    }

    fn record(&mut self, record: Record) {
        let outcomes = match record {
            Record::Settled { outcomes, .. } | Record::Rows { outcomes, .. } => outcomes,
            Record::Suspended { outcomes, .. } => {
                self.suspended = true;
                outcomes
            }
            _ => return,
        };
        for outcome in outcomes {
            let before = self.outcomes.insert(outcome.row.id.0, outcome);
            assert_eq!(before, None, "two outcomes for a row");
        }
    }

    /// The rows of each end: status, code, route.
    fn ends(&self) -> BTreeMap<String, Vec<u64>> {
        let mut ends: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for (row, outcome) in &self.outcomes {
            let code = outcome.reasons.first().map(|reason| reason.code.name());
            let route = outcome.route.map_or("", Route::name);
            let end = format!("{} {} {route}", outcome.status, code.unwrap_or_default());
            ends.entry(end).or_default().push(*row);
        }
        ends
    }

    fn shown(&self) -> String {
        let ends = self.ends().into_iter();
        let ends: Vec<_> = ends.map(|(end, rows)| format!("{end}: {rows:?}")).collect();
        let submits = self.site.submits.iter().map(|(_, rows)| rows.len());
        let readings = self.site.readings.iter().map(Vec::len);
        format!(
            "{}\nsubmits {:?}, readings {:?}, calls {:?}, sent again {}",
            ends.join("\n"),
            submits.collect::<Vec<_>>(),
            readings.collect::<Vec<_>>(),
            self.site.calls,
            self.engine.sent_again()
        )
    }
}

/// Refuses a request that holds one bad item; writes any other.
fn refuses_whole(site: &mut Site, rows: &[u64]) -> Result<TaskView, ErrorClass> {
    if rows.iter().any(|row| site.poison.contains(row)) {
        return Err(ErrorClass::Refused);
    }
    site.held.extend(rows);
    Ok(TaskView::Finished(Vec::new()))
}

fn with_poison(poison: impl IntoIterator<Item = u64>) -> Site {
    Site {
        poison: poison.into_iter().collect(),
        ..Site::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn one_bad_row_fails_alone_and_costs_few_requests(
        rows in 1..=100_u64, poison in prop::collection::btree_set(1..=100_u64, 0..5)
    ) {
        let poison: BTreeSet<_> = poison.into_iter().filter(|row| *row <= rows).collect();
        let load = Load::new(config(WIDE), with_poison(poison.clone()), refuses_whole).run(rows);
        for (row, outcome) in &load.outcomes {
            let expected = if poison.contains(row) { Status::Failed } else { Status::Loaded };
            prop_assert_eq!(outcome.status, expected);
            prop_assert!(expected == Status::Loaded || outcome.reasons[0].message == "the site's words");
        }
        prop_assert_eq!(load.outcomes.len() as u64, rows);
        let most = f64::from(u32::try_from(poison.len()).unwrap())
            * (2.0 * f64::from(u32::try_from(rows).unwrap()).log2() + 2.0);
        let extra = f64::from(u32::try_from(load.site.submits.len() - 1).unwrap());
        prop_assert!(extra <= most, "{extra} requests more, {most} may be");
        let keys: HashSet<_> = load.site.submits.iter().map(|(key, _)| key).collect();
        prop_assert_eq!(keys.len(), load.site.submits.len());
    }

    #[test]
    fn a_failed_task_ends_in_what_the_site_holds(
        rows in 1..=30_u64,
        lands in prop::collection::vec(prop::collection::btree_set(1..=30_u64, 0..30), 0..6),
        poison in prop::collection::btree_set(1..=30_u64, 0..3)
    ) {
        let mut lands = lands.into_iter();
        let site = with_poison(poison.clone());
        let load = Load::new(config(WIDE), site, move |site, rows| {
            let Some(lands) = lands.next() else {
                site.held.extend(rows.iter().filter(|row| !site.poison.contains(row)));
                return Ok(TaskView::Failed(Vec::new()));
            };
            site.held.extend(rows.iter().filter(|row| lands.contains(row) && !site.poison.contains(row)));
            Ok(TaskView::Failed(Vec::new()))
        })
        .run(rows);
        for (row, outcome) in &load.outcomes {
            let expected = if poison.contains(row) { Status::Failed } else { Status::Loaded };
            prop_assert_eq!(outcome.status, expected);
            prop_assert_eq!(load.site.held.contains(row), expected == Status::Loaded);
        }
        prop_assert_eq!(load.outcomes.len() as u64, rows);
    }
}

#[test]
fn a_site_that_refuses_every_request_is_left_after_few_of_them() {
    for (slots, rows, most) in [
        (1, 100, 15),
        (1, 1_000, 15),
        (5, 1_000, 40),
        (10, 2_000, 100),
    ] {
        let config = StageConfig {
            slots: TaskSlots::Fixed(slots),
            most_slots: slots,
            ..config(WIDE)
        };
        let load = Load::new(config, Site::default(), |_, _| Err(ErrorClass::Refused)).run(rows);
        let requests = load.site.submits.len();
        assert!(requests <= most, "{slots} slots: {requests} requests");
        let ends = load.outcomes.values().map(|outcome| outcome.status);
        let failed = ends.filter(|status| *status == Status::Failed).count();
        assert!((5..5 + slots).contains(&failed), "{failed} failed");
        let unsent = load.outcomes.values();
        let unsent = unsent.filter(|outcome| outcome.status == Status::NotSent);
        assert_eq!(unsent.count(), load.outcomes.len() - failed);
        assert_eq!(load.outcomes.len() as u64, rows);
        let why = load.engine.stopped().unwrap();
        assert!(why.contains("always with the same words"), "{why}");
    }
}

#[test]
fn a_site_that_refused_everything_is_left_again_unless_an_earlier_process_may_have_been_heard() {
    for (loaded, left_open, stops) in [(0, false, true), (1, false, false), (0, true, false)] {
        let mut counts = Counts::default();
        counts.add(Status::Failed, 5);
        counts.add(Status::Loaded, loaded);
        let mut load = Load::new(config(WIDE), Site::default(), |_, _| {
            Err(ErrorClass::Refused)
        });
        let recovered = Recovered {
            counts,
            last: Some(BatchSeq(9)),
            begun: left_open.then_some(RowId(999)).into_iter().collect(),
            ..Recovered::default()
        };
        let now = Now {
            at: load.now,
            unix: 0,
        };
        assert!(load.engine.recover(now, recovered).is_empty());
        let load = load.run(200);
        assert_eq!(
            load.engine.stopped().is_some(),
            stops,
            "{loaded} {left_open}"
        );
    }
}

#[test]
fn bad_rows_at_the_start_do_not_keep_the_good_ones_from_being_sent() {
    let load = Load::new(config(WIDE), with_poison(1..=100), refuses_whole).run(500);
    let (good, bad) = (101..=500_u64, 1..=100_u64);
    assert_eq!(load.site.held, good.collect());
    let failed = load
        .outcomes
        .iter()
        .filter(|(_, outcome)| outcome.status == Status::Failed);
    assert_eq!(
        failed.map(|(row, _)| *row).collect::<Vec<_>>(),
        bad.collect::<Vec<_>>()
    );
    assert_eq!(load.engine.stopped(), None);
}

#[test]
fn a_failed_task_whose_rows_are_there_is_loaded() {
    let load = Load::new(config(WIDE), Site::default(), |site, rows| {
        site.held.extend(rows);
        Ok(TaskView::Failed(Vec::new()))
    });
    insta::assert_snapshot!(load.run(6).shown(), @"
    loaded  bulk: [1, 2, 3, 4, 5, 6]
    submits [6], readings [6], calls [], sent again 0
    ");
}

#[test]
fn rows_of_a_task_that_fails_again_and_again_leave_whole_then_in_halves_then_alone() {
    let never = |_: &mut Site, _: &[u64]| Ok(TaskView::Failed(Vec::new()));
    let load = Load::new(config(WIDE), with_poison([3]), never);
    insta::assert_snapshot!(load.run(12).shown(), @"
    failed SITE_REJECTED single: [3]
    loaded  single: [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    submits [12, 12, 12, 6, 6], readings [12, 12, 12, 6, 6], calls [(1, false), (2, false), (3, false), (4, false), (5, false), (6, false), (7, false), (8, false), (9, false), (10, false), (11, false), (12, false)], sent again 48
    ");
}

#[test]
fn failures_that_name_nobody_fall_on_whom_a_reading_does_not_show() {
    let finished = |words: [&'static str; 2]| {
        move |site: &mut Site, rows: &[u64]| {
            site.held
                .extend(rows.iter().filter(|row| !site.poison.contains(row)));
            Ok(TaskView::Finished(
                words.map(|words| failure(None, words)).to_vec(),
            ))
        }
    };
    let alike = Load::new(config(WIDE), with_poison([2, 5]), finished(["bad", "bad"]));
    insta::assert_snapshot!(alike.run(6).shown(), @"
    failed SITE_REJECTED bulk: [2, 5]
    loaded  bulk: [1, 3, 4, 6]
    submits [6], readings [6], calls [], sent again 0
    ");
    // whose words are whose, each row's own call tells
    let different = Load::new(
        config(WIDE),
        with_poison([2, 5]),
        finished(["bad", "worse"]),
    );
    insta::assert_snapshot!(different.run(6).shown(), @"
    failed SITE_REJECTED single: [2, 5]
    loaded  bulk: [1, 3, 4, 6]
    submits [6], readings [6], calls [(2, false), (5, false)], sent again 2
    ");
}

#[test]
fn rows_that_cannot_be_found_are_unconfirmed_and_say_why() {
    let config = StageConfig {
        findable: false,
        ..config(WIDE)
    };
    let site = Site {
        silent: true,
        ..Site::default()
    };
    let load = Load::new(config, site, |_, _| {
        Ok(TaskView::Failed(vec![failure(Some(2), "bad")]))
    });
    let load = load.run(2);
    let said: Vec<_> = load
        .outcomes
        .values()
        .map(|outcome| format!("{}: {}", outcome.status, outcome.reasons[0].message))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @"
    unconfirmed: the task ended FAILED; the site may or may not have written the row; the site said: bad; nothing names it
    unconfirmed: the task ended FAILED; the site may or may not have written the row; the site said: bad; nothing names it
    ");
}

#[test]
fn a_task_that_finished_without_writing_is_found_out_by_a_sample() {
    let mut first = true;
    let load = Load::new(config(WIDE), Site::default(), move |site, rows| {
        if !std::mem::take(&mut first) {
            site.held.extend(rows);
        }
        Ok(TaskView::Finished(Vec::new()))
    });
    insta::assert_snapshot!(load.run(10).shown(), @"
    loaded  bulk: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    submits [10, 10], readings [1, 9, 10], calls [], sent again 10
    ");
}

#[test]
fn memberships_that_did_not_arrive_are_repaired_or_told() {
    let run = |mends| {
        let config = StageConfig {
            associates: Box::new(|row| number(row) > 4),
            ..config(WIDE)
        };
        let site = Site {
            apart: [5, 6].into(),
            mends,
            ..Site::default()
        };
        let load = Load::new(config, site, |site, rows| {
            site.held.extend(rows);
            Ok(TaskView::Finished(Vec::new()))
        });
        load.run(6).shown()
    };
    insta::assert_snapshot!(run(true), @"
    loaded  bulk: [1, 2, 3, 4, 5, 6]
    submits [6], readings [2, 2], calls [], sent again 0
    ");
    insta::assert_snapshot!(run(false), @"
    failed ASSOCIATION_MISSING bulk: [5, 6]
    loaded  bulk: [1, 2, 3, 4]
    submits [6], readings [2], calls [], sent again 0
    ");
}

#[test]
fn products_that_did_not_arrive_are_repaired_or_told_by_id() {
    let run = |mends| {
        let config = StageConfig {
            associates: Box::new(|row| number(row) > 4),
            ..config(WIDE)
        };
        let site = Site {
            apart: [6].into(),
            bare: [5, 6].into(),
            mends,
            ..Site::default()
        };
        let load = Load::new(config, site, |site, rows| {
            site.held.extend(rows);
            Ok(TaskView::Finished(Vec::new()))
        });
        load.run(7)
    };
    insta::assert_snapshot!(run(true).shown(), @"
    loaded  bulk: [1, 2, 3, 4, 5, 6, 7]
    submits [7], readings [3, 2], calls [], sent again 0
    ");
    let load = run(false);
    insta::assert_snapshot!(load.shown(), @"
    failed ASSOCIATION_MISSING bulk: [5, 6]
    loaded  bulk: [1, 2, 3, 4, 7]
    submits [7], readings [3], calls [], sent again 0
    ");
    insta::assert_snapshot!([message(&load, 5), message(&load, 6)].join("\n"), @"
    the record is written, but does not have p1
    the record is written, but does not belong to o1, nor have p1
    ");
}

#[test]
fn after_one_product_that_is_missing_all_rows_that_name_any_are_read() {
    let run = |slots, bare: [u64; 2]| {
        let config = StageConfig {
            associates: Box::new(|row| number(row) <= 450),
            slots: TaskSlots::Fixed(slots),
            ..config(WIDE)
        };
        let site = Site {
            bare: bare.into(),
            mends: true,
            ..Site::default()
        };
        let load = Load::new(config, site, |site, rows| {
            site.held.extend(rows);
            Ok(TaskView::Finished(Vec::new()))
        });
        let load = load.run(500);
        assert_eq!(load.site.bare, BTreeSet::new());
        load.shown().lines().last().unwrap().to_owned()
    };
    insta::assert_snapshot!(run(1, [3, 250]), @"submits [100, 100, 100, 100, 100], readings [100, 1, 100, 100, 1, 100, 50], calls [], sent again 0");
    // those that ended meanwhile wait for what the first reading says
    insta::assert_snapshot!(run(5, [3, 250]), @"submits [100, 100, 100, 100, 100], readings [100, 1, 1, 1, 1, 99, 99, 99, 49, 1, 1], calls [], sent again 0");
}

#[test]
fn rows_that_a_reading_did_not_show_are_all_read_when_their_next_task_finishes() {
    let run = |verify, blind_from| {
        let config = StageConfig {
            verify,
            ..config(WIDE)
        };
        let site = Site {
            blind_from,
            ..Site::default()
        };
        let mut tasks = 0;
        let load = Load::new(config, site, move |site, rows| {
            tasks += 1;
            match tasks {
                1 => return Ok(TaskView::Failed(Vec::new())),
                // of the rows that are sent again one is left out, and nothing says so
                2 => site.held.extend(rows.iter().filter(|row| **row != 7)),
                _ => site.held.extend(rows),
            }
            Ok(TaskView::Finished(Vec::new()))
        });
        load.run(10)
    };
    for verify in [Verify::Failed, Verify::Sample, Verify::All] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(run(verify, None).shown(), @"
            loaded  bulk: [1, 2, 3, 4, 5, 6, 8, 9, 10]
            loaded  single: [7]
            submits [10, 10], readings [10, 10], calls [(7, false)], sent again 11
            ");
        }
    }
    // what was seen to be missing is not believed to be there because nobody can look
    let load = run(Verify::Failed, Some(2));
    insta::assert_snapshot!(load.shown(), @"
    unconfirmed ANSWER_LOST bulk: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    submits [10, 10], readings [10, 10], calls [], sent again 10
    ");
    insta::assert_snapshot!(message(&load, 1), @"a reading of the site did not show the row, it was sent again, its task finished, and whether it is there now cannot be told; nothing names it");
}

#[test]
fn the_first_rows_that_name_organizations_are_read_then_a_sample() {
    let config = StageConfig {
        associates: Box::new(|row| number(row).is_multiple_of(2)),
        ..config(WIDE)
    };
    let load = Load::new(config, Site::default(), |site, rows| {
        site.held.extend(rows);
        Ok(TaskView::Finished(Vec::new()))
    });
    let shown = load.run(500).shown();
    insta::assert_snapshot!(shown.lines().last().unwrap(), @"submits [100, 100, 100, 100, 100], readings [50, 50, 1, 1, 1], calls [], sent again 0");
}

#[test]
fn a_refusal_after_an_attempt_that_may_have_been_applied_waits_for_a_reading() {
    let mut answers = vec![ErrorClass::Refused, ErrorClass::MaybeApplied];
    let load = Load::new(
        config(WIDE),
        with_poison([4]),
        move |site, rows| match answers.pop() {
            Some(answer) => {
                site.held.extend([1, 2]);
                Err(answer)
            }
            None => refuses_whole(site, rows),
        },
    );
    insta::assert_snapshot!(load.run(6).shown(), @"
    failed REQUEST_REJECTED bulk: [4]
    loaded  bulk: [1, 2, 3, 5, 6]
    submits [6, 6, 2, 2, 1, 1], readings [6, 2, 1], calls [], sent again 4
    ");
}

#[test]
fn a_reading_that_a_stop_cuts_short_leaves_the_batch_to_a_later_process() {
    let mut load = Load::new(config(WIDE), Site::default(), |_, _| {
        Ok(TaskView::Failed(Vec::new()))
    });
    load.stop_at_reading = Some(1);
    let load = load.run(3);
    assert!(load.suspended && load.engine.suspended());
    insta::assert_snapshot!(load.shown(), @"
    unconfirmed ANSWER_LOST bulk: [1, 2, 3]
    submits [3], readings [3], calls [], sent again 0
    ");
}

#[test]
fn on_the_single_route_every_row_has_calls_of_its_own() {
    let config = StageConfig {
        route: Wish::Single,
        ..config(LIMITS)
    };
    let load = Load::new(config, with_poison([2]), |_, _| {
        panic!("nothing goes by bulk")
    });
    insta::assert_snapshot!(load.run(5).shown(), @"
    failed SITE_REJECTED single: [2]
    loaded  single: [1, 3, 4, 5]
    submits [], readings [], calls [(1, false), (2, false), (3, false), (4, false), (5, false)], sent again 0
    ");
}

#[test]
fn rows_that_an_interrupted_run_may_have_called_for_are_looked_for_first() {
    let site = Site {
        held: [2].into(),
        ..Site::default()
    };
    let mut load = Load::new(config(WIDE), site, |site, rows| {
        site.held.extend(rows);
        Ok(TaskView::Finished(Vec::new()))
    });
    let recovered = Recovered {
        begun: [RowId(2), RowId(3)].into(),
        ..Recovered::default()
    };
    let now = Now {
        at: load.now,
        unix: 0,
    };
    assert!(load.engine.recover(now, recovered).is_empty());
    insta::assert_snapshot!(load.run(4).shown(), @"
    loaded  bulk: [1, 4]
    loaded  single: [2, 3]
    submits [2], readings [2, 1], calls [(3, true)], sent again 1
    ");
}

/// What becomes of three rows when a stop cuts the calls of the second short.
fn cut_short(called: Called) -> Load {
    let config = StageConfig {
        route: Wish::Single,
        single_in_flight: 1,
        ..config(WIDE)
    };
    let mut load = Load::new(config, Site::default(), |_, _| {
        panic!("nothing goes by bulk")
    });
    load.stop_at_call = Some((2, called));
    load.run(3)
}

fn message(load: &Load, row: u64) -> &str {
    &load.outcomes[&row].reasons[0].message
}

#[test]
fn a_call_whose_answer_a_stop_cuts_off_stays_open() {
    let load = cut_short(Called::Lost {
        error: error(ErrorClass::MaybeApplied),
        tried: "it was looked for, and not found".into(),
    });
    assert!(load.engine.suspended());
    insta::assert_snapshot!(load.shown(), @"
    loaded  single: [1]
    not_sent RUN_STOPPED : [3]
    unconfirmed ANSWER_LOST single: [2]
    submits [], readings [], calls [(1, false), (2, false)], sent again 0
    ");
    insta::assert_snapshot!(message(&load, 2), @"the run stopped before an answer arrived (interrupted): it was looked for, and not found; loading again looks for the record before anything is sent");
}

#[test]
fn a_stop_is_told_of_rows_whose_calls_it_cut_short_and_not_the_site() {
    let load = cut_short(Called::NotSent {
        error: error(ErrorClass::NotSent),
    });
    assert!(!load.engine.suspended());
    insta::assert_snapshot!(load.shown(), @"
    loaded  single: [1]
    not_sent RUN_STOPPED : [2, 3]
    submits [], readings [], calls [(1, false), (2, false)], sent again 0
    ");
    assert_eq!([message(&load, 2), message(&load, 3)], ["interrupted"; 2]);
}

#[test]
fn rows_that_may_have_been_sent_are_not_called_unsent_by_a_stop() {
    let mut load = Load::new(config(WIDE), Site::default(), |_, _| {
        panic!("nothing is sent")
    });
    let now = Now {
        at: load.now,
        unix: 0,
    };
    let recovered = Recovered {
        begun: [RowId(2)].into(),
        ..Recovered::default()
    };
    assert!(load.engine.recover(now, recovered).is_empty());
    let stop = Event::Stop("interrupted".into());
    let commands = load.engine.handle(now, stop);
    assert!(matches!(commands.as_slice(), [Command::ReadMore]));
    let load = load.run(2);
    assert!(load.engine.suspended());
    insta::assert_snapshot!(load.shown(), @"
    not_sent RUN_STOPPED : [1]
    unconfirmed ANSWER_LOST single: [2]
    submits [], readings [], calls [], sent again 0
    ");
    insta::assert_snapshot!(message(&load, 2), @"the run stopped before an answer arrived (interrupted): an earlier one may have sent it, and it was not looked for yet; loading again looks for the record before anything is sent");
}

#[test]
fn another_run_in_its_place_sends_nothing_again() {
    let config = StageConfig {
        resend: false,
        verify: Verify::Failed,
        ..config(WIDE)
    };
    let load = Load::new(config, Site::default(), |site, rows| {
        site.held.insert(rows[0]);
        Ok(TaskView::Failed(Vec::new()))
    });
    let load = load.run(2);
    insta::assert_snapshot!(load.shown(), @"
    loaded  bulk: [1]
    unconfirmed NOT_APPLIED bulk: [2]
    submits [2], readings [2], calls [], sent again 0
    ");
}
