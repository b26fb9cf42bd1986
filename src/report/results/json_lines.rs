//! Results as JSON lines: one object a row, its members in column order, `null` where there is no value.

use super::columns::{COLUMNS, Take, source_cells, source_names};
use super::writer::Encode;
use super::{ResultRow, ResultsHeader};
use crate::report::figures::Timestamps;
use serde::Serializer as _;
use serde::ser::SerializeMap as _;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};

/// Writes JSON lines.
pub(super) struct JsonLines {
    writer: BufWriter<File>,
    source_names: Vec<String>,
    /// The line at hand, kept for its capacity.
    line: Vec<u8>,
    times: Timestamps,
}

impl JsonLines {
    /// Starts an empty file.
    pub(super) fn new(file: File, header: &ResultsHeader) -> Self {
        Self {
            writer: BufWriter::with_capacity(1 << 16, file),
            source_names: source_names(header).collect(),
            line: Vec::new(),
            times: Timestamps::default(),
        }
    }
}

impl Encode for JsonLines {
    fn write(&mut self, header: &ResultsHeader, row: &ResultRow<'_>) -> io::Result<()> {
        self.line.clear();
        let mut json = serde_json::Serializer::new(&mut self.line);
        let mut object = json.serialize_map(None)?;
        for (name, take) in COLUMNS {
            match take {
                Take::Text(take) => object.serialize_entry(name, &take(header, row)),
                Take::Big(take) => object.serialize_entry(name, &take(row)),
                Take::Small(take) => object.serialize_entry(name, &take(row)),
                Take::Time(take) => object.serialize_entry(name, self.times.of(take(row))),
            }?;
        }
        for (name, cell) in self.source_names.iter().zip(source_cells(header, row)) {
            object.serialize_entry(name, &cell)?;
        }
        object.end()?;
        self.line.push(b'\n');
        self.writer.write_all(&self.line)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.writer.flush()
    }
}
