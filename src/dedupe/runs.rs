//! Notes about rows that are found partition by partition and read back in row order: sorted runs, one behind the other
//! in a single unnamed file, merged.

use crate::model::row::RowId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Bytes that are read of a run at once.
const READ: usize = 4_096;

/// Runs that are being written. A note takes 12 bytes and its own on disk.
#[derive(Debug)]
pub struct Runs {
    file: BufWriter<File>,
    /// Where each run that is complete ends.
    ends: Vec<u64>,
    written: u64,
    entries: u64,
}

impl Runs {
    /// Runs whose (unnamed) file lies in `folder`.
    ///
    /// # Errors
    /// When no file can be made there.
    pub fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::new(tempfile::tempfile_in(folder)?),
            ends: Vec::new(),
            written: 0,
            entries: 0,
        })
    }

    /// Adds a run. Its notes come in row order; no row has two notes in all runs.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn run<N: AsRef<[u8]>>(
        &mut self,
        notes: impl IntoIterator<Item = (RowId, N)>,
    ) -> io::Result<()> {
        for (row, note) in notes {
            let note = note.as_ref();
            let length = u32::try_from(note.len()).map_err(io::Error::other)?;
            self.file.write_all(&row.0.to_le_bytes())?;
            self.file.write_all(&length.to_le_bytes())?;
            self.file.write_all(note)?;
            self.written += 12 + u64::from(length);
            self.entries += 1;
        }
        if self.ends.last().copied().unwrap_or(0) < self.written {
            self.ends.push(self.written);
        }
        Ok(())
    }

    /// Everything, in row order.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn merge(self) -> io::Result<Merged> {
        let file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        let file = Arc::new(file);
        let mut merged = Merged {
            runs: Vec::with_capacity(self.ends.len()),
            order: BinaryHeap::with_capacity(self.ends.len()),
            left: self.entries,
        };
        let mut at = 0;
        for end in self.ends {
            let part = Part {
                file: Arc::clone(&file),
                at,
                end,
            };
            let mut run = BufReader::with_capacity(READ, part);
            if let Some(row) = next_row(&mut run)? {
                merged.order.push(Reverse((row, merged.runs.len())));
            }
            merged.runs.push(run);
            at = end;
        }
        Ok(merged)
    }
}

/// Notes in row order.
#[derive(Debug, Default)]
pub struct Merged {
    runs: Vec<BufReader<Part>>,
    order: BinaryHeap<Reverse<(RowId, usize)>>,
    left: u64,
}

impl Merged {
    /// The row of the next note.
    #[must_use]
    pub fn peek(&self) -> Option<RowId> {
        self.order.peek().map(|Reverse((row, _))| *row)
    }

    /// How many are left.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.left
    }

    /// Whether none is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// The next note.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn pop(&mut self) -> io::Result<Option<(RowId, Vec<u8>)>> {
        let Some(mut first) = self.order.peek_mut() else {
            return Ok(None);
        };
        let Reverse((row, index)) = *first;
        let run = &mut self.runs[index];
        let mut length = [0; 4];
        run.read_exact(&mut length)?;
        let mut note = vec![0; u32::from_le_bytes(length) as usize];
        run.read_exact(&mut note)?;
        // the run's next note takes the place of this one: the order is mended once
        match next_row(run)? {
            Some(next) => *first = Reverse((next, index)),
            None => drop(PeekMut::pop(first)),
        }
        self.left -= 1;
        Ok(Some((row, note)))
    }
}

/// The row of a run's next note; `None` at its end.
fn next_row(run: &mut BufReader<Part>) -> io::Result<Option<RowId>> {
    if run.buffer().is_empty() && run.get_ref().is_over() {
        return Ok(None);
    }
    let mut row = [0; 8];
    run.read_exact(&mut row)?;
    Ok(Some(RowId(u64::from_le_bytes(row))))
}

/// A run's bytes in the file that all share.
#[derive(Debug)]
struct Part {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Part {
    const fn is_over(&self) -> bool {
        self.at == self.end
    }
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let read = self.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn notes_come_back_in_row_order(
            notes in prop::collection::btree_map(any::<u64>(), (0..5_usize, prop::collection::vec(any::<u8>(), 0..300)), 0..200),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut runs = Runs::new(folder.path()).unwrap();
            for run in 0..5 {
                let of_run = notes.iter().filter(|(_, (of, _))| *of == run);
                runs.run(of_run.map(|(row, (_, note))| (RowId(*row), note))).unwrap();
            }
            let mut merged = runs.merge().unwrap();
            prop_assert_eq!(merged.len(), notes.len() as u64);
            let mut found = Vec::new();
            while let Some(row) = merged.peek() {
                let (popped, note) = merged.pop().unwrap().unwrap();
                prop_assert_eq!(popped, row);
                found.push((row.0, note));
            }
            prop_assert!(merged.is_empty() && merged.pop().unwrap().is_none());
            let naive: Vec<_> = notes.into_iter().map(|(row, (_, note))| (row, note)).collect::<BTreeMap<_, _>>().into_iter().collect();
            prop_assert_eq!(found, naive);
        }
    }
}
