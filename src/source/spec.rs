//! What a caller asks for: inputs, formats, CSV options, columns and chunk sizes.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The inputs of one dataset and how to read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSpec {
    /// Files, globs, directories, or `-` for standard input; read in this order.
    pub inputs: Vec<String>,
    /// The folder that relative inputs start from.
    pub base: PathBuf,
    /// The format of every file; `None`: by content and extension.
    pub format: Option<Format>,
    /// How CSV files are written.
    pub csv: CsvOptions,
    /// The folder where standard input is kept while the dataset lives; created (0700) when missing.
    pub spool: PathBuf,
}

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Text with delimiters, plain, gzip or zstd.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC, file or stream.
    Arrow,
}

impl Format {
    /// The word for it in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no [`Format`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no format is called \"{0}\"; use csv, parquet or arrow")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::Csv, Self::Parquet, Self::Arrow]
            .into_iter()
            .find(|format| format.name() == word)
            .ok_or_else(|| UnknownFormat(word.to_owned()))
    }
}

/// How CSV files are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsvOptions {
    /// The byte between cells; `None`: found from the first lines among `, ; tab |`.
    pub delimiter: Option<u8>,
    /// A label of the Encoding Standard (`windows-1252`); `None`: UTF-8. A byte-order mark wins over it.
    pub encoding: Option<String>,
    /// Where the columns' names come from.
    pub header: Header,
    /// The largest record, in bytes of UTF-8, and so the bound of the look-ahead after an open quote.
    pub max_record: usize,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: None,
            encoding: None,
            header: Header::FromFile,
            max_record: 16 << 20,
        }
    }
}

/// Where the names of a CSV file's columns come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Header {
    /// The first record of each file.
    FromFile,
    /// These; the first record of each file is a row.
    Names(Vec<String>),
}

/// Which columns to read and how much at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkRequest {
    /// The columns to decode, in the order of the frame; `None`: all.
    pub columns: Option<Vec<String>>,
    /// The most records in a chunk, readable or not.
    pub rows: usize,
    /// A chunk ends when its frame holds about this many bytes.
    pub bytes: usize,
}

impl Default for ChunkRequest {
    fn default() -> Self {
        Self {
            columns: None,
            rows: 4096,
            bytes: 8 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_read_by_the_names_they_show() {
        for format in [Format::Csv, Format::Parquet, Format::Arrow] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        let error = "xlsx".parse::<Format>().unwrap_err();
        insta::assert_snapshot!(error, @r#"no format is called "xlsx"; use csv, parquet or arrow"#);
    }
}
