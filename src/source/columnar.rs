//! Arrow record batches → stretches of bounded size: what Parquet and Arrow IPC have in common.

use super::chunk::BadRow;
use super::convert::{self, Fault};
use super::csv::name_faults;
use super::error::{Place, SourceError, SourceErrorKind};
use super::kind::Kind;
use super::stretch::{Limits, Stretch};
use crate::model::row::RowId;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType as Arrow, Field};
use arrow::error::ArrowError;
use polars::prelude::{BooleanChunked, Column, DataFrame, NewChunkedArray};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A stream of record batches.
pub(super) type Input = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// What a cell of a column costs at least.
const CELL: usize = 16;

/// A column of a file: its name and how its arrays are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileColumn {
    /// Its name.
    pub(super) name: String,
    /// How it is read.
    pub(super) kind: Kind,
}

/// The columns of a file's schema; the faults of their names otherwise, without the file.
pub(super) fn columns<'a>(
    fields: impl IntoIterator<Item = &'a Field>,
) -> Result<Vec<FileColumn>, Vec<SourceError>> {
    let columns: Vec<_> = fields
        .into_iter()
        .map(|field| FileColumn {
            name: field.name().clone(),
            kind: Kind::of(field),
        })
        .collect();
    let names: Vec<_> = columns.iter().map(|column| column.name.clone()).collect();
    let faults = name_faults(&names, "the file's schema");
    if faults.is_empty() {
        Ok(columns)
    } else {
        Err(faults)
    }
}

/// The rows of one file of record batches.
pub(super) struct Batches {
    input: Input,
    file: String,
    /// The wanted columns, and where in a batch each stands.
    wanted: Vec<(usize, FileColumn)>,
    limits: Limits,
    /// A batch of which some rows are still to be delivered, and the first of them.
    current: Option<(RecordBatch, usize)>,
}

impl Batches {
    /// Reads `input`, whose batches hold the columns at `wanted` of the file and no others, in the file's order.
    pub(super) fn new(
        input: Input,
        file: &str,
        columns: &[FileColumn],
        wanted: &[usize],
        limits: Limits,
    ) -> Self {
        let place = |index: usize| wanted.iter().filter(|other| **other < index).count();
        let wanted = wanted
            .iter()
            .map(|&index| (place(index), columns[index].clone()))
            .collect();
        Self {
            input,
            file: file.to_owned(),
            wanted,
            limits,
            current: None,
        }
    }

    /// The next rows, numbered from `first`; `None` behind the last.
    pub(super) fn next(&mut self, first: RowId) -> Result<Option<Stretch>, SourceError> {
        loop {
            if let Some((batch, start)) = self.current.take()
                && start < batch.num_rows()
            {
                let rows = self.limits.rows.min(batch.num_rows() - start);
                let len = fitting(batch.slice(start, rows).columns(), rows, self.limits.bytes);
                let stretch = self.stretch(&batch.slice(start, len), first);
                self.current = Some((batch, start + len));
                return stretch
                    .map(Some)
                    .map_err(|error| self.damaged(error, first));
            }
            let batch = guarded(|| self.input.next().transpose());
            match batch.map_err(|error| self.damaged(error, first))? {
                Some(batch) => self.current = Some((batch, 0)),
                None => return Ok(None),
            }
        }
    }

    fn stretch(&self, batch: &RecordBatch, first: RowId) -> Result<Stretch, ArrowError> {
        let mut faults = Vec::new();
        let mut columns = Vec::with_capacity(self.wanted.len());
        for (place, column) in &self.wanted {
            let array = batch.columns().get(*place).ok_or_else(|| {
                ArrowError::SchemaError("a record batch lacks a column of the schema".to_owned())
            })?;
            columns.push(convert::column(
                &column.name,
                array,
                column.kind,
                &mut faults,
            )?);
        }
        let mut stretch = Stretch::default();
        // the first fault of a row, in the order of the columns, stands for it
        let mut bad = BTreeMap::new();
        for Fault {
            index,
            code,
            message,
        } in faults
        {
            bad.entry(index).or_insert((code, message));
        }
        stretch.columns = without(
            columns,
            batch.num_rows(),
            &bad.keys().copied().collect::<Vec<_>>(),
        )?;
        for index in 0..batch.num_rows() {
            let row = first.plus(index as u64);
            match bad.remove(&index) {
                None => stretch.ids.push(row),
                Some((code, message)) => {
                    stretch.bad.push(BadRow {
                        row,
                        line: None,
                        code,
                        message,
                    });
                }
            }
        }
        Ok(stretch)
    }

    fn damaged(&self, error: ArrowError, first: RowId) -> SourceError {
        damaged(error).in_file(&self.file).at(Place::Row(first.0))
    }
}

/// Runs a decoder. Some damage makes the decoders of Parquet and Arrow panic instead of returning an error; it must not
/// end the program, and what they had in hand is dropped afterwards.
pub(super) fn guarded<T, E: From<ArrowError>>(
    decode: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(ArrowError::ParseError(said.unwrap_or("the decoder gave up").to_owned()).into())
    })
}

/// The fault of a file that cannot be read on.
fn damaged(error: ArrowError) -> SourceError {
    SourceError::new(
        SourceErrorKind::Damaged,
        "the file cannot be read from this row on",
        "it is damaged or incomplete: copy or export it again",
    )
    .caused_by(error)
}

/// The columns without the rows at these indexes.
fn without(columns: Vec<Column>, rows: usize, bad: &[usize]) -> Result<Vec<Column>, ArrowError> {
    if bad.is_empty() {
        return Ok(columns);
    }
    let mut keep = vec![true; rows];
    for index in bad {
        keep[*index] = false;
    }
    let mask = BooleanChunked::from_slice("keep".into(), &keep);
    DataFrame::new(rows, columns)
        .and_then(|frame| frame.filter_seq(&mask))
        .map(DataFrame::into_columns)
        .map_err(|error| ArrowError::ExternalError(Box::new(error)))
}

/// How many of the first `rows` rows hold `bytes` bytes together; at least one.
fn fitting(columns: &[ArrayRef], rows: usize, bytes: usize) -> usize {
    let mut sizes = vec![CELL * columns.len(); rows];
    for column in columns {
        match column.data_type() {
            Arrow::Utf8 => add(&mut sizes, column.as_string::<i32>().offsets().lengths()),
            Arrow::LargeUtf8 => add(&mut sizes, column.as_string::<i64>().offsets().lengths()),
            Arrow::Utf8View => {
                add(
                    &mut sizes,
                    column.as_string_view().lengths().map(|len| len as usize),
                );
            }
            Arrow::Binary => add(&mut sizes, column.as_binary::<i32>().offsets().lengths()),
            Arrow::LargeBinary => add(&mut sizes, column.as_binary::<i64>().offsets().lengths()),
            Arrow::BinaryView => {
                add(
                    &mut sizes,
                    column.as_binary_view().lengths().map(|len| len as usize),
                );
            }
            kind if kind.is_nested() => {
                // the average will do where rows are hard to weigh
                let size = column.to_data().get_slice_memory_size().unwrap_or(0);
                add(&mut sizes, std::iter::repeat_n(size / rows.max(1), rows));
            }
            _ => {}
        }
    }
    let mut held = 0;
    let full = sizes.iter().position(|size| {
        held += size;
        held >= bytes
    });
    full.map_or(rows, |index| index + 1)
}

fn add(sizes: &mut [usize], lengths: impl Iterator<Item = usize>) {
    for (size, length) in sizes.iter_mut().zip(lengths) {
        *size += length;
    }
}
