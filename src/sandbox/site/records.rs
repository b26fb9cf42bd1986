//! The records of a site, kept small: a site of a million customers must fit a laptop.

use super::change::Put;
use super::details::Details;
use super::entity::Entity;
use super::ids;
use crate::api::fold;
use crate::model::row::KeyHash;
use std::borrow::Cow;
use std::collections::HashMap;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

/// Values of detail fields, by field number, ascending.
pub(super) type DetailValues = Vec<(u16, Vec<String>)>;

/// A customer, organization or product.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// The e-mail address of a customer, the name of the others; as sent.
    pub name: Box<str>,
    /// A customer's name.
    pub display_name: Option<Box<str>>,
    /// Detail values.
    pub details: Details,
    /// Numbers of a customer's organizations, in the order in which they were associated; deleted ones among them.
    pub organizations: Box<[u32]>,
    /// Numbers of its entitlements, in the order in which they were made.
    pub entitlements: Box<[u32]>,
    /// Place in the audit of the write that made it.
    pub made_by: u32,
    /// Whether it is an Atlassian account.
    pub atlassian: bool,
    /// Whether it has been deleted. Its name is kept for the audit.
    pub deleted: bool,
}

/// All records of one kind. A record's number is its place; deleted ones keep theirs, so that no id comes back.
#[derive(Debug, Clone)]
pub(super) struct Table {
    entity: Entity,
    records: Vec<Record>,
    deleted: usize,
    by_key: HashMap<KeyHash, u32>,
    by_uuid: HashMap<Uuid, u32>,
    /// Atlassian accounts by their addresses, by which the API never finds them.
    atlassian: HashMap<KeyHash, u32>,
}

impl Table {
    /// An empty table.
    pub(super) fn new(entity: Entity) -> Self {
        Self {
            entity,
            records: Vec::new(),
            deleted: 0,
            by_key: HashMap::new(),
            by_uuid: HashMap::new(),
            atlassian: HashMap::new(),
        }
    }

