//! Parquet and Arrow IPC files of every type, whole and damaged.

use super::{Folder, read, read_all};
use crate::source::{ChunkRequest, SourceErrorKind};
use ::parquet::arrow::ArrowWriter;
use ::parquet::file::properties::WriterProperties;
use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array,
    Decimal256Array, DictionaryArray, FixedSizeBinaryArray, Float32Array, Float64Array, Int8Array,
    Int64Array, LargeStringArray, ListArray, ListBuilder, NullArray, RecordBatch, StringArray,
    StringBuilder, StringViewArray, StructArray, Time64MicrosecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt8Array,
    UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, i256};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use std::fmt::Write;
use std::sync::Arc;

fn list(rows: [Option<Vec<Option<&str>>>; 3]) -> ListArray {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for row in rows {
        builder.append_option(row);
    }
    builder.finish()
}

type Columns = Vec<(&'static str, ArrayRef)>;

/// Three rows of every type, the second one null where that is possible.
fn every_type() -> RecordBatch {
    let columns = [texts(), numbers(), times(), others()].concat().into_iter();
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))
        .unwrap()
}

fn texts() -> Columns {
    vec![
        (
            "text",
            Arc::new(StringArray::from(vec![Some("ana"), None, Some("")])),
        ),
        (
            "large",
            Arc::new(LargeStringArray::from(vec![
                Some("a text of more than twelve bytes"),
                None,
                Some("é"),
            ])),
        ),
        (
            "view",
            Arc::new(StringViewArray::from(vec![
                Some("a text of more than twelve bytes"),
                None,
                Some("é"),
            ])),
        ),
        (
            "dictionary",
            Arc::new(DictionaryArray::<Int32Type>::from_iter([
                Some("eu"),
                None,
                Some("eu"),
            ])),
        ),
        (
            "bytes",
            Arc::new(BinaryArray::from(vec![Some(&b"abc"[..]), None, Some(b"")])),
        ),
        (
            "fixed",
            Arc::new(
                FixedSizeBinaryArray::try_from_iter([[1_u8, 255], [2, 3], [4, 5]].iter()).unwrap(),
            ),
        ),
        (
            "list",
            Arc::new(list([
                Some(vec![Some("a"), None, Some("b")]),
                None,
                Some(vec![]),
            ])),
        ),
    ]
}

fn numbers() -> Columns {
    vec![
        (
            "int8",
            Arc::new(Int8Array::from(vec![Some(-8), None, Some(8)])),
        ),
        (
            "int64",
            Arc::new(Int64Array::from(vec![
                Some(i64::MAX),
                None,
                Some(9_007_199_254_740_993),
            ])),
        ),
        ("uint8", Arc::new(UInt8Array::from(vec![255, 0, 1]))),
        (
            "uint64",
            Arc::new(UInt64Array::from(vec![Some(u64::MAX), None, Some(1)])),
        ),
        (
            "float32",
            Arc::new(Float32Array::from(vec![Some(1.5), None, Some(-0.25)])),
        ),
        (
            "float64",
            Arc::new(Float64Array::from(vec![Some(1.25), None, Some(1e10)])),
        ),
        (
            "boolean",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        ),
    ]
}

fn times() -> Columns {
    vec![
        (
            "date32",
            Arc::new(Date32Array::from(vec![Some(19_000), None, Some(-1)])),
        ),
        (
            "date64",
            Arc::new(Date64Array::from(vec![
                Some(19_000 * 86_400_000),
                None,
                Some(-1),
            ])),
        ),
        (
            "seconds",
            Arc::new(TimestampSecondArray::from(vec![
                Some(1_700_000_000),
                None,
                Some(-1),
            ])),
        ),
        (
            "millis",
            Arc::new(
                TimestampMillisecondArray::from(vec![Some(1_700_000_000_123), None, Some(-1)])
                    .with_timezone("Europe/Berlin"),
            ),
        ),
        (
            "micros",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1_700_000_000_123_456), None, Some(-1)])
                    .with_timezone("+02:00"),
            ),
        ),
        (
            "nanos",
            Arc::new(TimestampNanosecondArray::from(vec![
                Some(1_700_000_000_123_456_789),
                None,
                Some(-1),
            ])),
        ),
    ]
}

