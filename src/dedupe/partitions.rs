//! Entries of a fixed size by partition, in blocks of one unnamed file: what does not fill a block stays in memory, so
//! that a small dataset needs no disk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of a block; each partition holds one in memory.
const BLOCK: usize = 16 << 10;

/// Entries of `N` bytes, of which a block must hold a whole number.
#[derive(Debug)]
pub(super) struct Partitions<const N: usize> {
    file: File,
    parts: Vec<Part>,
    /// Where the next block goes.
    end: u64,
}

/// A partition: what waits for a block to be full, and where the full ones lie.
#[derive(Debug, Default)]
struct Part {
    waiting: Vec<u8>,
    blocks: Vec<u64>,
}

impl<const N: usize> Partitions<N> {
    /// So many partitions, in a file in `folder`.
    ///
    /// # Errors
    /// When no file can be made there.
    pub(super) fn new(folder: &Path, partitions: usize) -> io::Result<Self> {
        const { assert!(BLOCK.is_multiple_of(N)) };
        Ok(Self {
            file: tempfile::tempfile_in(folder)?,
            parts: (0..partitions).map(|_| Part::default()).collect(),
            end: 0,
        })
    }

    /// Takes an entry.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn push(&mut self, partition: usize, entry: &[u8; N]) -> io::Result<()> {
        let part = &mut self.parts[partition];
        part.waiting.extend_from_slice(entry);
        if part.waiting.len() == BLOCK {
            self.file.write_all_at(&part.waiting, self.end)?;
            part.blocks.push(self.end);
            part.waiting.clear();
            self.end += BLOCK as u64;
        }
        Ok(())
    }

    /// How many partitions there are.
    pub(super) const fn len(&self) -> usize {
        self.parts.len()
    }

    /// The entries of a partition, in the order in which they came; `bytes` is room for them.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn read<'b>(
        &self,
        partition: usize,
        bytes: &'b mut Vec<u8>,
    ) -> io::Result<&'b [[u8; N]]> {
        let part = &self.parts[partition];
        bytes.clear();
        bytes.resize(part.blocks.len() * BLOCK, 0);
        for (block, at) in bytes.chunks_exact_mut(BLOCK).zip(&part.blocks) {
            self.file.read_exact_at(block, *at)?;
        }
        bytes.extend_from_slice(&part.waiting);
        Ok(bytes.as_chunks().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_in_order_whether_they_filled_blocks_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut partitions = Partitions::<8>::new(folder.path(), 3).unwrap();
        let many = 3 * BLOCK as u64 / 8 + 5;
        for number in 0..many {
            partitions.push(0, &number.to_le_bytes()).unwrap();
            if number < 7 {
                partitions.push(2, &number.to_le_bytes()).unwrap();
            }
        }
        let mut room = vec![1; 9];
        for (partition, count) in [(2, 7), (0, many), (1, 0)] {
            let entries = partitions.read(partition, &mut room).unwrap();
            let numbers = entries.iter().map(|entry| u64::from_le_bytes(*entry));
            assert!(numbers.eq(0..count), "{partition}");
        }
        assert_eq!(partitions.len(), 3);
    }
}
