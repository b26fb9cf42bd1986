//! The one buffer of a chunk: keys, identities and payloads of its rows, which are slices of it once it is full.

use crate::model::row::{FileId, KeyHash, Mapped, PreparedRow, Reason, RejectedRow, RowId, RowRef};
use crate::model::slice::Slice;
use crate::source::chunk::BadRow;
use std::ops::Range;
use std::sync::Arc;

/// A row's place, its key being a part of the buffer.
pub(super) struct Place {
    pub(super) id: RowId,
    pub(super) file: FileId,
    pub(super) line: Option<u64>,
    pub(super) key: Range<usize>,
}

impl Place {
    fn row(self, buffer: &Arc<Vec<u8>>) -> RowRef {
        RowRef {
            id: self.id,
            file: self.file,
            line: self.line,
            key: Slice::new(buffer, self.key),
        }
    }
}

/// A prepared row, its texts being parts of the buffer.
pub(super) struct Written {
    pub(super) place: Place,
    pub(super) hash: KeyHash,
    pub(super) identity: Range<usize>,
    pub(super) item: Range<usize>,
    pub(super) details: u64,
    pub(super) parent: Option<KeyHash>,
}

/// A refused row.
pub(super) struct Refused {
    pub(super) place: Place,
    pub(super) hash: Option<KeyHash>,
    pub(super) reasons: Vec<Reason>,
}

/// Fills the one buffer of a chunk; slices of it can be made when it is full.
pub(super) struct Writer {
    pub(super) buffer: Vec<u8>,
    pub(super) rows: Vec<Written>,
    pub(super) rejected: Vec<Refused>,
}

impl Writer {
    pub(super) fn new(rows: usize) -> Self {
        Self {
            buffer: Vec::new(),
            rows: Vec::with_capacity(rows),
            rejected: Vec::new(),
        }
    }

    pub(super) fn put(&mut self, text: &str) -> Range<usize> {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(text.as_bytes());
        start..self.buffer.len()
    }

    pub(super) fn bad(&mut self, record: BadRow, file: FileId) {
        let place = Place {
            id: record.row,
            file,
            line: record.line,
            key: 0..0,
        };
        let reason = Reason {
            code: record.code.into(),
            field: None,
            message: record.message,
        };
        self.rejected.push(Refused {
            place,
            hash: None,
            reasons: vec![reason],
        });
    }

    pub(super) fn finish(mut self) -> Mapped {
        self.buffer.shrink_to_fit();
        let buffer = Arc::new(self.buffer);
        let rows = self.rows.into_iter().map(|row| PreparedRow {
            hash: row.hash,
            identity: Slice::new(&buffer, row.identity),
            item: Slice::new(&buffer, row.item),
            details: row.details,
            parent: row.parent,
            row: row.place.row(&buffer),
        });
        let rejected = self.rejected.into_iter();
        let rejected = rejected.map(|refused| RejectedRow {
            row: refused.place.row(&buffer),
            hash: refused.hash,
            reasons: refused.reasons,
        });
        Mapped {
            rows: rows.collect(),
            rejected: rejected.collect(),
        }
    }
}
