//! The short way: lines that are text and whose quotes, if they have any, stand around whole cells.

use super::window::Window;
use memchr::memchr;
use std::ops::Range;

/// The part of a window that is known to be UTF-8, as text: each byte is checked once, some thousand lines at a time.
#[derive(Debug, Default)]
pub(super) struct Known {
    text: String,
    /// Where in the stream `text` begins.
    start: u64,
    /// Where in the stream the part ends that was looked at: `text` is shorter when that is not UTF-8 throughout.
    end: u64,
}

impl Known {
    /// The first `len` bytes of a window, where they are text.
    pub(super) fn line(&mut self, window: &Window, len: usize) -> Option<&[u8]> {
        let start = window.position();
        if start + len as u64 > self.end {
            let bytes = window.bytes();
            let valid = match simdutf8::compat::from_utf8(bytes) {
                Ok(text) => text,
                // checked a second time as far as it goes, since nothing else makes text of it
                Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
            };
            self.text.clear();
            self.text.push_str(valid);
            (self.start, self.end) = (start, start + bytes.len() as u64);
        }
        self.range(start, len)
            .and_then(|range| self.text.as_bytes().get(range))
    }

    /// A line that [`Known::line`] has given, by its place in the stream.
    pub(super) fn at(&self, start: u64, len: usize) -> &str {
        self.range(start, len)
            .and_then(|range| self.text.get(range))
            .unwrap_or("")
    }

    fn range(&self, start: u64, len: usize) -> Option<Range<usize>> {
        let start = usize::try_from(start.checked_sub(self.start)?).ok()?;
        Some(start..start + len)
    }
}

/// Takes a line apart: how many cells it has, and where the first `width` and one more of them are. `None` for what needs a
/// closer look: a quoted cell that does not end with its line, holds quotes, or goes on behind its closing quote.
pub(super) fn split(
    line: &[u8],
    delimiter: u8,
    width: usize,
    cells: &mut Vec<Range<usize>>,
) -> Option<usize> {
    cells.clear();
    let (mut fields, mut start) = (0, 0);
    loop {
        let rest = &line[start..];
        let (cell, behind) = if rest.first() == Some(&b'"') {
            let end = start + 1 + memchr(b'"', &rest[1..])?;
            match line.get(end + 1) {
                Some(byte) if *byte != delimiter => return None,
                next => (start + 1..end, next.map(|_| end + 2)),
            }
        } else {
            let end = memchr(delimiter, rest).map(|len| start + len);
            (start..end.unwrap_or(line.len()), end.map(|end| end + 1))
        };
        if fields <= width {
            cells.push(cell);
        }
        fields += 1;
        match behind {
            Some(behind) => start = behind,
            None => return Some(fields),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What `csv-core` makes of a line.
    fn by_the_book(line: &str) -> Option<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(line.as_bytes());
        let record = reader.records().next()?.unwrap();
        Some(record.iter().map(str::to_owned).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn a_line_that_is_taken_apart_has_the_cells_that_csv_core_finds(
            parts in prop::collection::vec(prop::sample::select(vec!["\"", "\"", ",", ",", "x", " ", "é"]), 1..16),
        ) {
            let line = parts.concat();
            let mut cells = Vec::new();
            if let Some(fields) = split(line.as_bytes(), b',', usize::MAX, &mut cells) {
                let cells: Vec<_> = cells.iter().map(|cell| line[cell.clone()].to_owned()).collect();
                prop_assert_eq!(fields, cells.len());
                prop_assert_eq!(Some(cells), by_the_book(&line));
            }
        }
    }

    #[test]
    fn plain_and_wholly_quoted_cells_take_the_short_way() {
        let mut cells = Vec::new();
        for (line, expected) in [
            ("a,b", Some(vec![0..1, 2..3])),
            (",", Some(vec![0..0, 1..1])),
            ("\"a,b\",\"\"", Some(vec![1..4, 7..7])),
            ("a\"b,", Some(vec![0..3, 4..4])),
            ("\"a\"\"b\"", None),
            ("\"a\"b,c", None),
            ("\"a", None),
        ] {
            let fields = split(line.as_bytes(), b',', 9, &mut cells);
            assert_eq!(fields, expected.as_ref().map(Vec::len), "{line}");
            if let Some(expected) = expected {
                assert_eq!(cells, expected, "{line}");
            }
        }
        assert_eq!(split(b"a,b,c,d", b',', 1, &mut cells), Some(4));
        assert_eq!(cells, [0..1, 2..3]);
    }
}
