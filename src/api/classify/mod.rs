//! What an answer, or its absence, means for what to do next.
//!
//! Duty: one pure function from what came back to an [`ApiError`]. Guarantee: a class says that nothing was applied
//! only where the answer is known to come from before the API's work; everything else is
//! [`MaybeApplied`](ErrorClass::MaybeApplied). Must not know: how requests travel, who repeats them.
//!
//! | what came back | class |
//! | --- | --- |
//! | no connection (name, address, TLS) | `NotSent` |
//! | a request that cannot be built, 3xx, 412, 404-and-the-like of methods and media types | `Broken` |
//! | time ran out, or the connection broke after it stood | `MaybeApplied` |
//! | 2xx that cannot be read | `MaybeApplied`; `Broken` for a read whose JSON lacks what it must have |
//! | 400, 409, 422, … with the task limit's message, on a bulk request | `Busy` |
//! | the same with "can only be retried with the same request data" | `Broken` |
//! | 400, 404, 409, 410, 413, 414, 422, 431 otherwise | `Refused` |
//! | … as an HTML page, on a write | `Refused`: the edge sent it, so the API never saw the request; the same text would trip the same filter again |
//! | … as an HTML page, on a read | `MaybeApplied`: not the API's word, ask again |
//! | … whose body or JSON broke off | `MaybeApplied`: it might have said "busy", or "already exists" |
//! | 401 of the API or the gateway, unless it names another cause | `AuthExpired`: only whoever holds the credentials knows if they can be renewed |
//! | 401 that names another cause (scope, accounts that do not match, a rejected token), 403, 407 | `AuthWrong`, with the likeliest cause |
//! | 403, 404 to nobody (`X-AUsername: anonymous`) | `AuthWrong`: the site knew none of the credentials |
//! | 404 on a bulk request | `AuthWrong`: a collection cannot be missing, so the site or its product is |
//! | 429; 503 with `Retry-After` | `Throttled` |
//! | 408, other 5xx | `MaybeApplied` |
//! | 421, 425 | `NotSent`, by their definition |

mod answer;

pub use answer::{Answer, Headers};

use crate::api::contract::{self, Endpoint, Kind};
use crate::api::throttle;
use crate::api::words::{self, Words};
use crate::model::clock::UnixMillis;
use crate::model::reply::{ApiError, ErrorClass};
use std::time::Duration;

/// What came back of a request that did not succeed.
#[derive(Debug, Clone)]
pub enum Got<'a> {
    /// Nothing, as the request cannot be built. With the reason.
    Unsendable(String),
    /// Nothing, as no connection came about. With the server, as in `acme.atlassian.net:443`, and the transport's reason.
    NoConnection(String, String),
    /// Nothing within this time.
    TimedOut(Duration),
    /// Nothing, as the connection broke. With the transport's reason.
    Dropped(String),
    /// An answer with an error status, or one of success that could not be read.
    Answer(&'a Answer),
    /// A successful answer in JSON that lacks what it must have, which is named.
    Lacking(&'a Answer, &'static str),
}

