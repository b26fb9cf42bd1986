//! Where a record ends whose first line ends inside a quoted cell.
//!
//! Stricter than `csv-core`, which takes any quote for the closing one: behind a line break, a quote closes its cell
//! only when blanks and then a delimiter or a line break follow. So a quote that was left open is noticed at the next
//! quoted cell, before it swallows rows.

/// What the bytes seen so far amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The record goes on.
    More,
    /// The record ended with the line break at this index.
    Closed(usize),
    /// The quote at the start of the cell was never closed: at this index stands what cannot follow a closing quote.
    Open(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    CellStart,
    Unquoted,
    Quoted {
        broken: bool,
    },
    /// Behind a quote within a quoted cell: its end, or the first half of a doubled quote.
    Quote {
        broken: bool,
    },
    /// Behind a closing quote and blanks.
    Blank,
}

/// Reads on from the first line break of such a record, in as many pieces as the bytes come in.
#[derive(Debug)]
pub(super) struct Scanner {
    delimiter: u8,
    state: State,
    previous: u8,
    breaks: u64,
}

impl Scanner {
    /// A scanner that stands behind `line_break`, the first one of the record, which is inside a quoted cell.
    pub(super) fn new(delimiter: u8, line_break: u8) -> Self {
        Self {
            delimiter,
            state: State::Quoted { broken: true },
            previous: line_break,
            breaks: 0,
        }
    }

    /// Line breaks within the record, not counting the first one nor the one that ends it.
    pub(super) fn breaks(&self) -> u64 {
        self.breaks
    }

    /// Whether the stream may end here: the record is complete but for a line break.
    pub(super) fn may_end(&self) -> bool {
        !matches!(self.state, State::Quoted { .. })
    }

    /// Reads `bytes`; indexes in the verdict count from their start.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Verdict {
        for (index, &byte) in bytes.iter().enumerate() {
            let is_break = byte == b'\n' || byte == b'\r';
            self.state = match self.state {
                State::Quoted { .. }
                    if byte == b'\r' || (byte == b'\n' && self.previous != b'\r') =>
                {
                    self.breaks += 1;
                    State::Quoted { broken: true }
                }
                State::Quoted { broken } if byte == b'"' => State::Quote { broken },
                State::Quoted { broken } => State::Quoted { broken },
                State::Quote { broken } if byte == b'"' => State::Quoted { broken },
                _ if is_break => return Verdict::Closed(index),
                _ if byte == self.delimiter => State::CellStart,
                State::Quote { broken: true } | State::Blank => match byte {
                    b' ' | b'\t' => State::Blank,
                    _ => return Verdict::Open(index),
                },
                State::CellStart if byte == b'"' => State::Quoted { broken: false },
                State::CellStart | State::Unquoted | State::Quote { broken: false } => {
                    State::Unquoted
                }
            };
            self.previous = byte;
        }
        Verdict::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closing_quote_behind_a_line_break_needs_a_delimiter_or_a_line_break() {
        for (rest, verdict, breaks) in [
            ("b\",c\n", Verdict::Closed(4), 0),
            ("b\"\r\n", Verdict::Closed(2), 0),
            ("b\" \t,c\n", Verdict::Closed(6), 0),
            ("b\"\"c\"\n", Verdict::Closed(5), 0),
            ("\r\n\r\nb\"\n", Verdict::Closed(6), 2),
            ("b\",\"c\nd\"\n", Verdict::Closed(8), 1),
            ("b\",\"c\"d\n", Verdict::Closed(7), 0),
            ("2,\"bo\"\n", Verdict::Open(3), 0),
            ("b\" x\n", Verdict::Open(3), 0),
            ("b\n", Verdict::More, 1),
            ("b\"", Verdict::More, 0),
        ] {
            let mut scanner = Scanner::new(b',', b'\n');
            assert_eq!(
                (scanner.read(rest.as_bytes()), scanner.breaks()),
                (verdict, breaks),
                "{rest:?}"
            );
        }
    }

    #[test]
    fn pieces_give_the_verdict_of_the_whole() {
        let mut scanner = Scanner::new(b',', b'\r');
        assert_eq!(scanner.read(b"\nb"), Verdict::More);
        assert_eq!((scanner.breaks(), scanner.may_end()), (0, false));
        assert_eq!(scanner.read(b"\""), Verdict::More);
        assert!(scanner.may_end());
        assert_eq!(scanner.read(b"\"c\",d\n"), Verdict::Closed(5));
    }
}
