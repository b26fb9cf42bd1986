//! When two detail values are the same: in the form that the field's type gives them, where the site tells the type. Pure.
//!
//! | type | the same are |
//! | --- | --- |
//! | `NUMBER` | `1.50`, `1.5` and `01.5` |
//! | `BOOLEAN` | `true`, `True`, `yes` and `1`; `false`, `no` and `0` |
//! | `DATE` | `2026-02-28` and `2026-02-28T00:00:00.000Z`: a day with or without its midnight |
//! | `PHONE` | `+493012345` and `+49 (30) 123-45` |
//! | `EMAIL` | addresses that fold to the same |
//! | `URL` | `https://example.com` and `https://Example.com/` |
//! | others, and a type that is not told | the same texts |
//!
//! Blanks around a value do not count, nor do the ways to write a letter with its accents (NFC) and the end of a line; an
//! empty value is none. Whatever else a site may make of a value is another value: to call a row loaded takes more than a
//! likeness.

use crate::api::fold;
use std::borrow::Cow;
use std::collections::BTreeSet;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
use url::Url;

/// Values as a set: fields that take several keep no order that a row could mean.
pub(super) fn set<'a>(kind: Option<&str>, values: &'a [String]) -> BTreeSet<Cow<'a, str>> {
    let told = values.iter().filter(|value| !value.trim().is_empty());
    told.map(|value| match text(value) {
        Cow::Borrowed(value) => canonical(kind, value),
        Cow::Owned(value) => Cow::Owned(canonical(kind, &value).into_owned()),
    })
    .collect()
}

/// A text without what does not make another of it.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    if is_nfc_quick(text.chars()) == IsNormalized::Yes && !text.contains('\r') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfc().collect::<String>().replace("\r\n", "\n"))
}

fn canonical<'a>(kind: Option<&str>, text: &'a str) -> Cow<'a, str> {
    let known = match kind {
        Some("NUMBER") => number(text).map(Cow::Owned),
        Some("BOOLEAN") => boolean(text).map(Cow::Borrowed),
        Some("DATE") => Some(Cow::Borrowed(day(text))),
        Some("PHONE") => phone(text).map(Cow::Owned),
        Some("EMAIL") => Some(fold::email(text)),
        Some("URL") => Url::parse(text).ok().map(|url| Cow::Owned(url.into())),
        _ => None,
    };
    known.unwrap_or(Cow::Borrowed(text))
}

/// Plain decimal digits without the zeros that say nothing.
fn number(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.trim_end_matches('0');
    Some(match (whole, fraction) {
        ("0", "") => "0".to_owned(),
        (whole, "") => format!("{sign}{whole}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    })
}

fn boolean(text: &str) -> Option<&'static str> {
    let is = |words: [&str; 3]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(["true", "yes", "1"]) {
        Some("true")
    } else if is(["false", "no", "0"]) {
        Some("false")
    } else {
        None
    }
}

/// The day, without a midnight behind it. Another time of day may be another day where the site is.
fn day(text: &str) -> &str {
    match text.split_once('T') {
        Some((day, time)) if time.starts_with("00:00") => day,
        _ => text,
    }
}

/// The digits behind the `+`.
fn phone(text: &str) -> Option<String> {
    let rest = text.strip_prefix('+')?;
    let known = |c: char| c.is_ascii_digit() || " -().".contains(c);
    let digits = rest.chars().filter(char::is_ascii_digit);
    rest.chars().all(known).then(|| digits.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(kind: Option<&str>, left: &str, right: &str) -> bool {
        set(kind, &[left.to_owned()]) == set(kind, &[right.to_owned()])
    }

    #[test]
    fn each_type_has_its_forms_and_no_others() {
        let table: &[(&str, &[&str], &[&str])] = &[
            (
                "NUMBER",
                &["1.50", "1.5", "01.5", "+1.500", " 1.5 "],
                &["-1.5", "15", "1,5", "1.5e0", "1.51"],
            ),
            ("NUMBER", &["0", "-0", "00.0", "0."], &["1", "", "zero"]),
            (
                "NUMBER",
                &["12345678901234567890.10", "12345678901234567890.1"],
                &["12345678901234567891.1"],
            ),
            (
                "BOOLEAN",
                &["true", "True", "YES", "1"],
                &["false", "t", "wahr"],
            ),
            ("BOOLEAN", &["false", "no", "0"], &["true", ""]),
            (
                "DATE",
                &["2026-02-28", "2026-02-28T00:00:00.000Z"],
                &["2026-02-28T23:00:00Z", "2026-03-01", "28.02.2026"],
            ),
            (
                "PHONE",
                &["+493012345", "+49 (30) 123-45"],
                &["+493012346", "03012345", "+49x3012345"],
            ),
            (
                "EMAIL",
                &["Ana@Example.com", "ana@example.com"],
                &["ana@example.org"],
            ),
            (
                "URL",
                &["https://example.com", "https://EXAMPLE.com/"],
                &["http://example.com", "https://example.com/a"],
            ),
            ("SELECT", &["Gold", " Gold"], &["gold", "Silver"]),
            ("TEXT", &["007"], &["7", "007.0"]),
        ];
        for (kind, alike, others) in table {
            for text in *alike {
                assert!(same(Some(kind), alike[0], text), "{kind} {text}");
            }
            for text in *others {
                assert!(!same(Some(kind), alike[0], text), "{kind} {text}");
            }
        }
    }

    #[test]
    fn without_a_type_texts_are_compared() {
        for (left, right) in [(" x", "x"), ("Cafe\u{301}", "Café"), ("a\r\nb", "a\nb")] {
            assert!(same(None, left, right), "{left} {right}");
        }
        for (left, right) in [
            ("1.10", "1.1"),
            ("yes", "true"),
            ("+49 1", "+491"),
            ("A", "a"),
        ] {
            assert!(!same(None, left, right), "{left} {right}");
        }
    }

    #[test]
    fn order_and_empty_values_do_not_count() {
        let texts = |all: &[&str]| {
            all.iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        let (two, turned) = (texts(&["a", "b"]), texts(&["b", "", "a", "a"]));
        assert_eq!(set(None, &two), set(None, &turned));
        assert!(set(Some("TEXT"), &texts(&["", " "])).is_empty());
    }
}
