//! A results file as a table of rows: its columns by name, in whatever order, and its records one by one.

use super::error::RetryError;
use crate::report::results::{SOURCE_PREFIX, column_names};
use crate::source::{At, SourceError, TextChunk, TextTable};
use std::path::Path;

/// A results file, opened.
pub(super) struct ResultsFile {
    name: String,
    table: TextTable,
    /// The positions of the columns that are read: ours, then those of the source.
    wanted: Vec<usize>,
    columns: Columns,
    source: Vec<String>,
    added: Vec<String>,
}

/// Where the columns that mean something stand among those that are read.
#[derive(Debug, Clone, Copy)]
struct Columns {
    run: usize,
    row: usize,
    entity: Option<usize>,
    source: Option<usize>,
    status: Option<usize>,
    /// The first of the source's.
    cells: usize,
}

/// A record of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    /// Where it stands.
    pub(super) at: At,
    chunk: &'a TextChunk,
    index: usize,
    columns: Columns,
    width: usize,
}

/// A record, or what is wrong with it.
pub(super) type Seen<'a> = Result<Entry<'a>, (At, &'a str)>;

impl ResultsFile {
    /// Opens the file and finds its columns; names may have blanks around them.
    ///
    /// # Errors
    /// When it cannot be opened, or `run` or `row` is missing.
    pub(super) fn open(path: &Path, encoding: Option<&str>) -> Result<Self, RetryError> {
        let table = TextTable::open(path, encoding)?;
        let name = path.display().to_string();
        let names: Vec<_> = table.columns().iter().map(|name| name.trim()).collect();
        let mut wanted = Vec::new();
        let mut want = |name: &str| {
            let index = names.iter().position(|known| *known == name)?;
            wanted.push(index);
            Some(wanted.len() - 1)
        };
        let needed = |place: Option<usize>, column| {
            let file = name.clone();
            place.ok_or(RetryError::NoColumn { file, column })
        };
        let mut columns = Columns {
            run: needed(want("run"), "run")?,
            row: needed(want("row"), "row")?,
            entity: want("entity"),
            source: want("source"),
            status: want("status"),
            cells: 0,
        };
        columns.cells = wanted.len();
        let (mut source, mut added) = (Vec::new(), Vec::new());
        for (index, name) in names.iter().enumerate() {
            if let Some(cell) = name.strip_prefix(SOURCE_PREFIX) {
                source.push(cell.trim().to_owned());
                wanted.push(index);
            } else if !column_names().any(|ours| ours == *name) {
                added.push((*name).to_owned());
            }
        }
        Ok(Self {
            name,
            table,
            wanted,
            columns,
            source,
            added,
        })
    }

    /// Its name, for messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The names of the source's columns, in order, as the source has them.
    pub(super) fn source_columns(&self) -> &[String] {
        &self.source
    }

    /// The columns that this program did not write.
    pub(super) fn added(&self) -> &[String] {
        &self.added
    }

    /// Shows every record that is not blank to `visit`, in order but for broken ones, which come a little late.
    ///
    /// # Errors
    /// Those of `visit`, and of a file that cannot be read on.
    pub(super) fn each<E: From<SourceError>>(
        &self,
        mut visit: impl FnMut(Seen<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for chunk in self.table.read(&self.wanted) {
            let chunk = chunk?;
            for (index, at) in chunk.places.iter().enumerate() {
                let entry = Entry {
                    at: *at,
                    chunk: &chunk,
                    index,
                    columns: self.columns,
                    width: self.wanted.len(),
                };
                // spreadsheets leave blank rows behind the last one
                if !entry.is_blank() {
                    visit(Ok(entry))?;
                }
            }
            for (at, what) in &chunk.bad {
                visit(Err((*at, what)))?;
            }
        }
        Ok(())
    }
}

impl<'a> Entry<'a> {
    /// The run, without blanks around it; `None` when there is none, as for the others.
    pub(super) fn run(&self) -> Option<&'a str> {
        self.tidy(Some(self.columns.run))
    }

    /// The row's number as it is written.
    pub(super) fn row(&self) -> Option<&'a str> {
        self.tidy(Some(self.columns.row))
    }

    /// What was loaded.
    pub(super) fn entity(&self) -> Option<&'a str> {
        self.tidy(self.columns.entity)
    }

    /// The file that the row came from.
    pub(super) fn source(&self) -> Option<&'a str> {
        self.tidy(self.columns.source)
    }

    /// What the file says about how it ended.
    pub(super) fn status(&self) -> Option<&'a str> {
        self.tidy(self.columns.status)
    }

    /// The cell of the source's column at this position of [`ResultsFile::source_columns`], as it is.
    pub(super) fn cell(&self, column: usize) -> Option<&'a str> {
        self.chunk.cell(self.index, self.columns.cells + column)
    }

    fn tidy(&self, column: Option<usize>) -> Option<&'a str> {
        let text = self.chunk.cell(self.index, column?)?.trim();
        (!text.is_empty()).then_some(text)
    }

    fn is_blank(&self) -> bool {
        (0..self.width).all(|column| self.tidy(Some(column)).is_none())
    }
}

/// A row's number as this program writes it: digits and nothing else.
pub(super) fn row_number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|row| digits && *row > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_number_is_digits_and_is_not_guessed() {
        for (text, row) in [
            ("17", Some(17)),
            ("18446744073709551615", Some(u64::MAX)),
            ("0", None),
            ("17.0", None),
            ("17,0", None),
            ("1.7E+01", None),
            ("1,234", None),
            ("+17", None),
            ("-17", None),
            ("", None),
            ("x", None),
            ("18446744073709551616", None),
        ] {
            assert_eq!(row_number(text), row, "{text}");
        }
    }
}
