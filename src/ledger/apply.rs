//! What each record does to the tables, and to what is remembered.

use super::body::Packed;
use super::call::{erase_all_calls, erase_call, erase_calls, insert_call};
use super::insert::{Settled, insert_batch, insert_rows, insert_stage, settle_batch, unwritable};
use super::pending::Pending;
use super::progress;
use super::record::{Record, StageHeader};
use super::remember::{self, Remember};
use super::said::Said;
use crate::model::outcome::{Counts, RowOutcome, Status};
use rusqlite::{Connection, Transaction, params};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The parts of a run, by stage.
#[derive(Debug)]
pub(super) struct Parts(HashMap<u32, Part>);

/// A stage that has begun.
#[derive(Debug, Clone, Copy)]
struct Part {
    part: i64,
    /// Its rows that are written, by status: to count them all at its end would be to read them all.
    counts: Counts,
}

impl Parts {
    /// Those of the stages that have begun.
    pub(super) fn of(db: &Connection, run: i64) -> rusqlite::Result<Self> {
        let mut query = db.prepare("SELECT stage, part FROM stage WHERE run = ?")?;
        let mut stages = query.query([run])?;
        let mut parts = HashMap::new();
        while let Some(stage) = stages.next()? {
            let part = stage.get(1)?;
            let counts = progress::count(db, part)?;
            parts.insert(stage.get(0)?, Part { part, counts });
        }
        Ok(Self(parts))
    }

    /// A record of a stage that never began is a defect.
    fn get(&self, stage: u32) -> rusqlite::Result<i64> {
        self.0.get(&stage).map(|part| part.part).ok_or_else(begun)
    }

    fn add(&mut self, stage: u32, outcomes: &[RowOutcome]) -> rusqlite::Result<()> {
        let part = self.0.get_mut(&stage).ok_or_else(begun)?;
        for outcome in outcomes {
            part.counts.add(outcome.status, 1);
        }
        Ok(())
    }
}

fn begun() -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure("the stage has not begun".into())
}

/// One transaction.
pub(super) struct Writing<'a> {
    pub(super) db: &'a Transaction<'a>,
    pub(super) run: i64,
    pub(super) parts: &'a mut Parts,
    pub(super) said: &'a mut Said,
    pub(super) remember: &'a mut Remember,
    pub(super) pending: &'a Mutex<Pending>,
}

impl Writing<'_> {
    /// Writes one record, with what is kept with it.
    ///
    /// # Errors
    /// When it cannot be written, or is about something that was never begun.
    pub(super) fn record(&mut self, record: &Record, kept: &[Packed]) -> rusqlite::Result<()> {
        let Self { db, run, .. } = *self;
        match record {
            Record::StageStarted(header) => self.stage(header),
            Record::StageRead { stage, rows } => {
                let part = self.parts.get(*stage)?;
                let sql = "UPDATE file SET rows = ? WHERE part = ? AND file = ?";
                let mut update = db.prepare_cached(sql)?;
                for (file, rows) in (0_u32..).zip(rows) {
                    expect_one(update.execute(params![rows, part, file])?)?;
                }
                let sql = "UPDATE stage SET rows = ? WHERE part = ?";
                let all: u64 = rows.iter().sum();
                db.execute(sql, params![all, part]).and_then(expect_one)
            }
            Record::Sending {
                stage,
                batch,
                key,
                rows,
                at,
                ..
            } => {
                let part = self.parts.get(*stage)?;
                for packed in kept {
                    insert_batch(db, part, *batch, key, *at, packed)?;
                }
                self.remember.sending(db, part, rows)
            }
            Record::Calling { stage, rows, .. } => {
                let part = self.parts.get(*stage)?;
                for (row, packed) in rows.iter().zip(kept) {
                    insert_call(db, part, row.row.id, packed)?;
                }
                self.remember.sending(db, part, rows)
            }
            Record::Accepted {
                stage,
                batch,
                task,
                trace_id,
            } => db
                .prepare_cached(
                    "UPDATE batch SET state = 1, task_id = ?, trace_id = ? WHERE part = ? AND batch = ?",
                )?
                .execute(params![task.0, trace_id, self.parts.get(*stage)?, batch.0])
                .and_then(expect_one),
            Record::Settled {
                stage,
                batch,
                trace_id,
                outcomes,
                at,
            } => {
                let part = self.parts.get(*stage)?;
                let settled = Settled {
                    batch: *batch,
                    at: *at,
                    attempts: outcomes.first().map_or(0, |outcome| outcome.attempts),
                };
                settle_batch(db, part, settled, trace_id.as_deref())?;
                self.outcomes(*stage, outcomes, Some(settled))
            }
            Record::Suspended {
                stage, outcomes, ..
            } => {
                // nothing is decided: what is remembered of its rows stays as its intent left it
                insert_rows(db, self.said, self.parts.get(*stage)?, outcomes, None)?;
                self.parts.add(*stage, outcomes)
            }
            Record::Rows { stage, outcomes } => {
                self.outcomes(*stage, outcomes, None)
            }
            Record::StageFinished { stage, at } => {
                let part = self.parts.get(*stage)?;
                erase_calls(db, part)?;
                let counts = self.parts.0.get(stage).ok_or_else(begun)?.counts;
                let counts = Status::ALL.map(|status| counts.of(status));
                let counts = serde_json::to_string(&counts).map_err(unwritable)?;
                let sql = "UPDATE stage SET finished_at = ?, counts = ? WHERE part = ?";
                db.execute(sql, params![at, counts, part]).map(drop)
            }
            Record::RunFinished { at, stopped } => {
                if stopped.is_none() {
                    erase_all_calls(db, run)?;
                }
                db.execute(
                    "UPDATE run SET finished_at = ?1, stopped = ?2, state = ?2 IS NULL WHERE run = ?3",
                    params![at, stopped, run],
                )
                .map(drop)
            }
        }
    }

    fn stage(&mut self, header: &StageHeader) -> rusqlite::Result<()> {
        let shape = match &header.shape {
            None => None,
            Some(shape) => {
                let sql = "SELECT site FROM run WHERE run = ?";
                let site: String = self.db.query_row(sql, [self.run], |row| row.get(0))?;
                let (number, known) = remember::register(self.db, &site, header.entity, shape)?;
                // known before it is durable, which does no harm: nothing is taken under it until then
                let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
                pending.add_shape(number, known);
                Some(number)
            }
        };
        let part = if let Some(part) = self.parts.0.get(&header.stage) {
            part.part
        } else {
            let part = insert_stage(self.db, self.run, header, shape)?;
            let counts = Counts::default();
            self.parts.0.insert(header.stage, Part { part, counts });
            part
        };
        if let Some(shape) = shape {
            self.remember.stage(part, shape);
        }
        Ok(())
    }

    fn outcomes(
        &mut self,
        stage: u32,
        outcomes: &[RowOutcome],
        settled: Option<Settled>,
    ) -> rusqlite::Result<()> {
        let part = self.parts.get(stage)?;
        insert_rows(self.db, self.said, part, outcomes, settled)?;
        self.parts.add(stage, outcomes)?;
        for outcome in outcomes {
            self.remember.decided(part, outcome);
            if settled.is_none() {
                erase_call(self.db, part, outcome)?;
            }
        }
        Ok(())
    }
}

/// A record about something that was never begun is a defect, and must not pass.
pub(super) fn expect_one(changed: usize) -> rusqlite::Result<()> {
    match changed {
        1 => Ok(()),
        other => Err(rusqlite::Error::StatementChangedRows(other)),
    }
}
