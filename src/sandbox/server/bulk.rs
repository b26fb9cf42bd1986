//! Bulk requests and their tasks.

use super::receive::{Id, JsonBytes};
use super::{Answered, App, Shared, all, serve};
use crate::api::contract::{Endpoint, IDEMPOTENCY_KEY};
use crate::sandbox::policy::Policy;
use crate::sandbox::site::{Bulk, Refusal, Site, Submission};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};

/// Where each kind of bulk request goes.
const BULK: [(Endpoint, Bulk); 8] = [
    (Endpoint::BulkCustomerAccounts, Bulk::CustomerAccounts),
    (Endpoint::BulkCustomerProfiles, Bulk::CustomerProfiles),
    (Endpoint::BulkCustomerDetails, Bulk::CustomerDetails),
    (
        Endpoint::BulkCustomerDetailDefinitions,
        Bulk::CustomerFields,
    ),
    (Endpoint::BulkOrganizations, Bulk::Organizations),
    (
        Endpoint::BulkOrganizationProfiles,
        Bulk::OrganizationProfiles,
    ),
    (Endpoint::BulkOrganizationDetails, Bulk::OrganizationDetails),
    (
        Endpoint::BulkOrganizationDetailDefinitions,
        Bulk::OrganizationFields,
    ),
];

pub(super) fn routes() -> Router<Shared> {
    let bulk = BULK.map(|(endpoint, bulk)| {
        serve(
            endpoint,
            move |State(app): App, headers: HeaderMap, JsonBytes(body): JsonBytes| async move {
                submit(&app, bulk, &headers, &body).await
            },
        )
    });
    all(bulk).merge(serve(Endpoint::GetTask, task))
}

async fn submit(
    app: &Shared,
    bulk: Bulk,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Refusal> {
    app.opted_in(headers)?;
    let key = headers
        .get(IDEMPOTENCY_KEY)
        .and_then(|key| key.to_str().ok());
    let key = key.map(str::trim).filter(|key| !key.is_empty());
    let key =
        key.ok_or_else(|| Refusal::bad_request(format!("{IDEMPOTENCY_KEY} header is required")))?;
    let submission = Submission::read(&app.contract, bulk, key.to_owned(), body);
    let judge = |site: &mut Site, policy: &Policy, now| site.submit(policy, now, submission);
    let task = app.desk.ask(judge).await??;
    let status = StatusCode::from_u16(app.policy.submit_status).unwrap_or(StatusCode::ACCEPTED);
    Ok((status, Json(task)).into_response())
}

async fn task(State(app): App, headers: HeaderMap, Id(id): Id) -> Answered {
    app.opted_in(&headers)?;
    app.ask(move |site, _, now| site.task(now, &id)).await
}
