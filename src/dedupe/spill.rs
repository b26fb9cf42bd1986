//! The spill: keys go to 128 partition files by hash. Each partition is read twice: to count its keys in memory,
//! and to write its losers, which come in row order, as a run; the runs are merged.
//!
//! A row takes 40 bytes and its shown key on disk. A partition of a dataset of *n* rows holds about *n* / 128.

use super::{Loser, Policy, Verdict};
use crate::model::row::{FileId, KeyHash, RowId, RowRef};
use crate::model::slice::Slice;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Partitions of a spill; their open files stay well under the usual limits of 256 (macOS) and 1,024.
const PARTITIONS: usize = 128;

/// Collects the keys of one dataset, in row order.
#[derive(Debug)]
pub struct KeySpill {
    partitions: Vec<BufWriter<File>>,
    rows: u64,
}

impl KeySpill {
    /// A spill whose (unnamed) files lie in `folder`.
    ///
    /// # Errors
    /// When no file can be made there.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let partitions = (0..PARTITIONS)
            .map(|_| Ok(BufWriter::new(tempfile::tempfile_in(folder)?)))
            .collect::<io::Result<_>>()?;
        Ok(Self {
            partitions,
            rows: 0,
        })
    }

    /// Takes a row that passed validation.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn push(&mut self, hash: KeyHash, row: &RowRef) -> io::Result<()> {
        self.rows += 1;
        let partition = &mut self.partitions[partition_of(hash)];
        partition.write_all(&hash.0.to_le_bytes())?;
        write_row(partition, row)
    }

    /// The rows taken so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Decides every key under `policy` and returns the losers in row order.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn decide(self, policy: Policy, folder: &Path) -> io::Result<Decisions> {
        let (mut runs, mut repeats) = (Vec::new(), false);
        for partition in self.partitions {
            let mut file = partition
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?;
            let groups = count_keys(&mut file)?;
            if groups.values().all(|group| group.rows == 1) {
                continue;
            }
            if policy == Policy::AllInOrder {
                repeats = true;
                break;
            }
            let mut run = BufWriter::new(tempfile::tempfile_in(folder)?);
            write_losers(&mut file, &groups, policy, &mut run)?;
            let mut run = run.into_inner().map_err(io::IntoInnerError::into_error)?;
            run.seek(SeekFrom::Start(0))?;
            runs.push(BufReader::new(run));
        }
        let decisions = Decisions::merge(runs)?;
        Ok(Decisions {
            repeats,
            ..decisions
        })
    }
}

/// The losers of a dataset, in row order.
#[derive(Debug)]
pub struct Decisions {
    runs: Vec<BufReader<File>>,
    heads: Vec<Option<Loser>>,
    order: BinaryHeap<Reverse<(RowId, usize)>>,
    repeats: bool,
}

impl Decisions {
    /// Whether several rows of one key are sent, one after the other.
    #[must_use]
    pub fn repeats(&self) -> bool {
        self.repeats
    }

    /// No row loses.
    #[must_use]
    pub fn none() -> Self {
        Self {
            runs: Vec::new(),
            heads: Vec::new(),
            order: BinaryHeap::new(),
            repeats: false,
        }
    }

    fn merge(mut runs: Vec<BufReader<File>>) -> io::Result<Self> {
        let mut heads = Vec::with_capacity(runs.len());
        let mut order = BinaryHeap::with_capacity(runs.len());
        for (index, run) in runs.iter_mut().enumerate() {
            let head = read_loser(run)?;
            order.extend(head.as_ref().map(|loser| Reverse((loser.row.id, index))));
            heads.push(head);
        }
        Ok(Self {
            runs,
            heads,
            order,
            repeats: false,
        })
    }

    /// The row of the next loser.
    #[must_use]
    pub fn peek(&self) -> Option<RowId> {
        self.order.peek().map(|Reverse((row, _))| *row)
    }

    /// The next loser.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn pop(&mut self) -> io::Result<Option<Loser>> {
        let Some(Reverse((_, index))) = self.order.pop() else {
            return Ok(None);
        };
        let next = read_loser(&mut self.runs[index])?;
        self.order
            .extend(next.as_ref().map(|loser| Reverse((loser.row.id, index))));
        Ok(std::mem::replace(&mut self.heads[index], next))
    }
}

fn partition_of(hash: KeyHash) -> usize {
    (hash.0 >> 121) as usize
}

/// The rows of one key.
struct Group {
    rows: u64,
    first: RowId,
    last: RowId,
}

