//! The store: SQLite in WAL mode with full syncs, written by one thread that commits all that waits at once.

use super::lock::StateFolder;
use super::record::{Record, RunHeader, StageHeader};
use crate::model::clock::UnixMillis;
use crate::model::outcome::{Route, RowOutcome, Status};
use crate::model::row::{Reason, RowRef};
use rusqlite::{Connection, OpenFlags, Transaction, params};
use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// The version of the schema, in `user_version`.
const SCHEMA_VERSION: i64 = 1;
/// The tables and the view.
const SCHEMA: &str = include_str!("schema.sql");

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another program holds the state folder.
    #[error(
        "the state folder {} is in use by another csm-loader; wait for it to end, or give this run \
         a folder of its own with --state-dir", folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The state folder cannot be used.
    #[error("failed to use the state folder {}; it must be writable: choose another with --state-dir", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file was written by a newer program.
    #[error(
        "the ledger {} has schema version {found}, and this program knows version {SCHEMA_VERSION}; \
         use the program that wrote it, or another --state-dir", file.display()
    )]
    Version {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: i64,
    },
    /// SQLite refused.
    #[error("failed to {doing} the ledger {}; free disk space or choose another --state-dir", file.display())]
    Sqlite {
        /// What was tried.
        doing: &'static str,
        /// The file.
        file: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The writer has stopped after an earlier error.
    #[error("the ledger's writer has stopped after an earlier error")]
    Stopped,
}

impl LedgerError {
    pub(super) fn folder(folder: &Path, source: io::Error) -> Self {
        Self::Folder {
            folder: folder.to_owned(),
            source,
        }
    }
}

/// Called once the records are durable, or cannot be.
type Then = Box<dyn FnOnce(Result<(), LedgerError>) + Send>;

/// The open ledger of a state folder, which it keeps locked.
pub struct Ledger {
    folder: StateFolder,
    file: PathBuf,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens the ledger of a state folder, making it where it is missing.
    ///
    /// # Errors
    /// When the file cannot be used or is of a newer version.
    pub fn open(folder: StateFolder) -> Result<Self, LedgerError> {
        let file = folder.path().join("ledger.sqlite");
        // made by us first, so that it is private from its first byte on
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&file)
            .map_err(|error| LedgerError::folder(folder.path(), error))?;
        let ledger = Self { folder, file };
        let db = ledger.connect()?;
        let failed = ledger.failed("open");
        let version: i64 = db
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(&failed)?;
        match version {
            SCHEMA_VERSION => {}
            0 => db
                .execute_batch(&format!(
                    "BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                ))
                .map_err(&failed)?,
            found => {
                return Err(LedgerError::Version {
                    file: ledger.file.clone(),
                    found,
                });
            }
        }
        Ok(ledger)
    }

    /// The state folder.
    #[must_use]
    pub fn folder(&self) -> &StateFolder {
        &self.folder
    }

    /// Begins a run and its writer thread.
    ///
    /// # Errors
    /// When the header cannot be written.
    pub fn begin(&self, header: &RunHeader) -> Result<RunHandle, LedgerError> {
        let mut db = self.connect()?;
        let failed = self.failed("write");
        db.execute(
            "INSERT INTO run (id, nonce, site, version, started_at) VALUES (?, ?, ?, ?, ?)",
            params![
                header.id,
                header.nonce,
                header.site,
                env!("CARGO_PKG_VERSION"),
                header.started_at
            ],
        )
        .map_err(failed)?;
        let run = db.last_insert_rowid();
        let (records, inbox) = channel();
        let file = self.file.clone();
        let writer = std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || write_all(&mut db, run, &file, &inbox))
            .map_err(|error| LedgerError::folder(self.folder.path(), error))?;
        Ok(RunHandle {
            run,
            file: self.file.clone(),
            records: Some(records),
            writer: Some(writer),
        })
    }

    fn connect(&self) -> Result<Connection, LedgerError> {
        let failed = self.failed("open");
        let db = Connection::open_with_flags(
            &self.file,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(&failed)?;
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;
             PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;",
        )
        .map_err(&failed)?;
        Ok(db)
    }

    fn failed(&self, doing: &'static str) -> impl Fn(rusqlite::Error) -> LedgerError + use<> {
        failed(doing, &self.file)
    }
}

fn failed(doing: &'static str, file: &Path) -> impl Fn(rusqlite::Error) -> LedgerError + use<> {
    let file = file.to_owned();
    move |source| LedgerError::Sqlite {
        doing,
        file: file.clone(),
        source,
    }
}

/// A run being written. Dropping it waits for what was handed over.
#[derive(Debug)]
pub struct RunHandle {
    run: i64,
    file: PathBuf,
    records: Option<Sender<(Vec<Record>, ThenBox)>>,
    writer: Option<JoinHandle<()>>,
}

/// A callback that can be shown.
struct ThenBox(Then);

