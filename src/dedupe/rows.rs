//! Where rows stand and what people call them, on disk in row order: what the outcome of a row needs that is not read
//! again.

use crate::model::row::{FileId, RowId, RowRef};
use crate::model::slice::Slice;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

/// Bytes of a row beside its key: number, file, line, and where its key ends among those of its block.
const HEAD: usize = 24;

/// Some thousand rows as they lie on disk.
#[derive(Debug, Default)]
pub(super) struct RowBlock {
    heads: Vec<u8>,
    keys: Vec<u8>,
}

impl RowBlock {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            heads: Vec::with_capacity(rows * HEAD),
            keys: Vec::new(),
        }
    }

    /// Takes a row, behind those before it.
    pub(super) fn push(&mut self, row: &RowRef) {
        self.keys.extend_from_slice(&row.key);
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(&row.id.0.to_le_bytes());
        head[8..12].copy_from_slice(&row.file.0.to_le_bytes());
        // no file has a line 0
        head[12..20].copy_from_slice(&row.line.unwrap_or(0).to_le_bytes());
        // keys of 4 GiB are refused where the block is written
        let end = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        head[20..].copy_from_slice(&end.to_le_bytes());
        self.heads.extend_from_slice(&head);
    }

    const fn rows(&self) -> usize {
        self.heads.len() / HEAD
    }
}

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

    pub(super) fn take(&mut self, block: &RowBlock) -> io::Result<()> {
        if block.rows() == 0 {
            return Ok(());
        }
        for length in [block.rows(), block.keys.len()] {
            let length = u32::try_from(length).map_err(io::Error::other)?;
            self.file.write_all(&length.to_le_bytes())?;
        }
        self.file.write_all(&block.heads)?;
        self.file.write_all(&block.keys)?;
        self.rows += block.rows() as u64;
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
            heads: Vec::new(),
            keys: Arc::default(),
            next: 0,
        })
    }
}

/// The rows that passed validation, in row order. One block of them is in memory.
#[derive(Debug)]
pub struct SpilledRows {
    file: BufReader<File>,
    /// Rows of the blocks that were not read yet.
    left: u64,
    heads: Vec<u8>,
    keys: Arc<Vec<u8>>,
    /// The position in the block of the row that comes next.
    next: usize,
}

/// A row's head, read.
struct Head {
    id: RowId,
    file: FileId,
    line: u64,
    end: u32,
}

impl Head {
    fn of(bytes: &[u8; HEAD]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk()?;
        let (file, rest) = rest.split_first_chunk()?;
        let (line, rest) = rest.split_first_chunk()?;
        Some(Self {
            id: RowId(u64::from_le_bytes(*id)),
            file: FileId(u32::from_le_bytes(*file)),
            line: u64::from_le_bytes(*line),
            end: u32::from_le_bytes(*rest.first_chunk()?),
        })
    }
}

impl SpilledRows {
    /// The next row.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn pop(&mut self) -> io::Result<Option<RowRef>> {
        if self.next == self.heads().len() && !self.read_block()? {
            return Ok(None);
        }
        let row = self.at(self.next)?;
        self.next += 1;
        Ok(Some(row))
    }

    /// A row that is still to come; those before it are passed over.
    ///
    /// # Errors
    /// When the disk refuses, or there is no such row any more: a defect.
    pub fn find(&mut self, id: RowId) -> io::Result<RowRef> {
        while self.last().is_none_or(|last| last < id) {
            if !self.read_block()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let rest = &self.heads()[self.next..];
        let found = rest.binary_search_by_key(&Some(id), |head| Head::of(head).map(|head| head.id));
        let index = self.next + found.map_err(|_| io::ErrorKind::UnexpectedEof)?;
        self.next = index + 1;
        self.at(index)
    }

    fn heads(&self) -> &[[u8; HEAD]] {
        self.heads.as_chunks().0
    }

    /// The last row of the block.
    fn last(&self) -> Option<RowId> {
        self.heads().last().and_then(Head::of).map(|head| head.id)
    }

    fn at(&self, index: usize) -> io::Result<RowRef> {
        let head = |index: usize| self.heads().get(index).and_then(Head::of);
        let Head {
            id,
            file,
            line,
            end,
        } = head(index).ok_or(io::ErrorKind::UnexpectedEof)?;
        let start = index.checked_sub(1).and_then(head);
        let key = start.map_or(0, |before| before.end as usize)..end as usize;
        Ok(RowRef {
            id,
            file,
            line: (line > 0).then_some(line),
            key: Slice::new(&self.keys, key),
        })
    }

    /// Reads the next block in place of the one at hand; `false` behind the last.
    fn read_block(&mut self) -> io::Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        let mut lengths = [0; 8];
        self.file.read_exact(&mut lengths)?;
        let [rows, keys] = [&lengths[..4], &lengths[4..]].map(|length| {
            let length = length.first_chunk().copied().unwrap_or_default();
            u32::from_le_bytes(length) as usize
        });
        self.heads.resize(rows * HEAD, 0);
        self.file.read_exact(&mut self.heads)?;
        let mut bytes = vec![0; keys];
        self.file.read_exact(&mut bytes)?;
        self.keys = Arc::new(bytes);
        self.next = 0;
        self.left -= rows as u64;
        Ok(true)
    }
}
