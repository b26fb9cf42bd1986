//! A row's outcome as the ledger holds it.

use super::error::damaged;
use crate::model::clock::UnixMillis;
use crate::model::outcome::{Route, Status};
use crate::model::row::Reason;
use rusqlite::{Connection, OptionalExtension, Row, Statement, params};
use rustc_hash::FxHashMap;
use std::collections::hash_map::Entry;

/// Batches and texts that are kept at hand: rows that follow each other share them.
const AT_HAND: usize = 256;

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
    /// Reads a row that a query joined with what it shares with others.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let reasons = match row.get_ref(5)?.as_str_or_null().map_err(|_| damaged(5))? {
            Some(text) => serde_json::from_str(text).map_err(|_| damaged(5))?,
            None => Vec::new(),
        };
        let (route, attempts) = match row.get::<_, Option<u32>>(7)? {
            None => (Some(Route::Bulk), row.get(9)?),
            Some(sent) => way(sent),
        };
        Ok(Self {
            row: row.get(0)?,
            file: row.get(1)?,
            line: row.get(2)?,
            key: row.get(3)?,
            status: Status::from_number(row.get(4)?).ok_or_else(|| damaged(4))?,
            reasons,
            remote_id: row.get(6)?,
            route,
            batch: row.get(8)?,
            attempts,
            finished_at: row.get(10)?,
            task_id: row.get(11)?,
            trace_id: row.get(12)?,
        })
    }
}

/// Which way a row went, and how often its request was sent.
fn way(sent: u32) -> (Option<Route>, u32) {
    let route = match sent % 3 {
        0 => None,
        1 => Some(Route::Bulk),
        _ => Some(Route::Single),
    };
    (route, sent / 3)
}

/// What a batch says of its rows.
#[derive(Debug, Clone, Default)]
struct Batch {
    attempts: Option<u32>,
    settled_at: Option<UnixMillis>,
    task_id: Option<String>,
    trace_id: Option<String>,
}

/// Reads the decided rows of a part in row order, and what they share once for many of them.
pub(super) struct Rows<'a> {
    part: i64,
    all: Statement<'a>,
    shared: Shared<'a>,
}

struct Shared<'a> {
    batch: Statement<'a>,
    said: Statement<'a>,
    batches: FxHashMap<u64, Batch>,
    texts: FxHashMap<i64, Vec<Reason>>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(db: &'a Connection, part: i64) -> rusqlite::Result<Self> {
        Ok(Self {
            part,
            all: db.prepare(
                "SELECT row, file, row + line_offset, key, status, said, remote_id, sent, batch, finished_at
                 FROM row WHERE part = ? ORDER BY row",
            )?,
            shared: Shared {
                batch: db.prepare(
                    "SELECT attempts, settled_at, task_id, trace_id FROM batch WHERE part = ? AND batch = ?",
                )?,
                said: db.prepare("SELECT reasons FROM said WHERE said = ?")?,
                batches: FxHashMap::default(),
                texts: FxHashMap::default(),
            },
        })
    }

    /// Calls `each` for every row. Stops at its first error.
    pub(super) fn each<E>(
        &mut self,
        failed: impl Fn(rusqlite::Error) -> E,
        mut each: impl FnMut(StoredRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rows = self.all.query([self.part]).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            each(self.shared.read(self.part, row).map_err(&failed)?)?;
        }
        Ok(())
    }
}

impl Shared<'_> {
    fn read(&mut self, part: i64, row: &Row<'_>) -> rusqlite::Result<StoredRow> {
        let seq: Option<u64> = row.get(8)?;
        let none = Batch::default();
        let batch = match seq {
            Some(seq) => self.batch(part, seq)?.clone(),
            None => none,
        };
        let reasons = match row.get(5)? {
            Some(said) => self.text(said)?.to_vec(),
            None => Vec::new(),
        };
        let (route, attempts) = match row.get::<_, Option<u32>>(7)? {
            None => (Some(Route::Bulk), batch.attempts.ok_or_else(|| damaged(7))?),
            Some(sent) => way(sent),
        };
        let finished_at = row.get::<_, Option<UnixMillis>>(9)?;
        Ok(StoredRow {
            row: row.get(0)?,
            file: row.get(1)?,
            line: row.get(2)?,
            key: row.get(3)?,
            status: Status::from_number(row.get(4)?).ok_or_else(|| damaged(4))?,
            reasons,
            remote_id: row.get(6)?,
            route,
            batch: seq,
            attempts,
            finished_at: finished_at.or(batch.settled_at).ok_or_else(|| damaged(9))?,
            task_id: batch.task_id,
            trace_id: batch.trace_id,
        })
    }

    fn batch(&mut self, part: i64, seq: u64) -> rusqlite::Result<&Batch> {
        if self.batches.len() >= AT_HAND && !self.batches.contains_key(&seq) {
            self.batches.clear();
        }
        Ok(match self.batches.entry(seq) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let found = self.batch.query_row(params![part, seq], |row| {
                    Ok(Batch {
                        attempts: row.get(0)?,
                        settled_at: row.get(1)?,
                        task_id: row.get(2)?,
                        trace_id: row.get(3)?,
                    })
                });
                new.insert(found.optional()?.unwrap_or_default())
            }
        })
    }

    fn text(&mut self, said: i64) -> rusqlite::Result<&[Reason]> {
        if self.texts.len() >= AT_HAND && !self.texts.contains_key(&said) {
            self.texts.clear();
        }
        Ok(match self.texts.entry(said) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let text = self.said.query_row([said], |row| {
                    let text = row.get_ref(0)?.as_str().map_err(|_| damaged(5))?;
                    serde_json::from_str(text).map_err(|_| damaged(5))
                });
                // nothing was said where it is not there
                new.insert(text.optional()?.unwrap_or_default())
            }
        })
    }
}
