//! The bulk route as a state machine: events in, commands out. No I/O, no clock, no await.
//!
//! ```text
//! Preparing ──durable──▶ Queued ──slot free──▶ Sending ──accepted──▶ Waiting ──ended──▶ Judging ──▶ Settling ──durable──▶ gone
//!                          ▲                      │ │                    │ ▲              │ ▲            │
//!                          └──── no slot ─────────┘ └─▶ Backoff          └─┘ poll         └─┘ reading    └─▶ rows that were not
//! Calling: a row by its own calls, as many at a time as may be ──durable──▶ gone                             applied, in new batches
//! ```
//!
//! The intent is durable before a request leaves; an outcome is durable before anyone is told; a batch's slot is
//! free as soon as its task has ended.

mod answers;
mod calls;
mod judge;
mod recover;
mod refusals;
mod routing;
mod sending;
mod successors;
#[cfg(test)]
pub(crate) mod tests;
mod verdicts;

use super::batcher::{Batch, Batcher};
use super::flight::{Flight, Left, Phase};
use super::message::{Command, Durable, Event, Now, StageConfig};
use super::outcome::parent_not_loaded;
use super::poll::Polling;
use super::quiet::Quiet;
use super::retry::Budget;
use super::route::{Line, Router};
use super::slots::SlotGate;
use super::why;
use crate::ledger::record::Record;
use crate::model::event::RunEvent;
use crate::model::outcome::{BatchSeq, Counts, RowOutcome, Status};
use crate::model::reply::Throttle;
use crate::model::row::RowId;
use refusals::Refusals;
use routing::{Way, router};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

/// Rows that may wait for a row of their key before reading stops.
const MAX_DEFERRED: usize = 1_000;
/// Stretches of decided rows that may wait for the ledger before reading stops.
const MAX_UNWRITTEN: usize = 4;
/// Batches that may be judged at a time before no more are sent.
const MAX_JUDGING: usize = 64;

/// What the site may ask us to leave for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Submit,
    Poll,
}

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
    polling: Polling,
    quiet: Quiet<Call>,
    budget: Budget,
    held: VecDeque<Batch>,
    flights: BTreeMap<BatchSeq, Flight>,
    input: Input,
    stopped: Option<String>,
    /// The site itself stopped it: a call got nowhere, however often it was repeated.
    down: bool,
    counts: Counts,
    given: u64,
    unwritten: usize,
    suspended: bool,
    router: Router,
    line: Line,
    /// When it is asked again, if nothing happens before.
    ask_router: Option<Instant>,
    /// Rows that an interrupted run may have sent.
    begun: HashSet<RowId>,
    /// Of each batch all associations are read back: one was found missing.
    check_associations: bool,
    /// Rows that name organizations or products and were read back.
    associations_read: usize,
    sent_again: u64,
    refusals: Refusals,
}

impl Engine {
    /// An engine that has read nothing yet.
    #[must_use]
    pub fn new(config: StageConfig) -> Self {
        Self {
            batcher: Batcher::new(config.batches.clone()),
            gate: SlotGate::new(config.slots, config.most_slots),
            polling: Polling::new(config.polls_per_second),
            quiet: Quiet::default(),
            budget: Budget::default(),
            held: VecDeque::new(),
            flights: BTreeMap::new(),
            input: Input::Idle,
            stopped: None,
            down: false,
            counts: Counts::default(),
            given: 0,
            unwritten: 0,
            suspended: false,
            router: router(&config),
            line: Line::default(),
            ask_router: None,
            begun: HashSet::new(),
            check_associations: false,
            associations_read: 0,
            sent_again: 0,
            refusals: Refusals::default(),
            config,
        }
    }

    /// Rows with a durable outcome, by status.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Rows that were sent again, because a reading did not show them.
    #[must_use]
    pub fn sent_again(&self) -> u64 {
        self.sent_again
    }

