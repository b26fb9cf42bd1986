//! The store: SQLite in WAL mode with full syncs, written by one thread that commits all that waits at once.

use super::apply::{Parts, expect_one};
use super::body::{Packed, Packer};
use super::call::erase_all_calls;
use super::error::{LedgerError, failed};
use super::lock::StateFolder;
use super::memory::Memory;
use super::pending::Pending;
use super::progress::{SUSPENDED, UNANSWERED};
use super::read::StoredRow;
use super::reader::{Reader, RunState};
use super::record::{Record, RunHeader, Shape};
use super::remember::{self, Remember};
use super::said::Said;
use super::schema;
use super::write::Writer;
use crate::model::entity::Entity;
use crate::model::failpoint::Step;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, params};
use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The name of the ledger in its folder.
pub(super) const FILE: &str = "ledger.sqlite";

/// Statements that a connection keeps: more than there are.
const STATEMENTS: usize = 64;

/// Records that wait to be written, and whom to tell.
pub(super) struct Waiting {
    /// What to write, in order.
    pub(super) records: Vec<Record>,
    /// What is kept with each: packed where it is handed over, since the writer has enough to do.
    pub(super) kept: io::Result<Vec<Vec<Packed>>>,
    /// Called once the records are durable, or cannot be.
    pub(super) then: Box<dyn FnOnce(Result<(), LedgerError>) + Send>,
}

