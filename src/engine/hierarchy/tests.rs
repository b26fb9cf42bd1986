//! The order against a naive oracle, its messages, and its depth.

use super::kin::{Kin, MOST_ROWS};
use super::tree::{Tree, Turn};
use super::waiting::Waiting;
use crate::dedupe::Policy;
use crate::engine::batcher::tests::{LIMITS, row as plain};
use crate::engine::limits::TaskSlots;
use crate::engine::message::{Command, Durable, Event, Now, StageConfig};
use crate::engine::state::Engine;
use crate::engine::state::tests::config;
use crate::model::outcome::BatchSeq;
use crate::model::row::{FileId, KeyHash, PreparedRow, RowId, RowRef};
use crate::model::slice::Slice;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Instant;

/// A row: its key, its parent's key, and whether validation took it.
type Row = (u64, Option<u64>, bool);

fn reference(id: u64) -> RowRef {
    RowRef {
        id: RowId(id),
        file: FileId(0),
        line: Some(id + 1),
        key: Slice::owned(format!("k{id}")),
    }
}

fn prepared(id: u64, key: u64, parent: Option<u64>) -> PreparedRow {
    PreparedRow {
        row: reference(id),
        hash: KeyHash(u128::from(key)),
        identity: Slice::owned(format!("organization {key}")),
        item: Slice::owned(format!("{{\"row\":{id}}}")),
        details: id % 4,
        parent: parent.map(|parent| KeyHash(u128::from(parent))),
    }
}

fn kin(rows: &[Row]) -> Kin {
    let folder = tempfile::tempdir().unwrap();
    let mut kin = Kin::new(folder.path()).unwrap();
    for (id, (key, parent, sound)) in (1..).zip(rows) {
        let row = prepared(id, *key, *parent);
        if *sound {
            let name = parent.map(|parent| (RowId(id), format!("p{parent}")));
            let names: Vec<_> = name.into_iter().collect();
            kin.push(&[row], &[], &names).unwrap();
        } else {
            kin.push(&[], &[(row.row.id, row.hash)], &[]).unwrap();
        }
    }
    kin
}

/// Orders rows; keys from `first_absent` on that no row has are not on the site either.
fn tree(rows: &[Row], policy: Policy, first_absent: u64) -> Tree {
    let absent = |names: &[String]| {
        let number = |name: &String| name[1..].parse::<u64>().unwrap();
        let absent = names.iter().map(|name| number(name) >= first_absent);
        Ok::<_, io::Error>(absent.collect())
    };
    kin(rows).decide(policy, absent).unwrap().0
}

/// The rows that wait, in their order, and what is said of those that are refused.
fn told(tree: &Tree, rows: &[Row]) -> (Vec<u64>, Vec<String>) {
    let (mut waiting, mut refused) = (Vec::new(), Vec::new());
    for (id, (_, parent, sound)) in (1..).zip(rows) {
        let name = format!("p{}", parent.unwrap_or_default());
        match tree.turn(RowId(id)) {
            Turn::Behind { rank, .. } => waiting.push((rank, id)),
            Turn::AtOnce => {}
            Turn::Refused => {
                assert!(sound);
                let reason = tree.reason(RowId(id), Some("Parent"), &name).unwrap();
                refused.push(format!("{id}: {} {}", reason.code, reason.message));
            }
        }
    }
    waiting.sort_unstable();
    (waiting.into_iter().map(|(_, id)| id).collect(), refused)
}

