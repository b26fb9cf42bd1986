//! Typed access to a TOML tree, noting a fault for everything that is not what it should be.

use crate::mapping::diagnostic::Fault;
use crate::mapping::file::Text;
use crate::mapping::suggest;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// A key with its place.
pub(super) type Key<'a, 'i> = &'a Spanned<DeString<'i>>;
/// A value with its place.
pub(super) type Value<'a, 'i> = &'a Spanned<DeValue<'i>>;

/// Collects faults while values are taken out of tables. `name` is what faults call a value.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// What was found so far.
    pub(super) faults: Vec<Fault>,
}

impl Reader {
    pub(super) fn length(&mut self, value: Value<'_, '_>, name: &str) -> Option<Spanned<usize>> {
        let integer = value.get_ref().as_integer();
        let length = integer
            .and_then(|integer| usize::from_str_radix(integer.as_str(), integer.radix()).ok());
        if length.is_none() {
            self.wrong_type(value, name, "a number of characters");
        }
        length.map(|length| Spanned::new(value.span(), length))
    }

    pub(super) fn boolean(&mut self, value: Value<'_, '_>, name: &str) -> Option<bool> {
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.wrong_type(value, name, "true or false");
        }
        boolean
    }

    /// Text that is not empty.
    pub(super) fn filled(&mut self, value: Value<'_, '_>, name: &str) -> Option<Text> {
        let text = self.text(value, name)?;
        if text.get_ref().is_empty() {
            self.faults
                .push(Fault::new(value.span(), format!("{name} is empty")));
            return None;
        }
        Some(text)
    }

    pub(super) fn text(&mut self, value: Value<'_, '_>, name: &str) -> Option<Text> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(value, name, "text in quotes");
        }
        text.map(|text| Spanned::new(value.span(), text.to_owned()))
    }

    pub(super) fn table<'a, 'i>(
        &mut self,
        value: Value<'a, 'i>,
        name: &str,
    ) -> Option<&'a DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, name, "a table");
        }
        table
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
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

    /// The same with its place.
    pub(super) fn placed_word<T: Copy>(
        &mut self,
        value: Value<'_, '_>,
        name: &str,
        words: &[(&str, T)],
    ) -> Option<Spanned<T>> {
        let word = self.word(value, name, words)?;
        Some(Spanned::new(value.span(), word))
    }

    pub(super) fn optional<T>(
        &mut self,
        table: &DeTable<'_>,
        name: &str,
        read: impl FnOnce(&mut Self, Value<'_, '_>, &str) -> Option<T>,
    ) -> Option<T> {
        table.get(name).and_then(|value| read(self, value, name))
    }

    pub(super) fn wrong_type(&mut self, value: Value<'_, '_>, name: &str, wanted: &str) {
        let found = value.get_ref().type_str();
        let fault = Fault::new(value.span(), format!("{name} has the wrong type"))
            .label(format!("this is of type {found}"));
        self.faults.push(fault.help(format!("write {wanted}")));
    }

    pub(super) fn refuse_unknown(&mut self, table: &DeTable<'_>, kind: &str, known: &[&str]) {
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
pub(super) fn text(key: Key<'_, '_>) -> Text {
    Spanned::new(key.span(), key.get_ref().clone().into_owned())
}

/// A table's entries in the order of the file; the table itself is ordered by key.
pub(super) fn in_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<(Key<'a, 'i>, Value<'a, 'i>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}
