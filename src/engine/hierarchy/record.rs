//! Rows as they lie on disk for a while: numbers little-endian, texts behind their length.

use crate::model::row::{FileId, KeyHash, RowId, RowRef};
use crate::model::slice::Slice;
use std::io::{self, ErrorKind, Read, Write};

pub(super) fn write_number(out: &mut impl Write, number: u64) -> io::Result<()> {
    out.write_all(&number.to_le_bytes())
}

pub(super) fn write_hash(out: &mut impl Write, hash: KeyHash) -> io::Result<()> {
    out.write_all(&hash.0.to_le_bytes())
}

pub(super) fn write_text(out: &mut impl Write, text: &[u8]) -> io::Result<()> {
    write_number(out, text.len() as u64)?;
    out.write_all(text)
}

/// No file has a line 0.
pub(super) fn write_row(out: &mut impl Write, row: &RowRef) -> io::Result<()> {
    write_number(out, row.id.0)?;
    write_number(out, u64::from(row.file.0))?;
    write_number(out, row.line.unwrap_or(0))?;
    write_text(out, &row.key)
}

pub(super) fn read_number(input: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    input.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

pub(super) fn read_hash(input: &mut impl Read) -> io::Result<KeyHash> {
    let mut bytes = [0; 16];
    input.read_exact(&mut bytes)?;
    Ok(KeyHash(u128::from_le_bytes(bytes)))
}

pub(super) fn read_text(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let length = read_number(input)?;
    let mut text = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    input.read_exact(&mut text)?;
    Ok(text)
}

/// `None` at the end of the input.
pub(super) fn read_row(input: &mut impl Read) -> io::Result<Option<RowRef>> {
    let id = match read_number(input) {
        Ok(id) => RowId(id),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    let file = u32::try_from(read_number(input)?).map_err(io::Error::other)?;
    let line = read_number(input)?;
    Ok(Some(RowRef {
        id,
        file: FileId(file),
        line: (line > 0).then_some(line),
        key: Slice::owned(read_text(input)?),
    }))
}
