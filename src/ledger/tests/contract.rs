//! The contract of a store, tried through its public face alone: what another store would have to keep to.

use super::{begin, hash, header, open, outcome, row, sending, sent, settled, shape, stage};
use crate::ledger::record::{Record, RunHeader, StageHeader};
use crate::ledger::{Ledger, LedgerError, RunInfo, RunState, StoredRow};
use crate::model::entity::Entity;
use crate::model::outcome::{BatchSeq, Route, RowOutcome, Status};
use crate::model::reply::TaskId;
use crate::model::row::RowId;
use crate::model::slice::Slice;

fn rows(ledger: &Ledger, run: &str, stage: u32) -> Vec<StoredRow> {
    let mut rows = Vec::new();
    let told = ledger.reader().unwrap().each_row(run, stage, |row| {
        rows.push(row);
        Ok::<_, LedgerError>(())
    });
    told.unwrap();
    rows
}

fn find(ledger: &Ledger, id: &str) -> RunInfo {
    ledger.reader().unwrap().find(id).unwrap()
}

#[test]
fn a_run_is_open_until_it_ends_and_after_it_stopped_early() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let reader = ledger.reader().unwrap();
    let open_run = |job: &str, site: &str| {
        let found = reader.open_run_of(job, site).unwrap();
        found.map(|run| run.id)
    };
    assert_eq!(open_run("job.toml", "sandbox"), None);
    let run = begin(&ledger, "r1", None);
    assert_eq!(open_run("job.toml", "sandbox").as_deref(), Some("r1"));
    assert_eq!(open_run("other.toml", "sandbox"), None);
    assert_eq!(open_run("job.toml", "acme.atlassian.net"), None);
    let stopped = Some("interrupted".to_owned());
    run.write_now(vec![Record::RunFinished { at: 5_000, stopped }])
        .unwrap();
    drop(run);
    let info = find(&ledger, "r1");
    assert_eq!(
        (info.state, info.finished_at),
        (RunState::Open, Some(5_000))
    );
    assert_eq!(info.stopped.as_deref(), Some("interrupted"));

    let run = ledger.resume("r1").unwrap();
    let info = find(&ledger, "r1");
    assert_eq!(
        (info.resumed, info.finished_at, info.stopped),
        (1, None, None)
    );
    run.write_now(vec![Record::RunFinished {
        at: 6_000,
        stopped: None,
    }])
    .unwrap();
    drop(run);
    assert_eq!(find(&ledger, "r1").state, RunState::Finished);
    assert_eq!(open_run("job.toml", "sandbox"), None);
    insta::assert_snapshot!(ledger.resume("r1").unwrap_err(), @"run r1 is finished: there is nothing to continue");
}

#[test]
fn a_suspended_batch_shows_its_rows_and_is_taken_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let run = begin(&ledger, "r1", Some(shape(1, &["Plan"])));
    let suspended = Record::Suspended {
        stage: 0,
        batch: BatchSeq(1),
        outcomes: vec![
            outcome(1, Status::Unconfirmed, Some(1)),
            outcome(2, Status::Unconfirmed, Some(1)),
        ],
    };
    run.write_now(vec![
        sending(1, [sent(1, 11, 1), sent(2, 12, 1)]),
        suspended,
        Record::Rows {
            stage: 0,
            outcomes: vec![outcome(3, Status::NotSent, None)],
        },
        Record::StageFinished { stage: 0, at: 9 },
        Record::RunFinished {
            at: 9,
            stopped: Some("no answer".into()),
        },
    ])
    .unwrap();
    drop(run);
    let counts = |status| ledger.reader().unwrap().counts("r1", 0).unwrap().of(status);
    assert_eq!(
        (counts(Status::Unconfirmed), counts(Status::NotSent)),
        (2, 1)
    );

    // to end it: what was not sent stays so, what is open is open again
    drop(ledger.attach("r1").unwrap());
    let progress = ledger.reader().unwrap().progress("r1", 0).unwrap().unwrap();
    assert_eq!(progress.info.finished_at, None);
    assert_eq!(
        (progress.decided.len(), progress.counts.of(Status::NotSent)),
        (1, 1)
    );
    // with what it writes, though two processes have ended since
    let open = progress.undecided.iter();
    let open: Vec<_> = open.map(|open| (open.batch, open.rows.to_vec())).collect();
    assert_eq!(open, [(BatchSeq(1), vec![sent(1, 11, 1), sent(2, 12, 1)])]);

    // to go on with it: nothing of the stop is left
    let run = ledger.resume("r1").unwrap();
    let progress = ledger.reader().unwrap().progress("r1", 0).unwrap().unwrap();
    assert!(progress.decided.is_empty());
    run.write_now(vec![settled(
        1,
        &[(1, Status::Loaded), (2, Status::Failed)],
    )])
    .unwrap();
    assert_eq!((counts(Status::Loaded), counts(Status::Failed)), (1, 1));
    let memory = run.memory(Entity::Customer, Some(&shape(1, &["Plan"])));
    let known = memory.unwrap().look_up(&[hash(11)]).unwrap().remove(0);
    assert!(known.is_some_and(|known| known.confirmed.is_some()));
}

