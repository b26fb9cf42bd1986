//! A chunk that was evaluated and validated, waiting for the ids of the records it refers to.

use crate::api::fold;
use crate::mapping::entitlement::Names;
use crate::mapping::identity::{Identities, Natural};
use crate::mapping::payload::{self, Detail};
use crate::mapping::plan::{Identity, Inner};
use crate::mapping::references::{Known, OnMissing, RefKind, References};
use crate::mapping::sink::{Cell, RowFault, Sink};
use crate::mapping::writer::{Place, Refused, Writer, Written};
use crate::model::code::Code;
use crate::model::entity::Family;
use crate::model::row::{FileId, KeyHash, Mapped, Reason, RowId};
use crate::source::chunk::{BadRow, RowChunk};
use polars::prelude::StringChunked;
use std::borrow::Cow;
use std::iter::Peekable;
use std::sync::Arc;

/// What [`Draft::finish`] writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    /// Keys and reasons alone: items are empty.
    Keys,
    /// Whole payloads.
    Payloads,
}

/// An evaluated chunk. [`Draft::names`] says which references to look up, [`Draft::finish`] takes what was found.
#[derive(Debug)]
pub struct Draft {
    plan: Arc<Inner>,
    file: FileId,
    ids: Vec<RowId>,
    lines: Vec<u64>,
    bad: Vec<BadRow>,
    values: Sink,
    fields: Vec<Vec<Cell>>,
    details: Vec<Vec<Cell>>,
    names: Names,
    keys: Option<StringChunked>,
    identities: Identities,
    /// The mapped details that each row's payload names, as bits.
    sent: Vec<u64>,
}

/// What one row refers to, and what is missing of it.
#[derive(Default)]
struct Resolved<'a> {
    ids: payload::References<'a>,
    missing: Vec<(u32, Reason)>,
}

impl Draft {
    /// A draft of what a plan made of a chunk.
    pub(super) fn new(
        plan: Arc<Inner>,
        chunk: &RowChunk,
        values: Sink,
        fields: Vec<Vec<Cell>>,
        details: Vec<Vec<Cell>>,
        names: Names,
        keys: Option<StringChunked>,
    ) -> Self {
        let rows = chunk.ids.len();
        let identities = Identities::of(&plan, &fields, &names, &values, rows);
        let mut sent = vec![0; rows];
        for (number, (plan, cells)) in plan.details.iter().zip(&details).enumerate() {
            for (bits, cell) in sent.iter_mut().zip(cells) {
                *bits |= u64::from(Detail::of(*cell, plan.empty).is_sent()) << number;
            }
        }
        Self {
            plan,
            file: chunk.file,
            ids: chunk.ids.clone(),
            lines: chunk.lines.clone(),
            bad: chunk.bad.clone(),
            values,
            fields,
            details,
            names,
            keys,
            identities,
            sent,
        }
    }

    /// The names that rows refer to, trimmed; of rejected rows too, since all reasons of a row are told. Names repeat.
    pub fn names(&self, kind: RefKind) -> impl Iterator<Item = &str> {
        let cells = self.names[kind as usize].iter().flatten();
        cells.flat_map(|cell| self.parts(*cell).map(|(name, _)| name))
    }

    /// Whether `known` tells every name that rows refer to, as it is folded for comparison; of rejected rows too.
    pub fn all_names(&self, kind: RefKind, mut known: impl FnMut(&str) -> bool) -> bool {
        let mut cells = self.names[kind as usize].iter().flatten();
        cells.all(|cell| self.parts(*cell).all(|(_, folded)| known(folded)))
    }

    /// The names that rows without a fault refer to, of those that `sent` tells: names that are worth creating.
    /// Names repeat.
    pub fn names_of_sound_rows(
        &self,
        kind: RefKind,
        sent: impl Fn(RowId) -> bool,
    ) -> impl Iterator<Item = &str> {
        let mut sound: Vec<_> = self.ids.iter().map(|id| sent(*id)).collect();
        for fault in &self.values.faults {
            sound[fault.row] = false;
        }
        let cells = self.names[kind as usize].iter().flatten().zip(sound);
        cells
            .filter(|(_, sound)| *sound)
            .flat_map(|(cell, _)| self.parts(*cell).map(|(name, _)| name))
    }

