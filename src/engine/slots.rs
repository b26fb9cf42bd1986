//! The gate of task slots: how many tasks of ours the site may hold unfinished at once.
//!
//! Other programs share the site's slots, so a refusal for lack of slots is normal: the gate falls to what we hold,
//! and rises by one after clean tasks or a quiet minute. The site gives up tasks after 30 minutes, and one that works
//! its queue one by one makes each task wait for those before it: a learned gate stays as low as that asks for.

use super::limits::TaskSlots;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Slots at the start when they are learned: a serial site must not time our queue out.
const AUTO_START: usize = 2;
/// Clean tasks after a refusal before one more slot is tried.
const CLEAN_TASKS: u32 = 20;
/// Time after a refusal before one more slot is tried.
const QUIET: Duration = Duration::from_mins(1);
/// The time from submit to finish that a task must stay under; the site gives up at 30 minutes.
const LONGEST_TASK: Duration = Duration::from_mins(25);
/// The first wait for a slot when none of our own tasks holds one.
const SLOT_WAIT: Duration = Duration::from_secs(1);
/// The longest such wait.
const LONGEST_SLOT_WAIT: Duration = Duration::from_secs(30);
/// Completions whose spacing is remembered.
const SPACINGS: usize = 8;

/// A task that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// From its submission to its end.
    pub took: Duration,
    /// Our unfinished tasks that the site had when it was submitted, itself among them.
    pub depth: usize,
    /// It finished: it neither failed nor vanished nor ran out of time.
    pub clean: bool,
}

/// The gate of one site.
#[derive(Debug, Clone)]
pub struct SlotGate {
    most: usize,
    ceiling: usize,
    fixed: bool,
    refused: Option<Refusal>,
    /// The last answer to a submission was a refusal for lack of slots.
    turned_away: bool,
    /// With nothing of ours unfinished no completion tells when to try again.
    retry_at: Option<Instant>,
    slot_wait: Duration,
    /// When slow tasks last lowered the gate: those submitted before say nothing new.
    lowered: Option<Instant>,
    last_end: Option<(Instant, Ended)>,
    spacings: VecDeque<Duration>,
}

/// The last refusal for lack of slots, or the last step up after it.
#[derive(Debug, Clone, Copy)]
struct Refusal {
    at: Instant,
    clean_since: u32,
}

impl SlotGate {
    /// A gate that never opens wider than `most`, or than the number that was asked for.
    #[must_use]
    pub fn new(slots: TaskSlots, most: usize) -> Self {
        let (most, ceiling, fixed) = match slots {
            TaskSlots::Auto => (most.max(1), AUTO_START.min(most.max(1)), false),
            TaskSlots::Fixed(slots) => (slots, slots, true),
        };
        Self {
            most,
            ceiling,
            fixed,
            refused: None,
            turned_away: false,
            retry_at: None,
            slot_wait: SLOT_WAIT,
            lowered: None,
            last_end: None,
            spacings: VecDeque::with_capacity(SPACINGS),
        }
    }

    /// How many tasks may be unfinished now.
    #[must_use]
    pub fn ceiling(&self) -> usize {
        self.ceiling
    }

    /// Whether a task may be submitted while `active` of ours are unfinished.
    #[must_use]
    pub fn open(&self, now: Instant, active: usize) -> bool {
        active < self.ceiling && self.retry_at.is_none_or(|at| at <= now)
    }

    /// When the gate may open without a task of ours ending first.
    #[must_use]
    pub fn wake(&self, active: usize) -> Option<Instant> {
        if active < self.ceiling {
            return self.retry_at;
        }
        let refused = self.refused.filter(|_| self.may_rise())?;
        Some(refused.at + QUIET)
    }

    /// A quiet minute after a refusal earns one slot more, when all we may have are in use.
    pub fn tick(&mut self, now: Instant, active: usize) {
        if let Some(refused) = self.refused
            && now >= refused.at + QUIET
            && active >= self.ceiling
            && self.may_rise()
        {
            self.rise(now);
        }
    }

    /// The site took a task.
    pub fn accepted(&mut self) {
        self.turned_away = false;
        self.retry_at = None;
        self.slot_wait = SLOT_WAIT;
    }

    /// The site refused a task for lack of slots while `unfinished` others of ours were under way. `random` is
    /// uniform in 0..1.
    pub fn busy(&mut self, now: Instant, unfinished: usize, random: f64) {
        // once below the ceiling is a slot that another program took; twice in a row is a site that others fill
        let repeated = self.turned_away && unfinished + 1 < self.ceiling;
        let granted = if repeated {
            unfinished.min(self.ceiling / 2)
        } else {
            unfinished
        };
        self.ceiling = granted.clamp(1, self.ceiling);
        self.turned_away = true;
        self.refused = Some(Refusal {
            at: now,
            clean_since: 0,
        });
        if unfinished == 0 {
            self.retry_at = Some(now + self.slot_wait.mul_f64(0.75 + 0.5 * random));
            self.slot_wait = (self.slot_wait * 2).min(LONGEST_SLOT_WAIT);
        }
    }

