//! The read side: runs, stages, outcomes, and what is undecided. Beside a run that writes, too.

use super::error::{LedgerError, damaged, failed};
use super::progress::{self, StageProgress, Standing};
use super::read::{Rows, StoredRow};
use super::read_only;
use super::record::{Invocation, Shape, StageHeader};
use super::schema;
use crate::model::clock::UnixMillis;
use crate::model::entity::{Asked, Entity};
use crate::model::outcome::{Counts, Status};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Whether a run can be continued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// It was killed or stopped early, or it is running: it can be continued.
    Open,
    /// It ended.
    Finished,
    /// Another run took its place; `None` when a later version of the program could not continue it.
    Superseded {
        /// The other run's id.
        by: Option<String>,
    },
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Finished => f.write_str("finished"),
            Self::Superseded { by: None } => f.write_str("superseded"),
            Self::Superseded { by: Some(by) } => write!(f, "superseded by {by}"),
        }
    }
}

/// A run, as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInfo {
    /// Its id.
    pub id: String,
    /// Random UUID: the name space of its idempotency keys.
    pub nonce: String,
    /// The site, as people call it.
    pub site: String,
    /// What makes two runs the same job; `None` for runs of ledgers of version 1.
    pub job: Option<String>,
    /// Whether it can be continued.
    pub state: RunState,
    /// Why it stopped early.
    pub stopped: Option<String>,
    /// The id of the run whose rows it loads again.
    pub retry_of: Option<String>,
    /// How it was started; `None` for runs of ledgers of version 1.
    pub invocation: Option<Invocation>,
    /// How often it was continued.
    pub resumed: u32,
    /// When it started.
    pub started_at: UnixMillis,
    /// When it ended or stopped; `None` after a kill, and while it runs.
    pub finished_at: Option<UnixMillis>,
}

/// A stage, as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageInfo {
    /// As it began.
    pub header: StageHeader,
    /// Rows of its input, once that was read to its end.
    pub rows: Option<u64>,
    /// Rows of each of its files, in order, once it was read to its end; else empty.
    pub file_rows: Vec<u64>,
    /// When it was settled.
    pub finished_at: Option<UnixMillis>,
}

/// Reads a ledger; for one thread.
pub struct Reader {
    pub(super) db: Connection,
    pub(super) file: PathBuf,
    /// Keeps writers out where SQLite cannot see them.
    _lock: Option<File>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens the ledger of a state folder for reading, without its lock, unless the folder cannot be written. A ledger of
    /// an older version is migrated first.
    ///
    /// # Errors
    /// When there is none, it is damaged or of a newer version, it must be migrated and is in use, or it cannot be read
    /// where nothing can be written.
    pub fn open(folder: &Path) -> Result<Self, LedgerError> {
        let file = folder.join(super::FILE);
        if !file.exists() {
            return Err(LedgerError::NoLedger {
                folder: folder.to_owned(),
            });
        }
        let with_version = |reader: Self| {
            let version = schema::version_of(&reader.db, &file)?;
            Ok((reader, version))
        };
        let (reader, version) = match Self::on(&file).and_then(with_version) {
            Err(error) if error.is_of_access() => {
                read_only::open(folder, file.clone(), error).and_then(with_version)
            }
            other => other,
        }?;
        if version < schema::VERSION {
            drop(reader);
            super::Ledger::open(super::StateFolder::open(folder)?)?;
            return Self::on(&file);
        }
        schema::check(&reader.db, &file)?;
        Ok(reader)
    }

    pub(super) fn on(file: &Path) -> Result<Self, LedgerError> {
        Self::at(file, OpenFlags::empty(), file.to_owned(), None)
    }

    /// Reads a file that nobody changes, by an address that says so; `lock` sees to it.
    pub(super) fn unchanging(
        file: PathBuf,
        address: &str,
        lock: Option<File>,
    ) -> Result<Self, LedgerError> {
        Self::at(Path::new(address), OpenFlags::SQLITE_OPEN_URI, file, lock)
    }

