//! CSV: options → layout of a file → its rows.
//!
//! Duty: everything between a file's bytes and string columns. Guarantee: each record is a row or a bad row, with the
//! physical line on which it starts. Must not know: other formats, other files of the dataset.

mod decode;
mod plain;
mod quotes;
mod records;
mod rows;
mod sniff;
mod window;

pub(super) use decode::Packing;
pub(super) use rows::Rows;

use super::error::{Place, SourceError, SourceErrorKind, suggestion};
use super::spec::{CsvOptions, Header};
use super::stretch::Limits;
use encoding_rs::{Encoding, REPLACEMENT, UTF_8};
use records::{Outcome, Records};
use std::fs::File;
use window::Window;

/// Labels to suggest for a misspelt one.
const LABELS: [&str; 14] = [
    "utf-8",
    "utf-16le",
    "utf-16be",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "iso-8859-1",
    "iso-8859-15",
    "macintosh",
    "shift_jis",
    "gb18030",
    "euc-kr",
];

/// The options, checked.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    delimiter: Option<u8>,
    encoding: &'static Encoding,
    names: Option<Vec<String>>,
    max_record: usize,
    short: Short,
}

/// What a record with fewer cells than the header is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Short {
    /// A bad row.
    Bad,
    /// A row whose last cells are empty: spreadsheets leave out delimiters behind the last filled cell.
    Padded,
}

impl Settings {
    /// The same, for files that a spreadsheet may have saved.
    pub(super) fn short(self, short: Short) -> Self {
        Self { short, ..self }
    }

    /// Checks the options; all their faults at once.
    pub(super) fn new(options: &CsvOptions) -> Result<Self, Vec<SourceError>> {
        let mut faults = Vec::new();
        let encoding = match options.encoding.as_deref() {
            None => UTF_8,
            Some(label) => Encoding::for_label(label.as_bytes())
                .filter(|encoding| *encoding != REPLACEMENT)
                .unwrap_or_else(|| {
                    faults.push(unknown_encoding(label));
                    UTF_8
                }),
        };
        if let Some(byte) = options.delimiter
            && (!byte.is_ascii() || b"\"\r\n\0".contains(&byte))
        {
            faults.push(SourceError::new(
                SourceErrorKind::Option,
                format!("'{}' cannot be a delimiter", byte.escape_ascii()),
                "use one ASCII character that is neither a quote nor a line break",
            ));
        }
        let names = match &options.header {
            Header::FromFile => None,
            Header::Names(names) => {
                faults.extend(name_faults(names, "the given header"));
                Some(names.clone())
            }
        };
        if faults.is_empty() {
            let (delimiter, max_record) = (options.delimiter, options.max_record.max(1));
            Ok(Self {
                delimiter,
                encoding,
                names,
                max_record,
                short: Short::Bad,
            })
        } else {
            Err(faults)
        }
    }
}

/// How one file is written, as its first lines show.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    packing: Packing,
    encoding: &'static Encoding,
    delimiter: u8,
    has_header: bool,
    max_record: usize,
    short: Short,
    columns: Vec<String>,
}

impl Layout {
    /// Reads a file's first lines; all faults of its header at once, without the file's name.
    pub(super) fn inspect(
        file: File,
        packing: Packing,
        settings: &Settings,
    ) -> Result<Self, Vec<SourceError>> {
        let (input, encoding) = decode::open(file, packing, settings.encoding)
            .map_err(|error| vec![unreadable(error)])?;
        let mut window = Window::new(input);
        window
            .peek(sniff::SAMPLE)
            .map_err(|error| vec![unreadable(error)])?;
        let sample = &window.bytes()[..window.bytes().len().min(sniff::SAMPLE)];
        if let Some(fault) = binary(sample, packing) {
            return Err(vec![fault]);
        }
        let width = settings.names.as_ref().map(Vec::len);
        let delimiter = settings
            .delimiter
            .unwrap_or_else(|| sniff::delimiter(sample, window.ended(), width));
        let mut layout = Self {
            packing,
            encoding,
            delimiter,
            has_header: settings.names.is_none(),
            max_record: settings.max_record,
            short: settings.short,
            columns: Vec::new(),
        };
        layout.columns = match &settings.names {
            Some(names) => names.clone(),
            None => layout.header(&mut Records::new(window, delimiter, settings.max_record))?,
        };
        Ok(layout)
    }

    /// The names of the columns.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows of the file, with the columns at these positions; `name` is the file's for messages.
    pub(super) fn rows(
        &self,
        file: File,
        name: &str,
        wanted: &[usize],
        limits: Limits,
    ) -> Result<Rows, SourceError> {
        let (input, _) = decode::open(file, self.packing, self.encoding)
            .map_err(|error| unreadable(error).in_file(name))?;
        let mut records = Records::new(Window::new(input), self.delimiter, self.max_record);
        if self.has_header {
            records
                .next()
                .map_err(|error| rows::failure(error, name, self.max_record))?;
        }
        records.expect(self.columns.len());
        Ok(Rows {
            records,
            file: name.to_owned(),
            encoding: self.encoding,
            width: self.columns.len(),
            short: self.short,
            max_record: self.max_record,
            wanted: wanted
                .iter()
                .map(|&index| (index, self.columns[index].clone()))
                .collect(),
            limits,
            failed: None,
        })
    }

