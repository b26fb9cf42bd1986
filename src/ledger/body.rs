//! A request's body as the ledger keeps it while the request is undecided: compressed, since each byte is written to the
//! log, to the file, and over again when it is erased.

use super::record::{Record, SentRow};
use std::fmt;
use std::io;
use zstd::bulk::Compressor;

/// The quickest of the levels that make a tenth of a hundred alike records.
const LEVEL: i32 = 1;
/// What compressed bytes begin with. No body does, since all are JSON.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// No body is larger: the client's own cap is far below.
const MOST: usize = 1 << 30;

/// What goes out, with the rows of which it consists.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) body: Vec<u8>,
    pub(super) rows: Vec<u8>,
}

/// Packs bodies.
pub(super) struct Packer(Compressor<'static>);

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}

impl Packer {
    /// With a checksum, so that a damaged body is not sent.
    pub(super) fn new() -> io::Result<Self> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.include_checksum(true)?;
        Ok(Self(compressor))
    }

    fn pack(&mut self, body: &[u8]) -> io::Result<Vec<u8>> {
        self.0.compress(body)
    }

    /// What is kept with a record: what a bulk request sends, or each row by single calls.
    pub(super) fn kept(&mut self, record: &Record) -> io::Result<Vec<Packed>> {
        let mut packed = |body: &[u8], rows: &[SentRow]| -> io::Result<Packed> {
            Ok(Packed {
                body: self.pack(body)?,
                rows: self.pack(&rows_json(rows)?)?,
            })
        };
        match record {
            Record::Sending { body, rows, .. } => Ok(vec![packed(body, rows)?]),
            Record::Calling { rows, items, .. } => {
                let calls = rows.iter().zip(items);
                let calls = calls.map(|(row, item)| packed(item, std::slice::from_ref(row)));
                calls.collect()
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// `[[row, file, line, key], …]`
fn rows_json(rows: &[SentRow]) -> io::Result<Vec<u8>> {
    let rows: Vec<_> = rows
        .iter()
        .map(|SentRow { row, .. }| (row.id.0, row.file.0, row.line, row.key.as_str()))
        .collect();
    Ok(serde_json::to_vec(&rows)?)
}

/// The exact bytes again; what was written before bodies were packed is given as it is.
///
/// # Errors
/// When the bytes are damaged.
pub(super) fn unpack(stored: Vec<u8>) -> io::Result<Vec<u8>> {
    if !stored.starts_with(&MAGIC) {
        return Ok(stored);
    }
    let length = zstd::bulk::Decompressor::upper_bound(&stored).unwrap_or(MOST);
    zstd::bulk::decompress(&stored, length.min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bodies_come_back_byte_for_byte(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2_000), 1..5)) {
            let mut packer = Packer::new().unwrap();
            for body in bodies {
                let packed = packer.pack(&body).unwrap();
                prop_assert_eq!(unpack(packed).unwrap(), body);
            }
        }
    }

    #[test]
    fn a_damaged_body_is_an_error_and_one_of_old_is_not() {
        let body = br#"{"customerProfiles":[{"payload":{"email":"ana@example.com"}}]}"#.repeat(9);
        assert_eq!(unpack(body.clone()).unwrap(), body);
        let packed = Packer::new().unwrap().pack(&body).unwrap();
        assert!(packed.len() < body.len() / 4, "{}", packed.len());
        for at in 4..packed.len() {
            let mut damaged = packed.clone();
            damaged[at] ^= 1;
            if let Ok(other) = unpack(damaged) {
                assert_eq!(other, body, "{at}");
            }
            assert!(unpack(packed[..at].to_vec()).is_err(), "{at}");
        }
    }
}
