//! What a row asks of its record, read from the row's own payload. Pure.

use crate::api::contract::{Contract, Name, keys, verb_word};
use crate::engine::seen::Target;
use crate::model::entity::{Entity, Family, Verb};
use serde_json::Value;

/// What one row sends. What it leaves out is left alone by the site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// The site's id of the record, where the row names it so.
    pub id: Option<String>,
    /// A customer's e-mail.
    pub email: Option<String>,
    /// A customer's display name, an organization's name.
    pub name: Option<String>,
    /// The detail fields it writes; of those that overwrite one another the last.
    pub details: Vec<Change>,
    /// Ids of the organizations it puts a customer into.
    pub organizations: Vec<String>,
    /// Ids of the products it gives.
    pub products: Vec<String>,
}

/// What a row does to one detail field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The field's name, as the mapping writes it.
    pub field: String,
    /// What is done.
    pub act: Act,
}

/// What is done to the values of a field. What the site makes of each verb is a guess; this is what rows mean by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// These and no others; with none the field is cleared.
    Set(Vec<String>),
    /// These join what is there.
    Add(Vec<String>),
    /// These go.
    Take(Vec<String>),
}

impl Sent {
    /// Reads the payload of a customer or an organization; `None` where it is not what the mapping writes.
    pub(super) fn read(target: &Target, contract: &Contract, item: &[u8]) -> Option<Self> {
        let item: Value = serde_json::from_slice(item).ok()?;
        match target.family {
            Family::Details => Self::of_operations(target.entity, contract, &item),
            Family::Profile | Family::Account => {
                Self::of_record(target.entity, contract, item.get(keys::PAYLOAD)?)
            }
        }
    }

    fn of_record(entity: Entity, contract: &Contract, payload: &Value) -> Option<Self> {
        let text = |key: &str| payload.get(key).and_then(Value::as_str).map(str::to_owned);
        let (id, email, name) = match entity {
            Entity::Customer => (
                text(keys::CUSTOMER_ID),
                text(keys::EMAIL),
                text(keys::DISPLAY_NAME),
            ),
            Entity::Organization => (text(keys::ORGANIZATION_ID), None, text(keys::NAME)),
            Entity::Product | Entity::DetailField | Entity::Entitlement => return None,
        };
        let ids = |outer: &str, inner: &str| match payload.get(outer) {
            None => Some(Vec::new()),
            Some(object) => object.get(inner)?.as_array()?.iter().map(scalar).collect(),
        };
        let details = match payload.get(keys::DETAILS) {
            None => Vec::new(),
            Some(details) => {
                let change =
                    |detail| Some((text_of(detail, keys::NAME)?, Act::Set(values(detail)?)));
                details
                    .as_array()?
                    .iter()
                    .map(change)
                    .collect::<Option<_>>()?
            }
        };
        Some(Self {
            id,
            email,
            name,
            details: last_of_each(details),
            organizations: ids(
                contract.name(Name::AssociateOrganizations),
                keys::ORGANIZATION_IDS,
            )?,
            products: ids(
                contract.name(Name::AssociateProducts),
                contract.name(Name::ProductIds),
            )?,
        })
    }

    fn of_operations(entity: Entity, contract: &Contract, item: &Value) -> Option<Self> {
        let id = match entity {
            Entity::Customer => keys::CUSTOMER_ID,
            Entity::Organization => contract.name(Name::OrganizationDetailsId),
            Entity::Product | Entity::DetailField | Entity::Entitlement => return None,
        };
        let change = |operation: &Value| {
            let payload = operation.get(keys::PAYLOAD)?;
            let word = operation.get(keys::OPERATION)?.as_str()?;
            let verb = Verb::ALL
                .into_iter()
                .find(|verb| verb_word(*verb) == word)?;
            let values = values(payload);
            let act = match verb {
                Verb::Update => Act::Set(values?),
                Verb::Patch => Act::Add(values?),
                // without values the whole of the field goes
                Verb::Delete => match values {
                    Some(values) if !values.is_empty() => Act::Take(values),
                    _ => Act::Set(Vec::new()),
                },
            };
            Some((text_of(payload, keys::NAME)?, act))
        };
        let operations = item.get(keys::OPERATIONS)?.as_array()?;
        let details = operations.iter().map(change).collect::<Option<_>>()?;
        Some(Self {
            id: Some(text_of(item, id)?),
            details: last_of_each(details),
            ..Self::default()
        })
    }

    /// The value that the row gives a detail field, where it gives one alone.
    pub(super) fn value_of(&self, field: &str) -> Option<&str> {
        let change = self.details.iter().find(|change| change.field == field)?;
        match &change.act {
            Act::Set(values) | Act::Add(values) => match values.as_slice() {
                [one] => Some(one),
                _ => None,
            },
            Act::Take(_) => None,
        }
    }
}

