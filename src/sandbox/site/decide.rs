//! What becomes of one item: a write, or all the reasons against it. An item with any failure writes nothing.

use super::change::{Put, Write};
use super::details::Details;
use super::entity::Entity;
use super::failure::{Failure, Part, already_exists, not_found};
use super::fields::{BadDetail, Field, FieldKind, is_email};
use super::item::{CustomerKind, DetailChange, DetailVerb, Item, Verb, Wanted};
use super::records::{DetailValues, Record};
use super::{Site, ids};
use crate::api::fold;
use crate::model::entity::Operation;
use std::borrow::Cow;

/// Collects the failures of one item.
struct Judge<'a> {
    site: &'a Site,
    entity: Entity,
    /// Id of the record where it exists; else what the item calls it.
    id: String,
    operation: Verb,
    failures: Vec<Failure>,
}

impl Judge<'_> {
    /// Refuses an item in the policy's words, as if it was about its first detail.
    fn dislike(&mut self, item: &Item, words: &str) {
        let first = item.details.first().map(|detail| detail.name.clone());
        let part = match first {
            Some(_) => Part::Detail,
            None => Part::Record,
        };
        let parts = first.into_iter().collect();
        self.fail_at(self.operation, part, parts, words.to_owned());
    }

    fn fail(&mut self, part: Part, parts: Vec<String>, error: &'static str) {
        self.fail_at(self.operation, part, parts, error);
    }

    fn fail_at(
        &mut self,
        operation: Verb,
        part: Part,
        parts: Vec<String>,
        error: impl Into<Cow<'static, str>>,
    ) {
        self.failures.push(Failure {
            entity: self.entity,
            id: self.id.clone(),
            operation,
            part,
            parts,
            error: error.into(),
        });
    }

    /// The values to write, from those that the record has now.
    fn details(&mut self, now: Option<&Details>, changes: &[DetailChange]) -> DetailValues {
        let mut good: DetailValues = Vec::with_capacity(changes.len());
        for DetailChange { verb, name, values } in changes {
            let fields = &self.site.fields[self.entity as usize];
            // what is taken away need not be a value that could be set
            let checked: &[String] = match verb {
                DetailVerb::Update | DetailVerb::Patch => values,
                DetailVerb::Delete => &[],
            };
            let number = match fields.check(name, checked) {
                Ok(number) => number,
                Err(bad) => {
                    let error = bad.error();
                    let operation = match verb {
                        DetailVerb::Update => self.operation,
                        DetailVerb::Patch | DetailVerb::Delete => (*verb).into(),
                    };
                    self.fail_at(operation, Part::Detail, vec![name.clone()], error);
                    continue;
                }
            };
            let place = good.iter().position(|(n, _)| *n == number);
            let old = || match place {
                Some(place) => good[place].1.clone(),
                None => now.map_or_else(Vec::new, |details| details.of(number)),
            };
            let several = fields
                .get(number)
                .is_some_and(|field| field.kind == FieldKind::Multiselect);
            let adds = several
                && match verb {
                    DetailVerb::Patch => true,
                    DetailVerb::Update => self.site.temper.adds_values && !values.is_empty(),
                    DetailVerb::Delete => false,
                };
            let new = match verb {
                DetailVerb::Patch | DetailVerb::Update if adds => {
                    let mut all = old();
                    let new = values.iter().filter(|value| !all.contains(value));
                    let new: Vec<_> = new.cloned().collect();
                    all.extend(new);
                    all
                }
                DetailVerb::Update | DetailVerb::Patch => values.clone(),
                DetailVerb::Delete if values.is_empty() => Vec::new(),
                DetailVerb::Delete => {
                    let mut left = old();
                    left.retain(|value| !values.contains(value));
                    left
                }
            };
            match place {
                Some(place) => good[place].1 = new,
                None => good.push((number, new)),
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

    fn display_name(&mut self, existing: Option<&Record>, wanted: Option<&String>) {
        let Some(wanted) = wanted else { return };
        if wanted.trim().is_empty() {
            self.fail(Part::Record, Vec::new(), "Invalid display name");
        } else if existing.is_some_and(|record| {
            record.atlassian && record.display_name.as_deref() != Some(wanted.as_str())
        }) {
            let error = "The display name of an Atlassian account cannot be changed";
            self.fail(Part::Record, Vec::new(), error);
        }
    }

    /// The name to write: that of a new record, or another one for a record that was named by its id.
    fn name(&mut self, existing: Option<&Record>, wanted: Option<&String>) -> Option<String> {
        let entity = self.entity;
        let table = self.site.table(entity);
        let name = wanted?;
        if existing.is_some_and(|record| table.fold(name) == table.fold(&record.name)) {
            return None;
        }
        let good = match entity {
            Entity::Customer => is_email(name.trim()),
            _ => !name.trim().is_empty(),
        };
        if !good {
            let error = match entity {
                Entity::Customer => "Invalid email",
                _ => "Invalid name",
            };
            self.fail(Part::Record, Vec::new(), error);
        } else if existing.is_some_and(|record| record.atlassian) {
            let error = "The email of an Atlassian account cannot be changed";
            self.fail(Part::Record, Vec::new(), error);
        } else if existing.is_some() && table.by_name(name).is_some() {
            self.fail(Part::Record, Vec::new(), already_exists(entity));
        }
        Some(name.trim().to_owned())
    }

    fn end<T>(self, write: T) -> Result<T, Vec<Failure>> {
        if self.failures.is_empty() {
            Ok(write)
        } else {
            Err(self.failures)
        }
    }
}

impl BadDetail {
    /// In the words seen on live sites.
    pub(super) const fn error(self) -> &'static str {
        match self {
            Self::Field => "Invalid detail field",
            Self::Value => "Invalid detail field value",
        }
    }
}

impl Site {
    /// Decides about one item as the site stands now.
    ///
    /// # Errors
    /// All the reasons against it.
    pub(super) fn decide(&self, entity: Entity, wanted: &Wanted) -> Result<Write, Vec<Failure>> {
        match wanted {
            Wanted::Record(item) => self.decide_record(entity, item).map(Write::Put),
            Wanted::Field(field) => self.decide_field(entity, field),
        }
    }

    /// Decides about a record.
    ///
    /// # Errors
    /// All the reasons against it.
    pub(super) fn decide_record(&self, entity: Entity, item: &Item) -> Result<Put, Vec<Failure>> {
        let number = self.meant(entity, item);
        // an id that the site does not have never creates: the caller knew another record by it
        let operation = match item.operation {
            Operation::Create => Verb::Create,
            Operation::Upsert if number.is_none() && item.id.is_none() => Verb::Create,
            Operation::Update | Operation::Upsert => Verb::Update,
        };
        let sent = item.id.as_ref().or(item.name.as_ref());
        let mut judge = Judge {
            site: self,
            entity,
            id: match number {
                Some(number) => self.id(entity, number),
                None => sent.cloned().unwrap_or_default(),
            },
            operation,
            failures: Vec::new(),
        };
        let wrong = match (operation, number) {
            (Verb::Create, Some(_)) => Some(already_exists(entity)),
            (Verb::Create, None) if item.id.is_none() => None,
            (_, None) => Some(not_found(entity)),
            (_, Some(_)) => None,
        };
        if let Some(error) = wrong {
            judge.fail(Part::Record, Vec::new(), error);
            return Err(judge.failures);
        }
        let existing = number.map(|number| self.table(entity).get(number));
        let name = match existing {
            Some(record) => &*record.name,
            None => item.name.as_deref().unwrap_or_default(),
        };
        let key = self.table(entity).fold(name);
        if let Some(words) = self.temper.refuses(entity, &key) {
            judge.dislike(item, words);
            return Err(judge.failures);
        }
        let associates = !self.temper.ignores_associations(entity, &key);
        let list = |ids| if associates { ids } else { &[][..] };
        let name = judge.name(existing, item.name.as_ref());
        judge.display_name(existing, item.display_name.as_ref());
        let put = Put {
            entity,
            number: number.unwrap_or_else(|| self.table(entity).next()),
            created: number.is_none(),
            atlassian: number.is_none() && item.kind == Some(CustomerKind::Atlassian),
            name,
            display_name: item.display_name.clone(),
            details: judge.details(existing.map(|record| &record.details), &item.details),
            organizations: judge.references(
                Part::Organization,
                Entity::Organization,
                list(&item.organizations),
            ),
            replaces: self.temper.replaces_organizations && !list(&item.organizations).is_empty(),
            customers: judge.references(Part::Customer, Entity::Customer, list(&item.customers)),
            products: judge.references(Part::Product, Entity::Product, list(&item.products)),
        };
        judge.end(put)
    }

    /// The number of the record that an item means, if the site has it.
    pub(super) fn meant(&self, entity: Entity, item: &Item) -> Option<u32> {
        let table = self.table(entity);
        let number = match (&item.id, &item.name) {
            (Some(id), _) => table.by_id(self.cloud, id),
            (None, Some(name)) if item.kind == Some(CustomerKind::Atlassian) => {
                table.atlassian_by_name(name)
            }
            (None, Some(name)) => table.by_name(name),
            (None, None) => None,
        }?;
        let kind = if table.get(number).atlassian {
            CustomerKind::Atlassian
        } else {
            CustomerKind::Account
        };
        item.kind
            .is_none_or(|meant| meant == kind)
            .then_some(number)
    }

    fn decide_field(&self, entity: Entity, field: &Field) -> Result<Write, Vec<Failure>> {
        let mut judge = Judge {
            site: self,
            entity,
            id: field.name.clone(),
            operation: Verb::Create,
            failures: Vec::new(),
        };
        if let Some(error) = self.against(entity, field) {
            let error = error.to_owned();
            judge.fail_at(
                Verb::Create,
                Part::Definition,
                vec![field.name.clone()],
                error,
            );
        }
        judge.end(Write::Defined(entity, field.clone()))
    }

    /// Why a detail field cannot be defined, if it cannot: the rules, then the policy's verdict.
    pub(super) fn against(&self, entity: Entity, field: &Field) -> Option<&str> {
        let rule = self.fields[entity as usize].against(field);
        rule.or_else(|| self.temper.refuses_field(entity, &fold::name(&field.name)))
    }

    /// The id of a record, which may have been deleted.
    pub(super) fn id(&self, entity: Entity, number: u32) -> String {
        if entity == Entity::Customer && self.table(entity).get(number).atlassian {
            return ids::atlassian(self.cloud, number);
        }
        ids::record(self.cloud, entity, number)
    }
}
