//! Days and instants as text: formats checked once, then read value by value.

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use std::borrow::Cow;
use std::fmt::Write as _;

/// How days are written unless the mapping says otherwise.
const ISO: &str = "%Y-%m-%d";
/// Instants that RFC 3339 does not cover: without an offset, read as UTC.
const LOCAL: [&str; 4] = [
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
];
/// 2026-11-23T17:45:38Z, a day whose month, day and hour cannot be taken for each other.
const SAMPLE: i64 = 1_795_455_938;

/// A strftime pattern that names a whole day.
#[derive(Debug, Clone)]
pub(in crate::mapping) struct DateFormat {
    pattern: Box<str>,
    items: Vec<Item<'static>>,
}

impl DateFormat {
    /// `YYYY-MM-DD`.
    pub(in crate::mapping) fn iso() -> Self {
        Self {
            pattern: ISO.into(),
            items: StrftimeItems::new(ISO).map(Item::to_owned).collect(),
        }
    }

    /// A format of this pattern, or what is wrong with it.
    pub(in crate::mapping) fn new(pattern: &str) -> Result<Self, &'static str> {
        let items = StrftimeItems::new(pattern)
            .parse_to_owned()
            .map_err(|_| "not a strftime format")?;
        let format = Self {
            pattern: pattern.into(),
            items,
        };
        // a pattern that cannot read back what it wrote does not name a day
        let sample = DateTime::from_timestamp(SAMPLE, 0).unwrap_or_default();
        let mut written = String::new();
        let shown = write!(written, "{}", sample.format_with_items(format.items.iter()));
        match format.date(&written) {
            Some(date) if shown.is_ok() && date == sample.date_naive() => Ok(format),
            _ => Err("the format does not name a whole day"),
        }
    }

    /// The pattern as written.
    pub(in crate::mapping) fn pattern(&self) -> &str {
        &self.pattern
    }

    fn parsed(&self, text: &str) -> Option<Parsed> {
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, self.items.iter()).ok()?;
        Some(parsed)
    }

    /// The day that the text names in this format.
    pub(in crate::mapping) fn date(&self, text: &str) -> Option<NaiveDate> {
        let parsed = self.parsed(text)?;
        let date = match parsed.timestamp() {
            Some(_) => parsed.to_naive_datetime_with_offset(0).ok()?.date(),
            None => parsed.to_naive_date().ok()?,
        };
        in_range(date).then_some(date)
    }

    /// The instant in UTC that the text names in this format; midnight when the format has no time of day.
    pub(in crate::mapping) fn instant(&self, text: &str) -> Option<NaiveDateTime> {
        let parsed = self.parsed(text)?;
        let offset = parsed.offset().unwrap_or(0);
        let has_time = parsed.hour_mod_12().is_some() || parsed.timestamp().is_some();
        let local = if has_time {
            parsed.to_naive_datetime_with_offset(offset).ok()?
        } else {
            parsed.to_naive_date().ok()?.and_time(NaiveTime::MIN)
        };
        let utc = local.checked_sub_signed(TimeDelta::seconds(offset.into()))?;
        in_range(utc.date()).then_some(utc)
    }

    /// The day as `YYYY-MM-DD`.
    pub(in crate::mapping) fn canonical<'a>(&self, text: &'a str) -> Option<Cow<'a, str>> {
        if &*self.pattern == ISO && is_iso_day(text) {
            return Some(Cow::Borrowed(text));
        }
        self.date(text).map(|date| Cow::Owned(date.to_string()))
    }
}

/// The instant in UTC that an RFC 3339 text names, the offset, the time of day and seconds being optional.
pub(in crate::mapping) fn instant(text: &str) -> Option<NaiveDateTime> {
    let instant = DateTime::parse_from_rfc3339(text)
        .map(|time| time.naive_utc())
        .ok();
    let local = || {
        LOCAL
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
    };
    let day = || Some(day(text)?.and_time(NaiveTime::MIN));
    instant
        .or_else(local)
        .or_else(day)
        .filter(|time| in_range(time.date()))
}

/// The day that a `YYYY-MM-DD` text names.
pub(in crate::mapping) fn day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, ISO)
        .ok()
        .filter(|date| in_range(*date))
}

