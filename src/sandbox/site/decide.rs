//! What becomes of one item: a write, or all the reasons against it. An item with any failure writes nothing.

use super::change::Write;
use super::entity::Entity;
use super::failure::{Failure, Part, already_exists, not_found};
use super::fields::{BadDetail, is_email};
use super::records::DetailValues;
use super::request::Item;
use super::{Site, ids};
use crate::model::entity::Operation;
use std::borrow::Cow;

/// Collects the failures of one item.
struct Judge<'a> {
    site: &'a Site,
    entity: Entity,
    /// Id of the record where it exists; else what the item calls it.
    id: String,
    operation: Operation,
    failures: Vec<Failure>,
}

impl Judge<'_> {
    /// Refuses an item in the policy's words, as if it was about its first detail.
    fn dislike(&mut self, item: &Item, words: &str) {
        let first = item.details.first().map(|(name, _)| name.clone());
        self.failures.push(Failure {
            entity: self.entity,
            id: self.id.clone(),
            operation: self.operation,
            part: if first.is_some() {
                Part::Detail
            } else {
                Part::Record
            },
            parts: first.into_iter().collect(),
            error: Cow::Owned(words.to_owned()),
        });
    }

    fn fail(&mut self, part: Part, parts: Vec<String>, error: &'static str) {
        self.failures.push(Failure {
            entity: self.entity,
            id: self.id.clone(),
            operation: self.operation,
            part,
            parts,
            error: Cow::Borrowed(error),
        });
    }

    fn details(&mut self, details: &[(String, Vec<String>)]) -> DetailValues {
        let mut good = Vec::with_capacity(details.len());
        for (name, values) in details {
            match self.site.fields[self.entity as usize].check(name, values) {
                Ok(number) => good.push((number, values.clone())),
                Err(BadDetail::Field) => {
                    self.fail(Part::Detail, vec![name.clone()], "Invalid detail field");
                }
                Err(BadDetail::Value) => {
                    self.fail(
                        Part::Detail,
                        vec![name.clone()],
                        "Invalid detail field value",
                    );
                }
            }
        }
        good
    }

    fn references(&mut self, part: Part, entity: Entity, ids: &[String]) -> Vec<u32> {
        let mut good = Vec::with_capacity(ids.len());
        for id in ids {
            match self.site.table(entity).by_id(self.site.cloud, id) {
                Some(number) => good.push(number),
                None => self.fail(part, vec![id.clone()], not_found(entity)),
            }
        }
        good
    }
}

impl Site {
    /// Decides about one item as the site stands now.
    pub(super) fn decide(&self, entity: Entity, item: &Item) -> Result<Write, Vec<Failure>> {
        let table = self.table(entity);
        let existing = match (&item.id, &item.name) {
            (Some(id), _) => table.by_id(self.cloud, id),
            (None, Some(name)) => table.by_name(name),
            (None, None) => None,
        };
        // an id that the site does not have never creates: the caller knew another record by it
        let operation = match item.operation {
            Operation::Create => Operation::Create,
            Operation::Upsert if existing.is_none() && item.id.is_none() => Operation::Create,
            Operation::Update | Operation::Upsert => Operation::Update,
        };
        let sent = item.id.as_ref().or(item.name.as_ref());
        let mut judge = Judge {
            site: self,
            entity,
            id: match existing {
                Some(number) => ids::record(self.cloud, entity, number),
                None => sent.cloned().unwrap_or_default(),
            },
            operation,
            failures: Vec::new(),
        };
        let wrong = match (operation, existing) {
            (Operation::Create, Some(_)) => Some(already_exists(entity)),
            (Operation::Create, None) if item.id.is_none() => None,
            (_, None) => Some(not_found(entity)),
            (_, Some(_)) => None,
        };
        if let Some(error) = wrong {
            judge.fail(Part::Record, Vec::new(), error);
            return Err(judge.failures);
        }
        let key = match existing {
            Some(number) => table.fold(&table.get(number).name),
            None => table.fold(item.name.as_deref().unwrap_or_default()),
        };
        if let Some(words) = self.temper.refuses(entity, &key) {
            judge.dislike(item, words);
            return Err(judge.failures);
        }
        let associates = !self.temper.ignores_associations(entity, &key);
        let list = |ids| if associates { ids } else { &[][..] };
        let name = self.new_name(&mut judge, existing, item);
        if item
            .display_name
            .as_deref()
            .is_some_and(|text| text.trim().is_empty())
        {
            judge.fail(Part::Record, Vec::new(), "Invalid display name");
        }
        let write = Write {
            entity,
            number: existing.unwrap_or_else(|| table.count()),
            created: existing.is_none(),
            name,
            display_name: item.display_name.clone(),
            details: judge.details(&item.details),
            organizations: judge.references(
                Part::Organization,
                Entity::Organization,
                list(&item.organizations),
            ),
            customers: judge.references(Part::Customer, Entity::Customer, list(&item.customers)),
            products: judge.references(Part::Product, Entity::Product, list(&item.products)),
        };
        if judge.failures.is_empty() {
            Ok(write)
        } else {
            Err(judge.failures)
        }
    }

    /// The name to write: that of a new record, or another one for a record that was named by its id.
    fn new_name(
        &self,
        judge: &mut Judge<'_>,
        existing: Option<u32>,
        item: &Item,
    ) -> Option<String> {
        let entity = judge.entity;
        let table = self.table(entity);
        let name = item.name.as_ref()?;
        if let Some(number) = existing
            && table.fold(name) == table.fold(&table.get(number).name)
        {
            return None;
        }
        let good = match entity {
            Entity::Customer => is_email(name.trim()),
            Entity::Organization | Entity::Product => !name.trim().is_empty(),
        };
        if !good {
            let error = match entity {
                Entity::Customer => "Invalid email",
                Entity::Organization | Entity::Product => "Invalid name",
            };
            judge.fail(Part::Record, Vec::new(), error);
        } else if existing.is_some() && table.by_name(name).is_some() {
            judge.fail(Part::Record, Vec::new(), already_exists(entity));
        }
        Some(name.trim().to_owned())
    }
}
