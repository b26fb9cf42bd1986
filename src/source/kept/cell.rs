//! A cell's text → its value, by the recorded type of its column: the way back from [`render`].
//!
//! [`render`]: crate::source::chunk::render

use crate::source::recorded::RecordedKind;
use chrono::{DateTime, Datelike, NaiveDate};
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// Years that dates are written with.
const YEARS: RangeInclusive<i32> = 0..=9999;

/// A value of a typed column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Boolean(bool),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01.
    Datetime(i64),
    /// The value times ten to the scale.
    Decimal(i128),
    List(Vec<Option<Cow<'a, str>>>),
}

/// What a cell of a type looks like, for messages.
pub(super) fn looks_like(kind: RecordedKind) -> String {
    match kind {
        RecordedKind::Text => "text".to_owned(),
        RecordedKind::Integer => "a whole number, as in -17".to_owned(),
        RecordedKind::Unsigned => "a whole number, as in 17".to_owned(),
        RecordedKind::Float => "a number, as in 0.5".to_owned(),
        RecordedKind::Boolean => "true or false".to_owned(),
        RecordedKind::Date => "a date, as in 2026-01-31".to_owned(),
        RecordedKind::Datetime => "a point in time, as in 2026-01-31T08:15:00Z".to_owned(),
        RecordedKind::Decimal { precision, scale } => format!(
            "a decimal number with at most {} digits before the point and {scale} behind it",
            precision.saturating_sub(scale)
        ),
        RecordedKind::List => "a list, as in [\"a\",\"b\"]".to_owned(),
    }
}

/// A cell that cannot be read as the type of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// The value of a cell; `None` for one that is null.
///
/// Text stays as it is. Of any other type an empty cell is null, as spreadsheets cannot write a null otherwise, and
/// blanks around a value do not count.
pub(super) fn parse(kind: RecordedKind, text: &str) -> Result<Option<Value<'_>>, Unreadable> {
    if kind == RecordedKind::Text {
        return Ok(Some(Value::Text(text)));
    }
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let value = match kind {
        RecordedKind::Text => Some(Value::Text(text)),
        RecordedKind::Integer => text.parse().ok().map(Value::Integer),
        RecordedKind::Unsigned => text.parse().ok().map(Value::Unsigned),
        RecordedKind::Float => text.parse().ok().map(Value::Float),
        RecordedKind::Boolean => boolean(text).map(Value::Boolean),
        RecordedKind::Date => date(text).map(Value::Date),
        RecordedKind::Datetime => datetime(text).map(Value::Datetime),
        RecordedKind::Decimal { precision, scale } => {
            decimal(text, precision, scale).map(Value::Decimal)
        }
        RecordedKind::List => serde_json::from_str(text).ok().map(Value::List),
    };
    value.map(Some).ok_or(Unreadable)
}

/// In any case: spreadsheets turn `true` into `TRUE`.
fn boolean(text: &str) -> Option<bool> {
    [("true", true), ("false", false)]
        .into_iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text))
        .map(|(_, value)| value)
}

fn date(text: &str) -> Option<i32> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    YEARS.contains(&date.year()).then(|| date.to_epoch_days())
}

fn datetime(text: &str) -> Option<i64> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    // the column holds microseconds: anything finer would be lost
    let exact = time.timestamp_subsec_nanos() % 1000 == 0;
    (exact && YEARS.contains(&time.year())).then(|| time.timestamp_micros())
}

