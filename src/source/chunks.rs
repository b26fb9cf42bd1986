//! The reading itself: file after file, chunk after chunk, each record with its row number.

use super::chunk::RowChunk;
use super::dataset::{Contents, Origin, Rows};
use super::error::{SourceError, SourceErrorKind, suggestion};
use super::kept;
use super::row_set::RowSet;
use super::spec::ChunkRequest;
use super::stretch::{Limits, Stretch};
use crate::model::row::RowId;
use polars::prelude::{
    ChunkFull, ChunkFullNull, Column, DataFrame, IntoColumn, IntoSeries, StringChunked,
};
use std::sync::Arc;

/// The chunks of a dataset in reading order, rows numbered from 1. Ends after an error, which comes behind all rows
/// that could be read before it.
pub struct Chunks {
    contents: Arc<Contents>,
    columns: Vec<String>,
    limits: Limits,
    /// The file that is read next, or now.
    file: usize,
    current: Option<(Rows, Vec<Origin>)>,
    /// The reader of kept rows, in place of all files.
    kept: Option<kept::Chunks>,
    /// The rows to give, when not all.
    only: Option<Arc<RowSet>>,
    next: RowId,
    failed: Option<SourceError>,
    ended: bool,
}

impl Chunks {
    pub(super) fn new(
        contents: Arc<Contents>,
        only: Option<Arc<RowSet>>,
        request: &ChunkRequest,
    ) -> Self {
        let limits = Limits {
            rows: request.rows.max(1),
            bytes: request.bytes.max(1),
        };
        let begun = resolve(&contents, request)
            .and_then(|columns| Ok((start_kept(&contents, &columns, limits)?, columns)));
        let (kept, columns, failed) = match begun {
            Ok((kept, columns)) => (kept, columns, None),
            Err(error) => (None, Vec::new(), Some(error)),
        };
        Self {
            contents,
            columns,
            limits,
            file: 0,
            current: None,
            kept,
            only,
            next: RowId::FIRST,
            failed,
            ended: false,
        }
    }

    fn read(&mut self) -> Result<Option<RowChunk>, SourceError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if let Some(kept) = &mut self.kept {
            return kept.next();
        }
        // behind the last wanted row there is nothing to look for
        let last = self.only.as_ref().map(|rows| rows.last());
        while self.file < self.contents.files.len()
            && last.is_none_or(|last| Some(self.next) <= last)
        {
            let (rows, origins) = match &mut self.current {
                Some(current) => current,
                None => self.current.insert(start(
                    &self.contents,
                    self.file,
                    &self.columns,
                    self.limits,
                )?),
            };
            if let Some(stretch) = rows.next(self.next)? {
                self.next = self.next.plus(stretch.records() as u64);
                let file = self.contents.files[self.file].id;
                let Stretch {
                    ids,
                    lines,
                    columns,
                    bad,
                } = stretch;
                let columns = arrange(columns, origins, &self.columns, ids.len());
                let frame =
                    DataFrame::new(ids.len(), columns).map_err(|error| self.misshapen(error))?;
                return Ok(Some(RowChunk {
                    file,
                    ids,
                    lines,
                    frame,
                    bad,
                }));
            }
            self.current = None;
            self.file += 1;
        }
        Ok(None)
    }

    /// The next chunk that has rows to give.
    fn read_wanted(&mut self) -> Result<Option<RowChunk>, SourceError> {
        while let Some(chunk) = self.read()? {
            let wanted = match &self.only {
                None => Ok(Some(chunk)),
                Some(rows) => rows.only(chunk),
            };
            if let Some(chunk) = wanted.map_err(|error| self.misshapen(error))? {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    fn misshapen(&self, error: polars::prelude::PolarsError) -> SourceError {
        let what = "its columns do not have the same number of rows";
        SourceError::new(SourceErrorKind::Damaged, what, "export it again")
            .in_file(
                self.contents
                    .files
                    .get(self.file)
                    .map_or("", |file| &file.name),
            )
            .caused_by(error)
    }
}

impl Iterator for Chunks {
    type Item = Result<RowChunk, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let chunk = self.read_wanted().transpose();
        if !matches!(chunk, Some(Ok(_))) {
            self.ended = true;
            self.current = None;
        }
        chunk
    }
}

/// The columns to read, after a check that the request and the files still fit the dataset.
fn resolve(contents: &Contents, request: &ChunkRequest) -> Result<Vec<String>, SourceError> {
    for (index, file) in contents.files.iter().enumerate() {
        contents.check_unchanged(index, std::fs::metadata(&file.path))?;
    }
    let all = || contents.schema.columns().iter().map(|(name, _)| name);
    let Some(asked) = &request.columns else {
        return Ok(all().cloned().collect());
    };
    let mut columns: Vec<String> = Vec::with_capacity(asked.len());
    for name in asked {
        if contents.schema.get(name).is_none() {
            let hint = suggestion(name, all().map(String::as_str));
            return Err(SourceError::new(
                SourceErrorKind::UnknownColumn,
                format!("the input has no column \"{name}\"{hint}"),
                "name one of its columns",
            ));
        }
        if !columns.contains(name) {
            columns.push(name.clone());
        }
    }
    Ok(columns)
}

/// Opens the file of kept rows, where the dataset is one of these.
fn start_kept(
    contents: &Contents,
    columns: &[String],
    limits: Limits,
) -> Result<Option<kept::Chunks>, SourceError> {
    let (Some(layout), Some(first)) = (&contents.kept, contents.files.first()) else {
        return Ok(None);
    };
    let chunks = layout.chunks(&contents.open(0)?, &first.name, columns, limits)?;
    Ok(Some(chunks))
}

/// Opens a file and says where each column comes from.
fn start(
    contents: &Contents,
    file: usize,
    columns: &[String],
    limits: Limits,
) -> Result<(Rows, Vec<Origin>), SourceError> {
    let layout = &contents.layouts[file];
    let origins: Vec<_> = columns
        .iter()
        .filter_map(|name| layout.origin(name))
        .collect();
    let wanted: Vec<_> = origins
        .iter()
        .filter_map(|origin| match origin {
            Origin::File(index) => Some(*index),
            Origin::Folder(_) => None,
        })
        .collect();
    Ok((contents.rows(file, &wanted, limits)?, origins))
}

/// The file's columns with those of its folders in between, in the order asked for.
fn arrange(columns: Vec<Column>, origins: &[Origin], names: &[String], rows: usize) -> Vec<Column> {
    let mut columns = columns.into_iter();
    origins
        .iter()
        .zip(names)
        .filter_map(|(origin, name)| match origin {
            Origin::File(_) => columns.next(),
            Origin::Folder(value) => {
                let name = name.as_str().into();
                let column = match value {
                    Some(value) => StringChunked::full(name, value, rows),
                    None => StringChunked::full_null(name, rows),
                };
                Some(column.into_series().into_column())
            }
        })
        .collect()
}