    /// The file that its rows come from.
    #[must_use]
    pub const fn file(&self) -> FileId {
        self.file
    }

    /// The rows that have a parent, with its name, in row order; rejected rows too.
    pub fn parents(&self) -> impl Iterator<Item = (RowId, &str)> {
        let rows = self.ids.iter().enumerate();
        rows.filter_map(|(row, id)| Some((*id, self.parent(row)?)))
    }

    /// The keys of rows that have a name, also where the name is a reason to reject the row: children may name it.
    pub fn named(&self) -> impl Iterator<Item = (RowId, KeyHash)> {
        let rows = self.ids.iter().enumerate();
        rows.filter_map(|(row, id)| match self.identity(row)? {
            Natural::Name(name) => Some((*id, fold::hash(self.plan.entity, &fold::name(name)))),
            Natural::Id(_) | Natural::Field { .. } | Natural::Entitlement(_) => None,
        })
    }

    /// The name of the row's parent.
    fn parent(&self, row: usize) -> Option<&str> {
        match self.details[self.plan.parent?][row] {
            Cell::One(span) => Some(self.values.get(span)),
            Cell::Null | Cell::Unknown | Cell::Many(_) => None,
        }
    }

    /// Name and folded name of each part of a cell.
    fn parts(&self, cell: Cell) -> impl Iterator<Item = (&str, &str)> {
        let parts = match cell {
            Cell::Many(span) => self.values.parts(span),
            Cell::Null | Cell::Unknown | Cell::One(_) => &[],
        };
        parts
            .iter()
            .map(|part| (self.values.get(part.text), self.values.get(part.folded)))
    }

    /// Sorts every row of the chunk into those that may be sent and those that are refused, each in row order.
    #[must_use]
    pub fn finish(mut self, references: &References, emit: Emit) -> Mapped {
        let mut faults = std::mem::take(&mut self.values.faults);
        faults.sort_by_key(|fault| (fault.row, fault.order));
        let mut faults = faults.into_iter().peekable();
        let mut writer = Writer::new(self.ids.len());
        let keys = self.keys.take();
        let mut keys = keys.as_ref().map(StringChunked::iter);
        let mut bad = std::mem::take(&mut self.bad).into_iter().peekable();
        for row in 0..self.ids.len() {
            let id = self.ids[row];
            while let Some(record) = bad.next_if(|record| record.row < id) {
                writer.bad(record, self.file);
            }
            let key = match &mut keys {
                Some(keys) => keys.next().flatten().map(Cow::Borrowed),
                None => self.identity(row).map(Natural::shown),
            };
            self.row(
                row,
                key.as_deref(),
                reasons(row, &mut faults),
                references,
                emit,
                &mut writer,
            );
        }
        for record in bad {
            writer.bad(record, self.file);
        }
        writer.finish()
    }

    fn row(
        &self,
        row: usize,
        key: Option<&str>,
        mut reasons: Vec<(u32, Reason)>,
        references: &References,
        emit: Emit,
        writer: &mut Writer,
    ) {
        let place = Place {
            id: self.ids[row],
            file: self.file,
            line: self.lines.get(row).copied(),
            key: writer.put(key.unwrap_or_default()),
        };
        let mut resolved = self.resolve(row, references);
        reasons.append(&mut resolved.missing);
        reasons.sort_by_key(|(order, _)| *order);
        let details = self.sent_details(row, key);
        if details == 0 && self.plan.family == Family::Details && self.is_known(row) {
            reasons.push((u32::MAX, nothing_to_send()));
        }
        let (hash, identity) = match self.identities.get(row) {
            Some((hash, identity)) if reasons.is_empty() => (hash, writer.put(identity)),
            hashed => {
                let hashed = hashed.filter(|_| self.is_identified(&reasons));
                writer.rejected.push(Refused {
                    place,
                    hash: hashed.map(|(hash, _)| hash),
                    reasons: reasons.into_iter().map(|(_, reason)| reason).collect(),
                });
                return;
            }
        };
        let detail = |number| self.detail(row, number, key);
        let start = writer.buffer.len();
        if emit == Emit::Payloads {
            let field = |number: usize| self.fields[number][row];
            let template = &self.plan.template;
            template.write(
                &mut writer.buffer,
                &self.values,
                field,
                detail,
                &resolved.ids,
            );
        }
        writer.rows.push(Written {
            place,
            hash,
            identity,
            item: start..writer.buffer.len(),
            details,
            parent: self
                .parent(row)
                .map(|name| fold::hash(self.plan.entity, &fold::name(name))),
        });
    }

