//! From records to what is remembered: intents void, outcomes confirm, and both come back after a crash.

use super::change::{KnownShape, Maps};
use super::content::{Content, KeyMark, QuarterHour};
use super::error::damaged;
use super::layers::{self, Merge};
use super::pending::{Pending, Step};
use super::progress::{UNANSWERED, decode_intent, encode_intent, is_unanswered};
use super::record::{RowHashes, SentRow, Shape};
use crate::model::entity::Entity;
use crate::model::failpoint;
use crate::model::outcome::{RowOutcome, Status};
use crate::model::row::RowId;
use rusqlite::{Connection, OptionalExtension, params};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A row that may have been sent and is not decided.
#[derive(Debug, Clone, Copy)]
struct Underway {
    /// Where it is written down.
    intent: i64,
    shape: u32,
    hashes: RowHashes,
    /// Which of several requests for its key is applied last cannot be known.
    doubtful: bool,
}

/// The rows of an intent.
type IntentRows = Vec<(RowId, RowHashes)>;

/// How many rows an intent has, and how many of them are not decided.
#[derive(Debug, Clone, Copy)]
struct Intent {
    rows: usize,
    left: usize,
}

/// What one run does to what is remembered. Steps are kept until their transaction is durable.
#[derive(Debug)]
pub(super) struct Remember {
    /// Shapes by part.
    shapes: HashMap<i64, u32>,
    /// By part and row.
    underway: FxHashMap<(i64, RowId), Underway>,
    /// Its intents that the ledger has.
    intents: FxHashMap<i64, Intent>,
    /// Keys of requests of other open runs on the same site.
    foreign: FxHashSet<KeyMark>,
    steps: Vec<(u32, KeyMark, Step)>,
}

impl Remember {
    /// Finds what the run, and others on its site, left undecided. Blocks.
    ///
    /// # Errors
    /// When the ledger cannot be read or written.
    pub(super) fn begin(db: &mut Connection, run: i64) -> rusqlite::Result<Self> {
        let transaction = db.transaction()?;
        let site: String =
            transaction.query_row("SELECT site FROM run WHERE run = ?", [run], |row| {
                row.get(0)
            })?;
        let followed: bool = transaction.query_row(
            "SELECT EXISTS (SELECT 1 FROM run WHERE site = ? AND run > ?)",
            params![site, run],
            |row| row.get(0),
        )?;
        if followed {
            // a later run may have written the same keys, before or after what is still under way
            transaction.execute(
                "UPDATE intent SET doubtful = 1 WHERE part IN (SELECT part FROM stage WHERE run = ?)",
                [run],
            )?;
        }
        let mut found = Self {
            shapes: HashMap::new(),
            underway: FxHashMap::default(),
            intents: FxHashMap::default(),
            foreign: FxHashSet::default(),
            steps: Vec::new(),
        };
        {
            let mut query = transaction.prepare(
                "SELECT run, part, shape, doubtful, entries, seq
                 FROM intent JOIN stage USING (part) JOIN run USING (run)
                 WHERE run.site = ? AND run.state = 0 AND shape IS NOT NULL ORDER BY seq",
            )?;
            let mut decided = transaction.prepare(&decided())?;
            let mut intents = query.query([&site])?;
            while let Some(intent) = intents.next()? {
                let (of, part): (i64, i64) = (intent.get(0)?, intent.get(1)?);
                let (shape, doubtful) = (intent.get(2)?, intent.get(3)?);
                let rows = rows_of(intent, 4)?;
                if of == run {
                    found.opened(intent.get(5)?, rows.len());
                }
                for (row, hashes) in rows {
                    if decided.exists(params![part, row.0])? {
                        continue;
                    }
                    if of == run {
                        let underway = Underway {
                            intent: intent.get(5)?,
                            shape,
                            hashes,
                            doubtful,
                        };
                        found.left(part, row, underway);
                    } else {
                        found.foreign.insert(hashes.key.into());
                    }
                }
            }
        }
        transaction.commit()?;
        Ok(found)
    }

