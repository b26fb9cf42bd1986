//! Rows as text → typed Arrow batches in a private file.

use super::cell::{self, Unreadable, Value};
use super::{BAD, FILE, Header, LINE, METADATA, PREFIX, ROW};
use crate::model::code::Code;
use crate::model::row::{FileId, RowId};
use crate::source::dataset::Dataset;
use crate::source::error::{SourceError, SourceErrorKind};
use crate::source::recorded::{RecordedKind, RecordedSchema};
use crate::source::spool;
use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder,
    ListBuilder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder, UInt32Builder,
    UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use std::collections::HashMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::NamedTempFile;

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;
/// Text of a batch, in bytes, beyond which it ends early.
const BATCH_BYTES: usize = 8 << 20;

/// Where a row stands in its dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptPlace {
    /// Its number.
    pub row: RowId,
    /// Its file.
    pub file: FileId,
    /// The physical line on which it starts, where its format has lines.
    pub line: Option<u64>,
}

/// Writes rows to a file that only its owner can read, and makes a dataset of them.
///
/// Dropped without [`finish`](Self::finish), it leaves nothing behind.
pub struct RowKeeper {
    writer: FileWriter<BufWriter<File>>,
    schema: SchemaRef,
    columns: RecordedSchema,
    rows: UInt64Builder,
    files: UInt32Builder,
    lines: UInt64Builder,
    bad: StringBuilder,
    cells: Vec<Cells>,
    held: usize,
    bytes: usize,
    last: Option<RowId>,
    folder: PathBuf,
    file: NamedTempFile,
}

