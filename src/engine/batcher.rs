//! Cuts batches at the endpoint's caps, keeps two rows of one natural key from being in flight together, and a row
//! from being in flight before its parent has settled.
//!
//! Batches are shaped by rows, operations and bytes, never by time, so that a second reading cuts the same ones.

use crate::model::outcome::{BatchSeq, Status};
use crate::model::row::{KeyHash, PreparedRow, RowId};
use rustc_hash::FxHashSet;
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

/// The caps of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchLimits {
    /// The key of the request's array.
    pub list_key: Cow<'static, str>,
    /// Items a request may hold.
    pub items: usize,
    /// Detail values that a request may hold over all its items, where the endpoint counts them as operations.
    pub operations: Option<usize>,
    /// Bytes a request's body may hold; a larger single item travels alone.
    pub bytes: usize,
}

/// Rows that travel in one request. Only the batcher makes it; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    seq: BatchSeq,
    rows: Vec<PreparedRow>,
    list_key: Cow<'static, str>,
}

impl Batch {
    /// Its number in the stage.
    #[must_use]
    pub fn seq(&self) -> BatchSeq {
        self.seq
    }

    /// Its rows, in the body's order.
    #[must_use]
    pub fn rows(&self) -> &[PreparedRow] {
        &self.rows
    }

    /// The request's body.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let items: usize = self.rows.iter().map(|row| row.item.len() + 1).sum();
        let mut body = Vec::with_capacity(frame_bytes(&self.list_key) + items);
        body.extend_from_slice(b"{\"");
        body.extend_from_slice(self.list_key.as_bytes());
        body.extend_from_slice(b"\":[");
        for (index, row) in self.rows.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            body.extend_from_slice(&row.item);
        }
        body.extend_from_slice(b"]}");
        body
    }
}

/// Keys are hashes already: they need no good one.
type Keys = FxHashSet<KeyHash>;

/// Bytes of a body around its items.
fn frame_bytes(list_key: &str) -> usize {
    list_key.len() + "{\"\":[]}".len()
}

/// Operations that a row is on an endpoint that counts them: its detail values.
fn operations(row: &PreparedRow) -> usize {
    row.details.count_ones() as usize
}

/// Takes rows in order, gives batches.
#[derive(Debug)]
pub struct Batcher {
    limits: BatchLimits,
    next: u64,
    open: Vec<PreparedRow>,
    open_bytes: usize,
    open_operations: usize,
    /// Keys of the open batch and of every batch that is not settled.
    busy: Keys,
    /// Rows whose key or parent is busy or deferred, in order.
    deferred: VecDeque<PreparedRow>,
    /// Keys of those rows.
    waiting: Keys,
    /// Keys whose last row did not load, with that row; where children have to be kept back.
    lost: Option<HashMap<KeyHash, RowId>>,
    /// Rows that will not be sent, each with its parent's row.
    orphans: Vec<(PreparedRow, RowId)>,
}

impl Batcher {
    /// A batcher for one stage.
    #[must_use]
    pub fn new(limits: BatchLimits) -> Self {
        Self {
            next: 1,
            open: Vec::new(),
            open_bytes: frame_bytes(&limits.list_key),
            open_operations: 0,
            limits,
            busy: Keys::default(),
            deferred: VecDeque::new(),
            waiting: Keys::default(),
            lost: None,
            orphans: Vec::new(),
        }
    }

    /// Rows whose parents do not load are kept back from now on.
    pub fn follow_parents(&mut self) {
        self.lost.get_or_insert_default();
    }

    /// Takes note of a row's end. To be called before its batch is [`settled`](Self::settled).
    pub fn decided(&mut self, row: &PreparedRow, status: Status) {
        let Some(lost) = &mut self.lost else {
            return;
        };
        match status {
            Status::Loaded | Status::Unchanged => lost.remove(&row.hash),
            Status::Rejected
            | Status::Failed
            | Status::Duplicate
            | Status::Unconfirmed
            | Status::NotSent => lost.insert(row.hash, row.row.id),
        };
    }

    /// The rows that will not be sent because the row of their parent, given with them, did not load.
    pub fn take_orphans(&mut self) -> Vec<(PreparedRow, RowId)> {
        std::mem::take(&mut self.orphans)
    }

