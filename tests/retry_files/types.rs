//! Sources of every type: written to results, read back, and the same to the last cell.

use super::{Desk, rows};
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListBuilder,
    RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray, UInt64Array,
};
use csm_loader::model::code::Code;
use csm_loader::model::outcome::Status;
use csm_loader::source::chunk::{SourceSchema, render};
use csm_loader::source::{ChunkRequest, Dataset};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use std::fs;
use std::sync::Arc;

/// A row of the source: a cell of every type.
#[derive(Debug, Clone)]
struct Cells {
    text: Option<String>,
    int: Option<i64>,
    uint: Option<u64>,
    float: Option<f64>,
    boolean: Option<bool>,
    date: Option<i32>,
    local: Option<i64>,
    zoned: Option<i64>,
    price: Option<i128>,
    big: Option<i128>,
    list: Option<Vec<Option<String>>>,
}

/// What dates can be written with: years of four digits.
const DAYS: std::ops::Range<i32> = -719_528..2_932_897;
const MICROS_A_DAY: i64 = 86_400_000_000;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        prop::collection::vec(any::<char>(), 0..8).prop_map(String::from_iter),
        Just("007".to_owned()),
        Just(" \r\n\"; ".to_owned()),
    ]
}

fn cells() -> impl Strategy<Value = Cells> {
    let micros = i64::from(DAYS.start) * MICROS_A_DAY..i64::from(DAYS.end) * MICROS_A_DAY;
    let maybe = prop::option::weighted::<BoxedStrategy<i64>>;
    (
        prop::option::of(text()),
        any::<Option<i64>>(),
        any::<Option<u64>>(),
        prop::option::of(prop_oneof![any::<f64>(), prop::num::f64::ANY]),
        any::<Option<bool>>(),
        prop::option::of(DAYS),
        (
            maybe(0.8, micros.clone().boxed()),
            maybe(0.8, micros.boxed()),
        ),
        prop::option::of(-99_999_i128..=99_999),
        prop::option::of(-(10_i128.pow(38) - 1)..10_i128.pow(38)),
        prop::option::of(prop::collection::vec(prop::option::of(text()), 0..3)),
    )
        .prop_map(
            |(text, int, uint, float, boolean, date, (local, zoned), price, big, list)| Cells {
                text,
                int,
                uint,
                float,
                boolean,
                date,
                local,
                zoned,
                price,
                big,
                list,
            },
        )
}

fn batch(rows: &[Cells]) -> RecordBatch {
    fn column<T, A: FromIterator<Option<T>>>(
        rows: &[Cells],
        take: impl Fn(&Cells) -> Option<T>,
    ) -> A {
        rows.iter().map(take).collect()
    }
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in rows {
        lists.append_option(row.list.clone());
    }
    let local: TimestampMicrosecondArray = column(rows, |row| row.local);
    let zoned: TimestampMicrosecondArray = column(rows, |row| row.zoned);
    let price: Decimal128Array = column(rows, |row| row.price);
    let big: Decimal128Array = column(rows, |row| row.big);
    let columns: [(&str, ArrayRef); 11] = [
        // names that results files use themselves, or that CSV has to quote
        (
            "run",
            Arc::new(column::<_, StringArray>(rows, |row| row.text.clone())),
        ),
        (
            "row",
            Arc::new(column::<_, Int64Array>(rows, |row| row.int)),
        ),
        (
            "a;\"b\",c",
            Arc::new(column::<_, UInt64Array>(rows, |row| row.uint)),
        ),
        (
            "flöat",
            Arc::new(column::<_, Float64Array>(rows, |row| row.float)),
        ),
        (
            "src.yes",
            Arc::new(column::<_, BooleanArray>(rows, |row| row.boolean)),
        ),
        (
            " date ",
            Arc::new(column::<_, Date32Array>(rows, |row| row.date)),
        ),
        ("local", Arc::new(local)),
        ("zoned", Arc::new(zoned.with_timezone("+02:00"))),
        (
            "price",
            Arc::new(price.with_precision_and_scale(5, 2).unwrap()),
        ),
        (
            "big",
            Arc::new(big.with_precision_and_scale(38, 7).unwrap()),
        ),
        ("list", Arc::new(lists.finish())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))
        .unwrap()
}

