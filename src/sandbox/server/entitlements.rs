//! Entitlements: given to customers and organizations, read, described and taken away.

use super::receive::{Asked, Id, Received};
use super::{Answered, App, Done, Shared, all, experimental, serve};
use crate::api::contract::{Endpoint, Name, keys};
use crate::sandbox::site::requests::{Entitle, Values};
use crate::sandbox::site::{Entity, required};
use axum::Router;
use axum::extract::{Query, State};
use axum::http::HeaderMap;

pub(super) fn routes() -> Router<Shared> {
    all([
        serve(Endpoint::ListCustomerEntitlements, of_customer),
        serve(Endpoint::ListOrganizationEntitlements, of_organization),
        give(Endpoint::CreateCustomerEntitlement, Entity::Customer),
        give(
            Endpoint::CreateOrganizationEntitlement,
            Entity::Organization,
        ),
        serve(Endpoint::GetEntitlement, entitlement),
        serve(Endpoint::DeleteEntitlement, delete),
        serve(Endpoint::SetEntitlementDetail, set_detail),
        serve(Endpoint::ListEntitlements, list),
    ])
}

fn give(endpoint: Endpoint, owner: Entity) -> Router<Shared> {
    serve(
        endpoint,
        move |State(app): App, Id(id): Id, Received(body): Received<Entitle>| async move {
            let key = app.contract.name(Name::EntitlementProduct);
            let product = required(body.product, key)?.0;
            app.ask(move |site, contract, now| site.give(now, contract, owner, &id, &product))
                .await
        },
    )
}

async fn of_customer(State(app): App, Id(id): Id, Query(asked): Query<Asked>) -> Answered {
    app.look(move |site, contract, _| {
        site.customer_entitlements(contract, &id, asked.product.as_deref())
    })
    .await
}

async fn of_organization(State(app): App, Id(id): Id, Query(asked): Query<Asked>) -> Answered {
    app.look(move |site, contract, _| {
        site.organization_entitlements(contract, &id, asked.product.as_deref())
    })
    .await
}

async fn entitlement(State(app): App, Id(id): Id) -> Answered {
    app.look(move |site, contract, _| site.entitlement(contract, &id))
        .await
}

async fn delete(State(app): App, Id(id): Id) -> Done {
    app.tell(move |site, now| site.delete(now, Entity::Entitlement, &id))
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
    app.ask(move |site, _, now| site.set_detail(now, Entity::Entitlement, &id, &field, values))
        .await
}

async fn list(State(app): App, headers: HeaderMap, Query(asked): Query<Asked>) -> Answered {
    experimental(&headers)?;
    app.look(move |site, contract, _| {
        let owner = (asked.entity_type.as_deref(), asked.entity_id.as_deref());
        let product = asked.product_id.as_deref();
        site.entitlements(contract, owner, product, asked.records())
    })
    .await
}
