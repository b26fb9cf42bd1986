//! Numbers, durations, times and foreign text as people read them, the same in all reports.

use crate::model::clock::UnixMillis;
use crate::model::outcome::{Counts, Status};
use chrono::{DateTime, SecondsFormat};
use std::time::Duration;

/// A count with thousands separators: `1,234,567`.
pub(super) fn count(n: u64) -> String {
    grouped(&n.to_string())
}

/// `1 row`, `1,234 rows`.
pub(crate) fn counted(n: u64, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(n))
}

/// A rate: whole numbers from 10 on, one decimal below.
pub(super) fn rate(per_second: f64) -> String {
    if per_second < 9.95 {
        format!("{per_second:.1}")
    } else {
        grouped(&format!("{per_second:.0}"))
    }
}

/// How many a second; `None` for no time at all.
pub(super) fn per_second(n: u64, took: Duration) -> Option<f64> {
    let seconds = took.as_secs_f64();
    (seconds > 0.0).then(|| float(n) / seconds)
}

/// A count as a float, for rates and shares.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53; only shown rounded"
)]
pub(super) const fn float(n: u64) -> f64 {
    n as f64
}

/// A duration in its two largest units: `0.4 s`, `42 s`, `1 m 05 s`, `2 h 05 m`, `3 d 04 h`.
pub(super) fn duration(took: Duration) -> String {
    let tenths = (took.as_millis() + 50) / 100;
    if tenths < 100 {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let seconds = (took.as_millis() + 500) / 1000;
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} m {:02} s", seconds % 60),
        3600..86_400 => format!("{hours} h {:02} m", minutes % 60),
        _ => format!("{} d {:02} h", hours / 24, hours % 24),
    }
}

/// RFC 3339 in UTC with milliseconds; empty for a time that no calendar shows.
pub(crate) fn timestamp(at: UnixMillis) -> String {
    DateTime::from_timestamp_millis(at)
        .map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
        .unwrap_or_default()
}

/// Shows times that repeat: rows that were decided together share theirs.
#[derive(Debug, Default)]
pub(crate) struct Timestamps(Option<(UnixMillis, String)>);

impl Timestamps {
    /// As [`timestamp`].
    pub(crate) fn of(&mut self, at: UnixMillis) -> &str {
        let last = self.0.take().filter(|(last, _)| *last == at);
        &self.0.insert(last.unwrap_or_else(|| (at, timestamp(at)))).1
    }
}

/// Those of the shown statuses that occur, as `1,900 loaded, 90 rejected`; `None` where none does.
pub(crate) fn statuses(counts: &Counts, shown: impl Fn(Status) -> bool) -> Option<String> {
    let parts: Vec<_> = Status::ALL
        .into_iter()
        .filter(|&status| shown(status) && counts.of(status) > 0)
        .map(|status| format!("{} {status}", count(counts.of(status))))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Foreign text on one line of at most `max` characters, without anything that could steer a terminal.
pub(super) fn one_line(text: &str, max: usize) -> String {
    let mut line = String::new();
    // no more than needed: the text may be a whole HTML page
    let mut words = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty());
    let mut room = max;
    for word in &mut words {
        let gap = usize::from(!line.is_empty());
        if room <= gap {
            line.push('…');
            return line;
        }
        room -= gap;
        line.push_str(&" "[..gap]);
        for c in word.chars().filter(|&c| !steers(c)) {
            if room == 0 {
                line.push('…');
                return line;
            }
            room -= 1;
            line.push(c);
        }
    }
    line
}

/// Whether a character reorders the text around it (bidirectional controls) without being seen.
const fn steers(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Puts a comma before every third digit from the right.
fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_the_same_whatever_came_before_it() {
        let mut times = Timestamps::default();
        for at in [0, 0, 1_769_846_400_123, i64::MAX, 0] {
            assert_eq!(times.of(at), timestamp(at));
        }
    }

    #[test]
    fn counts_and_rates_have_thousands_separators() {
        let counts = [0, 7, 999, 1000, 12_345, 1_234_567, u64::MAX].map(count);
        assert_eq!(
            counts,
            [
                "0",
                "7",
                "999",
                "1,000",
                "12,345",
                "1,234,567",
                "18,446,744,073,709,551,615"
            ]
        );
        assert_eq!(
            [0.0, 2.34, 9.94, 9.96, 31.4, 12_345.6].map(rate),
            ["0.0", "2.3", "9.9", "10", "31", "12,346"]
        );
        assert_eq!(
            [1, 2, 1000].map(|n| counted(n, "row")),
            ["1 row", "2 rows", "1,000 rows"]
        );
    }

    #[test]
    fn durations_show_their_two_largest_units() {
        for (millis, text) in [
            (0, "0.0 s"),
            (440, "0.4 s"),
            (9_949, "9.9 s"),
            (9_950, "10 s"),
            (59_499, "59 s"),
            (59_500, "1 m 00 s"),
            (65_000, "1 m 05 s"),
            (3_599_500, "1 h 00 m"),
            (7_500_000, "2 h 05 m"),
            (273_600_000, "3 d 04 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text, "{millis} ms");
        }
    }

    #[test]
    fn times_are_rfc_3339_in_utc_with_milliseconds() {
        assert_eq!(timestamp(1_795_327_200_007), "2026-11-22T06:00:00.007Z");
        assert_eq!(timestamp(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(timestamp(i64::MAX), "");
    }

    #[test]
    fn foreign_text_is_one_line_that_steers_no_terminal() {
        for (text, max, line) in [
            ("  two\r\n\twords ", 20, "two words"),
            ("\u{1b}[2Jgone", 20, "[2Jgone"),
            ("a\u{202e}b", 20, "ab"),
            ("exactly ten", 11, "exactly ten"),
            ("one more", 7, "one mor…"),
            ("cut at gap", 3, "cut…"),
            ("größe 株式", 8, "größe 株式"),
            ("", 5, ""),
        ] {
            assert_eq!(one_line(text, max), line, "{text:?}");
        }
    }
}
