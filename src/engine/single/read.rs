//! The JSON of an item, as bulk requests carry it → what its row asks for.

use super::row::{Asks, Change};
use super::steps;
use crate::api::contract::{Contract, Name, keys, verb_word};
use crate::api::fold;
use crate::engine::seen::Target;
use crate::model::entity::{Entity, Family, Verb};
use serde_json::Value;

/// How many calls a row takes at most, where nothing has to be repeated; looks included. `exists` tells whether its
/// record is on the site under an id that is known; `None` where nobody knows, which counts as new. An item that cannot
/// be read takes none.
#[must_use]
pub fn calls_of(contract: &Contract, target: &Target, item: &[u8], exists: Option<bool>) -> u32 {
    asks(contract, target, item).map_or(0, |asks| steps::calls(target, &asks, exists))
}

/// What an item asks for; `None` where it is not one.
pub(super) fn asks(contract: &Contract, target: &Target, item: &[u8]) -> Option<Asks> {
    let item: Value = serde_json::from_slice(item).ok()?;
    match target.family {
        Family::Details => operations(contract, target.entity, &item),
        Family::Profile | Family::Account => record(contract, target.entity, &item),
    }
}

fn record(contract: &Contract, entity: Entity, item: &Value) -> Option<Asks> {
    let payload = item.get(keys::PAYLOAD)?;
    let text = |key: &str| payload.get(key).and_then(scalar);
    let ids = |outer: &str, inner: &str| {
        let list = payload.get(outer).and_then(|object| object.get(inner));
        list.map_or_else(Vec::new, texts)
    };
    let (id, email, name) = match entity {
        Entity::Customer => (
            text(keys::CUSTOMER_ID),
            text(keys::EMAIL),
            text(keys::DISPLAY_NAME),
        ),
        Entity::Organization => (text(keys::ORGANIZATION_ID), None, text(keys::NAME)),
        Entity::Product | Entity::DetailField | Entity::Entitlement => return None,
    };
    let key = match entity {
        Entity::Customer => email.as_deref().map(fold::email),
        _ => name.as_deref().map(fold::name),
    };
    let details = payload.get(keys::DETAILS).and_then(Value::as_array);
    let details = details.into_iter().flatten();
    Some(Asks {
        key: key.map(std::borrow::Cow::into_owned),
        details: details
            .map(|detail| change(Verb::Update, detail))
            .collect::<Option<_>>()?,
        organizations: ids(
            contract.name(Name::AssociateOrganizations),
            keys::ORGANIZATION_IDS,
        ),
        products: ids(
            contract.name(Name::AssociateProducts),
            contract.name(Name::ProductIds),
        ),
        payload: payload.to_string().into_bytes(),
        id,
        email,
        name,
    })
}

fn operations(contract: &Contract, entity: Entity, item: &Value) -> Option<Asks> {
    let id = match entity {
        Entity::Organization => contract.name(Name::OrganizationDetailsId),
        Entity::Customer | Entity::Product | Entity::DetailField | Entity::Entitlement => {
            keys::CUSTOMER_ID
        }
    };
    let operations = item.get(keys::OPERATIONS)?.as_array()?.iter();
    let details = operations.map(|operation| {
        let word = operation.get(keys::OPERATION)?.as_str()?;
        let verb = Verb::ALL
            .into_iter()
            .find(|verb| verb_word(*verb) == word)?;
        change(verb, operation.get(keys::PAYLOAD)?)
    });
    Some(Asks {
        id: Some(item.get(id).and_then(scalar)?),
        details: details.collect::<Option<_>>()?,
        ..Asks::default()
    })
}

fn change(verb: Verb, detail: &Value) -> Option<Change> {
    Some(Change {
        verb,
        field: detail.get(keys::NAME)?.as_str()?.to_owned(),
        values: detail.get(keys::VALUES).map_or_else(Vec::new, texts),
    })
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(scalar).collect()
}

