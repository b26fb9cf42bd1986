//! The spill: keys go to 128 partitions by hash, each of which is then sorted in memory; the rows that lose in it are a
//! run, and the runs are merged. Where each row stands goes to a file of its own.
//!
//! A row takes 56 bytes and its shown key on disk. A partition of a dataset of *n* rows holds about *n* / 128.

use super::partitions::Partitions;
use super::rows::{RowBlock, RowSpill, SpilledRows};
use super::runs::{Merged, Runs};
use super::{Loser, Policy, Verdict};
use crate::model::row::{KeyHash, RowId, RowRef};
use std::io;
use std::path::Path;

/// Partitions of a spill.
const PARTITIONS: usize = 128;
/// Bytes of a row in a partition: key, row, content.
const ENTRY: usize = 32;
/// Marks a row that stands already; row numbers stay far below this bit.
const STANDS: u64 = 1 << 63;

/// Keys and places of rows that passed validation, some thousand at a time: can be made on any thread.
#[derive(Debug, Default)]
pub struct KeyedRows {
    entries: Vec<Winner>,
    rows: RowBlock,
}

impl KeyedRows {
    /// Room for so many rows.
    #[must_use]
    pub fn with_capacity(rows: usize) -> Self {
        Self {
            entries: Vec::with_capacity(rows),
            rows: RowBlock::with_capacity(rows),
        }
    }

    /// Takes a row, behind those before it, with a digest of what it writes: given back with the row if it wins.
    pub fn push(&mut self, hash: KeyHash, row: &RowRef, content: u64) {
        self.entries.push(Winner {
            hash,
            row: row.id,
            content,
        });
        self.rows.push(row);
    }
}

/// Collects the keys of one dataset, in row order.
#[derive(Debug)]
pub struct KeySpill {
    partitions: Partitions<ENTRY>,
    rows: RowSpill,
}

impl KeySpill {
    /// A spill whose (unnamed) files lie in `folder`.
    ///
    /// # Errors
    /// When no file can be made there.
    pub fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            partitions: Partitions::new(folder, PARTITIONS)?,
            rows: RowSpill::new(folder)?,
        })
    }

    /// Takes the next rows.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn take(&mut self, rows: &KeyedRows) -> io::Result<()> {
        for row in &rows.entries {
            self.write(row.hash, row.row.0, row.content)?;
        }
        self.rows.take(&rows.rows)
    }

    /// Takes a row that is not of the dataset: it loaded before, and counts among the rows of its key.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn stand(&mut self, hash: KeyHash, row: RowId) -> io::Result<()> {
        self.write(hash, row.0 | STANDS, 0)
    }

    fn write(&mut self, hash: KeyHash, row: u64, content: u64) -> io::Result<()> {
        let mut entry = [0; ENTRY];
        entry[..16].copy_from_slice(&hash.0.to_le_bytes());
        entry[16..24].copy_from_slice(&row.to_le_bytes());
        entry[24..].copy_from_slice(&content.to_le_bytes());
        self.partitions.push(partition_of(hash), &entry)
    }

    /// The rows taken so far.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows.rows()
    }

    /// Decides every key under `policy`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn decide(self, policy: Policy, folder: &Path) -> io::Result<Decided> {
        self.decide_with(policy, folder, |_| Ok(()))
    }

    /// Decides every key under `policy`, and gives `winners` the rows that are sent, partition by partition, in the order of
    /// their keys' hashes. Rows of one key that are all sent are not given.
    ///
    /// # Errors
    /// When the disk refuses, or `winners` fails.
    pub fn decide_with<E: From<io::Error>>(
        self,
        policy: Policy,
        folder: &Path,
        mut winners: impl FnMut(&[Winner]) -> Result<(), E>,
    ) -> Result<Decided, E> {
        let (mut runs, mut repeats) = (Runs::new(folder)?, false);
        let (mut entries, mut bytes) = (Vec::new(), Vec::new());
        for partition in 0..self.partitions.len() {
            read(self.partitions.read(partition, &mut bytes)?, &mut entries);
            let (mut sent, mut losers) = (Vec::with_capacity(entries.len()), Vec::new());
            for group in entries.chunk_by(|left, right| left.row.hash == right.row.hash) {
                repeats |= policy == Policy::AllInOrder && group.len() > 1;
                let winner = winner(group, policy);
                let own = group.iter().filter(|entry| !entry.stands);
                sent.extend(winner.filter(|entry| !entry.stands).map(|entry| entry.row));
                losers.extend(own.map(|entry| entry.row.row).filter_map(|row| {
                    let verdict = verdict(group, winner, policy)?;
                    let lost = winner.is_none_or(|winner| winner.row.row != row);
                    lost.then_some(Loser { row, verdict })
                }));
            }
            losers.sort_unstable_by_key(|loser| loser.row);
            runs.run(
                losers
                    .iter()
                    .map(|loser| (loser.row, encode(loser.verdict))),
            )?;
            winners(&sent)?;
        }
        Ok(Decided {
            losers: Losers(runs.merge()?),
            rows: self.rows.read()?,
            repeats,
        })
    }
}