#[test]
fn each_reason_names_the_rows_that_it_is_about() {
    let rows = [
        (1, Some(2), true),
        (2, Some(3), true),
        (3, Some(1), true),
        (4, Some(1), true),
        (5, Some(5), true),
        (6, Some(99), true),
        (7, Some(6), true),
        (8, None, false),
        (9, Some(8), true),
        (10, Some(50), true),
        (11, Some(10), true),
    ];
    let (waiting, refused) = told(&tree(&rows, Policy::Last, 90), &rows);
    // 50 is on the site
    assert_eq!(waiting, [11]);
    insta::assert_snapshot!(refused.join("\n"), @r#"
    1: PARENT_CYCLE its parents go round in a circle: row 1 → row 2 → row 3 → row 1
    2: PARENT_CYCLE its parents go round in a circle: row 2 → row 3 → row 1 → row 2
    3: PARENT_CYCLE its parents go round in a circle: row 3 → row 1 → row 2 → row 3
    4: PARENT_REJECTED its parent "p1", row 1, was rejected
    5: PARENT_CYCLE its parents go round in a circle: row 5 → row 5
    6: PARENT_MISSING neither the input nor the site has an organization named "p99"
    7: PARENT_REJECTED its parent "p6", row 6, was rejected
    9: PARENT_REJECTED its parent "p8", row 8, was rejected
    "#);
}

#[test]
fn a_level_goes_in_the_order_of_its_parents() {
    // 1 and 2 have children in the other order; those of 3 come last
    let rows = [
        (31, Some(3), true),
        (21, Some(2), true),
        (11, Some(1), true),
        (1, None, true),
        (2, None, true),
        (3, None, true),
        (211, Some(21), true),
        (12, Some(1), true),
    ];
    let (waiting, refused) = told(&tree(&rows, Policy::Last, 0), &rows);
    assert_eq!((waiting, refused.len()), (vec![3, 8, 2, 1, 7], 0));
}

#[test]
fn of_rows_that_share_a_key_the_one_that_is_sent_counts() {
    let rows = [
        (1, Some(2), true),
        (1, None, true),
        (2, Some(1), true),
        (3, Some(1), true),
    ];
    let (waiting, refused) = told(&tree(&rows, Policy::Last, 0), &rows);
    assert_eq!((waiting, refused.len()), (vec![3, 4], 0));
    let (waiting, refused) = told(&tree(&rows, Policy::First, 0), &rows);
    assert!(waiting.is_empty());
    insta::assert_snapshot!(refused.join("\n"), @r#"
    1: PARENT_CYCLE its parents go round in a circle: row 1 → row 3 → row 1
    3: PARENT_CYCLE its parents go round in a circle: row 3 → row 1 → row 3
    4: PARENT_REJECTED its parent "p1", row 1, was rejected
    "#);
    let (waiting, refused) = told(&tree(&rows, Policy::Reject, 0), &rows);
    assert!(waiting.is_empty());
    insta::assert_snapshot!(refused.join("\n"), @r#"
    3: PARENT_REJECTED its parent "p1", row 2, was rejected
    4: PARENT_REJECTED its parent "p1", row 2, was rejected
    "#);
    // row 2 is sent, and the others have their parent
    let (waiting, refused) = told(&tree(&rows, Policy::AllInOrder, 0), &rows);
    assert_eq!(waiting, [4]);
    insta::assert_snapshot!(refused.join("\n"), @r"
    1: PARENT_CYCLE its parents go round in a circle: row 1 → row 3 → row 1
    3: PARENT_CYCLE its parents go round in a circle: row 3 → row 1 → row 3
    ");
}

#[test]
fn a_chain_of_a_hundred_thousand_levels_and_a_circle_as_long_need_no_deep_stack() {
    let depth: u64 = 100_000;
    let mut rows: Vec<Row> = (1..=depth)
        .rev()
        .map(|key| (key, key.checked_sub(1), true))
        .collect();
    rows.last_mut().unwrap().1 = None;
    let run = |rows: Vec<Row>| {
        let small = std::thread::Builder::new().stack_size(128 << 10);
        let thread = small.spawn(move || (tree(&rows, Policy::Last, 0), rows));
        thread.unwrap().join().unwrap()
    };
    let (tree, mut rows) = run(rows);
    let (waiting, refused) = told(&tree, &rows);
    assert!(refused.is_empty());
    assert!(waiting.into_iter().eq((1..depth).rev()));
    rows.last_mut().unwrap().1 = Some(depth);
    let (tree, _) = run(rows);
    assert_eq!(tree.refused(), depth);
    let reason = tree.reason(RowId(7), None, "").unwrap();
    insta::assert_snapshot!(reason.message, @"its parents go round in a circle: row 7 → row 8 → row 9 → row 10 → row 11 → row 12 → …");
}

#[test]
fn too_many_rows_are_refused_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut kin = Kin::new(folder.path()).unwrap();
    let row = prepared(1, 1, None);
    let chunk = vec![row; MOST_ROWS / 4];
    for _ in 0..4 {
        kin.push(&chunk, &[], &[]).unwrap();
    }
    let error = kin.push(&chunk[..1], &[], &[]).unwrap_err();
    insta::assert_snapshot!(error, @"the input has more than 2000000 rows, more than a mapping with [hierarchy] can bring into order; split the input so that parents are loaded before their children, or leave [hierarchy] out");
}

#[test]
fn a_batch_that_is_not_full_leaves_when_all_others_wait_and_a_slot_is_free() {
    let mut engine = Engine::new(StageConfig {
        slots: TaskSlots::Fixed(2),
        ..config(LIMITS)
    });
    engine.follow_parents();
    // one full batch, more children than may wait, and a root that fills no batch
    let roots = (1..=4).map(|id| plain(id, id, "{}"));
    let children = (5..=1_100).map(|id| prepared(id, id, Some(1)));
    let last = plain(1_101, 1_101, "{}");
    let mut events = vec![Event::Rows {
        rows: roots.chain(children).chain([last]).collect(),
        decided: Vec::new(),
    }];
    let now = Now {
        at: Instant::now(),
        unix: 0,
    };
    let mut submitted = Vec::new();
    while let Some(event) = events.pop() {
        for command in engine.handle(now, event) {
            match command {
                Command::Persist(_, Durable::Intent(batch)) => {
                    events.push(Event::Durable(Durable::Intent(batch)));
                }
                Command::Submit { batch, .. } => submitted.push(batch),
                Command::ReadMore => panic!("too many rows wait already"),
                Command::Persist(..)
                | Command::Poll(..)
                | Command::Identify(..)
                | Command::ReadBack(..)
                | Command::Join { .. }
                | Command::Call { .. }
                | Command::Tell(_) => {}
            }
        }
    }
    submitted.sort_unstable();
    assert_eq!(submitted, [BatchSeq(1), BatchSeq(2)]);
}

/// What becomes of rows, by the plainest means: repeat until nothing changes.
struct Naive {
    /// Rows that are sent, in rounds: those of a round have their parents in the rounds before.
    rounds: Vec<HashSet<u64>>,
    missing: HashSet<u64>,
    /// Row, key and parent of the rows that may be sent.
    chosen: Vec<(u64, u64, Option<u64>)>,
}

impl Naive {
    /// Whether a key is among the ancestors of another, or the same.
    fn leads_to(&self, from: u64, to: u64) -> bool {
        let mut seen = HashSet::from([from]);
        while !seen.contains(&to) {
            let edges = self.chosen.iter().filter(|(_, key, _)| seen.contains(key));
            let next: HashSet<_> = edges.filter_map(|(_, _, parent)| *parent).collect();
            let before = seen.len();
            seen.extend(next);
            if seen.len() == before {
                return false;
            }
        }
        true
    }
}

fn naive(rows: &[Row], policy: Policy, first_absent: u64) -> Naive {
    let mut by_key: HashMap<u64, Vec<(u64, Option<u64>, bool)>> = HashMap::new();
    for (id, (key, parent, sound)) in (1..).zip(rows) {
        by_key.entry(*key).or_default().push((id, *parent, *sound));
    }
    let mut open: Vec<(u64, u64, Option<u64>)> = Vec::new();
    for (key, rows) in &by_key {
        let sound: Vec<_> = rows.iter().filter(|(_, _, sound)| *sound).collect();
        let chosen: &[_] = match policy {
            _ if sound.len() < 2 => &sound,
            Policy::AllInOrder => &sound,
            Policy::Last => &sound[sound.len() - 1..],
            Policy::First => &sound[..1],
            Policy::Reject => &[],
        };
        open.extend(chosen.iter().map(|(id, parent, _)| (*id, *key, *parent)));
    }
    let chosen = open.clone();
    let missing = |parent: &u64| !by_key.contains_key(parent) && *parent >= first_absent;
    let orphans = open
        .iter()
        .filter(|(_, _, parent)| parent.as_ref().is_some_and(missing));
    let orphans: HashSet<u64> = orphans.map(|(id, _, _)| *id).collect();
    open.retain(|(id, _, _)| !orphans.contains(id));
    let (mut sent, mut rounds) = (HashSet::new(), Vec::new());
    loop {
        let ready = |(_, _, parent): &&(u64, u64, Option<u64>)| {
            parent.is_none_or(|parent| sent.contains(&parent) || !by_key.contains_key(&parent))
        };
        let round: Vec<_> = open.iter().filter(ready).copied().collect();
        if round.is_empty() {
            return Naive {
                rounds,
                missing: orphans,
                chosen,
            };
        }
        open.retain(|row| !round.contains(row));
        sent.extend(round.iter().map(|(_, key, _)| *key));
        rounds.push(round.into_iter().map(|(id, _, _)| id).collect());
    }
}

fn policies() -> impl Strategy<Value = Policy> {
    prop::sample::select(vec![
        Policy::Last,
        Policy::First,
        Policy::AllInOrder,
        Policy::Reject,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn parents_come_before_children_and_no_row_is_lost(
        rows in prop::collection::vec((0..16_u64, prop::option::weighted(0.8, 0..20_u64), prop::bool::weighted(0.9)), 0..24),
        policy in policies(),
    ) {
        let tree = tree(&rows, policy, 18);
        let (waiting, refused) = told(&tree, &rows);
        prop_assert_eq!(tree.refused(), refused.len() as u64);
        let naive = naive(&rows, policy, 18);
        // of several rows of a key each that is not refused itself is sent
        let refused_rows: HashSet<u64> = refused.iter().map(|line| line.split(':').next().unwrap().parse().unwrap()).collect();
        let sent: HashSet<u64> = match policy {
            Policy::AllInOrder => naive.chosen.iter().map(|row| row.0).filter(|row| !refused_rows.contains(row)).collect(),
            _ => naive.rounds.iter().flatten().copied().collect(),
        };
        for (id, key, parent) in &naive.chosen {
            let circle = parent.is_some_and(|parent| naive.leads_to(parent, *key));
            let told = refused.iter().any(|line| line.starts_with(&format!("{id}: PARENT_CYCLE")));
            prop_assert_eq!(circle, told, "row {}", id);
        }
        // what waits is sent, what is refused is not, what is orphaned says so
        for id in &waiting {
            prop_assert!(sent.contains(id), "{id} waits");
        }
        let code = |code: &'static str| refused.iter().filter(move |line| line.contains(code));
        for line in &refused {
            let id: u64 = line.split(':').next().unwrap().parse().unwrap();
            prop_assert!(!sent.contains(&id), "{line}");
        }
        prop_assert_eq!(code("PARENT_MISSING").count(), naive.missing.len());
        // parents that are sent come first: those that go at once before all that wait
        let place: HashMap<u64, usize> = waiting.iter().enumerate().map(|(place, id)| (*id, place + 1)).collect();
        let of_key = |key: u64| (1..).zip(&rows).filter(move |(_, row)| row.0 == key).map(|(id, _)| id);
        let row = |id: u64| rows[usize::try_from(id).unwrap() - 1];
        for id in &sent {
            let parent = row(*id).1.filter(|parent| of_key(*parent).next().is_some());
            let there = |parent| of_key(parent).any(|id| sent.contains(&id));
            prop_assert!(parent.is_none_or(there), "{id} has a parent that is sent");
        }
        for id in &waiting {
            let (key, parent, _) = row(*id);
            if let Some(parent) = parent.filter(|parent| *parent != key) {
                let parents = of_key(parent).filter(|id| sent.contains(id));
                for other in parents {
                    prop_assert!(place.get(&other).copied().unwrap_or(0) < place[id], "{other} before {id}");
                }
            }
            // rows of one key keep their order
            for other in of_key(key).filter(|other| other < id && sent.contains(other)) {
                prop_assert!(place.get(&other).copied().unwrap_or(0) < place[id]);
            }
        }
    }

    #[test]
    fn rows_that_wait_come_back_as_they_were_in_the_order_of_their_ranks(
        rows in prop::collection::vec((any::<u32>(), prop::option::of(1..50_u64), prop::option::of(0..9_u64)), 0..40),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut waiting = Waiting::new(folder.path()).unwrap();
        let mut expected = Vec::new();
        for (id, (rank, behind, parent)) in (1..).zip(rows) {
            let mut row = prepared(id, id, parent);
            row.row.line = row.row.line.filter(|line| line % 3 > 0);
            waiting.push(rank, behind.map(RowId), &row).unwrap();
            expected.push((rank, row, behind.map(RowId)));
        }
        let mut back: Vec<_> = waiting.in_order().unwrap().map(Result::unwrap).collect();
        expected.sort_by_key(|(rank, _, _)| *rank);
        let ranks: Vec<_> = expected.iter().map(|(rank, _, _)| *rank).collect();
        let mut expected: Vec<_> = expected.into_iter().map(|(_, row, behind)| (row, behind)).collect();
        // ranks are told apart but in this test
        if ranks.windows(2).any(|pair| pair[0] == pair[1]) {
            back.sort_by_key(|(row, _)| row.row.id);
            expected.sort_by_key(|(row, _)| row.row.id);
        }
        prop_assert_eq!(back, expected);
    }
}
