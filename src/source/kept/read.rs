//! A file of kept rows → chunks.

use super::{Header, METADATA, OWN, PREFIX};
use crate::model::code::Code;
use crate::model::row::{FileId, RowId};
use crate::source::arrow::{Layout as ArrowLayout, Shape};
use crate::source::chunk::{BadRow, RowChunk, SourceSchema};
use crate::source::columnar::{Batches, guarded};
use crate::source::error::{SourceError, SourceErrorKind};
use crate::source::row_set::retain;
use crate::source::stretch::{Limits, Stretch};
use arrow::error::ArrowError;
use arrow::ipc::reader::FileReader;
use polars::prelude::{
    BooleanChunked, Column, DataFrame, NewChunkedArray, PolarsError, PolarsResult,
};
use std::collections::VecDeque;
use std::fs::File;

/// What a file of kept rows says.
#[derive(Debug)]
pub(in crate::source) struct Layout {
    columns: ArrowLayout,
    header: Header,
}

impl Layout {
    /// Reads the schema; the fault lacks the file's name.
    pub(in crate::source) fn inspect(file: &File) -> Result<Self, SourceError> {
        let columns = ArrowLayout::inspect(file, Shape::File).map_err(|faults| {
            match faults.into_iter().next() {
                Some(fault) => damaged(fault),
                None => damaged(foreign()),
            }
        })?;
        let header = guarded(|| -> Result<_, ArrowError> {
            let schema = FileReader::try_new(file.try_clone()?, None)?.schema();
            let text = schema.metadata().get(METADATA).ok_or_else(foreign)?;
            serde_json::from_str(text).map_err(|_| foreign())
        });
        let header: Header = header.map_err(damaged)?;
        Ok(Self { columns, header })
    }

    /// The names of the files that the rows came from.
    pub(in crate::source) fn files(&self) -> &[String] {
        &self.header.files
    }

    /// The columns that were recorded.
    pub(in crate::source) fn schema(&self) -> SourceSchema {
        self.header.columns.schema()
    }

    /// The rows, with the columns of these names.
    pub(in crate::source) fn chunks(
        &self,
        file: &File,
        name: &str,
        wanted: &[String],
        limits: Limits,
    ) -> Result<Chunks, SourceError> {
        let columns = &self.header.columns.columns;
        let place = |name: &String| columns.iter().position(|column| column.name == *name);
        let cells = wanted.iter().filter_map(place).map(|at| OWN.len() + at);
        let wanted: Vec<_> = (0..OWN.len()).chain(cells).collect();
        let batches = self.columns.rows(file, name, &wanted, limits)?;
        Ok(Chunks {
            batches,
            file: name.to_owned(),
            dealt: VecDeque::new(),
        })
    }
}

fn foreign() -> ArrowError {
    ArrowError::SchemaError("this is not a file of kept rows".to_owned())
}

fn damaged(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SourceError {
    SourceError::new(
        SourceErrorKind::Damaged,
        "kept rows cannot be read back",
        "start the retry again",
    )
    .caused_by(cause)
}

/// The rows of a file of kept rows.
pub(in crate::source) struct Chunks {
    batches: Batches,
    file: String,
    /// Chunks of a stretch that has rows of several files.
    dealt: VecDeque<RowChunk>,
}

impl Chunks {
    /// The next rows; `None` behind the last.
    pub(in crate::source) fn next(&mut self) -> Result<Option<RowChunk>, SourceError> {
        while self.dealt.is_empty() {
            let Some(stretch) = self.batches.next(RowId::FIRST)? else {
                return Ok(None);
            };
            self.dealt = deal(stretch).map_err(|error| damaged(error).in_file(&self.file))?;
        }
        Ok(self.dealt.pop_front())
    }
}

/// What our own columns say about a row.
#[derive(Debug, Clone)]
struct Kept {
    row: RowId,
    file: FileId,
    line: Option<u64>,
    bad: Option<(Code, String)>,
}

/// One chunk for each part of the stretch whose rows are of one file, and all with lines or all without.
fn deal(stretch: Stretch) -> PolarsResult<VecDeque<RowChunk>> {
    let rows = stretch.ids.len();
    let mut columns = stretch.columns;
    let cells = columns
        .split_off(OWN.len())
        .into_iter()
        .map(|mut column| {
            let name = column.name().strip_prefix(PREFIX).unwrap_or_default();
            let name = name.into();
            column.rename(name);
            column
        })
        .collect();
    let frame = DataFrame::new(rows, cells)?;
    let kept = kept(&columns)?;
    let mut chunks = VecDeque::new();
    let mut start = 0;
    for part in kept.chunk_by(|left, right| {
        left.file == right.file && left.line.is_some() == right.line.is_some()
    }) {
        let offset = i64::try_from(start).unwrap_or(i64::MAX);
        chunks.push_back(chunk(part, frame.slice(offset, part.len()))?);
        start += part.len();
    }
    Ok(chunks)
}

fn kept(own: &[Column]) -> PolarsResult<Vec<Kept>> {
    let missing = || PolarsError::ShapeMismatch("our own columns are missing".into());
    let [row, file, line, bad] = own else {
        return Err(missing());
    };
    let (row, file, line, bad) = (row.u64()?, file.i64()?, line.u64()?, bad.str()?);
    let all = row.iter().zip(file.iter()).zip(line.iter().zip(bad.iter()));
    all.map(|((row, file), (line, bad))| {
        let file = file.and_then(|file| u32::try_from(file).ok());
        let (Some(row), Some(file)) = (row, file) else {
            return Err(missing());
        };
        let bad = bad
            .map(serde_json::from_str)
            .transpose()
            .map_err(|error| PolarsError::ComputeError(error.to_string().into()))?;
        Ok(Kept {
            row: RowId(row),
            file: FileId(file),
            line,
            bad,
        })
    })
    .collect()
}

fn chunk(rows: &[Kept], mut frame: DataFrame) -> PolarsResult<RowChunk> {
    let good: Vec<bool> = rows.iter().map(|row| row.bad.is_none()).collect();
    if good.contains(&false) {
        frame = frame.filter_seq(&BooleanChunked::from_slice("good".into(), &good))?;
    }
    let mut ids: Vec<_> = rows.iter().map(|row| row.row).collect();
    let mut lines: Vec<_> = rows.iter().filter_map(|row| row.line).collect();
    retain(&mut ids, &good);
    retain(&mut lines, &good);
    let bad = rows.iter().filter_map(|row| {
        let (code, message) = row.bad.clone()?;
        Some(BadRow {
            row: row.row,
            line: row.line,
            code,
            message,
        })
    });
    Ok(RowChunk {
        file: rows.first().map_or(FileId(0), |row| row.file),
        ids,
        lines,
        frame,
        bad: bad.collect(),
    })
}
