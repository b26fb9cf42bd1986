//! Loaders, a network and a site in made-up time, watched for an end.

use super::loader::{Load, Loader, Request, SINGLE_IN_FLIGHT, SUBMIT};
use super::parts::{
    BatchSeq, Clock, Command, Endpoint, Event, Now, Passage, PreparedRow, RowId, RunEvent, Seen,
    TaskSlots, UnixMillis,
};
use super::site::{Dice, Site, Terms};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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

/// What happens to a loader at a time.
enum Happening {
    Heard(Event),
    /// It hears what became of a row's calls.
    Called(RowId, Event),
    /// It asks the gate whether it may leave.
    AtGate(Request, Passage),
    AtSite(Request),
    /// Rows are read, for so many times yet.
    Reading(BatchSeq, Vec<PreparedRow>, u32),
}

/// Readings until a row counts as not there, and the time between them.
const READINGS: u32 = 3;
const BETWEEN_READINGS: Duration = Duration::from_secs(30);

/// Content and key of a row.
fn writes(row: &PreparedRow) -> (u64, u64) {
    serde_json::from_slice(&row.item).expect("an item of ours")
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

impl World {
    pub(super) fn new(terms: Terms, loads: Vec<Load>, seed: u64) -> Self {
        let start = Instant::now();
        let hand = Arc::new(Hand(Mutex::new(start)));
        let loaders = (1..)
            .zip(loads)
            .map(|(number, load)| {
                let clock: Arc<dyn Clock> = Arc::<Hand>::clone(&hand);
                Loader::new(load, number, seed.wrapping_add(number), clock)
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
        for content in self.site.written_twice() {
            let known = |loader: &Loader| loader.not_shown.contains(&content);
            assert!(
                self.loaders.iter().any(known),
                "{content:x} was written twice, though every reading showed it"
            );
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
                let mut way = self.way(index);
                let happening = match request {
                    Request::Submit(batch, key, body) => {
                        let answer = self.site.submit(now, &key, &body);
                        Happening::Heard(Event::Submitted(batch, answer))
                    }
                    Request::Poll(batch, task) => {
                        Happening::Heard(Event::Polled(batch, self.site.poll(now, &task)))
                    }
                    Request::Call(batch, row, prepared) => {
                        way += self.site.terms.call;
                        let (content, key) = writes(&prepared);
                        let called = self.site.call(now, content, key);
                        Happening::Called(prepared.row.id, Event::Called(batch, row, called))
                    }
                };
                assert!(self.site.busy(now) <= self.site.terms.slots);
                self.later(way, index, happening);
            }
            Happening::Reading(batch, rows, left) => self.read_rows(now, index, batch, rows, left),
            Happening::Called(row, event) => {
                self.loaders[index].calls.remove(&row);
                self.hear(index, event);
            }
        }
    }

    /// Patiently: what is not there is looked for again.
    fn read_rows(
        &mut self,
        now: Instant,
        index: usize,
        batch: BatchSeq,
        rows: Vec<PreparedRow>,
        left: u32,
    ) {
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let (content, key) = writes(row);
            found.push(if self.loaders[index].load.findable {
                self.site.find(now, content, key)
            } else {
                let tried = "nothing names it".to_owned();
                Seen::Unknown { tried }
            });
        }
        let held = |seen: &Seen| matches!(seen, Seen::Holds { .. });
        if left > 0 && !found.iter().all(held) {
            let again = Happening::Reading(batch, rows, left - 1);
            return self.later(BETWEEN_READINGS, index, again);
        }
        let lacking = rows
            .iter()
            .zip(&found)
            .filter(|(_, seen)| matches!(seen, Seen::Absent | Seen::Differs { .. }));
        let lacking: Vec<_> = lacking.map(|(row, _)| writes(row).0).collect();
        self.loaders[index].not_shown.extend(lacking);
        self.hear(index, Event::ReadBack(batch, found));
    }

    fn hear(&mut self, index: usize, event: Event) {
        self.events += 1;
        let at = self.now();
        let unix = at.duration_since(self.start).as_millis();
        let unix = UnixMillis::try_from(unix).unwrap_or(UnixMillis::MAX);
        let now = Now { at, unix };
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
                let at = self.now();
                for record in records {
                    for content in self.loaders[index].record(record) {
                        assert!(
                            self.site.wrote(at, content),
                            "{content:x} is loaded, and was never written"
                        );
                    }
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
            Command::ReadBack(batch, rows) => {
                let way = self.way(index);
                self.later(way, index, Happening::Reading(batch, rows, READINGS));
            }
            Command::Join { .. } => panic!("nothing here belongs to anything"),
            Command::Call {
                batch,
                index: row,
                row: prepared,
                ..
            } => {
                let loader = &mut self.loaders[index];
                assert!(
                    loader.calling.contains(&prepared.row.id),
                    "called before its intent was durable"
                );
                assert!(
                    loader.calls.insert(prepared.row.id),
                    "called twice at a time"
                );
                let calls = loader.calls.len();
                assert!(calls <= SINGLE_IN_FLIGHT, "too many calls at a time");
                let request = Request::Call(batch, row, prepared);
                self.happens(index, Happening::AtGate(request, now));
            }
            Command::Tell(RunEvent::Notice { message, .. }) => {
                self.loaders[index].said.push(message);
            }
            Command::Tell(_) => {}
        }
    }
}
