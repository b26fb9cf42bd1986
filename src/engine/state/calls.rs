//! The single route: a row by calls of its own, so many rows at a time over all batches.
//!
//! A row's intent is durable before its first call, its outcome before anyone is told.

use super::answers::reason;
use super::{Engine, sent_row, stop_reason};
use crate::engine::batcher::Batch;
use crate::engine::flight::{End, Flight, Phase};
use crate::engine::judging::unconfirmed;
use crate::engine::message::{Command, Durable, Now};
use crate::engine::seen::Called;
use crate::engine::why;
use crate::ledger::record::Record;
use crate::model::code::Code;
use crate::model::outcome::{BatchSeq, Counts, Route, RowOutcome, Status};
use crate::model::reply::{ApiError, ErrorClass};

impl Engine {
    /// A batch on the single route.
    pub(super) fn begin_calls(&mut self, batch: Batch) {
        self.flights.insert(batch.seq(), Flight::of_calls(batch));
    }

    /// Begins the calls, and the repairs, that there is room for.
    pub(super) fn call_due(&mut self, now: Now, commands: &mut Vec<Command>) {
        if self.stopped.is_some() {
            return;
        }
        let under_way: usize = self.flights.values().map(under_way).sum();
        let mut room = self.config.single_in_flight.saturating_sub(under_way);
        let stage = self.config.stage;
        for (seq, flight) in &mut self.flights {
            if room == 0 {
                break;
            }
            match &mut flight.phase {
                Phase::Judging(judging) => {
                    while room > 0
                        && let Some(index) = judging.joins.pop_front()
                    {
                        judging.joining += 1;
                        room -= 1;
                        let (record, organizations) = judging.missing(index).unwrap_or_default();
                        commands.push(Command::Join {
                            batch: *seq,
                            index,
                            record,
                            organizations,
                        });
                    }
                }
                Phase::Calling(calling) => {
                    while room > 0
                        && let Some(index) = calling.queue.pop_front()
                    {
                        calling.under_way += 1;
                        room -= 1;
                        flight.first_sent.get_or_insert(now.at);
                        let rows = std::iter::once(sent_row(&flight.batch.rows()[index]));
                        let record = Record::Calling {
                            stage,
                            rows: rows.collect(),
                        };
                        commands.push(Command::Persist(
                            vec![record],
                            Durable::Calling(*seq, index),
                        ));
                    }
                }
                _ => {}
            }
        }
    }

    /// A row's intent is durable: its calls may begin.
    pub(super) fn call(
        &mut self,
        now: Now,
        seq: BatchSeq,
        index: usize,
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get(&seq) else {
            return;
        };
        if let Some(why) = &self.stopped {
            let end = End::new(Status::NotSent, vec![stop_reason(why)]);
            return self.end_call(now, seq, index, end, commands);
        }
        commands.push(Command::Call {
            batch: seq,
            index,
            row: flight.batch.rows()[index].clone(),
            look_first: flight.begun,
        });
    }

    /// A row's calls ended.
    pub(super) fn called(
        &mut self,
        now: Now,
        seq: BatchSeq,
        index: usize,
        called: Called,
        commands: &mut Vec<Command>,
    ) {
        let end = match called {
            Called::Loaded { remote_id, calls } => {
                self.requests += u64::from(calls);
                self.budget.succeeded();
                End {
                    remote_id,
                    ..End::new(Status::Loaded, Vec::new())
                }
            }
            Called::Refused {
                reasons, remote_id, ..
            } => End {
                remote_id,
                ..End::new(Status::Failed, reasons)
            },
            Called::Lost { error, tried } => {
                self.stop_for(&error);
                let mut reason =
                    unconfirmed(Code::AnswerLost, std::slice::from_ref(&error.message));
                reason.message = format!("{}; {tried}", reason.message);
                End::new(Status::Unconfirmed, vec![reason])
            }
            Called::NotSent { error } => {
                let code = match error.class {
                    ErrorClass::NotSent | ErrorClass::MaybeApplied | ErrorClass::Broken => {
                        Code::SiteUnreachable
                    }
                    _ => Code::RunStopped,
                };
                self.stop_for(&error);
                End::new(Status::NotSent, vec![reason(code, &error)])
            }
        };
        self.end_call(now, seq, index, end, commands);
    }

