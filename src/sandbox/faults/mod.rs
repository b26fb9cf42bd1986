//! What happens to requests between the caller and the site: waits, throttling, and deliberate faults.
//!
//! Duty: let requests through or not, and let answers out or not. Guarantee: what the site did is in its audit, whatever
//! becomes of the answer; answers that were tampered with carry [`Fault`]. Must not know: the site's rules.
//!
//! | module | duty |
//! | --- | --- |
//! | `layer` | takes requests in, performs what was decided |
//! | `plan` | which fault a request meets, pure |
//! | `gate` | throttling, and counting who does not wait, pure |
//! | `answers` | the answers of faults, pure |
//! | `wire` | connections that can be cut |
//! | `trickle` | bodies that come slowly |

mod answers;
mod gate;
mod layer;
mod plan;
#[cfg(test)]
mod tests;
mod trickle;
mod wire;

pub(super) use layer::misbehave;
pub(super) use wire::{Wire, Wires};

use super::policy::{Policy, RequestFault, ThrottleStyle};
use crate::api::contract::{self, Base, Endpoint, Kind};
use crate::model::clock::Clock;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use gate::{Gate, Why};
use plan::{Asked, Plan};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What befalls requests.
pub(super) struct Faults {
    policy: Policy,
    clock: Arc<dyn Clock>,
    plan: Plan,
    /// By method and path below the server.
    endpoints: HashMap<(Method, String), Endpoint>,
    memory: Mutex<Memory>,
}

/// What is remembered of earlier requests.
struct Memory {
    gate: Gate,
    /// How often each request was made, by its digest; idempotency keys among them.
    asked: HashMap<u64, u32>,
    /// Writes of single records that were applied, by digest.
    applied: HashSet<u64>,
    repeated_writes: u64,
    /// How often each fault was met.
    met: BTreeMap<&'static str, u64>,
}

/// What is to become of a request.
enum Fate {
    /// It never reaches the site.
    Answered(&'static str, Response),
    /// It is never answered.
    Dropped,
    /// It reaches the site, and its answer may meet something.
    Passed(Option<RequestFault>),
}

impl Faults {
    /// The faults of a policy; the clock is the machine's.
    pub(super) fn new(policy: &Policy, clock: Arc<dyn Clock>) -> Self {
        let served = |endpoint: &&Endpoint| matches!(endpoint.base(), Base::Csm | Base::Jira);
        let endpoints = Endpoint::ALL.iter().filter(served).map(|endpoint| {
            let prefix = match endpoint.base() {
                Base::Jira => contract::JIRA_PREFIX,
                _ => contract::CLOUD_PREFIX,
            };
            let method = Method::from_bytes(endpoint.method().name().as_bytes());
            let path = format!("{prefix}{}", endpoint.path());
            ((method.unwrap_or_default(), path), *endpoint)
        });
        Self {
            plan: Plan::of(policy),
            endpoints: endpoints.collect(),
            memory: Mutex::new(Memory {
                gate: Gate::new(policy.requests_per_second, policy.time_scale),
                asked: HashMap::new(),
                applied: HashSet::new(),
                repeated_writes: 0,
                met: BTreeMap::new(),
            }),
            policy: policy.clone(),
            clock,
        }
    }

