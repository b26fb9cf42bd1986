//! Records → rows: string columns, and a bad row for each record that is not one.

use super::Short;
use super::decode::byte_behind;
use super::records::{Outcome, Record, Records, RecordsError};
use crate::model::code::Code;
use crate::model::row::RowId;
use crate::source::chunk::BadRow;
use crate::source::error::{Place, SourceError, SourceErrorKind};
use crate::source::stretch::{Limits, Stretch};
use encoding_rs::Encoding;
use polars::prelude::{IntoColumn, IntoSeries, StringChunkedBuilder};

/// What a held cell costs besides its text: a string view.
const CELL: usize = 16;

/// What a bad row costs: its message, about.
const BAD_ROW: usize = 128;

/// The rows of one CSV file, behind its header.
pub(in crate::source) struct Rows {
    pub(super) records: Records,
    pub(super) file: String,
    pub(super) encoding: &'static Encoding,
    pub(super) width: usize,
    pub(super) short: Short,
    pub(super) max_record: usize,
    /// Position and name of each column to decode.
    pub(super) wanted: Vec<(usize, String)>,
    pub(super) limits: Limits,
    /// What ended the file, while the rows before it are delivered.
    pub(super) failed: Option<SourceError>,
}

impl Rows {
    /// The next rows, numbered from `first`; `None` behind the last.
    pub(in crate::source) fn next(&mut self, first: RowId) -> Result<Option<Stretch>, SourceError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let columns = self.wanted.len();
        let capacity = self
            .limits
            .rows
            .min(self.limits.bytes / (CELL * columns.max(1)) + 1);
        let mut builders: Vec<_> = self
            .wanted
            .iter()
            .map(|(_, name)| StringChunkedBuilder::new(name.as_str().into(), capacity))
            .collect();
        let mut stretch = Stretch::default();
        let mut held = 0;
        let mut seen = 0;
        while seen < self.limits.rows && held < self.limits.bytes {
            let record = match self.records.next() {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(error) => {
                    let error = failure(error, &self.file, self.max_record);
                    if seen == 0 {
                        return Err(error);
                    }
                    self.failed = Some(error);
                    break;
                }
            };
            let row = first.plus(seen as u64);
            seen += 1;
            match check(&record, self.width, self.short, self.encoding) {
                Ok(text) => {
                    stretch.ids.push(row);
                    stretch.lines.push(record.line);
                    held += CELL * columns;
                    let cells = record.spans();
                    for (builder, (position, _)) in builders.iter_mut().zip(&self.wanted) {
                        // a padded record ends early: there is nothing behind its last cell
                        let cell = cells.get(*position).map_or("", |cell| &text[cell.clone()]);
                        match cell {
                            "" => builder.append_null(),
                            cell => {
                                held += cell.len();
                                builder.append_value(cell);
                            }
                        }
                    }
                }
                Err((code, message)) => {
                    held += BAD_ROW;
                    let line = Some(record.line);
                    stretch.bad.push(BadRow {
                        row,
                        line,
                        code,
                        message,
                    });
                }
            }
        }
        if seen == 0 {
            return Ok(None);
        }
        let columns = builders.into_iter();
        stretch.columns = columns
            .map(|column| column.finish().into_series().into_column())
            .collect();
        Ok(Some(stretch))
    }
}

/// The record's cells as text, one behind the other, or why it is no row.
fn check<'a>(
    record: &Record<'a>,
    width: usize,
    short: Short,
    encoding: &'static Encoding,
) -> Result<&'a str, (Code, String)> {
    if record.outcome == Outcome::Unclosed {
        let message = "a quoted cell that starts in this record is never closed";
        return Err((Code::CsvUnclosedQuote, message.to_owned()));
    }
    let padded = short == Short::Padded && record.fields < width;
    if record.fields != width && !padded {
        let code = if record.fields < width {
            Code::CsvTooFewFields
        } else {
            Code::CsvTooManyFields
        };
        return Err((
            code,
            format!("{} fields; the header has {width}", record.fields),
        ));
    }
    match record.text() {
        Ok(text) if record.is_whole(text) => Ok(text),
        _ => Err((Code::EncodingInvalid, misencoded(record.raw, encoding))),
    }
}

/// Says where a record stops being text.
pub(super) fn misencoded(raw: &[u8], encoding: &'static Encoding) -> String {
    let valid = raw.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    format!(
        "not valid {} at byte {} of the record",
        encoding.name(),
        byte_behind(valid, encoding)
    )
}

/// The fault of a file whose records cannot be read on.
pub(super) fn failure(error: RecordsError, file: &str, max_record: usize) -> SourceError {
    match error {
        RecordsError::Io { line, error } => SourceError::new(
            SourceErrorKind::Damaged,
            "the file cannot be read beyond this record",
            "it is damaged or incomplete: copy or export it again",
        )
        .at(Place::Line(line))
        .caused_by(error),
        RecordsError::TooLarge { line } => SourceError::new(
            SourceErrorKind::RecordTooLarge,
            format!(
                "the record that starts here is larger than max_record = {}",
                size(max_record)
            ),
            "close the quote if one is open on this line, or raise max_record",
        )
        .at(Place::Line(line)),
    }
    .in_file(file)
}

/// A number of bytes as settings write it.
fn size(bytes: usize) -> String {
    match bytes {
        _ if bytes > 0 && bytes.is_multiple_of(1 << 20) => format!("{}MiB", bytes >> 20),
        _ if bytes > 0 && bytes.is_multiple_of(1 << 10) => format!("{}KiB", bytes >> 10),
        _ => format!("{bytes} bytes"),
    }
}
