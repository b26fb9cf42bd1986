//! `csm-loader runs`: the runs that a state folder holds.

use crate::cli::args::StateDirArgs;
use crate::cli::exit::{Exit, Failure};
use crate::ledger::{LedgerError, Reader, RunInfo, RunState};
use crate::model::outcome::Counts;
use crate::report::figures;
use std::fmt::Write as _;
use std::io::{self, Write as _};

/// Lists them, oldest first. A run may be under way.
///
/// # Errors
/// When the ledger cannot be read.
pub(in crate::cli) fn run(args: &StateDirArgs) -> Result<Exit, Failure> {
    let text = list(args).map_err(|error| Failure::of(Exit::Input, &error))?;
    // a reader that goes away has seen enough
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(Exit::Done)
}

fn list(args: &StateDirArgs) -> Result<String, LedgerError> {
    let reader = Reader::open(&args.state_dir)?;
    let mut text = String::new();
    for run in reader.runs()? {
        describe(&mut text, &run);
        for stage in reader.stages(&run.id)? {
            let counts = reader.counts(&run.id, stage.header.stage)?;
            let entity = stage.header.entity;
            let rows = rows(&counts);
            let open = match stage.finished_at {
                Some(_) => "",
                None => " (not finished)",
            };
            let _ = writeln!(text, "  {entity:<12}  {rows}{open}");
        }
    }
    if text.is_empty() {
        text.push_str("no runs\n");
    }
    Ok(text)
}

fn describe(text: &mut String, run: &RunInfo) {
    let started = figures::timestamp(run.started_at);
    let _ = writeln!(text, "{}  {started}  {}", run.id, state(run));
    let _ = writeln!(text, "  {:<12}  {}", "site", run.site);
    if let Some(job) = &run.job {
        let _ = writeln!(text, "  {:<12}  {job}", "job");
    }
    if let Some(retried) = &run.retry_of {
        let _ = writeln!(text, "  {:<12}  {retried}", "retries");
    }
    if run.resumed > 0 {
        let times = figures::counted(run.resumed.into(), "time");
        let _ = writeln!(text, "  {:<12}  {times}", "continued");
    }
}

fn state(run: &RunInfo) -> String {
    match (&run.state, &run.stopped, run.finished_at) {
        (RunState::Open, Some(why), _) => format!("open, stopped early: {why}"),
        (RunState::Open, None, None) => "open, under way or killed".into(),
        (state, _, _) => state.to_string(),
    }
}

/// `4 rows: 2 loaded, 1 rejected, 1 duplicate`
pub(super) fn rows(counts: &Counts) -> String {
    let rows = figures::counted(counts.total(), "row");
    match figures::statuses(counts, |_| true) {
        Some(statuses) => format!("{rows}: {statuses}"),
        None => rows,
    }
}
