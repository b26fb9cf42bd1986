//! Files written and read back by the readers that people use.

use super::*;
use crate::model::code::{Code, ReasonCode};
use crate::model::entity::Operation;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType, UInt32Type, UInt64Type};
use arrow::ipc::reader::FileReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use std::fs::{self, File};
use std::path::Path;
use tempfile::TempDir;

const NAMES: [&str; 20] = [
    "run",
    "row",
    "source",
    "line",
    "entity",
    "key",
    "status",
    "operation",
    "code",
    "field",
    "message",
    "remote_id",
    "route",
    "batch",
    "task_id",
    "trace_id",
    "attempts",
    "finished_at",
    "src.E-mail",
    "src.note",
];
const FORMATS: [&str; 4] = [
    "results.csv",
    "results.jsonl",
    "results.parquet",
    "results.arrow",
];
const NOON: UnixMillis = 1_795_348_800_123;

/// A file as rows of cells, each `None` or its text.
type Table = Vec<Vec<Option<String>>>;

fn header() -> ResultsHeader {
    ResultsHeader {
        run: "r-7".into(),
        entity: Entity::Customer,
        operation: Operation::Upsert.into(),
        source_columns: vec!["E-mail".into(), "note".into()],
    }
}

fn row(row: u64) -> ResultRow<'static> {
    ResultRow {
        row,
        source: "customers.csv",
        line: Some(row + 1),
        key: "",
        status: Status::Loaded,
        reasons: &[],
        remote_id: None,
        route: None,
        batch: None,
        task_id: None,
        trace_id: None,
        attempts: 0,
        finished_at: NOON,
        cells: &[],
    }
}

fn reason(code: impl Into<ReasonCode>, field: Option<&str>, message: &str) -> Reason {
    Reason {
        code: code.into(),
        field: field.map(Into::into),
        message: message.into(),
    }
}

/// Writes the rows and returns the finished file's directory.
fn written(name: &str, header: &ResultsHeader, rows: &[ResultRow<'_>]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = ResultsWriter::create(&dir.path().join(name), header).unwrap();
    for row in rows {
        writer.write(row).unwrap();
    }
    let expected = rows.len() as u64;
    assert_eq!(writer.finish_expecting(expected).unwrap(), expected);
    dir
}

fn read(path: &Path) -> (Vec<String>, Table) {
    match format_of(path).unwrap() {
        ResultsFormat::Csv => read_csv(path),
        ResultsFormat::JsonLines => read_json(path),
        ResultsFormat::Parquet => {
            let reader =
                ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
            table(reader.build().unwrap().map(Result::unwrap))
        }
        ResultsFormat::Arrow => table(
            FileReader::try_new(File::open(path).unwrap(), None)
                .unwrap()
                .map(Result::unwrap),
        ),
    }
}

fn read_csv(path: &Path) -> (Vec<String>, Table) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let names = reader.headers().unwrap().iter().map(Into::into).collect();
    let cell = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (
        names,
        reader
            .records()
            .map(|record| record.unwrap().iter().map(cell).collect())
            .collect(),
    )
}

fn read_json(path: &Path) -> (Vec<String>, Table) {
    let text = fs::read_to_string(path).unwrap();
    let mut names: Vec<String> = NAMES.map(Into::into).into();
    // parsed objects do not keep the order of their members, the text does
    names.sort_by_key(|name| text.find(&format!("\"{name}\":")));
    let row = |line: &str| {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).unwrap();
        let cell = |name: &String| match &object[name] {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        names.iter().map(cell).collect()
    };
    let rows = text.lines().map(row).collect();
    (names, rows)
}

fn table(batches: impl Iterator<Item = RecordBatch>) -> (Vec<String>, Table) {
    let mut names = Vec::new();
    let mut rows = Table::new();
    for batch in batches {
        let schema = batch.schema();
        names = schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        for i in 0..batch.num_rows() {
            rows.push(
                batch
                    .columns()
                    .iter()
                    .map(|column| shown(column, i))
                    .collect(),
            );
        }
    }
    (names, rows)
}

fn shown(column: &dyn Array, i: usize) -> Option<String> {
    column.is_valid(i).then(|| match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(i).to_owned(),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(i).to_string(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(i).to_string(),
        DataType::Timestamp(TimeUnit::Millisecond, Some(zone)) if &**zone == "UTC" => {
            crate::report::figures::timestamp(
                column.as_primitive::<TimestampMillisecondType>().value(i),
            )
        }
        other => panic!("unexpected type {other}"),
    })
}

