//! A row's outcome as the ledger holds it.

use super::error::damaged;
use crate::model::clock::UnixMillis;
use crate::model::outcome::{Route, Status};
use crate::model::row::Reason;

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
    /// The decided rows of a run (by its id) and a stage, in row order.
    pub(super) const QUERY: &str =
        "SELECT row.row, row.file, row.row + row.line_offset, row.key, row.status, said.reasons, row.remote_id, row.sent,
                row.batch, batch.attempts, coalesce(row.finished_at, batch.settled_at), batch.task_id, batch.trace_id
         FROM row LEFT JOIN batch USING (part, batch) LEFT JOIN said USING (said)
         WHERE row.part = (SELECT part FROM stage JOIN run USING (run) WHERE id = ? AND stage = ?) ORDER BY row.row";

    pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let reasons = match row.get_ref(5)?.as_str_or_null().map_err(|_| damaged(5))? {
            Some(text) => serde_json::from_str(text).map_err(|_| damaged(5))?,
            None => Vec::new(),
        };
        let (route, attempts) = match row.get::<_, Option<u32>>(7)? {
            None => (Some(Route::Bulk), row.get(9)?),
            Some(sent) => {
                let route = match sent % 3 {
                    0 => None,
                    1 => Some(Route::Bulk),
                    _ => Some(Route::Single),
                };
                (route, sent / 3)
            }
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
