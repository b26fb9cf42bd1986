//! Request bodies, read strictly: a key the contract does not name refuses the whole request.

use super::Refusal;
use super::entity::Entity;
use crate::api::contract::{self, Contract, keys, operation_word};
use crate::model::entity::Operation;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Declares a JSON object by the contract's keys. Every key is optional, `null` counts as absent, others are errors.
macro_rules! object {
    ($(#[$doc:meta])* $vis:vis struct $name:ident { $($field:ident: $type:ty = $key:expr,)+ }) => {
        $(#[$doc])*
        #[derive(Default)]
        $vis struct $name { $($vis $field: Option<$type>,)+ }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Keys;
                impl<'de> Visitor<'de> for Keys {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut object = $name::default();
                        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                            $(if key == $key {
                                object.$field = map.next_value()?;
                                continue;
                            })+
                            return Err(A::Error::custom(format_args!("unknown key {key:?}")));
                        }
                        Ok(object)
                    }
                }
                from.deserialize_map(Keys)
            }
        }
    };
}

object! {
    struct CustomerBulk { items: Vec<CustomerItem> = contract::Name::CustomerProfiles.default(), }
}
object! {
    struct CustomerItem { operation: Verb = keys::OPERATION, payload: CustomerPayload = keys::PAYLOAD, }
}
object! {
    struct CustomerPayload {
        id: String = keys::CUSTOMER_ID,
        email: String = keys::EMAIL,
        display_name: String = keys::DISPLAY_NAME,
        details: Vec<Detail> = keys::DETAILS,
        organizations: Organizations = keys::ASSOCIATE_ORGANIZATIONS,
        products: Products = keys::ASSOCIATE_PRODUCTS,
    }
}
object! {
    struct OrganizationBulk {
        items: Vec<OrganizationItem> = contract::ORGANIZATION_PROFILES,
    }
}
object! {
    struct OrganizationItem {
        operation: Verb = keys::OPERATION,
        payload: OrganizationPayload = keys::PAYLOAD,
    }
}
object! {
    struct OrganizationPayload {
        id: String = keys::ORGANIZATION_ID,
        name: String = keys::NAME,
        details: Vec<Detail> = keys::DETAILS,
        customers: Customers = keys::ASSOCIATE_CUSTOMERS,
        products: Products = keys::ASSOCIATE_PRODUCTS,
    }
}
object! {
    struct Detail { name: String = keys::NAME, values: Vec<String> = keys::VALUES, }
}
object! {
    struct Organizations { ids: Vec<Reference> = keys::ORGANIZATION_IDS, }
}
object! {
    struct Customers { ids: Vec<Reference> = keys::CUSTOMER_IDS, }
}
object! {
    struct Products { ids: Vec<Reference> = keys::PRODUCT_IDS, }
}
object! {
    /// The body of `POST /product` and `POST /organization`.
    pub(in crate::sandbox) struct Named { name: String = keys::NAME, }
}
object! {
    /// The body of `organization/fetch`.
    pub(in crate::sandbox) struct FetchOrganizations {
        ids: Vec<String> = keys::FETCH_ORGANIZATION_IDS,
        names: Vec<String> = keys::FETCH_ORGANIZATION_NAMES,
    }
}
object! {
    /// The body of `customer/profile/fetch`.
    pub(in crate::sandbox) struct FetchCustomers { ids: Vec<String> = keys::CUSTOMER_IDS, }
}
object! {
    /// The body of `customer/search-by-detail-field`.
    pub(in crate::sandbox) struct Search { criteria: Vec<Criterion> = keys::DETAIL_FIELDS, }
}
object! {
    /// One thing to search for.
    pub(in crate::sandbox) struct Criterion { name: String = keys::NAME, value: String = keys::VALUE, }
}

/// `operationType`.
struct Verb(Operation);

impl<'de> Deserialize<'de> for Verb {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let word = Cow::<str>::deserialize(from)?;
        [Operation::Create, Operation::Update, Operation::Upsert]
            .into_iter()
            .find(|operation| operation_word(*operation) == word)
            .map(Self)
            .ok_or_else(|| D::Error::custom("an operation type is CREATE, UPDATE or UPSERT"))
    }
}

