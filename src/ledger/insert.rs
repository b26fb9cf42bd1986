//! The rows of the tables, one function for each kind.

use super::apply::expect_one;
use super::body::Packed;
use super::record::StageHeader;
use super::said::Said;
use crate::model::clock::UnixMillis;
use crate::model::outcome::{BatchSeq, Route, RowOutcome};
use rusqlite::{Statement, Transaction, params};
use std::error::Error;
use std::fmt::Write as _;
use std::sync::LazyLock;

/// What rows have in common with their batch, and need not say themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) batch: BatchSeq,
    pub(super) at: UnixMillis,
    pub(super) attempts: u32,
}

pub(super) fn unwritable(error: impl Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

/// Writes a bulk request that is about to leave.
pub(super) fn insert_batch(
    db: &Transaction<'_>,
    part: i64,
    batch: BatchSeq,
    key: &str,
    at: UnixMillis,
    packed: &Packed,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO batch (part, batch, generation, key, state, sent_at) VALUES (?, ?, 0, ?, 0, ?)",
    )?
    .execute(params![part, batch.0, key, at])?;
    db.prepare_cached("INSERT INTO body (part, batch, body, rows) VALUES (?, ?, ?, ?)")?
        .execute(params![part, batch.0, packed.body, packed.rows])
        .map(drop)
}

/// Writes that it is decided; its body goes.
pub(super) fn settle_batch(
    db: &Transaction<'_>,
    part: i64,
    settled: Settled,
    trace_id: Option<&str>,
) -> rusqlite::Result<()> {
    let Settled {
        batch,
        at,
        attempts,
    } = settled;
    db.prepare_cached(
        "UPDATE batch SET state = 2, settled_at = ?, attempts = ?, trace_id = coalesce(?, trace_id)
         WHERE part = ? AND batch = ?",
    )?
    .execute(params![at, attempts, trace_id, part, batch.0])
    .and_then(expect_one)?;
    db.prepare_cached("DELETE FROM body WHERE part = ? AND batch = ?")?
        .execute(params![part, batch.0])
        .map(drop)
}

/// Writes a stage and its files; gives its part.
pub(super) fn insert_stage(
    db: &Transaction<'_>,
    run: i64,
    header: &StageHeader,
    shape: Option<u32>,
) -> rusqlite::Result<i64> {
    let settings = serde_json::to_string(&header.settings).map_err(unwritable)?;
    db.execute(
        "INSERT INTO stage (run, stage, entity, operation, mapping, settings, shape, retries, results,
                            source, mapping_path)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            run,
            header.stage,
            header.entity.name(),
            header.operation.name(),
            format!("{:032x}", header.mapping),
            settings,
            shape,
            header.retries,
            header.results,
            header.source,
            header.mapping_path,
        ],
    )?;
    let part = db.last_insert_rowid();
    for (file, (name, bytes, digest)) in (0_u32..).zip(&header.files) {
        db.execute(
            "INSERT INTO file (part, file, name, bytes, digest) VALUES (?, ?, ?, ?, ?)",
            params![part, file, name, bytes, format!("{digest:032x}")],
        )?;
    }
    Ok(part)
}

/// Rows that one statement writes, where they have all but their own in common.
const TOGETHER: usize = 20;
/// What such rows share, and what each has of its own.
const SHARED: usize = 7;
const OWN: usize = 4;

/// Writes the outcomes of rows, without what their batch says.
pub(super) fn insert_rows(
    db: &Transaction<'_>,
    said: &mut Said,
    part: i64,
    outcomes: &[RowOutcome],
    settled: Option<Settled>,
) -> rusqlite::Result<()> {
    static MANY: LazyLock<String> = LazyLock::new(|| insert_of(TOGETHER));
    static ONE: LazyLock<String> = LazyLock::new(|| insert_of(1));
    let mut many = db.prepare_cached(&MANY)?;
    let mut one = db.prepare_cached(&ONE)?;
    let mut rest = outcomes;
    while let Some(first) = rest.first() {
        let number = said.number_of(db, part, &first.reasons)?;
        let alike = Alike::of(first, number, settled);
        let same = |outcome: &&RowOutcome| {
            outcome.reasons == first.reasons && Alike::of(outcome, number, settled) == alike
        };
        let count = 1 + rest[1..].iter().take_while(same).count();
        let (now, later) = rest.split_at(count);
        let (chunks, single) = now.as_chunks::<TOGETHER>();
        if !chunks.is_empty() {
            alike.bind(&mut many, part)?;
        }
        for chunk in chunks {
            bind_own(&mut many, chunk)?;
            many.raw_execute()?;
        }
        if !single.is_empty() {
            alike.bind(&mut one, part)?;
        }
        for outcome in single {
            bind_own(&mut one, std::slice::from_ref(outcome))?;
            one.raw_execute()?;
        }
        rest = later;
    }
    Ok(())
}

