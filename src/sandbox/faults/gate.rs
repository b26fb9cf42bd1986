//! How often the site may be asked, and when it rests: it refuses, and counts who does not wait.
//!
//! Waits that were told are whole seconds of the caller, however fast the site's clock runs, and hold to the end.

use crate::api::contract::Endpoint;
use crate::model::clock::UnixMillis;
use crate::sandbox::policy::ThrottleStyle;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Requests that come so soon after a wait was told were under way already.
const UNDER_WAY: Duration = Duration::from_millis(100);
/// What a burst is measured over.
const SECOND: Duration = Duration::from_secs(1);

/// Why the site rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Too many requests within a second.
    Burst,
    /// Too many within a longer time.
    Quota,
    /// It is not available.
    Unavailable,
}

/// A time in which requests are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rest {
    /// Why.
    pub(super) why: Why,
    /// How that is said.
    pub(super) style: ThrottleStyle,
    since: Instant,
    until: Instant,
}

impl Rest {
    /// How long it still is.
    pub(super) fn left(&self, now: Instant) -> Duration {
        self.until.saturating_duration_since(now)
    }

    fn is_told(&self) -> bool {
        self.style != ThrottleStyle::NoRetryAfter
    }

    /// What the whole site has to rest for; the gateway does not know endpoints.
    fn is_of_site(&self) -> bool {
        self.why == Why::Quota || self.style == ThrottleStyle::Gateway
    }
}

/// What callers did that they should not have, and how much they asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Requests in all.
    pub(super) requests: u64,
    /// Most of them within a second of the caller.
    pub(super) most_in_a_second: usize,
    /// Requests while the site rested, though it had said so.
    pub(super) inside_site_wait: u64,
    /// Requests to an endpoint that rested, though it had said so.
    pub(super) inside_endpoint_wait: u64,
    /// Requests that came just after, and were not counted above.
    pub(super) under_way: u64,
}

/// The gate.
#[derive(Debug)]
pub(super) struct Gate {
    /// Requests a second of the caller; 0 for any number.
    limit: u64,
    scale: u32,
    /// Requests that may come at once, and when that was.
    tokens: (f64, Option<Instant>),
    site: Option<Rest>,
    endpoints: HashMap<Endpoint, Rest>,
    /// The requests of the last second.
    recent: VecDeque<Instant>,
    seen: Seen,
}

impl Gate {
    /// A gate that lets so many requests through in a second of the site, whose clock runs so many times as fast.
    pub(super) fn new(limit: u32, scale: u32) -> Self {
        let limit = u64::from(limit) * u64::from(scale.max(1));
        Self {
            limit,
            scale: scale.max(1),
            tokens: (as_float(limit), None),
            site: None,
            endpoints: HashMap::new(),
            recent: VecDeque::new(),
            seen: Seen::default(),
        }
    }

    /// Counts a request; a refusal when the site or the endpoint rests, or has to from now on.
    pub(super) fn arrive(
        &mut self,
        now: Instant,
        unix: UnixMillis,
        endpoint: Endpoint,
        style: impl FnOnce() -> ThrottleStyle,
    ) -> Option<Rest> {
        self.count(now);
        let scale = self.scale;
        for rest in [self.site.as_mut(), self.endpoints.get_mut(&endpoint)] {
            let Some(rest) = rest.filter(|rest| now < rest.until) else {
                continue;
            };
            if rest.is_told() {
                if now < rest.since + UNDER_WAY {
                    self.seen.under_way += 1;
                } else if rest.is_of_site() {
                    self.seen.inside_site_wait += 1;
                } else {
                    self.seen.inside_endpoint_wait += 1;
                }
                // a new wait is told, so it holds as well
                rest.until = now + told(rest.style, unix, rest.until - now);
            }
            return Some(*rest);
        }
        if self.take(now) {
            return None;
        }
        let window = SECOND / scale;
        Some(self.rest(now, unix, endpoint, Why::Burst, style(), window))
    }

    /// Lets the site or an endpoint rest from now on, for at least so long a time of the caller.
    pub(super) fn rest(
        &mut self,
        now: Instant,
        unix: UnixMillis,
        endpoint: Endpoint,
        why: Why,
        style: ThrottleStyle,
        window: Duration,
    ) -> Rest {
        let rest = Rest {
            why,
            style,
            since: now,
            until: now + told(style, unix, window),
        };
        if rest.is_of_site() {
            self.site = Some(rest);
        } else {
            self.endpoints.insert(endpoint, rest);
        }
        rest
    }

    /// Requests a second and how many of them are left; nothing without a limit.
    pub(super) fn allowance(&self) -> Option<(u64, u64)> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the limit"
        )]
        let left = self.tokens.0 as u64;
        (self.limit > 0).then_some((self.limit, left))
    }

    /// What was seen so far.
    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    fn count(&mut self, now: Instant) {
        self.seen.requests += 1;
        while self.recent.front().is_some_and(|at| *at + SECOND <= now) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.seen.most_in_a_second = self.seen.most_in_a_second.max(self.recent.len());
    }

    fn take(&mut self, now: Instant) -> bool {
        if self.limit == 0 {
            return true;
        }
        let (left, at) = self.tokens;
        let passed = at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let most = as_float(self.limit);
        let left = (left + passed.as_secs_f64() * most).min(most);
        let enough = left >= 1.0;
        self.tokens = (if enough { left - 1.0 } else { left }, Some(now));
        enough
    }
}

