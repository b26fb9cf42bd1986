//! Results as Arrow batches, written as Parquet or as an Arrow IPC file.

use super::columns::{COLUMNS, Take, source_cells, source_names};
use super::writer::Encode;
use super::{ResultRow, ResultsHeader};
use crate::model::clock::UnixMillis;
use arrow::array::{
    ArrayRef, StringBuilder, TimestampMillisecondBuilder, UInt32Builder, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use arrow::record_batch::{RecordBatch, RecordBatchWriter};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter};
use std::sync::Arc;

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;
/// Text of a batch, in bytes, beyond which it ends early: wide sources must not grow the memory.
const BATCH_BYTES: usize = 16 << 20;
/// Rows of a Parquet row group.
const GROUP_ROWS: usize = 65_536;
/// Encoded bytes of a Parquet row group, which stays in memory until it is complete.
const GROUP_BYTES: usize = 64 << 20;
/// The time zone of times.
const UTC: &str = "UTC";

/// Collects rows into batches and hands them to a writer of batches.
pub(super) struct Columnar<W> {
    writer: W,
    schema: SchemaRef,
    columns: Vec<Column>,
    cells: Vec<StringBuilder>,
    rows: usize,
    bytes: usize,
}

/// An Arrow IPC file.
pub(super) fn arrow_file(
    file: File,
    header: &ResultsHeader,
) -> io::Result<Columnar<FileWriter<BufWriter<File>>>> {
    let schema = schema(header);
    let file = BufWriter::with_capacity(1 << 16, file);
    let writer = FileWriter::try_new(file, &schema).map_err(io_error)?;
    Ok(Columnar::new(writer, schema, header))
}

/// A Parquet file.
pub(super) fn parquet_file(
    file: File,
    header: &ResultsHeader,
) -> io::Result<Columnar<ArrowWriter<File>>> {
    let schema = schema(header);
    let level = ZstdLevel::try_new(1).map_err(io::Error::other)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES))
        .build();
    let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))
        .map_err(io::Error::other)?;
    Ok(Columnar::new(writer, schema, header))
}

impl<W: RecordBatchWriter> Columnar<W> {
    fn new(writer: W, schema: SchemaRef, header: &ResultsHeader) -> Self {
        Self {
            writer,
            schema,
            columns: COLUMNS.iter().map(|(_, take)| Column::new(*take)).collect(),
            cells: header
                .source_columns
                .iter()
                .map(|_| StringBuilder::new())
                .collect(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Writes the batch collected so far.
    fn flush(&mut self) -> io::Result<()> {
        let own = self.columns.iter_mut().map(Column::finish);
        let cells = self
            .cells
            .iter_mut()
            .map(|cells| Arc::new(cells.finish()) as ArrayRef);
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), own.chain(cells).collect());
        (self.rows, self.bytes) = (0, 0);
        batch
            .and_then(|batch| self.writer.write(&batch))
            .map_err(io_error)
    }
}

impl<W: RecordBatchWriter + Send> Encode for Columnar<W> {
    fn write(&mut self, header: &ResultsHeader, row: &ResultRow<'_>) -> io::Result<()> {
        for column in &mut self.columns {
            self.bytes += column.append(header, row);
        }
        for (column, cell) in self.cells.iter_mut().zip(source_cells(header, row)) {
            // offsets count too: a row of many empty cells is not free
            self.bytes += size_of::<i32>() + cell.map_or(0, str::len);
            column.append_option(cell);
        }
        self.rows += 1;
        if self.rows == BATCH_ROWS || self.bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if self.rows > 0 {
            self.flush()?;
        }
        self.writer.close().map_err(io_error)
    }
}

/// A column being filled: where its values come from, and those of the batch at hand.
enum Column {
    Text(
        for<'a> fn(&'a ResultsHeader, &'a ResultRow<'a>) -> Option<Cow<'a, str>>,
        StringBuilder,
    ),
    Big(fn(&ResultRow<'_>) -> Option<u64>, UInt64Builder),
    Small(fn(&ResultRow<'_>) -> u32, UInt32Builder),
    Time(
        fn(&ResultRow<'_>) -> UnixMillis,
        TimestampMillisecondBuilder,
    ),
}

impl Column {
    fn new(take: Take) -> Self {
        match take {
            Take::Text(take) => Self::Text(take, StringBuilder::new()),
            Take::Big(take) => Self::Big(take, UInt64Builder::new()),
            Take::Small(take) => Self::Small(take, UInt32Builder::new()),
            Take::Time(take) => {
                Self::Time(take, TimestampMillisecondBuilder::new().with_timezone(UTC))
            }
        }
    }

    /// Appends a row's value and says how many bytes of text it has.
    fn append(&mut self, header: &ResultsHeader, row: &ResultRow<'_>) -> usize {
        match self {
            Self::Text(take, column) => {
                let text = take(header, row);
                column.append_option(text.as_deref());
                return text.map_or(0, |text| text.len());
            }
            Self::Big(take, column) => column.append_option(take(row)),
            Self::Small(take, column) => column.append_value(take(row)),
            Self::Time(take, column) => column.append_value(take(row)),
        }
        0
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(_, column) => Arc::new(column.finish()),
            Self::Big(_, column) => Arc::new(column.finish()),
            Self::Small(_, column) => Arc::new(column.finish()),
            Self::Time(_, column) => Arc::new(column.finish()),
        }
    }
}

fn schema(header: &ResultsHeader) -> SchemaRef {
    let own = COLUMNS.iter().map(|(name, take)| {
        let kind = match take {
            Take::Text(_) => DataType::Utf8,
            Take::Big(_) => DataType::UInt64,
            Take::Small(_) => DataType::UInt32,
            Take::Time(_) => DataType::Timestamp(TimeUnit::Millisecond, Some(UTC.into())),
        };
        Field::new(*name, kind, true)
    });
    let cells = source_names(header).map(|name| Field::new(name, DataType::Utf8, true));
    Arc::new(Schema::new(own.chain(cells).collect::<Vec<_>>()))
}

/// The error as `io` knows it, so that a full disk is still called that.
fn io_error(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        other => io::Error::other(other),
    }
}
