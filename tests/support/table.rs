//! Results files, of every format, as rows of text.

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, SecondsFormat};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// The columns that differ from run to run.
const VOLATILE: [&str; 8] = [
    "run",
    "source",
    "line",
    "remote_id",
    "batch",
    "task_id",
    "trace_id",
    "finished_at",
];

/// A table of text; what has no value is empty text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// Reads a file by its extension.
    pub(crate) fn read(path: &Path) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let open =
            || File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        match extension {
            Some("csv") => read_csv(csv::Reader::from_reader(open())),
            Some("parquet") => {
                use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
                let builder = ParquetRecordBatchReaderBuilder::try_new(open()).expect("Parquet");
                read_batches(
                    builder
                        .build()
                        .expect("Parquet")
                        .map(|b| b.expect("a batch")),
                )
            }
            Some("arrow") => {
                let reader = arrow::ipc::reader::FileReader::try_new(open(), None).expect("Arrow");
                read_batches(reader.map(|batch| batch.expect("a batch")))
            }
            Some("jsonl") => read_json_lines(&std::fs::read_to_string(path).expect("UTF-8")),
            other => panic!("no reader for {other:?}"),
        }
    }

    fn position(&self, column: &str) -> usize {
        let position = self.columns.iter().position(|name| name == column);
        position.unwrap_or_else(|| panic!("no column {column} in {:?}", self.columns))
    }

    /// The cells of a column.
    pub(crate) fn column(&self, column: &str) -> Vec<&str> {
        let position = self.position(column);
        self.rows.iter().map(|row| row[position].as_str()).collect()
    }

    /// These columns alone.
    pub(crate) fn select(&self, columns: &[&str]) -> Self {
        let positions: Vec<_> = columns.iter().map(|name| self.position(name)).collect();
        let pick = |row: &Vec<String>| positions.iter().map(|at| row[*at].clone()).collect();
        Self {
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            rows: self.rows.iter().map(pick).collect(),
        }
    }

    /// Without what differs from run to run.
    pub(crate) fn steady(&self) -> Self {
        let kept = self.columns.iter().map(String::as_str);
        let kept: Vec<_> = kept.filter(|name| !VOLATILE.contains(name)).collect();
        self.select(&kept)
    }

    /// Rows by status.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for status in self.column("status") {
            *counts.entry(status.to_owned()).or_default() += 1;
        }
        counts
    }

    /// Checks that there is one row for each of `rows` source rows, in order.
    #[track_caller]
    pub(crate) fn expect_rows(&self, rows: usize) -> &Self {
        let numbers: Vec<_> = (1..=rows).map(|row| row.to_string()).collect();
        assert_eq!(self.column("row"), numbers);
        self
    }

    /// Line, key, status and reasons of each row, one on a line, for snapshots.
    pub(crate) fn told(&self) -> String {
        let columns = ["row", "line", "key", "status", "code", "field", "message"];
        let mut text = String::new();
        for row in &self.select(&columns).rows {
            text.push_str(row.join(" | ").trim_end_matches([' ', '|']));
            text.push('\n');
        }
        text
    }
}

/// Reads CSV; every record must have all fields.
pub(crate) fn read_csv<R: std::io::Read>(mut reader: csv::Reader<R>) -> Table {
    let texts = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
    let columns = texts(reader.headers().expect("a header"));
    let rows = reader
        .records()
        .map(|record| texts(&record.expect("a record")));
    Table {
        columns,
        rows: rows.collect(),
    }
}

fn read_batches(batches: impl Iterator<Item = RecordBatch>) -> Table {
    let (mut columns, mut rows) = (Vec::new(), Vec::new());
    for batch in batches {
        let schema = batch.schema();
        let names = schema.fields().iter().map(|field| field.name().clone());
        columns = names.collect();
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| cell(column, row));
            rows.push(cells.collect());
        }
    }
    Table { columns, rows }
}

fn cell(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return String::new();
    }
    match column.data_type() {
        DataType::Timestamp(TimeUnit::Millisecond, Some(zone)) if &**zone == "UTC" => {
            let millis = column.as_primitive::<TimestampMillisecondType>().value(row);
            let time = DateTime::from_timestamp_millis(millis).expect("a time");
            time.to_rfc3339_opts(SecondsFormat::Millis, true)
        }
        _ => array_value_to_string(column, row).expect("a value"),
    }
}

fn read_json_lines(text: &str) -> Table {
    use serde_json::{Map, Value};
    let mut table = Table {
        columns: Vec::new(),
        rows: Vec::new(),
    };
    for line in text.lines() {
        let object: Map<String, Value> = serde_json::from_str(line).expect("a JSON object");
        let cells = object.values().map(|value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        table.rows.push(cells.collect());
        table.columns = object.keys().cloned().collect();
    }
    table
}