    /// A task of ours ended.
    pub fn ended(&mut self, now: Instant, ended: Ended) {
        self.retry_at = None;
        let gap = self.last_end.map(|(last, _)| now.duration_since(last));
        if let Some(gap) = gap {
            if self.spacings.len() == SPACINGS {
                self.spacings.pop_front();
            }
            // the site may have been idle before it, but not while it had the task
            self.spacings.push_back(gap.min(ended.took));
        }
        self.last_end = Some((now, ended));
        if self.lower_if_slow(now, ended.took, self.predicted(ended, self.ceiling)) {
            return;
        }
        if let Some(refused) = &mut self.refused {
            refused.clean_since = if ended.clean {
                refused.clean_since + 1
            } else {
                0
            };
            if refused.clean_since < CLEAN_TASKS {
                return;
            }
        }
        if ended.clean && self.may_rise() {
            self.rise(now);
        }
    }

    /// A task of ours is still unfinished, `age` after its submission.
    pub fn unfinished(&mut self, now: Instant, age: Duration) {
        self.lower_if_slow(now, age, Some(age));
    }

    fn lower_if_slow(&mut self, now: Instant, age: Duration, predicted: Option<Duration>) -> bool {
        let slow = age.max(predicted.unwrap_or(age)) > LONGEST_TASK;
        let news = self.lowered.is_none_or(|lowered| lowered + age <= now);
        if self.fixed || !slow {
            return false;
        }
        if news && self.ceiling > 1 {
            self.ceiling -= 1;
            self.lowered = Some(now);
        }
        true
    }

    /// Whether a task more would still end in time, as far as that is known.
    fn may_rise(&self) -> bool {
        let in_time = || match self.last_end {
            None => self.ceiling < AUTO_START,
            Some((_, last)) => self
                .predicted(last, self.ceiling + 1)
                .is_some_and(|next| next < LONGEST_TASK),
        };
        self.ceiling < self.most && (self.fixed || in_time())
    }

    fn rise(&mut self, now: Instant) {
        self.ceiling += 1;
        // one step at a time: the next one is earned anew
        if let Some(refused) = &mut self.refused {
            *refused = Refusal {
                at: now,
                clean_since: 0,
            };
        }
    }

