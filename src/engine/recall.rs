//! Which rows the site already holds as they are: same content as was confirmed last, by the same mapping.
//!
//! Rows come in the order of the source, and what is remembered lies in the order of hashes: looked up chunk by chunk,
//! each page would be read once for each chunk. So what counts is read through once, into 16 bytes a record.

use super::state::content_of;
use crate::ledger::record::ContentHash;
use crate::ledger::{Known, LedgerError, Memory};
use crate::model::clock::UnixMillis;
use crate::model::row::{KeyHash, PreparedRow};
use std::time::Duration;

/// Records that the index may hold: 64 MB. Where more are remembered, pages are read for each chunk.
const MOST: usize = 4_000_000;

/// What was confirmed before a stage began.
#[derive(Debug)]
pub struct Recall {
    memory: Memory,
    /// A confirmation that is older counts no longer.
    refresh_after: Option<Duration>,
    /// Mark and content of every confirmation that counts, in order; `None` where there are too many.
    index: Option<Vec<(Mark, ContentHash)>>,
}

/// A row whose record needs no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Same {
    /// The site's id of the record, where it told one.
    pub remote_id: Option<String>,
}

/// The first 63 bits of a key's hash, and whether the site told an id of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mark(u64);

impl Mark {
    const fn of(upper: u64, has_id: bool) -> Self {
        Self(upper & !1 | has_id as u64)
    }
}

/// Why an index is not made.
enum Stop {
    TooMany,
    Ledger(LedgerError),
}

impl From<LedgerError> for Stop {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl Recall {
    /// Of what `memory` holds now. Blocks.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn new(
        memory: Memory,
        refresh_after: Option<Duration>,
        now: UnixMillis,
    ) -> Result<Self, LedgerError> {
        Self::with_most(memory, refresh_after, now, MOST)
    }

    fn with_most(
        memory: Memory,
        refresh_after: Option<Duration>,
        now: UnixMillis,
        most: usize,
    ) -> Result<Self, LedgerError> {
        let mut index = Vec::new();
        let read = memory.each(|known| {
            let counts = known
                .confirmed
                .filter(|last| is_fresh(refresh_after, last.at, now));
            if let Some(last) = counts {
                if index.len() == most {
                    return Err(Stop::TooMany);
                }
                let mark = Mark::of(known.mark.upper(), known.remote_id.is_some());
                index.push((mark, last.content));
            }
            Ok(())
        });
        let index = match read {
            Ok(()) => Some(index),
            Err(Stop::TooMany) => None,
            Err(Stop::Ledger(error)) => return Err(error),
        };
        Ok(Self {
            memory,
            refresh_after,
            index,
        })
    }

    /// For each row what is known of its record, if the record needs no request. Blocks.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn unchanged(
        &self,
        rows: &[PreparedRow],
        now: UnixMillis,
    ) -> Result<Vec<Option<Same>>, LedgerError> {
        let Some(index) = &self.index else {
            return self.look_up(rows.iter(), now);
        };
        let found: Vec<_> = rows.iter().map(|row| find(index, row)).collect();
        let with_id = rows.iter().zip(&found);
        let with_id = with_id.filter(|(_, has_id)| **has_id == Some(true));
        let mut ids = self.look_up(with_id.map(|(row, _)| row), now)?.into_iter();
        let same = found.into_iter().map(|has_id| {
            if has_id? {
                ids.next().flatten()
            } else {
                Some(Same { remote_id: None })
            }
        });
        Ok(same.collect())
    }

    fn look_up<'a>(
        &self,
        rows: impl Iterator<Item = &'a PreparedRow> + Clone,
        now: UnixMillis,
    ) -> Result<Vec<Option<Same>>, LedgerError> {
        let keys: Vec<KeyHash> = rows.clone().map(|row| row.hash).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.memory.look_up(&keys)?;
        let counts = |row: &PreparedRow, known: &Known| {
            known.confirmed.is_some_and(|last| {
                last.content == content_of(row) && is_fresh(self.refresh_after, last.at, now)
            })
        };
        let same = rows.zip(known).map(|(row, known)| {
            let known = known.filter(|known| counts(row, known))?;
            Some(Same {
                remote_id: known.remote_id,
            })
        });
        Ok(same.collect())
    }
}

/// Whether the row's content was confirmed, and then whether the site told an id of its record.
fn find(index: &[(Mark, ContentHash)], row: &PreparedRow) -> Option<bool> {
    let upper = (row.hash.0 >> 64) as u64;
    let (without, with) = (Mark::of(upper, false), Mark::of(upper, true));
    let from = index.partition_point(|(mark, _)| *mark < without);
    let candidates = index[from..].iter().take_while(|(mark, _)| *mark <= with);
    let content = content_of(row);
    let mut same = candidates.filter(|(_, confirmed)| *confirmed == content);
    same.next().map(|(mark, _)| *mark == with)
}

