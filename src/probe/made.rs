//! What the probe made, and its deletion.

use super::session::{Session, has_ended, id_of, may_pass};
use crate::api::contract::{Endpoint, Name, answer, fallback, keys, query};
use crate::api::raw::Inquiry;
use crate::model::entity::Owner;
use crate::model::reply::{ApiError, ErrorClass};
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// Attempts at a deletion.
const ATTEMPTS: u32 = 6;

/// A kind of thing that the probe makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Customer,
    Organization,
    Product,
    Field(Owner),
}

impl Kind {
    fn name(self) -> String {
        match self {
            Self::Customer => "customer".to_owned(),
            Self::Organization => "organization".to_owned(),
            Self::Product => "product".to_owned(),
            Self::Field(owner) => format!("{} detail field", owner.name()),
        }
    }

    const fn deletion(self) -> Endpoint {
        match self {
            Self::Customer => Endpoint::DeleteCustomerAccount,
            Self::Organization => Endpoint::DeleteOrganization,
            Self::Product => Endpoint::DeleteProduct,
            Self::Field(Owner::Customer) => Endpoint::DeleteCustomerDetailField,
            Self::Field(Owner::Organization) => Endpoint::DeleteOrganizationDetailField,
            Self::Field(Owner::Entitlement) => Endpoint::DeleteEntitlementDetailField,
        }
    }
}

/// A thing that was made, or may have been: it is noted before its request leaves.
#[derive(Debug, Clone)]
pub(super) struct Thing {
    pub(super) kind: Kind,
    /// The e-mail or name.
    pub(super) name: String,
    /// The id that deletes it, once it is known; a field goes by its name.
    pub(super) id: Option<String>,
    /// Whether the site may have it: false once its creation was refused.
    pub(super) may_exist: bool,
}

/// What could not be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// What it is, its name, and its id where that is known.
    pub what: String,
    /// Why it is still there.
    pub why: String,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl Session<'_> {
    /// Deletes everything that was made, whether or not a stop was asked for: customers before the organizations and
    /// fields that they refer to.
    pub(super) async fn delete_all(&mut self) -> Vec<Left> {
        self.await_task().await;
        let mut left = Vec::new();
        let mut things = std::mem::take(&mut self.made);
        things.sort_by_key(|thing| match thing.kind {
            Kind::Customer => 0,
            Kind::Organization => 1,
            Kind::Product => 2,
            Kind::Field(_) => 3,
        });
        for thing in things.iter().filter(|thing| thing.may_exist) {
            if let Err(why) = self.delete(thing).await {
                let id = match &thing.id {
                    Some(id) => format!(" (id {id})"),
                    None => String::new(),
                };
                left.push(Left {
                    what: format!("{} {:?}{id}", thing.kind.name(), thing.name),
                    why,
                });
            }
        }
        left
    }

    /// Waits for a task that was left behind by a stop: what it writes is to be deleted too.
    async fn await_task(&mut self) {
        let Some(task) = self.running.take() else {
            return;
        };
        let begun = self.clock.instant();
        let look = Inquiry::to(Endpoint::GetTask).of(&task);
        let mut wait = Duration::from_millis(50);
        while self.since(begun) < self.setup.patience {
            match self.insist(&look).await {
                Ok(task) if has_ended(&task) => return,
                Ok(_) => tokio::time::sleep(wait).await,
                Err(_) => break,
            }
            wait = (wait * 2).min(Duration::from_secs(5));
        }
        self.stuck = Some("a task that was started may still write it".to_owned());
    }

    async fn delete(&self, thing: &Thing) -> Result<(), String> {
        let id = match (&thing.id, thing.kind) {
            (Some(id), _) => id.clone(),
            (None, Kind::Field(_)) => thing.name.clone(),
            (None, _) => match self.look_for(thing).await? {
                Some(id) => id,
                None if self.stuck.is_some() => {
                    return Err("it is not there, but a task that has not ended may still make it: look for it \
                                later"
                        .to_owned());
                }
                None => return Ok(()),
            },
        };
        let inquiry = Inquiry::to(thing.kind.deletion()).of(&id);
        match self.insist(&inquiry).await {
            Ok(_) => Ok(()),
            // by us a moment ago, with a lost answer, or never made
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The id of something whose creation was not answered, if the site has it.
    async fn look_for(&self, thing: &Thing) -> Result<Option<String>, String> {
        let names = &self.contract;
        let (inquiry, list, name) = match thing.kind {
            Kind::Customer => {
                let users =
                    Inquiry::to(Endpoint::SearchUsers).query(query::QUERY, thing.name.as_str());
                (users, "", fallback::EMAIL_ADDRESS)
            }
            Kind::Organization => {
                let key = names.name(Name::FetchOrganizationNames);
                let fetch = Inquiry::to(Endpoint::FetchOrganizations)
                    .body(json!({ key: [thing.name.as_str()] }));
                (fetch, names.name(Name::FetchedOrganizations), keys::NAME)
            }
            Kind::Product => (
                Inquiry::to(Endpoint::ListProducts),
                answer::RESULTS,
                keys::NAME,
            ),
            Kind::Field(_) => return Ok(None),
        };
        // what was written last is seen last
        tokio::time::sleep(self.settling()).await;
        let cannot = |error: ApiError| {
            format!("it may or may not have been made, and cannot be looked for: {error}")
        };
        let body = self.insist(&inquiry).await.map_err(cannot)?;
        let items = if list.is_empty() {
            body.as_array()
        } else {
            body.get(list).and_then(Value::as_array)
        };
        let found = items
            .into_iter()
            .flatten()
            .find(|item| item.get(name).and_then(Value::as_str) == Some(thing.name.as_str()));
        match (found, thing.kind) {
            (Some(item), _) => Ok(id_of(item)),
            // new accounts are found late
            (None, Kind::Customer) => Err(
                "it may or may not have been made; the user search does not find it \
                                           (yet): look for it in some minutes"
                    .to_owned(),
            ),
            (None, _) => Ok(None),
        }
    }

    /// Asks again while the site asks to wait or does not answer; what is asked here does no harm twice.
    async fn insist(&self, inquiry: &Inquiry) -> Result<Value, ApiError> {
        let mut wait = Duration::from_millis(200);
        for _ in 1..ATTEMPTS {
            match self.client.inquire(inquiry).await {
                Ok(whole) => return Ok(whole.body),
                Err(error) if !may_pass(&error) => return Err(error),
                Err(error) => {
                    let asked = match error.class {
                        ErrorClass::Throttled { after, .. } => after.unwrap_or_default(),
                        _ => Duration::ZERO,
                    };
                    tokio::time::sleep(wait.max(asked.min(self.setup.patience))).await;
                    wait *= 2;
                }
            }
        }
        self.client.inquire(inquiry).await.map(|whole| whole.body)
    }
}
