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

#[cfg(test)]
mod tests {
    use super::*;

    fn error(class: ErrorClass, status: u16, message: &str) -> ApiError {
        ApiError {
            class,
            request: "POST /x".to_owned(),
            status: Some(status),
            message: message.to_owned(),
            trace_id: None,
        }
    }

    #[test]
    fn a_record_exists_only_where_a_refusal_says_so() {
        for (class, status, message, says) in [
            (ErrorClass::Refused, 400, "Customer already exists", true),
            (ErrorClass::Refused, 400, "email: is ALREADY IN USE", true),
            (ErrorClass::Refused, 409, "Conflict", true),
            (ErrorClass::Refused, 400, "Invalid email", false),
            (ErrorClass::Refused, 404, "Organization not found", false),
            (ErrorClass::MaybeApplied, 500, "already exists", false),
        ] {
            let error = error(class, status, message);
            assert_eq!(says_it_exists(&error), says, "{error}");
        }
    }

    #[test]
    fn a_refusal_s_code_says_what_of_the_record_is_meant() {
        let name = Step::NameCustomer("Ana".to_owned());
        let region = Step::SetDetail("Region".to_owned(), Vec::new());
        let join = Step::Join("7".to_owned());
        let give = Step::Entitle("p".to_owned());
        let told = [
            (&name, 400),
            (&name, 404),
            (&region, 400),
            (&region, 404),
            (&join, 404),
            (&give, 404),
        ]
        .map(|(of, status)| {
            let reason = step(of, &error(ErrorClass::Refused, status, "words"));
            let field = reason.field.unwrap_or_default();
            format!("{} {field}: {}", reason.code, reason.message)
        });
        insta::assert_snapshot!(told.join("\n"), @r"
        SITE_REJECTED display_name: words
        ATLASSIAN_ACCOUNT display_name: the display name belongs to the person's Atlassian account: words
        SITE_REJECTED Region: words
        NOT_FOUND : words
        ASSOCIATION_MISSING organizations: the customer could not be put into organization 7: words
        SITE_REJECTED products: words
        ");
    }

    #[test]
    fn what_was_written_is_told_and_what_may_have_been() {
        let told = |written: &[String], before| {
            let why = reason(Code::SiteRejected, None, "words".to_owned());
            let reasons = with_written(why, written, before).into_iter().skip(1);
            reasons.map(|reason| reason.message).collect::<String>()
        };
        let written = ["the name".to_owned(), "the product p".to_owned()];
        assert_eq!(told(&[], false), "");
        insta::assert_snapshot!(told(&written, true), @"written all the same: the name, the product p");
        insta::assert_snapshot!(told(&[], true), @"an interrupted run may have written some of it");
    }
}
