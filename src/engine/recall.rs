//! Which rows the site already holds as they are: same content as was confirmed last, by the same mapping.
//!
//! The keys of rows come partition by partition, in the order of their hashes, which is that of what is remembered:
//! each partition is merged with its part of the memory, so that no more than one of them is held.

use super::survey::SurveyError;
use crate::dedupe::{Merged, Runs, Winner};
use crate::ledger::record::ContentHash;
use crate::ledger::{KeyMark, LedgerError, Memory};
use crate::model::clock::UnixMillis;
use crate::model::row::RowId;
use crate::source::RowSet;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Compares rows with what was confirmed before a stage began.
#[derive(Debug)]
pub struct Recall {
    memory: Memory,
    /// A confirmation that is older counts no longer.
    refresh_after: Option<Duration>,
    now: UnixMillis,
    same: Runs,
    changed: RowSet,
}

/// What became of the rows that are the only ones of their key to be sent.
#[derive(Debug)]
pub struct Recalled {
    /// Rows whose record needs no request, with the site's id where it told one.
    pub same: Merged,
    /// All others.
    pub changed: RowSet,
}

impl Recall {
    /// Beside what `memory` holds now; what is found lies in `folder`.
    ///
    /// # Errors
    /// When no file can be made there.
    pub fn new(
        memory: Memory,
        refresh_after: Option<Duration>,
        now: UnixMillis,
        folder: &Path,
    ) -> io::Result<Self> {
        Ok(Self {
            memory,
            refresh_after,
            now,
            same: Runs::new(folder)?,
            changed: RowSet::default(),
        })
    }

    /// Takes rows in the order of their keys, all behind those before. Blocks.
    ///
    /// # Errors
    /// When the ledger cannot be read, or the disk refuses.
    pub fn compare(&mut self, rows: &[Winner]) -> Result<(), SurveyError> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return Ok(());
        };
        let (mut same, mut changed) = (Vec::new(), Vec::new());
        let mut rows = rows.iter().peekable();
        let mark = |row: &Winner| KeyMark::from(row.hash);
        self.memory
            .each_between::<LedgerError>(mark(first), mark(last), |known| {
                while let Some(row) = rows.next_if(|row| mark(row) <= known.mark) {
                    let confirmed = known.confirmed.filter(|_| mark(row) == known.mark);
                    let content = ContentHash::of(row.content.into());
                    let holds = confirmed.is_some_and(|last| {
                        last.content == content && is_fresh(self.refresh_after, last.at, self.now)
                    });
                    if holds {
                        same.push((row.row, known.remote_id.clone().unwrap_or_default()));
                    } else {
                        changed.push(row.row);
                    }
                }
                Ok(())
            })?;
        changed.extend(rows.map(|row| row.row));
        changed.sort_unstable();
        for row in changed {
            self.changed.insert(row);
        }
        same.sort_unstable_by_key(|(row, _)| *row);
        Ok(self.same.run(same)?)
    }

    /// What was found.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(self) -> io::Result<Recalled> {
        Ok(Recalled {
            same: self.same.merge()?,
            changed: self.changed,
        })
    }
}

impl Recalled {
    /// Whether a row needs no request, and then the site's id of its record. Rows must be asked for in order.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn is_same(&mut self, row: RowId) -> io::Result<Option<Option<String>>> {
        while self.same.peek().is_some_and(|next| next <= row) {
            if let Some((found, id)) = self.same.pop()?
                && found == row
            {
                let id = String::from_utf8(id).map_err(io::Error::other)?;
                return Ok(Some(Some(id).filter(|id| !id.is_empty())));
            }
        }
        Ok(None)
    }
}

fn is_fresh(refresh_after: Option<Duration>, at: UnixMillis, now: UnixMillis) -> bool {
    let age = u64::try_from(now.saturating_sub(at)).unwrap_or(0);
    refresh_after.is_none_or(|most| Duration::from_millis(age) < most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::outcome::{content_of, digest_of};
    use crate::ledger::record::{
        Record, RowHashes, RunHeader, SentRow, SentRows, Shape, StageHeader,
    };
    use crate::ledger::{Ledger, RunHandle, StateFolder};
    use crate::model::entity::{Entity, Operation};
    use crate::model::outcome::{BatchSeq, Route, RowOutcome, Status};
    use crate::model::row::{FileId, KeyHash, PreparedRow, RowRef};
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
            let memory = run.memory(Entity::Customer, Some(&shape)).unwrap();
            let after = days.map(|days| Duration::from_hours(days * 24));
            let mut recall = Recall::new(memory, after, now, folder.path()).unwrap();
            let winner = |hash: u128, id: u64| Winner {
                hash: KeyHash(hash),
                row: RowId(id),
                content: digest_of(row),
            };
            // one of each side that was never loaded
            recall.compare(&[winner(0, 5)]).unwrap();
            recall
                .compare(&[
                    winner(6 << 100, 3),
                    winner(row.hash.0, 4),
                    winner(8 << 100, 2),
                ])
                .unwrap();
            recall.compare(&[]).unwrap();
            let mut found = recall.finish().unwrap();
            let same = found.is_same(RowId(4)).unwrap();
            let changed: Vec<_> = found.changed.iter().map(|row| row.0).collect();
            let others = if same.is_some() {
                &[2, 3, 5][..]
            } else {
                &[2, 3, 4, 5]
            };
            assert_eq!(changed, others);
            same
        };
        let yes = Some(Some("42".to_owned()));
        assert_eq!(asked(&same, None, CONFIRMED + 900 * DAY), yes);
        assert_eq!(asked(&same, Some(30), CONFIRMED + 30 * DAY - 1), yes);
        assert_eq!(asked(&same, Some(30), CONFIRMED + 30 * DAY), None);
        // a clock that was set back does not make it older
        assert_eq!(asked(&same, Some(30), CONFIRMED - DAY), yes);
        assert_eq!(asked(&row("{\"a\":2}"), None, CONFIRMED), None);
    }

    #[test]
    fn the_digest_of_a_row_is_what_its_content_is_told_by() {
        let row = row("{\"a\":1}");
        assert_eq!(ContentHash::of(digest_of(&row).into()), content_of(&row));
    }
}
