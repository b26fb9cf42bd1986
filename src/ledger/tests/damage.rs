//! Files that are cut, foreign or damaged: what was acknowledged is there, nothing is half there, and what cannot be read is
//! said in so many words.

use super::{begin, hash, open, outcome, sending, sent, settled, shape};
use crate::ledger::record::Record;
use crate::ledger::{Ledger, LedgerError, Reader, StateFolder};
use crate::model::entity::Entity;
use crate::model::outcome::Status;
use std::fs;
use std::path::Path;

fn said(folder: &Path, error: &LedgerError) -> String {
    error
        .to_string()
        .replace(&folder.display().to_string(), "…")
}

/// Rows, batches and remembered keys of a cut copy; `None` when it is not usable.
fn read(folder: &Path) -> (Vec<u64>, Vec<u64>, Vec<u128>) {
    let ledger = open(folder);
    let reader = ledger.reader().unwrap();
    if reader.runs().unwrap().is_empty() || reader.stages("r1").unwrap().is_empty() {
        return Default::default();
    }
    let mut rows = Vec::new();
    let told = reader.each_row("r1", 0, |row| {
        rows.push(row.row);
        Ok::<_, LedgerError>(())
    });
    told.unwrap();
    let progress = reader.progress("r1", 0).unwrap().unwrap();
    let undecided = progress.undecided.iter().map(|batch| batch.batch.0);
    let memory = ledger
        .memory("sandbox", Entity::Customer, Some(&shape(1, &["Plan"])))
        .unwrap();
    let keys: Vec<u128> = (1..=40).collect();
    let hashes: Vec<_> = keys.iter().map(|key| hash(*key)).collect();
    let known = memory.look_up(&hashes).unwrap();
    let confirmed = keys.into_iter().zip(known);
    let confirmed =
        confirmed.filter(|(_, known)| known.as_ref().is_some_and(|k| k.confirmed.is_some()));
    (
        rows,
        undecided.collect(),
        confirmed.map(|(key, _)| key).collect(),
    )
}

/// Power is lost at any byte of the write-ahead log: what was synced before the cut is there, and a transaction is there whole
/// or not at all.
#[test]
fn a_log_cut_anywhere_holds_every_acknowledged_step_before_the_cut_and_no_half_one() {
    let place = tempfile::tempdir().unwrap();
    let home = place.path().join("home");
    let ledger = open(&home);
    let run = begin(&ledger, "r1", Some(shape(1, &["Plan"])));
    let log = home.join("ledger.sqlite-wal");
    // the log's length at the moment in which each step was acknowledged
    let mut acknowledged = Vec::new();
    for step in 0..20_u64 {
        let batch = step / 2 + 1;
        let rows = [2 * batch - 1, 2 * batch];
        run.write_now(vec![if step % 2 == 0 {
            sending(batch, rows.map(|row| sent(row, row.into(), 1)))
        } else {
            settled(batch, &rows.map(|row| (row, Status::Loaded)))
        }])
        .unwrap();
        acknowledged.push(fs::metadata(&log).unwrap().len());
    }
    let (database, whole) = (
        fs::read(home.join("ledger.sqlite")).unwrap(),
        fs::read(&log).unwrap(),
    );
    let whole = &whole[..usize::try_from(*acknowledged.last().unwrap()).unwrap()];
    let frames = (0..whole.len()).step_by(4_120 / 2 + 7);
    let cuts = frames.chain([whole.len(), whole.len() - 1]);
    let mut seen = std::collections::BTreeSet::new();
    for cut in cuts {
        let copy = place.path().join(format!("cut-{cut}"));
        fs::create_dir(&copy).unwrap();
        fs::write(copy.join("ledger.sqlite"), &database).unwrap();
        fs::write(copy.join("ledger.sqlite-wal"), &whole[..cut]).unwrap();
        let (rows, undecided, confirmed) = read(&copy);
        let steps = acknowledged
            .iter()
            .filter(|end| **end <= cut as u64)
            .count() as u64;
        // the first steps lie in the log with the schema and the stage
        let settled = steps / 2;
        assert_eq!(rows, (1..=2 * settled).collect::<Vec<_>>(), "cut at {cut}");
        let under_way: Vec<u64> = (steps % 2 == 1)
            .then_some(settled + 1)
            .into_iter()
            .collect();
        assert_eq!(undecided, under_way, "cut at {cut}");
        assert_eq!(
            confirmed,
            (1..=u128::from(2 * settled)).collect::<Vec<_>>(),
            "cut at {cut}"
        );
        seen.insert(steps);
        fs::remove_dir_all(&copy).unwrap();
    }
    assert!(seen.len() > 15, "only {seen:?}");
}