    /// Takes in a batch of an interrupted run: its keys are busy, and new batches are numbered behind it.
    pub fn adopt(&mut self, seq: BatchSeq, rows: Vec<PreparedRow>) -> Batch {
        self.continue_after(seq);
        self.busy.extend(rows.iter().map(|row| row.hash));
        Batch {
            seq,
            rows,
            list_key: self.limits.list_key.clone(),
        }
    }

    /// New batches are numbered behind this one.
    pub fn continue_after(&mut self, seq: BatchSeq) {
        self.next = self.next.max(seq.0 + 1);
    }

    /// Takes a row; gives a batch when one is full.
    pub fn push(&mut self, row: PreparedRow) -> Option<Batch> {
        // `settled` lets a row that waits in before any later row
        if self.is_pending(row.hash) || row.parent.is_some_and(|parent| self.is_pending(parent)) {
            self.waiting.insert(row.hash);
            self.deferred.push_back(row);
            return None;
        }
        if let Some(lost) = &mut self.lost
            && let Some(parent) = row.parent.and_then(|parent| lost.get(&parent).copied())
        {
            lost.insert(row.hash, row.row.id);
            self.orphans.push((row, parent));
            return None;
        }
        self.admit(row)
    }

    /// A batch of rows that were in one before and are not decided: their keys stay busy. `None` without any.
    pub fn again(&mut self, rows: Vec<PreparedRow>) -> Option<Batch> {
        if rows.is_empty() {
            return None;
        }
        let seq = BatchSeq(self.next);
        self.next += 1;
        Some(Batch {
            seq,
            rows,
            list_key: self.limits.list_key.clone(),
        })
    }

    /// The rows of a batch that was not sent, apart: those that are chosen under its number, the others under a new
    /// one. Either may be empty.
    pub fn apart(
        &mut self,
        mut batch: Batch,
        mut chosen: impl FnMut(usize, &PreparedRow) -> bool,
    ) -> (Option<Batch>, Option<Batch>) {
        let rows = batch.rows.iter().enumerate();
        match rows.filter(|(index, row)| chosen(*index, row)).count() {
            0 => return (None, Some(batch)),
            all if all == batch.rows.len() => return (Some(batch), None),
            _ => {}
        }
        let rows = std::mem::take(&mut batch.rows).into_iter().enumerate();
        let (first, second): (Vec<_>, Vec<_>) = rows.partition(|(index, row)| chosen(*index, row));
        let rows = |rows: Vec<(usize, PreparedRow)>| rows.into_iter().map(|(_, row)| row).collect();
        batch.rows = rows(first);
        (Some(batch), self.again(rows(second)))
    }

    /// Whether a row of the key is under way, or waits to be.
    fn is_pending(&self, key: KeyHash) -> bool {
        self.busy.contains(&key) || (!self.waiting.is_empty() && self.waiting.contains(&key))
    }

    /// Frees the keys of a settled batch; gives the batches that become full.
    pub fn settled(&mut self, batch: &Batch) -> Vec<Batch> {
        self.free(&batch.rows)
    }

