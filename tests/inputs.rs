//! Inputs of every kind: standard input, several files, globs, compression, folders of partitions, other encodings.

use crate::support::place::Place;
use crate::support::sandbox::Sandbox;
use flate2::Compression;
use flate2::write::GzEncoder;
use insta::assert_snapshot;
use std::io::Write as _;

/// Row, source, line, key and status of each row.
fn told(place: &Place) -> String {
    let table = place
        .results("out.csv")
        .select(&["row", "source", "line", "key", "status"]);
    let rows: Vec<_> = table.rows.iter().map(|row| row.join(" | ")).collect();
    rows.join("\n")
}

#[test]
fn standard_input_is_an_input() {
    let place = Place::with_people("");
    let load = "load --quiet --target sandbox --state-dir state --results out.csv --mapping people.toml --input -";
    place
        .run_fed(load, b"email,name\na@example.com,Ana\nb@example.com\n")
        .expect(4);
    assert_snapshot!(told(&place), @"
    1 | - | 2 | a@example.com | loaded
    2 | - | 3 |  | rejected
    ");
    let spool: Vec<_> = std::fs::read_dir(place.path("state/spool"))
        .unwrap()
        .collect();
    assert!(spool.is_empty(), "{spool:?}");
    let ended = place.run_fed(load, b"").expect(3);
    assert_snapshot!(ended.stderr, @"error: -: the file is empty: it has no header; export it again, take it out of the inputs, or give the columns' names (--csv-columns)");
}

#[test]
fn several_files_globs_and_compressed_files_are_one_dataset_in_the_order_given() {
    let place = Place::with_people("");
    place.write(
        "z.csv",
        "email,name\nz1@example.com,Z\n\nz2@example.com,Z\n",
    );
    place.write("part-b.csv", "email,name\nb@example.com,B\n");
    place.write("part-a.csv", "name,email\nA,a@example.com\n");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(b"email,name\ng1@example.com,G\n").unwrap();
    let mut bytes = gzip.finish().unwrap();
    // a second member, as `cat a.gz b.gz` makes it
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(b"g2@example.com,G\n").unwrap();
    bytes.extend(gzip.finish().unwrap());
    place.write("c.csv.gz", bytes);
    let zstandard = zstd::encode_all(&b"email,name\ns@example.com,S\n"[..], 0).unwrap();
    place.write("d.csv.zst", zstandard);
    place
        .load_people("z.csv part-*.csv c.csv.gz d.csv.zst")
        .expect(0);
    assert_snapshot!(told(&place), @"
    1 | z.csv | 2 | z1@example.com | loaded
    2 | z.csv | 4 | z2@example.com | loaded
    3 | part-a.csv | 2 | a@example.com | loaded
    4 | part-b.csv | 2 | b@example.com | loaded
    5 | c.csv.gz | 2 | g1@example.com | loaded
    6 | c.csv.gz | 3 | g2@example.com | loaded
    7 | d.csv.zst | 2 | s@example.com | loaded
    ");
}

#[test]
fn a_folder_of_partitions_gives_its_keys_as_columns() {
    let place = Place::with_people("");
    place.write(
        "people.toml",
        "entity = \"customer\"\nkey = \"email\"\n[fields]\nemail = \"email\"\ndisplay_name = \"region\"\n",
    );
    place.write(
        "export/region=eu/day=2026-01-31/a.csv",
        "email\na@example.com\n",
    );
    place.write(
        "export/region=us%20west/day=2026-01-31/b.csv",
        "email\nb@example.com\n",
    );
    place.load_people("export --with-source").expect(0);
    assert_snapshot!(told(&place), @"
    1 | export/region=eu/day=2026-01-31/a.csv | 2 | a@example.com | loaded
    2 | export/region=us%20west/day=2026-01-31/b.csv | 2 | b@example.com | loaded
    ");
    let source = place
        .results("out.csv")
        .select(&["src.email", "src.region", "src.day"]);
    assert_eq!(
        source.rows,
        [
            ["a@example.com", "eu", "2026-01-31"],
            ["b@example.com", "us west", "2026-01-31"]
        ]
    );
    let site = Sandbox::serve(&place, "--state-dir state");
    assert_eq!(
        site.records("customers")["b@example.com"]["displayName"],
        "us west"
    );
}

#[test]
fn other_encodings_delimiters_and_files_without_header_are_read_as_told() {
    let place = Place::with_people("");
    place.write(
        "export.txt",
        b"a@example.com\tJos\xe9 \x80\r\nb@example.com\tO\x92Neill\r\n",
    );
    place
        .load_people("export.txt --format csv --csv-encoding windows-1252 --csv-delimiter tab --csv-columns email,name")
        .expect(0);
    assert_snapshot!(told(&place), @"
    1 | export.txt | 1 | a@example.com | loaded
    2 | export.txt | 2 | b@example.com | loaded
    ");
    let site = Sandbox::serve(&place, "--state-dir state");
    let customers = site.records("customers");
    assert_eq!(customers["a@example.com"]["displayName"], "José €");
    assert_eq!(customers["b@example.com"]["displayName"], "O’Neill");
}

#[test]
fn an_encoding_or_delimiter_that_does_not_exist_is_refused() {
    let place = Place::with_people("a@example.com,Ana\n");
    assert_snapshot!(place.load_people("people.csv --csv-encoding latin-99").expect(3).stderr, @r#"error: no encoding is called "latin-99"; use a label of the Encoding Standard, such as utf-8, utf-16le or windows-1252"#);
    assert_snapshot!(place.load_people("people.csv --csv-delimiter ab").expect(2).stderr, @r#"error: the CSV delimiter "ab" is not one ASCII character; write it as in ";" or "tab""#);
    assert_snapshot!(place.load_people("people.csv --csv-columns email,email").expect(3).stderr, @r#"error: the given header names "email" twice: columns 1 and 2; rename or remove all but one"#);
}
