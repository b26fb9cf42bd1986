use super::*;
use crate::api::scripted::{AtOnce, Scripted, Step, answer, client};
use crate::model::reply::{TaskId, Throttle};
use std::net::TcpListener;

const ACCEPTED: &str = r#"{"id":"t-1","statusUrl":"https://elsewhere.example/api/v1/tasks/t-1"}"#;

async fn submit(client: &Client) -> Result<String, ApiError> {
    let body = br#"{"customerProfiles":[]}"#.to_vec();
    Ok(client
        .submit(Endpoint::BulkCustomerProfiles, body.into(), "run-1/0")
        .await?
        .task
        .0)
}

async fn failure(steps: Vec<Step>, timeout: Duration) -> (ErrorClass, String) {
    let server = Scripted::start(steps);
    let error = submit(&server.hasty_client(timeout))
        .await
        .expect_err("no success");
    let shown = error.to_string();
    assert!(
        !shown.contains("s3cret") && !shown.contains("ana@"),
        "{shown}"
    );
    assert!(!shown.contains(&server.origin), "{shown}");
    (error.class, shown)
}

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(40);

#[tokio::test]
async fn every_request_carries_its_headers_and_the_body_as_it_is() {
    let server = Scripted::json(202, ACCEPTED);
    assert_eq!(submit(&server.client()).await.expect("accepted"), "t-1");
    let seen = server.seen().remove(0);
    assert_eq!(
        seen.line(),
        "POST /jsm/csm/cloudid/c-1/api/v1/customer/profile/bulk HTTP/1.1"
    );
    for (name, value) in [
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("user-agent", "jira-csm-loader-int/0.0"),
        ("x-experimentalapi", "opt-in"),
        ("idempotency-key", "run-1/0"),
        ("accept-encoding", "gzip"),
        // "ana@example.com:s3cret"
        ("authorization", "Basic YW5hQGV4YW1wbGUuY29tOnMzY3JldA=="),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    assert_eq!(seen.header("content-encoding"), None);
    assert_eq!(seen.body, br#"{"customerProfiles":[]}"#);
}

#[tokio::test]
async fn a_bearer_token_is_sent_as_such() {
    let server = Scripted::json(200, r#"{"status":"IN_PROGRESS"}"#);
    let client = Client::new(ClientConfig {
        site: Site::cloud(&server.origin, "c-1").expect("usable"),
        auth: Auth::Bearer {
            token: "s3cret".into(),
        },
        timeout: LONG,
        user_agent: "x".to_owned(),
        contract: Arc::default(),
        gate: Arc::new(AtOnce),
    });
    client
        .expect("a client")
        .task(&TaskId("t".to_owned()))
        .await
        .expect("a view");
    let seen = server.seen().remove(0);
    assert_eq!(seen.header("authorization"), Some("Bearer s3cret"));
    assert_eq!(seen.header("idempotency-key"), None);
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_means_not_sent() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("http://{}", listener.local_addr().expect("bound"))
    };
    let error = submit(&client(&closed, LONG))
        .await
        .expect_err("nobody listens");
    assert_eq!(error.class, ErrorClass::NotSent);
    assert!(
        error.message.starts_with("no connection to 127.0.0.1:"),
        "{error}"
    );
}

#[tokio::test]
async fn a_failed_tls_handshake_means_not_sent() {
    // speaks no TLS: what it reads as a request line is a handshake
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let origin = format!("https://{}", listener.local_addr().expect("bound"));
    let server = std::thread::spawn(move || {
        use std::io::Write;
        let (mut stream, _) = listener.accept().expect("a connection");
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .expect("written");
    });
    let error = submit(&client(&origin, LONG)).await.expect_err("no TLS");
    assert_eq!(error.class, ErrorClass::NotSent, "{error}");
    server.join().expect("served");
}

#[tokio::test]
async fn a_broken_connection_leaves_open_whether_it_was_applied() {
    let (class, _) = failure(vec![Step::Hang], LONG).await;
    assert_eq!(class, ErrorClass::MaybeApplied);
    let (class, shown) = failure(vec![Step::Drop], LONG).await;
    assert_eq!(class, ErrorClass::MaybeApplied);
    insta::assert_snapshot!(
        shown,
        @"POST /api/v1/customer/profile/bulk had no answer: the connection broke: connection closed before message completed"
    );
}

#[tokio::test]
async fn a_late_answer_leaves_open_whether_it_was_applied() {
    let (class, shown) = failure(vec![Step::Stall(Vec::new())], SHORT).await;
    assert_eq!(class, ErrorClass::MaybeApplied);
    insta::assert_snapshot!(
        shown,
        @"POST /api/v1/customer/profile/bulk had no answer: it took longer than 40ms"
    );
    let half = answer(202, &[("Content-Length", "100")], b"{\"id\":");
    let (class, shown) = failure(vec![Step::Stall(half)], SHORT).await;
    assert_eq!(class, ErrorClass::MaybeApplied);
    insta::assert_snapshot!(
        shown,
        @"POST /api/v1/customer/profile/bulk was answered 202: an answer that breaks off (operation timed out); whether it was carried out is unknown"
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_refusal() {
    for status in [200, 400, 409, 500] {
        let half = answer(
            status,
            &[("Content-Length", "100")],
            b"{\"errorMessage\":\"Max",
        );
        let (class, _) = failure(vec![Step::Answer(half)], LONG).await;
        assert_eq!(class, ErrorClass::MaybeApplied, "{status}");
    }
}

#[tokio::test]
async fn compressed_answers_are_read() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(ACCEPTED.as_bytes()).expect("written");
    let packed = encoder.finish().expect("packed");
    let gzip = [("Content-Encoding", "gzip")];
    let server = Scripted::start(vec![Step::Answer(answer(200, &gzip, &packed))]);
    assert_eq!(submit(&server.client()).await.expect("accepted"), "t-1");

    let broken = &packed[..packed.len() / 2];
    let (class, _) = failure(vec![Step::Answer(answer(200, &gzip, broken))], LONG).await;
    assert_eq!(class, ErrorClass::MaybeApplied);
}

#[tokio::test]
async fn answers_are_read_to_a_bound_after_decompression() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..=MAX_ANSWER_BYTES >> 20 {
        encoder.write_all(&vec![b' '; 1 << 20]).expect("written");
    }
    let packed = encoder.finish().expect("packed");
    let bomb = answer(200, &[("Content-Encoding", "gzip")], &packed);
    let (class, shown) = failure(vec![Step::Answer(bomb)], LONG).await;
    assert_eq!(class, ErrorClass::MaybeApplied);
    insta::assert_snapshot!(
        shown,
        @"POST /api/v1/customer/profile/bulk was answered 200: an answer that breaks off (it is larger than 16 MiB); whether it was carried out is unknown"
    );
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").expect("a free port");
    elsewhere.set_nonblocking(true).expect("set");
    let target = format!(
        "http://{}/login?secret=1",
        elsewhere.local_addr().expect("bound")
    );
    for status in [301, 302, 303, 307, 308] {
        let step = Step::Answer(answer(status, &[("Location", &target)], b""));
        let (class, shown) = failure(vec![step], LONG).await;
        assert_eq!(class, ErrorClass::Broken);
        assert!(
            shown.ends_with(
                "a redirect to 127.0.0.1, which is not followed; check the site's address"
            )
        );
    }
    let nobody = elsewhere.accept().expect_err("no connection");
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn one_call_is_one_request_even_when_told_to_come_back() {
    let throttled = answer(
        429,
        &[("Retry-After", "0"), ("Atl-Traceid", "abc123")],
        b"{}",
    );
    let server = Scripted::start(vec![Step::Answer(throttled)]);
    let error = submit(&server.client()).await.expect_err("throttled");
    assert_eq!(
        error.class,
        ErrorClass::Throttled {
            after: Some(Duration::ZERO),
            scope: Throttle::Quota,
        }
    );
    assert_eq!(error.trace_id.as_deref(), Some("abc123"));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_key_that_no_header_can_carry_is_a_defect_and_not_sent() {
    let client = client("http://127.0.0.1:9", LONG);
    let error = client
        .submit(Endpoint::BulkCustomerProfiles, Arc::default(), "a\nb")
        .await
        .expect_err("bad");
    assert_eq!(error.class, ErrorClass::Broken);
    insta::assert_snapshot!(
        error,
        @"POST /api/v1/customer/profile/bulk had no answer: it cannot be sent: failed to parse header value"
    );
}

#[test]
fn settings_that_cannot_work_are_named_without_secrets() {
    let config = |token: &str, user_agent: &str| ClientConfig {
        site: Site::cloud("http://127.0.0.1:9", "c-1").expect("usable"),
        auth: Auth::Bearer {
            token: token.into(),
        },
        timeout: LONG,
        user_agent: user_agent.to_owned(),
        contract: Arc::default(),
        gate: Arc::new(AtOnce),
    };
    let message = |config| Client::new(config).expect_err("refused").to_string();
    assert!(message(config("s3 cret", "x")).starts_with("the access token holds"));
    insta::assert_snapshot!(
        message(config("s3cret", "a\nb")),
        @"failed to set up the HTTP client: failed to parse header value"
    );
}

#[test]
fn debug_shows_no_secret() {
    let shown = format!("{:?}", client("http://127.0.0.1:9", LONG));
    insta::assert_snapshot!(
        shown,
        @r#"Client { site: Site { origin: "http://127.0.0.1:9", cloud_id: "c-1", .. }, auth: Basic(…), .. }"#
    );
    let answer = Answer {
        status: 200,
        body: b"ana@example.com".to_vec(),
        ..Answer::default()
    };
    assert_eq!(
        format!("{answer:?}"),
        "Answer { status: 200, bytes: 15, .. }"
    );
}

#[tokio::test]
async fn writes_count_as_often_as_they_leave_whatever_comes_of_them() {
    let refused = answer(400, &[], br#"{"message":"no"}"#);
    let task = answer(200, &[], br#"{"status":"IN_PROGRESS"}"#);
    let steps = vec![
        Step::Answer(answer(202, &[], ACCEPTED.as_bytes())),
        Step::Answer(refused),
        Step::Drop,
        Step::Answer(task),
    ];
    let server = Scripted::start(steps);
    let client = server.client();
    for writes in 1..=3 {
        // how it ended is not asked
        let _ = submit(&client).await;
        assert_eq!(client.writes(), writes);
    }
    let looked = client.task(&TaskId("t".to_owned())).await;
    assert!(looked.is_ok() && client.writes() == 3, "{looked:?}");
    server.seen();
    // nobody listens any more: nothing leaves
    let error = submit(&client).await.expect_err("no connection");
    assert_eq!((error.class, client.writes()), (ErrorClass::NotSent, 3));
}
