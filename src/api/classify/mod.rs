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
//! | 401 of the API or the gateway, unless it names another cause | `AuthExpired`: only whoever holds the credentials knows if they can be renewed |
//! | 401 that names another cause (scope, accounts that do not match, a rejected token), 403, 407 | `AuthWrong`, with the likeliest cause |
//! | 403, 404 to nobody (`X-AUsername: anonymous`) | `AuthWrong`: the site knew none of the credentials |
//! | 404 on a bulk request | `AuthWrong`: a collection cannot be missing, so the site or its product is |
//! | 429; 503 with `Retry-After` | `Throttled` |
//! | 408, other 5xx | `MaybeApplied` |
//! | 421, 425 | `NotSent`, by their definition |

use crate::api::contract::{self, Endpoint, Kind};
use crate::api::throttle;
use crate::api::words::{self, Words};
use crate::model::clock::UnixMillis;
use crate::model::reply::{ApiError, ErrorClass};
use std::time::Duration;

/// The headers of an answer that matter to anyone here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<(&'static str, String)>);

impl Headers {
    /// The names that are kept, in lower case. All documented, but for `x-failure-category` and
    /// `x-seraph-loginreason` (seen).
    const KEPT: [&'static str; 18] = [
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
        "x-aaccountid",
        "x-arequestid",
        "x-ausername",
        "x-beta-ratelimit-reason",
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

    /// The id that the site's support asks for: `Atl-Traceid`, else `Atl-Request-Id`, else `X-ARequestId`. Documented.
    #[must_use]
    pub fn trace_id(&self) -> Option<String> {
        let ids = ["atl-traceid", "atl-request-id", "x-arequestid"];
        let id = ids.iter().find_map(|name| self.get(name))?;
        let sane = (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        sane.then(|| id.to_owned())
    }

    /// The site took the request for nobody's.
    fn is_anonymous(&self) -> bool {
        self.get("x-ausername")
            .is_some_and(|name| name.eq_ignore_ascii_case("anonymous"))
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
pub fn classify(request: &str, endpoint: Endpoint, got: Got<'_>, now: UnixMillis) -> ApiError {
    let kind = endpoint.kind();
    let (class, message, answer) = match got {
        Got::Unsendable(why) => (
            ErrorClass::Broken,
            format!("it cannot be sent: {why}"),
            None,
        ),
        Got::NoConnection(why) => {
            let hint = if why.contains("UnknownIssuer") {
                UNKNOWN_ISSUER
            } else {
                ""
            };
            (
                ErrorClass::NotSent,
                format!("no connection: {why}{hint}"),
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
        Some(why) => Words::Mute(format!("an answer that breaks off ({why})")),
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
mod tests {
    use super::*;
    use std::fmt::Write as _;

    const JSON: (&str, &str) = ("Content-Type", "application/json;charset=UTF-8");
    const HTML: (&str, &str) = ("Content-Type", "text/html");
    const PAGE: &str = "<html><head><title>HTTP Status 400 – Bad Request</title></head></html>";

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        Answer {
            status,
            headers: Headers::of(headers),
            body: body.as_bytes().to_vec(),
            cut: None,
        }
    }

    const BULK: &str = "POST /api/v1/customer/profile/bulk";

    const ONE_OF_EACH: [Endpoint; 3] = [
        Endpoint::BulkCustomerProfiles,
        Endpoint::CreateProduct,
        Endpoint::GetTask,
    ];

    fn of(kind: Kind) -> Endpoint {
        let [bulk, single, read] = ONE_OF_EACH;
        match kind {
            Kind::Bulk => bulk,
            Kind::Single => single,
            Kind::Read => read,
        }
    }

    fn class(kind: Kind, answer: &Answer) -> ErrorClass {
        classify("POST /x", of(kind), Got::Answer(answer), 0).class
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "one table")]
    fn every_answer_has_its_class_and_message() {
        let rest = |message: &str, status: u16| {
            format!(
                r#"{{"errorMessage":"{message}","errors":["BAD_REQUEST"],"statusCode":{status}}}"#
            )
        };
        let wait = ("Retry-After", "12");
        let table = [
            answer(400, &[JSON], &rest("Maximum number of tasks reached", 400)),
            answer(
                400,
                &[JSON],
                r#"{"errors":["Maximum number of tasks reached"],"stat"#,
            ),
            answer(
                409,
                &[JSON],
                &rest("A key can only be retried with the same request data.", 409),
            ),
            answer(400, &[JSON], &rest("Invalid detail field value", 400)),
            answer(400, &[JSON], ""),
            answer(400, &[JSON], r#"{"errorMess"#),
            answer(400, &[HTML], PAGE),
            answer(401, &[JSON], r#"{"code":401,"message":"Unauthorized"}"#),
            answer(
                401,
                &[JSON, ("x-failure-category", "FAILURE_CLIENT_SCOPE_CHECK")],
                r#"{"code":401,"message":"Unauthorized; scope does not match"}"#,
            ),
            answer(
                401,
                &[JSON],
                r#"{"code":401,"message":"Unauthorized; scope does not match"}"#,
            ),
            answer(
                401,
                &[("X-Failure-Category", "FAILURE_CLIENT_AUTH_MISMATCH")],
                "",
            ),
            answer(401, &[("x-seraph-loginreason", "AUTHENTICATED_FAILED")], ""),
            answer(401, &[JSON], &rest("Unauthenticated", 401)),
            answer(401, &[], ""),
            answer(401, &[HTML], "<title>Log in</title>"),
            answer(403, &[JSON], &rest("Forbidden", 403)),
            answer(
                403,
                &[JSON, ("X-AUsername", "anonymous")],
                &rest("Forbidden", 403),
            ),
            answer(
                404,
                &[JSON, ("X-AUsername", "anonymous")],
                &rest("Not found", 404),
            ),
            answer(
                403,
                &[JSON],
                r#"{"errorMessages":["The IP address has been rejected because it is not on the allowed list. See your admin for more information."],"errors":{}}"#,
            ),
            answer(403, &[HTML], "<title>Access denied</title>"),
            answer(407, &[], ""),
            answer(404, &[JSON], &rest("Customer not found", 404)),
            answer(405, &[], ""),
            answer(408, &[], ""),
            answer(409, &[JSON], &rest("Conflict", 409)),
            answer(412, &[JSON], &rest("Precondition failed", 412)),
            answer(413, &[HTML], "<h1>413 Request Entity Too Large</h1>"),
            answer(413, &[JSON], &rest("Payload too large", 413)),
            answer(415, &[], ""),
            answer(421, &[], ""),
            answer(
                422,
                &[JSON],
                r#"{"errorMessages":[],"errors":{"email":"is not valid"}}"#,
            ),
            answer(
                429,
                &[JSON, wait],
                r#"{"errorMessages":["The request has been rate-limited. Please try again later."],"errors":{},"status":429}"#,
            ),
            answer(
                429,
                &[("X-Failure-Category", "FAILURE CLIENT RATE LIMITED")],
                "",
            ),
            answer(
                429,
                &[
                    ("X-Failure-Category", "FAILURE CLIENT RATE LIMITED"),
                    ("X-Ratelimit-Limit", "360000"),
                    ("X-Ratelimit-Remaining", "0"),
                    ("X-Ratelimit-Reset", "1970-01-01T00:05Z"),
                ],
                "",
            ),
            answer(
                429,
                &[
                    ("Retry-After", "1"),
                    ("RateLimit-Reason", "jira-burst-based"),
                ],
                "",
            ),
            answer(500, &[JSON], &rest("Internal error", 500)),
            answer(502, &[HTML], "<html><h1>502 Bad Gateway</h1></html>"),
            answer(503, &[wait], ""),
            answer(
                503,
                &[("Content-Type", "text/plain")],
                "upstream connect error",
            ),
            answer(504, &[], ""),
            answer(
                302,
                &[("Location", "https://id.example.com/login?token=1")],
                "",
            ),
            answer(304, &[], ""),
            answer(200, &[HTML], "<title>Log in</title>"),
            answer(202, &[JSON], r#"{"id":"#),
            answer(204, &[], ""),
            Answer {
                cut: Some("connection reset".to_owned()),
                ..answer(400, &[JSON], "{")
            },
            Answer {
                cut: Some("connection reset".to_owned()),
                ..answer(429, &[wait], "{")
            },
        ];
        let mut shown = String::new();
        for answer in table {
            let error = classify(BULK, of(Kind::Bulk), Got::Answer(&answer), 0);
            let _ = writeln!(
                shown,
                "{} {:?}: {}",
                answer.status, error.class, error.message
            );
        }
        insta::assert_snapshot!(shown, @r#"
        400 Busy: Maximum number of tasks reached
        400 Busy: JSON that breaks off
        409 Broken: A key can only be retried with the same request data. (the site knows this request's idempotency key with another body; nothing of this one was applied)
        400 Refused: Invalid detail field value
        400 Refused: an empty answer
        400 Refused: JSON that breaks off
        400 Refused: an HTML page ("HTTP Status 400 – Bad Request"); a gateway refused the request before the API saw it; a text in it may trip the gateway's filter
        401 AuthExpired: Unauthorized (check e-mail and token; the token may have expired)
        401 AuthWrong: Unauthorized; scope does not match (the token lacks a scope, most likely write:customer.profile:jira-service-management)
        401 AuthWrong: Unauthorized; scope does not match (the token lacks a scope, most likely write:customer.profile:jira-service-management)
        401 AuthWrong: an empty answer; e-mail and token belong to different accounts, or a scoped token is used the wrong way
        401 AuthWrong: an empty answer; the token was rejected or revoked; create a new one
        401 AuthExpired: Unauthenticated (check e-mail and token; the token may have expired)
        401 AuthExpired: an empty answer; check e-mail and token; the token may have expired
        401 AuthWrong: an HTML page ("Log in"); a gateway or proxy answered, not the API
        403 AuthWrong: Forbidden (the account may lack a permission; this needs: Administer Jira and CSM or JSM user)
        403 AuthWrong: Forbidden (the site knew none of the credentials and took the request for nobody's; check e-mail and token)
        404 AuthWrong: Not found (the site knew none of the credentials and took the request for nobody's; check e-mail and token)
        403 AuthWrong: The IP address has been rejected because it is not on the allowed list. See your admin for more information. (this machine's address is not on the site's IP allowlist)
        403 AuthWrong: an HTML page ("Access denied"); a gateway or proxy answered, not the API
        407 AuthWrong: an empty answer; the proxy asks for credentials
        404 AuthWrong: Customer not found (the site has no such endpoint: check the site's name or cloud id, and that Customer Service Management is on for it)
        405 Broken: an empty answer; no answer this API is known to give
        408 MaybeApplied: an empty answer
        409 Refused: Conflict
        412 Broken: Precondition failed (the site misses the header X-ExperimentalApi: opt-in, which every request carries; a proxy may drop it)
        413 Refused: an HTML page ("413 Request Entity Too Large"); the request's body is larger than the site takes
        413 Refused: Payload too large (the request's body is larger than the site takes)
        415 Broken: an empty answer; no answer this API is known to give
        421 NotSent: an empty answer
        422 Refused: email: is not valid
        429 Throttled { after: Some(12s), scope: Quota }: The request has been rate-limited. Please try again later.
        429 Throttled { after: None, scope: Quota }: an empty answer
        429 Throttled { after: Some(300s), scope: Quota }: an empty answer
        429 Throttled { after: Some(1s), scope: Burst }: an empty answer
        500 MaybeApplied: Internal error
        502 MaybeApplied: an HTML page ("502 Bad Gateway")
        503 Throttled { after: Some(12s), scope: Quota }: an empty answer
        503 MaybeApplied: upstream connect error
        504 MaybeApplied: an empty answer
        302 Broken: a redirect to id.example.com, which is not followed; check the site's address
        304 Broken: a redirect, which is not followed; check the site's address
        200 MaybeApplied: an HTML page ("Log in"); whether it was carried out is unknown
        202 MaybeApplied: JSON that breaks off; whether it was carried out is unknown
        204 MaybeApplied: an empty answer; whether it was carried out is unknown
        400 MaybeApplied: an answer that breaks off (connection reset)
        429 Throttled { after: Some(12s), scope: Quota }: an answer that breaks off (connection reset)
        "#);
    }

    #[test]
    fn what_no_answer_means_depends_on_how_far_the_request_came() {
        let mut shown = String::new();
        for got in [
            Got::Unsendable("failed to parse header value".to_owned()),
            Got::NoConnection("invalid peer certificate: UnknownIssuer".to_owned()),
            Got::TimedOut(Duration::from_mins(1)),
            Got::Dropped("connection reset by peer".to_owned()),
        ] {
            let error = classify("POST /x", of(Kind::Bulk), got, 0);
            let _ = writeln!(shown, "{:?}: {error}", error.class);
        }
        insta::assert_snapshot!(shown, @r#"
        Broken: POST /x had no answer: it cannot be sent: failed to parse header value
        NotSent: POST /x had no answer: no connection: invalid peer certificate: UnknownIssuer; a proxy that inspects TLS needs its certificate in the machine's store, or in the file that SSL_CERT_FILE names
        MaybeApplied: POST /x had no answer: it took longer than 60s
        MaybeApplied: POST /x had no answer: the connection broke: connection reset by peer
        "#);
    }

    #[test]
    fn a_page_in_place_of_the_api_is_no_word_of_its_on_a_read() {
        for status in [400, 404, 409, 422, 502] {
            let page = answer(status, &[HTML], PAGE);
            assert_eq!(
                class(Kind::Read, &page),
                ErrorClass::MaybeApplied,
                "{status}"
            );
        }
        assert_eq!(
            class(Kind::Single, &answer(400, &[HTML], PAGE)),
            ErrorClass::Refused
        );
        assert_eq!(
            class(Kind::Read, &answer(404, &[JSON], "{}")),
            ErrorClass::Refused
        );
        assert_eq!(
            class(Kind::Read, &answer(404, &[], "")),
            ErrorClass::Refused
        );
    }

    #[test]
    fn only_bulk_requests_can_find_the_slots_taken() {
        let busy = answer(
            400,
            &[JSON],
            r#"{"errorMessage":"Maximum number of tasks reached"}"#,
        );
        assert_eq!(class(Kind::Bulk, &busy), ErrorClass::Busy);
        assert_eq!(class(Kind::Single, &busy), ErrorClass::Refused);
        assert_eq!(class(Kind::Read, &busy), ErrorClass::Refused);
    }

    #[test]
    fn json_that_lacks_something_is_final_for_reads_alone() {
        let empty = answer(200, &[JSON], "{}");
        for (kind, expected) in [
            (Kind::Bulk, ErrorClass::MaybeApplied),
            (Kind::Single, ErrorClass::MaybeApplied),
            (Kind::Read, ErrorClass::Broken),
        ] {
            let error = classify("GET /x", of(kind), Got::Lacking(&empty, "the task's id"), 0);
            assert_eq!(error.class, expected);
            assert_eq!(error.status, Some(200));
            assert_eq!(
                error.message,
                "JSON without the task's id, which the API should give"
            );
        }
    }

    #[test]
    fn the_trace_id_is_the_one_that_support_asks_for() {
        let id = |headers: &[(&str, &str)]| Headers::of(headers).trace_id();
        let both = [("Atl-Request-Id", "0-1"), ("Atl-Traceid", "abc")];
        assert_eq!(id(&both).as_deref(), Some("abc"));
        assert_eq!(id(&both[..1]).as_deref(), Some("0-1"));
        assert_eq!(id(&[("X-ARequestId", "r-9")]).as_deref(), Some("r-9"));
        assert_eq!(id(&[]), None);
        assert_eq!(id(&[("Atl-Traceid", "a b")]), None);
        assert_eq!(id(&[("Atl-Traceid", &"x".repeat(129))]), None);
    }

    #[test]
    fn a_lacking_scope_is_named_where_it_is_known() {
        let wrong = answer(
            401,
            &[("x-failure-category", "FAILURE_CLIENT_SCOPE_CHECK")],
            "",
        );
        let mut shown = String::new();
        for endpoint in [
            Endpoint::CreateProduct,
            Endpoint::GetCustomer,
            Endpoint::GetEntitlement,
        ] {
            let error = classify(&endpoint.name(), endpoint, Got::Answer(&wrong), 0);
            let _ = writeln!(shown, "{error}");
        }
        insta::assert_snapshot!(shown, @r#"
        POST /api/v1/product was answered 401: an empty answer; the token lacks a scope, most likely write:product:jira-service-management
        GET /api/v1/customer/{customerId} was answered 401: an empty answer; the token lacks a scope, most likely read:customer:jira-service-management or read:customer.detail:jira-service-management
        GET /api/v1/entitlement/{entitlementId} was answered 401: an empty answer; the token lacks a scope that this request needs
        "#);
    }

    #[test]
    fn no_status_at_all_claims_that_nothing_was_applied_unless_it_is_known() {
        for status in (100..=999).filter(|status| !(400..500).contains(status)) {
            let class = class(Kind::Bulk, &answer(status, &[JSON], "{}"));
            assert!(
                matches!(class, ErrorClass::MaybeApplied | ErrorClass::Broken),
                "{status}: {class:?}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_answer_gives_one_line_of_bounded_length(
            status in 100..600_u16,
            html in proptest::bool::ANY,
            body in proptest::collection::vec(proptest::num::u8::ANY, 0..700),
        ) {
            let content = [if html { HTML } else { JSON }];
            let answer = Answer { status, headers: Headers::of(&content), body, cut: None };
            for endpoint in ONE_OF_EACH {
                let message = classify(BULK, endpoint, Got::Answer(&answer), 0).message;
                proptest::prop_assert!(message.chars().count() <= 800, "{message}");
                proptest::prop_assert!(!message.chars().any(char::is_control), "{message}");
            }
        }
    }
}