#[test]
fn a_row_whose_calls_got_no_answer_is_unconfirmed_until_its_run_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let run = begin(&open(folder.path()), "r1", Some(shape(1, &["Plan"])));
    run.write_now(vec![
        sending(1, [sent(1, 11, 1)]),
        settled(1, &[(1, Status::Unconfirmed)]),
        Record::Calling {
            stage: 0,
            rows: [sent(2, 12, 1), sent(3, 13, 1)].into_iter().collect(),
            items: vec![Slice::owned("{2}"), Slice::owned("{3}")],
        },
        Record::Rows {
            stage: 0,
            outcomes: vec![
                outcome(2, Status::Unconfirmed, None),
                outcome(3, Status::Failed, None),
            ],
        },
        Record::StageFinished { stage: 0, at: 9 },
        Record::RunFinished {
            at: 9,
            stopped: Some("interrupted".into()),
        },
    ])
    .unwrap();
    drop(run);
    // another process, and one more after it
    drop(open(folder.path()));
    let ledger = open(folder.path());
    let counts = ledger.reader().unwrap().counts("r1", 0).unwrap();
    assert_eq!(counts.of(Status::Unconfirmed), 2);
    // to go on with it or to end it
    for take_up in [Ledger::attach, Ledger::resume] {
        drop(take_up(&ledger, "r1").unwrap());
        let progress = ledger.reader().unwrap().progress("r1", 0).unwrap().unwrap();
        assert_eq!(progress.info.finished_at, None);
        assert_eq!(progress.counts.of(Status::Unconfirmed), 1);
        let called = progress.called.iter();
        let called: Vec<_> = called
            .map(|call| (call.row, Some(call.hashes), call.sent.clone()))
            .collect();
        let kept = Some((row(2), b"{2}".to_vec()));
        assert_eq!(called, [(RowId(2), sent(2, 12, 1).hashes, kept)]);
    }
    // nothing of what it sends outlives its run
    drop(ledger.begin_in_place_of(&header("r2"), "r1").unwrap());
    let db = rusqlite::Connection::open(folder.path().join("ledger.sqlite")).unwrap();
    let bodies = db.query_row("SELECT count(*) FROM body", [], |row| row.get::<_, u64>(0));
    assert_eq!(bodies, Ok(0));
}

#[test]
fn a_superseded_run_is_not_continued_and_names_the_one_that_took_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    drop(begin(&ledger, "r1", None));
    drop(ledger.begin_in_place_of(&header("r2"), "r1").unwrap());
    insta::assert_snapshot!(ledger.resume("r1").unwrap_err(), @"run r1 is superseded by r2: there is nothing to continue");
    let found = ledger.reader().unwrap().open_run_of("job.toml", "sandbox");
    assert_eq!(found.unwrap().unwrap().id, "r2");
    // of two runs that would take its place the second does not begin
    assert!(ledger.begin_in_place_of(&header("r3"), "r1").is_err());
    assert!(ledger.reader().unwrap().find("r3").is_err());
}

#[test]
fn runs_are_found_by_what_their_id_alone_begins_with() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    for id in ["20260131-1", "20260131-12", "20260201-1"] {
        ledger.begin(&header(id)).unwrap();
    }
    let reader = ledger.reader().unwrap();
    assert_eq!(reader.find("202602").unwrap().id, "20260201-1");
    assert_eq!(reader.find("20260131-1").unwrap().id, "20260131-1");
    insta::assert_snapshot!(reader.find("20260131").unwrap_err(), @"20260131 may be any of 20260131-1, 20260131-12; give more of its id");
    insta::assert_snapshot!(reader.find("x").unwrap_err(), @"no run x is in the ledger; `csm-loader runs` lists those that are");
    insta::assert_snapshot!(reader.find("").unwrap_err(), @"no run  is in the ledger; `csm-loader runs` lists those that are");
    let all: Vec<_> = reader
        .runs()
        .unwrap()
        .into_iter()
        .map(|run| run.id)
        .collect();
    assert_eq!(all, ["20260131-1", "20260131-12", "20260201-1"]);
}

