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
//! | … whose body broke off | `MaybeApplied`: it might have said "busy" |
//! | 401, 403, 407 | `AuthWrong`, with the likeliest cause |
//! | 429; 503 with `Retry-After` | `Throttled` |
//! | 408, other 5xx | `MaybeApplied` |
//! | 421, 425 | `NotSent`, by their definition |

use crate::api::contract;
use crate::api::throttle;
use crate::api::words::{self, Words};
use crate::model::clock::UnixMillis;
use crate::model::reply::{ApiError, ErrorClass};
use std::time::Duration;

/// The kind of a request: what may have happened when its answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bulk write, with an idempotency key.
    Bulk,
    /// A write of one record, without a key.
    Single,
    /// Changes nothing.
    Read,
}

/// The headers of an answer that matter to anyone here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<(&'static str, String)>);

impl Headers {
    /// The names that are kept, in lower case. All documented, but for `x-failure-category` and
    /// `x-seraph-loginreason` (seen).
    const KEPT: [&'static str; 14] = [
        "atl-request-id",
        "atl-traceid",
        "beta-ratelimit",
        "beta-retry-after",
        "content-type",
        "date",
        "location",
        "ratelimit",
        "ratelimit-reason",
        "retry-after",
        "x-beta-ratelimit-reset",
        "x-failure-category",
        "x-ratelimit-reset",
        "x-seraph-loginreason",
    ];

    /// Keeps what `value` knows of the names.
    pub fn read(value: impl Fn(&str) -> Option<String>) -> Self {
        let kept = Self::KEPT
            .iter()
            .filter_map(|name| Some((*name, value(name)?)));
        Self(kept.collect())
    }

    /// A header's value, by its name in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(kept, _)| *kept == name)?;
        Some(value)
    }

    /// The id that the site's support asks for: `Atl-Traceid`, else `Atl-Request-Id`. Documented.
    #[must_use]
    pub fn trace_id(&self) -> Option<String> {
        let id = self
            .get("atl-traceid")
            .or_else(|| self.get("atl-request-id"))?;
        let sane = (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        sane.then(|| id.to_owned())
    }

    #[cfg(test)]
    pub(super) fn of(headers: &[(&str, &str)]) -> Self {
        Self::read(|name| {
            let (_, value) = headers
                .iter()
                .find(|(other, _)| other.eq_ignore_ascii_case(name))?;
            Some((*value).to_owned())
        })
    }
}

/// An answer as it came, at most so long as a client reads.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers that matter.
    pub headers: Headers,
    /// The body; what there is of it, when `cut` is given.
    pub body: Vec<u8>,
    /// Why the body ended early.
    pub cut: Option<String>,
}

