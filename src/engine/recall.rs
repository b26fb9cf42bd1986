//! Which rows the site already holds as they are: same content as was confirmed last, by the same mapping.

use super::state::content_of;
use crate::ledger::{Known, LedgerError, Memory};
use crate::model::clock::UnixMillis;
use crate::model::row::PreparedRow;
use std::time::Duration;

/// What was confirmed before, asked chunk by chunk.
#[derive(Debug)]
pub struct Recall {
    /// What is remembered.
    pub memory: Memory,
    /// A confirmation that is older counts no longer.
    pub refresh_after: Option<Duration>,
}

impl Recall {
    /// For each row what is known of its record, if the record needs no request. Blocks.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn unchanged(
        &self,
        rows: &[PreparedRow],
        now: UnixMillis,
    ) -> Result<Vec<Option<Known>>, LedgerError> {
        let keys: Vec<_> = rows.iter().map(|row| row.hash).collect();
        let known = self.memory.look_up(&keys)?;
        let fresh = |at: UnixMillis| {
            let age = u64::try_from(now.saturating_sub(at)).unwrap_or(0);
            self.refresh_after
                .is_none_or(|most| Duration::from_millis(age) < most)
        };
        let same = rows.iter().zip(known).map(|(row, known)| {
            known.filter(|known| {
                known
                    .confirmed
                    .is_some_and(|last| last.content == content_of(row) && fresh(last.at))
            })
        });
        Ok(same.collect())
    }
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
    use crate::model::row::{FileId, KeyHash, RowId, RowRef};
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
            let recall = Recall {
                memory: run.memory(Entity::Customer, Some(&shape)).unwrap(),
                refresh_after: days.map(|days| Duration::from_hours(days * 24)),
            };
            let known = recall.unchanged(std::slice::from_ref(row), now).unwrap();
            known[0].as_ref().map(|known| known.remote_id.clone())
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
