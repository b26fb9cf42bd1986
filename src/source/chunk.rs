//! The unit that leaves a source: a Polars frame of some thousand rows, with row numbers, lines and bad records.
//!
//! A leaf of its own: `mapping` may see it, and it sees nothing but `model`.

use crate::model::code::Code;
use crate::model::row::{FileId, RowId};
use chrono::{DateTime, NaiveDate, TimeDelta};
use polars::prelude::{
    ChunkFullNull, Column, DataFrame, DataType, StringChunked, StringChunkedBuilder, TimeUnit,
};
use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// The columns of a dataset, the same for all its files.
///
/// Types are few: `String` (all CSV cells, and whatever has no type below, rendered as text), `Int64`, `UInt64`,
/// `Float64`, `Boolean`, `Date`, `Datetime(µs)` in UTC, `Decimal`, and `List(String)`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourceSchema {
    columns: Vec<(String, DataType)>,
}

impl SourceSchema {
    /// A schema of these columns, in order. Names are unique: sources refuse duplicate headers.
    #[must_use]
    pub fn new(columns: Vec<(String, DataType)>) -> Self {
        Self { columns }
    }

    /// Name and type of each column, in order.
    #[must_use]
    pub fn columns(&self) -> &[(String, DataType)] {
        &self.columns
    }

    /// The type of a column.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&DataType> {
        self.columns
            .iter()
            .find(|(column, _)| column == name)
            .map(|(_, kind)| kind)
    }
}

/// A record that could not be read as a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its row number.
    pub row: RowId,
    /// The physical line on which it starts.
    pub line: Option<u64>,
    /// What is wrong with it.
    pub code: Code,
    /// The same in words, with numbers (`has 3 fields, the header has 5`), without cell values.
    pub message: String,
}

/// Some thousand rows of one file.
#[derive(Debug, Clone)]
pub struct RowChunk {
    /// The file.
    pub file: FileId,
    /// The row number of each row of the frame, ascending. Numbers in between belong to `bad`.
    pub ids: Vec<RowId>,
    /// The physical line (from 1) on which each row's record starts; empty for formats without lines.
    pub lines: Vec<u64>,
    /// The requested columns, one row for each of `ids`.
    pub frame: DataFrame,
    /// Records of this stretch that could not be read, ascending.
    pub bad: Vec<BadRow>,
}

impl RowChunk {
    /// The physical line of the frame's row at `index`, where the format has lines.
    #[must_use]
    pub fn line(&self, index: usize) -> Option<u64> {
        self.lines.get(index).copied()
    }

    /// Records in this chunk, readable or not.
    #[must_use]
    pub fn records(&self) -> usize {
        self.ids.len() + self.bad.len()
    }
}

/// A column's values as canonical text; nulls stay null.
///
/// Text as it is, integers as digits, floats in their shortest form (`1.0` is `1`), decimals exactly and without
/// trailing zeros, booleans `true` and `false`, dates `2026-01-31`, timestamps RFC 3339 in UTC with a fraction only
/// when there is one, lists as JSON arrays of strings.
#[must_use]
pub fn render(column: &Column) -> StringChunked {
    let series = column.as_materialized_series();
    let nulls = || StringChunked::full_null(column.name().clone(), column.len());
    // the accessors fail on another type only, and the type was looked at
    let rendered = match series.dtype() {
        DataType::String => series.str().cloned(),
        DataType::Boolean => series.bool().map(|values| {
            each(values.iter(), column, |text, value| {
                text.push_str(if value { "true" } else { "false" });
            })
        }),
        DataType::Float32 => series.f32().map(|values| {
            each(values.iter(), column, |text, value| {
                // adding zero turns -0 into 0
                let _ = write!(text, "{}", value + 0.0);
            })
        }),
        DataType::Float64 => series.f64().map(|values| {
            each(values.iter(), column, |text, value| {
                let _ = write!(text, "{}", value + 0.0);
            })
        }),
        DataType::Date => series
            .date()
            .map(|values| each(values.physical().iter(), column, write_date)),
        DataType::Datetime(unit, _) => series.datetime().map(|values| {
            each(values.physical().iter(), column, |text, value| {
                write_timestamp(text, value, *unit);
            })
        }),
        DataType::Decimal(_, scale) => series.decimal().map(|values| {
            each(values.physical().iter(), column, |text, value| {
                write_decimal(text, value, *scale);
            })
        }),
        DataType::List(_) => series.list().map(|lists| {
            let mut builder = StringChunkedBuilder::new(column.name().clone(), column.len());
            let mut text = String::new();
            for list in lists.series_iter() {
                builder.append_option(list.map(|items| {
                    text.clear();
                    write_list(&mut text, &render(&Column::from(items)));
                    text.as_str()
                }));
            }
            builder.finish()
        }),
        _ => series
            .cast(&DataType::String)
            .and_then(|series| series.str().cloned()),
    };
    rendered.unwrap_or_else(|_| nulls())
}

