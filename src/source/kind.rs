//! Which of the few column types of a [`SourceSchema`](super::chunk::SourceSchema) an Arrow type becomes.

use arrow::datatypes::{DataType as Arrow, Field};
use polars::prelude::{DataType, TimeUnit};

/// How a column of an Arrow array is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text as it is.
    Text,
    /// Bytes that should be text; where they are not, the row is bad.
    Bytes,
    /// Sixteen bytes, written as a UUID.
    Uuid,
    /// Lists of text.
    Texts,
    /// Signed integers, and unsigned ones that fit.
    Int,
    /// Unsigned integers of 64 bits.
    UInt,
    /// Floating-point numbers.
    Float,
    /// Booleans.
    Boolean,
    /// Dates.
    Date,
    /// Points in time; those without a time zone are taken for UTC.
    Datetime,
    /// Exact decimals.
    Decimal {
        /// Digits in all, at most 38.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// Anything else, as Arrow displays it.
    Rendered,
}

impl Kind {
    /// The kind of a field.
    pub(super) fn of(field: &Field) -> Self {
        let uuid = field.extension_type_name() == Some("arrow.uuid");
        match values(field.data_type()) {
            Arrow::FixedSizeBinary(16) if uuid => Self::Uuid,
            Arrow::Utf8 | Arrow::LargeUtf8 | Arrow::Utf8View | Arrow::Null => Self::Text,
            Arrow::Binary | Arrow::LargeBinary | Arrow::BinaryView => Self::Bytes,
            Arrow::List(item) | Arrow::LargeList(item) | Arrow::FixedSizeList(item, _)
                if is_text(values(item.data_type())) =>
            {
                Self::Texts
            }
            Arrow::Int8
            | Arrow::Int16
            | Arrow::Int32
            | Arrow::Int64
            | Arrow::UInt8
            | Arrow::UInt16
            | Arrow::UInt32 => Self::Int,
            Arrow::UInt64 => Self::UInt,
            Arrow::Float16 | Arrow::Float32 | Arrow::Float64 => Self::Float,
            Arrow::Boolean => Self::Boolean,
            Arrow::Date32 | Arrow::Date64 => Self::Date,
            Arrow::Timestamp(..) => Self::Datetime,
            Arrow::Decimal32(precision, scale)
            | Arrow::Decimal64(precision, scale)
            | Arrow::Decimal128(precision, scale)
            | Arrow::Decimal256(precision, scale) => match u8::try_from(*scale) {
                Ok(scale) if (1..=38).contains(precision) && scale <= *precision => Self::Decimal {
                    precision: *precision,
                    scale,
                },
                _ => Self::Rendered,
            },
            _ => Self::Rendered,
        }
    }

    /// The type of its column.
    pub(super) fn data_type(self) -> DataType {
        match self {
            Self::Text | Self::Bytes | Self::Uuid | Self::Rendered => DataType::String,
            Self::Texts => DataType::List(Box::new(DataType::String)),
            Self::Int => DataType::Int64,
            Self::UInt => DataType::UInt64,
            Self::Float => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date,
            Self::Datetime => DataType::Datetime(TimeUnit::Microseconds, None),
            Self::Decimal { precision, scale } => {
                DataType::Decimal(usize::from(precision), usize::from(scale))
            }
        }
    }
}

/// The type behind dictionaries and runs.
pub(super) fn values(data_type: &Arrow) -> &Arrow {
    match data_type {
        Arrow::Dictionary(_, value) => values(value),
        Arrow::RunEndEncoded(_, field) => values(field.data_type()),
        plain => plain,
    }
}

fn is_text(data_type: &Arrow) -> bool {
    matches!(data_type, Arrow::Utf8 | Arrow::LargeUtf8 | Arrow::Utf8View)
}

/// A column type in words, for messages.
pub(super) fn in_words(data_type: &DataType) -> String {
    match data_type {
        DataType::String => "text".to_owned(),
        DataType::Int64 => "integer".to_owned(),
        DataType::UInt64 => "unsigned integer".to_owned(),
        DataType::Float64 => "float".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Date => "date".to_owned(),
        DataType::Datetime(..) => "datetime".to_owned(),
        DataType::Decimal(precision, scale) => format!("decimal({precision}, {scale})"),
        DataType::List(item) => format!("list of {}", in_words(item)),
        other => other.to_string(),
    }
}
