//! The reads that finding records takes, and the time. A site of its own kind, so that tests can make one up.

use super::held::Held;
use crate::api::contract::Contract;
use crate::api::customers::Found;
use crate::api::fallback::{OrganizationPage, User};
use crate::api::lookup::Named;
use crate::engine::asking::Asking;
use crate::model::entity::{Entity, Owner};
use crate::model::reply::{ApiError, DetailField};
use std::time::{Duration, Instant};

/// Customers of a page of a search.
pub(super) const SEARCH_PAGE: usize = 50;

/// What can be read. Each read was repeated while that may help.
pub(super) trait Site: Sync {
    /// What of the API the job says otherwise.
    fn contract(&self) -> &Contract;
    /// The time.
    fn now(&self) -> Instant;
    /// Whether a stop was asked for.
    fn is_stopped(&self) -> bool;
    /// Waits, until a stop is asked for at the longest.
    fn rest(&self, wait: Duration) -> impl Future<Output = ()> + Send;
    /// Customers or organizations by id, at most as many as one request may ask for; unknown ones are left out.
    fn profiles(
        &self,
        entity: Entity,
        ids: &[String],
    ) -> impl Future<Output = Result<Vec<Held>, ApiError>> + Send;
    /// One of them; `Refused` with 404 where there is none.
    fn profile(
        &self,
        entity: Entity,
        id: &str,
    ) -> impl Future<Output = Result<Held, ApiError>> + Send;
    /// A page, from 0, of [`SEARCH_PAGE`] customers that have the value in the detail field.
    fn with_value(
        &self,
        field: &str,
        value: &str,
        page: usize,
    ) -> impl Future<Output = Result<Vec<Found>, ApiError>> + Send;
    /// The users that match an e-mail.
    fn users(&self, email: &str) -> impl Future<Output = Result<Vec<User>, ApiError>> + Send;
    /// Organizations by name, at most as many as one request may ask for; unknown ones are left out.
    fn organizations(
        &self,
        names: &[String],
    ) -> impl Future<Output = Result<Vec<Named>, ApiError>> + Send;
    /// A page of all organizations, from the `start`-th.
    fn organization_page(
        &self,
        start: usize,
    ) -> impl Future<Output = Result<OrganizationPage, ApiError>> + Send;
    /// The detail fields of a kind of record.
    fn detail_fields(
        &self,
        owner: Owner,
    ) -> impl Future<Output = Result<Vec<DetailField>, ApiError>> + Send;
}

/// The site that rows are loaded into.
pub(super) struct Loaded<'a> {
    /// What asking it takes.
    pub asking: Asking<'a>,
    /// The stage that wants to know.
    pub stage: u32,
}

impl Loaded<'_> {
    async fn repeat<T, F>(&self, call: impl Fn() -> F + Sync) -> Result<T, ApiError>
    where
        F: Future<Output = Result<T, ApiError>>,
    {
        self.asking.ask(self.stage, call).await
    }
}

impl Site for Loaded<'_> {
    fn contract(&self) -> &Contract {
        self.asking.client.contract()
    }

    fn now(&self) -> Instant {
        self.asking.clock.instant()
    }

    fn is_stopped(&self) -> bool {
        self.asking.stop.why().is_some()
    }

    async fn rest(&self, wait: Duration) {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.asking.stop.asked() => {}
        }
    }

    async fn profiles(&self, entity: Entity, ids: &[String]) -> Result<Vec<Held>, ApiError> {
        let client = self.asking.client;
        if entity == Entity::Customer {
            let read = || client.customer_profiles(ids);
            let found = self.repeat(read).await?;
            return Ok(found.into_iter().map(Held::from).collect());
        }
        let read = || client.organization_profiles(ids);
        let found = self.repeat(read).await?;
        Ok(found.into_iter().map(Held::from).collect())
    }

    async fn profile(&self, entity: Entity, id: &str) -> Result<Held, ApiError> {
        let client = self.asking.client;
        if entity == Entity::Customer {
            let read = || client.customer_profile(id);
            return self.repeat(read).await.map(Held::from);
        }
        let read = || client.organization_profile(id);
        self.repeat(read).await.map(Held::from)
    }

    async fn with_value(
        &self,
        field: &str,
        value: &str,
        page: usize,
    ) -> Result<Vec<Found>, ApiError> {
        let criteria = [(field, value)];
        let read = || {
            self.asking
                .client
                .customers_with(&criteria, page, SEARCH_PAGE)
        };
        self.repeat(read).await
    }

    async fn users(&self, email: &str) -> Result<Vec<User>, ApiError> {
        let read = || self.asking.client.users_like(email);
        self.repeat(read).await
    }

    async fn organizations(&self, names: &[String]) -> Result<Vec<Named>, ApiError> {
        let read = || self.asking.client.organizations_by_name(names);
        self.repeat(read).await
    }

    async fn organization_page(&self, start: usize) -> Result<OrganizationPage, ApiError> {
        let read = || self.asking.client.service_desk_organizations(start);
        self.repeat(read).await
    }

    async fn detail_fields(&self, owner: Owner) -> Result<Vec<DetailField>, ApiError> {
        let read = || self.asking.client.detail_fields(owner);
        self.repeat(read).await
    }
}
