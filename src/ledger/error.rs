//! Why the ledger cannot be used.

use super::schema::VERSION;
use rusqlite::ErrorCode;
use std::io;
use std::path::{Path, PathBuf};

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another program holds the state folder.
    #[error(
        "the state folder {} is in use by another csm-loader; wait for it to end, or give this run \
         a folder of its own with --state-dir", folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The state folder cannot be used.
    #[error("failed to use the state folder {}; it must be writable: choose another with --state-dir", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is nothing to read.
    #[error("the state folder {} holds no ledger; name the folder of your loads with --state-dir", folder.display())]
    NoLedger {
        /// The folder.
        folder: PathBuf,
    },
    /// The file was written by a newer program.
    #[error(
        "the ledger {} has schema version {found}, and this program knows version {VERSION}; \
         use the program that wrote it, or another --state-dir", file.display()
    )]
    Version {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: i64,
    },
    /// The file is not what this program wrote.
    #[error(
        "the ledger {} is damaged; move it away (everything is then simply sent) or restore it from a copy",
        file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file, or its folder, may not be written.
    #[error(
        "the ledger {} cannot be written, which reading it takes too; make it and its folder writable, or choose another \
         --state-dir", file.display()
    )]
    ReadOnly {
        /// The file.
        file: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file, or what SQLite keeps beside it, can be neither opened nor made.
    #[error(
        "failed to open the ledger {} or to make files beside it; see to its permissions and those of its folder, or \
         choose another --state-dir", file.display()
    )]
    NotOpened {
        /// The file.
        file: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Nothing may be written, and not all that is to be read is in the file.
    #[error(
        "the ledger {} cannot be read where nothing can be written: what its last run wrote is still beside it, in \
         {}-wal; make the folder writable, or name a copy of the whole folder with --state-dir",
        file.display(), file.display()
    )]
    Unmerged {
        /// The file.
        file: PathBuf,
    },
    /// SQLite refused.
    #[error("failed to {doing} the ledger {}; free disk space or choose another --state-dir", file.display())]
    Sqlite {
        /// What was tried.
        doing: &'static str,
        /// The file.
        file: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// No run has this id.
    #[error("no run {wanted} is in the ledger; `csm-loader runs` lists those that are")]
    NoRun {
        /// What was asked for.
        wanted: String,
    },
    /// Several runs have ids that begin so.
    #[error("{wanted} may be any of {}; give more of its id", ids.join(", "))]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// The ids.
        ids: Vec<String>,
    },
    /// The run cannot be continued.
    #[error("run {run} is {state}: there is nothing to continue")]
    NotOpen {
        /// The run.
        run: String,
        /// What it is.
        state: String,
    },
    /// A run may still hold what is to be forgotten.
    #[error(
        "run {run} is open, and its requests under way may hold the key; load its job again until it ends, then forget"
    )]
    RunOpen {
        /// The run.
        run: String,
    },
    /// A file to be imported is not an export.
    #[error("{} is not an export of csm-loader's state", file.display())]
    NotAnExport {
        /// The file.
        file: PathBuf,
    },
    /// The state would be overwritten.
    #[error(
        "the state folder {} holds runs or loaded content already; import into an empty one: choose it with \
         --state-dir", folder.display()
    )]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// An export is not written over what is there.
    #[error("{} exists already; name another file", file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// An export cannot be written, or read.
    #[error("failed to {doing} {}", file.display())]
    Transfer {
        /// What was tried.
        doing: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The writer has stopped after an earlier error.
    #[error("the ledger's writer has stopped after an earlier error")]
    Stopped,
}

impl LedgerError {
    /// Whether SQLite was kept from a file, and not by what is in it.
    pub(super) const fn is_of_access(&self) -> bool {
        matches!(self, Self::ReadOnly { .. } | Self::NotOpened { .. })
    }

    pub(super) fn folder(folder: &Path, source: io::Error) -> Self {
        let source = if folder.is_file() {
            io::Error::new(io::ErrorKind::NotADirectory, "it is a file, not a folder")
        } else {
            source
        };
        Self::Folder {
            folder: folder.to_owned(),
            source,
        }
    }
}

/// SQLite's error in our words: what is damaged is told from what is full or unwritable.
pub(super) fn failed(
    doing: &'static str,
    file: &Path,
) -> impl Fn(rusqlite::Error) -> LedgerError + use<> {
    let file = file.to_owned();
    move |source| {
        let file = file.clone();
        if is_damage(&source) {
            return LedgerError::Damaged { file, source };
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::ReadOnly) => LedgerError::ReadOnly { file, source },
            Some(ErrorCode::CannotOpen) => LedgerError::NotOpened { file, source },
            _ => LedgerError::Sqlite {
                doing,
                file,
                source,
            },
        }
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        // a value that this program does not write
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) => true,
        other => matches!(
            other.sqlite_error_code(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        ),
    }
}

/// A value that this program does not write.
pub(super) fn damaged(column: usize) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        column,
        rusqlite::types::Type::Blob,
        "not what this program writes".into(),
    )
}
