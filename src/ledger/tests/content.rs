//! What is remembered, against a naive oracle: intents void, loaded rows confirm, whatever lies between.

use super::{begin, hash, open, outcome, sending, sent, shape};
use crate::ledger::layers::Merge;
use crate::ledger::record::{ContentHash, Record, Shape};
use crate::ledger::remember;
use crate::ledger::{KeyMark, Known, Ledger, LedgerError, RunHandle};
use crate::model::entity::Entity;
use crate::model::outcome::{BatchSeq, Status};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const KEYS: u128 = 12;

/// Two shapes that share a field, and one that shares none with either.
fn shapes() -> [Shape; 3] {
    [
        shape(1, &["display_name", "Region"]),
        shape(2, &["Region", "Plan"]),
        shape(3, &["Phone"]),
    ]
}

fn overlap(left: usize, right: usize) -> bool {
    left == right || left + right == 1
}

/// What a person would write down beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Remembered {
    key: Option<String>,
    remote_id: Option<String>,
    contents: BTreeMap<usize, u128>,
}

#[derive(Debug, Clone)]
enum Step {
    /// A stage with this shape begins.
    Stage(usize),
    /// A request with these keys and this content leaves, in bulk or by single calls.
    Send {
        keys: BTreeSet<u128>,
        content: u128,
        bulk: bool,
    },
    /// The oldest request ends so.
    End(Status),
    /// The program is killed, and the run continued.
    Crash,
    /// What waits is written out, as it is at the end of a run.
    Fold,
    /// As it is when there is much of it: into a layer, or with all layers into the pages.
    Write(Merge),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let keys = proptest::collection::btree_set(0..KEYS, 1..6);
    let status = prop_oneof![
        5 => Just(Status::Loaded), 1 => Just(Status::Failed), 1 => Just(Status::Unconfirmed)
    ];
    let step = prop_oneof![
        1 => (0..3_usize).prop_map(Step::Stage),
        4 => (keys, 0..4_u128, any::<bool>())
            .prop_map(|(keys, content, bulk)| Step::Send { keys, content, bulk }),
        4 => status.prop_map(Step::End),
        1 => Just(Step::Crash),
        1 => Just(Step::Fold),
        2 => prop_oneof![3 => Just(Merge::From(0)), 1 => Just(Merge::All)].prop_map(Step::Write),
    ];
    proptest::collection::vec(step, 1..40)
}

/// A request under way.
struct Request {
    stage: u32,
    shape: usize,
    batch: Option<u64>,
    rows: Vec<(u64, u128)>,
    content: u128,
}