fn others() -> Columns {
    vec![
        (
            "decimal",
            Arc::new(
                Decimal128Array::from(vec![Some(123_456_789), None, Some(-5)])
                    .with_precision_and_scale(20, 2)
                    .unwrap(),
            ),
        ),
        (
            "wide",
            Arc::new(
                Decimal256Array::from(vec![
                    Some(i256::from_i128(i128::MAX)),
                    None,
                    Some(i256::from_i128(-15)),
                ])
                .with_precision_and_scale(60, 1)
                .unwrap(),
            ),
        ),
        (
            "time",
            Arc::new(Time64MicrosecondArray::from(vec![
                Some(3_661_000_000),
                None,
                Some(0),
            ])),
        ),
        (
            "struct",
            Arc::new(StructArray::from(vec![
                (
                    Arc::new(Field::new("x", DataType::Int64, true)),
                    Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])) as ArrayRef,
                ),
                (
                    Arc::new(Field::new("y", DataType::Utf8, false)),
                    Arc::new(StringArray::from(vec!["a", "b", "c"])) as ArrayRef,
                ),
            ])),
        ),
        (
            "numbers",
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([
                Some(vec![Some(1), Some(2)]),
                None,
                Some(vec![]),
            ])),
        ),
        ("nothing", Arc::new(NullArray::new(3))),
    ]
}

fn parquet(batches: &[RecordBatch], properties: Option<WriterProperties>) -> Vec<u8> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batches[0].schema(), properties).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.into_inner().unwrap()
}

fn ipc_file(batches: &[RecordBatch], options: IpcWriteOptions) -> Vec<u8> {
    let mut writer =
        FileWriter::try_new_with_options(Vec::new(), &batches[0].schema(), options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.into_inner().unwrap()
}

fn ipc_stream(batches: &[RecordBatch], options: IpcWriteOptions) -> Vec<u8> {
    let mut writer =
        StreamWriter::try_new_with_options(Vec::new(), &batches[0].schema(), options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.into_inner().unwrap()
}

fn packed(codec: CompressionType) -> IpcWriteOptions {
    IpcWriteOptions::default()
        .try_with_compression(Some(codec))
        .unwrap()
}

/// The batch in every columnar container.
fn containers(batches: &[RecordBatch]) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a.parquet", parquet(batches, None)),
        ("a.arrow", ipc_file(batches, IpcWriteOptions::default())),
        (
            "zstd.arrow",
            ipc_file(batches, packed(CompressionType::ZSTD)),
        ),
        (
            "lz4.feather",
            ipc_file(batches, packed(CompressionType::LZ4_FRAME)),
        ),
        ("a.arrows", ipc_stream(batches, IpcWriteOptions::default())),
        (
            "zstd.ipc",
            ipc_stream(batches, packed(CompressionType::ZSTD)),
        ),
    ]
}

fn numbered(rows: std::ops::Range<i64>) -> RecordBatch {
    let text: Vec<_> = rows.clone().map(|n| format!("name of row {n}")).collect();
    RecordBatch::try_from_iter([
        (
            "id",
            Arc::new(Int64Array::from_iter_values(rows)) as ArrayRef,
        ),
        ("name", Arc::new(StringArray::from(text)) as ArrayRef),
    ])
    .unwrap()
}