impl fmt::Debug for ThenBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Then")
    }
}

impl RunHandle {
    /// Hands records over. `then` is called on the writer's thread once they are durable, or cannot be.
    /// Everything that waits is committed together. After an error nothing more is written.
    pub fn write(
        &self,
        records: Vec<Record>,
        then: impl FnOnce(Result<(), LedgerError>) + Send + 'static,
    ) {
        let Some(sender) = &self.records else {
            return then(Err(LedgerError::Stopped));
        };
        if let Err(error) = sender.send((records, ThenBox(Box::new(then)))) {
            error.0.1.0(Err(LedgerError::Stopped));
        }
    }

    /// Writes records and waits until they are durable. Blocks the calling thread.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_now(&self, records: Vec<Record>) -> Result<(), LedgerError> {
        let (done, wait) = channel();
        self.write(records, move |result| {
            // the receiver waits below; it cannot be gone
            let _ = done.send(result);
        });
        wait.recv().unwrap_or(Err(LedgerError::Stopped))
    }

    /// Calls `each` for every row of a stage, in row order, with its batch's task and trace ids.
    /// Stops at the first error of `each`.
    ///
    /// # Errors
    /// When the ledger cannot be read, or `each` fails.
    pub fn each_row<E: From<LedgerError>>(
        &self,
        stage: u32,
        mut each: impl FnMut(StoredRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = failed("read", &self.file);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&self.file, flags).map_err(&failed)?;
        let mut query = db
            .prepare(
                "SELECT row.row, row.file, row.line, row.key, row.status, row.reasons, row.remote_id, row.route,
                        row.batch, row.attempts, row.finished_at, batch.task_id, batch.trace_id
                 FROM row LEFT JOIN batch USING (run, stage, batch)
                 WHERE row.run = ? AND row.stage = ? ORDER BY row.row",
            )
            .map_err(&failed)?;
        let mut rows = query.query(params![self.run, stage]).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            each(StoredRow::read(row).map_err(&failed)?)?;
        }
        Ok(())
    }
}

impl Drop for RunHandle {
    fn drop(&mut self) {
        self.records = None;
        if let Some(writer) = self.writer.take() {
            // a panic of the writer has been reported on its own thread
            let _ = writer.join();
        }
    }
}

/// A row's outcome as the ledger holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow {
    /// Its number in the dataset.
    pub row: u64,
    /// Its file's position in the dataset.
    pub file: u32,
    /// Its physical line.
    pub line: Option<u64>,
    /// The shown key.
    pub key: String,
    /// How it ended.
    pub status: Status,
    /// Why.
    pub reasons: Vec<Reason>,
    /// The site's id.
    pub remote_id: Option<String>,
    /// Which way it went.
    pub route: Option<Route>,
    /// Its batch.
    pub batch: Option<u64>,
    /// How often its request was sent.
    pub attempts: u32,
    /// When it was decided.
    pub finished_at: UnixMillis,
    /// Its batch's task.
    pub task_id: Option<String>,
    /// Its batch's trace id.
    pub trace_id: Option<String>,
}

impl StoredRow {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let damaged = |column: usize| {
            rusqlite::Error::FromSqlConversionFailure(
                column,
                rusqlite::types::Type::Text,
                "not what this program writes".into(),
            )
        };
        let reasons = match row.get_ref(5)?.as_str_or_null().map_err(|_| damaged(5))? {
            Some(text) => serde_json::from_str(text).map_err(|_| damaged(5))?,
            None => Vec::new(),
        };
        Ok(Self {
            row: row.get(0)?,
            file: row.get(1)?,
            line: row.get(2)?,
            key: row.get(3)?,
            status: Status::from_number(row.get(4)?).ok_or_else(|| damaged(4))?,
            reasons,
            remote_id: row.get(6)?,
            route: match row.get::<_, Option<u8>>(7)? {
                None => None,
                Some(0) => Some(Route::Bulk),
                Some(1) => Some(Route::Single),
                Some(_) => return Err(damaged(7)),
            },
            batch: row.get(8)?,
            attempts: row.get(9)?,
            finished_at: row.get(10)?,
            task_id: row.get(11)?,
            trace_id: row.get(12)?,
        })
    }
}