impl Waiting {
    /// Whether nothing is lost with it.
    pub(super) fn is_note(&self) -> bool {
        let mut records = self.records.iter();
        records.all(|record| matches!(record, Record::Accepted { .. }))
    }
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
    pub(super) pending: Arc<Mutex<Pending>>,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens the ledger of a state folder, making it where it is missing, and migrating what an older program wrote.
    /// Blocks: what a crash left unmerged is merged.
    ///
    /// # Errors
    /// When the file cannot be used, is damaged, or is of a newer version.
    pub fn open(folder: StateFolder) -> Result<Self, LedgerError> {
        let file = folder.path().join(FILE);
        // made by us first, so that it is private from its first byte on
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&file)
            .map_err(|error| LedgerError::folder(folder.path(), error))?;
        let pending = Arc::default();
        let ledger = Self {
            folder,
            file,
            pending,
        };
        let mut db = ledger.connect()?;
        schema::prepare(&mut db, &ledger.file)?;
        remember::recover(&mut db, &ledger.pending).map_err(ledger.failed("open"))?;
        Ok(ledger)
    }

    /// The same, where there is one: none is made.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_existing(folder: StateFolder) -> Result<Option<Self>, LedgerError> {
        let exists = folder.path().join(FILE).exists();
        exists.then(|| Self::open(folder)).transpose()
    }

    /// The state folder.
    #[must_use]
    pub fn folder(&self) -> &StateFolder {
        &self.folder
    }

    pub(super) fn into_folder(self) -> StateFolder {
        self.folder
    }

    /// The read side.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn reader(&self) -> Result<Reader, LedgerError> {
        Reader::on(&self.file)
    }

    /// What is remembered of one kind of record on one site, as a shape sees it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn memory(
        &self,
        site: &str,
        entity: Entity,
        shape: Option<&Shape>,
    ) -> Result<Memory, LedgerError> {
        memory(&self.file, &self.pending, site, entity, shape)
    }

    /// Begins a run and its writer thread.
    ///
    /// # Errors
    /// When the header cannot be written.
    pub fn begin(&self, header: &RunHeader) -> Result<RunHandle, LedgerError> {
        self.begin_over(header, None)
    }

    /// The same, and closes an open run (by its id) as superseded: both or neither.
    ///
    /// # Errors
    /// When the header cannot be written, or there is no such open run.
    pub fn begin_in_place_of(
        &self,
        header: &RunHeader,
        old: &str,
    ) -> Result<RunHandle, LedgerError> {
        self.begin_over(header, Some(old))
    }

    fn begin_over(&self, header: &RunHeader, old: Option<&str>) -> Result<RunHandle, LedgerError> {
        let mut db = self.connect()?;
        let run = insert_run(&mut db, header, old).map_err(self.failed("write"))?;
        self.start(db, run, &header.id, &header.site)
    }

    /// Continues an open run (by its id) with a writer thread of its own. Rows that it wrote as `not_sent`, and those
    /// whose single calls got no answer, are undecided again, and their stages not finished. What is undecided is read with [`RunHandle::reader`].
    ///
    /// # Errors
    /// When there is no such run, it is not open, or this cannot be written.
    pub fn resume(&self, run: &str) -> Result<RunHandle, LedgerError> {
        self.take_up(run, Back::All)
    }

    /// Takes an open run up to end it: rows that it wrote as `not_sent` stay what they are.
    ///
    /// # Errors
    /// As [`Ledger::resume`].
    pub fn attach(&self, run: &str) -> Result<RunHandle, LedgerError> {
        self.take_up(run, Back::Suspended)
    }

    fn take_up(&self, run: &str, back: Back) -> Result<RunHandle, LedgerError> {
        let info = self.reader()?.find(run)?;
        if info.state != RunState::Open {
            return Err(LedgerError::NotOpen {
                run: info.id,
                state: info.state.to_string(),
            });
        }
        let mut db = self.connect()?;
        let key = reopen(&mut db, &info.id, back).map_err(self.failed("write"))?;
        self.start(db, key, &info.id, &info.site)
    }

    fn start(
        &self,
        mut db: Connection,
        run: i64,
        id: &str,
        site: &str,
    ) -> Result<RunHandle, LedgerError> {
        let packer =
            Packer::new().map_err(|error| LedgerError::folder(self.folder.path(), error))?;
        let remember = Remember::begin(&mut db, run).map_err(self.failed("write"))?;
        let parts = Parts::of(&db, run).map_err(self.failed("write"))?;
        let (records, inbox) = channel();
        let writer = Writer {
            db,
            run,
            file: self.file.clone(),
            parts,
            said: Said::default(),
            remember,
            pending: Arc::clone(&self.pending),
        };
        let writer = std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || writer.work(&inbox))
            .map_err(|error| LedgerError::folder(self.folder.path(), error))?;
        Ok(RunHandle {
            id: id.to_owned(),
            site: site.to_owned(),
            file: self.file.clone(),
            pending: Arc::clone(&self.pending),
            packer: Mutex::new(packer),
            records: Some(records),
            writer: Some(writer),
        })
    }

    pub(super) fn connect(&self) -> Result<Connection, LedgerError> {
        let failed = self.failed("open");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&self.file, flags).map_err(&failed)?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        // else each new bound of a range has its statement planned anew
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(&failed)?;
        // a body that is erased before the next checkpoint never reaches the file: so they are few
        db.execute_batch(
            "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;
             PRAGMA wal_autocheckpoint = 4000;",
        )
        .map_err(&failed)?;
        Ok(db)
    }

    pub(super) fn failed(
        &self,
        doing: &'static str,
    ) -> impl Fn(rusqlite::Error) -> LedgerError + use<> {
        failed(doing, &self.file)
    }
}

/// Writes a run, perhaps in the place of another; gives its number.
fn insert_run(db: &mut Connection, header: &RunHeader, old: Option<&str>) -> rusqlite::Result<i64> {
    let invocation = header.invocation.as_ref().map(serde_json::to_string);
    // strings are all it holds
    let invocation = invocation.and_then(Result::ok);
    let transaction = db.transaction()?;
    transaction.execute(
        "INSERT INTO run (id, nonce, site, job, version, state, retry_of, invocation, started_at)
         VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?)",
        params![
            header.id,
            header.nonce,
            header.site,
            header.job,
            env!("CARGO_PKG_VERSION"),
            header.retry_of,
            invocation,
            header.started_at
        ],
    )?;
    let run = transaction.last_insert_rowid();
    if let Some(old) = old {
        let closed = transaction.execute(
            "UPDATE run SET finished_at = ?, superseded_by = ?, state = 2 WHERE id = ? AND state = 0",
            params![header.started_at, header.id, old],
        );
        closed.and_then(expect_one)?;
        let sql = "SELECT run FROM run WHERE id = ?";
        let old = transaction.query_row(sql, [old], |row| row.get(0))?;
        erase_all_calls(&transaction, old)?;
        Step::RunSuperseded.before();
    }
    Step::Begin.before();
    transaction.commit()?;
    if old.is_some() {
        Step::RunSuperseded.after();
    }
    Step::Begin.after();
    Ok(run)
}

