//! Which calls write what a row asks for, given what the site has; or why none can.

use super::row::{Asks, Change, Current, same_field};
use crate::engine::seen::Target;
use crate::model::code::Code;
use crate::model::entity::{Asked, Entity, Family, Operation, Verb};
use crate::model::row::Reason;
use std::collections::HashSet;

/// One call that writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Changes a customer's display name.
    NameCustomer(String),
    /// Changes an organization's name.
    NameOrganization(String),
    /// Sets the values of a detail field; none clear it.
    SetDetail(String, Vec<String>),
    /// Puts a customer into an organization.
    Join(String),
    /// Gives a product.
    Entitle(String),
}

impl Step {
    /// The field of the mapping that it writes.
    pub(super) fn field(&self) -> &str {
        match self {
            Self::NameCustomer(_) => "display_name",
            Self::NameOrganization(_) => "name",
            Self::SetDetail(field, _) => field,
            Self::Join(_) => "organizations",
            Self::Entitle(_) => "products",
        }
    }

    /// What it writes, in words.
    pub(super) fn what(&self) -> String {
        match self {
            Self::NameCustomer(_) => "the display name".to_owned(),
            Self::NameOrganization(_) => "the name".to_owned(),
            Self::SetDetail(field, _) => format!("the detail field {field:?}"),
            Self::Join(id) => format!("the membership in organization {id}"),
            Self::Entitle(id) => format!("the product {id}"),
        }
    }
}

/// What of the site beside the record itself the steps depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Means<'a> {
    /// Whether memberships may be made by calls of their own.
    pub(super) membership: bool,
    /// The detail fields that hold several values, folded to lower case; `None` where that is not known.
    pub(super) many: Option<&'a HashSet<String>>,
}

/// The operation, where it is one of records.
pub(super) fn operation(target: &Target) -> Option<Operation> {
    match target.asked {
        Asked::Record(operation) => Some(operation),
        Asked::Details(_) => None,
    }
}

/// Why a record is not created, where the site has none that the row means.
pub(super) fn against_creation(target: &Target, asks: &Asks) -> Option<Reason> {
    let what = target.entity;
    if let Some(id) = &asks.id {
        let message = format!("the site has no {what} with the id {id}");
        return Some(reason(Code::NotFound, None, message));
    }
    (operation(target) == Some(Operation::Update)).then(|| {
        let message = format!("operation = \"update\", and the site has no such {what}");
        reason(Code::NotFound, None, message)
    })
}

/// The calls that bring an existing record to what the row asks for.
///
/// # Errors
/// Why none can; then nothing has been written.
pub(super) fn changes(
    target: &Target,
    means: Means<'_>,
    asks: &Asks,
    current: &Current,
) -> Result<Vec<Step>, Reason> {
    let mut steps = Vec::new();
    steps.extend(name(target.entity, asks, current)?);
    steps.extend(details(means.many, &asks.details, current)?);
    steps.extend(joins(means.membership, asks, current)?);
    steps.extend(entitlements(asks, current));
    Ok(steps)
}

/// The calls that a record which was just created still needs, by what the answer told of it.
///
/// # Errors
/// Why none can.
pub(super) fn completion(
    means: Means<'_>,
    asks: &Asks,
    created: &Current,
) -> Result<Vec<Step>, Reason> {
    let mut steps = Vec::new();
    if created.organizations.is_some() {
        steps.extend(joins(means.membership, asks, created)?);
    }
    if created.products.is_some() {
        steps.extend(entitlements(asks, created));
    }
    Ok(steps)
}

/// The call that changes the name, if it is another one.
fn name(entity: Entity, asks: &Asks, current: &Current) -> Result<Option<Step>, Reason> {
    match entity {
        Entity::Organization => {
            let other = asks.key.is_some() && asks.key != current.key;
            let name = asks.name.clone().filter(|_| other);
            Ok(name.map(Step::NameOrganization))
        }
        _ if asks.key.is_some() && asks.key != current.key => {
            let message = match &current.key {
                Some(_) => "the customer has another e-mail, which no single call changes",
                None => {
                    "the site does not tell the customer's e-mail, which no single call changes"
                }
            };
            let field = Some("email".to_owned());
            Err(reason(Code::BulkOnly, field, message.to_owned()))
        }
        _ => {
            let name = asks.name.clone();
            let name = name.filter(|_| asks.name != current.name);
            Ok(name.map(Step::NameCustomer))
        }
    }
}

