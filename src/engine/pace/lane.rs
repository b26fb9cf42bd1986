//! One stream of requests with a rate of its own, which halves when the site says so and comes back by and by.

use crate::model::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The time between two steps back to the full rate; refusals within it are of requests that were under way already.
const STEP: Duration = Duration::from_secs(1);
/// What a step adds, as a share of the full rate.
const RISE: f64 = 0.05;
/// The lowest rate, as a share of the full one.
const LOWEST: f64 = 1.0 / 16.0;

/// The program's clock as the limiter reads it.
#[derive(Clone)]
pub(super) struct Ticks(pub(super) Arc<dyn Clock>);

impl governor::clock::Clock for Ticks {
    type Instant = Instant;

    fn now(&self) -> Instant {
        self.0.instant()
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Instant>>;

/// One stream of requests.
pub(super) struct Lane {
    full: f64,
    rate: f64,
    changed: Instant,
    slowed: Option<Instant>,
    clock: Ticks,
    limiter: Limiter,
}

impl Lane {
    /// A stream of at most `full` requests a second, of which a tenth may leave at once.
    pub(super) fn new(full: f64, clock: Ticks, now: Instant) -> Self {
        Self {
            full,
            rate: full,
            changed: now,
            slowed: None,
            limiter: limiter(full, clock.clone()),
            clock,
        }
    }

    /// Lets a request pass, or says how long to wait before asking again.
    pub(super) fn pass(&mut self, now: Instant) -> Option<Duration> {
        self.speed_up(now);
        let refused = self.limiter.check().err()?;
        // a refusal without a wait would be asked about at once, for ever
        Some(refused.wait_time_from(now).max(Duration::from_nanos(1)))
    }

    /// The site found it too fast.
    pub(super) fn slow_down(&mut self, now: Instant) {
        self.speed_up(now);
        if self.slowed.is_some_and(|slowed| now < slowed + STEP) {
            return;
        }
        self.slowed = Some(now);
        self.set(now, (self.rate / 2.0).max(self.full * LOWEST));
    }

    fn speed_up(&mut self, now: Instant) {
        if self.rate < self.full && now >= self.changed + STEP {
            let steps = now.duration_since(self.changed).as_secs_f64() / STEP.as_secs_f64();
            let rate = self.rate + self.full * RISE * steps.floor();
            self.set(now, rate.min(self.full));
        }
    }

    fn set(&mut self, now: Instant, rate: f64) {
        self.rate = rate;
        self.changed = now;
        self.limiter = limiter(rate, self.clock.clone());
        // a new limiter has its burst before it: what has just passed has used that up
        let burst = burst(rate);
        let _ = self.limiter.check_n(burst);
    }
}

fn limiter(rate: f64, clock: Ticks) -> Limiter {
    let period = Duration::from_secs_f64(1.0 / rate).max(Duration::from_nanos(1));
    let quota = Quota::with_period(period)
        .expect("the period is not zero")
        .allow_burst(burst(rate));
    RateLimiter::direct_with_clock(quota, clock)
}

/// A tenth of a second's requests: a freed slot is refilled at once, and a second never holds more than 110 %.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are far below four billion, and positive"
)]
fn burst(rate: f64) -> NonZeroU32 {
    NonZeroU32::new((rate / 10.0) as u32).unwrap_or(NonZeroU32::MIN)
}
