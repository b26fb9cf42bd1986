//! The bodies of the eight bulk requests.

use super::{Read, object, parse, required};
use crate::api::contract::{Contract, IdForm, Name, ORGANIZATION_PROFILES, keys};
use crate::model::entity::Operation;
use crate::sandbox::site::Refusal;
use crate::sandbox::site::item::{Bulk, CustomerKind, DetailChange, DetailVerb, Item, Wanted};
use crate::sandbox::site::request::single::{CustomerAccount, NewField};
use serde::de::{Deserializer, Error, Visitor};
use std::fmt;

/// Customer accounts or organizations of a request.
const MAX_RECORDS: usize = 50;
/// Profiles of a request.
const MAX_PROFILES: usize = 100;
/// Detail operations of a request.
const MAX_OPERATIONS: usize = 1000;
/// Detail-field definitions of a request.
const MAX_DEFINITIONS: usize = 50;
/// The customers of a request for detail values.
const CUSTOMERS: &str = "customers";
/// The operations of one of them.
const OPERATIONS: &str = "operations";

object! {
    struct Accounts { items: Vec<AccountItem> = Name::CustomerAccounts, }
}
object! {
    struct AccountItem { operation: Operation = keys::OPERATION, payload: CustomerAccount = keys::PAYLOAD, }
}
object! {
    struct Profiles { items: Vec<ProfileItem> = Name::CustomerProfiles, }
}
object! {
    struct ProfileItem { operation: Operation = keys::OPERATION, payload: CustomerProfile = keys::PAYLOAD, }
}
object! {
    /// A customer profile to create or change.
    pub(in crate::sandbox) struct CustomerProfile {
        id: String = keys::CUSTOMER_ID,
        email: String = keys::EMAIL,
        display_name: String = keys::DISPLAY_NAME,
        details: Vec<Detail> = keys::DETAILS,
        organizations: Organizations = Name::AssociateOrganizations,
        products: Products = Name::AssociateProducts,
    }
}
object! {
    struct OrganizationList { items: Vec<OrganizationItem> = Name::Organizations, }
}
object! {
    struct OrganizationItem { operation: Operation = keys::OPERATION, payload: Organization = keys::PAYLOAD, }
}
object! {
    struct Organization { id: String = keys::ORGANIZATION_ID, name: String = keys::NAME, }
}
object! {
    struct OrganizationProfiles { items: Vec<OrganizationProfileItem> = ORGANIZATION_PROFILES, }
}
object! {
    struct OrganizationProfileItem {
        operation: Operation = keys::OPERATION,
        payload: OrganizationProfile = keys::PAYLOAD,
    }
}
object! {
    /// An organization profile to create or change.
    pub(in crate::sandbox) struct OrganizationProfile {
        id: String = keys::ORGANIZATION_ID,
        name: String = keys::NAME,
        details: Vec<Detail> = keys::DETAILS,
        customers: Customers = keys::ASSOCIATE_CUSTOMERS,
        products: Products = Name::AssociateProducts,
    }
}
object! {
    /// The values of a detail field.
    pub(in crate::sandbox) struct Detail { name: String = keys::NAME, values: Vec<String> = keys::VALUES, }
}
object! {
    /// Organizations of a customer.
    pub(in crate::sandbox) struct Organizations { ids: Vec<Reference> = keys::ORGANIZATION_IDS, }
}
object! {
    /// Customers of an organization.
    pub(in crate::sandbox) struct Customers { ids: Vec<Reference> = keys::CUSTOMER_IDS, }
}
object! {
    /// Products of either.
    pub(in crate::sandbox) struct Products { ids: Vec<Reference> = Name::ProductIds, }
}
object! {
    struct CustomerDetails { items: Vec<CustomerDetailItem> = CUSTOMERS, }
}
object! {
    struct CustomerDetailItem { id: String = keys::CUSTOMER_ID, operations: Vec<DetailOperation> = OPERATIONS, }
}
object! {
    struct OrganizationDetails { items: Vec<OrganizationDetailItem> = Name::OrganizationDetails, }
}
object! {
    struct OrganizationDetailItem {
        id: String = Name::OrganizationDetailsId,
        operations: Vec<DetailOperation> = OPERATIONS,
    }
}
object! {
    struct DetailOperation { verb: DetailVerb = keys::OPERATION, payload: Detail = keys::PAYLOAD, }
}
object! {
    struct Definitions { items: Vec<NewField> = keys::DETAIL_FIELDS, }
}