    fn at(
        address: &Path,
        flags: OpenFlags,
        file: PathBuf,
        lock: Option<File>,
    ) -> Result<Self, LedgerError> {
        let flags = flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(address, flags).map_err(failed("read", &file))?;
        db.busy_timeout(std::time::Duration::from_secs(5))
            // else a statement that is asked for row after row is planned anew for each
            .and_then(|()| db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true))
            .map_err(failed("read", &file))?;
        Ok(Self {
            db,
            file,
            _lock: lock,
        })
    }

    /// All runs, in the order in which they started.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn runs(&self) -> Result<Vec<RunInfo>, LedgerError> {
        let mut query = self.prepare(&format!("{RUN} ORDER BY run"))?;
        let runs = query.query_map([], run).map_err(self.failed())?;
        runs.collect::<Result<_, _>>().map_err(self.failed())
    }

    /// The run with this id, or whose id alone begins so.
    ///
    /// # Errors
    /// When none does, several do, or the ledger cannot be read.
    pub fn find(&self, wanted: &str) -> Result<RunInfo, LedgerError> {
        let runs = self.runs()?;
        if let Some(exact) = runs.iter().find(|run| run.id == wanted) {
            return Ok(exact.clone());
        }
        let mut found: Vec<_> = runs
            .into_iter()
            .filter(|run| !wanted.is_empty() && run.id.starts_with(wanted))
            .collect();
        let wanted = wanted.to_owned();
        match found.len() {
            0 => Err(LedgerError::NoRun { wanted }),
            1 => Ok(found.remove(0)),
            _ => Err(LedgerError::Ambiguous {
                wanted,
                ids: found.into_iter().map(|run| run.id).collect(),
            }),
        }
    }

    /// The latest open run of a job on a site.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn open_run_of(&self, job: &str, site: &str) -> Result<Option<RunInfo>, LedgerError> {
        let mut query = self.prepare(&format!(
            "{RUN} WHERE state = 0 AND job = ? AND site = ? ORDER BY run DESC LIMIT 1"
        ))?;
        query
            .query_row([job, site], run)
            .optional()
            .map_err(self.failed())
    }

    /// The runs that load rows of this run again, in the order in which they started.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn retries_of(&self, run: &str) -> Result<Vec<RunInfo>, LedgerError> {
        let mut query = self.prepare(&format!("{RUN} WHERE retry_of = ? ORDER BY run"))?;
        let runs = query.query_map([run], self::run).map_err(self.failed())?;
        runs.collect::<Result<_, _>>().map_err(self.failed())
    }

    /// The stages of a run that have begun, in order.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn stages(&self, run: &str) -> Result<Vec<StageInfo>, LedgerError> {
        let read = |sql: &str| self.prepare(sql);
        let mut files =
            read("SELECT name, bytes, digest, rows FROM file WHERE part = ? ORDER BY file")?;
        let mut query = read(
            "SELECT stage, stage.entity, operation, stage.mapping, settings, results, retries, rows, stage.finished_at,
                    shape.mapping, family, fields, part, source, mapping_path
             FROM stage JOIN run USING (run) LEFT JOIN shape USING (shape) WHERE id = ? ORDER BY stage",
        )?;
        let stages = query
            .query_map([run], |row| Ok((row.get::<_, i64>(12)?, stage(row)?)))
            .map_err(self.failed())?;
        let mut found = Vec::new();
        for stage in stages {
            let (part, mut stage) = stage.map_err(self.failed())?;
            let named = files
                .query_map([part], |row| {
                    let file = (row.get(0)?, row.get(1)?, digest(row, 2)?);
                    Ok((file, row.get::<_, Option<u64>>(3)?))
                })
                .map_err(self.failed())?;
            let named: Vec<_> = named.collect::<Result<_, _>>().map_err(self.failed())?;
            let rows: Option<Vec<u64>> = named.iter().map(|(_, rows)| *rows).collect();
            stage.file_rows = rows.unwrap_or_default();
            stage.header.files = named.into_iter().map(|(file, _)| file).collect();
            found.push(stage);
        }
        Ok(found)
    }

    /// The rows of a stage that are decided, by status. Of a stage that was settled they were counted then.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn counts(&self, run: &str, stage: u32) -> Result<Counts, LedgerError> {
        let (part, kept): (i64, Option<String>) = self
            .prepare(
                "SELECT part, counts FROM stage JOIN run USING (run) WHERE id = ? AND stage = ?",
            )?
            .query_row(params![run, stage], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(self.failed())?;
        match kept {
            Some(kept) => {
                let kept: [u64; Status::ALL.len()] =
                    serde_json::from_str(&kept).map_err(|_| self.failed()(damaged(1)))?;
                let mut counts = Counts::default();
                for (status, rows) in Status::ALL.into_iter().zip(kept) {
                    counts.add(status, rows);
                }
                Ok(counts)
            }
            None => progress::count(&self.db, part).map_err(self.failed()),
        }
    }

    /// How far a stage has come; `None` when it has not begun.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn progress(&self, run: &str, stage: u32) -> Result<Option<StageProgress>, LedgerError> {
        let info = self.stages(run)?;
        let Some(info) = info.into_iter().find(|info| info.header.stage == stage) else {
            return Ok(None);
        };
        let part = self.part(run, stage)?;
        progress::read(&self.db, part, info)
            .map(Some)
            .map_err(self.failed())
    }

    /// How far an open run has come, over all its stages.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn standing(&self, run: &str) -> Result<Standing, LedgerError> {
        let mut standing = Standing::default();
        for stage in self.stages(run)? {
            let part = self.part(run, stage.header.stage)?;
            standing.add(&self.db, part).map_err(self.failed())?;
        }
        Ok(standing)
    }

    /// Calls `each` for every decided row of a stage, in row order, with its batch's task and trace ids. Stops at the first
    /// error of `each`.
    ///
    /// # Errors
    /// When the ledger cannot be read, or `each` fails.
    pub fn each_row<E: From<LedgerError>>(
        &self,
        run: &str,
        stage: u32,
        each: impl FnMut(StoredRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let part = self
            .prepare("SELECT part FROM stage JOIN run USING (run) WHERE id = ? AND stage = ?")?
            .query_row(params![run, stage], |row| row.get(0))
            .optional();
        let failed = |error| E::from(self.failed()(error));
        match part.map_err(failed)? {
            Some(part) => Rows::of(&self.db, part).map_err(failed)?.each(failed, each),
            None => Ok(()),
        }
    }

    /// The number of a stage that has begun.
    pub(super) fn part(&self, run: &str, stage: u32) -> Result<i64, LedgerError> {
        self.prepare("SELECT part FROM stage JOIN run USING (run) WHERE id = ? AND stage = ?")?
            .query_row(params![run, stage], |row| row.get(0))
            .map_err(self.failed())
    }

    pub(super) fn prepare(&self, sql: &str) -> Result<rusqlite::Statement<'_>, LedgerError> {
        self.db.prepare(sql).map_err(self.failed())
    }

    pub(super) fn failed(&self) -> impl Fn(rusqlite::Error) -> LedgerError + use<> {
        failed("read", &self.file)
    }
}

