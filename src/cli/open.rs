//! Opens and compiles all stages before anything is sent, and says everything that is wrong at once.

use super::exit::{Exit, Failure};
use super::settings::StageSettings;
use crate::engine::run::StageJob;
use crate::mapping::{MappingFile, Plan};
use crate::report::results;
use crate::source::{Dataset, SourceSpec};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How the results of a stage are named when nobody names them.
pub(super) struct Naming<'a> {
    /// What stands behind the input's stem: `results`, or `rejected` for a check.
    pub(super) suffix: &'a str,
    /// Whether the job file's name for the results counts.
    pub(super) from_job: bool,
    /// Today, as `2026-01-31`, for `{date}`.
    pub(super) date: &'a str,
    /// The run, for `{run}`.
    pub(super) run: &'a str,
}

/// Opens the stages, in their order.
///
/// # Errors
/// All faults of all stages together.
pub(super) fn open(
    stages: &[StageSettings],
    spool: &Path,
    naming: &Naming<'_>,
) -> Result<Vec<StageJob>, Failure> {
    let mut faults = Vec::new();
    let mut jobs: Vec<StageJob> = Vec::new();
    let mut written = HashSet::new();
    for stage in stages {
        match open_stage(stage, spool, naming) {
            Ok(job) => {
                if !written.insert(job.results.clone()) {
                    let name = job.results.display();
                    faults.push(format!(
                        "two stages would write {name}; give each its own results"
                    ));
                }
                jobs.push(job);
            }
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() {
        // the last check, as it makes directories
        let unwritable = jobs
            .iter()
            .filter_map(|job| results::check_place(&job.results).err());
        faults.extend(unwritable.map(|error| Failure::of(Exit::Input, &error).to_string()));
    }
    if faults.is_empty() {
        jobs.sort_by_key(|job| job.plan.entity());
        return Ok(jobs);
    }
    Err(Failure::new(Exit::Input, faults.join("\n")))
}

fn open_stage(
    stage: &StageSettings,
    spool: &Path,
    naming: &Naming<'_>,
) -> Result<StageJob, Vec<String>> {
    let mut faults = Vec::new();
    let mapping = MappingFile::read(&stage.mapping)
        .map_err(|error| faults.push(error.to_string()))
        .ok();
    let spec = SourceSpec {
        inputs: stage.inputs.clone(),
        base: stage.base.clone(),
        format: stage.format,
        csv: stage.csv.clone(),
        spool: spool.to_owned(),
    };
    let dataset = Dataset::open(&spec)
        .map_err(|error| faults.push(error.to_string()))
        .ok();
    if let (Some(wanted), Some(mapping)) = (stage.entity, &mapping)
        && wanted != mapping.entity()
    {
        faults.push(format!(
            "the stage loads {wanted}s, and its mapping {} is for {}s; name the right mapping",
            stage.mapping.display(),
            mapping.entity()
        ));
    }
    let results = results_path(stage, naming)
        .map_err(|error| faults.push(error))
        .ok();
    let (Some(mapping), Some(dataset), Some(results)) = (mapping, dataset, results) else {
        return Err(faults);
    };
    let plan = Plan::compile(&mapping, dataset.schema())
        .map_err(|error| faults.push(error.to_string()))
        .ok();
    if let Some(input) = overwritten(&dataset, &results) {
        faults.push(format!(
            "the results file {} is an input ({input}); name another with --results",
            results.display()
        ));
    }
    match plan {
        Some(plan) if faults.is_empty() => Ok(StageJob {
            dataset: Arc::new(dataset),
            plan: Arc::new(plan),
            mapping: mapping.digest(),
            duplicates: stage.duplicates,
            results,
            with_source: stage.with_source,
        }),
        _ => Err(faults),
    }
}

/// The input that the results file would overwrite.
fn overwritten<'a>(dataset: &'a Dataset, results: &Path) -> Option<&'a str> {
    let results = results.canonicalize().ok()?;
    let same = |path: &Path| path.canonicalize().is_ok_and(|path| path == results);
    dataset
        .files()
        .iter()
        .find(|file| same(&file.path))
        .map(|file| file.name.as_str())
}

fn results_path(stage: &StageSettings, naming: &Naming<'_>) -> Result<PathBuf, String> {
    let written = stage.results.as_deref().filter(|_| naming.from_job);
    let path = if let Some(pattern) = written {
        PathBuf::from(results::expand_name(pattern, naming.date, naming.run))
    } else {
        let first = stage.inputs.first().map_or("-", String::as_str);
        let name = results::default_name(first).display().to_string();
        let name = name.replace("-results.", &format!("-{}.", naming.suffix));
        let folder = stage
            .results
            .as_deref()
            .and_then(|results| Path::new(results).parent());
        folder.map(Path::to_owned).unwrap_or_default().join(name)
    };
    results::format_of(&path).map_err(|error| error.to_string())?;
    Ok(path)
}
