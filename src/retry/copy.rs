//! The second reading of a results file: its chosen rows into a file of their own, in the order of their numbers.

use super::error::RetryError;
use super::file::{Entry, ResultsFile, row_number};
use super::ledgered::{KnownRow, Ledgered};
use super::sort::Sorter;
use super::told::Examples;
use crate::model::code::{Code, ReasonCode};
use crate::model::row::RowId;
use crate::report::results::SOURCE_PREFIX;
use crate::source::{At, KeptPlace, RecordedSchema, RowKeeper, RowSet};
use std::collections::HashMap;
use std::path::Path;

/// Bytes of rows that are held at once when the file is not in order.
const SORTED_AT_ONCE: usize = 32 << 20;

/// Codes of records that were no rows: they have no cells unless somebody fills them in.
const NO_ROW: [Code; 4] = [
    Code::CsvTooFewFields,
    Code::CsvTooManyFields,
    Code::CsvUnclosedQuote,
    Code::EncodingInvalid,
];

/// The columns that rows are read with.
pub(super) struct Columns {
    /// Those of the recorded schema that the file has, in the order of the schema.
    pub(super) schema: RecordedSchema,
    /// Those of the file that the schema does not have.
    pub(super) foreign: Vec<String>,
    /// Those of the schema that the file does not have.
    pub(super) absent: Vec<String>,
    /// Where each column of `schema` stands in the file.
    places: Vec<usize>,
}

impl Columns {
    /// Matches names; blanks around them do not count, as the file's were read without.
    pub(super) fn new(file: &ResultsFile, recorded: &RecordedSchema) -> Self {
        let in_file = file.source_columns().iter().enumerate();
        let mut in_file: HashMap<_, _> = in_file
            .map(|(place, name)| (name.as_str(), place))
            .collect();
        let mut columns = Self {
            schema: RecordedSchema::default(),
            foreign: Vec::new(),
            absent: Vec::new(),
            places: Vec::new(),
        };
        for column in &recorded.columns {
            match in_file.remove(column.name.trim()) {
                Some(place) => {
                    columns.schema.columns.push(column.clone());
                    columns.places.push(place);
                }
                None => columns
                    .absent
                    .push(format!("{SOURCE_PREFIX}{}", column.name)),
            }
        }
        let foreign = file.source_columns().iter();
        columns.foreign = foreign
            .filter(|name| in_file.contains_key(name.as_str()))
            .map(|name| format!("{SOURCE_PREFIX}{name}"))
            .collect();
        columns
    }
}

/// The rows to copy.
pub(super) struct Chosen<'a> {
    /// Where they are.
    pub(super) file: &'a ResultsFile,
    /// What is taken of them.
    pub(super) columns: &'a Columns,
    /// Which they are.
    pub(super) rows: &'a RowSet,
}

impl Chosen<'_> {
    /// Shows them as they stand in the file; gives their number.
    pub(super) fn each(
        &self,
        mut visit: impl FnMut(RowId, At, &[Option<&str>]) -> Result<(), RetryError>,
    ) -> Result<u64, RetryError> {
        let mut count = 0;
        self.file.each(|seen| {
            if let Ok(entry) = seen
                && let Some(row) = entry.row().and_then(row_number).map(RowId)
                && self.rows.contains(row)
            {
                count += 1;
                visit(row, entry.at, &self.cells(&entry))?;
            }
            Ok::<_, RetryError>(())
        })?;
        Ok(count)
    }

    /// Shows them in the order of their numbers; gives their number. What does not fit into memory goes to `spool`.
    pub(super) fn each_sorted(
        &self,
        spool: &Path,
        mut visit: impl FnMut(RowId, At, &[Option<&str>]) -> Result<(), RetryError>,
    ) -> Result<u64, RetryError> {
        let failed = |source| RetryError::Sort {
            file: self.file.name().to_owned(),
            source,
        };
        let mut sorter = Sorter::new(spool, SORTED_AT_ONCE);
        let count = self.each(|row, at, cells| {
            let cells = cells.iter().map(|cell| cell.map(str::to_owned));
            sorter.push((row.0, at, cells.collect())).map_err(failed)
        })?;
        let mut in_order = sorter.finish().map_err(failed)?;
        while let Some((row, at, cells)) = in_order.next().map_err(failed)? {
            let cells: Vec<_> = cells.iter().map(Option::as_deref).collect();
            visit(RowId(row), at, &cells)?;
        }
        Ok(count)
    }

    fn cells<'a>(&self, entry: &Entry<'a>) -> Vec<Option<&'a str>> {
        let places = self.columns.places.iter();
        places.map(|place| entry.cell(*place)).collect()
    }
}

/// Puts rows where they stood.
pub(super) struct Copier<'a, L> {
    /// Who keeps them.
    pub(super) keeper: RowKeeper,
    /// Who knows where they stood.
    pub(super) ledger: &'a mut L,
    /// Their run.
    pub(super) run: &'a str,
    /// Their stage.
    pub(super) stage: u32,
    /// Rows with cells that cannot be read.
    pub(super) unreadable: &'a mut Examples,
}

impl<L: Ledgered> Copier<'_, L> {
    /// Keeps a row.
    ///
    /// # Errors
    /// When the ledger cannot be read or the row not be kept.
    pub(super) fn keep(
        &mut self,
        row: RowId,
        at: At,
        cells: &[Option<&str>],
    ) -> Result<(), RetryError> {
        let known = self.ledger.row(self.run, self.stage, row);
        let known = known
            .map_err(RetryError::Ledger)?
            .ok_or_else(|| RetryError::Ledger(format!("row {} is gone from it", row.0).into()))?;
        let place = KeptPlace {
            row,
            file: known.file,
            line: known.line,
        };
        match no_row(&known) {
            Some(code) if cells.iter().all(|cell| cell.is_none_or(str::is_empty)) => {
                self.keeper.push_bad(place, code, STILL_EMPTY)?;
            }
            _ => {
                if !self.keeper.push(place, cells)? {
                    self.unreadable.add(at);
                }
            }
        }
        Ok(())
    }
}

const STILL_EMPTY: &str = "the record could not be read from the source, and its src. columns are still empty; fill them in";

/// The code of a record that was no row.
fn no_row(known: &KnownRow) -> Option<Code> {
    known.codes.iter().find_map(|code| match code {
        ReasonCode::Known(code) => NO_ROW.contains(code).then_some(*code),
        ReasonCode::Rule(_) => None,
    })
}