    /// A call that got nowhere however often it was repeated: the others would not either.
    pub(super) fn stop_for(&mut self, error: &ApiError) {
        match error.class {
            ErrorClass::AuthExpired | ErrorClass::AuthWrong => self.stop(why::not_let_in(error)),
            ErrorClass::NotSent | ErrorClass::MaybeApplied | ErrorClass::Broken => {
                self.stop(why::unreachable(error));
            }
            // a stop came while the site asked to wait
            ErrorClass::Throttled { .. } | ErrorClass::Busy | ErrorClass::Refused => {}
        }
    }

    fn end_call(
        &mut self,
        now: Now,
        seq: BatchSeq,
        index: usize,
        end: End,
        commands: &mut Vec<Command>,
    ) {
        let Some(Flight {
            phase: Phase::Calling(calling),
            batch,
            attempts,
            ..
        }) = self.flights.get_mut(&seq)
        else {
            return;
        };
        calling.under_way -= 1;
        calling.unwritten += 1;
        let mut counts = Counts::default();
        counts.add(end.status, 1);
        let sent = end.status != Status::NotSent;
        let outcome = RowOutcome {
            row: batch.rows()[index].row.clone(),
            status: end.status,
            reasons: end.reasons,
            remote_id: end.remote_id,
            route: sent.then_some(Route::Single),
            batch: None,
            attempts: *attempts + u32::from(sent),
            finished_at: now.unix,
        };
        let record = Record::Rows {
            stage: self.config.stage,
            outcomes: vec![outcome],
        };
        commands.push(Command::Persist(vec![record], Durable::Called(seq, counts)));
    }

    /// Outcomes on the single route are durable.
    pub(super) fn wrote_calls(
        &mut self,
        now: Now,
        seq: BatchSeq,
        counts: Counts,
        commands: &mut Vec<Command>,
    ) {
        let Some(Flight {
            phase: Phase::Calling(calling),
            ..
        }) = self.flights.get_mut(&seq)
        else {
            return;
        };
        calling.unwritten -= 1;
        for status in Status::ALL {
            calling.counts.add(status, counts.of(status));
        }
        if !calling.queue.is_empty() || calling.under_way + calling.unwritten > 0 {
            return;
        }
        let counts = calling.counts;
        if let Some(flight) = self.flights.remove(&seq) {
            let freed = self.batcher.settled(&flight.batch);
            self.held.extend(freed);
            self.tell_settled(now, seq, flight.first_sent, counts, commands);
        }
    }

    /// After a stop: rows whose turn has not come are not sent.
    pub(super) fn abandon_calls(&mut self, now: Now, why: &str, commands: &mut Vec<Command>) {
        let stage = self.config.stage;
        for (seq, flight) in &mut self.flights {
            let Phase::Calling(calling) = &mut flight.phase else {
                continue;
            };
            if calling.queue.is_empty() {
                continue;
            }
            let rows = flight.batch.rows();
            let queue = std::mem::take(&mut calling.queue).into_iter();
            let outcomes: Vec<_> = queue
                .map(|index| super::not_sent(rows[index].row.clone(), why, now.unix))
                .collect();
            let mut counts = Counts::default();
            counts.add(Status::NotSent, outcomes.len() as u64);
            calling.unwritten += 1;
            let record = Record::Rows { stage, outcomes };
            commands.push(Command::Persist(
                vec![record],
                Durable::Called(*seq, counts),
            ));
        }
    }
}

/// Rows whose calls, or repairs, are under way.
fn under_way(flight: &Flight) -> usize {
    match &flight.phase {
        Phase::Calling(calling) => calling.under_way,
        Phase::Judging(judging) => judging.joining,
        _ => 0,
    }
}
