//! Loaders, a network and a site in made-up time, watched for what must never happen.

use super::parts::{
    ApiError, BatchLimits, BatchSeq, Clock, Command, Durable, Endpoint, Engine, ErrorClass, Event,
    FileId, Gate, KeyHash, Now, Pace, Passage, PreparedRow, Record, RowId, RowOutcome, RowRef,
    Slice, StageConfig, Status, TaskId, TaskSlots, Throttle, UnixMillis,
};
use super::site::{Dice, Site, Terms};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const SUBMIT: Endpoint = Endpoint::BulkCustomerProfiles;

/// A clock that stands still until it is turned.
struct Hand(Mutex<Instant>);

impl Clock for Hand {
    fn instant(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unix_millis(&self) -> UnixMillis {
        0
    }
}

/// What a load is like.
#[derive(Clone)]
pub(super) struct Load {
    /// The keys of its rows.
    pub(super) keys: Vec<u64>,
    pub(super) slots: TaskSlots,
    pub(super) most_slots: usize,
    pub(super) requests_per_second: u32,
    /// Rows a request may hold.
    pub(super) items: usize,
    /// Rows a stretch of the input holds at most.
    pub(super) stretch: u64,
    /// There and back, in milliseconds: from, up to.
    pub(super) latency: (u64, u64),
}

/// A request on its way.
#[derive(Clone)]
enum Request {
    Submit(BatchSeq, String, Arc<Vec<u8>>),
    Poll(BatchSeq, TaskId),
}

impl Request {
    fn endpoint(&self) -> Endpoint {
        match self {
            Self::Submit(..) => SUBMIT,
            Self::Poll(..) => Endpoint::GetTask,
        }
    }
}

/// What happens to a loader at a time.
enum Happening {
    Heard(Event),
    /// It asks the gate whether it may leave.
    AtGate(Request, Passage),
    AtSite(Request),
}

/// One program that loads.
pub(super) struct Loader {
    pub(super) engine: Engine,
    load: Load,
    pace: Pace,
    read: usize,
    /// How each row ended.
    pub(super) ended: Vec<Option<Status>>,
    intents: HashSet<BatchSeq>,
    keys: HashSet<u64>,
    flying: HashMap<BatchSeq, Vec<u64>>,
    sent: HashMap<BatchSeq, (String, Arc<Vec<u8>>)>,
    polling: HashSet<BatchSeq>,
    /// Until when the site's answers forbid requests: all, submissions, polls.
    forbidden: [Option<Instant>; 3],
    pub(super) submits: u64,
    pub(super) polls: u64,
    pub(super) finished: Option<Instant>,
    pub(super) most_slots_used: usize,
}

pub(super) struct World {
    pub(super) site: Site,
    pub(super) loaders: Vec<Loader>,
    pub(super) start: Instant,
    pub(super) events: u64,
    hand: Arc<Hand>,
    dice: Dice,
    happenings: HashMap<u64, (usize, Happening)>,
    order: BinaryHeap<Reverse<(Instant, u64)>>,
    next: u64,
}

fn row(id: u64, key: u64) -> PreparedRow {
    let identity = format!("c{key}@example.com");
    PreparedRow {
        row: RowRef {
            id: RowId(id),
            file: FileId(0),
            line: None,
            key: Slice::owned(key.to_string()),
        },
        hash: KeyHash(u128::from(key)),
        identity: Slice::owned(identity),
        item: Slice::owned("{}"),
        details: 0,
    }
}

impl Loader {
    fn new(load: Load, seed: u64, clock: Arc<dyn Clock>) -> Self {
        let mut jitter = Dice::new(seed ^ 7);
        let engine = Engine::new(StageConfig {
            stage: 0,
            batches: BatchLimits {
                list_key: "customerProfiles".into(),
                items: load.items,
                bytes: 1 << 20,
            },
            // each loader has its own keys
            nonce: uuid::Uuid::from_u128(u128::from(seed)),
            slots: load.slots,
            most_slots: load.most_slots,
            max_errors: None,
            details: Vec::new(),
            fold: str::to_lowercase,
            random: Box::new(move || jitter.share()),
        });
        let rate = NonZeroU32::new(load.requests_per_second).unwrap_or(NonZeroU32::MIN);
        Self {
            engine,
            pace: Pace::with_clock(rate, clock),
            read: 0,
            ended: vec![None; load.keys.len()],
            load,
            intents: HashSet::new(),
            keys: HashSet::new(),
            flying: HashMap::new(),
            sent: HashMap::new(),
            polling: HashSet::new(),
            forbidden: [None; 3],
            submits: 0,
            polls: 0,
            finished: None,
            most_slots_used: 0,
        }
    }

