//! Rows as a request holds them: where they came from, whose record they are, what is written.

use crate::model::row::{KeyHash, RowRef};
use std::ops::Deref;

/// What a row writes, as a hash: rows of one shape with the same hash write the same.
///
/// 64 of the caller's 128 bits are kept. One row is compared with one stored hash, so the odds that a change goes
/// unnoticed are 1 in 10¹⁹ a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash(u64);

impl ContentHash {
    /// Of the xxh3-128 of the canonical payload.
    #[must_use]
    pub const fn of(digest: u128) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the lower half is what is kept"
        )]
        Self(digest as u64)
    }

    /// As it was stored.
    pub(in crate::ledger) const fn stored(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }

    /// As it is stored.
    pub(in crate::ledger) const fn bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }
}

/// Whose record a row is, and what it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowHashes {
    /// Of the natural key.
    pub key: KeyHash,
    /// Of the payload.
    pub content: ContentHash,
}

/// A row of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentRow {
    /// The row.
    pub row: RowRef,
    /// Its hashes. Only a stage without a shape may do without: nothing is remembered of its rows then.
    pub hashes: Option<RowHashes>,
}

/// The rows of a request, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SentRows(Vec<SentRow>);

impl Deref for SentRows {
    type Target = [SentRow];

    fn deref(&self) -> &[SentRow] {
        &self.0
    }
}

impl FromIterator<SentRow> for SentRows {
    fn from_iter<I: IntoIterator<Item = SentRow>>(rows: I) -> Self {
        Self(rows.into_iter().collect())
    }
}

impl FromIterator<RowRef> for SentRows {
    fn from_iter<I: IntoIterator<Item = RowRef>>(rows: I) -> Self {
        rows.into_iter()
            .map(|row| SentRow { row, hashes: None })
            .collect()
    }
}