/// Whether the day can be written with four digits of a year.
fn in_range(date: NaiveDate) -> bool {
    (0..=9999).contains(&date.year())
}

/// Whether the text is a real day in exactly the form `YYYY-MM-DD`: the common case, without an allocation.
fn is_iso_day(text: &str) -> bool {
    let bytes = text.as_bytes();
    let number = |range: std::ops::Range<usize>| {
        bytes[range].iter().try_fold(0u32, |number, byte| {
            byte.is_ascii_digit()
                .then(|| number * 10 + u32::from(byte - b'0'))
        })
    };
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    match (number(0..4), number(5..7), number(8..10)) {
        (Some(year), Some(month), Some(day)) => {
            NaiveDate::from_ymd_opt(year.cast_signed(), month, day).is_some()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_in_their_format_and_written_as_iso() {
        for (pattern, text, expected) in [
            ("%Y-%m-%d", "2026-01-31", Some("2026-01-31")),
            ("%Y-%m-%d", "2026-1-5", Some("2026-01-05")),
            ("%Y-%m-%d", "2026-02-30", None),
            ("%Y-%m-%d", "2026-01-31x", None),
            ("%Y-%m-%d", "31.01.2026", None),
            ("%Y-%m-%d", "+12026-01-31", None),
            ("%Y-%m-%d", "-0001-01-31", None),
            ("%Y-%m-%d", "２026-01-3", None),
            ("%d/%m/%Y", "31/01/2026", Some("2026-01-31")),
            ("%d/%m/%Y", "01/31/2026", None),
            ("%d.%m.%y", "31.01.26", Some("2026-01-31")),
            ("%b %d, %Y", "Jan 31, 2026", Some("2026-01-31")),
            ("%Y-%m-%d %H:%M", "2026-01-31 23:59", Some("2026-01-31")),
            ("%s", "1769817600", Some("2026-01-31")),
            ("%G-W%V-%u", "2026-W05-6", Some("2026-01-31")),
            ("%Y%j", "2026031", Some("2026-01-31")),
        ] {
            let format = DateFormat::new(pattern).unwrap();
            assert_eq!(
                format.canonical(text).as_deref(),
                expected,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn formats_that_do_not_name_a_day_are_refused() {
        for pattern in ["%Q", "%", "%d/%m", "%H:%M", "", "date", "%B %Y", "%Z"] {
            assert!(DateFormat::new(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn instants_are_read_in_utc() {
        let shown = |time: Option<NaiveDateTime>| time.map(|time| time.to_string());
        for (text, expected) in [
            ("2026-01-31T08:15:00Z", Some("2026-01-31 08:15:00")),
            (
                "2026-01-31T08:15:00.25+02:00",
                Some("2026-01-31 06:15:00.250"),
            ),
            ("2026-01-31 08:15:00", Some("2026-01-31 08:15:00")),
            ("2026-01-31T08:15", Some("2026-01-31 08:15:00")),
            ("2026-01-31", Some("2026-01-31 00:00:00")),
            ("08:15", None),
            ("31/01/2026", None),
            ("", None),
        ] {
            assert_eq!(shown(instant(text)).as_deref(), expected, "{text}");
        }
        for (pattern, text, expected) in [
            (
                "%d/%m/%Y %H:%M",
                "31/01/2026 08:15",
                Some("2026-01-31 08:15:00"),
            ),
            ("%d/%m/%Y", "31/01/2026", Some("2026-01-31 00:00:00")),
            (
                "%d/%m/%Y %I:%M %p",
                "31/01/2026 08:15 PM",
                Some("2026-01-31 20:15:00"),
            ),
            ("%d/%m/%Y %I:%M", "31/01/2026 08:15", None),
            (
                "%d/%m/%Y %H:%M %z",
                "31/01/2026 08:15 +0200",
                Some("2026-01-31 06:15:00"),
            ),
            ("%s", "1769847300", Some("2026-01-31 08:15:00")),
        ] {
            let format = DateFormat::new(pattern).unwrap();
            assert_eq!(
                shown(format.instant(text)).as_deref(),
                expected,
                "{pattern} {text}"
            );
        }
    }
}