    fn read(&mut self, most: u64) -> Event {
        let until = (self.read + usize::try_from(most).unwrap_or(usize::MAX)).min(self.ended.len());
        if self.read == self.ended.len() {
            return Event::InputEnded;
        }
        let rows = (self.read..until)
            .map(|index| row(index as u64, self.load.keys[index]))
            .collect();
        self.read = until;
        Event::Rows {
            rows,
            decided: Vec::new(),
        }
    }

    fn record(&mut self, record: Record) {
        match record {
            Record::Sending { batch, rows, .. } => {
                let keys: Vec<u64> = rows
                    .iter()
                    .map(|row| self.load.keys[usize::try_from(row.id.0).unwrap_or(usize::MAX)])
                    .collect();
                for key in &keys {
                    assert!(self.keys.insert(*key), "key {key} is in flight twice");
                }
                self.flying.insert(batch, keys);
            }
            Record::Settled {
                batch, outcomes, ..
            } => {
                for key in self.flying.remove(&batch).unwrap_or_default() {
                    self.keys.remove(&key);
                }
                self.sent.remove(&batch);
                self.keep(&outcomes);
            }
            Record::Rows { outcomes, .. } => self.keep(&outcomes),
            _ => {}
        }
    }

    fn keep(&mut self, outcomes: &[RowOutcome]) {
        for outcome in outcomes {
            let index = usize::try_from(outcome.row.id.0).unwrap_or(usize::MAX);
            let before = self.ended[index].replace(outcome.status);
            assert!(before.is_none(), "two outcomes for a row");
        }
    }

    /// A request leaves: nothing may speak against it.
    fn leaves(&mut self, now: Instant, request: &Request) {
        let [all, submits, polls] = self.forbidden;
        let (own, name) = match request {
            Request::Submit(batch, key, body) => {
                self.submits += 1;
                assert!(
                    self.intents.contains(batch),
                    "sent before its intent was durable"
                );
                let first = self
                    .sent
                    .entry(*batch)
                    .or_insert_with(|| (key.clone(), Arc::clone(body)));
                assert!(first.0 == *key && first.1 == *body, "a repetition differs");
                (submits, "submission")
            }
            Request::Poll(..) => {
                self.polls += 1;
                (polls, "poll")
            }
        };
        let until = all.max(own);
        assert!(
            until.is_none_or(|until| until <= now),
            "a {name} inside a wait that the site asked for"
        );
    }

