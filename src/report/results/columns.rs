//! The columns of a results file: the one place that says their names, order, types and contents.

use super::{ResultRow, ResultsHeader};
use crate::model::clock::UnixMillis;
use crate::model::outcome::Route;
use crate::model::row::Reason;
use std::borrow::Cow;

/// How a column's value is taken from a row, by type. Text is `None` rather than empty.
#[derive(Clone, Copy)]
pub(super) enum Take {
    /// UTF-8 text.
    Text(for<'a> fn(&'a ResultsHeader, &'a ResultRow<'a>) -> Option<Cow<'a, str>>),
    /// A number that may outgrow 32 bits.
    Big(fn(&ResultRow<'_>) -> Option<u64>),
    /// A small number.
    Small(fn(&ResultRow<'_>) -> u32),
    /// A point in time.
    Time(fn(&ResultRow<'_>) -> UnixMillis),
}

/// Every column but the source's own, in order.
pub(super) const COLUMNS: [(&str, Take); 18] = [
    ("run", Take::Text(|header, _| text(&header.run))),
    ("row", Take::Big(|row| Some(row.row))),
    ("source", Take::Text(|_, row| text(row.source))),
    ("line", Take::Big(|row| row.line)),
    ("entity", Take::Text(|header, _| text(header.entity.name()))),
    ("key", Take::Text(|_, row| text(row.key))),
    ("status", Take::Text(|_, row| text(row.status.name()))),
    (
        "operation",
        Take::Text(|header, _| text(header.operation.name())),
    ),
    (
        "code",
        Take::Text(|_, row| joined(row.reasons, |reason| reason.code.name())),
    ),
    (
        "field",
        Take::Text(|_, row| joined(row.reasons, |reason| reason.field.as_deref().unwrap_or(""))),
    ),
    (
        "message",
        Take::Text(|_, row| joined(row.reasons, |reason| &reason.message)),
    ),
    (
        "remote_id",
        Take::Text(|_, row| row.remote_id.and_then(text)),
    ),
    (
        "route",
        Take::Text(|_, row| row.route.map(Route::name).and_then(text)),
    ),
    ("batch", Take::Big(|row| row.batch)),
    ("task_id", Take::Text(|_, row| row.task_id.and_then(text))),
    ("trace_id", Take::Text(|_, row| row.trace_id.and_then(text))),
    ("attempts", Take::Small(|row| row.attempts)),
    ("finished_at", Take::Time(|row| row.finished_at)),
];

/// What stands before the name of a source's column.
pub const SOURCE_PREFIX: &str = "src.";

/// The names of the columns that every results file has, in order.
pub fn column_names() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().map(|(name, _)| *name)
}

/// The names of the source's columns in the file.
pub(super) fn source_names(header: &ResultsHeader) -> impl Iterator<Item = String> + '_ {
    header
        .source_columns
        .iter()
        .map(|name| format!("{SOURCE_PREFIX}{name}"))
}

/// The source's cells of a row, nulls for a row without cells. Cells keep the difference of null and empty.
pub(super) fn source_cells<'a>(
    header: &'a ResultsHeader,
    row: &'a ResultRow<'a>,
) -> impl Iterator<Item = Option<&'a str>> {
    (0..header.source_columns.len()).map(|i| row.cells.get(i).and_then(|cell| cell.as_deref()))
}

fn text(text: &str) -> Option<Cow<'_, str>> {
    (!text.is_empty()).then_some(Cow::Borrowed(text))
}

/// One part of each reason, joined by `; `: the *n*-th part of code, field and message belong together.
fn joined<'a>(reasons: &'a [Reason], part: fn(&'a Reason) -> &'a str) -> Option<Cow<'a, str>> {
    match reasons {
        [] => None,
        [reason] => text(part(reason)),
        reasons if reasons.iter().all(|reason| part(reason).is_empty()) => None,
        reasons => Some(Cow::Owned(
            reasons.iter().map(part).collect::<Vec<_>>().join("; "),
        )),
    }
}
