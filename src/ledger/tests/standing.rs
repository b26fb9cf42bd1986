//! How far a run has come, told before anyone takes it up.

use super::{begin, open, outcome, sending, sent, settled, shape};
use crate::ledger::Standing;
use crate::ledger::record::Record;
use crate::model::outcome::{BatchSeq, Status};
use crate::model::slice::Slice;

#[test]
fn a_run_stands_as_whoever_takes_it_up_will_find_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let run = begin(&ledger, "r1", Some(shape(1, &["Plan"])));
    let suspended = [3, 4].map(|id| outcome(id, Status::Unconfirmed, Some(2)));
    run.write_now(vec![
        sending(1, [sent(1, 11, 1), sent(2, 12, 1)]),
        settled(1, &[(1, Status::Loaded), (2, Status::Failed)]),
        sending(2, [sent(3, 13, 1), sent(4, 14, 1)]),
        Record::Suspended {
            stage: 0,
            batch: BatchSeq(2),
            outcomes: suspended.into(),
        },
        sending(3, [sent(5, 15, 1)]),
        Record::Calling {
            stage: 0,
            rows: [sent(6, 16, 1), sent(7, 17, 1)].into_iter().collect(),
            items: vec![Slice::owned("{6}"), Slice::owned("{7}")],
        },
        Record::Rows {
            stage: 0,
            outcomes: vec![
                outcome(6, Status::Unconfirmed, None),
                outcome(8, Status::NotSent, None),
                outcome(9, Status::Rejected, None),
            ],
        },
    ])
    .unwrap();
    drop(run);
    let reader = ledger.reader().unwrap();
    let expected = Standing {
        decided: 3,
        under_way: 5,
    };
    assert_eq!(reader.standing("r1").unwrap(), expected);

    drop(ledger.resume("r1").unwrap());
    assert_eq!(reader.standing("r1").unwrap(), expected);
    let found = reader.progress("r1", 0).unwrap().unwrap();
    let sent = found
        .undecided
        .iter()
        .map(|batch| batch.rows.to_vec().len());
    let under_way = sent.sum::<usize>() + found.called.len();
    assert_eq!((found.decided.len(), under_way), (3, 5));
}
