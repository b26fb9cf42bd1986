//! CSV files, well-formed and not.

use super::{Folder, Read, read, read_all};
use crate::source::{ChunkRequest, CsvOptions, Dataset, Header, SourceErrorKind};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

fn lines(bytes: impl AsRef<[u8]>) -> Vec<String> {
    read_all(&Folder::with("a.csv", bytes).open(&["a.csv"]).unwrap())
}

fn with(bytes: impl AsRef<[u8]>, options: CsvOptions) -> Result<Read, String> {
    let folder = Folder::with("a.csv", bytes);
    let mut spec = folder.spec(&["a.csv"]);
    spec.csv = options;
    let dataset = Dataset::open(&spec).map_err(|errors| errors.to_string())?;
    Ok(read(&dataset, &ChunkRequest::default()))
}

fn encoded(label: &str) -> CsvOptions {
    CsvOptions {
        encoding: Some(label.to_owned()),
        ..CsvOptions::default()
    }
}

fn bounded(max_record: usize) -> CsvOptions {
    CsvOptions {
        max_record,
        ..CsvOptions::default()
    }
}

fn faults(bytes: impl AsRef<[u8]>) -> String {
    Folder::with("a.csv", bytes).faults(&["a.csv"])
}

#[test]
fn lines_are_physical_whatever_ends_them() {
    let expected = ["1@2: 1 | x", "2@4: 2 | y\ny", "3@7: 3 | ∅", "4@9: 4 | z"];
    let file = "id,name\n1,x\n\n2,\"y\ny\"\n\n3,\"\"\n\n4,z";
    assert_eq!(lines(file), expected);
    assert_eq!(lines(format!("{file}\n")), expected);
    let ended_otherwise = |end: &str| {
        lines(file.replace('\n', end))
            .into_iter()
            .map(|row| row.replace(end, "\n"))
            .collect::<Vec<_>>()
    };
    assert_eq!(ended_otherwise("\r\n"), expected);
    assert_eq!(ended_otherwise("\r"), expected);
    assert_eq!(lines("\n\r\n\rid\n\n\r1\n"), ["1@7: 1"]);
}

#[test]
fn delimiters_are_found_or_given() {
    assert_eq!(lines("a;b\n1,5;2\n"), ["1@2: 1,5 | 2"]);
    assert_eq!(lines("a\tb\n1\t2\n"), ["1@2: 1 | 2"]);
    assert_eq!(lines("a|b\n1|2\n"), ["1@2: 1 | 2"]);
    let given = CsvOptions {
        delimiter: Some(b'#'),
        ..CsvOptions::default()
    };
    assert_eq!(
        with("a#b,c\n1#2,3\n", given).unwrap().rows,
        ["1@2: 1 | 2,3"]
    );
    let impossible = CsvOptions {
        delimiter: Some(b'\n'),
        ..CsvOptions::default()
    };
    insta::assert_snapshot!(with("a,b\n", impossible).unwrap_err(), @r"'\n' cannot be a delimiter; use one ASCII character that is neither a quote nor a line break");
}

