//! The state folder: private to its owner, used by one program at a time.

use super::LedgerError;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The name of the file that is locked.
pub(super) const NAME: &str = "lock";

/// An owned state folder. The lock is released when this is dropped, or when the process ends in whatever way.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    _lock: File,
}

impl StateFolder {
    /// Makes the folder where it is missing (0700) and takes its lock.
    ///
    /// # Errors
    /// When the folder cannot be made or written, or another program holds it.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let failed = |error| LedgerError::folder(path, error);
        private_folder(path.to_owned())?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join(NAME))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(LedgerError::InUse {
                folder: path.to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A private folder inside it, made where it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn folder(&self, name: &str) -> Result<PathBuf, LedgerError> {
        private_folder(self.path.join(name))
    }
}

/// A folder that only its owner can enter, made (with its parents) where it is missing.
///
/// # Errors
/// When it cannot be made.
pub fn private_folder(path: PathBuf) -> Result<PathBuf, LedgerError> {
    match DirBuilder::new().recursive(true).mode(0o700).create(&path) {
        Ok(()) => Ok(path),
        Err(error) => Err(LedgerError::folder(&path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_program_is_told_who_is_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let first = StateFolder::open(&state).unwrap();
        let message = StateFolder::open(&state).unwrap_err().to_string();
        let message = message.replace(&folder.path().display().to_string(), "…");
        insta::assert_snapshot!(message, @"the state folder …/state is in use by another csm-loader; wait for it to end, or give this run a folder of its own with --state-dir");
        drop(first);
        StateFolder::open(&state).unwrap();
    }
}
