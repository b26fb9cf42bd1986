//! What is durable: intents with their bodies and outcomes, synced, as a load writes them.

use crate::input::{ROWS, prepared};
use csm_loader::ledger::record::{
    ContentHash, Record, RowHashes, RunHeader, SentRow, Shape, StageHeader,
};
use csm_loader::ledger::{Ledger, RunHandle, StateFolder};
use csm_loader::model::entity::{Entity, Operation};
use csm_loader::model::outcome::{BatchSeq, Route, RowOutcome, Status};
use csm_loader::model::reply::TaskId;
use csm_loader::model::row::PreparedRow;
use divan::Bencher;
use divan::counter::ItemsCount;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::channel;
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_128;

/// Batches under way at a time.
#[divan::bench(args = [1, 16], sample_count = 10)]
fn batches_of_a_hundred(bencher: Bencher, under_way: usize) {
    let rows = prepared();
    bencher
        .counter(ItemsCount::new(ROWS))
        .with_inputs(|| {
            let folder = tempfile::tempdir().unwrap();
            let run = begin(&folder);
            (folder, run)
        })
        .bench_local_values(|(folder, run)| {
            let (done, durable) = channel();
            for (number, rows) in (1..).zip(rows.chunks(100)) {
                let done = done.clone();
                let records = vec![sending(number, rows)];
                run.write(records, move |result| done.send(result).unwrap());
                if usize::try_from(number).unwrap().is_multiple_of(under_way) {
                    durable.iter().take(under_way).for_each(Result::unwrap);
                }
                run.write(ended(number, rows), Result::unwrap);
            }
            drop(run);
            folder
        });
}

fn begin(folder: &TempDir) -> RunHandle {
    let ledger = Ledger::open(StateFolder::open(&folder.path().join("state")).unwrap()).unwrap();
    let header = RunHeader {
        id: "20260131-081500-3f9a2c".into(),
        nonce: "00000000-0000-4000-8000-000000000000".into(),
        site: "site".into(),
        job: "job.toml".into(),
        retry_of: None,
        invocation: None,
        started_at: 0,
    };
    let run = ledger.begin(&header).unwrap();
    let stage = StageHeader {
        stage: 0,
        entity: Entity::Customer,
        operation: Operation::Upsert.into(),
        mapping: 1,
        results: None,
        files: vec![("customers.csv".into(), 10, 2)],
        settings: BTreeMap::new(),
        shape: Some(Shape {
            mapping: 1,
            family: "profile".into(),
            fields: vec!["email".into()],
        }),
        retries: None,
        source: None,
        mapping_path: None,
    };
    run.write_now(vec![Record::StageStarted(stage)]).unwrap();
    run
}

fn sending(batch: u64, rows: &[PreparedRow]) -> Record {
    let mut body = Vec::new();
    for row in rows {
        body.extend_from_slice(&row.item);
    }
    let sent = rows.iter().map(|row| SentRow {
        row: row.row.clone(),
        hashes: Some(RowHashes {
            key: row.hash,
            content: ContentHash::of(xxh3_128(&row.item)),
        }),
    });
    Record::Sending {
        stage: 0,
        batch: BatchSeq(batch),
        key: format!("00000000-0000-5000-8000-{batch:012}"),
        body: Arc::new(body),
        rows: sent.collect(),
        at: 1,
    }
}

fn ended(batch: u64, rows: &[PreparedRow]) -> Vec<Record> {
    let outcomes = rows.iter().map(|row| RowOutcome {
        row: row.row.clone(),
        status: Status::Loaded,
        reasons: Vec::new(),
        remote_id: None,
        route: Some(Route::Bulk),
        batch: Some(BatchSeq(batch)),
        attempts: 1,
        finished_at: 2,
    });
    let accepted = Record::Accepted {
        stage: 0,
        batch: BatchSeq(batch),
        task: TaskId(batch.to_string()),
        trace_id: None,
    };
    let settled = Record::Settled {
        stage: 0,
        batch: BatchSeq(batch),
        trace_id: None,
        outcomes: outcomes.collect(),
        at: 2,
    };
    vec![accepted, settled]
}