#[test]
fn headers_come_back_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let first = RunHeader {
        retry_of: Some("r0".into()),
        ..header("r1")
    };
    let run = ledger.begin(&first).unwrap();
    let written = StageHeader {
        mapping: u128::MAX - 7,
        results: Some("out.csv".into()),
        files: vec![("a.csv".into(), 10, 2), ("b.csv".into(), 0, u128::MAX)],
        shape: Some(shape(5, &["Plan", "Region"])),
        retries: Some(3),
        source: Some("{}".into()),
        mapping_path: Some("/maps/people.toml".into()),
        ..stage(0, None)
    };
    run.write_now(vec![
        Record::StageStarted(written.clone()),
        Record::StageRead {
            stage: 0,
            rows: vec![7, 0],
        },
    ])
    .unwrap();
    let reader = ledger.reader().unwrap();
    let stages = reader.stages("r1").unwrap();
    assert_eq!(stages.len(), 1);
    assert_eq!(stages[0].header, written);
    assert_eq!((stages[0].rows, stages[0].finished_at), (Some(7), None));
    assert_eq!(stages[0].file_rows, [7, 0]);
    let retries: Vec<_> = reader.retries_of("r0").unwrap();
    assert_eq!(
        retries.into_iter().map(|run| run.id).collect::<Vec<_>>(),
        ["r1"]
    );
    // begun again by a run that is continued: as it was
    run.write_now(vec![Record::StageStarted(stage(0, None))])
        .unwrap();
    assert_eq!(reader.stages("r1").unwrap()[0].header, written);
}

#[test]
fn outcomes_come_back_whole_whether_they_differ_from_their_batch_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let run = begin(&ledger, "r1", None);
    let of_batch = outcome(1, Status::Loaded, Some(1));
    let outcomes = vec![
        of_batch.clone(),
        RowOutcome {
            attempts: 4,
            ..outcome(2, Status::Failed, Some(1))
        },
        RowOutcome {
            finished_at: 2_999,
            remote_id: Some("9".into()),
            ..outcome(3, Status::Loaded, Some(1))
        },
        RowOutcome {
            route: Some(Route::Single),
            ..outcome(4, Status::Loaded, Some(1))
        },
        RowOutcome {
            route: None,
            attempts: 2,
            ..outcome(5, Status::NotSent, Some(1))
        },
    ];
    let alone = vec![
        RowOutcome {
            route: None,
            attempts: 0,
            ..outcome(6, Status::Rejected, None)
        },
        outcome(7, Status::Loaded, None),
    ];
    run.write_now(vec![
        sending(
            1,
            outcomes.iter().map(|outcome| sent(outcome.row.id.0, 1, 1)),
        ),
        Record::Settled {
            stage: 0,
            batch: BatchSeq(1),
            trace_id: Some("x".into()),
            outcomes: outcomes.clone(),
            at: 3_000,
        },
        Record::Rows {
            stage: 0,
            outcomes: alone.clone(),
        },
    ])
    .unwrap();
    let stored = rows(&ledger, "r1", 0);
    assert_eq!(stored.len(), 7);
    for (stored, written) in stored.iter().zip(outcomes.iter().chain(&alone)) {
        let back = RowOutcome {
            row: row(stored.row),
            status: stored.status,
            reasons: stored.reasons.clone(),
            remote_id: stored.remote_id.clone(),
            route: stored.route,
            batch: stored.batch.map(BatchSeq),
            attempts: stored.attempts,
            finished_at: stored.finished_at,
        };
        assert_eq!(&back, written);
        assert_eq!(
            (stored.line, stored.key.as_str()),
            (Some(stored.row + 1), format!("k{}", stored.row).as_str())
        );
        let trace = stored.batch.map(|_| "x");
        assert_eq!(stored.trace_id.as_deref(), trace);
    }
}

