//! A table that people may have edited, as text: CSV, Parquet, Arrow or JSON lines, with the place of each record.

use super::chunk::{self, RowChunk};
use super::csv::Short;
use super::error::{SourceError, SourceErrorKind, SourceErrors};
use super::spec::{ChunkRequest, CsvOptions, SourceSpec};
use super::{Chunks, Dataset, json_lines};
use polars::prelude::StringChunked;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::path::Path;

/// The largest CSV record: that of a source may have been 16 MiB before columns were added.
const MAX_RECORD: usize = 64 << 20;

/// Where a record stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum At {
    /// The physical line, from 1, on which it starts.
    Line(u64),
    /// Its position, from 1, in a format without lines.
    Record(u64),
}

impl At {
    /// The word and the number apart, for lists: `lines 4, 7`.
    #[must_use]
    pub fn parts(self) -> (&'static str, u64) {
        match self {
            Self::Line(line) => ("line", line),
            Self::Record(record) => ("record", record),
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, number) = self.parts();
        write!(f, "{word} {number}")
    }
}

/// A file whose cells are read as text, as often as needed.
///
/// Typed columns are rendered as [`chunk::render`] does. A CSV record with fewer cells than the header has empty cells at
/// its end: spreadsheets leave those out.
#[derive(Debug)]
pub struct TextTable {
    columns: Vec<String>,
    input: Input,
}

#[derive(Debug)]
enum Input {
    Dataset(Dataset),
    JsonLines(json_lines::Layout),
}

impl TextTable {
    /// Opens a file; one whose name ends in `.jsonl` or `.ndjson` is read as JSON lines, any other by its content.
    /// `encoding` is the label of a CSV file's encoding, where it is not UTF-8.
    ///
    /// # Errors
    /// When it is not there, is no file, or its header or footer cannot be read.
    pub fn open(path: &Path, encoding: Option<&str>) -> Result<Self, SourceErrors> {
        let name = path.display().to_string();
        let metadata = std::fs::metadata(path).map_err(|error| cannot_open(&name, error))?;
        if !metadata.is_file() {
            let (what, cure) = ("this is not a file", "name a results file");
            return Err(SourceError::new(SourceErrorKind::Io, what, cure)
                .in_file(&name)
                .into());
        }
        let ending = path.extension().and_then(|ending| ending.to_str());
        if ending.is_some_and(|ending| {
            ["jsonl", "ndjson"]
                .iter()
                .any(|json| json.eq_ignore_ascii_case(ending))
        }) {
            let layout = json_lines::Layout::inspect(path)?;
            return Ok(Self {
                columns: layout.columns().to_vec(),
                input: Input::JsonLines(layout),
            });
        }
        let spec = SourceSpec {
            inputs: vec![name],
            base: Path::new("").to_owned(),
            format: None,
            csv: CsvOptions {
                encoding: encoding.map(str::to_owned),
                max_record: MAX_RECORD,
                ..CsvOptions::default()
            },
            // a file is not spooled
            spool: Path::new("").to_owned(),
        };
        let dataset = Dataset::open_with(&spec, Short::Padded, &mut io::empty())?;
        let columns = dataset.schema().columns().iter();
        Ok(Self {
            columns: columns.map(|(name, _)| name.clone()).collect(),
            input: Input::Dataset(dataset),
        })
    }

    /// The names of its columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Reads it from the start, with the columns at these positions.
    #[must_use]
    pub fn read(&self, wanted: &[usize]) -> Texts {
        let wanted: Vec<_> = wanted
            .iter()
            .map(|&index| self.columns[index].clone())
            .collect();
        Texts(match &self.input {
            Input::Dataset(dataset) => Reader::Chunks(Box::new(dataset.chunks(&ChunkRequest {
                columns: Some(wanted),
                ..ChunkRequest::default()
            }))),
            Input::JsonLines(layout) => Reader::JsonLines(layout.read(wanted)),
        })
    }
}

fn cannot_open(name: &str, error: io::Error) -> SourceError {
    let (kind, what, cure) = match error.kind() {
        io::ErrorKind::NotFound => (
            SourceErrorKind::NotFound,
            "there is no such file",
            "check its name and the current folder",
        ),
        _ => (
            SourceErrorKind::Io,
            "the file cannot be opened",
            "check its permissions",
        ),
    };
    SourceError::new(kind, what, cure)
        .in_file(name)
        .caused_by(error)
}

/// The records of a [`TextTable`], some thousand at a time. Ends after an error.
pub struct Texts(Reader);

enum Reader {
    Chunks(Box<Chunks>),
    JsonLines(json_lines::Lines),
}

impl Iterator for Texts {
    type Item = Result<TextChunk, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Reader::Chunks(chunks) => Some(chunks.next()?.map(TextChunk::from)),
            Reader::JsonLines(lines) => lines.next(),
        }
    }
}

