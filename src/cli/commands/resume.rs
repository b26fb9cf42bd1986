//! `csm-loader resume`: goes on with a run that was interrupted, as it was started.

use super::load::load;
use super::retry::retry;
use crate::cli::args::{Args, Command, ResumeArgs};
use crate::cli::exit::{Exit, Failure};
use crate::cli::interrupted::Wanted;
use crate::ledger::{Reader, RunInfo, RunState};
use clap::Parser;
use std::path::absolute;

/// Continues a run.
///
/// # Errors
/// When there is none to continue, or what it reads, or how it maps or cuts batches, has changed.
pub(in crate::cli) fn run(args: &ResumeArgs) -> Result<Exit, Failure> {
    let unusable = |message: String| Failure::new(Exit::Input, message);
    let folder = absolute(&args.state.state_dir)
        .map_err(|error| unusable(format!("failed to find the state folder: {error}")))?;
    let run = wanted(args)?;
    let Some(invocation) = &run.invocation else {
        return Err(unusable(format!(
            "the ledger does not say how run {} was started; call `load` again as it was called then",
            run.id
        )));
    };
    // relative paths mean what they meant then
    std::env::set_current_dir(&invocation.folder).map_err(|error| {
        let folder = &invocation.folder;
        unusable(format!(
            "run {} was started in {folder}, which cannot be entered: {error}",
            run.id
        ))
    })?;
    let words =
        std::iter::once("csm-loader").chain(invocation.arguments.iter().map(String::as_str));
    let typed = Args::try_parse_from(words).map(|args| args.command);
    let wanted = Wanted::Resume(run.id.clone());
    match typed {
        Ok(Command::Load(mut typed)) => {
            typed.stage.state_dir = Some(folder);
            typed.show = args.show.clone();
            load(&typed, wanted, run.invocation.clone())
        }
        Ok(Command::Retry(mut typed)) => {
            typed.state_dir = Some(folder);
            typed.show = args.show.clone();
            retry(&typed, wanted, run.invocation.clone())
        }
        _ => Err(unusable(format!(
            "run {} was started by a command that cannot be repeated: csm-loader {}",
            run.id,
            invocation.arguments.join(" ")
        ))),
    }
}

/// The run that is named, or the last that can be continued.
fn wanted(args: &ResumeArgs) -> Result<RunInfo, Failure> {
    let unusable = |error| Failure::of(Exit::Input, &error);
    let reader = Reader::open(&args.state.state_dir).map_err(unusable)?;
    if let Some(run) = &args.run {
        return reader.find(run).map_err(unusable);
    }
    let runs = reader.runs().map_err(unusable)?;
    let mut open = runs.into_iter().filter(|run| run.state == RunState::Open);
    open.next_back().ok_or_else(|| {
        let folder = args.state.state_dir.display();
        let message = format!(
            "the ledger in {folder} has no run to continue; `csm-loader runs` lists those it has"
        );
        Failure::new(Exit::Input, message)
    })
}