fn is_fresh(refresh_after: Option<Duration>, at: UnixMillis, now: UnixMillis) -> bool {
    let age = u64::try_from(now.saturating_sub(at)).unwrap_or(0);
    refresh_after.is_none_or(|most| Duration::from_millis(age) < most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::record::{
        Record, RowHashes, RunHeader, SentRow, SentRows, Shape, StageHeader,
    };
    use crate::ledger::{Ledger, RunHandle, StateFolder};
    use crate::model::entity::{Entity, Operation};
    use crate::model::outcome::{BatchSeq, Route, RowOutcome, Status};
    use crate::model::row::{FileId, RowId, RowRef};
    use crate::model::slice::Slice;
    use std::path::Path;

    const DAY: UnixMillis = 24 * 60 * 60 * 1_000;
    /// The beginning of a quarter of an hour, to which confirmations are kept.
    const CONFIRMED: UnixMillis = 1_769_846_400_000;

    fn row(item: &str) -> PreparedRow {
        PreparedRow {
            row: RowRef {
                id: RowId(1),
                file: FileId(0),
                line: Some(2),
                key: Slice::owned("ana"),
            },
            hash: KeyHash(7 << 100),
            identity: Slice::owned("ana"),
            item: Slice::owned(item),
            details: 0,
            parent: None,
        }
    }

    /// A run that loaded `row` at [`CONFIRMED`].
    fn loaded(folder: &Path, row: &PreparedRow, shape: &Shape) -> RunHandle {
        let ledger = Ledger::open(StateFolder::open(folder).unwrap()).unwrap();
        let header = RunHeader {
            id: "r1".into(),
            nonce: "n".into(),
            site: "sandbox".into(),
            job: "job".into(),
            retry_of: None,
            invocation: None,
            started_at: 1,
        };
        let run = ledger.begin(&header).unwrap();
        let stage = StageHeader {
            stage: 0,
            entity: Entity::Customer,
            operation: Operation::Upsert.into(),
            mapping: 1,
            results: None,
            files: Vec::new(),
            settings: [].into(),
            shape: Some(shape.clone()),
            retries: None,
            source: None,
            mapping_path: None,
        };
        let sent = SentRow {
            row: row.row.clone(),
            hashes: Some(RowHashes {
                key: row.hash,
                content: content_of(row),
            }),
        };
        let sending = Record::Sending {
            stage: 0,
            batch: BatchSeq(1),
            key: "k".into(),
            body: b"{}".to_vec().into(),
            rows: SentRows::from_iter([sent]),
            at: 2,
        };
        let outcome = RowOutcome {
            row: row.row.clone(),
            status: Status::Loaded,
            reasons: Vec::new(),
            remote_id: Some("42".into()),
            route: Some(Route::Bulk),
            batch: Some(BatchSeq(1)),
            attempts: 1,
            finished_at: CONFIRMED,
        };
        let settled = Record::Settled {
            stage: 0,
            batch: BatchSeq(1),
            trace_id: None,
            outcomes: vec![outcome],
            at: CONFIRMED,
        };
        run.write_now(vec![Record::StageStarted(stage), sending, settled])
            .unwrap();
        run
    }

    #[test]
    fn the_same_content_counts_until_its_confirmation_is_too_old() {
        let folder = tempfile::tempdir().unwrap();
        let shape = Shape {
            mapping: 1,
            family: "profile".into(),
            fields: vec!["display_name".into()],
        };
        let same = row("{\"a\":1}");
        let run = loaded(folder.path(), &same, &shape);
        let asked = |row: &PreparedRow, days: Option<u64>, now: UnixMillis| {
            let found = [MOST, 0].map(|most| {
                let memory = run.memory(Entity::Customer, Some(&shape)).unwrap();
                let after = days.map(|days| Duration::from_hours(days * 24));
                let recall = Recall::with_most(memory, after, now, most).unwrap();
                let mut found = recall.unchanged(std::slice::from_ref(row), now).unwrap();
                found.remove(0).map(|same| same.remote_id)
            });
            // by the index and by the pages
            assert_eq!(found[0], found[1]);
            found.into_iter().next().unwrap()
        };
        let yes = Some(Some("42".to_owned()));
        assert_eq!(asked(&same, None, CONFIRMED + 900 * DAY), yes);
        assert_eq!(asked(&same, Some(30), CONFIRMED + 30 * DAY - 1), yes);
        assert_eq!(asked(&same, Some(30), CONFIRMED + 30 * DAY), None);
        // a clock that was set back does not make it older
        assert_eq!(asked(&same, Some(30), CONFIRMED - DAY), yes);
        assert_eq!(asked(&row("{\"a\":2}"), None, CONFIRMED), None);
    }
}
