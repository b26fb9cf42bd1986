//! What a detail's or field's text must look like, and its canonical form.

mod email;
pub(super) mod moment;
pub(super) mod phone;

use crate::api::contract::DETAIL_TYPES;
use crate::model::code::Code;
use crate::model::entity::Owner;
use email::is_email;
use moment::DateFormat;
use phone::Phone;
use std::borrow::Cow;
use url::Url;

/// The type of a value.
#[derive(Debug)]
pub(super) enum Kind {
    /// Any text.
    Text,
    /// An e-mail address whose domain has a dot.
    Email,
    /// An absolute http or https URL.
    Url,
    /// A day.
    Date(DateFormat),
    /// A decimal number.
    Number,
    /// True or false.
    Boolean,
    /// A phone number.
    Phone(Phone),
    /// One of a field's options.
    Select,
    /// Some of a field's options.
    Multiselect,
    /// What a detail field belongs to.
    Owner,
    /// The type of a detail field.
    DetailType,
}

impl Kind {
    /// The names in mapping files; the last two kinds have none, since a field has them by itself.
    pub(super) const NAMES: [&'static str; 9] = [
        "text",
        "email",
        "url",
        "date",
        "number",
        "boolean",
        "phone",
        "select",
        "multiselect",
    ];

    /// Whether values are text that stays as it is, blanks included.
    pub(super) const fn is_text(&self) -> bool {
        matches!(self, Self::Text)
    }

    /// The canonical form of `text`, or why it has none: code and message, without the text itself.
    pub(super) fn check<'a>(
        &self,
        text: &'a str,
    ) -> Result<Cow<'a, str>, (Code, Cow<'static, str>)> {
        let valid = |valid: bool, code, message: &'static str| {
            if valid {
                Ok(Cow::Borrowed(text))
            } else {
                Err((code, Cow::Borrowed(message)))
            }
        };
        match self {
            Self::Text | Self::Select | Self::Multiselect => Ok(Cow::Borrowed(text)),
            Self::Email => valid(is_email(text), Code::EmailInvalid, "not an e-mail address"),
            Self::Url => valid(
                is_url(text),
                Code::UrlInvalid,
                "not an absolute http or https URL",
            ),
            Self::Number => number(text)
                .map(Cow::Borrowed)
                .ok_or((Code::NumberInvalid, Cow::Borrowed("not a number"))),
            Self::Boolean => boolean(text)
                .map(|value| Cow::Borrowed(if value { "true" } else { "false" }))
                .ok_or((
                    Code::BooleanInvalid,
                    Cow::Borrowed("neither true nor false"),
                )),
            Self::Date(format) => format.canonical(text).ok_or_else(|| {
                let message = format!("not a date in the form {}", format.pattern());
                (Code::DateInvalid, Cow::Owned(message))
            }),
            Self::Owner => word(text, Owner::ALL.map(Owner::name).as_slice()).ok_or((
                Code::OwnerUnknown,
                Cow::Borrowed("not one of customer, organization, entitlement"),
            )),
            Self::DetailType => word(text, &DETAIL_TYPES).ok_or_else(|| {
                let message = format!("not one of {}", DETAIL_TYPES.join(", "));
                (Code::TypeUnknown, Cow::Owned(message))
            }),
            Self::Phone(phone) => phone.canonical(text).ok_or((
                Code::PhoneInvalid,
                Cow::Borrowed("not a valid phone number"),
            )),
        }
    }
}

/// The word that the text is, in any case.
fn word(text: &str, words: &[&'static str]) -> Option<Cow<'static, str>> {
    let found = words.iter().find(|word| word.eq_ignore_ascii_case(text));
    found.map(|word| Cow::Borrowed(*word))
}

/// Whether the text is an absolute http or https URL with a host, as written: nothing has to be escaped first.
fn is_url(text: &str) -> bool {
    let after = |scheme: &str| {
        text.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    (after("http://") || after("https://"))
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
        && Url::parse(text).is_ok_and(|url| url.has_host())
}

/// The number without a leading plus sign, when the text is `[+-]?digits[.digits]`.
pub(super) fn number(text: &str) -> Option<&str> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    (digits(whole) && digits(fraction)).then(|| text.strip_prefix('+').unwrap_or(text))
}

/// true, yes, 1, t, y and their opposites, in any case.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" => return Some(true),
        "false" => return Some(false),
        _ => {}
    }
    let is = |words: [&str; 5]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(["true", "yes", "1", "t", "y"]) {
        Some(true)
    } else if is(["false", "no", "0", "f", "n"]) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls_are_absolute_http_or_https_with_a_host() {
        for good in [
            "https://example.com",
            "HTTP://example.com/a?b=c#d",
            "https://bücher.example/ü",
            "http://127.0.0.1:8080/",
            "https://user:pass@example.com",
        ] {
            assert!(is_url(good), "{good}");
        }
        for bad in [
            "",
            "example.com",
            "//example.com",
            "ftp://example.com",
            "https:example.com",
            "https://",
            "https:///",
            "https://exa mple.com",
            "https://example.com/a b",
            "https://example.com:99999",
            "javascript:alert(1)",
            "http",
            "ü",
        ] {
            assert!(!is_url(bad), "{bad}");
        }
    }

    #[test]
    fn numbers_are_plain_digits_and_keep_them_all() {
        for (text, expected) in [
            ("0", Some("0")),
            ("007", Some("007")),
            ("+1.50", Some("1.50")),
            ("-12345678901234567890.5", Some("-12345678901234567890.5")),
            ("", None),
            ("+", None),
            ("1.", None),
            (".5", None),
            ("1,5", None),
            ("1e5", None),
            ("1.2.3", None),
            ("--1", None),
            ("+-1", None),
            ("٣", None),
            ("NaN", None),
            ("1 000", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn booleans_are_the_usual_words() {
        for (text, expected) in [
            ("TRUE", Some(true)),
            ("yes", Some(true)),
            ("1", Some(true)),
            ("T", Some(true)),
            ("y", Some(true)),
            ("False", Some(false)),
            ("NO", Some(false)),
            ("0", Some(false)),
            ("f", Some(false)),
            ("n", Some(false)),
            ("", None),
            ("ja", None),
            ("2", None),
            ("true ", None),
        ] {
            assert_eq!(boolean(text), expected, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_text_makes_a_check_panic(text in "\\PC{0,40}|[+0-9() .x-]{0,24}|.{0,40}") {
            let kinds = [
                Kind::Text,
                Kind::Email,
                Kind::Url,
                Kind::Number,
                Kind::Boolean,
                Kind::Date(DateFormat::iso()),
                Kind::Date(DateFormat::new("%d.%m.%y %H:%M").unwrap()),
                Kind::Phone(Phone::new(None)),
                Kind::Phone(Phone::new(phone::region("DE"))),
            ];
            for kind in kinds {
                let _ = kind.check(&text);
            }
        }
    }
}
