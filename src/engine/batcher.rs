//! Cuts batches at the endpoint's caps and keeps two rows of one natural key from being in flight together.
//!
//! Batches are shaped by rows, operations and bytes, never by time, so that a second reading cuts the same ones.

use crate::model::outcome::BatchSeq;
use crate::model::row::{KeyHash, PreparedRow};
use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};

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
    busy: HashSet<KeyHash>,
    /// Rows whose key is busy, in order.
    deferred: VecDeque<PreparedRow>,
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
            busy: HashSet::new(),
            deferred: VecDeque::new(),
        }
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
        // a row that waits keeps its key busy: `settled` lets it in before any later row
        if self.busy.contains(&row.hash) {
            self.deferred.push_back(row);
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
        let rows = std::mem::take(&mut batch.rows).into_iter().enumerate();
        let (first, second): (Vec<_>, Vec<_>) = rows.partition(|(index, row)| chosen(*index, row));
        let rows = |rows: Vec<(usize, PreparedRow)>| rows.into_iter().map(|(_, row)| row).collect();
        let (first, second): (Vec<_>, Vec<_>) = (rows(first), rows(second));
        if first.is_empty() {
            batch.rows = second;
            return (None, Some(batch));
        }
        batch.rows = first;
        (Some(batch), self.again(second))
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
        let seq = BatchSeq(self.next);
        self.next += 1;
        Some(Batch {
            seq,
            rows: std::mem::take(&mut self.open),
            list_key: self.limits.list_key.clone(),
        })
    }

    /// Rows that wait for a row of their key.
    #[must_use]
    pub fn deferred(&self) -> usize {
        self.deferred.len()
    }

    /// Gives up what is in no batch yet, in row order.
    pub fn abandon(&mut self) -> Vec<PreparedRow> {
        let mut rows = std::mem::take(&mut self.open);
        rows.extend(std::mem::take(&mut self.deferred));
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
    }
}