    /// A stage of the run has this shape.
    pub(super) fn stage(&mut self, part: i64, shape: u32) {
        self.shapes.insert(part, shape);
    }

    /// Rows are about to be sent.
    ///
    /// # Errors
    /// When the ledger cannot be written, or a stage that has a shape sends a row without hashes: a defect that would leave
    /// content confirmed that is not on the site any more.
    pub(super) fn sending(
        &mut self,
        db: &Connection,
        part: i64,
        rows: &[SentRow],
    ) -> rusqlite::Result<()> {
        let Some(shape) = self.shapes.get(&part).copied() else {
            return Ok(());
        };
        let mut written = Vec::with_capacity(rows.len());
        for row in rows {
            let hashes = row.hashes.ok_or_else(|| {
                rusqlite::Error::ToSqlConversionFailure("a row to be sent has no hashes".into())
            })?;
            written.push((row.row.id, hashes));
        }
        let (doubtful, sure): (Vec<_>, Vec<_>) = written
            .into_iter()
            .partition(|(_, hashes)| self.foreign.contains(&hashes.key.into()));
        for (rows, doubtful) in [(sure, false), (doubtful, true)] {
            if rows.is_empty() {
                continue;
            }
            db.prepare_cached("INSERT INTO intent (part, doubtful, entries) VALUES (?, ?, ?)")?
                .execute(params![part, doubtful, encode_intent(rows.iter().copied())])?;
            let intent = db.last_insert_rowid();
            self.opened(intent, rows.len());
            for (row, hashes) in rows {
                self.steps
                    .push((shape, hashes.key.into(), Step::Void(shape)));
                let underway = Underway {
                    intent,
                    shape,
                    hashes,
                    doubtful,
                };
                self.left(part, row, underway);
            }
        }
        Ok(())
    }

    fn opened(&mut self, intent: i64, rows: usize) {
        self.intents.insert(intent, Intent { rows, left: 0 });
    }

    /// A row of an intent is not decided. Where an older one has it, too, this one says all that it says.
    fn left(&mut self, part: i64, row: RowId, underway: Underway) {
        if let Some(intent) = self.intents.get_mut(&underway.intent) {
            intent.left += 1;
        }
        if let Some(older) = self.underway.insert((part, row), underway) {
            self.gone(older);
        }
    }

    fn gone(&mut self, underway: Underway) {
        if let Some(intent) = self.intents.get_mut(&underway.intent) {
            intent.left -= 1;
        }
    }

    /// A row is decided.
    pub(super) fn decided(&mut self, part: i64, outcome: &RowOutcome) {
        // whoever takes the run up looks for it: its intent stays
        if is_unanswered(outcome) {
            return;
        }
        let Some(underway) = self.underway.remove(&(part, outcome.row.id)) else {
            return;
        };
        self.gone(underway);
        let step = match outcome.status {
            Status::Loaded if !underway.doubtful => Step::Confirmed {
                content: Content {
                    shape: underway.shape,
                    hash: underway.hashes.content,
                    at: QuarterHour::of(outcome.finished_at),
                },
                key: outcome.row.key.as_str().to_owned(),
                remote_id: outcome.remote_id.clone(),
            },
            Status::Loaded
            | Status::Unchanged
            | Status::Rejected
            | Status::Failed
            | Status::Duplicate
            | Status::Unconfirmed
            | Status::NotSent => Step::Void(underway.shape),
        };
        self.steps
            .push((underway.shape, underway.hashes.key.into(), step));
    }

    /// An intent has none but undecided rows left, or is not there any more.
    fn shortened(&mut self, intent: i64) {
        match self.intents.get_mut(&intent) {
            Some(own) if own.left > 0 => own.rows = own.left,
            _ => drop(self.intents.remove(&intent)),
        }
    }