    /// Ids of what the row refers to, and reasons for what is missing.
    fn resolve<'a>(&self, row: usize, references: &'a References) -> Resolved<'a> {
        let mut resolved = Resolved::default();
        for kind in RefKind::ALL {
            let (Some(plan), Some(cells)) =
                (self.plan.references(kind), &self.names[kind as usize])
            else {
                continue;
            };
            let Known::Resolved(known) = references.of(kind) else {
                continue;
            };
            for (name, folded) in self.parts(cells[row]) {
                match (known.get(folded), plan.on_missing) {
                    (Some(id), _) => resolved.ids.of(kind).push(id),
                    (None, OnMissing::Skip) => {}
                    (None, OnMissing::Reject | OnMissing::Create) => {
                        let noun = kind.noun();
                        let reason = Reason {
                            code: kind.not_found().into(),
                            field: Some(plan.names.name.clone()),
                            message: format!("the site has no {noun} named \"{name}\""),
                        };
                        resolved.missing.push((plan.names.order, reason));
                    }
                }
            }
        }
        resolved
    }

    /// The natural key as mapped.
    fn identity(&self, row: usize) -> Option<Natural<'_>> {
        Natural::of(&self.plan, &self.fields, &self.names, &self.values, row)
    }

    /// Whether no fault of the row is one of what identifies its record.
    fn is_identified(&self, reasons: &[(u32, Reason)]) -> bool {
        let Identity::Record { name, id } = self.plan.identity else {
            return true;
        };
        let mut identifying = name.into_iter().chain(id);
        identifying.all(|field| {
            let named = Some(self.plan.fields[field].name.as_str());
            let mut faults = reasons.iter().map(|(_, reason)| reason.field.as_deref());
            faults.all(|fault| fault != named)
        })
    }

    /// Whether all details of the row are known to have a value or none.
    fn is_known(&self, row: usize) -> bool {
        let mut details = self.details.iter();
        details.all(|cells| cells[row] != Cell::Unknown)
    }

    /// The details that the row's payload names, as bits.
    fn sent_details(&self, row: usize, key: Option<&str>) -> u64 {
        let key_detail = self.plan.details.len();
        let has_key = self.plan.key_detail && self.detail(row, key_detail, key).is_sent();
        self.sent[row] | u64::from(has_key) << key_detail
    }

    fn detail<'a>(&self, row: usize, number: usize, key: Option<&'a str>) -> Detail<'a> {
        let Some(plan) = self.plan.details.get(number) else {
            let key = key.filter(|key| !key.is_empty() && self.plan.key_detail);
            return key.map_or(Detail::Absent, Detail::Text);
        };
        Detail::of(self.details[number][row], plan.empty)
    }
}

/// The reason of a row of detail values that has none.
fn nothing_to_send() -> Reason {
    Reason {
        code: Code::NothingToSend.into(),
        field: None,
        message: "no value for any detail field, so that there is nothing to send".to_owned(),
    }
}

/// The reasons of a row, in the mapping's order.
fn reasons(
    row: usize,
    faults: &mut Peekable<impl Iterator<Item = RowFault>>,
) -> Vec<(u32, Reason)> {
    let mut reasons = Vec::new();
    while let Some(fault) = faults.next_if(|fault| fault.row == row) {
        reasons.push((fault.order, fault.reason));
    }
    reasons
}
