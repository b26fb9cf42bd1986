//! The second reading where it is known what the site holds: only the rows to send are read and mapped again; the
//! outcomes of all others come from what the first reading kept. Runs on a thread of its own; a bounded channel holds it
//! back.

use super::drafts::{Made, Payloads, Prepared};
use super::feed::{Feed, lost, refused, unchanged};
use super::outcome::not_sent;
use super::recall::Recalled;
use super::rejected::RejectedRows;
use super::settled;
use super::stop::Stop;
use super::survey::{Names, SurveyError};
use crate::dedupe::{Losers, SpilledRows};
use crate::ledger::RowSet;
use crate::mapping::{Emit, Plan};
use crate::model::cause::chain;
use crate::model::clock::Clock;
use crate::model::outcome::RowOutcome;
use crate::model::row::{Mapped, PreparedRow, RowId, RowRef};
use crate::source::Dataset;
use std::sync::Arc;
use tokio::sync::mpsc::Sender;

/// Outcomes that are handed over at once.
const STRETCH: usize = 2_048;

/// What the first reading kept of rows.
#[derive(Debug)]
pub struct Kept {
    /// Which rows are the same on the site.
    pub recalled: Recalled,
    /// All rows that passed validation.
    pub rows: SpilledRows,
    /// All others.
    pub rejected: RejectedRows,
}

/// The means of a second reading of changed rows alone.
pub struct Rereader<N> {
    /// The input.
    pub dataset: Arc<Dataset>,
    /// How rows are mapped.
    pub plan: Arc<Plan>,
    /// The rows that lose to another row.
    pub losers: Losers,
    /// What is known of all rows.
    pub kept: Kept,
    /// Rows that an interrupted run decided, or has under way: they are left out.
    pub done: RowSet,
    /// Where names are looked up.
    pub names: N,
    /// Once set, no more rows are sent.
    pub stop: Stop,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Rows of a stretch that were read again, in row order.
#[derive(Default)]
struct Fresh {
    rows: Vec<PreparedRow>,
    refused: Vec<RowOutcome>,
}

/// Nobody takes what is handed over any more.
struct Gone;

impl<N: Names> Rereader<N> {
    /// Reads what is to be sent and tells of everything. Blocks; ends early when the receiver is gone.
    pub fn run(self, out: &Sender<Feed>) {
        if let Err(error) = self.feed(out) {
            // a receiver that is gone has no use for it
            let _ = out.blocking_send(Feed::Broken(error));
        }
    }

    fn feed(self, out: &Sender<Feed>) -> Result<(), SurveyError> {
        let Self {
            dataset,
            plan,
            losers,
            kept,
            done,
            mut names,
            stop,
            clock,
        } = self;
        let to_send = kept.recalled.changed.iter();
        let to_send: crate::source::RowSet = to_send.filter(|row| !done.contains(*row)).collect();
        let mut teller = Teller {
            next: None,
            losers,
            kept,
            done,
            stop: stop.clone(),
            clock,
            out,
        };
        teller.next = teller.kept.rows.pop()?;
        if !to_send.is_empty() {
            let mut told = settled::Teller::new(&names);
            let changed = dataset.restricted(to_send);
            for prepared in Payloads::prepare(&changed, &plan, &stop, told.board())? {
                let Prepared {
                    records,
                    last,
                    made,
                } = prepared?;
                if stop.why().is_some() {
                    break;
                }
                let mapped = map(&mut names, made, teller.clock.unix_millis());
                told.read(records, &names);
                match mapped {
                    Ok(None) => break,
                    Ok(Some(fresh)) => {
                        if let Err(Gone) = teller.up_to(last, fresh)? {
                            return Ok(());
                        }
                    }
                    Err(error) => {
                        // the rest is accounted for
                        stop.set(chain(&error));
                        break;
                    }
                }
            }
        }
        // nobody listens to what is behind the end
        teller.up_to(None, Fresh::default()).map(drop)
    }
}

/// The rows of a chunk; `None` once a stop was asked for.
fn map(names: &mut impl Names, made: Made, at: i64) -> Result<Option<Fresh>, SurveyError> {
    let Mapped { rows, rejected } = match made {
        Made::Rows(mapped) => mapped,
        Made::Draft(draft, _) => {
            let references = names.ensure(&draft, &|_| true)?;
            draft.finish(references, Emit::Payloads)
        }
        Made::Unmapped(_) => return Ok(None),
    };
    Ok(Some(Fresh {
        rows,
        refused: rejected.into_iter().map(|row| refused(row, at)).collect(),
    }))
}

/// Hands over what is known of rows, in row order.
struct Teller<'a> {
    /// The next of `kept.rows`.
    next: Option<RowRef>,
    losers: Losers,
    kept: Kept,
    done: RowSet,
    stop: Stop,
    clock: Arc<dyn Clock>,
    out: &'a Sender<Feed>,
}

