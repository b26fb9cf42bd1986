//! Single calls about customers.

use super::receive::{Asked, Id, Received, number};
use super::{Answered, App, Done, Shared, all, experimental, serve};
use crate::api::contract::{Endpoint, keys};
use crate::model::entity::Operation;
use crate::sandbox::policy::Policy;
use crate::sandbox::site::requests::{
    CustomerAccount, CustomerProfile, DisplayName, FetchCustomers, NewAccount, Search, Values,
};
use crate::sandbox::site::{Entity, Page, Refusal, Site, required};
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::json;

/// The only thing a profile can be asked to show besides.
const EXPERIENCES: &str = "accessibleCustomerExperiences";

pub(super) fn routes() -> Router<Shared> {
    all([
        serve(Endpoint::CreateCustomerAccount, create_account),
        serve(Endpoint::GetCustomerAccount, account),
        serve(Endpoint::UpdateCustomerAccount, update_account),
        serve(Endpoint::DeleteCustomerAccount, delete_account),
        serve(Endpoint::CreateCustomerProfile, create_profile),
        serve(Endpoint::GetCustomerProfile, profile),
        serve(Endpoint::FetchCustomerProfiles, fetch),
        serve(Endpoint::GetCustomer, customer),
        serve(Endpoint::SetCustomerDetail, set_detail),
        serve(Endpoint::SearchCustomersByDetailField, search),
        serve(Endpoint::ListCustomerExperiences, experiences),
    ])
}

async fn create_account(
    State(app): App,
    Received(NewAccount {
        email,
        display_name,
    }): Received<NewAccount>,
) -> Answered {
    let account = CustomerAccount {
        id: None,
        email: Some(required(email, keys::EMAIL)?),
        display_name,
    };
    let item = account.item(Operation::Create)?;
    app.ask(move |site, _, now| {
        let id = site.put(now, Entity::Customer, &item)?;
        site.account(&id)
    })
    .await
}

async fn account(State(app): App, Id(id): Id) -> Answered {
    app.look(move |site, _, _| site.account(&id)).await
}

async fn update_account(
    State(app): App,
    Id(id): Id,
    Received(body): Received<DisplayName>,
) -> Answered {
    let name = required(body.display_name, keys::DISPLAY_NAME)?;
    app.ask(move |site, _, now| {
        site.name_account(now, &id, name)?;
        site.account(&id)
    })
    .await
}

async fn delete_account(State(app): App, Id(id): Id) -> Done {
    app.tell(move |site, now| site.delete_account(now, &id))
        .await
}

async fn create_profile(State(app): App, Received(body): Received<CustomerProfile>) -> Answered {
    let item = body.item(&app.contract, Operation::Create)?;
    app.ask(move |site, contract, now| {
        let id = site.put(now, Entity::Customer, &item)?;
        site.customer_profile(contract, &id)
    })
    .await
}

async fn profile(State(app): App, Id(id): Id, Query(asked): Query<Asked>) -> Answered {
    app.look(move |site, contract, _| {
        let mut body = site.customer_profile(contract, &id)?;
        if asked.expand.is_some_and(|expand| expand == EXPERIENCES) {
            body[EXPERIENCES] = json!([]);
        }
        Ok(body)
    })
    .await
}

async fn fetch(State(app): App, Received(wanted): Received<FetchCustomers>) -> Answered {
    app.look(move |site, contract, _| site.fetch_customers(contract, wanted))
        .await
}

async fn customer(State(app): App, Id(id): Id) -> Answered {
    app.look(move |site, _, _| site.customer(&id)).await
}

async fn set_detail(
    State(app): App,
    Id(id): Id,
    Query(asked): Query<Asked>,
    Received(body): Received<Values>,
) -> Answered {
    let field = asked.field()?;
    let values = required(body.values, keys::VALUES)?;
    app.ask(move |site, _, now| site.set_detail(now, Entity::Customer, &id, &field, values))
        .await
}

async fn search(
    State(app): App,
    Query(asked): Query<Asked>,
    Received(wanted): Received<Search>,
) -> Answered {
    let page = Page {
        start: number(asked.page.as_ref()),
        limit: number(asked.max_results.as_ref()),
    };
    app.look(move |site, contract, _| site.search(contract, wanted, page))
        .await
}

async fn experiences(
    State(app): App,
    headers: HeaderMap,
    Id(id): Id,
) -> Result<StatusCode, Refusal> {
    experimental(&headers)?;
    let look = move |site: &Site, _: &Policy, _| site.customer_experiences(&id);
    app.desk.look(look).await??;
    Ok(StatusCode::OK)
}
