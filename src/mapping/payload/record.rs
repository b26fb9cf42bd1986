//! Whole records: products, and items of bulk requests for profiles and accounts.

use super::{Detail, References, detail_start, detail_values, key, separate, string, strings};
use crate::api::contract::{Contract, IdForm, Name, keys, operation_word};
use crate::mapping::sink::{Cell, Sink};
use crate::model::entity::{Entity, Operation};

/// Everything of a record that is the same for every row.
#[derive(Debug)]
pub(in crate::mapping) struct RecordTemplate {
    open: Vec<u8>,
    close: &'static [u8],
    /// The key of each field of the plan, `"email":`, in payload order, with the field's number.
    fields: Vec<(usize, Vec<u8>)>,
    /// `{"name":"Region","values":[` for each detail.
    details: Vec<Vec<u8>>,
    /// `"associateOrganizations":{"organizationIds":[`
    organizations: Vec<u8>,
    organization_ids: IdForm,
    /// `"associateProducts":{"productIds":[`
    products: Vec<u8>,
}

/// The payload key of a field of the mapping.
fn payload_key(entity: Entity, field: &str) -> &'static str {
    match (entity, field) {
        (Entity::Customer, "customer_id") => keys::CUSTOMER_ID,
        (Entity::Customer, "email") => keys::EMAIL,
        (Entity::Customer, _) => keys::DISPLAY_NAME,
        (Entity::Organization, "id") => keys::ORGANIZATION_ID,
        (Entity::Organization | Entity::Product | Entity::DetailField | Entity::Entitlement, _) => {
            keys::NAME
        }
    }
}

/// Fields in the order of payloads.
fn rank(key: &str) -> usize {
    [
        keys::CUSTOMER_ID,
        keys::EMAIL,
        keys::DISPLAY_NAME,
        keys::ORGANIZATION_ID,
        keys::NAME,
    ]
    .iter()
    .position(|known| *known == key)
    .unwrap_or(usize::MAX)
}

impl RecordTemplate {
    /// A template for fields and details in the plan's order.
    pub(super) fn new<'a>(
        entity: Entity,
        operation: Operation,
        fields: impl Iterator<Item = &'a str>,
        details: impl Iterator<Item = &'a str>,
        contract: &Contract,
    ) -> Self {
        let (mut open, close): (Vec<u8>, &[u8]) = match entity {
            Entity::Product | Entity::DetailField | Entity::Entitlement => (Vec::new(), b"}"),
            Entity::Customer | Entity::Organization => {
                let mut open = b"{".to_vec();
                key(&mut open, keys::OPERATION);
                string(&mut open, operation_word(operation));
                open.push(b',');
                key(&mut open, keys::PAYLOAD);
                (open, b"}}")
            }
        };
        open.push(b'{');
        let mut fields: Vec<_> = fields
            .enumerate()
            .map(|(number, field)| (number, payload_key(entity, field)))
            .collect();
        fields.sort_by_key(|(_, name)| rank(name));
        let named = |(number, name): (usize, &str)| {
            let mut text = Vec::new();
            key(&mut text, name);
            (number, text)
        };
        let list = |outer: &str, inner: &str| {
            let mut text = Vec::new();
            key(&mut text, outer);
            text.push(b'{');
            key(&mut text, inner);
            text.push(b'[');
            text
        };
        Self {
            open,
            close,
            fields: fields.into_iter().map(named).collect(),
            details: details.map(detail_start).collect(),
            organizations: list(
                contract.name(Name::AssociateOrganizations),
                keys::ORGANIZATION_IDS,
            ),
            organization_ids: contract.organization_ids,
            products: list(
                contract.name(Name::AssociateProducts),
                contract.name(Name::ProductIds),
            ),
        }
    }

    /// Writes one row.
    pub(super) fn write<'d>(
        &self,
        out: &mut Vec<u8>,
        values: &Sink,
        field: impl Fn(usize) -> Cell,
        detail: impl Fn(usize) -> Detail<'d>,
        references: &References<'_>,
    ) {
        out.extend_from_slice(&self.open);
        let start = out.len();
        for (number, name) in &self.fields {
            if let Cell::One(span) = field(*number) {
                separate(out, start);
                out.extend_from_slice(name);
                string(out, values.get(span));
            }
        }
        self.write_details(out, start, values, detail);
        if !references.organizations.is_empty() {
            separate(out, start);
            out.extend_from_slice(&self.organizations);
            ids(out, self.organization_ids, &references.organizations);
            out.extend_from_slice(b"]}");
        }
        if !references.products.is_empty() {
            separate(out, start);
            out.extend_from_slice(&self.products);
            ids(out, IdForm::String, &references.products);
            out.extend_from_slice(b"]}");
        }
        out.extend_from_slice(self.close);
    }

    fn write_details<'d>(
        &self,
        out: &mut Vec<u8>,
        start: usize,
        values: &Sink,
        detail: impl Fn(usize) -> Detail<'d>,
    ) {
        let mut open = None;
        for (number, prefix) in self.details.iter().enumerate() {
            let value = detail(number);
            if !value.is_sent() {
                continue;
            }
            let first = *open.get_or_insert_with(|| {
                separate(out, start);
                key(out, keys::DETAILS);
                out.push(b'[');
                out.len()
            });
            separate(out, first);
            out.extend_from_slice(prefix);
            detail_values(out, values, value);
            out.extend_from_slice(b"]}");
        }
        if open.is_some() {
            out.push(b']');
        }
    }
}

/// Ids, separated by commas. What is not a plain number stays a string in either form.
fn ids(out: &mut Vec<u8>, form: IdForm, ids: &[&str]) {
    match form {
        IdForm::String => strings(out, ids.iter().copied()),
        IdForm::Number => {
            let start = out.len();
            for id in ids {
                separate(out, start);
                if is_number(id) {
                    out.extend_from_slice(id.as_bytes());
                } else {
                    string(out, id);
                }
            }
        }
    }
}

/// Whether the digits are a number in JSON, and come back from one as they are.
fn is_number(id: &str) -> bool {
    id.parse::<u64>()
        .is_ok_and(|number| number.to_string() == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_in_the_form_that_the_contract_says() {
        let written = |form| {
            let mut out = Vec::new();
            ids(&mut out, form, &["12", "0", "007", "+7", "a-1"]);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(IdForm::String), r#""12","0","007","+7","a-1""#);
        assert_eq!(written(IdForm::Number), r#"12,0,"007","+7","a-1""#);
    }
}
