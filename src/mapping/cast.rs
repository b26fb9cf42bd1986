//! `[columns]`: types given to columns before any expression sees them, cell by cell.

use crate::mapping::types::moment::{self, DateFormat};
use crate::mapping::types::{boolean, number};
use crate::source::chunk::render;
use chrono::{NaiveDate, NaiveDateTime};
use polars::prelude::{
    BooleanChunked, Column, DataType, Float64Chunked, Int32Chunked, Int64Chunked, IntoColumn,
    IntoSeries, StringChunked, TimeUnit,
};

/// A type that `[columns]` can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnType {
    /// Text.
    Text,
    /// 64-bit integer.
    Integer,
    /// 64-bit float.
    Number,
    /// Boolean.
    Boolean,
    /// Day.
    Date,
    /// Instant in UTC, to the microsecond.
    Timestamp,
}

impl ColumnType {
    /// Every type, in the order of the documentation.
    pub(super) const ALL: [Self; 6] = [
        Self::Text,
        Self::Integer,
        Self::Number,
        Self::Boolean,
        Self::Date,
        Self::Timestamp,
    ];

    /// The name in mapping files and messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
        }
    }

    /// The type of the column afterwards.
    pub(super) const fn dtype(self) -> DataType {
        match self {
            Self::Text => DataType::String,
            Self::Integer => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date,
            Self::Timestamp => DataType::Datetime(TimeUnit::Microseconds, None),
        }
    }

    /// Whether some values of a column of type `from` can be read as this type.
    pub(super) fn reads(self, from: &DataType) -> bool {
        match self {
            _ if from.is_string() || *from == DataType::Null => true,
            Self::Text => true,
            Self::Integer | Self::Number => from.is_primitive_numeric() || from.is_decimal(),
            Self::Boolean => from.is_bool() || from.is_integer(),
            Self::Date | Self::Timestamp => {
                matches!(from, DataType::Date | DataType::Datetime(..))
            }
        }
    }
}

/// A type given to a column.
#[derive(Debug)]
pub(super) struct Cast {
    /// The column's name.
    pub(super) column: String,
    /// Its type from now on.
    pub(super) kind: ColumnType,
    /// How dates and timestamps are written, where the column is text.
    pub(super) format: Option<DateFormat>,
}

/// A column with its new type.
#[derive(Debug)]
pub(super) struct Casted {
    /// The values; null where a cell cannot be read.
    pub(super) column: Column,
    /// The cells that cannot be read; empty when all can.
    pub(super) failed: Vec<bool>,
}

impl Casted {
    /// Whether the cell of this row cannot be read.
    pub(super) fn has_failed(&self, row: usize) -> bool {
        self.failed.get(row).copied().unwrap_or(false)
    }
}

impl Cast {
    /// Reads every cell as the new type.
    pub(super) fn apply(&self, column: &Column) -> Casted {
        let wanted = self.kind.dtype();
        if *column.dtype() == wanted {
            return Casted {
                column: column.clone(),
                failed: Vec::new(),
            };
        }
        let written = column.dtype().is_string();
        let texts = render(column);
        let mut failed = Vec::new();
        let series = match self.kind {
            ColumnType::Text => texts.into_series(),
            ColumnType::Integer => {
                let values: Int64Chunked = read(&texts, &mut failed, integer);
                values.into_series()
            }
            ColumnType::Number => {
                let values: Float64Chunked = read(&texts, &mut failed, float);
                values.into_series()
            }
            ColumnType::Boolean => {
                let values: BooleanChunked = read(&texts, &mut failed, boolean);
                values.into_series()
            }
            ColumnType::Date => {
                let day = |text: &str| Some(days(self.day(text, written)?));
                let values: Int32Chunked = read(&texts, &mut failed, day);
                values.into_date().into_series()
            }
            ColumnType::Timestamp => {
                let tick =
                    |text: &str| Some(self.instant(text, written)?.and_utc().timestamp_micros());
                let values: Int64Chunked = read(&texts, &mut failed, tick);
                values
                    .into_datetime(TimeUnit::Microseconds, None)
                    .into_series()
            }
        };
        Casted {
            column: series.with_name(column.name().clone()).into_column(),
            failed,
        }
    }

    fn day(&self, text: &str, written: bool) -> Option<NaiveDate> {
        match &self.format {
            Some(format) if written => format.date(text),
            _ if written => moment::day(text),
            _ => moment::instant(text).map(|time| time.date()),
        }
    }

    fn instant(&self, text: &str, written: bool) -> Option<NaiveDateTime> {
        match &self.format {
            Some(format) if written => format.instant(text),
            _ => moment::instant(text),
        }
    }
}

/// Reads each cell, blanks aside; what cannot be read is null and noted.
fn read<T, C: FromIterator<Option<T>>>(
    texts: &StringChunked,
    failed: &mut Vec<bool>,
    parse: impl Fn(&str) -> Option<T>,
) -> C {
    let rows = texts.len();
    let values = texts.iter().enumerate().map(|(row, text)| {
        let text = text?.trim();
        if text.is_empty() {
            return None;
        }
        let value = parse(text);
        if value.is_none() {
            failed.resize(rows, false);
            failed[row] = true;
        }
        value
    });
    values.collect()
}

fn days(date: NaiveDate) -> i32 {
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    // four-digit years are some million days
    i32::try_from(days).unwrap_or_default()
}

