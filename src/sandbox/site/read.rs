//! What the site answers when it is read, as JSON of the contract, and what its inspection shows.

use super::entity::Entity;
use super::failure::entity_word;
use super::records::Record;
use super::request::{FetchCustomers, FetchOrganizations, Search, required};
use super::{Failure, Refusal, Site, ids};
use crate::api::contract::{self, answer, keys};
use crate::model::clock::UnixMillis;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

/// Customers a search answers with at most, and where it is not told.
const SEARCH_PAGE: usize = 50;
/// Entries or records a page of an inspection holds at most, and where it is not told.
pub(in crate::sandbox) const INSPECTION_PAGE: usize = 10_000;

/// A time as answers write it.
pub(super) fn rfc3339(at: UnixMillis) -> String {
    DateTime::from_timestamp_millis(at)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl Site {
    /// `GET /tasks/{id}`.
    pub(in crate::sandbox) fn task(&self, now: UnixMillis, id: &str) -> Result<Value, Refusal> {
        let task = self.tasks.by_id(id);
        let gone = || Refusal::not_found("Task not found");
        let task = task.ok_or_else(gone)?;
        let view = task.view(now).ok_or_else(gone)?;
        Ok(json!({
            (answer::ID): id,
            (answer::TYPE): match task.accepted.entity {
                Entity::Customer => "BULK_CUSTOMER_PROFILE_CREATE_UPDATE",
                Entity::Organization | Entity::Product => "BULK_ORGANIZATION_PROFILE_CREATE_UPDATE",
            },
            (answer::STATUS): view.status,
            (answer::FAILURES): view.failures.iter().map(Failure::to_json).collect::<Vec<_>>(),
            (answer::CREATED_AT): rfc3339(task.accepted.at),
            (answer::UPDATED_AT): rfc3339(view.updated),
        }))
    }

    /// `GET /product`: a page of products. A limit out of range counts as the largest.
    pub(in crate::sandbox) fn products(
        &self,
        limit: Option<usize>,
        cursor: Option<&str>,
    ) -> Result<Value, Refusal> {
        let most = contract::MAX_PRODUCT_PAGE;
        let limit = limit.filter(|n| (1..=most).contains(n)).unwrap_or(most);
        let first = match cursor {
            None => 0,
            // the cursor is the id of the last product before it
            Some(id) => {
                1 + self
                    .table(Entity::Product)
                    .by_id(self.cloud, id)
                    .ok_or_else(|| Refusal::bad_request("Invalid cursor"))?
            }
        };
        let count = self.table(Entity::Product).count();
        let end = u32::try_from(limit).map_or(count, |n| first.saturating_add(n).min(count));
        let page: Vec<_> = (first..end)
            .map(|n| self.summary(Entity::Product, n))
            .collect();
        let mut body = json!({ (answer::RESULTS): page });
        if end < count {
            body[answer::NEXT_PAGE_CURSOR] =
                ids::record(self.cloud, Entity::Product, end - 1).into();
        }
        Ok(body)
    }

    /// `GET /product/{id}`.
    pub(in crate::sandbox) fn product(&self, id: &str) -> Result<Value, Refusal> {
        let number = self.find(Entity::Product, id)?;
        Ok(self.summary(Entity::Product, number))
    }

    /// `GET /organization/{id}`.
    pub(in crate::sandbox) fn organization(&self, id: &str) -> Result<Value, Refusal> {
        let number = self.find(Entity::Organization, id)?;
        let mut body = self.summary(Entity::Organization, number);
        let fields = self.fields[Entity::Organization as usize].all();
        let details = &self.table(Entity::Organization).get(number).details;
        let detail = |(place, values): (u8, Vec<String>)| {
            let field = &fields[usize::from(place)];
            let mut detail = field_json(usize::from(place), field);
            detail[keys::VALUES] = values.into();
            detail
        };
        body[keys::DETAILS] = details.values().into_iter().map(detail).collect();
        Ok(body)
    }

    /// `GET /organization/profile/{id}`.
    pub(in crate::sandbox) fn organization_profile(&self, id: &str) -> Result<Value, Refusal> {
        let number = self.find(Entity::Organization, id)?;
        let record = self.table(Entity::Organization).get(number);
        let mut body = self.summary(Entity::Organization, number);
        body[keys::DETAILS] = self.details(Entity::Organization, record);
        body[answer::ENTITLEMENTS] = self.entitlements(Entity::Organization, number);
        Ok(body)
    }

    /// `POST /organization/fetch`: each organization found, once, in the order asked for.
    pub(in crate::sandbox) fn fetch_organizations(
        &self,
        wanted: FetchOrganizations,
    ) -> Result<Value, Refusal> {
        let ids = wanted.ids.unwrap_or_default();
        let names = wanted.names.unwrap_or_default();
        let most = contract::MAX_FETCH_ORGANIZATIONS;
        if !(1..=most).contains(&(ids.len() + names.len())) {
            return Err(Refusal::bad_request(format!(
                "Between 1 and {most} organizations can be fetched"
            )));
        }
        let table = self.table(Entity::Organization);
        let by_id = ids.iter().filter_map(|id| table.by_id(self.cloud, id));
        let by_name = names.iter().filter_map(|name| table.by_name(name));
        let mut found = Vec::new();
        for number in by_id.chain(by_name) {
            if !found.contains(&number) {
                found.push(number);
            }
        }
        let found = found
            .into_iter()
            .map(|n| self.summary(Entity::Organization, n));
        Ok(json!({ (keys::FETCHED_ORGANIZATIONS): found.collect::<Vec<_>>() }))
    }

    /// `GET /customer/profile/{id}`.
    pub(in crate::sandbox) fn customer_profile(&self, id: &str) -> Result<Value, Refusal> {
        Ok(self.customer(self.find(Entity::Customer, id)?))
    }

    /// `POST /customer/profile/fetch`: unknown ids are left out.
    pub(in crate::sandbox) fn fetch_customers(
        &self,
        wanted: FetchCustomers,
    ) -> Result<Value, Refusal> {
        let ids = required(wanted.ids, keys::CUSTOMER_IDS)?;
        let most = contract::MAX_FETCH_CUSTOMERS;
        if !(1..=most).contains(&ids.len()) {
            return Err(Refusal::bad_request(format!(
                "Between 1 and {most} profiles can be fetched"
            )));
        }
        let table = self.table(Entity::Customer);
        let found = ids.iter().filter_map(|id| table.by_id(self.cloud, id));
        let found: Vec<_> = found.map(|number| self.customer(number)).collect();
        Ok(json!({ (answer::PROFILES): found }))
    }

    /// `POST /customer/search-by-detail-field`: the customers that hold all the values, a page of them.
    pub(in crate::sandbox) fn search(
        &self,
        wanted: Search,
        page: usize,
        max_results: Option<usize>,
    ) -> Result<Value, Refusal> {
        let mut criteria = Vec::new();
        for criterion in required(wanted.criteria, keys::DETAIL_FIELDS)? {
            let name = required(criterion.name, keys::NAME)?;
            let value = required(criterion.value, keys::VALUE)?;
            let field = self.fields[Entity::Customer as usize].find(&name);
            let field = field.ok_or_else(|| Refusal::bad_request("Invalid detail field"))?;
            let encoded = Value::from(value.as_str()).to_string();
            criteria.push((field, value, encoded));
        }
        if criteria.is_empty() {
            return Err(Refusal::bad_request("Nothing to search for"));
        }
        let holds = |record: &Record| {
            criteria
                .iter()
                .all(|(_, _, text)| record.details.encoded().contains(text))
                && {
                    let details = record.details.values();
                    criteria.iter().all(|(field, value, _)| {
                        let same =
                            |(n, values): &(u8, Vec<String>)| n == field && values.contains(value);
                        details.iter().any(same)
                    })
                }
        };
        let limit = max_results.unwrap_or(SEARCH_PAGE).clamp(1, SEARCH_PAGE);
        let found: Vec<_> = (0..)
            .zip(self.table(Entity::Customer).all())
            .filter(|(_, record)| holds(record))
            .skip(page.saturating_mul(limit))
            .take(limit)
            .map(|(number, record)| {
                json!({
                    (answer::ID): ids::record(self.cloud, Entity::Customer, number),
                    (keys::NAME): record.display_name,
                    (keys::EMAIL): record.name,
                })
            })
            .collect();
        Ok(json!({ (answer::RESULTS): found }))
    }

    /// `GET /customer/details` and `GET /organization/details`.
    pub(in crate::sandbox) fn detail_fields(&self, entity: Entity) -> Value {
        let fields = self.fields[entity as usize].all().iter().enumerate();
        let fields: Vec<_> = fields
            .map(|(place, field)| field_json(place, field))
            .collect();
        json!({ (answer::RESULTS): fields })
    }

    /// Inspection: the writes after the one with this sequence number (from 1), oldest first.
    ///
    /// A record that has been renamed since is listed with its present key.
    pub(in crate::sandbox) fn audit(&self, after: usize, limit: usize) -> Value {
        let first = after.min(self.audit.len());
        let page = self.audit[first..].iter().take(limit.min(INSPECTION_PAGE));
        let entries: Vec<_> = (first + 1..)
            .zip(page)
            .map(|(sequence, entry)| {
                let table = self.table(entry.entity);
                let task = entry.task.map(|n| ids::task(self.cloud, n));
                json!({
                    "sequence": sequence,
                    "time": rfc3339(entry.at),
                    "entity": entry.entity.name(),
                    "key": table.fold(&table.get(entry.number).name),
                    "operation": if entry.created { "create" } else { "update" },
                    "id": ids::record(self.cloud, entry.entity, entry.number),
                    "task": task.map(|id| id.to_string()),
                    "idempotencyKey": entry.task.and_then(|n| self.tasks.key(n)),
                })
            })
            .collect();
        json!({ "entries": entries, "last": self.audit.len() })
    }

    /// Inspection: how much there is of everything.
    pub(in crate::sandbox) fn counts(&self) -> Value {
        let entitled = [Entity::Customer, Entity::Organization].map(|e| self.table(e).all());
        let entitlements: usize = entitled
            .into_iter()
            .flatten()
            .map(|r| r.products.len())
            .sum();
        json!({
            "cloudId": self.cloud.to_string(),
            "customers": self.table(Entity::Customer).count(),
            "organizations": self.table(Entity::Organization).count(),
            "products": self.table(Entity::Product).count(),
            "entitlements": entitlements,
            "customerDetailFields": self.fields[Entity::Customer as usize].all().len(),
            "organizationDetailFields": self.fields[Entity::Organization as usize].all().len(),
            "tasks": self.tasks.next(),
            "unfinishedTasks": self.tasks.unfinished(),
            "writes": self.audit.len(),
        })
    }

    /// Inspection: the records of one kind whose natural key comes after `after`, by key.
    ///
    /// `next` is the `after` of the next page, null on the last. Records that share a key come on one page.
    pub(in crate::sandbox) fn list(
        &self,
        entity: Entity,
        after: Option<&str>,
        limit: usize,
    ) -> Value {
        let table = self.table(entity);
        let folded = (0_u32..)
            .zip(table.all())
            .map(|(n, r)| (table.fold(&r.name), n));
        let mut rest: Vec<_> = folded
            .filter(|(key, _)| after.is_none_or(|after| **key > *after))
            .collect();
        let limit = limit.clamp(1, INSPECTION_PAGE);
        rest.sort_unstable();
        let mut end = limit.min(rest.len());
        while 0 < end && end < rest.len() && rest[end].0 == rest[end - 1].0 {
            end += 1;
        }
        let page: Vec<_> = rest[..end]
            .iter()
            .map(|(key, number)| {
                let mut body = if entity == Entity::Customer {
                    self.customer(*number)
                } else {
                    self.summary(entity, *number)
                };
                if entity == Entity::Organization {
                    body[keys::DETAILS] = self.details(entity, table.get(*number));
                    body[answer::ENTITLEMENTS] = self.entitlements(entity, *number);
                }
                body["key"] = (**key).into();
                body
            })
            .collect();
        let next = (end < rest.len()).then(|| rest[end - 1].0.as_ref());
        json!({ (answer::RESULTS): page, "next": next })
    }

    fn find(&self, entity: Entity, id: &str) -> Result<u32, Refusal> {
        let number = self.table(entity).by_id(self.cloud, id);
        number.ok_or_else(|| Refusal::not_found(super::failure::not_found(entity)))
    }

    fn summary(&self, entity: Entity, number: u32) -> Value {
        let id = ids::record(self.cloud, entity, number);
        json!({ (answer::ID): id, (keys::NAME): self.table(entity).get(number).name })
    }

    fn customer(&self, number: u32) -> Value {
        let record = self.table(Entity::Customer).get(number);
        let organizations = record.organizations.iter();
        let organizations = organizations.map(|n| self.summary(Entity::Organization, *n));
        let mut body = json!({
            (keys::CUSTOMER_ID): ids::record(self.cloud, Entity::Customer, number),
            (keys::EMAIL): record.name,
            (keys::DETAILS): self.details(Entity::Customer, record),
            (answer::ORGANIZATIONS): organizations.collect::<Vec<_>>(),
            (answer::ENTITLEMENTS): self.entitlements(Entity::Customer, number),
        });
        if let Some(name) = &record.display_name {
            body[keys::DISPLAY_NAME] = (**name).into();
        }
        body
    }

    fn details(&self, entity: Entity, record: &Record) -> Value {
        let fields = self.fields[entity as usize].all();
        let detail = |(place, values): (u8, Vec<String>)| json!({ (keys::NAME): fields[usize::from(place)].name, (keys::VALUES): values });
        record.details.values().into_iter().map(detail).collect()
    }

    fn entitlements(&self, owner: Entity, number: u32) -> Value {
        let products = self.table(owner).get(number).products.iter();
        let entitlement = |product: &u32| {
            json!({
                (answer::ID): ids::entitlement(self.cloud, owner, number, *product).to_string(),
                (answer::PRODUCT): self.summary(Entity::Product, *product),
                (answer::ENTITY): {
                    (answer::TYPE): entity_word(owner),
                    (answer::ID): ids::record(self.cloud, owner, number),
                },
            })
        };
        products.map(entitlement).collect()
    }
}

/// A detail field as the lists of fields show it.
fn field_json(place: usize, field: &super::Field) -> Value {
    let mut kind = json!({ (keys::NAME): field.kind });
    if field.kind.has_options() {
        kind[answer::OPTIONS] = field.options.clone().into();
    }
    json!({
        (keys::NAME): field.name,
        (answer::TYPE): kind,
        (answer::CONFIGURATION): { (answer::POSITION): place },
    })
}
