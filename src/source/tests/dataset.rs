//! Several files as one dataset, folders, standard input, files that change.

use super::{Folder, read, read_all};
use crate::source::csv::Short;
use crate::source::{ChunkRequest, Chunks, Dataset, Format, SourceErrorKind};

#[test]
fn files_are_one_dataset_by_the_names_of_their_columns() {
    let folder = Folder::with("b.csv", "id,name\n1,x\n\n2\n");
    folder.write("a.csv", "name;id\ny;3\n");
    let dataset = folder.open(&["b.csv", "a.csv"]).unwrap();
    assert_eq!(
        read_all(&dataset),
        [
            "1@2: 1 | x",
            "2@4! CSV_TOO_FEW_FIELDS 1 fields; the header has 2",
            "3@2: 3 | y"
        ]
    );
    let files: Vec<_> = dataset
        .files()
        .iter()
        .map(|file| (file.id.0, file.name.as_str(), file.format, file.bytes))
        .collect();
    assert_eq!(
        files,
        [(0, "b.csv", Format::Csv, 15), (1, "a.csv", Format::Csv, 12)]
    );
    let chunks: Vec<_> = dataset
        .chunks(&ChunkRequest::default())
        .map(|chunk| chunk.unwrap().file.0)
        .collect();
    assert_eq!(chunks, [0, 1]);
}

#[test]
fn files_that_disagree_are_refused_with_every_difference() {
    let folder = Folder::with("a.csv", "id,name,email\n");
    folder.write("b.csv", "id,mail,name\n");
    folder.write("c.csv", "id,id\n");
    insta::assert_snapshot!(folder.faults(&["a.csv", "b.csv", "c.csv", "d.csv"]), @r#"
    d.csv: there is no such file, did you mean "c.csv"?; check its name and the folder that it starts from
    b.csv: column "email" is missing; a.csv has it; export both with the same columns, or load them apart
    b.csv: column "mail" is surplus; a.csv does not have it; export both with the same columns, or load them apart
    c.csv, line 1: the header names "id" twice: columns 1 and 2; rename or remove all but one
    "#);
    insta::assert_snapshot!(folder.faults(&["a.csv", "b.csv", "c.csv"]), @r#"
    b.csv: column "email" is missing; a.csv has it; export both with the same columns, or load them apart
    b.csv: column "mail" is surplus; a.csv does not have it; export both with the same columns, or load them apart
    c.csv, line 1: the header names "id" twice: columns 1 and 2; rename or remove all but one
    "#);
}

#[test]
fn folders_become_columns_that_can_be_asked_for() {
    let folder = Folder::with("in/region=eu/day=2024-01-01/a.csv", "id\n1\n");
    folder.write(
        "in/region=__HIVE_DEFAULT_PARTITION__/day=2024-01-02/b.csv",
        "id\n2\n3,\n",
    );
    let dataset = folder.open(&["in"]).unwrap();
    assert_eq!(
        read_all(&dataset),
        [
            "1@2: 2 | ∅ | 2024-01-02",
            "2@3! CSV_TOO_MANY_FIELDS 2 fields; the header has 1",
            "3@2: 1 | eu | 2024-01-01",
        ]
    );
    let columns = Some(vec!["day".to_owned(), "id".to_owned()]);
    let all = read(
        &dataset,
        &ChunkRequest {
            columns,
            ..ChunkRequest::default()
        },
    );
    assert_eq!(all.rows[2], "3@2: 2024-01-01 | 1");
    folder.write("in/region=us/c.csv", "id,region\n");
    insta::assert_snapshot!(folder.faults(&["in"]), @r#"in/region=us/c.csv: the file together with its folders names "region" twice: columns 2 and 3; rename or remove all but one"#);
}

#[test]
fn unknown_columns_are_an_error_with_a_suggestion() {
    let folder = Folder::with("a.csv", "id,email\n1,x\n");
    let columns = Some(vec!["emial".to_owned()]);
    let all = read(
        &folder.open(&["a.csv"]).unwrap(),
        &ChunkRequest {
            columns,
            ..ChunkRequest::default()
        },
    );
    insta::assert_snapshot!(all.error.unwrap(), @r#"the input has no column "emial", did you mean "email"?; name one of its columns"#);
    assert!(all.rows.is_empty());
}

#[test]
fn standard_input_is_read_as_often_as_needed_and_removed_with_its_last_reader() {
    let folder = Folder::new();
    let dataset =
        Dataset::open_with(&folder.spec(&["-"]), Short::Bad, &mut &b"id\n1\n2\n"[..]).unwrap();
    assert_eq!(dataset.files()[0].name, "-");
    let path = dataset.files()[0].path.clone();
    assert!(path.starts_with(folder.path().join("spool")));
    assert_eq!(read_all(&dataset), ["1@2: 1", "2@3: 2"]);
    assert_eq!(read_all(&dataset), ["1@2: 1", "2@3: 2"]);
    let chunks = dataset.chunks(&ChunkRequest::default());
    drop(dataset);
    assert_eq!(chunks.count(), 1);
    assert!(!path.exists());
}

#[test]
fn a_file_that_changes_between_two_readings_is_an_error() {
    let folder = Folder::with("a.csv", "id\n1\n");
    folder.write("b.csv", "id\n2\n");
    let dataset = folder.open(&["a.csv", "b.csv"]).unwrap();
    let mut chunks = dataset.chunks(&ChunkRequest {
        rows: 1,
        ..ChunkRequest::default()
    });
    assert!(chunks.next().unwrap().is_ok());
    folder.write("b.csv", "id\n2\n3\n");
    insta::assert_snapshot!(chunks.next().unwrap().unwrap_err(), @"b.csv: the file has changed since it was opened; start again, and let nothing write to it meanwhile");
    assert!(chunks.next().is_none());
    let error = dataset
        .chunks(&ChunkRequest::default())
        .next()
        .unwrap()
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.file()),
        (SourceErrorKind::Changed, Some("b.csv"))
    );
    std::fs::remove_file(folder.path().join("b.csv")).unwrap();
    insta::assert_snapshot!(dataset.chunks(&ChunkRequest::default()).next().unwrap().unwrap_err(), @"b.csv: the file cannot be opened; check its permissions");
}

#[test]
fn an_asked_for_format_wins_over_names() {
    let folder = Folder::with("a.parquet", "id\n1\n");
    let mut spec = folder.spec(&["a.parquet"]);
    spec.format = Some(Format::Csv);
    assert_eq!(read_all(&Dataset::open(&spec).unwrap()), ["1@2: 1"]);
    insta::assert_snapshot!(folder.faults(&["a.parquet"]), @"a.parquet: this is not a Parquet file: it does not begin like one; export it again, or name its format (--format)");
}

#[test]
fn chunks_may_be_read_on_another_thread() {
    fn sendable<T: Send + 'static>() {}
    sendable::<Chunks>();
    sendable::<Dataset>();
}
