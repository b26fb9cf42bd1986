//! A run of the same job that did not end: whether a load goes on with it.

use super::args::LoadArgs;
use super::exit::{Exit, Failure};
use crate::engine::job::StageJob;
use crate::ledger::record::{Difference, StageHeader};
use crate::ledger::{LedgerError, Reader, RunInfo, StageInfo};
use crate::source::RecordedSource;

/// Which run a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The job's interrupted run, if there is one and nothing changed; else a new one.
    Latest,
    /// A new one in any case.
    New,
    /// This interrupted one, by its whole id.
    Resume(String),
}

/// An earlier run of the same job that did not end.
pub(super) enum Interrupted {
    /// There is none.
    None,
    /// It is continued.
    GoesOn(RunInfo, Vec<StageInfo>),
    /// It is not, for this reason.
    Over(RunInfo, Vec<StageInfo>, String),
}

impl Wanted {
    /// What a load asks for that is started with these arguments.
    pub(super) const fn of(args: &LoadArgs) -> Self {
        if args.send.new {
            Self::New
        } else {
            Self::Latest
        }
    }

    /// The run of this job on this site that did not end, or the one that is asked for.
    ///
    /// # Errors
    /// When the ledger cannot be read, or does not have the run.
    pub(super) fn find(
        &self,
        reader: &Reader,
        job: &str,
        site: &str,
    ) -> Result<Option<RunInfo>, Failure> {
        match self {
            Self::Latest | Self::New => reader.open_run_of(job, site),
            Self::Resume(run) => reader.find(run).map(Some),
        }
        .map_err(|error| unusable(&error))
    }

    /// What to do about it, where stages with these headers are to be loaded.
    ///
    /// # Errors
    /// When the ledger cannot be read, or the run cannot be continued though it is asked for.
    pub(super) fn judge(
        &self,
        reader: &Reader,
        old: RunInfo,
        site: &str,
        headers: &[StageHeader],
    ) -> Result<Interrupted, Failure> {
        if old.site != site {
            return Err(Failure::new(
                Exit::Input,
                format!(
                    "run {} loads into {}, and the settings of now name {site}; name the site it began with",
                    old.id, old.site
                ),
            ));
        }
        let stages = reader.stages(&old.id).map_err(|error| unusable(&error))?;
        let differences = differences(&stages, headers);
        match self {
            Self::New => Ok(Interrupted::Over(old, stages, "--new was given".into())),
            _ if differences.is_empty() => Ok(Interrupted::GoesOn(old, stages)),
            Self::Resume(_) => Err(Failure::new(
                Exit::Input,
                format!(
                    "run {} cannot be continued: {}; `{}` settles what it has under way and begins a new run",
                    old.id,
                    differences.join("; "),
                    if old.retry_of.is_some() {
                        "retry"
                    } else {
                        "load"
                    }
                ),
            )),
            Self::Latest => Ok(Interrupted::Over(old, stages, differences.join("; "))),
        }
    }
}

fn unusable(error: &LedgerError) -> Failure {
    Failure::of(Exit::Input, error)
}

/// What the ledger would keep of stages. Blocks: it reads the inputs.
///
/// # Errors
/// When an input cannot be read.
pub(super) fn headers(jobs: &[StageJob]) -> Result<Vec<StageHeader>, Failure> {
    let stages = (0_u32..).zip(jobs);
    let headers = stages.map(|(stage, job)| job.header(stage));
    let headers = headers.collect::<Result<Vec<_>, _>>();
    headers.map_err(|error| Failure::of(Exit::Input, &error))
}

/// In what a run's stages differ from those of now; it may have stopped before it began all of them.
fn differences(was: &[StageInfo], is: &[StageHeader]) -> Vec<String> {
    let mut found = Vec::new();
    for stage in was {
        let number = stage.header.stage as usize;
        match is.get(number) {
            None => found.push(format!("its stage of {}s is gone", stage.header.entity)),
            Some(now) => {
                let differences = stage.header.differences(now);
                found.extend(differences.iter().map(|difference| match difference {
                    // they have the name of the file that they came from, which is not what was edited
                    Difference::Changed(_) if is_edited(now) => "rows have been edited".to_owned(),
                    other => other.to_string(),
                }));
                found.dedup();
            }
        }
    }
    found
}

/// Whether a stage reads rows that a person may have edited, and not their source.
fn is_edited(stage: &StageHeader) -> bool {
    let source = stage.source.as_deref().map(RecordedSource::from_json);
    matches!(source, Some(Ok(source)) if source.is_edited())
}