impl Answer {
    /// The status says that the request was carried out.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

// a body holds personal data
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What came back of a request that did not succeed.
#[derive(Debug, Clone)]
pub enum Got<'a> {
    /// Nothing, as the request cannot be built. With the reason.
    Unsendable(String),
    /// Nothing, as no connection came about. With the transport's reason.
    NoConnection(String),
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
pub fn classify(request: &str, kind: Kind, got: Got<'_>, now: UnixMillis) -> ApiError {
    let (class, message, answer) = match got {
        Got::Unsendable(why) => (
            ErrorClass::Broken,
            format!("it cannot be sent: {why}"),
            None,
        ),
        Got::NoConnection(why) => (ErrorClass::NotSent, format!("no connection: {why}"), None),
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
            let (class, message) = answered(kind, answer, now);
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

fn answered(kind: Kind, answer: &Answer, now: UnixMillis) -> (ErrorClass, String) {
    let words = match &answer.cut {
        Some(why) => Words::Mute(format!("an answer that breaks off ({why})")),
        None => words::words(answer.headers.get("content-type"), &answer.body),
    };
    let said = |hint: &str| format!("{} ({hint})", words.text());
    let plain = || words.text().to_owned();
    match answer.status {
        200..=299 if kind == Kind::Read => (ErrorClass::MaybeApplied, plain()),
        200..=299 => (
            ErrorClass::MaybeApplied,
            said("whether it was carried out is unknown"),
        ),
        300..=399 => (ErrorClass::Broken, redirect(&answer.headers)),
        401 | 403 | 407 => (ErrorClass::AuthWrong, said(auth_hint(answer, &words))),
        429 => (
            ErrorClass::Throttled {
                after: throttle::wait(&answer.headers, now),
            },
            plain(),
        ),
        503 if answer.headers.get("retry-after").is_some() => (
            ErrorClass::Throttled {
                after: throttle::wait(&answer.headers, now),
            },
            plain(),
        ),
        408 | 500..=599 => (ErrorClass::MaybeApplied, plain()),
        421 | 425 => (ErrorClass::NotSent, plain()),
        400 | 404 | 409 | 410 | 413 | 414 | 422 | 431 => refused(kind, answer, &words),
        412 => (
            ErrorClass::Broken,
            said(
                "the site misses the header X-ExperimentalApi: opt-in, which every request carries; a proxy may drop it",
            ),
        ),
        _ => (
            ErrorClass::Broken,
            said("no answer this API is known to give"),
        ),
    }
}

fn refused(kind: Kind, answer: &Answer, words: &Words) -> (ErrorClass, String) {
    let text = words.text();
    if answer.cut.is_some() {
        return (ErrorClass::MaybeApplied, text.to_owned());
    }
    if let Words::Page(_) = words {
        return match kind {
            Kind::Read => (ErrorClass::MaybeApplied, text.to_owned()),
            Kind::Bulk | Kind::Single => (
                ErrorClass::Refused,
                format!(
                    "{text} (a gateway refused the request before the API saw it; a text in it may trip the \
                     gateway's filter)"
                ),
            ),
        };
    }
    // in the whole body, wherever it stands and even if the JSON is cut: taking this for a refusal loses rows
    let holds = |message: &str| {
        kind == Kind::Bulk
            && answer
                .body
                .windows(message.len())
                .any(|window| window == message.as_bytes())
    };
    if holds(contract::TASK_LIMIT_MESSAGE) {
        (ErrorClass::Busy, text.to_owned())
    } else if holds(contract::KEY_REUSED_MESSAGE) {
        let hint = "the site knows this request's idempotency key with another body; nothing of this one was applied";
        (ErrorClass::Broken, format!("{text} ({hint})"))
    } else if answer.status == 413 {
        (
            ErrorClass::Refused,
            format!("{text} (the request's body is larger than the site takes)"),
        )
    } else {
        (ErrorClass::Refused, text.to_owned())
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

/// The likeliest cause of a 401, 403 or 407, as far as live sites were seen to tell them apart.
fn auth_hint(answer: &Answer, words: &Words) -> &'static str {
    let failure = answer.headers.get("x-failure-category").unwrap_or_default();
    let login = answer
        .headers
        .get("x-seraph-loginreason")
        .unwrap_or_default();
    if failure.contains("SCOPE") || words.text().contains("scope does not match") {
        "the token lacks a scope that this request needs; the site does not say which"
    } else if failure.contains("AUTH_MISMATCH") {
        "e-mail and token belong to different accounts, or a scoped token is used the wrong way"
    } else if login.contains("AUTHENTICATED_FAILED") {
        "the token was rejected or revoked; create a new one"
    } else if words.text().contains("not on the allowed list") {
        "this machine's address is not on the site's IP allowlist"
    } else if let Words::Page(_) = words {
        "a gateway or proxy answered, not the API"
    } else {
        match answer.status {
            401 => "check e-mail and token; the token may have expired",
            403 => {
                "the account lacks a permission: customer profiles need Administer Jira and a CSM or JSM user, \
                 organization profiles a CSM or JSM user"
            }
            _ => "the proxy asks for credentials",
        }
    }
}
