//! What an answer of the site means for its batch.

use super::{Call, Engine};
use crate::engine::flight::{End, Phase, Wait};
use crate::engine::message::{Command, Durable, Now};
use crate::engine::retry::{self, Tries};
use crate::engine::route::Queue;
use crate::engine::slots::Ended;
use crate::engine::{poll, why};
use crate::ledger::record::Record;
use crate::model::code::Code;
use crate::model::event::RunEvent;
use crate::model::outcome::{BatchSeq, Status};
use crate::model::reply::{Accepted, ApiError, ErrorClass, TaskView, Throttle};
use crate::model::row::Reason;
use std::time::Duration;

/// The age from which on a site that does not know a task has forgotten it.
const SURELY_KNOWN: Duration = Duration::from_mins(1);
/// How long after a first such answer it is asked again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Engine {
    pub(super) fn accepted(
        &mut self,
        now: Now,
        seq: BatchSeq,
        accepted: Accepted,
        commands: &mut Vec<Command>,
    ) {
        let stage = self.config.stage;
        let random = (self.config.random)();
        let Some(flight) = self.flights.get_mut(&seq) else {
            return;
        };
        self.refusals.taken();
        self.gate.accepted();
        self.budget.answered();
        flight.phase = Phase::Waiting(Wait {
            task: accepted.task.clone(),
            since: now.at,
            inherited: false,
            gone: false,
            next_poll: now.at + self.polling.first(random),
            asked: None,
            running: None,
            tries: Tries::default(),
            senseless: 0,
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
        flight.maybe_applied |= error.may_be_applied();
        // a drain ends: after a stop nothing waits for a site that has no room
        let no_room = matches!(error.class, ErrorClass::Busy | ErrorClass::Throttled { .. });
        if no_room && self.stopped.is_some() {
            return self.give_up(now, seq, Code::RunStopped, error, commands);
        }
        match flight.tries.decide(&error.class, random) {
            retry::Decision::Again(wait) => {
                let wait = wait.max(self.budget.take(now.at));
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
                self.pause(Call::Submit, scope_of(error), now.at + wait);
                let text = format!("the site asks to wait {wait:.1?}: {error}");
                commands.push(self.notice(text));
            }
            retry::Decision::AwaitSlot => {
                flight.attempts -= 1;
                flight.phase = Phase::Queued;
                self.gate.busy(now.at, unfinished, random);
            }
            retry::Decision::Refused => {
                self.budget.answered();
                self.isolate(now, seq, error, commands);
            }
            retry::Decision::Stop => {
                self.stop(why::not_let_in(error));
                self.give_up(now, seq, Code::RunStopped, error, commands);
            }
            retry::Decision::GiveUp => {
                self.stop(why::unreachable(error));
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
        if maybe {
            let errors = [error.message.clone()];
            return self.suspend(now, seq, &errors, commands);
        }
        self.end_whole(now, seq, Status::NotSent, unsent, error, commands);
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
        let end = End::new(status, vec![reason(code, error)]);
        let ends = vec![end; flight.batch.rows().len()];
        self.settle(now, seq, ends, error.trace_id.clone(), commands);
    }

    pub(super) fn viewed(
        &mut self,
        now: Now,
        seq: BatchSeq,
        view: TaskView,
        commands: &mut Vec<Command>,
    ) {
        let active = self.active();
        let Some(flight) = self.flights.get_mut(&seq) else {
            return;
        };
        let Phase::Waiting(wait) = &mut flight.phase else {
            return;
        };
        self.budget.answered();
        let age = now.at.duration_since(wait.since);
        let rows = flight.batch.rows().len();
        let (sent, accepted) = (flight.last_sent.unwrap_or(wait.since), wait.since);
        let asked = wait.asked.take().unwrap_or(now.at);
        let asked = asked.duration_since(wait.since);
        // the site looked somewhere between
        let looked = (asked + age) / 2;
        let ended = |before: Queue, clean| Ended {
            took: age,
            depth: before.tasks + 1,
            clean,
        };
        match view {
            TaskView::Running => {
                wait.gone = false;
                wait.tries = Tries::default();
                wait.senseless = 0;
                wait.running = Some(looked);
                wait.next_poll = wait.since + self.polling.next(asked, age);
                self.gate.unfinished(now.at, age);
                if !wait.inherited {
                    let ahead = self.ahead_of(seq, accepted);
                    self.router.task_running(rows, age, ahead);
                }
                if age >= poll::DEADLINE {
                    self.end_in_doubt(now, seq, Code::TaskTimeout, &[], commands);
                }
            }
            TaskView::Finished(failures) => {
                let before = self.line.ended(now.at, sent, accepted, rows);
                if !wait.inherited {
                    self.polling.learn(wait.running, looked, active);
                    self.gate.ended(now.at, ended(before, true));
                    self.router.task_ended(rows, age, before);
                }
                self.ended_with(now, seq, true, failures, commands);
            }
            TaskView::Failed(failures) => {
                let before = self.line.ended(now.at, sent, accepted, rows);
                if !wait.inherited {
                    self.polling.learn(wait.running, looked, active);
                    self.router.task_ended(rows, age, before);
                }
                self.gate.ended(now.at, ended(before, false));
                self.ended_with(now, seq, false, failures, commands);
            }
            // a site whose reads lag may not know a task yet that it has just accepted
            TaskView::Gone if !wait.gone && age < SURELY_KNOWN => {
                wait.gone = true;
                wait.next_poll = now.at + LOOK_AGAIN;
            }
            TaskView::Gone => {
                let before = self.line.ended(now.at, sent, accepted, rows);
                self.gate.ended(now.at, ended(before, false));
                self.end_in_doubt(now, seq, Code::TaskGone, &[], commands);
            }
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
        wait.asked = None;
        let senseless = matches!(error.class, ErrorClass::Refused | ErrorClass::Broken);
        wait.senseless = if senseless { wait.senseless + 1 } else { 0 };
        let late = now.at.duration_since(wait.since) > poll::DEADLINE;
        if late || wait.senseless >= retry::ATTEMPTS {
            let errors = [error.message.clone()];
            return self.end_in_doubt(now, seq, Code::AnswerLost, &errors, commands);
        }
        match &error.class {
            ErrorClass::AuthExpired | ErrorClass::AuthWrong => {
                self.stop(why::not_let_in(error));
                let errors = [error.message.clone()];
                self.suspend(now, seq, &errors, commands);
            }
            ErrorClass::Throttled { .. } => {
                if let retry::Decision::Pause(pause) = wait.tries.decide(&error.class, random) {
                    wait.next_poll = now.at + pause;
                    self.pause(Call::Poll, scope_of(error), now.at + pause);
                }
            }
            ErrorClass::NotSent
            | ErrorClass::MaybeApplied
            | ErrorClass::Busy
            | ErrorClass::Refused
            | ErrorClass::Broken => {
                wait.next_poll = now.at + wait.tries.backoff(random);
            }
        }
    }
}

/// A reason in the site's words.
pub(super) fn reason(code: Code, error: &ApiError) -> Reason {
    Reason {
        code: code.into(),
        field: None,
        message: error.message.clone(),
    }
}

/// Which requests an answer that asks to wait means.
fn scope_of(error: &ApiError) -> Throttle {
    match error.class {
        ErrorClass::Throttled { scope, .. } => scope,
        _ => Throttle::Quota,
    }
}
