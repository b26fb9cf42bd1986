//! What to do after a request that did not succeed: reads the error's class and nothing else.

use crate::model::reply::ErrorClass;
use std::time::Duration;

/// How often a request is sent before its rows are given up.
pub const ATTEMPTS: u32 = 8;
/// The first wait.
const BASE: Duration = Duration::from_millis(500);
/// The longest wait that is not the site's own wish.
const CAP: Duration = Duration::from_secs(30);

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Send the same bytes with the same key again after this wait.
    Again(Duration),
    /// Send nothing at all for this long, then the same again; it does not count as an attempt.
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

/// Decides for a request that was sent `attempt` times and, at last, asked to wait `throttles` times in a row.
/// `random` is uniform in 0..1.
#[must_use]
pub fn decide(class: &ErrorClass, attempt: u32, throttles: u32, random: f64) -> Decision {
    match class {
        ErrorClass::NotSent | ErrorClass::MaybeApplied | ErrorClass::Broken
            if attempt < ATTEMPTS =>
        {
            Decision::Again(backoff(attempt, random))
        }
        ErrorClass::NotSent | ErrorClass::MaybeApplied | ErrorClass::Broken => Decision::GiveUp,
        ErrorClass::Throttled { after, .. } => {
            // the site's wish is the minimum; a little on top spreads the callers
            let wait = after.unwrap_or_else(|| backoff(throttles, random));
            Decision::Pause(wait + wait.mul_f64(0.1 * random) + Duration::from_millis(1))
        }
        ErrorClass::Busy => Decision::AwaitSlot,
        ErrorClass::Refused => Decision::Refused,
        ErrorClass::AuthExpired | ErrorClass::AuthWrong => Decision::Stop,
    }
}

/// Doubles with every attempt up to a cap; half of it is jitter.
#[must_use]
pub fn backoff(attempt: u32, random: f64) -> Duration {
    let full = BASE.saturating_mul(1 << attempt.min(10)).min(CAP);
    full.mul_f64(0.5 + 0.5 * random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::reply::Throttle;

    #[test]
    fn the_class_alone_decides() {
        let cases = [
            (
                ErrorClass::NotSent,
                1,
                Decision::Again(Duration::from_millis(500)),
            ),
            (
                ErrorClass::MaybeApplied,
                3,
                Decision::Again(Duration::from_secs(2)),
            ),
            (ErrorClass::MaybeApplied, ATTEMPTS, Decision::GiveUp),
            (ErrorClass::Busy, ATTEMPTS, Decision::AwaitSlot),
            (ErrorClass::Refused, 1, Decision::Refused),
            (ErrorClass::AuthWrong, 1, Decision::Stop),
            (ErrorClass::Broken, ATTEMPTS, Decision::GiveUp),
        ];
        for (class, attempt, expected) in cases {
            assert_eq!(decide(&class, attempt, 0, 0.0), expected, "{class:?}");
        }
    }

    #[test]
    fn a_wait_that_the_site_names_is_never_cut_short() {
        for random in [0.0, 0.5, 0.999] {
            let class = ErrorClass::Throttled {
                after: Some(Duration::from_secs(7)),
                scope: Throttle::Quota,
            };
            let Decision::Pause(wait) = decide(&class, 99, 1, random) else {
                panic!("no pause")
            };
            assert!(wait > Duration::from_secs(7) && wait < Duration::from_secs(8));
        }
        assert!(backoff(30, 1.0) <= CAP);
        let silent = ErrorClass::Throttled {
            after: None,
            scope: Throttle::Quota,
        };
        let waits = [1, 2, 3].map(|throttles| decide(&silent, 1, throttles, 0.0));
        assert!(waits.is_sorted_by(|left, right| match (left, right) {
            (Decision::Pause(left), Decision::Pause(right)) => left < right,
            _ => false,
        }));
    }
}
