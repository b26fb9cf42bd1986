//! The bulk route as a state machine: events in, commands out. No I/O, no clock, no await.
//!
//! ```text
//! Preparing ──durable──▶ Queued ──slot free──▶ Sending ──accepted──▶ Waiting ──ended──▶ Settling ──durable──▶ gone
//!                          ▲                      │ │                    │ ▲
//!                          └──── no slot ─────────┘ └─▶ Backoff          └─┘ poll
//! ```
//!
//! The intent is durable before a request leaves; an outcome is durable before anyone is told; a batch's slot is
//! free as soon as its task has ended.

use super::attribute::{Verdict, attribute};
use super::batcher::{Batch, Batcher};
use super::flight::{Flight, Phase, Wait};
use super::message::{Command, Durable, Event, Now, StageConfig};
use super::slots::SlotGate;
use super::{poll, retry};
use crate::ledger::record::Record;
use crate::model::clock::UnixMillis;
use crate::model::code::Code;
use crate::model::event::RunEvent;
use crate::model::outcome::{BatchSeq, Counts, Route, RowOutcome, Status};
use crate::model::reply::{Accepted, ApiError, ErrorClass, TaskFailure, TaskView};
use crate::model::row::{PreparedRow, Reason, RowRef};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Rows that may wait for a row of their key before reading stops.
const MAX_DEFERRED: usize = 1_000;
/// The first wait for a slot when none of our own tasks holds one.
const SLOT_WAIT: Duration = Duration::from_secs(1);
/// The longest such wait.
const LONGEST_SLOT_WAIT: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Idle,
    Reading,
    Ended,
}

/// The bulk route of one stage.
pub struct Engine {
    config: StageConfig,
    batcher: Batcher,
    gate: SlotGate,
    held: VecDeque<Batch>,
    flights: BTreeMap<BatchSeq, Flight>,
    input: Input,
    stopped: Option<String>,
    paused_until: Option<Instant>,
    slot_wait: Duration,
    counts: Counts,
    unwritten: usize,
    requests: u64,
}

impl Engine {
    /// An engine that has read nothing yet.
    #[must_use]
    pub fn new(config: StageConfig) -> Self {
        Self {
            batcher: Batcher::new(config.batches),
            gate: SlotGate::new(config.slots, config.most_slots),
            held: VecDeque::new(),
            flights: BTreeMap::new(),
            input: Input::Idle,
            stopped: None,
            paused_until: None,
            slot_wait: SLOT_WAIT,
            counts: Counts::default(),
            unwritten: 0,
            requests: 0,
            config,
        }
    }

    /// Rows with a durable outcome, by status.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Bulk requests that the site accepted.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Task slots in use, and how many may be.
    #[must_use]
    pub fn slots(&self) -> (usize, usize) {
        (self.active(), self.gate.ceiling())
    }