/// What an early stop wrote and a later process takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Back {
    /// Rows that were not sent, and those whose fate is open: of batches that were given up, of calls without an answer.
    All,
    /// The latter alone: nothing more is sent.
    Suspended,
}

/// Takes back what an early stop wrote; gives the run's number.
fn reopen(db: &mut Connection, run: &str, back: Back) -> rusqlite::Result<i64> {
    let transaction = db.transaction()?;
    let key = transaction.query_row(
        "UPDATE run SET resumed = resumed + 1, finished_at = NULL, stopped = NULL WHERE id = ? RETURNING run",
        [run],
        |row| row.get(0),
    )?;
    let unsent = match back {
        Back::All => "row.status = 6 OR ",
        Back::Suspended => "",
    };
    let taken = format!("({unsent}{SUSPENDED} OR ({UNANSWERED}))");
    transaction.execute(
        &format!(
            "UPDATE stage SET finished_at = NULL, counts = NULL
             WHERE run = ? AND EXISTS (SELECT 1 FROM row WHERE row.part = stage.part AND {taken})"
        ),
        [key],
    )?;
    transaction.execute(
        &format!(
            "DELETE FROM row WHERE part IN (SELECT part FROM stage WHERE run = ?) AND {taken}"
        ),
        [key],
    )?;
    Step::Reopen.before();
    transaction.commit()?;
    Step::Reopen.after();
    Ok(key)
}

fn memory(
    file: &Path,
    pending: &Arc<Mutex<Pending>>,
    site: &str,
    entity: Entity,
    shape: Option<&Shape>,
) -> Result<Memory, LedgerError> {
    let Reader { db, file, .. } = Reader::on(file)?;
    let failed = failed("read", &file);
    let maps = remember::maps_of(&db, site, entity).map_err(&failed)?;
    let shape = match shape {
        Some(shape) => remember::number_of(&db, site, entity, shape).map_err(&failed)?,
        None => None,
    };
    Ok(Memory {
        db,
        file,
        pending: Arc::clone(pending),
        maps,
        shape,
    })
}

/// A run being written. Dropping it waits for what was handed over.
#[derive(Debug)]
pub struct RunHandle {
    id: String,
    site: String,
    file: PathBuf,
    pending: Arc<Mutex<Pending>>,
    packer: Mutex<Packer>,
    records: Option<Sender<Waiting>>,
    writer: Option<JoinHandle<()>>,
}

impl RunHandle {
    /// The run's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

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
        let mut packer = self.packer.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = records.iter().map(|record| packer.kept(record)).collect();
        drop(packer);
        let waiting = Waiting {
            records,
            kept,
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

    /// Calls `each` for every decided row of a stage, in row order, with its batch's task and trace ids.
    /// Stops at the first error of `each`.
    ///
    /// # Errors
    /// When the ledger cannot be read, or `each` fails.
    pub fn each_row<E: From<LedgerError>>(
        &self,
        stage: u32,
        each: impl FnMut(StoredRow) -> Result<(), E>,
    ) -> Result<(), E> {
        self.reader()?.each_row(&self.id, stage, each)
    }

    /// The read side, also of what other runs wrote.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn reader(&self) -> Result<Reader, LedgerError> {
        Reader::on(&self.file)
    }

    /// What is remembered of one kind of record on the run's site, as a shape sees it. A shape counts as new until
    /// the stage that has it has begun.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn memory(&self, entity: Entity, shape: Option<&Shape>) -> Result<Memory, LedgerError> {
        memory(&self.file, &self.pending, &self.site, entity, shape)
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
                job: "job".into(),
                retry_of: None,
                invocation: None,
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
            settings: std::collections::BTreeMap::new(),
            shape: None,
            retries: None,
            source: None,
            mapping_path: None,
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
                rows: [early.row.clone(), late.row.clone()].into_iter().collect(),
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
            .query_row("SELECT count(*) FROM body", [], |r| r.get(0))
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
        insta::assert_snapshot!(error, @"the ledger …/ledger.sqlite has schema version 99, and this program knows version 2; use the program that wrote it, or another --state-dir");
    }
}