    /// What was written is durable: the steps count from here on.
    pub(super) fn durable(&mut self, pending: &Mutex<Pending>) {
        let mut pending = pending.lock().unwrap_or_else(PoisonError::into_inner);
        for (shape, mark, step) in self.steps.drain(..) {
            pending.take(shape, mark.0, step);
        }
    }
}

/// Whether a row has an outcome that stays: not that of a batch that was given up while its fate is open, nor that of calls
/// without an answer.
fn decided() -> String {
    format!(
        "SELECT 1 FROM row WHERE part = ? AND row = ? AND NOT ({UNANSWERED}) AND NOT EXISTS
         (SELECT 1 FROM batch WHERE batch.part = row.part AND batch.batch = row.batch AND batch.state < 2)"
    )
}

/// Writes out what waits, merges it into the pages when it is time to, and drops from the intents what is decided or belongs
/// to a run that is over. Blocks. `of` is the run that goes on, if one does: it knows which of its rows are decided.
///
/// # Errors
/// When the ledger cannot be read or written.
pub(super) fn fold(
    db: &mut Connection,
    pending: &Mutex<Pending>,
    when: Merge,
    mut of: Option<&mut Remember>,
) -> rusqlite::Result<()> {
    let lock = || pending.lock().unwrap_or_else(PoisonError::into_inner);
    let (waiting, shapes) = lock().begin_fold();
    failpoint::Step::Merge.before();
    layers::write(db, &shapes, &waiting, when)?;
    failpoint::Step::Merge.after();
    lock().end_fold();
    // only now: until then the intents are all that brings back, after a crash, what was not merged
    let transaction = db.transaction()?;
    for (intent, left) in shorter(&transaction, of.as_deref())? {
        if left.is_empty() {
            transaction
                .prepare_cached("DELETE FROM intent WHERE seq = ?")?
                .execute([intent])?;
        } else {
            transaction
                .prepare_cached("UPDATE intent SET entries = ? WHERE seq = ?")?
                .execute(params![encode_intent(left.iter().copied()), intent])?;
        }
        if let Some(of) = &mut of {
            of.shortened(intent);
        }
    }
    transaction.commit()
}

/// The intents that have rows which are decided or belong to a run that is over, with the rows that stay in each.
fn shorter(db: &Connection, of: Option<&Remember>) -> rusqlite::Result<Vec<(i64, IntentRows)>> {
    let mut shorter = Vec::new();
    let mut query = db.prepare(
        "SELECT seq, part, state, entries FROM intent JOIN stage USING (part) JOIN run USING (run)",
    )?;
    let mut decided = db.prepare(&decided())?;
    let mut intents = query.query([])?;
    while let Some(intent) = intents.next()? {
        let (seq, part): (i64, i64) = (intent.get(0)?, intent.get(1)?);
        let own = of.and_then(|of| Some((of, of.intents.get(&seq)?)));
        let mut left = Vec::new();
        let rows = match own {
            Some((_, own)) if own.left == own.rows => continue,
            Some((_, own)) if own.left == 0 => own.rows,
            Some((of, own)) => {
                let here = |row| of.underway.get(&(part, row));
                let rows = rows_of(intent, 3)?.into_iter();
                left.extend(
                    rows.filter(|(row, _)| here(*row).is_some_and(|row| row.intent == seq)),
                );
                own.rows
            }
            None => {
                let open = intent.get::<_, i64>(2)? == 0;
                let rows = rows_of(intent, 3)?;
                let count = rows.len();
                for (row, hashes) in rows {
                    if open && !decided.exists(params![part, row.0])? {
                        left.push((row, hashes));
                    }
                }
                count
            }
        };
        if left.len() < rows {
            shorter.push((seq, left));
        }
    }
    Ok(shorter)
}