/// A bit that flipped ends the log there, as SQLite's checksums see it.
#[test]
fn a_log_with_a_wrong_byte_ends_before_it() {
    let place = tempfile::tempdir().unwrap();
    let home = place.path().join("home");
    let ledger = open(&home);
    let run = begin(&ledger, "r1", Some(shape(1, &["Plan"])));
    run.write_now(vec![sending(1, [sent(1, 1, 1)])]).unwrap();
    let before = fs::metadata(home.join("ledger.sqlite-wal")).unwrap().len();
    run.write_now(vec![settled(1, &[(1, Status::Loaded)])])
        .unwrap();
    let copy = place.path().join("copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(home.join("ledger.sqlite"), copy.join("ledger.sqlite")).unwrap();
    let mut log = fs::read(home.join("ledger.sqlite-wal")).unwrap();
    log[usize::try_from(before).unwrap() + 100] ^= 1;
    fs::write(copy.join("ledger.sqlite-wal"), log).unwrap();
    assert_eq!(read(&copy), (vec![], vec![1], vec![]));
}

fn open_with(folder: &Path, content: &[u8]) -> LedgerError {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("ledger.sqlite"), content).unwrap();
    Ledger::open(StateFolder::open(folder).unwrap()).unwrap_err()
}

const DAMAGED: &str = "the ledger …/ledger.sqlite is damaged; move it away (everything is then simply sent) or restore it from a copy";

#[test]
fn what_is_not_sqlite_is_called_damaged() {
    let place = tempfile::tempdir().unwrap();
    let text = b"email,name\n".repeat(1_000);
    assert_eq!(said(place.path(), &open_with(place.path(), &text)), DAMAGED);
    assert_eq!(fs::read(place.path().join("ledger.sqlite")).unwrap(), text);
    assert_eq!(
        said(place.path(), &Reader::open(place.path()).unwrap_err()),
        DAMAGED
    );
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("ledger.sqlite");
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(other);
    let error = Ledger::open(StateFolder::open(place.path()).unwrap()).unwrap_err();
    assert_eq!(said(place.path(), &error), DAMAGED);
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute("INSERT INTO theirs VALUES (1)", []).unwrap();
}

#[test]
fn a_ledger_without_a_table_is_called_damaged() {
    let place = tempfile::tempdir().unwrap();
    let ledger = open(place.path());
    ledger
        .connect()
        .unwrap()
        .execute_batch("DROP VIEW results; DROP TABLE page")
        .unwrap();
    drop(ledger);
    let error = Ledger::open(StateFolder::open(place.path()).unwrap()).unwrap_err();
    assert_eq!(said(place.path(), &error), DAMAGED);
}

/// Pages overwritten in the middle: found when the ledger is opened, or when they are read; never taken for content.
#[test]
fn a_page_that_was_overwritten_is_called_damaged_wherever_it_is_met() {
    let place = tempfile::tempdir().unwrap();
    let home = place.path().join("home");
    let ledger = open(&home);
    let run = begin(&ledger, "r1", Some(shape(1, &["Plan"])));
    let ids = || 1..=2_000_u64;
    run.write_now(vec![
        sending(1, ids().map(|id| sent(id, id.into(), 1))),
        settled(1, &ids().map(|id| (id, Status::Loaded)).collect::<Vec<_>>()),
        Record::Rows {
            stage: 0,
            outcomes: vec![outcome(3_000, Status::Loaded, None)],
        },
    ])
    .unwrap();
    drop(run);
    let db = ledger.connect().unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    drop((db, ledger));
    let whole = fs::read(home.join("ledger.sqlite")).unwrap();
    let mut met = 0;
    for page in 0..whole.len() / 4_096 {
        let folder = place.path().join(format!("page-{page}"));
        fs::create_dir_all(&folder).unwrap();
        let mut bytes = whole.clone();
        bytes[page * 4_096..][..4_096].fill(0xAB);
        fs::write(folder.join("ledger.sqlite"), bytes).unwrap();
        let all = || -> Result<(), LedgerError> {
            let ledger = Ledger::open(StateFolder::open(&folder)?)?;
            let reader = ledger.reader()?;
            reader.runs()?;
            reader.stages("r1")?;
            reader.progress("r1", 0)?;
            reader.each_row("r1", 0, |_| Ok::<_, LedgerError>(()))?;
            let memory = ledger.memory("sandbox", Entity::Customer, None)?;
            memory.each(|_| Ok::<_, LedgerError>(()))
        };
        if let Err(error) = all() {
            assert_eq!(said(&folder, &error), DAMAGED, "page {page}");
            met += 1;
        }
    }
    // pages that nothing above reads (indexes, free pages) are not met
    assert!(
        met * 2 > whole.len() / 4_096,
        "{met} of {}",
        whole.len() / 4_096
    );
}
