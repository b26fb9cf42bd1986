//! Keeps standard input in a file of its own, because a dataset is read more than once.

use super::error::{SourceError, SourceErrorKind};
use std::fs::DirBuilder;
use std::io::{self, Read};
use std::path::Path;
use tempfile::NamedTempFile;

/// A new file in `folder`, readable by its owner alone and removed when dropped. Creates the folder (0700) when it is
/// missing.
pub(super) fn private(folder: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    tempfile::Builder::new().prefix(prefix).tempfile_in(folder)
}

/// Copies `input` to a new file in `folder`, readable by its owner alone and removed when dropped. Creates the folder
/// (0700) when it is missing.
pub(super) fn keep(input: &mut dyn Read, folder: &Path) -> Result<NamedTempFile, SourceError> {
    let mut spool = || -> io::Result<NamedTempFile> {
        let mut file = private(folder, "stdin-")?;
        io::copy(input, file.as_file_mut())?;
        Ok(file)
    };
    spool().map_err(|error| {
        SourceError::new(
            SourceErrorKind::Io,
            format!("standard input cannot be kept in {}", folder.display()),
            "free some space there, or choose another state directory",
        )
        .in_file(super::expand::STDIN)
        .caused_by(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_input_is_kept_privately_and_removed_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("a/spool");
        let kept = keep(&mut &b"a,b\n"[..], &spool).unwrap();
        let path = kept.path().to_owned();
        assert_eq!(std::fs::read(&path).unwrap(), b"a,b\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&spool), mode(&path)), (0o700, 0o600));
        }
        drop(kept);
        assert!(!path.exists());
    }

    #[test]
    fn a_spool_that_cannot_be_made_is_a_fault_that_names_its_folder() {
        let error = keep(&mut io::empty(), Path::new("/dev/null/spool")).unwrap_err();
        insta::assert_snapshot!(error, @"-: standard input cannot be kept in /dev/null/spool; free some space there, or choose another state directory");
    }
}
