//! Products.

use super::receive::{Asked, Id, Received, number};
use super::{Answered, App, Done, Shared, all, serve};
use crate::api::contract::{Endpoint, keys};
use crate::sandbox::site::requests::Named;
use crate::sandbox::site::{Entity, required};
use axum::Router;
use axum::extract::{Query, State};

pub(super) fn routes() -> Router<Shared> {
    all([
        serve(Endpoint::ListProducts, list),
        serve(Endpoint::CreateProduct, create),
        serve(Endpoint::GetProduct, product),
        serve(Endpoint::RenameProduct, rename),
        serve(Endpoint::DeleteProduct, delete),
    ])
}

async fn list(State(app): App, Query(asked): Query<Asked>) -> Answered {
    let limit = number(asked.limit.as_ref());
    app.look(move |site, _, _| site.products(limit, asked.cursor.as_deref()))
        .await
}

async fn create(State(app): App, Received(body): Received<Named>) -> Answered {
    let name = required(body.name, keys::NAME)?;
    app.ask(move |site, _, now| {
        let id = site.create_product(now, &name)?;
        site.product(&id)
    })
    .await
}

async fn product(State(app): App, Id(id): Id) -> Answered {
    app.look(move |site, _, _| site.product(&id)).await
}

async fn rename(State(app): App, Id(id): Id, Received(body): Received<Named>) -> Answered {
    let name = required(body.name, keys::NAME)?;
    app.ask(move |site, _, now| {
        site.rename_product(now, &id, &name)?;
        site.product(&id)
    })
    .await
}

async fn delete(State(app): App, Id(id): Id) -> Done {
    app.tell(move |site, now| site.delete(now, Entity::Product, &id))
        .await
}
