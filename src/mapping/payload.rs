//! A row's JSON, written straight into the chunk's buffer. The order of keys is fixed: same row, same bytes.

use crate::api::contract::{keys, operation_word};
use crate::mapping::references::RefKind;
use crate::mapping::value::{Cell, Sink};
use crate::model::entity::{Entity, Operation};

/// Everything of a payload that is the same for every row.
#[derive(Debug)]
pub(super) struct Template {
    open: Vec<u8>,
    close: &'static [u8],
    /// The key of each field of the plan, `"email":`, in payload order, with the field's number.
    fields: Vec<(usize, Vec<u8>)>,
    /// `{"name":"Region","values":[` for each detail.
    details: Vec<Vec<u8>>,
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
    /// Whether the payload names the detail.
    pub(super) const fn is_sent(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

/// The payload key of a field of the mapping.
fn payload_key(entity: Entity, field: &str) -> &'static str {
    match (entity, field) {
        (Entity::Customer, "customer_id") => keys::CUSTOMER_ID,
        (Entity::Customer, "email") => keys::EMAIL,
        (Entity::Customer, _) => keys::DISPLAY_NAME,
        (Entity::Organization, "id") => keys::ORGANIZATION_ID,
        (Entity::Organization | Entity::Product, _) => keys::NAME,
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

impl Template {
    /// A template for the fields and details of a plan, in the plan's order.
    pub(super) fn new<'a>(
        entity: Entity,
        operation: Operation,
        fields: impl Iterator<Item = &'a str>,
        details: impl Iterator<Item = &'a str>,
    ) -> Self {
        let (mut open, close): (Vec<u8>, &[u8]) = match entity {
            Entity::Product => (Vec::new(), b"}"),
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
        let details = details.map(|name| {
            let mut text = b"{".to_vec();
            key(&mut text, keys::NAME);
            string(&mut text, name);
            text.push(b',');
            key(&mut text, keys::VALUES);
            text.push(b'[');
            text
        });
        Self {
            open,
            close,
            fields: fields.into_iter().map(named).collect(),
            details: details.collect(),
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
        for (outer, inner, ids) in [
            (
                keys::ASSOCIATE_ORGANIZATIONS,
                keys::ORGANIZATION_IDS,
                &references.organizations,
            ),
            (
                keys::ASSOCIATE_PRODUCTS,
                keys::PRODUCT_IDS,
                &references.products,
            ),
        ] {
            if !ids.is_empty() {
                separate(out, start);
                key(out, outer);
                out.push(b'{');
                key(out, inner);
                out.push(b'[');
                strings(out, ids.iter().copied());
                out.extend_from_slice(b"]}");
            }
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
            match value {
                Detail::Text(text) => string(out, text),
                Detail::Cell(Cell::One(span)) => string(out, values.get(span)),
                Detail::Cell(Cell::Many(span)) => {
                    strings(
                        out,
                        values.parts(span).iter().map(|part| values.get(part.text)),
                    );
                }
                Detail::Cell(Cell::Null | Cell::Unknown) | Detail::Clear | Detail::Absent => {}
            }
            out.extend_from_slice(b"]}");
        }
        if open.is_some() {
            out.push(b']');
        }
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
