//! What a results file is called, and which format its name asks for.

use super::ResultsError;
use std::path::{Path, PathBuf};

/// How a results file is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultsFormat {
    /// Comma-separated text with a header row.
    Csv,
    /// One JSON object a line.
    JsonLines,
    /// Parquet, compressed with zstd.
    Parquet,
    /// The Arrow IPC file format, also known as Feather.
    Arrow,
}

impl ResultsFormat {
    /// The endings that choose a format, for messages.
    pub(super) const ENDINGS: &str = ".csv, .jsonl, .ndjson, .parquet, .arrow, .ipc or .feather";
}

/// The format that a file's name asks for by its ending, in upper or lower case.
///
/// # Errors
/// When the ending is none that is known; the message lists those that are.
pub fn format_of(path: &Path) -> Result<ResultsFormat, ResultsError> {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    match ending.to_str() {
        Some("csv") => Ok(ResultsFormat::Csv),
        Some("jsonl" | "ndjson") => Ok(ResultsFormat::JsonLines),
        Some("parquet") => Ok(ResultsFormat::Parquet),
        Some("arrow" | "ipc" | "feather") => Ok(ResultsFormat::Arrow),
        _ => Err(ResultsError::Ending {
            path: path.to_path_buf(),
        }),
    }
}

/// Puts the run's date (as `2026-11-22`) and id in the places of `{date}` and `{run}`.
#[must_use]
pub fn expand_name(pattern: &str, date: &str, run: &str) -> String {
    pattern.replace("{date}", date).replace("{run}", run)
}

/// The results file of inputs that name none: `<stem of the first input>-results.csv` in the current directory.
///
/// `-` is standard input; of a glob the longest literal part of its last telling component counts
/// (`exports/customers-*.csv` → `customers`, `exports/*.csv` → `exports`).
#[must_use]
pub fn default_name(first_input: &str) -> PathBuf {
    let stem = match first_input {
        "-" => Some("stdin"),
        _ => first_input.rsplit(['/', '\\']).find_map(telling_part),
    };
    PathBuf::from(format!("{}-results.csv", stem.unwrap_or("input")))
}

/// What a path's component says without its endings and wildcards; `None` when that is nothing.
fn telling_part(component: &str) -> Option<&str> {
    const SEPARATORS: [char; 4] = ['-', '_', '.', ' '];
    without_endings(component)
        .split(['*', '?', '[', ']', '{', '}', '!'])
        .map(|literal| literal.trim_matches(SEPARATORS))
        .rev()
        .max_by_key(|literal| literal.len())
        .filter(|literal| !literal.is_empty())
}

/// Drops a compression's ending and one ending before it.
fn without_endings(name: &str) -> &str {
    let plain = match name.rsplit_once('.') {
        Some((stem, ending)) if is_any(ending, &["gz", "zst"]) => stem,
        _ => name,
    };
    match plain.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && is_any(ending, DATA_ENDINGS) => stem,
        _ => plain,
    }
}

/// Endings of data files. Others stay, since `2026.11` may well be a directory.
const DATA_ENDINGS: &[&str] = &[
    "csv", "tsv", "txt", "dat", "parquet", "pq", "arrow", "arrows", "ipc", "feather",
];

fn is_any(ending: &str, of: &[&str]) -> bool {
    of.iter().any(|one| one.eq_ignore_ascii_case(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_chooses_the_format() {
        for (name, format) in [
            ("a.csv", ResultsFormat::Csv),
            ("a.b.CSV", ResultsFormat::Csv),
            ("out/a.jsonl", ResultsFormat::JsonLines),
            ("a.ndjson", ResultsFormat::JsonLines),
            ("a.parquet", ResultsFormat::Parquet),
            ("a.arrow", ResultsFormat::Arrow),
            ("a.ipc", ResultsFormat::Arrow),
            ("a.feather", ResultsFormat::Arrow),
        ] {
            assert_eq!(format_of(Path::new(name)).unwrap(), format, "{name}");
        }
    }

    #[test]
    fn other_endings_are_errors_that_list_the_known_ones() {
        for name in ["out/a.xlsx", "a", ".csv", "a.csv.gz", ""] {
            assert!(format_of(Path::new(name)).is_err(), "{name}");
        }
        insta::assert_snapshot!(format_of(Path::new("out/a.xlsx")).unwrap_err(), @"results file out/a.xlsx: its name must end in .csv, .jsonl, .ndjson, .parquet, .arrow, .ipc or .feather");
    }

    #[test]
    fn date_and_run_are_put_into_names() {
        assert_eq!(
            expand_name("out/{date}/{run}-{date}.csv", "2026-11-22", "r7"),
            "out/2026-11-22/r7-2026-11-22.csv"
        );
        assert_eq!(
            expand_name("{other}.csv", "2026-11-22", "r7"),
            "{other}.csv"
        );
    }

    #[test]
    fn the_default_name_is_the_first_inputs_stem() {
        for (input, name) in [
            ("exports/customers.csv", "customers"),
            ("customers.CSV.gz", "customers"),
            ("customers.tsv.zst", "customers"),
            ("customers.2026.parquet", "customers.2026"),
            ("customers", "customers"),
            ("-", "stdin"),
            ("exports/2026.11/", "2026.11"),
            ("exports/organizations-*.parquet", "organizations"),
            ("exports/*-organizations.parquet", "organizations"),
            ("exports/part-[0-9]*.csv", "part"),
            ("exports/*.csv", "exports"),
            ("exports/**/*.csv.gz", "exports"),
            ("**/*.csv", "input"),
            ("..", "input"),
            (".", "input"),
            ("/", "input"),
            ("", "input"),
            ("kundenübersicht.csv", "kundenübersicht"),
            ("C:\\exports\\customers.csv", "customers"),
        ] {
            assert_eq!(
                default_name(input),
                PathBuf::from(format!("{name}-results.csv")),
                "{input}"
            );
        }
    }
}