#[test]
fn too_few_and_too_many_fields_reject_the_record_and_nothing_else() {
    insta::assert_snapshot!(lines("a,b,c\r\n1,2\r\n1,2,3\r\n\"1\n\",2,3,4,5,6\r\n,,\r\n").join("\n"), @r"
    1@2! CSV_TOO_FEW_FIELDS 2 fields; the header has 3
    2@3: 1 | 2 | 3
    3@4! CSV_TOO_MANY_FIELDS 6 fields; the header has 3
    4@6: ∅ | ∅ | ∅
    ");
}

#[test]
fn bytes_that_are_not_text_reject_the_record_in_whatever_column() {
    let folder = Folder::with("a.csv", b"a,b\nx,caf\xe9\nol\xc3,\xa9\nok,\xc3\xa9\n");
    let dataset = folder.open(&["a.csv"]).unwrap();
    for columns in [None, Some(vec!["a".to_owned()])] {
        let all = read(
            &dataset,
            &ChunkRequest {
                columns,
                ..ChunkRequest::default()
            },
        );
        insta::allow_duplicates! {
            insta::assert_snapshot!(all.rows[..2].join("\n"), @r"
            1@2! ENCODING_INVALID not valid UTF-8 at byte 6 of the record
            2@3! ENCODING_INVALID not valid UTF-8 at byte 3 of the record
            ");
        }
        assert!(all.rows[2].starts_with("3@4: ok"));
    }
}

#[test]
fn an_open_quote_rejects_its_first_line_and_reading_goes_on_behind_it() {
    insta::assert_snapshot!(lines("id,name\n1,a\n2,\"b\n3,c\n\n4,d\n").join("\n"), @r"
    1@2: 1 | a
    2@3! CSV_UNCLOSED_QUOTE a quoted cell that starts in this record is never closed
    3@4: 3 | c
    4@6: 4 | d
    ");
    assert_eq!(
        lines("id\r1\r\"2\r3"),
        [
            "1@2: 1",
            "2@3! CSV_UNCLOSED_QUOTE a quoted cell that starts in this record is never closed",
            "3@4: 3",
        ]
    );
}

#[test]
fn an_open_quote_does_not_swallow_rows_up_to_the_next_quoted_cell() {
    insta::assert_snapshot!(lines("id,name\n1,\"b\n2,c\n3,\"d, e\"\n4,\"f\ng\"\n5,\"h\n6,\"i\"\n").join("\n"), @r"
    1@2! CSV_UNCLOSED_QUOTE a quoted cell that starts in this record is never closed
    2@3: 2 | c
    3@4: 3 | d, e
    4@5: 4 | f
    g
    5@7! CSV_UNCLOSED_QUOTE a quoted cell that starts in this record is never closed
    6@8: 6 | i
    ");
}

#[test]
fn a_record_beyond_max_record_ends_the_file_behind_the_rows_before_it() {
    let file = format!("id,name\n1,a\n2,\"{}\n", "b\n".repeat(100));
    let all = with(&file, bounded(64)).unwrap();
    assert_eq!(all.rows, ["1@2: 1 | a"]);
    let error = all.error.unwrap();
    assert_eq!(error.kind(), SourceErrorKind::RecordTooLarge);
    insta::assert_snapshot!(error, @"a.csv, line 3: the record that starts here is larger than max_record = 64 bytes; close the quote if one is open on this line, or raise max_record");
    let closed = with(format!("id\n1\n{}\n", "x".repeat(3000)), bounded(2048)).unwrap();
    insta::assert_snapshot!(closed.error.unwrap(), @"a.csv, line 3: the record that starts here is larger than max_record = 2KiB; close the quote if one is open on this line, or raise max_record");
    let fits = with("id\n1234\n\"6\n8\"\n\"1\n", bounded(5)).unwrap();
    assert!(fits.error.is_none());
    assert_eq!(fits.rows.len(), 3);
    assert!(
        with("id\n1234\n\"6\n78\"\n\"1\n", bounded(5))
            .unwrap()
            .error
            .is_some()
    );
}

#[test]
fn headers_that_do_not_name_every_column_once_are_file_errors() {
    insta::assert_snapshot!(faults("id,,name,\n1,2,3,4\n"), @"a.csv, line 1: the header has no name for columns 2 and 4; name every column, or remove the surplus delimiters");
    insta::assert_snapshot!(faults("\nid,name,id,name,id\n"), @r#"
    a.csv, line 2: the header names "id" twice: columns 1, 3 and 5; rename or remove all but one
    a.csv, line 2: the header names "name" twice: columns 2 and 4; rename or remove all but one
    "#);
    insta::assert_snapshot!(faults(",".repeat(30)), @"a.csv, line 1: the header has no name for columns 1, 2, 3, 4, 5 and 26 more; name every column, or remove the surplus delimiters");
    insta::assert_snapshot!(faults(""), @"a.csv: the file is empty: it has no header; export it again, take it out of the inputs, or give the columns' names (--csv-columns)");
    insta::assert_snapshot!(faults("\n\r\n"), @"a.csv: the file is empty: it has no header; export it again, take it out of the inputs, or give the columns' names (--csv-columns)");
    insta::assert_snapshot!(faults("id,\"name\n1,2\n"), @"a.csv, line 1: a quote in the header is never closed; close it");
    insta::assert_snapshot!(faults(b"id,stra\xdfe\n"), @r#"a.csv, line 1: the header is not valid UTF-8 at byte 8 of the record; save the file as UTF-8, or name its encoding (--csv-encoding, or encoding = "windows-1252")"#);
    insta::assert_snapshot!(faults("i\0d,name\n"), @"a.csv: the header holds NUL bytes; this is not a text file; name a CSV, Parquet or Arrow file");
    assert!(lines("id,name\n").is_empty());
}

#[test]
fn given_names_make_the_first_record_a_row() {
    let named = |names: &[&str]| CsvOptions {
        header: Header::Names(names.iter().map(ToString::to_string).collect()),
        ..CsvOptions::default()
    };
    let all = with("\n1;x\n2;y\n3\n", named(&["id", "name"])).unwrap();
    assert_eq!(
        all.rows,
        [
            "1@2: 1 | x",
            "2@3: 2 | y",
            "3@4! CSV_TOO_FEW_FIELDS 1 fields; the header has 2"
        ]
    );
    assert!(with("", named(&["id"])).unwrap().rows.is_empty());
    insta::assert_snapshot!(with("1\n", named(&["id", "id", ""])).unwrap_err(), @r#"
    the given header names "id" twice: columns 1 and 2; rename or remove all but one
    the given header has no name for column 3; name every column, or remove the surplus delimiters
    "#);
    insta::assert_snapshot!(with("1\n", named(&[])).unwrap_err(), @"the given header names no column; name at least one column");
}

#[test]
fn marks_and_labels_decide_the_encoding() {
    let utf16 = |text: &str, big: bool| -> Vec<u8> {
        let bytes = |unit: u16| {
            if big {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        };
        text.encode_utf16().flat_map(bytes).collect()
    };
    let expected = ["1@2: né | 😀"];
    let file = "a,b\nné,😀\n";
    assert_eq!(lines(format!("\u{feff}{file}")), expected);
    assert_eq!(lines(utf16(&format!("\u{feff}{file}"), false)), expected);
    assert_eq!(lines(utf16(&format!("\u{feff}{file}"), true)), expected);
    assert_eq!(
        with(utf16(file, true), encoded("utf-16be")).unwrap().rows,
        expected
    );
    assert_eq!(
        with(b"a,b\nn\xe9,\x80\n", encoded("windows-1252"))
            .unwrap()
            .rows,
        ["1@2: né | €"]
    );
    assert_eq!(
        with(format!("\u{feff}{file}"), encoded("windows-1252"))
            .unwrap()
            .rows,
        expected
    );
    insta::assert_snapshot!(faults(utf16(file, false)), @r#"a.csv: the header holds NUL bytes; it looks like UTF-16 without a byte-order mark; name the encoding (encoding = "utf-16le"), or save the file as UTF-8"#);
    insta::assert_snapshot!(faults(utf16(file, true)), @r#"a.csv: the header holds NUL bytes; it looks like UTF-16 without a byte-order mark; name the encoding (encoding = "utf-16be"), or save the file as UTF-8"#);
}

#[test]
fn bytes_that_an_encoding_does_not_have_reject_the_record() {
    let all = with(b"a,b\n\xe1\xe2,\xd2\nx,y\n", encoded("windows-1253")).unwrap();
    insta::assert_snapshot!(all.rows.join("\n"), @r"
    1@2! ENCODING_INVALID not valid windows-1253 at byte 4 of the record
    2@3: x | y
    ");
    let lone_surrogate = [
        b"\xff\xfea\0\n\0".as_slice(),
        b"x\0\x00\xd8\n\0",
        b"\xfd\xff\n\0",
    ]
    .concat();
    insta::assert_snapshot!(lines(lone_surrogate).join("\n"), @r"
    1@2! ENCODING_INVALID not valid UTF-16LE at byte 3 of the record
    2@3: �
    ");
}

#[test]
fn unknown_encodings_are_refused_with_a_suggestion() {
    insta::assert_snapshot!(with("a\n", encoded("windows1252")).unwrap_err(), @r#"no encoding is called "windows1252", did you mean "windows-1252"?; use a label of the Encoding Standard, such as utf-8, utf-16le or windows-1252"#);
    insta::assert_snapshot!(with("a\n", encoded("klingon")).unwrap_err(), @r#"no encoding is called "klingon"; use a label of the Encoding Standard, such as utf-8, utf-16le or windows-1252"#);
    assert!(with("a\n", encoded("replacement")).is_err());
}

#[test]
fn nul_bytes_in_rows_are_data() {
    assert_eq!(lines("a,b\nx\0y,z\n"), ["1@2: x\0y | z"]);
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn packed_files_are_unpacked_by_content_and_joined_members_are_one_file() {
    let expected = ["1@2: 1", "2@3: 2"];
    let members = [gzip("id\n1\n"), gzip("2\n")].concat();
    let frames = [
        zstd::encode_all(&b"id\n1"[..], 1).unwrap(),
        zstd::encode_all(&b"\n2\n"[..], 1).unwrap(),
    ]
    .concat();
    for name in ["a.csv", "a.csv.gz", "a.csv.zst", "a"] {
        for packed in [&members, &frames] {
            assert_eq!(
                read_all(&Folder::with(name, packed).open(&[name]).unwrap()),
                expected
            );
        }
    }
    let inside = gzip("PAR1 and so on PAR1");
    insta::assert_snapshot!(faults(inside), @"a.csv: the file is compressed, and what is inside is not CSV; unpack it first: Parquet and Arrow files are compressed from within");
}

#[test]
fn a_truncated_packed_file_gives_its_rows_and_then_an_error() {
    let text = (0..50_000)
        .map(|n| format!("{n},{}\n", n * 7919 % 65_537))
        .collect::<Vec<_>>()
        .concat();
    let text = format!("id,value\n{text}");
    for (name, packed) in [
        ("a.csv.gz", gzip(&text)),
        ("a.csv.zst", zstd::encode_all(text.as_bytes(), 1).unwrap()),
    ] {
        let folder = Folder::with(name, &packed[..packed.len() * 3 / 4]);
        let all = read(&folder.open(&[name]).unwrap(), &ChunkRequest::default());
        assert!(all.rows.len() > 5_000, "{}", all.rows.len());
        assert!(
            all.rows
                .iter()
                .enumerate()
                .all(|(n, row)| row.starts_with(&format!("{}@{}: {n} | ", n + 1, n + 2)))
        );
        let error = all.error.unwrap();
        assert_eq!(error.kind(), SourceErrorKind::Damaged);
        assert_eq!(
            error.to_string(),
            format!(
                "{name}, line {}: the file cannot be read beyond this record; it is damaged or incomplete: copy or export it again",
                all.rows.len() + 2
            )
        );
    }
    let folder = Folder::with("a.csv.gz", &gzip("id\n1\n")[..12]);
    insta::assert_snapshot!(folder.faults(&["a.csv.gz"]), @"a.csv.gz: the file cannot be read; check its permissions, and that it is complete (incomplete deflate stream)");
}

#[test]
fn chunks_end_by_rows_and_by_bytes_and_read_the_columns_asked_for_in_their_order() {
    let text = (0..100)
        .map(|n| format!("{n},{},x\n", "y".repeat(100)))
        .collect::<Vec<_>>()
        .concat();
    let folder = Folder::with("a.csv", format!("id,long,last\n{text}"));
    let dataset = folder.open(&["a.csv"]).unwrap();
    let chunks = |rows, bytes, columns: &[&str]| {
        let columns = Some(columns.iter().map(ToString::to_string).collect());
        let request = ChunkRequest {
            columns,
            rows,
            bytes,
        };
        dataset
            .chunks(&request)
            .map(|chunk| chunk.unwrap().records())
            .collect::<Vec<_>>()
    };
    assert_eq!(chunks(40, usize::MAX, &["id"]), [40, 40, 20]);
    assert_eq!(chunks(1000, 3300, &["long", "id"]), [25, 25, 25, 25]);
    assert_eq!(chunks(60, 1, &[]).len(), 2);
    assert_eq!(chunks(0, 0, &["id"]).len(), 100);
    let request = ChunkRequest {
        columns: Some(vec!["last".into(), "id".into(), "last".into()]),
        ..ChunkRequest::default()
    };
    assert_eq!(read(&dataset, &request).rows[7], "8@9: x | 7");
}
