//! What a load would do first, where an earlier run of the same job did not end.

use crate::cli::exit::{Exit, Failure};
use crate::cli::interrupted::{Interrupted, Wanted, headers};
use crate::engine::job::StageJob;
use crate::ledger::{Ledger, LedgerError, Standing};
use crate::report::figures::counted;

/// Says of the interrupted run of a job what becomes of it; nothing, where there is none. Blocks: where there is one, the
/// inputs are read, as a load reads them, to tell whether they have changed.
///
/// # Errors
/// When the ledger or an input cannot be read.
pub(super) fn told(
    wanted: &Wanted,
    ledger: &Ledger,
    job: &str,
    site: &str,
    jobs: &[StageJob],
) -> Result<Option<String>, Failure> {
    let unusable = |error: LedgerError| Failure::of(Exit::Input, &error);
    let reader = ledger.reader().map_err(unusable)?;
    let Some(old) = wanted.find(&reader, job, site)? else {
        return Ok(None);
    };
    let standing = reader.standing(&old.id).map_err(unusable)?;
    Ok(match wanted.judge(&reader, old, site, &headers(jobs)?)? {
        Interrupted::None => None,
        Interrupted::GoesOn(run, _) => Some(goes_on(&run.id, standing)),
        Interrupted::Over(run, _, why) => Some(is_over(&run.id, &why, standing)),
    })
}

fn goes_on(run: &str, standing: Standing) -> String {
    format!(
        "run {run} of this job was interrupted, and `load` goes on with it: {} decided and not sent again, {} under way; \
         what follows is what `load --new` would do",
        counted(standing.decided, "row"),
        standing.under_way,
    )
}

fn is_over(run: &str, why: &str, standing: Standing) -> String {
    format!(
        "run {run} of this job was interrupted, and `load` does not go on with it: {why}; it first settles what that has under \
         way, {}, and then does what follows",
        counted(standing.under_way, "row"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_run_is_named_with_what_becomes_of_it() {
        let standing = Standing {
            decided: 1_900,
            under_way: 1,
        };
        insta::assert_snapshot!(goes_on("r-1", standing), @"run r-1 of this job was interrupted, and `load` goes on with it: 1,900 rows decided and not sent again, 1 under way; what follows is what `load --new` would do");
        insta::assert_snapshot!(is_over("r-1", "people.csv has changed", standing), @"run r-1 of this job was interrupted, and `load` does not go on with it: people.csv has changed; it first settles what that has under way, 1 row, and then does what follows");
    }
}