#[test]
fn every_format_gives_back_the_same_rows_in_the_order_of_the_columns() {
    let reasons = [
        reason(
            Code::DateInvalid,
            Some("Renewal Date"),
            "not a date in the form %Y-%m-%d",
        ),
        reason(
            ReasonCode::Rule("CONTRACT_ENDED".into()),
            None,
            "breaks the rule: a > b",
        ),
    ];
    let whole = [reason(
        Code::CsvTooFewFields,
        None,
        "3 fields; the header has 5",
    )];
    let cells = [Some("Ana@Example.com".into()), None];
    let rows = [
        ResultRow {
            key: "C-0042",
            remote_id: Some("qm:1"),
            route: Some(Route::Bulk),
            batch: Some(3),
            task_id: Some("t-9"),
            trace_id: Some("abc"),
            attempts: 2,
            cells: &cells,
            ..row(1)
        },
        ResultRow {
            line: None,
            status: Status::Rejected,
            reasons: &reasons,
            key: "C-2",
            ..row(2)
        },
        ResultRow {
            status: Status::Rejected,
            reasons: &whole,
            ..row(u64::MAX - 1)
        },
    ];
    let expected: Table = [
        "r-7|1|customers.csv|2|customer|C-0042|loaded|upsert||||qm:1|bulk|3|t-9|abc|2|\
         2026-11-22T12:00:00.123Z|Ana@Example.com|",
        "r-7|2|customers.csv||customer|C-2|rejected|upsert|DATE_INVALID; CONTRACT_ENDED|Renewal Date; |\
         not a date in the form %Y-%m-%d; breaks the rule: a > b||||||0|2026-11-22T12:00:00.123Z||",
        "r-7|18446744073709551614|customers.csv|18446744073709551615|customer||rejected|upsert|\
         CSV_TOO_FEW_FIELDS||3 fields; the header has 5||||||0|2026-11-22T12:00:00.123Z||",
    ]
    .map(|row| row.split('|').map(|cell| (!cell.is_empty()).then(|| cell.to_owned())).collect())
    .into();
    for name in FORMATS {
        let dir = written(name, &header(), &rows);
        let (names, table) = read(&dir.path().join(name));
        assert_eq!(names, NAMES, "{name}");
        assert_eq!(table, expected, "{name}");
    }
}

