//! What the first reading keeps of a chunk, put into the form in which it goes to disk: the work on each row is done
//! where rows are mapped, and the one thread that collects has but to append.

use super::outcome::digest_of;
use super::rejected::RejectedBlock;
use crate::dedupe::KeyedRows;
use crate::mapping::{Draft, Emit, References};
use crate::model::row::{FileId, KeyHash, Mapped, PreparedRow, RejectedRow, RowId};

/// What a first reading is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Digests of payloads.
    pub contents: bool,
    /// The keys of all rows, of rejected ones too.
    pub all_keys: bool,
    /// Who is whose child.
    pub kin: bool,
}

/// What was found in a chunk.
#[derive(Debug)]
pub struct Found {
    /// Where its rows come from.
    pub file: FileId,
    /// Its records, readable or not.
    pub records: u64,
    /// The rows that may be sent.
    pub keyed: KeyedRows,
    /// All others.
    pub refused: RejectedBlock,
    /// The keys of all rows, where they are wanted.
    pub keys: Vec<KeyHash>,
    /// Rows whose key cannot be told; counted where the keys of all are wanted.
    pub keyless: u64,
    /// Parents, where they are wanted.
    pub kin: Option<KinOf>,
}

/// Parents of a chunk's rows, in row order.
#[derive(Debug)]
pub struct KinOf {
    /// The rows that may be sent.
    pub rows: Vec<PreparedRow>,
    /// The keys of refused rows that have a name.
    pub named: Vec<(RowId, KeyHash)>,
    /// The names of parents.
    pub parents: Vec<(RowId, String)>,
}

impl Found {
    /// Finishes a draft and sorts its rows.
    #[must_use]
    pub fn of(draft: Draft, references: &References, wanted: Wanted) -> Self {
        let file = draft.file();
        let kin = wanted.kin.then(|| {
            let parents = draft.parents().map(|(row, name)| (row, name.to_owned()));
            (parents.collect(), draft.named().collect::<Vec<_>>())
        });
        let emit = if wanted.contents {
            Emit::Payloads
        } else {
            Emit::Keys
        };
        let Mapped { rows, rejected } = draft.finish(references, emit);
        let mut found = Self {
            file,
            records: (rows.len() + rejected.len()) as u64,
            keyed: KeyedRows::with_capacity(rows.len()),
            refused: RejectedBlock::default(),
            keys: Vec::new(),
            keyless: 0,
            kin: None,
        };
        for row in &rows {
            let content = if wanted.contents { digest_of(row) } else { 0 };
            found.keyed.push(row.hash, &row.row, content);
        }
        for row in &rejected {
            found.refused.push(row);
        }
        if wanted.all_keys {
            let told = rejected.iter().filter_map(|row| row.hash);
            found.keys = rows.iter().map(|row| row.hash).chain(told).collect();
            found.keyless = found.records - found.keys.len() as u64;
        }
        found.kin = kin.map(|(parents, mut named)| {
            named.retain(|(row, _)| is_among(&rejected, *row));
            KinOf {
                rows,
                named,
                parents,
            }
        });
        found
    }
}

/// Whether a row is among refused ones, which are in row order.
fn is_among(refused: &[RejectedRow], row: RowId) -> bool {
    refused
        .binary_search_by_key(&row, |refused| refused.row.id)
        .is_ok()
}
