//! Finds a row's record on the site.

use super::row::{Asks, Current};
use crate::api::accounts::Account;
use crate::api::customers::Found as FoundCustomer;
use crate::api::entitlements::Entitlement;
use crate::api::fold;
use crate::api::organizations::Organization;
use crate::api::profiles::{CustomerProfile, OrganizationProfile, Reference};
use crate::api::read::Detail;
use crate::engine::context::Context;
use crate::engine::seen::Target;
use crate::model::entity::Entity;
use crate::model::reply::{ApiError, ErrorClass};

/// Customers of a search's page: of more that share a value, none is taken.
const SEARCHED: usize = 25;

/// What a look for a record gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is there. Of the lists, only those that the look told are known.
    There(Current),
    /// It is not there, as far as the site's reads show what was written.
    Absent,
    /// Nothing can tell.
    Unknown {
        /// What was tried, or why nothing can be.
        tried: String,
        /// Whether a look was made that may yet come to show it, if it is there.
        late: bool,
    },
}

/// Finds records on the site. It repeats its reads while that may help.
pub trait Finder: Send + Sync {
    /// The record with this id; `None` where the site has none.
    ///
    /// # Errors
    /// When the site does not answer, or does not let us ask.
    fn by_id(&self, id: &str) -> impl Future<Output = Result<Option<Current>, ApiError>> + Send;

    /// The record with the row's natural key.
    ///
    /// # Errors
    /// As [`Finder::by_id`].
    fn by_key(&self, asks: &Asks) -> impl Future<Output = Result<Found, ApiError>> + Send;
}

/// Asks the site for each record by itself.
#[derive(Clone, Copy)]
pub struct Looking<'a> {
    context: &'a Context,
    target: &'a Target,
}

impl<'a> Looking<'a> {
    /// For the rows of a stage.
    #[must_use]
    pub const fn new(context: &'a Context, target: &'a Target) -> Self {
        Self { context, target }
    }

    async fn organization(&self, asks: &Asks) -> Result<Found, ApiError> {
        let (Some(name), Some(key)) = (&asks.name, &asks.key) else {
            return Ok(unknown("the row does not say the organization's name"));
        };
        let names = [name.clone()];
        let client = &self.context.client;
        let answer = self
            .context
            .asking()
            .ask(self.target.stage, || client.organizations_by_name(&names))
            .await;
        let mut found = match answer {
            Err(error) if is_no(&error) => {
                return Ok(unknown(&format!(
                    "the look by name was refused: {}",
                    error.message
                )));
            }
            answer => answer?,
        };
        found.retain(|other| fold::name(&other.name) == *key);
        Ok(match (found.pop(), found.is_empty()) {
            (None, _) => Found::Absent,
            (Some(one), true) => Found::There(Current {
                id: one.id,
                key: Some(key.clone()),
                name: Some(one.name),
                ..Current::default()
            }),
            (Some(_), false) => unknown("several organizations have this name"),
        })
    }

    async fn customer(&self, asks: &Asks) -> Result<Found, ApiError> {
        let Some(email) = &asks.email else {
            return Ok(unknown("the row does not say the customer's e-mail"));
        };
        let mut tried = Vec::new();
        let mut late = false;
        if let Some(value) = self.key_value(asks) {
            match self.with_value(value).await {
                Err(error) if is_no(&error) => {
                    tried.push(format!(
                        "the search by detail field was refused: {}",
                        error.message
                    ));
                }
                found => {
                    let found = found?.into_iter().map(|found| (found.id, found.email));
                    if let Some(found) = self.first(asks, found).await? {
                        return Ok(Found::There(found));
                    }
                    late = true;
                    tried.push("no customer with its key_detail has this e-mail".to_owned());
                }
            }
        }
        if !self.context.client.contract().user_search {
            tried.push("[contract] user_search does not allow a search by e-mail".to_owned());
            let tried = tried.join("; ");
            return Ok(Found::Unknown { tried, late });
        }
        let client = &self.context.client;
        let users = self
            .context
            .asking()
            .ask(self.target.stage, || client.users_like(email))
            .await;
        match users {
            Err(error) if is_no(&error) => {
                tried.push(format!(
                    "the search by e-mail was refused: {}",
                    error.message
                ));
                let tried = tried.join("; ");
                Ok(Found::Unknown { tried, late })
            }
            users => {
                let users = users?.into_iter().map(|user| (user.id, user.email));
                let found = self.first(asks, users).await?;
                Ok(found.map_or(Found::Absent, Found::There))
            }
        }
    }

