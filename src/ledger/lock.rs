//! The state folder: private to its owner, used by one program at a time.

use super::LedgerError;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The name of the file that is locked.
pub(super) const NAME: &str = "lock";

/// An owned state folder. The lock is released when this is dropped, or when the process ends in whatever way.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    lock: File,
}

impl StateFolder {
    /// Makes the folder where it is missing (0700) and takes its lock.
    ///
    /// # Errors
    /// When the folder cannot be made or written, or another program holds it.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let failed = |error| LedgerError::folder(path, error);
        loop {
            private_folder(path.to_owned())?;
            let lock = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(path.join(NAME))
                .map_err(failed)?;
            match lock.try_lock() {
                Ok(()) if is_removed(&lock).map_err(failed)? => {}
                Ok(()) => {
                    return Ok(Self {
                        path: path.to_owned(),
                        lock,
                    });
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(LedgerError::InUse {
                        folder: path.to_owned(),
                    });
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }

    /// The same folder, which is then held until both are dropped.
    pub(super) fn twice(&self) -> Result<Self, LedgerError> {
        let lock = self.lock.try_clone();
        Ok(Self {
            path: self.path.clone(),
            lock: lock.map_err(|error| LedgerError::folder(&self.path, error))?,
        })
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

/// Whether a lock was removed, by an import that failed, before we held it: then it keeps nobody out.
fn is_removed(lock: &File) -> io::Result<bool> {
    Ok(lock.metadata()?.nlink() == 0)
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

    #[test]
    fn a_lock_that_was_removed_keeps_nobody_out_and_is_not_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(folder.path()).unwrap();
        assert!(!is_removed(&state.lock).unwrap());
        std::fs::remove_file(folder.path().join(NAME)).unwrap();
        assert!(is_removed(&state.lock).unwrap());
        let again = StateFolder::open(folder.path()).unwrap();
        assert!(!is_removed(&again.lock).unwrap());
    }
}
