//! What a loaded row takes on disk, over all tables.

use super::{begin, open, outcome, sending, sent, shape};
use crate::ledger::record::Record;
use crate::model::outcome::{BatchSeq, Status};
use std::fs;

#[test]
fn a_loaded_row_takes_at_most_sixty_bytes_beside_its_key_and_remote_id() {
    const ROWS: u64 = 100_000;
    const BATCH: u64 = 100;
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let run = begin(&ledger, "r1", Some(shape(1, &["display_name"])));
    let mut texts = 0;
    for batch in 1..=ROWS / BATCH {
        let ids = (batch - 1) * BATCH + 1..=batch * BATCH;
        let rows = ids.clone().map(|id| sent(id, id.into(), id.into()));
        run.write(vec![sending(batch, rows)], |done| done.unwrap());
        let outcomes = ids.map(|id| {
            let mut outcome = outcome(id, Status::Loaded, Some(batch));
            outcome.remote_id = Some(format!("{}", 1_000_000 + id));
            texts += outcome.row.key.len() + 7;
            outcome
        });
        let outcomes = outcomes.collect();
        let settled = Record::Settled {
            stage: 0,
            batch: BatchSeq(batch),
            trace_id: Some("5ae8b8f0c9a64c9f".into()),
            outcomes,
            at: 3_000,
        };
        run.write(vec![settled], |done| done.unwrap());
    }
    run.write_now(vec![Record::StageFinished {
        stage: 0,
        at: 4_000,
    }])
    .unwrap();
    drop(run);
    let db = ledger.connect().unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    let pages: u64 = db
        .query_row("SELECT (SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count)", [], |row| row.get(0))
        .unwrap();
    let file = fs::metadata(folder.path().join("ledger.sqlite"))
        .unwrap()
        .len();
    // the key and the remote id stand in the row and in what is remembered
    let used = pages * 4_096 - 2 * texts as u64;
    assert!(used <= 60 * ROWS, "{used} bytes for {ROWS} rows");
    // what was free, where intents and bodies stood, is given back
    let file = file - 2 * texts as u64;
    assert!(file <= 60 * ROWS, "{file} bytes for {ROWS} rows");
}
