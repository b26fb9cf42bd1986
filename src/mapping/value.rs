//! One value of the mapping, over a chunk: source → split → trim → empty is null → map → default → required → type →
//! length → options.

use crate::api::fold;
use crate::mapping::cells::Cells;
use crate::mapping::memo::Memo;
use crate::mapping::sink::{Cell, Part, Sink, Span};
use crate::mapping::types::Kind;
use crate::mapping::types::moment::DateFormat;
use crate::model::code::Code;
use crate::source::chunk::write_date;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::iter::repeat_n;

/// Parts of one value up to which each is compared with all before it.
const FEW: usize = 16;

/// Where a value comes from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// A column of the source, by name.
    Column(String),
    /// The same text for every row.
    Constant(String),
    /// An expression of the plan, by number.
    Expression(usize),
}

/// Whether a value is one text or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One text.
    One,
    /// Several, told apart exactly.
    Many,
    /// Several names, told apart after folding.
    Names,
}

/// What a value must be.
#[derive(Debug)]
pub(super) struct ValuePlan {
    /// The field's name in reasons.
    pub(super) name: String,
    /// Where it stands among the reasons of a row.
    pub(super) order: u32,
    pub(super) source: Source,
    /// The casts it depends on, by number.
    pub(super) casts: Vec<usize>,
    pub(super) shape: Shape,
    pub(super) kind: Kind,
    /// Whether blanks around it do not belong to it.
    pub(super) trim: bool,
    pub(super) split: Option<String>,
    pub(super) map: Option<HashMap<String, String>>,
    pub(super) default: Option<String>,
    pub(super) required: bool,
    pub(super) min_length: Option<usize>,
    pub(super) max_length: Option<usize>,
    pub(super) options: Option<HashSet<String>>,
}

/// A reason without its place.
type Refused = (Code, Cow<'static, str>);

/// What a text became: its value, and the faults that were noted for the first row that has it.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    cell: Cell,
    faults: Span,
}

/// A column that is being evaluated, with what was made of its texts so far.
struct Evaluating<'p, 't> {
    plan: &'p ValuePlan,
    /// Whether the same text is in every row.
    constant: bool,
    texts: Memo<'t, Outcome>,
    parts: Memo<'t, Option<Part>>,
    /// What became of a constant, else of nulls.
    fixed: Option<Outcome>,
}

impl<'t> Evaluating<'_, 't> {
    /// The value of a row.
    fn value(&mut self, row: usize, text: Option<&'t str>, sink: &mut Sink) -> Cell {
        let text_counts = text.filter(|_| !self.constant);
        let known = match text_counts {
            Some(text) => self.texts.get(text),
            None => self.fixed,
        };
        if let Some(Outcome { cell, faults }) = known {
            sink.fault_again(faults.range(), row);
            return cell;
        }
        let before = sink.faults.len();
        let plan = self.plan;
        let cell = if plan.shape == Shape::One {
            plan.one(row, text, &plan.kind, sink)
        } else {
            let parts = text.map(|text| plan.split(text)).into_iter().flatten();
            plan.many(row, parts, &mut self.parts, sink)
        };
        let faults = Span::new(before..sink.faults.len());
        let outcome = Outcome { cell, faults };
        match text_counts {
            Some(text) => self.texts.keep(text, outcome),
            None => self.fixed = Some(outcome),
        }
        cell
    }
}

