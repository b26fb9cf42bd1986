//! What may deliberately go wrong with one request.

use super::knobs::Policy;
use super::words::Share;

/// Declares the faults: each is the knob of its name.
macro_rules! faults {
    ($($(#[$doc:meta])+ $variant:ident = $knob:ident,)+) => {
        /// A fault of one request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::sandbox) enum RequestFault { $($(#[$doc])+ $variant,)+ }

        impl RequestFault {
            /// Every fault.
            #[cfg(test)]
            pub(in crate::sandbox) const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name of its knob.
            pub(in crate::sandbox) const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($knob)),+ }
            }
        }

        impl Policy {
            /// The share of requests with each fault. A request has one at most.
            pub(in crate::sandbox) fn request_faults(
                &self,
            ) -> impl Iterator<Item = (RequestFault, Share)> {
                [$((RequestFault::$variant, self.$knob)),+].into_iter()
            }
        }
    };
}

faults! {
    /// 429: the endpoint rests.
    Burst = burst_429,
    /// 429: the site rests.
    Quota = quota_429,
    /// 500 with JSON, nothing applied.
    Json500 = json_500,
    /// 502 with HTML, nothing applied.
    Html502 = html_502,
    /// 503 with `Retry-After`, nothing applied: the endpoint rests.
    Unavailable = unavailable_503,
    /// 504 though applied.
    Applied504 = applied_504,
    /// 400 with HTML, nothing applied.
    Html400 = html_400,
    /// 200 with a login page, nothing applied.
    LoginPage = login_page,
    /// 412, nothing applied.
    Precondition = precondition_412,
    /// The refusal of a known key with another body.
    KeyConflict = key_conflicts,
    /// 404 for a task that is there.
    VanishedPoll = vanished_polls,
    /// No answer, nothing applied.
    DroppedBefore = dropped_before,
    /// No answer though applied.
    DroppedAfter = dropped_after,
    /// Half the JSON.
    Truncated = truncated_json,
    /// A late answer.
    SlowAnswer = slow_answers,
    /// A body in small pieces.
    SlowBody = slow_bodies,
}
