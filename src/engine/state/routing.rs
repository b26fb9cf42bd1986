//! Which way the rows of a batch travel.

use super::{Engine, MAX_JUDGING};
use crate::engine::flight::Phase;
use crate::engine::limits::RouteWish;

/// A way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// A bulk request.
    Bulk,
    /// Each row by calls of its own.
    Single,
}

/// Chooses it.
#[derive(Debug)]
pub(super) struct Router {
    wish: RouteWish,
}

impl Router {
    pub(super) fn new(wish: RouteWish) -> Self {
        Self { wish }
    }

    fn way(&self) -> Choice {
        match self.wish {
            RouteWish::Auto | RouteWish::Bulk => Choice::Bulk,
            RouteWish::Single => Choice::Single,
        }
    }
}

impl Engine {
    /// The way of the next batch, once there is room on it. `taken` counts those that have a slot or wait for one.
    pub(super) fn choose(&self, taken: usize) -> Option<Choice> {
        let judging = |phase: &Phase| matches!(phase, Phase::Judging(_));
        let phases = self.flights.values().map(|flight| &flight.phase);
        if phases.filter(|phase| judging(phase)).count() >= MAX_JUDGING {
            return None;
        }
        let way = self.router.way();
        let room = match way {
            Choice::Bulk => taken < 2 * self.gate.ceiling(),
            Choice::Single => self.waiting_calls() < self.config.single_in_flight,
        };
        room.then_some(way)
    }

    /// Rows on the single route whose turn has not come.
    fn waiting_calls(&self) -> usize {
        let waiting = |phase: &Phase| match phase {
            Phase::Calling(calling) => calling.queue.len(),
            _ => 0,
        };
        self.flights
            .values()
            .map(|flight| waiting(&flight.phase))
            .sum()
    }
}
