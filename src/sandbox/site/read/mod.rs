//! What the site answers when it is read, as JSON of the contract.

mod catalog;
mod customers;
mod fields;
mod organizations;

pub(super) use fields::definition;

use super::details::Details;
use super::entity::Entity;
use super::failure::{Failure, not_found};
use super::item::CustomerKind;
use super::{Refusal, Site, ids};
use crate::api::contract::{Contract, Name, answer, keys};
use crate::model::clock::UnixMillis;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

/// Where a page starts, and how much it holds; `None` where the request does not say or says nonsense.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::sandbox) struct Page {
    /// Records, or pages, before it.
    pub start: Option<usize>,
    /// Records of it.
    pub limit: Option<usize>,
}

impl Page {
    /// Takes a page out of all; `most` is the largest, and what nobody asked for otherwise.
    fn take<T>(self, all: impl Iterator<Item = T>, most: usize) -> impl Iterator<Item = T> {
        let limit = self.limit.unwrap_or(most).clamp(1, most);
        all.skip(self.start.unwrap_or(0)).take(limit)
    }
}

/// A time as answers write it.
pub(super) fn rfc3339(at: UnixMillis) -> String {
    DateTime::from_timestamp_millis(at)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl Site {
    /// `GET /tasks/{id}`.
    ///
    /// # Errors
    /// When there is no such task, or no longer.
    pub(in crate::sandbox) fn task(&self, now: UnixMillis, id: &str) -> Result<Value, Refusal> {
        let task = self.tasks.by_id(id);
        let gone = || Refusal::not_found("Task not found");
        let task = task.ok_or_else(gone)?;
        let view = task.view(now).ok_or_else(gone)?;
        Ok(json!({
            (answer::ID): ids::task(self.cloud, task.accepted.task).to_string(),
            (answer::TYPE): task.accepted.bulk.task_type(),
            (answer::STATUS): view.status,
            (answer::FAILURES): view.failures.iter().map(Failure::to_json).collect::<Vec<_>>(),
            (answer::CREATED_AT): rfc3339(task.accepted.at),
            (answer::UPDATED_AT): rfc3339(view.updated),
        }))
    }

    /// The number of the record with this id.
    ///
    /// # Errors
    /// 404 when there is none.
    pub(super) fn find(&self, entity: Entity, id: &str) -> Result<u32, Refusal> {
        let number = match entity {
            Entity::Entitlement => ids::entitlement_number(self.cloud, id),
            Entity::Product | Entity::Organization | Entity::Customer => {
                self.table(entity).by_id(self.cloud, id)
            }
        };
        number
            .filter(|number| self.has(entity, *number))
            .ok_or_else(|| Refusal::not_found(not_found(entity)))
    }

    /// The number of the Customer Account with this id.
    ///
    /// # Errors
    /// 404 when there is none, also where the id is an Atlassian account's.
    pub(super) fn find_account(&self, id: &str) -> Result<u32, Refusal> {
        let number = self.find(Entity::Customer, id)?;
        if self.kind(number) == CustomerKind::Atlassian {
            return Err(Refusal::not_found(not_found(Entity::Customer)));
        }
        Ok(number)
    }

    /// The kind of a customer.
    pub(super) fn kind(&self, customer: u32) -> CustomerKind {
        if self.table(Entity::Customer).get(customer).atlassian {
            CustomerKind::Atlassian
        } else {
            CustomerKind::Account
        }
    }

    /// `{id, name}` of an organization or product.
    pub(super) fn summary(&self, entity: Entity, number: u32) -> Value {
        json!({
            (answer::ID): self.id(entity, number),
            (keys::NAME): self.table(entity).get(number).name,
        })
    }

    /// Detail values as profiles show them: `{name, values}`.
    pub(super) fn details(&self, entity: Entity, details: &Details) -> Value {
        let fields = &self.fields[entity as usize];
        let detail = |(number, values): (u16, Vec<String>)| {
            let name = &fields.get(number)?.name;
            Some(json!({ (keys::NAME): name, (keys::VALUES): values }))
        };
        details.values().into_iter().filter_map(detail).collect()
    }

    /// Detail values as records show them: with type and configuration.
    fn full_details(&self, entity: Entity, details: &Details) -> Value {
        let fields = &self.fields[entity as usize];
        let detail = |(number, values): (u16, Vec<String>)| {
            let mut detail = self.field_json(entity, number, fields.get(number)?);
            detail[keys::VALUES] = values.into();
            Some(detail)
        };
        details.values().into_iter().filter_map(detail).collect()
    }

    /// An entitlement that exists.
    pub(super) fn entitlement_json(&self, contract: &Contract, number: u32) -> Option<Value> {
        let entitlement = self.entitlements.get(number)?;
        let grant = entitlement.grant;
        Some(json!({
            (answer::ID): ids::record(self.cloud, Entity::Entitlement, number),
            (answer::PRODUCT): self.summary(Entity::Product, grant.product),
            (answer::ENTITY): {
                (answer::TYPE): owner_word(contract, grant.owner),
                (answer::ID): self.id(grant.owner, grant.number),
            },
            (keys::DETAILS): self.full_details(Entity::Entitlement, &entitlement.details),
        }))
    }

    /// The entitlements of a customer or organization itself.
    pub(super) fn entitlements_json(&self, contract: &Contract, owner: Entity, n: u32) -> Value {
        let own = self.table(owner).get(n).entitlements.iter();
        own.filter_map(|number| self.entitlement_json(contract, *number))
            .collect()
    }
}

/// How the contract calls an entitlement's owner.
fn owner_word(contract: &Contract, owner: Entity) -> &str {
    contract.name(if owner == Entity::Organization {
        Name::EntitlementOrganization
    } else {
        Name::EntitlementCustomer
    })
}
