//! `csm-loader retry`: the rows of a results file that did not load, once more, in a run of their own.

mod ledgered;
mod ready;
mod still;

use super::{load, show};
use crate::cli::args::RetryArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::interrupted::Wanted;
use crate::cli::loader::{Loader, RetryOf};
use crate::cli::open;
use crate::cli::settings::LoadSettings;
use crate::engine::context::Audience;
use crate::ledger::record::Invocation;
use crate::ledger::{Ledger, Reader, StateFolder};
use crate::model::clock::{Clock, SystemClock};
use crate::model::event::RunEvent;
use ledgered::Recorded;
use ready::{Ready, ready};
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

/// Loads again.
///
/// # Errors
/// When the settings, the results file, its source or the site cannot be used; nothing was sent then.
pub(in crate::cli) fn run(args: &RetryArgs) -> Result<Exit, Failure> {
    let wanted = if args.send.new {
        Wanted::New
    } else {
        Wanted::Latest
    };
    retry(args, wanted, load::invocation())
}

/// Loads again, into the run that is wanted.
///
/// # Errors
/// As [`run`].
pub(super) fn retry(
    args: &RetryArgs,
    wanted: Wanted,
    invocation: Option<Invocation>,
) -> Result<Exit, Failure> {
    let unusable = |error| Failure::of(Exit::Input, &error);
    let settings = LoadSettings::of_retry(args, |name| std::env::var(name).ok())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let state = StateFolder::open(&settings.state_dir).map_err(unusable)?;
    let spool = load::spool(&state)?;
    let runtime = load::runtime()?;
    let entered = runtime.enter();
    let opening = load::opening(&spool)?;
    // before the rows are chosen: what they were is asked of it
    let ledger = Ledger::open(state).map_err(unusable)?;
    let (nonce, now) = (Uuid::new_v4(), clock.unix_millis());
    let run = load::run_id(now, nonce);
    let (audience, summary) = show::audience(&args.show, &clock)?;
    let reopen = {
        let (args, date, run) = (args.clone(), load::date(now), run.clone());
        let (folder, contract) = (settings.state_dir.clone(), Arc::clone(&settings.contract));
        let (spool, audience) = (spool.clone(), audience.clone());
        let ours = match &wanted {
            Wanted::Resume(run) => Some(run.clone()),
            Wanted::Latest | Wanted::New => None,
        };
        move |settled: Option<&str>| {
            let reader = Reader::open(&folder).map_err(unusable)?;
            let mut recorded = Recorded::new(reader, ours.clone(), settled, &args.file);
            let ready = ready(&args, &mut recorded, &spool, &contract, &date, &run)?;
            tell(&audience, &ready, &args, &spool)?;
            Ok(ready)
        }
    };
    let opened = reopen(None).and_then(|Ready { retry_of, job, .. }| {
        let reader = ledger.reader().map_err(unusable)?;
        let of = reader.find(&retry_of).map_err(unusable)?;
        spare_results(&reader, &of.id, &job.results)?;
        Ok((of, job))
    });
    drop(opening);
    drop(entered);
    let (of, job) = match opened {
        Ok(opened) => opened,
        Err(failure) => {
            audience.finish();
            return Err(failure);
        }
    };
    let ended = runtime.block_on(async {
        let loader = Loader {
            settings,
            ledger,
            clock,
            audience: audience.clone(),
            nonce,
            run,
            job: ledgered::job_name(&of.id, &args.file),
            invocation,
            wanted,
            retry: Some(RetryOf {
                run: of,
                reopen: Arc::new(move |settled| Ok(vec![reopen(Some(settled))?.job])),
            }),
            spool,
        };
        loader.load(vec![job]).await
    });
    load::finish(ended, &audience, &summary)
}

/// Refuses to write over the results of the run whose rows are loaded again: they say what became of all its rows.
fn spare_results(reader: &Reader, run: &str, results: &Path) -> Result<(), Failure> {
    let stages = reader.stages(run);
    let stages = stages.map_err(|error| Failure::of(Exit::Input, &error))?;
    let mut old = stages
        .iter()
        .filter_map(|stage| stage.header.results.as_deref());
    if old.any(|old| open::place(Path::new(old)) == open::place(results)) {
        let message = format!(
            "the results file {} has the results of run {run}, whose rows are loaded again; name another with --results",
            results.display()
        );
        return Err(Failure::new(Exit::Input, message));
    }
    Ok(())
}

/// Says which rows are loaded again and which of them cannot be, before anything is sent.
fn tell(
    audience: &Audience,
    ready: &Ready,
    args: &RetryArgs,
    spool: &std::path::Path,
) -> Result<(), Failure> {
    let notice = |message| {
        audience.tell(&RunEvent::Notice {
            stage: None,
            message,
        });
    };
    ready.told.iter().cloned().for_each(&notice);
    still::sentences(ready, args, spool)?
        .into_iter()
        .for_each(notice);
    Ok(())
}