const RUN: &str =
    "SELECT id, nonce, site, job, state, superseded_by, stopped, retry_of, resumed, started_at,
    finished_at, invocation FROM run";

fn run(row: &Row<'_>) -> rusqlite::Result<RunInfo> {
    Ok(RunInfo {
        id: row.get(0)?,
        nonce: row.get(1)?,
        site: row.get(2)?,
        job: row.get(3)?,
        state: match row.get(4)? {
            0 => RunState::Open,
            1 => RunState::Finished,
            2 => RunState::Superseded { by: row.get(5)? },
            _ => return Err(damaged(4)),
        },
        stopped: row.get(6)?,
        retry_of: row.get(7)?,
        resumed: row.get(8)?,
        started_at: row.get(9)?,
        finished_at: row.get(10)?,
        invocation: match row.get::<_, Option<String>>(11)? {
            Some(text) => Some(serde_json::from_str(&text).map_err(|_| damaged(11))?),
            None => None,
        },
    })
}

fn stage(row: &Row<'_>) -> rusqlite::Result<StageInfo> {
    let entity: String = row.get(1)?;
    let operation: String = row.get(2)?;
    let settings: String = row.get(4)?;
    let shape = match row.get::<_, Option<String>>(10)? {
        None => None,
        Some(family) => Some(Shape {
            mapping: digest(row, 9)?,
            family,
            fields: serde_json::from_str(&row.get::<_, String>(11)?).map_err(|_| damaged(11))?,
        }),
    };
    Ok(StageInfo {
        header: StageHeader {
            stage: row.get(0)?,
            entity: entity.parse::<Entity>().map_err(|_| damaged(1))?,
            operation: operation.parse::<Asked>().map_err(|_| damaged(2))?,
            mapping: digest(row, 3)?,
            settings: serde_json::from_str(&settings).map_err(|_| damaged(4))?,
            results: row.get(5)?,
            files: Vec::new(),
            shape,
            retries: row.get(6)?,
            source: row.get(13)?,
            mapping_path: row.get(14)?,
        },
        rows: row.get(7)?,
        file_rows: Vec::new(),
        finished_at: row.get(8)?,
    })
}

fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<u128> {
    let text: String = row.get(column)?;
    u128::from_str_radix(&text, 16).map_err(|_| damaged(column))
}