    /// Whether batches were given up that a later process goes on with.
    #[must_use]
    pub fn suspended(&self) -> bool {
        self.suspended
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
        let active = self.active();
        // without a slot a queued batch waits for an event, not for a moment
        let slot = self.gate.wake(active);
        let scouting = self.is_scouting();
        let submit = self.quiet.end(Call::Submit);
        let poll = self.quiet.end(Call::Poll);
        let due = self
            .flights
            .values()
            .filter_map(|flight| match &flight.phase {
                Phase::Backoff { until } => Some(submit.map_or(*until, |quiet| quiet.max(*until))),
                // those wait for an answer
                Phase::Queued if scouting && flight.batch.rows().len() > 1 => None,
                Phase::Queued if active < self.gate.ceiling() => slot.max(submit),
                Phase::Queued => slot,
                Phase::Waiting(wait) if wait.asked.is_none() => {
                    Some(poll.map_or(wait.next_poll, |quiet| quiet.max(wait.next_poll)))
                }
                Phase::Waiting(_)
                | Phase::Preparing
                | Phase::Sending
                | Phase::Identifying { .. }
                | Phase::Judging(_)
                | Phase::Calling(_)
                | Phase::Settling { .. } => None,
            });
        due.chain(self.ask_router).min()
    }

    /// The one entry: takes what happened, gives what to do.
    #[must_use]
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Command> {
        let mut commands = Vec::new();
        match event {
            Event::Rows { rows, decided } => {
                self.input = Input::Idle;
                self.given += (rows.len() + decided.len()) as u64;
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
            Event::ReadBack(seq, seen) => self.read_back(now, seq, seen, &mut commands),
            Event::Joined(seq, index, called) => {
                self.joined(now, seq, index, called, &mut commands);
            }
            Event::Called(seq, index, called) => {
                self.called(now, seq, index, called, &mut commands);
            }
            Event::Woken => {}
            Event::Stop(why) => self.stop(why),
        }
        self.advance(now, &mut commands);
        commands
    }

    fn stop(&mut self, why: String) {
        self.stopped.get_or_insert(why);
    }

    /// Keeps children from being sent when their parents did not load. To be called before any event.
    pub fn follow_parents(&mut self) {
        self.batcher.follow_parents();
    }

    /// Rows whose parents did not load are not sent.
    fn drop_orphans(&mut self, now: Now, commands: &mut Vec<Command>) {
        let orphans = self.batcher.take_orphans().into_iter();
        let outcomes = orphans.map(|(row, parent)| parent_not_loaded(row.row, parent, now.unix));
        self.write_decided(outcomes.collect(), commands);
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
        // of all rows read so far: rejections are known at once, while the rows beside them are still under way
        if let Some(most) = self.config.max_errors
            && most.exceeded(self.counts.errors(), self.given)
        {
            self.stop(why::too_many_errors(most));
        }
    }

    /// Moves everything that can move.
    fn advance(&mut self, now: Now, commands: &mut Vec<Command>) {
        self.drop_orphans(now, commands);
        if self.stopped.is_some() {
            self.abandon(now, commands);
        }
        self.flush_when_stuck();
        let waiting = |flight: &Flight| matches!(flight.phase, Phase::Preparing | Phase::Queued);
        let active = self.active();
        self.gate.tick(now.at, active);
        // as many again are made durable ahead, so that a freed slot is refilled at once
        let mut taken = active + self.flights.values().filter(|f| waiting(f)).count();
        while let Some((way, most_rows)) = self.choose(now.at, taken, commands)
            && let Some(batch) = self.held.pop_front()
        {
            let (batch, rest) = self.batcher.apart(batch, |index, _| index < most_rows);
            if let Some(rest) = rest {
                self.held.push_front(rest);
            }
            if let Some(batch) = batch {
                taken += self.begin(now, batch, way, commands);
            }
        }
        self.call_due(now, commands);
        if self.quiet.until(Call::Submit, now.at).is_none() {
            self.send_due(now, active, commands);
            // a quiet minute may have passed while there was a slot to spare: it counts once there is none
            let active = self.active();
            self.gate.tick(now.at, active);
            self.send_due(now, active, commands);
        }
        if self.quiet.until(Call::Poll, now.at).is_none() {
            self.poll_due(now, commands);
        }
        let room = self.held.len() < self.gate.ceiling() && self.batcher.deferred() < MAX_DEFERRED;
        let written = self.unwritten < MAX_UNWRITTEN;
        if self.input == Input::Idle && written && (room || self.stopped.is_some()) {
            self.input = Input::Reading;
            commands.push(Command::ReadMore);
        }
    }

    /// A half-full batch leaves only when no more rows can join it.
    fn flush_when_stuck(&mut self) {
        let blocked = self.batcher.deferred() >= MAX_DEFERRED;
        let idle = self.flights.len() < self.gate.ceiling();
        if self.held.is_empty() && (self.input == Input::Ended || (blocked && idle)) {
            self.held.extend(self.batcher.flush());
        }
    }

    /// Begins a batch; gives how many wait for a slot for it. Rows that may have been sent before are judged first, by
    /// themselves.
    fn begin(&mut self, now: Now, batch: Batch, way: Way, commands: &mut Vec<Command>) -> usize {
        let begun = &self.begun;
        let (begun, fresh) = self
            .batcher
            .apart(batch, |_, row| begun.contains(&row.row.id));
        if let Some(batch) = begun {
            self.look_before(now, batch, commands);
        }
        match (fresh, way) {
            (None, _) => 0,
            (Some(batch), Way::Single) => {
                self.begin_calls(batch);
                0
            }
            (Some(batch), Way::Bulk) => {
                let (flight, record) = self.intent(now, batch);
                let seq = flight.batch.seq();
                commands.push(Command::Persist(vec![record], Durable::Intent(seq)));
                self.flights.insert(seq, flight);
                1
            }
        }
    }

    fn durable(&mut self, durable: &Durable, commands: &mut Vec<Command>, now: Now) {
        match durable {
            Durable::Intent(seq) => {
                if let Some(flight) = self.flights.get_mut(seq) {
                    flight.phase = Phase::Queued;
                }
            }
            Durable::Settled(seq) => {
                let Some(flight) = self.flights.remove(seq) else {
                    return;
                };
                if let Phase::Settling { counts, left } = flight.phase {
                    let Left { rows, flights } = left;
                    let left: HashSet<usize> = rows.into_iter().collect();
                    let decided = flight.batch.rows().iter().enumerate();
                    let decided = decided.filter(|(index, _)| !left.contains(index));
                    let freed = self.batcher.free(decided.map(|(_, row)| row));
                    self.held.extend(freed);
                    self.flights
                        .extend(flights.into_iter().map(|left| (left.batch.seq(), left)));
                    self.tell_settled(now, *seq, flight.first_sent, counts, commands);
                    self.count(counts);
                }
            }
            Durable::Calling(seq, index) => self.call(now, *seq, *index, commands),
            Durable::Called(seq, counts) => {
                self.count(*counts);
                self.wrote_calls(now, *seq, *counts, commands);
            }
            Durable::Rows(counts) => {
                self.unwritten -= 1;
                self.count(*counts);
            }
            Durable::Noted => {}
        }
    }

    fn tell_settled(
        &self,
        now: Now,
        seq: BatchSeq,
        since: Option<Instant>,
        counts: Counts,
        commands: &mut Vec<Command>,
    ) {
        let took = since.map_or(Duration::ZERO, |sent| now.at.duration_since(sent));
        commands.push(Command::Tell(RunEvent::BatchSettled {
            stage: self.config.stage,
            batch: seq,
            counts,
            took,
        }));
    }

    /// Rows that need no request.
    fn write_decided(&mut self, mut outcomes: Vec<RowOutcome>, commands: &mut Vec<Command>) {
        if outcomes.is_empty() {
            return;
        }
        if !self.begun.is_empty() {
            self.doubt_begun(&mut outcomes);
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

    /// The site asks us to wait: with calls of one kind, or with all of them.
    fn pause(&mut self, call: Call, scope: Throttle, until: Instant) {
        match scope {
            Throttle::Burst => self.quiet.only(call, until),
            Throttle::Quota => self.quiet.all(until),
        }
    }

    fn notice(&self, message: String) -> Command {
        Command::Tell(RunEvent::Notice {
            stage: Some(self.config.stage),
            message,
        })
    }
}
