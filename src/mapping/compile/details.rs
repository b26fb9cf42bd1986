//! `[details]`: detail values by their field's name on the site.

use super::{Compiler, Role};
use crate::api::fold;
use crate::mapping::diagnostic::Fault;
use crate::mapping::file::{Empty, MAX_DETAILS, Text, WrittenSource, WrittenValue};
use crate::mapping::plan::DetailPlan;
use crate::model::entity::{Entity, Family, Verb};
use std::collections::HashMap;

impl Compiler<'_> {
    pub(super) fn details(&mut self) -> Vec<DetailPlan> {
        let written = &self.file.written;
        let mut seen: HashMap<String, &str> = HashMap::new();
        let names = written.details.iter().map(|detail| &detail.name);
        let parent = written
            .hierarchy
            .iter()
            .filter_map(|hierarchy| hierarchy.parent.as_ref());
        let names = names
            .chain(&written.key_detail)
            .chain(parent.map(|parent| &parent.name));
        for (index, name) in names.enumerate() {
            let folded = fold::name(name.get_ref()).into_owned();
            if let Some(first) = seen.insert(folded, name.get_ref()) {
                let message = format!("the detail \"{}\" is mapped twice", name.get_ref());
                let help = if first == name.get_ref() {
                    "leave one of them out".to_owned()
                } else {
                    format!("the site takes it for \"{first}\": case and blanks do not matter")
                };
                self.fault(Fault::new(name.span(), message).help(help));
            }
            if index == MAX_DETAILS {
                let message = format!("more than {MAX_DETAILS} details");
                let fault = Fault::new(name.span(), message);
                self.fault(fault.help(format!("a site has at most {MAX_DETAILS} detail fields")));
            }
        }
        let details = written.details.iter();
        details.filter_map(|detail| self.detail(detail)).collect()
    }

    fn detail(&mut self, written: &WrittenValue) -> Option<DetailPlan> {
        self.detail_name(&written.name);
        let empty = written.empty.as_ref();
        let verb = self.verb(written);
        if verb == Verb::Patch
            && let Some(empty) = empty.filter(|empty| *empty.get_ref() == Empty::Clear)
        {
            let fault = Fault::new(empty.span(), "patch adds values; it cannot clear a field");
            self.fault(fault.help("use verb = \"update\" or \"delete\", or leave empty out"));
        }
        // a field that goes whole needs no value to go
        if verb == Verb::Delete && is_bare(written) {
            let nothing = WrittenValue {
                source: Some(WrittenSource::Constant(Text::new(0..0, String::new()))),
                ..written.clone()
            };
            return Some(DetailPlan {
                value: self.value(&nothing, Role::Detail)?,
                empty: Empty::Clear,
                verb,
            });
        }
        Some(DetailPlan {
            value: self.value(written, Role::Detail)?,
            empty: empty.map_or(Empty::Keep, |empty| *empty.get_ref()),
            verb,
        })
    }

    /// The detail's own verb or the file's.
    fn verb(&self, written: &WrittenValue) -> Verb {
        match (&written.verb, self.file.written.family()) {
            (Some(verb), _) => *verb.get_ref(),
            (None, Family::Details) => self.file.written.verb(),
            (None, Family::Profile | Family::Account) => Verb::default(),
        }
    }

    pub(super) fn detail_name(&mut self, name: &Text) {
        let none = match self.file.written.entity {
            Entity::Product => Some(("products have no details", "a product is its name alone")),
            Entity::DetailField => Some((
                "a detail field has no details",
                "its type and options stand in [fields]",
            )),
            Entity::Customer | Entity::Organization | Entity::Entitlement => None,
        };
        if let Some((message, help)) = none {
            self.fault(Fault::new(name.span(), message).help(help));
        } else if name.get_ref().trim().is_empty() {
            let fault = Fault::new(name.span(), "the detail has no name");
            self.fault(fault.help("write the field's name as the site shows it"));
        }
    }
}

/// Whether nothing is said of the value: neither where it comes from nor what to do with it.
fn is_bare(written: &WrittenValue) -> bool {
    let WrittenValue {
        name: _,
        source,
        kind,
        map,
        default,
        split,
        format,
        options,
        required,
        min_length,
        max_length,
        region,
        empty,
        verb: _,
        on_missing,
    } = written;
    matches!(source, Some(WrittenSource::Missing(_)))
        && [kind, default, split, format, region]
            .iter()
            .all(|text| text.is_none())
        && map.is_none()
        && options.is_none()
        && !required
        && min_length.is_none()
        && max_length.is_none()
        && empty.is_none()
        && on_missing.is_none()
}
