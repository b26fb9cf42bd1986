//! The record loop: one record after the other, each with the physical line on which it starts.
//!
//! Lines whose quotes stand around whole cells are taken apart here, without a copy; `csv-core` does the others. This file
//! decides where a record starts and ends. Guarantees:
//!
//! * A physical line ends with `\n`, `\r\n` or a lone `\r`, inside quotes too. Blank lines are no records.
//! * A record whose quote is never closed is [`Outcome::Unclosed`]; reading goes on with the line behind its first.
//! * No byte is looked at more than three times, whatever the quotes: once for the end of its line, once by `csv-core`,
//!   once by the scan for the end of a record that spans lines. For when that scan finds a quote open until place P, it
//!   stood *within quotes* at each line start up to P; so any later record that reaches one of those line starts within
//!   quotes is open until P as well, and is known to be without another scan.
//! * The buffer holds one record: never more than `max_record` and some pieces of reading; the text that is known to be
//!   UTF-8 is a copy of it.

use super::plain::{Known, split};
use super::quotes::{Scanner, Verdict};
use super::window::{Window, line_break};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use std::io;
use std::ops::Range;
use std::str::Utf8Error;

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
    /// Its cells, unquoted.
    cells: Cells<'a>,
    /// Where each cell is; meaningless when there are more fields than [`Records::expect`] allows.
    spans: &'a [Range<usize>],
    /// How many cells it has.
    pub(super) fields: usize,
}

/// Where the cells of a record are.
#[derive(Debug)]
enum Cells<'a> {
    /// In its line.
    Text(&'a str),
    /// One behind the other.
    Joined(&'a [u8]),
}

impl<'a> Record<'a> {
    /// What holds the cells, as text.
    pub(super) fn text(&self) -> Result<&'a str, Utf8Error> {
        match self.cells {
            Cells::Text(text) => Ok(text),
            Cells::Joined(bytes) => std::str::from_utf8(bytes),
        }
    }

    /// Whether no cell ends within a character of `text`: where cells touch, halves of one that a delimiter cut in two
    /// would be whole again.
    pub(super) fn is_whole(&self, text: &str) -> bool {
        match self.cells {
            Cells::Text(_) => true,
            Cells::Joined(_) => self
                .spans
                .iter()
                .all(|span| text.is_char_boundary(span.end)),
        }
    }

    /// Where in the text each cell is.
    pub(super) fn spans(&self) -> &'a [Range<usize>] {
        self.spans
    }
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
    parser: Reader,
    cells: Vec<u8>,
    cells_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
    spans: Vec<Range<usize>>,
    fields: usize,
    /// Where the window is known to be text.
    known: Known,
    /// How many bytes were looked at, each time counted.
    #[cfg(test)]
    work: usize,
}

