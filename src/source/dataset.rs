//! The files of one stage as one dataset: opened, compared, ready to be read as often as needed.

use super::chunk::SourceSchema;
use super::chunks::Chunks;
use super::csv::{self, Settings, Short};
use super::detect::{self, Container};
use super::differences::differences;
use super::error::{SourceError, SourceErrorKind, SourceErrors};
use super::expand::{self, Found};
use super::kept;
use super::row_set::RowSet;
use super::spec::{ChunkRequest, Format, SourceSpec};
use super::stretch::Limits;
use super::{arrow, parquet, spool};
use crate::model::row::{FileId, RowId};
use polars::prelude::DataType;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use tempfile::NamedTempFile;

/// A file of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its position in the dataset.
    pub id: FileId,
    /// As people know it: as typed, or relative to the base folder; `-` for standard input.
    pub name: String,
    /// Where it is; for standard input, where it is kept.
    pub path: PathBuf,
    /// Its format.
    pub format: Format,
    /// Its size in bytes, packed as it is.
    pub bytes: u64,
    modified: Option<SystemTime>,
}

/// The files of one stage, found, opened and checked.
///
/// Cheap to clone; what is kept of standard input is removed with the last clone and the last [`Chunks`].
#[derive(Debug, Clone)]
pub struct Dataset {
    pub(super) contents: Arc<Contents>,
    /// The rows that it gives; all when it does not say.
    only: Option<Arc<RowSet>>,
}

/// What a dataset and its readers share.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) files: Vec<SourceFile>,
    pub(super) layouts: Vec<Layout>,
    pub(super) schema: SourceSchema,
    /// How the rows are read when they are kept in one file of ours, whatever files they came from.
    pub(super) kept: Option<kept::Layout>,
    /// Kept for its file's sake, which goes when it is dropped.
    _spool: Option<NamedTempFile>,
}

/// How to read one file, and what its folders say.
#[derive(Debug)]
pub(super) struct Layout {
    reader: Reader,
    columns: Vec<(String, DataType)>,
    /// The partitions that follow the file's own columns in `columns`.
    partitions: Vec<Option<String>>,
}

#[derive(Debug)]
enum Reader {
    Csv(csv::Layout),
    Parquet(parquet::Layout),
    Arrow(arrow::Layout),
}

/// The rows of one file, of whatever format.
pub(super) enum Rows {
    Csv(Box<csv::Rows>),
    Batches(super::columnar::Batches),
}

impl Rows {
    /// The next rows, numbered from `first`; `None` behind the last.
    pub(super) fn next(
        &mut self,
        first: RowId,
    ) -> Result<Option<super::stretch::Stretch>, SourceError> {
        match self {
            Self::Csv(rows) => rows.next(first),
            Self::Batches(batches) => batches.next(first),
        }
    }
}

/// Where a column of the dataset comes from in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the file's column at this position.
    File(usize),
    /// From a folder's name: the same for all rows.
    Folder(Option<String>),
}

impl Layout {
    /// Where the column comes from; files of one dataset have the same columns.
    pub(super) fn origin(&self, name: &str) -> Option<Origin> {
        let index = self.columns.iter().position(|(column, _)| column == name)?;
        let own = self.columns.len() - self.partitions.len();
        Some(match index.checked_sub(own) {
            None => Origin::File(index),
            Some(folder) => Origin::Folder(self.partitions[folder].clone()),
        })
    }
}

impl Contents {
    /// Starts reading a file, with its columns at these positions.
    pub(super) fn rows(
        &self,
        index: usize,
        wanted: &[usize],
        limits: Limits,
    ) -> Result<Rows, SourceError> {
        let (source, file) = (&self.files[index], self.open(index)?);
        Ok(match &self.layouts[index].reader {
            Reader::Csv(layout) => {
                Rows::Csv(Box::new(layout.rows(file, &source.name, wanted, limits)?))
            }
            Reader::Parquet(layout) => {
                Rows::Batches(layout.rows(file, &source.name, wanted, limits)?)
            }
            Reader::Arrow(layout) => {
                Rows::Batches(layout.rows(&file, &source.name, wanted, limits)?)
            }
        })
    }

