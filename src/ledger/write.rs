//! The writer's thread, and what each record does to the tables.

use super::record::{Record, StageHeader};
use super::store::{LedgerError, Waiting, failed};
use crate::model::outcome::RowOutcome;
use crate::model::row::RowRef;
use rusqlite::{Connection, Transaction, params};
use std::path::Path;
use std::sync::mpsc::Receiver;

/// The writer's thread: takes all that waits, commits it as one transaction, tells everyone.
pub(super) fn write_all(db: &mut Connection, run: i64, file: &Path, inbox: &Receiver<Waiting>) {
    let failed = failed("write", file);
    let mut broken = false;
    while let Ok(first) = inbox.recv() {
        let mut waiting = vec![first];
        waiting.extend(inbox.try_iter().take(255));
        let mut result = if broken {
            Err(LedgerError::Stopped)
        } else {
            Ok(())
        };
        if !broken
            && let Err(error) = commit(db, run, waiting.iter().flat_map(|waiting| &waiting.records))
        {
            broken = true;
            result = Err(failed(error));
        }
        for Waiting { then, .. } in waiting {
            then(match &mut result {
                Ok(()) => Ok(()),
                // the first one is told what happened, the others that it did
                failure => std::mem::replace(failure, Err(LedgerError::Stopped)),
            });
        }
    }
}

fn commit<'a>(
    db: &mut Connection,
    run: i64,
    records: impl Iterator<Item = &'a Record>,
) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    for record in records {
        write_record(&transaction, run, record)?;
    }
    transaction.commit()
}

fn write_record(db: &Transaction<'_>, run: i64, record: &Record) -> rusqlite::Result<()> {
    match record {
        Record::StageStarted(header) => write_stage(db, run, header),
        Record::Sending {
            stage,
            batch,
            key,
            body,
            rows,
            at,
        } => db
            .prepare_cached(
                "INSERT INTO batch (run, stage, batch, key, state, body, rows, sent_at)
                 VALUES (?, ?, ?, ?, 0, ?, ?, ?)",
            )?
            .execute(params![
                run,
                stage,
                batch.0,
                key,
                body.as_slice(),
                rows_json(rows),
                at
            ])
            .map(drop),
        Record::Accepted {
            stage,
            batch,
            task,
            trace_id,
        } => db
            .prepare_cached(
                "UPDATE batch SET state = 1, task_id = ?, trace_id = ?
                 WHERE run = ? AND stage = ? AND batch = ?",
            )?
            .execute(params![task.0, trace_id, run, stage, batch.0])
            .map(drop),
        Record::Settled {
            stage,
            batch,
            trace_id,
            outcomes,
            at,
        } => {
            db.prepare_cached(
                "UPDATE batch SET state = 2, body = NULL, rows = NULL, settled_at = ?,
                        trace_id = coalesce(?, trace_id)
                 WHERE run = ? AND stage = ? AND batch = ?",
            )?
            .execute(params![at, trace_id, run, stage, batch.0])?;
            write_rows(db, run, *stage, outcomes)
        }
        Record::Rows { stage, outcomes } => write_rows(db, run, *stage, outcomes),
        Record::StageFinished { stage, at } => db
            .execute(
                "UPDATE stage SET finished_at = ? WHERE run = ? AND stage = ?",
                params![at, run, stage],
            )
            .map(drop),
        Record::RunFinished { at, stopped } => db
            .execute(
                "UPDATE run SET finished_at = ?, stopped = ? WHERE run = ?",
                params![at, stopped, run],
            )
            .map(drop),
    }
}

fn write_stage(db: &Transaction<'_>, run: i64, header: &StageHeader) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO stage (run, stage, entity, operation, mapping, results) VALUES (?, ?, ?, ?, ?, ?)",
        params![
            run,
            header.stage,
            header.entity.name(),
            header.operation.name(),
            format!("{:032x}", header.mapping),
            header.results,
        ],
    )?;
    for (file, (name, bytes, digest)) in (0_u32..).zip(&header.files) {
        db.execute(
            "INSERT INTO file (run, stage, file, name, bytes, digest) VALUES (?, ?, ?, ?, ?, ?)",
            params![
                run,
                header.stage,
                file,
                name,
                bytes,
                format!("{digest:032x}")
            ],
        )?;
    }
    Ok(())
}

fn write_rows(
    db: &Transaction<'_>,
    run: i64,
    stage: u32,
    outcomes: &[RowOutcome],
) -> rusqlite::Result<()> {
    // a plain INSERT: a second outcome for a row is a defect and must not pass
    let mut insert = db.prepare_cached(
        "INSERT INTO row (run, stage, row, file, line, key, status, reasons, remote_id, route, batch,
                          attempts, finished_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for outcome in outcomes {
        let reasons = (!outcome.reasons.is_empty())
            .then(|| serde_json::to_string(&outcome.reasons))
            .transpose()
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        insert.execute(params![
            run,
            stage,
            outcome.row.id.0,
            outcome.row.file.0,
            outcome.row.line,
            outcome.row.key.as_str(),
            outcome.status as u8,
            reasons,
            outcome.remote_id,
            outcome.route.map(|route| route as u8),
            outcome.batch.map(|batch| batch.0),
            outcome.attempts,
            outcome.finished_at,
        ])?;
    }
    Ok(())
}

/// `[[row, file, line, key], …]`
fn rows_json(rows: &[RowRef]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.id.0, row.file.0, row.line, row.key.as_str()))
        .collect();
    serde_json::to_string(&rows).unwrap_or_default()
}