impl RowKeeper {
    /// Starts a file in `folder`, which is made (0700) where it is missing, for rows of the named files with these columns.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(
        folder: &Path,
        files: &[String],
        columns: &RecordedSchema,
    ) -> Result<Self, SourceError> {
        let file = spool::private(folder, "rows-").map_err(|error| cannot_keep(folder, error))?;
        let header = Header {
            files: files.to_vec(),
            columns: columns.clone(),
        };
        let schema = schema(&header).map_err(|error| cannot_keep(folder, error))?;
        let writer = file
            .as_file()
            .try_clone()
            .map_err(ArrowError::from)
            .and_then(|file| FileWriter::try_new(BufWriter::with_capacity(1 << 16, file), &schema))
            .map_err(|error| cannot_keep(folder, error))?;
        Ok(Self {
            writer,
            schema,
            rows: UInt64Builder::new(),
            files: UInt32Builder::new(),
            lines: UInt64Builder::new(),
            bad: StringBuilder::new(),
            cells: columns
                .columns
                .iter()
                .map(|column| Cells::new(column.kind))
                .collect(),
            columns: columns.clone(),
            held: 0,
            bytes: 0,
            last: None,
            folder: folder.to_owned(),
            file,
        })
    }

    /// Keeps a row, its cells in the order of the schema; cells that are missing at the end are null. `false` when some
    /// cell cannot be read as the type of its column: then the row is a bad one, and its message names the columns.
    ///
    /// # Errors
    /// When the file cannot be written, or the row's number is not higher than the one before.
    pub fn push(&mut self, place: KeptPlace, cells: &[Option<&str>]) -> Result<bool, SourceError> {
        let mut values = Vec::with_capacity(self.cells.len());
        let mut wrong = Vec::new();
        for (index, column) in self.columns.columns.iter().enumerate() {
            let Some(text) = cells.get(index).copied().flatten() else {
                values.push(None);
                continue;
            };
            match cell::parse(column.kind, text) {
                Ok(value) => values.push(value),
                Err(Unreadable) => wrong.push(format!(
                    "{PREFIX}{} cannot be read as {}",
                    column.name,
                    cell::looks_like(column.kind)
                )),
            }
        }
        if !wrong.is_empty() {
            self.push_bad(place, Code::CastInvalid, &wrong.join("; "))?;
            return Ok(false);
        }
        self.begin(place)?;
        self.bad.append_null();
        for (column, value) in self.cells.iter_mut().zip(values) {
            self.bytes += column.append(value);
        }
        self.end()?;
        Ok(true)
    }

    /// Keeps a row that is none, with what is wrong with it.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_bad(
        &mut self,
        place: KeptPlace,
        code: Code,
        message: &str,
    ) -> Result<(), SourceError> {
        let entry = serde_json::to_string(&(code, message))
            .map_err(|error| cannot_keep(&self.folder, error))?;
        self.begin(place)?;
        self.bytes += entry.len();
        self.bad.append_value(entry);
        for column in &mut self.cells {
            self.bytes += column.append(None);
        }
        self.end()
    }

    /// The rows as a dataset; the file goes with the last reader.
    ///
    /// # Errors
    /// When the file cannot be written or read back.
    pub fn finish(mut self) -> Result<Dataset, SourceError> {
        if self.held > 0 {
            self.flush()?;
        }
        self.writer
            .finish()
            .and_then(|()| self.writer.flush())
            .map_err(|error| cannot_keep(&self.folder, error))?;
        let Self { file, .. } = self;
        let path = file.path().to_owned();
        Dataset::of_kept(&path, Some(file))
    }

    fn begin(&mut self, place: KeptPlace) -> Result<(), SourceError> {
        if let Some(last) = self.last
            && place.row <= last
        {
            let what = format!(
                "row {} came after row {}; this is a bug",
                place.row.0, last.0
            );
            return Err(cannot_keep(&self.folder, what));
        }
        self.last = Some(place.row);
        self.rows.append_value(place.row.0);
        self.files.append_value(place.file.0);
        self.lines.append_option(place.line);
        Ok(())
    }

    fn end(&mut self) -> Result<(), SourceError> {
        self.held += 1;
        if self.held == BATCH_ROWS || self.bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SourceError> {
        let own: [ArrayRef; 4] = [
            Arc::new(self.rows.finish()),
            Arc::new(self.files.finish()),
            Arc::new(self.lines.finish()),
            Arc::new(self.bad.finish()),
        ];
        let cells = self.cells.iter_mut().map(Cells::finish);
        let arrays = own.into_iter().chain(cells).collect();
        (self.held, self.bytes) = (0, 0);
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
            .and_then(|batch| self.writer.write(&batch))
            .map_err(|error| cannot_keep(&self.folder, error))
    }
}

fn cannot_keep(
    folder: &Path,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> SourceError {
    SourceError::new(
        SourceErrorKind::Io,
        format!("rows cannot be kept in {}", folder.display()),
        "free some space there, or choose another state directory",
    )
    .caused_by(cause)
}

fn schema(header: &Header) -> serde_json::Result<SchemaRef> {
    let own = [
        Field::new(ROW, DataType::UInt64, false),
        Field::new(FILE, DataType::UInt32, false),
        Field::new(LINE, DataType::UInt64, true),
        Field::new(BAD, DataType::Utf8, true),
    ];
    let cells = header.columns.columns.iter().map(|column| {
        let name = format!("{PREFIX}{}", column.name);
        Field::new(name, data_type(column.kind), true)
    });
    let fields: Vec<_> = own.into_iter().chain(cells).collect();
    let metadata = HashMap::from([(METADATA.to_owned(), serde_json::to_string(header)?)]);
    Ok(Arc::new(Schema::new_with_metadata(fields, metadata)))
}

fn data_type(kind: RecordedKind) -> DataType {
    match kind {
        RecordedKind::Text => DataType::Utf8,
        RecordedKind::Integer => DataType::Int64,
        RecordedKind::Unsigned => DataType::UInt64,
        RecordedKind::Float => DataType::Float64,
        RecordedKind::Boolean => DataType::Boolean,
        RecordedKind::Date => DataType::Date32,
        RecordedKind::Datetime => DataType::Timestamp(TimeUnit::Microsecond, None),
        // a scale is at most 38
        RecordedKind::Decimal { precision, scale } => {
            DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(i8::MAX))
        }
        RecordedKind::List => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
    }
}

