//! The login server's one endpoint, with the three things that can be exchanged there for an access token.
//!
//! Duty: one call, one request. Guarantee: an answer that is final is told from one that may pass, and neither shows a
//! secret. Must not know: files, who repeats.

use super::Pass;
use super::access::Access;
use crate::api::classify::{Answer, Got, classify};
use crate::api::client::{Http, Request};
use crate::api::contract::Endpoint;
use crate::api::contract::oauth::{INVALID_GRANT, grant, keys};
use crate::api::error::ClientError;
use crate::api::site::Site;
use crate::api::words::{self, words};
use crate::model::clock::{Clock, UnixMillis};
use crate::model::reply::{ApiError, ErrorClass};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// An app, or a service account's credential. No `Debug`: it is a secret.
#[derive(Clone)]
pub struct App {
    /// Its id, which is no secret.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
}

/// Where and as which app access tokens are asked for.
pub struct Login {
    http: Http,
    server: Site,
    app: App,
    clock: Arc<dyn Clock>,
}

/// What is exchanged.
pub enum Grant<'a> {
    /// A code of the consent page.
    Code {
        /// The code.
        code: &'a SecretString,
        /// Where the page sent it.
        redirect_uri: &'a str,
        /// PKCE's verifier, if the page was given its hash.
        verifier: Option<&'a str>,
    },
    /// A refresh token, which ends with this.
    Refresh(&'a SecretString),
    /// The app's own id and secret.
    ClientCredentials,
}

/// What was given. No `Debug`: it is a secret.
pub struct Granted {
    /// The access token.
    pub access: Access,
    /// The next refresh token.
    pub refresh: Option<SecretString>,
    /// Its scopes; none where the server does not say.
    pub scopes: Vec<String>,
}

/// Why nothing was given.
#[derive(Debug)]
pub struct NotGranted {
    /// `NotSent` or `Throttled`: asking again may help. `AuthWrong`: it cannot.
    pub error: ApiError,
    /// The refresh token or code is not valid (any more).
    pub invalid_grant: bool,
}

