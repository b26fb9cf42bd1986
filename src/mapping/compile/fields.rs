//! `[fields]`: which there are, and which identify a record.

use super::entitlement::named;
use super::{Compiler, Role, with_article};
use crate::mapping::diagnostic::Fault;
use crate::mapping::file::{WrittenValue, field_names};
use crate::mapping::plan::{DefinitionFields, EntitlementFields, Identity};
use crate::mapping::suggest;
use crate::mapping::value::ValuePlan;
use crate::model::entity::{Entity, Family};

/// The fields of which a mapping needs one, by entity and family; of a detail field's definition it needs all.
const fn needed(entity: Entity, family: Family) -> &'static [&'static str] {
    match (entity, family) {
        (Entity::Customer, Family::Profile | Family::Account) => &["email", "customer_id"],
        (Entity::Customer, Family::Details) => &["customer_id"],
        (Entity::Organization, Family::Profile | Family::Account) => &["name", "id"],
        (Entity::Organization, Family::Details) => &["id"],
        (Entity::Product, _) => &["name"],
        (Entity::DetailField, _) => &["of", "name", "type"],
        // one of several, twice
        (Entity::Entitlement, _) => &[],
    }
}

impl Compiler<'_> {
    pub(super) fn field(&mut self, written: &WrittenValue) -> Option<ValuePlan> {
        let (entity, family) = (self.file.written.entity, self.file.written.family());
        let known = field_names(entity, family);
        let name = written.name.get_ref().as_str();
        if !known.contains(&name) {
            let (message, help) = self
                .not_of_the_family(name)
                .unwrap_or_else(|| self.unknown_field(name, known));
            self.fault(Fault::new(written.name.span(), message).help(help));
        }
        let role = match name {
            "options" if entity == Entity::DetailField => Role::Options,
            name if named(entity, name).is_some() => Role::Name,
            _ => Role::Field,
        };
        self.value(written, role)
    }

    fn unknown_field(&self, name: &str, known: &[&str]) -> (String, String) {
        let entity = self.file.written.entity;
        let noun = with_article(entity.name());
        let message = format!("unknown field \"{name}\" of {noun}");
        let nearest = suggest::nearest(name, known.iter().copied());
        let help = nearest.map_or_else(
            || match entity {
                Entity::Product => "a product has only \"name\"".to_owned(),
                Entity::DetailField => format!("{noun} has {}", suggest::list(known)),
                Entity::Customer | Entity::Organization | Entity::Entitlement => format!(
                    "{noun} has {}; other fields of the site stand in [details]",
                    suggest::list(known)
                ),
            },
            |nearest| format!("did you mean \"{nearest}\"?"),
        );
        (message, help)
    }

    /// Refuses a mapping without the fields that identify a record, or make a definition.
    pub(super) fn require_fields(&mut self) {
        let written = &self.file.written;
        let entity = written.entity;
        if entity == Entity::Entitlement {
            return self.require_owner_and_product();
        }
        let needed = needed(entity, written.family());
        let missing: Vec<_> = needed
            .iter()
            .filter(|wanted| {
                let mut fields = written.fields.iter();
                !fields.any(|field| field.name.get_ref() == **wanted)
            })
            .collect();
        let all = entity == Entity::DetailField;
        if missing.is_empty() || (!all && missing.len() < needed.len()) {
            return;
        }
        let quoted: Vec<_> = missing.iter().map(|name| format!("\"{name}\"")).collect();
        let message = format!(
            "{} needs {} in [fields]",
            with_article(entity.name()),
            quoted.join(if all { " and " } else { " or " })
        );
        let (first, noun) = (missing[0], if all { "detail field" } else { entity.name() });
        let help = match *first {
            "of" => "add of = { value = \"customer\" }, or a column that says it".to_owned(),
            "type" => "add type = \"…\", the column that says TEXT, SELECT and so on".to_owned(),
            name => format!("add {name} = \"…\", the column that identifies the {noun}"),
        };
        self.fault(Fault::new(written.entity_span.clone(), message).help(help));
    }

    /// What identifies a row; a lone natural key is required, of two a row needs one. `None` when a fault was
    /// overlooked.
    pub(super) fn identity(&self, fields: &mut [ValuePlan]) -> Option<Identity> {
        let written = &self.file.written;
        let number = |name: &str| fields.iter().position(|field| field.name == name);
        let identity = match written.entity {
            Entity::Customer => Identity::Record {
                name: number("email"),
                id: number("customer_id"),
            },
            Entity::Organization => Identity::Record {
                name: number("name"),
                id: number("id"),
            },
            Entity::Product => Identity::Record {
                name: number("name"),
                id: None,
            },
            Entity::DetailField => Identity::DetailField(DefinitionFields {
                of: number("of")?,
                name: number("name")?,
                kind: number("type")?,
                options: number("options"),
            }),
            Entity::Entitlement => Identity::Entitlement(EntitlementFields {
                customer: number("customer"),
                customer_id: number("customer_id"),
                organization_id: number("organization_id"),
                product_id: number("product_id"),
            }),
        };
        match identity {
            Identity::Record {
                name: Some(only),
                id: None,
            }
            | Identity::Record {
                name: None,
                id: Some(only),
            } => fields[only].required = true,
            Identity::Record { .. } | Identity::Entitlement(_) => {}
            Identity::DetailField(definition) => {
                for field in [definition.of, definition.name, definition.kind] {
                    fields[field].required = true;
                }
            }
        }
        Some(identity)
    }
}
