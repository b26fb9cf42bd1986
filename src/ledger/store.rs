//! The store: SQLite in WAL mode with full syncs, written by one thread that commits all that waits at once.

use super::lock::StateFolder;
use super::read::StoredRow;
use super::record::{Record, RunHeader};
use super::write::write_all;
use rusqlite::{Connection, OpenFlags, params};
use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
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

/// Records that wait to be written, and whom to tell.
pub(super) struct Waiting {
    /// What to write, in order.
    pub(super) records: Vec<Record>,
    /// Called once the records are durable, or cannot be.
    pub(super) then: Box<dyn FnOnce(Result<(), LedgerError>) + Send>,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("records", &self.records.len())
            .finish_non_exhaustive()
    }
}

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

pub(super) fn failed(
    doing: &'static str,
    file: &Path,
) -> impl Fn(rusqlite::Error) -> LedgerError + use<> {
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
    records: Option<Sender<Waiting>>,
    writer: Option<JoinHandle<()>>,
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
        let waiting = Waiting {
            records,
            then: Box::new(then),
        };
        if let Err(error) = sender.send(waiting) {
            (error.0.then)(Err(LedgerError::Stopped));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::record::StageHeader;
    use crate::model::code::Code;
    use crate::model::entity::{Entity, Operation};
    use crate::model::outcome::{BatchSeq, Route, RowOutcome, Status};
    use crate::model::reply::TaskId;
    use crate::model::row::{FileId, Reason, RowId, RowRef};
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
            operation: Operation::Upsert.into(),
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
