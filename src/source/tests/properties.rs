//! What holds for every CSV file.

use super::{Folder, read};
use crate::source::{ChunkRequest, CsvOptions, Dataset};
use proptest::prelude::*;

/// Cells with everything that CSV can trip over.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,4}",
        prop::collection::vec(
            prop::sample::select(vec![
                "\"", ",", "\n", "\r\n", "\r", ";", " ", "é", "x", "\0"
            ]),
            0..6
        )
        .prop_map(|parts| parts.concat()),
    ]
}

fn table() -> impl Strategy<Value = Vec<Vec<String>>> {
    (1_usize..4)
        .prop_flat_map(|width| prop::collection::vec(prop::collection::vec(cell(), width), 0..12))
}

/// Lines of a text, counted one byte at a time.
fn breaks(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let ends = |index: usize| {
        bytes[index] == b'\r'
            || (bytes[index] == b'\n' && (index == 0 || bytes[index - 1] != b'\r'))
    };
    (0..bytes.len()).filter(|index| ends(*index)).count() as u64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_the_csv_crate_writes_is_read_back_with_the_right_lines(
        rows in table(),
        end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        chunk_rows in 1_usize..5,
    ) {
        let width = rows.first().map_or(1, Vec::len);
        let header: Vec<_> = (0..width).map(|n| format!("c{n}")).collect();
        let mut file = header.join(",") + end;
        let mut expected = Vec::new();
        for row in &rows {
            let terminator = match end {
                "\r\n" => csv::Terminator::CRLF,
                end => csv::Terminator::Any(end.as_bytes()[0]),
            };
            let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
            writer.write_record(row).unwrap();
            let line = breaks(&file) + 1;
            file += std::str::from_utf8(&writer.into_inner().unwrap()).unwrap();
            let cells = row.iter().map(|cell| if cell.is_empty() { "∅" } else { cell.as_str() });
            expected.push(format!("{}@{line}: {}", expected.len() + 1, cells.collect::<Vec<_>>().join(" | ")));
        }
        let folder = Folder::with("a.csv", &file);
        let mut spec = folder.spec(&["a.csv"]);
        spec.csv.delimiter = Some(b',');
        let dataset = Dataset::open(&spec).unwrap();
        let all = read(&dataset, &ChunkRequest { rows: chunk_rows, ..ChunkRequest::default() });
        prop_assert!(all.error.is_none());
        prop_assert_eq!(all.rows, expected);
        prop_assert_eq!(all.chunks, rows.len().div_ceil(chunk_rows));
    }

    #[test]
    fn any_bytes_are_records_with_consecutive_numbers_and_rising_lines(
        parts in prop::collection::vec(prop_oneof![
            prop::sample::select(vec![&b"\""[..], b",", b"\n", b"\r\n", b"\r", b"x", b"\xe9", b"\0", b"\"\"", b"\",\""]).prop_map(<[u8]>::to_vec),
            prop::collection::vec(any::<u8>(), 0..4),
        ], 0..60),
        max_record in 1_usize..200,
        rows in 1_usize..10,
    ) {
        let bytes = [b"a,b\n".to_vec(), parts.concat()].concat();
        let folder = Folder::with("a.csv", &bytes);
        let mut spec = folder.spec(&["a.csv"]);
        spec.csv = CsvOptions { delimiter: Some(b','), max_record: max_record.max(3), ..CsvOptions::default() };
        let dataset = Dataset::open(&spec).unwrap();
        let (mut next, mut last) = (1, 1);
        for chunk in dataset.chunks(&ChunkRequest { rows, ..ChunkRequest::default() }).map_while(Result::ok) {
            let good = chunk.ids.iter().zip(&chunk.lines).map(|(id, line)| (id.0, *line));
            let bad = chunk.bad.iter().map(|bad| (bad.row.0, bad.line.unwrap()));
            let mut records: Vec<_> = good.chain(bad).collect();
            records.sort_unstable();
            for (id, line) in records {
                prop_assert_eq!(id, next);
                prop_assert!(line > last);
                (next, last) = (id + 1, line);
            }
        }
    }
}
