//! What fits the endpoint family that a mapping chooses with `api`, and what it cannot carry.

use super::{Compiler, with_article};
use crate::mapping::diagnostic::Fault;
use crate::mapping::file::field_names;
use crate::mapping::plan::DetailPlan;
use crate::model::entity::{Asked, Entity, Family, Verb};
use std::ops::Range;

impl Compiler<'_> {
    /// Checks the keys of the file that depend on the family.
    pub(super) fn family(&mut self) {
        let written = &self.file.written;
        let (entity, mut family) = (written.entity, written.family());
        if let Some(api) = &written.api
            && matches!(
                entity,
                Entity::Product | Entity::DetailField | Entity::Entitlement
            )
        {
            let message = format!("{} has no endpoint families", with_article(entity.name()));
            let fault = Fault::new(api.span(), message);
            self.fault(fault.help("leave api out; it is for customers and organizations"));
            // what the family would ask for is beside the point then
            family = Family::Profile;
        }
        if let Some(operation) = &written.operation {
            let refused = match (entity, family) {
                (Entity::DetailField, _) => Some((
                    "a detail field has no operation",
                    "leave it out: what is missing is created, and what is there is never changed",
                )),
                (_, Family::Details) => Some((
                    "detail values have a verb, not an operation",
                    "write verb = \"update\", \"patch\" or \"delete\" instead",
                )),
                (_, Family::Profile | Family::Account) => None,
            };
            if let Some((message, help)) = refused {
                self.fault(Fault::new(operation.span(), message).help(help));
            }
        }
        if let Some(verb) = written.verb.as_ref().filter(|_| family != Family::Details) {
            let fault = Fault::new(verb.span(), "only api = \"details\" has a verb");
            self.fault(fault.help("add api = \"details\", or leave verb out"));
        }
        match family {
            Family::Profile => {}
            Family::Account => self.account(),
            Family::Details => self.detail_values(),
        }
    }

    fn account(&mut self) {
        let written = &self.file.written;
        if let Some(section) = &written.details_section {
            self.not_carried(section.clone(), "details", "[details]");
        }
        if let Some(detail) = &written.key_detail {
            self.not_carried(detail.span(), "details", "key_detail");
        }
    }

    fn detail_values(&mut self) {
        let written = &self.file.written;
        if written.details.is_empty() && written.key_detail.is_none() {
            let span = written.api.as_ref().map_or(0..0, toml::Spanned::span);
            let fault = Fault::new(span, "there are no [details], and nothing else is sent");
            self.fault(fault.help("add [details] with the fields to change"));
        }
        if let Some(detail) = written.key_detail.as_ref()
            && written.verb() == Verb::Delete
        {
            let message = "key_detail writes a value, and verb = \"delete\" takes values away";
            let fault = Fault::new(detail.span(), message);
            self.fault(fault.help("leave key_detail out, or give the details verbs of their own"));
        }
    }

    /// A part of the mapping that the family's requests have no place for.
    pub(super) fn not_carried(&mut self, span: Range<usize>, what: &str, part: &str) {
        let family = self.file.written.family();
        let fault = Fault::new(span, format!("api = \"{family}\" carries no {what}"));
        self.fault(fault.help(format!("leave {part} out, or use api = \"profile\"")));
    }

    /// What results say was asked: of detail values their common verb, or the file's where they have several.
    pub(super) fn asked(&self, details: &[DetailPlan]) -> Asked {
        let written = &self.file.written;
        match written.family() {
            Family::Profile | Family::Account => Asked::Record(written.operation()),
            Family::Details => {
                let key_detail = written.key_detail.as_ref().map(|_| written.verb());
                let mut verbs = details.iter().map(|detail| detail.verb).chain(key_detail);
                let first = verbs.next().unwrap_or(written.verb());
                let common = verbs.all(|verb| verb == first);
                Asked::Details(if common { first } else { written.verb() })
            }
        }
    }

    /// Why a field that the entity has is not one of this family.
    pub(super) fn not_of_the_family(&self, name: &str) -> Option<(String, String)> {
        let written = &self.file.written;
        let elsewhere = field_names(written.entity, Family::Profile).contains(&name);
        elsewhere.then(|| {
            let (entity, family) = (with_article(written.entity.name()), written.family());
            let known = field_names(written.entity, family).join("\", \"");
            (
                format!("api = \"{family}\" knows {entity} by \"{known}\" alone"),
                format!("leave {name} out, or use api = \"profile\""),
            )
        })
    }
}
