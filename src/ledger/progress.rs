//! How far a stage came before it was interrupted: which rows are decided, which requests are not.

use super::body::unpack;
use super::call::calls;
use super::error::damaged;
use super::reader::StageInfo;
use super::record::{ContentHash, RowHashes, SentRow, SentRows};
use crate::model::clock::UnixMillis;
use crate::model::outcome::{BatchSeq, Counts, Route, RowOutcome, Status};
use crate::model::reply::TaskId;
use crate::model::row::{FileId, KeyHash, RowId, RowRef};
use crate::model::slice::Slice;
use rusqlite::{Connection, Row};
use std::collections::HashMap;

/// Bytes of a row in an intent.
pub(super) const INTENT_ROW: usize = 32;

/// A row whose single calls got no answer. While its run is open that is not its end: whoever takes the run up looks for it.
pub(super) const UNANSWERED: &str = "row.status = 5 AND coalesce(row.sent % 3, 0) = 2";

/// Rows of batches that are given up while their fate is open.
pub(super) const SUSPENDED: &str = "EXISTS (SELECT 1 FROM batch WHERE batch.part = row.part AND batch.batch = row.batch AND batch.state < 2)";

/// The same as [`UNANSWERED`] of an outcome that is about to be written.
pub(super) fn is_unanswered(outcome: &RowOutcome) -> bool {
    outcome.status == Status::Unconfirmed && outcome.route == Some(Route::Single)
}

/// How far a stage has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageProgress {
    /// As it began, and whether it ended.
    pub info: StageInfo,
    /// Decided rows by status.
    pub counts: Counts,
    /// Which rows are decided.
    pub decided: RowSet,
    /// Those of them whose records the site is not known to hold.
    pub unloaded: RowSet,
    /// Bulk requests that are not, in their order. Their rows are not decided; nobody else may send them.
    pub undecided: Vec<OpenBatch>,
    /// Rows for which single calls may have been made, and which are not decided, in row order.
    pub called: Vec<OpenCall>,
    /// The highest number of a batch so far.
    pub last_batch: Option<BatchSeq>,
}

/// A bulk request that may have left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenBatch {
    /// Its number.
    pub batch: BatchSeq,
    /// Its idempotency key.
    pub key: String,
    /// The exact bytes.
    pub body: Vec<u8>,
    /// Its rows, in the body's order.
    pub rows: SentRows,
    /// The task, when the site accepted it.
    pub task: Option<TaskId>,
    /// The acceptance's trace id.
    pub trace_id: Option<String>,
    /// When it was first about to leave.
    pub sent_at: UnixMillis,
}

/// A row for which a single call may have been made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCall {
    /// The row.
    pub row: RowId,
    /// Whose record it is, and what was to be written.
    pub hashes: RowHashes,
    /// The row as its input names it, and what it sends; where it can be looked for by that.
    pub sent: Option<(RowRef, Vec<u8>)>,
}

/// A set of rows, one bit each: 10 million rows take 1.3 MB.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowSet {
    words: Vec<u64>,
    rows: u64,
}

impl RowSet {
    /// Adds a row.
    pub fn insert(&mut self, row: RowId) {
        let (word, bit) = place(row);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.rows += u64::from(self.words[word] & bit == 0);
        self.words[word] |= bit;
    }

    /// Whether a row is in it.
    #[must_use]
    pub fn contains(&self, row: RowId) -> bool {
        let (word, bit) = place(row);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// How many rows are in it.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.rows
    }

    /// Whether no row is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }
}

fn place(row: RowId) -> (usize, u64) {
    // a file of more rows than a machine has addresses cannot have been read
    let word = usize::try_from(row.0 / 64).unwrap_or(usize::MAX - 1);
    (word, 1 << (row.0 % 64))
}

pub(super) fn read(db: &Connection, part: i64, info: StageInfo) -> rusqlite::Result<StageProgress> {
    let (mut counts, mut decided) = (Counts::default(), RowSet::default());
    let mut unloaded = RowSet::default();
    let mut query = db.prepare("SELECT row, status FROM row WHERE part = ?")?;
    let mut rows = query.query([part])?;
    while let Some(row) = rows.next()? {
        let (id, status) = (RowId(row.get(0)?), status(row, 1)?);
        decided.insert(id);
        if !matches!(status, Status::Loaded | Status::Unchanged) {
            unloaded.insert(id);
        }
        counts.add(status, 1);
    }
    let mut hashes: HashMap<RowId, RowHashes> = HashMap::new();
    for entries in intents(db, part)? {
        let entries = decode_intent(&entries).ok_or_else(|| damaged(0))?;
        hashes.extend(
            entries
                .into_iter()
                .filter(|(row, _)| !decided.contains(*row)),
        );
    }
    let mut query = db.prepare(
        "SELECT batch, key, body, rows, task_id, trace_id, sent_at FROM batch JOIN body USING (part, batch)
         WHERE part = ? AND state < 2 ORDER BY batch",
    )?;
    let undecided = query.query_map([part], |row| open_batch(row, &mut hashes))?;
    let undecided = undecided.collect::<Result<_, _>>()?;
    let mut sent = calls(db, part)?;
    let mut called: Vec<_> = hashes
        .into_iter()
        .map(|(row, hashes)| OpenCall {
            row,
            hashes,
            sent: sent.remove(&row),
        })
        .collect();
    called.sort_by_key(|call| call.row);
    let last_batch: Option<u64> = db.query_row(
        "SELECT max(batch) FROM batch WHERE part = ?",
        [part],
        |row| row.get(0),
    )?;
    Ok(StageProgress {
        info,
        counts,
        decided,
        unloaded,
        undecided,
        called,
        last_batch: last_batch.map(BatchSeq),
    })
}