impl Group {
    /// Why a row of the key is not sent, unless it is.
    fn verdict(&self, row: RowId, policy: Policy) -> Option<Verdict> {
        let winner = match policy {
            _ if self.rows == 1 => return None,
            Policy::AllInOrder => return None,
            Policy::Reject => {
                return Some(Verdict::Rejected {
                    rows: self.rows,
                    first: self.first,
                });
            }
            Policy::Last => self.last,
            Policy::First => self.first,
        };
        (row != winner).then_some(Verdict::Duplicate { winner })
    }
}

/// The keys of one partition. Its rows are in row order.
fn count_keys(file: &mut File) -> io::Result<HashMap<KeyHash, Group>> {
    let mut groups = HashMap::new();
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(file);
    while let Some((hash, row)) = read_entry(&mut reader)? {
        let group = groups.entry(hash).or_insert(Group {
            rows: 0,
            first: row.id,
            last: row.id,
        });
        group.rows += 1;
        group.last = row.id;
    }
    Ok(groups)
}

fn write_losers(
    file: &mut File,
    groups: &HashMap<KeyHash, Group>,
    policy: Policy,
    run: &mut impl Write,
) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(file);
    while let Some((hash, row)) = read_entry(&mut reader)? {
        let group = groups.get(&hash).ok_or(ErrorKind::InvalidData)?;
        if let Some(verdict) = group.verdict(row.id, policy) {
            write_loser(run, &Loser { row, verdict })?;
        }
    }
    Ok(())
}

fn read_entry(reader: &mut impl Read) -> io::Result<Option<(KeyHash, RowRef)>> {
    let Some(hash) = read_or_end::<16>(reader)? else {
        return Ok(None);
    };
    Ok(Some((
        KeyHash(u128::from_le_bytes(hash)),
        read_row(reader)?,
    )))
}

fn write_row(out: &mut impl Write, row: &RowRef) -> io::Result<()> {
    let key = &row.key[..];
    let length = u32::try_from(key.len()).map_err(io::Error::other)?;
    out.write_all(&row.id.0.to_le_bytes())?;
    out.write_all(&row.file.0.to_le_bytes())?;
    out.write_all(&row.line.unwrap_or(0).to_le_bytes())?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(key)
}

fn read_row(input: &mut impl Read) -> io::Result<RowRef> {
    let id = RowId(u64::from_le_bytes(read_exact(input)?));
    let file = FileId(u32::from_le_bytes(read_exact(input)?));
    let line = u64::from_le_bytes(read_exact(input)?);
    let mut key = vec![0; u32::from_le_bytes(read_exact(input)?) as usize];
    input.read_exact(&mut key)?;
    Ok(RowRef {
        id,
        file,
        line: (line > 0).then_some(line),
        key: Slice::owned(key),
    })
}

fn write_loser(out: &mut impl Write, loser: &Loser) -> io::Result<()> {
    let (rows, other) = match loser.verdict {
        Verdict::Duplicate { winner } => (0, winner),
        Verdict::Rejected { rows, first } => (rows, first),
    };
    out.write_all(&rows.to_le_bytes())?;
    out.write_all(&other.0.to_le_bytes())?;
    write_row(out, &loser.row)
}

fn read_loser(input: &mut impl Read) -> io::Result<Option<Loser>> {
    let Some(rows) = read_or_end::<8>(input)? else {
        return Ok(None);
    };
    let rows = u64::from_le_bytes(rows);
    let other = RowId(u64::from_le_bytes(read_exact(input)?));
    let verdict = match rows {
        0 => Verdict::Duplicate { winner: other },
        rows => Verdict::Rejected { rows, first: other },
    };
    Ok(Some(Loser {
        row: read_row(input)?,
        verdict,
    }))
}

fn read_exact<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// `None` at the end of the input; an error inside a record.
fn read_or_end<const N: usize>(input: &mut impl Read) -> io::Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        match input.read(&mut bytes[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    fn decide(keys: &[u8], policy: Policy) -> Vec<Loser> {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = KeySpill::new(folder.path()).unwrap();
        for (index, key) in keys.iter().enumerate() {
            spill.push(hash(*key), &row(index as u64 + 1)).unwrap();
        }
        assert_eq!(spill.rows(), keys.len() as u64);
        let mut decisions = spill.decide(policy, folder.path()).unwrap();
        let mut losers = Vec::new();
        while let Some(next) = decisions.peek() {
            let loser = decisions.pop().unwrap().unwrap();
            assert_eq!(loser.row.id, next);
            losers.push(loser);
        }
        assert_eq!(decisions.pop().unwrap(), None);
        losers
    }

    #[test]
    fn each_policy_names_its_losers_with_line_and_key() {
        let keys = [7, 8, 7, 9, 7];
        let ids = |policy| {
            decide(&keys, policy)
                .iter()
                .map(|l| l.row.id.0)
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
                row: row(3),
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
                (loser.row.id.0, winner.0)
            }).collect();
            prop_assert_eq!(losers, naive);
        }
    }
}
