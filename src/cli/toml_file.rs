//! TOML files that may hold known keys alone: all unknown ones are told at once, each with the key that was meant.

use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

/// Reads a file's text.
///
/// # Errors
/// In the order of the file, the unknown keys that are met before a fault of another kind, and that fault; never none.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Vec<Error>> {
    let mut file = DeTable::parse(text).map_err(|error| vec![error])?;
    let mut faults = Vec::new();
    loop {
        let mut fault = match T::deserialize(Deserializer::from(file.clone())) {
            Ok(read) if faults.is_empty() => return Ok(read),
            Ok(_) => break,
            Err(fault) => fault,
        };
        fault.set_input(Some(text));
        // the parser stops at the first: so it is mended, and the file read again
        let message = fault.message();
        let mended = message.starts_with(UNKNOWN)
            && fault
                .span()
                .is_some_and(|place| mend(file.get_mut(), &place, meant(message)));
        faults.push(fault);
        if !mended {
            break;
        }
    }
    faults.sort_by_key(|fault| fault.span().map(|place| place.start));
    Err(faults)
}

/// The faults with what was meant, behind the words that name the file.
pub(super) fn told(file: &str, faults: &[Error]) -> String {
    let told = faults.iter().map(|fault| {
        let hint = meant(fault.message()).map(|known| format!("did you mean `{known}`?\n"));
        format!("{file}: {fault}{}", hint.unwrap_or_default())
    });
    told.collect::<Vec<_>>()
        .join("\nerror: ")
        .trim_end()
        .to_owned()
}

/// How the parser begins to speak of an unknown key.
const UNKNOWN: &str = "unknown field ";

/// The known key that an unknown one was meant to be, told by the parser's words.
fn meant(message: &str) -> Option<&str> {
    let mut quoted = message.strip_prefix(UNKNOWN)?.split('`').skip(1).step_by(2);
    let typed = quoted.next()?;
    let near = quoted.map(|known| (strsim::damerau_levenshtein(typed, known), known));
    let (distance, known) = near.min_by_key(|(distance, _)| *distance)?;
    let allowed = (typed.chars().count() / 3).clamp(1, 3);
    (distance <= allowed).then_some(known)
}

/// Gives the key at this place the name that was meant, or takes it out; false where there is none.
fn mend(table: &mut DeTable<'_>, place: &Range<usize>, meant: Option<&str>) -> bool {
    let found = table.keys().find(|key| key.span() == *place).cloned();
    if let Some(key) = found {
        let value = table.remove(&key);
        if let (Some(meant), Some(value)) = (meant, value)
            && !table.contains_key(meant)
        {
            let name = Spanned::new(key.span(), Cow::Owned(meant.to_owned()));
            table.insert(name, value);
        }
        return true;
    }
    table
        .iter_mut()
        .any(|(_, value)| mend_in(value.get_mut(), place, meant))
}

fn mend_in(value: &mut DeValue<'_>, place: &Range<usize>, meant: Option<&str>) -> bool {
    match value {
        DeValue::Table(table) => mend(table, place, meant),
        DeValue::Array(list) => list
            .iter_mut()
            .any(|value| mend_in(value.get_mut(), place, meant)),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Place {
        #[expect(dead_code, reason = "only its key matters")]
        street: String,
        #[expect(dead_code, reason = "only its key matters")]
        #[serde(default)]
        rooms: Vec<Place>,
    }

    /// What is wrong and at which byte, a line each.
    fn faults(text: &str) -> String {
        let lines = read::<Place>(text)
            .unwrap_err()
            .into_iter()
            .map(|fault| format!("{}: {}", fault.span().unwrap().start, fault.message()));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_key_that_is_like_no_other_gets_no_suggestion() {
        assert_eq!(
            meant("unknown field `colour`, expected one of `dir`, `keep_runs`"),
            None
        );
        assert_eq!(meant("missing field `mapping`"), None);
    }

    #[test]
    fn what_is_misspelt_is_not_missing_too() {
        insta::assert_snapshot!(faults("stret = \"a\"\n"), @"0: unknown field `stret`, expected `street` or `rooms`");
        // what was meant is there
        insta::assert_snapshot!(faults("street = \"a\"\nstret = \"b\"\n"), @"13: unknown field `stret`, expected `street` or `rooms`");
    }

    #[test]
    fn unknown_keys_are_found_at_every_depth_beside_a_wrong_value() {
        let text =
            "stret = 3\na = 1\nrooms = [{ stree = \"a\", x = 1 }, { street = \"b\", y = [2] }]\n";
        insta::assert_snapshot!(faults(text), @"
        0: unknown field `stret`, expected `street` or `rooms`
        8: invalid type: integer `3`, expected a string
        10: unknown field `a`, expected `street` or `rooms`
        27: unknown field `stree`, expected `street` or `rooms`
        40: unknown field `x`, expected `street` or `rooms`
        65: unknown field `y`, expected `street` or `rooms`
        ");
    }

    #[test]
    fn what_is_no_toml_is_one_fault() {
        assert_eq!(faults("street = \nx = [").lines().count(), 1);
    }
}