    /// The file, if it is still the one that was opened.
    pub(super) fn open(&self, index: usize) -> Result<File, SourceError> {
        let source = &self.files[index];
        let file =
            File::open(&source.path).map_err(|error| cannot_open(error).in_file(&source.name))?;
        self.check_unchanged(index, file.metadata())?;
        Ok(file)
    }

    /// Refuses a file that is not the one that was opened.
    pub(super) fn check_unchanged(
        &self,
        index: usize,
        now: io::Result<Metadata>,
    ) -> Result<(), SourceError> {
        let file = &self.files[index];
        let now = now.map_err(|error| cannot_open(error).in_file(&file.name))?;
        if now.len() == file.bytes && now.modified().ok() == file.modified {
            return Ok(());
        }
        Err(SourceError::new(
            SourceErrorKind::Changed,
            "the file has changed since it was opened",
            "start again, and let nothing write to it meanwhile",
        )
        .in_file(&file.name))
    }
}

impl Dataset {
    /// Finds and opens the inputs, reads their headers and footers, and compares their columns.
    ///
    /// # Errors
    /// Every fault that headers and footers show, at once.
    pub fn open(spec: &SourceSpec) -> Result<Self, SourceErrors> {
        Self::open_with(spec, Short::Bad, &mut io::stdin())
    }

    /// [`Dataset::open`] with another standard input, and with a choice of what a short CSV record is.
    pub(super) fn open_with(
        spec: &SourceSpec,
        short: Short,
        stdin: &mut dyn Read,
    ) -> Result<Self, SourceErrors> {
        let (found, mut faults) = expand::expand(&spec.inputs, &spec.base);
        let settings = match Settings::new(&spec.csv) {
            Ok(settings) => settings.short(short),
            Err(more) => {
                faults.extend(more);
                return Err(SourceErrors::all(faults));
            }
        };
        // standard input may be long in coming: not for a dataset that cannot be opened anyway
        let wants_stdin = faults.is_empty();
        let mut kept = None;
        let mut files: Vec<SourceFile> = Vec::with_capacity(found.len());
        let mut layouts: Vec<Layout> = Vec::with_capacity(found.len());
        for mut file in found {
            if file.is_stdin() {
                if !wants_stdin {
                    continue;
                }
                let stdin = kept.insert(spool::keep(stdin, &spec.spool)?);
                stdin.path().clone_into(&mut file.path);
            }
            match open(&file, files.len(), spec.format, &settings) {
                Ok((source, layout)) => {
                    if let (Some(first), Some(columns)) = (files.first(), layouts.first()) {
                        faults.extend(differences(
                            &source.name,
                            &layout.columns,
                            &first.name,
                            &columns.columns,
                        ));
                    }
                    files.push(source);
                    layouts.push(layout);
                }
                Err(more) => {
                    faults.extend(more.into_iter().map(|fault| fault.in_file(&file.name)));
                }
            }
        }
        let schema = layouts
            .first()
            .map(|layout| layout.columns.clone())
            .unwrap_or_default();
        let schema = SourceSchema::new(schema);
        let contents = Contents {
            files,
            layouts,
            schema,
            kept: None,
            _spool: kept,
        };
        if faults.is_empty() {
            Ok(Self {
                contents: Arc::new(contents),
                only: None,
            })
        } else {
            Err(SourceErrors::all(faults))
        }
    }

    /// Opens rows that a [`RowKeeper`](super::RowKeeper) kept, perhaps in another process.
    ///
    /// # Errors
    /// When the file cannot be read or is none of these.
    pub fn open_kept(path: &Path) -> Result<Self, SourceError> {
        Self::of_kept(path, None)
    }