#[test]
fn what_a_crash_left_is_told_to_whoever_continues() {
    let folder = tempfile::tempdir().unwrap();
    let shape = shape(1, &["display_name"]);
    {
        let ledger = open(folder.path());
        let run = begin(&ledger, "r1", Some(shape.clone()));
        run.write_now(vec![
            sending(1, [sent(1, 1, 1), sent(2, 2, 2)]),
            sending(2, [sent(3, 3, 3)]),
            sending(4, [sent(5, 5, 5), sent(4, 4, 4)]),
            Record::Accepted {
                stage: 0,
                batch: BatchSeq(1),
                task: TaskId("t1".into()),
                trace_id: None,
            },
            Record::Accepted {
                stage: 0,
                batch: BatchSeq(2),
                task: TaskId("t2".into()),
                trace_id: Some("x".into()),
            },
            settled(1, &[(1, Status::Loaded), (2, Status::Failed)]),
            Record::Calling {
                stage: 0,
                rows: [sent(6, 6, 6), sent(7, 7, 7)].into_iter().collect(),
                items: vec![Slice::owned("{6}"), Slice::owned("{7}")],
            },
            Record::Rows {
                stage: 0,
                outcomes: vec![outcome(6, Status::Loaded, None)],
            },
        ])
        .unwrap();
    }
    let ledger = open(folder.path());
    let run = ledger.resume("r1").unwrap();
    let progress = run.reader().unwrap().progress("r1", 0).unwrap().unwrap();
    assert_eq!(progress.info.header, stage(0, Some(shape)));
    assert_eq!(progress.info.finished_at, None);
    let decided: Vec<_> = (0..10)
        .filter(|row| progress.decided.contains(RowId(*row)))
        .collect();
    assert_eq!(decided, [1, 2, 6]);
    let counts = Status::ALL.map(|status| progress.counts.of(status));
    assert_eq!(counts, [2, 0, 0, 1, 0, 0, 0]);
    assert_eq!(progress.last_batch, Some(BatchSeq(4)));
    let [waiting, again] = progress.undecided.as_slice() else {
        panic!("{:?}", progress.undecided);
    };
    assert_eq!(waiting.batch, BatchSeq(2));
    assert_eq!(
        (waiting.key.as_str(), waiting.body.as_slice()),
        ("key 2", b"body 2".as_slice())
    );
    assert_eq!(
        (waiting.task.clone(), waiting.trace_id.as_deref()),
        (Some(TaskId("t2".into())), Some("x"))
    );
    assert_eq!(
        (waiting.sent_at, waiting.rows.to_vec()),
        (2_000, vec![sent(3, 3, 3)])
    );
    assert_eq!((again.batch, again.sent_at), (BatchSeq(4), 2_000));
    assert_eq!(
        (again.key.as_str(), again.body.as_slice()),
        ("key 4", b"body 4".as_slice())
    );
    assert_eq!(
        (again.task.clone(), again.rows.to_vec()),
        (None, vec![sent(5, 5, 5), sent(4, 4, 4)])
    );
    let called: Vec<_> = progress
        .called
        .iter()
        .map(|call| (call.row, Some(call.hashes), call.sent.clone()))
        .collect();
    let kept = Some((row(7), b"{7}".to_vec()));
    assert_eq!(called, [(RowId(7), sent(7, 7, 7).hashes, kept)]);
    assert_eq!(run.reader().unwrap().progress("r1", 1).unwrap(), None);
}

#[test]
fn rows_that_were_not_sent_are_undecided_again_when_the_run_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let run = begin(&ledger, "r1", None);
    let outcomes = [Status::NotSent, Status::Rejected, Status::NotSent];
    let outcomes = (1..)
        .zip(outcomes)
        .map(|(id, status)| outcome(id, status, None));
    run.write_now(vec![
        Record::Rows {
            stage: 0,
            outcomes: outcomes.collect(),
        },
        Record::StageFinished {
            stage: 0,
            at: 4_000,
        },
        Record::StageStarted(stage(1, None)),
        Record::StageFinished {
            stage: 1,
            at: 4_500,
        },
        Record::RunFinished {
            at: 5_000,
            stopped: Some("interrupted".into()),
        },
    ])
    .unwrap();
    drop(run);
    let reader = ledger.reader().unwrap();
    assert_eq!(reader.counts("r1", 0).unwrap().of(Status::NotSent), 2);
    let run = ledger.resume("r1").unwrap();
    assert_eq!(rows(&ledger, "r1", 0).len(), 1);
    assert_eq!(reader.counts("r1", 0).unwrap().total(), 1);
    let ended: Vec<_> = reader
        .stages("r1")
        .unwrap()
        .into_iter()
        .map(|stage| stage.finished_at)
        .collect();
    assert_eq!(ended, [None, Some(4_500)]);
    let again = vec![
        outcome(1, Status::Loaded, None),
        outcome(3, Status::Loaded, None),
    ];
    run.write_now(vec![Record::Rows {
        stage: 0,
        outcomes: again,
    }])
    .unwrap();
    assert_eq!(rows(&ledger, "r1", 0).len(), 3);
}

#[test]
fn records_of_what_was_never_begun_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    for record in [
        settled(9, &[(1, Status::Loaded)]),
        Record::Accepted {
            stage: 0,
            batch: BatchSeq(9),
            task: TaskId("t".into()),
            trace_id: None,
        },
        Record::StageFinished { stage: 7, at: 1 },
        Record::Rows {
            stage: 7,
            outcomes: vec![outcome(1, Status::Loaded, None)],
        },
    ] {
        let id = format!("{record:?}");
        let run = begin(&ledger, &id, None);
        assert!(run.write_now(vec![record]).is_err(), "{id}");
    }
}
