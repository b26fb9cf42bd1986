//! Results as CSV: a header row, `,` between cells, quotes where they are needed, `\n` at line ends.

use super::columns::{COLUMNS, Take, source_cells, source_names};
use super::writer::Encode;
use super::{ResultRow, ResultsHeader};
use crate::report::figures::Timestamps;
use std::fmt::{Display, Write as _};
use std::fs::File;
use std::io;

/// Writes CSV.
pub(super) struct CsvFile {
    writer: csv::Writer<File>,
    /// The digits of the number at hand, kept for its capacity.
    digits: String,
    times: Timestamps,
}

impl CsvFile {
    /// Starts with the header row.
    pub(super) fn new(file: File, header: &ResultsHeader) -> io::Result<Self> {
        let mut writer = csv::WriterBuilder::new()
            .buffer_capacity(1 << 16)
            .from_writer(file);
        for (name, _) in COLUMNS {
            writer.write_field(name)?;
        }
        for name in source_names(header) {
            writer.write_field(name)?;
        }
        end_record(&mut writer)?;
        Ok(Self {
            writer,
            digits: String::new(),
            times: Timestamps::default(),
        })
    }

    fn number(&mut self, number: impl Display) -> csv::Result<()> {
        self.digits.clear();
        // writing to a string cannot fail
        let _ = write!(self.digits, "{number}");
        self.writer.write_field(&self.digits)
    }
}

impl Encode for CsvFile {
    fn write(&mut self, header: &ResultsHeader, row: &ResultRow<'_>) -> io::Result<()> {
        for (_, take) in COLUMNS {
            match take {
                Take::Text(take) => self
                    .writer
                    .write_field(&*take(header, row).unwrap_or_default()),
                Take::Big(take) => match take(row) {
                    Some(number) => self.number(number),
                    None => self.writer.write_field(""),
                },
                Take::Small(take) => self.number(take(row)),
                Take::Time(take) => self.writer.write_field(self.times.of(take(row))),
            }?;
        }
        for cell in source_cells(header, row) {
            self.writer.write_field(cell.unwrap_or_default())?;
        }
        end_record(&mut self.writer)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.writer.flush()
    }
}

fn end_record(writer: &mut csv::Writer<File>) -> io::Result<()> {
    Ok(writer.write_record(None::<&[u8]>)?)
}
