//! How one row ended, whichever run of a chain of retries said so last.

use super::error::LedgerError;
use super::merged::newest_of;
use super::read::StoredRow;
use super::reader::{Reader, RunInfo, RunState};
use crate::model::outcome::Status;
use rusqlite::{OptionalExtension, params};

/// The stages that have the rows of one stage: the one that read them first, and all that loaded some of them again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The stage that it was asked for.
    part: i64,
    /// What finds a row in it.
    query: String,
}

impl Reader {
    /// The runs that are open and load rows again which this run has: itself not among them, and up and down the chain.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn open_relatives(&self, run: &str) -> Result<Vec<RunInfo>, LedgerError> {
        let mut found = Vec::new();
        let mut asked = vec![self.first_of(run)?];
        while let Some(of) = asked.pop() {
            for retry in self.retries_of(&of)? {
                asked.push(retry.id.clone());
                if retry.state == RunState::Open && retry.id != run {
                    found.push(retry);
                }
            }
        }
        Ok(found)
    }

    /// All stages that say something about the rows of this one, but for those of the run `without`.
    ///
    /// # Errors
    /// When there is no such stage, or the ledger cannot be read.
    pub fn chain(
        &self,
        run: &str,
        stage: u32,
        without: Option<&str>,
    ) -> Result<Chain, LedgerError> {
        let parts = self.parts_of_chain(run, stage, without)?;
        Ok(Chain {
            part: self.part(run, stage)?,
            query: format!("{} AND base.row = ?", newest_of(&parts)),
        })
    }

    /// Calls `each` for every row of which a stage, or another of its chain, says that it loaded or that the site held it
    /// already: its number, its shown key, and the site's id where it told one. Those of the run `without` are left out.
    ///
    /// # Errors
    /// When there is no such stage, or the ledger cannot be read.
    pub fn each_loaded(
        &self,
        run: &str,
        stage: u32,
        without: &str,
        mut each: impl FnMut(u64, &str, Option<&str>),
    ) -> Result<(), LedgerError> {
        let parts = self.parts_of_chain(run, stage, Some(without))?;
        let mut query = self.prepare(&format!(
            "SELECT row, key, remote_id FROM row WHERE part IN ({}) AND status IN ({}, {})",
            parts.join(", "),
            Status::Loaded as u8,
            Status::Unchanged as u8
        ))?;
        let mut rows = query.query([]).map_err(self.failed())?;
        while let Some(row) = rows.next().map_err(self.failed())? {
            let mut tell = || {
                let (key, id) = (row.get_ref(1)?.as_str()?, row.get_ref(2)?);
                each(row.get(0)?, key, id.as_str_or_null()?);
                rusqlite::Result::Ok(())
            };
            tell().map_err(self.failed())?;
        }
        Ok(())
    }

    /// The parts of all stages that say something about the rows of this one, but for those of the run `without`.
    fn parts_of_chain(
        &self,
        run: &str,
        stage: u32,
        without: Option<&str>,
    ) -> Result<Vec<String>, LedgerError> {
        let (first_run, first_stage) = self.first_stage_of(run, stage)?;
        let mut stages = self.retries_of_stage(&first_run, first_stage)?;
        stages.push((first_run, first_stage));
        let mut parts = Vec::new();
        for (run, stage) in stages {
            if without != Some(run.as_str()) {
                parts.push(self.part(&run, stage)?.to_string());
            }
        }
        Ok(parts)
    }

    /// How a row of a chain's stage ended: the newest outcome of it that is not `not_sent`, with the file and line that it
    /// has in the stage. `None` when the stage has no such row.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn newest_row(&self, chain: &Chain, row: u64) -> Result<Option<StoredRow>, LedgerError> {
        // SQLite has no numbers beyond, and so no such rows
        let Ok(row) = i64::try_from(row) else {
            return Ok(None);
        };
        self.db
            .prepare_cached(&chain.query)
            .and_then(|mut query| {
                query
                    .query_row(params![chain.part, row], StoredRow::read)
                    .optional()
            })
            .map_err(self.failed())
    }

    /// The run whose rows the others of the chain load again, or the oldest of them that was not pruned.
    fn first_of(&self, run: &str) -> Result<String, LedgerError> {
        let mut first = run.to_owned();
        while let Some(retried) = self.retried_by(&first)? {
            first = retried;
        }
        Ok(first)
    }

    /// The same for a stage.
    fn first_stage_of(&self, run: &str, stage: u32) -> Result<(String, u32), LedgerError> {
        let mut first = (run.to_owned(), stage);
        while let Some(retried) = self.retried_by(&first.0)? {
            let stages = self.stages(&first.0)?;
            let header = stages.into_iter().map(|info| info.header);
            let mut own = header.filter(|header| header.stage == first.1);
            let Some(stage) = own.next().and_then(|header| header.retries) else {
                break;
            };
            first = (retried, stage);
        }
        Ok(first)
    }

    /// The run that this one retries, if both are there.
    fn retried_by(&self, run: &str) -> Result<Option<String>, LedgerError> {
        self.db
            .query_row(
                "SELECT retried.id FROM run JOIN run AS retried ON retried.id = run.retry_of WHERE run.id = ?",
                [run],
                |row| row.get(0),
            )
            .optional()
            .map_err(self.failed())
    }
}

