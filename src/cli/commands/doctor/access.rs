//! As whom, and what that one may do: reads that harm nothing.

use super::line::{Lines, Mark};
use crate::api::auth::Auth;
use crate::api::classify::Headers;
use crate::api::client::Client;
use crate::api::contract::{Contract, Endpoint, Name, keys, query};
use crate::api::raw::Inquiry;
use crate::cli::commands::auth::{ALL_SCOPES, of_app};
use crate::model::clock::UnixMillis;
use crate::model::reply::{ApiError, ErrorClass};
use serde_json::json;
use uuid::Uuid;

/// Headers that tell of limits, by their names in lower case.
const LIMITS: [&str; 4] = [
    "ratelimit",
    "beta-ratelimit",
    "x-ratelimit-reset",
    "x-beta-ratelimit-reset",
];

/// Whose the token is, and what it was given for; false where it is good for nothing.
pub(super) async fn token(
    client: &Client,
    auth: &Auth,
    cloud_id: &str,
    now: UnixMillis,
    lines: &mut Lines,
) -> bool {
    let text = match auth {
        Auth::Basic { email, .. } => {
            format!("an API token, as {email}; it cannot be asked for its scopes")
        }
        Auth::Bearer { .. } => "an access token; it cannot be asked for its scopes".to_owned(),
        Auth::Renewed(renewer) => match of_app(client, renewer, cloud_id, now).await {
            Ok(text) => {
                let mark = if text.contains(ALL_SCOPES) {
                    Mark::Ok
                } else {
                    Mark::Warn
                };
                lines.say(mark, "token", text.trim_start_matches("as: "));
                return true;
            }
            Err(failure) => {
                lines.say(Mark::Fail, "token", &failure.to_string());
                return false;
            }
        },
    };
    // nobody's task: what matters is whether we are let in at all
    let nobody = Inquiry::to(Endpoint::GetTask).of(&Uuid::nil().to_string());
    if let Err(error) = client.inquire(&nobody).await
        && let Some(why) = turned_away(&error)
    {
        lines.say(Mark::Fail, "token", &why);
        let rest = "not tested: nobody is let in with this token";
        lines.say(Mark::Skip, "reads and detail fields", rest);
        return false;
    }
    lines.say(Mark::Ok, "token", &text);
    true
}

/// Why a token is good for nothing; `None` where the site took it, whatever it may do.
fn turned_away(error: &ApiError) -> Option<String> {
    (error.status == Some(401)).then(|| error.to_string())
}

/// What a read is needed for.
struct Need {
    about: &'static str,
    inquiry: Inquiry,
    /// Without it a load cannot go on.
    always: bool,
}

/// Every kind of read that loads make. Nobody's id is asked for.
fn needs(contract: &Contract) -> Vec<Need> {
    let nobody = Uuid::nil().to_string();
    let name = contract.name(Name::FetchOrganizationNames);
    let need = |about, inquiry, always| Need {
        about,
        inquiry,
        always,
    };
    let mut needs = vec![
        need("tasks", Inquiry::to(Endpoint::GetTask).of(&nobody), true),
        need(
            "products",
            Inquiry::to(Endpoint::ListProducts).query(query::LIMIT, "1"),
            false,
        ),
        need(
            "organizations by name",
            Inquiry::to(Endpoint::FetchOrganizations)
                .body(json!({ name: ["csm-loader: nobody's name"] })),
            false,
        ),
        need(
            "customers by id",
            Inquiry::to(Endpoint::FetchCustomerProfiles)
                .body(json!({ keys::CUSTOMER_IDS: [nobody] })),
            false,
        ),
    ];
    if contract.user_search {
        needs.push(need(
            "customers by e-mail",
            Inquiry::to(Endpoint::SearchUsers).query(query::QUERY, "nobody@csm-loader.invalid"),
            false,
        ));
    }
    if contract.organization_list {
        needs.push(need(
            "the service desk's organizations",
            Inquiry::to(Endpoint::ListServiceDeskOrganizations)
                .query(query::START, "0")
                .query(query::LIMIT, "1"),
            false,
        ));
    }
    needs
}

