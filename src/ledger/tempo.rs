//! How fast a site was: the times of the last tasks and the last single calls of an earlier run.

use super::error::LedgerError;
use super::reader::Reader;
use crate::model::clock::UnixMillis;
use crate::model::entity::Entity;
use rusqlite::{OptionalExtension, params};

/// Batches that are looked at.
const LAST: u64 = 64;

/// Rows at the end of a stage among which those that were written by single calls are looked for.
const LAST_ROWS: u64 = 20_000;
/// Stages that are looked at for such rows.
const STAGES: u64 = 3;

/// A bulk request whose task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastTask {
    /// Its rows.
    pub rows: u64,
    /// When it was about to leave.
    pub sent_at: UnixMillis,
    /// When its rows were decided.
    pub settled_at: UnixMillis,
}

impl Reader {
    /// The last tasks of the latest stage that loaded such records into the site by bulk requests, in the order of their
    /// ends; none where there was no such stage.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn past_tasks(&self, site: &str, entity: Entity) -> Result<Vec<PastTask>, LedgerError> {
        let mut latest = self.prepare(
            "SELECT part FROM stage JOIN run USING (run)
             WHERE site = ? AND entity = ?
               AND EXISTS (SELECT 1 FROM batch WHERE batch.part = stage.part AND state = 2 AND task_id IS NOT NULL)
             ORDER BY part DESC LIMIT 1",
        )?;
        let part: Option<i64> = latest
            .query_row(params![site, entity.name()], |row| row.get(0))
            .optional()
            .map_err(self.failed())?;
        let Some(part) = part else {
            return Ok(Vec::new());
        };
        // rows are not found by batch: they are counted once, for all batches
        let mut tasks = self.prepare(
            "WITH last AS (
                 SELECT batch FROM batch WHERE part = ?1 AND state = 2 AND task_id IS NOT NULL
                 ORDER BY batch DESC LIMIT ?2),
             sized AS (
                 SELECT batch, count(*) AS items FROM row
                 WHERE part = ?1 AND batch IN (SELECT batch FROM last)
                 GROUP BY batch)
             SELECT items, sent_at, settled_at FROM batch JOIN sized USING (batch)
             WHERE part = ?1 AND state = 2 AND task_id IS NOT NULL AND settled_at >= sent_at
             ORDER BY settled_at, batch",
        )?;
        let found = tasks.query_map(params![part, LAST], |row| {
            Ok(PastTask {
                rows: row.get(0)?,
                sent_at: row.get(1)?,
                settled_at: row.get(2)?,
            })
        });
        let found = found.map_err(self.failed())?;
        found.collect::<Result<_, _>>().map_err(self.failed())
    }

    /// When the last rows were decided that single calls wrote, in that order, in the latest stage of such records that has
    /// some near its end; none where no such stage is known.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn past_calls(&self, site: &str, entity: Entity) -> Result<Vec<UnixMillis>, LedgerError> {
        let mut stages = self.prepare(
            "SELECT part FROM stage JOIN run USING (run)
             WHERE site = ? AND entity = ? ORDER BY part DESC LIMIT ?",
        )?;
        let parts = stages
            .query_map(params![site, entity.name(), STAGES], |row| row.get(0))
            .map_err(self.failed())?;
        let parts: Vec<i64> = parts.collect::<Result<_, _>>().map_err(self.failed())?;
        // rows are not found by route: only the last ones are looked at
        let mut rows = self.prepare(
            "SELECT finished_at FROM (
                 SELECT sent, finished_at FROM row WHERE part = ? ORDER BY row DESC LIMIT ?)
             WHERE sent % 3 = 2 AND finished_at IS NOT NULL ORDER BY finished_at",
        )?;
        for part in parts {
            let found = rows.query_map(params![part, LAST_ROWS], |row| row.get(0));
            let found = found.map_err(self.failed())?;
            let found: Vec<UnixMillis> = found.collect::<Result<_, _>>().map_err(self.failed())?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }
}