    /// Frees the keys of settled rows; gives the batches that become full.
    pub fn free<'a>(&mut self, rows: impl IntoIterator<Item = &'a PreparedRow>) -> Vec<Batch> {
        for row in rows {
            self.busy.remove(&row.hash);
        }
        if self.deferred.is_empty() {
            return Vec::new();
        }
        self.waiting.clear();
        let waiting = std::mem::take(&mut self.deferred);
        waiting
            .into_iter()
            .filter_map(|row| self.push(row))
            .collect()
    }

    /// The open batch, however full: for the end of the input, or when nothing else can move.
    pub fn flush(&mut self) -> Option<Batch> {
        if self.open.is_empty() {
            return None;
        }
        self.open_bytes = frame_bytes(&self.limits.list_key);
        self.open_operations = 0;
        // the next one is as large, mostly
        let room = self.open.len();
        let seq = BatchSeq(self.next);
        self.next += 1;
        Some(Batch {
            seq,
            rows: std::mem::replace(&mut self.open, Vec::with_capacity(room)),
            list_key: self.limits.list_key.clone(),
        })
    }

    /// Rows that wait for a row of their key, or for their parent.
    #[must_use]
    pub fn deferred(&self) -> usize {
        self.deferred.len()
    }

    /// Gives up what is in no batch yet, in row order.
    pub fn abandon(&mut self) -> Vec<PreparedRow> {
        let mut rows = std::mem::take(&mut self.open);
        rows.extend(std::mem::take(&mut self.deferred));
        self.waiting.clear();
        rows.sort_by_key(|row| row.row.id);
        rows
    }

    fn admit(&mut self, row: PreparedRow) -> Option<Batch> {
        let bytes = row.item.len() + 1;
        let operations = operations(&row);
        let limits = &self.limits;
        let most_operations = limits.operations.unwrap_or(usize::MAX);
        let full = self.open.len() + 1 > limits.items
            || self.open_bytes + bytes > limits.bytes
            || self.open_operations + operations > most_operations;
        let batch = if full { self.flush() } else { None };
        self.busy.insert(row.hash);
        self.open_bytes += bytes;
        self.open_operations += operations;
        self.open.push(row);
        // a batch that cannot take another row leaves at once, not with the next row
        let full = self.open.len() >= self.limits.items || self.open_operations >= most_operations;
        match batch {
            None if full => self.flush(),
            batch => batch,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::row::{FileId, RowId, RowRef};
    use crate::model::slice::Slice;
    use proptest::prelude::*;
    use std::collections::HashSet;

    pub(crate) const LIMITS: BatchLimits = BatchLimits {
        list_key: Cow::Borrowed("customerProfiles"),
        items: 4,
        operations: None,
        bytes: 120,
    };

    pub(crate) fn row(id: u64, key: u64, item: &str) -> PreparedRow {
        let identity = format!("c{key}@example.com");
        PreparedRow {
            row: RowRef {
                id: RowId(id),
                file: FileId(0),
                line: None,
                key: Slice::owned(key.to_string()),
            },
            hash: KeyHash(u128::from(key)),
            identity: Slice::owned(identity),
            item: Slice::owned(item),
            details: 0,
            parent: None,
        }
    }

    #[test]
    fn a_body_is_the_documented_list_of_items() {
        let mut batcher = Batcher::new(LIMITS);
        assert_eq!(batcher.push(row(1, 1, "{\"a\":1}")), None);
        assert_eq!(batcher.push(row(2, 2, "{\"b\":2}")), None);
        let batch = batcher.flush().unwrap();
        assert_eq!(batch.body(), br#"{"customerProfiles":[{"a":1},{"b":2}]}"#);
        assert_eq!(batcher.flush(), None);
    }

    #[test]
    fn a_batch_of_detail_values_is_cut_at_its_operations() {
        let mut batcher = Batcher::new(BatchLimits {
            operations: Some(5),
            ..LIMITS
        });
        let mut push = |id, details| {
            let mut row = row(id, id, "{}");
            row.details = details;
            let batch = batcher.push(row)?;
            Some(batch.rows().iter().map(|row| row.row.id.0).collect())
        };
        assert_eq!(push(1, 0b111), None);
        // three and three are six: the second waits for the next batch
        assert_eq!(push(2, 0b1011), Some(vec![1]));
        // three and two fill it
        assert_eq!(push(3, 0b11), Some(vec![2, 3]));
        assert_eq!(batcher.flush(), None);
    }

    #[test]
    fn a_row_whose_key_is_in_flight_waits_for_it() {
        let mut batcher = Batcher::new(LIMITS);
        for (id, key) in [(1, 1), (2, 2), (3, 1), (4, 1)] {
            assert_eq!(batcher.push(row(id, key, "{}")), None);
        }
        assert_eq!(batcher.deferred(), 2);
        let first = batcher.flush().unwrap();
        assert_eq!(first.rows().len(), 2);
        assert!(batcher.settled(&first).is_empty());
        assert_eq!(batcher.deferred(), 1);
        let second = batcher.flush().unwrap();
        assert_eq!(second.rows()[0].row.id, RowId(3));
        assert!(batcher.settled(&second).is_empty());
        assert_eq!(batcher.flush().unwrap().rows()[0].row.id, RowId(4));
    }

    #[test]
    fn rows_that_leave_again_keep_their_keys_busy() {
        let mut batcher = Batcher::new(LIMITS);
        for (id, key) in [(1, 1), (2, 2), (3, 3)] {
            assert_eq!(batcher.push(row(id, key, "{}")), None);
        }
        let first = batcher.flush().unwrap();
        let (odd, even) = batcher.apart(first, |_, row| row.row.id.0 % 2 == 1);
        let (odd, even) = (odd.unwrap(), even.unwrap());
        assert_eq!((odd.seq(), even.seq()), (BatchSeq(1), BatchSeq(2)));
        assert!(batcher.settled(&odd).is_empty());
        let again = batcher.again(even.rows().to_vec()).unwrap();
        assert_eq!(again.seq(), BatchSeq(3));
        assert_eq!(batcher.push(row(4, 2, "{}")), None);
        assert_eq!(batcher.push(row(5, 1, "{}")), None);
        assert_eq!(batcher.deferred(), 1);
        assert_eq!(batcher.again(Vec::new()), None);
        let (none, all) = batcher.apart(again, |_, _| false);
        assert_eq!((none, all.unwrap().seq()), (None, BatchSeq(3)));
    }

    fn child(id: u64, key: u64, parent: u64) -> PreparedRow {
        PreparedRow {
            parent: Some(KeyHash(u128::from(parent))),
            ..row(id, key, "{}")
        }
    }

    fn ids(rows: &[PreparedRow]) -> Vec<u64> {
        rows.iter().map(|row| row.row.id.0).collect()
    }

    #[test]
    fn a_child_waits_for_its_own_parent_and_not_for_its_level() {
        let mut batcher = Batcher::new(BatchLimits { items: 1, ..LIMITS });
        batcher.follow_parents();
        let first = batcher.push(row(1, 1, "{}")).unwrap();
        let second = batcher.push(row(2, 2, "{}")).unwrap();
        for (id, parent) in [(3, 1), (4, 2), (5, 3)] {
            assert_eq!(batcher.push(child(id, id, parent)), None);
        }
        // the parent of 6 is on the site
        assert_eq!(ids(batcher.push(child(6, 6, 99)).unwrap().rows()), [6]);
        batcher.decided(&second.rows()[0], Status::Loaded);
        let freed = batcher.settled(&second);
        assert_eq!(ids(freed[0].rows()), [4]);
        batcher.decided(&first.rows()[0], Status::Loaded);
        let freed = batcher.settled(&first);
        assert_eq!((freed.len(), ids(freed[0].rows())), (1, vec![3]));
        assert_eq!(batcher.deferred(), 1);
        assert!(batcher.take_orphans().is_empty());
    }

    #[test]
    fn all_that_come_after_a_lost_row_are_orphans() {
        let mut batcher = Batcher::new(LIMITS);
        batcher.follow_parents();
        assert_eq!(batcher.push(row(1, 1, "{}")), None);
        assert_eq!(batcher.push(row(2, 2, "{}")), None);
        assert_eq!(batcher.push(child(3, 3, 1)), None);
        assert_eq!(batcher.push(child(4, 4, 3)), None);
        let batch = batcher.flush().unwrap();
        batcher.decided(&batch.rows()[0], Status::Unconfirmed);
        batcher.decided(&batch.rows()[1], Status::Loaded);
        assert!(batcher.settled(&batch).is_empty());
        assert_eq!(batcher.push(child(5, 5, 4)), None);
        assert_eq!(batcher.push(child(6, 6, 2)), None);
        let orphans = batcher.take_orphans();
        let orphans: Vec<_> = orphans
            .iter()
            .map(|(row, parent)| (row.row.id.0, parent.0))
            .collect();
        assert_eq!(orphans, [(3, 1), (4, 3), (5, 4)]);
        assert_eq!(ids(batcher.flush().unwrap().rows()), [6]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn batches_respect_caps_and_keys_and_lose_no_row(
            rows in prop::collection::vec((0..20_u64, 0..90_usize, 0..6_u32), 0..120),
            settle_each in 1..5_usize,
            operations in prop::option::of(5..12_usize),
            items in 1..6_usize,
        ) {
            let limits = BatchLimits { items, operations, ..LIMITS };
            let mut batcher = Batcher::new(limits.clone());
            let mut flying: VecDeque<Batch> = VecDeque::new();
            let mut seen = Vec::new();
            let mut cut: Vec<Batch> = Vec::new();
            let mut steps = rows.iter().enumerate();
            loop {
                let step = steps.next();
                match step {
                    Some((index, (key, size, details))) => {
                        let mut row = row(index as u64 + 1, *key, &"x".repeat(*size));
                        row.details = (1 << *details) - 1;
                        cut.extend(batcher.push(row));
                    }
                    None => cut.extend(batcher.flush()),
                }
                while let Some(batch) = cut.pop() {
                    let body = batch.body();
                    prop_assert!(batch.rows().len() <= limits.items);
                    prop_assert!(body.len() <= limits.bytes || batch.rows().len() == 1);
                    let operations: usize = batch.rows().iter().map(super::operations).sum();
                    prop_assert!(limits.operations.is_none_or(|most| operations <= most));
                    for row in batch.rows() {
                        let twice = flying.iter().flat_map(Batch::rows).any(|other| other.hash == row.hash);
                        prop_assert!(!twice, "key in flight twice");
                    }
                    seen.extend(batch.rows().iter().map(|row| (row.hash, row.row.id)));
                    flying.push_back(batch);
                }
                if (flying.len() > settle_each || step.is_none()) && let Some(batch) = flying.pop_front() {
                    cut.extend(batcher.settled(&batch));
                } else if step.is_none() && flying.is_empty() && cut.is_empty() && batcher.deferred() == 0 {
                    break;
                }
            }
            prop_assert_eq!(seen.len(), rows.len());
            // rows of one key leave in their order
            for key in 0..20 {
                let ids: Vec<_> = seen.iter().filter(|(hash, _)| hash.0 == key).map(|(_, id)| *id).collect();
                prop_assert!(ids.is_sorted());
            }
        }

        #[test]
        fn children_leave_after_their_parents_loaded_and_no_row_is_lost(
            rows in prop::collection::vec((prop::option::weighted(0.8, any::<prop::sample::Index>()), any::<bool>(), 0..10_u8), 1..60),
            settle_each in 1..4_usize,
            items in 1..5_usize,
        ) {
            let mut batcher = Batcher::new(BatchLimits { items, ..LIMITS });
            batcher.follow_parents();
            let mut flying: Vec<Batch> = Vec::new();
            let (mut loaded, mut lost, mut left) = (HashSet::new(), HashSet::new(), Vec::new());
            let mut steps = (1..).zip(&rows);
            loop {
                let mut cut = Vec::new();
                let step = steps.next();
                match step {
                    // any row before may be the parent
                    Some((id, (Some(parent), _, _))) if id > 1 => {
                        let parent = parent.index(usize::try_from(id).unwrap() - 1) as u64 + 1;
                        cut.extend(batcher.push(child(id, id, parent)));
                    }
                    Some((id, _)) => cut.extend(batcher.push(row(id, id, "{}"))),
                    None => cut.extend(batcher.flush()),
                }
                if flying.len() >= settle_each || (step.is_none() && !flying.is_empty()) {
                    let which = rows.get(left.len()).map_or(0, |row| usize::from(row.2)) % flying.len();
                    let batch = flying.remove(which);
                    for row in batch.rows() {
                        let number = usize::try_from(row.row.id.0).unwrap();
                        let good = rows[number - 1].1;
                        let status = if good { Status::Loaded } else { Status::Failed };
                        if good { loaded.insert(row.hash) } else { lost.insert(row.hash) };
                        batcher.decided(row, status);
                    }
                    cut.extend(batcher.settled(&batch));
                } else if step.is_none() && cut.is_empty() {
                    break;
                }
                for (row, _) in batcher.take_orphans() {
                    prop_assert!(row.parent.is_some_and(|parent| lost.contains(&parent)));
                    lost.insert(row.hash);
                    left.push(row.row.id);
                }
                for batch in cut {
                    for row in batch.rows() {
                        prop_assert!(row.parent.is_none_or(|parent| loaded.contains(&parent)));
                        left.push(row.row.id);
                    }
                    flying.push(batch);
                }
            }
            prop_assert_eq!(batcher.deferred(), 0);
            left.sort_unstable();
            prop_assert!(left.into_iter().eq((1..=rows.len() as u64).map(RowId)));
        }
    }
}
