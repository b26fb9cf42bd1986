//! What to do after a request that did not succeed: reads the error's class and nothing else.
//!
//! Waits are decorrelated: each lies anywhere between the first wait and three times the one before, so that callers
//! that failed together do not come back together. Repetitions of a whole run come out of one budget, so that a site
//! that fails most requests is not hit harder for it.

use crate::model::reply::ErrorClass;
use std::time::{Duration, Instant};

/// How often a request is sent before its rows are given up.
pub const ATTEMPTS: u32 = 8;
/// The shortest wait.
const BASE: Duration = Duration::from_millis(500);
/// The longest wait that is not the site's own wish.
const CAP: Duration = Duration::from_secs(30);

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Send the same bytes with the same key again after this wait.
    Again(Duration),
    /// Send nothing of the kind for this long, then the same again; it does not count as an attempt.
    Pause(Duration),
    /// Wait for a task slot; it does not count as an attempt.
    AwaitSlot,
    /// The site refused it: nothing was applied.
    Refused,
    /// The credentials do not suffice: stop the run.
    Stop,
    /// Give up; whether it was applied depends on the attempts before.
    GiveUp,
}

/// How often a request did not succeed, and how long was waited for it last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    /// Attempts that failed.
    failed: u32,
    /// The wait before the last attempt, one that the site named left aside.
    wait: Duration,
}

impl Tries {
    /// Attempts that failed.
    #[must_use]
    pub fn failed(self) -> u32 {
        self.failed
    }

    /// Decides after a request that was answered, or not, like this. `random` is uniform in 0..1.
    pub fn decide(&mut self, class: &ErrorClass, random: f64) -> Decision {
        match class {
            ErrorClass::NotSent | ErrorClass::MaybeApplied | ErrorClass::Broken => {
                self.failed += 1;
                if self.failed < ATTEMPTS {
                    Decision::Again(self.backoff(random))
                } else {
                    Decision::GiveUp
                }
            }
            ErrorClass::Throttled { after, .. } => {
                // the site's wish is the minimum; a little on top spreads the callers
                let wait = after.unwrap_or_else(|| self.backoff(random));
                Decision::Pause(wait + wait.mul_f64(0.1 * random) + Duration::from_millis(1))
            }
            ErrorClass::Busy => Decision::AwaitSlot,
            ErrorClass::Refused => Decision::Refused,
            ErrorClass::AuthExpired | ErrorClass::AuthWrong => Decision::Stop,
        }
    }

    /// The next wait: anywhere from the shortest to three times the one before, up to the longest.
    pub fn backoff(&mut self, random: f64) -> Duration {
        let most = (self.wait * 3).clamp(BASE * 2, CAP);
        self.wait = BASE.mul_f64(1.0 - random) + most.mul_f64(random);
        self.wait
    }
}

/// How many repetitions a run may make: one for every five requests that the site answers, one every second, and
/// some to begin with.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Repetitions saved up, in fifths; below zero when they are promised ahead.
    fifths: i64,
    /// Until when time has been turned into repetitions.
    since: Option<Instant>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            fifths: Self::MOST,
            since: None,
        }
    }
}

impl Budget {
    /// Most that can be saved up, and what a run begins with: twenty repetitions.
    const MOST: i64 = 20 * 5;
    /// Time that earns a fifth of a repetition.
    const FIFTH: Duration = Duration::from_millis(200);

    /// The site did what was asked, or refused it in its own words: it is well.
    pub fn answered(&mut self) {
        self.fifths = (self.fifths + 1).min(Self::MOST);
    }

    /// Takes one repetition out; how long to wait at least before it.
    pub fn take(&mut self, now: Instant) -> Duration {
        let since = self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(*since).as_millis() / Self::FIFTH.as_millis();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        *since += Self::FIFTH * passed;
        let earned = i64::from(passed);
        self.fifths = self.fifths.saturating_add(earned).min(Self::MOST) - 5;
        let short = u32::try_from(-self.fifths.min(0)).unwrap_or(u32::MAX);
        Self::FIFTH.saturating_mul(short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::reply::Throttle;
    use proptest::prelude::*;

    fn throttled(after: Option<Duration>) -> ErrorClass {
        ErrorClass::Throttled {
            after,
            scope: Throttle::Quota,
        }
    }

    #[test]
    fn the_class_alone_decides() {
        let again = Decision::Again(BASE);
        for (class, expected) in [
            (ErrorClass::NotSent, again),
            (ErrorClass::MaybeApplied, again),
            (ErrorClass::Broken, again),
            (
                throttled(None),
                Decision::Pause(BASE + Duration::from_millis(1)),
            ),
            (ErrorClass::Busy, Decision::AwaitSlot),
            (ErrorClass::Refused, Decision::Refused),
            (ErrorClass::AuthExpired, Decision::Stop),
            (ErrorClass::AuthWrong, Decision::Stop),
        ] {
            assert_eq!(Tries::default().decide(&class, 0.0), expected, "{class:?}");
        }
    }

    #[test]
    fn only_failed_attempts_count_until_the_last() {
        let mut tries = Tries::default();
        for _ in 0..100 {
            tries.decide(&throttled(None), 0.5);
            tries.decide(&ErrorClass::Busy, 0.5);
        }
        assert_eq!(tries.failed(), 0);
        for _ in 1..ATTEMPTS {
            let decision = tries.decide(&ErrorClass::NotSent, 0.5);
            assert!(matches!(decision, Decision::Again(_)));
        }
        assert_eq!(tries.decide(&ErrorClass::NotSent, 0.5), Decision::GiveUp);
    }

    #[test]
    fn waits_without_luck_grow_threefold_up_to_the_longest() {
        let mut tries = Tries::default();
        let waits: Vec<_> = (0..6).map(|_| tries.backoff(1.0).as_secs_f64()).collect();
        assert_eq!(waits, [1.0, 3.0, 9.0, 27.0, 30.0, 30.0]);
        assert_eq!(tries.backoff(0.0), BASE);
    }

    #[test]
    fn repetitions_are_a_fifth_of_what_is_answered_and_one_a_second() {
        let start = Instant::now();
        let mut budget = Budget::default();
        for _ in 0..20 {
            assert_eq!(budget.take(start), Duration::ZERO);
        }
        assert_eq!(budget.take(start), Duration::from_secs(1));
        assert_eq!(budget.take(start), Duration::from_secs(2));
        for _ in 0..15 {
            budget.answered();
        }
        assert_eq!(budget.take(start), Duration::ZERO);
        let later = start + Duration::from_millis(2_180);
        assert_eq!(budget.take(later), Duration::ZERO);
        assert_eq!(budget.take(later), Duration::ZERO);
        assert_eq!(budget.take(later), Duration::from_secs(1));
        assert_eq!(budget.take(later + Duration::from_hours(9)), Duration::ZERO);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn a_wait_that_the_site_names_is_never_cut_short(millis in 0..86_400_000_u64, random in 0.0..1.0_f64) {
            let named = Duration::from_millis(millis);
            let Decision::Pause(wait) = Tries::default().decide(&throttled(Some(named)), random) else {
                panic!("no pause")
            };
            prop_assert!(wait > named && wait <= named.mul_f64(1.1) + Duration::from_millis(2));
        }

        #[test]
        fn every_wait_lies_between_the_shortest_and_the_longest(luck in prop::collection::vec(0.0..1.0_f64, 1..20)) {
            let mut tries = Tries::default();
            let mut before = BASE;
            for random in luck {
                let wait = tries.backoff(random);
                prop_assert!(wait >= BASE && wait <= CAP.min(before * 3));
                before = wait;
            }
        }
    }
}
