//! The values of knobs that are not plain numbers: shares, and choices among a few words.

use serde::{Deserialize, Serialize};

/// A share of all cases, from 0 (never) to 1 (always).
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share(f64);

impl Share {
    /// No case.
    pub const NONE: Self = Self(0.0);
    /// Every case.
    pub const ALL: Self = Self(1.0);

    /// So many of a thousand cases, at most all.
    #[must_use]
    pub const fn per_mille(cases: u16) -> Self {
        Self(if cases < 1000 {
            cases as f64 / 1000.0
        } else {
            1.0
        })
    }

    /// Whether there is any such case.
    #[must_use]
    pub fn is_some(self) -> bool {
        self.0 > 0.0
    }

    /// Whether a roll from 0 to 1, 1 excluded, is such a case.
    #[must_use]
    pub fn holds(self, roll: f64) -> bool {
        roll < self.0
    }
}

impl TryFrom<f64> for Share {
    type Error = &'static str;

    fn try_from(share: f64) -> Result<Self, Self::Error> {
        if (0.0..=1.0).contains(&share) {
            Ok(Self(share))
        } else {
            Err("a share lies between 0 and 1")
        }
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        share.0
    }
}

/// Declares a choice among words, written in kebab case.
macro_rules! words {
    ($($(#[$doc:meta])+ $name:ident { $($(#[$of:meta])+ $variant:ident,)+ })+) => {
        $($(#[$doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$of])+ $variant,)+ })+
    };
}

words! {
    /// Which waiting task is worked next.
    TaskOrder {
        /// The one that has waited longest.
        Fifo,
        /// Any: a new task may come before those that wait.
        Random,
    }

    /// What becomes of a task that has not ended in time.
    TimedOut {
        /// It gives its slot back, and ends as if nothing had happened.
        GoesOn,
        /// It shows FAILED without failures, and its writes are made all the same.
        FailedGoesOn,
        /// It ends FAILED without failures; what was written by then stays.
        FailedStops,
    }

    /// Which of its failures a task shows.
    FailuresShown {
        /// None of them.
        None,
        /// The first half.
        Some,
        /// All of them.
        All,
    }

    /// How a failure names its record.
    FailureNames {
        /// By its id where it exists, else as the item called it.
        AsSent,
        /// By its id where it exists, else not at all.
        Id,
        /// By the e-mail or name that the item gave.
        Key,
        /// Not at all, but for the detail field concerned.
        Field,
        /// Not at all.
        None,
        /// Each in another of these ways.
        Mixed,
    }

    /// What one item that cannot be written does to its bulk request.
    OneBadItem {
        /// It fails alone, as a failure of the task.
        FailsAlone,
        /// The whole request is refused with 400.
        RefusesRequest,
    }

    /// What becomes of values that are there when others are written.
    Existing {
        /// They stay beside them.
        Stays,
        /// They are replaced.
        Goes,
    }

    /// What a 429 says about how long to wait.
    ThrottleStyle {
        /// `Retry-After`, the reason, the policy and a reset in the future.
        Full,
        /// The reason alone; nobody is told how long.
        NoRetryAfter,
        /// `Retry-After`, and a reset that is over already.
        ResetPast,
        /// `Retry-After`, and a reset without seconds, which may be over already.
        ResetMinutes,
        /// Neither `Retry-After` nor a reason, as a gateway did once: only `X-RateLimit-Reset`.
        Gateway,
        /// Each time another of these.
        Mixed,
    }
}
