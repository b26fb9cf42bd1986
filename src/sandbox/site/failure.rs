//! Why an item was not written, in the site's words. The words seen on live sites are marked; the others are guesses.

use super::entity::Entity;
use super::item::Verb;
use crate::api::contract::answer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;

/// The part of a record that could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::sandbox) enum Part {
    /// The record itself.
    Record,
    /// A detail field.
    Detail,
    /// The definition of a detail field.
    Definition,
    /// The organizations of a customer.
    Organization,
    /// The customers of an organization.
    Customer,
    /// The products of either.
    Product,
}

/// One reason why an item was not written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) struct Failure {
    /// The kind of record.
    pub entity: Entity,
    /// The id of the record where it exists; else its id, e-mail or name as sent. Empty where it is not named.
    pub id: String,
    /// What would have been done.
    pub operation: Verb,
    /// What could not be written.
    pub part: Part,
    /// Names or ids inside that part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// The reason.
    pub error: Cow<'static, str>,
}

impl Failure {
    /// As an answer shows it.
    pub(super) fn to_json(&self) -> Value {
        json!({
            (answer::ENTITY): entity_word(self.entity),
            (answer::ENTITY_ID): (!self.id.is_empty()).then_some(&self.id),
            (answer::OPERATION): self.operation.word(),
            (answer::OPERATED_ON): part_word(self.entity, self.part),
            (answer::OPERATED_ON_IDS): self.parts,
            (answer::ERROR): self.error,
        })
    }
}

/// The word for a kind of record; `CUSTOMER` is documented.
const fn entity_word(entity: Entity) -> &'static str {
    match entity {
        Entity::Customer => "CUSTOMER",
        Entity::Organization => "ORGANIZATION",
        Entity::Product => "PRODUCT",
        Entity::Entitlement => "ENTITLEMENT",
    }
}

/// The word for a part of a record; `CUSTOMER_ACCOUNT` is documented.
const fn part_word(entity: Entity, part: Part) -> &'static str {
    match (entity, part) {
        (Entity::Customer, Part::Record | Part::Customer) => "CUSTOMER_ACCOUNT",
        (Entity::Customer, Part::Detail) => "CUSTOMER_DETAIL",
        (Entity::Customer, Part::Definition) => "CUSTOMER_DETAIL_FIELD",
        (Entity::Customer, Part::Organization) => "CUSTOMER_ORGANIZATION",
        (Entity::Customer, Part::Product) => "CUSTOMER_PRODUCT",
        (Entity::Organization, Part::Record | Part::Organization) => "ORGANIZATION",
        (Entity::Organization, Part::Detail) => "ORGANIZATION_DETAIL",
        (Entity::Organization, Part::Definition) => "ORGANIZATION_DETAIL_FIELD",
        (Entity::Organization, Part::Customer) => "ORGANIZATION_CUSTOMER",
        (Entity::Organization, Part::Product) => "ORGANIZATION_PRODUCT",
        (Entity::Product, _) => "PRODUCT",
        (Entity::Entitlement, Part::Detail) => "ENTITLEMENT_DETAIL",
        (Entity::Entitlement, Part::Definition) => "ENTITLEMENT_DETAIL_FIELD",
        (Entity::Entitlement, _) => "ENTITLEMENT",
    }
}

/// The reason for a record that should not exist and does.
pub(super) const fn already_exists(entity: Entity) -> &'static str {
    match entity {
        Entity::Customer => "Customer already exists",
        Entity::Organization => "Organization already exists",
        Entity::Product => "Product already exists",
        Entity::Entitlement => "Entitlement already exists",
    }
}

/// The reason for a record that should exist and does not; the customer's wording was seen.
pub(super) const fn not_found(entity: Entity) -> &'static str {
    match entity {
        Entity::Customer => "Customer not found",
        Entity::Organization => "Organization not found",
        Entity::Product => "Product not found",
        Entity::Entitlement => "Entitlement not found",
    }
}
