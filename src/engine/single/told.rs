//! What a refusal of a single call means, as reasons for people.

use super::steps::{Step, reason};
use crate::model::code::Code;
use crate::model::reply::{ApiError, ErrorClass};
use crate::model::row::Reason;

/// Whether a creation was refused because the record is there. No wording of it is documented.
pub(super) fn says_it_exists(error: &ApiError) -> bool {
    const WORDS: [&str; 4] = [
        "already exist",
        "already in use",
        "already taken",
        "already been taken",
    ];
    let words = error.message.to_lowercase();
    error.class == ErrorClass::Refused
        && (error.status == Some(409) || WORDS.iter().any(|known| words.contains(known)))
}

/// Why a creation was refused.
pub(super) fn creation(error: &ApiError) -> Reason {
    reason(Code::SiteRejected, None, error.message.clone())
}

/// Why a step was refused.
pub(super) fn step(step: &Step, error: &ApiError) -> Reason {
    let missing = error.status == Some(404);
    let (code, message) = match step {
        Step::Join(organization) => (
            Code::AssociationMissing,
            format!(
                "the customer could not be put into organization {organization}: {}",
                error.message
            ),
        ),
        // its profile was read just now: only Customer Accounts have an account whose name can be changed
        Step::NameCustomer(_) if missing => (
            Code::AtlassianAccount,
            format!(
                "the display name belongs to the person's Atlassian account: {}",
                error.message
            ),
        ),
        Step::SetDetail(..) if missing => (Code::NotFound, error.message.clone()),
        _ => (Code::SiteRejected, error.message.clone()),
    };
    let field = (code != Code::NotFound).then(|| step.field().to_owned());
    reason(code, field, message)
}

/// Adds what was written all the same. `before`: an interrupted run may have written some of it.
pub(super) fn with_written(why: Reason, written: &[String], before: bool) -> Vec<Reason> {
    let told = match (written, before) {
        ([], false) => return vec![why],
        ([], true) => "an interrupted run may have written some of it".to_owned(),
        _ => format!("written all the same: {}", written.join(", ")),
    };
    vec![why, reason(Code::PartlyApplied, None, told)]
}
