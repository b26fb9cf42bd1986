//! Datasets made in a folder and read back whole.

mod columnar;
mod csv;
mod dataset;
mod kept;
mod properties;

use super::chunk::RowChunk;
use super::{ChunkRequest, CsvOptions, Dataset, SourceError, SourceErrors, SourceSpec};
use polars::prelude::AnyValue;
use std::path::Path;
use tempfile::TempDir;

/// A folder to read from.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with one file.
    fn with(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let folder = Self::new();
        folder.write(name, bytes);
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn spec(&self, inputs: &[&str]) -> SourceSpec {
        SourceSpec {
            inputs: inputs.iter().map(ToString::to_string).collect(),
            base: self.path().to_owned(),
            format: None,
            csv: CsvOptions::default(),
            spool: self.path().join("spool"),
        }
    }

    fn open(&self, inputs: &[&str]) -> Result<Dataset, SourceErrors> {
        Dataset::open(&self.spec(inputs))
    }

    /// The words of every fault that opening these inputs finds.
    fn faults(&self, inputs: &[&str]) -> String {
        self.open(inputs).unwrap_err().to_string()
    }
}

/// All that a dataset gives: rows as text and bad records, in the order of their numbers, and the error at the end.
#[derive(Debug, Default)]
struct Read {
    rows: Vec<String>,
    error: Option<SourceError>,
    chunks: usize,
}

fn read(dataset: &Dataset, request: &ChunkRequest) -> Read {
    let mut all = Read::default();
    for chunk in dataset.chunks(request) {
        match chunk {
            Ok(chunk) => {
                all.chunks += 1;
                all.rows.extend(rows(&chunk));
            }
            Err(error) => all.error = Some(error),
        }
    }
    all
}

fn read_all(dataset: &Dataset) -> Vec<String> {
    let all = read(dataset, &ChunkRequest::default());
    assert!(all.error.is_none(), "{:?}", all.error);
    all.rows
}

/// The chunk's records: `row@line: cell | cell`, or `row@line! CODE message`.
fn rows(chunk: &RowChunk) -> Vec<String> {
    assert_eq!(chunk.frame.height(), chunk.ids.len());
    let at = |line: Option<u64>| line.map_or_else(String::new, |line| format!("@{line}"));
    let good = chunk.ids.iter().enumerate().map(|(index, id)| {
        let cells = chunk
            .frame
            .columns()
            .iter()
            .map(|column| cell(&column.get(index).unwrap()));
        let cells = cells.collect::<Vec<_>>().join(" | ");
        (*id, format!("{}{}: {cells}", id.0, at(chunk.line(index))))
    });
    let bad = chunk.bad.iter().map(|bad| {
        let text = format!(
            "{}{}! {} {}",
            bad.row.0,
            at(bad.line),
            bad.code.name(),
            bad.message
        );
        (bad.row, text)
    });
    let mut all: Vec<_> = good.chain(bad).collect();
    all.sort();
    all.into_iter().map(|(_, text)| text).collect()
}

fn cell(value: &AnyValue<'_>) -> String {
    match value {
        AnyValue::Null => "∅".to_owned(),
        AnyValue::String(text) => (*text).to_owned(),
        AnyValue::StringOwned(text) => text.to_string(),
        AnyValue::List(items) => {
            let items = items.iter().map(|item| cell(&item)).collect::<Vec<_>>();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}
