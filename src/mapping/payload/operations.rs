//! Items of bulk requests for detail values: a record's id, and what to do with each of its values.

use super::{Detail, detail_start, detail_values, key, separate, string};
use crate::api::contract::{Contract, Name, keys, verb_word};
use crate::mapping::sink::{Cell, Sink};
use crate::model::entity::{Entity, Verb};

/// Everything of an item that is the same for every row.
#[derive(Debug)]
pub(in crate::mapping) struct OperationsTemplate {
    /// `{"customerId":`
    open: Vec<u8>,
    details: Vec<OperationTemplate>,
}

/// One operation.
#[derive(Debug)]
struct OperationTemplate {
    /// `{"operationType":"UPDATE","payload":`
    open: Vec<u8>,
    /// `{"name":"Region","values":[`
    values: Vec<u8>,
    /// `{"name":"Region"` of an operation that names no values, where such have a meaning.
    bare: Option<Vec<u8>>,
}

impl OperationTemplate {
    fn new(name: &str, verb: Verb) -> Self {
        let mut open = b"{".to_vec();
        key(&mut open, keys::OPERATION);
        string(&mut open, verb_word(verb));
        open.push(b',');
        key(&mut open, keys::PAYLOAD);
        let bare = match verb {
            Verb::Delete => {
                let mut text = b"{".to_vec();
                key(&mut text, keys::NAME);
                string(&mut text, name);
                Some(text)
            }
            Verb::Update | Verb::Patch => None,
        };
        Self {
            open,
            values: detail_start(name),
            bare,
        }
    }
}

impl OperationsTemplate {
    /// A template for details with their verbs, in the plan's order. The id is the plan's only field.
    pub(super) fn new<'a>(
        entity: Entity,
        details: impl Iterator<Item = (&'a str, Verb)>,
        contract: &Contract,
    ) -> Self {
        let mut open = b"{".to_vec();
        let id = match entity {
            Entity::Organization => contract.name(Name::OrganizationDetailsId),
            Entity::Customer | Entity::Product | Entity::DetailField | Entity::Entitlement => {
                keys::CUSTOMER_ID
            }
        };
        key(&mut open, id);
        Self {
            open,
            details: details
                .map(|(name, verb)| OperationTemplate::new(name, verb))
                .collect(),
        }
    }

    /// Writes one row.
    pub(super) fn write<'d>(
        &self,
        out: &mut Vec<u8>,
        values: &Sink,
        field: impl Fn(usize) -> Cell,
        detail: impl Fn(usize) -> Detail<'d>,
    ) {
        out.extend_from_slice(&self.open);
        if let Cell::One(id) = field(0) {
            string(out, values.get(id));
        }
        out.push(b',');
        key(out, keys::OPERATIONS);
        out.push(b'[');
        let start = out.len();
        for (number, template) in self.details.iter().enumerate() {
            let value = detail(number);
            if !value.is_sent() {
                continue;
            }
            separate(out, start);
            out.extend_from_slice(&template.open);
            if let (Some(bare), Detail::Clear) = (&template.bare, value) {
                out.extend_from_slice(bare);
            } else {
                out.extend_from_slice(&template.values);
                detail_values(out, values, value);
                out.push(b']');
            }
            out.extend_from_slice(b"}}");
        }
        out.extend_from_slice(b"]}");
    }
}
