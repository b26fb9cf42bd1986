//! The calls of the Jira API that a loader falls back to. Their refusals have that API's shape.

use super::receive::{Asked, Id, Received};
use super::{App, Shared, all, serve};
use crate::api::contract::Endpoint;
use crate::sandbox::site::requests::Users;
use crate::sandbox::site::{Refusal, required};
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};

pub(super) fn routes() -> Router<Shared> {
    all([
        serve(Endpoint::SearchUsers, search_users),
        serve(Endpoint::ListServiceDeskOrganizations, organizations),
        serve(Endpoint::AddServiceDeskOrganizationUsers, add_users),
    ])
}

/// A refusal in the words of the Jira API.
struct JiraRefusal(Refusal);

impl From<Refusal> for JiraRefusal {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for JiraRefusal {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!({ "errorMessages": [self.0.message], "errors": {} });
        (status, Json(body)).into_response()
    }
}

async fn search_users(
    State(app): App,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, JiraRefusal> {
    let query = asked.query.unwrap_or_default();
    let lag = app.policy.user_search_lag_ms;
    let found = app.look(move |site, _, now| site.search_users(lag, now, &query));
    Ok(found.await?)
}

async fn organizations(
    State(app): App,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, JiraRefusal> {
    let page = asked.records();
    let listed = app.look(move |site, _, _| Ok(site.service_desk_organizations(page)));
    Ok(listed.await?)
}

async fn add_users(
    State(app): App,
    Id(id): Id,
    Received(body): Received<Users>,
) -> Result<StatusCode, JiraRefusal> {
    let accounts = required(body.ids, "accountIds")?;
    let added = app.tell(move |site, now| site.add_users(now, &id, &accounts));
    Ok(added.await?)
}