/// The statement that writes so many rows.
fn insert_of(rows: usize) -> String {
    // a plain INSERT: a second outcome for a row is a defect and must not pass
    let mut sql = "INSERT INTO row (part, file, status, said, batch, sent, finished_at, row, line_offset, key, remote_id) VALUES "
        .to_owned();
    for row in 0..rows {
        let own = SHARED + OWN * row;
        let comma = if row == 0 { "" } else { ", " };
        let (number, offset, key, id) = (own + 1, own + 2, own + 3, own + 4);
        // writing into a string cannot fail
        let _ = write!(
            sql,
            "{comma}(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?{number}, ?{offset}, ?{key}, ?{id})"
        );
    }
    sql
}

fn bind_own(insert: &mut Statement<'_>, outcomes: &[RowOutcome]) -> rusqlite::Result<()> {
    for (place, outcome) in outcomes.iter().enumerate() {
        let row = &outcome.row;
        // lines and rows are far below the end of 63 bits
        let offset = row
            .line
            .map(|line| line.cast_signed() - row.id.0.cast_signed());
        let own = SHARED + OWN * place;
        insert.raw_bind_parameter(own + 1, row.id.0)?;
        insert.raw_bind_parameter(own + 2, offset)?;
        insert.raw_bind_parameter(own + 3, row.key.as_str())?;
        insert.raw_bind_parameter(own + 4, outcome.remote_id.as_deref())?;
    }
    Ok(())
}

/// What a row is likely to have in common with the row before it.
#[derive(PartialEq, Eq)]
struct Alike {
    file: u32,
    status: u8,
    said: Option<i64>,
    batch: Option<u64>,
    sent: Option<u64>,
    finished_at: Option<UnixMillis>,
}

impl Alike {
    fn of(outcome: &RowOutcome, said: Option<i64>, settled: Option<Settled>) -> Self {
        let batch = settled.filter(|settled| outcome.batch == Some(settled.batch));
        let sent = match outcome.route {
            Some(Route::Bulk) if batch.is_some_and(|b| b.attempts == outcome.attempts) => None,
            route => {
                let way = match route {
                    None => 0,
                    Some(Route::Bulk) => 1,
                    Some(Route::Single) => 2,
                };
                Some(3 * u64::from(outcome.attempts) + way)
            }
        };
        let own_time = batch.is_none_or(|batch| batch.at != outcome.finished_at);
        Self {
            file: outcome.row.file.0,
            status: outcome.status as u8,
            said,
            batch: outcome.batch.map(|batch| batch.0),
            sent,
            finished_at: own_time.then_some(outcome.finished_at),
        }
    }

    fn bind(&self, insert: &mut Statement<'_>, part: i64) -> rusqlite::Result<()> {
        insert.raw_bind_parameter(1, part)?;
        insert.raw_bind_parameter(2, self.file)?;
        insert.raw_bind_parameter(3, self.status)?;
        insert.raw_bind_parameter(4, self.said)?;
        insert.raw_bind_parameter(5, self.batch)?;
        insert.raw_bind_parameter(6, self.sent)?;
        insert.raw_bind_parameter(7, self.finished_at)
    }
}

#[cfg(test)]
mod tests {
    use super::TOGETHER;
    use crate::ledger::LedgerError;
    use crate::ledger::record::Record;
    use crate::ledger::tests::{begin, open, outcome};
    use crate::model::outcome::Status::{self, Failed, Loaded, Rejected};

    #[test]
    fn every_row_is_written_once_however_many_are_alike() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        let run = begin(&ledger, "r1", None);
        let (mut written, mut id) = (Vec::new(), 0);
        let ends: [Status; 3] = [Loaded, Rejected, Failed];
        let alike = [1, TOGETHER - 1, TOGETHER, TOGETHER + 1, 3 * TOGETHER + 2, 2];
        for (count, status) in alike.into_iter().zip(ends.into_iter().cycle()) {
            for _ in 0..count {
                id += 1;
                let mut outcome = outcome(id, status, None);
                outcome.remote_id = (id % 3 > 0).then(|| format!("{}", 100 + id));
                written.push(outcome);
            }
        }
        let outcomes = written.clone();
        run.write_now(vec![Record::Rows { stage: 0, outcomes }])
            .unwrap();
        let mut stored = Vec::new();
        run.each_row(0, |row| {
            stored.push((row.row, row.status, row.key, row.remote_id, row.reasons));
            Ok::<_, LedgerError>(())
        })
        .unwrap();
        let written = written.into_iter().map(|outcome| {
            let row = outcome.row;
            let key = row.key.as_str().to_owned();
            (
                row.id.0,
                outcome.status,
                key,
                outcome.remote_id,
                outcome.reasons,
            )
        });
        assert_eq!(stored, written.collect::<Vec<_>>());
    }
}
