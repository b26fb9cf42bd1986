//! TOML → [`Written`], collecting every fault on the way.

use crate::mapping::diagnostic::Fault;
use crate::mapping::file::{
    Empty, Text, Written, WrittenColumn, WrittenReferences, WrittenSource, WrittenValue,
};
use crate::mapping::references::OnMissing;
use crate::mapping::suggest;
use crate::model::entity::{Entity, Operation};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, Error};

/// Keys of the file itself.
const KEYS: [&str; 10] = [
    "entity",
    "operation",
    "key",
    "key_detail",
    "columns",
    "fields",
    "details",
    "organizations",
    "products",
    "rules",
];
/// Keys of a value.
const VALUE_KEYS: [&str; 14] = [
    "column",
    "value",
    "sql",
    "type",
    "map",
    "default",
    "split",
    "format",
    "options",
    "required",
    "min_length",
    "max_length",
    "region",
    "empty",
];
/// Keys of an entry of `[columns]`.
const COLUMN_KEYS: [&str; 2] = ["type", "format"];
/// Keys of `[organizations]` and `[products]`.
const REFERENCE_KEYS: [&str; 2] = ["names", "on_missing"];

type Key<'a, 'i> = &'a Spanned<DeString<'i>>;
type Value<'a, 'i> = &'a Spanned<DeValue<'i>>;

/// A fault for text that is not TOML.
pub(super) fn syntax_fault(error: &Error) -> Fault {
    Fault::new(error.span().unwrap_or(0..0), error.message())
        .help("the file is TOML, see https://toml.io")
}

/// The parts of the file, and what is wrong with them; `None` when the entity is missing or unknown.
pub(super) fn read(table: &DeTable<'_>) -> (Option<Written>, Vec<Fault>) {
    let mut reader = Reader { faults: Vec::new() };
    let written = reader.file(table);
    (written, reader.faults)
}

/// Collects faults while values are taken out of tables.
struct Reader {
    faults: Vec<Fault>,
}

impl Reader {
    fn file(&mut self, table: &DeTable<'_>) -> Option<Written> {
        self.refuse_unknown(table, "key", &KEYS);
        let entity = match table.get("entity") {
            Some(value) => self.word(
                value,
                "entity",
                &[
                    ("customer", Entity::Customer),
                    ("organization", Entity::Organization),
                    ("product", Entity::Product),
                ],
            ),
            None => {
                self.faults.push(
                    Fault::new(0..0, "the mapping does not say which entity it maps").help(
                        "start it with entity = \"customer\", \"organization\" or \"product\"",
                    ),
                );
                None
            }
        };
        let operation = table.get("operation").and_then(|value| {
            self.word(
                value,
                "operation",
                &[
                    ("create", Operation::Create),
                    ("update", Operation::Update),
                    ("upsert", Operation::Upsert),
                ],
            )
        });
        let written = Written {
            entity: entity.unwrap_or(Entity::Customer),
            entity_span: table.get("entity").map_or(0..0, Spanned::span),
            operation: operation.unwrap_or_default(),
            key: self.optional(table, "key", Self::text),
            key_detail: self.optional(table, "key_detail", Self::text),
            columns: self.section(table, "columns", Self::column),
            fields: self.section(table, "fields", Self::value),
            details: self.section(table, "details", Self::value),
            organizations: self.references(table, "organizations"),
            products: self.references(table, "products"),
            rules: self.section(table, "rules", |reader, key, value| {
                Some((text(key), reader.text(value, "rule")?))
            }),
        };
        entity.map(|_| written)
    }

    /// The entries of a section, in the order of the file.
    fn section<T>(
        &mut self,
        table: &DeTable<'_>,
        name: &str,
        mut read: impl FnMut(&mut Self, Key<'_, '_>, Value<'_, '_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(section) = table.get(name).and_then(|value| self.table(value, name)) else {
            return Vec::new();
        };
        let entries = in_order(section).into_iter();
        entries
            .filter_map(|(key, value)| read(self, key, value))
            .collect()
    }

    fn column(&mut self, key: Key<'_, '_>, value: Value<'_, '_>) -> Option<WrittenColumn> {
        if let Some(kind) = value.get_ref().as_str() {
            return Some(WrittenColumn {
                name: text(key),
                kind: Spanned::new(value.span(), kind.to_owned()),
                format: None,
            });
        }
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(
                value,
                key.get_ref(),
                "a type, or a table with type and format",
            );
            return None;
        };
        self.refuse_unknown(table, "key", &COLUMN_KEYS);
        let format = self.optional(table, "format", Self::text);
        let Some(kind) = table.get("type") else {
            self.faults.push(
                Fault::new(value.span(), "the column has no type")
                    .help("add type = \"date\" or another type"),
            );
            return None;
        };
        Some(WrittenColumn {
            name: text(key),
            kind: self.text(kind, "type")?,
            format,
        })
    }

