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
mod login;
mod organizations;
mod products;
mod receive;

use super::faults::{Faults, misbehave};
use super::keeper::Desk;
use super::policy::Policy;
use super::site::{Refusal, Site};
use super::tokens::{NotLetIn, TokenPolicy};
use crate::api::contract::{self, Contract, Endpoint, Method, answer};
use crate::model::clock::{Clock, UnixMillis};
use axum::Router;
use axum::extract::{RawPathParams, Request, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{MethodFilter, get, on};
use login::Doorman;
use serde_json::{Value, json};
use std::sync::Arc;

/// What every handler may use.
#[derive(Clone)]
struct Shared {
    desk: Desk,
    policy: Arc<Policy>,
    contract: Arc<Contract>,
    cloud_id: Arc<str>,
    faults: Arc<Faults>,
    doorman: Option<Doorman>,
}

/// The routes of a site.
pub(super) fn router(
    desk: Desk,
    policy: Policy,
    contract: Arc<Contract>,
    cloud_id: &str,
    faults: Faults,
    tokens: Option<(TokenPolicy, Arc<dyn Clock>)>,
) -> Router {
    let doorman = tokens.map(|(tokens, clock)| Doorman::new(tokens, clock, cloud_id));
    let login = doorman.clone().map(Doorman::routes);
    let shared = Shared {
        desk,
        policy: Arc::new(policy),
        contract,
        cloud_id: cloud_id.into(),
        faults: Arc::new(faults),
        doorman,
    };
    let misbehaving = middleware::from_fn_with_state(Arc::clone(&shared.faults), misbehave);
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
        .layer(guarded.clone())
        .layer(misbehaving.clone());
    let jira = jira::routes()
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(guarded)
        .layer(misbehaving);
    Router::new()
        .nest(contract::CLOUD_PREFIX, api)
        .nest(contract::JIRA_PREFIX, jira)
        .route(Endpoint::TenantInfo.path(), get(tenant_info))
        .merge(admin::routes())
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .with_state(shared)
        .merge(login.unwrap_or_default())
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
    let refusal = match &shared.doorman {
        Some(doorman) => doorman.refusal(&request),
        None if authorized(&shared.policy, request.headers()) => None,
        None => Some(NotLetIn::Unauthorized.into_response()),
    };
    if let Some(refusal) = refusal {
        return refusal;
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
    /// Asks the site as it is.
    async fn ask(
        &self,
        job: impl FnOnce(&mut Site, &Contract, UnixMillis) -> Result<Value, Refusal> + Send + 'static,
    ) -> Answered {
        let contract = Arc::clone(&self.contract);
        let job = move |site: &mut Site, _: &Policy, now| job(site, &contract, now);
        self.desk.ask(job).await?.map(Json)
    }

    /// Reads the site as it is seen now.
    async fn look(
        &self,
        look: impl FnOnce(&Site, &Contract, UnixMillis) -> Result<Value, Refusal> + Send + 'static,
    ) -> Answered {
        let contract = Arc::clone(&self.contract);
        let look = move |site: &Site, _: &Policy, now| look(site, &contract, now);
        self.desk.look(look).await?.map(Json)
    }

    /// Asks where nothing is answered but that it was done.
    async fn tell(
        &self,
        job: impl FnOnce(&mut Site, UnixMillis) -> Result<(), Refusal> + Send + 'static,
    ) -> Done {
        self.desk.ask(|site, _, now| job(site, now)).await??;
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
