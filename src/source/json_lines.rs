//! JSON lines as text columns: one object a line, its members by name, in whatever order.
//!
//! Text is unescaped; `null` and a missing member are null; numbers, booleans and lists stay as they are written.

use super::error::{Place, SourceError, SourceErrorKind, SourceErrors};
use super::texts::{At, TextChunk};
use polars::prelude::StringChunkedBuilder;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The largest line.
const MAX_LINE: u64 = 64 << 20;
/// Records of a chunk.
const CHUNK_ROWS: usize = 8_192;
/// Text of a chunk, in bytes, beyond which it ends early.
const CHUNK_BYTES: usize = 8 << 20;
/// A byte-order mark in UTF-8.
const MARK: &str = "\u{feff}";

/// The members of a line's object, as they are written.
type Object<'a> = HashMap<String, &'a RawValue>;

/// The names that a file's objects use.
#[derive(Debug)]
pub(super) struct Layout {
    path: PathBuf,
    columns: Vec<String>,
}

impl Layout {
    /// Reads the whole file once: a name may turn up on the last line.
    pub(super) fn inspect(path: &Path) -> Result<Self, SourceErrors> {
        let mut columns: Vec<String> = Vec::new();
        let mut lines = Reader::new(path);
        while let Some((text, at)) = lines.next()? {
            let object = parse(&text).map_err(|error| lines.fault(at, error))?;
            let mut names: Vec<_> = object
                .keys()
                .filter(|name| !columns.contains(name))
                .cloned()
                .collect();
            // an object's members are held in no order
            names.sort();
            columns.extend(names);
        }
        if columns.is_empty() {
            let (what, cure) = ("the file is empty", "name a results file");
            let fault = SourceError::new(SourceErrorKind::Header, what, cure);
            return Err(fault.in_file(path.display().to_string()).into());
        }
        Ok(Self {
            path: path.to_owned(),
            columns,
        })
    }

    /// The names, each once.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Reads the file from its start, with the members of these names.
    pub(super) fn read(&self, wanted: Vec<String>) -> Lines {
        Lines {
            reader: Reader::new(&self.path),
            wanted,
            ended: false,
        }
    }
}

/// The records of a file, chunk by chunk.
pub(super) struct Lines {
    reader: Reader,
    wanted: Vec<String>,
    ended: bool,
}

impl Lines {
    /// The next chunk; `None` at the end.
    pub(super) fn next(&mut self) -> Option<Result<TextChunk, SourceError>> {
        if self.ended {
            return None;
        }
        let chunk = self.chunk().transpose();
        self.ended = !matches!(chunk, Some(Ok(_)));
        chunk
    }

    fn chunk(&mut self) -> Result<Option<TextChunk>, SourceError> {
        let names = self.wanted.iter();
        let mut columns: Vec<_> = names
            .map(|name| StringChunkedBuilder::new(name.as_str().into(), 0))
            .collect();
        let mut places = Vec::new();
        let mut bytes = 0;
        while places.len() < CHUNK_ROWS && bytes < CHUNK_BYTES {
            let Some((text, line)) = self.reader.next()? else {
                break;
            };
            bytes += text.len();
            let object = parse(&text).map_err(|error| self.reader.fault(line, error))?;
            for (name, column) in self.wanted.iter().zip(&mut columns) {
                let cell = object.get(name).map(|value| cell(value)).transpose();
                let cell = cell
                    .map_err(|error| self.reader.fault(line, error))?
                    .flatten();
                column.append_option(cell);
            }
            places.push(At::Line(line));
        }
        Ok((!places.is_empty()).then(|| TextChunk {
            places,
            bad: Vec::new(),
            columns: columns
                .into_iter()
                .map(StringChunkedBuilder::finish)
                .collect(),
        }))
    }
}

fn parse(text: &str) -> serde_json::Result<Object<'_>> {
    serde_json::from_str(text)
}

/// A value as a cell.
fn cell(value: &RawValue) -> serde_json::Result<Option<Cow<'_, str>>> {
    match value.get() {
        "null" => Ok(None),
        text if text.starts_with('"') => {
            serde_json::from_str::<String>(text).map(|text| Some(text.into()))
        }
        other => Ok(Some(other.into())),
    }
}

/// The lines of a file that are not blank, and their numbers.
struct Reader {
    path: PathBuf,
    input: Option<BufReader<File>>,
    line: u64,
}

impl Reader {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            input: None,
            line: 0,
        }
    }

    fn next(&mut self) -> Result<Option<(String, u64)>, SourceError> {
        loop {
            let Some(text) = self.line()? else {
                return Ok(None);
            };
            self.line += 1;
            if text.len() as u64 > MAX_LINE {
                let (what, cure) = ("the line is longer than 64 MiB", "name a results file");
                return Err(self.error(SourceErrorKind::RecordTooLarge, what, cure));
            }
            let Ok(mut text) = String::from_utf8(text) else {
                let (what, cure) = ("this is not UTF-8", "save the file as UTF-8");
                return Err(self.error(SourceErrorKind::Format, what, cure));
            };
            if self.line == 1 && text.starts_with(MARK) {
                text.drain(..MARK.len());
            }
            text.truncate(text.trim_end().len());
            if !text.is_empty() {
                return Ok(Some((text, self.line)));
            }
        }
    }

    /// The bytes of the next line; a part of one that is too long.
    fn line(&mut self) -> Result<Option<Vec<u8>>, SourceError> {
        let mut text = Vec::new();
        let input = match &mut self.input {
            Some(input) => Ok(input),
            none => File::open(&self.path).map(|file| none.insert(BufReader::new(file))),
        };
        let read = input.and_then(|input| input.take(MAX_LINE + 1).read_until(b'\n', &mut text));
        match read {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(text)),
            Err(error) => {
                let (what, cure) = (
                    "the file cannot be read",
                    "check its permissions and its disk",
                );
                Err(self.error(SourceErrorKind::Io, what, cure).caused_by(error))
            }
        }
    }

    /// The fault of a line that is no object.
    fn fault(&self, line: u64, error: serde_json::Error) -> SourceError {
        let (what, cure) = ("this is not a JSON object", "write one object on each line");
        SourceError::new(SourceErrorKind::Format, what, cure)
            .in_file(self.path.display().to_string())
            .at(Place::Line(line))
            .caused_by(error)
    }

    fn error(&self, kind: SourceErrorKind, what: &str, cure: &str) -> SourceError {
        SourceError::new(kind, what, cure)
            .in_file(self.path.display().to_string())
            .at(Place::Line(self.line))
    }
}
