//! The detail fields that mappings write, against those that the site has.

use super::line::{Lines, Mark};
use super::settings::DoctorSettings;
use crate::api::client::Client;
use crate::api::contract::{Contract, TYPES_WITH_OPTIONS};
use crate::api::fold;
use crate::mapping::{DetailNeed, MappingFile};
use crate::model::entity::{Entity, Owner};
use crate::model::reply::DetailField;
use std::path::Path;

/// Options that a line names.
const NAMED: usize = 5;

/// Reads the fields of both kinds of record, and compares each stage's mapping with them.
pub(super) async fn look(client: &Client, settings: &DoctorSettings, lines: &mut Lines) {
    let mut mappings = Vec::new();
    for path in &settings.mappings {
        match MappingFile::read(path) {
            Ok(mapping) => mappings.push((path, mapping)),
            Err(error) => lines.say(Mark::Fail, "mapping", &error.to_string()),
        }
    }
    let creates = mappings
        .iter()
        .any(|(_, mapping)| mapping.entity() == Entity::DetailField);
    for owner in [Owner::Customer, Owner::Organization] {
        let about = format!("{} detail fields", owner.name());
        let fields = match client.detail_fields(owner).await {
            Ok(fields) => {
                let count = fields.len();
                let plural = if count == 1 { "" } else { "s" };
                lines.say(Mark::Ok, &about, &format!("{count} field{plural}"));
                fields
            }
            Err(error) => {
                let text = format!("{error}; listing them needs Administer Jira");
                lines.say(Mark::Warn, &about, &text);
                continue;
            }
        };
        for (path, mapping) in &mappings {
            if owner_of(mapping.entity()) == Some(owner) {
                compare(path, mapping, &fields, creates, lines);
            }
        }
    }
    for (path, mapping) in &mappings {
        if let Some(text) = untraceable(mapping, &settings.contract) {
            lines.say(Mark::Warn, &path.display().to_string(), text);
        }
    }
}

const fn owner_of(entity: Entity) -> Option<Owner> {
    match entity {
        Entity::Customer => Some(Owner::Customer),
        Entity::Organization => Some(Owner::Organization),
        Entity::Entitlement => Some(Owner::Entitlement),
        Entity::Product | Entity::DetailField => None,
    }
}

fn compare(
    path: &Path,
    mapping: &MappingFile,
    fields: &[DetailField],
    creates: bool,
    lines: &mut Lines,
) {
    let name = path.display().to_string();
    let needs = mapping.details();
    let mut good = true;
    for need in &needs {
        let found = fields
            .iter()
            .find(|field| fold::name(&field.name) == fold::name(&need.name));
        if let Some((mark, text)) = misfit(need, found, creates) {
            good = false;
            lines.say(mark, &name, &text);
        }
    }
    if good {
        let text = match needs.len() {
            0 => "writes no detail fields".to_owned(),
            1 => "the site has the detail field that it writes".to_owned(),
            count => format!("the site has the {count} detail fields that it writes"),
        };
        lines.say(Mark::Ok, &name, &text);
    }
}

/// Why a field of the site does not fit, if so.
fn misfit(need: &DetailNeed, field: Option<&DetailField>, creates: bool) -> Option<(Mark, String)> {
    let name = &need.name;
    let Some(field) = field else {
        return Some(if creates {
            let text = format!(
                "the site has no detail field {name:?}, unless the job's detail-field stage makes it"
            );
            (Mark::Warn, text)
        } else {
            let text = format!(
                "the site has no detail field {name:?}: create it, with a stage of definitions for example, or take it \
                 out of the mapping"
            );
            (Mark::Fail, text)
        });
    };
    let there = field.kind.to_uppercase();
    let has_options = TYPES_WITH_OPTIONS.contains(&&*there);
    let fits = |kind: &str| {
        kind == there || there == "TEXT" || (kind, &*there) == ("SELECT", "MULTISELECT")
    };
    match need.kind.as_deref() {
        Some(kind) if !fits(kind) => {
            let text = format!(
                "the detail field {name:?} is of type {there} on the site, and {kind} in the mapping: change type"
            );
            return Some((Mark::Fail, text));
        }
        None if has_options => {
            let text = format!(
                "the detail field {name:?} is of type {there} on the site: say type and options in the mapping, so that \
                 other values are found before they are sent"
            );
            return Some((Mark::Warn, text));
        }
        Some(_) | None => {}
    }
    let lacking: Vec<_> = need
        .options
        .iter()
        .filter(|option| has_options && !field.options.contains(option))
        .map(|option| format!("{option:?}"))
        .collect();
    if lacking.is_empty() {
        return None;
    }
    let more = match lacking.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = lacking.iter().take(NAMED).cloned().collect::<Vec<_>>();
    let text = format!(
        "the detail field {name:?} lacks options on the site: {}{more}; add them there, or rows with them fail",
        named.join(", ")
    );
    Some((Mark::Fail, text))
}

/// Why customers of a mapping cannot be found again, if so. Organizations are found by name.
fn untraceable(mapping: &MappingFile, contract: &Contract) -> Option<&'static str> {
    let found = mapping.key_detail().is_some() || contract.user_search;
    (mapping.entity() == Entity::Customer && !found).then_some(
        "no key_detail: customers whose loading is in doubt cannot be found again unless their id is known; write the \
         key to a detail field and name it as key_detail, or see with --probe if user_search works",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn need(kind: Option<&str>, options: &[&str]) -> DetailNeed {
        DetailNeed {
            name: "Tier".to_owned(),
            kind: kind.map(str::to_owned),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
        }
    }

    fn field(kind: &str, options: &[&str]) -> DetailField {
        DetailField {
            name: "tier".to_owned(),
            kind: kind.to_owned(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
        }
    }

    #[test]
    fn fields_that_fit_are_not_mentioned() {
        for (wanted, there) in [
            (need(None, &[]), field("TEXT", &[])),
            (need(None, &[]), field("NUMBER", &[])),
            (need(Some("PHONE"), &[]), field("TEXT", &[])),
            (need(Some("SELECT"), &["a"]), field("SELECT", &["b", "a"])),
            (need(Some("SELECT"), &["a"]), field("MULTISELECT", &["a"])),
        ] {
            assert_eq!(misfit(&wanted, Some(&there), false), None, "{wanted:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_with_what_to_do() {
        let mut said = String::new();
        for (wanted, there, creates) in [
            (need(None, &[]), None, false),
            (need(None, &[]), None, true),
            (need(Some("DATE"), &[]), Some(field("NUMBER", &[])), false),
            (need(None, &[]), Some(field("SELECT", &["a"])), false),
            (
                need(Some("SELECT"), &["a", "b", "c"]),
                Some(field("SELECT", &["b"])),
                false,
            ),
        ] {
            let (mark, text) = misfit(&wanted, there.as_ref(), creates).expect("a misfit");
            let _ = writeln!(said, "{mark:?} {text}");
        }
        insta::assert_snapshot!(said, @r#"
        Fail the site has no detail field "Tier": create it, with a stage of definitions for example, or take it out of the mapping
        Warn the site has no detail field "Tier", unless the job's detail-field stage makes it
        Fail the detail field "Tier" is of type NUMBER on the site, and DATE in the mapping: change type
        Warn the detail field "Tier" is of type SELECT on the site: say type and options in the mapping, so that other values are found before they are sent
        Fail the detail field "Tier" lacks options on the site: "a", "c"; add them there, or rows with them fail
        "#);
    }
}
