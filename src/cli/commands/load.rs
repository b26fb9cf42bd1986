//! `csm-loader load`: the main job.

use super::plan::{Forecaster, hold_to};
use super::show::{self, Collected};
use crate::cli::args::{LoadArgs, StageArgs};
use crate::cli::exit::{Exit, Failure};
use crate::cli::interrupted::Wanted;
use crate::cli::loader::Loader;
use crate::cli::open::{Naming, open};
use crate::cli::settings::LoadSettings;
use crate::cli::signals::{self, Watch};
use crate::engine::context::Audience;
use crate::engine::run::RunEnd;
use crate::engine::stop::Stop;
use crate::ledger::record::Invocation;
use crate::ledger::{Ledger, StateFolder};
use crate::model::clock::{Clock, SystemClock, UnixMillis};
use crate::model::entity::Entity;
use crate::report::progress::Reporters;
use chrono::{DateTime, Utc};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Runtime;
use uuid::Uuid;

/// Loads.
///
/// # Errors
/// When the settings, the inputs or the site cannot be used; nothing was sent then.
pub(in crate::cli) fn run(args: &LoadArgs) -> Result<Exit, Failure> {
    load(args, Wanted::of(args), invocation())
}

/// Loads, into the run that is wanted.
///
/// # Errors
/// As [`run`].
pub(super) fn load(
    args: &LoadArgs,
    wanted: Wanted,
    invocation: Option<Invocation>,
) -> Result<Exit, Failure> {
    let settings = LoadSettings::resolve(args, |name| std::env::var(name).ok())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let state =
        StateFolder::open(&settings.state_dir).map_err(|error| Failure::of(Exit::Input, &error))?;
    let spool = spool(&state)?;
    let runtime = runtime()?;
    let entered = runtime.enter();
    let opening = opening(&spool)?;
    let nonce = Uuid::new_v4();
    let run = run_id(clock.unix_millis(), nonce);
    let naming = Naming {
        suffix: "results",
        from_job: true,
        date: &date(clock.unix_millis()),
        run: &run,
    };
    let jobs = open(&settings.stages, &spool, &naming, &settings.contract)?;
    drop(opening);
    drop(entered);
    let ledger = Ledger::open(state).map_err(|error| Failure::of(Exit::Input, &error))?;
    let (audience, summary) = show::audience(&args.show, &clock)?;
    if let Some(most) = settings.max_changes {
        let forecaster = Forecaster {
            settings: &settings,
            ledger: Some(&ledger),
            spool: &spool,
            clock: &*clock,
            audience: &Audience::new(Box::new(Reporters::default())),
            stop: &Stop::default(),
            reached: None,
        };
        hold_to(most, &forecaster, &jobs)?;
    }
    let ended = runtime.block_on(async {
        let loader = Loader {
            settings,
            ledger,
            clock,
            audience: audience.clone(),
            nonce,
            run,
            job: job_name(&args.stage),
            invocation,
            wanted,
            retry: None,
            spool,
        };
        loader.load(jobs).await
    });
    finish(ended, &audience, &summary)
}

/// A folder for what outgrows memory, empty: what a killed run left there is nobody's any more, as the state folder is ours.
///
/// # Errors
/// When it cannot be cleared or made.
pub(super) fn spool(state: &StateFolder) -> Result<PathBuf, Failure> {
    let spool = state.path().join("spool");
    match std::fs::remove_dir_all(&spool) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            let message = format!("failed to clear {}: {error}", spool.display());
            return Err(Failure::new(Exit::Input, message));
        }
        _ => {}
    }
    state
        .folder("spool")
        .map_err(|error| Failure::of(Exit::Input, &error))
}

/// # Errors
/// When the system has no threads to give.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    Runtime::new().map_err(|error| Failure::new(Exit::Defect, format!("failed to start: {error}")))
}

/// While this lives, an interrupt ends the program.
///
/// # Errors
/// When the system does not let us listen.
pub(super) fn opening(spool: &Path) -> Result<Watch, Failure> {
    let words = "interrupted while the inputs were opened: nothing was sent";
    signals::end_at_once(spool.to_owned(), words).map_err(|error| {
        let message = format!("failed to listen for signals: {error}");
        Failure::new(Exit::Defect, message)
    })
}

/// Shows how a run ended.
///
/// # Errors
/// Those that it ended with.
pub(super) fn finish(
    ended: Result<RunEnd, Failure>,
    audience: &Audience,
    summary: &Collected,
) -> Result<Exit, Failure> {
    audience.finish();
    let end = ended?;
    // a reader that goes away has seen enough
    let _ = io::stdout().write_all(summary.text().as_bytes());
    Ok(match end {
        RunEnd {
            never_let_in: true, ..
        } => Exit::Input,
        RunEnd {
            stopped: Some(_), ..
        } => Exit::Stopped,
        RunEnd { counts, .. } if counts.any_not_loaded() => Exit::RowsLeft,
        RunEnd { .. } => Exit::Done,
    })
}

/// How this process was started; `None` where that is no text.
pub(super) fn invocation() -> Option<Invocation> {
    let folder = std::env::current_dir().ok()?;
    let arguments = std::env::args_os().skip(1);
    let arguments: Option<Vec<_>> = arguments.map(|word| word.into_string().ok()).collect();
    Some(Invocation {
        folder: folder.to_str()?.to_owned(),
        arguments: arguments?,
    })
}

/// `20260131-081500-3f9a2c`: sorts by time, and is unique.
pub(super) fn run_id(now: UnixMillis, nonce: Uuid) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis(now).unwrap_or_default();
    format!(
        "{}-{}",
        time.format("%Y%m%d-%H%M%S"),
        &nonce.simple().to_string()[..6]
    )
}

/// `2026-01-31`
pub(super) fn date(now: UnixMillis) -> String {
    DateTime::<Utc>::from_timestamp_millis(now)
        .unwrap_or_default()
        .format("%Y-%m-%d")
        .to_string()
}

/// What makes two loads the same job: the job file's place, or what was typed instead of one.
pub(super) fn job_name(args: &StageArgs) -> String {
    if let Some(job) = &args.job {
        let place = job.canonicalize().unwrap_or_else(|_| job.clone());
        return place.display().to_string();
    }
    let entity = args.entity.map(Entity::name);
    let mapping = args.mapping.as_ref().map(|path| path.display().to_string());
    let words = entity.into_iter().map(str::to_owned).chain(mapping);
    let words: Vec<_> = words.chain(args.input.iter().cloned()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_by_time() {
        let id = run_id(1_769_847_300_000, Uuid::nil());
        assert_eq!(id, "20260131-081500-000000");
        assert_eq!(date(1_769_847_300_000), "2026-01-31");
    }
}
