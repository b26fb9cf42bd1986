//! How fast requests may leave: the gate that every request of a client passes.
//!
//! Guarantee: no request leaves inside a wait that the site asked for, not even one that was waiting for its pace when
//! the wait began; no endpoint gets more than the platform's documented burst limit, unless the job says that there is none; a second never holds more than the
//! configured number of requests and a tenth; polls never take all of them. Must not know: what requests mean, and
//! whether they are repeated.

mod lane;

use super::quiet::Quiet;
use crate::api::client::Gate;
use crate::api::contract::{Endpoint, Method};
use crate::model::clock::{Clock, SystemClock};
use crate::model::reply::{ApiError, ErrorClass, Throttle};
use governor::Jitter;
use lane::{Lane, Ticks};
use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Requests a second when the job names no number: half of the platform's burst limit for writes.
pub const DEFAULT_REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(50).unwrap();

/// The share of all requests that polls may be: whatever the tasks, a batch finds its way.
const POLLS: f64 = 0.8;
/// The first wait after an answer that asks for one without saying how long.
const UNNAMED: Duration = Duration::from_secs(1);
/// The longest such wait.
const LONGEST_UNNAMED: Duration = Duration::from_mins(1);

/// Requests a second to one endpoint that the platform documents, by method.
const fn burst_limit(method: Method) -> u32 {
    match method {
        Method::Get | Method::Post => 100,
        Method::Put | Method::Delete => 50,
    }
}

/// How fast requests may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Requests a second, over all endpoints.
    pub requests_per_second: NonZeroU32,
    /// Whether each endpoint keeps within what the platform documents. A stand-in for a site may know no such limit.
    pub platform_limits: bool,
}

impl Rates {
    /// So many requests a second, within the platform's limits.
    #[must_use]
    pub const fn within_limits(requests_per_second: NonZeroU32) -> Self {
        Self {
            requests_per_second,
            platform_limits: true,
        }
    }

    /// How many requests a second may be polls.
    #[must_use]
    pub fn polls(self) -> f64 {
        self.most(
            POLLS * f64::from(self.requests_per_second.get()),
            Endpoint::GetTask,
        )
    }

    fn most(self, wanted: f64, endpoint: Endpoint) -> f64 {
        if self.platform_limits {
            wanted.min(f64::from(burst_limit(endpoint.method())))
        } else {
            wanted
        }
    }
}

/// The gate that every request passes: decides in [`Pace::admit`], waits in [`Gate::ready`].
pub struct Pace {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
    rates: Rates,
    jitter: Jitter,
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace")
            .field("rates", &self.rates)
            .finish_non_exhaustive()
    }
}

struct State {
    all: Lane,
    lanes: HashMap<Endpoint, Lane>,
    quiet: Quiet<Endpoint>,
    unnamed: HashMap<Throttle, Unnamed>,
}

/// The last wait whose length the site did not say.
struct Unnamed {
    wait: Duration,
    until: Instant,
}

/// How far one request has come. A new one for each request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passage {
    endpoint: bool,
}

impl Pace {
    /// At most this many requests a second, evenly spread, by the machine's clock.
    #[must_use]
    pub fn new(rates: Rates) -> Self {
        Self::with_clock(rates, Arc::new(SystemClock))
    }

    /// At most this many requests a second of this clock, evenly spread.
    #[must_use]
    pub fn with_clock(rates: Rates, clock: Arc<dyn Clock>) -> Self {
        let rate = f64::from(rates.requests_per_second.get());
        let now = clock.instant();
        Self {
            state: Mutex::new(State {
                all: Lane::new(rate, Ticks(Arc::clone(&clock)), now),
                lanes: HashMap::new(),
                quiet: Quiet::default(),
                unnamed: HashMap::new(),
            }),
            clock,
            rates,
            jitter: Jitter::up_to(Duration::from_secs_f64(0.1 / rate)),
        }
    }

    /// Asks for a request to leave now: `None` when it may, else how long to wait before asking again.
    pub fn admit(&self, endpoint: Endpoint, passage: &mut Passage) -> Option<Duration> {
        let now = self.clock.instant();
        let state = &mut *self.state();
        if let Some(until) = state.quiet.until(endpoint, now) {
            // whoever waited through a window takes its turn anew, so that not all leave at once behind it
            *passage = Passage::default();
            return Some(until.duration_since(now));
        }
        if !passage.endpoint {
            let lane = state.lanes.entry(endpoint).or_insert_with(|| {
                let rate = match endpoint {
                    Endpoint::GetTask => self.rates.polls(),
                    _ if self.rates.platform_limits => f64::from(burst_limit(endpoint.method())),
                    _ => f64::from(self.rates.requests_per_second.get()),
                };
                Lane::new(rate, Ticks(Arc::clone(&self.clock)), now)
            });
            if let Some(wait) = lane.pass(now) {
                return Some(wait);
            }
            passage.endpoint = true;
        }
        state.all.pass(now)
    }

    /// Whether it may be sent is said by [`Pace::admit`]; what the site answered is heard here.
    fn throttled(&self, endpoint: Endpoint, after: Option<Duration>, scope: Throttle) {
        let now = self.clock.instant();
        let state = &mut *self.state();
        let wait = after.unwrap_or_else(|| {
            let last = state.unnamed.get(&scope);
            // refused again soon after a wait: it was too short; within one: others were already under way
            let wait = match last {
                Some(last) if now <= last.until => last.wait,
                Some(last) if now <= last.until + last.wait => last.wait * 2,
                Some(_) | None => UNNAMED,
            };
            let wait = wait.min(LONGEST_UNNAMED);
            let until = now + wait;
            state.unnamed.insert(scope, Unnamed { wait, until });
            wait
        });
        match scope {
            Throttle::Quota => state.quiet.all(now + wait),
            Throttle::Burst => {
                state.quiet.only(endpoint, now + wait);
                if let Some(lane) = state.lanes.get_mut(&endpoint) {
                    lane.slow_down(now);
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate for Pace {
    fn ready(&self, endpoint: Endpoint) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let mut passage = Passage::default();
            while let Some(wait) = self.admit(endpoint, &mut passage) {
                tokio::time::sleep(self.jitter + wait).await;
            }
        })
    }

    fn refused(&self, endpoint: Endpoint, error: &ApiError) {
        if let ErrorClass::Throttled { after, scope } = error.class {
            self.throttled(endpoint, after, scope);
        }
    }
}

#[cfg(test)]
mod tests;
