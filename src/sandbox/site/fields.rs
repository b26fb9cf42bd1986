//! Detail fields: what a site defines, and which values each type takes.

use crate::api::contract::MAX_DETAIL_FIELDS;
use crate::api::fold;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use url::Url;

/// The type of a detail field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(in crate::sandbox) enum FieldKind {
    /// Any text.
    Text,
    /// An e-mail address.
    Email,
    /// An absolute http or https URL.
    Url,
    /// `YYYY-MM-DD`.
    Date,
    /// A decimal number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A number with its country code, `+…`.
    Phone,
    /// One of the options.
    Select,
    /// Any of the options.
    Multiselect,
}

impl FieldKind {
    /// Whether the type comes with options.
    pub(in crate::sandbox) const fn has_options(self) -> bool {
        matches!(self, Self::Select | Self::Multiselect)
    }
}

/// One detail field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) struct Field {
    /// Its name, as defined.
    pub name: String,
    /// Its type.
    pub kind: FieldKind,
    /// The options of a select field; empty for other types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

impl Field {
    /// Whether the field takes these values; none at all clears it.
    fn takes(&self, values: &[String]) -> bool {
        if self.kind != FieldKind::Multiselect && values.len() > 1 {
            return false;
        }
        values.iter().all(|value| match self.kind {
            FieldKind::Text => true,
            FieldKind::Email => is_email(value),
            FieldKind::Url => is_url(value),
            FieldKind::Date => is_date(value),
            FieldKind::Number => is_number(value),
            FieldKind::Boolean => value == "true" || value == "false",
            FieldKind::Phone => is_phone(value),
            FieldKind::Select | FieldKind::Multiselect => self.options.contains(value),
        })
    }
}

/// Why a detail value is refused, in the words seen on live sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadDetail {
    /// There is no such field.
    Field,
    /// The field does not take the values.
    Value,
}

/// The detail fields of one kind of record. A field's number is its place.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Vec<Field>);

impl Fields {
    /// The fields in their order.
    pub(super) fn all(&self) -> &[Field] {
        &self.0
    }

    /// The number of the field with this name.
    pub(super) fn find(&self, name: &str) -> Option<u8> {
        let same = |field: &Field| field.name == name;
        let place = self.0.iter().position(same).or_else(|| {
            let folded = fold::name(name);
            self.0.iter().position(|f| fold::name(&f.name) == folded)
        })?;
        u8::try_from(place).ok()
    }

    /// Adds a field; false when the site has no room for another.
    pub(super) fn add(&mut self, field: Field) -> bool {
        let room = self.0.len() < MAX_DETAIL_FIELDS;
        if room {
            self.0.push(field);
        }
        room
    }

    /// The number of the field that takes these values.
    pub(super) fn check(&self, name: &str, values: &[String]) -> Result<u8, BadDetail> {
        let number = self.find(name).ok_or(BadDetail::Field)?;
        if self.0[usize::from(number)].takes(values) {
            Ok(number)
        } else {
            Err(BadDetail::Value)
        }
    }
}

/// Whether the text has the form of an e-mail address: one `@`, no blanks, a domain without empty labels.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let blank = |c: char| c.is_whitespace() || c.is_control();
    !local.is_empty()
        && text.len() <= 254
        && !text.contains(blank)
        && !domain.contains('@')
        && domain.split('.').all(|label| !label.is_empty())
}

fn is_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn is_date(text: &str) -> bool {
    // chrono also reads dates without leading zeros
    text.len() == 10 && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

fn is_number(text: &str) -> bool {
    // f64 also reads "inf", "nan" and "+1"
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok()
}

fn is_phone(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('+') else {
        return false;
    };
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    (4..=15).contains(&digits)
        && rest
            .chars()
            .all(|c| c.is_ascii_digit() || " -().".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: FieldKind) -> Field {
        let options = if kind.has_options() {
            vec!["Free".to_owned(), "Gold".to_owned()]
        } else {
            Vec::new()
        };
        let name = "Field".to_owned();
        Field {
            name,
            kind,
            options,
        }
    }

    #[test]
    fn each_type_takes_its_values_and_no_others() {
        use FieldKind::{
            Boolean, Date, Email, Multiselect, Number, Phone, Select, Text, Url as Link,
        };
        let table: &[(FieldKind, &[&str], &[&str])] = &[
            (Text, &["", "any, \"thing\"\n"], &[]),
            (
                Email,
                &["a@b", "jürgen@bücher.example"],
                &["", "a", "@b", "a@", "a@b@c", "a @b", "a@b..c"],
            ),
            (
                Link,
                &["https://example.com", "http://x/y?z"],
                &["example.com", "ftp://x", "https://"],
            ),
            (
                Date,
                &["2026-02-28", "2024-02-29"],
                &["2026-2-28", "28.02.2026", "2026-02-30", "2026-02-28T"],
            ),
            (
                Number,
                &["0", "-1.5", "007", "1e3"],
                &["", "1,5", "inf", "nan", "+1", "0x1", "-"],
            ),
            (Boolean, &["true", "false"], &["True", "yes", "1", ""]),
            (
                Phone,
                &["+4930123456", "+49 (30) 12-34"],
                &["030123456", "+", "+49x123456", "+1234567890123456"],
            ),
            (Select, &["Free"], &["free", "", "Silver"]),
            (Multiselect, &["Gold"], &["gold", "Gold,Free"]),
        ];
        for (kind, good, bad) in table {
            let field = field(*kind);
            assert!(field.takes(&[]), "{kind:?} is cleared by no values");
            for value in *good {
                assert!(field.takes(&[(*value).to_owned()]), "{kind:?} {value}");
            }
            for value in *bad {
                assert!(!field.takes(&[(*value).to_owned()]), "{kind:?} {value}");
            }
            let two = ["Free".to_owned(), "Gold".to_owned()];
            assert_eq!(field.takes(&two), *kind == Multiselect, "{kind:?} twice");
        }
    }

    #[test]
    fn fields_are_found_by_folded_name_and_end_at_the_limit() {
        let mut fields = Fields::default();
        for number in 0..MAX_DETAIL_FIELDS {
            let name = format!("Field {number}");
            assert!(fields.add(Field {
                name,
                ..field(FieldKind::Text)
            }));
        }
        assert!(!fields.add(field(FieldKind::Text)));
        assert_eq!(fields.find(" FIELD 7 "), Some(7));
        assert_eq!(fields.check("Field", &[]), Err(BadDetail::Field));
    }
}
