//! Results in other formats than CSV, and rows that come from their source.

use super::{Desk, rows};
use csm_loader::model::code::Code;
use csm_loader::model::outcome::Status;
use csm_loader::retry::Origin;
use std::fmt::Write as _;
use std::fs;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

#[test]
fn every_results_format_gives_the_same_rows() {
    for name in ["out.csv", "out.jsonl", "out.parquet", "out.arrow"] {
        let mut desk = Desk::with_customers();
        desk.publish(name, true);
        let prepared = desk.retry(name).unwrap();
        let ending = name.trim_start_matches("out");
        assert_eq!(prepared.results, desk.path(&format!("out-retry{ending}")));
        insta::allow_duplicates! {
            insta::assert_snapshot!(rows(&prepared), @r#"
            1 customers.csv:2: 007 | 00420123 | Ana "Ace" Lee
            2 customers.csv:3: 008 | ∅ | Bo; Cy, & Co
            3 customers.csv:4: 009 | 0151 | two⏎lines
            "#);
        }
    }
}

#[test]
fn json_lines_may_be_edited_too() {
    let mut desk = Desk::with_customers();
    desk.publish("out.jsonl", true);
    let text = fs::read_to_string(desk.path("out.jsonl")).unwrap();
    let mut lines: Vec<_> = text
        .lines()
        .map(|line| line.replace("\"00420123\"", "\"0042 \\u00e9\""))
        .collect();
    lines.reverse();
    lines[0].insert_str(1, "\"owner\":\"me\",");
    desk.write("out.jsonl", lines.join("\r\n\r\n"));
    let prepared = desk.retry("out.jsonl").unwrap();
    assert_eq!(prepared.told.added, ["owner"]);
    insta::assert_snapshot!(rows(&prepared), @r#"
    1 customers.csv:2: 007 | 0042 é | Ana "Ace" Lee
    2 customers.csv:3: 008 | ∅ | Bo; Cy, & Co
    3 customers.csv:4: 009 | 0151 | two⏎lines
    "#);
}

#[test]
fn without_the_sources_columns_rows_come_from_the_source_if_it_is_what_it_was() {
    let mut desk = Desk::with_customers();
    desk.publish("out.csv", false);
    let prepared = desk.retry("out.csv").unwrap();
    assert_eq!((prepared.origin, prepared.rows), (Origin::Source, 3));
    insta::assert_snapshot!(rows(&prepared), @r#"
    1 customers.csv:2: 007 | 00420123 | Ana "Ace" Lee
    2 customers.csv:3: 008 | ∅ | Bo; Cy, & Co
    3 customers.csv:4: 009 | 0151 | two⏎lines
    "#);

    let source = fs::read_to_string(desk.path("customers.csv")).unwrap();
    desk.write("customers.csv", source.replace("Eve", "Eva"));
    insta::assert_snapshot!(desk.refusal("out.csv"), @"…/out.csv: it has no src. columns to load from, and its source customers.csv has changed since the run; load the source again with csm-loader load, and use --with-source so that its results can be edited and retried by themselves");
    desk.write("customers.csv", format!("{source}012,3,Flo\n"));
    insta::assert_snapshot!(desk.refusal("out.csv"), @"…/out.csv: it has no src. columns to load from, and its source customers.csv has changed since the run; load the source again with csm-loader load, and use --with-source so that its results can be edited and retried by themselves");
    fs::remove_file(desk.path("customers.csv")).unwrap();
    insta::assert_snapshot!(desk.refusal("out.csv"), @"…/out.csv: it has no src. columns to load from, and its source cannot be opened (customers.csv: there is no such file; check its name and the folder that it starts from); load the source again with csm-loader load, and use --with-source so that its results can be edited and retried by themselves");
}

#[test]
fn a_source_that_cannot_be_found_again_is_said_to_be_so() {
    let mut desk = Desk::with_customers();
    desk.publish("out.csv", false);
    desk.write("more.csv", "id,phone,name\n");
    let known = desk.ledger.stage.source.take();
    insta::assert_snapshot!(desk.refusal("out.csv"), @"…/out.csv: it has no src. columns to load from, and the ledger does not know how its source was read; load the source again with csm-loader load, and use --with-source so that its results can be edited and retried by themselves");
    let mut source = known.unwrap();
    source.inputs = vec!["*.csv".into()];
    fs::rename(desk.path("out.csv"), desk.path("out.txt")).unwrap();
    desk.ledger.stage.source = Some(source.clone());
    insta::assert_snapshot!(desk.refusal("out.txt"), @"…/out.txt: it has no src. columns to load from, and its source has other files now (more.csv is one that differs); load the source again with csm-loader load, and use --with-source so that its results can be edited and retried by themselves");
    source.inputs = vec!["-".into()];
    desk.ledger.stage.source = Some(source);
    insta::assert_snapshot!(desk.refusal("out.txt"), @"…/out.txt: it has no src. columns to load from, and its source was standard input, which is gone; load the source again with csm-loader load, and use --with-source so that its results can be edited and retried by themselves");
}

#[test]
fn src_columns_need_no_source_but_their_types() {
    let mut desk = Desk::with_customers();
    desk.publish("out.csv", true);
    fs::remove_file(desk.path("customers.csv")).unwrap();
    assert_eq!(desk.retry("out.csv").unwrap().origin, Origin::ResultsFile);
    desk.ledger.stage.source = None;
    insta::assert_snapshot!(desk.refusal("out.csv"), @"…/out.csv: the ledger does not know the types of the src. columns of run 20261122-080000-3f9a2c; load the rows from their source with csm-loader load");
}

#[test]
fn columns_may_be_missing_and_others_be_there() {
    let mut desk = Desk::with_customers();
    let run = super::RUN;
    desk.write(
        "out.csv",
        format!("src.nick,src.name, row ,run\nx,Ana,1,{run}\ny,Bo,2,{run}\n"),
    );
    let prepared = desk.retry("out.csv").unwrap();
    let columns = prepared.dataset.schema().columns().iter();
    assert_eq!(
        columns.map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["name"]
    );
    insta::assert_snapshot!(rows(&prepared), @"
    1 customers.csv:2: Ana
    2 customers.csv:3: Bo
    ");
    insta::assert_snapshot!(prepared.told.sentences().join("\n"), @"
    2 rows are loaded again (1 rejected, 1 failed)
    columns ignored, as the source did not have them: src.nick
    columns no longer in the file, and so not there for the mapping: src.id, src.phone
    ");
}

#[test]
fn records_that_were_no_rows_can_be_filled_in() {
    let source = b"id,name\n1,Ana\n2\n3\n4,Dan\n";
    let few = Some(Code::CsvTooFewFields);
    let mut desk = Desk::new(
        &[("people.csv", source)],
        &[
            (1, 0, Some(2), Status::Loaded, None),
            (2, 0, Some(3), Status::Rejected, few),
            (3, 0, Some(4), Status::Rejected, few),
            (4, 0, Some(5), Status::Failed, Some(Code::SiteRejected)),
        ],
    );
    desk.publish("out.csv", true);
    let text = fs::read_to_string(desk.path("out.csv")).unwrap();
    let filled: Vec<_> = text
        .lines()
        .map(|line| {
            if line.contains(",people.csv,3,") {
                line.replace("Z,,", "Z,2,Bo")
            } else {
                line.to_owned()
            }
        })
        .collect();
    desk.write("out.csv", filled.join("\n"));
    let prepared = desk.retry("out.csv").unwrap();
    insta::assert_snapshot!(rows(&prepared), @"
    2 people.csv:3: 2 | Bo
    3 people.csv:4! CSV_TOO_FEW_FIELDS the record could not be read from the source, and its src. columns are still empty; fill them in
    4 people.csv:5: 4 | Dan
    ");
    desk.publish("plain.csv", false);
    insta::assert_snapshot!(rows(&desk.retry("plain.csv").unwrap()), @"
    2 people.csv:3! CSV_TOO_FEW_FIELDS 1 fields; the header has 2
    3 people.csv:4! CSV_TOO_FEW_FIELDS 1 fields; the header has 2
    4 people.csv:5: 4 | Dan
    ");
}

#[test]
fn rows_of_several_files_keep_their_file() {
    let failed = |row, file, line| {
        (
            row,
            file,
            Some(line),
            Status::Failed,
            Some(Code::SiteRejected),
        )
    };
    let mut desk = Desk::new(
        &[("b.csv", b"id\n1\n2\n"), ("a.csv", b"id\n3\n4\n")],
        &[
            failed(1, 0, 2),
            failed(2, 0, 3),
            failed(3, 1, 2),
            failed(4, 1, 3),
        ],
    );
    for with_source in [true, false] {
        desk.publish("out.csv", with_source);
        let prepared = desk.retry("out.csv").unwrap();
        insta::allow_duplicates! {
            insta::assert_snapshot!(rows(&prepared), @"
            1 b.csv:2: 1
            2 b.csv:3: 2
            3 a.csv:2: 3
            4 a.csv:3: 4
            ");
        }
    }
}

#[test]
fn many_rows_in_any_order_come_back_in_theirs() {
    const ROWS: u64 = 20_000;
    let mut source = String::from("id\n");
    for row in 1..=ROWS {
        let _ = writeln!(source, "{row:06}");
    }
    let known: Vec<_> = (1..=ROWS)
        .map(|row| {
            let status = if row % 3 == 0 {
                Status::Loaded
            } else {
                Status::NotSent
            };
            (row, 0, Some(row + 1), status, None)
        })
        .collect();
    let mut desk = Desk::new(&[("ids.csv", source.as_bytes())], &known);
    desk.publish("out.csv", true);
    let text = fs::read_to_string(desk.path("out.csv")).unwrap();
    let mut lines: Vec<_> = text.lines().collect();
    lines[1..].sort_by_key(|line| any_order().hash_one(line));
    desk.write("out.csv", lines.join("\n"));
    let prepared = desk.retry("out.csv").unwrap();
    let expected: Vec<_> = (1..=ROWS)
        .filter(|row| row % 3 != 0)
        .map(|row| format!("{row} ids.csv:{}: {row:06}", row + 1))
        .collect();
    assert_eq!(rows(&prepared), expected.join("\n"));
}

/// An order without an order, the same on every machine.
fn any_order() -> BuildHasherDefault<DefaultHasher> {
    BuildHasherDefault::default()
}
