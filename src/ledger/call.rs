//! What single calls send, while their row is undecided: kept as the bodies of bulk requests are, under the row's number with
//! a minus, which no batch has.

use super::body::{Packed, unpack};
use super::error::damaged;
use super::progress::{UNANSWERED, is_unanswered};
use crate::model::outcome::{Route, RowOutcome, Status};
use crate::model::row::{FileId, RowId, RowRef};
use crate::model::slice::Slice;
use rusqlite::{Connection, Transaction, params};
use std::collections::HashMap;

/// Writes what a row is about to send.
pub(super) fn insert_call(
    db: &Transaction<'_>,
    part: i64,
    row: RowId,
    packed: &Packed,
) -> rusqlite::Result<()> {
    // neither way may write it at first, and a later call of it begins anew
    db.prepare_cached("INSERT OR REPLACE INTO body (part, batch, body, rows) VALUES (?, ?, ?, ?)")?
        .execute(params![part, place(row), packed.body, packed.rows])
        .map(drop)
}

/// Erases what a row sent that is decided.
pub(super) fn erase_call(
    db: &Transaction<'_>,
    part: i64,
    outcome: &RowOutcome,
) -> rusqlite::Result<()> {
    let called = outcome.route == Some(Route::Single) || outcome.status == Status::NotSent;
    if !called || is_unanswered(outcome) {
        return Ok(());
    }
    db.prepare_cached("DELETE FROM body WHERE part = ? AND batch = ?")?
        .execute(params![part, place(outcome.row.id)])
        .map(drop)
}

/// Erases what is left at the end of a stage: of rows that a bulk request wrote after all.
pub(super) fn erase_calls(db: &Transaction<'_>, part: i64) -> rusqlite::Result<()> {
    let unanswered = format!(
        "SELECT 1 FROM row WHERE row.part = body.part AND row.row = -body.batch AND {UNANSWERED}"
    );
    let sql =
        format!("DELETE FROM body WHERE part = ? AND batch < 0 AND NOT EXISTS ({unanswered})");
    db.execute(&sql, [part]).map(drop)
}

/// Erases what is left of a run that nobody goes on with.
pub(super) fn erase_all_calls(db: &Transaction<'_>, run: i64) -> rusqlite::Result<()> {
    let sql = "DELETE FROM body WHERE batch < 0 AND part IN (SELECT part FROM stage WHERE run = ?)";
    db.execute(sql, [run]).map(drop)
}

/// The rows of a stage whose calls are kept, and what they send.
pub(super) fn calls(
    db: &Connection,
    part: i64,
) -> rusqlite::Result<HashMap<RowId, (RowRef, Vec<u8>)>> {
    let mut query = db.prepare("SELECT rows, body FROM body WHERE part = ? AND batch < 0")?;
    let mut found = query.query([part])?;
    let mut calls = HashMap::new();
    while let Some(call) = found.next()? {
        let rows = unpack(call.get(0)?).map_err(|_| damaged(0))?;
        let rows: Vec<(u64, u32, Option<u64>, String)> =
            serde_json::from_slice(&rows).map_err(|_| damaged(0))?;
        let item = unpack(call.get(1)?).map_err(|_| damaged(1))?;
        let [(id, file, line, key)] = <[_; 1]>::try_from(rows).map_err(|_| damaged(0))?;
        let row = RowRef {
            id: RowId(id),
            file: FileId(file),
            line,
            key: Slice::owned(key),
        };
        calls.insert(RowId(id), (row, item));
    }
    Ok(calls)
}

fn place(row: RowId) -> i64 {
    -row.0.cast_signed()
}
