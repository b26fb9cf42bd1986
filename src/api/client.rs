//! The transport: one request out, one answer in.
//!
//! Guarantee: tokens go to the configured site alone, no redirect is followed, an answer is read to a bound, and
//! nothing is sent a second time once the site may have seen it. Must not know: retries, pacing, what calls mean.

use crate::api::auth::{Auth, Pass};
use crate::api::classify::{Answer, Got, Headers, classify};
use crate::api::contract::{self, Contract, Endpoint, Kind, Method, POINTS_AN_HOUR};
use crate::api::error::ClientError;
use crate::api::site::{Site, path};
use crate::api::words;
use crate::model::clock::{Clock, SystemClock};
use crate::model::failpoint::Step;
use crate::model::reply::{ApiError, ErrorClass};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use url::form_urlencoded::Serializer;

/// Longer than a token that is at hand takes.
const TOKEN_AT_HAND: Duration = Duration::from_millis(20);
/// Bytes of an answer that are read, after decompression.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// How long a connection may take to come about; also at most half of the whole timeout, so that a timeout of
/// the whole means that the request was under way.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Below the idle timeout of common gateways, so that a request seldom meets a connection that is just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(45);

/// How a [`Client`] is set up.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Where requests go.
    pub site: Site,
    /// As whom.
    pub auth: Auth,
    /// From the start of a request to the end of its answer. 60 s suits the gateway.
    pub timeout: Duration,
    /// `User-Agent`; the platform asks for `{product}-{source product}-int/{version}`.
    pub user_agent: String,
    /// What the job says of the API otherwise.
    pub contract: Arc<Contract>,
    /// When requests may leave.
    pub gate: Arc<dyn Gate>,
}

/// Says when requests may leave, and hears what became of them. Every request of a [`Client`] passes it.
pub trait Gate: fmt::Debug + Send + Sync {
    /// Returns when a request to this endpoint may leave.
    fn ready(&self, endpoint: Endpoint) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// A request did not succeed.
    fn refused(&self, endpoint: Endpoint, error: &ApiError);
}

/// A site's API. Each call sends one request; what came back is classified, never repeated.
pub struct Client {
    http: Http,
    site: Site,
    auth: Auth,
    contract: Arc<Contract>,
    gate: Arc<dyn Gate>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("site", &self.site)
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}

/// A request, ready to go.
#[derive(Clone)]
pub(super) struct Request<'a> {
    endpoint: Endpoint,
    path: String,
    query: String,
    body: Option<Vec<u8>>,
    key: Option<&'a str>,
    may_be_empty: bool,
}

impl<'a> Request<'a> {
    /// A request without body to an endpoint whose path has no parameter.
    pub(super) fn to(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            path: endpoint.path().to_owned(),
            query: String::new(),
            body: None,
            key: None,
            may_be_empty: false,
        }
    }

    /// Fills the parameter of the path.
    pub(super) fn of(mut self, parameter: &str) -> Self {
        self.path = path(self.endpoint.path(), parameter);
        self
    }

    /// Adds to the query.
    pub(super) fn query(mut self, key: &str, value: &str) -> Self {
        let mut query = Serializer::new(std::mem::take(&mut self.query));
        self.query = query.append_pair(key, value).finish();
        self
    }

    /// The JSON to send.
    pub(super) fn json(self, body: &Value) -> Self {
        self.body(body.to_string().into_bytes())
    }

    /// The bytes to send.
    pub(super) fn body(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    /// The idempotency key of a bulk write.
    pub(super) fn key(mut self, key: &'a str) -> Self {
        self.key = Some(key);
        self
    }

    /// Success may come without a body, which then reads as null.
    pub(super) fn may_be_empty(mut self) -> Self {
        self.may_be_empty = true;
        self
    }

    /// How messages call it: method and path, without the query.
    fn name(&self) -> String {
        format!("{} {}", self.endpoint.method().name(), self.path)
    }

    /// The step that it is, for those who kill the program there.
    fn step(&self) -> Step {
        match self.endpoint.kind() {
            Kind::Bulk => Step::Submit,
            Kind::Single => Step::Create,
            Kind::Read if self.endpoint == Endpoint::GetTask => Step::Poll,
            Kind::Read => Step::LookUp,
        }
    }
}

/// What was read, with the answer's trace id.
type Answered<T> = Result<(T, Option<String>), ApiError>;

