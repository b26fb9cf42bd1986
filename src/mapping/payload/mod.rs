//! A row's JSON, written straight into the chunk's buffer. The order of keys is fixed: same row, same bytes.
//!
//! | module | the rows of |
//! | --- | --- |
//! | [`record`] | products, and customers and organizations as profiles or accounts |
//! | [`operations`] | detail values of customers and organizations |
//! | [`definition`] | detail fields |
//! | [`entitlement`] | entitlements |

mod definition;
mod entitlement;
mod operations;
mod record;

use crate::api::contract::{Contract, keys};
use crate::mapping::file::{Empty, Text, Written};
use crate::mapping::plan::DetailPlan;
use crate::mapping::references::RefKind;
use crate::mapping::sink::{Cell, Sink};
use crate::mapping::value::ValuePlan;
use crate::model::entity::{Entity, Family};
use definition::DefinitionTemplate;
use entitlement::EntitlementTemplate;
use operations::OperationsTemplate;
use record::RecordTemplate;

/// Everything of a payload that is the same for every row.
#[derive(Debug)]
pub(super) enum Template {
    /// A record with all its parts.
    Record(RecordTemplate),
    /// Operations on the detail values of a record.
    Operations(OperationsTemplate),
    /// The definition of a detail field.
    Definition(DefinitionTemplate),
    /// An entitlement.
    Entitlement(EntitlementTemplate),
}

/// Values of a row beyond its fields and details.
#[derive(Debug, Default)]
pub(super) struct References<'a> {
    /// Ids of organizations.
    pub(super) organizations: Vec<&'a str>,
    /// Ids of products.
    pub(super) products: Vec<&'a str>,
}

impl<'a> References<'a> {
    /// The ids of one kind.
    pub(super) fn of(&mut self, kind: RefKind) -> &mut Vec<&'a str> {
        match kind {
            RefKind::Organization => &mut self.organizations,
            RefKind::Product => &mut self.products,
        }
    }
}

/// One detail of a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Detail<'a> {
    /// Not sent.
    Absent,
    /// An empty list: clears the site's value.
    Clear,
    /// A value that was mapped.
    Cell(Cell),
    /// A text from elsewhere.
    Text(&'a str),
}

impl Detail<'_> {
    /// A mapped value; what an empty one means is for the mapping to say.
    pub(super) const fn of(cell: Cell, empty: Empty) -> Self {
        match (cell, empty) {
            (Cell::Null, Empty::Clear) => Self::Clear,
            (Cell::Null, Empty::Keep) | (Cell::Unknown, _) => Self::Absent,
            (Cell::One(_) | Cell::Many(_), _) => Self::Cell(cell),
        }
    }

    /// Whether the payload names the detail.
    pub(super) const fn is_sent(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

impl Template {
    /// A template for the fields and details of a plan, in the plan's order.
    pub(super) fn new(
        written: &Written,
        fields: &[ValuePlan],
        details: &[DetailPlan],
        contract: &Contract,
    ) -> Self {
        let key_detail = written.key_detail.as_ref().map(Text::get_ref);
        let details = details
            .iter()
            .map(|detail| (detail.value.name.as_str(), detail.verb))
            .chain(key_detail.map(|name| (name.as_str(), written.verb())));
        let names = fields.iter().map(|field| field.name.as_str());
        match (written.entity, written.family()) {
            (Entity::DetailField, _) => Self::Definition(DefinitionTemplate::new(names)),
            (Entity::Entitlement, _) => {
                let details = details.map(|(name, _)| name);
                Self::Entitlement(EntitlementTemplate::new(names, details))
            }
            (Entity::Customer | Entity::Organization, Family::Details) => {
                Self::Operations(OperationsTemplate::new(written.entity, details, contract))
            }
            (Entity::Product | Entity::Organization | Entity::Customer, _) => {
                let details = details.map(|(name, _)| name);
                let operation = written.operation();
                let entity = written.entity;
                Self::Record(RecordTemplate::new(
                    entity, operation, names, details, contract,
                ))
            }
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
        match self {
            Self::Record(template) => template.write(out, values, field, detail, references),
            Self::Operations(template) => template.write(out, values, field, detail),
            Self::Definition(template) => template.write(out, values, field),
            Self::Entitlement(template) => template.write(out, values, field, detail, references),
        }
    }
}

/// `{"name":"Region","values":[`, the start of a detail value.
fn detail_start(name: &str) -> Vec<u8> {
    let mut text = b"{".to_vec();
    key(&mut text, keys::NAME);
    string(&mut text, name);
    text.push(b',');
    key(&mut text, keys::VALUES);
    text.push(b'[');
    text
}

/// The values of a detail, without the brackets around them.
fn detail_values(out: &mut Vec<u8>, values: &Sink, detail: Detail<'_>) {
    match detail {
        Detail::Text(text) => string(out, text),
        Detail::Cell(cell) => texts(out, values, cell),
        Detail::Clear | Detail::Absent => {}
    }
}

/// The texts of a cell, separated by commas.
fn texts(out: &mut Vec<u8>, values: &Sink, cell: Cell) {
    match cell {
        Cell::One(span) => string(out, values.get(span)),
        Cell::Many(span) => {
            let parts = values.parts(span).iter();
            strings(out, parts.map(|part| values.get(part.text)));
        }
        Cell::Null | Cell::Unknown => {}
    }
}

/// A comma, unless this is the first of a list that starts at `start`.
fn separate(out: &mut Vec<u8>, start: usize) {
    if out.len() > start {
        out.push(b',');
    }
}

fn key(out: &mut Vec<u8>, name: &str) {
    string(out, name);
    out.push(b':');
}

/// JSON text.
fn string(out: &mut Vec<u8>, text: &str) {
    // writing a string into memory has no way to fail
    let _ = serde_json::to_writer(out, text);
}

fn strings<'a>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'a str>) {
    let start = out.len();
    for text in texts {
        separate(out, start);
        string(out, text);
    }
}