    /// The names in the first record.
    fn header(&self, records: &mut Records) -> Result<Vec<String>, Vec<SourceError>> {
        let fault =
            |what: String, cure: &str| SourceError::new(SourceErrorKind::Header, what, cure);
        let record = match records.next() {
            Ok(Some(record)) => record,
            Ok(None) => {
                return Err(vec![fault(
                    "the file is empty: it has no header".to_owned(),
                    "export it again, take it out of the inputs, or give the columns' names (--csv-columns)",
                )]);
            }
            Err(error) => {
                return Err(vec![
                    rows::failure(error, "", self.max_record).without_file(),
                ]);
            }
        };
        let place = Place::Line(record.line);
        if record.outcome == Outcome::Unclosed {
            return Err(vec![
                fault(
                    "a quote in the header is never closed".to_owned(),
                    "close it",
                )
                .at(place),
            ]);
        }
        let Ok(text) = record.text() else {
            let what = rows::misencoded(record.raw, self.encoding);
            let cure = "save the file as UTF-8, or name its encoding (--csv-encoding, or encoding = \"windows-1252\")";
            return Err(vec![fault(format!("the header is {what}"), cure).at(place)]);
        };
        // a delimiter cannot be inside a character of text that is valid as a whole, but cells may touch to one
        let cells = record.spans().iter();
        let names = cells.map(|cell| text.get(cell.clone()).unwrap_or_default().to_owned());
        let names: Vec<_> = names.collect();
        let faults: Vec<_> = name_faults(&names, "the header")
            .into_iter()
            .map(|fault| fault.at(place))
            .collect();
        if faults.is_empty() {
            Ok(names)
        } else {
            Err(faults)
        }
    }
}

/// The faults of a list of column names: none at all, empty ones, repeated ones.
pub(super) fn name_faults(names: &[String], owner: &str) -> Vec<SourceError> {
    let fault = |what: String, cure: &str| SourceError::new(SourceErrorKind::Header, what, cure);
    let mut faults = Vec::new();
    if names.is_empty() {
        faults.push(fault(
            format!("{owner} names no column"),
            "name at least one column",
        ));
    }
    let mut places: Vec<(&str, Vec<usize>)> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for (index, name) in names.iter().map(|name| name.trim()).enumerate() {
        let at = *known.entry(name).or_insert_with(|| {
            places.push((name, Vec::new()));
            places.len() - 1
        });
        places[at].1.push(index + 1);
    }
    for (name, positions) in places {
        if name.is_empty() {
            let what = format!("{owner} has no name for {}", positions_text(&positions));
            faults.push(fault(
                what,
                "name every column, or remove the surplus delimiters",
            ));
        } else if positions.len() > 1 {
            let what = format!(
                "{owner} names \"{name}\" twice: {}",
                positions_text(&positions)
            );
            faults.push(fault(what, "rename or remove all but one"));
        }
    }
    faults
}

/// `column 3`, `columns 3 and 5`, `columns 1, 2, 3, 4, 5 and 7 more`.
fn positions_text(positions: &[usize]) -> String {
    const SHOWN: usize = 5;
    let joined = |some: &[usize]| {
        some.iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match positions {
        [one] => format!("column {one}"),
        [head @ .., last] if positions.len() <= SHOWN => {
            format!("columns {} and {last}", joined(head))
        }
        _ => format!(
            "columns {} and {} more",
            joined(&positions[..SHOWN]),
            positions.len() - SHOWN
        ),
    }
}

/// Why these first bytes are no text in the encoding they were read in.
fn binary(sample: &[u8], packing: Packing) -> Option<SourceError> {
    let fault =
        |what: &str, cure: &str| Some(SourceError::new(SourceErrorKind::Format, what, cure));
    if packing != Packing::Plain
        && [&b"PAR1"[..], b"ARROW1\0\0", b"\xFF\xFF\xFF\xFF"]
            .iter()
            .any(|magic| sample.starts_with(magic))
    {
        return fault(
            "the file is compressed, and what is inside is not CSV",
            "unpack it first: Parquet and Arrow files are compressed from within",
        );
    }
    let line = &sample[..window::line_break(sample).unwrap_or(sample.len())];
    let nul = line.iter().position(|byte| *byte == 0)?;
    // Latin text in UTF-16 is every second byte zero
    if nul < 2 && line.len() > 1 && line.iter().skip(nul).step_by(2).all(|byte| *byte == 0) {
        let label = if nul == 0 { "utf-16be" } else { "utf-16le" };
        return fault(
            "the header holds NUL bytes; it looks like UTF-16 without a byte-order mark",
            &format!("name the encoding (encoding = \"{label}\"), or save the file as UTF-8"),
        );
    }
    fault(
        "the header holds NUL bytes; this is not a text file",
        "name a CSV, Parquet or Arrow file",
    )
}

fn unreadable(error: std::io::Error) -> SourceError {
    SourceError::new(
        SourceErrorKind::Io,
        "the file cannot be read",
        "check its permissions, and that it is complete",
    )
    .caused_by(error)
}

fn unknown_encoding(label: &str) -> SourceError {
    let hint = suggestion(label, LABELS);
    SourceError::new(
        SourceErrorKind::Option,
        format!("no encoding is called \"{label}\"{hint}"),
        "use a label of the Encoding Standard, such as utf-8, utf-16le or windows-1252",
    )
}
