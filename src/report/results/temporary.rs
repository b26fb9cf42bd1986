//! The temporary file that becomes a results file: named after its place, and locked as long as its writer lives, so that
//! the next writer of the same place can tell what a killed one left, and remove it.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tempfile::NamedTempFile;
use xxhash_rust::xxh3::xxh3_64;

/// What the names of all of them begin with.
const PREFIX: &str = ".csm-loader-results-";
/// What they end with.
const SUFFIX: &str = ".tmp";
/// Files that are made before giving up: each is lost only to a process that sweeps in the same moment.
const TRIES: usize = 8;

/// Makes one for a file of this name in a folder, and removes those that nobody writes any more.
///
/// # Errors
/// When it cannot be made.
pub(super) fn beside(folder: &Path, name: &OsStr) -> io::Result<NamedTempFile> {
    let prefix = format!("{PREFIX}{:016x}-", xxh3_64(name.as_encoded_bytes()));
    sweep(folder, &prefix);
    for _ in 0..TRIES {
        let temporary = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(SUFFIX)
            .tempfile_in(folder)?;
        // a file system without locks: nobody will take it for left over either
        let swept = matches!(
            temporary.as_file().try_lock(),
            Err(fs::TryLockError::WouldBlock)
        );
        if !swept && temporary.as_file().metadata()?.nlink() > 0 {
            return Ok(temporary);
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Removes what killed writers left. It is no matter of theirs whether that works.
fn sweep(folder: &Path, prefix: &str) {
    let Ok(found) = fs::read_dir(folder) else {
        return;
    };
    for entry in found.flatten() {
        let name = entry.file_name();
        let ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(prefix) && name.ends_with(SUFFIX));
        if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            // held while it is removed: a writer that has just made it sees that it is gone
            let file = OpenOptions::new().write(true).open(entry.path());
            if let Ok(file) = file
                && file.try_lock().is_ok()
            {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn names(folder: &Path) -> BTreeSet<String> {
        let found = fs::read_dir(folder).unwrap();
        found
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn what_a_killed_writer_left_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str| beside(folder.path(), OsStr::new(name)).unwrap();
        // kept without its lock, as after a kill
        let (_, left) = make("a.csv").keep().unwrap();
        let (_, of_another) = make("b.csv").keep().unwrap();
        let living = make("a.csv");
        assert!(!left.exists());
        let user = folder.path().join(".csm-loader-results-mine.tmp");
        fs::write(&user, "mine").unwrap();

        let second = make("a.csv");
        let expected = [living.path(), second.path(), &of_another, &user];
        let expected = expected.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
        assert_eq!(names(folder.path()), BTreeSet::from(expected));
    }
}
