//! Arrow array → Polars column, in safe code: values are copied once, text without a `String` per cell.

use super::kind::{Kind, values};
use crate::model::code::Code;
use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes as types;
use arrow::datatypes::{ArrowPrimitiveType, DataType as Arrow, TimeUnit as Unit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use polars::prelude::{
    BooleanChunked, ChunkedArray, Column, Float64Type, Int32Chunked, Int64Chunked, Int64Type,
    Int128Chunked, IntoColumn, IntoSeries, ListBuilderTrait, ListStringChunkedBuilder,
    NewChunkedArray, PlSmallStr, PolarsNumericType, Series, StringChunkedBuilder, TimeUnit,
    UInt64Type,
};
use std::fmt::Write;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Days since 1970-01-01 whose year has four digits: what dates can be written with, and calendars compute with.
const DAYS: RangeInclusive<i64> = -719_528..=2_932_896;

/// The same in microseconds.
const MICROS: RangeInclusive<i64> =
    *DAYS.start() * MICROS_A_DAY..=(*DAYS.end() + 1) * MICROS_A_DAY - 1;

const MICROS_A_DAY: i64 = 86_400_000_000;

const MILLIS_A_DAY: i64 = 86_400_000;

/// A value that its column's type cannot hold: its row is bad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The row's index in the array.
    pub(super) index: usize,
    /// What is wrong.
    pub(super) code: Code,
    /// The same in words.
    pub(super) message: String,
}

impl Fault {
    fn cast(index: usize, kind: &str) -> Self {
        let message = format!("cannot be read as {kind}");
        Self {
            index,
            code: Code::CastInvalid,
            message,
        }
    }
}

/// The column of an array. A value that cannot be held is null in the column and a fault in the list.
///
/// # Errors
/// When Arrow cannot unfold the array: it is damaged.
pub(super) fn column(
    name: &str,
    array: &ArrayRef,
    kind: Kind,
    faults: &mut Vec<Fault>,
) -> Result<Column, ArrowError> {
    let plain = values(array.data_type());
    let array = if plain == array.data_type() {
        Arc::clone(array)
    } else {
        cast(array, plain)?
    };
    let name = PlSmallStr::from_str(name);
    let series = match kind {
        Kind::Text => text(name, &array),
        Kind::Bytes => bytes(name, &array, faults),
        Kind::Uuid => uuids(name, &array),
        Kind::Texts => texts(name, &array)?,
        Kind::Rendered => rendered(name, &array, faults)?,
        Kind::Int => numbers::<types::Int64Type, Int64Type>(name, &cast(&array, &Arrow::Int64)?),
        Kind::UInt => numbers::<types::UInt64Type, UInt64Type>(name, &array),
        Kind::Float => {
            numbers::<types::Float64Type, Float64Type>(name, &cast(&array, &Arrow::Float64)?)
        }
        Kind::Boolean => {
            BooleanChunked::from_iter_options(name, array.as_boolean().iter()).into_series()
        }
        Kind::Date => dates(name, &array, faults),
        Kind::Datetime => datetimes(name, &array, faults),
        Kind::Decimal { precision, scale } => {
            let signed = i8::try_from(scale).unwrap_or(i8::MAX);
            let array = cast(&array, &Arrow::Decimal128(precision, signed))?;
            let limit = 10_u128.pow(u32::from(precision));
            let fits = |value: i128| (value.unsigned_abs() < limit).then_some(value);
            let array = array.as_primitive::<types::Decimal128Type>();
            Int128Chunked::from_iter_options(name, checked(array, fits, "decimal", faults))
                .into_decimal_unchecked(usize::from(precision), usize::from(scale))
                .into_series()
        }
    };
    Ok(series.into_column())
}

/// A text column of what `append` gives it.
fn strings(name: PlSmallStr, len: usize, append: impl FnOnce(&mut StringChunkedBuilder)) -> Series {
    let mut builder = StringChunkedBuilder::new(name, len);
    append(&mut builder);
    builder.finish().into_series()
}

fn text(name: PlSmallStr, array: &ArrayRef) -> Series {
    strings(name, array.len(), |column| match array.data_type() {
        Arrow::LargeUtf8 => array
            .as_string::<i64>()
            .iter()
            .for_each(|v| column.append_option(v)),
        Arrow::Utf8View => array
            .as_string_view()
            .iter()
            .for_each(|v| column.append_option(v)),
        Arrow::Utf8 => array
            .as_string::<i32>()
            .iter()
            .for_each(|v| column.append_option(v)),
        // the only other type of this kind: Null
        _ => (0..array.len()).for_each(|_| column.append_null()),
    })
}

fn bytes(name: PlSmallStr, array: &ArrayRef, faults: &mut Vec<Fault>) -> Series {
    strings(name, array.len(), |column| {
        let mut append = |(index, value): (usize, Option<&[u8]>)| {
            let text = value
                .map(std::str::from_utf8)
                .transpose()
                .unwrap_or_else(|error| {
                    let byte = error.valid_up_to() + 1;
                    let message = format!("not valid UTF-8 at byte {byte} of the record");
                    faults.push(Fault {
                        index,
                        code: Code::EncodingInvalid,
                        message,
                    });
                    None
                });
            column.append_option(text);
        };
        match array.data_type() {
            Arrow::LargeBinary => array.as_binary::<i64>().iter().enumerate().for_each(append),
            Arrow::BinaryView => array.as_binary_view().iter().enumerate().for_each(append),
            _ => array
                .as_binary::<i32>()
                .iter()
                .enumerate()
                .for_each(&mut append),
        }
    })
}

