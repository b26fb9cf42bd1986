//! The log of every exchange, for tests that compare them with the API's description.
//!
//! Duty: copy requests and answers as they pass, and write each exchange as one line of JSON once its answer is over.
//! Guarantee: what passes is not changed, not held up and not cut; no credentials are written. A body is written as far
//! as it was read. A test tool: the bodies hold the personal data of the rows that are loaded, so the file is its owner's alone.
//!
//! ```json
//! {"method": "POST", "path": "/jsm/csm/…", "query": "", "headers": {"idempotency-key": "…"}, "body": "…",
//!  "status": 202, "answer_headers": {"content-type": "application/json"}, "answer": "…", "fault": null}
//! ```

use super::error::SandboxError;
use crate::api::contract::Endpoint;
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use serde_json::{Map, Value, json};
use std::fs::{File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// Says, as an extension of an answer, that the site misbehaved on purpose, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault(pub &'static str);

/// Headers of requests that are written. The others are the transport's, or hold credentials.
const WRITTEN: [&str; 5] = [
    "accept",
    "content-type",
    "idempotency-key",
    "user-agent",
    "x-experimentalapi",
];

/// Values that are left out of what the server of tokens is sent and answers.
const SECRET: [&str; 5] = [
    "access_token",
    "client_secret",
    "code",
    "code_verifier",
    "refresh_token",
];

/// Where exchanges are written.
#[derive(Clone)]
pub(super) struct Log(Arc<Mutex<File>>);

impl Log {
    /// Opens the file for appending; it is readable by its owner alone.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn open(path: &Path) -> Result<Self, SandboxError> {
        let cannot = |source| SandboxError::File {
            doing: "open the traffic log",
            path: path.to_owned(),
            source,
        };
        let mut options = OpenOptions::new();
        let options = options.append(true).create(true).mode(0o600);
        let file = options.open(path).map_err(cannot)?;
        let private = Permissions::from_mode(0o600);
        file.set_permissions(private).map_err(cannot)?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    /// The same routes, logged.
    pub(super) fn of(self, router: Router) -> Router {
        router.layer(from_fn_with_state(self, pass))
    }

    /// One write a line, so that the lines of several programs do not mix.
    fn write(&self, exchange: &Value) {
        let line = format!("{exchange}\n");
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // a full disk must not change how the site answers; whoever reads the log misses the line
        let _ = file.write_all(line.as_bytes());
    }
}

async fn pass(State(log): State<Log>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let sent = Copied::default();
    let path = head.uri.path().to_owned();
    let exchange = json!({
        "method": head.method.as_str(),
        "path": path,
        "query": head.uri.query().unwrap_or_default(),
        "headers": headers(&head.headers, |name| WRITTEN.contains(&name)),
    });
    let tee = Tee {
        body,
        copy: sent.clone(),
        last: None,
    };
    let request = Request::from_parts(head, Body::new(tee));
    let (head, body) = next.run(request).await.into_parts();
    let fault = head.extensions.get::<Fault>().map(|fault| fault.0);
    let mut last = Last {
        log,
        exchange,
        sent,
        answered: Copied::default(),
        secret: path == Endpoint::Token.path(),
    };
    last.exchange["status"] = head.status.as_u16().into();
    last.exchange["answer_headers"] = headers(&head.headers, |_| true);
    last.exchange["fault"] = fault.into();
    let tee = Tee {
        body,
        copy: last.answered.clone(),
        last: Some(last),
    };
    Response::from_parts(head, Body::new(tee))
}

fn headers(headers: &HeaderMap, written: impl Fn(&str) -> bool) -> Value {
    let kept = headers.iter().filter(|(name, _)| written(name.as_str()));
    let texts = kept.map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), Value::String(value))
    });
    Value::Object(texts.collect::<Map<_, _>>())
}

/// The bytes of a body, as far as they have passed.
#[derive(Clone, Default)]
struct Copied(Arc<Mutex<Vec<u8>>>);

impl Copied {
    fn add(&self, bytes: &[u8]) {
        let mut copy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        copy.extend_from_slice(bytes);
    }