/// Brings back what was not merged when the program ended, and merges it. Blocks.
///
/// # Errors
/// When the ledger cannot be read or written.
pub(super) fn recover(db: &mut Connection, pending: &Mutex<Pending>) -> rusqlite::Result<()> {
    {
        let mut pending = pending.lock().unwrap_or_else(PoisonError::into_inner);
        load_shapes(db, &mut pending)?;
        let mut query = db.prepare(
            "SELECT part, shape, doubtful, entries FROM intent JOIN stage USING (part)
             WHERE shape IS NOT NULL ORDER BY seq",
        )?;
        let mut outcome = db.prepare(
            "SELECT row.status, row.key, row.remote_id, coalesce(row.finished_at, batch.settled_at)
             FROM row LEFT JOIN batch USING (part, batch) WHERE part = ? AND row.row = ?",
        )?;
        let mut intents = query.query([])?;
        while let Some(intent) = intents.next()? {
            let part: i64 = intent.get(0)?;
            let (shape, doubtful): (u32, bool) = (intent.get(1)?, intent.get(2)?);
            for (row, hashes) in rows_of(intent, 3)? {
                let mark = KeyMark::from(hashes.key).0;
                pending.take(shape, mark, Step::Void(shape));
                let loaded = outcome
                    .query_row(params![part, row.0], |row| {
                        let status: u8 = row.get(0)?;
                        if status != Status::Loaded as u8 {
                            return Ok(None);
                        }
                        Ok(Some(Step::Confirmed {
                            content: Content {
                                shape,
                                hash: hashes.content,
                                at: QuarterHour::of(row.get(3)?),
                            },
                            key: row.get(1)?,
                            remote_id: row.get(2)?,
                        }))
                    })
                    .optional()?
                    .flatten();
                if let Some(step) = loaded.filter(|_| !doubtful) {
                    pending.take(shape, mark, step);
                }
            }
        }
    }
    fold(db, pending, Merge::AFTER, None)
}

/// The number of a shape and its maps, given them where it has none yet.
///
/// # Errors
/// When the ledger cannot be read or written.
pub(super) fn register(
    db: &Connection,
    site: &str,
    entity: Entity,
    shape: &Shape,
) -> rusqlite::Result<(u32, KnownShape)> {
    let mut fields = shape.fields.clone();
    fields.sort();
    fields.dedup();
    let named = serde_json::to_string(&fields)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let mapping = format!("{:032x}", shape.mapping);
    let values = params![site, entity.name(), mapping, shape.family, named];
    db.execute(
        "INSERT OR IGNORE INTO shape (site, entity, mapping, family, fields) VALUES (?, ?, ?, ?, ?)",
        values,
    )?;
    for kind in 0..2 {
        db.execute(
            "INSERT OR IGNORE INTO map (site, entity, kind) VALUES (?, ?, ?)",
            params![site, entity.name(), kind],
        )?;
    }
    let number = number_of(db, site, entity, shape)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let maps = maps_of(db, site, entity)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok((number, KnownShape { maps, fields }))
}

/// The number of a shape that has one.
pub(super) fn number_of(
    db: &Connection,
    site: &str,
    entity: Entity,
    shape: &Shape,
) -> rusqlite::Result<Option<u32>> {
    let mut fields = shape.fields.clone();
    fields.sort();
    fields.dedup();
    let named = serde_json::to_string(&fields)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let mapping = format!("{:032x}", shape.mapping);
    db.query_row(
        "SELECT shape FROM shape WHERE site = ? AND entity = ? AND mapping = ? AND family = ? AND fields = ?",
        params![site, entity.name(), mapping, shape.family, named],
        |row| row.get(0),
    )
    .optional()
}

/// The maps of a kind of record on a site, if it has some.
pub(super) fn maps_of(
    db: &Connection,
    site: &str,
    entity: Entity,
) -> rusqlite::Result<Option<Maps>> {
    db.query_row(
        "SELECT entries.map, identities.map FROM map AS entries JOIN map AS identities USING (site, entity, layer)
         WHERE site = ? AND entity = ? AND layer = 0 AND entries.kind = 0 AND identities.kind = 1",
        [site, entity.name()],
        |row| {
            Ok(Maps {
                entries: row.get(0)?,
                identities: row.get(1)?,
            })
        },
    )
    .optional()
}

