//! Reading a ledger where nothing may be written: SQLite makes files beside one even to read it.

use super::error::LedgerError;
use super::reader::Reader;
use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Opens the ledger of a folder in which SQLite could not make its files; `why` is how it said that. Only where nobody
/// writes it until the reader is dropped, and all that was written is in the file.
///
/// # Errors
/// When another program holds the folder, or a part of the ledger waits beside it; `why`, when it cannot be read at all.
pub(super) fn open(folder: &Path, file: PathBuf, why: LedgerError) -> Result<Reader, LedgerError> {
    let Ok(address) = address(&file) else {
        return Err(why);
    };
    let lock = match hold(folder) {
        Ok(lock) => lock,
        Err(TryLockError::WouldBlock) => {
            return Err(LedgerError::InUse {
                folder: folder.to_owned(),
            });
        }
        Err(TryLockError::Error(_)) => return Err(why),
    };
    match fs::metadata(log_of(&file)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Ok(log) if log.len() == 0 => {}
        Ok(_) => return Err(LedgerError::Unmerged { file }),
        Err(_) => return Err(why),
    }
    Reader::unchanging(file, &address, lock)
}

/// Keeps writers out where there is a lock to do so by: without one, no program of ours has written there.
fn hold(folder: &Path) -> Result<Option<File>, TryLockError> {
    match File::open(folder.join(super::lock::NAME)) {
        Ok(lock) => {
            lock.try_lock_shared()?;
            Ok(Some(lock))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(TryLockError::Error(error)),
    }
}

/// Where SQLite keeps what is not in the file yet.
fn log_of(file: &Path) -> PathBuf {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// How SQLite is told that a file does not change: then it looks for nothing beside it.
fn address(file: &Path) -> io::Result<String> {
    let mut address = "file://".to_owned();
    for byte in std::path::absolute(file)?.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                address.push((*byte).into());
            }
            other => {
                // writing to a String cannot fail
                let _ = write!(address, "%{other:02X}");
            }
        }
    }
    Ok(address + "?immutable=1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_what_else_would_end_it() {
        let address = address(Path::new("/a b/ü?x=1#%/ledger.sqlite")).unwrap();
        assert_eq!(
            address,
            "file:///a%20b/%C3%BC%3Fx%3D1%23%25/ledger.sqlite?immutable=1"
        );
    }
}
