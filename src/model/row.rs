//! Rows as they travel: where a row came from, what it became, why it was refused.

use crate::model::code::ReasonCode;
use crate::model::slice::Slice;
use serde::{Deserialize, Serialize};

/// A row's number in its dataset, from 1, given once in reading order over all files of the stage.
///
/// Malformed records have one too: every record that was read has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RowId(pub u64);

impl RowId {
    /// The first row of a dataset.
    pub const FIRST: Self = Self(1);

    /// The row `count` rows later.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }
}

/// A file's position in its dataset, from 0, in reading order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId(pub u32);

/// Where a row stands and what people call it; carried with the row to the results file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRef {
    /// The row's number in the dataset.
    pub id: RowId,
    /// The file it came from.
    pub file: FileId,
    /// The physical line (from 1) on which its record starts; `None` for formats without lines.
    pub line: Option<u64>,
    /// The value of the mapping's `key` column, for people; empty when null or when the record was malformed.
    pub key: Slice,
}

/// One reason why a row did not load. A row may have several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The stable code.
    pub code: ReasonCode,
    /// The target field or detail field concerned (`email`, `Renewal Date`); `None` when the whole row is.
    pub field: Option<String>,
    /// A sentence for people: what was wrong and what is expected.
    pub message: String,
}

/// A row that validation refused. It is never sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// The row.
    pub row: RowRef,
    /// Hash of its natural key; `None` when that cannot be told.
    pub hash: Option<KeyHash>,
    /// All its reasons, never empty.
    pub reasons: Vec<Reason>,
}

/// The 128-bit hash of (entity, folded natural key): the identity that duplicates and rows in flight go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub u128);

/// A row that may be sent: its identity and its finished JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedRow {
    /// The row.
    pub row: RowRef,
    /// Hash of the natural key.
    pub hash: KeyHash,
    /// The folded natural key itself (e-mail, name or id), to match the site's answers with.
    pub identity: Slice,
    /// The element of the bulk request's array, or the body of the single call: complete JSON.
    pub item: Slice,
    /// Bit *n* is set when the row carries a value for detail field *n* of the mapping's plan
    /// (a site has at most 50 fields an entity).
    pub details: u64,
    /// Hash of the natural key of the record that has to be there before it: an organization's parent.
    pub parent: Option<KeyHash>,
}

/// What became of the rows of one chunk: each is in exactly one of the lists, each in row order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapped {
    /// Rows that may be sent.
    pub rows: Vec<PreparedRow>,
    /// Rows that were refused.
    pub rejected: Vec<RejectedRow>,
}