/// Some thousand records as text.
#[derive(Debug)]
pub struct TextChunk {
    /// Where each record stands.
    pub places: Vec<At>,
    /// Records that could not be read, and what is wrong with them.
    pub bad: Vec<(At, String)>,
    pub(super) columns: Vec<StringChunked>,
}

impl TextChunk {
    /// A cell: of the record at this position of [`places`](Self::places), in the column at this position of those asked for.
    #[must_use]
    pub fn cell(&self, record: usize, column: usize) -> Option<&str> {
        self.columns.get(column)?.get(record)
    }
}

impl From<RowChunk> for TextChunk {
    fn from(chunk: RowChunk) -> Self {
        let at = |line: Option<u64>, record: u64| line.map_or(At::Record(record), At::Line);
        let ids = chunk.ids.iter().enumerate();
        Self {
            places: ids.map(|(index, id)| at(chunk.line(index), id.0)).collect(),
            bad: chunk
                .bad
                .iter()
                .map(|bad| (at(bad.line, bad.row.0), bad.message.clone()))
                .collect(),
            columns: chunk.frame.columns().iter().map(chunk::render).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use tempfile::TempDir;

    fn file(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    /// All records as `place: cell | cell`, nulls as `∅`.
    fn read(path: &Path, wanted: &[usize]) -> Vec<String> {
        let table = TextTable::open(path, None).unwrap();
        let mut all = Vec::new();
        for chunk in table.read(wanted) {
            let chunk = chunk.unwrap();
            for (index, at) in chunk.places.iter().enumerate() {
                let cells =
                    (0..wanted.len()).map(|column| chunk.cell(index, column).unwrap_or("∅"));
                all.push(format!("{at}: {}", cells.collect::<Vec<_>>().join(" | ")));
            }
            all.extend(chunk.bad.iter().map(|(at, what)| format!("{at}! {what}")));
        }
        all
    }

    fn refused(path: &Path) -> String {
        let folder = path.parent().unwrap().display().to_string();
        let error = TextTable::open(path, None).unwrap_err();
        error.to_string().replace(&folder, "…")
    }

    #[test]
    fn short_records_are_filled_up_and_long_ones_are_bad() {
        let (_folder, path) = file("a.csv", "a;b;c\n1;2;3\n4\n;5\n;;\n6;7;8;9\n");
        let table = TextTable::open(&path, None).unwrap();
        assert_eq!(table.columns(), ["a", "b", "c"]);
        insta::assert_snapshot!(read(&path, &[2, 0, 1]).join("\n"), @"
        line 2: 3 | 1 | 2
        line 3: ∅ | 4 | ∅
        line 4: ∅ | ∅ | 5
        line 5: ∅ | ∅ | ∅
        line 6! 4 fields; the header has 3
        ");
    }

    #[test]
    fn json_lines_are_read_by_their_names_whatever_their_order() {
        let text = "\u{feff}{\"a\":\"x\",\"b\":null}\r\n\n{\"c\":[\"p\",null],\"a\":12345678901234567890123}\n{\"b\":true}";
        let (_folder, path) = file("a.JSONL", text);
        let table = TextTable::open(&path, None).unwrap();
        assert_eq!(table.columns(), ["a", "b", "c"]);
        insta::assert_snapshot!(read(&path, &[0, 1, 2]).join("\n"), @r#"
        line 1: x | ∅ | ∅
        line 3: 12345678901234567890123 | ∅ | ["p",null]
        line 4: ∅ | true | ∅
        "#);
    }

    #[test]
    fn faults_name_file_line_and_cure() {
        let (_folder, path) = file("a.jsonl", "{\"a\":1}\n{\"a\":\n");
        insta::assert_snapshot!(refused(&path), @"…/a.jsonl, line 2: this is not a JSON object; write one object on each line (EOF while parsing a value at line 1 column 5)");
        let (_folder, path) = file("a.jsonl", b"{\"a\":\"\xff\"}\n");
        insta::assert_snapshot!(refused(&path), @"…/a.jsonl, line 1: this is not UTF-8; save the file as UTF-8");
        let (_folder, path) = file("a.jsonl", "\n");
        insta::assert_snapshot!(refused(&path), @"…/a.jsonl: the file is empty; name a results file");
        let (folder, path) = file("a.xlsx", b"PK\x03\x04rest");
        insta::assert_snapshot!(refused(&path), @"…/a.xlsx: this is not a CSV file: it is a ZIP archive, as Excel workbooks are; unpack it, or save the workbook as CSV UTF-8");
        insta::assert_snapshot!(refused(&folder.path().join("b.csv")), @"…/b.csv: there is no such file; check its name and the current folder (No such file or directory (os error 2))");
        let error = TextTable::open(folder.path(), None)
            .unwrap_err()
            .to_string();
        let error = error.replace(&folder.path().display().to_string(), "…");
        insta::assert_snapshot!(error, @"…: this is not a file; name a results file");
    }
}
