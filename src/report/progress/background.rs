//! Showing on a thread of its own, so that a terminal on hold or a reader that does not read never holds up a load.

use super::Reporter;
use crate::model::event::RunEvent;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

/// How many events may wait to be shown before new ones are left out.
const WAITING: usize = 1_024;

/// Passes events to a reporter on another thread and never waits for it.
///
/// While the reporter does not keep up, progress and batches are left out and the loss is told afterwards; what
/// begins or ends is always shown.
pub struct Background {
    /// To the thread; `None` once finished.
    events: Option<Sender<RunEvent>>,
    waiting: Arc<AtomicUsize>,
    left_out: u64,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the operating system has no thread to give.
    pub fn start(reporter: impl Reporter + 'static) -> io::Result<Self> {
        let (events, received) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&waiting);
        let thread = thread::Builder::new()
            .name("report".into())
            .spawn(move || show(reporter, &received, &counter))?;
        Ok(Self {
            events: Some(events),
            waiting,
            left_out: 0,
            thread: Some(thread),
        })
    }

    fn send(&self, event: RunEvent) {
        if let Some(events) = &self.events {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            // fails only when the thread is gone: then there is nothing left to show with
            let _ = events.send(event);
        }
    }

    fn tell_left_out(&mut self) {
        let count = std::mem::take(&mut self.left_out);
        if count > 0 {
            let message = format!("{count} events not shown: the output did not keep up");
            self.send(RunEvent::Notice {
                stage: None,
                message,
            });
        }
    }
}

fn show(mut reporter: impl Reporter, events: &Receiver<RunEvent>, waiting: &AtomicUsize) {
    for event in events {
        reporter.event(&event);
        waiting.fetch_sub(1, Ordering::Relaxed);
    }
    reporter.finish();
}

impl Reporter for Background {
    fn event(&mut self, event: &RunEvent) {
        if self.waiting.load(Ordering::Relaxed) < WAITING {
            self.tell_left_out();
            return self.send(event.clone());
        }
        match event {
            // the next one says the same and more
            RunEvent::Progressed { .. } => {}
            RunEvent::BatchAccepted { .. }
            | RunEvent::BatchSettled { .. }
            | RunEvent::Notice { .. } => self.left_out += 1,
            // few: as many as there are stages
            RunEvent::RunStarted { .. }
            | RunEvent::StageStarted { .. }
            | RunEvent::PhaseStarted { .. }
            | RunEvent::StageFinished { .. }
            | RunEvent::RunFinished { .. } => self.send(event.clone()),
        }
    }

    /// Waits until everything is shown.
    fn finish(&mut self) {
        self.tell_left_out();
        self.events = None;
        if let Some(thread) = self.thread.take() {
            // a reporter that panicked has shown what it could
            let _ = thread.join();
        }
    }
}
