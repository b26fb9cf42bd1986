//! How long single calls take.

use super::float;
use std::time::Duration;

/// What a call is taken to take before one was made: what one live site was seen to take.
pub const GUESSED_CALL: Duration = Duration::from_millis(300);
/// The weight of a new row in the running mean.
const NEW: f64 = 0.1;

/// What is known of a site's single calls.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallTimes {
    /// Seconds a call, and calls a row, as means over the last rows.
    seen: Option<(f64, f64)>,
    /// Whether that was long ago: the next row counts alone.
    stale: bool,
}

impl CallTimes {
    /// So many rows were written by so many calls one after the other, which took this time, waits for their turn
    /// included.
    pub fn done(&mut self, rows: usize, calls: u32, took: Duration) {
        if rows == 0 || calls == 0 {
            return;
        }
        let here = (
            took.as_secs_f64() / f64::from(calls),
            f64::from(calls) / float(rows),
        );
        let known = self.seen.filter(|_| !std::mem::take(&mut self.stale));
        self.seen = Some(match known {
            None => here,
            Some((call, calls)) => (call + NEW * (here.0 - call), calls + NEW * (here.1 - calls)),
        });
    }

    /// What was seen was long ago.
    pub fn grow_old(&mut self) {
        self.stale = true;
    }

    /// Whether a row was written by calls.
    #[must_use]
    pub fn known(&self) -> bool {
        self.seen.is_some()
    }

    /// Calls a row, where `expected` are before one was seen.
    #[must_use]
    pub fn calls(&self, expected: f64) -> f64 {
        self.seen.map_or(expected, |(_, calls)| calls).max(1.0)
    }

    /// Seconds that a row takes.
    #[must_use]
    pub fn row(&self, expected_calls: f64) -> f64 {
        let call = self
            .seen
            .map_or(GUESSED_CALL.as_secs_f64(), |(call, _)| call);
        (call * self.calls(expected_calls)).max(1e-4)
    }

    /// Rows a second with so many in flight and so many requests a second.
    #[must_use]
    pub fn rate(&self, expected_calls: f64, in_flight: usize, requests_per_second: f64) -> f64 {
        let paced = requests_per_second / self.calls(expected_calls);
        paced.min(float(in_flight) / self.row(expected_calls))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(is: f64, wanted: f64) {
        assert!((is / wanted - 1.0).abs() < 1e-9, "{is}, not {wanted}");
    }

    #[test]
    fn the_pace_or_the_calls_in_flight_bound_the_rate_whichever_is_less() {
        let mut calls = CallTimes::default();
        near(calls.rate(1.0, 8, 50.0), 8.0 / 0.3);
        near(calls.rate(8.0, 8, 10.0), 10.0 / 8.0);
        calls.done(1, 2, Duration::from_millis(40));
        near(calls.rate(1.0, 8, 50.0), 25.0);
        near(calls.rate(1.0, 1, 50.0), 25.0);
        near(calls.row(1.0), 0.04);
    }

    #[test]
    fn after_a_long_time_the_next_row_counts_alone() {
        let mut calls = CallTimes::default();
        calls.done(1, 1, Duration::from_secs(4));
        calls.done(1, 1, Duration::from_secs(2));
        near(calls.row(1.0), 3.8);
        calls.grow_old();
        assert!(calls.known());
        calls.done(1, 1, Duration::from_millis(200));
        near(calls.row(1.0), 0.2);
        calls.done(1, 1, Duration::from_millis(100));
        near(calls.row(1.0), 0.19);
    }

    #[test]
    fn what_wrote_nothing_says_nothing() {
        let mut calls = CallTimes::default();
        calls.done(1, 0, Duration::ZERO);
        assert!(!calls.known());
    }
}
