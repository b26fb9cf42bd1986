//! What the store promises, tried against its public face; and what SQLite in particular has to withstand.

mod content;
mod contract;
mod damage;
mod pages;
mod size;
mod standing;

use super::record::{
    ContentHash, Record, RowHashes, RunHeader, SentRow, SentRows, Shape, StageHeader,
};
use super::{Ledger, RunHandle, StateFolder};
use crate::model::code::Code;
use crate::model::entity::{Entity, Operation};
use crate::model::outcome::{BatchSeq, Route, RowOutcome, Status};
use crate::model::row::{FileId, KeyHash, Reason, RowId, RowRef};
use crate::model::slice::Slice;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub(super) fn open(path: &Path) -> Ledger {
    Ledger::open(StateFolder::open(path).unwrap()).unwrap()
}

pub(super) fn header(id: &str) -> RunHeader {
    RunHeader {
        id: id.into(),
        nonce: "00000000-0000-4000-8000-000000000000".into(),
        site: "sandbox".into(),
        job: "job.toml".into(),
        retry_of: None,
        invocation: None,
        started_at: 1_000,
    }
}

pub(super) fn shape(mapping: u128, fields: &[&str]) -> Shape {
    Shape {
        mapping,
        family: "profile".into(),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
    }
}

pub(super) fn stage(stage: u32, shape: Option<Shape>) -> StageHeader {
    StageHeader {
        stage,
        entity: Entity::Customer,
        operation: Operation::Upsert.into(),
        mapping: 1,
        results: None,
        files: vec![("a.csv".into(), 10, 2)],
        settings: BTreeMap::from([("duplicates".into(), "last".into())]),
        shape,
        retries: None,
        source: None,
        mapping_path: None,
    }
}

/// A run of one stage with these outcomes; perhaps one that loads rows of another run and stage again.
pub(super) fn retry(ledger: &Ledger, id: &str, of: Option<(&str, u32)>, rows: &[(u64, Status)]) {
    let run = ledger
        .begin(&RunHeader {
            retry_of: of.map(|(run, _)| run.to_owned()),
            ..header(id)
        })
        .unwrap();
    run.write_now(vec![
        Record::StageStarted(StageHeader {
            retries: of.map(|(_, stage)| stage),
            ..stage(0, None)
        }),
        Record::Rows {
            stage: 0,
            outcomes: rows
                .iter()
                .map(|(id, status)| outcome(*id, *status, None))
                .collect(),
        },
    ])
    .unwrap();
}

pub(super) fn row(id: u64) -> RowRef {
    RowRef {
        id: RowId(id),
        file: FileId(0),
        line: Some(id + 1),
        key: Slice::owned(format!("k{id}")),
    }
}

/// A row whose natural key is `key` and whose payload is `content`.
pub(super) fn sent(id: u64, key: u128, content: u128) -> SentRow {
    let hashes = RowHashes {
        key: hash(key),
        content: ContentHash::of(content),
    };
    SentRow {
        row: row(id),
        hashes: Some(hashes),
    }
}

/// Small numbers as hashes that differ in their first bytes, as hashes do.
pub(super) fn hash(key: u128) -> KeyHash {
    KeyHash(key.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
}

pub(super) fn sending(batch: u64, rows: impl IntoIterator<Item = SentRow>) -> Record {
    Record::Sending {
        stage: 0,
        batch: BatchSeq(batch),
        key: format!("key {batch}"),
        body: Arc::new(format!("body {batch}").into_bytes()),
        rows: rows.into_iter().collect::<SentRows>(),
        at: 2_000,
    }
}

pub(super) fn outcome(id: u64, status: Status, batch: Option<u64>) -> RowOutcome {
    let reasons = match status {
        Status::Loaded => Vec::new(),
        _ => vec![Reason {
            code: Code::SiteRejected.into(),
            field: None,
            message: "no".into(),
        }],
    };
    RowOutcome {
        row: row(id),
        status,
        reasons,
        remote_id: None,
        route: Some(batch.map_or(Route::Single, |_| Route::Bulk)),
        batch: batch.map(BatchSeq),
        attempts: 1,
        finished_at: 3_000,
    }
}

pub(super) fn settled(batch: u64, outcomes: &[(u64, Status)]) -> Record {
    Record::Settled {
        stage: 0,
        batch: BatchSeq(batch),
        trace_id: None,
        outcomes: outcomes
            .iter()
            .map(|(id, status)| outcome(*id, *status, Some(batch)))
            .collect(),
        at: 3_000,
    }
}

/// A run whose stage 0 has begun.
pub(super) fn begin(ledger: &Ledger, id: &str, with: Option<Shape>) -> RunHandle {
    let run = ledger.begin(&header(id)).unwrap();
    run.write_now(vec![Record::StageStarted(stage(0, with))])
        .unwrap();
    run
}
