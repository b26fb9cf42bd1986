//! TOML → [`Written`], collecting every fault on the way.

use crate::mapping::diagnostic::Fault;
use crate::mapping::file::{
    Empty, Text, Written, WrittenColumn, WrittenHierarchy, WrittenReferences, WrittenSource,
    WrittenValue,
};
use crate::mapping::references::OnMissing;
use crate::mapping::tree::{Key, Reader, Value, in_order, text};
use crate::model::entity::{Entity, Family, Operation, Verb};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, Error};

/// Keys of the file itself.
pub(super) const KEYS: [&str; 13] = [
    "entity",
    "api",
    "operation",
    "verb",
    "key",
    "key_detail",
    "columns",
    "fields",
    "details",
    "organizations",
    "products",
    "hierarchy",
    "rules",
];
/// Keys of a value.
const VALUE_KEYS: [&str; 16] = [
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
    "verb",
    "on_missing",
];
/// Keys of an entry of `[columns]`.
const COLUMN_KEYS: [&str; 2] = ["type", "format"];
/// Keys of `[organizations]` and `[products]`.
const REFERENCE_KEYS: [&str; 2] = ["names", "on_missing"];
/// The words of `on_missing`.
const ON_MISSING: [(&str, OnMissing); 3] = [
    ("reject", OnMissing::Reject),
    ("skip", OnMissing::Skip),
    ("create", OnMissing::Create),
];

/// Keys of `[hierarchy]`.
const HIERARCHY_KEYS: [&str; 2] = ["parent", "detail"];
/// Keys of the `parent` of `[hierarchy]`: it is one text.
const PARENT_KEYS: [&str; 6] = ["column", "value", "sql", "map", "default", "empty"];

/// A fault for text that is not TOML.
pub(super) fn syntax_fault(error: &Error) -> Fault {
    Fault::new(error.span().unwrap_or(0..0), error.message())
        .help("the file is TOML, see https://toml.io")
}

/// The parts of the file, and what is wrong with them; `None` when the entity is missing or unknown.
pub(super) fn read(table: &DeTable<'_>) -> (Option<Written>, Vec<Fault>) {
    let mut reader = Reader::default();
    let written = reader.file(table);
    (written, reader.faults)
}

impl Reader {
    fn file(&mut self, table: &DeTable<'_>) -> Option<Written> {
        self.refuse_unknown(table, "key", &KEYS);
        let entity = if let Some(value) = table.get("entity") {
            self.word(
                value,
                "entity",
                &[
                    ("customer", Entity::Customer),
                    ("organization", Entity::Organization),
                    ("product", Entity::Product),
                    ("detail-field", Entity::DetailField),
                    ("entitlement", Entity::Entitlement),
                ],
            )
        } else {
            self.faults.push(
                Fault::new(0..0, "the mapping does not say which entity it maps").help(
                    "start it with entity = \"customer\", \"organization\", \"product\", \
                         \"entitlement\" or \"detail-field\"",
                ),
            );
            None
        };
        let written = Written {
            entity: entity.unwrap_or(Entity::Customer),
            entity_span: table.get("entity").map_or(0..0, Spanned::span),
            api: self.optional(table, "api", |reader, value, name| {
                let words = Family::ALL.map(|family| (family.name(), family));
                reader.placed_word(value, name, &words)
            }),
            operation: self.optional(table, "operation", |reader, value, name| {
                let words = Operation::ALL.map(|operation| (operation.name(), operation));
                reader.placed_word(value, name, &words)
            }),
            verb: self.optional(table, "verb", Self::verb),
            key: self.optional(table, "key", Self::text),
            key_detail: self.optional(table, "key_detail", Self::text),
            columns: self.section(table, "columns", Self::column),
            fields: self.section(table, "fields", Self::value),
            details_section: table.get_key_value("details").map(|(key, _)| key.span()),
            details: self.section(table, "details", Self::value),
            organizations: self.references(table, "organizations"),
            products: self.references(table, "products"),
            hierarchy: self.hierarchy(table),
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
        Some(self.value_of(text(key), key.get_ref(), value, &VALUE_KEYS))
    }

    /// A value that faults call `name`, whose table may have these keys.
    fn value_of(
        &mut self,
        shown: Text,
        name: &str,
        value: Value<'_, '_>,
        keys: &[&str],
    ) -> WrittenValue {
        let mut written = WrittenValue {
            name: shown,
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
            verb: None,
            on_missing: None,
        };
        if let Some(column) = value.get_ref().as_str() {
            let column = Spanned::new(value.span(), column.to_owned());
            written.source = Some(WrittenSource::Column(column));
            return written;
        }
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(
                value,
                name,
                "a column name, or a table with column, value or sql",
            );
            return written;
        };
        self.refuse_unknown(table, "key", keys);
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
            reader.placed_word(value, name, &words)
        });
        written.verb = self.optional(table, "verb", Self::verb);
        written.on_missing = self.optional(table, "on_missing", |reader, value, name| {
            reader.placed_word(value, name, &ON_MISSING)
        });
        written
    }

    fn verb(&mut self, value: Value<'_, '_>, name: &str) -> Option<Spanned<Verb>> {
        self.placed_word(value, name, &Verb::ALL.map(|verb| (verb.name(), verb)))
    }

    /// Exactly one of `column`, `value` and `sql`; whether it may have none is for the compiler to say.
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
            [] => Some(WrittenSource::Missing(span)),
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
        let names = if let Some((key, value)) = table.get_key_value("names") {
            self.value(key, value)
        } else {
            self.faults.push(
                Fault::new(section.span(), format!("[{name}] has no names"))
                    .help("add names = \"…\", the column that holds them"),
            );
            None
        };
        let on_missing = self.optional(table, "on_missing", |reader, value, name| {
            reader.word(value, name, &ON_MISSING)
        });
        Some(WrittenReferences {
            section: text(section),
            names,
            on_missing: on_missing.unwrap_or_default(),
        })
    }

    fn hierarchy(&mut self, table: &DeTable<'_>) -> Option<WrittenHierarchy> {
        let (section, value) = table.get_key_value("hierarchy")?;
        let table = self.table(value, "hierarchy")?;
        self.refuse_unknown(table, "key", &HIERARCHY_KEYS);
        let detail = self.optional(table, "detail", Self::text);
        for (key, help) in [
            (
                "parent",
                "add parent = \"…\", the column that holds the parent's name",
            ),
            (
                "detail",
                "add detail = \"…\", the text field of the site that takes the parent's name",
            ),
        ] {
            if !table.contains_key(key) {
                let fault = Fault::new(section.span(), format!("[hierarchy] has no {key}"));
                self.faults.push(fault.help(help));
            }
        }
        let parent = detail
            .zip(table.get("parent"))
            .map(|(detail, parent)| WrittenValue {
                // keys that were refused have no other faults
                kind: None,
                split: None,
                format: None,
                options: None,
                required: false,
                min_length: None,
                max_length: None,
                region: None,
                verb: None,
                ..self.value_of(detail, "parent", parent, &PARENT_KEYS)
            });
        Some(WrittenHierarchy {
            section: text(section),
            parent,
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
}