    /// The row's value of the detail field that records are found by.
    fn key_value<'r>(&'r self, asks: &'r Asks) -> Option<(&'r str, &'r str)> {
        let field = self.target.key_detail.as_deref()?;
        let change = asks.details.iter().find(|change| change.field == field)?;
        Some((field, change.values.first()?))
    }

    async fn with_value(&self, value: (&str, &str)) -> Result<Vec<FoundCustomer>, ApiError> {
        let client = &self.context.client;
        let values = [value];
        self.context
            .asking()
            .ask(self.target.stage, || {
                client.customers_with(&values, 0, SEARCHED)
            })
            .await
    }

    /// The first of some customers that has the row's e-mail. One whose e-mail is not told is asked for it.
    async fn first(
        &self,
        asks: &Asks,
        among: impl Iterator<Item = (String, Option<String>)> + Send,
    ) -> Result<Option<Current>, ApiError> {
        for (id, email) in among {
            let email = email.map(|email| fold::email(&email).into_owned());
            if email.is_some() && email != asks.key {
                continue;
            }
            if let Some(found) = self.by_id(&id).await?
                && found.key == asks.key
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

impl Finder for Looking<'_> {
    async fn by_id(&self, id: &str) -> Result<Option<Current>, ApiError> {
        let client = &self.context.client;
        let stage = self.target.stage;
        let found = match self.target.entity {
            Entity::Customer => self
                .context
                .asking()
                .ask(stage, || client.customer_profile(id))
                .await
                .map(Current::from),
            _ => self
                .context
                .asking()
                .ask(stage, || client.organization(id))
                .await
                .map(Current::from),
        };
        match found {
            Err(error) if error.is_not_found() => Ok(None),
            found => found.map(Some),
        }
    }

    async fn by_key(&self, asks: &Asks) -> Result<Found, ApiError> {
        match self.target.entity {
            Entity::Customer => self.customer(asks).await,
            _ => self.organization(asks).await,
        }
    }
}

/// Whether the site answers no to this look alone: searches take permissions that writes do not.
fn is_no(error: &ApiError) -> bool {
    match error.class {
        ErrorClass::Refused => true,
        ErrorClass::AuthWrong => error.status == Some(403),
        _ => false,
    }
}

fn unknown(tried: &str) -> Found {
    Found::Unknown {
        tried: tried.to_owned(),
        late: false,
    }
}

fn pairs(details: Option<Vec<Detail>>) -> Option<Vec<(String, Vec<String>)>> {
    let pair = |detail: Detail| (detail.name, detail.values);
    details.map(|details| details.into_iter().map(pair).collect())
}

/// The ids of the products; `None` where one does not tell which it is.
pub(super) fn products(entitlements: Vec<Entitlement>) -> Option<Vec<String>> {
    let id = |entitlement: Entitlement| Some(entitlement.product?.id);
    entitlements.into_iter().map(id).collect()
}

impl From<CustomerProfile> for Current {
    fn from(profile: CustomerProfile) -> Self {
        let ids = |list: Vec<Reference>| list.into_iter().map(|one| one.id).collect();
        Self {
            id: profile.id,
            key: profile.email.map(|email| fold::email(&email).into_owned()),
            name: profile.name,
            details: pairs(profile.details),
            organizations: profile.organizations.map(ids),
            products: profile.entitlements.and_then(products),
        }
    }
}

impl From<Account> for Current {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            key: account.email.map(|email| fold::email(&email).into_owned()),
            name: account.name,
            ..Self::default()
        }
    }
}

impl From<OrganizationProfile> for Current {
    fn from(profile: OrganizationProfile) -> Self {
        Self {
            id: profile.id,
            key: profile
                .name
                .as_deref()
                .map(|name| fold::name(name).into_owned()),
            name: profile.name,
            details: pairs(profile.details),
            organizations: None,
            products: profile.entitlements.and_then(products),
        }
    }
}

impl From<Organization> for Current {
    fn from(organization: Organization) -> Self {
        Self {
            id: organization.id,
            key: Some(fold::name(&organization.name).into_owned()),
            name: Some(organization.name),
            details: pairs(organization.details),
            ..Self::default()
        }
    }
}
