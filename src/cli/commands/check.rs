//! `csm-loader check`: reads, maps and validates without a site.

use super::{load, show};
use crate::cli::args::CheckArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::open::{Naming, open};
use crate::cli::settings::CheckSettings;
use crate::cli::signals;
use crate::engine::check::{CheckError, Checker};
use crate::engine::stop::Stop;
use crate::ledger::{LedgerError, private_folder};
use crate::model::clock::{Clock, SystemClock};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// Checks.
///
/// # Errors
/// When the settings or the inputs cannot be used.
pub(in crate::cli) fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let settings = CheckSettings::resolve(&args.stage)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let spool = spool(&settings.state_dir).map_err(|error| Failure::of(Exit::Input, &error))?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::new(Exit::Defect, format!("failed to start: {error}")))?;
    let _entered = runtime.enter();
    let _watch = signals::end_at_once(spool.path().to_owned(), "interrupted").map_err(|error| {
        Failure::new(
            Exit::Defect,
            format!("failed to listen for signals: {error}"),
        )
    })?;
    let naming = Naming {
        suffix: "rejected",
        from_job: args.stage.results.is_some(),
        date: &load::date(clock.unix_millis()),
        run: "check",
    };
    let jobs = open(&settings.stages, spool.path(), &naming, &settings.contract)?;
    let (audience, _) = show::audience(&args.show, &clock)?;
    let mut all_good = true;
    let mut failed = None;
    let mut said = String::new();
    for (stage, job) in (0_u32..).zip(&jobs) {
        let checker = Checker {
            stage,
            job,
            spool: spool.path(),
            audience: &audience,
            stop: &Stop::default(),
            clock: &*clock,
        };
        match checker.run() {
            Ok(found) => {
                all_good &= found.all_good();
                said.push_str(&found.to_string());
            }
            Err(error) => {
                failed = Some(Failure::of(exit_of(&error), &error));
                break;
            }
        }
    }
    audience.finish();
    // a reader that goes away has seen enough
    let _ = io::stdout().write_all(said.as_bytes());
    if let Some(failure) = failed {
        return Err(failure);
    }
    Ok(if all_good { Exit::Done } else { Exit::RowsLeft })
}

/// A private folder for what outgrows memory: in the state folder, which has room for a load too, or in the system's
/// temporary one where that may not be written, as nothing of the state is needed. No lock: a check may run beside a load.
fn spool(state: &Path) -> Result<TempDir, LedgerError> {
    let make = |folder: &Path| {
        let folder = private_folder(folder.to_owned())?;
        let spool = tempfile::Builder::new()
            .prefix("check-")
            .tempdir_in(&folder);
        spool.map_err(|source| LedgerError::Folder { folder, source })
    };
    make(state).or_else(|error| {
        let forbidden = matches!(&error, LedgerError::Folder { source, .. }
            if [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem].contains(&source.kind()));
        if forbidden {
            make(&std::env::temp_dir()).map_err(|_| error)
        } else {
            Err(error)
        }
    })
}

/// Bugs are told from circumstances.
fn exit_of(error: &CheckError) -> Exit {
    match error {
        CheckError::Publish(error) if error.is_defect() => Exit::Defect,
        CheckError::Survey(_) | CheckError::Publish(_) | CheckError::Spill(_) => Exit::Input,
    }
}
