//! A made-up site: task slots, workers, and moods. Knows the time only as an argument.

use super::parts::{
    Accepted, ApiError, Called, Code, ErrorClass, Reason, Seen, TaskFailure, TaskId, TaskView,
    Throttle,
};
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
    /// How long it works at a task, and longer for each of its items.
    pub(super) time: fn(&mut Dice) -> Duration,
    pub(super) item: Duration,
    /// How long it works at a single call.
    pub(super) call: Duration,
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
    fate: Fate,
    /// Content and key of the rows that it writes at its end, by its key.
    writes: Vec<(u64, u64)>,
    key: String,
}

/// How a task ends, as far as anyone is told.
#[derive(Debug, Clone)]
enum Fate {
    Finished(Vec<TaskFailure>),
    Failed,
    Gone,
}

pub(super) struct Site {
    pub(super) terms: Terms,
    pub(super) tasks: Vec<Task>,
    dice: Dice,
    by_key: HashMap<String, usize>,
    unfinished: Vec<usize>,
    /// Tasks that have not written yet.
    unapplied: Vec<usize>,
    idle_from: Option<Instant>,
    /// The content of each record.
    held: HashMap<u64, u64>,
    /// Which requests wrote what.
    writers: HashMap<u64, Vec<String>>,
}

/// What a request writes: content and key of each row.
type Body = HashMap<String, Vec<(u64, u64)>>;

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
            unapplied: Vec::new(),
            idle_from: None,
            held: HashMap::new(),
            writers: HashMap::new(),
        }
    }

    /// Writes what tasks have brought about until now.
    fn settle(&mut self, now: Instant) {
        let tasks = &self.tasks;
        let due = self
            .unapplied
            .extract_if(.., |index| tasks[*index].ends <= now);
        let mut due: Vec<_> = due.collect();
        due.sort_by_key(|index| tasks[*index].ends);
        for index in due {
            let task = &mut self.tasks[index];
            for (content, key) in std::mem::take(&mut task.writes) {
                self.held.insert(key, content);
                let writers = self.writers.entry(content).or_default();
                writers.push(task.key.clone());
            }
        }
    }

    /// Whether this was ever written.
    pub(super) fn wrote(&mut self, now: Instant, content: u64) -> bool {
        self.settle(now);
        self.writers.contains_key(&content)
    }

    /// What was written by more than one request.
    pub(super) fn written_twice(&self) -> impl Iterator<Item = u64> {
        let twice = self.writers.iter().filter(|(_, writers)| writers.len() > 1);
        twice.map(|(content, _)| *content)
    }

    /// What it holds of a row; a hostile site may not be made to tell.
    pub(super) fn find(&mut self, now: Instant, content: u64, key: u64) -> Seen {
        self.settle(now);
        if self.mood(10) == 0 {
            return Seen::Unknown {
                tried: "asked".to_owned(),
            };
        }
        match self.held.get(&key) {
            Some(held) if *held == content => Seen::Holds {
                remote_id: None,
                notes: Vec::new(),
            },
            Some(_) => Seen::Differs {
                remote_id: None,
                fields: vec!["content".to_owned()],
                missing: Vec::new(),
                products: Vec::new(),
                why: None,
            },
            None => Seen::Absent,
        }
    }

    /// Writes a row by a call of its own.
    pub(super) fn call(&mut self, now: Instant, content: u64, key: u64) -> Called {
        self.settle(now);
        let refused = || error(ErrorClass::Refused);
        let lost = || Called::Lost {
            error: refused(),
            tried: "asked".to_owned(),
        };
        match self.mood(12) {
            0 => {
                let reason = Reason {
                    code: Code::BulkOnly.into(),
                    field: None,
                    message: "not by calls".to_owned(),
                };
                let reasons = [Vec::new(), vec![reason]];
                return Called::Refused {
                    reasons: reasons[usize::from(self.dice.roll(2) == 0)].clone(),
                    remote_id: None,
                    trace_id: None,
                };
            }
            1 => return lost(),
            2 => return Called::NotSent { error: refused() },
            _ => {}
        }
        self.held.insert(key, content);
        self.writers
            .entry(content)
            .or_default()
            .push("a call".to_owned());
        if self.mood(12) == 0 {
            return lost();
        }
        Called::Loaded {
            remote_id: None,
            calls: 1,
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

    pub(super) fn submit(
        &mut self,
        now: Instant,
        key: &str,
        body: &[u8],
    ) -> Result<Accepted, ApiError> {
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
            None => self.begin(now, key, body),
        };
        if mood == 6 {
            return Err(error(ErrorClass::MaybeApplied));
        }
        Ok(Accepted {
            task: TaskId(index.to_string()),
            trace_id: None,
        })
    }

    /// How a task ends, and which of its rows it writes.
    fn fate(&mut self, mut rows: Vec<(u64, u64)>) -> (Fate, Vec<(u64, u64)>) {
        let fate = match self.mood(10) {
            0 => (Fate::Failed, 0),
            1 => (Fate::Failed, 1),
            2 => (Fate::Failed, 2),
            3 => (Fate::Gone, 0),
            4 => (Fate::Gone, 1),
            5 | 6 => return self.poisoned(rows),
            _ => (Fate::Finished(Vec::new()), 0),
        };
        match fate.1 {
            0 => {}
            1 => rows.clear(),
            _ => rows.retain(|_| self.dice.roll(2) == 0),
        }
        (fate.0, rows)
    }

    /// Some rows fail, and the failures say whose they are, or do not.
    fn poisoned(&mut self, mut rows: Vec<(u64, u64)>) -> (Fate, Vec<(u64, u64)>) {
        let (mut failures, named) = (Vec::new(), self.dice.roll(2) == 0);
        rows.retain(|(_, key)| {
            let poison = self.dice.roll(4) == 0;
            if poison {
                failures.push(TaskFailure {
                    entity_id: named.then(|| format!("C{key}@EXAMPLE.com")),
                    error: ["Invalid", "Wrong"][usize::from(self.dice.roll(2) == 0)].into(),
                    ..TaskFailure::default()
                });
            }
            !poison
        });
        (Fate::Finished(failures), rows)
    }

    fn begin(&mut self, now: Instant, key: &str, body: &[u8]) -> usize {
        let body: Body = serde_json::from_slice(body).expect("a body of rows");
        let rows = body.into_values().next().unwrap_or_default();
        let items = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let (fate, writes) = self.fate(rows);
        let work = (self.terms.time)(&mut self.dice) + items * self.terms.item;
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
            fate,
            writes,
            key: key.to_owned(),
        });
        self.by_key.insert(key.to_owned(), index);
        self.unfinished.push(index);
        self.unapplied.push(index);
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
        Ok(match &task.fate {
            Fate::Failed => TaskView::Failed(Vec::new()),
            Fate::Gone => TaskView::Gone,
            Fate::Finished(failures) => TaskView::Finished(failures.clone()),
        })
    }
}