/// Tries every kind of read that loads make.
pub(super) async fn look(client: &Client, contract: &Contract, lines: &mut Lines) {
    let (mut limits, mut account) = (Vec::new(), None);
    for need in needs(contract) {
        let answer = client.inquire(&need.inquiry).await;
        if let Ok(whole) = &answer {
            note_limits(&whole.headers, &mut limits);
            account = account.or_else(|| whole.headers.get("x-aaccountid").map(str::to_owned));
        }
        let name = need.inquiry.endpoint.name();
        let (mark, text) = judge(&name, need.always, answer.map(drop));
        let text = match mark {
            Mark::Fail => format!(
                "{text}\nit needs the permission: {}",
                need.inquiry.endpoint.permission()
            ),
            _ => text,
        };
        lines.say(mark, need.about, &text);
    }
    if let Some(account) = account {
        lines.say(
            Mark::Ok,
            "account",
            &format!("the site takes us for {account}"),
        );
    }
    let text = match &*limits {
        [] => "no answer told of any".to_owned(),
        told => told.join("; "),
    };
    lines.say(Mark::Ok, "rate limits", &text);
}

fn note_limits(headers: &Headers, limits: &mut Vec<String>) {
    for name in LIMITS {
        if let Some(value) = headers.get(name) {
            let told = format!("{name}: {value}");
            if !limits.contains(&told) {
                limits.push(told);
            }
        }
    }
}

/// What an answer to a question about nobody says of the permission to ask.
fn judge(name: &str, always: bool, answer: Result<(), ApiError>) -> (Mark, String) {
    let Err(error) = answer else {
        return (Mark::Ok, format!("{name} works"));
    };
    match (&error.class, error.status) {
        // there is nobody of this id, as it should be
        (ErrorClass::Refused, Some(404 | 410)) => (Mark::Ok, format!("{name} works")),
        (ErrorClass::Refused, _) => {
            let advice = "it lets us in, but does not take the request as it is: doctor --probe finds the names that \
                          this site wants";
            (Mark::Warn, format!("{error}; {advice}"))
        }
        (ErrorClass::AuthExpired | ErrorClass::AuthWrong, _) if always => {
            (Mark::Fail, error.to_string())
        }
        _ => (Mark::Warn, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(class: ErrorClass, status: u16) -> Result<(), ApiError> {
        Err(ApiError {
            class,
            request: "GET /x".to_owned(),
            status: Some(status),
            message: "words".to_owned(),
            trace_id: None,
        })
    }

    #[test]
    fn a_token_that_is_not_taken_is_told_from_one_that_may_not() {
        let told = |status| turned_away(&error(ErrorClass::AuthWrong, status).unwrap_err());
        insta::assert_snapshot!(told(401).unwrap(), @"GET /x was answered 401: words");
        assert_eq!(told(403), None);
        assert_eq!(told(404), None);
    }

    #[test]
    fn that_nobody_is_found_is_as_it_should_be() {
        let judge = |answer| judge("GET /x", true, answer);
        assert_eq!(judge(Ok(())), (Mark::Ok, "GET /x works".to_owned()));
        assert_eq!(judge(error(ErrorClass::Refused, 404)).0, Mark::Ok);
        let (mark, text) = judge(error(ErrorClass::Refused, 400));
        assert_eq!(mark, Mark::Warn);
        insta::assert_snapshot!(text, @"GET /x was answered 400: words; it lets us in, but does not take the request as it is: doctor --probe finds the names that this site wants");
        assert_eq!(judge(error(ErrorClass::AuthWrong, 403)).0, Mark::Fail);
        assert_eq!(judge(error(ErrorClass::MaybeApplied, 500)).0, Mark::Warn);
        assert_eq!(
            super::judge("x", false, error(ErrorClass::AuthWrong, 403)).0,
            Mark::Warn
        );
    }
}