    /// The records that there are, in the order of their numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, &Record)> {
        (0..)
            .zip(&self.records)
            .filter(|(_, record)| !record.deleted)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.records.len() - self.deleted
    }

    /// The number of the next record.
    pub(super) fn next(&self) -> u32 {
        u32::try_from(self.records.len()).unwrap_or(u32::MAX)
    }

    /// The record with this number, which must have been given; it may have been deleted since.
    pub(super) fn get(&self, number: u32) -> &Record {
        &self.records[number as usize]
    }

    /// Whether there is a record with this number.
    pub(super) fn has(&self, number: u32) -> bool {
        let record = self.records.get(number as usize);
        record.is_some_and(|record| !record.deleted)
    }

    /// The number of the record with this id.
    pub(super) fn by_id(&self, cloud: Uuid, id: &str) -> Option<u32> {
        if self.entity == Entity::Organization {
            return ids::organization_number(id).filter(|number| self.has(*number));
        }
        let uuid = ids::uuid_in(cloud, self.entity, id)?;
        let number = *self.by_uuid.get(&uuid)?;
        let record = self.get(number);
        (record.atlassian == ids::is_atlassian(id)).then_some(number)
    }

    /// The number of the first record with this natural key, whatever its spelling; never of an Atlassian account.
    pub(super) fn by_name(&self, name: &str) -> Option<u32> {
        self.by_key.get(&self.hash(name)).copied()
    }

    /// The number of the Atlassian account with this address.
    pub(super) fn atlassian_by_name(&self, name: &str) -> Option<u32> {
        self.atlassian.get(&self.hash(name)).copied()
    }

    /// A natural key, folded.
    pub(super) fn fold<'a>(&self, name: &'a str) -> Cow<'a, str> {
        match self.entity {
            Entity::Customer => fold::email(name),
            Entity::Organization | Entity::Product | Entity::Entitlement => fold::name(name),
        }
    }

    /// Performs a write that was found good; `audit` is its place in the audit.
    pub(super) fn apply(&mut self, cloud: Uuid, put: &Put, audit: u32) {
        let number = put.number;
        if put.created {
            let uuid = ids::uuid(cloud, self.entity, number);
            if self.entity != Entity::Organization {
                self.by_uuid.insert(uuid, number);
            }
            self.records.push(Record {
                name: Box::default(),
                display_name: None,
                details: Details::default(),
                organizations: Box::default(),
                entitlements: Box::default(),
                made_by: audit,
                atlassian: put.atlassian,
                deleted: false,
            });
        }
        if let Some(name) = &put.name {
            if !put.created {
                self.unlist(number);
            }
            self.records[number as usize].name = name.as_str().into();
            let hash = self.hash(name);
            let index = if self.get(number).atlassian {
                &mut self.atlassian
            } else {
                &mut self.by_key
            };
            index.entry(hash).or_insert(number);
        }
        let record = &mut self.records[number as usize];
        if let Some(display_name) = &put.display_name {
            record.display_name = Some(display_name.as_str().into());
        }
        record.details.merge(&put.details);
        if put.replaces {
            record.organizations = Box::default();
        }
        add(&mut record.organizations, &put.organizations);
    }

    /// Puts a record into an organization.
    pub(super) fn join(&mut self, number: u32, organization: u32) {
        let organizations = &mut self.records[number as usize].organizations;
        add(organizations, &[organization]);
    }

    /// Gives a record an entitlement.
    pub(super) fn entitle(&mut self, number: u32, entitlement: u32) {
        add(
            &mut self.records[number as usize].entitlements,
            &[entitlement],
        );
    }

    /// Takes an entitlement from a record.
    pub(super) fn disentitle(&mut self, number: u32, entitlement: u32) {
        let entitlements = &mut self.records[number as usize].entitlements;
        *entitlements = entitlements
            .iter()
            .copied()
            .filter(|n| *n != entitlement)
            .collect();
    }

    /// Deletes a record that exists.
    pub(super) fn delete(&mut self, cloud: Uuid, number: u32) {
        self.records[number as usize].deleted = true;
        self.deleted += 1;
        self.unlist(number);
        self.by_uuid.remove(&ids::uuid(cloud, self.entity, number));
        let record = &mut self.records[number as usize];
        record.details = Details::default();
        record.organizations = Box::default();
        record.entitlements = Box::default();
    }

    /// Takes a record's name out of the index, and has the next one of that name in its place.
    fn unlist(&mut self, number: u32) {
        let record = self.get(number);
        let hash = self.hash(&record.name);
        let atlassian = record.atlassian;
        let index = if atlassian {
            &mut self.atlassian
        } else {
            &mut self.by_key
        };
        if index.get(&hash) != Some(&number) {
            return;
        }
        index.remove(&hash);
        // products alone may share a name
        if self.entity == Entity::Product {
            let same = |(n, r): &(u32, &Record)| *n != number && self.hash(&r.name) == hash;
            let other = self.all().find(same).map(|(other, _)| other);
            if let Some(other) = other {
                self.by_key.insert(hash, other);
            }
        }
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
    fn associations_add_and_never_repeat() {
        let mut list: Box<[u32]> = Box::new([4]);
        add(&mut list, &[4, 2, 2, 9]);
        assert_eq!(&*list, [4, 2, 9]);
    }

    #[test]
    fn of_two_products_with_one_name_the_other_is_found_when_the_first_goes() {
        let cloud = Uuid::nil();
        let mut table = Table::new(Entity::Product);
        for (number, name) in (0..).zip(["Router", "router ", "Switch"]) {
            let mut put = Put::new(Entity::Product, number, true);
            put.name = Some(name.to_owned());
            table.apply(cloud, &put, number);
        }
        assert_eq!(table.by_name("ROUTER"), Some(0));
        let id = ids::record(cloud, Entity::Product, 0);
        table.delete(cloud, 0);
        assert_eq!((table.by_id(cloud, &id), table.has(0)), (None, false));
        assert_eq!((table.by_name("ROUTER"), table.count()), (Some(1), 2));
        let mut put = Put::new(Entity::Product, 1, false);
        put.name = Some("Hub".to_owned());
        table.apply(cloud, &put, 3);
        assert_eq!(
            (table.by_name("router"), table.by_name("hub")),
            (None, Some(1))
        );
        assert_eq!(table.next(), 3);
    }
}