/// Text of each value, through one buffer.
fn each<T>(
    values: impl Iterator<Item = Option<T>>,
    column: &Column,
    mut write: impl FnMut(&mut String, T),
) -> StringChunked {
    let mut builder = StringChunkedBuilder::new(column.name().clone(), column.len());
    let mut text = String::new();
    for value in values {
        match value {
            Some(value) => {
                text.clear();
                write(&mut text, value);
                builder.append_value(&text);
            }
            None => builder.append_null(),
        }
    }
    builder.finish()
}

/// Days from 1970 to the first day of the year 0, and to the last of the year 9999.
const FOUR_DIGIT_YEARS: RangeInclusive<i32> = -719_528..=2_932_896;

/// Appends `2026-01-31`, the day so many days after 1970. A day that no calendar here reaches stays readable, and is not
/// a date to anyone.
pub fn write_date(text: &mut String, days: i32) {
    if FOUR_DIGIT_YEARS.contains(&days) {
        return push_day(text, days);
    }
    let date = NaiveDate::default().checked_add_signed(TimeDelta::days(i64::from(days)));
    let _ = match date {
        Some(date) => write!(text, "{date}"),
        None => write!(text, "day {days}"),
    };
}

/// A day of a four-digit year, without the formatter: dates are most of what is rendered.
fn push_day(text: &mut String, days: i32) {
    // days since the first of March of the year 0, in years that begin with March
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i32::from(month <= 2);
    let digit = |number: i32| b'0' + (number % 10).to_le_bytes()[0];
    let day = [
        digit(year / 1_000),
        digit(year / 100),
        digit(year / 10),
        digit(year),
        b'-',
        digit(month / 10),
        digit(month),
        b'-',
        digit(day / 10),
        digit(day),
    ];
    // digits are text
    text.push_str(std::str::from_utf8(&day).unwrap_or_default());
}

/// `2026-01-31T08:15:00Z`, with as many digits of a second as there are.
fn write_timestamp(text: &mut String, ticks: i64, unit: TimeUnit) {
    let per_second: i64 = match unit {
        TimeUnit::Milliseconds => 1_000,
        TimeUnit::Microseconds => 1_000_000,
        TimeUnit::Nanoseconds => 1_000_000_000,
    };
    let (seconds, fraction) = (ticks.div_euclid(per_second), ticks.rem_euclid(per_second));
    let Some(time) = DateTime::from_timestamp(seconds, 0) else {
        let _ = write!(text, "second {seconds}");
        return;
    };
    let _ = write!(text, "{}", time.format("%Y-%m-%dT%H:%M:%S"));
    if fraction != 0 {
        let width = per_second.ilog10() as usize;
        let digits = format!("{fraction:0width$}");
        let _ = write!(text, ".{}", digits.trim_end_matches('0'));
    }
    text.push('Z');
}

