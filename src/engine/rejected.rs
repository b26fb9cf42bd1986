//! Rows that validation refused, kept on disk in row order until their turn comes.

use crate::model::row::{FileId, Reason, RejectedRow, RowId, RowRef};
use crate::model::slice::Slice;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::Path;

/// Rows that are being written: one JSON array a line, of row, file, line, key, reasons.
#[derive(Debug)]
pub struct RejectedSpill(BufWriter<File>);

impl RejectedSpill {
    /// A spill whose (unnamed) file lies in `folder`.
    ///
    /// # Errors
    /// When no file can be made there.
    pub fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self(BufWriter::new(tempfile::tempfile_in(folder)?)))
    }

    /// Takes a row.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn push(&mut self, rejected: &RejectedRow) -> io::Result<()> {
        let row = &rejected.row;
        let entry = (
            row.id,
            row.file,
            row.line,
            row.key.as_str(),
            &rejected.reasons,
        );
        serde_json::to_writer(&mut self.0, &entry)?;
        self.0.write_all(b"\n")
    }

    /// The rows that were taken.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn read(self) -> io::Result<RejectedRows> {
        let mut file = self
            .0
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        let mut rows = RejectedRows {
            lines: BufReader::new(file),
            line: String::new(),
            next: None,
        };
        rows.pop()?;
        Ok(rows)
    }
}

/// Reads rejected rows back, in the order in which they were taken.
#[derive(Debug)]
pub struct RejectedRows {
    lines: BufReader<File>,
    line: String,
    next: Option<RejectedRow>,
}

impl RejectedRows {
    /// The next row's number.
    #[must_use]
    pub fn peek(&self) -> Option<RowId> {
        self.next.as_ref().map(|row| row.row.id)
    }

    /// The next row.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn pop(&mut self) -> io::Result<Option<RejectedRow>> {
        self.line.clear();
        let next = if self.lines.read_line(&mut self.line)? == 0 {
            None
        } else {
            let (id, file, line, key, reasons): (RowId, FileId, Option<u64>, String, Vec<Reason>) =
                serde_json::from_str(&self.line)?;
            Some(RejectedRow {
                row: RowRef {
                    id,
                    file,
                    line,
                    key: Slice::owned(key),
                },
                hash: None,
                reasons,
            })
        };
        Ok(std::mem::replace(&mut self.next, next))
    }
}
