//! What a row sends against what the site holds. Pure.
//!
//! Only what the row names counts. E-mails and names are compared folded, as the site finds records by them; a display
//! name as a text; detail values as [`value`](super::value) says. Memberships and products only ever join: what is there
//! besides does not matter to the row, but memberships are told, since a row that moves a customer means otherwise.

use super::held::Held;
use super::sent::{Act, Change, Sent};
use super::value;
use crate::api::contract::CUSTOMER_ACCOUNT_ID;
use crate::api::fold;
use crate::model::code::Code;
use crate::model::entity::Entity;
use crate::model::reply::DetailField;
use crate::model::row::Reason;
use std::collections::HashMap;

/// The types of the site's detail fields by folded name. Fields that are not in it are compared as texts.
#[derive(Debug, Clone, Default)]
pub(super) struct Kinds(HashMap<String, String>);

impl Kinds {
    pub(super) fn of(fields: Vec<DetailField>) -> Self {
        let kinds = fields
            .into_iter()
            .map(|field| (fold::name(&field.name).into_owned(), field.kind));
        Self(kinds.collect())
    }

    fn get(&self, folded: &str) -> Option<&str> {
        self.0.get(folded).map(String::as_str)
    }
}

/// How a record stands to a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It holds all that the row sends.
    Holds {
        /// Memberships that remain.
        notes: Vec<Reason>,
    },
    /// It does not.
    Differs(Difference),
    /// What can be read is as the row says, but this part of the record cannot be read.
    Untold(&'static str),
}

/// What of a record is not as a row says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Fields and detail fields, by their names in the mapping.
    pub fields: Vec<String>,
    /// Whether one of them is a detail field.
    pub details: bool,
    /// Ids of the organizations it does not belong to.
    pub missing: Vec<String>,
    /// Ids of the products it does not have.
    pub products: Vec<String>,
    /// Why the site cannot take it, where the record itself tells.
    pub why: Option<Reason>,
}

/// Compares a row with its record.
pub(super) fn compare(entity: Entity, sent: &Sent, held: &Held, kinds: &Kinds) -> Verdict {
    let mut difference = Difference::default();
    let mut untold = None;
    let owners = own_fields(entity, sent, held, &mut difference, &mut untold);
    details(sent, held, kinds, &mut difference, &mut untold);
    let notes = organizations(sent, held, &mut difference, &mut untold);
    products(sent, held, &mut difference, &mut untold);
    let associated = difference.missing.is_empty() && difference.products.is_empty();
    if difference.fields.is_empty() && associated {
        return untold.map_or(Verdict::Holds { notes }, Verdict::Untold);
    }
    let atlassian = entity == Entity::Customer && !held.id.starts_with(CUSTOMER_ACCOUNT_ID);
    // by its e-mail the API never finds such a record; by its id all but what is its owner's can be written
    if atlassian && (owners || sent.id.is_none()) {
        difference.why = Some(atlassian_account());
    }
    Verdict::Differs(difference)
}

/// E-mail and name; whether one of them differs.
fn own_fields(
    entity: Entity,
    sent: &Sent,
    held: &Held,
    difference: &mut Difference,
    untold: &mut Option<&'static str>,
) -> bool {
    match (&sent.email, &held.email) {
        (Some(sent), Some(held)) if fold::email(sent) != fold::email(held) => {
            difference.fields.push("email".to_owned());
        }
        // a record that was found by its e-mail has it; one that was named by its id may not
        (Some(_), None) if sent.id.is_some() => *untold = Some("its e-mail"),
        _ => {}
    }
    if let Some(sent) = &sent.name {
        let held = held.name.as_deref().unwrap_or_default();
        let (field, same) = if entity == Entity::Customer {
            ("display_name", value::text(sent) == value::text(held))
        } else {
            ("name", fold::name(sent) == fold::name(held))
        };
        if !same {
            difference.fields.push(field.to_owned());
        }
    }
    !difference.fields.is_empty()
}

fn details(
    sent: &Sent,
    held: &Held,
    kinds: &Kinds,
    difference: &mut Difference,
    untold: &mut Option<&'static str>,
) {
    let Some(held) = &held.details else {
        if !sent.details.is_empty() {
            *untold = Some("its detail fields");
        }
        return;
    };
    for Change { field, act } in &sent.details {
        let folded = fold::name(field);
        let values = held.iter().find(|held| fold::name(&held.name) == folded);
        let kind = kinds.get(&folded);
        let has = value::set(kind, values.map_or(&[], |held| &held.values));
        let holds = match act {
            Act::Set(values) => has == value::set(kind, values),
            Act::Add(values) => value::set(kind, values).is_subset(&has),
            Act::Take(values) => value::set(kind, values).is_disjoint(&has),
        };
        if !holds {
            difference.fields.push(field.clone());
            difference.details = true;
        }
    }
}

/// Gives the notes of memberships that remain.
fn organizations(
    sent: &Sent,
    held: &Held,
    difference: &mut Difference,
    untold: &mut Option<&'static str>,
) -> Vec<Reason> {
    if sent.organizations.is_empty() {
        return Vec::new();
    }
    let Some(held) = &held.organizations else {
        *untold = Some("its organizations");
        return Vec::new();
    };
    for id in &sent.organizations {
        let is_member = held.iter().any(|other| other.id == *id);
        if !is_member && !difference.missing.contains(id) {
            difference.missing.push(id.clone());
        }
    }
    let remaining = held
        .iter()
        .filter(|other| !sent.organizations.contains(&other.id));
    let names: Vec<_> = remaining
        .map(|other| match &other.name {
            Some(name) => format!("\"{name}\""),
            None => other.id.clone(),
        })
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    vec![Reason {
        code: Code::MembershipRemains.into(),
        field: Some("organizations".to_owned()),
        message: format!(
            "the customer still belongs to {}, which the row does not name",
            names.join(", ")
        ),
    }]
}

fn products(
    sent: &Sent,
    held: &Held,
    difference: &mut Difference,
    untold: &mut Option<&'static str>,
) {
    if sent.products.is_empty() {
        return;
    }
    let Some(held) = &held.entitlements else {
        *untold = Some("its products");
        return;
    };
    let mut missing: Vec<String> = Vec::new();
    for id in &sent.products {
        let mut products = held.iter().filter_map(|held| held.product.as_ref());
        if !products.any(|product| product.id == *id) && !missing.contains(id) {
            missing.push(id.clone());
        }
    }
    if !missing.is_empty() && held.iter().any(|held| held.product.is_none()) {
        *untold = Some("of which products its entitlements are");
    } else {
        difference.products = missing;
    }
}

fn atlassian_account() -> Reason {
    Reason {
        code: Code::AtlassianAccount.into(),
        field: None,
        message: "the record belongs to an Atlassian account, whose name and e-mail are its owner's, and which only its id names"
            .to_owned(),
    }
}
