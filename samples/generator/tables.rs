//! One table, three formats: CSV, Parquet and Arrow files of the same rows in the same order.
//!
//! Columns are typed where real exports type them; the CSV text of a typed cell is the loader's canonical
//! rendering of it, so that one mapping file gives the same results on all three.

use crate::calendar::{Date, rfc3339};
use crate::failure::Failure;
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Int64Array, ListBuilder,
    StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::io::Write;
use std::sync::Arc;

/// Digits after the point in decimal columns.
const SCALE: i8 = 2;

/// The cells of one column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Values {
    /// Text.
    Text(Vec<Option<String>>),
    /// Text with few distinct values: a dictionary where the format has them.
    Category(Vec<Option<String>>),
    /// 64-bit integers.
    Integer(Vec<Option<i64>>),
    /// Decimals in hundredths.
    Decimal(Vec<Option<i64>>),
    /// Booleans.
    Boolean(Vec<Option<bool>>),
    /// Days.
    Date(Vec<Option<Date>>),
    /// Seconds since 1970, in UTC.
    Timestamp(Vec<Option<i64>>),
    /// Lists of text; joined by `;` in CSV.
    List(Vec<Option<Vec<String>>>),
}

impl Values {
    /// The number of cells.
    fn len(&self) -> usize {
        match self {
            Self::Text(cells) | Self::Category(cells) => cells.len(),
            Self::Integer(cells) | Self::Decimal(cells) | Self::Timestamp(cells) => cells.len(),
            Self::Boolean(cells) => cells.len(),
            Self::Date(cells) => cells.len(),
            Self::List(cells) => cells.len(),
        }
    }

    /// A cell as CSV text; null is the empty text.
    fn csv(&self, row: usize) -> String {
        match self {
            Self::Text(cells) | Self::Category(cells) => cells[row].clone(),
            Self::Integer(cells) => cells[row].map(|number| number.to_string()),
            Self::Decimal(cells) => cells[row].map(decimal),
            Self::Boolean(cells) => cells[row].map(|truth| truth.to_string()),
            Self::Date(cells) => cells[row].map(Date::iso),
            Self::Timestamp(cells) => cells[row].map(rfc3339),
            Self::List(cells) => cells[row].as_ref().map(|parts| parts.join(";")),
        }
        .unwrap_or_default()
    }

    /// The column as an Arrow array.
    fn arrow(&self) -> Result<ArrayRef, Failure> {
        Ok(match self {
            Self::Text(cells) => Arc::new(cells.iter().collect::<StringArray>()),
            Self::Category(cells) => Arc::new(
                cells
                    .iter()
                    .map(Option::as_deref)
                    .collect::<DictionaryArray<Int32Type>>(),
            ),
            Self::Integer(cells) => Arc::new(cells.iter().copied().collect::<Int64Array>()),
            Self::Decimal(cells) => Arc::new(
                cells
                    .iter()
                    .map(|cell| cell.map(i128::from))
                    .collect::<Decimal128Array>()
                    .with_precision_and_scale(15, SCALE)?,
            ),
            Self::Boolean(cells) => Arc::new(cells.iter().copied().collect::<BooleanArray>()),
            Self::Date(cells) => {
                let days = cells.iter().map(|cell| cell.map(|date| date.days));
                Arc::new(days.collect::<Date32Array>())
            }
            Self::Timestamp(cells) => {
                let micros = cells
                    .iter()
                    .map(|cell| cell.map(|seconds| seconds * 1_000_000));
                Arc::new(
                    micros
                        .collect::<TimestampMicrosecondArray>()
                        .with_timezone("UTC"),
                )
            }
            Self::List(cells) => {
                let mut list = ListBuilder::new(StringBuilder::new());
                for cell in cells {
                    for part in cell.iter().flatten() {
                        list.values().append_value(part);
                    }
                    list.append(cell.is_some());
                }
                Arc::new(list.finish())
            }
        })
    }
}

/// Hundredths as text without trailing zeros: `1250000.5`.
fn decimal(hundredths: i64) -> String {
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    match rest {
        0 => whole.to_string(),
        tenths if tenths % 10 == 0 => format!("{whole}.{}", tenths / 10),
        _ => format!("{whole}.{rest:02}"),
    }
}

/// Named columns of one length.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    /// Name and cells of each column.
    pub(crate) columns: Vec<(&'static str, Values)>,
}

