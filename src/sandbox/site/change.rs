//! What happens to a site, in a form that can be written down and repeated: the vocabulary of the journal.
//!
//! Records and tasks go by their numbers; ids follow from them. Keys are short because a site writes millions.

use super::entity::Entity;
use super::failure::Failure;
use super::fields::{Field, FieldEdit};
use super::item::{Bulk, Verb};
use super::mood::Mood;
use super::records::DetailValues;
use crate::model::clock::UnixMillis;
use serde::{Deserialize, Serialize};

/// One change. Repeating all changes in order gives the same site.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::sandbox) enum Change {
    /// The seed defined a detail field for a kind of record.
    Field(Entity, Field),
    /// A single call or the seed wrote something.
    Wrote(UnixMillis, Write),
    /// A bulk request became a task.
    Accepted(Accepted),
    /// Waiting tasks were put off, since another one came before them.
    Moved(Vec<Moved>),
    /// A task ended, and with it all its writes were made.
    Finished(Finished),
}

/// A task as it was accepted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Accepted {
    /// Its number, from 0.
    pub task: u32,
    /// What it does.
    pub bulk: Bulk,
    /// The request's idempotency key.
    pub key: String,
    /// Hash of the request's body.
    pub digest: u64,
    /// When it was accepted.
    pub at: UnixMillis,
    /// When work on it starts, in microseconds since 1970.
    pub start: i64,
    /// When it ends, in the same unit.
    pub end: i64,
    /// What else will befall it.
    #[serde(default, skip_serializing_if = "Mood::is_plain")]
    pub mood: Mood,
    /// The request's items as JSON, for as long as they are needed: until the task has finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// A waiting task's new times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) struct Moved {
    /// Its number.
    pub task: u32,
    /// When work on it starts, in microseconds since 1970.
    pub start: i64,
    /// When it ends, in the same unit.
    pub end: i64,
}

/// The end of a task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::sandbox) struct Finished {
    /// Its number.
    pub task: u32,
    /// Whether it shows FAILED.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// What it says could not be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
    /// What was done, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<Write>,
}

/// One applied write: what the audit lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::sandbox) enum Write {
    /// A record was created or updated.
    Put(Put),
    /// A customer or organization was given a product: an entitlement with the next number.
    Entitled(u32, Grant),
    /// A record was deleted, and with it its entitlements; of a product, all that give it.
    Deleted(Entity, u32),
    /// A detail field was defined.
    Defined(Entity, Field),
    /// A detail field was changed.
    Edited(Entity, u16, FieldEdit),
    /// A detail field of this name was deleted, and with it all its values.
    Removed(Entity, u16, String),
}

impl Write {
    /// What was done, for the audit.
    pub(super) const fn verb(&self) -> Verb {
        match self {
            Self::Put(Put { created: true, .. }) | Self::Entitled(..) | Self::Defined(..) => {
                Verb::Create
            }
            Self::Put(_) | Self::Edited(..) => Verb::Update,
            Self::Deleted(..) | Self::Removed(..) => Verb::Delete,
        }
    }
}

/// A record created or updated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) struct Put {
    /// The kind of record.
    #[serde(rename = "e")]
    pub entity: Entity,
    /// Its number; for a creation, the next one.
    #[serde(rename = "n")]
    pub number: u32,
    /// Whether it is created.
    #[serde(rename = "c", default, skip_serializing_if = "std::ops::Not::not")]
    pub created: bool,
    /// Whether what is created is an Atlassian account.
    #[serde(rename = "a", default, skip_serializing_if = "std::ops::Not::not")]
    pub atlassian: bool,
    /// Its e-mail or name, where that is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A customer's name, where that is set.
    #[serde(rename = "dn", default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Detail values to set; no values clear a field.
    #[serde(rename = "d", default, skip_serializing_if = "Vec::is_empty")]
    pub details: DetailValues,
    /// Organizations to put a customer into.
    #[serde(rename = "o", default, skip_serializing_if = "Vec::is_empty")]
    pub organizations: Vec<u32>,
    /// Whether these take the place of those that it is in.
    #[serde(rename = "r", default, skip_serializing_if = "std::ops::Not::not")]
    pub replaces: bool,
    /// Customers to put into an organization.
    #[serde(rename = "m", default, skip_serializing_if = "Vec::is_empty")]
    pub customers: Vec<u32>,
    /// Products to entitle it to, where it is not.
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<u32>,
}

impl Put {
    /// A write of a record that sets nothing yet.
    pub(super) const fn new(entity: Entity, number: u32, created: bool) -> Self {
        Self {
            entity,
            number,
            created,
            atlassian: false,
            name: None,
            display_name: None,
            details: Vec::new(),
            organizations: Vec::new(),
            replaces: false,
            customers: Vec::new(),
            products: Vec::new(),
        }
    }
}

/// A new entitlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) struct Grant {
    /// The kind of its owner: customer or organization.
    #[serde(rename = "e")]
    pub owner: Entity,
    /// The owner's number.
    #[serde(rename = "n")]
    pub number: u32,
    /// The product's number.
    #[serde(rename = "p")]
    pub product: u32,
}
