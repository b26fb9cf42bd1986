//! The site over HTTP: the API below its cloud prefix, the tenant's cloud id, and an inspection of the site.
//!
//! Duty: check what belongs to the transport (credentials, cloud id, headers, sizes), read requests, write answers.
//! Must not know: the site's rules.

mod login;

use super::faults::{Faults, misbehave};
use super::keeper::Desk;
use super::policy::Policy;
use super::site::Entity;
use super::site::{self, INSPECTION_PAGE, Refusal, Site, Submission};
use super::tokens::NotLetIn;
use super::tokens::TokenPolicy;
use crate::api::contract::{self, Endpoint, answer, keys};
use crate::model::clock::{Clock, UnixMillis};
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use login::Doorman;
use serde::Deserialize;
use serde_json::{Value, json};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

/// Bytes a request body may hold; what is read beyond them to let the client see its 413.
const MAX_BODY: usize = 8 * 1024 * 1024;
const MAX_DISCARDED: usize = 64 * 1024 * 1024;

/// What every handler may use.
#[derive(Clone)]
struct Shared {
    desk: Desk,
    policy: Arc<Policy>,
    cloud_id: Arc<str>,
    faults: Arc<Faults>,
    doorman: Option<Doorman>,
}

/// The routes of a site.
pub(super) fn router(
    desk: Desk,
    policy: Policy,
    cloud_id: &str,
    faults: Faults,
    tokens: Option<(TokenPolicy, Arc<dyn Clock>)>,
) -> Router {
    let doorman = tokens.map(|(tokens, clock)| Doorman::new(tokens, clock, cloud_id));
    let login = doorman.clone().map(Doorman::routes);
    let shared = Shared {
        desk,
        policy: Arc::new(policy),
        cloud_id: cloud_id.into(),
        faults: Arc::new(faults),
        doorman,
    };
    let misbehaving = middleware::from_fn_with_state(Arc::clone(&shared.faults), misbehave);
    let guarded = middleware::from_fn_with_state(shared.clone(), guard);
    let api = Router::new()
        .route(Endpoint::BulkCustomerProfiles.path(), post(bulk_customers))
        .route(
            Endpoint::BulkOrganizationProfiles.path(),
            post(bulk_organizations),
        )
        .route(Endpoint::GetTask.path(), get(task))
        .route(
            Endpoint::ListProducts.path(),
            get(products).post(create_product),
        )
        .route(Endpoint::GetProduct.path(), get(product))
        .route(
            Endpoint::CreateOrganization.path(),
            post(create_organization),
        )
        .route(
            Endpoint::FetchOrganizations.path(),
            post(fetch_organizations),
        )
        .route(Endpoint::GetOrganization.path(), get(organization))
        .route(
            Endpoint::GetOrganizationProfile.path(),
            get(organization_profile),
        )
        .route(
            Endpoint::FetchCustomerProfiles.path(),
            post(fetch_customers),
        )
        .route(Endpoint::GetCustomerProfile.path(), get(customer_profile))
        .route(Endpoint::SearchCustomersByDetailField.path(), post(search))
        .route(
            Endpoint::ListCustomerDetailFields.path(),
            get(customer_fields),
        )
        .route(
            Endpoint::ListOrganizationDetailFields.path(),
            get(organization_fields),
        )
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(guarded)
        .layer(misbehaving);
    Router::new()
        .nest(contract::CLOUD_PREFIX, api)
        .route(Endpoint::TenantInfo.path(), get(tenant_info))
        .route("/admin/audit", get(audit))
        .route("/admin/state", get(counts))
        .route("/admin/violations", get(violations))
        .route("/admin/customers", get(customers))
        .route("/admin/organizations", get(organizations))
        .route("/admin/products", get(all_products))
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .with_state(shared)
        .merge(login.unwrap_or_default())
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

/// The body of a request that says it is JSON.
struct JsonBytes(Vec<u8>);

impl<S: Sync> FromRequest<S> for JsonBytes {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let (head, body) = request.into_parts();
        let kind = head
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok());
        let essence = kind
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default();
        let is_json = essence.trim().eq_ignore_ascii_case("application/json");
        let bytes = read_body(body).await?;
        if !is_json {
            return Err(Refusal {
                status: 415,
                message: "Content-Type must be application/json".to_owned(),
            });
        }
        Ok(Self(bytes))
    }
}

