//! The cells of a column, or of what stands for one, as the texts that a value is made of.

use crate::mapping::types::Kind;
use crate::mapping::value::{Shape, ValuePlan};
use crate::source::chunk::render;
use polars::prelude::{
    ChunkExplode, Column, DataType, ExplodeOptions, Int32Chunked, ListChunked, StringChunked,
};
use std::ops::Range;

/// The cells of a source.
#[derive(Debug)]
pub(super) enum Cells<'a> {
    /// The same text for every row.
    Constant(&'a str),
    /// One text each.
    Texts(StringChunked),
    /// A day each, in days since 1970: its text is `YYYY-MM-DD`, whatever form the mapping asks for.
    Days(Int32Chunked),
    /// Some texts each.
    Lists {
        /// The texts of all rows.
        items: StringChunked,
        /// Where those of each row stand.
        rows: Vec<Range<usize>>,
    },
}

impl Cells<'_> {
    /// The cells of a column for a value of this kind and shape.
    pub(super) fn of(column: &Column, plan: &ValuePlan) -> Self {
        if plan.shape != Shape::One
            && let Ok(lists) = column.list()
        {
            return Self::lists(lists);
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

    /// The texts of lists; a null holds as many as an empty one.
    fn lists(lists: &ListChunked) -> Self {
        let items_alone = ExplodeOptions {
            empty_as_null: false,
            keep_nulls: false,
        };
        let items = lists.explode(items_alone);
        let items = items.unwrap_or_else(|error| panic!("lists have items: {error}"));
        let nulls = lists.is_null();
        let lengths = lists
            .downcast_iter()
            .flat_map(|list| list.offsets().lengths());
        let mut end = 0;
        let rows = lengths.zip(nulls.iter()).map(|(length, null)| {
            let start = end;
            end += if null == Some(true) { 0 } else { length };
            start..end
        });
        Self::Lists {
            rows: rows.collect(),
            items: render(&items.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{IntoSeries, NamedFrom, Series};

    #[test]
    fn each_row_has_the_items_of_its_own_list() {
        let texts = |items: &[Option<&str>]| Some(Series::new("".into(), items));
        let lists: ListChunked = [
            texts(&[Some("a"), None, Some("b")]),
            None,
            texts(&[]),
            texts(&[Some("c")]),
        ]
        .into_iter()
        .collect();
        let twice = lists.clone().into_series();
        let twice = twice.clone().append(&twice).unwrap().slice(1, 6);
        for (lists, expected) in [
            (lists, vec!["a-b", "", "", "c"]),
            (
                twice.list().unwrap().clone(),
                vec!["", "", "c", "a-b", "", ""],
            ),
        ] {
            let Cells::Lists { items, rows } = Cells::lists(&lists) else {
                panic!("lists are lists");
            };
            let shown = rows.into_iter().map(|row| {
                let items: Vec<_> = row.map(|item| items.get(item).unwrap_or("-")).collect();
                items.concat()
            });
            assert_eq!(shown.collect::<Vec<_>>(), expected);
        }
    }
}