    /// Inspection: what requests showed of the callers' ways, and which faults they met.
    pub(super) fn violations(&self) -> Map<String, Value> {
        let memory = self.memory();
        let seen = memory.gate.seen();
        let counts = [
            ("requests", json!(seen.requests)),
            ("mostRequestsInASecond", json!(seen.most_in_a_second)),
            ("insideSiteWait", json!(seen.inside_site_wait)),
            ("insideEndpointWait", json!(seen.inside_endpoint_wait)),
            ("underWayWhenToldToWait", json!(seen.under_way)),
            ("repeatedWrites", json!(memory.repeated_writes)),
            ("faults", json!(memory.met)),
        ];
        counts
            .map(|(name, count)| (name.to_owned(), count))
            .into_iter()
            .collect()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // counts are whole whoever panicked
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A time of the site, as long as it is for the caller.
    fn real(&self, millis: u32) -> Duration {
        Duration::from_millis(millis.into()) / self.policy.time_scale.max(1)
    }

    /// Decides about a request. `digest` stands for path and body.
    fn decide(&self, endpoint: Endpoint, digest: u64, headers: &HeaderMap) -> Fate {
        let (now, unix) = (self.clock.instant(), self.clock.unix_millis());
        let mut memory = self.memory();
        let mut asked = Asked {
            endpoint,
            digest,
            before: 0,
            known_key: false,
        };
        if self.plan.is_any() {
            asked.before = memory.count(digest);
            if let Some(key) = headers.get(contract::IDEMPOTENCY_KEY) {
                asked.known_key = memory.count(xxh3_64_with_seed(key.as_bytes(), 1)) > 0;
            }
        }
        let style = || self.plan.style(asked);
        let fault = match memory.gate.arrive(now, unix, endpoint, style) {
            Some(rest) => {
                let limit = memory.gate.allowance().map_or(0, |(limit, _)| limit);
                let response = answers::resting(&rest, rest.left(now), unix, limit);
                return memory.answered("throttled", response);
            }
            None => self.plan.fault(asked),
        };
        if endpoint.kind() == Kind::Single && memory.applied.contains(&digest) {
            memory.repeated_writes += 1;
        }
        let Some(fault) = fault else {
            return Fate::Passed(None);
        };
        let name = fault.name();
        let mut rest = |why, style, window| {
            let rest = memory.gate.rest(now, unix, endpoint, why, style, window);
            let limit = memory.gate.allowance().map_or(0, |(limit, _)| limit);
            answers::resting(&rest, rest.left(now), unix, limit)
        };
        let response = match fault {
            RequestFault::Burst => {
                rest(Why::Burst, style(), self.real(self.policy.burst_window_ms))
            }
            RequestFault::Quota => {
                rest(Why::Quota, style(), self.real(self.policy.quota_window_ms))
            }
            RequestFault::Unavailable => {
                let window = self.real(self.policy.burst_window_ms);
                rest(Why::Unavailable, ThrottleStyle::Full, window)
            }
            RequestFault::Json500 => answers::internal_error(),
            RequestFault::Html502 => answers::bad_gateway(StatusCode::BAD_GATEWAY),
            RequestFault::Html400 => answers::bad_request_page(),
            RequestFault::LoginPage => answers::login_page(),
            RequestFault::Precondition => answers::precondition_failed(),
            RequestFault::KeyConflict => answers::key_conflict(self.policy.key_conflict_status),
            RequestFault::VanishedPoll => answers::no_task(),
            RequestFault::DroppedBefore => {
                memory.meet(name);
                return Fate::Dropped;
            }
            RequestFault::Applied504
            | RequestFault::DroppedAfter
            | RequestFault::Truncated
            | RequestFault::SlowAnswer
            | RequestFault::SlowBody => {
                memory.meet(name);
                return Fate::Passed(Some(fault));
            }
        };
        memory.answered(name, response)
    }

    /// How long an answer takes when nothing goes wrong.
    fn latency(&self, endpoint: Endpoint) -> Duration {
        let about_bulk = endpoint.kind() == Kind::Bulk || endpoint == Endpoint::GetTask;
        self.real(if about_bulk {
            self.policy.bulk_call_ms
        } else {
            self.policy.single_call_ms
        })
    }
}

impl Memory {
    /// How often this was asked before.
    fn count(&mut self, digest: u64) -> u32 {
        let count = self.asked.entry(digest).or_default();
        let before = *count;
        *count = count.saturating_add(1);
        before
    }

    fn meet(&mut self, name: &'static str) {
        *self.met.entry(name).or_default() += 1;
    }

    fn answered(&mut self, name: &'static str, response: Response) -> Fate {
        self.meet(name);
        Fate::Answered(name, response)
    }
}