    #[expect(clippy::unnecessary_wraps, reason = "the shape that `section` takes")]
    fn value(&mut self, key: Key<'_, '_>, value: Value<'_, '_>) -> Option<WrittenValue> {
        let mut written = WrittenValue {
            name: text(key),
            source: None,
            kind: None,
            map: None,
            default: None,
            split: None,
            format: None,
            options: None,
            required: false,
            min_length: None,
            max_length: None,
            region: None,
            empty: None,
        };
        if let Some(column) = value.get_ref().as_str() {
            let column = Spanned::new(value.span(), column.to_owned());
            written.source = Some(WrittenSource::Column(column));
            return Some(written);
        }
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(
                value,
                key.get_ref(),
                "a column name, or a table with column, value or sql",
            );
            return Some(written);
        };
        self.refuse_unknown(table, "key", &VALUE_KEYS);
        written.source = self.source(table, value.span());
        written.kind = self.optional(table, "type", Self::text);
        written.map = self.optional(table, "map", Self::map);
        written.default = self.optional(table, "default", Self::text);
        written.split = self.optional(table, "split", Self::filled);
        written.format = self.optional(table, "format", Self::text);
        written.options = self.optional(table, "options", Self::options);
        written.required = self
            .optional(table, "required", Self::boolean)
            .unwrap_or_default();
        written.min_length = self.optional(table, "min_length", Self::length);
        written.max_length = self.optional(table, "max_length", Self::length);
        written.region = self.optional(table, "region", Self::text);
        written.empty = self.optional(table, "empty", |reader, value, name| {
            let words = [("keep", Empty::Keep), ("clear", Empty::Clear)];
            let empty = reader.word(value, name, &words)?;
            Some(Spanned::new(value.span(), empty))
        });
        Some(written)
    }

    /// Exactly one of `column`, `value` and `sql`.
    fn source(&mut self, table: &DeTable<'_>, span: Range<usize>) -> Option<WrittenSource> {
        let given = in_order(table).into_iter();
        let given: Vec<_> = given
            .filter(|(key, _)| ["column", "value", "sql"].contains(&key.get_ref().as_ref()))
            .collect();
        match given.as_slice() {
            [(key, value)] => {
                let name = key.get_ref().as_ref();
                let source = self.text(value, name)?;
                Some(match name {
                    "column" => WrittenSource::Column(source),
                    "value" => WrittenSource::Constant(source),
                    _ => WrittenSource::Sql(source),
                })
            }
            [] => {
                let fault = Fault::new(span, "the value does not say where it comes from");
                self.faults
                    .push(fault.help("add one of column = \"…\", value = \"…\" or sql = \"…\""));
                None
            }
            [(first, _), (second, _), ..] => {
                let message = format!(
                    "both {} and {} are given",
                    first.get_ref(),
                    second.get_ref()
                );
                let fault = Fault::new(second.span(), message);
                self.faults
                    .push(fault.help("a value has exactly one of column, value and sql"));
                None
            }
        }
    }

    fn references(&mut self, table: &DeTable<'_>, name: &str) -> Option<WrittenReferences> {
        let (section, value) = table.get_key_value(name)?;
        let table = self.table(value, name)?;
        self.refuse_unknown(table, "key", &REFERENCE_KEYS);
        let names = match table.get_key_value("names") {
            Some((key, value)) => self.value(key, value),
            None => {
                self.faults.push(
                    Fault::new(section.span(), format!("[{name}] has no names"))
                        .help("add names = \"…\", the column that holds them"),
                );
                None
            }
        };
        let on_missing = self.optional(table, "on_missing", |reader, value, name| {
            reader.word(
                value,
                name,
                &[
                    ("reject", OnMissing::Reject),
                    ("skip", OnMissing::Skip),
                    ("create", OnMissing::Create),
                ],
            )
        });
        Some(WrittenReferences {
            section: text(section),
            names,
            on_missing: on_missing.unwrap_or_default(),
        })
    }

    fn map(&mut self, value: Value<'_, '_>, name: &str) -> Option<Spanned<Vec<(Text, Text)>>> {
        let table = self.table(value, name)?;
        let entries = in_order(table).into_iter();
        let entries = entries
            .filter_map(|(key, value)| Some((text(key), self.text(value, key.get_ref())?)))
            .collect();
        Some(Spanned::new(value.span(), entries))
    }

    fn options(&mut self, value: Value<'_, '_>, name: &str) -> Option<Spanned<Vec<Text>>> {
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(value, name, "a list of texts");
            return None;
        };
        if array.is_empty() {
            let fault = Fault::new(value.span(), "options is empty");
            self.faults
                .push(fault.help("list the field's options, or leave options out"));
        }
        let options = array
            .iter()
            .filter_map(|option| self.text(option, "option"))
            .collect();
        Some(Spanned::new(value.span(), options))
    }

    fn length(&mut self, value: Value<'_, '_>, name: &str) -> Option<Spanned<usize>> {
        let integer = value.get_ref().as_integer();
        let length = integer
            .and_then(|integer| usize::from_str_radix(integer.as_str(), integer.radix()).ok());
        match length {
            Some(length) => Some(Spanned::new(value.span(), length)),
            None => {
                self.wrong_type(value, name, "a number of characters");
                None
            }
        }
    }

    fn boolean(&mut self, value: Value<'_, '_>, name: &str) -> Option<bool> {
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.wrong_type(value, name, "true or false");
        }
        boolean
    }

    /// Text that is not empty.
    fn filled(&mut self, value: Value<'_, '_>, name: &str) -> Option<Text> {
        let text = self.text(value, name)?;
        if text.get_ref().is_empty() {
            self.faults
                .push(Fault::new(value.span(), format!("{name} is empty")));
            return None;
        }
        Some(text)
    }

    fn text(&mut self, value: Value<'_, '_>, name: &str) -> Option<Text> {
        match value.get_ref().as_str() {
            Some(text) => Some(Spanned::new(value.span(), text.to_owned())),
            None => {
                self.wrong_type(value, name, "text in quotes");
                None
            }
        }
    }

    fn table<'a, 'i>(&mut self, value: Value<'a, 'i>, name: &str) -> Option<&'a DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, name, "a table");
        }
        table
    }

    /// One of a few words.
    fn word<T: Copy>(
        &mut self,
        value: Value<'_, '_>,
        name: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(value, name)?;
        let known = words.iter().find(|(word, _)| word == text.get_ref());
        if known.is_none() {
            let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let message = format!("unknown {name} \"{}\"", text.get_ref());
            let help = suggest::nearest(text.get_ref(), names.iter().copied()).map_or_else(
                || format!("use one of {}", suggest::list(&names)),
                |nearest| format!("did you mean \"{nearest}\"?"),
            );
            self.faults
                .push(Fault::new(value.span(), message).help(help));
        }
        known.map(|(_, value)| *value)
    }

    fn optional<T>(
        &mut self,
        table: &DeTable<'_>,
        name: &str,
        read: impl FnOnce(&mut Self, Value<'_, '_>, &str) -> Option<T>,
    ) -> Option<T> {
        table.get(name).and_then(|value| read(self, value, name))
    }

    fn wrong_type(&mut self, value: Value<'_, '_>, name: &str, wanted: &str) {
        let found = value.get_ref().type_str();
        let fault = Fault::new(value.span(), format!("{name} has the wrong type"))
            .label(format!("this is of type {found}"));
        self.faults.push(fault.help(format!("write {wanted}")));
    }

    fn refuse_unknown(&mut self, table: &DeTable<'_>, kind: &str, known: &[&str]) {
        for key in table.keys() {
            let name = key.get_ref();
            if !known.contains(&name.as_ref()) {
                self.faults.push(
                    Fault::new(key.span(), format!("unknown {kind} \"{name}\""))
                        .maybe_help(suggest::help(name, kind, known)),
                );
            }
        }
    }
}

/// A key as text with its place.
fn text(key: Key<'_, '_>) -> Text {
    Spanned::new(key.span(), key.get_ref().clone().into_owned())
}

/// A table's entries in the order of the file; the table itself is ordered by key.
fn in_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<(Key<'a, 'i>, Value<'a, 'i>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}