/// A successful answer's JSON lacks this.
pub(super) struct Lacks(pub(super) &'static str);

impl Client {
    /// A client for one site.
    ///
    /// The first one makes `ring` the process's TLS provider, unless it has one.
    ///
    /// # Errors
    /// [`ClientError`] for credentials or a user agent that no header can carry, and where the machine has no
    /// certificates to trust.
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        config.auth.check()?;
        let http = Http::new(&config.site, &config.user_agent, config.timeout)?;
        Ok(Self {
            http,
            site: config.site,
            auth: config.auth,
            contract: config.contract,
            gate: config.gate,
        })
    }

    /// What the API is taken for.
    #[must_use]
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// Points that requests may cost in an hour, where they are known to cost any: those of apps do.
    #[must_use]
    pub fn points_an_hour(&self) -> Option<f64> {
        self.auth.renews().then(|| f64::from(POINTS_AN_HOUR))
    }

    /// Sends one request with credentials and reads its JSON; gives the trace id along. Where the site takes the
    /// access token for expired, which means that nothing was applied, the same request goes out once more with
    /// another token, if there can be one.
    pub(super) async fn call<T>(
        &self,
        request: Request<'_>,
        read: impl Fn(&Value) -> Result<T, Lacks>,
    ) -> Answered<T> {
        self.call_whole(request, |value, _| read(value)).await
    }

    /// The same for whoever wants to see the whole answer: status and headers too.
    pub(super) async fn call_whole<T>(
        &self,
        request: Request<'_>,
        read: impl Fn(&Value, &Answer) -> Result<T, Lacks>,
    ) -> Answered<T> {
        let again = self.auth.renews().then(|| request.clone());
        let (answer, pass) = self.send(request, None, &read).await?;
        let answer = match (answer, again) {
            (Err(error), Some(again)) if error.class == ErrorClass::AuthExpired => {
                self.send(again, Some(&pass), &read).await?.0
            }
            (answer, _) => answer,
        };
        answer.map_err(|error| self.auth.last_word(error))
    }

    /// Sends one request with a pass that is not `stale`; gives what it carried along.
    async fn send<T>(
        &self,
        request: Request<'_>,
        stale: Option<&Pass>,
        read: impl Fn(&Value, &Answer) -> Result<T, Lacks>,
    ) -> Result<(Answered<T>, Pass), ApiError> {
        let endpoint = request.endpoint;
        self.gate.ready(endpoint).await;
        let asked = SystemClock.instant();
        let pass = match stale {
            Some(stale) => self.auth.another(stale, &*self.gate).await?,
            None => None,
        };
        // after the gate, which may have held the request for longer than a token lives
        let pass = match pass {
            Some(pass) => pass,
            None => self.auth.pass(&*self.gate).await?,
        };
        // and the gate once more where getting a token took its time: the site may have asked to wait meanwhile
        if asked.elapsed() > TOKEN_AT_HAND {
            self.gate.ready(endpoint).await;
        }
        let step = request.step();
        step.before();
        let answer = self
            .http
            .call_whole(&self.site, Some(&pass), request, read)
            .await;
        step.after();
        if let Err(error) = &answer {
            self.gate.refused(endpoint, error);
        }
        Ok((answer, pass))
    }
}

/// The HTTP client underneath, which holds no credentials.
pub(super) struct Http {
    client: reqwest::Client,
    timeout: Duration,
}

