//! The keys of a dataset on disk, read back in the order of their hashes: 64 partitions by hash, each sorted in memory
//! when its turn comes. A key takes 16 bytes each time it is put in.

use super::partitions::Partitions;
use crate::model::row::KeyHash;
use std::io;
use std::path::Path;
use std::vec;

/// Partitions.
const PARTITIONS: usize = 64;

/// Collects keys in any order.
#[derive(Debug)]
pub struct KeySet(Partitions<16>);

impl KeySet {
    /// A set whose (unnamed) file lies in `folder`.
    ///
    /// # Errors
    /// When no file can be made there.
    pub fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self(Partitions::new(folder, PARTITIONS)?))
    }

    /// Takes a key.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn push(&mut self, hash: KeyHash) -> io::Result<()> {
        self.0.push((hash.0 >> 122) as usize, &hash.0.to_le_bytes())
    }

    /// The keys in order, each once.
    #[must_use]
    pub fn sorted(self) -> SortedKeys {
        SortedKeys {
            partitions: self.0,
            next: 0,
            keys: Vec::new().into_iter(),
            bytes: Vec::new(),
        }
    }
}

/// Keys in order, each once; one partition of them is in memory.
#[derive(Debug)]
pub struct SortedKeys {
    partitions: Partitions<16>,
    /// The partition that is read next.
    next: usize,
    keys: vec::IntoIter<u128>,
    /// Room for a partition.
    bytes: Vec<u8>,
}

impl SortedKeys {
    /// The keys of the next partition, in order, each once.
    fn read(&mut self) -> io::Result<Vec<u128>> {
        let entries = self.partitions.read(self.next, &mut self.bytes)?;
        let entries = entries.iter().map(|key| u128::from_le_bytes(*key));
        let mut keys: Vec<_> = entries.collect();
        keys.sort_unstable();
        keys.dedup();
        self.next += 1;
        Ok(keys)
    }
}

impl Iterator for SortedKeys {
    type Item = io::Result<KeyHash>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(key) = self.keys.next() {
                return Some(Ok(KeyHash(key)));
            }
            if self.next == self.partitions.len() {
                return None;
            }
            match self.read() {
                Ok(keys) => self.keys = keys.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
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
