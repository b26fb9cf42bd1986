//! Rows that describe detail fields: whether type and options fit each other.

use crate::api::contract::{DETAIL_TYPES, MAX_OPTIONS, TYPES_WITH_OPTIONS};
use crate::mapping::plan::DefinitionFields;
use crate::mapping::sink::{Cell, Sink};
use crate::mapping::value::ValuePlan;
use crate::model::code::Code;

/// Notes the rows whose options do not fit their type. A type that is unknown has a reason of its own already.
pub(super) fn check_options(
    definition: DefinitionFields,
    plans: &[ValuePlan],
    fields: &[Vec<Cell>],
    sink: &mut Sink,
) {
    let options = definition.options.map(|number| &fields[number]);
    let place = &plans[definition.options.unwrap_or(definition.kind)];
    for (row, kind) in fields[definition.kind].iter().enumerate() {
        let Cell::One(kind) = *kind else { continue };
        let kind = sink.get(kind);
        let count = match options.map_or(Cell::Null, |cells| cells[row]) {
            Cell::Null => 0,
            Cell::Many(parts) => sink.parts(parts).len(),
            Cell::Unknown | Cell::One(_) => continue,
        };
        if let Some(message) = misfit(kind, count) {
            let (code, field) = (Code::OptionsInvalid, Some("options"));
            sink.fault(row, place.order, code, field, message);
        }
    }
}

/// Why a field of this type cannot have so many options.
fn misfit(kind: &str, options: usize) -> Option<String> {
    let takes = TYPES_WITH_OPTIONS.contains(&kind);
    match options {
        _ if !DETAIL_TYPES.contains(&kind) => None,
        0 if takes => Some(format!("{kind} fields need options")),
        1.. if !takes => Some(format!(
            "{kind} fields have no options; only SELECT and MULTISELECT do"
        )),
        count if count > MAX_OPTIONS => Some(format!(
            "{count} options; at most {MAX_OPTIONS} are allowed"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_belong_to_selects_and_are_bounded() {
        for (kind, options, expected) in [
            ("SELECT", 0, Some("SELECT fields need options")),
            ("MULTISELECT", 0, Some("MULTISELECT fields need options")),
            ("SELECT", 1, None),
            ("MULTISELECT", 2000, None),
            (
                "SELECT",
                2001,
                Some("2001 options; at most 2000 are allowed"),
            ),
            ("TEXT", 0, None),
            (
                "DATE",
                1,
                Some("DATE fields have no options; only SELECT and MULTISELECT do"),
            ),
            ("colour", 3, None),
        ] {
            assert_eq!(
                misfit(kind, options).as_deref(),
                expected,
                "{kind} {options}"
            );
        }
    }
}
