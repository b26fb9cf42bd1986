//! The definition of a detail field: an item of a bulk request, and the body of the single one.

use super::{key, string, texts};
use crate::api::contract::{answer, keys};
use crate::mapping::sink::{Cell, Sink};

/// Where the parts of a definition stand among the plan's fields.
#[derive(Debug)]
pub(in crate::mapping) struct DefinitionTemplate {
    name: Option<usize>,
    kind: Option<usize>,
    options: Option<usize>,
}

impl DefinitionTemplate {
    /// A template for fields in the plan's order.
    pub(super) fn new<'a>(fields: impl Iterator<Item = &'a str>) -> Self {
        let fields: Vec<_> = fields.collect();
        let number = |wanted: &str| fields.iter().position(|field| *field == wanted);
        Self {
            name: number("name"),
            kind: number("type"),
            options: number("options"),
        }
    }

    /// Writes one row: `{"name":"Region","type":{"name":"SELECT","options":["EMEA"]}}`. What it belongs to is for
    /// the request's path to say.
    pub(super) fn write(&self, out: &mut Vec<u8>, values: &Sink, field: impl Fn(usize) -> Cell) {
        let text = |out: &mut Vec<u8>, number: Option<usize>| {
            if let Some(Cell::One(span)) = number.map(&field) {
                string(out, values.get(span));
            }
        };
        out.push(b'{');
        key(out, keys::NAME);
        text(out, self.name);
        out.push(b',');
        key(out, answer::TYPE);
        out.push(b'{');
        key(out, keys::NAME);
        text(out, self.kind);
        if let Some(options @ Cell::Many(_)) = self.options.map(&field) {
            out.push(b',');
            key(out, answer::OPTIONS);
            out.push(b'[');
            texts(out, values, options);
            out.push(b']');
        }
        out.extend_from_slice(b"}}");
    }
}