fn uuids(name: PlSmallStr, array: &ArrayRef) -> Series {
    strings(name, array.len(), |column| {
        for value in array.as_fixed_size_binary() {
            let uuid = value.and_then(|bytes| uuid::Uuid::from_slice(bytes).ok());
            let mut text = uuid::Uuid::encode_buffer();
            column.append_option(uuid.map(|uuid| &*uuid.hyphenated().encode_lower(&mut text)));
        }
    })
}

fn rendered(
    name: PlSmallStr,
    array: &ArrayRef,
    faults: &mut Vec<Fault>,
) -> Result<Series, ArrowError> {
    let options = FormatOptions::default()
        .with_display_error(false)
        .with_null("null");
    let formatter = ArrayFormatter::try_new(array, &options)?;
    Ok(strings(name, array.len(), |column| {
        let mut cell = String::new();
        for index in 0..array.len() {
            cell.clear();
            if array.is_null(index) {
                column.append_null();
            } else if write!(cell, "{}", formatter.value(index)).is_ok() {
                column.append_value(&cell);
            } else {
                faults.push(Fault::cast(index, "text"));
                column.append_null();
            }
        }
    }))
}

fn texts(name: PlSmallStr, array: &ArrayRef) -> Result<Series, ArrowError> {
    // lists are rare: one shape for all of them is worth a copy
    let item = types::Field::new_list_field(Arrow::LargeUtf8, true);
    let array = cast(array, &Arrow::LargeList(Arc::new(item)))?;
    let lists = array.as_list::<i64>();
    let mut builder = ListStringChunkedBuilder::new(name, lists.len(), lists.values().len());
    let items = lists.values().as_string::<i64>();
    let mut list = Vec::new();
    for (index, ends) in lists.offsets().windows(2).enumerate() {
        if lists.is_null(index) {
            builder.append_null();
            continue;
        }
        list.clear();
        // offsets of a valid list array are not negative
        let range = usize::try_from(ends[0]).unwrap_or(0)..usize::try_from(ends[1]).unwrap_or(0);
        list.extend(range.map(|at| items.is_valid(at).then(|| items.value(at))));
        builder.append_trusted_len_iter(list.iter().copied());
    }
    Ok(builder.finish().into_series())
}

fn numbers<A, P>(name: PlSmallStr, array: &ArrayRef) -> Series
where
    A: ArrowPrimitiveType,
    P: PolarsNumericType<Native = A::Native>,
    ChunkedArray<P>: NewChunkedArray<P, A::Native> + IntoSeries,
{
    let array = array.as_primitive::<A>();
    if array.null_count() == 0 {
        ChunkedArray::<P>::from_slice(name, array.values()).into_series()
    } else {
        ChunkedArray::<P>::from_iter_options(name, array.iter()).into_series()
    }
}

fn dates(name: PlSmallStr, array: &ArrayRef, faults: &mut Vec<Fault>) -> Series {
    let day = |day: i64| {
        DAYS.contains(&day)
            .then(|| i32::try_from(day).ok())
            .flatten()
    };
    let days = if let Some(array) = array.as_primitive_opt::<types::Date64Type>() {
        let fits = |millis: i64| day(millis.div_euclid(MILLIS_A_DAY));
        Int32Chunked::from_iter_options(name, checked(array, fits, "date", faults))
    } else {
        let array = array.as_primitive::<types::Date32Type>();
        let fits = |days: i32| day(i64::from(days));
        Int32Chunked::from_iter_options(name, checked(array, fits, "date", faults))
    };
    days.into_date().into_series()
}

fn datetimes(name: PlSmallStr, array: &ArrayRef, faults: &mut Vec<Fault>) -> Series {
    fn micros<A: ArrowPrimitiveType<Native = i64>>(
        name: PlSmallStr,
        array: &ArrayRef,
        faults: &mut Vec<Fault>,
        convert: impl Fn(i64) -> Option<i64>,
    ) -> Int64Chunked {
        let fits = |value| convert(value).filter(|micros| MICROS.contains(micros));
        let values = checked(array.as_primitive::<A>(), fits, "datetime", faults);
        Int64Chunked::from_iter_options(name, values)
    }
    let values = match array.data_type() {
        Arrow::Timestamp(Unit::Second, _) => {
            micros::<types::TimestampSecondType>(name, array, faults, |v| v.checked_mul(1_000_000))
        }
        Arrow::Timestamp(Unit::Millisecond, _) => {
            micros::<types::TimestampMillisecondType>(name, array, faults, |v| v.checked_mul(1000))
        }
        Arrow::Timestamp(Unit::Nanosecond, _) => {
            micros::<types::TimestampNanosecondType>(name, array, faults, |v| {
                Some(v.div_euclid(1000))
            })
        }
        _ => micros::<types::TimestampMicrosecondType>(name, array, faults, Some),
    };
    values
        .into_datetime(TimeUnit::Microseconds, None)
        .into_series()
}

/// The values of an array through `fits`; those that do not fit are faults.
fn checked<'a, A: ArrowPrimitiveType, T>(
    array: &'a PrimitiveArray<A>,
    fits: impl Fn(A::Native) -> Option<T> + 'a,
    kind: &'static str,
    faults: &'a mut Vec<Fault>,
) -> impl Iterator<Item = Option<T>> + 'a {
    array.iter().enumerate().map(move |(index, value)| {
        let value = value?;
        let fitting = fits(value);
        if fitting.is_none() {
            faults.push(Fault::cast(index, kind));
        }
        fitting
    })
}