#[cfg(test)]
mod tests {
    use crate::ledger::Ledger;
    use crate::ledger::record::Record;
    use crate::ledger::tests::{open, retry as run};
    use crate::model::outcome::Status::{self, Failed, Loaded, NotSent, Rejected};

    fn newest(
        ledger: &Ledger,
        of: &str,
        without: Option<&str>,
        rows: &[u64],
    ) -> Vec<Option<Status>> {
        let reader = ledger.reader().unwrap();
        let chain = reader.chain(of, 0, without).unwrap();
        let row = |row: &u64| reader.newest_row(&chain, *row).unwrap();
        rows.iter()
            .map(|number| row(number).map(|row| row.status))
            .collect()
    }

    #[test]
    fn the_newest_outcome_counts_from_wherever_in_the_chain_one_asks() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        let rows = [(1, Loaded), (2, Failed), (3, Rejected), (4, Failed)];
        run(&ledger, "r1", None, &rows);
        let rows = [(2, Failed), (3, Loaded), (4, NotSent)];
        run(&ledger, "r2", Some(("r1", 0)), &rows);
        run(&ledger, "r3", Some(("r1", 0)), &[(2, Loaded)]);
        let all = [1, 2, 3, 4, 5, u64::MAX];
        assert_eq!(
            newest(&ledger, "r1", None, &all),
            [
                Some(Loaded),
                Some(Loaded),
                Some(Loaded),
                Some(Failed),
                None,
                None
            ]
        );
        // a sibling loaded row 2; row 1 is none of this run's
        assert_eq!(
            newest(&ledger, "r2", None, &all),
            [None, Some(Loaded), Some(Loaded), Some(Failed), None, None]
        );
        assert_eq!(
            newest(&ledger, "r1", Some("r3"), &[2, 3]),
            [Some(Failed), Some(Loaded)]
        );
    }

    #[test]
    fn runs_that_are_open_are_found_up_and_down_the_chain() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        run(&ledger, "r1", None, &[(1, Failed)]);
        run(&ledger, "r2", Some(("r1", 0)), &[(1, Failed)]);
        run(&ledger, "r3", Some(("r2", 0)), &[(1, Failed)]);
        let reader = ledger.reader().unwrap();
        let open = |of: &str| {
            let runs = reader.open_relatives(of).unwrap();
            runs.into_iter().map(|run| run.id).collect::<Vec<_>>()
        };
        assert_eq!(open("r1"), ["r2", "r3"]);
        assert_eq!(open("r2"), ["r3"]);
        let ended = Record::RunFinished {
            at: 1,
            stopped: None,
        };
        ledger.resume("r2").unwrap().write_now(vec![ended]).unwrap();
        assert_eq!(open("r1"), ["r3"]);
    }
}