/// An id of an association. A live site silently ignored ids sent as numbers.
enum Reference {
    Id(String),
    Number,
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct IdOrNumber;
        impl Visitor<'_> for IdOrNumber {
            type Value = Reference;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id")
            }
            fn visit_str<E: Error>(self, id: &str) -> Result<Reference, E> {
                Ok(Reference::Id(id.to_owned()))
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<Reference, E> {
                Ok(Reference::Number)
            }
            fn visit_u64<E: Error>(self, _: u64) -> Result<Reference, E> {
                Ok(Reference::Number)
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<Reference, E> {
                Ok(Reference::Number)
            }
        }
        from.deserialize_any(IdOrNumber)
    }
}

/// One item of a bulk request, the same for customers and organizations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) struct Item {
    /// What is asked for.
    pub operation: Operation,
    /// The record's id.
    pub id: Option<String>,
    /// A customer's e-mail, an organization's or product's name.
    pub name: Option<String>,
    /// A customer's name.
    pub display_name: Option<String>,
    /// Detail values by field name; no values clear a field.
    pub details: Vec<(String, Vec<String>)>,
    /// Ids of organizations to put a customer into.
    pub organizations: Vec<String>,
    /// Ids of customers to put into an organization.
    pub customers: Vec<String>,
    /// Ids of products to entitle it to.
    pub products: Vec<String>,
}

impl Item {
    /// The creation of a record that has a name alone.
    pub(in crate::sandbox) fn create(name: String) -> Self {
        Self {
            operation: Operation::Create,
            id: None,
            name: Some(name),
            display_name: None,
            details: Vec::new(),
            organizations: Vec::new(),
            customers: Vec::new(),
            products: Vec::new(),
        }
    }
}

/// Reads a request body.
pub(in crate::sandbox) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes)
        .map_err(|error| Refusal::bad_request(format!("Invalid request body: {error}")))
}

/// Reads a required key.
pub(in crate::sandbox) fn required<T>(value: Option<T>, key: &str) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::bad_request(format!("Invalid request body: {key} is required")))
}

/// Reads the items of a bulk request for customers or organizations.
pub(in crate::sandbox) fn bulk(entity: Entity, bytes: &[u8]) -> Result<Vec<Item>, Refusal> {
    let endpoint = match entity {
        Entity::Customer => contract::CUSTOMER_PROFILE_BULK,
        Entity::Organization => contract::ORGANIZATION_PROFILE_BULK,
        Entity::Product => return Err(Refusal::not_found("There is no such bulk endpoint")),
    };
    let contract = Contract::default();
    let list_key = endpoint.list.in_contract(&contract);
    let items: Vec<Item> = if entity == Entity::Customer {
        let items = body::<CustomerBulk>(bytes)?.items;
        let items = required(items, list_key)?;
        items.into_iter().map(customer).collect::<Result<_, _>>()?
    } else {
        let items = body::<OrganizationBulk>(bytes)?.items;
        let items = required(items, list_key)?;
        items
            .into_iter()
            .map(organization)
            .collect::<Result<_, _>>()?
    };
    let (count, most) = (items.len(), endpoint.max_items);
    if (1..=most).contains(&count) {
        return Ok(items);
    }
    Err(Refusal::bad_request(format!(
        "{list_key} must hold between 1 and {most} items, not {count}"
    )))
}

fn customer(item: CustomerItem) -> Result<Item, Refusal> {
    let payload = required(item.payload, keys::PAYLOAD)?;
    if payload.id.is_none() {
        required(payload.email.as_ref(), "email or customerId")?;
    }
    Ok(Item {
        operation: required(item.operation, keys::OPERATION)?.0,
        id: payload.id,
        name: payload.email,
        display_name: payload.display_name,
        details: details(payload.details)?,
        organizations: references(
            payload
                .organizations
                .map(|a| required(a.ids, keys::ORGANIZATION_IDS))
                .transpose()?,
        ),
        customers: Vec::new(),
        products: references(
            payload
                .products
                .map(|a| required(a.ids, keys::PRODUCT_IDS))
                .transpose()?,
        ),
    })
}

fn organization(item: OrganizationItem) -> Result<Item, Refusal> {
    let payload = required(item.payload, keys::PAYLOAD)?;
    if payload.id.is_none() {
        required(payload.name.as_ref(), "name or id")?;
    }
    Ok(Item {
        operation: required(item.operation, keys::OPERATION)?.0,
        id: payload.id,
        name: payload.name,
        display_name: None,
        details: details(payload.details)?,
        organizations: Vec::new(),
        customers: references(
            payload
                .customers
                .map(|a| required(a.ids, keys::CUSTOMER_IDS))
                .transpose()?,
        ),
        products: references(
            payload
                .products
                .map(|a| required(a.ids, keys::PRODUCT_IDS))
                .transpose()?,
        ),
    })
}