#[test]
fn csv_and_json_look_like_this() {
    let reasons = [reason(
        Code::EmailInvalid,
        Some("email"),
        "not an e-mail address",
    )];
    let cells = [Some("a \"b\", c".into()), Some("".into())];
    let row = ResultRow {
        status: Status::Rejected,
        reasons: &reasons,
        key: "C-1",
        cells: &cells,
        ..row(1)
    };
    let file = |name| {
        let dir = written(name, &header(), std::slice::from_ref(&row));
        fs::read_to_string(dir.path().join(name)).unwrap()
    };
    insta::assert_snapshot!(file("results.csv"), @r#"
    run,row,source,line,entity,key,status,operation,code,field,message,remote_id,route,batch,task_id,trace_id,attempts,finished_at,src.E-mail,src.note
    r-7,1,customers.csv,2,customer,C-1,rejected,upsert,EMAIL_INVALID,email,not an e-mail address,,,,,,0,2026-11-22T12:00:00.123Z,"a ""b"", c",
    "#);
    insta::assert_snapshot!(file("results.jsonl"), @r#"{"run":"r-7","row":1,"source":"customers.csv","line":2,"entity":"customer","key":"C-1","status":"rejected","operation":"upsert","code":"EMAIL_INVALID","field":"email","message":"not an e-mail address","remote_id":null,"route":null,"batch":null,"task_id":null,"trace_id":null,"attempts":0,"finished_at":"2026-11-22T12:00:00.123Z","src.E-mail":"a \"b\", c","src.note":""}"#);
}

#[test]
fn fields_without_any_name_leave_the_cell_empty() {
    let reasons = [
        reason(Code::RuleBroken, None, "one"),
        reason(Code::ExpressionFailed, None, "two"),
    ];
    let row = ResultRow {
        reasons: &reasons,
        ..row(1)
    };
    for name in FORMATS {
        let dir = written(name, &header(), std::slice::from_ref(&row));
        let (_, table) = read(&dir.path().join(name));
        let got = table[0][8..11]
            .iter()
            .map(Option::as_deref)
            .collect::<Vec<_>>();
        assert_eq!(
            got,
            [
                Some("RULE_BROKEN; EXPRESSION_FAILED"),
                None,
                Some("one; two")
            ],
            "{name}"
        );
    }
}

#[test]
fn hostile_text_comes_back_as_it_was() {
    for text in [
        "\"",
        "\"\"",
        ",",
        "a\nb",
        "a\r\nb",
        "\r",
        "\n",
        "👩‍👩‍👧 äöü 株式",
        "\0",
        "\u{feff}x",
        " padded ",
        "'",
        "\\",
        "\u{2028}",
        "=1+1",
        ";",
    ] {
        let reasons = [reason(Code::SiteRejected, Some(text), text)];
        let cells = [Some(text.into()), Some(text.into())];
        let row = ResultRow {
            key: text,
            source: text,
            reasons: &reasons,
            cells: &cells,
            ..row(1)
        };
        for name in FORMATS {
            let dir = written(name, &header(), std::slice::from_ref(&row));
            let (_, table) = read(&dir.path().join(name));
            for column in [2, 5, 9, 10, 18, 19] {
                assert_eq!(
                    table[0][column].as_deref(),
                    Some(text),
                    "{name} {}",
                    NAMES[column]
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn csv_gives_back_any_text(rows in prop::collection::vec(prop::array::uniform4(any_text()), 0..6)) {
        let details: Vec<_> = rows
            .iter()
            .map(|[_, message, left, right]| {
                let cells = [Some(left.as_str().into()), Some(right.as_str().into())];
                ([reason(Code::SiteRejected, None, message)], cells)
            })
            .collect();
        let written_rows: Vec<_> = rows
            .iter()
            .zip(&details)
            .zip(1..)
            .map(|((text, (reasons, cells)), id)| ResultRow { key: &text[0], reasons, cells, ..row(id) })
            .collect();
        let dir = written("results.csv", &header(), &written_rows);
        let (_, table) = read(&dir.path().join("results.csv"));
        let got: Vec<_> = table
            .into_iter()
            .map(|row| [5, 10, 18, 19].map(|i| row[i].clone().unwrap_or_default()))
            .collect();
        prop_assert_eq!(got, rows);
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter)
}

#[test]
fn many_rows_are_written_in_several_batches_and_none_is_lost() {
    let rows = (1..=70_001).map(row).collect::<Vec<_>>();
    for (name, expected) in [("results.parquet", 2), ("results.arrow", 9)] {
        let dir = written(name, &header(), &rows);
        let path = dir.path().join(name);
        let (_, table) = read(&path);
        assert_eq!(table.len(), rows.len(), "{name}");
        assert!(
            table
                .iter()
                .zip(1..)
                .all(|(row, id): (_, u64)| row[1] == Some(id.to_string()))
        );
        let parts = match name {
            "results.arrow" => FileReader::try_new(File::open(path).unwrap(), None)
                .unwrap()
                .num_batches(),
            _ => ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap())
                .unwrap()
                .metadata()
                .num_row_groups(),
        };
        assert_eq!(parts, expected, "{name}");
    }
}

#[test]
fn wide_rows_end_a_batch_early() {
    let cells = [Some("x".repeat(5 << 20).into()), None];
    let rows = (1..=5)
        .map(|id| ResultRow {
            cells: &cells,
            ..row(id)
        })
        .collect::<Vec<_>>();
    let dir = written("results.arrow", &header(), &rows);
    let file = File::open(dir.path().join("results.arrow")).unwrap();
    let sizes = FileReader::try_new(file, None)
        .unwrap()
        .map(|batch| batch.unwrap().num_rows());
    assert_eq!(sizes.collect::<Vec<_>>(), [4, 1]);
}

#[test]
fn a_file_without_rows_still_has_its_columns() {
    for name in ["results.csv", "results.parquet", "results.arrow"] {
        let dir = written(name, &header(), &[]);
        let file = || File::open(dir.path().join(name)).unwrap();
        let names: Vec<String> = match name {
            "results.csv" => read_csv(&dir.path().join(name)).0,
            "results.parquet" => {
                let reader = ParquetRecordBatchReaderBuilder::try_new(file()).unwrap();
                reader
                    .schema()
                    .fields()
                    .iter()
                    .map(|field| field.name().clone())
                    .collect()
            }
            _ => {
                let reader = FileReader::try_new(file(), None).unwrap();
                reader
                    .schema()
                    .fields()
                    .iter()
                    .map(|field| field.name().clone())
                    .collect()
            }
        };
        assert_eq!(names, NAMES, "{name}");
    }
}

#[test]
fn rows_out_of_order_and_rows_with_other_cells_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = ResultsWriter::create(&dir.path().join("r.csv"), &header()).unwrap();
    writer.write(&row(2)).unwrap();
    let mut message = |row: &ResultRow<'_>| {
        let error = writer.write(row).unwrap_err().to_string();
        error.replace(dir.path().to_str().unwrap(), "DIR")
    };
    insta::assert_snapshot!(message(&row(2)), @"results file DIR/r.csv: row 2 came after row 2; this is a bug");
    insta::assert_snapshot!(message(&row(1)), @"results file DIR/r.csv: row 1 came after row 2; this is a bug");
    let cells = [None];
    insta::assert_snapshot!(message(&ResultRow { cells: &cells, ..row(3) }), @"results file DIR/r.csv: row 3 has 1 source cells for 2 columns; this is a bug");
    assert_eq!(writer.finish().unwrap(), 1);
}

#[test]
fn a_missing_row_keeps_the_file_from_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = ResultsWriter::create(&dir.path().join("r.csv"), &header()).unwrap();
    writer.write(&row(1)).unwrap();
    let error = writer.finish_expecting(2).unwrap_err().to_string();
    insta::assert_snapshot!(error.replace(dir.path().to_str().unwrap(), "DIR"), @"results file DIR/r.csv: 1 rows written for 2 rows read; this is a bug");
    assert_eq!(names_in(dir.path()), [""; 0]);
}

#[test]
fn an_unfinished_writer_leaves_the_old_file_and_nothing_else() {
    for name in FORMATS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, "old").unwrap();
        let mut writer = ResultsWriter::create(&path, &header()).unwrap();
        writer.write(&row(1)).unwrap();
        assert_eq!(
            names_in(dir.path()).len(),
            2,
            "the temporary file stands beside its place"
        );
        drop(writer);
        assert_eq!(names_in(dir.path()), [name]);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        ResultsWriter::create(&path, &header())
            .unwrap()
            .finish()
            .unwrap();
        assert_eq!(names_in(dir.path()), [name]);
        assert_ne!(fs::read(&path).unwrap(), b"old");
    }
}