impl Http {
    /// A client that trusts what the machine trusts and uses its proxy, if any.
    ///
    /// # Errors
    /// [`ClientError::Setup`].
    pub(super) fn new(
        site: &Site,
        user_agent: &str,
        timeout: Duration,
    ) -> Result<Self, ClientError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // fails only if another thread was faster, which is as good
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([
            (ACCEPT, json.clone()),
            (CONTENT_TYPE, json),
            (
                // header names in HTTP/2 are lower case, and equal in HTTP/1.1
                HeaderName::from_bytes(contract::EXPERIMENTAL_API.as_bytes())
                    .map_err(|error| setup(&error))?,
                HeaderValue::from_static(contract::EXPERIMENTAL_OPT_IN),
            ),
        ]);
        // the library repeats only what HTTP/2 says was not processed (REFUSED_STREAM, GOAWAY): that stays
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout / 2))
            .pool_idle_timeout(IDLE_TIMEOUT);
        if site.is_plain() {
            // a machine without certificates can still use the sandbox
            builder = builder.tls_certs_only([]);
        }
        if site.is_local() {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| setup(&error))?;
        Ok(Self { client, timeout })
    }

    /// Sends one request and reads its JSON; gives the trace id along.
    pub(super) async fn call<T>(
        &self,
        site: &Site,
        pass: Option<&Pass>,
        request: Request<'_>,
        read: impl FnOnce(&Value) -> Result<T, Lacks>,
    ) -> Answered<T> {
        self.call_whole(site, pass, request, |value, _| read(value))
            .await
    }

    async fn call_whole<T>(
        &self,
        site: &Site,
        pass: Option<&Pass>,
        request: Request<'_>,
        read: impl FnOnce(&Value, &Answer) -> Result<T, Lacks>,
    ) -> Answered<T> {
        let (name, endpoint) = (request.name(), request.endpoint);
        let may_be_empty = request.may_be_empty;
        let failed = |got: Got<'_>| classify(&name, endpoint, got, SystemClock.unix_millis());
        let answer = self.answer(site, pass, request).await?;
        if !answer.is_success() || answer.cut.is_some() {
            return Err(failed(Got::Answer(&answer)));
        }
        let empty = may_be_empty && answer.body.trim_ascii().is_empty();
        let json = if empty { b"null" } else { &*answer.body };
        // an HTML page is no JSON, so its status cannot make it pass
        match serde_json::from_slice(json) {
            Ok(value) => match read(&value, &answer) {
                Ok(read) => Ok((read, answer.headers.trace_id())),
                Err(Lacks(what)) => Err(failed(Got::Lacking(&answer, what))),
            },
            Err(_) => Err(failed(Got::Answer(&answer))),
        }
    }

    /// Sends one request; an error where no answer came.
    pub(super) async fn answer(
        &self,
        site: &Site,
        pass: Option<&Pass>,
        request: Request<'_>,
    ) -> Result<Answer, ApiError> {
        let (name, endpoint) = (request.name(), request.endpoint);
        self.send(site, pass, request).await.map_err(|error| {
            let now = SystemClock.unix_millis();
            classify(&name, endpoint, self.nothing(&error), now)
        })
    }

    async fn send(
        &self,
        site: &Site,
        pass: Option<&Pass>,
        request: Request<'_>,
    ) -> Result<Answer, reqwest::Error> {
        let mut url = format!("{}{}", site.base(request.endpoint.base()), request.path);
        if !request.query.is_empty() {
            url.push('?');
            url.push_str(&request.query);
        }
        let mut builder = match request.endpoint.method() {
            Method::Get => self.client.get(url),
            Method::Post => self.client.post(url),
            Method::Put => self.client.put(url),
            Method::Delete => self.client.delete(url),
        };
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        builder = match pass {
            Some(Pass::Basic { email, token }) => {
                builder.basic_auth(email, Some(token.expose_secret()))
            }
            Some(Pass::Bearer { token }) => builder.bearer_auth(token.expose_secret()),
            None => builder,
        };
        if let Some(key) = request.key {
            builder = builder.header(contract::IDEMPOTENCY_KEY, key);
        }
        let mut response = builder.send().await?;
        let mut answer = Answer {
            status: response.status().as_u16(),
            headers: Headers::read(|name| joined(response.headers(), name)),
            ..Answer::default()
        };
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if answer.body.len() + chunk.len() > MAX_ANSWER_BYTES => {
                    answer.cut = Some(format!("it is larger than {} MiB", MAX_ANSWER_BYTES >> 20));
                    break;
                }
                Ok(Some(chunk)) => answer.body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => {
                    answer.cut = Some(deepest(&error));
                    break;
                }
            }
        }
        Ok(answer)
    }

    /// What it means that no answer came.
    fn nothing(&self, error: &reqwest::Error) -> Got<'static> {
        if error.is_builder() {
            Got::Unsendable(deepest(error))
        } else if error.is_connect() {
            let server = error.url().and_then(|url| {
                let port = url.port_or_known_default()?;
                Some(format!("{}:{port}", url.host_str()?))
            });
            Got::NoConnection(server.unwrap_or_default(), deepest(error))
        } else if error.is_timeout() {
            Got::TimedOut(self.timeout)
        } else {
            Got::Dropped(deepest(error))
        }
    }
}

/// All values of a header: a list may come in several lines.
fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// The first cause, which says most; never the error itself, which shows the address.
fn deepest(error: &dyn Error) -> String {
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(Error::source) {
        cause = Some(deeper);
    }
    words::line(&cause.map_or_else(|| "the transport failed".to_owned(), ToString::to_string))
}

fn setup(error: &dyn Error) -> ClientError {
    ClientError::Setup {
        why: deepest(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::scripted::{AtOnce, Scripted, Step, answer, client};
    use crate::model::reply::{TaskId, Throttle};
    use std::net::TcpListener;

    const ACCEPTED: &str =
        r#"{"id":"t-1","statusUrl":"https://elsewhere.example/api/v1/tasks/t-1"}"#;

    async fn submit(client: &Client) -> Result<String, ApiError> {
        let body = br#"{"customerProfiles":[]}"#.to_vec();
        Ok(client
            .submit(Endpoint::BulkCustomerProfiles, body, "run-1/0")
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
            assert!(shown.ends_with(
                "a redirect to 127.0.0.1, which is not followed; check the site's address"
            ));
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
            .submit(Endpoint::BulkCustomerProfiles, Vec::new(), "a\nb")
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
}