fn details(details: Option<Vec<Detail>>) -> Result<Vec<(String, Vec<String>)>, Refusal> {
    let pair = |detail: Detail| {
        Ok((
            required(detail.name, keys::NAME)?,
            required(detail.values, keys::VALUES)?,
        ))
    };
    details.into_iter().flatten().map(pair).collect()
}

/// The ids of an association, without those that are numbers.
fn references(ids: Option<Vec<Reference>>) -> Vec<String> {
    let text = |reference| match reference {
        Reference::Id(id) => Some(id),
        Reference::Number => None,
    };
    ids.into_iter().flatten().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn refusal(entity: Entity, body: &str) -> String {
        let refusal = bulk(entity, body.as_bytes()).unwrap_err();
        assert_eq!(refusal.status, 400);
        refusal.message
    }

    #[test]
    fn a_whole_profile_is_read_and_ids_sent_as_numbers_are_ignored() {
        let body = r#"{"customerProfiles":[{"operationType":"UPSERT","payload":{
            "customerId":"qm:1","email":"ana@example.com","displayName":"Ana",
            "details":[{"name":"Region","values":["EMEA"]},{"name":"Phone","values":[]}],
            "associateOrganizations":{"organizationIds":["1",2,-3,4.5]},
            "associateProducts":{"productIds":["p"]}}}]}"#;
        let item = Item {
            operation: Operation::Upsert,
            id: Some("qm:1".into()),
            display_name: Some("Ana".into()),
            details: vec![
                ("Region".into(), vec!["EMEA".into()]),
                ("Phone".into(), vec![]),
            ],
            organizations: vec!["1".into()],
            products: vec!["p".into()],
            ..Item::create("ana@example.com".into())
        };
        assert_eq!(bulk(Entity::Customer, body.as_bytes()).unwrap(), [item]);
        let body = r#"{"organizationProfiles":[{"operationType":"CREATE","payload":
            {"name":"Acme","associateCustomers":{"customerIds":["qm:1"]},"id":null}}]}"#;
        let item = Item {
            customers: vec!["qm:1".into()],
            ..Item::create("Acme".into())
        };
        assert_eq!(bulk(Entity::Organization, body.as_bytes()).unwrap(), [item]);
    }

    #[test]
    fn what_the_contract_does_not_name_refuses_the_whole_request() {
        let customer = |item: &str| {
            refusal(
                Entity::Customer,
                &format!("{{\"customerProfiles\":[{item}]}}"),
            )
        };
        assert_snapshot!(refusal(Entity::Customer, "not json"), @"Invalid request body: expected ident at line 1 column 2");
        assert_snapshot!(refusal(Entity::Customer, "[]"), @"Invalid request body: invalid type: sequence, expected an object at line 1 column 0");
        assert_snapshot!(refusal(Entity::Customer, "{}"), @"Invalid request body: customerProfiles is required");
        assert_snapshot!(refusal(Entity::Customer, r#"{"customers":[]}"#), @r#"Invalid request body: unknown key "customers" at line 1 column 12"#);
        assert_snapshot!(customer(""), @"customerProfiles must hold between 1 and 100 items, not 0");
        assert_snapshot!(customer(r#"{"payload":{"email":"a@b"}}"#), @"Invalid request body: operationType is required");
        assert_snapshot!(customer(r#"{"operationType":"upsert","payload":{"email":"a@b"}}"#), @"Invalid request body: an operation type is CREATE, UPDATE or UPSERT at line 1 column 46");
        assert_snapshot!(customer(r#"{"operationType":"UPSERT"}"#), @"Invalid request body: payload is required");
        assert_snapshot!(customer(r#"{"operationType":"UPSERT","payload":{}}"#), @"Invalid request body: email or customerId is required");
        assert_snapshot!(customer(r#"{"operationType":"UPSERT","payload":{"name":"x"}}"#), @r#"Invalid request body: unknown key "name" at line 1 column 64"#);
        assert_snapshot!(customer(r#"{"operationType":"UPSERT","payload":{"email":"a@b","details":[{"name":"x"}]}}"#), @"Invalid request body: values is required");
        assert_snapshot!(customer(r#"{"operationType":"UPSERT","payload":{"email":"a@b","associateProducts":{}}}"#), @"Invalid request body: productIds is required");
        assert_snapshot!(refusal(Entity::Organization, r#"{"organizationProfiles":[{"operationType":"UPSERT","payload":{}}]}"#), @"Invalid request body: name or id is required");
    }
}
