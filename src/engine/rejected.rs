//! Rows that validation refused, kept on disk in row order until their turn comes.

use crate::model::code::{Code, ReasonCode};
use crate::model::row::{FileId, Reason, RejectedRow, RowId, RowRef};
use crate::model::slice::Slice;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Seek, Write};
use std::path::Path;

/// In place of a code's position: the name of a rule follows.
const RULE: u32 = u32::MAX;

/// Some refused rows as they lie on disk: each behind its length its number, file, line, key and reasons. Can be made on
/// any thread.
#[derive(Debug, Default)]
pub struct RejectedBlock {
    bytes: Vec<u8>,
    rows: u64,
}

impl RejectedBlock {
    /// Takes a row, behind those before it.
    pub fn push(&mut self, rejected: &RejectedRow) {
        let RowRef {
            id,
            file,
            line,
            key,
        } = &rejected.row;
        let start = self.bytes.len();
        self.number(0);
        self.bytes.extend_from_slice(&id.0.to_le_bytes());
        self.number(file.0);
        // no file has a line 0
        let line = line.unwrap_or(0);
        self.bytes.extend_from_slice(&line.to_le_bytes());
        self.text(key);
        for Reason {
            code,
            field,
            message,
        } in &rejected.reasons
        {
            match code {
                ReasonCode::Known(code) => self.number(*code as u32),
                ReasonCode::Rule(name) => {
                    self.number(RULE);
                    self.text(name.as_bytes());
                }
            }
            self.number(u32::from(field.is_some()));
            if let Some(field) = field {
                self.text(field.as_bytes());
            }
            self.text(message.as_bytes());
        }
        let length = bound(self.bytes.len() - start - 4);
        self.bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
        self.rows += 1;
    }

    /// How many rows it holds.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// The rows, in order, without the hashes of their keys.
    pub fn iter(&self) -> impl Iterator<Item = RejectedRow> {
        let mut bytes = &self.bytes[..];
        std::iter::from_fn(move || {
            let length = number(&mut bytes)?;
            let (mut first, rest) = bytes.split_at_checked(length as usize)?;
            bytes = rest;
            row(&mut first)
        })
    }

    fn number(&mut self, number: u32) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        self.number(bound(text.len()));
        self.bytes.extend_from_slice(text);
    }
}

/// A length as it is written. A record of a source is far smaller than this can say.
fn bound(length: usize) -> u32 {
    u32::try_from(length).expect("a row's key and reasons take less than 4 GiB")
}

/// Rows that are being written.
#[derive(Debug)]
pub struct RejectedSpill(BufWriter<File>);

impl RejectedSpill {
    /// A spill whose (unnamed) file lies in `folder`.
    ///
    /// # Errors
    /// When no file can be made there.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let file = tempfile::tempfile_in(folder)?;
        Ok(Self(BufWriter::with_capacity(1 << 16, file)))
    }

    /// Takes rows, behind those before them.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn push(&mut self, rejected: &RejectedBlock) -> io::Result<()> {
        self.0.write_all(&rejected.bytes)
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
            file: BufReader::with_capacity(1 << 16, file),
            bytes: Vec::new(),
            next: None,
        };
        rows.pop()?;
        Ok(rows)
    }
}

/// Reads rejected rows back, in the order in which they were taken.
#[derive(Debug)]
pub struct RejectedRows {
    file: BufReader<File>,
    /// The bytes of a row.
    bytes: Vec<u8>,
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
        let next = self.read()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    fn read(&mut self) -> io::Result<Option<RejectedRow>> {
        let mut length = [0; 4];
        match self.file.read_exact(&mut length) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        self.bytes.resize(u32::from_le_bytes(length) as usize, 0);
        self.file.read_exact(&mut self.bytes)?;
        let row = row(&mut &self.bytes[..]);
        Ok(Some(row.ok_or(ErrorKind::InvalidData)?))
    }
}

fn row(bytes: &mut &[u8]) -> Option<RejectedRow> {
    let id = RowId(u64::from_le_bytes(*split_chunk(bytes)?));
    let file = FileId(number(bytes)?);
    let line = u64::from_le_bytes(*split_chunk(bytes)?);
    let key = Slice::owned(text(bytes)?);
    let mut reasons = Vec::with_capacity(1);
    while !bytes.is_empty() {
        let code = match number(bytes)? {
            RULE => ReasonCode::Rule(text(bytes)?.into()),
            code => ReasonCode::Known(*Code::ALL.get(code as usize)?),
        };
        reasons.push(Reason {
            code,
            field: match number(bytes)? {
                0 => None,
                _ => Some(text(bytes)?.to_owned()),
            },
            message: text(bytes)?.to_owned(),
        });
    }
    Some(RejectedRow {
        row: RowRef {
            id,
            file,
            line: (line > 0).then_some(line),
            key,
        },
        hash: None,
        reasons,
    })
}

fn number(bytes: &mut &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*split_chunk(bytes)?))
}

fn text<'b>(bytes: &mut &'b [u8]) -> Option<&'b str> {
    let length = number(bytes)?;
    let (text, rest) = bytes.split_at_checked(length as usize)?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

/// Takes the first bytes away.
fn split_chunk<'b, const N: usize>(bytes: &mut &'b [u8]) -> Option<&'b [u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were_refused() {
        let row = |id: u64, line: Option<u64>, key: &str, reasons: Vec<Reason>| RejectedRow {
            row: RowRef {
                id: RowId(id),
                file: FileId(3),
                line,
                key: Slice::owned(key),
            },
            hash: None,
            reasons,
        };
        let reason = |code: ReasonCode, field: Option<&str>| Reason {
            code,
            field: field.map(str::to_owned),
            message: "né".to_owned(),
        };
        let known = |code: Code| reason(code.into(), Some("email"));
        let mut rows = vec![
            row(
                2,
                None,
                "",
                vec![reason(Code::CsvTooFewFields.into(), None)],
            ),
            row(
                3,
                Some(9),
                "ü",
                Code::ALL.iter().copied().map(known).collect(),
            ),
            row(
                7,
                Some(u64::MAX),
                "k",
                vec![reason(ReasonCode::Rule("ENDED".into()), Some(""))],
            ),
        ];
        let folder = tempfile::tempdir().unwrap();
        let mut spill = RejectedSpill::new(folder.path()).unwrap();
        for some in rows.chunks(2) {
            let mut block = RejectedBlock::default();
            for row in some {
                block.push(row);
            }
            assert_eq!(block.rows(), some.len() as u64);
            assert_eq!(block.iter().collect::<Vec<_>>(), some);
            spill.push(&block).unwrap();
        }
        let mut read = spill.read().unwrap();
        for expected in rows.drain(..) {
            assert_eq!(read.peek(), Some(expected.row.id));
            assert_eq!(read.pop().unwrap(), Some(expected));
        }
        assert_eq!((read.peek(), read.pop().unwrap()), (None, None));
    }
}
