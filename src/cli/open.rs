//! Opens and compiles all stages before anything is sent, and says everything that is wrong at once.

use super::exit::{Exit, Failure};
use super::settings::StageSettings;
use crate::api::contract::{Contract, IdForm, Name};
use crate::engine::job::StageJob;
use crate::mapping::{MappingFile, Plan};
use crate::report::results;
use crate::source::{CsvOptions, Dataset, Header, RecordedSource, SourceSpec};
use std::collections::{BTreeMap, HashSet};
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

/// Opens the stages, in their order. Payloads are written with the names of `contract`.
///
/// # Errors
/// All faults of all stages together.
pub(super) fn open(
    stages: &[StageSettings],
    spool: &Path,
    naming: &Naming<'_>,
    contract: &Contract,
) -> Result<Vec<StageJob>, Failure> {
    let mut faults = Vec::new();
    let mut jobs: Vec<StageJob> = Vec::new();
    for stage in stages {
        match open_stage(stage, spool, naming, contract) {
            Ok(job) => jobs.push(job),
            Err(found) => faults.extend(found),
        }
    }
    faults.extend(clashes(&jobs));
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
    let said = faults
        .iter()
        .map(|fault| match fault.strip_prefix("error") {
            Some(_) => fault.clone(),
            None => format!("error: {fault}"),
        });
    Err(Failure::new(
        Exit::Input,
        said.collect::<Vec<_>>().join("\n"),
    ))
}

/// Results files that would overwrite each other, or an input.
fn clashes(jobs: &[StageJob]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut written = HashSet::new();
    for job in jobs {
        let (place, name) = (place(&job.results), job.results.display());
        let files = jobs.iter().flat_map(|job| job.dataset.files());
        if let Some(input) = files.clone().find(|file| self::place(&file.path) == place) {
            let input = &input.name;
            faults.push(format!(
                "the results file {name} is an input ({input}); name another with --results"
            ));
        }
        let list = results::gone_name(&job.results);
        let list_place = self::place(&list);
        if let Some(input) = files
            .filter(|_| job.gone)
            .find(|file| self::place(&file.path) == list_place)
        {
            faults.push(format!(
                "the list of what is gone, {}, is an input ({}); name other results with --results",
                list.display(),
                input.name
            ));
        }
        if !written.insert(place) {
            faults.push(format!(
                "two stages would write {name}; give each its own results"
            ));
        }
    }
    faults
}

/// Where a path leads, whether something is there yet or not.
pub(super) fn place(path: &Path) -> PathBuf {
    let parent = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize()
        .ok()
        .or_else(parent)
        .or_else(|| std::path::absolute(path).ok())
        .unwrap_or_else(|| path.to_owned())
}

fn open_stage(
    stage: &StageSettings,
    spool: &Path,
    naming: &Naming<'_>,
    contract: &Contract,
) -> Result<StageJob, Vec<String>> {
    let mut faults = Vec::new();
    let mapping = MappingFile::read(&stage.mapping)
        .map_err(|error| faults.push(format!("{error}\n")))
        .ok();
    let spec = SourceSpec {
        inputs: stage.inputs.clone(),
        base: stage.base.clone(),
        format: stage.format,
        csv: stage.csv.clone(),
        spool: spool.to_owned(),
    };
    let dataset = Dataset::open(&spec)
        .map_err(|error| faults.extend(error.to_string().lines().map(str::to_owned)))
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
    let source = RecordedSource::new(&spec, &dataset);
    let plan = Plan::compile(&mapping, dataset.schema(), contract)
        .map_err(|error| {
            let text = error.to_string();
            let note = if text.contains("unknown column") {
                let first = dataset
                    .files()
                    .first()
                    .map_or("the input", |file| &file.name);
                format!("\n\nnote: the columns are those of {first}\n")
            } else {
                "\n".to_owned()
            };
            faults.push(text + &note);
        })
        .ok();
    match plan {
        Some(plan) if faults.is_empty() => Ok(StageJob {
            dataset: Arc::new(dataset),
            plan: Arc::new(plan),
            mapping: mapping.digest(),
            duplicates: stage.duplicates,
            results,
            with_source: stage.with_source,
            settings: settings(stage, contract),
            mapping_path: stage.mapping.clone(),
            source: Some(source),
            gone: stage.gone,
            retries: None,
        }),
        _ => Err(faults),
    }
}

/// What shapes the stage's rows and batches beside input and mapping, by the names that people write: a run is only
/// continued while all of it is the same.
fn settings(stage: &StageSettings, contract: &Contract) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let mut set = |name: &str, value: Option<String>| {
        settings.extend(value.map(|value| (name.to_owned(), value)));
    };
    let usual = CsvOptions::default();
    set(
        "format",
        stage
            .format
            .map(|format| format!("{format:?}").to_lowercase()),
    );
    set(
        "csv delimiter",
        stage.csv.delimiter.map(|byte| char::from(byte).to_string()),
    );
    set("csv encoding", stage.csv.encoding.clone());
    let columns = match &stage.csv.header {
        Header::FromFile => None,
        Header::Names(names) => Some(names.join(",")),
    };
    set("csv columns", columns);
    let record = Some(stage.csv.max_record).filter(|bytes| *bytes != usual.max_record);
    set("csv max_record", record.map(|bytes| bytes.to_string()));
    for name in Name::ALL {
        let said = Some(contract.name(*name)).filter(|said| *said != name.default());
        set(
            &format!("[contract] {}", name.key()),
            said.map(str::to_owned),
        );
    }
    let form = Some(contract.organization_ids).filter(|form| *form != IdForm::default());
    set(
        "[contract] organization_ids",
        form.map(|form| format!("{form:?}").to_lowercase()),
    );
    settings
}

fn results_path(stage: &StageSettings, naming: &Naming<'_>) -> Result<PathBuf, String> {
    let written = stage.results.as_deref();
    let written =
        written.map(|name| PathBuf::from(results::expand_name(name, naming.date, naming.run)));
    let path = match written {
        Some(path) if naming.from_job => path,
        // beside the results of the load, and named after them
        Some(path) => {
            let stem = path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned());
            let stem = stem.unwrap_or_default();
            let stem = stem.strip_suffix("-results").unwrap_or(&stem);
            let ending = path
                .extension()
                .map(|ending| ending.to_string_lossy().into_owned());
            path.with_file_name(format!(
                "{stem}-{}.{}",
                naming.suffix,
                ending.unwrap_or_default()
            ))
        }
        None => {
            let first = stage.inputs.first().map_or("-", String::as_str);
            let name = results::default_name(first).display().to_string();
            let stem = name.strip_suffix("-results.csv").unwrap_or(&name);
            PathBuf::from(format!("{stem}-{}.csv", naming.suffix))
        }
    };
    results::format_of(&path).map_err(|error| error.to_string())?;
    Ok(path)
}
