//! The record loop: one record after the other, each with the physical line on which it starts.
//!
//! `csv-core` takes a record apart; this file decides where it starts and ends. Guarantees:
//!
//! * A physical line ends with `\n`, `\r\n` or a lone `\r`, inside quotes too. Blank lines are no records.
//! * A record whose quote is never closed is [`Outcome::Unclosed`]; reading goes on with the line behind its first.
//! * No byte is looked at more than a fixed number of times, whatever the quotes: `csv-core` sees each byte once, and the
//!   scan for the end of a record that spans lines covers a byte twice at most. For when that scan finds a quote open
//!   until place P, it stood *within quotes* at each line start up to P; so any later record that reaches one of those
//!   line starts within quotes is open until P as well, and is known to be without another scan.
//! * The buffer holds one record: never more than `max_record` and some pieces of reading.

use super::quotes::{Scanner, Verdict};
use super::window::{Window, line_break};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use std::io;

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was taken apart.
    Complete,
    /// A quoted cell that starts in it is never closed.
    Unclosed,
}

/// A record, borrowed from the reader's buffers.
#[derive(Debug)]
pub(super) struct Record<'a> {
    /// The physical line on which it starts, from 1.
    pub(super) line: u64,
    /// Whether it is complete. When not, only `line` and `raw` (its first line) mean something.
    pub(super) outcome: Outcome,
    /// Its bytes in the file, without the line break at the end.
    pub(super) raw: &'a [u8],
    /// Its cells, unquoted, one behind the other.
    pub(super) cells: &'a [u8],
    /// Where in `cells` each cell ends; meaningless when there are more fields than [`Records::expect`] allows.
    pub(super) ends: &'a [usize],
    /// How many cells it has.
    pub(super) fields: usize,
}

/// Why no further record can be read.
#[derive(Debug)]
pub(super) enum RecordsError {
    /// The stream broke off while the record that starts on `line` was read.
    Io {
        /// The line.
        line: u64,
        /// What the stream said.
        error: io::Error,
    },
    /// The record that starts on `line` is larger than allowed.
    TooLarge {
        /// The line.
        line: u64,
    },
}

/// The records of one stream of bytes.
pub(super) struct Records {
    window: Window,
    delimiter: u8,
    max_record: usize,
    width: usize,
    line: u64,
    /// The last line ended with `\r`: a `\n` that follows belongs to it.
    behind_cr: bool,
    /// A record that is within quotes at the end of a line before this place is known to be open.
    open_until: u64,
    template: Reader,
    parser: Reader,
    cells: Vec<u8>,
    cells_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
    fields: usize,
}

impl Records {
    /// Reads `window` from where it stands, line 1.
    pub(super) fn new(window: Window, delimiter: u8, max_record: usize) -> Self {
        let mut template = ReaderBuilder::new().delimiter(delimiter).build();
        // a parser that has read nothing strips a byte-order mark; that is not its business here
        let _ = template.read_record(b"\n", &mut [0], &mut [0]);
        Self {
            window,
            delimiter,
            max_record,
            width: usize::MAX,
            line: 1,
            behind_cr: false,
            open_until: 0,
            parser: template.clone(),
            template,
            cells: Vec::new(),
            cells_len: 0,
            ends: vec![0; 64],
            ends_len: 0,
            fields: 0,
        }
    }

    /// From now on, cells beyond the first `width` are only counted.
    pub(super) fn expect(&mut self, width: usize) {
        self.width = width;
        self.ends = vec![0; width + 1];
    }

