//! What a task had before it, told once it ended.
//!
//! Requests that leave together reach the site in any order, so that none knows its place when it is sent. What ended
//! while a task was waited for, and was sent before that one was accepted, took its turn before it.

use super::Queue;
use std::collections::VecDeque;
use std::time::Instant;

/// Ends that are remembered: more of them while one task runs, and it is not them that it waits for.
const MEMORY: usize = 64;

/// A task that ended.
#[derive(Debug, Clone, Copy)]
struct Ended {
    sent: Instant,
    /// When.
    at: Instant,
    rows: usize,
}

/// The last tasks that ended.
#[derive(Debug, Clone, Default)]
pub struct Line {
    ended: VecDeque<Ended>,
}

impl Line {
    /// A task of so many rows ended, which was sent and accepted at these moments. Gives what had its turn before it.
    pub fn ended(&mut self, now: Instant, sent: Instant, accepted: Instant, rows: usize) -> Queue {
        let before = self.before(accepted);
        if self.ended.len() == MEMORY {
            self.ended.pop_front();
        }
        self.ended.push_back(Ended {
            sent,
            at: now,
            rows,
        });
        before
    }

    /// Tasks that had their turn so far before one that was accepted at this moment.
    #[must_use]
    pub fn before(&self, accepted: Instant) -> Queue {
        let others = self.ended.iter();
        others
            .filter(|other| other.at > accepted && other.sent <= accepted)
            .fold(Queue::default(), |sum, other| sum.and(other.rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn of_tasks_that_were_sent_together_the_one_that_ends_first_was_first() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut line = Line::default();
        let ended = |line: &mut Line, now, sent, rows| {
            let before = line.ended(at(now), at(sent), at(sent + 1), rows);
            (before.tasks, before.rows)
        };
        // one that ended before they were sent
        assert_eq!(ended(&mut line, 5, 0, 9), (0, 0));
        assert_eq!(ended(&mut line, 20, 10, 7), (0, 0));
        assert_eq!(ended(&mut line, 30, 10, 100), (1, 7));
        assert_eq!(ended(&mut line, 40, 10, 100), (2, 107));
        // sent while all of those were waited for, but the first
        assert_eq!(ended(&mut line, 60, 25, 50), (2, 200));
        // it overtook one that was sent before it
        assert_eq!(ended(&mut line, 70, 21, 3), (2, 200));
        // so far, of one that still runs
        let before = line.before(at(26));
        assert_eq!((before.tasks, before.rows), (4, 253));
    }

    #[test]
    fn only_the_last_ends_are_remembered() {
        let start = Instant::now();
        let mut line = Line::default();
        for _ in 0..100 {
            line.ended(start + Duration::from_secs(1), start, start, 1);
        }
        assert_eq!(line.before(start).tasks, MEMORY);
    }
}
