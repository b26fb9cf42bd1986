//! Every knob once: its name, its meaning, and its value in each preset.
//!
//! The name is the key in policy files and after `--set`. Times are those of the site, which `time_scale` quickens.

use super::words::{
    Existing, FailureNames, FailuresShown, OneBadItem, Share, TaskOrder, ThrottleStyle, TimedOut,
};
use crate::api::contract;
use serde::{Deserialize, Serialize};

/// A knob, for lists of them.
pub(super) struct Knob {
    /// Its name.
    pub(super) name: &'static str,
    /// What it does, each part with a space in front.
    pub(super) doc: &'static str,
}

/// A policy that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// As documented, but with quick tasks.
    Documented,
    /// As one live site was seen in 2026. Fixed: measurements on it can be compared.
    Live2026,
    /// A good share of everything that can go wrong, with quick tasks.
    Hostile,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 3] = [Self::Documented, Self::Live2026, Self::Hostile];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Live2026 => "live-2026",
            Self::Hostile => "hostile",
        }
    }
}

macro_rules! knobs {
    ($($group:literal { $($(#[doc = $doc:literal])+ $name:ident: $type:ty = $documented:expr
        $(, live $live:expr)? $(, hostile $hostile:expr)?;)+ })+) => {
        /// The knobs of a site.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Policy {
            $($($(#[doc = $doc])+ pub $name: $type,)+)+
        }

        /// The knobs in groups.
        pub(super) const GROUPS: &[(&str, &[Knob])] = &[
            $(($group, &[$(Knob { name: stringify!($name), doc: concat!($($doc),+) }),+])),+
        ];

        impl Preset {
            /// Its knobs.
            #[must_use]
            pub fn policy(self) -> Policy {
                let mut policy = Policy { $($($name: $documented,)+)+ };
                match self {
                    Self::Documented => {}
                    Self::Live2026 => { $($($(policy.$name = $live;)?)+)+ }
                    Self::Hostile => { $($($(policy.$name = $hostile;)?)+)+ }
                }
                policy
            }
        }
    };
}

knobs! {
    "chance and time" {
        /// What all chance starts from: the same seed gives the same fate to the same rows, tasks and requests.
        random_seed: u32 = 0;
        /// How many times as fast as everybody else's the site's clock runs.
        time_scale: u32 = 1;
    }
    "tasks" {
        /// Unfinished tasks a site allows; one more is refused.
        max_tasks: usize = contract::MAX_TASKS;
        /// Tasks worked at the same time, at least one.
        workers: usize = 5, live 1, hostile 3;
        /// Microseconds of work for each item of a task.
        item_micros: u64 = 200, live 4_800_000;
        /// Microseconds of work for each task, whatever its size.
        task_micros: u64 = 20_000, live 0, hostile 50_000;
        /// Milliseconds after which an unfinished task no longer takes a slot.
        task_timeout_ms: i64 = 30 * 60 * 1000;
        /// What becomes of it: `goes-on`, `failed-goes-on` (though it writes) or `failed-stops`.
        timed_out: TimedOut = TimedOut::GoesOn, live TimedOut::FailedGoesOn, hostile TimedOut::FailedStops;
        /// Milliseconds for which a finished task and its idempotency key are remembered.
        result_ttl_ms: i64 = 3 * 24 * 60 * 60 * 1000;
        /// Which waiting task is worked next: `fifo` or `random`.
        task_order: TaskOrder = TaskOrder::Fifo, hostile TaskOrder::Random;
        /// Whether the items of a task are worked in another order than they were sent in.
        shuffle_items: bool = false, hostile true;
        /// Status of an accepted bulk request: 200 or 202; which one is not documented.
        submit_status: u16 = 202;
        /// Status for a known idempotency key with another body: 400, 409 or 422; which one is not documented.
        key_conflict_status: u16 = 400;
    }
    "what tasks tell" {
        /// Share of tasks that end FAILED though everything was written.
        failed_applied: Share = Share::NONE, live Share::per_mille(20), hostile Share::per_mille(40);
        /// Share of tasks that end FAILED with only some of their items written.
        failed_partly: Share = Share::NONE, hostile Share::per_mille(40);
        /// Share of tasks that end FAILED with nothing written.
        failed_nothing: Share = Share::NONE, hostile Share::per_mille(30);
        /// Which of its failures a FAILED task shows: `none`, `some` or `all`.
        failed_shows: FailuresShown = FailuresShown::None, hostile FailuresShown::Some;
        /// Which of its failures a FINISHED task shows: `none`, `some` or `all`.
        finished_shows: FailuresShown = FailuresShown::All;
        /// How a failure names its record: `as-sent`, `id`, `key`, `field` (only the detail field), `none` or `mixed`.
        failure_names: FailureNames = FailureNames::AsSent, hostile FailureNames::Mixed;
        /// Share of tasks that vanish: looking at them is answered 404, and their items are written all the same.
        vanished_tasks: Share = Share::NONE, hostile Share::per_mille(20);
        /// Milliseconds after its submission when such a task vanishes.
        vanish_after_ms: i64 = 0, hostile 20;
    }
    "rows" {
        /// Share of records and detail fields that the site refuses, in bulk and alone; by seed and natural key only.
        poison: Share = Share::NONE, hostile Share::per_mille(30);
        /// The words it refuses them with.
        poison_words: String = "Invalid detail field value".to_owned();
        /// What an item that cannot be written does to its bulk request: `fails-alone` or `refuses-request` (400).
        one_bad_item: OneBadItem = OneBadItem::FailsAlone;
        /// Share of records whose associations silently do nothing; by natural key.
        ignored_associations: Share = Share::NONE, hostile Share::per_mille(50);
        /// What becomes of a customer's organizations when its profile names others: `stays` or `goes`.
        associations_there: Existing = Existing::Stays;
        /// What becomes of several values of a field with UPDATE: `stays` or `goes`; without new values they go.
        values_there: Existing = Existing::Goes;
    }
    "what is seen when" {
        /// Milliseconds after which what was written can be read.
        read_lag_ms: i64 = 0, hostile 1000;
        /// Milliseconds after which a new account is found by the user search.
        user_search_lag_ms: i64 = 0, live 180_000, hostile 5000;
        /// Milliseconds that an answer takes, other than one about bulk requests and tasks.
        single_call_ms: u32 = 0, live 300;
        /// Milliseconds that an answer about bulk requests and tasks takes.
        bulk_call_ms: u32 = 0;
    }
    "throttling" {
        /// Requests a second that the site answers, over all endpoints; 0 for any number.
        requests_per_second: u32 = 0, live 50, hostile 200;
        /// Share of requests that are told 429 because of a burst: their endpoint rests.
        burst_429: Share = Share::NONE, hostile Share::per_mille(10);
        /// Milliseconds an endpoint rests; whole seconds of the caller where `Retry-After` tells them.
        burst_window_ms: u32 = 1000;
        /// Share of requests that are told 429 because of a quota: the whole site rests.
        quota_429: Share = Share::NONE, hostile Share::per_mille(2);
        /// Milliseconds the site rests; whole seconds of the caller where they are told.
        quota_window_ms: u32 = 60_000, hostile 2000;
        /// What a 429 says: `full`, `no-retry-after`, `reset-past`, `reset-minutes`, `gateway` or `mixed`.
        throttle_style: ThrottleStyle = ThrottleStyle::Full, hostile ThrottleStyle::Mixed;
    }
    "answers that are none" {
        /// Share of requests answered 500 with JSON; nothing was applied.
        json_500: Share = Share::NONE, hostile Share::per_mille(15);
        /// Share of requests answered 502 with HTML by the edge; nothing was applied.
        html_502: Share = Share::NONE, hostile Share::per_mille(15);
        /// Share of requests answered 503 with `Retry-After`: their endpoint rests as after a burst.
        unavailable_503: Share = Share::NONE, hostile Share::per_mille(5);
        /// Share of requests answered 504 though they were applied.
        applied_504: Share = Share::NONE, hostile Share::per_mille(15);
        /// Share of requests answered 400 with HTML by the edge; nothing was applied.
        html_400: Share = Share::NONE, hostile Share::per_mille(5);
        /// Share of requests answered 200 with a login page; nothing was applied.
        login_page: Share = Share::NONE, hostile Share::per_mille(5);
        /// Share of requests answered 412 as if the opt-in was missing (bulk requests and tasks).
        precondition_412: Share = Share::NONE, hostile Share::per_mille(2);
        /// Share of repeated bulk requests told that their key is known with another body, though it is the same.
        key_conflicts: Share = Share::NONE, hostile Share::per_mille(20);
        /// Share of looks at a task that are answered 404 though it is there.
        vanished_polls: Share = Share::NONE, hostile Share::per_mille(5);
    }
    "connections" {
        /// Share of requests whose connection ends before anything was applied.
        dropped_before: Share = Share::NONE, hostile Share::per_mille(15);
        /// Share of requests whose connection ends after they were applied: the answer is lost.
        dropped_after: Share = Share::NONE, hostile Share::per_mille(15);
        /// Share of requests that were applied and whose answer breaks off in the middle of its JSON.
        truncated_json: Share = Share::NONE, hostile Share::per_mille(10);
        /// Share of requests whose answer comes late.
        slow_answers: Share = Share::NONE, hostile Share::per_mille(10);
        /// Milliseconds by which it is late.
        slow_answer_ms: u32 = 5000, hostile 500;
        /// Share of requests whose answer's body comes a few bytes at a time.
        slow_bodies: Share = Share::NONE, hostile Share::per_mille(10);
        /// Milliseconds over which it comes.
        slow_body_ms: u32 = 5000, hostile 500;
    }
    "who is let in" {
        /// Whether bulk and task calls without `X-ExperimentalApi: opt-in` are refused with 412.
        require_experimental: bool = false;
        /// The only `Authorization` header that is let in, as sent; without one, any Basic or Bearer is.
        authorization: Option<String> = None;
    }
}