async fn read_body(body: Body) -> Result<Vec<u8>, Refusal> {
    let mut body = pin!(body);
    let (mut bytes, mut read) = (Vec::new(), 0);
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|_| Refusal::bad_request("The request body ends too early"))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        read += data.len();
        if read <= MAX_BODY {
            bytes.extend_from_slice(&data);
        } else if read > MAX_DISCARDED {
            break;
        }
    }
    if read > MAX_BODY {
        return Err(Refusal {
            status: 413,
            message: format!("The request body is larger than {MAX_BODY} bytes"),
        });
    }
    Ok(bytes)
}

/// The id in a request's path, percent-decoded.
struct Id(String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let path = path.map_err(|_| Refusal::not_found("There is no such resource"))?;
        Ok(Self(path.0.1))
    }
}

/// What queries may ask for. Numbers that are none count as absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Paging {
    limit: Option<String>,
    cursor: Option<String>,
    after: Option<String>,
    page: Option<String>,
    max_results: Option<String>,
}

fn number(text: Option<&String>) -> Option<usize> {
    text.and_then(|text| text.parse().ok())
}

impl Shared {
    async fn ask(
        &self,
        job: impl FnOnce(&mut Site, &Policy, UnixMillis) -> Result<Value, Refusal> + Send + 'static,
    ) -> Answered {
        self.desk.ask(job).await?.map(Json)
    }

    /// Reads the site as it is seen now.
    async fn look(
        &self,
        look: impl FnOnce(&Site, &Policy, UnixMillis) -> Result<Value, Refusal> + Send + 'static,
    ) -> Answered {
        self.desk.look(look).await?.map(Json)
    }

    /// 412 where the site wants the opt-in and the request has none.
    fn opted_in(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let sent = headers.get(contract::EXPERIMENTAL_API);
        let opted_in = sent.is_some_and(|value| value == contract::EXPERIMENTAL_OPT_IN);
        if opted_in || !self.policy.require_experimental {
            return Ok(());
        }
        Err(Refusal {
            status: 412,
            message: "The experimental opt-in header was not set".to_owned(),
        })
    }

    async fn bulk(
        &self,
        entity: Entity,
        headers: &HeaderMap,
        body: Vec<u8>,
    ) -> Result<Response, Refusal> {
        self.opted_in(headers)?;
        let key = headers
            .get(contract::IDEMPOTENCY_KEY)
            .and_then(|key| key.to_str().ok());
        let key = key.map(str::trim).filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| {
            Refusal::bad_request(format!("{} header is required", contract::IDEMPOTENCY_KEY))
        })?;
        let submission = Submission::read(entity, key.to_owned(), body);
        let task = self
            .ask(|site, policy, now| site.submit(policy, now, submission))
            .await?;
        let status =
            StatusCode::from_u16(self.policy.submit_status).unwrap_or(StatusCode::ACCEPTED);
        Ok((status, task).into_response())
    }
}

type App = State<Shared>;

async fn bulk_customers(
    State(app): App,
    headers: HeaderMap,
    JsonBytes(body): JsonBytes,
) -> Result<Response, Refusal> {
    app.bulk(Entity::Customer, &headers, body).await
}

async fn bulk_organizations(
    State(app): App,
    headers: HeaderMap,
    JsonBytes(body): JsonBytes,
) -> Result<Response, Refusal> {
    app.bulk(Entity::Organization, &headers, body).await
}

async fn task(State(app): App, headers: HeaderMap, Id(id): Id) -> Answered {
    app.opted_in(&headers)?;
    app.ask(move |site, _, now| site.task(now, &id)).await
}

async fn products(State(app): App, Query(paging): Query<Paging>) -> Answered {
    let limit = number(paging.limit.as_ref());
    app.look(move |site, _, _| site.products(limit, paging.cursor.as_deref()))
        .await
}