impl ValuePlan {
    /// The value of each row. `unknown` says for which rows it cannot be known, where there are such; they get no
    /// reason here.
    pub(super) fn evaluate(
        &self,
        cells: &Cells<'_>,
        rows: usize,
        unknown: Option<&[bool]>,
        sink: &mut Sink,
    ) -> Vec<Cell> {
        let mut column = Evaluating {
            plan: self,
            constant: matches!(cells, Cells::Constant(_)),
            texts: Memo::new(rows),
            parts: Memo::new(if self.shape == Shape::One { 0 } else { rows }),
            fixed: None,
        };
        match cells {
            Cells::Constant(text) => each(repeat_n(*text, rows), unknown, |row, text| {
                column.value(row, Some(text), sink)
            }),
            Cells::Texts(texts) => each(texts.iter(), unknown, |row, text| {
                column.value(row, text, sink)
            }),
            Cells::Days(days) => {
                let kind = Kind::Date(DateFormat::iso());
                let mut text = String::new();
                each(days.iter(), unknown, |row, day| {
                    text.clear();
                    let text = day.map(|day| {
                        write_date(&mut text, day);
                        text.as_str()
                    });
                    self.one(row, text, &kind, sink)
                })
            }
            Cells::Lists { items, rows } => each(rows.iter(), unknown, |row, range| {
                let parts = range.clone().filter_map(|item| items.get(item));
                self.many(row, parts, &mut column.parts, sink)
            }),
        }
    }

    fn split<'t>(&self, text: &'t str) -> impl Iterator<Item = &'t str> {
        let mut parts = self.split.as_ref().map(|split| text.split(split.as_str()));
        let mut whole = parts.is_none().then_some(text);
        std::iter::from_fn(move || match &mut parts {
            Some(parts) => parts.next(),
            None => whole.take(),
        })
    }

    /// Trimmed as the type says; empty is null.
    fn trimmed<'t>(&self, text: &'t str) -> Option<&'t str> {
        let text = if self.trim { text.trim() } else { text };
        (!text.is_empty()).then_some(text)
    }

    /// The text that stands for `text`: its entry in map, or the default.
    fn mapped<'t>(&'t self, text: &'t str) -> Result<Option<&'t str>, Refused> {
        let Some(map) = &self.map else {
            return Ok(Some(text));
        };
        match map.get(text).or(self.default.as_ref()) {
            Some(mapped) => Ok(Some(mapped.as_str()).filter(|text| !text.is_empty())),
            None => Err((Code::ValueUnmapped, "no entry in map".into())),
        }
    }

    fn one(&self, row: usize, text: Option<&str>, kind: &Kind, sink: &mut Sink) -> Cell {
        let raw = text.and_then(|text| self.trimmed(text));
        let mapped = match raw.map(|raw| self.mapped(raw)).transpose() {
            Ok(mapped) => mapped.flatten(),
            Err(refused) => {
                self.refuse(row, refused, sink);
                return raw.map_or(Cell::Null, |raw| Cell::One(sink.put(raw)));
            }
        };
        // what the mapping file wrote follows the mapping's format, whatever the column's type
        let kind = if self.map.is_some() || mapped.is_none() {
            &self.kind
        } else {
            kind
        };
        let Some(text) = mapped.or(self.default.as_deref()) else {
            if self.required {
                self.refuse(row, missing(), sink);
            }
            return Cell::Null;
        };
        let mut found = Vec::new();
        let value = self.check(kind, text, &mut found);
        for refused in found {
            self.refuse(row, refused, sink);
        }
        Cell::One(sink.put(&value))
    }

    fn many<'t>(
        &self,
        row: usize,
        parts: impl Iterator<Item = &'t str>,
        known: &mut Memo<'t, Option<Part>>,
        sink: &mut Sink,
    ) -> Cell {
        let start = sink.parts.len();
        let mut found = Vec::new();
        let mut seen = Seen::default();
        let mut parts = parts.filter_map(|part| self.trimmed(part)).peekable();
        if let (None, Some(default)) = (parts.peek(), &self.default) {
            let part = self.part(default, &mut found, sink);
            seen.add(part, start, sink);
        }
        for text in parts {
            let part = known.get(text).unwrap_or_else(|| {
                let before = found.len();
                let part = match self.mapped(text) {
                    Ok(mapped) => mapped.map(|mapped| self.part(mapped, &mut found, sink)),
                    Err(refused) => {
                        found.push(refused);
                        None
                    }
                };
                if found.len() == before {
                    known.keep(text, part);
                }
                part
            });
            if let Some(part) = part {
                seen.add(part, start, sink);
            }
            // one reason of a kind is enough for a value of many parts
            found.dedup();
        }
        let mut told: Vec<Refused> = Vec::new();
        for refused in found {
            if !told.contains(&refused) {
                told.push(refused.clone());
                self.refuse(row, refused, sink);
            }
        }
        let end = sink.parts.len();
        if start == end && told.is_empty() {
            if self.required {
                self.refuse(row, missing(), sink);
            }
            return Cell::Null;
        }
        Cell::Many(Span::new(start..end))
    }

    /// A part as it is sent and as it is compared, and what is wrong with it.
    fn part(&self, part: &str, found: &mut Vec<Refused>, sink: &mut Sink) -> Part {
        let text = self.check(&self.kind, part, found);
        let folded = match self.shape {
            Shape::Names => fold::name(part),
            Shape::One | Shape::Many => Cow::Borrowed(part),
        };
        let span = sink.put(&text);
        let folded = if folded == text {
            span
        } else {
            sink.put(&folded)
        };
        Part { text: span, folded }
    }

    /// The canonical form of a text, and what is wrong with it. The text itself when it has no canonical form.
    pub(super) fn check<'t>(
        &self,
        kind: &Kind,
        text: &'t str,
        found: &mut Vec<Refused>,
    ) -> Cow<'t, str> {
        let value = match kind.check(text) {
            Ok(value) => value,
            Err(refused) => {
                found.push(refused);
                return Cow::Borrowed(text);
            }
        };
        if self.min_length.is_some() || self.max_length.is_some() {
            let length = value.chars().count();
            if let Some(max) = self.max_length.filter(|max| length > *max) {
                let message = format!("{length} characters; at most {max} are allowed");
                found.push((Code::TooLong, message.into()));
            }
            if let Some(min) = self.min_length.filter(|min| length < *min) {
                let message = format!("{length} characters; at least {min} are needed");
                found.push((Code::TooShort, message.into()));
            }
        }
        if let Some(options) = &self.options
            && !options.contains(&*value)
        {
            let message = format!("not one of the {} options", options.len());
            found.push((Code::OptionUnknown, message.into()));
        }
        value
    }

    fn refuse(&self, row: usize, (code, message): Refused, sink: &mut Sink) {
        sink.fault(row, self.order, code, Some(&self.name), message);
    }
}

