//! The second reading: maps rows again, now with payloads, leaves out what lost to another row, and hands the rest
//! to the driver. Runs on a thread of its own; a bounded channel holds it back.

use super::drafts::{Made, Payloads, Prepared};
use super::hierarchy::{Behind, Waiting};
use super::outcome::{not_sent, parent_not_loaded};
use super::recall::Recalled;
use super::settled::{Board, Teller};
use super::stop::Stop;
use super::survey::{Names, SurveyError};
use crate::dedupe::{Losers, Verdict};
use crate::ledger::RowSet;
use crate::mapping::{Emit, Plan};
use crate::model::cause::chain;
use crate::model::clock::Clock;
use crate::model::code::Code;
use crate::model::outcome::{RowOutcome, Status};
use crate::model::row::{Mapped, PreparedRow, Reason, RejectedRow, RowId, RowRef};
use crate::model::slice::Slice;
use crate::source::Dataset;
use crate::source::chunk::{self, RowChunk};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc::Sender;

/// Rows behind their parents that are handed over at once.
const STRETCH: usize = 512;

/// What the thread hands over.
#[derive(Debug)]
pub enum Feed {
    /// A stretch of the input.
    Rows {
        /// Rows to send.
        rows: Vec<PreparedRow>,
        /// Rows decided without the site.
        decided: Vec<RowOutcome>,
        /// How many records the stretch has: the two lists together.
        records: u64,
    },
    /// The input cannot be read on; what was read before is accounted for.
    Broken(SurveyError),
}

