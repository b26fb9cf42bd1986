//! Outcomes → the results file, synced and in its place.

use crate::input::{ROWS, prepared};
use csm_loader::model::entity::{Entity, Operation};
use csm_loader::model::outcome::{Route, Status};
use csm_loader::report::results::{ResultRow, ResultsHeader, ResultsWriter};
use divan::Bencher;
use divan::counter::ItemsCount;

#[divan::bench(args = ["csv", "parquet", "arrow", "jsonl"])]
fn written(bencher: Bencher, ending: &str) {
    let rows = prepared();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("results.{ending}"));
    let header = ResultsHeader {
        run: "20260131-081500-3f9a2c".into(),
        entity: Entity::Customer,
        operation: Operation::Upsert.into(),
        source_columns: Vec::new(),
    };
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        let mut writer = ResultsWriter::create(&path, &header).unwrap();
        for row in &rows {
            let row = ResultRow {
                row: row.row.id.0,
                source: "customers.csv",
                line: row.row.line,
                key: row.row.key.as_str(),
                status: Status::Loaded,
                reasons: &[],
                remote_id: Some("qm:4711"),
                route: Some(Route::Bulk),
                batch: Some(row.row.id.0 / 100 + 1),
                task_id: Some("17"),
                trace_id: None,
                attempts: 1,
                finished_at: 1_790_000_000_000,
                cells: &[],
            };
            writer.write(&row).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), ROWS);
    });
}
