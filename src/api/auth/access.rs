//! An access token, and when it is to be replaced.

use crate::model::clock::UnixMillis;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// How long before its end a token is replaced, if it lives an hour: requests under way keep a good one.
const LEEWAY: Duration = Duration::from_mins(10);
/// Of a shorter life, this part.
const LEEWAY_PART: u32 = 6;

/// An access token with its times. No `Debug`: it is a secret.
#[derive(Clone)]
pub struct Access {
    /// The token.
    pub token: SecretString,
    /// When it expires.
    pub expires_at: UnixMillis,
    /// How long it was to live.
    pub life: Duration,
}

/// What a token is still good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// Use it.
    Fresh,
    /// Replace it, and use it where that does not succeed.
    Ending,
    /// It has expired.
    Ended,
}

impl Access {
    /// What it is good for now.
    #[must_use]
    pub fn worth(&self, now: UnixMillis) -> Worth {
        let left = self.expires_at.saturating_sub(now);
        let leeway = LEEWAY.min(self.life / LEEWAY_PART);
        if left <= 0 {
            Worth::Ended
        } else if left <= millis(leeway) {
            Worth::Ending
        } else {
            Worth::Fresh
        }
    }

    /// Whether it is this token.
    pub(super) fn is(&self, other: Option<&SecretString>) -> bool {
        other.is_some_and(|other| other.expose_secret() == self.token.expose_secret())
    }
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_in_the_last_ten_minutes_of_an_hour_or_the_last_sixth_of_less() {
        let minute = 60_000;
        for (life, at, expected) in [
            (60, 0, Worth::Fresh),
            (60, 50 * minute - 1, Worth::Fresh),
            (60, 50 * minute, Worth::Ending),
            (60, 60 * minute - 1, Worth::Ending),
            (60, 60 * minute, Worth::Ended),
            (60, 90 * minute, Worth::Ended),
            (6, 5 * minute - 1, Worth::Fresh),
            (6, 5 * minute, Worth::Ending),
            (0, 0, Worth::Ended),
            (600, 589 * minute, Worth::Fresh),
        ] {
            let access = Access {
                token: "t".into(),
                expires_at: life * minute,
                life: Duration::from_millis(u64::try_from(life * minute).unwrap()),
            };
            assert_eq!(access.worth(at), expected, "{life} minutes, at {at}");
        }
    }
}
