//! Detail fields: what a site defines, and which values each type takes.

use super::Refusal;
use crate::api::contract::MAX_DETAIL_FIELDS;
use crate::api::fold;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use url::Url;

/// Options that a field may have.
const MAX_OPTIONS: usize = 2000;

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
    /// Checks a field that is to be defined; its name loses the blanks around it.
    ///
    /// # Errors
    /// When its name or an option is blank, or its options do not fit its type.
    pub(in crate::sandbox) fn checked(self) -> Result<Self, Refusal> {
        let name = checked_name(&self.name)?;
        let Self { kind, options, .. } = self;
        if kind.has_options() == options.is_empty() {
            let why = "SELECT and MULTISELECT need options, other types have none";
            return Err(Refusal::bad_request(format!("Detail field {name}: {why}")));
        }
        check_options(&options)?;
        Ok(Self {
            name,
            kind,
            options,
        })
    }

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

impl FieldEdit {
    /// Checks a change of a field of this type; the name loses the blanks around it.
    ///
    /// # Errors
    /// When the name or an option is blank, or the options do not fit the type.
    pub(super) fn checked(self, kind: FieldKind) -> Result<Self, Refusal> {
        let name = checked_name(&self.name)?;
        if let Some(options) = &self.options {
            if kind.has_options() == options.is_empty() {
                return Err(Refusal::bad_request("Options do not fit the field's type"));
            }
            check_options(options)?;
        }
        Ok(Self { name, ..self })
    }
}

fn checked_name(name: &str) -> Result<String, Refusal> {
    let name = name.trim();
    if name.is_empty() {
        return Err(Refusal::bad_request("Invalid detail field name"));
    }
    Ok(name.to_owned())
}

fn check_options(options: &[String]) -> Result<(), Refusal> {
    if options.len() > MAX_OPTIONS {
        let message = format!("A detail field has at most {MAX_OPTIONS} options");
        return Err(Refusal::bad_request(message));
    }
    if options.iter().any(|option| option.trim().is_empty()) {
        return Err(Refusal::bad_request("An option must not be blank"));
    }
    Ok(())
}

/// The reason for a field that should not exist and does.
pub(super) const FIELD_EXISTS: &str = "Detail field already exists";

/// Why a detail value is refused, in the words seen on live sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadDetail {
    /// There is no such field.
    Field,
    /// The field does not take the values.
    Value,
}

/// What is to change about a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) struct FieldEdit {
    /// Its new name, or the one it has.
    pub name: String,
    /// Its new options; `None` keeps those it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<String>>,
}

/// The detail fields of one kind of record. A field's number is its place among all there ever were.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Vec<Option<Field>>);

impl Fields {
    /// The fields that there are, with their numbers, in their order.
    pub(super) fn all(&self) -> impl Iterator<Item = (u16, &Field)> {
        (0..)
            .zip(&self.0)
            .filter_map(|(number, field)| Some((number, field.as_ref()?)))
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.all().count()
    }

    /// The field with this number.
    pub(super) fn get(&self, number: u16) -> Option<&Field> {
        self.0.get(usize::from(number))?.as_ref()
    }

    /// The place of the field with this number among its siblings.
    pub(super) fn position(&self, number: u16) -> usize {
        self.all().take_while(|(n, _)| *n < number).count()
    }

    /// The number of the field with this name.
    pub(super) fn find(&self, name: &str) -> Option<u16> {
        let exact = self.all().find(|(_, field)| field.name == name);
        let found = exact.or_else(|| {
            let folded = fold::name(name);
            self.all().find(|(_, f)| fold::name(&f.name) == folded)
        })?;
        Some(found.0)
    }

    /// Why a field cannot be defined, if it cannot.
    pub(super) fn against(&self, field: &Field) -> Option<&'static str> {
        if self.find(&field.name).is_some() {
            Some(FIELD_EXISTS)
        } else if self.count() >= MAX_DETAIL_FIELDS || self.0.len() >= usize::from(u16::MAX) {
            Some("Maximum number of detail fields reached")
        } else {
            None
        }
    }

    /// Adds a field; false when the site has no room for another.
    pub(super) fn add(&mut self, field: Field) -> bool {
        let room = self.count() < MAX_DETAIL_FIELDS && self.0.len() < usize::from(u16::MAX);
        if room {
            self.0.push(Some(field));
        }
        room
    }

    /// Changes a field that exists.
    pub(super) fn edit(&mut self, number: u16, edit: &FieldEdit) {
        if let Some(Some(field)) = self.0.get_mut(usize::from(number)) {
            field.name.clone_from(&edit.name);
            if let Some(options) = &edit.options {
                field.options.clone_from(options);
            }
        }
    }

    /// Takes a field away, for good: one with its name would be another.
    pub(super) fn remove(&mut self, number: u16) {
        if let Some(field) = self.0.get_mut(usize::from(number)) {
            *field = None;
        }
    }

    /// The number of the field that takes these values.
    pub(super) fn check(&self, name: &str, values: &[String]) -> Result<u16, BadDetail> {
        let number = self.find(name).ok_or(BadDetail::Field)?;
        let field = self.get(number).ok_or(BadDetail::Field)?;
        if field.takes(values) {
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