/// What became of the rows that passed validation.
#[derive(Debug)]
pub struct Decided {
    /// Those that are not sent, in row order.
    pub losers: Losers,
    /// All of them, in row order.
    pub rows: SpilledRows,
    /// Whether several rows of one key are sent, one after the other.
    pub repeats: bool,
}

/// A row that is sent, and the only one of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Winner {
    /// Its natural key.
    pub hash: KeyHash,
    /// The row.
    pub row: RowId,
    /// The digest that was given with it.
    pub content: u64,
}

/// The losers of a dataset, in row order.
#[derive(Debug, Default)]
pub struct Losers(Merged);

impl Losers {
    /// The row of the next loser.
    #[must_use]
    pub fn peek(&self) -> Option<RowId> {
        self.0.peek()
    }

    /// The next loser.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn pop(&mut self) -> io::Result<Option<Loser>> {
        let next = self.0.pop()?;
        next.map(|(row, note)| {
            let verdict = decode(&note).ok_or(io::ErrorKind::InvalidData)?;
            Ok(Loser { row, verdict })
        })
        .transpose()
    }
}

/// A row of a partition.
struct Entry {
    row: Winner,
    /// Whether it loaded before.
    stands: bool,
}

fn partition_of(hash: KeyHash) -> usize {
    (hash.0 >> 121) as usize
}

/// A partition's rows by key, those of one key in row order.
fn read(bytes: &[[u8; ENTRY]], entries: &mut Vec<Entry>) {
    entries.clear();
    entries.extend(bytes.iter().filter_map(|entry| {
        let (hash, rest) = entry.split_first_chunk()?;
        let (row, rest) = rest.split_first_chunk()?;
        let row = u64::from_le_bytes(*row);
        Some(Entry {
            row: Winner {
                hash: KeyHash(u128::from_le_bytes(*hash)),
                row: RowId(row & !STANDS),
                content: u64::from_le_bytes(*rest.first_chunk()?),
            },
            stands: row & STANDS != 0,
        })
    }));
    entries.sort_unstable_by_key(|entry| (entry.row.hash, entry.row.row));
}

/// The row of a key that is sent, or that stands already, if there is one.
fn winner(group: &[Entry], policy: Policy) -> Option<&Entry> {
    match policy {
        _ if group.len() == 1 => group.first(),
        Policy::AllInOrder | Policy::Reject => None,
        Policy::Last => group.last(),
        Policy::First => group.first(),
    }
}

/// Why the other rows of the key are not sent, unless they are.
fn verdict(group: &[Entry], winner: Option<&Entry>, policy: Policy) -> Option<Verdict> {
    if let Some(winner) = winner {
        return Some(Verdict::Duplicate {
            winner: winner.row.row,
        });
    }
    (policy == Policy::Reject).then_some(Verdict::Rejected {
        rows: group.len() as u64,
        first: group.first()?.row.row,
    })
}

fn encode(verdict: Verdict) -> [u8; 16] {
    let (rows, other) = match verdict {
        Verdict::Duplicate { winner } => (0, winner),
        Verdict::Rejected { rows, first } => (rows, first),
    };
    let mut note = [0; 16];
    note[..8].copy_from_slice(&rows.to_le_bytes());
    note[8..].copy_from_slice(&other.0.to_le_bytes());
    note
}