    /// The next record; `None` behind the last.
    pub(super) fn next(&mut self) -> Result<Option<Record<'_>>, RecordsError> {
        let at = |line| move |error| RecordsError::Io { line, error };
        if !self.skip_blank_lines().map_err(at(self.line))? {
            return Ok(None);
        }
        let line = self.line;
        (self.cells_len, self.ends_len, self.fields) = (0, 0, 0);
        let first = self.first_line()?;
        let content = first.unwrap_or(self.window.bytes().len());
        if self.parse(0, content, first.is_none()) {
            self.finish_line(content, first.is_some());
            return Ok(Some(self.record(
                line,
                Outcome::Complete,
                content,
                first.is_some(),
            )));
        }
        // the line ended within quotes
        if let Some(first) = first
            && self.window.position() + (first as u64) >= self.open_until
            && let Some((end, breaks)) = self.end_of_record(first)?
        {
            let terminated = end < self.window.bytes().len();
            if self.parse(first + 1, end, !terminated) {
                self.line += 1 + breaks;
                self.finish_line(end, terminated);
                return Ok(Some(self.record(line, Outcome::Complete, end, terminated)));
            }
        }
        self.parser = self.template.clone();
        self.finish_line(content, first.is_some());
        Ok(Some(self.record(
            line,
            Outcome::Unclosed,
            content,
            first.is_some(),
        )))
    }

    /// Moves to the first byte of the next record; `false` at the end of the stream.
    fn skip_blank_lines(&mut self) -> io::Result<bool> {
        loop {
            let Some(&byte) = self.window.bytes().first() else {
                if self.window.fill()? {
                    continue;
                }
                return Ok(false);
            };
            match byte {
                b'\n' if self.behind_cr => {}
                b'\n' | b'\r' => self.line += 1,
                _ => return Ok(true),
            }
            self.behind_cr = byte == b'\r';
            self.window.consume(1);
        }
    }

    /// The index of the first line break; `None` when the stream ends before one.
    fn first_line(&mut self) -> Result<Option<usize>, RecordsError> {
        let mut searched = 0;
        loop {
            if let Some(index) = line_break(&self.window.bytes()[searched..]) {
                let index = searched + index;
                return if index > self.max_record {
                    Err(self.too_large())
                } else {
                    Ok(Some(index))
                };
            }
            searched = self.window.bytes().len();
            if searched > self.max_record {
                return Err(self.too_large());
            }
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    /// Where the record ends that is within quotes at its line break `first`, and how many line breaks lie in between;
    /// `None` when its quote is never closed, which is then remembered.
    fn end_of_record(&mut self, first: usize) -> Result<Option<(usize, u64)>, RecordsError> {
        let mut scanner = Scanner::new(self.delimiter, self.window.bytes()[first]);
        let mut scanned = first + 1;
        loop {
            match scanner.read(&self.window.bytes()[scanned..]) {
                Verdict::Closed(index) if scanned + index <= self.max_record => {
                    return Ok(Some((scanned + index, scanner.breaks())));
                }
                Verdict::Open(index) if scanned + index <= self.max_record => {
                    self.open_until = self.window.position() + (scanned + index) as u64;
                    return Ok(None);
                }
                Verdict::Closed(_) | Verdict::Open(_) => return Err(self.too_large()),
                Verdict::More => scanned = self.window.bytes().len(),
            }
            if scanned > self.max_record {
                return Err(self.too_large());
            }
            if !self.more()? {
                if scanner.may_end() {
                    return Ok(Some((scanned, scanner.breaks())));
                }
                self.open_until = u64::MAX;
                return Ok(None);
            }
        }
    }

    /// Gives bytes `from..to` of the record, and behind them a line break, to the parser; whether the record is complete.
    fn parse(&mut self, from: usize, to: usize, at_end: bool) -> bool {
        // the line break itself is in the buffer, unless the stream ends here
        let bytes = &self.window.bytes()[from..to + usize::from(!at_end)];
        let room = self.cells_len + bytes.len() + 1;
        if self.cells.len() < room {
            self.cells.resize(room.max(2 * self.cells.len()), 0);
        }
        for mut input in [bytes, if at_end { b"\n" } else { b"" }] {
            while !input.is_empty() {
                if self.ends_len == self.ends.len() {
                    if self.ends.len() > self.width {
                        self.ends_len = 0;
                    } else {
                        self.ends.resize(2 * self.ends.len(), 0);
                    }
                }
                let (result, read, written, ends) = self.parser.read_record(
                    input,
                    &mut self.cells[self.cells_len..],
                    &mut self.ends[self.ends_len..],
                );
                input = &input[read..];
                self.cells_len += written;
                self.ends_len += ends;
                self.fields += ends;
                if result == ReadRecordResult::Record {
                    return true;
                }
            }
        }
        false
    }

    /// Consumes `content` bytes and the line break behind them, if there is one.
    fn finish_line(&mut self, content: usize, terminated: bool) {
        if terminated {
            self.behind_cr = self.window.bytes()[content] == b'\r';
            self.line += 1;
        }
        self.window.consume(content + usize::from(terminated));
    }

    fn record(&self, line: u64, outcome: Outcome, content: usize, terminated: bool) -> Record<'_> {
        Record {
            line,
            outcome,
            raw: &self.window.consumed(content + usize::from(terminated))[..content],
            cells: &self.cells[..self.cells_len],
            ends: &self.ends[..self.ends_len],
            fields: self.fields,
        }
    }

    fn more(&mut self) -> Result<bool, RecordsError> {
        self.window.fill().map_err(|error| RecordsError::Io {
            line: self.line,
            error,
        })
    }

    fn too_large(&self) -> RecordsError {
        RecordsError::TooLarge { line: self.line }
    }
}
