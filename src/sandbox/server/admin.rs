//! The inspection of a site, outside of the API: its audit, its records, how much there is.

use super::receive::{Asked, number};
use super::{Answered, App, Shared};
use crate::sandbox::site::{Entity, INSPECTION_PAGE};
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Json;
use axum::routing::get;

pub(super) fn routes() -> Router<Shared> {
    let lists = [
        ("/admin/customers", Entity::Customer),
        ("/admin/organizations", Entity::Organization),
        ("/admin/products", Entity::Product),
        ("/admin/entitlements", Entity::Entitlement),
    ];
    let router = Router::new()
        .route("/admin/audit", get(audit))
        .route("/admin/state", get(counts))
        .route("/admin/violations", get(violations));
    lists.into_iter().fold(router, |router, (path, entity)| {
        let list = move |app: App, asked: Query<Asked>| list(app, asked, entity);
        router.route(path, get(list))
    })
}

async fn audit(State(app): App, Query(asked): Query<Asked>) -> Answered {
    let after = number(asked.after.as_ref()).unwrap_or(0);
    let limit = number(asked.limit.as_ref()).unwrap_or(INSPECTION_PAGE);
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

async fn list(State(app): App, Query(asked): Query<Asked>, entity: Entity) -> Answered {
    let limit = number(asked.limit.as_ref()).unwrap_or(INSPECTION_PAGE);
    app.ask(move |site, _, _| Ok(site.list(entity, asked.after.as_deref(), limit)))
        .await
}
