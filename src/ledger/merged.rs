//! A run together with the runs that loaded its rows again: the newest outcome of each row.

use super::error::LedgerError;
use super::read::StoredRow;
use super::reader::Reader;

impl Reader {
    /// The stages that load rows of this stage again, also those that load rows of those again: run and stage of each.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn retries_of_stage(
        &self,
        run: &str,
        stage: u32,
    ) -> Result<Vec<(String, u32)>, LedgerError> {
        let mut found = Vec::new();
        let mut asked = vec![(run.to_owned(), stage)];
        while let Some((run, stage)) = asked.pop() {
            for retry in self.retries_of(&run)? {
                for info in self.stages(&retry.id)? {
                    let again = (retry.id.clone(), info.header.stage);
                    if info.header.retries == Some(stage) && !found.contains(&again) {
                        found.push(again.clone());
                        asked.push(again);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Calls `each` for every decided row of a stage, in row order, with the outcome that a retry gave it last, if one did.
    /// Its file and line stay those of the stage. A retry that stopped before a row says nothing about it. Stops at the
    /// first error of `each`.
    ///
    /// # Errors
    /// When the ledger cannot be read, or `each` fails.
    pub fn each_merged_row<E: From<LedgerError>>(
        &self,
        run: &str,
        stage: u32,
        mut each: impl FnMut(StoredRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut parts = Vec::new();
        for (run, stage) in self.retries_of_stage(run, stage)? {
            parts.push(self.part(&run, stage)?.to_string());
        }
        let sql = format!("{} ORDER BY base.row", newest_of(&parts));
        let mut query = self.db.prepare(&sql).map_err(self.failed())?;
        let mut rows = query
            .query([self.part(run, stage)?])
            .map_err(self.failed())?;
        while let Some(row) = rows.next().map_err(self.failed())? {
            each(StoredRow::read(row).map_err(self.failed())?)?;
        }
        Ok(())
    }
}

/// The rows of a stage (its part is the first parameter), each with the newest outcome that one of these parts gave it, in
/// the shape of [`StoredRow::read`].
pub(super) fn newest_of(parts: &[String]) -> String {
    format!(
        "SELECT base.row, base.file, base.row + base.line_offset, last.key, last.status, said.reasons, last.remote_id,
                last.sent, last.batch, batch.attempts, coalesce(last.finished_at, batch.settled_at), batch.task_id,
                batch.trace_id
         FROM row AS base
         CROSS JOIN row AS last ON last.row = base.row AND last.part = coalesce(
             (SELECT max(part) FROM row AS newer
              WHERE newer.part IN ({}) AND newer.row = base.row AND newer.status <> 6), base.part)
         LEFT JOIN batch ON batch.part = last.part AND batch.batch = last.batch
         LEFT JOIN said ON said.said = last.said
         WHERE base.part = ?",
        parts.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use crate::ledger::tests::{open, retry as run};
    use crate::ledger::{Ledger, LedgerError};
    use crate::model::outcome::Status::{self, Failed, Loaded, NotSent, Rejected, Unconfirmed};

    fn merged(ledger: &Ledger, run: &str) -> Vec<(u64, Status)> {
        let mut rows = Vec::new();
        let told = ledger.reader().unwrap().each_merged_row(run, 0, |row| {
            rows.push((row.row, row.status));
            Ok::<_, LedgerError>(())
        });
        told.unwrap();
        rows
    }

    #[test]
    fn the_newest_outcome_of_a_row_wins_through_retries_of_retries() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        run(
            &ledger,
            "r1",
            None,
            &[
                (1, Loaded),
                (2, Failed),
                (3, Failed),
                (4, Rejected),
                (5, Failed),
            ],
        );
        assert_eq!(merged(&ledger, "r1")[1], (2, Failed));
        run(
            &ledger,
            "r2",
            Some(("r1", 0)),
            &[(2, Loaded), (3, Rejected), (5, Unconfirmed)],
        );
        run(&ledger, "other", Some(("r1", 7)), &[(1, Failed)]);
        run(&ledger, "unrelated", None, &[(1, Failed)]);
        run(&ledger, "r3", Some(("r2", 0)), &[(3, Loaded), (5, NotSent)]);
        run(&ledger, "r4", Some(("r1", 0)), &[(4, Loaded)]);
        assert_eq!(
            merged(&ledger, "r1"),
            [
                (1, Loaded),
                (2, Loaded),
                (3, Loaded),
                (4, Loaded),
                (5, Unconfirmed)
            ]
        );
        // from the middle of the chain: its rows alone
        assert_eq!(
            merged(&ledger, "r2"),
            [(2, Loaded), (3, Loaded), (5, Unconfirmed)]
        );
    }
}
