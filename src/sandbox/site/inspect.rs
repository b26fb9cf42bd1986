//! What an inspection shows: the site's own truth, for tests to compare with. No part of the API.

use super::change::{Grant, Put, Write};
use super::entity::Entity;
use super::read::{definition, rfc3339};
use super::{Audit, Site, ids};
use crate::api::contract::{Contract, answer, keys};
use serde_json::{Map, Value, json};

/// Entries or records a page of an inspection holds at most, and where it is not told.
pub(in crate::sandbox) const INSPECTION_PAGE: usize = 10_000;

impl Site {
    /// The writes after the one with this sequence number (from 1), oldest first, each with what it set.
    ///
    /// A record that has been renamed since is listed with its present key; values of detail fields that have been
    /// deleted since are left out. Detail fields that the seed defined were there before the first write.
    pub(in crate::sandbox) fn audit(&self, after: usize, limit: usize) -> Value {
        let first = after.min(self.audit.len());
        let page = self.audit[first..].iter().take(limit.min(INSPECTION_PAGE));
        let entries: Vec<_> = (first + 1..)
            .zip(page)
            .map(|(sequence, entry)| self.audit_entry(sequence, entry))
            .collect();
        json!({ "entries": entries, "last": self.audit.len() })
    }

    fn audit_entry(&self, sequence: usize, entry: &Audit) -> Value {
        let Ok(write) = serde_json::from_str::<Write>(&entry.write) else {
            return Value::Null;
        };
        let task = entry.task.map(|n| ids::task(self.cloud, n));
        let (entity, key, id, content) = match &write {
            Write::Put(put) => (
                put.entity.name(),
                self.key(put.entity, put.number),
                self.id(put.entity, put.number).into(),
                self.put_content(put),
            ),
            Write::Entitled(number, grant) => (
                Entity::Entitlement.name(),
                self.grant_key(*grant),
                self.id(Entity::Entitlement, *number).into(),
                json!({
                    "owner": self.id(grant.owner, grant.number),
                    "products": [self.id(Entity::Product, grant.product)],
                }),
            ),
            Write::Deleted(entity, number) => (
                entity.name(),
                self.key(*entity, *number),
                self.id(*entity, *number).into(),
                Value::Null,
            ),
            Write::Defined(entity, field) => (
                entity.field_name(),
                field.name.clone(),
                Value::Null,
                definition(field),
            ),
            Write::Edited(entity, _, edit) => {
                let mut content = json!({ (keys::NAME): edit.name });
                if let Some(options) = &edit.options {
                    content[answer::OPTIONS] = options.clone().into();
                }
                let name = edit.name.clone();
                (entity.field_name(), name, Value::Null, content)
            }
            Write::Removed(entity, _, name) => {
                (entity.field_name(), name.clone(), Value::Null, Value::Null)
            }
        };
        json!({
            "sequence": sequence,
            "time": rfc3339(entry.at),
            "entity": entity,
            "key": key,
            "operation": write.verb().audit_word(),
            "id": id,
            "task": task.map(|id| id.to_string()),
            "idempotencyKey": entry.task.and_then(|n| self.tasks.key(n)),
            "content": content,
        })
    }

    /// What a write of a record set: only what it named.
    fn put_content(&self, put: &Put) -> Value {
        let mut content = Map::new();
        let name = match put.entity {
            Entity::Customer => keys::EMAIL,
            Entity::Product | Entity::Organization | Entity::Entitlement => keys::NAME,
        };
        let texts = [(name, &put.name), (keys::DISPLAY_NAME, &put.display_name)];
        for (key, text) in texts {
            if let Some(text) = text {
                content.insert(key.to_owned(), text.as_str().into());
            }
        }
        if !put.details.is_empty() {
            let fields = &self.fields[put.entity as usize];
            let details = put.details.iter().filter_map(|(number, values)| {
                let name = &fields.get(*number)?.name;
                Some(json!({ (keys::NAME): name, (keys::VALUES): values }))
            });
            content.insert(keys::DETAILS.to_owned(), details.collect());
        }
        let lists = [
            ("organizations", Entity::Organization, &put.organizations),
            ("customers", Entity::Customer, &put.customers),
            ("products", Entity::Product, &put.products),
        ];
        for (key, entity, numbers) in lists {
            if !numbers.is_empty() {
                let ids = numbers.iter().map(|number| self.id(entity, *number).into());
                content.insert(key.to_owned(), Value::Array(ids.collect()));
            }
        }
        content.into()
    }

    /// The natural key of a record, which may have been deleted.
    pub(super) fn key(&self, entity: Entity, number: u32) -> String {
        match entity {
            Entity::Entitlement => self
                .entitlements
                .grant(number)
                .map_or_else(String::new, |grant| self.grant_key(grant)),
            Entity::Product | Entity::Organization | Entity::Customer => {
                let table = self.table(entity);
                table.fold(&table.get(number).name).into_owned()
            }
        }
    }

    /// The key of an entitlement: its owner's and its product's.
    fn grant_key(&self, grant: Grant) -> String {
        let owner = self.key(grant.owner, grant.number);
        let product = self.key(Entity::Product, grant.product);
        format!("{owner}/{product}")
    }

    /// How much there is of everything.
    pub(in crate::sandbox) fn counts(&self) -> Value {
        let fields = |entity: Entity| self.fields[entity as usize].count();
        json!({
            "cloudId": self.cloud.to_string(),
            "customers": self.table(Entity::Customer).count(),
            "organizations": self.table(Entity::Organization).count(),
            "products": self.table(Entity::Product).count(),
            "entitlements": self.entitlements.count(),
            "customerDetailFields": fields(Entity::Customer),
            "organizationDetailFields": fields(Entity::Organization),
            "entitlementDetailFields": fields(Entity::Entitlement),
            "tasks": self.tasks.next(),
            "unfinishedTasks": self.tasks.unfinished(),
            "writes": self.audit.len(),
        })
    }

    /// The records of one kind whose natural key comes after `after`, by key.
    ///
    /// `next` is the `after` of the next page, null on the last. Records that share a key come on one page.
    pub(in crate::sandbox) fn list(
        &self,
        entity: Entity,
        after: Option<&str>,
        limit: usize,
    ) -> Value {
        let numbers: Vec<u32> = match entity {
            Entity::Entitlement => self.entitlements.all().map(|(n, _)| n).collect(),
            Entity::Product | Entity::Organization | Entity::Customer => {
                self.table(entity).all().map(|(n, _)| n).collect()
            }
        };
        let keyed = numbers.into_iter().map(|n| (self.key(entity, n), n));
        let mut rest: Vec<_> = keyed
            .filter(|(key, _)| after.is_none_or(|after| **key > *after))
            .collect();
        let limit = limit.clamp(1, INSPECTION_PAGE);
        rest.sort_unstable();
        let mut end = limit.min(rest.len());
        while 0 < end && end < rest.len() && rest[end].0 == rest[end - 1].0 {
            end += 1;
        }
        let contract = Contract::default();
        let page: Vec<_> = rest[..end]
            .iter()
            .map(|(key, number)| {
                let mut body = match entity {
                    Entity::Customer => self.customer_json(&contract, *number),
                    Entity::Organization => self.organization_json(&contract, *number),
                    Entity::Product => self.summary(entity, *number),
                    Entity::Entitlement => self.entitlement_json(&contract, *number).into(),
                };
                body["key"] = (**key).into();
                body
            })
            .collect();
        let next = (end < rest.len()).then(|| rest[end - 1].0.as_str());
        json!({ (answer::RESULTS): page, "next": next })
    }
}
