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
    /// How a day looks that is written in full, where the pattern is as plain as that.
    digits: Option<Digits>,
}

impl DateFormat {
    /// `YYYY-MM-DD`.
    pub(in crate::mapping) fn iso() -> Self {
        Self {
            pattern: ISO.into(),
            items: StrftimeItems::new(ISO).map(Item::to_owned).collect(),
            digits: Some(Digits::ISO),
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
            digits: Digits::of(pattern),
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
        if let Some(date) = self.digits.as_ref().and_then(|digits| digits.date(text)) {
            return Some(date);
        }
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
        if &*self.pattern == ISO && Digits::ISO.date(text).is_some() {
            return Some(Cow::Borrowed(text));
        }
        self.date(text).map(|date| Cow::Owned(date.to_string()))
    }
}

/// The instant in UTC that an RFC 3339 text names, the offset, the time of day and seconds being optional.
pub(in crate::mapping) fn instant(text: &str) -> Option<NaiveDateTime> {
    let instant = || {
        DateTime::parse_from_rfc3339(text)
            .map(|time| time.naive_utc())
            .ok()
    };
    let local = || {
        LOCAL
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
    };
    let day = || Some(day(text)?.and_time(NaiveTime::MIN));
    plain_instant(text)
        .or_else(instant)
        .or_else(local)
        .or_else(day)
        .filter(|time| in_range(time.date()))
}

/// The day that a `YYYY-MM-DD` text names.
pub(in crate::mapping) fn day(text: &str) -> Option<NaiveDate> {
    let short = || NaiveDate::parse_from_str(text, ISO).ok();
    let date = Digits::ISO.date(text).or_else(short);
    date.filter(|date| in_range(*date))
}

/// Whether the day can be written with four digits of a year.
fn in_range(date: NaiveDate) -> bool {
    (0..=9999).contains(&date.year())
}

/// The instant that the text names in exactly the form `YYYY-MM-DDTHH:MM:SSZ`: the common case, for which nothing has to
/// be tried.
fn plain_instant(text: &str) -> Option<NaiveDateTime> {
    let day = Digits::ISO.date(text.get(..10)?)?;
    let time = text.as_bytes().get(10..)?;
    let [b'T', hour @ .., b'Z'] = time else {
        return None;
    };
    let [h, hh, b':', m, mm, b':', s, ss] = hour else {
        return None;
    };
    let part = |tens: &u8, ones: &u8| number(&[*tens, *ones]);
    // a leap second is for the parser to judge
    day.and_hms_opt(part(h, hh)?, part(m, mm)?, part(s, ss)?)
}

/// The number that ASCII digits name.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + u32::from(byte - b'0'))
    })
}

/// A pattern of a four-digit year, a month and a day, each once, with ASCII signs between them: it reads days that are
/// written with all digits at known places, which is the common case, without an allocation. All else is for the parser.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Digits {
    year: usize,
    month: usize,
    day: usize,
    signs: [(usize, u8); 2],
}

impl Digits {
    const ISO: Self = Self {
        year: 0,
        month: 5,
        day: 8,
        signs: [(4, b'-'), (7, b'-')],
    };
    /// Bytes of such a day.
    const LENGTH: usize = 10;

    /// The places in a pattern as `%d/%m/%Y`.
    fn of(pattern: &str) -> Option<Self> {
        let &[b'%', first, sign, b'%', second, other, b'%', third] = pattern.as_bytes() else {
            return None;
        };
        let width = |specifier: u8| if specifier == b'Y' { 4 } else { 2 };
        let second_at = width(first) + 1;
        let third_at = second_at + width(second) + 1;
        let places = [(first, 0), (second, second_at), (third, third_at)];
        let at = |specifier: u8| {
            let place = places.iter().find(|(wanted, _)| *wanted == specifier);
            place.map(|(_, at)| *at)
        };
        let is_sign = |sign: u8| matches!(sign, b'/' | b'-' | b'.');
        (is_sign(sign) && is_sign(other)).then_some(Self {
            year: at(b'Y')?,
            month: at(b'm')?,
            day: at(b'd')?,
            signs: [(second_at - 1, sign), (third_at - 1, other)],
        })
    }

    /// The day that a text of exactly this form names.
    fn date(&self, text: &str) -> Option<NaiveDate> {
        let bytes = text.as_bytes();
        let in_form =
            bytes.len() == Self::LENGTH && self.signs.iter().all(|(at, sign)| bytes[*at] == *sign);
        if !in_form {
            return None;
        }
        let year = number(&bytes[self.year..self.year + 4])?;
        let month = number(&bytes[self.month..self.month + 2])?;
        let day = number(&bytes[self.day..self.day + 2])?;
        NaiveDate::from_ymd_opt(year.cast_signed(), month, day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn plain_days_and_instants_are_read_as_the_parser_reads_them(
            text in "[012][0-9]{3}[-/.][01][0-9][-/.][0-3][0-9]|[0-3][0-9]/[01][0-9]/[0-9]{4}|[0-9:TZ./ +-]{10}",
            time in "T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](Z|[.]5Z|[+]01:00|z)|",
        ) {
            for pattern in ["%Y-%m-%d", "%d/%m/%Y", "%m.%d.%Y", "%Y/%d-%m"] {
                let format = DateFormat::new(pattern).unwrap();
                prop_assert!(format.digits.is_some());
                let parsed = NaiveDate::parse_from_str(&text, pattern).ok();
                prop_assert_eq!(format.date(&text), parsed.filter(|date| in_range(*date)));
            }
            let text = text + &time;
            if let Some(plain) = plain_instant(&text) {
                let parsed = DateTime::parse_from_rfc3339(&text).unwrap();
                prop_assert_eq!(plain, parsed.naive_utc());
            }
        }
    }

    #[test]
    fn only_plain_patterns_have_known_places() {
        assert_eq!(Digits::of(ISO), Some(Digits::ISO));
        for pattern in [
            "%Y-%m",
            "%d/%m/%y",
            "%d/%d/%Y",
            "%Y-%m-%d %H",
            "%dx%mx%Y",
            "%Y-%j-%d",
        ] {
            assert_eq!(Digits::of(pattern), None, "{pattern}");
        }
    }

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
