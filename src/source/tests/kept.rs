//! Rows kept and read back, and datasets that give some of their rows.

use super::{Folder, read_all, rows};
use crate::model::code::Code;
use crate::model::row::{FileId, RowId};
use crate::source::{
    ChunkRequest, Dataset, KeptPlace, RecordedColumn, RecordedKind, RecordedSchema, RowKeeper,
    RowSet,
};

fn column(name: &str, kind: RecordedKind) -> RecordedColumn {
    RecordedColumn {
        name: name.into(),
        kind,
    }
}

fn place(row: u64, file: u32, line: Option<u64>) -> KeptPlace {
    KeptPlace {
        row: RowId(row),
        file: FileId(file),
        line,
    }
}

fn people() -> RecordedSchema {
    RecordedSchema {
        columns: vec![
            column("row", RecordedKind::Text),
            column("age", RecordedKind::Integer),
        ],
    }
}

#[test]
fn kept_rows_stand_where_they_stood() {
    let folder = Folder::new();
    let files = ["a.csv".to_owned(), "b.csv".to_owned()];
    let mut keeper = RowKeeper::create(&folder.path().join("spool"), &files, &people()).unwrap();
    assert!(
        keeper
            .push(place(3, 0, Some(4)), &[Some("Ana"), Some("41")])
            .unwrap()
    );
    assert!(
        !keeper
            .push(place(5, 0, Some(6)), &[Some("Bo"), Some("41.5")])
            .unwrap()
    );
    assert!(
        keeper
            .push(place(9, 1, Some(2)), &[Some(""), Some("")])
            .unwrap()
    );
    keeper
        .push_bad(
            place(10, 1, Some(3)),
            Code::CsvUnclosedQuote,
            "never closed",
        )
        .unwrap();
    assert!(keeper.push(place(12, 1, None), &[Some("Cy")]).unwrap());
    let dataset = keeper.finish().unwrap();

    let names: Vec<_> = dataset
        .files()
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!(names, ["a.csv", "b.csv"]);
    assert_eq!(RecordedSchema::from(dataset.schema()), people());
    let read = read_all(&dataset);
    insta::assert_snapshot!(read.join("\n"), @"
    3@4: Ana | 41
    5@6! CAST_INVALID src.age cannot be read as a whole number, as in -17
    9@2:  | ∅
    10@3! CSV_UNCLOSED_QUOTE never closed
    12: Cy | ∅
    ");
    assert_eq!(read_all(&dataset), read, "a second reading gives the same");
    let of_files: Vec<_> = dataset
        .chunks(&ChunkRequest::default())
        .map(|chunk| chunk.unwrap().file.0)
        .collect();
    assert_eq!(of_files, [0, 1, 1]);
    let only_age = ChunkRequest {
        columns: Some(vec!["age".into()]),
        rows: 1,
        ..ChunkRequest::default()
    };
    let ages: Vec<_> = dataset
        .chunks(&only_age)
        .flat_map(|chunk| rows(&chunk.unwrap()))
        .collect();
    assert_eq!(ages[0], "3@4: 41");
    assert_eq!(ages.len(), 5);
}

#[test]
fn the_file_of_kept_rows_is_private_can_be_opened_again_and_goes_with_its_dataset() {
    let folder = Folder::new();
    let spool = folder.path().join("spool");
    let mut keeper = RowKeeper::create(&spool, &["a.csv".into()], &people()).unwrap();
    keeper
        .push(place(3, 0, None), &[Some("Ana"), None])
        .unwrap();
    let dataset = keeper.finish().unwrap();
    let path = dataset.files()[0].path.clone();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }
    let again = Dataset::open_kept(&path).unwrap();
    assert_eq!(read_all(&again), read_all(&dataset));
    drop(dataset);
    assert!(!path.exists());

    folder.write("a.arrow", "");
    let error = Dataset::open_kept(&folder.path().join("a.arrow")).unwrap_err();
    let error = error
        .to_string()
        .replace(&folder.path().display().to_string(), "…");
    insta::assert_snapshot!(error, @"…/a.arrow: kept rows cannot be read back; start the retry again");
}

#[test]
fn rows_are_kept_in_order_alone() {
    let folder = Folder::new();
    let mut keeper = RowKeeper::create(folder.path(), &["a.csv".into()], &people()).unwrap();
    keeper.push(place(3, 0, None), &[]).unwrap();
    let error = keeper.push(place(3, 0, None), &[]).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    insta::assert_snapshot!(cause, @"row 3 came after row 3; this is a bug");
}

#[test]
fn no_rows_at_all_are_a_dataset_too() {
    let folder = Folder::new();
    for files in [&[][..], &["a.csv".to_owned()]] {
        let keeper = RowKeeper::create(folder.path(), files, &people()).unwrap();
        assert_eq!(read_all(&keeper.finish().unwrap()), [""; 0]);
    }
}

#[test]
fn a_restricted_dataset_gives_its_rows_with_their_numbers_and_lines() {
    let folder = Folder::new();
    folder.write("a.csv", "n\n1\n\"2\n2\"\n3,3\n4\n");
    folder.write("b.csv", "n\n5\n6\n7\n");
    let dataset = folder.open(&["a.csv", "b.csv"]).unwrap();
    let some = |rows: &[u64]| {
        let rows = rows.iter().map(|row| RowId(*row));
        let restricted = dataset.restricted(rows.collect::<RowSet>());
        read_all(&restricted).join("\n")
    };
    insta::assert_snapshot!(some(&[6, 3, 4, 99]), @"
    3@5! CSV_TOO_MANY_FIELDS 2 fields; the header has 1
    4@6: 4
    6@3: 6
    ");
    assert_eq!(some(&[5]), "5@2: 5");
    assert_eq!(some(&[]), "");
    assert_eq!(read_all(&dataset).len(), 7);
}

#[test]
fn behind_the_last_wanted_row_nothing_is_read() {
    let folder = Folder::with("a.csv", "n\n1\n2\ntoo large\n");
    let mut spec = folder.spec(&["a.csv"]);
    spec.csv.max_record = 4;
    let dataset = Dataset::open(&spec).unwrap();
    let damaged = dataset
        .chunks(&ChunkRequest::default())
        .any(|chunk| chunk.is_err());
    assert!(damaged, "the whole dataset cannot be read");
    let first = dataset.restricted([RowId(2)].into_iter().collect());
    assert_eq!(read_all(&first), ["2@3: 2"]);
}