/// The intents of a stage, as they are stored, in the order of sending.
pub(super) fn intents(db: &Connection, part: i64) -> rusqlite::Result<Vec<Vec<u8>>> {
    let mut query = db.prepare("SELECT entries FROM intent WHERE part = ? ORDER BY seq")?;
    let entries = query.query_map([part], |row| row.get(0))?;
    entries.collect()
}

/// How far an open run has come, as whoever takes it up finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Rows with an end. Those that an early stop left without one are not among them.
    pub decided: u64,
    /// Rows that may have been sent, and whose fate is open.
    pub under_way: u64,
}

impl Standing {
    /// Adds a stage.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn add(&mut self, db: &Connection, part: i64) -> rusqlite::Result<()> {
        let open = format!("row.status = 6 OR {SUSPENDED} OR ({UNANSWERED})");
        let mut query = db.prepare(&format!(
            "SELECT row FROM row WHERE part = ? AND NOT ({open})"
        ))?;
        let mut rows = query.query([part])?;
        let mut decided = RowSet::default();
        while let Some(row) = rows.next()? {
            decided.insert(RowId(row.get(0)?));
        }
        let mut under_way = RowSet::default();
        for entries in intents(db, part)? {
            let entries = decode_intent(&entries).ok_or_else(|| damaged(0))?;
            for (row, _) in entries {
                if !decided.contains(row) {
                    under_way.insert(row);
                }
            }
        }
        let mut query = db.prepare(
            "SELECT rows FROM batch JOIN body USING (part, batch) WHERE part = ? AND state < 2",
        )?;
        let mut batches = query.query([part])?;
        while let Some(batch) = batches.next()? {
            let sent = sent_rows(batch, 0)?;
            for (id, ..) in sent {
                under_way.insert(RowId(id));
            }
        }
        self.decided += decided.len();
        self.under_way += under_way.len();
        Ok(())
    }
}

/// Decided rows by status.
pub(super) fn count(db: &Connection, part: i64) -> rusqlite::Result<Counts> {
    let mut query =
        db.prepare_cached("SELECT status, count(*) FROM row WHERE part = ? GROUP BY status")?;
    let mut rows = query.query([part])?;
    let mut counts = Counts::default();
    while let Some(row) = rows.next()? {
        counts.add(status(row, 0)?, row.get(1)?);
    }
    Ok(counts)
}

fn status(row: &Row<'_>, column: usize) -> rusqlite::Result<Status> {
    Status::from_number(row.get(column)?).ok_or_else(|| damaged(column))
}

fn open_batch(
    row: &Row<'_>,
    hashes: &mut HashMap<RowId, RowHashes>,
) -> rusqlite::Result<OpenBatch> {
    let rows = sent_rows(row, 3)?;
    let rows = rows.into_iter().map(|(id, file, line, key)| SentRow {
        row: RowRef {
            id: RowId(id),
            file: FileId(file),
            line,
            key: Slice::owned(key),
        },
        hashes: hashes.remove(&RowId(id)),
    });
    Ok(OpenBatch {
        batch: BatchSeq(row.get(0)?),
        key: row.get(1)?,
        body: unpack(row.get(2)?).map_err(|_| damaged(2))?,
        rows: rows.collect(),
        task: row.get::<_, Option<String>>(4)?.map(TaskId),
        trace_id: row.get(5)?,
        sent_at: row.get(6)?,
    })
}

/// A row of a batch as it is stored: number, file, line and key.
type StoredSent = (u64, u32, Option<u64>, String);

fn sent_rows(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<StoredSent>> {
    let rows = unpack(row.get(column)?).map_err(|_| damaged(column))?;
    serde_json::from_slice(&rows).map_err(|_| damaged(column))
}

/// The rows of an intent; `None` when it is damaged.
pub(super) fn decode_intent(bytes: &[u8]) -> Option<Vec<(RowId, RowHashes)>> {
    let (rows, rest) = bytes.as_chunks::<INTENT_ROW>();
    let decoded = rows.iter().map(|row| {
        let (id, rest) = row.split_first_chunk::<8>()?;
        let (key, rest) = rest.split_first_chunk::<16>()?;
        let (content, _) = rest.split_first_chunk::<8>()?;
        let hashes = RowHashes {
            key: KeyHash(u128::from_le_bytes(*key)),
            content: ContentHash::stored(*content),
        };
        Some((RowId(u64::from_le_bytes(*id)), hashes))
    });
    if rest.is_empty() {
        decoded.collect()
    } else {
        None
    }
}

/// The opposite.
pub(super) fn encode_intent(rows: impl Iterator<Item = (RowId, RowHashes)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (row, hashes) in rows {
        bytes.extend_from_slice(&row.0.to_le_bytes());
        bytes.extend_from_slice(&hashes.key.0.to_le_bytes());
        bytes.extend_from_slice(&hashes.content.bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_counts_it_once() {
        let mut set = RowSet::default();
        assert!(set.is_empty());
        for row in [1, 64, 63, 10_000, 64] {
            set.insert(RowId(row));
        }
        assert_eq!(set.len(), 4);
        let held: Vec<u64> = (0..20_000)
            .filter(|row| set.contains(RowId(*row)))
            .collect();
        assert_eq!(held, [1, 63, 64, 10_000]);
    }

    #[test]
    fn a_damaged_intent_is_told() {
        let hashes = RowHashes {
            key: KeyHash(3),
            content: ContentHash::of(4),
        };
        let bytes = encode_intent([(RowId(7), hashes)].into_iter());
        assert_eq!(bytes.len(), INTENT_ROW);
        assert_eq!(decode_intent(&bytes), Some(vec![(RowId(7), hashes)]));
        assert_eq!(decode_intent(&bytes[1..]), None);
    }
}