/// An id of an association. A live site silently ignored ids sent as numbers.
#[derive(Debug)]
pub(in crate::sandbox) enum Reference {
    /// `"123"`
    Text(String),
    /// `123`
    Number(String),
}

impl<'de> Read<'de> for Reference {
    fn read<D: Deserializer<'de>>(_: &Contract, from: D) -> Result<Self, D::Error> {
        struct IdOrNumber;
        impl Visitor<'_> for IdOrNumber {
            type Value = Reference;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id")
            }
            fn visit_str<E: Error>(self, id: &str) -> Result<Reference, E> {
                Ok(Reference::Text(id.to_owned()))
            }
            fn visit_i64<E: Error>(self, id: i64) -> Result<Reference, E> {
                Ok(Reference::Number(id.to_string()))
            }
            fn visit_u64<E: Error>(self, id: u64) -> Result<Reference, E> {
                Ok(Reference::Number(id.to_string()))
            }
            fn visit_f64<E: Error>(self, id: f64) -> Result<Reference, E> {
                Ok(Reference::Number(id.to_string()))
            }
        }
        from.deserialize_any(IdOrNumber)
    }
}

/// The ids of an association, without those that are not of the form that works.
fn references(ids: Vec<Reference>, form: IdForm) -> Vec<String> {
    let working = |reference| match (reference, form) {
        (Reference::Text(id), IdForm::String) | (Reference::Number(id), IdForm::Number) => Some(id),
        (Reference::Text(_), IdForm::Number) | (Reference::Number(_), IdForm::String) => None,
    };
    ids.into_iter().filter_map(working).collect()
}

/// Reads the items of a bulk request.
///
/// # Errors
/// When the body is wrong, or holds too much or nothing.
pub(in crate::sandbox::site) fn bulk(
    contract: &Contract,
    bulk: Bulk,
    bytes: &[u8],
) -> Result<Vec<Wanted>, Refusal> {
    /// Reads a body of one list, the items of which become records or fields.
    macro_rules! list {
        ($body:ty, $key:expr, $most:expr, $item:expr) => {{
            let key = $key;
            let items = required(parse::<$body>(contract, bytes)?.items, key)?;
            within(key, items.len(), $most, "items")?;
            items.into_iter().map($item).collect()
        }};
    }
    match bulk {
        Bulk::CustomerAccounts => {
            let key = contract.name(Name::CustomerAccounts);
            list!(Accounts, key, MAX_RECORDS, |item: AccountItem| {
                let payload = required(item.payload, keys::PAYLOAD)?;
                let operation = required(item.operation, keys::OPERATION)?;
                payload.item(operation).map(Wanted::Record)
            })
        }
        Bulk::CustomerProfiles => {
            let key = contract.name(Name::CustomerProfiles);
            list!(Profiles, key, MAX_PROFILES, |item: ProfileItem| {
                let payload = required(item.payload, keys::PAYLOAD)?;
                let operation = required(item.operation, keys::OPERATION)?;
                payload.item(contract, operation).map(Wanted::Record)
            })
        }
        Bulk::Organizations => {
            let key = contract.name(Name::Organizations);
            list!(
                OrganizationList,
                key,
                MAX_RECORDS,
                |item: OrganizationItem| {
                    let Organization { id, name } = required(item.payload, keys::PAYLOAD)?;
                    let profile = OrganizationProfile {
                        id,
                        name,
                        ..OrganizationProfile::default()
                    };
                    let operation = required(item.operation, keys::OPERATION)?;
                    profile.item(contract, operation).map(Wanted::Record)
                }
            )
        }
        Bulk::OrganizationProfiles => {
            list!(
                OrganizationProfiles,
                ORGANIZATION_PROFILES,
                MAX_PROFILES,
                |item: OrganizationProfileItem| {
                    let payload = required(item.payload, keys::PAYLOAD)?;
                    let operation = required(item.operation, keys::OPERATION)?;
                    payload.item(contract, operation).map(Wanted::Record)
                }
            )
        }
        Bulk::CustomerDetails => {
            let items = required(parse::<CustomerDetails>(contract, bytes)?.items, CUSTOMERS)?;
            let items = items.into_iter().map(|item| (item.id, item.operations));
            details(CUSTOMERS, keys::CUSTOMER_ID, items)
        }
        Bulk::OrganizationDetails => {
            let list_key = contract.name(Name::OrganizationDetails);
            let items = required(
                parse::<OrganizationDetails>(contract, bytes)?.items,
                list_key,
            )?;
            let items = items.into_iter().map(|item| (item.id, item.operations));
            details(list_key, contract.name(Name::OrganizationDetailsId), items)
        }
        Bulk::CustomerFields | Bulk::OrganizationFields => {
            let key = keys::DETAIL_FIELDS;
            list!(Definitions, key, MAX_DEFINITIONS, |field: NewField| {
                field.field().map(Wanted::Field)
            })
        }
    }
}

