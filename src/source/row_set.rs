//! A set of rows, and a chunk reduced to the rows of one.

use super::chunk::RowChunk;
use crate::model::row::RowId;
use polars::prelude::{BooleanChunked, NewChunkedArray, PolarsResult};
use roaring::RoaringTreemap;
use xxhash_rust::xxh3::Xxh3;

/// Row numbers of a dataset, in compressed bitmaps: two bytes a row where they are scattered, less where they are not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowSet {
    rows: RoaringTreemap,
}

impl RowSet {
    /// Adds a row; `false` when it was there already.
    pub fn insert(&mut self, row: RowId) -> bool {
        self.rows.insert(row.0)
    }

    /// Whether a row is in it.
    #[must_use]
    pub fn contains(&self, row: RowId) -> bool {
        self.rows.contains(row.0)
    }

    /// How many rows it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.rows.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A digest of which rows they are (XXH3-64), the same on every machine.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut hasher = Xxh3::new();
        for row in &self.rows {
            hasher.update(&row.to_le_bytes());
        }
        hasher.digest()
    }

    /// The rows, ascending.
    pub fn iter(&self) -> impl Iterator<Item = RowId> + '_ {
        self.rows.iter().map(RowId)
    }

    /// The highest row.
    pub(super) fn last(&self) -> Option<RowId> {
        self.rows.max().map(RowId)
    }

    /// The chunk with the rows of this set alone; `None` when it has none of them.
    pub(super) fn only(&self, mut chunk: RowChunk) -> PolarsResult<Option<RowChunk>> {
        let keep: Vec<bool> = chunk.ids.iter().map(|id| self.contains(*id)).collect();
        chunk.bad.retain(|bad| self.contains(bad.row));
        if keep.contains(&false) {
            let mask = BooleanChunked::from_slice("keep".into(), &keep);
            chunk.frame = chunk.frame.filter_seq(&mask)?;
            retain(&mut chunk.ids, &keep);
            retain(&mut chunk.lines, &keep);
        }
        Ok((chunk.records() > 0).then_some(chunk))
    }
}

impl FromIterator<RowId> for RowSet {
    fn from_iter<I: IntoIterator<Item = RowId>>(rows: I) -> Self {
        Self {
            rows: rows.into_iter().map(|row| row.0).collect(),
        }
    }
}

/// Keeps the items that are marked; a list without items stays one.
pub(super) fn retain<T>(items: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    items.retain(|_| keep.next().is_some_and(|keep| *keep));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_in_a_set_once() {
        let mut rows = RowSet::default();
        assert!(rows.is_empty());
        assert!(rows.insert(RowId(7)) && rows.insert(RowId(3)) && !rows.insert(RowId(7)));
        assert_eq!(rows.iter().collect::<Vec<_>>(), [RowId(3), RowId(7)]);
        assert_eq!((rows.len(), rows.last()), (2, Some(RowId(7))));
        assert!(rows.contains(RowId(3)) && !rows.contains(RowId(4)));
        assert_eq!(
            rows.digest(),
            RowSet::from_iter([RowId(3), RowId(7)]).digest()
        );
        assert_ne!(rows.digest(), RowSet::from_iter([RowId(3)]).digest());
    }
}
