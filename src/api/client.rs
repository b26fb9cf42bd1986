//! The transport: one request out, one answer in.
//!
//! Guarantee: tokens go to the configured site alone, no redirect is followed, an answer is read to a bound, and
//! nothing is sent a second time once the site may have seen it. Must not know: retries, pacing, what calls mean.

use crate::api::auth::Auth;
use crate::api::classify::{Answer, Got, Headers, Kind, classify};
use crate::api::contract;
use crate::api::error::ClientError;
use crate::api::site::Site;
use crate::api::words;
use crate::model::clock::{Clock, SystemClock};
use crate::model::reply::ApiError;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::error::Error;
use std::fmt;
use std::time::Duration;

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
}

/// A site's API. Each call sends one request; what came back is classified, never repeated.
pub struct Client {
    http: Http,
    site: Site,
    auth: Auth,
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
pub(super) struct Request<'a> {
    /// The path and query below the site's base.
    pub(super) path: &'a str,
    /// What it does.
    pub(super) kind: Kind,
    /// The JSON to `POST`; a `GET` where there is none.
    pub(super) body: Option<Vec<u8>>,
    /// The idempotency key of a bulk write.
    pub(super) key: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// A read by `GET`.
    pub(super) fn get(path: &'a str) -> Self {
        Self {
            path,
            kind: Kind::Read,
            body: None,
            key: None,
        }
    }

    /// A `POST` of a small JSON value.
    pub(super) fn post(path: &'a str, kind: Kind, body: &Value) -> Self {
        Self {
            path,
            kind,
            body: Some(body.to_string().into_bytes()),
            key: None,
        }
    }

    /// How messages call it: method and path, without the query.
    fn name(&self) -> String {
        let method = if self.body.is_some() { "POST" } else { "GET" };
        let path = self
            .path
            .split_once('?')
            .map_or(self.path, |(path, _)| path);
        format!("{method} {path}")
    }
}

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
        })
    }

    /// Sends one request with credentials and reads its JSON; gives the trace id along.
    pub(super) async fn call<T>(
        &self,
        request: Request<'_>,
        read: impl FnOnce(&Value) -> Result<T, Lacks>,
    ) -> Result<(T, Option<String>), ApiError> {
        self.http
            .call(&self.site, Some(&self.auth), request, read)
            .await
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
        auth: Option<&Auth>,
        request: Request<'_>,
        read: impl FnOnce(&Value) -> Result<T, Lacks>,
    ) -> Result<(T, Option<String>), ApiError> {
        let (name, kind) = (request.name(), request.kind);
        let failed = |got: Got<'_>| classify(&name, kind, got, SystemClock.unix_millis());
        let answer = match self.send(site, auth, request).await {
            Ok(answer) => answer,
            Err(error) => return Err(failed(self.nothing(&error))),
        };
        if !answer.is_success() || answer.cut.is_some() {
            return Err(failed(Got::Answer(&answer)));
        }
        // an HTML page is no JSON, so its status cannot make it pass
        match serde_json::from_slice(&answer.body) {
            Ok(value) => match read(&value) {
                Ok(read) => Ok((read, answer.headers.trace_id())),
                Err(Lacks(what)) => Err(failed(Got::Lacking(&answer, what))),
            },
            Err(_) => Err(failed(Got::Answer(&answer))),
        }
    }

    async fn send(
        &self,
        site: &Site,
        auth: Option<&Auth>,
        request: Request<'_>,
    ) -> Result<Answer, reqwest::Error> {
        let url = format!("{}{}", site.base(), request.path);
        let mut builder = match request.body {
            Some(body) => self.client.post(url).body(body),
            None => self.client.get(url),
        };
        builder = match auth {
            Some(Auth::Basic { email, token }) => {
                builder.basic_auth(email, Some(token.expose_secret()))
            }
            Some(Auth::Bearer { token }) => builder.bearer_auth(token.expose_secret()),
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
            Got::NoConnection(deepest(error))
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
