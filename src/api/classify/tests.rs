//! Each answer, and what it means.

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
        format!(r#"{{"errorMessage":"{message}","errors":["BAD_REQUEST"],"statusCode":{status}}}"#)
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
    400 MaybeApplied: JSON that breaks off
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
        Got::NoConnection(
            "acme.atlassian.net:443".to_owned(),
            "invalid peer certificate: UnknownIssuer".to_owned(),
        ),
        Got::TimedOut(Duration::from_mins(1)),
        Got::Dropped("connection reset by peer".to_owned()),
    ] {
        let error = classify("POST /x", of(Kind::Bulk), got, 0);
        let _ = writeln!(shown, "{:?}: {error}", error.class);
    }
    insta::assert_snapshot!(shown, @r#"
    Broken: POST /x had no answer: it cannot be sent: failed to parse header value
    NotSent: POST /x had no answer: no connection to acme.atlassian.net:443: invalid peer certificate: UnknownIssuer; a proxy that inspects TLS needs its certificate in the machine's store, or in the file that SSL_CERT_FILE names
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
