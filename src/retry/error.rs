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
    more: u64,
}

impl Faults {
    /// No faults yet.
    pub(super) fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            first: Vec::new(),
            more: 0,
        }
    }

    /// One more.
    pub(super) fn add(&mut self, fault: Fault) {
        if self.first.len() < SHOWN {
            self.first.push(fault);
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
        self.first.sort_by_key(|fault| fault.at);
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
        for (index, fault) in self.first.iter().enumerate() {
            let line_break = if index > 0 { "\n" } else { "" };
            write!(f, "{line_break}{}, {fault}", self.file)?;
        }
        if self.more > 0 {
            write!(f, "\n{}: {} more faults like these", self.file, self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