fn decode(note: &[u8]) -> Option<Verdict> {
    let (rows, rest) = note.split_first_chunk()?;
    let other = RowId(u64::from_le_bytes(*rest.first_chunk()?));
    Some(match u64::from_le_bytes(*rows) {
        0 => Verdict::Duplicate { winner: other },
        rows => Verdict::Rejected { rows, first: other },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::row::FileId;
    use crate::model::slice::Slice;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn row(id: u64) -> RowRef {
        let line = id.is_multiple_of(3).then_some(id + 1);
        RowRef {
            id: RowId(id),
            file: FileId(2),
            line,
            key: Slice::owned(format!("k{id}")),
        }
    }

    fn hash(key: u8) -> KeyHash {
        KeyHash(u128::from(key) << 120 | u128::from(key))
    }

    fn decided(keys: &[u8], policy: Policy) -> (Vec<Loser>, Vec<Winner>, Decided) {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = KeySpill::new(folder.path()).unwrap();
        let mut index = 0;
        for some in keys.chunks(3) {
            let mut keyed = KeyedRows::with_capacity(3);
            for key in some {
                keyed.push(hash(*key), &row(index + 1), 100 + index);
                index += 1;
            }
            spill.take(&keyed).unwrap();
        }
        spill.take(&KeyedRows::default()).unwrap();
        assert_eq!(spill.rows(), keys.len() as u64);
        let mut winners = Vec::new();
        let decided = spill.decide_with(policy, folder.path(), |found| {
            winners.extend_from_slice(found);
            Ok::<_, io::Error>(())
        });
        let mut decided = decided.unwrap();
        let mut losers = Vec::new();
        while let Some(next) = decided.losers.peek() {
            let loser = decided.losers.pop().unwrap().unwrap();
            assert_eq!(loser.row, next);
            losers.push(loser);
        }
        assert_eq!(decided.losers.pop().unwrap(), None);
        (losers, winners, decided)
    }

    fn decide(keys: &[u8], policy: Policy) -> Vec<Loser> {
        decided(keys, policy).0
    }

    #[test]
    fn all_rows_come_back_and_winners_with_their_content_in_the_order_of_hashes() {
        let keys = [7, 200, 7, 9];
        let (_, winners, mut decided) = super::tests::decided(&keys, Policy::Last);
        let winners: Vec<_> = winners
            .iter()
            .map(|w| (w.hash, w.row.0, w.content))
            .collect();
        assert_eq!(
            winners,
            [(hash(7), 3, 102), (hash(9), 4, 103), (hash(200), 2, 101)]
        );
        assert!(!decided.repeats);
        for id in 1..=4 {
            assert_eq!(decided.rows.pop().unwrap(), Some(row(id)));
        }
        assert_eq!(decided.rows.pop().unwrap(), None);

        let (_, winners, mut decided) = super::tests::decided(&keys, Policy::AllInOrder);
        let winners: Vec<_> = winners.iter().map(|w| w.row.0).collect();
        assert_eq!((winners, decided.repeats), (vec![4, 2], true));
        assert_eq!(decided.rows.find(RowId(3)).unwrap(), row(3));
        assert!(decided.rows.find(RowId(2)).is_err());
    }

    #[test]
    fn each_policy_names_its_losers() {
        let keys = [7, 8, 7, 9, 7];
        let ids = |policy| {
            decide(&keys, policy)
                .iter()
                .map(|l| l.row.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(Policy::Last), [1, 3]);
        assert_eq!(ids(Policy::First), [3, 5]);
        assert_eq!(ids(Policy::Reject), [1, 3, 5]);
        assert_eq!(ids(Policy::AllInOrder), [] as [u64; 0]);
        let last = decide(&keys, Policy::Last);
        assert_eq!(
            last[1],
            Loser {
                row: RowId(3),
                verdict: Verdict::Duplicate { winner: RowId(5) }
            }
        );
        let all = decide(&keys, Policy::Reject);
        assert_eq!(
            all[0].verdict,
            Verdict::Rejected {
                rows: 3,
                first: RowId(1)
            }
        );
    }

    #[test]
    fn a_row_that_loaded_before_counts_among_the_rows_of_its_key() {
        let decide = |policy, standing: u64| {
            let folder = tempfile::tempdir().unwrap();
            let mut spill = KeySpill::new(folder.path()).unwrap();
            let mut rows = KeyedRows::default();
            for (id, key) in [(2, 7), (4, 7), (6, 8)] {
                rows.push(hash(key), &row(id), 0);
            }
            spill.take(&rows).unwrap();
            spill.stand(hash(7), RowId(standing)).unwrap();
            spill.stand(hash(9), RowId(1)).unwrap();
            let mut sent = Vec::new();
            let decided = spill.decide_with(policy, folder.path(), |found| {
                sent.extend(found.iter().map(|winner| winner.row.0));
                Ok::<_, io::Error>(())
            });
            let Decided {
                mut losers,
                repeats,
                ..
            } = decided.unwrap();
            let mut lost = Vec::new();
            while let Some(loser) = losers.pop().unwrap() {
                lost.push(match loser.verdict {
                    Verdict::Duplicate { winner } => (loser.row.0, winner.0),
                    Verdict::Rejected { rows, first } => (loser.row.0, 100 * rows + first.0),
                });
            }
            (sent, lost, repeats)
        };
        let last = decide(Policy::Last, 5);
        assert_eq!(last, (vec![6], vec![(2, 5), (4, 5)], false));
        let last = decide(Policy::Last, 3);
        assert_eq!(last, (vec![4, 6], vec![(2, 4)], false));
        let first = decide(Policy::First, 1);
        assert_eq!(first, (vec![6], vec![(2, 1), (4, 1)], false));
        let first = decide(Policy::First, 3);
        assert_eq!(first, (vec![2, 6], vec![(4, 2)], false));
        let all = decide(Policy::AllInOrder, 3);
        assert_eq!(all, (vec![6], vec![], true));
        let none = decide(Policy::Reject, 1);
        assert_eq!(none, (vec![6], vec![(2, 301), (4, 301)], false));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn losers_are_those_of_a_naive_count_in_row_order(keys in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut last = HashMap::new();
            for (index, key) in keys.iter().enumerate() {
                last.insert(*key, index as u64 + 1);
            }
            let naive: Vec<_> = keys.iter().enumerate()
                .map(|(index, key)| (index as u64 + 1, last[key]))
                .filter(|(row, winner)| row != winner)
                .collect();
            let losers: Vec<_> = decide(&keys, Policy::Last).into_iter().map(|loser| {
                let Verdict::Duplicate { winner } = loser.verdict else { panic!("not a duplicate") };
                (loser.row.0, winner.0)
            }).collect();
            prop_assert_eq!(losers, naive);
        }
    }
}
