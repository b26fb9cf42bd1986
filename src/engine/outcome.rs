//! How rows are named in intents, and how those end that no request left for.

use crate::ledger::record::{ContentHash, RowHashes, SentRow};
use crate::model::clock::UnixMillis;
use crate::model::code::Code;
use crate::model::outcome::{RowOutcome, Status};
use crate::model::row::{PreparedRow, Reason, RowId, RowRef};
use xxhash_rust::xxh3::xxh3_128;

/// A row as its intent names it.
#[must_use]
pub fn sent_row(row: &PreparedRow) -> SentRow {
    SentRow {
        row: row.row.clone(),
        hashes: Some(RowHashes {
            key: row.hash,
            content: content_of(row),
        }),
    }
}

/// What a row writes: its payload, byte for byte.
#[must_use]
pub fn content_of(row: &PreparedRow) -> ContentHash {
    ContentHash::of(xxh3_128(&row.item))
}

/// The half of the digest that [`content_of`] keeps.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the lower half is what is kept"
)]
pub fn digest_of(row: &PreparedRow) -> u64 {
    xxh3_128(&row.item) as u64
}

/// The outcome of a row that the run stopped before.
#[must_use]
pub fn not_sent(row: RowRef, why: &str, at: UnixMillis) -> RowOutcome {
    RowOutcome {
        row,
        status: Status::NotSent,
        reasons: vec![stop_reason(why)],
        remote_id: None,
        route: None,
        batch: None,
        attempts: 0,
        finished_at: at,
    }
}

/// The outcome of a row whose parent did not load.
#[must_use]
pub fn parent_not_loaded(row: RowRef, parent: RowId, at: UnixMillis) -> RowOutcome {
    let reason = Reason {
        code: Code::ParentNotLoaded.into(),
        field: None,
        message: format!("its parent, row {}, did not load", parent.0),
    };
    RowOutcome {
        reasons: vec![reason],
        ..not_sent(row, "", at)
    }
}

/// Why a row was not sent, after a stop.
pub(super) fn stop_reason(why: &str) -> Reason {
    Reason {
        code: Code::RunStopped.into(),
        field: None,
        message: why.to_owned(),
    }
}