/// The cells of a column being filled.
enum Cells {
    Text(StringBuilder),
    Integer(Int64Builder),
    Unsigned(UInt64Builder),
    Float(Float64Builder),
    Boolean(BooleanBuilder),
    Date(Date32Builder),
    Datetime(TimestampMicrosecondBuilder),
    Decimal(Decimal128Builder),
    List(ListBuilder<StringBuilder>),
}

impl Cells {
    fn new(kind: RecordedKind) -> Self {
        match kind {
            RecordedKind::Text => Self::Text(StringBuilder::new()),
            RecordedKind::Integer => Self::Integer(Int64Builder::new()),
            RecordedKind::Unsigned => Self::Unsigned(UInt64Builder::new()),
            RecordedKind::Float => Self::Float(Float64Builder::new()),
            RecordedKind::Boolean => Self::Boolean(BooleanBuilder::new()),
            RecordedKind::Date => Self::Date(Date32Builder::new()),
            RecordedKind::Datetime => Self::Datetime(TimestampMicrosecondBuilder::new()),
            RecordedKind::Decimal { .. } => {
                Self::Decimal(Decimal128Builder::new().with_data_type(data_type(kind)))
            }
            RecordedKind::List => Self::List(ListBuilder::new(StringBuilder::new())),
        }
    }

    /// Appends a value of this type, else a null; says about how many bytes that takes.
    fn append(&mut self, value: Option<Value<'_>>) -> usize {
        const FIXED: usize = 16;
        match (self, value) {
            (Self::Text(cells), Some(Value::Text(text))) => {
                cells.append_value(text);
                return FIXED + text.len();
            }
            (Self::Integer(cells), Some(Value::Integer(value))) => cells.append_value(value),
            (Self::Unsigned(cells), Some(Value::Unsigned(value))) => cells.append_value(value),
            (Self::Float(cells), Some(Value::Float(value))) => cells.append_value(value),
            (Self::Boolean(cells), Some(Value::Boolean(value))) => cells.append_value(value),
            (Self::Date(cells), Some(Value::Date(days))) => cells.append_value(days),
            (Self::Datetime(cells), Some(Value::Datetime(micros))) => cells.append_value(micros),
            (Self::Decimal(cells), Some(Value::Decimal(value))) => cells.append_value(value),
            (Self::List(cells), Some(Value::List(items))) => {
                let size = |item: &Option<_>| FIXED + item.as_deref().map_or(0, str::len);
                let bytes = items.iter().map(size).sum::<usize>();
                cells.append_value(items);
                return FIXED + bytes;
            }
            (Self::Text(cells), _) => cells.append_null(),
            (Self::Integer(cells), _) => cells.append_null(),
            (Self::Unsigned(cells), _) => cells.append_null(),
            (Self::Float(cells), _) => cells.append_null(),
            (Self::Boolean(cells), _) => cells.append_null(),
            (Self::Date(cells), _) => cells.append_null(),
            (Self::Datetime(cells), _) => cells.append_null(),
            (Self::Decimal(cells), _) => cells.append_null(),
            (Self::List(cells), _) => cells.append_null(),
        }
        FIXED
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(cells) => Arc::new(cells.finish()),
            Self::Integer(cells) => Arc::new(cells.finish()),
            Self::Unsigned(cells) => Arc::new(cells.finish()),
            Self::Float(cells) => Arc::new(cells.finish()),
            Self::Boolean(cells) => Arc::new(cells.finish()),
            Self::Date(cells) => Arc::new(cells.finish()),
            Self::Datetime(cells) => Arc::new(cells.finish()),
            Self::Decimal(cells) => Arc::new(cells.finish()),
            Self::List(cells) => Arc::new(cells.finish()),
        }
    }
}
