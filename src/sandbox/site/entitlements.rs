//! The entitlements of a site: which customer or organization has which product, with details of its own.

use super::change::Grant;
use super::details::Details;

/// One entitlement.
#[derive(Debug, Clone)]
pub(super) struct Entitlement {
    /// Whose it is, and what it gives.
    pub grant: Grant,
    /// Detail values.
    pub details: Details,
}

/// All entitlements. An entitlement's number is its place among all there ever were, so that no id comes back.
#[derive(Debug, Clone, Default)]
pub(super) struct Entitlements {
    given: Vec<Option<Entitlement>>,
    deleted: usize,
    /// Kept for the audit: what the deleted ones were.
    graves: std::collections::BTreeMap<u32, Grant>,
}

impl Entitlements {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.given.len() - self.deleted
    }

    /// The number of the next one.
    pub(super) fn next(&self) -> u32 {
        u32::try_from(self.given.len()).unwrap_or(u32::MAX)
    }

    /// The entitlements that there are, in the order of their numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, &Entitlement)> {
        (0..)
            .zip(&self.given)
            .filter_map(|(number, entitlement)| Some((number, entitlement.as_ref()?)))
    }

    /// The entitlement with this number, if there is one.
    pub(super) fn get(&self, number: u32) -> Option<&Entitlement> {
        self.given.get(number as usize)?.as_ref()
    }

    /// Whose an entitlement is or was.
    pub(super) fn grant(&self, number: u32) -> Option<Grant> {
        let given = self.get(number).map(|entitlement| entitlement.grant);
        given.or_else(|| self.graves.get(&number).copied())
    }

    /// Makes one; gives its number.
    pub(super) fn add(&mut self, grant: Grant) -> u32 {
        let number = self.next();
        self.given.push(Some(Entitlement {
            grant,
            details: Details::default(),
        }));
        number
    }

    /// Sets detail values of one that exists.
    pub(super) fn set(&mut self, number: u32, details: &[(u16, Vec<String>)]) {
        if let Some(Some(entitlement)) = self.given.get_mut(number as usize) {
            entitlement.details.merge(details);
        }
    }

    /// Deletes one; gives what it was.
    pub(super) fn delete(&mut self, number: u32) -> Option<Grant> {
        let deleted = self.given.get_mut(number as usize)?.take()?;
        self.deleted += 1;
        self.graves.insert(number, deleted.grant);
        Some(deleted.grant)
    }
}