/// The writer's thread: takes all that waits, commits it as one transaction, tells everyone.
fn write_all(db: &mut Connection, run: i64, file: &Path, inbox: &Receiver<(Vec<Record>, ThenBox)>) {
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
            && let Err(error) = commit(db, run, waiting.iter().flat_map(|(records, _)| records))
        {
            broken = true;
            result = Err(failed(error));
        }
        for (_, then) in waiting {
            then.0(match &mut result {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::code::Code;
    use crate::model::entity::{Entity, Operation};
    use crate::model::outcome::BatchSeq;
    use crate::model::reply::TaskId;
    use crate::model::row::{FileId, RowId};
    use crate::model::slice::Slice;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    fn outcome(id: u64, status: Status) -> RowOutcome {
        let row = RowRef {
            id: RowId(id),
            file: FileId(0),
            line: Some(id + 1),
            key: Slice::owned(format!("k{id}")),
        };
        RowOutcome {
            row,
            status,
            reasons: match status {
                Status::Loaded => Vec::new(),
                _ => vec![Reason {
                    code: Code::SiteRejected.into(),
                    field: None,
                    message: "no".into(),
                }],
            },
            remote_id: None,
            route: Some(Route::Bulk),
            batch: Some(BatchSeq(1)),
            attempts: 1,
            finished_at: 1_700_000_000_000,
        }
    }

    fn ledger(path: &Path) -> Ledger {
        Ledger::open(StateFolder::open(path).unwrap()).unwrap()
    }

    fn run(ledger: &Ledger, id: &str) -> RunHandle {
        let nonce = "00000000-0000-4000-8000-000000000000".into();
        ledger
            .begin(&RunHeader {
                id: id.into(),
                nonce,
                site: "sandbox".into(),
                started_at: 1,
            })
            .unwrap()
    }

    fn stage() -> Record {
        Record::StageStarted(StageHeader {
            stage: 0,
            entity: Entity::Customer,
            operation: Operation::Upsert,
            mapping: 1,
            results: None,
            files: vec![("a.csv".into(), 10, 2)],
        })
    }

    #[test]
    fn outcomes_come_back_in_row_order_with_their_batch_and_bodies_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let run = run(&ledger, "r1");
        let (late, early) = (outcome(2, Status::Failed), outcome(1, Status::Loaded));
        run.write_now(vec![
            stage(),
            Record::Sending {
                stage: 0,
                batch: BatchSeq(1),
                key: "key".into(),
                body: Arc::new(b"{}".to_vec()),
                rows: vec![early.row.clone(), late.row.clone()],
                at: 2,
            },
            Record::Accepted {
                stage: 0,
                batch: BatchSeq(1),
                task: TaskId("t".into()),
                trace_id: Some("trace".into()),
            },
        ])
        .unwrap();
        run.write_now(vec![Record::Settled {
            stage: 0,
            batch: BatchSeq(1),
            trace_id: None,
            outcomes: vec![late.clone(), early],
            at: 3,
        }])
        .unwrap();
        let mut rows = Vec::new();
        run.each_row(0, |row| {
            rows.push(row);
            Ok::<_, LedgerError>(())
        })
        .unwrap();
        assert_eq!(rows.iter().map(|row| row.row).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(rows[1].reasons, late.reasons);
        assert_eq!(
            (rows[1].task_id.as_deref(), rows[1].trace_id.as_deref()),
            (Some("t"), Some("trace"))
        );
        let db = ledger.connect().unwrap();
        let bodies: i64 = db
            .query_row(
                "SELECT count(*) FROM batch WHERE body IS NOT NULL OR rows IS NOT NULL",
                [],
                |r| r.get(0),
            )
            .unwrap();
        assert_eq!(bodies, 0);
        let shown: (String, String) = db
            .query_row(
                "SELECT status, finished_at FROM results WHERE row = 2",
                [],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .unwrap();
        assert_eq!(shown, ("failed".into(), "2023-11-14T22:13:20.000Z".into()));
        for file in ["ledger.sqlite", "ledger.sqlite-wal"] {
            let mode = std::fs::metadata(folder.path().join(file))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }

    #[test]
    fn a_second_outcome_for_a_row_is_refused_and_nothing_is_written_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let run = run(&ledger, "r1");
        let rows = |ids: &[u64]| Record::Rows {
            stage: 0,
            outcomes: ids
                .iter()
                .map(|id| RowOutcome {
                    batch: None,
                    ..outcome(*id, Status::Rejected)
                })
                .collect(),
        };
        run.write_now(vec![stage(), rows(&[1])]).unwrap();
        assert!(matches!(
            run.write_now(vec![rows(&[2, 1])]),
            Err(LedgerError::Sqlite { .. })
        ));
        assert!(matches!(
            run.write_now(vec![rows(&[3])]),
            Err(LedgerError::Stopped)
        ));
        let mut count = 0;
        run.each_row(0, |_| {
            count += 1;
            Ok::<_, LedgerError>(())
        })
        .unwrap();
        assert_eq!(count, 1);
    }

    #[test]
    fn a_ledger_of_a_newer_program_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        ledger(folder.path())
            .connect()
            .unwrap()
            .execute_batch("PRAGMA user_version = 99")
            .unwrap();
        let error = Ledger::open(StateFolder::open(folder.path()).unwrap())
            .unwrap_err()
            .to_string();
        let error = error.replace(&folder.path().display().to_string(), "…");
        insta::assert_snapshot!(error, @"the ledger …/ledger.sqlite has schema version 99, and this program knows version 1; use the program that wrote it, or another --state-dir");
    }
}
