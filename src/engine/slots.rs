//! The gate of task slots: how many tasks of ours the site may hold unfinished at once.
//!
//! Other programs share the site's slots, so a refusal for lack of slots is normal. The gate rises by one after
//! clean tasks and falls to the number of our own unfinished tasks on a refusal.

use super::limits::TaskSlots;
use std::time::{Duration, Instant};

/// Slots at the start when they are learned: a serial site must not time our queue out.
const AUTO_START: usize = 2;
/// Clean tasks after a refusal before one more slot is tried.
const CLEAN_TASKS: u32 = 20;
/// Time after a refusal before one more slot is tried.
const QUIET: Duration = Duration::from_mins(1);
/// The time from submit to finish that a task must stay under; the site gives up at 30 minutes.
const LONGEST_TASK: Duration = Duration::from_mins(25);

/// The gate of one site.
#[derive(Debug, Clone)]
pub struct SlotGate {
    most: usize,
    ceiling: usize,
    fixed: bool,
    refused: Option<Refusal>,
}

/// The last refusal for lack of slots.
#[derive(Debug, Clone, Copy)]
struct Refusal {
    at: Instant,
    clean_since: u32,
}

impl SlotGate {
    /// A gate that never opens wider than `most`.
    #[must_use]
    pub fn new(slots: TaskSlots, most: usize) -> Self {
        let (most, ceiling, fixed) = match slots {
            TaskSlots::Auto => (most, AUTO_START.min(most), false),
            TaskSlots::Fixed(slots) => (slots, slots, true),
        };
        Self {
            most,
            ceiling,
            fixed,
            refused: None,
        }
    }

    /// How many tasks may be unfinished now.
    #[must_use]
    pub fn ceiling(&self) -> usize {
        self.ceiling
    }

    /// The site refused a task for lack of slots while `unfinished` of ours were running.
    pub fn busy(&mut self, now: Instant, unfinished: usize) {
        self.ceiling = unfinished.clamp(1, self.ceiling);
        self.refused = Some(Refusal {
            at: now,
            clean_since: 0,
        });
    }

    /// A task ended without trouble, `took` after it was submitted.
    pub fn clean(&mut self, now: Instant, took: Duration) {
        if let Some(refused) = &mut self.refused {
            refused.clean_since += 1;
            if refused.clean_since < CLEAN_TASKS && now.duration_since(refused.at) < QUIET {
                return;
            }
            // one step at a time: the next one is earned anew
            *refused = Refusal {
                at: now,
                clean_since: 0,
            };
        }
        if self.ceiling < self.most && (self.fixed || self.predicted(took) < LONGEST_TASK) {
            self.ceiling += 1;
        }
    }

    /// What the next task would take with one slot more, on a site that works its queue one by one.
    fn predicted(&self, took: Duration) -> Duration {
        let slots = u32::try_from(self.ceiling).unwrap_or(u32::MAX);
        took / slots * slots.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_opens_by_one_after_each_clean_task_up_to_its_limit() {
        let now = Instant::now();
        let mut gate = SlotGate::new(TaskSlots::Auto, 4);
        assert_eq!(gate.ceiling(), 2);
        for expected in [3, 4, 4] {
            gate.clean(now, Duration::from_secs(1));
            assert_eq!(gate.ceiling(), expected);
        }
    }

    #[test]
    fn a_slow_serial_site_keeps_the_gate_low() {
        let now = Instant::now();
        let mut gate = SlotGate::new(TaskSlots::Auto, 10);
        // two tasks of eight minutes, worked one by one: the second takes sixteen
        gate.clean(now, Duration::from_mins(16));
        assert_eq!(gate.ceiling(), 3);
        gate.clean(now, Duration::from_mins(24));
        assert_eq!(gate.ceiling(), 3);
    }

    #[test]
    fn a_refusal_lowers_it_to_what_we_hold_and_it_rises_again_slowly() {
        let start = Instant::now();
        let mut gate = SlotGate::new(TaskSlots::Fixed(5), 5);
        gate.busy(start, 3);
        assert_eq!(gate.ceiling(), 3);
        for _ in 0..19 {
            gate.clean(start, Duration::from_secs(1));
        }
        assert_eq!(gate.ceiling(), 3);
        gate.clean(start, Duration::from_secs(1));
        assert_eq!(gate.ceiling(), 4);
        gate.clean(start + QUIET, Duration::from_secs(1));
        assert_eq!(gate.ceiling(), 5);
        gate.busy(start, 0);
        assert_eq!(gate.ceiling(), 1);
    }
}
