//! How fast requests may leave: one token bucket for the site, shared by all routes.

use crate::api::client::Gate;
use crate::api::contract::Endpoint;
use crate::model::reply::ApiError;
use governor::clock::DefaultClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Jitter, Quota, RateLimiter};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::time::Duration;

/// Requests a second when the job names no number: half of the platform's burst limit for writes.
pub const DEFAULT_REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(50).unwrap();

/// The gate that every request passes.
#[derive(Debug)]
pub struct Pace {
    limiter: RateLimiter<NotKeyed, InMemoryState, DefaultClock, NoOpMiddleware>,
    jitter: Jitter,
}

impl Pace {
    /// At most this many requests a second, evenly spread.
    #[must_use]
    pub fn new(requests_per_second: NonZeroU32) -> Self {
        // a burst of one tenth: a freed slot is refilled at once, and a second never holds more than 110 %
        let burst = NonZeroU32::new(requests_per_second.get() / 10).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(requests_per_second).allow_burst(burst);
        let spread = Duration::from_secs(1) / requests_per_second.get() / 10;
        Self {
            limiter: RateLimiter::direct(quota),
            jitter: Jitter::up_to(spread),
        }
    }
}

impl Gate for Pace {
    fn ready(&self, _: Endpoint) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.limiter.until_ready_with_jitter(self.jitter))
    }

    fn refused(&self, _: Endpoint, _: &ApiError) {}
}