/// Ids are numbers where the contract says so.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entity::{Asked, Operation};
    use serde_json::json;

    fn target(entity: Entity, family: Family) -> Target {
        let asked = match family {
            Family::Details => Asked::Details(Verb::Update),
            Family::Profile | Family::Account => Operation::Upsert.into(),
        };
        Target {
            stage: 0,
            entity,
            family,
            asked,
            key_detail: None,
        }
    }

    fn read(contract: &Contract, target: &Target, item: &Value) -> Option<Asks> {
        asks(contract, target, item.to_string().as_bytes())
    }

    #[test]
    fn a_profile_is_read_in_the_names_of_the_contract() {
        let contract = Contract::default()
            .with(Name::AssociateOrganizations, "orgs")
            .with(Name::ProductIds, "ids");
        let payload = json!({
            "email": " Ana@Example.com", "displayName": "Ana",
            "details": [{ "name": "Region", "values": ["EMEA"] }, { "name": "Phone", "values": [] }],
            "orgs": { "organizationIds": [7, "8"] },
            "associateProducts": { "ids": ["p"] },
        });
        let item = json!({ "operationType": "UPSERT", "payload": payload });
        let target = target(Entity::Customer, Family::Profile);
        let asks = read(&contract, &target, &item).expect("an item");
        assert_eq!(
            (asks.id, asks.key.as_deref()),
            (None, Some("ana@example.com"))
        );
        assert_eq!(asks.email.as_deref(), Some(" Ana@Example.com"));
        assert_eq!(asks.name.as_deref(), Some("Ana"));
        let change = |field: &str, values: &[&str]| Change {
            verb: Verb::Update,
            field: field.to_owned(),
            values: values.iter().map(|&value| value.to_owned()).collect(),
        };
        assert_eq!(
            asks.details,
            [change("Region", &["EMEA"]), change("Phone", &[])]
        );
        assert_eq!(asks.organizations, ["7", "8"]);
        assert_eq!(asks.products, ["p"]);
        let sent: Value = serde_json::from_slice(&asks.payload).expect("JSON");
        assert_eq!(sent, payload);
    }

    #[test]
    fn operations_are_read_with_their_verbs() {
        let contract = Contract::default().with(Name::OrganizationDetailsId, "org");
        let item = json!({ "org": 12, "operations": [
            { "operationType": "PATCH", "payload": { "name": "A", "values": ["1"] } },
            { "operationType": "DELETE", "payload": { "name": "B" } },
        ]});
        let target = target(Entity::Organization, Family::Details);
        let asks = read(&contract, &target, &item).expect("an item");
        assert_eq!(asks.id.as_deref(), Some("12"));
        let verbs: Vec<_> = asks.details.iter().map(|change| change.verb).collect();
        assert_eq!(verbs, [Verb::Patch, Verb::Delete]);
        assert!(asks.details[1].values.is_empty());
        assert_eq!(
            calls_of(&contract, &target, item.to_string().as_bytes(), None),
            4
        );
    }

    #[test]
    fn what_is_no_item_is_not_read() {
        let contract = Contract::default();
        for (family, item) in [
            (Family::Profile, json!({ "operationType": "UPSERT" })),
            (
                Family::Profile,
                json!({ "payload": { "details": [{ "values": ["1"] }] } }),
            ),
            (
                Family::Details,
                json!({ "payload": { "email": "a@b.example" } }),
            ),
            (
                Family::Details,
                json!({ "customerId": "qm:1", "operations": [{ "operationType": "DROP" }] }),
            ),
        ] {
            let target = target(Entity::Customer, family);
            assert_eq!(read(&contract, &target, &item), None, "{item}");
            assert_eq!(
                calls_of(&contract, &target, item.to_string().as_bytes(), None),
                0
            );
        }
        assert_eq!(
            asks(&contract, &target(Entity::Customer, Family::Profile), b"{"),
            None
        );
    }
}
