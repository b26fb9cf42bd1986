//! The login server over HTTP, the sites that a token may use, and the check of every request's token.

use crate::api::contract::oauth::{self, keys as oauth_keys};
use crate::api::contract::{Endpoint, answer, keys};
use crate::model::clock::{Clock, UnixMillis};
use crate::sandbox::tokens::{NotLetIn, TokenPolicy, Tokens, endpoint};
use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// Who checks tokens, and gives them.
#[derive(Clone)]
pub(super) struct Doorman {
    tokens: Arc<Mutex<Tokens>>,
    clock: Arc<dyn Clock>,
    cloud_id: Arc<str>,
}

impl Doorman {
    pub(super) fn new(policy: TokenPolicy, clock: Arc<dyn Clock>, cloud_id: &str) -> Self {
        Self {
            tokens: Arc::new(Mutex::new(Tokens::new(policy))),
            clock,
            cloud_id: cloud_id.into(),
        }
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> UnixMillis {
        self.clock.unix_millis()
    }

    /// The answer to a request below the cloud prefix that is not let in.
    pub(super) fn refusal(&self, request: &Request) -> Option<Response> {
        let path = request.uri().path();
        let below = ["/api/v1/", "/rest/"]
            .iter()
            .find_map(|root| path.find(root));
        let path = below.map_or(path, |start| &path[start..]);
        let endpoint = endpoint(request.method().as_str(), path);
        let authorization = authorization(request.headers());
        let checked = self.tokens().check(self.now(), authorization, endpoint);
        checked.err().map(NotLetIn::into_response)
    }

    /// The routes of the login server, and what tests may do to it.
    pub(super) fn routes(self) -> Router {
        Router::new()
            .route(oauth::AUTHORIZE, get(authorize))
            .route(Endpoint::Token.path(), post(token))
            .route(Endpoint::AccessibleResources.path(), get(resources))
            .route("/admin/tokens", get(counts))
            .route("/admin/tokens/expire", post(expire))
            .route("/admin/tokens/revoke", post(revoke))
            .with_state(self)
    }
}

fn authorization(headers: &HeaderMap) -> &str {
    let sent = headers.get(header::AUTHORIZATION);
    sent.and_then(|sent| sent.to_str().ok()).unwrap_or_default()
}

impl IntoResponse for NotLetIn {
    fn into_response(self) -> Response {
        let (message, mark) = match self {
            Self::Unauthorized => ("Unauthorized", None),
            Self::Rejected => (
                "Unauthorized",
                Some(("x-seraph-loginreason", "AUTHENTICATED_FAILED")),
            ),
            Self::Mismatch => (
                "Unauthorized",
                Some(("x-failure-category", "FAILURE_CLIENT_AUTH_MISMATCH")),
            ),
            Self::Scope => (
                "Unauthorized; scope does not match",
                Some(("x-failure-category", "FAILURE_CLIENT_SCOPE_CHECK")),
            ),
        };
        // the gateway's shape of an error, not the API's
        let body = Json(json!({ "code": 401, "message": message }));
        let mut response = (StatusCode::UNAUTHORIZED, body).into_response();
        if let Some((name, value)) = mark {
            let name = HeaderName::from_static(name);
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

async fn authorize(
    State(doorman): State<Doorman>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let code = Uuid::new_v4().simple().to_string();
    let (now, mut tokens) = (doorman.now(), doorman.tokens());
    match tokens.authorize(now, &query, &code) {
        Ok(address) => (StatusCode::FOUND, [(header::LOCATION, address)]).into_response(),
        Err(why) => (StatusCode::BAD_REQUEST, why).into_response(),
    }
}

async fn token(State(doorman): State<Doorman>, Json(body): Json<Value>) -> Response {
    let fresh = || Uuid::new_v4().simple().to_string();
    let given = doorman.tokens().exchange(doorman.now(), &body, fresh);
    match given {
        Ok(given) => Json(given).into_response(),
        Err(not) => {
            let status = StatusCode::from_u16(not.status).unwrap_or(StatusCode::FORBIDDEN);
            let body = json!({
                (oauth_keys::ERROR): not.error,
                (oauth_keys::ERROR_DESCRIPTION): not.description,
            });
            (status, Json(body)).into_response()
        }
    }
}

/// One site, with an entry for each of two products, as the platform does.
async fn resources(State(doorman): State<Doorman>, headers: HeaderMap) -> Response {
    let scopes = match doorman
        .tokens()
        .let_in(doorman.now(), authorization(&headers))
    {
        Ok(Some(scopes)) => scopes.clone(),
        Ok(None) => [oauth::scopes(false), oauth::scopes(true)]
            .into_iter()
            .flatten()
            .collect(),
        Err(not) => return not.into_response(),
    };
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let entry = |scopes: &[String]| {
        json!({
            (answer::ID): &*doorman.cloud_id,
            (keys::NAME): "sandbox",
            (oauth_keys::URL): format!("http://{}", host.unwrap_or_default()),
            (oauth_keys::SCOPES): scopes,
        })
    };
    Json(json!([entry(&scopes), entry(&[])])).into_response()
}

async fn counts(State(doorman): State<Doorman>) -> Json<Value> {
    Json(doorman.tokens().counts())
}

async fn expire(State(doorman): State<Doorman>) -> Json<Value> {
    doorman.tokens().expire(doorman.now());
    counts(State(doorman)).await
}

async fn revoke(State(doorman): State<Doorman>) -> Json<Value> {
    doorman.tokens().revoke(doorman.now());
    counts(State(doorman)).await
}