/// The calls that set detail fields: one a field, though several operations may name it.
fn details(
    many: Option<&HashSet<String>>,
    changes: &[Change],
    current: &Current,
) -> Result<Vec<Step>, Reason> {
    let mut set: Vec<(&str, Vec<String>)> = Vec::new();
    for change in changes {
        let place = set.iter().position(|(f, _)| same_field(f, &change.field));
        let old = match place {
            Some(place) => Some(&*set[place].1),
            None => current.values(&change.field),
        };
        let Some(new) = values(many, change, old)? else {
            continue;
        };
        match place {
            Some(place) => set[place].1 = new,
            None => set.push((&change.field, new)),
        }
    }
    let step = |(field, values): (&str, _)| Step::SetDetail(field.to_owned(), values);
    Ok(set.into_iter().map(step).collect())
}

/// The values that a field is to have; `None` where it has them.
fn values(
    many: Option<&HashSet<String>>,
    change: &Change,
    old: Option<&[String]>,
) -> Result<Option<Vec<String>>, Reason> {
    let new = &change.values;
    if change.verb == Verb::Update || (change.verb == Verb::Delete && new.is_empty()) {
        return Ok(Some(new.clone()));
    }
    let unknown = |what: &str| {
        let verb = change.verb.name();
        let message = format!("{what}, so that no single call can do what {verb} does");
        reason(Code::BulkOnly, Some(change.field.clone()), message)
    };
    let old = old.ok_or_else(|| unknown("the site does not tell the field's values of now"))?;
    if change.verb == Verb::Delete {
        let left: Vec<_> = old.iter().filter(|v| !new.contains(v)).cloned().collect();
        return Ok((left.len() < old.len()).then_some(left));
    }
    let more: Vec<_> = new.iter().filter(|v| !old.contains(v)).cloned().collect();
    if more.is_empty() {
        return Ok(None);
    }
    if old.is_empty() {
        return Ok(Some(new.clone()));
    }
    // values join those of a field for several, and take the place of any other's
    let many = many.ok_or_else(|| unknown("the field's type is not known"))?;
    Ok(Some(
        if many.contains(&change.field.trim().to_lowercase()) {
            old.iter().cloned().chain(more).collect()
        } else {
            new.clone()
        },
    ))
}

/// Whether the steps depend on the types of detail fields.
pub(super) fn needs_types(asks: &Asks, current: &Current) -> bool {
    details(None, &asks.details, current).is_err() && current.details.is_some()
}

/// The calls that make the memberships which are missing.
fn joins(membership: bool, asks: &Asks, current: &Current) -> Result<Vec<Step>, Reason> {
    let has = current.organizations.as_deref();
    let missing: Vec<_> = asks
        .organizations
        .iter()
        .filter(|id| has.is_none_or(|has| !has.contains(id)))
        .cloned()
        .collect();
    if missing.is_empty() || membership {
        return Ok(missing.into_iter().map(Step::Join).collect());
    }
    Err(not_joined(&missing))
}

/// Whether memberships are missing that no call may make.
pub(super) fn lacks(means: Means<'_>, asks: &Asks, current: &Current) -> bool {
    joins(means.membership, asks, current).is_err()
}

/// Memberships are missing, and no call may make them.
pub(super) fn not_joined(missing: &[String]) -> Reason {
    let message = format!(
        "the customer does not belong to {}, and a membership of an existing customer takes the service desk call that \
         [contract] membership = true allows",
        listed(missing)
    );
    reason(
        Code::AssociationMissing,
        Some("organizations".to_owned()),
        message,
    )
}