    /// Why the stage stopped early.
    #[must_use]
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// Whether every row that was given has a durable outcome and no more will come.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.input == Input::Ended
            && self.flights.is_empty()
            && self.held.is_empty()
            && self.batcher.deferred() == 0
            && self.unwritten == 0
    }

    /// When to send [`Event::Woken`], if nothing happens before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Instant> {
        let due = self
            .flights
            .values()
            .filter_map(|flight| match &flight.phase {
                Phase::Backoff { until } => Some(*until),
                Phase::Queued { not_before } => *not_before,
                Phase::Waiting(wait) if !wait.polling => Some(wait.next_poll),
                Phase::Waiting(_)
                | Phase::Preparing
                | Phase::Sending
                | Phase::Identifying { .. }
                | Phase::Settling { .. } => None,
            });
        due.min()
            .map(|due| self.paused_until.map_or(due, |pause| due.max(pause)))
    }

    /// The one entry: takes what happened, gives what to do.
    #[must_use]
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Command> {
        let mut commands = Vec::new();
        match event {
            Event::Rows { rows, decided } => {
                self.input = Input::Idle;
                self.write_decided(decided, &mut commands);
                for row in rows {
                    let batch = self.batcher.push(row);
                    self.held.extend(batch);
                }
            }
            Event::InputEnded => self.input = Input::Ended,
            Event::Durable(durable) => self.durable(&durable, &mut commands, now),
            Event::Submitted(seq, Ok(accepted)) => self.accepted(now, seq, accepted, &mut commands),
            Event::Submitted(seq, Err(error)) => self.refused(now, seq, &error, &mut commands),
            Event::Polled(seq, Ok(view)) => self.viewed(now, seq, view, &mut commands),
            Event::Polled(seq, Err(error)) => self.unseen(now, seq, &error, &mut commands),
            Event::Identified(seq, known) => self.identified(now, seq, &known, &mut commands),
            Event::Woken => {}
            Event::Stop(why) => self.stop(why),
        }
        self.advance(now, &mut commands);
        commands
    }

    fn stop(&mut self, why: String) {
        self.stopped.get_or_insert(why);
    }

    fn active(&self) -> usize {
        self.flights
            .values()
            .filter(|flight| flight.holds_slot())
            .count()
    }

    fn count(&mut self, counts: Counts) {
        for status in Status::ALL {
            self.counts.add(status, counts.of(status));
        }
        let errors = [Status::Rejected, Status::Failed, Status::Unconfirmed]
            .map(|status| self.counts.of(status))
            .iter()
            .sum();
        if let Some(most) = self.config.max_errors
            && most.exceeded(errors, self.counts.total())
        {
            self.stop(format!(
                "more than {most} of the rows did not load (--max-errors)"
            ));
        }
    }

    /// Moves everything that can move.
    fn advance(&mut self, now: Now, commands: &mut Vec<Command>) {
        if self.stopped.is_some() {
            self.abandon(now, commands);
        }
        self.flush_when_stuck();
        let waiting =
            |flight: &Flight| matches!(flight.phase, Phase::Preparing | Phase::Queued { .. });
        let mut taken = self.active() + self.flights.values().filter(|f| waiting(f)).count();
        while taken < self.gate.ceiling()
            && let Some(batch) = self.held.pop_front()
        {
            self.prepare(now, batch, commands);
            taken += 1;
        }
        let paused = self.paused_until.is_some_and(|until| until > now.at);
        if !paused {
            self.paused_until = None;
            self.send_due(now, commands);
            self.poll_due(now, commands);
        }
        let room = self.held.len() < self.gate.ceiling() && self.batcher.deferred() < MAX_DEFERRED;
        if self.input == Input::Idle && (room || self.stopped.is_some()) {
            self.input = Input::Reading;
            commands.push(Command::ReadMore);
        }
    }

    /// A half-full batch leaves only when no more rows can join it.
    fn flush_when_stuck(&mut self) {
        let blocked = self.batcher.deferred() >= MAX_DEFERRED;
        if self.held.is_empty()
            && (self.input == Input::Ended || (blocked && self.flights.is_empty()))
        {
            self.held.extend(self.batcher.flush());
        }
    }

    fn prepare(&mut self, now: Now, batch: Batch, commands: &mut Vec<Command>) {
        let seq = batch.seq();
        let name = format!("{}/{}/0", self.config.stage, seq.0);
        let key = Uuid::new_v5(&self.config.nonce, name.as_bytes()).to_string();
        let body = Arc::new(batch.body());
        let record = Record::Sending {
            stage: self.config.stage,
            batch: seq,
            key: key.clone(),
            body: Arc::clone(&body),
            rows: batch.rows().iter().map(|row| row.row.clone()).collect(),
            at: now.unix,
        };
        commands.push(Command::Persist(vec![record], Durable::Intent(seq)));
        let flight = Flight {
            batch,
            key,
            body,
            phase: Phase::Preparing,
            attempts: 0,
            maybe_applied: false,
            first_sent: None,
        };
        self.flights.insert(seq, flight);
    }

    fn send_due(&mut self, now: Now, commands: &mut Vec<Command>) {
        let mut active = self.active();
        for (seq, flight) in &mut self.flights {
            let due = match flight.phase {
                Phase::Queued { not_before } => {
                    active < self.gate.ceiling() && not_before.is_none_or(|due| due <= now.at)
                }
                Phase::Backoff { until } => until <= now.at,
                _ => false,
            };
            if !due {
                continue;
            }
            if !flight.holds_slot() {
                active += 1;
            }
            flight.phase = Phase::Sending;
            flight.attempts += 1;
            flight.first_sent.get_or_insert(now.at);
            commands.push(Command::Submit {
                batch: *seq,
                key: flight.key.clone(),
                body: Arc::clone(&flight.body),
            });
        }
    }

    fn poll_due(&mut self, now: Now, commands: &mut Vec<Command>) {
        for (seq, flight) in &mut self.flights {
            if let Phase::Waiting(wait) = &mut flight.phase
                && !wait.polling
                && wait.next_poll <= now.at
            {
                wait.polling = true;
                commands.push(Command::Poll(*seq, wait.task.clone()));
            }
        }
    }

    fn accepted(
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

    fn refused(&mut self, now: Now, seq: BatchSeq, error: &ApiError, commands: &mut Vec<Command>) {
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
            | ErrorClass::AuthWrong => {}
        }
        match retry::decide(&error.class, flight.attempts, random) {
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
    fn give_up(
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

    fn end_whole(
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

    fn viewed(&mut self, now: Now, seq: BatchSeq, view: TaskView, commands: &mut Vec<Command>) {
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
    fn unseen(&mut self, now: Now, seq: BatchSeq, error: &ApiError, commands: &mut Vec<Command>) {
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
            ErrorClass::AuthWrong => {
                self.stop(error.to_string());
                let errors = [error.message.clone()];
                self.end_unconfirmed(now, seq, Code::AnswerLost, &errors, commands);
            }
            ErrorClass::Throttled { .. } => {
                if let retry::Decision::Pause(pause) = retry::decide(&error.class, 1, random) {
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

    /// Reads a finished task's failures; remote ids that match no row are looked up first.
    fn finished_with(
        &mut self,
        now: Now,
        seq: BatchSeq,
        failures: Vec<TaskFailure>,
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get_mut(&seq) else {
            return;
        };
        let fold = self.config.fold;
        let mut unknown: Vec<String> = failures
            .iter()
            .filter_map(|failure| failure.entity_id.clone())
            .filter(|id| {
                let folded = fold(id);
                !flight
                    .batch
                    .rows()
                    .iter()
                    .any(|row| row.identity.as_str() == folded || row.identity.as_str() == id)
            })
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return self.judge(now, seq, &failures, &HashMap::new(), commands);
        }
        flight.phase = Phase::Identifying { failures };
        commands.push(Command::Identify(seq, unknown));
    }

    fn identified(
        &mut self,
        now: Now,
        seq: BatchSeq,
        known: &HashMap<String, String>,
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get_mut(&seq) else {
            return;
        };
        let Phase::Identifying { failures } = &mut flight.phase else {
            return;
        };
        let failures = std::mem::take(failures);
        self.judge(now, seq, &failures, known, commands);
    }

    fn judge(
        &mut self,
        now: Now,
        seq: BatchSeq,
        failures: &[TaskFailure],
        known: &HashMap<String, String>,
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get(&seq) else {
            return;
        };
        let rows = flight.batch.rows();
        let ends = attribute(
            rows,
            failures,
            &self.config.details,
            known,
            self.config.fold,
        )
        .into_iter()
        .map(|verdict| match verdict {
            Verdict::Clean => (Status::Loaded, Vec::new()),
            Verdict::Refused(reasons) => (Status::Failed, reasons),
            Verdict::Ambiguous(errors) => (
                Status::Unconfirmed,
                vec![unconfirmed(Code::FailureAmbiguous, &errors)],
            ),
        })
        .collect();
        self.settle(now, seq, ends, None, commands);
    }

    fn end_unconfirmed(
        &mut self,
        now: Now,
        seq: BatchSeq,
        code: Code,
        errors: &[String],
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get(&seq) else {
            return;
        };
        let reason = unconfirmed(code, errors);
        let ends = flight
            .batch
            .rows()
            .iter()
            .map(|_| (Status::Unconfirmed, vec![reason.clone()]))
            .collect();
        self.settle(now, seq, ends, None, commands);
    }

    fn settle(
        &mut self,
        now: Now,
        seq: BatchSeq,
        ends: Vec<(Status, Vec<Reason>)>,
        trace_id: Option<String>,
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get_mut(&seq) else {
            return;
        };
        let mut counts = Counts::default();
        let outcomes = flight
            .batch
            .rows()
            .iter()
            .zip(ends)
            .map(|(row, (status, reasons))| {
                counts.add(status, 1);
                RowOutcome {
                    row: row.row.clone(),
                    status,
                    reasons,
                    remote_id: None,
                    route: Some(Route::Bulk)
                        .filter(|_| flight.attempts > 0 && status != Status::NotSent),
                    batch: Some(seq),
                    attempts: flight.attempts,
                    finished_at: now.unix,
                }
            })
            .collect();
        flight.phase = Phase::Settling { counts };
        let stage = self.config.stage;
        let record = Record::Settled {
            stage,
            batch: seq,
            trace_id,
            outcomes,
            at: now.unix,
        };
        commands.push(Command::Persist(vec![record], Durable::Settled(seq)));
    }

    fn durable(&mut self, durable: &Durable, commands: &mut Vec<Command>, now: Now) {
        match durable {
            Durable::Intent(seq) => {
                if let Some(flight) = self.flights.get_mut(seq) {
                    flight.phase = Phase::Queued { not_before: None };
                }
            }
            Durable::Settled(seq) => {
                let Some(flight) = self.flights.remove(seq) else {
                    return;
                };
                let freed = self.batcher.settled(&flight.batch);
                self.held.extend(freed);
                if let Phase::Settling { counts } = flight.phase {
                    let took = flight
                        .first_sent
                        .map_or(Duration::ZERO, |sent| now.at.duration_since(sent));
                    let stage = self.config.stage;
                    commands.push(Command::Tell(RunEvent::BatchSettled {
                        stage,
                        batch: *seq,
                        counts,
                        took,
                    }));
                    self.count(counts);
                }
            }
            Durable::Rows(counts) => {
                self.unwritten -= 1;
                self.count(*counts);
            }
            Durable::Noted => {}
        }
    }

    /// Rows that need no request.
    fn write_decided(&mut self, outcomes: Vec<RowOutcome>, commands: &mut Vec<Command>) {
        if outcomes.is_empty() {
            return;
        }
        let mut counts = Counts::default();
        for outcome in &outcomes {
            counts.add(outcome.status, 1);
        }
        self.unwritten += 1;
        let record = Record::Rows {
            stage: self.config.stage,
            outcomes,
        };
        commands.push(Command::Persist(vec![record], Durable::Rows(counts)));
    }

    /// After a stop: what was never sent is written down as not sent.
    fn abandon(&mut self, now: Now, commands: &mut Vec<Command>) {
        let why = self.stopped.clone().unwrap_or_default();
        let mut rows: Vec<PreparedRow> = self
            .held
            .drain(..)
            .flat_map(|batch| batch.rows().to_vec())
            .collect();
        rows.extend(self.batcher.abandon());
        if !rows.is_empty() {
            let mut counts = Counts::default();
            counts.add(Status::NotSent, rows.len() as u64);
            let outcomes = rows
                .into_iter()
                .map(|row| not_sent(row.row, &why, now.unix))
                .collect();
            let record = Record::Rows {
                stage: self.config.stage,
                outcomes,
            };
            self.unwritten += 1;
            commands.push(Command::Persist(vec![record], Durable::Rows(counts)));
        }
        // a batch whose intent is durable but which never left, or never got a slot, was not sent either
        let unsent: Vec<_> = self
            .flights
            .iter()
            .filter(|(_, flight)| {
                matches!(flight.phase, Phase::Queued { .. }) && !flight.maybe_applied
            })
            .map(|(seq, _)| *seq)
            .collect();
        for seq in unsent {
            let Some(flight) = self.flights.get(&seq) else {
                continue;
            };
            let reason = stop_reason(&why);
            let ends = flight
                .batch
                .rows()
                .iter()
                .map(|_| (Status::NotSent, vec![reason.clone()]))
                .collect();
            self.settle(now, seq, ends, None, commands);
        }
    }

    fn pause(&mut self, now: Now, wait: Duration) {
        let until = now.at + wait;
        self.paused_until = Some(self.paused_until.map_or(until, |other| other.max(until)));
    }

    fn notice(&self, message: String) -> Command {
        Command::Tell(RunEvent::Notice {
            stage: Some(self.config.stage),
            message,
        })
    }
}

/// The outcome of a row that the run stopped before.
#[must_use]
pub fn not_sent(row: RowRef, why: &str, at: UnixMillis) -> RowOutcome {
    RowOutcome {
        row,
        status: Status::NotSent,
        reasons: vec![stop_reason(why)],
        remote_id: None,
        route: None,
        batch: None,
        attempts: 0,
        finished_at: at,
    }
}

fn stop_reason(why: &str) -> Reason {
    Reason {
        code: Code::RunStopped.into(),
        field: None,
        message: why.to_owned(),
    }
}

fn unconfirmed(code: Code, errors: &[String]) -> Reason {
    let mut message = code.cause().to_owned();
    if let Some(first) = errors.first() {
        message = format!("{message}; the site said: {first}");
    }
    Reason {
        code: code.into(),
        field: None,
        message,
    }
}