/// The means of a second reading.
pub struct Feeder<N> {
    /// The input.
    pub dataset: Arc<Dataset>,
    /// How rows are mapped.
    pub plan: Arc<Plan>,
    /// The rows that lose to another row.
    pub losers: Losers,
    /// Which rows the site holds as they are, where that is known.
    pub recalled: Option<Recalled>,
    /// Which rows go out behind their parents, or not at all.
    pub behind: Option<Behind>,
    /// Rows that an interrupted run decided, or has under way: they are read and left out.
    pub done: RowSet,
    /// Why good rows are not sent, if so: they are mapped, so that all reasons are told.
    pub hold: Option<String>,
    /// Where names are looked up.
    pub names: N,
    /// Once set, the rest is read unmapped and not sent.
    pub stop: Stop,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl<N: Names> Feeder<N> {
    /// Reads everything. Blocks; ends early when the receiver is gone.
    pub fn run(mut self, out: &Sender<Feed>) {
        if let Err(error) = self.feed(out) {
            // a receiver that is gone has no use for it
            let _ = out.blocking_send(Feed::Broken(error));
        }
    }

    fn feed(&mut self, out: &Sender<Feed>) -> Result<(), SurveyError> {
        let waiting = self.behind.as_ref().map(Behind::waiting);
        let mut waiting = waiting.transpose()?;
        let read = self.read(out, waiting.as_mut());
        // also where reading broke off: these were read
        if let (Some(behind), Some(waiting)) = (&self.behind, waiting) {
            self.follow(behind, waiting, out)?;
        }
        read
    }

    fn read(
        &mut self,
        out: &Sender<Feed>,
        mut waiting: Option<&mut Waiting>,
    ) -> Result<(), SurveyError> {
        let mut teller = Teller::new(&self.names);
        // parents are read from drafts
        let none = Board::default();
        let board = match &self.behind {
            Some(_) => &none,
            None => teller.board(),
        };
        for prepared in Payloads::prepare(&self.dataset, &self.plan, &self.stop, board)? {
            let Prepared {
                records: all,
                last,
                made,
            } = prepared?;
            let mut records = all;
            let (mut rows, decided) = self.sorted(made, last);
            if let (Some(behind), Some(waiting)) = (&self.behind, &mut waiting) {
                let before = rows.len();
                rows = behind.lay_aside(rows, waiting)?;
                records -= (before - rows.len()) as u64;
            }
            teller.read(all, &self.names);
            if out
                .blocking_send(Feed::Rows {
                    rows,
                    decided,
                    records,
                })
                .is_err()
            {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Hands over the rows that waited for the end of the reading, parents first.
    fn follow(
        &self,
        behind: &Behind,
        waiting: Waiting,
        out: &Sender<Feed>,
    ) -> Result<(), SurveyError> {
        let mut lost = behind.unloaded.clone();
        let mut waiting = waiting.in_order()?;
        loop {
            let (mut rows, mut decided) = (Vec::new(), Vec::new());
            let at = self.clock.unix_millis();
            for row in waiting.by_ref().take(STRETCH) {
                let (row, parent) = row?;
                match parent.filter(|row| lost.contains(*row)) {
                    Some(parent) => {
                        lost.insert(row.row.id);
                        decided.push(parent_not_loaded(row.row, parent, at));
                    }
                    None => rows.push(row),
                }
            }
            let records = (rows.len() + decided.len()) as u64;
            let stretch = Feed::Rows {
                rows,
                decided,
                records,
            };
            if records == 0 || out.blocking_send(stretch).is_err() {
                return Ok(());
            }
        }
    }

    /// Sorts the rows of a chunk that ends with `last`: those to send, and those that are decided. Whatever fails, each of
    /// them is accounted for; what cannot be judged any more is not sent, nor is the rest of the input.
    fn sorted(&mut self, made: Made, last: Option<RowId>) -> (Vec<PreparedRow>, Vec<RowOutcome>) {
        let fail = |stop: &Stop, error: &SurveyError| stop.set(chain(error));
        let losers = losers_up_to(&mut self.losers, last).unwrap_or_else(|error| {
            fail(&self.stop, &error.into());
            HashMap::new()
        });
        let mut orphans = HashMap::new();
        let mapped = match made {
            Made::Unmapped(chunk) => return (Vec::new(), self.unmapped(&chunk)),
            Made::Rows(mapped) => mapped,
            Made::Draft(_, chunk) if self.stop.why().is_some() => {
                return (Vec::new(), self.unmapped(&chunk));
            }
            Made::Draft(draft, chunk) => {
                let sent = |row: RowId| self.hold.is_none() && !losers.contains_key(&row);
                if let Some(behind) = &self.behind {
                    orphans = behind.refused(&draft, self.plan.parent_field());
                }
                match self.names.ensure(&draft, &sent) {
                    Ok(references) => draft.finish(references, Emit::Payloads),
                    Err(error) => {
                        fail(&self.stop, &error);
                        return (Vec::new(), self.unmapped(&chunk));
                    }
                }
            }
        };
        let Mapped { rows, rejected } = mapped;
        let at = self.clock.unix_millis();
        let open = |row: &RowRef| !self.done.contains(row.id);
        let rejected = rejected.into_iter().filter(|row| open(&row.row));
        let mut decided: Vec<_> = rejected.map(|row| refused(row, at)).collect();
        let mut kept = Vec::with_capacity(rows.len());
        for row in rows.into_iter().filter(|row| open(&row.row)) {
            if let Some(why) = self.stop.why() {
                decided.push(not_sent(row.row, why, at));
                continue;
            }
            if let Some(reason) = orphans.get(&row.row.id) {
                let row = RejectedRow {
                    row: row.row,
                    hash: Some(row.hash),
                    reasons: vec![reason.clone()],
                };
                decided.push(refused(row, at));
                continue;
            }
            match (&self.hold, losers.get(&row.row.id)) {
                (Some(why), _) => decided.push(not_sent(row.row, why, at)),
                (None, Some(verdict)) => decided.push(lost(*verdict, row.row, at)),
                (None, None) => {
                    let recalled = self.recalled.as_mut();
                    match recalled.map_or(Ok(None), |known| known.is_same(row.row.id)) {
                        Ok(Some(remote_id)) => decided.push(unchanged(row.row, remote_id, at)),
                        Ok(None) => kept.push(row),
                        Err(error) => {
                            let error = error.into();
                            fail(&self.stop, &error);
                            decided.push(not_sent(row.row, &chain(&error), at));
                        }
                    }
                }
            }
        }
        (kept, decided)
    }

    /// After a stop: rows keep their number, line and key; nothing is mapped.
    fn unmapped(&self, chunk: &RowChunk) -> Vec<RowOutcome> {
        let why = self.stop.why().unwrap_or_default();
        let at = self.clock.unix_millis();
        let keys = self.plan.key_column().and_then(|name| {
            let column = chunk.frame.column(name).ok()?;
            Some(chunk::render(column))
        });
        let mut decided: Vec<_> = chunk
            .ids
            .iter()
            .enumerate()
            .map(|(index, id)| {
                let key = keys
                    .as_ref()
                    .and_then(|keys| keys.get(index))
                    .unwrap_or_default();
                let row = RowRef {
                    id: *id,
                    file: chunk.file,
                    line: chunk.line(index),
                    key: Slice::owned(key),
                };
                not_sent(row, why, at)
            })
            .collect();
        decided.extend(chunk.bad.iter().map(|bad| {
            let row = RowRef {
                id: bad.row,
                file: chunk.file,
                line: bad.line,
                key: Slice::owned(""),
            };
            let reason = Reason {
                code: bad.code.into(),
                field: None,
                message: bad.message.clone(),
            };
            refused(
                RejectedRow {
                    row,
                    hash: None,
                    reasons: vec![reason],
                },
                at,
            )
        }));
        decided.retain(|outcome| !self.done.contains(outcome.row.id));
        decided
    }
}

/// The verdicts on the rows up to `last` that lose to another one. Stretches must be asked for in order.
fn losers_up_to(all: &mut Losers, last: Option<RowId>) -> io::Result<HashMap<RowId, Verdict>> {
    let mut losers = HashMap::new();
    while all.peek().is_some_and(|next| Some(next) <= last) {
        losers.extend(all.pop()?.map(|loser| (loser.row, loser.verdict)));
    }
    Ok(losers)
}

/// The outcome of a row that validation refused.
#[must_use]
pub fn refused(rejected: RejectedRow, at: i64) -> RowOutcome {
    RowOutcome {
        reasons: rejected.reasons,
        status: Status::Rejected,
        ..not_sent(rejected.row, "", at)
    }
}

/// The outcome of a row whose record needs no request.
#[must_use]
pub fn unchanged(row: RowRef, remote_id: Option<String>, at: i64) -> RowOutcome {
    RowOutcome {
        status: Status::Unchanged,
        reasons: Vec::new(),
        remote_id,
        ..not_sent(row, "", at)
    }
}

/// The outcome of a row that lost to another one.
#[must_use]
pub fn lost(verdict: Verdict, row: RowRef, at: i64) -> RowOutcome {
    let (status, code, message) = match verdict {
        Verdict::Duplicate { winner } => (
            Status::Duplicate,
            Code::DuplicateKey,
            format!(
                "row {} has the same natural key and stands for it",
                winner.0
            ),
        ),
        Verdict::Rejected { rows, first } => (
            Status::Rejected,
            Code::DuplicateRejected,
            format!(
                "{rows} rows share this natural key; the first is row {}",
                first.0
            ),
        ),
    };
    let reasons = vec![Reason {
        code: code.into(),
        field: None,
        message,
    }];
    RowOutcome {
        status,
        reasons,
        ..not_sent(row, "", at)
    }
}
