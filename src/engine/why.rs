//! Why a run cannot go on, as a sentence that names the cause and the next step.

use super::limits::MaxErrors;
use super::retry::ATTEMPTS;
use crate::model::reply::{ApiError, ErrorClass};

/// A request got no useful answer however often it was sent.
#[must_use]
pub fn unreachable(error: &ApiError) -> String {
    let cause = match error.class {
        ErrorClass::Broken => "the site's answers made no sense",
        _ => "the site could not be reached",
    };
    format!(
        "{cause} in {ATTEMPTS} attempts: {error}; check the network, the site's address and its status page, then load \
         again"
    )
}

/// The site does not let us do it.
#[must_use]
pub fn not_let_in(error: &ApiError) -> String {
    format!("{error}; no request of this kind can succeed until that is mended: then load again")
}

/// More rows did not load than the user bears.
#[must_use]
pub fn too_many_errors(most: MaxErrors) -> String {
    format!(
        "more than {most} of the rows did not load (--max-errors); see their reasons in the results file, mend them or \
         allow more, then load again"
    )
}

/// Rows were refused alone, in the same words, and nothing was taken.
#[must_use]
pub fn refuses_all(rows: u32, error: &ApiError) -> String {
    format!(
        "the site refused every request, {rows} of them with a single row, always with the same words, which is hardly the fault of single rows: \
         {error}; compare the names in [contract] and the mapping with the site (csm-loader doctor --probe shows what it \
         takes), then load again, and retry the rows that failed"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(class: ErrorClass, status: Option<u16>, message: &str) -> ApiError {
        ApiError {
            class,
            request: "POST /api/v1/customer/profile/bulk".into(),
            status,
            message: message.into(),
            trace_id: None,
        }
    }

    #[test]
    fn every_sentence_names_the_cause_and_the_next_step() {
        let sentences = [
            unreachable(&error(ErrorClass::NotSent, None, "connection refused")),
            unreachable(&error(
                ErrorClass::Broken,
                Some(200),
                "it lacks the task's id",
            )),
            not_let_in(&error(
                ErrorClass::AuthWrong,
                Some(401),
                "Unauthorized (check e-mail and token; the token may have expired)",
            )),
            too_many_errors(MaxErrors::Percent(5.0)),
            too_many_errors(MaxErrors::Rows(100)),
            refuses_all(5, &error(ErrorClass::Refused, Some(400), "Unknown field")),
        ];
        insta::assert_snapshot!(sentences.join("\n"), @"
        the site could not be reached in 8 attempts: POST /api/v1/customer/profile/bulk had no answer: connection refused; check the network, the site's address and its status page, then load again
        the site's answers made no sense in 8 attempts: POST /api/v1/customer/profile/bulk was answered 200: it lacks the task's id; check the network, the site's address and its status page, then load again
        POST /api/v1/customer/profile/bulk was answered 401: Unauthorized (check e-mail and token; the token may have expired); no request of this kind can succeed until that is mended: then load again
        more than 5% of the rows did not load (--max-errors); see their reasons in the results file, mend them or allow more, then load again
        more than 100 of the rows did not load (--max-errors); see their reasons in the results file, mend them or allow more, then load again
        the site refused every request, 5 of them with a single row, always with the same words, which is hardly the fault of single rows: POST /api/v1/customer/profile/bulk was answered 400: Unknown field; compare the names in [contract] and the mapping with the site (csm-loader doctor --probe shows what it takes), then load again, and retry the rows that failed
        ");
    }
}
