//! One value of the mapping, over a chunk: source → split → trim → empty is null → map → default → required → type →
//! length → options.

use crate::api::fold;
use crate::mapping::types::Kind;
use crate::mapping::types::moment::DateFormat;
use crate::model::code::{Code, ReasonCode};
use crate::model::row::Reason;
use crate::source::chunk::render;
use polars::prelude::{Column, DataType, ListChunked, StringChunked};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Bytes `start..end` of a draft's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    start: usize,
    end: usize,
}

/// A part of a value that has several.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// The text as it is sent.
    pub(super) text: Span,
    /// The same folded for comparison, in references.
    pub(super) folded: Span,
}

/// A value of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    /// There is none.
    Null,
    /// It cannot be known: a cell before it could not be read.
    Unknown,
    /// One text; that of a rejected row need not be valid.
    One(Span),
    /// Some of the draft's parts.
    Many(Span),
}

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

/// A reason found for a row.
#[derive(Debug)]
pub(super) struct RowFault {
    pub(super) row: usize,
    pub(super) order: u32,
    pub(super) reason: Reason,
}

/// Where values and faults are put.
#[derive(Debug, Default)]
pub(super) struct Sink {
    pub(super) text: String,
    pub(super) parts: Vec<Part>,
    pub(super) faults: Vec<RowFault>,
}

impl Sink {
    /// Keeps a text.
    pub(super) fn put(&mut self, text: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(text);
        Span {
            start,
            end: self.text.len(),
        }
    }

    /// A text that was kept.
    pub(super) fn get(&self, span: Span) -> &str {
        &self.text[span.start..span.end]
    }

    /// The parts of a value that has several.
    pub(super) fn parts(&self, span: Span) -> &[Part] {
        &self.parts[span.start..span.end]
    }

    /// Notes a reason.
    pub(super) fn fault(
        &mut self,
        row: usize,
        order: u32,
        code: impl Into<ReasonCode>,
        field: Option<&str>,
        message: impl Into<String>,
    ) {
        let reason = Reason {
            code: code.into(),
            field: field.map(str::to_owned),
            message: message.into(),
        };
        self.faults.push(RowFault { row, order, reason });
    }
}

/// The cells of a source, as text.
#[derive(Debug)]
pub(super) enum Cells<'a> {
    /// The same for every row.
    Constant(&'a str),
    /// One text each.
    Texts(StringChunked),
    /// A list of texts each.
    Lists(ListChunked),
}

impl<'a> Cells<'a> {
    /// The cells of a column for a value of this kind and shape, and whether they are dates in canonical form.
    pub(super) fn of(column: &Column, plan: &ValuePlan) -> (Self, bool) {
        if plan.shape != Shape::One
            && let Ok(lists) = column.list()
        {
            return (Self::Lists(lists.clone()), false);
        }
        let temporal = matches!(column.dtype(), DataType::Date | DataType::Datetime(..));
        if temporal && matches!(plan.kind, Kind::Date(_)) {
            let days = column.cast(&DataType::Date);
            return (Self::Texts(render(days.as_ref().unwrap_or(column))), true);
        }
        (Self::Texts(render(column)), false)
    }

    /// A constant.
    pub(super) fn constant(text: &'a str) -> Self {
        Self::Constant(text)
    }
}

/// A reason without its place.
type Refused = (Code, Cow<'static, str>);

impl ValuePlan {
    /// The value of each row. `unknown` says for which rows it cannot be known; they get no reason here.
    pub(super) fn evaluate(
        &self,
        cells: &Cells<'_>,
        canonical_dates: bool,
        rows: usize,
        unknown: impl Fn(usize) -> bool,
        sink: &mut Sink,
    ) -> Vec<Cell> {
        let iso = canonical_dates.then(|| Kind::Date(DateFormat::iso()));
        let kind = iso.as_ref().unwrap_or(&self.kind);
        let mut values = Vec::with_capacity(rows);
        let mut each = |row: usize, text: Option<&str>| {
            values.push(if unknown(row) {
                Cell::Unknown
            } else if self.shape == Shape::One {
                self.one(row, text, kind, sink)
            } else {
                self.many(
                    row,
                    text.map(|text| self.split(text)).into_iter().flatten(),
                    sink,
                )
            });
        };
        match cells {
            Cells::Constant(text) => (0..rows).for_each(|row| each(row, Some(text))),
            Cells::Texts(texts) => texts
                .iter()
                .enumerate()
                .for_each(|(row, text)| each(row, text)),
            Cells::Lists(lists) => {
                for (row, list) in lists.series_iter().enumerate() {
                    if unknown(row) {
                        values.push(Cell::Unknown);
                        continue;
                    }
                    let items = list.map(|list| render(&list.into()));
                    let parts = items.iter().flat_map(|items| items.iter().flatten());
                    values.push(self.many(row, parts, sink));
                }
            }
        }
        values
    }

    fn split<'t>(&'t self, text: &'t str) -> impl Iterator<Item = &'t str> {
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
        &'t self,
        row: usize,
        parts: impl Iterator<Item = &'t str>,
        sink: &mut Sink,
    ) -> Cell {
        let start = sink.parts.len();
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut parts = parts.filter_map(|part| self.trimmed(part)).peekable();
        let default = match parts.peek() {
            None => self.default.as_deref(),
            Some(_) => None,
        };
        let mapped = parts.map(|part| self.mapped(part));
        for part in mapped.chain(default.map(|default| Ok(Some(default)))) {
            match part {
                Ok(None) => {}
                Err(refused) => found.push(refused),
                Ok(Some(part)) => {
                    let text = self.check(&self.kind, part, &mut found);
                    let folded = match self.shape {
                        Shape::Names => fold::name(part),
                        Shape::One | Shape::Many => Cow::Borrowed(part),
                    };
                    let same = folded == text;
                    let span = (!seen.contains(&folded)).then(|| sink.put(&text));
                    if let Some(text) = span {
                        let key = if same { text } else { sink.put(&folded) };
                        sink.parts.push(Part { text, folded: key });
                        seen.insert(folded);
                    }
                }
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
        Cell::Many(Span { start, end })
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