async fn create_product(State(app): App, JsonBytes(body): JsonBytes) -> Answered {
    let name = site::body::<site::Named>(&body)?.name;
    let name = site::required(name, keys::NAME)?;
    app.ask(move |site, _, now| {
        let id = site.create_product(now, &name)?;
        site.product(&id)
    })
    .await
}

async fn product(State(app): App, Id(id): Id) -> Answered {
    app.look(move |site, _, _| site.product(&id)).await
}

async fn create_organization(State(app): App, JsonBytes(body): JsonBytes) -> Answered {
    let name = site::body::<site::Named>(&body)?.name;
    let item = site::Item::create(site::required(name, keys::NAME)?);
    app.ask(move |site, _, now| {
        let written = site.write(now, Entity::Organization, &item);
        let id = written.map_err(|failures| {
            let reasons: Vec<_> = failures.into_iter().map(|failure| failure.error).collect();
            Refusal::bad_request(reasons.join("; "))
        })?;
        site.organization(&id)
    })
    .await
}

async fn organization(State(app): App, Id(id): Id) -> Answered {
    app.look(move |site, _, _| site.organization(&id)).await
}

async fn organization_profile(State(app): App, Id(id): Id) -> Answered {
    app.look(move |site, _, _| site.organization_profile(&id))
        .await
}

async fn fetch_organizations(State(app): App, JsonBytes(body): JsonBytes) -> Answered {
    let wanted = site::body(&body)?;
    app.look(move |site, _, _| site.fetch_organizations(wanted))
        .await
}

async fn fetch_customers(State(app): App, JsonBytes(body): JsonBytes) -> Answered {
    let wanted = site::body(&body)?;
    app.look(move |site, _, _| site.fetch_customers(wanted))
        .await
}

async fn customer_profile(State(app): App, Id(id): Id) -> Answered {
    app.look(move |site, _, _| site.customer_profile(&id)).await
}

async fn search(
    State(app): App,
    Query(paging): Query<Paging>,
    JsonBytes(body): JsonBytes,
) -> Answered {
    let wanted = site::body(&body)?;
    let page = number(paging.page.as_ref()).unwrap_or(0);
    let most = number(paging.max_results.as_ref());
    app.look(move |site, _, _| site.search(wanted, page, most))
        .await
}

async fn customer_fields(State(app): App) -> Answered {
    app.ask(|site, _, _| Ok(site.detail_fields(Entity::Customer)))
        .await
}

async fn organization_fields(State(app): App) -> Answered {
    app.ask(|site, _, _| Ok(site.detail_fields(Entity::Organization)))
        .await
}

async fn tenant_info(State(app): App) -> Json<Value> {
    Json(json!({ (contract::TENANT_CLOUD_ID): &*app.cloud_id }))
}

async fn audit(State(app): App, Query(paging): Query<Paging>) -> Answered {
    let after = number(paging.after.as_ref()).unwrap_or(0);
    let limit = number(paging.limit.as_ref()).unwrap_or(INSPECTION_PAGE);
    app.ask(move |site, _, _| Ok(site.audit(after, limit)))
        .await
}

async fn counts(State(app): App) -> Answered {
    app.ask(|site, _, _| Ok(site.counts())).await
}

async fn violations(State(app): App) -> Answered {
    let mut seen = app.faults.violations();
    seen.extend(app.desk.ask(|site, _, _| site.violations()).await?);
    Ok(Json(seen.into()))
}

async fn customers(app: App, paging: Query<Paging>) -> Answered {
    list(app, paging, Entity::Customer).await
}

async fn organizations(app: App, paging: Query<Paging>) -> Answered {
    list(app, paging, Entity::Organization).await
}

async fn all_products(app: App, paging: Query<Paging>) -> Answered {
    list(app, paging, Entity::Product).await
}

async fn list(State(app): App, Query(paging): Query<Paging>, entity: Entity) -> Answered {
    let limit = number(paging.limit.as_ref()).unwrap_or(INSPECTION_PAGE);
    app.ask(move |site, _, _| Ok(site.list(entity, paging.after.as_deref(), limit)))
        .await
}

#[cfg(test)]
mod tests;