fn listed(ids: &[String]) -> String {
    let kind = if ids.len() == 1 {
        "organization"
    } else {
        "organizations"
    };
    format!("{kind} {}", ids.join(", "))
}

fn entitlements(asks: &Asks, current: &Current) -> Vec<Step> {
    let has = current.products.as_deref().unwrap_or_default();
    let missing = asks.products.iter().filter(|id| !has.contains(id));
    missing.cloned().map(Step::Entitle).collect()
}

/// Whether the site holds all that the row asks for, as far as it tells; what it does not tell counts as not held.
pub(super) fn holds(asks: &Asks, current: &Current) -> bool {
    let within = |wanted: &[String], has: Option<&[String]>| {
        wanted.is_empty() || has.is_some_and(|has| wanted.iter().all(|id| has.contains(id)))
    };
    let named = match asks.email {
        Some(_) => asks.name.is_none() || asks.name == current.name,
        None => true,
    };
    (asks.key.is_none() || asks.key == current.key)
        && named
        && asks.details.iter().all(|change| {
            current.values(&change.field).is_some_and(|has| {
                has.len() == change.values.len() && has.iter().all(|v| change.values.contains(v))
            })
        })
        && within(&asks.organizations, current.organizations.as_deref())
        && within(&asks.products, current.products.as_deref())
}

/// Whether a record is as a step makes it, as far as the site tells.
pub(super) fn is_made(step: &Step, asks: &Asks, current: &Current) -> bool {
    let has = |list: &Option<Vec<String>>, id| list.as_ref().is_some_and(|list| list.contains(id));
    match step {
        Step::NameCustomer(name) => current.name.as_ref() == Some(name),
        Step::NameOrganization(_) => asks.key.is_some() && asks.key == current.key,
        Step::SetDetail(field, values) => {
            let held = current.values(field).unwrap_or_default();
            current.details.is_some()
                && held.len() == values.len()
                && held.iter().all(|value| values.contains(value))
        }
        Step::Join(organization) => has(&current.organizations, organization),
        Step::Entitle(product) => has(&current.products, product),
    }
}

/// How many calls a row takes at most. See [`calls_of`](super::calls_of).
pub(super) fn calls(target: &Target, asks: &Asks, exists: Option<bool>) -> u32 {
    let count = |list: usize| u32::try_from(list).unwrap_or(u32::MAX);
    let fields = count(asks.details.len());
    if target.family == Family::Details {
        let adds = asks.details.iter().any(|change| change.verb == Verb::Patch);
        return fields + u32::from(reads_details(asks)) + u32::from(adds);
    }
    let known = asks.id.is_some() || exists == Some(true);
    let looks = u32::from(known || looks_first(target));
    match (known, operation(target)) {
        // it is there, or it is not: nothing is written
        (true, Some(Operation::Create)) | (false, Some(Operation::Update)) => looks,
        (false, _) => looks + 1,
        (true, _) => {
            let name = match target.entity {
                Entity::Customer => asks.name.is_some(),
                _ => asks.name.is_some() && asks.id.is_some(),
            };
            let products = count(asks.products.len());
            looks
                + u32::from(name)
                + fields
                + count(asks.organizations.len())
                + products
                + u32::from(products > 0)
        }
    }
}

/// Whether a record without an id is looked for before it is created. No two customers share an e-mail, so that one
/// that exists is refused; an update must not create.
pub(super) fn looks_first(target: &Target) -> bool {
    target.entity != Entity::Customer || operation(target) == Some(Operation::Update)
}

/// Whether the values of now decide what is written.
pub(super) fn reads_details(asks: &Asks) -> bool {
    asks.details.iter().any(|change| match change.verb {
        Verb::Update => false,
        Verb::Patch => true,
        Verb::Delete => !change.values.is_empty(),
    })
}

/// A reason.
pub(super) fn reason(code: Code, field: Option<String>, message: String) -> Reason {
    Reason {
        code: code.into(),
        field,
        message,
    }
}

#[cfg(test)]
#[path = "tests/steps.rs"]
mod tests;
