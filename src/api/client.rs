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
use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
    /// Requests that write, as often as one left.
    writes: AtomicU64,
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
    body: Option<Bytes>,
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
    pub(super) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
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
            writes: AtomicU64::new(0),
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

    /// Requests that write, each counted as often as it left: refused or not, and where no answer came, too. Not counted is
    /// one for which no connection came about.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
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
        if endpoint.kind() != Kind::Read && has_left(&answer) {
            self.writes.fetch_add(1, Ordering::Relaxed);
        }
        if let Err(error) = &answer {
            self.gate.refused(endpoint, error);
        }
        Ok((answer, pass))
    }
}

/// Whether a request was on its way, as far as can be told.
fn has_left<T>(answer: &Answered<T>) -> bool {
    match answer {
        // without an answer: what cannot be built, or finds no connection, is of another class
        Err(error) if error.status.is_none() => error.class == ErrorClass::MaybeApplied,
        _ => true,
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
mod tests;