fn names_in(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

#[cfg(unix)]
#[test]
fn results_are_for_their_owner_alone_from_the_start() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("new/out");
    let writer = ResultsWriter::create(&out.join("r.csv"), &header()).unwrap();
    assert_eq!(
        names_in(&out)
            .iter()
            .map(|name| mode(&out.join(name)))
            .collect::<Vec<_>>(),
        [0o600]
    );
    writer.finish().unwrap();
    assert_eq!((mode(&out.join("r.csv")), mode(&out)), (0o600, 0o700));
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_stays_and_its_file_gets_the_rows() {
    let dir = tempfile::tempdir().unwrap();
    let (real, link) = (dir.path().join("real/r.csv"), dir.path().join("r.csv"));
    fs::create_dir(dir.path().join("real")).unwrap();
    fs::write(&real, "old").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    ResultsWriter::create(&link, &header())
        .unwrap()
        .finish()
        .unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().starts_with("run,row,"));
}

#[test]
fn what_is_no_file_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("r.csv")).unwrap();
    let message = |path: &Path| {
        let error = ResultsWriter::create(path, &header()).err().unwrap();
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        format!("{error}{}", source.unwrap_or_default())
            .replace(dir.path().to_str().unwrap(), "DIR")
    };
    insta::assert_snapshot!(message(&dir.path().join("r.csv")), @"results file DIR/r.csv: exists and is not a regular file; choose another name");
    fs::write(dir.path().join("file"), "").unwrap();
    insta::assert_snapshot!(message(&dir.path().join("file/r.csv")), @"results file DIR/file/r.csv: failed to look at what is there: Not a directory (os error 20)");
}