/// `[+-]?digits`, within 64 bits.
fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// A plain or scientific number; digits that a float cannot hold are refused, not rounded away.
fn float(text: &str) -> Option<f64> {
    let plain =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    if !text.bytes().all(plain) {
        return None;
    }
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    let whole = number(text).is_some_and(|text| !text.contains('.'));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "compared with the exact value, which the cast must give"
    )]
    if whole && text.parse() != Ok(value as i128) {
        return None;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{NamedFrom, Series};

    fn cast(kind: ColumnType, format: Option<&str>) -> Cast {
        Cast {
            column: "c".into(),
            kind,
            format: format.map(|format| DateFormat::new(format).unwrap()),
        }
    }

    /// The rendered value of each cell; `!` where it cannot be read.
    fn results(cast: &Cast, column: &Column) -> Vec<String> {
        let casted = cast.apply(column);
        assert_eq!(*casted.column.dtype(), cast.kind.dtype());
        assert_eq!(casted.column.len(), column.len());
        let texts = render(&casted.column);
        let texts = texts.iter().enumerate();
        texts
            .map(|(row, text)| match (text, casted.has_failed(row)) {
                (Some(text), false) => text.to_owned(),
                (None, false) => "-".to_owned(),
                (None, true) => "!".to_owned(),
                (Some(_), true) => panic!("a value that cannot be read"),
            })
            .collect()
    }

    fn text(cells: &[&str]) -> Column {
        Series::new("c".into(), cells).into_column()
    }

    #[test]
    fn text_is_read_as_each_type_cell_by_cell() {
        type Case<'a> = (ColumnType, Option<&'a str>, &'a [&'a str], &'a [&'a str]);
        use ColumnType::{Boolean, Date, Integer, Number, Text, Timestamp};
        let cases: [Case<'_>; 8] = [
            (Text, None, &["00420", " a "], &["00420", " a "]),
            (
                Integer,
                None,
                &[
                    "007",
                    " +5 ",
                    "-9223372036854775808",
                    "9223372036854775808",
                    "1.0",
                    "",
                    " ",
                    "x",
                ],
                &["7", "5", "-9223372036854775808", "!", "!", "-", "-", "!"],
            ),
            (
                Number,
                None,
                &[
                    "1.0",
                    "-0.10",
                    "1e3",
                    "9007199254740993",
                    "9007199254740992",
                    "nan",
                    "inf",
                    "1,5",
                    "1e999",
                    ".",
                ],
                &[
                    "1",
                    "-0.1",
                    "1000",
                    "!",
                    "9007199254740992",
                    "!",
                    "!",
                    "!",
                    "!",
                    "!",
                ],
            ),
            (
                Boolean,
                None,
                &["Yes", "f", "0", "maybe"],
                &["true", "false", "false", "!"],
            ),
            (
                Date,
                None,
                &[
                    "2026-01-31",
                    "2026-02-30",
                    "31/01/2026",
                    "2026-01-31T08:15:00Z",
                ],
                &["2026-01-31", "!", "!", "!"],
            ),
            (
                Date,
                Some("%d/%m/%Y"),
                &["31/01/2026", "2026-01-31"],
                &["2026-01-31", "!"],
            ),
            (
                Timestamp,
                None,
                &[
                    "2026-01-31T08:15:00+02:00",
                    "2026-01-31 08:15",
                    "2026-01-31",
                    "now",
                ],
                &[
                    "2026-01-31T06:15:00Z",
                    "2026-01-31T08:15:00Z",
                    "2026-01-31T00:00:00Z",
                    "!",
                ],
            ),
            (
                Timestamp,
                Some("%d/%m/%Y %H:%M"),
                &["31/01/2026 08:15", "31/01/2026"],
                &["2026-01-31T08:15:00Z", "!"],
            ),
        ];
        for (kind, format, cells, expected) in cases {
            assert_eq!(
                results(&cast(kind, format), &text(cells)),
                expected,
                "{kind:?}"
            );
        }
    }

    #[test]
    fn typed_columns_are_cast_too_and_formats_do_not_concern_them() {
        use ColumnType::{Boolean, Date, Integer, Number, Text, Timestamp};
        let ints =
            Series::new("c".into(), [Some(1i64), Some(9_007_199_254_740_993), None]).into_column();
        assert_eq!(
            results(&cast(Integer, None), &ints),
            ["1", "9007199254740993", "-"]
        );
        assert_eq!(results(&cast(Number, None), &ints), ["1", "!", "-"]);
        assert_eq!(results(&cast(Boolean, None), &ints), ["true", "!", "-"]);
        assert_eq!(
            results(&cast(Text, None), &ints),
            ["1", "9007199254740993", "-"]
        );
        let floats = Series::new("c".into(), [1.0, 1.5, f64::NAN]).into_column();
        assert_eq!(results(&cast(Integer, None), &floats), ["1", "!", "!"]);
        let days = text(&["2026-01-31"]);
        let days = cast(Date, None).apply(&days).column;
        assert_eq!(
            results(&cast(Date, Some("%d/%m/%Y")), &days),
            ["2026-01-31"]
        );
        let times = cast(Timestamp, Some("%d/%m/%Y")).apply(&days).column;
        assert_eq!(render(&times).get(0), Some("2026-01-31T00:00:00Z"));
        assert_eq!(results(&cast(Date, None), &times), ["2026-01-31"]);
        assert!(!Date.reads(&DataType::Int64) && !Integer.reads(&DataType::Date));
        assert!(Text.reads(&DataType::List(Box::new(DataType::String))));
    }
}