/// Exactly `value / 10^scale`, without trailing zeros.
fn write_decimal(text: &mut String, value: i128, scale: usize) {
    let digits = format!("{:0width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let fraction = fraction.trim_end_matches('0');
    if value < 0 {
        text.push('-');
    }
    text.push_str(whole);
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
}

/// A JSON array of strings; null items stay null.
fn write_list(text: &mut String, items: &StringChunked) {
    let items: Vec<Option<&str>> = items.iter().collect();
    // writing strings as JSON does not fail
    text.push_str(&serde_json::to_string(&items).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{IntoColumn, ListChunked, NamedFrom, Series};

    fn rendered(series: Series) -> Vec<Option<String>> {
        let texts = render(&series.into_column());
        texts.iter().map(|text| text.map(str::to_owned)).collect()
    }

    fn texts(expected: &[&str]) -> Vec<Option<String>> {
        let mut texts: Vec<_> = expected
            .iter()
            .map(|text| Some((*text).to_owned()))
            .collect();
        texts.push(None);
        texts
    }

    #[test]
    fn numbers_render_exactly_and_shortest() {
        let ints = [Some(i64::MIN), Some(9_007_199_254_740_993), Some(0), None];
        assert_eq!(
            rendered(Series::new("n".into(), ints)),
            texts(&["-9223372036854775808", "9007199254740993", "0"])
        );
        let unsigned = [Some(u64::MAX), None];
        assert_eq!(
            rendered(Series::new("n".into(), unsigned)),
            texts(&["18446744073709551615"])
        );
        let floats = [
            Some(1.0),
            Some(-0.0),
            Some(0.1),
            Some(1e21),
            Some(-2.50),
            None,
        ];
        assert_eq!(
            rendered(Series::new("n".into(), floats)),
            texts(&["1", "0", "0.1", "1000000000000000000000", "-2.5"])
        );
    }

    #[test]
    fn decimals_render_without_trailing_zeros_and_without_rounding() {
        let text = [
            Some("-12345678901234567890.123400"),
            Some("0.000001"),
            Some("-0.5"),
            Some("7"),
            Some("100"),
            None,
        ];
        let decimals = Series::new("d".into(), text)
            .cast(&DataType::Decimal(38, 6))
            .unwrap();
        assert_eq!(
            rendered(decimals),
            texts(&["-12345678901234567890.1234", "0.000001", "-0.5", "7", "100"])
        );
        let whole = Series::new("d".into(), [Some(1200i64), None])
            .cast(&DataType::Decimal(10, 0))
            .unwrap();
        assert_eq!(rendered(whole), texts(&["1200"]));
    }

    #[test]
    fn dates_timestamps_and_booleans_render_in_their_standard_form() {
        let days = Series::new(
            "d".into(),
            [Some(0i32), Some(-1), Some(20_484), Some(i32::MAX), None],
        )
        .cast(&DataType::Date)
        .unwrap();
        assert_eq!(
            rendered(days),
            texts(&["1970-01-01", "1969-12-31", "2026-01-31", "day 2147483647"])
        );
        let ticks = [
            Some(1_769_847_300_000_000i64),
            Some(-1),
            Some(1_500_000),
            Some(i64::MAX),
            None,
        ];
        let times = Series::new("t".into(), ticks)
            .cast(&DataType::Datetime(TimeUnit::Microseconds, None))
            .unwrap();
        assert_eq!(
            rendered(times),
            texts(&[
                "2026-01-31T08:15:00Z",
                "1969-12-31T23:59:59.999999Z",
                "1970-01-01T00:00:01.5Z",
                "second 9223372036854"
            ])
        );
        assert_eq!(
            rendered(Series::new("b".into(), [Some(true), Some(false), None])),
            texts(&["true", "false"])
        );
    }

    #[test]
    fn every_day_of_four_digit_years_is_written_as_the_calendar_has_it() {
        let first = NaiveDate::from_ymd_opt(0, 1, 1).unwrap();
        let last = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap();
        let span = (last - first).num_days();
        assert_eq!(
            i64::from(FOUR_DIGIT_YEARS.end() - FOUR_DIGIT_YEARS.start()),
            span
        );
        let mut text = String::new();
        let days = first.iter_days().zip(FOUR_DIGIT_YEARS);
        // each day of the centuries around now, and of all others each eleventh
        for (date, day) in days.filter(|(_, day)| (-40_000..60_000).contains(day) || day % 11 == 0)
        {
            text.clear();
            write_date(&mut text, day);
            assert_eq!(text, date.to_string());
        }
        for day in [FOUR_DIGIT_YEARS.start() - 1, FOUR_DIGIT_YEARS.end() + 1] {
            text.clear();
            write_date(&mut text, day);
            assert_eq!(text.len(), "+10000-01-01".len() - usize::from(day < 0));
        }
    }

    #[test]
    fn text_stays_as_it_is_and_lists_become_json() {
        let cells = [Some(" 00420 "), Some(""), None];
        assert_eq!(
            rendered(Series::new("s".into(), cells)),
            texts(&[" 00420 ", ""])
        );
        let lists: ListChunked = [
            Some(Series::new("".into(), [Some("a\"b"), None, Some("ü")])),
            Some(Series::new("".into(), Vec::<Option<&str>>::new())),
            None,
        ]
        .into_iter()
        .collect();
        assert_eq!(
            rendered(Series::from(lists)),
            texts(&[r#"["a\"b",null,"ü"]"#, "[]"])
        );
    }
}
