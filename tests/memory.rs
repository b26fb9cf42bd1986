//! Memory stays bounded where inputs are shaped badly: what `check` takes at most, as the system counts it. The bounds are
//! generous, some three times what was seen, and far below the input's own size or what one chunk of it would take unbounded.

#![cfg(target_os = "linux")]

use crate::support::place::{PEOPLE, Place};
use arrow::array::{ArrayRef, StringArray};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Reads everything as customers; the most memory it took, in MB. Every row must be ready.
#[track_caller]
fn peak_of_check(place: &Place, mapping: &str, input: &str, rows: &str) -> u64 {
    place.write("mapping.toml", mapping);
    let mut child = Command::new(env!("CARGO_BIN_EXE_csm-loader"))
        .args([
            "check",
            "--quiet",
            "--mapping",
            "mapping.toml",
            "--input",
            input,
        ])
        .args(["--results", "rejected.csv"])
        .current_dir(place.path("."))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let now = fs::read_to_string(&status).unwrap_or_default();
        let high = now.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = high.and_then(|text| text.trim().strip_suffix(" kB"));
        peak = kilobytes.map_or(peak, |text| text.parse().unwrap());
        thread::sleep(Duration::from_millis(2));
    }
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(
        said.contains(&format!("ready to load  {rows}")),
        "{said}{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    assert!(peak > 0, "nothing was measured");
    peak / 1024
}

/// The mapping of `PEOPLE` with the column `notes` beside.
fn with_notes() -> String {
    format!("{PEOPLE}[details]\nNotes = \"notes\"\n")
}

#[test]
fn ten_thousand_columns() {
    let place = Place::new();
    let mut out = BufWriter::new(File::create(place.path("wide.csv")).unwrap());
    let columns = |prefix: &str| {
        (0..9_998).fold(String::new(), |mut line, column| {
            let _ = write!(line, ",{prefix}{column}");
            line
        })
    };
    writeln!(out, "email,name{}", columns("c")).unwrap();
    let cells = columns("value ");
    for row in 0..300 {
        writeln!(out, "p{row}@example.com,Person {row}{cells}").unwrap();
    }
    out.into_inner().unwrap();
    // columns that nobody asks for are not kept
    let peak = peak_of_check(&place, PEOPLE, "wide.csv", "300");
    assert!(peak < 150, "{peak} MB");
}

#[test]
fn cells_of_ten_megabytes() {
    let place = Place::new();
    let mut out = BufWriter::new(File::create(place.path("huge.csv")).unwrap());
    writeln!(out, "email,name,notes").unwrap();
    let notes = "n".repeat(10_000_000);
    for row in 0..60 {
        writeln!(out, "p{row}@example.com,Person {row},{notes}").unwrap();
    }
    out.into_inner().unwrap();
    // a chunk holds a row or two, and a few chunks are on their way
    let peak = peak_of_check(&place, &with_notes(), "huge.csv", "60");
    assert!(peak < 400, "{peak} MB");
}

#[test]
fn one_row_group() {
    let place = Place::new();
    let rows = 400_000;
    let text = |of: fn(u32) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values((0..rows).map(of)))
    };
    let batch = RecordBatch::try_from_iter([
        ("email", text(|row| format!("p{row}@example.com"))),
        ("name", text(|row| format!("Person {row}"))),
        ("notes", text(|row| format!("{row} ").repeat(60))),
    ])
    .unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(10_000_000))
        .build();
    let file = File::create(place.path("one.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let written = writer.close().unwrap();
    assert_eq!(written.row_groups().len(), 1);
    // 180 MB of cells in the one group
    let peak = peak_of_check(&place, &with_notes(), "one.parquet", "400,000");
    assert!(peak < 250, "{peak} MB");
}

#[test]
fn five_thousand_files() {
    let place = Place::new();
    for file in 0..5_000 {
        let row = format!("email,name\np{file}@example.com,Person {file}\n");
        place.write(&format!("many/{file:05}.csv"), row);
    }
    // neither kept open nor kept in memory
    let peak = peak_of_check(&place, PEOPLE, "many", "5,000");
    assert!(peak < 150, "{peak} MB");
}