fn load_shapes(db: &Connection, pending: &mut Pending) -> rusqlite::Result<()> {
    let mut query = db.prepare("SELECT shape, site, entity, fields FROM shape")?;
    let mut shapes = query.query([])?;
    while let Some(shape) = shapes.next()? {
        let (site, entity): (String, String) = (shape.get(1)?, shape.get(2)?);
        let entity: Entity = entity.parse().map_err(|_| damaged(2))?;
        let fields = serde_json::from_str(&shape.get::<_, String>(3)?).map_err(|_| damaged(3))?;
        let maps = maps_of(db, &site, entity)?.ok_or_else(|| damaged(0))?;
        pending.add_shape(shape.get(0)?, KnownShape { maps, fields });
    }
    Ok(())
}

fn rows_of(intent: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<IntentRows> {
    let entries = intent.get_ref(column)?;
    let entries = entries.as_blob().map_err(|_| damaged(column))?;
    decode_intent(entries).ok_or_else(|| damaged(column))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::record::Record;
    use crate::ledger::tests::{begin, open, outcome, sending, sent, settled, shape};
    use crate::model::outcome::Status::{Failed, Loaded};

    /// The rows of each intent.
    fn intents(db: &Connection) -> Vec<Vec<u64>> {
        let mut query = db
            .prepare("SELECT entries FROM intent ORDER BY seq")
            .unwrap();
        let rows = query.query_map([], |intent| rows_of(intent, 0)).unwrap();
        rows.map(|rows| rows.unwrap().into_iter().map(|(row, _)| row.0).collect())
            .collect()
    }

    /// What a run knows by heart, and what the ledger says without it, are the same.
    #[test]
    fn intents_keep_the_rows_that_are_not_decided() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        let run = begin(&ledger, "r1", Some(shape(1, &["a"])));
        let rows = |ids: std::ops::RangeInclusive<u64>| ids.map(|id| sent(id, id.into(), 1));
        run.write_now(vec![
            sending(1, rows(1..=3)),
            sending(2, rows(4..=6)),
            sending(3, rows(7..=9)),
            settled(1, &[(1, Loaded), (2, Failed), (3, Loaded)]),
        ])
        .unwrap();
        // the second is refused: one of its rows is decided, the others go on by themselves
        run.write_now(vec![
            settled(2, &[(4, Failed)]),
            sending(4, rows(5..=5)),
            sending(5, rows(6..=6)),
            settled(4, &[(5, Loaded)]),
        ])
        .unwrap();
        let mut db = ledger.connect().unwrap();
        let key = db.query_row("SELECT run FROM run", [], |row| row.get(0));
        let mut remember = Remember::begin(&mut db, key.unwrap()).unwrap();
        let part = db.query_row("SELECT part FROM stage", [], |row| row.get(0));
        let part: i64 = part.unwrap();
        remember.stage(part, 1);
        let mut fold = |of: Option<&mut Remember>| {
            super::fold(&mut db, &ledger.pending, Merge::Crowded, of).unwrap();
            intents(&db)
        };
        // of a row in two intents the younger one keeps it
        assert_eq!(fold(Some(&mut remember)), [vec![7, 8, 9], vec![6]]);
        let mut ids: Vec<_> = remember.intents.values().map(|own| own.rows).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 3]);
        remember.decided(part, &outcome(8, Loaded, Some(3)));
        assert_eq!(fold(Some(&mut remember)), [vec![7, 9], vec![6]]);
        remember.decided(part, &outcome(6, Loaded, Some(5)));
        assert_eq!(fold(Some(&mut remember)), [vec![7, 9]]);
        assert_eq!(fold(None), [vec![7, 9]]);
        run.write_now(vec![
            settled(3, &[(7, Failed), (8, Loaded), (9, Failed)]),
            Record::RunFinished {
                at: 4,
                stopped: None,
            },
        ])
        .unwrap();
        assert_eq!(fold(None), Vec::<Vec<u64>>::new());
    }
}