impl Teller<'_> {
    /// Tells of all rows up to `last`, or to the end: those of `fresh` are to be sent, or were refused just now.
    fn up_to(
        &mut self,
        last: Option<RowId>,
        fresh: Fresh,
    ) -> Result<Result<(), Gone>, SurveyError> {
        let Fresh {
            rows,
            refused: late,
        } = fresh;
        let mut read: Vec<_> = rows.iter().map(|row| row.row.id).collect();
        read.extend(late.iter().map(|outcome| outcome.row.id));
        read.sort_unstable();
        let mut read = read.into_iter().peekable();
        let (mut decided, mut records) = (late, 0);
        let at = self.clock.unix_millis();
        loop {
            let valid = self.next.as_ref().map(|row| row.id);
            let next = match (valid, self.kept.rejected.peek()) {
                (Some(valid), Some(rejected)) => valid.min(rejected),
                (valid, rejected) => match valid.or(rejected) {
                    Some(next) => next,
                    None => break,
                },
            };
            if last.is_some_and(|last| next > last) {
                break;
            }
            records += 1;
            let outcome = if valid == Some(next) {
                let after = self.kept.rows.pop()?;
                let Some(row) = std::mem::replace(&mut self.next, after) else {
                    break;
                };
                if read.next_if_eq(&next).is_some() {
                    None
                } else {
                    self.outcome(row, at)?
                }
            } else {
                let rejected = self.kept.rejected.pop()?;
                rejected.map(|row| refused(row, at))
            };
            decided.extend(outcome.filter(|outcome| !self.done.contains(outcome.row.id)));
            if decided.len() >= STRETCH {
                let decided = std::mem::take(&mut decided);
                let records = std::mem::take(&mut records);
                if let Err(Gone) = self.hand_over(Vec::new(), decided, records) {
                    return Ok(Err(Gone));
                }
            }
        }
        Ok(self.hand_over(rows, decided, records))
    }

    /// What became of a row that was not read again; `None` when that was decided before.
    fn outcome(&mut self, row: RowRef, at: i64) -> Result<Option<RowOutcome>, SurveyError> {
        if self.losers.peek() == Some(row.id) {
            let loser = self.losers.pop()?;
            return Ok(loser.map(|loser| lost(loser.verdict, row, at)));
        }
        if let Some(remote_id) = self.kept.recalled.is_same(row.id)? {
            return Ok(Some(unchanged(row, remote_id, at)));
        }
        match self.stop.why() {
            _ if self.done.contains(row.id) => Ok(None),
            Some(why) => Ok(Some(not_sent(row, why, at))),
            // files that change are noticed when they are opened; this is what is left
            None => Err(SurveyError::Stopped(format!(
                "row {} is not in the input any more, which something writes to meanwhile",
                row.id.0
            ))),
        }
    }

    fn hand_over(
        &self,
        rows: Vec<PreparedRow>,
        decided: Vec<RowOutcome>,
        records: u64,
    ) -> Result<(), Gone> {
        if records == 0 && rows.is_empty() && decided.is_empty() {
            return Ok(());
        }
        let stretch = Feed::Rows {
            rows,
            decided,
            records,
        };
        self.out.blocking_send(stretch).map_err(|_| Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::contract::Contract;
    use crate::dedupe::{Decided, Policy, Runs};
    use crate::engine::context::Audience;
    use crate::engine::rejected::RejectedSpill;
    use crate::engine::survey::{Surveyor, Unasked};
    use crate::mapping::{Draft, Known, MappingFile, References};
    use crate::model::clock::SystemClock;
    use crate::model::outcome::Status;
    use crate::report::progress::Reporters;
    use crate::source::SourceSpec;
    use std::fs;
    use std::path::Path;
    use tokio::sync::mpsc::channel;

    const MAPPING: &str =
        "entity = \"customer\"\n[fields]\nemail = \"email\"\ndisplay_name = \"name\"\n";
    /// Of these rows 1 is the same on the site, 3 is refused, 4 loses to 6, 5 was decided before.
    const ROWS: &str =
        "email,name\na@x.org,A\nb@x.org,B\nnone,C\nf@x.org,D\ne@x.org,E\nf@x.org,F\n";

    /// What a second reading hands over: the rows to send, the others with their status, how many records.
    type Handed = (Vec<u64>, Vec<(u64, Status, Option<String>)>, u64);

    fn second(
        folder: &Path,
        changed: &[u64],
        same: &[u64],
        names: impl Names,
        stop: &Stop,
    ) -> Handed {
        let input = folder.join("a.csv");
        fs::write(&input, ROWS).unwrap();
        let spec = SourceSpec {
            inputs: vec![input.display().to_string()],
            base: folder.to_owned(),
            spool: folder.to_owned(),
            format: None,
            csv: crate::source::CsvOptions::default(),
        };
        let dataset = Arc::new(Dataset::open(&spec).unwrap());
        let mapping = MappingFile::parse("m.toml", MAPPING.to_owned()).unwrap();
        let plan = Plan::compile(&mapping, dataset.schema(), &Contract::default());
        let plan = Arc::new(plan.unwrap_or_else(|faults| panic!("{faults}")));
        let surveyor = Surveyor {
            stage: 0,
            dataset: &dataset,
            plan: &plan,
            spool: folder,
            all_keys: false,
            contents: true,
            audience: &Audience::new(Box::new(Reporters::default())),
            stop: &Stop::default(),
        };
        let mut refused = RejectedSpill::new(folder).unwrap();
        let survey = surveyor.run(&mut Unasked, |rows| Ok(refused.push(rows)?));
        let Decided { losers, rows, .. } =
            survey.unwrap().keys.decide(Policy::Last, folder).unwrap();
        let mut known = Runs::new(folder).unwrap();
        known
            .run(same.iter().map(|row| (RowId(*row), "42")))
            .unwrap();
        // what was read once is enough where nothing has changed
        if changed.is_empty() {
            fs::remove_file(&input).unwrap();
        }
        let mut done = RowSet::default();
        done.insert(RowId(5));
        let reader = Rereader {
            dataset,
            plan,
            losers,
            kept: Kept {
                recalled: Recalled {
                    same: known.merge().unwrap(),
                    changed: changed.iter().map(|row| RowId(*row)).collect(),
                },
                rows,
                rejected: refused.read().unwrap(),
            },
            done,
            names,
            stop: stop.clone(),
            clock: Arc::new(SystemClock),
        };
        let (out, mut feed) = channel(9);
        reader.run(&out);
        drop(out);
        let (mut sent, mut others, mut count) = (Vec::new(), Vec::new(), 0);
        while let Some(handed) = feed.blocking_recv() {
            let Feed::Rows {
                rows,
                decided,
                records,
            } = handed
            else {
                panic!("{handed:?}")
            };
            sent.extend(rows.iter().map(|row| row.row.id.0));
            assert!(rows.iter().all(|row| row.item.starts_with(b"{")));
            let decided = decided.into_iter();
            others.extend(decided.map(|row| (row.row.id.0, row.status, row.remote_id)));
            count += records;
        }
        (sent, others, count)
    }

    fn remembered() -> (u64, Status, Option<String>) {
        (1, Status::Unchanged, Some("42".to_owned()))
    }

    #[test]
    fn changed_rows_are_sent_and_all_others_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let (sent, others, records) =
            second(folder.path(), &[2, 5, 6], &[1], Unasked, &Stop::default());
        assert_eq!((sent, records), (vec![2, 6], 6));
        let expected = [
            remembered(),
            (3, Status::Rejected, None),
            (4, Status::Duplicate, None),
        ];
        assert_eq!(others, expected);
    }

    #[test]
    fn with_nothing_to_send_the_input_is_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let (sent, others, records) =
            second(folder.path(), &[], &[1, 2, 6], Unasked, &Stop::default());
        assert_eq!((sent, records), (vec![], 6));
        let statuses: Vec<_> = others
            .iter()
            .map(|(row, status, _)| (*row, *status))
            .collect();
        let same = |row| (row, Status::Unchanged);
        let expected = [
            same(1),
            same(2),
            (3, Status::Rejected),
            (4, Status::Duplicate),
            same(6),
        ];
        assert_eq!(statuses, expected);
    }

    /// A site that falls silent.
    struct Silent;

    impl Names for Silent {
        fn ensure(
            &mut self,
            _: &Draft,
            _: &dyn Fn(RowId) -> bool,
        ) -> Result<&References, SurveyError> {
            Err(SurveyError::Stopped("no answer".to_owned()))
        }

        fn organizations(&mut self, _: Vec<String>) -> Result<&Known, SurveyError> {
            Err(SurveyError::Stopped("no answer".to_owned()))
        }
    }

    #[test]
    fn after_a_stop_what_is_known_is_told_and_the_rest_is_not_sent() {
        let stopped = Stop::default();
        stopped.set("interrupted");
        for (silent, stop) in [(false, stopped), (true, Stop::default())] {
            let folder = tempfile::tempdir().unwrap();
            let (place, changed) = (folder.path(), [2, 5, 6]);
            let (sent, others, records) = if silent {
                second(place, &changed, &[1], Silent, &stop)
            } else {
                second(place, &changed, &[1], Unasked, &stop)
            };
            assert_eq!((sent, records), (vec![], 6));
            let expected = [
                remembered(),
                (2, Status::NotSent, None),
                (3, Status::Rejected, None),
                (4, Status::Duplicate, None),
                (6, Status::NotSent, None),
            ];
            assert_eq!(others, expected);
            assert_eq!(
                stop.why(),
                Some(if silent { "no answer" } else { "interrupted" })
            );
        }
    }
}
