//! Where rows stand and what people call them, on disk in row order: what the outcome of a row needs that is not read
//! again.

use crate::model::row::{FileId, RowId, RowRef};
use crate::model::slice::Slice;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

/// Rows that are being written. Each takes 24 bytes and its shown key.
#[derive(Debug)]
pub(super) struct RowSpill {
    file: BufWriter<File>,
    rows: u64,
}

impl RowSpill {
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::with_capacity(1 << 16, tempfile::tempfile_in(folder)?),
            rows: 0,
        })
    }

    pub(super) fn push(&mut self, row: &RowRef) -> io::Result<()> {
        let length = u32::try_from(row.key.len()).map_err(io::Error::other)?;
        let mut head = [0; 24];
        head[..8].copy_from_slice(&row.id.0.to_le_bytes());
        head[8..12].copy_from_slice(&row.file.0.to_le_bytes());
        head[12..20].copy_from_slice(&row.line.unwrap_or(0).to_le_bytes());
        head[20..].copy_from_slice(&length.to_le_bytes());
        self.file.write_all(&head)?;
        self.file.write_all(&row.key)?;
        self.rows += 1;
        Ok(())
    }

    pub(super) const fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn read(self) -> io::Result<SpilledRows> {
        let mut file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(SpilledRows {
            file: BufReader::with_capacity(1 << 16, file),
            left: self.rows,
        })
    }
}

/// The rows that passed validation, in row order.
#[derive(Debug)]
pub struct SpilledRows {
    file: BufReader<File>,
    left: u64,
}

impl SpilledRows {
    /// The next row.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn pop(&mut self) -> io::Result<Option<RowRef>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let id = RowId(u64::from_le_bytes(self.exact()?));
        let file = FileId(u32::from_le_bytes(self.exact()?));
        let line = u64::from_le_bytes(self.exact()?);
        let mut key = vec![0; u32::from_le_bytes(self.exact()?) as usize];
        self.file.read_exact(&mut key)?;
        Ok(Some(RowRef {
            id,
            file,
            line: (line > 0).then_some(line),
            key: Slice::owned(key),
        }))
    }

    /// A row that is still to come; those before it are passed over.
    ///
    /// # Errors
    /// When the disk refuses, or there is no such row any more: a defect.
    pub fn find(&mut self, id: RowId) -> io::Result<RowRef> {
        while let Some(row) = self.pop()? {
            if row.id == id {
                return Ok(row);
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    fn exact<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
