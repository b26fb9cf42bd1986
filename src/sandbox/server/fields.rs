//! The detail fields of customers, organizations and entitlements.

use super::receive::{Id, Received};
use super::{App, Shared, all, serve};
use crate::api::contract::Endpoint;
use crate::sandbox::site::Entity;
use crate::sandbox::site::requests::{ChangedField, NewField};
use axum::Router;
use axum::extract::State;

pub(super) fn routes() -> Router<Shared> {
    all([
        of(
            Entity::Customer,
            Endpoint::ListCustomerDetailFields,
            Endpoint::CreateCustomerDetailField,
            Endpoint::EditCustomerDetailField,
            Endpoint::DeleteCustomerDetailField,
        ),
        of(
            Entity::Organization,
            Endpoint::ListOrganizationDetailFields,
            Endpoint::CreateOrganizationDetailField,
            Endpoint::EditOrganizationDetailField,
            Endpoint::DeleteOrganizationDetailField,
        ),
        of(
            Entity::Entitlement,
            Endpoint::ListEntitlementDetailFields,
            Endpoint::CreateEntitlementDetailField,
            Endpoint::EditEntitlementDetailField,
            Endpoint::DeleteEntitlementDetailField,
        ),
    ])
}

/// The four calls about the fields of one kind of record.
fn of(
    entity: Entity,
    list: Endpoint,
    create: Endpoint,
    edit: Endpoint,
    delete: Endpoint,
) -> Router<Shared> {
    all([
        serve(list, move |State(app): App| async move {
            app.ask(move |site, _, _| Ok(site.detail_fields(entity)))
                .await
        }),
        serve(
            create,
            move |State(app): App, Received(body): Received<NewField>| async move {
                let field = body.field()?;
                app.ask(move |site, _, now| site.define(now, entity, field))
                    .await
            },
        ),
        serve(
            edit,
            move |State(app): App, Id(name): Id, Received(body): Received<ChangedField>| async move {
                let edit = body.edit()?;
                app.ask(move |site, _, now| site.edit_field(now, entity, &name, edit))
                    .await
            },
        ),
        serve(delete, move |State(app): App, Id(name): Id| async move {
            app.tell(move |site, now| site.remove_field(now, entity, &name))
                .await
        }),
    ])
}