fn parquet(rows: &[Cells]) -> Vec<u8> {
    let batch = batch(rows);
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// Row numbers and cells.
type Table = Vec<(u64, Vec<Option<String>>)>;

/// The columns of a dataset and its cells as text; `no_empty` takes empty text for null, as CSV does.
fn all(dataset: &Dataset, no_empty: bool) -> (SourceSchema, Table) {
    let mut rows = Vec::new();
    for chunk in dataset.chunks(&ChunkRequest::default()) {
        let chunk = chunk.unwrap();
        assert_eq!(chunk.bad, []);
        let columns: Vec<_> = chunk.frame.columns().iter().map(render).collect();
        for (index, id) in chunk.ids.iter().enumerate() {
            let cells = columns.iter().map(|column| {
                let cell = column
                    .get(index)
                    .filter(|cell| !no_empty || !cell.is_empty());
                cell.map(str::to_owned)
            });
            rows.push((id.0, cells.collect()));
        }
    }
    (dataset.schema().clone(), rows)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn cells_of_every_type_come_back_from_every_format(source in prop::collection::vec(cells(), 1..8)) {
        let known: Vec<_> = (1..=source.len() as u64)
            .map(|row| (row, 0, None, Status::Failed, Some(Code::SiteRejected)))
            .collect();
        let mut desk = Desk::new(&[("source.parquet", &parquet(&source))], &known);
        let original = Dataset::open(&desk.spec).unwrap();
        for name in ["out.csv", "out.jsonl", "out.parquet", "out.arrow"] {
            desk.publish(name, true);
            let prepared = desk.retry(name).unwrap();
            let no_empty = name == "out.csv";
            prop_assert_eq!(all(&prepared.dataset, no_empty), all(&original, no_empty), "{}", name);
            prop_assert_eq!(prepared.told.unreadable.count, 0);
        }
    }
}

#[test]
fn a_cell_that_is_not_of_its_type_rejects_its_row_alone() {
    let row = Cells {
        text: Some("Ana".into()),
        int: Some(41),
        uint: None,
        float: Some(0.5),
        boolean: Some(true),
        date: Some(20_000),
        local: None,
        zoned: Some(0),
        price: Some(150),
        big: None,
        list: Some(vec![Some("a".into()), None]),
    };
    let source = vec![row; 4];
    let failed = |row| (row, 0, None, Status::Failed, Some(Code::SiteRejected));
    let mut desk = Desk::new(
        &[("source.parquet", &parquet(&source))],
        &[failed(1), failed(2), failed(3), failed(4)],
    );
    desk.publish("out.csv", true);
    let text = fs::read_to_string(desk.path("out.csv")).unwrap();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    // what spreadsheets do to a boolean, a date, a number and a list
    lines[1] = lines[1]
        .replace(",true,", ",TRUE,")
        .replace(",1.5,", ", 1.50 ,");
    lines[2] = lines[2].replace(",2024-10-04,", ",04.10.2024,");
    lines[3] = lines[3]
        .replace(",41,", ",41.0,")
        .replace(",0.5,", ",\"0,5\",");
    lines[4] = lines[4].replace("[\"\"a\"\",null]", "a; null");
    desk.write("out.csv", lines.join("\n"));
    let prepared = desk.retry("out.csv").unwrap();
    insta::assert_snapshot!(rows(&prepared), @r#"
    1 source.parquet: Ana | 41 | ∅ | 0.5 | true | 2024-10-04 | ∅ | 1970-01-01T00:00:00Z | 1.5 | ∅ | ["a",null]
    2 source.parquet! CAST_INVALID src. date  cannot be read as a date, as in 2026-01-31
    3 source.parquet! CAST_INVALID src.row cannot be read as a whole number, as in -17; src.flöat cannot be read as a number, as in 0.5
    4 source.parquet! CAST_INVALID src.list cannot be read as a list, as in ["a","b"]
    "#);
    insta::assert_snapshot!(prepared.told.sentences().join("\n"), @"
    4 rows are loaded again (4 failed)
    3 rows are rejected, because a cell cannot be read as its column's type: lines 3, 4, 5
    ");
}
