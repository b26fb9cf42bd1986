//! Single calls about organizations.

use super::receive::{Asked, Id, Received};
use super::{Answered, App, Done, Shared, all, serve};
use crate::api::contract::{Endpoint, keys};
use crate::model::entity::Operation;
use crate::sandbox::site::requests::{
    FetchOrganizationProfiles, FetchOrganizations, Named, OrganizationProfile, Values,
};
use crate::sandbox::site::{Entity, Item, required};
use axum::Router;
use axum::extract::{Query, State};

pub(super) fn routes() -> Router<Shared> {
    all([
        serve(Endpoint::CreateOrganization, create),
        serve(Endpoint::GetOrganization, organization),
        serve(Endpoint::UpdateOrganization, rename),
        serve(Endpoint::DeleteOrganization, delete),
        serve(Endpoint::FetchOrganizations, fetch),
        serve(Endpoint::CreateOrganizationProfile, create_profile),
        serve(Endpoint::GetOrganizationProfile, profile),
        serve(Endpoint::FetchOrganizationProfiles, fetch_profiles),
        serve(Endpoint::SetOrganizationDetail, set_detail),
    ])
}

async fn create(State(app): App, Received(body): Received<Named>) -> Answered {
    let item = Item::create(required(body.name, keys::NAME)?);
    app.ask(move |site, _, now| {
        let id = site.put(now, Entity::Organization, &item)?;
        site.organization(&id)
    })
    .await
}

async fn organization(State(app): App, Id(id): Id) -> Answered {
    app.look(move |site, _, _| site.organization(&id)).await
}

async fn rename(State(app): App, Id(id): Id, Received(body): Received<Named>) -> Answered {
    let name = required(body.name, keys::NAME)?;
    app.ask(move |site, _, now| {
        site.rename_organization(now, &id, name)?;
        site.organization(&id)
    })
    .await
}

async fn delete(State(app): App, Id(id): Id) -> Done {
    app.tell(move |site, now| site.delete(now, Entity::Organization, &id))
        .await
}

async fn fetch(State(app): App, Received(wanted): Received<FetchOrganizations>) -> Answered {
    app.look(move |site, contract, _| site.fetch_organizations(contract, wanted))
        .await
}

async fn create_profile(
    State(app): App,
    Received(body): Received<OrganizationProfile>,
) -> Answered {
    let item = body.item(&app.contract, Operation::Create)?;
    app.ask(move |site, contract, now| {
        let id = site.put(now, Entity::Organization, &item)?;
        site.organization_profile(contract, &id)
    })
    .await
}

async fn profile(State(app): App, Id(id): Id) -> Answered {
    app.look(move |site, contract, _| site.organization_profile(contract, &id))
        .await
}

async fn fetch_profiles(
    State(app): App,
    Received(wanted): Received<FetchOrganizationProfiles>,
) -> Answered {
    app.look(move |site, contract, _| site.fetch_organization_profiles(contract, wanted))
        .await
}

async fn set_detail(
    State(app): App,
    Id(id): Id,
    Query(asked): Query<Asked>,
    Received(body): Received<Values>,
) -> Answered {
    let field = asked.field()?;
    let values = required(body.values, keys::VALUES)?;
    app.ask(move |site, _, now| site.set_detail(now, Entity::Organization, &id, &field, values))
        .await
}
