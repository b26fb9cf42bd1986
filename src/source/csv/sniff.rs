//! Finds the delimiter of a file from its first lines.

use csv::{ByteRecord, ReaderBuilder};

/// The delimiters that are looked for; the first wins a draw.
const CANDIDATES: [u8; 4] = *b",;\t|";

/// Bytes of a file that are looked at.
pub(super) const SAMPLE: usize = 64 << 10;

/// Records that are looked at.
const RECORDS: usize = 200;

/// The delimiter that splits most records into as many cells as the first one has, weighted by that number; quotes are
/// respected. `width` is the number of columns where it is known. A comma when none splits the first record.
///
/// `whole` says whether the sample is the whole file, else its last line may be a part of one and does not count.
pub(super) fn delimiter(sample: &[u8], whole: bool, width: Option<usize>) -> u8 {
    let sample = match sample
        .iter()
        .rposition(|byte| *byte == b'\n' || *byte == b'\r')
    {
        Some(end) if !whole => &sample[..=end],
        _ => sample,
    };
    let mut best = (0, b',');
    for candidate in CANDIDATES {
        let score = score(sample, candidate, width);
        if score > best.0 {
            best = (score, candidate);
        }
    }
    best.1
}

fn score(sample: &[u8], delimiter: u8, width: Option<usize>) -> usize {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(sample);
    let mut widths = Vec::with_capacity(RECORDS);
    let mut record = ByteRecord::new();
    while widths.len() < RECORDS && matches!(reader.read_byte_record(&mut record), Ok(true)) {
        widths.push(record.len());
    }
    let expected = width.or(widths.first().copied()).unwrap_or(0);
    let agreeing = widths.iter().filter(|width| **width == expected).count();
    expected.saturating_sub(1) * agreeing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_one_that_splits_the_lines_alike() {
        for (sample, delimiter_found) in [
            ("a,b,c\n1,2,3\n", b','),
            ("a;b;c\n1,5;2,5;3,5\n", b';'),
            ("a\tb\n1,2\t3\n", b'\t'),
            ("a|b|c\r\n1|2|3\r\n", b'|'),
            ("a;b\r1;2\r", b';'),
            ("\"Name, first\";Age\nBo;3\nAl;4\n", b';'),
            ("Name, first;Age\nBo;3\nAl;4\n", b';'),
            ("id,note\n1,a;b\n2,c;d\n", b','),
            ("id,name,tags\n1,bo,x|y\n2,al,z|w\n3,cy\n", b','),
            ("email\na@b.c\n", b','),
            ("a;b", b';'),
            ("", b','),
        ] {
            assert_eq!(
                delimiter(sample.as_bytes(), true, None),
                delimiter_found,
                "{sample:?}"
            );
        }
    }

    #[test]
    fn the_part_of_a_last_line_does_not_count_and_a_known_width_does() {
        assert_eq!(delimiter(b"a,b;c\n1,2;3\n4", false, None), b',');
        assert_eq!(delimiter(b"a;b,c;d\n1;2,3;4\n", true, Some(2)), b',');
    }
}