struct World {
    folder: tempfile::TempDir,
    ledger: Option<Ledger>,
    run: Option<RunHandle>,
    stages: Vec<usize>,
    row: u64,
    batch: u64,
    requests: Vec<Request>,
    oracle: BTreeMap<u128, Remembered>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        let run = begin(&ledger, "r1", Some(shapes()[0].clone()));
        Self {
            folder,
            ledger: Some(ledger),
            run: Some(run),
            stages: vec![0],
            row: 0,
            batch: 0,
            requests: Vec::new(),
            oracle: BTreeMap::new(),
        }
    }

    fn write(&self, record: Record) {
        self.run.as_ref().unwrap().write_now(vec![record]).unwrap();
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Stage(shape) => {
                let number = u32::try_from(self.stages.len()).unwrap();
                let header = super::stage(number, Some(shapes()[shape].clone()));
                self.write(Record::StageStarted(header));
                self.stages.push(shape);
            }
            Step::Send {
                mut keys,
                content,
                bulk,
            } => {
                // no two requests for a key are under way at once
                for request in &self.requests {
                    for (_, key) in &request.rows {
                        keys.remove(key);
                    }
                }
                if !keys.is_empty() {
                    self.send(&keys, content, bulk);
                }
            }
            Step::End(status) => {
                // calls without an answer are under way until their run is over
                let ends =
                    |request: &Request| request.batch.is_some() || status != Status::Unconfirmed;
                if self.requests.first().is_some_and(ends) {
                    self.end(status);
                }
            }
            Step::Crash => {
                // the files as a kill leaves them, before a handle that is dropped can merge
                let after = tempfile::tempdir().unwrap();
                for file in ["ledger.sqlite", "ledger.sqlite-wal"] {
                    std::fs::copy(self.folder.path().join(file), after.path().join(file)).unwrap();
                }
                self.run = None;
                self.ledger = Some(open(after.path()));
                self.folder = after;
                self.resume();
            }
            Step::Fold => {
                // a handle that is dropped does that
                self.run = None;
                self.resume();
            }
            Step::Write(when) => {
                let ledger = self.ledger.as_ref().unwrap();
                let mut db = ledger.connect().unwrap();
                remember::fold(&mut db, &ledger.pending, when, None).unwrap();
            }
        }
    }

    fn resume(&mut self) {
        let run = self.ledger.as_ref().unwrap().resume("r1").unwrap();
        for (stage, shape) in (0..).zip(&self.stages) {
            let header = super::stage(stage, Some(shapes()[*shape].clone()));
            run.write_now(vec![Record::StageStarted(header)]).unwrap();
        }
        self.run = Some(run);
    }

    fn send(&mut self, keys: &BTreeSet<u128>, content: u128, bulk: bool) {
        let stage = u32::try_from(self.stages.len() - 1).unwrap();
        let shape = self.stages[self.stages.len() - 1];
        let mut rows = Vec::new();
        for key in keys {
            self.row += 1;
            rows.push((self.row, *key));
            if let Some(known) = self.oracle.get_mut(key) {
                known.contents.retain(|other, _| !overlap(*other, shape));
            }
        }
        let sent = rows.iter().map(|(row, key)| sent(*row, *key, content));
        self.batch += 1;
        self.write(if bulk {
            match sending(self.batch, sent) {
                Record::Sending {
                    batch,
                    key,
                    body,
                    rows,
                    at,
                    ..
                } => Record::Sending {
                    stage,
                    batch,
                    key,
                    body,
                    rows,
                    at,
                },
                _ => unreachable!(),
            }
        } else {
            let rows = sent.collect();
            Record::Calling {
                stage,
                rows,
                items: Vec::new(),
            }
        });
        self.requests.push(Request {
            stage,
            shape,
            batch: bulk.then_some(self.batch),
            rows,
            content,
        });
    }

    fn end(&mut self, status: Status) {
        let Request {
            stage,
            shape,
            batch,
            rows,
            content,
        } = self.requests.remove(0);
        let outcomes = rows
            .iter()
            .map(|(row, key)| {
                let mut outcome = outcome(*row, status, batch);
                outcome.remote_id = (key % 2 == 0).then(|| format!("id {key}"));
                outcome
            })
            .collect();
        self.write(match batch {
            Some(batch) => Record::Settled {
                stage,
                batch: BatchSeq(batch),
                trace_id: None,
                outcomes,
                at: 3_000,
            },
            None => Record::Rows { stage, outcomes },
        });
        for (row, key) in rows.iter().filter(|_| status == Status::Loaded) {
            let known = self.oracle.entry(*key).or_default();
            known.key = Some(format!("k{row}"));
            known.remote_id = (key % 2 == 0).then(|| format!("id {key}"));
            known.contents.insert(shape, content);
        }
    }

    /// Asks everything there is to ask.
    fn check(&self) -> Result<(), TestCaseError> {
        let ledger = self.ledger.as_ref().unwrap();
        let keys: Vec<u128> = (0..KEYS).collect();
        let hashes: Vec<_> = keys.iter().map(|key| hash(*key)).collect();
        for (index, shape) in shapes().iter().enumerate() {
            let memory = ledger
                .memory("sandbox", Entity::Customer, Some(shape))
                .unwrap();
            let expected = |key: u128| {
                self.oracle.get(&key).map(|known| Known {
                    mark: KeyMark::from(hash(key)),
                    key: known.key.clone().unwrap(),
                    remote_id: known.remote_id.clone(),
                    loaded_until: (!known.contents.is_empty()).then_some(15 * 60 * 1_000),
                    confirmed: known
                        .contents
                        .get(&index)
                        .map(|content| crate::ledger::Confirmed {
                            content: ContentHash::of(*content),
                            at: 0,
                        }),
                })
            };
            let all: Vec<_> = keys.iter().map(|key| expected(*key)).collect();
            prop_assert_eq!(&memory.look_up(&hashes).unwrap(), &all);
            let mut told = Vec::new();
            memory
                .each(|known| {
                    told.push(known);
                    Ok::<_, LedgerError>(())
                })
                .unwrap();
            let mut sorted: Vec<_> = all.iter().flatten().cloned().collect();
            sorted.sort_by_key(|known| known.mark);
            prop_assert_eq!(told, sorted);
            let shown: Vec<String> = (0..=self.row).map(|row| format!("k{row}")).collect();
            let asked: Vec<&str> = shown.iter().map(String::as_str).collect();
            for (shown, owners) in asked.iter().zip(memory.keyed(&asked).unwrap()) {
                let mut expected: Vec<_> = all
                    .iter()
                    .flatten()
                    .filter(|known| known.key == *shown)
                    .cloned()
                    .collect();
                expected.sort_by_key(|known| known.mark);
                prop_assert_eq!(owners, expected);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_is_remembered_is_what_was_confirmed_and_not_sent_since(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
            world.check()?;
        }
    }
}

#[test]
fn another_site_and_another_entity_know_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let shape = shapes()[0].clone();
    let run = begin(&ledger, "r1", Some(shape.clone()));
    run.write_now(vec![
        sending(1, [sent(1, 1, 1)]),
        super::settled(1, &[(1, Status::Loaded)]),
    ])
    .unwrap();
    let known = |site: &str, entity| {
        let memory = ledger.memory(site, entity, Some(&shape)).unwrap();
        memory.look_up(&[hash(1)]).unwrap()[0].is_some()
    };
    assert!(known("sandbox", Entity::Customer));
    assert!(!known("acme.atlassian.net", Entity::Customer));
    assert!(!known("sandbox", Entity::Organization));
}