/// Exactly the number, or nothing: no rounding, no exponent, no thousands separators.
fn decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let some_digits = digits.bytes().any(|byte| byte.is_ascii_digit());
    if !some_digits || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let missing = usize::from(scale).checked_sub(fraction.len())?;
    let digits = format!("{whole}{fraction}{}", "0".repeat(missing));
    let digits = digits.trim_start_matches('0');
    if digits.len() > usize::from(precision) {
        return None;
    }
    let value: i128 = match digits {
        "" => 0,
        digits => digits.parse().ok()?,
    };
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: RecordedKind = RecordedKind::Decimal {
        precision: 5,
        scale: 2,
    };

    #[test]
    fn cells_are_read_as_their_type_or_not_at_all() {
        let list = |items: &[Option<&'static str>]| {
            Value::List(items.iter().map(|item| item.map(Cow::from)).collect())
        };
        for (kind, text, value) in [
            (RecordedKind::Text, " 007 ", Some(Value::Text(" 007 "))),
            (RecordedKind::Text, "", Some(Value::Text(""))),
            (RecordedKind::Integer, "-17", Some(Value::Integer(-17))),
            (RecordedKind::Integer, " 17 ", Some(Value::Integer(17))),
            (RecordedKind::Integer, "17.0", None),
            (RecordedKind::Integer, "9.0072E+15", None),
            (RecordedKind::Integer, "9223372036854775808", None),
            (
                RecordedKind::Unsigned,
                "18446744073709551615",
                Some(Value::Unsigned(u64::MAX)),
            ),
            (RecordedKind::Unsigned, "-1", None),
            (RecordedKind::Float, "0.1", Some(Value::Float(0.1))),
            (RecordedKind::Float, "1E+21", Some(Value::Float(1e21))),
            (
                RecordedKind::Float,
                "-inf",
                Some(Value::Float(f64::NEG_INFINITY)),
            ),
            (RecordedKind::Float, "0,1", None),
            (RecordedKind::Boolean, "TRUE", Some(Value::Boolean(true))),
            (RecordedKind::Boolean, "false", Some(Value::Boolean(false))),
            (RecordedKind::Boolean, "WAHR", None),
            (RecordedKind::Boolean, "1", None),
            (RecordedKind::Date, "1970-01-02", Some(Value::Date(1))),
            (
                RecordedKind::Date,
                "0000-01-01",
                Some(Value::Date(-719_528)),
            ),
            (RecordedKind::Date, "+12026-01-01", None),
            (RecordedKind::Date, "31.01.2026", None),
            (RecordedKind::Date, "2026-02-30", None),
            (
                RecordedKind::Datetime,
                "1970-01-01T01:00:00.5+01:00",
                Some(Value::Datetime(500_000)),
            ),
            (
                RecordedKind::Datetime,
                "1969-12-31T23:59:59.999999Z",
                Some(Value::Datetime(-1)),
            ),
            (RecordedKind::Datetime, "2026-01-31T08:15:00", None),
            (RecordedKind::Datetime, "1970-01-01T00:00:00.0000001Z", None),
            (PRICE, "-1.5", Some(Value::Decimal(-150))),
            (PRICE, "999.99", Some(Value::Decimal(99_999))),
            (PRICE, "00999.9900", Some(Value::Decimal(99_999))),
            (PRICE, ".5", Some(Value::Decimal(50))),
            (PRICE, "0", Some(Value::Decimal(0))),
            (PRICE, "1000", None),
            (PRICE, "0.005", None),
            (PRICE, "1,5", None),
            (PRICE, "1e2", None),
            (PRICE, "-", None),
            (PRICE, "1.-5", None),
            (
                RecordedKind::List,
                "[\"a\",null,\"\\n\"]",
                Some(list(&[Some("a"), None, Some("\n")])),
            ),
            (RecordedKind::List, "[]", Some(list(&[]))),
            (RecordedKind::List, "[1]", None),
            (RecordedKind::List, "a", None),
            (RecordedKind::List, "\"a\"", None),
        ] {
            assert_eq!(
                parse(kind, text),
                value.map(Some).ok_or(Unreadable),
                "{kind:?} {text:?}"
            );
        }
    }

    #[test]
    fn an_empty_cell_of_any_type_but_text_is_null() {
        for kind in [
            RecordedKind::Integer,
            RecordedKind::Boolean,
            PRICE,
            RecordedKind::List,
        ] {
            assert_eq!(parse(kind, ""), Ok(None), "{kind:?}");
            assert_eq!(parse(kind, "  "), Ok(None), "{kind:?}");
        }
    }

    #[test]
    fn messages_show_what_a_cell_should_look_like() {
        insta::assert_snapshot!(looks_like(PRICE), @"a decimal number with at most 3 digits before the point and 2 behind it");
        insta::assert_snapshot!(looks_like(RecordedKind::List), @r#"a list, as in ["a","b"]"#);
    }
}
