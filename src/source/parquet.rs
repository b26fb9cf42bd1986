//! Parquet: footer → columns → batches small enough for a chunk.

use super::columnar::{self, Batches, FileColumn, Input};
use super::error::{SourceError, SourceErrorKind};
use super::kind::Kind;
use super::stretch::Limits;
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use ::parquet::basic::{LogicalType, Type as Physical};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::schema::types::SchemaDescriptor;
use arrow::datatypes::{DataType as Arrow, Field, Schema, SchemaRef, TimeUnit};
use std::fs::File;
use std::sync::Arc;

/// What a Parquet file's footer says.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    metadata: ArrowReaderMetadata,
    columns: Vec<FileColumn>,
}

impl Layout {
    /// Reads the footer; the faults lack the file's name.
    pub(super) fn inspect(file: &File) -> Result<Self, Vec<SourceError>> {
        let metadata =
            columnar::guarded(|| load(file)).map_err(|error| vec![damaged_footer(error)])?;
        let mut columns = columnar::columns(metadata.schema().fields().iter().map(AsRef::as_ref))?;
        for (column, root) in columns
            .iter_mut()
            .zip(metadata.parquet_schema().root_schema().get_fields())
        {
            if root.get_basic_info().logical_type_ref() == Some(&LogicalType::Uuid) {
                column.kind = Kind::Uuid;
            }
        }
        Ok(Self { metadata, columns })
    }

    /// The columns.
    pub(super) fn columns(&self) -> &[FileColumn] {
        &self.columns
    }

    /// The rows of the file, with the columns at these positions; `name` is the file's for messages.
    pub(super) fn rows(
        &self,
        file: File,
        name: &str,
        wanted: &[usize],
        limits: Limits,
    ) -> Result<Batches, SourceError> {
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), wanted.iter().copied());
        let rows = batch_rows(self.metadata.metadata(), &mask, limits);
        let reader =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                .with_projection(mask)
                .with_batch_size(rows)
                .build()
                .map_err(|error| damaged_footer(error).in_file(name))?;
        let input: Input = Box::new(reader);
        Ok(Batches::new(input, name, &self.columns, wanted, limits))
    }
}

fn load(file: &File) -> Result<ArrowReaderMetadata, ParquetError> {
    let metadata = ArrowReaderMetadata::load(file, ArrowReaderOptions::new())?;
    let schema = handy(metadata.schema(), metadata.parquet_schema());
    let options = ArrowReaderOptions::new().with_schema(schema);
    // a file whose own Arrow schema cannot be refined is read by that schema
    Ok(ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).unwrap_or(metadata))
}

/// The schema to read by: text as views, so that a long text that a page repeats is not copied for each row, and the
/// old 96-bit timestamps in microseconds, because years outside 1677–2262 do not fit into nanoseconds.
fn handy(schema: &SchemaRef, parquet: &SchemaDescriptor) -> SchemaRef {
    let roots = parquet.root_schema().get_fields();
    let fields = schema.fields().iter().zip(roots).map(|(field, root)| {
        let old_timestamp = root.is_primitive() && root.get_physical_type() == Physical::INT96;
        let data_type = match super::kind::values(field.data_type()) {
            Arrow::Utf8 | Arrow::LargeUtf8 => Arrow::Utf8View,
            Arrow::Timestamp(TimeUnit::Nanosecond, zone) if old_timestamp => {
                Arrow::Timestamp(TimeUnit::Microsecond, zone.clone())
            }
            _ => return Arc::clone(field),
        };
        Arc::new(Field::clone(field).with_data_type(data_type))
    });
    Arc::new(Schema::new_with_metadata(
        fields.collect::<Vec<_>>(),
        schema.metadata().clone(),
    ))
}

/// Rows for a batch that holds about `limits.bytes` in the row group with the widest rows.
fn batch_rows(metadata: &ParquetMetaData, mask: &ProjectionMask, limits: Limits) -> usize {
    let widest = metadata.row_groups().iter().map(|group| {
        let bytes: u64 = group
            .columns()
            .iter()
            .enumerate()
            .filter(|(leaf, _)| mask.leaf_included(*leaf))
            .map(|(_, column)| {
                let text = column.unencoded_byte_array_data_bytes().unwrap_or(0);
                u64::try_from(text.max(column.uncompressed_size())).unwrap_or(0)
            })
            .sum();
        bytes / u64::try_from(group.num_rows()).unwrap_or(0).max(1)
    });
    let row = widest
        .max()
        .and_then(|bytes| usize::try_from(bytes).ok())
        .unwrap_or(0)
        .max(1);
    (limits.bytes / row).clamp(1, limits.rows)
}

fn damaged_footer(error: ParquetError) -> SourceError {
    SourceError::new(
        SourceErrorKind::Format,
        "the Parquet footer cannot be read",
        "the file is truncated or damaged: copy or export it again",
    )
    .caused_by(error)
}
