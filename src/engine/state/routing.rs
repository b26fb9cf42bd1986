//! Which way the rows of the next batch travel, and when there is room for them.

use super::{Engine, MAX_JUDGING};
use crate::engine::flight::{Flight, Phase};
use crate::engine::message::{Command, StageConfig};
use crate::engine::route::{Choice, Facts, Queue, RouteConfig, Router, Wish};
use crate::model::outcome::{BatchSeq, Route};
use std::time::{Duration, Instant};

/// How long a router that says to wait is not asked again while nothing happens.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// A way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// A bulk request.
    Bulk,
    /// Each row by calls of its own.
    Single,
}

/// The router of a stage.
pub(super) fn router(config: &StageConfig) -> Router {
    Router::new(RouteConfig {
        wish: config.route,
        batch_rows: config.batches.items,
        most_slots: config.most_slots,
        single_in_flight: config.single_in_flight,
        requests_per_second: config.requests_per_second,
        points_an_hour: config.points_an_hour,
        expected_rows: config.expected_rows,
    })
}

impl Engine {
    /// The way of the next batch and the rows that it may have, once there is room. `taken` counts batches that have a
    /// slot or wait for one: as many again as there are slots may wait.
    pub(super) fn choose(
        &mut self,
        now: Instant,
        taken: usize,
        commands: &mut Vec<Command>,
    ) -> Option<(Way, usize)> {
        self.ask_router = None;
        let judging = |flight: &&Flight| matches!(flight.phase, Phase::Judging(_));
        if self.flights.values().filter(judging).count() >= MAX_JUDGING {
            return None;
        }
        let front = self.held.front()?.rows();
        let free = (2 * self.gate.ceiling()).saturating_sub(taken);
        let all = usize::MAX;
        match self.config.route {
            Wish::Bulk => return (free > 0).then_some((Way::Bulk, all)),
            Wish::Single => {
                let room = self.waiting_calls() < self.config.single_in_flight;
                return room.then_some((Way::Single, all));
            }
            Wish::Auto => {}
        }
        let held: usize = self.held.iter().map(|batch| batch.rows().len()).sum();
        let to_come = self.config.expected_rows.saturating_sub(self.given);
        let facts = Facts {
            rows_left: Some(to_come + (held + self.batcher.deferred()) as u64),
            slots: self.gate.ceiling(),
            free_slots: free,
            unfinished: self.queue(|flight| {
                flight.holds_slot() || matches!(flight.phase, Phase::Preparing | Phase::Queued)
            }),
            single_rows: self.single_rows(),
            calls: front.first().and_then(|row| (self.config.calls)(row)),
        };
        let choice = self.router.assign(now, &facts);
        if let Some(moved) = self.router.explain() {
            commands.push(self.notice(moved));
        }
        match choice {
            Choice::Bulk { most_rows } => Some((Way::Bulk, most_rows)),
            Choice::Single { most_rows } => Some((Way::Single, most_rows)),
            Choice::Wait => {
                self.ask_router = Some(now + ASK_AGAIN);
                None
            }
        }
    }

    /// How many bulk batches are in such a phase, and their rows.
    pub(super) fn queue(&self, counts: impl Fn(&&Flight) -> bool) -> Queue {
        let flights = self.flights.values();
        let flights = flights.filter(|flight| flight.route == Route::Bulk);
        flights
            .filter(counts)
            .fold(Queue::default(), |sum, flight| {
                sum.and(flight.batch.rows().len())
            })
    }

    /// Tasks that had their turn before one, or may have theirs before it yet.
    pub(super) fn ahead_of(&self, seq: BatchSeq, accepted: Instant) -> Queue {
        let sent_by = |flight: &Flight| flight.last_sent.is_none_or(|sent| sent <= accepted);
        self.flights
            .iter()
            .filter(|(other, flight)| **other != seq && flight.holds_slot() && sent_by(flight))
            .fold(self.line.before(accepted), |sum, (_, flight)| {
                sum.and(flight.batch.rows().len())
            })
    }

    /// Rows on the single route whose turn has not come.
    fn waiting_calls(&self) -> usize {
        let waiting = |flight: &Flight| match &flight.phase {
            Phase::Calling(calling) => calling.queue.len(),
            _ => 0,
        };
        self.flights.values().map(waiting).sum()
    }

    /// Rows on the single route whose calls have not ended.
    fn single_rows(&self) -> usize {
        let open = |flight: &Flight| match &flight.phase {
            Phase::Calling(calling) => calling.queue.len() + calling.under_way.len(),
            _ => 0,
        };
        self.flights.values().map(open).sum()
    }
}