/// The reason of a required value that is not there.
pub(super) fn missing() -> Refused {
    (
        Code::RequiredMissing,
        "no value; the field is required".into(),
    )
}

/// The value of each row, where it can be known.
fn each<T>(
    items: impl Iterator<Item = T>,
    unknown: Option<&[bool]>,
    mut value: impl FnMut(usize, T) -> Cell,
) -> Vec<Cell> {
    let values = items.enumerate().map(|(row, item)| {
        if unknown.is_some_and(|unknown| unknown[row]) {
            Cell::Unknown
        } else {
            value(row, item)
        }
    });
    values.collect()
}

/// The parts of one value, each once.
#[derive(Default)]
struct Seen {
    /// The folded texts, once they are too many to be compared one by one.
    many: HashSet<Box<str>>,
}

impl Seen {
    /// Adds a part to those since `start`, unless it is among them.
    fn add(&mut self, part: Part, start: usize, sink: &mut Sink) {
        let text = sink.get(part.folded);
        let before = &sink.parts[start..];
        let is_new = if before.len() < FEW {
            before.iter().all(|known| sink.get(known.folded) != text)
        } else {
            if self.many.is_empty() {
                let known = before.iter().map(|known| sink.get(known.folded).into());
                self.many.extend(known);
            }
            self.many.insert(text.into())
        };
        if is_new {
            sink.parts.push(part);
        }
    }
}