/// How a CSV file is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    /// What stands between the cells.
    pub(crate) delimiter: u8,
    /// Ends lines with CRLF and starts the file with a byte-order mark, as spreadsheets do.
    pub(crate) spreadsheet: bool,
}

/// Commas and LF, without a byte-order mark.
pub(crate) const PLAIN: Dialect = Dialect {
    delimiter: b',',
    spreadsheet: false,
};

/// A CSV file that grows table by table.
pub(crate) struct CsvFile<W: Write> {
    /// Where rows go.
    writer: csv::Writer<W>,
    /// Whether the header is written.
    header: bool,
}

impl<W: Write> CsvFile<W> {
    /// A file without rows.
    pub(crate) fn new(mut out: W, dialect: Dialect) -> Result<Self, Failure> {
        if dialect.spreadsheet {
            out.write_all("\u{feff}".as_bytes())?;
        }
        let terminator = if dialect.spreadsheet {
            csv::Terminator::CRLF
        } else {
            csv::Terminator::Any(b'\n')
        };
        let writer = csv::WriterBuilder::new()
            .delimiter(dialect.delimiter)
            .terminator(terminator)
            .from_writer(out);
        Ok(Self {
            writer,
            header: false,
        })
    }

    /// Appends the first `rows` rows of a table; the first table brings the header.
    pub(crate) fn append(&mut self, table: &Table, rows: usize) -> Result<(), Failure> {
        if !self.header {
            self.writer
                .write_record(table.columns.iter().map(|(name, _)| name))?;
            self.header = true;
        }
        for row in 0..rows {
            for (_, values) in &table.columns {
                self.writer.write_field(values.csv(row))?;
            }
            self.writer.write_record(None::<&[u8]>)?;
        }
        Ok(())
    }

    /// Writes what is still buffered.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        Ok(self.writer.flush()?)
    }
}

impl Table {
    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, values)| values.len())
    }

    /// The table as CSV.
    pub(crate) fn to_csv(&self, dialect: Dialect) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let mut file = CsvFile::new(&mut bytes, dialect)?;
        file.append(self, self.rows())?;
        file.finish()?;
        Ok(bytes)
    }

    /// The table as Parquet: Zstandard pages, row groups of at most `group` rows, nothing of the day it was made.
    pub(crate) fn to_parquet(&self, group: usize) -> Result<Vec<u8>, Failure> {
        let batch = self.to_batch()?;
        let properties = WriterProperties::builder()
            .set_created_by("csm-loader samples".into())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_max_row_group_row_count(Some(group))
            .build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
        writer.write(&batch)?;
        writer.close()?;
        Ok(bytes)
    }

    /// The table as an Arrow IPC file, in compressed batches of at most `group` rows.
    pub(crate) fn to_arrow_file(&self, group: usize) -> Result<Vec<u8>, Failure> {
        let batch = self.to_batch()?;
        let options =
            IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD))?;
        let mut bytes = Vec::new();
        let mut writer = FileWriter::try_new_with_options(&mut bytes, &batch.schema(), options)?;
        for slice in slices(&batch, group) {
            writer.write(&slice)?;
        }
        writer.finish()?;
        drop(writer);
        Ok(bytes)
    }

    /// The table as an Arrow IPC stream, in batches of at most `group` rows.
    pub(crate) fn to_arrow_stream(&self, group: usize) -> Result<Vec<u8>, Failure> {
        let batch = self.to_batch()?;
        let mut bytes = Vec::new();
        let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema())?;
        for slice in slices(&batch, group) {
            writer.write(&slice)?;
        }
        writer.finish()?;
        drop(writer);
        Ok(bytes)
    }

    /// The table as one record batch. Every column may hold nulls, as exports declare it.
    pub(crate) fn to_batch(&self) -> Result<RecordBatch, Failure> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for (name, values) in &self.columns {
            columns.push((*name, values.arrow()?, true));
        }
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
    }
}

/// A batch cut into pieces of at most `group` rows, which share its dictionaries.
fn slices(batch: &RecordBatch, group: usize) -> impl Iterator<Item = RecordBatch> {
    (0..batch.num_rows())
        .step_by(group.max(1))
        .map(move |start| batch.slice(start, group.min(batch.num_rows() - start)))
}
