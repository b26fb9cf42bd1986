//! The keys of a dataset on disk, read back in the order of their hashes: 64 partitions by hash, each sorted in memory
//! when its turn comes. A key takes 16 bytes on disk each time it is put in.

use crate::model::row::KeyHash;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::vec;

/// Partitions; beside those of a [`KeySpill`](super::KeySpill) their open files stay under the usual limits.
const PARTITIONS: usize = 64;

/// Collects keys in any order.
#[derive(Debug)]
pub struct KeySet(Vec<BufWriter<File>>);

impl KeySet {
    /// A set whose (unnamed) files lie in `folder`.
    ///
    /// # Errors
    /// When no file can be made there.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let partitions =
            (0..PARTITIONS).map(|_| Ok(BufWriter::new(tempfile::tempfile_in(folder)?)));
        Ok(Self(partitions.collect::<io::Result<_>>()?))
    }

    /// Takes a key.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn push(&mut self, hash: KeyHash) -> io::Result<()> {
        self.0[(hash.0 >> 122) as usize].write_all(&hash.0.to_le_bytes())
    }

    /// The keys in order, each once.
    #[must_use]
    pub fn sorted(self) -> SortedKeys {
        SortedKeys {
            partitions: self.0.into_iter(),
            keys: Vec::new().into_iter(),
        }
    }
}

/// Keys in order, each once; one partition of them is in memory.
#[derive(Debug)]
pub struct SortedKeys {
    partitions: vec::IntoIter<BufWriter<File>>,
    keys: vec::IntoIter<u128>,
}

impl Iterator for SortedKeys {
    type Item = io::Result<KeyHash>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(key) = self.keys.next() {
                return Some(Ok(KeyHash(key)));
            }
            match read(self.partitions.next()?) {
                Ok(keys) => self.keys = keys.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

fn read(partition: BufWriter<File>) -> io::Result<Vec<u128>> {
    let mut file = partition
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let (keys, _) = bytes.as_chunks();
    let mut keys: Vec<_> = keys.iter().map(|key| u128::from_le_bytes(*key)).collect();
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn keys_come_back_in_order_and_once(keys in prop::collection::vec(any::<u128>(), 0..200), again in 0..5_usize) {
            let folder = tempfile::tempdir().unwrap();
            let mut set = KeySet::new(folder.path()).unwrap();
            let repeated = keys.iter().take(again).chain(&keys);
            for key in repeated {
                set.push(KeyHash(*key)).unwrap();
            }
            let sorted: Vec<_> = set.sorted().map(|key| key.unwrap().0).collect();
            let naive: Vec<_> = keys.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
            prop_assert_eq!(sorted, naive);
        }
    }
}