fn within(key: &str, count: usize, most: usize, what: &str) -> Result<(), Refusal> {
    if (1..=most).contains(&count) {
        return Ok(());
    }
    Err(Refusal::bad_request(format!(
        "{key} must hold between 1 and {most} {what}, not {count}"
    )))
}

/// The items of a request for detail values; the limit is on their operations.
fn details(
    list_key: &str,
    id_key: &str,
    items: impl Iterator<Item = (Option<String>, Option<Vec<DetailOperation>>)>,
) -> Result<Vec<Wanted>, Refusal> {
    let (mut wanted, mut count) = (Vec::new(), 0);
    for (id, operations) in items {
        let mut item = Item::update(required(id, id_key)?);
        let operations = required(operations, OPERATIONS)?;
        within(OPERATIONS, operations.len(), MAX_OPERATIONS, "operations")?;
        count += operations.len();
        for operation in operations {
            item.details.push(operation.change()?);
        }
        wanted.push(Wanted::Record(item));
    }
    within(list_key, count, MAX_OPERATIONS, "operations")?;
    Ok(wanted)
}

impl DetailOperation {
    fn change(self) -> Result<DetailChange, Refusal> {
        let payload = required(self.payload, keys::PAYLOAD)?;
        let verb = required(self.verb, keys::OPERATION)?;
        let values = match verb {
            DetailVerb::Delete => payload.values.unwrap_or_default(),
            DetailVerb::Update | DetailVerb::Patch => required(payload.values, keys::VALUES)?,
        };
        Ok(DetailChange {
            verb,
            name: required(payload.name, keys::NAME)?,
            values,
        })
    }
}

impl CustomerAccount {
    /// What it asks for: of Customer Accounts alone, since others have no account here.
    pub(in crate::sandbox) fn item(self, operation: Operation) -> Result<Item, Refusal> {
        let profile = CustomerProfile {
            id: self.id,
            email: self.email,
            display_name: self.display_name,
            ..CustomerProfile::default()
        };
        let mut item = profile.item(&Contract::default(), operation)?;
        item.kind = Some(CustomerKind::Account);
        Ok(item)
    }
}

impl CustomerProfile {
    /// What it asks for.
    pub(in crate::sandbox) fn item(
        self,
        contract: &Contract,
        operation: Operation,
    ) -> Result<Item, Refusal> {
        if self.id.is_none() {
            required(self.email.as_ref(), "email or customerId")?;
        }
        let organizations = match self.organizations {
            Some(sent) => required(sent.ids, keys::ORGANIZATION_IDS)?,
            None => Vec::new(),
        };
        Ok(Item {
            id: self.id,
            name: self.email,
            display_name: self.display_name,
            details: values(self.details)?,
            organizations: references(organizations, contract.organization_ids),
            products: products(contract, self.products)?,
            ..Item::of(operation)
        })
    }
}

impl OrganizationProfile {
    /// What it asks for.
    pub(in crate::sandbox) fn item(
        self,
        contract: &Contract,
        operation: Operation,
    ) -> Result<Item, Refusal> {
        if self.id.is_none() {
            required(self.name.as_ref(), "name or id")?;
        }
        let customers = match self.customers {
            Some(sent) => required(sent.ids, keys::CUSTOMER_IDS)?,
            None => Vec::new(),
        };
        Ok(Item {
            id: self.id,
            name: self.name,
            details: values(self.details)?,
            customers: references(customers, IdForm::String),
            products: products(contract, self.products)?,
            ..Item::of(operation)
        })
    }
}

fn values(details: Option<Vec<Detail>>) -> Result<Vec<DetailChange>, Refusal> {
    let change = |detail: Detail| {
        let name = required(detail.name, keys::NAME)?;
        Ok(DetailChange::update(
            name,
            required(detail.values, keys::VALUES)?,
        ))
    };
    details.into_iter().flatten().map(change).collect()
}

fn products(contract: &Contract, products: Option<Products>) -> Result<Vec<String>, Refusal> {
    let ids = match products {
        Some(sent) => required(sent.ids, contract.name(Name::ProductIds))?,
        None => Vec::new(),
    };
    Ok(references(ids, IdForm::String))
}

#[cfg(test)]
mod tests;