fn as_float(limit: u64) -> f64 {
    u32::try_from(limit).map_or(f64::from(u32::MAX), f64::from)
}

/// A wait, as long as it is once it was said in this way.
fn told(style: ThrottleStyle, unix: UnixMillis, window: Duration) -> Duration {
    match style {
        ThrottleStyle::NoRetryAfter => window,
        // it says at which second the wait is over
        ThrottleStyle::Gateway => {
            let end = u64::try_from(unix).unwrap_or(0) + ceil_millis(window);
            Duration::from_millis(end.next_multiple_of(1000) - u64::try_from(unix).unwrap_or(0))
        }
        _ => Duration::from_secs(ceil_millis(window).div_ceil(1000).max(1)),
    }
}

fn ceil_millis(window: Duration) -> u64 {
    u64::try_from(window.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::iter;

    const POST: Endpoint = Endpoint::BulkCustomerProfiles;
    const GET: Endpoint = Endpoint::GetTask;

    /// A gate and a way to ask it at some millisecond.
    struct World {
        gate: Gate,
        zero: Instant,
    }

    impl World {
        fn new(limit: u32, scale: u32) -> Self {
            Self {
                gate: Gate::new(limit, scale),
                zero: Instant::now(),
            }
        }

        /// Milliseconds that a request is told to wait, if it is refused.
        fn ask(&mut self, at: u64, endpoint: Endpoint) -> Option<u128> {
            let now = self.zero + Duration::from_millis(at);
            let unix = i64::try_from(at).unwrap();
            let rest = self
                .gate
                .arrive(now, unix, endpoint, || ThrottleStyle::Full);
            rest.map(|rest| rest.left(now).as_millis())
        }

        fn rest(&mut self, at: u64, why: Why, style: ThrottleStyle, millis: u64) -> u128 {
            let now = self.zero + Duration::from_millis(at);
            let window = Duration::from_millis(millis);
            let unix = i64::try_from(at).unwrap();
            let rest = self.gate.rest(now, unix, POST, why, style, window);
            rest.left(now).as_millis()
        }
    }

    #[test]
    fn a_burst_is_refused_until_its_second_is_over_and_quicker_sites_answer_more() {
        let mut world = World::new(3, 1);
        let asked: Vec<_> = iter::repeat_n(0, 4).map(|at| world.ask(at, GET)).collect();
        assert_eq!(asked, [None, None, None, Some(1000)]);
        // other endpoints do not rest, and wait for a token of their own
        assert_eq!(world.ask(334, POST), None);
        assert_eq!(world.ask(999, GET), Some(1000), "told anew, it holds anew");
        assert_eq!(world.ask(1999, GET), None);
        assert_eq!(world.gate.seen().most_in_a_second, 6);
        assert_eq!(world.gate.seen().inside_endpoint_wait, 1);
        assert_eq!(world.gate.allowance(), Some((3, 2)));
        let mut quick = World::new(3, 600);
        assert!((0..1800).all(|_| quick.ask(0, GET).is_none()));
        assert_eq!(
            quick.ask(0, GET),
            Some(1000),
            "a second of the caller at least"
        );
        assert_eq!(World::new(0, 1).gate.allowance(), None);
    }

    #[test]
    fn a_quota_stops_everything_and_a_burst_its_endpoint() {
        let mut world = World::new(0, 1);
        assert_eq!(world.rest(0, Why::Burst, ThrottleStyle::Full, 1500), 2000);
        assert_eq!(world.ask(1, GET), None);
        assert_eq!(world.ask(50, POST), Some(2000));
        assert_eq!(world.ask(500, POST), Some(2000));
        assert_eq!(world.ask(2500, POST), None);
        let seen = world.gate.seen();
        assert_eq!((seen.under_way, seen.inside_endpoint_wait), (1, 1));
        assert_eq!(
            world.rest(5000, Why::Quota, ThrottleStyle::ResetPast, 100),
            1000
        );
        assert_eq!(world.ask(5999, GET), Some(1000));
        assert_eq!(world.gate.seen().inside_site_wait, 1);
        assert_eq!(world.ask(6999, GET), None);
    }

    #[test]
    fn what_is_not_told_is_not_held_against_anybody() {
        let mut world = World::new(0, 1);
        assert_eq!(
            world.rest(0, Why::Burst, ThrottleStyle::NoRetryAfter, 300),
            300
        );
        assert_eq!(world.ask(200, POST), Some(100));
        assert_eq!(world.ask(300, POST), None);
        let seen = world.gate.seen();
        assert_eq!((seen.inside_endpoint_wait, seen.requests), (0, 2));
        // the gateway names the second, for all of the site
        assert_eq!(
            world.rest(1250, Why::Burst, ThrottleStyle::Gateway, 300),
            750
        );
        assert_eq!(world.ask(1900, GET), Some(100));
        assert_eq!(world.ask(2000, GET), None);
        assert_eq!(world.gate.seen().inside_site_wait, 1);
    }
}
