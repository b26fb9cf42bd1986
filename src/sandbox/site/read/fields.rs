//! What is answered about detail fields.

use crate::api::contract::{answer, keys};
use crate::sandbox::site::{Entity, Field, Site};
use serde_json::{Value, json};

impl Site {
    /// `GET …/details`.
    pub(in crate::sandbox) fn detail_fields(&self, entity: Entity) -> Value {
        let fields = self.fields[entity as usize].all();
        let fields: Vec<_> = fields
            .map(|(number, field)| self.field_json(entity, number, field))
            .collect();
        json!({ (answer::RESULTS): fields })
    }

    /// A detail field as the lists of fields show it.
    pub(super) fn field_json(&self, entity: Entity, number: u16, field: &Field) -> Value {
        let mut body = definition(field);
        let position = self.fields[entity as usize].position(number);
        body[answer::CONFIGURATION] = json!({ (answer::POSITION): position });
        body
    }
}

/// A detail field as it was defined: `{name, type}`.
pub(in crate::sandbox::site) fn definition(field: &Field) -> Value {
    let mut kind = json!({ (keys::NAME): field.kind });
    if field.kind.has_options() {
        kind[answer::OPTIONS] = field.options.clone().into();
    }
    json!({ (keys::NAME): field.name, (answer::TYPE): kind })
}
