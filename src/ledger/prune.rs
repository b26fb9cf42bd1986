//! Runs that nobody asks about any more.

use super::error::LedgerError;
use super::layers::Merge;
use super::reader::{RunInfo, RunState};
use super::remember;
use super::store::Ledger;
use std::collections::BTreeSet;

/// Runs that are kept when nobody says otherwise.
pub const KEEP_RUNS: usize = 30;

impl Ledger {
    /// Removes runs with their rows, oldest first, until `keep` are left; gives their ids. Runs that can be continued stay,
    /// and so do runs whose rows a run that stays loaded again. What is remembered of the site stays.
    ///
    /// The file does not shrink at once: what is free is used again, or given back at the end of the next run.
    ///
    /// # Errors
    /// When the ledger cannot be read or written.
    pub fn prune(&self, keep: usize) -> Result<Vec<String>, LedgerError> {
        let gone = to_prune(&self.reader()?.runs()?, keep);
        let failed = self.failed("write");
        let mut db = self.connect()?;
        if !gone.is_empty() {
            // intents go with their runs
            remember::fold(&mut db, &self.pending, Merge::AFTER, None).map_err(&failed)?;
        }
        for run in &gone {
            let transaction = db.transaction().map_err(&failed)?;
            for table in ["row", "said", "body", "batch", "file", "intent"] {
                let sql = format!(
                    "DELETE FROM {table} WHERE part IN (SELECT part FROM stage JOIN run USING (run) WHERE id = ?)"
                );
                transaction.execute(&sql, [run]).map_err(&failed)?;
            }
            for sql in [
                "DELETE FROM stage WHERE run = (SELECT run FROM run WHERE id = ?)",
                "DELETE FROM run WHERE id = ?",
            ] {
                transaction.execute(sql, [run]).map_err(&failed)?;
            }
            transaction.commit().map_err(&failed)?;
        }
        Ok(gone)
    }
}

/// The ids of runs to remove; `runs` in the order in which they started.
fn to_prune(runs: &[RunInfo], keep: usize) -> Vec<String> {
    let mut stay: BTreeSet<&str> = runs
        .iter()
        .rev()
        .take(keep)
        .chain(runs.iter().filter(|run| run.state == RunState::Open))
        .map(|run| run.id.as_str())
        .collect();
    // a retry is younger than what it retries
    for run in runs.iter().rev() {
        if stay.contains(run.id.as_str()) {
            stay.extend(run.retry_of.as_deref());
        }
    }
    let gone = runs.iter().filter(|run| !stay.contains(run.id.as_str()));
    gone.map(|run| run.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, state: RunState, retry_of: Option<&str>) -> RunInfo {
        RunInfo {
            id: id.into(),
            nonce: String::new(),
            site: String::new(),
            job: None,
            state,
            stopped: None,
            retry_of: retry_of.map(str::to_owned),
            invocation: None,
            resumed: 0,
            started_at: 0,
            finished_at: None,
        }
    }

    #[test]
    fn the_oldest_go_but_none_that_is_open_or_retried_by_one_that_stays() {
        let done = || RunState::Finished;
        let by = || RunState::Superseded { by: None };
        let runs = [
            run("a", done(), None),
            run("b", RunState::Open, None),
            run("c", done(), None),
            run("d", done(), Some("c")),
            run("e", by(), None),
            run("f", done(), Some("d")),
            run("g", done(), Some("gone long since")),
        ];
        assert_eq!(to_prune(&runs, 9), [""; 0]);
        assert_eq!(to_prune(&runs, 3), ["a"]);
        assert_eq!(to_prune(&runs, 2), ["a", "e"]);
        assert_eq!(to_prune(&runs, 1), ["a", "c", "d", "e", "f"]);
        assert_eq!(to_prune(&runs, 0), ["a", "c", "d", "e", "f", "g"]);
    }
}