/// A mapping names each field once, whatever its spelling; should one come twice, what was said last counts.
fn last_of_each(all: Vec<(String, Act)>) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::with_capacity(all.len());
    for (field, act) in all {
        if let Act::Set(_) = act {
            changes.retain(|earlier| earlier.field != field);
        }
        changes.push(Change { field, act });
    }
    changes
}

fn text_of(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

fn values(detail: &Value) -> Option<Vec<String>> {
    let values = detail.get(keys::VALUES)?.as_array()?;
    values
        .iter()
        .map(|value| value.as_str().map(str::to_owned))
        .collect()
}

/// An id, which `[contract]` may have written as a number.
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

    fn target(entity: Entity, family: Family) -> Target {
        Target {
            stage: 0,
            entity,
            family,
            asked: Asked::Record(Operation::Upsert),
            key_detail: None,
        }
    }

    fn read(entity: Entity, family: Family, item: &str) -> Option<Sent> {
        Sent::read(
            &target(entity, family),
            &Contract::default(),
            item.as_bytes(),
        )
    }

    #[test]
    fn a_profile_is_read_with_all_its_parts_and_what_it_leaves_out_is_not_there() {
        let item = r#"{"operationType":"UPSERT","payload":{"customerId":"qm:1","email":"ana@example.com",
            "displayName":"Ana","details":[{"name":"Region","values":["EMEA"]},{"name":"Tier","values":[]}],
            "associateOrganizations":{"organizationIds":["7",8]},"associateProducts":{"productIds":["p-1"]}}}"#;
        let sent = read(Entity::Customer, Family::Profile, item).expect("a profile");
        insta::assert_debug_snapshot!(sent, @r#"
        Sent {
            id: Some(
                "qm:1",
            ),
            email: Some(
                "ana@example.com",
            ),
            name: Some(
                "Ana",
            ),
            details: [
                Change {
                    field: "Region",
                    act: Set(
                        [
                            "EMEA",
                        ],
                    ),
                },
                Change {
                    field: "Tier",
                    act: Set(
                        [],
                    ),
                },
            ],
            organizations: [
                "7",
                "8",
            ],
            products: [
                "p-1",
            ],
        }
        "#);
        assert_eq!(
            (sent.value_of("Region"), sent.value_of("Tier")),
            (Some("EMEA"), None)
        );
        let item = r#"{"operationType":"CREATE","payload":{"name":"Acme"}}"#;
        let sent = read(Entity::Organization, Family::Account, item).expect("an organization");
        let acme = Sent {
            name: Some("Acme".to_owned()),
            ..Sent::default()
        };
        assert_eq!(sent, acme);
    }

    #[test]
    fn operations_are_read_by_their_verbs() {
        let item = r#"{"organizationId":"7","operations":[
            {"operationType":"UPDATE","payload":{"name":"A","values":["x"]}},
            {"operationType":"PATCH","payload":{"name":"B","values":["y"]}},
            {"operationType":"DELETE","payload":{"name":"C","values":["z"]}},
            {"operationType":"DELETE","payload":{"name":"D"}}]}"#;
        let sent = read(Entity::Organization, Family::Details, item).expect("operations");
        let acts: Vec<_> = sent.details.iter().map(|change| &change.act).collect();
        let one = |text: &str| vec![text.to_owned()];
        let expected = [
            &Act::Set(one("x")),
            &Act::Add(one("y")),
            &Act::Take(one("z")),
            &Act::Set(vec![]),
        ];
        assert_eq!((sent.id.as_deref(), acts), (Some("7"), expected.to_vec()));
    }

    #[test]
    fn what_no_mapping_writes_is_not_guessed_at() {
        for (family, item) in [
            (Family::Profile, "{}"),
            (Family::Profile, "not JSON"),
            (Family::Profile, r#"{"payload":{"details":[{"name":"A"}]}}"#),
            (
                Family::Profile,
                r#"{"payload":{"associateOrganizations":{}}}"#,
            ),
            (Family::Details, r#"{"operations":[]}"#),
            (
                Family::Details,
                r#"{"customerId":"a","operations":[{"operationType":"UPDATE","payload":{"name":"A"}}]}"#,
            ),
            (
                Family::Details,
                r#"{"customerId":"a","operations":[{"operationType":"X","payload":{"name":"A","values":[]}}]}"#,
            ),
        ] {
            assert_eq!(read(Entity::Customer, family, item), None, "{item}");
        }
        let product = r#"{"name":"Router"}"#;
        assert_eq!(read(Entity::Product, Family::Profile, product), None);
    }
}
