//! The answers of faults, in the words and shapes that were seen of gateways and edges.

use super::gate::{Rest, Why};
use crate::api::contract::{KEY_REUSED_MESSAGE, answer};
use crate::model::clock::UnixMillis;
use crate::sandbox::policy::ThrottleStyle;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use std::time::Duration;

const JSON: &str = "application/json";
const HTML: &str = "text/html;charset=utf-8";

/// How long after its reset a site once still refused.
const STALE: UnixMillis = 25 * 60 * 1000;

/// An answer with a body.
pub(super) fn answer(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn rest_error(status: StatusCode, message: &str) -> Response {
    let reason = status.canonical_reason().unwrap_or_default();
    let body = json!({
        (answer::ERROR_MESSAGE): message,
        (answer::ERRORS): [reason.to_uppercase().replace(' ', "_")],
        (answer::STATUS_CODE): status.as_u16(),
    });
    answer(status, JSON, body.to_string())
}

/// 500 from the API.
pub(super) fn internal_error() -> Response {
    rest_error(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
}

/// 412 from the API.
pub(super) fn precondition_failed() -> Response {
    let message = "The experimental opt-in header was not set";
    rest_error(StatusCode::PRECONDITION_FAILED, message)
}

/// 404 for a task.
pub(super) fn no_task() -> Response {
    rest_error(StatusCode::NOT_FOUND, "Task not found")
}

/// The refusal of a key that is known with another body.
pub(super) fn key_conflict(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    rest_error(status, &format!("An idempotency key {KEY_REUSED_MESSAGE}"))
}

/// A page of the edge in front of the API.
fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let body = format!("<html><head><title>{title}</title></head><body>{text}</body></html>\n");
    let mut response = answer(status, HTML, body);
    let edge = HeaderValue::from_static("globaledge-envoy");
    response.headers_mut().insert(header::SERVER, edge);
    response
}

/// 502 or 504 of the edge.
pub(super) fn bad_gateway(status: StatusCode) -> Response {
    let title = "Atlassian Cloud Notifications - Page Unavailable";
    page(status, title, "<h1>This page is unavailable</h1>")
}

/// 400 of the edge.
pub(super) fn bad_request_page() -> Response {
    let title = "HTTP Status 400 – Bad Request";
    page(StatusCode::BAD_REQUEST, title, &format!("<h1>{title}</h1>"))
}

/// A page that asks to log in, where an answer should be.
pub(super) fn login_page() -> Response {
    let title = "Log in to continue - Log in with Atlassian account";
    page(StatusCode::OK, title, "<form id=\"form-login\"></form>")
}

/// What is said while the site rests. `limit` is the number of requests a second that it answers.
pub(super) fn resting(rest: &Rest, left: Duration, unix: UnixMillis, limit: u64) -> Response {
    if rest.why == Why::Unavailable {
        let mut response = rest_error(
            StatusCode::SERVICE_UNAVAILABLE,
            "The service is temporarily unavailable",
        );
        put(
            response.headers_mut(),
            "retry-after",
            &seconds(left).to_string(),
        );
        return response;
    }
    // as it was seen on a live site
    let body: Value = json!({
        "errorMessages": ["The request has been rate-limited. Please try again later."],
        "errors": {},
        "status": 429,
    });
    let mut response = answer(StatusCode::TOO_MANY_REQUESTS, JSON, body.to_string());
    let headers = response.headers_mut();
    let left_millis = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
    let end = unix.saturating_add(left_millis);
    if rest.style == ThrottleStyle::Gateway {
        put(headers, "x-failure-category", "FAILURE CLIENT RATE LIMITED");
        put(headers, "x-ratelimit-limit", "360000");
        put(headers, "x-ratelimit-remaining", "0");
        put(headers, "x-ratelimit-reset", &instant(end));
        return response;
    }
    let (reason, name, most, window) = match rest.why {
        Why::Quota => ("jira-quota-tenant-based", "tenant-app-quota", 65_000, 3600),
        Why::Burst | Why::Unavailable => ("jira-burst-based", "jira-burst-based", limit.max(1), 1),
    };
    put(headers, "ratelimit-reason", reason);
    if rest.style == ThrottleStyle::NoRetryAfter {
        return response;
    }
    let wait = seconds(left);
    let over = match rest.style {
        ThrottleStyle::ResetPast => instant(unix - STALE),
        ThrottleStyle::ResetMinutes => minute(end),
        _ => instant(end),
    };
    put(headers, "retry-after", &wait.to_string());
    put(headers, "x-ratelimit-limit", &most.to_string());
    put(headers, "x-ratelimit-remaining", "0");
    put(headers, "x-ratelimit-reset", &over);
    put(
        headers,
        "ratelimit-policy",
        &format!("\"{name}\";q={most};w={window}"),
    );
    put(headers, "ratelimit", &format!("\"{name}\";r=0;t={wait}"));
    response
}

/// Tells how many requests are left in this second.
pub(super) fn tell_allowance(headers: &mut HeaderMap, limit: u64, left: u64) {
    put(
        headers,
        "ratelimit-policy",
        &format!("\"jira-burst-based\";q={limit};w=1"),
    );
    put(
        headers,
        "ratelimit",
        &format!("\"jira-burst-based\";r={left};t=1"),
    );
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// Whole seconds, rounded up.
fn seconds(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

fn time(at: UnixMillis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).unwrap_or_default()
}

/// An instant, not before it is reached.
fn instant(at: UnixMillis) -> String {
    let whole = at.saturating_add(999).div_euclid(1000) * 1000;
    time(whole).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// An instant without its seconds.
fn minute(at: UnixMillis) -> String {
    time(at).format("%Y-%m-%dT%H:%MZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::gate::Gate;
    use super::*;
    use crate::api::contract::Endpoint;
    use insta::assert_snapshot;
    use std::time::Instant;

    /// An answer's status and headers, given at 2026-03-26T15:59:30.250Z and good for 90 seconds.
    fn told(why: Why, style: ThrottleStyle) -> String {
        let (now, unix) = (Instant::now(), 1_774_540_770_250);
        let window = Duration::from_secs(90);
        let mut gate = Gate::new(50, 1);
        let rest = gate.rest(now, unix, Endpoint::GetTask, why, style, window);
        let response = resting(&rest, rest.left(now), unix, 50);
        let mut headers: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        format!("{}\n{}", response.status(), headers.join("\n"))
    }

    #[test]
    fn a_429_says_what_its_style_says() {
        assert_snapshot!(told(Why::Burst, ThrottleStyle::Full), @r#"
        429 Too Many Requests
        content-type: application/json
        ratelimit-policy: "jira-burst-based";q=50;w=1
        ratelimit-reason: jira-burst-based
        ratelimit: "jira-burst-based";r=0;t=90
        retry-after: 90
        x-ratelimit-limit: 50
        x-ratelimit-remaining: 0
        x-ratelimit-reset: 2026-03-26T16:01:01Z
        "#);
        assert_snapshot!(told(Why::Quota, ThrottleStyle::Full), @r#"
        429 Too Many Requests
        content-type: application/json
        ratelimit-policy: "tenant-app-quota";q=65000;w=3600
        ratelimit-reason: jira-quota-tenant-based
        ratelimit: "tenant-app-quota";r=0;t=90
        retry-after: 90
        x-ratelimit-limit: 65000
        x-ratelimit-remaining: 0
        x-ratelimit-reset: 2026-03-26T16:01:01Z
        "#);
        assert_snapshot!(told(Why::Quota, ThrottleStyle::NoRetryAfter), @"
        429 Too Many Requests
        content-type: application/json
        ratelimit-reason: jira-quota-tenant-based
        ");
        assert_snapshot!(told(Why::Quota, ThrottleStyle::ResetPast), @r#"
        429 Too Many Requests
        content-type: application/json
        ratelimit-policy: "tenant-app-quota";q=65000;w=3600
        ratelimit-reason: jira-quota-tenant-based
        ratelimit: "tenant-app-quota";r=0;t=90
        retry-after: 90
        x-ratelimit-limit: 65000
        x-ratelimit-remaining: 0
        x-ratelimit-reset: 2026-03-26T15:34:31Z
        "#);
        assert_snapshot!(told(Why::Quota, ThrottleStyle::ResetMinutes), @r#"
        429 Too Many Requests
        content-type: application/json
        ratelimit-policy: "tenant-app-quota";q=65000;w=3600
        ratelimit-reason: jira-quota-tenant-based
        ratelimit: "tenant-app-quota";r=0;t=90
        retry-after: 90
        x-ratelimit-limit: 65000
        x-ratelimit-remaining: 0
        x-ratelimit-reset: 2026-03-26T16:01Z
        "#);
        assert_snapshot!(told(Why::Quota, ThrottleStyle::Gateway), @"
        429 Too Many Requests
        content-type: application/json
        x-failure-category: FAILURE CLIENT RATE LIMITED
        x-ratelimit-limit: 360000
        x-ratelimit-remaining: 0
        x-ratelimit-reset: 2026-03-26T16:01:01Z
        ");
        assert_snapshot!(told(Why::Unavailable, ThrottleStyle::Full), @"
        503 Service Unavailable
        content-type: application/json
        retry-after: 90
        ");
    }
}
