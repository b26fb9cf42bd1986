//! How long an answer asks to wait.
//!
//! Headers as documented on the platform's rate-limit page, with what was seen to be odd on live sites: reset
//! instants without seconds, resets in the past, waits without `Retry-After`. `RateLimit` alone is trusted last.
//! Pure: the time is an argument.

use crate::api::classify::Headers;
use crate::model::clock::UnixMillis;
use crate::model::reply::Throttle;
use chrono::{DateTime, NaiveDateTime};
use std::time::Duration;

/// No wait is longer: the longest documented window is an hour, and a deadline must stay a representable instant.
const LONGEST: Duration = Duration::from_hours(24);

/// How long the headers ask to wait, seen from `now`; the answer's own `Date` goes before `now`, so that a wrong clock
/// here does no harm.
pub(super) fn wait(headers: &Headers, now: UnixMillis) -> Option<Duration> {
    let now = headers.get("date").and_then(http_date).unwrap_or(now);
    let retry = first(headers, ["retry-after", "beta-retry-after"], |text| {
        let seconds = text.parse().ok().map(Duration::from_secs);
        seconds.or_else(|| until(http_date(text)?, now))
    });
    let reset = first(
        headers,
        ["x-ratelimit-reset", "x-beta-ratelimit-reset"],
        |text| until(instant(text)?, now),
    );
    // a burst is over within seconds, while the reset may be that of the hourly quota
    let wait = if scope(headers) == Throttle::Burst && retry.is_some() {
        retry
    } else {
        retry.max(reset)
    };
    wait.or_else(|| first(headers, ["ratelimit", "beta-ratelimit"], exhausted))
        .map(|wait| wait.min(LONGEST))
}

/// Which requests the answer means. An unknown reason counts as a quota: waiting too widely does no harm. Without a
/// reason the policies with nothing left tell.
pub(super) fn scope(headers: &Headers) -> Throttle {
    let reasons = ["ratelimit-reason", "x-beta-ratelimit-reason"];
    let is_burst = match reasons.iter().find_map(|name| headers.get(name)) {
        // per-issue limits are over within seconds as well
        Some(reason) => reason.contains("burst") || reason.contains("per-issue"),
        None => headers.get("ratelimit").is_some_and(|policies| {
            let spent = policies
                .split(',')
                .filter(|policy| number(policy, "r") == Some(0));
            let (burst, other): (Vec<_>, Vec<_>) =
                spent.partition(|policy| policy.contains("burst"));
            !burst.is_empty() && other.is_empty()
        }),
    };
    if is_burst {
        Throttle::Burst
    } else {
        Throttle::Quota
    }
}

fn first<const N: usize>(
    headers: &Headers,
    names: [&str; N],
    read: impl Fn(&str) -> Option<Duration>,
) -> Option<Duration> {
    names
        .iter()
        .filter_map(|name| headers.get(name))
        .find_map(|text| read(text.trim()))
}

