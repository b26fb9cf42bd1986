//! A made-up site: task slots, workers, and moods. Knows the time only as an argument.

use super::parts::{Accepted, ApiError, ErrorClass, TaskFailure, TaskId, TaskView, Throttle};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Unfinished tasks older than this count as timed out.
const TIMEOUT: Duration = Duration::from_mins(30);

/// Randomness that a seed decides.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x6a09_e667_f3bc_c908);
        dice.roll(2);
        dice
    }

    /// A whole number below `sides`.
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// Uniform in 0..1.
    pub(super) fn share(&mut self) -> f64 {
        f64::from(u32::try_from(self.roll(1 << 31)).unwrap_or(0)) / f64::from(1_u32 << 31)
    }

    /// About standard normal.
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }
}

/// What a site is like.
#[derive(Clone)]
pub(super) struct Terms {
    /// Unfinished tasks that it bears.
    pub(super) slots: usize,
    /// It works one task after the other.
    pub(super) serial: bool,
    /// It refuses, throttles, loses answers, fails and forgets tasks.
    pub(super) hostile: bool,
    /// How long it works at a task.
    pub(super) time: fn(&mut Dice) -> Duration,
}

/// A task of the site.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) created: Instant,
    pub(super) ends: Instant,
    /// The time that its work takes.
    pub(super) work: Duration,
    /// When a poll first found it ended.
    pub(super) seen: Option<Instant>,
}

pub(super) struct Site {
    pub(super) terms: Terms,
    pub(super) tasks: Vec<Task>,
    dice: Dice,
    by_key: HashMap<String, usize>,
    unfinished: Vec<usize>,
    idle_from: Option<Instant>,
}

pub(super) fn error(class: ErrorClass) -> ApiError {
    ApiError {
        class,
        request: "POST".into(),
        status: None,
        message: "no".into(),
        trace_id: None,
    }
}

impl Task {
    fn timed_out(&self) -> bool {
        self.ends - self.created > TIMEOUT
    }
}

impl Site {
    pub(super) fn new(terms: Terms, seed: u64) -> Self {
        Self {
            terms,
            tasks: Vec::new(),
            dice: Dice::new(seed),
            by_key: HashMap::new(),
            unfinished: Vec::new(),
            idle_from: None,
        }
    }

    /// Tasks that count against the limit now.
    pub(super) fn busy(&mut self, now: Instant) -> usize {
        let tasks = &self.tasks;
        self.unfinished.retain(|index| {
            let task = &tasks[*index];
            task.ends > now && task.created + TIMEOUT > now
        });
        self.unfinished.len()
    }

    pub(super) fn timed_out(&self) -> usize {
        self.tasks.iter().filter(|task| task.timed_out()).count()
    }

    fn mood(&mut self, sides: u64) -> u64 {
        if self.terms.hostile {
            self.dice.roll(sides)
        } else {
            u64::MAX
        }
    }

    pub(super) fn submit(&mut self, now: Instant, key: &str) -> Result<Accepted, ApiError> {
        let mood = self.mood(16);
        let scope = [Throttle::Burst, Throttle::Quota][usize::from(mood == 2)];
        match mood {
            0 => return Err(error(ErrorClass::NotSent)),
            1 => return Err(error(ErrorClass::Refused)),
            2 | 3 => {
                let after = Some(Duration::from_millis(self.dice.roll(3_000)));
                return Err(error(ErrorClass::Throttled { after, scope }));
            }
            4 => {
                let after = None;
                return Err(error(ErrorClass::Throttled { after, scope }));
            }
            5 => return Err(error(ErrorClass::MaybeApplied)),
            _ => {}
        }
        let index = match self.by_key.get(key).copied() {
            Some(index) => index,
            None if self.busy(now) >= self.terms.slots => return Err(error(ErrorClass::Busy)),
            None => self.begin(now, key),
        };
        if mood == 6 {
            return Err(error(ErrorClass::MaybeApplied));
        }
        Ok(Accepted {
            task: TaskId(index.to_string()),
            trace_id: None,
        })
    }

    fn begin(&mut self, now: Instant, key: &str) -> usize {
        let work = (self.terms.time)(&mut self.dice);
        let starts = match self.idle_from {
            Some(from) if self.terms.serial => from.max(now),
            _ => now,
        };
        self.idle_from = Some(starts + work);
        let index = self.tasks.len();
        self.tasks.push(Task {
            created: now,
            ends: starts + work,
            work,
            seen: None,
        });
        self.by_key.insert(key.to_owned(), index);
        self.unfinished.push(index);
        index
    }

    pub(super) fn poll(&mut self, now: Instant, task: &TaskId) -> Result<TaskView, ApiError> {
        let mood = self.mood(12);
        let after = Some(Duration::from_millis(self.dice.roll(2_000)));
        let index: usize = task.0.parse().expect("an id that this site gave");
        match mood {
            0 => return Err(error(ErrorClass::MaybeApplied)),
            1 => {
                let scope = Throttle::Burst;
                return Err(error(ErrorClass::Throttled { after, scope }));
            }
            2 => {
                let scope = Throttle::Quota;
                return Err(error(ErrorClass::Throttled { after, scope }));
            }
            3 => return Err(error(ErrorClass::Broken)),
            _ => {}
        }
        let task = &mut self.tasks[index];
        if task.timed_out() && task.created + TIMEOUT <= now {
            return Ok(TaskView::Failed(Vec::new()));
        }
        if task.ends > now {
            return Ok(TaskView::Running);
        }
        task.seen.get_or_insert(now);
        Ok(match mood {
            4 => TaskView::Failed(Vec::new()),
            5 => TaskView::Gone,
            6 => TaskView::Finished(vec![TaskFailure {
                entity_id: Some("C1@EXAMPLE.com".into()),
                error: "Invalid".into(),
                ..TaskFailure::default()
            }]),
            _ => TaskView::Finished(Vec::new()),
        })
    }
}
