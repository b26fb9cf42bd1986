//! The single route: a row by calls of its own, so many rows at a time over all batches.
//!
//! A row's intent is durable before its first call, its outcome before anyone is told.

use super::Engine;
use super::answers::reason;
use crate::engine::batcher::Batch;
use crate::engine::flight::{End, Flight, Phase};
use crate::engine::judging::unconfirmed;
use crate::engine::message::{Command, Durable, Now};
use crate::engine::outcome::{not_sent, sent_row, stop_reason};
use crate::engine::route::Wish;
use crate::engine::seen::Called;
use crate::engine::why;
use crate::ledger::record::Record;
use crate::model::code::Code;
use crate::model::outcome::{BatchSeq, Counts, Route, RowOutcome, Status};
use crate::model::reply::{ApiError, ErrorClass};
use crate::model::row::Reason;
use std::collections::HashSet;
use std::time::Duration;

/// After so many rounds a row that neither way writes is left.
const MAX_ROUNDS: u32 = 5;

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
                        let (record, lacks) = judging.missing(index).unwrap_or_default();
                        commands.push(Command::Join {
                            batch: *seq,
                            index,
                            record,
                            lacks,
                        });
                    }
                }
                Phase::Calling(calling) => {
                    while room > 0
                        && let Some(index) = calling.queue.pop_front()
                    {
                        calling.under_way.insert(index, now.at);
                        room -= 1;
                        flight.first_sent.get_or_insert(now.at);
                        let rows = std::iter::once(sent_row(&flight.batch.rows()[index]));
                        let record = Record::Calling {
                            stage,
                            rows: rows.collect(),
                            items: vec![flight.batch.rows()[index].item.clone()],
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
        let begun = match self.flights.get(&seq).map(|flight| &flight.phase) {
            Some(Phase::Calling(calling)) => calling.under_way.get(&index).copied(),
            _ => None,
        };
        let end = match called {
            Called::Refused { reasons, .. } if self.bounces(seq, &reasons) => {
                if let Some(Flight {
                    phase: Phase::Calling(calling),
                    ..
                }) = self.flights.get_mut(&seq)
                {
                    calling.under_way.remove(&index);
                    calling.bounced.push(index);
                }
                return self.end_calls(now, seq, commands);
            }
            Called::Loaded { remote_id, calls } => {
                self.refusals.taken();
                let took = begun.map_or(Duration::ZERO, |begun| now.at.duration_since(begun));
                self.router.single_done(1, calls, took);
                self.budget.answered();
                End {
                    remote_id,
                    ..End::new(Status::Loaded, Vec::new())
                }
            }
            Called::Refused {
                reasons, remote_id, ..
            } => {
                self.budget.answered();
                End {
                    remote_id,
                    ..End::new(Status::Failed, reasons)
                }
            }
            Called::Lost { error, tried } => {
                let cut_short = error.class != ErrorClass::Refused;
                let reason = if let Some(why) = self.interrupted().filter(|_| cut_short) {
                    unanswered(why, &tried)
                } else {
                    self.stop_for(&error);
                    let errors = std::slice::from_ref(&error.message);
                    let mut reason = unconfirmed(Code::AnswerLost, errors);
                    reason.message = format!("{}; {tried}", reason.message);
                    reason
                };
                // whoever goes on with the run looks for it
                self.suspended |= self.stopped.is_some();
                End::new(Status::Unconfirmed, vec![reason])
            }
            Called::NotSent { .. } if let Some(why) = self.interrupted() => {
                End::new(Status::NotSent, vec![stop_reason(why)])
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

    /// Why calls end before they were repeated as often as may be.
    fn interrupted(&self) -> Option<&str> {
        self.stopped.as_deref().filter(|_| !self.down)
    }

    /// A call that got nowhere however often it was repeated: the others would not either.
    pub(super) fn stop_for(&mut self, error: &ApiError) {
        let was_stopped = self.stopped.is_some();
        match error.class {
            ErrorClass::AuthExpired | ErrorClass::AuthWrong => self.stop(why::not_let_in(error)),
            ErrorClass::NotSent | ErrorClass::MaybeApplied | ErrorClass::Broken => {
                self.stop(why::unreachable(error));
            }
            // a stop came while the site asked to wait
            ErrorClass::Throttled { .. } | ErrorClass::Busy | ErrorClass::Refused => {}
        }
        self.down |= !was_stopped && self.stopped.is_some();
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
        calling.under_way.remove(&index);
        calling.unwritten += 1;
        let mut counts = Counts::default();
        counts.add(end.status, 1);
        self.batcher.decided(&batch.rows()[index], end.status);
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
        self.end_calls(now, seq, commands);
    }

    /// A batch on the single route is at its end once each of its rows is.
    fn end_calls(&mut self, now: Now, seq: BatchSeq, commands: &mut Vec<Command>) {
        let Some(Flight {
            phase: Phase::Calling(calling),
            ..
        }) = self.flights.get(&seq)
        else {
            return;
        };
        if !calling.queue.is_empty() || !calling.under_way.is_empty() || calling.unwritten > 0 {
            return;
        }
        let counts = calling.counts;
        let left: HashSet<usize> = calling.bounced.iter().copied().collect();
        let Some(flight) = self.flights.remove(&seq) else {
            return;
        };
        let (bounced, ended): (Vec<_>, Vec<_>) = flight
            .batch
            .rows()
            .iter()
            .enumerate()
            .partition(|(index, _)| left.contains(index));
        let freed = self.batcher.free(ended.into_iter().map(|(_, row)| row));
        self.held.extend(freed);
        let bounced = bounced.into_iter().map(|(_, row)| row.clone()).collect();
        if let Some(batch) = self.batcher.again(bounced) {
            let (mut again, intent) = self.intent(now, batch);
            (again.rounds, again.attempts) = (flight.rounds + 1, flight.attempts);
            again.unseen = flight.unseen;
            let seq = again.batch.seq();
            commands.push(Command::Persist(vec![intent], Durable::Intent(seq)));
            self.flights.insert(seq, again);
        }
        self.tell_settled(now, seq, flight.first_sent, counts, commands);
    }

    /// Whether a refusal says that only a bulk request can write the row, and there is one for it.
    fn bounces(&self, seq: BatchSeq, reasons: &[Reason]) -> bool {
        let rounds = self
            .flights
            .get(&seq)
            .map_or(u32::MAX, |flight| flight.rounds);
        self.config.route != Wish::Single
            && self.stopped.is_none()
            && rounds < MAX_ROUNDS
            && reasons
                .iter()
                .any(|reason| reason.code == Code::BulkOnly.into())
    }

    /// Rows that an interrupted run may have called for are not known not to be sent, though this one stopped before it
    /// looked for them.
    pub(super) fn doubt_begun(&mut self, outcomes: &mut [RowOutcome]) {
        let unsent = |outcome: &&mut RowOutcome| outcome.status == Status::NotSent;
        for outcome in outcomes.iter_mut().filter(unsent) {
            if self.begun.contains(&outcome.row.id) {
                let why = outcome.reasons.first().map_or("", |why| &*why.message);
                let tried = "an earlier one may have sent it, and it was not looked for yet";
                outcome.reasons = vec![unanswered(why, tried)];
                outcome.status = Status::Unconfirmed;
                // how often is not known
                (outcome.route, outcome.attempts) = (Some(Route::Single), 1);
                self.suspended = true;
            }
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
            let mut outcomes = Vec::with_capacity(queue.len());
            for index in queue {
                self.batcher.decided(&rows[index], Status::NotSent);
                outcomes.push(not_sent(rows[index].row.clone(), why, now.unix));
            }
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

/// Why a row is unconfirmed whose calls a stop cut short.
fn unanswered(why: &str, tried: &str) -> Reason {
    Reason {
        code: Code::AnswerLost.into(),
        field: None,
        message: format!(
            "the run stopped before an answer arrived ({why}): {tried}; loading again looks for the record before \
             anything is sent"
        ),
    }
}

/// Rows whose calls, or repairs, are under way.
fn under_way(flight: &Flight) -> usize {
    match &flight.phase {
        Phase::Calling(calling) => calling.under_way.len(),
        Phase::Judging(judging) => judging.joining,
        _ => 0,
    }
}