/// What a request that did not succeed means. `request` is how it is called in messages, as
/// `POST /api/v1/customer/profile/bulk`; `now` is for waits given as an instant.
#[must_use]
pub fn classify(request: &str, endpoint: Endpoint, got: Got<'_>, now: UnixMillis) -> ApiError {
    let kind = endpoint.kind();
    let (class, message, answer) = match got {
        Got::Unsendable(why) => (
            ErrorClass::Broken,
            format!("it cannot be sent: {why}"),
            None,
        ),
        Got::NoConnection(server, why) => {
            let hint = if why.contains("UnknownIssuer") {
                UNKNOWN_ISSUER
            } else {
                ""
            };
            (
                ErrorClass::NotSent,
                format!("no connection to {server}: {why}{hint}"),
                None,
            )
        }
        Got::TimedOut(after) => (
            ErrorClass::MaybeApplied,
            format!("it took longer than {after:?}"),
            None,
        ),
        Got::Dropped(why) => (
            ErrorClass::MaybeApplied,
            format!("the connection broke: {why}"),
            None,
        ),
        Got::Lacking(answer, what) => {
            let class = match kind {
                Kind::Read => ErrorClass::Broken,
                Kind::Bulk | Kind::Single => ErrorClass::MaybeApplied,
            };
            (
                class,
                format!("JSON without {what}, which the API should give"),
                Some(answer),
            )
        }
        Got::Answer(answer) => {
            let (class, message) = answered(endpoint, answer, now);
            (class, message, Some(answer))
        }
    };
    ApiError {
        class,
        request: request.to_owned(),
        status: answer.map(|answer| answer.status),
        message,
        trace_id: answer.and_then(|answer| answer.headers.trace_id()),
    }
}

/// Whether a refusal is a gateway's: the API never saw the request, and what it says tells nothing about the record.
#[must_use]
pub fn is_filtered(error: &ApiError) -> bool {
    error.class == ErrorClass::Refused && error.message.ends_with(FILTERED)
}

fn answered(endpoint: Endpoint, answer: &Answer, now: UnixMillis) -> (ErrorClass, String) {
    let kind = endpoint.kind();
    let words = match &answer.cut {
        Some(why) => Words::Cut(format!("an answer that breaks off ({why})")),
        None => words::words(answer.headers.get("content-type"), &answer.body),
    };
    let plain = || words.text().to_owned();
    let throttled = || ErrorClass::Throttled {
        after: throttle::wait(&answer.headers, now),
        scope: throttle::scope(&answer.headers),
    };
    match answer.status {
        200..=299 => match kind {
            Kind::Read => (ErrorClass::MaybeApplied, plain()),
            Kind::Bulk | Kind::Single => (
                ErrorClass::MaybeApplied,
                words.with("whether it was carried out is unknown"),
            ),
        },
        300..=399 => (ErrorClass::Broken, redirect(&answer.headers)),
        401 | 403 | 407 => {
            let (class, hint) = credentials(endpoint, answer, &words);
            (class, words.with(&hint))
        }
        404 if answer.headers.is_anonymous() && answer.cut.is_none() => {
            (ErrorClass::AuthWrong, words.with(ANONYMOUS))
        }
        404 if kind == Kind::Bulk && answer.cut.is_none() => {
            (ErrorClass::AuthWrong, words.with(NO_SUCH_SITE))
        }
        429 => (throttled(), plain()),
        503 if answer.headers.get("retry-after").is_some() => (throttled(), plain()),
        408 | 500..=599 => (ErrorClass::MaybeApplied, plain()),
        421 | 425 => (ErrorClass::NotSent, plain()),
        400 | 404 | 409 | 410 | 413 | 414 | 422 | 431 => refused(kind, answer, &words),
        412 => (ErrorClass::Broken, words.with(NO_OPT_IN)),
        _ => (
            ErrorClass::Broken,
            words.with("no answer this API is known to give"),
        ),
    }
}

const UNKNOWN_ISSUER: &str = "; a proxy that inspects TLS needs its certificate in the machine's store, or in the \
                              file that SSL_CERT_FILE names";
const NO_OPT_IN: &str = "the site misses the header X-ExperimentalApi: opt-in, which every request carries; \
                         a proxy may drop it";
const KEY_REUSED: &str = "the site knows this request's idempotency key with another body; nothing of this one \
                          was applied";
const NO_SUCH_SITE: &str = "the site has no such endpoint: check the site's name or cloud id, and that Customer \
                            Service Management is on for it";
const ANONYMOUS: &str = "the site knew none of the credentials and took the request for nobody's; check e-mail and token";
const FILTERED: &str = "a gateway refused the request before the API saw it; a text in it may trip the gateway's \
                        filter";