#[test]
fn every_type_is_read_alike_from_every_container() {
    let batch = every_type();
    let names: Vec<_> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    for (file, bytes) in containers(&[batch]) {
        let folder = Folder::with(file, bytes);
        let dataset = folder.open(&[file]).unwrap();
        let mut table = String::new();
        for name in &names {
            let columns = Some(vec![name.clone()]);
            let all = read(
                &dataset,
                &ChunkRequest {
                    columns,
                    ..ChunkRequest::default()
                },
            );
            assert!(all.error.is_none(), "{file} {name}: {:?}", all.error);
            let kind = super::super::kind::in_words(dataset.schema().get(name).unwrap());
            writeln!(table, "{name} ({kind}): {}", all.rows.join("; ")).unwrap();
        }
        insta::allow_duplicates! { insta::assert_snapshot!(table, @"
    text (text): 1: ana; 2: ∅; 3: 
    large (text): 1: a text of more than twelve bytes; 2: ∅; 3: é
    view (text): 1: a text of more than twelve bytes; 2: ∅; 3: é
    dictionary (text): 1: eu; 2: ∅; 3: eu
    bytes (text): 1: abc; 2: ∅; 3: 
    fixed (text): 1: 01ff; 2: 0203; 3: 0405
    list (list of text): 1: [a, ∅, b]; 2: ∅; 3: []
    int8 (integer): 1: -8; 2: ∅; 3: 8
    int64 (integer): 1: 9223372036854775807; 2: ∅; 3: 9007199254740993
    uint8 (integer): 1: 255; 2: 0; 3: 1
    uint64 (unsigned integer): 1: 18446744073709551615; 2: ∅; 3: 1
    float32 (float): 1: 1.5; 2: ∅; 3: -0.25
    float64 (float): 1: 1.25; 2: ∅; 3: 1.0000e10
    boolean (boolean): 1: true; 2: ∅; 3: false
    date32 (date): 1: 2022-01-08; 2: ∅; 3: 1969-12-31
    date64 (date): 1: 2022-01-08; 2: ∅; 3: 1969-12-31
    seconds (datetime): 1: 2023-11-14 22:13:20; 2: ∅; 3: 1969-12-31 23:59:59
    millis (datetime): 1: 2023-11-14 22:13:20.123; 2: ∅; 3: 1969-12-31 23:59:59.999
    micros (datetime): 1: 2023-11-14 22:13:20.123456; 2: ∅; 3: 1969-12-31 23:59:59.999999
    nanos (datetime): 1: 2023-11-14 22:13:20.123456; 2: ∅; 3: 1969-12-31 23:59:59.999999
    decimal (decimal(20, 2)): 1: 1234567.89; 2: ∅; 3: -0.05
    wide (text): 1: 17014118346046923173168730371588410572.7; 2: ∅; 3: -1.5
    time (text): 1: 01:01:01; 2: ∅; 3: 00:00:00
    struct (text): 1: {x: 1, y: a}; 2: {x: null, y: b}; 3: {x: 3, y: c}
    numbers (text): 1: [1, 2]; 2: ∅; 3: []
    nothing (text): 1: ∅; 2: ∅; 3: ∅
    "); }
        assert_eq!(read_all(&dataset).len(), 3);
    }
}

#[test]
fn batches_are_cut_into_chunks_of_bounded_rows_and_bytes() {
    for (file, bytes) in containers(&[
        numbered(0..1000),
        numbered(1000..1001),
        numbered(1001..2500),
    ]) {
        let folder = Folder::with(file, bytes);
        let dataset = folder.open(&[file]).unwrap();
        let expected: Vec<_> = (0..2500)
            .map(|n| format!("{}: name of row {n} | {n}", n + 1))
            .collect();
        for (rows, bytes) in [(8192, 8 << 20), (100, 8 << 20), (8192, 1000), (7, 1)] {
            let columns = Some(vec!["name".to_owned(), "id".to_owned()]);
            let all = read(
                &dataset,
                &ChunkRequest {
                    columns,
                    rows,
                    bytes,
                },
            );
            assert!(
                all.rows == expected && all.error.is_none(),
                "{file} {rows} {bytes}"
            );
            assert!(
                all.chunks >= 2500_usize.div_ceil(rows).max((2500 * 32 / bytes).min(2500)),
                "{file} {rows} {bytes}"
            );
        }
        let all = read(
            &dataset,
            &ChunkRequest {
                columns: Some(Vec::new()),
                rows: 1000,
                ..ChunkRequest::default()
            },
        );
        assert_eq!(all.rows.len(), 2500);
    }
}

#[test]
fn a_long_text_that_a_dictionary_repeats_does_not_fill_a_chunk_beyond_its_bytes() {
    let long = "x".repeat(100_000);
    let batch = RecordBatch::try_from_iter([(
        "text",
        Arc::new(StringArray::from(vec![long.as_str(); 500])) as ArrayRef,
    )])
    .unwrap();
    let folder = Folder::with("a.parquet", parquet(&[batch], None));
    let dataset = folder.open(&["a.parquet"]).unwrap();
    let request = ChunkRequest {
        bytes: 1 << 20,
        ..ChunkRequest::default()
    };
    let rows: Vec<_> = dataset
        .chunks(&request)
        .map(|chunk| chunk.unwrap().records())
        .collect();
    assert_eq!(rows.iter().sum::<usize>(), 500);
    assert!(rows.iter().all(|rows| *rows <= 11), "{rows:?}");
}

#[test]
fn values_that_a_column_cannot_hold_reject_their_row() {
    let batch = RecordBatch::try_from_iter([
        (
            "bytes",
            Arc::new(BinaryArray::from(vec![
                &b"ok"[..],
                b"a\xff",
                b"ok",
                b"ok",
                b"ok",
            ])) as ArrayRef,
        ),
        (
            "at",
            Arc::new(TimestampSecondArray::from(vec![
                0,
                0,
                i64::MAX,
                253_402_300_800,
                253_402_300_799,
            ])) as ArrayRef,
        ),
        (
            "on",
            Arc::new(Date32Array::from(vec![0, i32::MAX, 0, 0, 2_932_896])) as ArrayRef,
        ),
    ])
    .unwrap();
    let folder = Folder::with("a.arrow", ipc_file(&[batch], IpcWriteOptions::default()));
    insta::assert_snapshot!(read_all(&folder.open(&["a.arrow"]).unwrap()).join("\n"), @"
    1: ok | 1970-01-01 00:00:00 | 1970-01-01
    2! ENCODING_INVALID not valid UTF-8 at byte 2 of the record
    3! CAST_INVALID cannot be read as datetime
    4! CAST_INVALID cannot be read as datetime
    5: ok | 9999-12-31 23:59:59 | 9999-12-31
    ");
}

#[test]
fn uuids_are_written_with_hyphens() {
    let uuids = FixedSizeBinaryArray::try_from_iter([[0xAB_u8; 16]].iter()).unwrap();
    let metadata = std::collections::HashMap::from([(
        "ARROW:extension:name".to_owned(),
        "arrow.uuid".to_owned(),
    )]);
    let field = Field::new("id", DataType::FixedSizeBinary(16), false).with_metadata(metadata);
    let batch =
        RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![Arc::new(uuids)]).unwrap();
    for (file, bytes) in containers(&[batch]) {
        let rows = read_all(&Folder::with(file, bytes).open(&[file]).unwrap());
        assert_eq!(rows, ["1: abababab-abab-abab-abab-abababababab"], "{file}");
    }
}

#[test]
fn files_that_are_not_what_they_should_be_are_refused_at_once() {
    let folder = Folder::with("a.parquet", "id,name\n1,x\n");
    folder.write("b.arrow", "id,name\n1,x\n");
    folder.write("c.arrow", "");
    folder.write("d.arrow", "ARROW1\0\0");
    insta::assert_snapshot!(folder.faults(&["a.parquet", "b.arrow", "c.arrow", "d.arrow"]), @"
    a.parquet: this is not a Parquet file: it does not begin like one; export it again, or name its format (--format)
    b.arrow: this is not an Arrow IPC file or stream: it does not begin like one; export it again, or name its format (--format)
    c.arrow: this is not an Arrow IPC file or stream: it is empty; export it again, or take it out of the inputs
    d.arrow: the Arrow IPC footer cannot be read; the file is truncated or damaged: copy or export it again (Ipc error: the footer is missing)
    ");
}

#[test]
fn truncated_files_are_refused_at_once() {
    let batches = [numbered(0..1000), numbered(1000..2000)];
    let folder = Folder::new();
    for (file, bytes) in containers(&batches) {
        folder.write(file, &bytes[..bytes.len() * 2 / 3]);
    }
    insta::assert_snapshot!(folder.faults(&["a.parquet", "a.arrow", "a.arrows"]), @"
    a.parquet: the Parquet footer cannot be read; the file is truncated or damaged: copy or export it again (Parquet error: Invalid Parquet file. Corrupt footer)
    a.arrow: the Arrow IPC footer cannot be read; the file is truncated or damaged: copy or export it again (Parser error: Arrow file does not contain correct footer)
    a.arrows: the Arrow IPC stream cannot be read; the file is truncated or damaged: copy or export it again (Ipc error: a part of it lies beyond the end of the file)
    ");
    let whole = ipc_stream(&batches, IpcWriteOptions::default());
    for len in [whole.len() - 3, whole.len() - 9, 200, 7] {
        folder.write("a.arrows", &whole[..len]);
        assert!(folder.open(&["a.arrows"]).is_err(), "{len}");
    }
    folder.write("a.arrows", &whole[..whole.len() - 8]);
    assert!(
        folder.open(&["a.arrows"]).is_ok(),
        "a stream may end without a mark"
    );
}

#[test]
fn a_damaged_page_gives_the_rows_before_it_and_then_an_error() {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(500))
        .set_dictionary_enabled(false)
        .set_compression(::parquet::basic::Compression::SNAPPY)
        .build();
    let mut bytes = parquet(&[numbered(0..1000)], Some(properties));
    let half = bytes.len() / 2;
    bytes[half..half + 400].fill(0xAA);
    let folder = Folder::with("a.parquet", bytes);
    let all = read(
        &folder.open(&["a.parquet"]).unwrap(),
        &ChunkRequest {
            rows: 100,
            ..ChunkRequest::default()
        },
    );
    assert_eq!(all.rows.len(), 500);
    let error = all.error.unwrap();
    assert_eq!(error.kind(), SourceErrorKind::Damaged);
    insta::assert_snapshot!(error, @"a.parquet, row 501: the file cannot be read from this row on; it is damaged or incomplete: copy or export it again");
}

#[test]
fn repeated_columns_and_differing_types_are_faults() {
    let batch = numbered(0..3);
    let fields = vec![
        Field::new("id", DataType::Int64, false),
        Field::new("id", DataType::Utf8, false),
    ];
    let repeated =
        RecordBatch::try_new(Arc::new(Schema::new(fields)), batch.columns().to_vec()).unwrap();
    let folder = Folder::with("a.arrow", ipc_file(&[repeated], IpcWriteOptions::default()));
    folder.write("b.parquet", parquet(&[batch], None));
    folder.write("c.csv", "id,name\n1,x\n");
    insta::assert_snapshot!(folder.faults(&["a.arrow", "b.parquet", "c.csv"]), @r#"
    a.arrow: the file's schema names "id" twice: columns 1 and 2; rename or remove all but one
    c.csv: column "id" is text; in b.parquet it is integer; export both with the same types, or load them apart
    "#);
}

#[test]
fn columns_are_matched_by_name_across_columnar_files() {
    let first = numbered(0..2);
    let second = numbered(2..4).project(&[1, 0]).unwrap();
    let folder = Folder::with("a.parquet", parquet(&[first], None));
    folder.write(
        "b.arrows",
        ipc_stream(&[second], IpcWriteOptions::default()),
    );
    let rows = read_all(&folder.open(&["a.parquet", "b.arrows"]).unwrap());
    assert_eq!(rows[1..3], ["2: 1 | name of row 1", "3: 2 | name of row 2"]);
}

#[test]
fn flipped_and_missing_bytes_never_panic() {
    let batch = every_type();
    for (file, whole) in containers(&[batch]) {
        let folder = Folder::new();
        // a fixed sequence: each failure can be met again
        let mut random = 0x2545_F491_4F6C_DD1D_u64;
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..3 {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let at = usize::try_from(random >> 33).unwrap() % bytes.len();
                bytes[at] ^= 1 << (random >> 30 & 7);
            }
            folder.write(file, bytes);
            if let Ok(dataset) = folder.open(&[file]) {
                read(&dataset, &ChunkRequest::default());
            }
        }
    }
}
