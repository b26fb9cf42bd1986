//! The site over HTTP: every endpoint of the contract, family by family, and an inspection of the site.
//!
//! Duty: check what belongs to the transport (credentials, cloud id, headers, sizes), read requests, write answers.
//! Must not know: the site's rules.

mod admin;
mod bulk;
mod customers;
mod entitlements;
mod fields;
mod jira;
mod organizations;
mod products;
mod receive;

use super::keeper::Desk;
use super::policy::Policy;
use super::site::{Refusal, Site};
use crate::api::contract::{self, Endpoint, Method, answer};
use crate::model::clock::UnixMillis;
use axum::Router;
use axum::extract::{RawPathParams, Request, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{MethodFilter, get, on};
use serde_json::{Value, json};
use std::sync::Arc;

/// What every handler may use.
#[derive(Clone)]
struct Shared {
    desk: Desk,
    policy: Arc<Policy>,
    cloud_id: Arc<str>,
}

/// The routes of a site.
pub(super) fn router(desk: Desk, policy: Policy, cloud_id: &str) -> Router {
    let shared = Shared {
        desk,
        policy: Arc::new(policy),
        cloud_id: cloud_id.into(),
    };
    let guarded = middleware::from_fn_with_state(shared.clone(), guard);
    let api = [
        bulk::routes(),
        customers::routes(),
        organizations::routes(),
        products::routes(),
        entitlements::routes(),
        fields::routes(),
    ];
    let api = all(api)
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(guarded.clone());
    let jira = jira::routes()
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(guarded);
    Router::new()
        .nest(contract::CLOUD_PREFIX, api)
        .nest(contract::JIRA_PREFIX, jira)
        .route(Endpoint::TenantInfo.path(), get(tenant_info))
        .merge(admin::routes())
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .with_state(shared)
}

/// The route of an endpoint: its path and its method, and no other.
fn serve<T: 'static>(endpoint: Endpoint, handler: impl Handler<T, Shared>) -> Router<Shared> {
    let method = match endpoint.method() {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Delete => MethodFilter::DELETE,
    };
    Router::new().route(endpoint.path(), on(method, handler))
}

/// The routes of several endpoints.
fn all(routes: impl IntoIterator<Item = Router<Shared>>) -> Router<Shared> {
    routes.into_iter().fold(Router::new(), Router::merge)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let reason = status.canonical_reason().unwrap_or_default();
        let body = json!({
            (answer::ERROR_MESSAGE): self.message,
            (answer::ERRORS): [reason.to_uppercase().replace([' ', '-'], "_")],
            (answer::STATUS_CODE): status.as_u16(),
        });
        (status, Json(body)).into_response()
    }
}

/// A JSON answer, or the refusal.
type Answered = Result<Json<Value>, Refusal>;
/// An answer without a body, or the refusal.
type Done = Result<StatusCode, Refusal>;

/// Lets in requests that name this site and carry credentials.
async fn guard(
    State(shared): State<Shared>,
    params: RawPathParams,
    request: Request,
    next: Next,
) -> Response {
    if !authorized(&shared.policy, request.headers()) {
        // the gateway's shape of an error, not the API's
        let body = json!({ "code": 401, "message": "Unauthorized" });
        return (StatusCode::UNAUTHORIZED, Json(body)).into_response();
    }
    let cloud_id = params.iter().find(|(name, _)| *name == "cloudId");
    if cloud_id.is_none_or(|(_, id)| id != &*shared.cloud_id) {
        return Refusal::not_found("There is no site with this cloud id").into_response();
    }
    next.run(request).await
}

fn authorized(policy: &Policy, headers: &HeaderMap) -> bool {
    let Some(sent) = headers.get(header::AUTHORIZATION) else {
        return false;
    };
    match &policy.authorization {
        Some(expected) => sent.as_bytes() == expected.as_bytes(),
        None => sent.to_str().is_ok_and(|sent| {
            let (scheme, secret) = sent.split_once(' ').unwrap_or_default();
            let known = ["basic", "bearer"]
                .iter()
                .any(|s| scheme.eq_ignore_ascii_case(s));
            known && !secret.trim().is_empty()
        }),
    }
}

async fn nowhere() -> Refusal {
    Refusal::not_found("There is no such resource")
}

async fn wrong_method() -> Refusal {
    Refusal {
        status: 405,
        message: "The resource has no such method".to_owned(),
    }
}

impl Shared {
    async fn ask(
        &self,
        job: impl FnOnce(&mut Site, &Policy, UnixMillis) -> Result<Value, Refusal> + Send + 'static,
    ) -> Answered {
        self.desk.ask(job).await?.map(Json)
    }

    /// The same for what changes nothing.
    async fn look(
        &self,
        look: impl FnOnce(&Site, &Policy, UnixMillis) -> Result<Value, Refusal> + Send + 'static,
    ) -> Answered {
        self.ask(|site, policy, now| look(site, policy, now)).await
    }

    /// The same where nothing is answered but that it was done.
    async fn tell(
        &self,
        job: impl FnOnce(&mut Site, &Policy, UnixMillis) -> Result<(), Refusal> + Send + 'static,
    ) -> Done {
        self.desk.ask(job).await??;
        Ok(StatusCode::NO_CONTENT)
    }

    /// 412 where the site wants the opt-in and the request has none.
    fn opted_in(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.policy.require_experimental {
            return experimental(headers);
        }
        Ok(())
    }
}

/// 412 where the request has no opt-in.
fn experimental(headers: &HeaderMap) -> Result<(), Refusal> {
    let sent = headers.get(contract::EXPERIMENTAL_API);
    if sent.is_some_and(|value| value == contract::EXPERIMENTAL_OPT_IN) {
        return Ok(());
    }
    Err(Refusal {
        status: 412,
        message: "The experimental opt-in header was not set".to_owned(),
    })
}

type App = State<Shared>;

async fn tenant_info(State(app): App) -> Json<Value> {
    Json(json!({ (contract::TENANT_CLOUD_ID): &*app.cloud_id }))
}

#[cfg(test)]
mod tests;