    fn text(&self, secret: bool) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if secret {
            return without_secrets(&bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// JSON whose secret values are `…`; nothing of what is no JSON.
fn without_secrets(bytes: &[u8]) -> String {
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else {
        return String::new();
    };
    for key in SECRET {
        if let Some(secret) = value.get_mut(key) {
            *secret = "…".into();
        }
    }
    value.to_string()
}

/// An exchange whose answer is under way; written when that is over, or was given up.
struct Last {
    log: Log,
    exchange: Value,
    sent: Copied,
    answered: Copied,
    secret: bool,
}

impl Drop for Last {
    fn drop(&mut self) {
        self.exchange["body"] = self.sent.text(self.secret).into();
        self.exchange["answer"] = self.answered.text(self.secret).into();
        self.log.write(&self.exchange);
    }
}

/// A body that is copied while it passes.
struct Tee {
    body: Body,
    copy: Copied,
    /// Dropped, and with it written, after the body.
    last: Option<Last>,
}

impl HttpBody for Tee {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.copy.add(data);
        }
        if let Poll::Ready(None) = &polled {
            self.last = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;
    use axum::response::IntoResponse;
    use axum::routing::{get, post};
    use serde_json::Value;
    use std::future::poll_fn;
    use std::io::Read as _;
    use std::net::TcpStream;

    async fn echo(body: String) -> (StatusCode, String) {
        (StatusCode::ACCEPTED, body)
    }

    async fn sorry() -> Response {
        let mut answer = StatusCode::BAD_GATEWAY.into_response();
        answer.extensions_mut().insert(Fault("bad gateway"));
        answer
    }

    async fn token(_: String) -> &'static str {
        r#"{"access_token":"s3cret","expires_in":3600}"#
    }

    /// What the log holds after these requests, each sent as it is.
    fn logged(requests: &[&str]) -> (Vec<Value>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("traffic.jsonl");
        std::fs::write(&path, "").unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _entered = runtime.enter();
        let router = Router::new()
            .route("/echo", post(echo))
            .route("/sorry", get(sorry))
            .route(Endpoint::Token.path(), post(token));
        let router = Log::open(&path).unwrap().of(router);
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(axum::serve(listener, router).into_future());
        let answers: Vec<_> = requests
            .iter()
            .map(|request| {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(request.as_bytes()).unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                answer
            })
            .collect();
        drop(runtime);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        (lines.collect(), answers)
    }

    #[test]
    fn an_exchange_is_written_without_credentials_and_passes_unchanged() {
        let (lines, answers) = logged(&[
            "POST /echo?a=1%202 HTTP/1.1\r\nHost: x\r\nAuthorization: Basic s3cret\r\n\
            Idempotency-Key: k-1\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
        ]);
        assert!(answers[0].starts_with("HTTP/1.1 202 "), "{answers:?}");
        assert!(
            answers[0].to_lowercase().contains("content-length: 5"),
            "{answers:?}"
        );
        assert!(answers[0].ends_with("hello"));
        let expected = json!({
            "method": "POST",
            "path": "/echo",
            "query": "a=1%202",
            "headers": { "content-type": "text/plain", "idempotency-key": "k-1" },
            "body": "hello",
            "status": 202,
            "answer_headers": { "content-type": "text/plain; charset=utf-8" },
            "answer": "hello",
            "fault": null,
        });
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn a_deliberate_fault_is_marked_and_nothing_else() {
        let get =
            |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let (lines, _) = logged(&[&get("/sorry"), &get("/nowhere")]);
        let told: Vec<_> = lines
            .iter()
            .map(|line| (&line["status"], &line["fault"]))
            .collect();
        assert_eq!(
            told,
            [
                (&json!(502), &json!("bad gateway")),
                (&json!(404), &Value::Null)
            ]
        );
    }

    #[test]
    fn tokens_and_secrets_are_left_out() {
        let body = r#"{"grant_type":"refresh_token","client_id":"c","client_secret":"s3cret","refresh_token":"s3cret"}"#;
        let (lines, answers) = logged(&[&format!(
            "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )]);
        assert!(answers[0].contains("s3cret"), "the client gets it");
        let line = lines[0].to_string();
        assert!(!line.contains("s3cret"), "{line}");
        assert!(
            line.contains("grant_type") && line.contains("expires_in"),
            "{line}"
        );
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads_to_its_end_is_written_as_far_as_it_went() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("traffic.jsonl");
        let last = Last {
            log: Log::open(&path).unwrap(),
            exchange: json!({ "status": 200 }),
            sent: Copied::default(),
            answered: Copied::default(),
            secret: false,
        };
        let mut tee = Tee {
            body: Body::from("one"),
            copy: last.answered.clone(),
            last: Some(last),
        };
        let frame = poll_fn(|context| Pin::new(&mut tee).poll_frame(context)).await;
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "one");
        drop(tee);
        let line: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(line["answer"], "one");
    }
}