impl Login {
    /// A login server: [`LOGIN_ORIGIN`](crate::api::contract::LOGIN_ORIGIN), or one in its place.
    ///
    /// # Errors
    /// [`ClientError`] for an address that is neither https nor on this machine.
    pub fn new(
        origin: &str,
        app: App,
        user_agent: &str,
        timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientError> {
        let server = Site::server(origin)?;
        let http = Http::new(&server, user_agent, timeout)?;
        Ok(Self {
            http,
            server,
            app,
            clock,
        })
    }

    pub(super) fn now(&self) -> UnixMillis {
        self.clock.unix_millis()
    }

    /// The app's id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.app.client_id
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &Site {
        &self.server
    }

    /// Asks for an access token. Documented.
    ///
    /// # Errors
    /// [`NotGranted`]. Where no answer came, a refresh token that was sent may have ended; it can be sent again within
    /// [`REUSE_INTERVAL`](crate::api::contract::oauth::REUSE_INTERVAL).
    pub async fn ask(&self, what: Grant<'_>) -> Result<Granted, NotGranted> {
        // the times of a token count from before it was made
        let now = self.now();
        let request = Request::to(Endpoint::Token).json(&self.body(&what));
        let sent = self.http.answer(&self.server, None::<&Pass>, request).await;
        let answer = sent.map_err(may_pass)?;
        if answer.is_success() && answer.cut.is_none() {
            let granted = serde_json::from_slice(&answer.body);
            let granted = granted.ok().and_then(|value| read(&value, now));
            return granted.ok_or_else(|| {
                let what = Got::Lacking(&answer, "an access token");
                may_pass(self.classified(what))
            });
        }
        match answer.status {
            // too early, or about this attempt alone
            408 | 421 | 425 | 429 => Err(may_pass(self.classified(Got::Answer(&answer)))),
            300..=499 => Err(refused(&answer)),
            _ => Err(may_pass(self.classified(Got::Answer(&answer)))),
        }
    }

    fn classified(&self, got: Got<'_>) -> ApiError {
        classify(&Endpoint::Token.name(), Endpoint::Token, got, self.now())
    }

    fn body(&self, what: &Grant<'_>) -> Value {
        let mut body = json!({
            keys::CLIENT_ID: self.app.client_id,
            keys::CLIENT_SECRET: self.app.client_secret.expose_secret(),
        });
        match what {
            Grant::Code {
                code,
                redirect_uri,
                verifier,
            } => {
                body[keys::GRANT_TYPE] = grant::AUTHORIZATION_CODE.into();
                body[keys::CODE] = code.expose_secret().into();
                body[keys::REDIRECT_URI] = (*redirect_uri).into();
                if let Some(verifier) = verifier {
                    body[keys::CODE_VERIFIER] = (*verifier).into();
                }
            }
            Grant::Refresh(token) => {
                body[keys::GRANT_TYPE] = grant::REFRESH_TOKEN.into();
                body[keys::REFRESH_TOKEN] = token.expose_secret().into();
            }
            Grant::ClientCredentials => {
                body[keys::GRANT_TYPE] = grant::CLIENT_CREDENTIALS.into();
            }
        }
        body
    }
}

/// Whoever needed the token has sent nothing yet.
fn may_pass(mut error: ApiError) -> NotGranted {
    if !matches!(error.class, ErrorClass::Throttled { .. }) {
        error.class = ErrorClass::NotSent;
    }
    NotGranted {
        error,
        invalid_grant: false,
    }
}

/// An answer that the same question always gets.
fn refused(answer: &Answer) -> NotGranted {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let text = |key: &str| Some(body.as_ref()?.get(key)?.as_str()?.to_owned());
    let code = text(keys::ERROR);
    let invalid_grant = code.as_deref() == Some(INVALID_GRANT);
    let message = match (&code, text(keys::ERROR_DESCRIPTION)) {
        (Some(code), Some(why)) => words::line(&format!("{code}: {}", why.trim_end_matches('.'))),
        (Some(code), None) => words::line(code),
        (None, _) => words(answer.headers.get("content-type"), &answer.body)
            .text()
            .to_owned(),
    };
    let message = if invalid_grant {
        message
    } else {
        format!("{message}; check the client id and its secret, and the login server's address")
    };
    NotGranted {
        error: ApiError {
            class: ErrorClass::AuthWrong,
            request: Endpoint::Token.name(),
            status: Some(answer.status),
            message,
            trace_id: answer.headers.trace_id(),
        },
        invalid_grant,
    }
}

fn read(value: &Value, now: UnixMillis) -> Option<Granted> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let token = text(keys::ACCESS_TOKEN).filter(|token| !token.is_empty())?;
    let seconds = value.get(keys::EXPIRES_IN).and_then(Value::as_u64)?;
    let life = Duration::from_secs(seconds);
    Some(Granted {
        access: Access {
            token: token.into(),
            expires_at: now.saturating_add(super::access::millis(life)),
            life,
        },
        refresh: text(keys::REFRESH_TOKEN).map(SecretString::from),
        scopes: text(keys::SCOPE)
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::scripted::{Scripted, Step, answer};
    use crate::model::clock::SystemClock;
    use std::fmt::Write as _;

    fn login(server: &Scripted) -> Login {
        let app = App {
            client_id: "app".to_owned(),
            client_secret: "app-s3cret".into(),
        };
        let timeout = Duration::from_secs(10);
        Login::new(&server.origin, app, "x", timeout, Arc::new(SystemClock)).expect("usable")
    }

    #[tokio::test]
    async fn each_grant_has_its_documented_body() {
        let code = "c0de".into();
        let refresh = "old".into();
        for (what, expected) in [
            (
                Grant::Code {
                    code: &code,
                    redirect_uri: "http://localhost:1/callback",
                    verifier: Some("v"),
                },
                json!({ "grant_type": "authorization_code", "client_id": "app", "client_secret": "app-s3cret",
                    "code": "c0de", "redirect_uri": "http://localhost:1/callback", "code_verifier": "v" }),
            ),
            (
                Grant::Refresh(&refresh),
                json!({ "grant_type": "refresh_token", "client_id": "app", "client_secret": "app-s3cret",
                    "refresh_token": "old" }),
            ),
            (
                Grant::ClientCredentials,
                json!({ "grant_type": "client_credentials", "client_id": "app", "client_secret": "app-s3cret" }),
            ),
        ] {
            let server = Scripted::json(
                200,
                r#"{"access_token":"a","refresh_token":"new","expires_in":3600,"scope":"x y","token_type":"Bearer"}"#,
            );
            let granted = login(&server).ask(what).await.expect("granted");
            assert_eq!(granted.access.token.expose_secret(), "a");
            assert_eq!(granted.access.life, Duration::from_hours(1));
            assert_eq!(granted.refresh.expect("a token").expose_secret(), "new");
            assert_eq!(granted.scopes, ["x", "y"]);
            let seen = server.seen().remove(0);
            assert_eq!(seen.line(), "POST /oauth/token HTTP/1.1");
            assert_eq!(seen.header("authorization"), None);
            assert_eq!(
                serde_json::from_slice::<Value>(&seen.body).expect("JSON"),
                expected
            );
        }
    }

    #[tokio::test]
    async fn what_is_final_is_told_from_what_may_pass() {
        let mut shown = String::new();
        for (status, headers, body) in [
            (
                403,
                &[][..],
                r#"{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}"#,
            ),
            (
                401,
                &[],
                r#"{"error":"access_denied","error_description":"Unauthorized"}"#,
            ),
            (400, &[], r#"{"error":"invalid_client"}"#),
            (401, &[], "{}"),
            (
                404,
                &[("Content-Type", "text/html")],
                "<title>Not here</title>",
            ),
            (302, &[("Location", "https://elsewhere.example/")], ""),
            (429, &[("Retry-After", "7")], ""),
            (500, &[], r#"{"error":"server_error"}"#),
            (503, &[("Retry-After", "7")], ""),
            (200, &[], r#"{"access_token":""}"#),
            (200, &[], "oops"),
        ] {
            let server =
                Scripted::start(vec![Step::Answer(answer(status, headers, body.as_bytes()))]);
            let token = "r3fresh".into();
            let not = login(&server)
                .ask(Grant::Refresh(&token))
                .await
                .err()
                .expect("refused");
            let kind = if not.invalid_grant {
                " (invalid grant)"
            } else {
                ""
            };
            let _ = writeln!(shown, "{:?}{kind}: {}", not.error.class, not.error);
        }
        assert!(
            !shown.contains("s3cret") && !shown.contains("r3fresh"),
            "{shown}"
        );
        insta::assert_snapshot!(shown, @r#"
        AuthWrong (invalid grant): POST /oauth/token was answered 403: invalid_grant: Unknown or invalid refresh token
        AuthWrong: POST /oauth/token was answered 401: access_denied: Unauthorized; check the client id and its secret, and the login server's address
        AuthWrong: POST /oauth/token was answered 400: invalid_client; check the client id and its secret, and the login server's address
        AuthWrong: POST /oauth/token was answered 401: JSON without a message; check the client id and its secret, and the login server's address
        AuthWrong: POST /oauth/token was answered 404: an HTML page ("Not here"); check the client id and its secret, and the login server's address
        AuthWrong: POST /oauth/token was answered 302: an empty answer; check the client id and its secret, and the login server's address
        Throttled { after: Some(7s), scope: Quota }: POST /oauth/token was answered 429: an empty answer
        NotSent: POST /oauth/token was answered 500: server_error
        Throttled { after: Some(7s), scope: Quota }: POST /oauth/token was answered 503: an empty answer
        NotSent: POST /oauth/token was answered 200: JSON without an access token, which the API should give
        NotSent: POST /oauth/token was answered 200: JSON without an access token, which the API should give
        "#);
    }

    #[tokio::test]
    async fn no_connection_may_pass() {
        let origin = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            format!("http://{}", listener.local_addr().expect("bound"))
        };
        let app = App {
            client_id: "app".to_owned(),
            client_secret: "s".into(),
        };
        let login = Login::new(
            &origin,
            app,
            "x",
            Duration::from_secs(5),
            Arc::new(SystemClock),
        );
        let not = login
            .expect("usable")
            .ask(Grant::ClientCredentials)
            .await
            .err()
            .expect("refused");
        assert_eq!(not.error.class, ErrorClass::NotSent);
    }
}