fn refused(kind: Kind, answer: &Answer, words: &Words) -> (ErrorClass, String) {
    if answer.cut.is_some() {
        return (ErrorClass::MaybeApplied, words.text().to_owned());
    }
    let page = matches!(words, Words::Page(_));
    if page && kind == Kind::Read {
        return (ErrorClass::MaybeApplied, words.text().to_owned());
    }
    // in the whole body, wherever it stands and even if the JSON is cut: taking this for a refusal loses rows
    let holds = |message: &str| {
        kind == Kind::Bulk
            && !page
            && answer
                .body
                .windows(message.len())
                .any(|window| window == message.as_bytes())
    };
    if holds(contract::TASK_LIMIT_MESSAGE) {
        (ErrorClass::Busy, words.text().to_owned())
    } else if holds(contract::KEY_REUSED_MESSAGE) {
        (ErrorClass::Broken, words.with(KEY_REUSED))
    } else if matches!(words, Words::Cut(_)) {
        (ErrorClass::MaybeApplied, words.text().to_owned())
    } else if answer.status == 413 {
        (
            ErrorClass::Refused,
            words.with("the request's body is larger than the site takes"),
        )
    } else if page {
        (ErrorClass::Refused, words.with(FILTERED))
    } else {
        (ErrorClass::Refused, words.text().to_owned())
    }
}

/// Where a redirect points, by host alone: the rest of the address may hold a secret.
fn redirect(headers: &Headers) -> String {
    let target = headers
        .get("location")
        .and_then(|location| url::Url::parse(location).ok());
    match target.as_ref().and_then(url::Url::host_str) {
        Some(host) => {
            format!("a redirect to {host}, which is not followed; check the site's address")
        }
        None => "a redirect, which is not followed; check the site's address".to_owned(),
    }
}

/// What a 401, 403 or 407 means, with its likeliest cause, as far as live sites were seen to tell them apart.
fn credentials(endpoint: Endpoint, answer: &Answer, words: &Words) -> (ErrorClass, String) {
    let header = |name| answer.headers.get(name).unwrap_or_default();
    let failure = header("x-failure-category");
    let page = matches!(words, Words::Page(_));
    let hint = if failure.contains("SCOPE") || words.text().contains("scope does not match") {
        return (ErrorClass::AuthWrong, lacking_scope(endpoint));
    } else if failure.contains("AUTH_MISMATCH") {
        "e-mail and token belong to different accounts, or a scoped token is used the wrong way"
    } else if header("x-seraph-loginreason").contains("AUTHENTICATED_FAILED") {
        "the token was rejected or revoked; create a new one"
    } else if words.text().contains("not on the allowed list") {
        "this machine's address is not on the site's IP allowlist"
    } else if answer.status == 407 {
        "the proxy asks for credentials"
    } else if page {
        "a gateway or proxy answered, not the API"
    } else if answer.status == 401 {
        let hint = "check e-mail and token; the token may have expired";
        return (ErrorClass::AuthExpired, hint.to_owned());
    } else if answer.headers.is_anonymous() {
        ANONYMOUS
    } else {
        let needed = endpoint.permission();
        let hint = format!("the account may lack a permission; this needs: {needed}");
        return (ErrorClass::AuthWrong, hint);
    };
    (ErrorClass::AuthWrong, hint.to_owned())
}

/// How a message begins that speaks of a lacking scope.
pub(super) const LACKS_SCOPE: &str = "the token lacks a scope";

/// The site never says which scope.
fn lacking_scope(endpoint: Endpoint) -> String {
    let scopes: Vec<_> = endpoint.scopes().map(|(scope, _)| scope).collect();
    if scopes.is_empty() {
        format!("{LACKS_SCOPE} that this request needs")
    } else {
        let scopes = scopes.join(" or ");
        format!("{LACKS_SCOPE}, most likely {scopes}")
    }
}

#[cfg(test)]
mod tests;
