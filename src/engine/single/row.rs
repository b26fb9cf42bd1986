//! What a row asks for, and what the site has of its record: plain data. Natural keys are folded as the site folds them.

use crate::model::entity::Verb;

/// What a row asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asks {
    /// The record's id, where the row names it.
    pub id: Option<String>,
    /// The natural key, folded: an e-mail or an organization's name.
    pub key: Option<String>,
    /// The e-mail as written.
    pub email: Option<String>,
    /// The display name, or the organization's name, as written.
    pub name: Option<String>,
    /// Detail values, in the row's order.
    pub details: Vec<Change>,
    /// Ids of the organizations it is to belong to.
    pub organizations: Vec<String>,
    /// Ids of the products it is to have.
    pub products: Vec<String>,
    /// The JSON that creates the whole record.
    pub payload: Vec<u8>,
}

/// What to do with a detail field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What to do with the values.
    pub verb: Verb,
    /// The field's name.
    pub field: String,
    /// The values; none clear the field, or all of it with [`Verb::Delete`].
    pub values: Vec<String>,
}

/// What the site has of a record. A list is `None` where the site does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Current {
    /// Its id.
    pub id: String,
    /// Its natural key, folded.
    pub key: Option<String>,
    /// The display name, or the organization's name.
    pub name: Option<String>,
    /// Its detail fields with their values.
    pub details: Option<Vec<(String, Vec<String>)>>,
    /// Ids of the organizations it belongs to.
    pub organizations: Option<Vec<String>>,
    /// Ids of the products that it has, or inherits.
    pub products: Option<Vec<String>>,
}

impl Current {
    /// The values of a detail field; `None` where the site does not tell.
    #[must_use]
    pub fn values(&self, field: &str) -> Option<&[String]> {
        let details = self.details.as_ref()?;
        let found = details.iter().find(|(name, _)| same_field(name, field));
        Some(found.map_or(&[], |(_, values)| values))
    }
}

/// Whether two names mean one detail field.
pub(super) fn same_field(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}
