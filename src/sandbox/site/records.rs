//! The records of a site, kept small: a site of a million customers must fit a laptop.

use super::change::Write;
use super::entity::Entity;
use super::ids;
use crate::api::fold;
use crate::model::row::KeyHash;
use std::borrow::Cow;
use std::collections::HashMap;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

/// Values of detail fields, by field number, ascending.
pub(super) type DetailValues = Vec<(u8, Vec<String>)>;

/// The detail values of a record, encoded: one allocation a record instead of one a value.
#[derive(Debug, Clone, Default)]
pub(super) struct Details(Box<str>);

impl Details {
    /// The values.
    pub(super) fn values(&self) -> DetailValues {
        if self.0.is_empty() {
            return Vec::new();
        }
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// The encoded values, which hold each value as JSON text: a quick test before decoding.
    pub(super) fn encoded(&self) -> &str {
        &self.0
    }

    /// Replaces the values of the fields named in `changes`; no values clear a field.
    fn merge(&mut self, changes: &[(u8, Vec<String>)]) {
        if changes.is_empty() {
            return;
        }
        let mut all: std::collections::BTreeMap<_, _> = self.values().into_iter().collect();
        all.extend(changes.iter().cloned());
        let kept: Vec<_> = all
            .iter()
            .filter(|(_, values)| !values.is_empty())
            .collect();
        self.0 = if kept.is_empty() {
            Box::default()
        } else {
            serde_json::to_string(&kept).unwrap_or_default().into()
        };
    }
}

/// A customer, organization or product.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// The e-mail address of a customer, the name of the others; as sent.
    pub name: Box<str>,
    /// A customer's name.
    pub display_name: Option<Box<str>>,
    /// Detail values.
    pub details: Details,
    /// Numbers of a customer's organizations, in the order in which they were associated.
    pub organizations: Box<[u32]>,
    /// Numbers of the products it is entitled to, in the same order.
    pub products: Box<[u32]>,
}

/// All records of one kind. A record's number is its place.
#[derive(Debug, Clone)]
pub(super) struct Table {
    entity: Entity,
    records: Vec<Record>,
    by_key: HashMap<KeyHash, u32>,
    by_uuid: HashMap<Uuid, u32>,
}

impl Table {
    /// An empty table.
    pub(super) fn new(entity: Entity) -> Self {
        Self {
            entity,
            records: Vec::new(),
            by_key: HashMap::new(),
            by_uuid: HashMap::new(),
        }
    }

    /// The records in the order of their numbers.
    pub(super) fn all(&self) -> &[Record] {
        &self.records
    }

    /// How many there are, which is also the next one's number.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.records.len()).unwrap_or(u32::MAX)
    }

    /// The record with this number, which must exist.
    pub(super) fn get(&self, number: u32) -> &Record {
        &self.records[number as usize]
    }

    /// The number of the record with this id.
    pub(super) fn by_id(&self, cloud: Uuid, id: &str) -> Option<u32> {
        if self.entity == Entity::Organization {
            return ids::organization_number(id).filter(|number| *number < self.count());
        }
        let uuid = ids::uuid_in(cloud, self.entity, id)?;
        self.by_uuid.get(&uuid).copied()
    }

    /// The number of the first record with this natural key, whatever its spelling.
    pub(super) fn by_name(&self, name: &str) -> Option<u32> {
        self.by_key.get(&self.hash(name)).copied()
    }

    /// A natural key, folded.
    pub(super) fn fold<'a>(&self, name: &'a str) -> Cow<'a, str> {
        match self.entity {
            Entity::Customer => fold::email(name),
            Entity::Organization | Entity::Product => fold::name(name),
        }
    }

    /// Performs a write that was found good.
    pub(super) fn apply(&mut self, cloud: Uuid, write: &Write) {
        let number = write.number;
        if write.created {
            let uuid = ids::uuid(cloud, self.entity, number);
            if self.entity != Entity::Organization {
                self.by_uuid.insert(uuid, number);
            }
            self.records.push(Record {
                name: Box::default(),
                display_name: None,
                details: Details::default(),
                organizations: Box::default(),
                products: Box::default(),
            });
        }
        if let Some(name) = &write.name {
            let old = self.hash(&self.get(number).name);
            if !write.created && self.by_key.get(&old) == Some(&number) {
                self.by_key.remove(&old);
            }
            let new = self.hash(name);
            self.by_key.entry(new).or_insert(number);
            self.records[number as usize].name = name.as_str().into();
        }
        let record = &mut self.records[number as usize];
        if let Some(display_name) = &write.display_name {
            record.display_name = Some(display_name.as_str().into());
        }
        record.details.merge(&write.details);
        add(&mut record.organizations, &write.organizations);
        add(&mut record.products, &write.products);
    }

    /// Puts a record into an organization.
    pub(super) fn join(&mut self, number: u32, organization: u32) {
        add(
            &mut self.records[number as usize].organizations,
            &[organization],
        );
    }

    fn hash(&self, name: &str) -> KeyHash {
        // a table holds one kind of record, so that kinds need not be told apart
        KeyHash(xxh3_128(self.fold(name).as_bytes()))
    }
}

/// Adds the numbers that are not there yet, in order.
fn add(list: &mut Box<[u32]>, numbers: &[u32]) {
    let mut all = Vec::new();
    for number in numbers {
        if !list.contains(number) && !all.contains(number) {
            all.push(*number);
        }
    }
    if !all.is_empty() {
        *list = list.iter().copied().chain(all).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_replace_what_is_named_keep_the_rest_and_vanish_when_cleared() {
        let values = |list: &[&str]| list.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
        let mut details = Details::default();
        details.merge(&[
            (3, values(&["EMEA"])),
            (1, values(&[])),
            (0, values(&["a", "b"])),
        ]);
        details.merge(&[(3, values(&["APAC \"x\""])), (2, values(&["new"]))]);
        assert_eq!(
            details.values(),
            [
                (0, values(&["a", "b"])),
                (2, values(&["new"])),
                (3, values(&["APAC \"x\""]))
            ]
        );
        details.merge(&[(0, vec![]), (2, vec![]), (3, vec![])]);
        assert_eq!(details.encoded(), "");
    }

    #[test]
    fn associations_add_and_never_repeat() {
        let mut list: Box<[u32]> = Box::new([4]);
        add(&mut list, &[4, 2, 2, 9]);
        assert_eq!(&*list, [4, 2, 9]);
    }
}
