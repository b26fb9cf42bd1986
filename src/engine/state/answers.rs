//! What an answer of the site means for its batch.

use super::Engine;
use crate::engine::flight::{Phase, Wait};
use crate::engine::message::{Command, Durable, Now};
use crate::engine::state::{LONGEST_SLOT_WAIT, SLOT_WAIT};
use crate::engine::{poll, retry};
use crate::ledger::record::Record;
use crate::model::code::Code;
use crate::model::event::RunEvent;
use crate::model::outcome::{BatchSeq, Status};
use crate::model::reply::{Accepted, ApiError, ErrorClass, TaskView};
use crate::model::row::Reason;
use std::time::Duration;

impl Engine {
    pub(super) fn accepted(
        &mut self,
        now: Now,
        seq: BatchSeq,
        accepted: Accepted,
        commands: &mut Vec<Command>,
    ) {
        let stage = self.config.stage;
        let Some(flight) = self.flights.get_mut(&seq) else {
            return;
        };
        self.requests += 1;
        self.slot_wait = SLOT_WAIT;
        flight.phase = Phase::Waiting(Wait {
            task: accepted.task.clone(),
            since: now.at,
            next_poll: now.at + poll::wait(Duration::ZERO),
            polling: false,
            poll_errors: 0,
        });
        commands.push(Command::Tell(RunEvent::BatchAccepted {
            stage,
            batch: seq,
            rows: flight.batch.rows().len(),
            task: accepted.task.clone(),
        }));
        let record = Record::Accepted {
            stage,
            batch: seq,
            task: accepted.task,
            trace_id: accepted.trace_id,
        };
        commands.push(Command::Persist(vec![record], Durable::Noted));
    }

    pub(super) fn refused(
        &mut self,
        now: Now,
        seq: BatchSeq,
        error: &ApiError,
        commands: &mut Vec<Command>,
    ) {
        let random = (self.config.random)();
        let unfinished = self.active().saturating_sub(1);
        let Some(flight) = self.flights.get_mut(&seq) else {
            return;
        };
        match error.class {
            ErrorClass::MaybeApplied | ErrorClass::Broken => flight.maybe_applied = true,
            ErrorClass::NotSent
            | ErrorClass::Throttled { .. }
            | ErrorClass::Busy
            | ErrorClass::Refused
            | ErrorClass::AuthExpired
            | ErrorClass::AuthWrong => {}
        }
        if matches!(error.class, ErrorClass::Throttled { .. }) {
            flight.throttles += 1;
        } else {
            flight.throttles = 0;
        }
        // a drain ends: after a stop nothing waits for a site that has no room
        let no_room = matches!(error.class, ErrorClass::Busy | ErrorClass::Throttled { .. });
        if no_room && self.stopped.is_some() {
            return self.give_up(now, seq, Code::RunStopped, error, commands);
        }
        match retry::decide(&error.class, flight.attempts, flight.throttles, random) {
            retry::Decision::Again(wait) => {
                flight.phase = Phase::Backoff {
                    until: now.at + wait,
                };
                let text = format!("batch {} is sent again in {wait:.1?}: {error}", seq.0);
                commands.push(self.notice(text));
            }
            retry::Decision::Pause(wait) => {
                flight.attempts -= 1;
                flight.phase = Phase::Backoff {
                    until: now.at + wait,
                };
                self.pause(now, wait);
                let text = format!("the site asks to wait {wait:.1?}: {error}");
                commands.push(self.notice(text));
            }
            retry::Decision::AwaitSlot => {
                flight.attempts -= 1;
                let not_before = if unfinished > 0 {
                    None
                } else {
                    let due = now.at + self.slot_wait;
                    self.slot_wait = (self.slot_wait * 2).min(LONGEST_SLOT_WAIT);
                    Some(due)
                };
                flight.phase = Phase::Queued { not_before };
                self.gate.busy(now.at, unfinished);
            }
            // an earlier attempt may have been accepted: this answer speaks of itself alone
            retry::Decision::Refused if flight.maybe_applied => {
                self.give_up(now, seq, Code::SiteUnreachable, error, commands);
            }
            retry::Decision::Refused => {
                self.end_whole(
                    now,
                    seq,
                    Status::Failed,
                    Code::RequestRejected,
                    error,
                    commands,
                );
            }
            retry::Decision::Stop => {
                self.stop(error.to_string());
                self.give_up(now, seq, Code::RunStopped, error, commands);
            }
            retry::Decision::GiveUp => {
                self.stop(format!(
                    "the site could not be reached in {} attempts: {error}",
                    retry::ATTEMPTS
                ));
                self.give_up(now, seq, Code::SiteUnreachable, error, commands);
            }
        }
    }