/// From `now` to an instant; `None` when it has passed.
fn until(then: UnixMillis, now: UnixMillis) -> Option<Duration> {
    let millis = u64::try_from(then.checked_sub(now)?).ok()?;
    (millis > 0).then(|| Duration::from_millis(millis))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn http_date(text: &str) -> Option<UnixMillis> {
    DateTime::parse_from_rfc2822(text)
        .ok()
        .map(|date| date.timestamp_millis())
}

/// `2026-01-01T01:01:01Z` (documented) or `2026-03-26T16:00Z` (documented earlier, and seen).
fn instant(text: &str) -> Option<UnixMillis> {
    if let Ok(date) = DateTime::parse_from_rfc3339(text) {
        return Some(date.timestamp_millis());
    }
    let date = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%MZ").ok()?;
    Some(date.and_utc().timestamp_millis())
}

/// The longest `t` of the policies with nothing left (`"jira-burst-based";r=0;t=1`); without `r` a policy is well
/// below its limit.
fn exhausted(policies: &str) -> Option<Duration> {
    let spent = policies.split(',').filter_map(|policy| {
        let nothing_left = number(policy, "r")? == 0;
        nothing_left.then(|| number(policy, "t"))?
    });
    spent.max().map(Duration::from_secs)
}

/// A parameter of one policy.
fn number(policy: &str, name: &str) -> Option<u64> {
    policy.split(';').skip(1).find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key.trim() == name).then(|| value.trim().parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-03-26T15:59:30Z
    const NOW: UnixMillis = 1_774_540_770_000;

    fn secs(headers: &[(&str, &str)]) -> Option<u64> {
        wait(&Headers::of(headers), NOW).map(|wait| wait.as_secs())
    }

    #[test]
    fn every_form_of_a_wait_is_read() {
        for (headers, expected) in [
            (&[("Retry-After", "7")][..], Some(7)),
            (&[("retry-after", " 0 ")], Some(0)),
            (
                &[("Retry-After", "Thu, 26 Mar 2026 16:00:00 GMT")],
                Some(30),
            ),
            (&[("Beta-Retry-After", "9")], Some(9)),
            (&[("X-RateLimit-Reset", "2026-03-26T16:00:01Z")], Some(31)),
            (&[("X-RateLimit-Reset", "2026-03-26T16:00Z")], Some(30)),
            (
                &[("X-RateLimit-Reset", "2026-03-26T17:00:00+01:00")],
                Some(30),
            ),
            (&[("X-Beta-RateLimit-Reset", "2026-03-26T16:00Z")], Some(30)),
            (
                &[(
                    "RateLimit",
                    r#""global-app-quota";r=0;t=200,"jira-burst-based";r=90;t=900"#,
                )],
                Some(200),
            ),
            (&[("RateLimit", r#""a"; r=0; t=2, "b";t=5;r=0"#)], Some(5)),
            (&[("Beta-RateLimit", r#""a";r=0;t=3"#)], Some(3)),
        ] {
            assert_eq!(secs(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn what_says_nothing_about_the_future_is_ignored() {
        for headers in [
            &[][..],
            &[("Retry-After", "soon")],
            &[("Retry-After", "-1")],
            &[("Retry-After", "Thu, 26 Mar 2026 15:00:00 GMT")],
            &[("X-RateLimit-Reset", "2026-03-26T15:59Z")],
            &[("X-RateLimit-Reset", "tomorrow")],
            &[("RateLimit", r#""global-app-quota";t=200"#)],
            &[("RateLimit", r#""global-app-quota";r=1;t=200"#)],
            &[("RateLimit", r#""global-app-quota";r=0"#)],
        ] {
            assert_eq!(secs(headers), None, "{headers:?}");
        }
    }

    #[test]
    fn of_several_waits_the_longest_counts_but_a_burst_takes_its_own() {
        let both = [
            ("Retry-After", "3"),
            ("X-RateLimit-Reset", "2026-03-26T16:00Z"),
        ];
        assert_eq!(secs(&both), Some(30));
        let past = [
            ("Retry-After", "3"),
            ("X-RateLimit-Reset", "2026-03-26T15:00Z"),
        ];
        assert_eq!(secs(&past), Some(3));
        let burst = [both[0], both[1], ("RateLimit-Reason", "jira-burst-based")];
        assert_eq!(secs(&burst), Some(3));
        let burst_without_wait = [both[1], ("RateLimit-Reason", "jira-burst-based")];
        assert_eq!(secs(&burst_without_wait), Some(30));
        let told_twice = [("Retry-After", "3"), ("RateLimit", r#""a";r=0;t=900"#)];
        assert_eq!(secs(&told_twice), Some(3));
    }

    #[test]
    fn only_what_is_known_to_be_short_is_a_burst() {
        for (headers, expected) in [
            (
                &[("RateLimit-Reason", "jira-burst-based")][..],
                Throttle::Burst,
            ),
            (
                &[("RateLimit-Reason", "jira-per-issue-on-write")],
                Throttle::Burst,
            ),
            (
                &[("X-Beta-RateLimit-Reason", "jira-burst-based")],
                Throttle::Burst,
            ),
            (
                &[("RateLimit-Reason", "jira-quota-global-based")],
                Throttle::Quota,
            ),
            (
                &[("RateLimit-Reason", "jira-quota-tenant-based")],
                Throttle::Quota,
            ),
            (&[("RateLimit-Reason", "jira-cost-based")], Throttle::Quota),
            (&[("RateLimit-Reason", "jira-quota-based")], Throttle::Quota),
            (
                &[(
                    "RateLimit-Reason",
                    "jira-max-concurrent-threads-across-all-instances-per-tenant-per-user",
                )],
                Throttle::Quota,
            ),
            (
                &[("X-Failure-Category", "FAILURE CLIENT RATE LIMITED")],
                Throttle::Quota,
            ),
            (&[], Throttle::Quota),
            (
                &[(
                    "RateLimit",
                    r#""jira-burst-based";r=0;t=1,"global-app-quota";r=9;t=200"#,
                )],
                Throttle::Burst,
            ),
            (
                &[(
                    "RateLimit",
                    r#""jira-burst-based";r=0;t=1,"global-app-quota";r=0;t=200"#,
                )],
                Throttle::Quota,
            ),
            (
                &[("RateLimit", r#""jira-burst-based";r=7;t=1"#)],
                Throttle::Quota,
            ),
            (
                &[
                    ("RateLimit-Reason", "jira-quota-based"),
                    ("RateLimit", r#""jira-burst-based";r=0;t=1"#),
                ],
                Throttle::Quota,
            ),
        ] {
            assert_eq!(scope(&Headers::of(headers)), expected, "{headers:?}");
        }
    }

    #[test]
    fn the_answers_own_date_goes_before_the_local_clock() {
        let date = ("Date", "Thu, 26 Mar 2026 12:00:00 GMT");
        assert_eq!(
            secs(&[date, ("X-RateLimit-Reset", "2026-03-26T12:00:10Z")]),
            Some(10)
        );
        assert_eq!(
            secs(&[("Date", "now"), ("X-RateLimit-Reset", "2026-03-26T16:00Z")]),
            Some(30)
        );
    }

    #[test]
    fn no_wait_is_longer_than_a_day() {
        assert_eq!(
            secs(&[("Retry-After", "18446744073709551615")]),
            Some(86_400)
        );
        assert_eq!(
            secs(&[("X-RateLimit-Reset", "9999-01-01T00:00:00Z")]),
            Some(86_400)
        );
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(text in ".{0,60}", now in any::<i64>()) {
            for name in ["date", "retry-after", "x-ratelimit-reset", "ratelimit", "ratelimit-reason"] {
                let _ = wait(&Headers::of(&[(name, &text), ("beta-retry-after", "1")]), now);
            }
        }
    }
}
