//! Why a retry cannot begin: file, line, column, and what to do.

use super::ledgered::LedgeredError;
use super::origin::NoSource;
use crate::report::results::ResultsError;
use crate::source::{At, SourceError, SourceErrors};
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Faults that are shown; of the others there is a count.
const SHOWN: usize = 20;

/// Why a retry cannot begin. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] SourceErrors),
    /// The file cannot be read to its end, or rows cannot be kept.
    #[error(transparent)]
    Read(#[from] SourceError),
    /// A needed column is missing.
    #[error(
        "{file}: it has no column \"{column}\"; retry needs it: restore it, or name a results file of csm-loader"
    )]
    NoColumn {
        /// The file.
        file: String,
        /// The column.
        column: &'static str,
    },
    /// Rows that cannot be told apart, or that the ledger does not know.
    #[error(transparent)]
    Faults(#[from] Faults),
    /// There is no row in the file.
    #[error("{file}: it has no rows; name a results file with rows that did not load")]
    NoRows {
        /// The file.
        file: String,
    },
    /// No row is to be loaded again.
    #[error("{file}: no row is left to load again{why}")]
    NothingLeft {
        /// The file.
        file: String,
        /// What the rows are, and what to do.
        why: String,
    },
    /// No row has a code that was asked for.
    #[error(
        "{file}: no row has the code {codes}; the column code shows those that rows have, and csm-loader codes lists all"
    )]
    NoCode {
        /// The file.
        file: String,
        /// The codes.
        codes: String,
    },
    /// The run may be continued.
    #[error(
        "run {run} has not ended: continue it first, with csm-loader resume {run}, and retry what does not load then"
    )]
    NotFinished {
        /// The run.
        run: String,
    },
    /// The ledger cannot be read.
    #[error("failed to read the ledger")]
    Ledger(#[source] LedgeredError),
    /// The file has `src.` columns, but nobody remembers their types.
    #[error(
        "{file}: the ledger does not know the types of the src. columns of run {run}; load the rows from their source with csm-loader load"
    )]
    NoTypes {
        /// The file.
        file: String,
        /// The run.
        run: String,
    },
    /// The file has no `src.` columns, and the source does not do either.
    #[error(
        "{file}: it has no src. columns to load from, and {why}; load the source again with csm-loader load, and use \
         --with-source so that its results can be edited and retried by themselves"
    )]
    NoSource {
        /// The file.
        file: String,
        /// What is in the way.
        why: NoSource,
    },
    /// Nobody remembers the mapping.
    #[error("the ledger does not know the mapping of run {run}; name it with --mapping")]
    NoMapping {
        /// The run.
        run: String,
    },
    /// The new results would overwrite something that is read.
    #[error("the results file {} is {what}; name another with --results", path.display())]
    Overwrites {
        /// The name of the new results.
        path: PathBuf,
        /// What has that name.
        what: String,
    },
    /// The name of the new results cannot be used.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// Rows out of order could not be spilled.
    #[error("failed to sort the rows of {file}; free disk space or choose another --state-dir")]
    Sort {
        /// The file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file was another one when it was read again.
    #[error(
        "{file}: the file has changed while it was read; start again, and let nothing write to it meanwhile"
    )]
    Changed {
        /// The file.
        file: String,
    },
}

/// What is wrong with a record of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands.
    pub at: At,
    /// In which column, if in one.
    pub column: Option<&'static str>,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.at)?;
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// All that is wrong with the records of a file: the first faults, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    file: String,
    first: Vec<Fault>,
    /// Of each of these, how many more records have the same.
    again: Vec<u64>,
    more: u64,
}

impl Faults {
    /// No faults yet.
    pub(super) fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            first: Vec::new(),
            again: Vec::new(),
            more: 0,
        }
    }

    /// One more.
    pub(super) fn add(&mut self, fault: Fault) {
        let same = |known: &Fault| (known.column, &known.what) == (fault.column, &fault.what);
        if let Some(index) = self.first.iter().position(same) {
            self.again[index] += 1;
        } else if self.first.len() < SHOWN {
            self.first.push(fault);
            self.again.push(0);
        } else {
            self.count();
        }
    }

    /// One more that is only counted.
    pub(super) fn count(&mut self) {
        self.more += 1;
    }

    /// How many more can be shown.
    pub(super) fn room(&self) -> usize {
        SHOWN - self.first.len()
    }

    /// This, if there is a fault.
    pub(super) fn check(mut self) -> Result<(), Self> {
        if self.first.is_empty() && self.more == 0 {
            return Ok(());
        }
        let mut all: Vec<_> = self.first.into_iter().zip(self.again).collect();
        all.sort_by_key(|(fault, _)| fault.at);
        (self.first, self.again) = all.into_iter().unzip();
        Err(self)
    }

    /// The first faults, in the order of the file.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.first
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (fault, again)) in self.first.iter().zip(&self.again).enumerate() {
            let line_break = if index > 0 { "\n" } else { "" };
            write!(f, "{line_break}{}, {fault}", self.file)?;
            match again {
                0 => {}
                1 => f.write_str(" (and 1 more row)")?,
                again => write!(f, " (and {again} more rows)")?,
            }
        }
        if self.more > 0 {
            write!(f, "\n{}: {} more faults like these", self.file, self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_many_records_is_said_once() {
        let mut faults = Faults::new("out.csv");
        for line in 2..150 {
            faults.add(Fault {
                at: At::Line(line),
                column: Some("run"),
                what: "the cell is empty".to_owned(),
            });
        }
        for line in [151, 150] {
            faults.add(Fault {
                at: At::Line(line),
                column: None,
                what: format!("broken like {line}"),
            });
        }
        insta::assert_snapshot!(faults.check().unwrap_err(), @"
        out.csv, line 2, column run: the cell is empty (and 147 more rows)
        out.csv, line 150: broken like 150
        out.csv, line 151: broken like 151
        ");
    }
}