    /// From submit to finish of a task submitted as the `depth`th: each place further back costs one spacing of
    /// completions. The queue before it is already in what the last task took. `None` before a spacing is known.
    fn predicted(&self, ended: Ended, depth: usize) -> Option<Duration> {
        let mut spacings: Vec<_> = self.spacings.iter().copied().collect();
        spacings.sort_unstable();
        // the lower median: where tasks run side by side, several end at once and the rest of the time none does
        let spacing = *spacings.get(spacings.len().checked_sub(1)? / 2)?;
        let further = u32::try_from(depth.saturating_sub(ended.depth)).unwrap_or(u32::MAX);
        Some(ended.took.saturating_add(spacing.saturating_mul(further)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(took: Duration, depth: usize) -> Ended {
        Ended {
            took,
            depth,
            clean: true,
        }
    }

    /// A site that works one task after the other, each in `service`: how far the gate opens and how long tasks take.
    fn serial(service: Duration, tasks: usize) -> (usize, Duration) {
        let start = Instant::now();
        let mut gate = SlotGate::new(TaskSlots::Auto, 10);
        let mut queue = VecDeque::new();
        let (mut now, mut widest, mut slowest) = (start, 0, Duration::ZERO);
        for _ in 0..tasks {
            while queue.len() < gate.ceiling() {
                queue.push_back((now, queue.len() + 1));
            }
            widest = widest.max(queue.len());
            now += service;
            let (sent, depth) = queue.pop_front().unwrap();
            slowest = slowest.max(now - sent);
            gate.ended(now, clean(now - sent, depth));
        }
        (widest, slowest)
    }

    /// A site that works all tasks at once, each in `took`: how far the gate opens.
    fn parallel(took: Duration, most: usize) -> usize {
        let mut now = Instant::now();
        let mut gate = SlotGate::new(TaskSlots::Auto, most);
        for _ in 0..10 {
            now += took;
            let ending = gate.ceiling();
            for depth in 1..=ending {
                now += Duration::from_millis(50);
                gate.ended(now, clean(took, depth));
            }
        }
        gate.ceiling()
    }

    #[test]
    fn on_a_serial_site_the_gate_opens_as_far_as_no_task_gets_old() {
        let minutes = Duration::from_mins;
        assert_eq!(serial(minutes(8), 40), (3, minutes(24)));
        assert_eq!(serial(minutes(4), 40), (6, minutes(24)));
        assert_eq!(serial(Duration::from_secs(8), 40).0, 10);
        // two of thirteen minutes are too many already
        let (widest, _) = serial(minutes(13), 40);
        assert_eq!(widest, 2);
    }

    #[test]
    fn on_a_parallel_site_the_gate_opens_to_its_limit_however_slow_tasks_are() {
        assert_eq!(parallel(Duration::from_secs(8), 5), 5);
        assert_eq!(parallel(Duration::from_mins(20), 10), 10);
        assert_eq!(parallel(Duration::from_mins(26), 10), 1);
    }

    #[test]
    fn tasks_that_get_slow_lower_the_gate_once_for_each_lot() {
        let start = Instant::now();
        let mut gate = SlotGate::new(TaskSlots::Auto, 4);
        for second in 0..4 {
            gate.ended(
                start + Duration::from_secs(second),
                clean(Duration::from_secs(1), 1),
            );
        }
        assert_eq!(gate.ceiling(), 4);
        let late = start + Duration::from_mins(27);
        gate.unfinished(late, Duration::from_mins(26));
        gate.unfinished(late, Duration::from_mins(26));
        assert_eq!(gate.ceiling(), 3);
        let failed = Ended {
            clean: false,
            ..clean(Duration::from_mins(26), 3)
        };
        gate.ended(late + Duration::from_mins(1), failed);
        assert_eq!(gate.ceiling(), 3);
        gate.ended(late + Duration::from_mins(30), failed);
        assert_eq!(gate.ceiling(), 2);
        let mut fixed = SlotGate::new(TaskSlots::Fixed(4), 10);
        fixed.unfinished(late, Duration::from_mins(29));
        assert_eq!(fixed.ceiling(), 4);
    }

    #[test]
    fn a_refusal_lowers_it_to_what_we_hold_and_twenty_clean_tasks_raise_it() {
        let start = Instant::now();
        let mut gate = SlotGate::new(TaskSlots::Fixed(5), 5);
        gate.busy(start, 4, 0.5);
        gate.busy(start, 3, 0.5);
        assert_eq!(gate.ceiling(), 3);
        assert!(gate.open(start, 2) && !gate.open(start, 3));
        for _ in 0..19 {
            gate.ended(start, clean(Duration::from_secs(1), 3));
        }
        assert_eq!(gate.ceiling(), 3);
        gate.ended(start, clean(Duration::from_secs(1), 3));
        assert_eq!(gate.ceiling(), 4);
        let failed = Ended {
            clean: false,
            ..clean(Duration::from_secs(1), 3)
        };
        gate.ended(start, failed);
        for _ in 0..19 {
            gate.ended(start, clean(Duration::from_secs(1), 3));
        }
        assert_eq!(gate.ceiling(), 4);
    }

    #[test]
    fn a_quiet_minute_raises_it_too_but_only_when_all_slots_are_in_use() {
        let start = Instant::now();
        let mut gate = SlotGate::new(TaskSlots::Fixed(5), 5);
        gate.busy(start, 3, 0.5);
        assert_eq!(gate.wake(3), Some(start + QUIET));
        gate.tick(start + QUIET, 2);
        gate.tick(start + Duration::from_secs(59), 3);
        assert_eq!(gate.ceiling(), 3);
        gate.tick(start + QUIET, 3);
        gate.tick(start + QUIET, 4);
        assert_eq!(gate.ceiling(), 4);
        assert_eq!(gate.wake(4), Some(start + QUIET * 2));
    }

    #[test]
    fn it_halves_only_when_refusals_repeat_below_the_ceiling() {
        let start = Instant::now();
        let mut gate = SlotGate::new(TaskSlots::Fixed(8), 8);
        gate.busy(start, 6, 0.5);
        assert_eq!(gate.ceiling(), 6);
        gate.accepted();
        gate.busy(start, 4, 0.5);
        assert_eq!(gate.ceiling(), 4);
        gate.busy(start, 2, 0.5);
        assert_eq!(gate.ceiling(), 2);
        let mut crowded = SlotGate::new(TaskSlots::Fixed(8), 8);
        crowded.busy(start, 7, 0.5);
        crowded.busy(start, 5, 0.5);
        assert_eq!(crowded.ceiling(), 3);
    }

    #[test]
    fn with_nothing_of_ours_unfinished_it_tries_again_after_a_growing_bounded_wait() {
        let mut now = Instant::now();
        let mut gate = SlotGate::new(TaskSlots::Fixed(5), 5);
        let mut waits = Vec::new();
        for _ in 0..8 {
            gate.busy(now, 0, 0.5);
            assert!(!gate.open(now, 0));
            let due = gate.wake(0).unwrap();
            waits.push((due - now).as_secs());
            now = due;
            assert!(gate.open(now, 0));
            assert_eq!(gate.ceiling(), 1);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
        gate.busy(now, 0, 0.5);
        gate.ended(now, clean(Duration::from_secs(1), 1));
        assert!(gate.open(now, 0));
        gate.accepted();
        gate.busy(now, 0, 0.5);
        assert_eq!(gate.wake(0), Some(now + SLOT_WAIT));
    }
}