    /// Ends a batch that got no verdict: unconfirmed when an attempt may have reached the site, else not sent.
    pub(super) fn give_up(
        &mut self,
        now: Now,
        seq: BatchSeq,
        unsent: Code,
        error: &ApiError,
        commands: &mut Vec<Command>,
    ) {
        let maybe = self
            .flights
            .get(&seq)
            .is_some_and(|flight| flight.maybe_applied);
        let (status, code) = if maybe {
            (Status::Unconfirmed, Code::AnswerLost)
        } else {
            (Status::NotSent, unsent)
        };
        self.end_whole(now, seq, status, code, error, commands);
    }

    pub(super) fn end_whole(
        &mut self,
        now: Now,
        seq: BatchSeq,
        status: Status,
        code: Code,
        error: &ApiError,
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get(&seq) else {
            return;
        };
        let reason = Reason {
            code: code.into(),
            field: None,
            message: error.message.clone(),
        };
        let ends = flight
            .batch
            .rows()
            .iter()
            .map(|_| (status, vec![reason.clone()]))
            .collect();
        self.settle(now, seq, ends, error.trace_id.clone(), commands);
    }

    pub(super) fn viewed(
        &mut self,
        now: Now,
        seq: BatchSeq,
        view: TaskView,
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get_mut(&seq) else {
            return;
        };
        let Phase::Waiting(wait) = &mut flight.phase else {
            return;
        };
        let took = now.at.duration_since(wait.since);
        match view {
            TaskView::Running if took < poll::DEADLINE => {
                wait.polling = false;
                wait.poll_errors = 0;
                wait.next_poll = now.at + poll::wait(took);
            }
            TaskView::Running => {
                self.end_unconfirmed(now, seq, Code::TaskTimeout, &[], commands);
            }
            TaskView::Finished(failures) => {
                self.gate.clean(now.at, took);
                self.finished_with(now, seq, failures, commands);
            }
            TaskView::Failed(failures) => {
                let errors: Vec<_> = failures.into_iter().map(|failure| failure.error).collect();
                self.end_unconfirmed(now, seq, Code::TaskFailed, &errors, commands);
            }
            TaskView::Gone => self.end_unconfirmed(now, seq, Code::TaskGone, &[], commands),
        }
    }

    /// A poll that got no answer says nothing about the task: ask again, until the task's deadline.
    pub(super) fn unseen(
        &mut self,
        now: Now,
        seq: BatchSeq,
        error: &ApiError,
        commands: &mut Vec<Command>,
    ) {
        let random = (self.config.random)();
        let Some(flight) = self.flights.get_mut(&seq) else {
            return;
        };
        let Phase::Waiting(wait) = &mut flight.phase else {
            return;
        };
        wait.polling = false;
        wait.poll_errors += 1;
        let late = now.at.duration_since(wait.since) > poll::DEADLINE;
        let hopeless = matches!(error.class, ErrorClass::Refused | ErrorClass::Broken)
            && wait.poll_errors >= retry::ATTEMPTS;
        if late || hopeless {
            let errors = [error.message.clone()];
            return self.end_unconfirmed(now, seq, Code::AnswerLost, &errors, commands);
        }
        match &error.class {
            ErrorClass::AuthExpired | ErrorClass::AuthWrong => {
                self.stop(error.to_string());
                let errors = [error.message.clone()];
                self.end_unconfirmed(now, seq, Code::AnswerLost, &errors, commands);
            }
            ErrorClass::Throttled { .. } => {
                if let retry::Decision::Pause(pause) =
                    retry::decide(&error.class, 1, wait.poll_errors, random)
                {
                    wait.next_poll = now.at + pause;
                    self.pause(now, pause);
                }
            }
            ErrorClass::NotSent
            | ErrorClass::MaybeApplied
            | ErrorClass::Busy
            | ErrorClass::Refused
            | ErrorClass::Broken => {
                wait.next_poll = now.at + retry::backoff(wait.poll_errors, random);
            }
        }
    }
}
