//! The cells of a column, or of what stands for one, as the texts that a value is made of.

use crate::mapping::types::Kind;
use crate::mapping::value::{Shape, ValuePlan};
use crate::source::chunk::render;
use polars::prelude::{Column, DataType, Int32Chunked, ListChunked, StringChunked};

/// The cells of a source.
#[derive(Debug)]
pub(super) enum Cells<'a> {
    /// The same text for every row.
    Constant(&'a str),
    /// One text each.
    Texts(StringChunked),
    /// A day each, in days since 1970: its text is `YYYY-MM-DD`, whatever form the mapping asks for.
    Days(Int32Chunked),
    /// A list of texts each.
    Lists(ListChunked),
}

impl Cells<'_> {
    /// The cells of a column for a value of this kind and shape.
    pub(super) fn of(column: &Column, plan: &ValuePlan) -> Self {
        if plan.shape != Shape::One
            && let Ok(lists) = column.list()
        {
            return Self::Lists(lists.clone());
        }
        let temporal = matches!(column.dtype(), DataType::Date | DataType::Datetime(..));
        if temporal
            && matches!(plan.kind, Kind::Date(_))
            && let Ok(days) = column.cast(&DataType::Date)
            && let Ok(days) = days.date()
        {
            return Self::Days(days.physical().clone());
        }
        Self::Texts(render(column))
    }
}
