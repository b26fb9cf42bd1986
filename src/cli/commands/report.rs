//! `csm-loader report`: the results of a run again, from the ledger.

use super::runs::rows;
use crate::cli::args::ReportArgs;
use crate::cli::exit::{Exit, Failure};
use crate::engine::publish::result_row;
use crate::ledger::{LedgerError, Reader, RunInfo, StageInfo, StoredRow};
use crate::model::outcome::Counts;
use crate::report::figures;
use crate::report::results::{self, ResultsError, ResultsHeader, ResultsWriter};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Why results cannot be written again.
#[derive(Debug, thiserror::Error)]
enum ReportError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Results(#[from] ResultsError),
    #[error("run {run} retries run {retried}, which was pruned; leave out --merged")]
    Pruned { run: String, retried: String },
    #[error("run {run} ended before a stage began: it has no rows")]
    NoStage { run: String },
    #[error("the ledger names {row} of a file that it does not know; it is damaged")]
    NoFile { row: u64 },
}

/// Writes one file for each stage, and says what is in it.
///
/// # Errors
/// When there is no such run, the ledger cannot be read, or a file cannot be written.
pub(in crate::cli) fn run(args: &ReportArgs) -> Result<Exit, Failure> {
    let text = report(args).map_err(|error| Failure::of(Exit::Input, &error))?;
    // a reader that goes away has seen enough
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(Exit::Done)
}

fn report(args: &ReportArgs) -> Result<String, ReportError> {
    let reader = Reader::open(&args.state.state_dir)?;
    let mut run = reader.find(&args.run)?;
    if args.merged {
        run = first_of(&reader, run)?;
    }
    let stages = reader.stages(&run.id)?;
    if stages.is_empty() {
        return Err(ReportError::NoStage { run: run.id });
    }
    let paths = paths(args.results.as_deref(), &run.id, &stages);
    for path in &paths {
        results::check_place(path)?;
    }
    let mut text = format!("run {}, {}\n", run.id, run.state);
    for (stage, path) in stages.iter().zip(&paths) {
        let counts = write(&reader, &run, stage, path, args.merged)?;
        let name = path.display();
        let _ = writeln!(text, "{}: {}", stage.header.entity, rows(&counts));
        let _ = writeln!(text, "  results: {name}");
        if stage.finished_at.is_none() {
            let _ = writeln!(text, "  {}", missing(&reader, &run, stage, &counts)?);
        }
    }
    Ok(text)
}

/// The run whose rows all others of the chain load again.
fn first_of(reader: &Reader, mut run: RunInfo) -> Result<RunInfo, ReportError> {
    while let Some(retried) = run.retry_of {
        run = reader.find(&retried).map_err(|error| match error {
            LedgerError::NoRun { wanted } => ReportError::Pruned {
                run: run.id,
                retried: wanted,
            },
            other => other.into(),
        })?;
    }
    Ok(run)
}

fn write(
    reader: &Reader,
    run: &RunInfo,
    stage: &StageInfo,
    path: &Path,
    merged: bool,
) -> Result<Counts, ReportError> {
    let header = ResultsHeader {
        run: run.id.clone(),
        entity: stage.header.entity,
        operation: stage.header.operation,
        source_columns: Vec::new(),
    };
    let mut writer = ResultsWriter::create(path, &header)?;
    let mut counts = Counts::default();
    let each = |row: StoredRow| {
        let file = stage.header.files.get(row.file as usize);
        let (source, ..) = file.ok_or(ReportError::NoFile { row: row.row })?;
        counts.add(row.status, 1);
        writer.write(&result_row(&row, source, &[]))?;
        Ok::<_, ReportError>(())
    };
    let number = stage.header.stage;
    if merged {
        reader.each_merged_row(&run.id, number, each)?;
    } else {
        reader.each_row(&run.id, number, each)?;
    }
    match stage.finished_at {
        Some(_) => writer.finish_expecting(reader.counts(&run.id, number)?.total())?,
        None => writer.finish()?,
    };
    Ok(counts)
}

/// What a stage that was not finished cannot show.
fn missing(
    reader: &Reader,
    run: &RunInfo,
    stage: &StageInfo,
    counts: &Counts,
) -> Result<String, LedgerError> {
    let progress = reader.progress(&run.id, stage.header.stage)?;
    let under_way = progress.map_or(0, |progress| {
        let batches = progress.undecided.iter().map(|batch| batch.rows.len());
        batches.sum::<usize>() + progress.called.len()
    });
    let sent = figures::counted(under_way as u64, "row");
    let known = "the stage is not finished; not in the file";
    Ok(match stage.rows {
        Some(rows) => {
            let left = rows.saturating_sub(counts.total());
            let left = figures::counted(left, "row");
            format!("{known}: {left} without an outcome, of which {sent} may have been sent")
        }
        None => format!(
            "{known}: {sent} that may have been sent, and an unknown number that was not read"
        ),
    })
}

/// One path for each stage.
fn paths(wanted: Option<&str>, run: &str, stages: &[StageInfo]) -> Vec<PathBuf> {
    let mut taken = HashSet::new();
    let mut paths = Vec::new();
    for stage in stages {
        let (entity, number) = (stage.header.entity.name(), stage.header.stage);
        let path = match wanted {
            None => PathBuf::from(format!("{run}-{entity}-results.csv")),
            Some(wanted) => {
                let path = PathBuf::from(wanted.replace("{run}", run));
                match stages.len() {
                    1 => path,
                    _ => beside(&path, entity),
                }
            }
        };
        // two stages of one entity
        let path = if taken.insert(path.clone()) {
            path
        } else {
            beside(&path, &number.to_string())
        };
        paths.push(path);
    }
    paths
}

/// `out/a.csv` as `out/a-customer.csv`
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(ending) => format!("{stem}-{suffix}.{}", ending.to_string_lossy()),
        None => format!("{stem}-{suffix}"),
    };
    path.with_file_name(name)
}