impl Records {
    /// Reads `window` from where it stands, line 1.
    pub(super) fn new(window: Window, delimiter: u8, max_record: usize) -> Self {
        let mut parser = ReaderBuilder::new().delimiter(delimiter).build();
        restart(&mut parser);
        Self {
            window,
            delimiter,
            max_record,
            width: usize::MAX,
            line: 1,
            behind_cr: false,
            open_until: 0,
            parser,
            cells: Vec::new(),
            cells_len: 0,
            ends: vec![0; 64],
            ends_len: 0,
            spans: Vec::new(),
            fields: 0,
            known: Known::default(),
            #[cfg(test)]
            work: 0,
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
        if let Some(text) = self.known.line(&self.window, content)
            && let Some(fields) = split(text, self.delimiter, self.width, &mut self.spans)
        {
            self.count(content);
            self.finish_line(content, first.is_some());
            let (text, position) = (&self.known, self.window.position());
            let start = position - (content + usize::from(first.is_some())) as u64;
            let text = text.at(start, content);
            return Ok(Some(Record {
                line,
                outcome: Outcome::Complete,
                raw: text.as_bytes(),
                cells: Cells::Text(text),
                spans: &self.spans,
                fields,
            }));
        }
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
            let complete = self.parse(first + 1, end, !terminated);
            debug_assert!(
                complete,
                "csv-core and the scan disagree on where a record ends"
            );
            if complete {
                self.line += 1 + breaks;
                self.finish_line(end, terminated);
                return Ok(Some(self.record(line, Outcome::Complete, end, terminated)));
            }
        }
        restart(&mut self.parser);
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
            let found = line_break(&self.window.bytes()[searched..]);
            self.count(found.map_or(self.window.bytes().len() - searched, |index| index + 1));
            if let Some(index) = found {
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
        let mut behind = first + 1;
        loop {
            let verdict = scanner.read(&self.window.bytes()[behind..]);
            self.count(match verdict {
                Verdict::Closed(index) | Verdict::Open(index) => index + 1,
                Verdict::More => self.window.bytes().len() - behind,
            });
            match verdict {
                Verdict::Closed(index) if behind + index <= self.max_record => {
                    return Ok(Some((behind + index, scanner.breaks())));
                }
                Verdict::Open(index) if behind + index <= self.max_record => {
                    self.open_until = self.window.position() + (behind + index) as u64;
                    return Ok(None);
                }
                Verdict::Closed(_) | Verdict::Open(_) => return Err(self.too_large()),
                Verdict::More => behind = self.window.bytes().len(),
            }
            if behind > self.max_record {
                return Err(self.too_large());
            }
            if !self.more()? {
                if scanner.may_end() {
                    return Ok(Some((behind, scanner.breaks())));
                }
                self.open_until = u64::MAX;
                return Ok(None);
            }
        }
    }

    /// Gives bytes `from..to` of the record, and behind them a line break, to the parser; whether the record is complete.
    fn parse(&mut self, from: usize, to: usize, at_end: bool) -> bool {
        self.count(to + usize::from(!at_end) - from);
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

    /// The record that the parser took apart.
    fn record(
        &mut self,
        line: u64,
        outcome: Outcome,
        content: usize,
        terminated: bool,
    ) -> Record<'_> {
        let mut start = 0;
        let ends = self.ends[..self.ends_len].iter();
        self.spans.clear();
        self.spans
            .extend(ends.map(|end| std::mem::replace(&mut start, *end)..*end));
        Record {
            line,
            outcome,
            raw: &self.window.consumed(content + usize::from(terminated))[..content],
            cells: Cells::Joined(&self.cells[..self.cells_len]),
            spans: &self.spans,
            fields: self.fields,
        }
    }

    /// Notes that so many bytes were looked at; tests hold the sum against the bound.
    #[cfg_attr(
        not(test),
        expect(clippy::unused_self, reason = "counts in tests alone")
    )]
    fn count(&mut self, bytes: usize) {
        #[cfg(test)]
        {
            self.work += bytes;
        }
        #[cfg(not(test))]
        let _ = bytes;
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

/// Sets a parser to the start of a record. (A clone of a fresh one would not do: `csv-core` 0.1.13 forgets half of its
/// tables in clones.)
fn restart(parser: &mut Reader) {
    parser.reset();
    // a parser that has read nothing strips a byte-order mark, which is data here
    let _ = parser.read_record(b"\n", &mut [0], &mut [0]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads all records; the outcomes, and the bytes looked at.
    fn read(bytes: &[u8]) -> (Vec<(u64, Outcome)>, usize) {
        let window = Window::new(Box::new(io::Cursor::new(bytes.to_vec())));
        let mut records = Records::new(window, b',', usize::MAX >> 1);
        let mut outcomes = Vec::new();
        while let Some(record) = records.next().unwrap() {
            outcomes.push((record.line, record.outcome));
        }
        (outcomes, records.work)
    }

    #[test]
    fn a_quote_left_open_on_every_line_costs_no_more_than_three_looks_at_each_byte() {
        // within quotes or not, each of these lines ends within quotes
        for line in ["a\"b,\"c\n", "\",\"c\n", "\"\"\"x,y\n", "x\",\"\"\"\n"] {
            let bytes = line.repeat(50_000);
            let (outcomes, work) = read(bytes.as_bytes());
            assert!(
                work <= 3 * bytes.len(),
                "{work} looks at {} bytes",
                bytes.len()
            );
            assert!(
                outcomes
                    .iter()
                    .any(|(_, outcome)| *outcome == Outcome::Unclosed)
                    || line == "\",\"c\n"
            );
        }
        let (outcomes, _) = read("a\"b,\"c\n".repeat(1000).as_bytes());
        let expected: Vec<_> = (1..=1000).map(|line| (line, Outcome::Unclosed)).collect();
        assert_eq!(outcomes, expected);
    }

    proptest! {
        #[test]
        fn no_byte_is_looked_at_more_than_three_times(
            parts in prop::collection::vec(prop::sample::select(vec!["\"", ",", "\n", "\r\n", "x", " "]), 0..200),
        ) {
            let bytes = parts.concat();
            let (_, work) = read(bytes.as_bytes());
            prop_assert!(work <= 3 * bytes.len(), "{} looks at {} bytes", work, bytes.len());
        }
    }
}
