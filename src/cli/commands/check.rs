//! `csm-loader check`: reads, maps and validates without a site.

use super::{load, show};
use crate::cli::args::CheckArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::open::{Naming, open};
use crate::cli::settings::CheckSettings;
use crate::engine::check::{CheckError, Checked, Checker};
use crate::engine::stop::Stop;
use crate::ledger::private_folder;
use crate::model::clock::{Clock, SystemClock};
use std::io::{self, Write};
use std::sync::Arc;

/// Checks.
///
/// # Errors
/// When the settings or the inputs cannot be used.
pub(in crate::cli) fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let settings = CheckSettings::resolve(&args.stage)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // no lock: a check writes unnamed files alone, and may run beside a load
    let spool = private_folder(settings.state_dir.join("spool"))
        .map_err(|error| Failure::of(Exit::Input, &error))?;
    let naming = Naming {
        suffix: "rejected",
        from_job: args.stage.results.is_some(),
        date: &load::date(clock.unix_millis()),
        run: "check",
    };
    let jobs = open(&settings.stages, &spool, &naming)?;
    let (audience, _) = show::audience(&args.show, &clock)?;
    let mut all_good = true;
    let mut said = String::new();
    for (stage, job) in (0_u32..).zip(&jobs) {
        let checker = Checker {
            stage,
            job,
            spool: &spool,
            audience: &audience,
            stop: &Stop::default(),
            clock: &*clock,
        };
        let found: Checked = checker
            .run()
            .map_err(|error: CheckError| Failure::of(Exit::Input, &error))?;
        all_good &= found.all_good();
        said.push_str(&found.to_string());
    }
    audience.finish();
    // a reader that goes away has seen enough
    let _ = io::stdout().write_all(said.as_bytes());
    Ok(if all_good { Exit::Done } else { Exit::RowsLeft })
}
