//! Rows in whatever order → rows in the order of their numbers, in bounded memory.
//!
//! Rows are collected up to a number of bytes, sorted, and spilled; the spills are merged. They hold cells, so they are
//! files without a name in a private folder: nobody else sees them, and they go with the process.

use crate::source::At;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

/// What a row costs besides its text.
const ROW: usize = 64;
/// What a cell costs besides its text.
const CELL: usize = 24;

/// A row's number, where it stands, and its cells.
pub(super) type Row = (u64, At, Vec<Option<String>>);

/// Collects rows.
pub(super) struct Sorter {
    folder: PathBuf,
    limit: usize,
    held: Vec<Row>,
    bytes: usize,
    spills: Vec<File>,
}

impl Sorter {
    /// Spills to `folder` whenever about `limit` bytes are held.
    pub(super) fn new(folder: &Path, limit: usize) -> Self {
        Self {
            folder: folder.to_owned(),
            limit,
            held: Vec::new(),
            bytes: 0,
            spills: Vec::new(),
        }
    }

    /// Takes a row.
    pub(super) fn push(&mut self, row: Row) -> io::Result<()> {
        let cells = row.2.iter();
        self.bytes += ROW
            + cells
                .map(|cell| CELL + cell.as_ref().map_or(0, String::len))
                .sum::<usize>();
        self.held.push(row);
        if self.bytes >= self.limit {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        self.held.sort_unstable_by_key(|row| row.0);
        let mut spill = BufWriter::new(tempfile::tempfile_in(&self.folder)?);
        for row in self.held.drain(..) {
            serde_json::to_writer(&mut spill, &row)?;
            spill.write_all(b"\n")?;
        }
        let mut spill = spill.into_inner().map_err(io::IntoInnerError::into_error)?;
        spill.rewind()?;
        self.spills.push(spill);
        self.bytes = 0;
        Ok(())
    }

    /// The rows, ascending.
    pub(super) fn finish(mut self) -> io::Result<Sorted> {
        self.held.sort_unstable_by_key(|row| row.0);
        let mut runs: Vec<_> = self
            .spills
            .into_iter()
            .map(|spill| Run::Spilled(BufReader::new(spill), String::new()))
            .collect();
        runs.push(Run::Held(self.held.into_iter()));
        let mut next = BinaryHeap::with_capacity(runs.len());
        for (index, run) in runs.iter_mut().enumerate() {
            next.extend(run.next()?.map(|row| Reverse((row, index))));
        }
        Ok(Sorted { runs, next })
    }
}

/// The rows of a [`Sorter`], ascending.
pub(super) struct Sorted {
    runs: Vec<Run>,
    /// The next row of each run that has one, the lowest on top.
    next: BinaryHeap<Reverse<(Row, usize)>>,
}

impl Sorted {
    /// The next row; `None` behind the last.
    pub(super) fn next(&mut self) -> io::Result<Option<Row>> {
        let Some(Reverse((row, index))) = self.next.pop() else {
            return Ok(None);
        };
        if let Some(run) = self.runs.get_mut(index) {
            self.next
                .extend(run.next()?.map(|row| Reverse((row, index))));
        }
        Ok(Some(row))
    }
}

/// Rows that are sorted.
enum Run {
    Spilled(BufReader<File>, String),
    Held(std::vec::IntoIter<Row>),
}

impl Run {
    fn next(&mut self) -> io::Result<Option<Row>> {
        match self {
            Self::Held(rows) => Ok(rows.next()),
            Self::Spilled(lines, line) => {
                line.clear();
                if lines.read_line(line)? == 0 {
                    return Ok(None);
                }
                Ok(Some(serde_json::from_str(line)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn rows_come_out_in_order_and_whole_whatever_fits_into_memory(
            rows in prop::collection::btree_map(any::<u64>(), prop::collection::vec(any::<Option<String>>(), 0..3), 0..40),
            order in any::<u64>(),
            limit in 1_usize..4_000,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut sorter = Sorter::new(folder.path(), limit);
            let mut shuffled: Vec<_> = rows.clone().into_iter().map(|(row, cells)| (row, At::Line(row / 2), cells)).collect();
            shuffled.sort_by_key(|row| row.0.rotate_left(17) ^ order);
            for row in shuffled {
                sorter.push(row).unwrap();
            }
            let mut sorted = sorter.finish().unwrap();
            let mut all = Vec::new();
            while let Some(row) = sorted.next().unwrap() {
                prop_assert_eq!(row.1, At::Line(row.0 / 2));
                all.push((row.0, row.2));
            }
            prop_assert_eq!(all, rows.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "spills have no name");
        }
    }
}
