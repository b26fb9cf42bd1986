//! The whole way: from the file to a dataset, and all that the run needs to know about it.

use super::copy::{Chosen, Columns, Copier};
use super::error::RetryError;
use super::file::ResultsFile;
use super::ledgered::Ledgered;
use super::origin::{Origin, open_source};
use super::place::{check_results, default_results};
use super::scan::{Scan, scan};
use super::select::Filter;
use super::told::{Told, by_status};
use crate::model::entity::Entity;
use crate::model::outcome::Status;
use crate::report::results::check_place;
use crate::source::{Dataset, RecordedSource, RowKeeper};
use std::path::{Path, PathBuf};

/// What a person asks for.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The results file whose rows are loaded again.
    pub file: &'a Path,
    /// The encoding of a CSV file that is not UTF-8.
    pub encoding: Option<&'a str>,
    /// Which rows.
    pub filter: Filter,
    /// The mapping to use in place of the recorded one.
    pub mapping: Option<PathBuf>,
    /// Where the new results go; `None`: [`default_results`].
    pub results: Option<PathBuf>,
    /// A private folder for rows on their way.
    pub spool: &'a Path,
}

/// Rows that are ready to be mapped and sent.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The run whose rows they are.
    pub run: String,
    /// Their stage in that run.
    pub stage: u32,
    /// What they load.
    pub entity: Entity,
    /// Exactly the rows, in the order of their numbers, with the files and lines they had.
    pub dataset: Dataset,
    /// How many they are.
    pub rows: u64,
    /// A digest of their numbers.
    pub choice: u64,
    /// Where they are read from.
    pub origin: Origin,
    /// How `dataset` can be read again: the source, or of rows from the file their types alone.
    pub source: Option<RecordedSource>,
    /// The mapping file.
    pub mapping: PathBuf,
    /// What the stage did with rows that share a key, by name, where it was recorded.
    pub duplicates: Option<String>,
    /// Where the new results go; not the retried file, nor an input.
    pub results: PathBuf,
    /// What is told about all rows and columns of the file.
    pub told: Told,
}

/// Finds the rows and makes a dataset of them. Reads the file two or three times, and the source once, in bounded memory.
///
/// # Errors
/// When the file, the ledger or the source do not allow it; nothing was sent, and no results file was touched.
pub fn prepare(request: &Request<'_>, ledger: &mut impl Ledgered) -> Result<Prepared, RetryError> {
    let file = ResultsFile::open(request.file, request.encoding)?;
    let Scan {
        run,
        stage,
        rows,
        ascending,
        coded,
        mut told,
    } = scan(&file, ledger, &request.filter)?;
    if !coded {
        return Err(RetryError::NoCode {
            file: file.name().to_owned(),
            codes: request.filter.codes.join(", "),
        });
    }
    if rows.is_empty() {
        return Err(RetryError::NothingLeft {
            file: file.name().to_owned(),
            why: why_nothing(&told),
        });
    }
    let mapping = request.mapping.clone().or_else(|| stage.mapping.clone());
    let Some(mapping) = mapping else {
        return Err(RetryError::NoMapping { run });
    };
    let results = match &request.results {
        Some(results) => results.clone(),
        None => default_results(request.file, |path| path.symlink_metadata().is_ok()),
    };
    check_results(&results, request.file, &stage)?;
    check_place(&results)?;
    told.added = file.added().to_vec();
    let (count, choice) = (rows.len(), rows.digest());
    let mut source = stage.source.clone();
    let (dataset, origin) = if file.source_columns().is_empty() {
        let opened = open_source(&stage, request.spool).map_err(|why| RetryError::NoSource {
            file: file.name().to_owned(),
            why,
        })?;
        (opened.restricted(rows), Origin::Source)
    } else {
        let Some(source) = &mut source else {
            let file = file.name().to_owned();
            return Err(RetryError::NoTypes { file, run });
        };
        let columns = Columns::new(&file, &source.columns);
        told.foreign.clone_from(&columns.foreign);
        told.absent.clone_from(&columns.absent);
        let names: Vec<_> = stage.files.iter().map(|file| file.name.clone()).collect();
        let keeper = RowKeeper::create(request.spool, &names, &columns.schema)?;
        let mut copier = Copier {
            keeper,
            ledger,
            run: &run,
            stage: stage.stage,
            unreadable: &mut told.unreadable,
        };
        let chosen = Chosen {
            file: &file,
            columns: &columns,
            rows: &rows,
        };
        let kept = if ascending {
            chosen.each(|row, at, cells| copier.keep(row, at, cells))?
        } else {
            chosen.each_sorted(request.spool, |row, at, cells| copier.keep(row, at, cells))?
        };
        if kept != count {
            return Err(RetryError::Changed {
                file: file.name().to_owned(),
            });
        }
        *source = source.edited(columns.schema.clone());
        (copier.keeper.finish()?, Origin::ResultsFile)
    };
    Ok(Prepared {
        run,
        stage: stage.stage,
        entity: stage.entity,
        dataset,
        rows: count,
        choice,
        origin,
        source,
        mapping,
        duplicates: stage.duplicates,
        results,
        told,
    })
}

fn why_nothing(told: &Told) -> String {
    let mut known = told.left;
    known.add(Status::Loaded, told.refused.count);
    format!(
        "{}; name other rows with --status or --code, or load them with csm-loader load",
        by_status(&known)
    )
}
