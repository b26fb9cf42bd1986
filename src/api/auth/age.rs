//! When a consent needs a person again: it ends after a year, and earlier when it is not used.

use super::store::Tokens;
use crate::api::contract::oauth::{CONSENT_DAYS, IDLE_DAYS};
use crate::model::clock::UnixMillis;
use chrono::DateTime;

/// Days of a consent after which its end is announced.
const WARN_AT_DAYS: i64 = 335;
/// Days without use after which that end is announced.
const WARN_IDLE_DAYS: i64 = 60;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// What a person should know of a consent, as sentences.
#[must_use]
pub fn warnings(tokens: &Tokens, now: UnixMillis) -> Vec<String> {
    let mut warnings = Vec::new();
    let (age, idle) = (
        now.saturating_sub(tokens.consented_at) / DAY,
        now.saturating_sub(tokens.refreshed_at) / DAY,
    );
    if age >= WARN_AT_DAYS {
        let end = date(consent_end(tokens));
        let known = if tokens.consent_is_older {
            "or earlier, as it was given before this program knew it"
        } else {
            "a year after it was given"
        };
        let ends = if age >= CONSENT_DAYS { "ended" } else { "ends" };
        warnings.push(format!(
            "the consent to this app {ends} on {end}, {known}, and refreshing does not prolong it; run: csm-loader auth login"
        ));
    }
    if idle > WARN_IDLE_DAYS {
        warnings.push(format!(
            "the refresh token was last used {idle} days ago; it ends after {IDLE_DAYS} days without use"
        ));
    }
    warnings
}

/// The latest that a consent can end.
#[must_use]
pub fn consent_end(tokens: &Tokens) -> UnixMillis {
    tokens.consented_at.saturating_add(CONSENT_DAYS * DAY)
}

/// `2026-01-31`
#[must_use]
pub fn date(at: UnixMillis) -> String {
    DateTime::from_timestamp_millis(at)
        .unwrap_or_default()
        .format("%Y-%m-%d")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(age: i64, idle: i64, older: bool) -> String {
        let now = 1_800_000_000_000;
        let tokens = Tokens {
            consented_at: now - age * DAY,
            consent_is_older: older,
            refreshed_at: now - idle * DAY,
            ..Tokens::of_test()
        };
        warnings(&tokens, now).join("\n")
    }

    #[test]
    fn a_person_is_told_a_month_ahead() {
        assert_eq!(said(0, 0, false), "");
        assert_eq!(said(334, 60, false), "");
        insta::assert_snapshot!(said(335, 0, false), @"the consent to this app ends on 2027-02-14, a year after it was given, and refreshing does not prolong it; run: csm-loader auth login");
        insta::assert_snapshot!(said(340, 0, true), @"the consent to this app ends on 2027-02-09, or earlier, as it was given before this program knew it, and refreshing does not prolong it; run: csm-loader auth login");
        insta::assert_snapshot!(said(365, 61, false), @"
        the consent to this app ended on 2027-01-15, a year after it was given, and refreshing does not prolong it; run: csm-loader auth login
        the refresh token was last used 61 days ago; it ends after 90 days without use
        ");
    }

    #[test]
    fn the_end_is_a_year_after_the_consent() {
        let tokens = Tokens {
            consented_at: 0,
            ..Tokens::of_test()
        };
        assert_eq!(date(consent_end(&tokens)), "1971-01-01");
    }
}
