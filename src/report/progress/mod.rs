//! What a run looks like while it goes on: bars, lines, or a log of JSON objects.
//!
//! Duty: show [`RunEvent`]s as they come. Guarantee: no view fails a run; behind a [`Background`] none holds it up
//! either; no cell value and no word of the site about a row is shown. Must not know: rows, or who makes the events.

mod background;
mod bars;
mod json_log;
mod lines;
mod stage;

pub use background::Background;
pub use bars::Bars;
pub use json_log::JsonLog;
pub use lines::Lines;

use crate::model::event::RunEvent;
use std::time::Duration;

/// How often plain lines and logs tell of a stage that just goes on.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// Shows what happens. Nothing that goes wrong with the showing comes back to the caller.
pub trait Reporter: Send {
    /// Shows an event.
    fn event(&mut self, event: &RunEvent);
    /// Shows the last of it: nothing follows.
    fn finish(&mut self);
}

/// Several reporters as one.
#[derive(Default)]
pub struct Reporters {
    all: Vec<Box<dyn Reporter>>,
}

impl Reporters {
    /// Adds a reporter; events reach them in the order in which they were added.
    pub fn add(&mut self, reporter: impl Reporter + 'static) {
        self.all.push(Box::new(reporter));
    }
}

impl Reporter for Reporters {
    fn event(&mut self, event: &RunEvent) {
        self.all
            .iter_mut()
            .for_each(|reporter| reporter.event(event));
    }

    fn finish(&mut self) {
        self.all.iter_mut().for_each(|reporter| reporter.finish());
    }
}

#[cfg(test)]
mod tests;
