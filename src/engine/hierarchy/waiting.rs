//! Rows that go out behind their parents, on disk until the input was read: in memory they would be as many as the
//! input has. The file has no name, and is gone with the process.

use super::record;
use crate::model::row::{PreparedRow, RowId};
use crate::model::slice::Slice;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Rows with their payloads. 16 bytes of memory each.
#[derive(Debug)]
pub struct Waiting {
    file: BufWriter<File>,
    end: u64,
    places: Vec<Place>,
}

/// Where a row lies.
#[derive(Debug, Clone, Copy)]
struct Place {
    rank: u32,
    bytes: u32,
    start: u64,
}

impl Waiting {
    /// None yet; they will lie in an unnamed file in `folder`.
    ///
    /// # Errors
    /// When no file can be made there.
    pub fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::new(tempfile::tempfile_in(folder)?),
            end: 0,
            places: Vec::new(),
        })
    }

    /// Takes a row in; `parent` is the row that it waits for.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn push(&mut self, rank: u32, parent: Option<RowId>, row: &PreparedRow) -> io::Result<()> {
        let mut bytes = Vec::new();
        record::write_row(&mut bytes, &row.row)?;
        record::write_hash(&mut bytes, row.hash)?;
        record::write_text(&mut bytes, &row.identity)?;
        record::write_text(&mut bytes, &row.item)?;
        record::write_number(&mut bytes, row.details)?;
        // rows are counted from 1
        record::write_number(&mut bytes, parent.map_or(0, |row| row.0))?;
        if let Some(parent) = row.parent {
            record::write_hash(&mut bytes, parent)?;
        }
        self.file.write_all(&bytes)?;
        self.places.push(Place {
            rank,
            bytes: u32::try_from(bytes.len()).map_err(io::Error::other)?,
            start: self.end,
        });
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// All of them in the order of their ranks.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn in_order(mut self) -> io::Result<InOrder> {
        self.places.sort_unstable_by_key(|place| place.rank);
        let file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        Ok(InOrder {
            file,
            places: self.places.into_iter(),
        })
    }
}

/// Rows in the order of their ranks, each with the row that it waits for.
#[derive(Debug)]
pub struct InOrder {
    file: File,
    places: std::vec::IntoIter<Place>,
}

impl InOrder {
    fn read(&mut self, place: Place) -> io::Result<(PreparedRow, Option<RowId>)> {
        let mut bytes = vec![0; place.bytes as usize];
        self.file.seek(SeekFrom::Start(place.start))?;
        self.file.read_exact(&mut bytes)?;
        let mut bytes = bytes.as_slice();
        let input = &mut bytes;
        let row = record::read_row(input)?.ok_or(ErrorKind::UnexpectedEof)?;
        let hash = record::read_hash(input)?;
        let identity = Slice::owned(record::read_text(input)?);
        let item = Slice::owned(record::read_text(input)?);
        let details = record::read_number(input)?;
        let behind = Some(record::read_number(input)?).filter(|row| *row > 0);
        let parent = match input.len() {
            0 => None,
            _ => Some(record::read_hash(input)?),
        };
        let row = PreparedRow {
            row,
            hash,
            identity,
            item,
            details,
            parent,
        };
        Ok((row, behind.map(RowId)))
    }
}

impl Iterator for InOrder {
    type Item = io::Result<(PreparedRow, Option<RowId>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = self.places.next()?;
        Some(self.read(place))
    }
}