    /// An answer comes back: the gate hears of it as the client tells it.
    fn answered(&mut self, now: Instant, endpoint: Endpoint, error: &ApiError) {
        self.pace.refused(endpoint, error);
        if let ErrorClass::Throttled {
            after: Some(after),
            scope,
        } = error.class
        {
            let index = match scope {
                Throttle::Quota => 0,
                Throttle::Burst => 1 + usize::from(endpoint != SUBMIT),
            };
            self.forbidden[index] = self.forbidden[index].max(Some(now + after));
        }
    }
}

impl World {
    pub(super) fn new(terms: Terms, loads: Vec<Load>, seed: u64) -> Self {
        let start = Instant::now();
        let hand = Arc::new(Hand(Mutex::new(start)));
        let loaders = (1..)
            .zip(loads)
            .map(|(number, load)| {
                let clock: Arc<dyn Clock> = Arc::<Hand>::clone(&hand);
                Loader::new(load, seed.wrapping_add(number), clock)
            })
            .collect();
        Self {
            site: Site::new(terms, seed),
            loaders,
            start,
            events: 0,
            hand,
            dice: Dice::new(seed ^ 5),
            happenings: HashMap::new(),
            order: BinaryHeap::new(),
            next: 0,
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.hand.instant()
    }

    /// Until every loader has finished; `stop` names a number of events after which the first one is asked to stop.
    pub(super) fn run(&mut self, mut stop: Option<u64>) {
        let rows: usize = self.loaders.iter().map(|loader| loader.ended.len()).sum();
        let bound = 100_000 + 100 * rows as u64;
        for index in 0..self.loaders.len() {
            self.hear(index, Event::Woken);
        }
        while self.loaders.iter().any(|loader| loader.finished.is_none()) {
            if stop.is_some_and(|stop| stop <= self.events) {
                stop = None;
                self.hear(0, Event::Stop("stopped by the test".into()));
            }
            self.step();
            assert!(self.events < bound, "no end in sight");
        }
        for loader in &self.loaders {
            let total = loader.engine.counts().total();
            assert_eq!(total, loader.ended.len() as u64, "rows without an outcome");
            assert!(loader.ended.iter().all(Option::is_some));
        }
    }

    fn step(&mut self) {
        let wake = (0..self.loaders.len())
            .filter(|index| self.loaders[*index].finished.is_none())
            .filter_map(|index| Some((self.loaders[index].engine.next_wake()?, index)))
            .min();
        let next = self.order.peek().map(|Reverse((at, _))| *at);
        match (next, wake) {
            (next, Some((wake, index))) if next.is_none_or(|next| wake < next) => {
                self.turn(wake);
                self.hear(index, Event::Woken);
                let again = self.loaders[index].engine.next_wake();
                let now = self.now();
                assert!(
                    again.is_none_or(|again| again > now),
                    "it would be woken again at once, for ever"
                );
            }
            _ => {
                let Some(Reverse((at, id))) = self.order.pop() else {
                    panic!("nothing will ever happen again")
                };
                self.turn(at);
                if let Some((index, happening)) = self.happenings.remove(&id) {
                    self.happens(index, happening);
                }
            }
        }
    }

    fn turn(&self, at: Instant) {
        let mut now = self.hand.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = at.max(*now);
    }

    fn later(&mut self, wait: Duration, index: usize, happening: Happening) {
        let at = self.now() + wait;
        self.happenings.insert(self.next, (index, happening));
        self.order.push(Reverse((at, self.next)));
        self.next += 1;
    }

    /// One way through the network.
    fn way(&mut self, index: usize) -> Duration {
        let (least, most) = self.loaders[index].load.latency;
        let there_and_back = 1_000 * least + self.dice.roll(1_000 * (most - least) + 1);
        Duration::from_micros(there_and_back / 2)
    }

    fn soon(&mut self) -> Duration {
        Duration::from_micros(1 + self.dice.roll(3_000))
    }

    fn happens(&mut self, index: usize, happening: Happening) {
        let now = self.now();
        match happening {
            Happening::Heard(event) => {
                if let Event::Submitted(_, Err(error)) = &event {
                    self.loaders[index].answered(now, SUBMIT, error);
                } else if let Event::Polled(batch, answer) = &event {
                    self.loaders[index].polling.remove(batch);
                    if let Err(error) = answer {
                        self.loaders[index].answered(now, Endpoint::GetTask, error);
                    }
                }
                self.hear(index, event);
            }
            Happening::AtGate(request, mut passage) => {
                let wait = self.loaders[index]
                    .pace
                    .admit(request.endpoint(), &mut passage);
                if let Some(wait) = wait {
                    self.later(wait, index, Happening::AtGate(request, passage));
                    return;
                }
                self.loaders[index].leaves(now, &request);
                let way = self.way(index);
                self.later(way, index, Happening::AtSite(request));
            }
            Happening::AtSite(request) => {
                let event = match request {
                    Request::Submit(batch, key, _) => {
                        Event::Submitted(batch, self.site.submit(now, &key))
                    }
                    Request::Poll(batch, task) => Event::Polled(batch, self.site.poll(now, &task)),
                };
                assert!(self.site.busy(now) <= self.site.terms.slots);
                let way = self.way(index);
                self.later(way, index, Happening::Heard(event));
            }
        }
    }

    fn hear(&mut self, index: usize, event: Event) {
        self.events += 1;
        let now = Now {
            at: self.now(),
            unix: 0,
        };
        let loader = &mut self.loaders[index];
        let commands = loader.engine.handle(now, event);
        let (used, _) = loader.engine.slots();
        loader.most_slots_used = loader.most_slots_used.max(used);
        let most = match loader.load.slots {
            TaskSlots::Fixed(slots) => slots,
            TaskSlots::Auto => loader.load.most_slots,
        };
        assert!(used <= most, "more slots than are allowed");
        for command in commands {
            self.perform(index, command);
        }
        let loader = &mut self.loaders[index];
        if loader.finished.is_none() && loader.engine.finished() {
            loader.finished = Some(now.at);
        }
    }

    fn perform(&mut self, index: usize, command: Command) {
        let now = Passage::default();
        match command {
            Command::ReadMore => {
                let most = self.loaders[index].load.stretch;
                let most = self.dice.roll(most) + 1;
                let event = self.loaders[index].read(most);
                let soon = self.soon();
                self.later(soon, index, Happening::Heard(event));
            }
            Command::Persist(records, then) => {
                let loader = &mut self.loaders[index];
                for record in records {
                    loader.record(record);
                }
                if let Durable::Intent(seq) = then {
                    loader.intents.insert(seq);
                }
                let soon = self.soon();
                self.later(soon, index, Happening::Heard(Event::Durable(then)));
            }
            Command::Submit { batch, key, body } => {
                let request = Request::Submit(batch, key, body);
                self.happens(index, Happening::AtGate(request, now));
            }
            Command::Poll(batch, task) => {
                let first = self.loaders[index].polling.insert(batch);
                assert!(first, "two polls of one task at a time");
                self.happens(index, Happening::AtGate(Request::Poll(batch, task), now));
            }
            Command::Identify(batch, _) => {
                let soon = self.soon();
                let nobody = HashMap::new();
                self.later(
                    soon,
                    index,
                    Happening::Heard(Event::Identified(batch, nobody)),
                );
            }
            Command::Tell(_) => {}
        }
    }
}

/// What a run came to.
#[derive(Debug)]
#[expect(dead_code, reason = "shown by whoever prints it")]
pub(super) struct Account {
    /// From the start to the last durable outcome, in seconds.
    pub(super) makespan: f64,
    /// The same for someone who knows each task's time, has no network, and starts each as a slot is free.
    pub(super) clairvoyant: f64,
    /// Of all slots, from the start until the last batch was accepted.
    pub(super) slots_in_use: f64,
    /// From a task's end to the poll that sees it, as a share of the tasks' mean time.
    pub(super) mean_delay: f64,
    pub(super) polls_per_task: f64,
    pub(super) polls_per_second: f64,
    /// Tasks that the site gave up.
    pub(super) timed_out: usize,
    pub(super) requests: u64,
    pub(super) events: u64,
}

impl World {
    /// The account of a site that works at `slots` tasks at a time.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub(super) fn account(&self, slots: usize) -> Account {
        let since = |at: Instant| at.duration_since(self.start).as_secs_f64();
        let tasks = &self.site.tasks;
        let ends = self.loaders.iter().filter_map(|loader| loader.finished);
        let makespan = ends.map(since).fold(0.0, f64::max);
        let mut free = vec![0.0_f64; slots];
        for task in tasks {
            free.sort_unstable_by(f64::total_cmp);
            free[0] += task.work.as_secs_f64();
        }
        let last = tasks
            .iter()
            .map(|task| since(task.created))
            .fold(0.0, f64::max);
        let used: f64 = tasks
            .iter()
            .map(|task| since(task.ends).min(last) - since(task.created))
            .sum();
        let lasted: f64 = tasks
            .iter()
            .map(|task| (task.ends - task.created).as_secs_f64())
            .sum();
        let delays: f64 = tasks
            .iter()
            .filter_map(|task| Some((task.seen? - task.ends).as_secs_f64()))
            .sum();
        let polls: u64 = self.loaders.iter().map(|loader| loader.polls).sum();
        let submits: u64 = self.loaders.iter().map(|loader| loader.submits).sum();
        Account {
            makespan,
            clairvoyant: free.into_iter().fold(0.0, f64::max),
            slots_in_use: used / (last * slots as f64),
            mean_delay: delays / lasted,
            polls_per_task: polls as f64 / tasks.len() as f64,
            polls_per_second: polls as f64 / makespan,
            timed_out: self.site.timed_out(),
            requests: polls + submits,
            events: self.events,
        }
    }
}
