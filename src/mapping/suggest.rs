//! "Did you mean …?": the known name nearest to a misspelt one.

use strsim::damerau_levenshtein;

/// Names listed in full in a help line; more would bury the message.
const LISTED: usize = 16;

/// The candidate nearest to `name`, if one is near enough to be a slip of the keyboard.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let plain = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    let wanted = plain(name);
    let allowed = (wanted.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (damerau_levenshtein(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && !candidate.is_empty())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A help line for the unknown `name`: the nearest of `known`, or all of them when they are few.
pub(super) fn help(name: &str, kind: &str, known: &[&str]) -> Option<String> {
    if let Some(nearest) = nearest(name, known.iter().copied()) {
        return Some(format!("did you mean \"{nearest}\"?"));
    }
    match known {
        [] => None,
        [only] => Some(format!("the only {kind} here is \"{only}\"")),
        known if known.len() <= LISTED => Some(format!("the {kind}s are {}", list(known))),
        _ => None,
    }
}

/// Quoted names, separated by commas.
pub(super) fn list(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_keyboard_are_recognised_and_other_words_are_not() {
        let known = ["contact_email", "Account Name", "id", "größe"];
        for (typed, expected) in [
            ("contact_emial", Some("contact_email")),
            ("contactEmail", Some("contact_email")),
            ("account_name", Some("Account Name")),
            ("grösse", Some("größe")),
            ("phone", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, known), expected, "{typed}");
        }
    }

    #[test]
    fn help_names_the_nearest_or_lists_what_there_is() {
        let known = ["email", "name"];
        assert_eq!(
            help("emial", "column", &known).unwrap(),
            "did you mean \"email\"?"
        );
        assert_eq!(
            help("phone", "column", &known).unwrap(),
            "the columns are \"email\", \"name\""
        );
        assert_eq!(
            help("x", "field", &["name"]).unwrap(),
            "the only field here is \"name\""
        );
        assert_eq!(help("x", "column", &[]), None);
        let many: Vec<String> = (0..17).map(|n| format!("column{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(help("x", "column", &many), None);
    }
}