#[test]
fn a_stage_with_a_shape_sends_nothing_without_hashes() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let run = begin(&ledger, "r1", Some(shapes()[0].clone()));
    let rows = [super::row(1)].into_iter().collect();
    let error = run
        .write_now(vec![Record::Calling {
            stage: 0,
            rows,
            items: Vec::new(),
        }])
        .unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "a row to be sent has no hashes");
}

/// Two jobs of one site: whose request is applied last cannot be known, so nothing counts as confirmed.
#[test]
fn a_key_that_two_open_runs_sent_is_not_confirmed_by_either() {
    let folder = tempfile::tempdir().unwrap();
    let shape = shapes()[0].clone();
    let confirmed = |ledger: &Ledger, key| {
        let memory = ledger
            .memory("sandbox", Entity::Customer, Some(&shape))
            .unwrap();
        let known = memory.look_up(&[hash(key)]).unwrap().remove(0);
        known.is_some_and(|known| known.confirmed.is_some())
    };
    let ledger = open(folder.path());
    let first = begin(&ledger, "r1", Some(shape.clone()));
    first
        .write_now(vec![sending(1, [sent(1, 1, 10), sent(2, 2, 10)])])
        .unwrap();
    drop(first);
    // killed; another job sends one of the keys and one of its own
    let second = begin(&ledger, "r2", Some(shape.clone()));
    second
        .write_now(vec![
            sending(1, [sent(1, 1, 20), sent(2, 3, 20)]),
            super::settled(1, &[(1, Status::Loaded), (2, Status::Loaded)]),
        ])
        .unwrap();
    assert!(!confirmed(&ledger, 1));
    assert!(confirmed(&ledger, 3));
    drop(second);
    let first = ledger.resume("r1").unwrap();
    first
        .write_now(vec![super::settled(
            1,
            &[(1, Status::Loaded), (2, Status::Loaded)],
        )])
        .unwrap();
    for key in [1, 2] {
        assert!(!confirmed(&ledger, key), "key {key}");
    }
    assert!(confirmed(&ledger, 3));
    drop((first, ledger));
    let ledger = open(folder.path());
    assert_eq!(
        [1, 2, 3].map(|key| confirmed(&ledger, key)),
        [false, false, true]
    );
}