    /// The rows of a file of kept rows, which is removed with the last reader when it is given as a temporary one.
    pub(super) fn of_kept(path: &Path, spool: Option<NamedTempFile>) -> Result<Self, SourceError> {
        let failed = |error: SourceError| error.in_file(path.display().to_string());
        let file = File::open(path).map_err(|error| failed(cannot_open(error)))?;
        let metadata = file
            .metadata()
            .map_err(|error| failed(cannot_open(error)))?;
        let layout = kept::Layout::inspect(&file).map_err(failed)?;
        let files = (0..).zip(layout.files()).map(|(id, name)| SourceFile {
            id: FileId(id),
            name: name.clone(),
            path: path.to_owned(),
            format: Format::Arrow,
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
        });
        let contents = Contents {
            files: files.collect(),
            layouts: Vec::new(),
            schema: layout.schema(),
            kept: Some(layout),
            _spool: spool,
        };
        Ok(Self {
            contents: Arc::new(contents),
            only: None,
        })
    }

    /// The same dataset, of which only these rows are given; they keep their numbers, files and lines.
    #[must_use]
    pub fn restricted(&self, rows: RowSet) -> Self {
        Self {
            contents: Arc::clone(&self.contents),
            only: Some(Arc::new(rows)),
        }
    }

    /// The files, in reading order.
    #[must_use]
    pub fn files(&self) -> &[SourceFile] {
        &self.contents.files
    }

    /// The columns, in the order of the first file.
    #[must_use]
    pub fn schema(&self) -> &SourceSchema {
        &self.contents.schema
    }

    /// Reads the files afresh, from the first row of the first one.
    #[must_use]
    pub fn chunks(&self, request: &ChunkRequest) -> Chunks {
        Chunks::new(Arc::clone(&self.contents), self.only.clone(), request)
    }
}

fn cannot_open(error: io::Error) -> SourceError {
    SourceError::new(
        SourceErrorKind::Io,
        "the file cannot be opened",
        "check its permissions",
    )
    .caused_by(error)
}

/// Opens one file; its faults lack its name.
fn open(
    found: &Found,
    index: usize,
    asked: Option<Format>,
    settings: &Settings,
) -> Result<(SourceFile, Layout), Vec<SourceError>> {
    let mut file = File::open(&found.path).map_err(|error| vec![cannot_open(error)])?;
    let metadata = file.metadata().map_err(|error| vec![cannot_open(error)])?;
    if !metadata.is_file() {
        let what = "this is neither a file nor a directory";
        let cure = "name a file; a pipe can be read as standard input, with -";
        return Err(vec![SourceError::new(SourceErrorKind::Io, what, cure)]);
    }
    let container =
        detect::container(&mut file, &found.path, asked).map_err(|fault| vec![fault])?;
    let reader = match container {
        Container::Csv(packing) => Reader::Csv(csv::Layout::inspect(file, packing, settings)?),
        Container::Parquet => Reader::Parquet(parquet::Layout::inspect(&file)?),
        Container::ArrowFile => Reader::Arrow(arrow::Layout::inspect(&file, arrow::Shape::File)?),
        Container::ArrowStream => {
            Reader::Arrow(arrow::Layout::inspect(&file, arrow::Shape::Stream)?)
        }
    };
    let typed = |columns: &[super::columnar::FileColumn]| {
        columns
            .iter()
            .map(|column| (column.name.clone(), column.kind.data_type()))
            .collect::<Vec<_>>()
    };
    let mut columns = match &reader {
        Reader::Csv(layout) => layout
            .columns()
            .iter()
            .map(|name| (name.clone(), DataType::String))
            .collect(),
        Reader::Parquet(layout) => typed(layout.columns()),
        Reader::Arrow(layout) => typed(layout.columns()),
    };
    let own = columns.len();
    columns.extend(
        found
            .partitions
            .iter()
            .map(|(key, _)| (key.clone(), DataType::String)),
    );
    let names: Vec<_> = columns.iter().map(|(name, _)| name.clone()).collect();
    let faults = csv::name_faults(&names, "the file together with its folders");
    if own < columns.len() && !faults.is_empty() {
        return Err(faults);
    }
    let source = SourceFile {
        id: FileId(u32::try_from(index).unwrap_or(u32::MAX)),
        name: found.name.clone(),
        path: found.path.clone(),
        format: container.format(),
        bytes: metadata.len(),
        modified: metadata.modified().ok(),
    };
    let partitions = found
        .partitions
        .iter()
        .map(|(_, value)| value.clone())
        .collect();
    Ok((
        source,
        Layout {
            reader,
            columns,
            partitions,
        },
    ))
}
