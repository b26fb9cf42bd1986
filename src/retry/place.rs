//! Where the results of a retry go: never over the file that is retried, nor over the source.

use super::error::RetryError;
use super::ledgered::KnownStage;
use crate::report::results::format_of;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The end of the stem of a retry's results.
const SUFFIX: &str = "-retry";

/// The results file of a retry that names none: beside the retried file and in its format, `customers-results.csv` gives
/// `customers-results-retry.csv`, and that gives `customers-results-retry-2.csv`: the first name that `taken` does not know.
#[must_use]
pub fn default_results(retried: &Path, taken: impl Fn(&Path) -> bool) -> PathBuf {
    let stem = retried.file_stem().unwrap_or(OsStr::new("results"));
    let stem = stem.to_string_lossy();
    let (stem, first) = numbered(&stem);
    // a name that chooses no format, as it was found by its content
    let ending = match retried.extension() {
        Some(ending) if format_of(retried).is_ok() => ending.to_string_lossy(),
        _ => "csv".into(),
    };
    let mut number = first;
    loop {
        let name = match number {
            1 => format!("{stem}{SUFFIX}.{ending}"),
            number => format!("{stem}{SUFFIX}-{number}.{ending}"),
        };
        let path = retried.with_file_name(name);
        if !taken(&path) {
            return path;
        }
        number += 1;
    }
}

/// The stem of the first results, and the number of the next retry.
fn numbered(stem: &str) -> (&str, u64) {
    if let Some(first) = stem.strip_suffix(SUFFIX) {
        return (first, 2);
    }
    stem.rsplit_once('-')
        .and_then(|(stem, number)| Some((stem.strip_suffix(SUFFIX)?, number.parse::<u64>().ok()?)))
        .map_or((stem, 1), |(stem, number)| (stem, number.saturating_add(1)))
}

/// Checks that the new results overwrite neither the retried file nor an input of its stage, whether that is read again or
/// not; links are followed.
///
/// # Errors
/// When they do.
pub(super) fn check_results(
    results: &Path,
    retried: &Path,
    stage: &KnownStage,
) -> Result<(), RetryError> {
    let overwrites = |what: String| RetryError::Overwrites {
        path: results.to_owned(),
        what,
    };
    let place = leads_to(results);
    if place == leads_to(retried) {
        return Err(overwrites("the file that is retried".to_owned()));
    }
    let Some(source) = &stage.source else {
        return Ok(());
    };
    let base = Path::new(&source.base);
    let mut files = stage.files.iter();
    match files.find(|file| leads_to(&base.join(&file.name)) == place) {
        Some(file) => Err(overwrites(format!("an input ({})", file.name))),
        None => Ok(()),
    }
}

/// Where a path leads, whether something is there yet or not.
fn leads_to(path: &Path) -> PathBuf {
    let parent = || {
        let folder = match path.parent()? {
            empty if empty.as_os_str().is_empty() => Path::new("."),
            folder => folder,
        };
        Some(folder.canonicalize().ok()?.join(path.file_name()?))
    };
    path.canonicalize()
        .ok()
        .or_else(parent)
        .or_else(|| std::path::absolute(path).ok())
        .unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_name_counts_retries_and_takes_no_name_that_is_there() {
        for (retried, taken, name) in [
            ("out/a-results.csv", &[][..], "out/a-results-retry.csv"),
            ("a.parquet", &["a-retry.parquet"], "a-retry-2.parquet"),
            ("a-retry.csv", &[], "a-retry-2.csv"),
            (
                "a-retry-2.csv",
                &["a-retry-3.csv", "a-retry-4.csv"],
                "a-retry-5.csv",
            ),
            ("a-retry-x.csv", &[], "a-retry-x-retry.csv"),
            ("a-2.csv", &[], "a-2-retry.csv"),
            ("a.txt", &[], "a-retry.csv"),
            ("a", &[], "a-retry.csv"),
        ] {
            let found = default_results(Path::new(retried), |path| {
                taken.iter().any(|taken| Path::new(taken) == path)
            });
            assert_eq!(found, Path::new(name), "{retried}");
        }
    }
}
