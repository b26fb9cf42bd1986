//! One program that loads, and what it must never do.

use super::parts::{
    ApiError, BatchLimits, BatchSeq, Clock, Endpoint, Engine, ErrorClass, Event, FileId, Gate,
    KeyHash, Pace, PastTask, PreparedRow, Rates, Record, Route, RowId, RowOutcome, RowRef, Slice,
    StageConfig, Status, TaskId, TaskSlots, Throttle, UnixMillis, Verify, Wish,
};
use super::site::Dice;
use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

/// Rows that a loader may have on the single route at a time.
pub(super) const SINGLE_IN_FLIGHT: usize = 8;
pub(super) const SUBMIT: Endpoint = Endpoint::BulkCustomerProfiles;

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
    pub(super) route: Wish,
    /// Of which rows it is read back what the site holds.
    pub(super) verify: Verify,
    /// Whether rows can be found again.
    pub(super) findable: bool,
}

/// A request on its way.
#[derive(Clone)]
pub(super) enum Request {
    Submit(BatchSeq, String, Arc<Vec<u8>>),
    Poll(BatchSeq, TaskId),
    /// A row by itself.
    Call(BatchSeq, usize, PreparedRow),
}

impl Request {
    pub(super) fn endpoint(&self) -> Endpoint {
        match self {
            Self::Submit(..) => SUBMIT,
            Self::Poll(..) => Endpoint::GetTask,
            Self::Call(..) => Endpoint::CreateCustomerProfile,
        }
    }
}

/// One program that loads.
pub(super) struct Loader {
    pub(super) engine: Engine,
    pub(super) load: Load,
    pub(super) pace: Pace,
    /// Its number, which its rows' content names.
    number: u64,
    read: usize,
    /// Rows on the single route without an outcome, and those whose calls are under way.
    pub(super) calling: HashSet<RowId>,
    pub(super) calls: HashSet<RowId>,
    /// Rows that a reading did not show.
    pub(super) not_shown: HashSet<u64>,
    /// How each row ended.
    pub(super) ended: Vec<Option<Status>>,
    pub(super) intents: HashSet<BatchSeq>,
    keys: HashSet<u64>,
    /// Rows in bulk requests that are not settled.
    flying: HashMap<BatchSeq, Vec<RowId>>,
    pub(super) by_calls: u64,
    /// When the requests of batches left that are not settled.
    sent_at: HashMap<BatchSeq, UnixMillis>,
    /// What its ledger tells of how long tasks took, and when rows were decided that calls wrote.
    pub(super) past_tasks: Vec<PastTask>,
    pub(super) past_calls: Vec<UnixMillis>,
    /// What it said was worth knowing.
    pub(super) said: Vec<String>,
    sent: HashMap<BatchSeq, (String, Arc<Vec<u8>>)>,
    pub(super) polling: HashSet<BatchSeq>,
    /// Until when the site's answers forbid requests: all, submissions, polls.
    forbidden: [Option<Instant>; 3],
    pub(super) submits: u64,
    pub(super) polls: u64,
    pub(super) finished: Option<Instant>,
    pub(super) most_slots_used: usize,
}

fn row(id: u64, key: u64, content: u64) -> PreparedRow {
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
        item: Slice::owned(format!("[{content},{key}]")),
        details: 0,
        parent: None,
    }
}

impl Loader {
    pub(super) fn new(load: Load, number: u64, seed: u64, clock: Arc<dyn Clock>) -> Self {
        let mut jitter = Dice::new(seed ^ 7);
        let rate = NonZeroU32::new(load.requests_per_second).unwrap_or(NonZeroU32::MIN);
        let rates = Rates::within_limits(rate);
        let engine = Engine::new(StageConfig {
            stage: 0,
            batches: BatchLimits {
                list_key: "customerProfiles".into(),
                items: load.items,
                bytes: 1 << 20,
                operations: None,
            },
            // each loader has its own keys
            nonce: uuid::Uuid::from_u128(u128::from(seed)),
            key_lifetime: std::time::Duration::from_hours(24),
            slots: load.slots,
            most_slots: load.most_slots,
            polls_per_second: rates.polls(),
            max_errors: None,
            details: Vec::new(),
            route: load.route,
            requests_per_second: load.requests_per_second.into(),
            points_an_hour: None,
            expected_rows: load.keys.len() as u64,
            calls: Box::new(|_| Some(1.0)),
            single_in_flight: SINGLE_IN_FLIGHT,
            verify: load.verify,
            findable: load.findable,
            associates: Box::new(|_| false),
            resend: true,
            fold: str::to_lowercase,
            random: Box::new(move || jitter.share()),
        });
        Self {
            engine,
            pace: Pace::with_clock(rates, clock),
            number,
            read: 0,
            calling: HashSet::new(),
            calls: HashSet::new(),
            not_shown: HashSet::new(),
            ended: vec![None; load.keys.len()],
            load,
            intents: HashSet::new(),
            keys: HashSet::new(),
            flying: HashMap::new(),
            by_calls: 0,
            sent_at: HashMap::new(),
            past_tasks: Vec::new(),
            past_calls: Vec::new(),
            said: Vec::new(),
            sent: HashMap::new(),
            polling: HashSet::new(),
            forbidden: [None; 3],
            submits: 0,
            polls: 0,
            finished: None,
            most_slots_used: 0,
        }
    }

    pub(super) fn read(&mut self, most: u64) -> Event {
        let until = (self.read + usize::try_from(most).unwrap_or(usize::MAX)).min(self.ended.len());
        if self.read == self.ended.len() {
            return Event::InputEnded;
        }
        let rows = (self.read..until)
            .map(|index| {
                row(
                    index as u64,
                    self.load.keys[index],
                    self.content(index as u64),
                )
            })
            .collect();
        self.read = until;
        Event::Rows {
            rows,
            decided: Vec::new(),
        }
    }

    /// What a row writes: no two write the same.
    pub(super) fn content(&self, row: u64) -> u64 {
        (self.number << 32) | row
    }

    /// Gives what the rows wrote that ended as loaded.
    pub(super) fn record(&mut self, record: Record) -> Vec<u64> {
        match record {
            Record::Calling { rows, .. } => {
                for row in rows.iter() {
                    self.flies(row.row.id);
                    self.calling.insert(row.row.id);
                }
                Vec::new()
            }
            Record::Sending {
                batch, rows, at, ..
            } => {
                self.intents.insert(batch);
                self.sent_at.insert(batch, at);
                let rows: Vec<RowId> = rows.iter().map(|row| row.row.id).collect();
                for row in &rows {
                    // its call told that only a bulk request can write it
                    if self.calling.remove(row) {
                        self.lands(*row);
                    }
                    self.flies(*row);
                }
                self.flying.insert(batch, rows);
                Vec::new()
            }
            Record::Settled {
                batch,
                outcomes,
                at,
                ..
            } => {
                if let Some(sent_at) = self.sent_at.remove(&batch) {
                    self.past_tasks.push(PastTask {
                        rows: outcomes.len() as u64,
                        sent_at,
                        settled_at: at,
                    });
                }
                self.lands_with(batch, &outcomes)
            }
            Record::Suspended {
                batch, outcomes, ..
            } => self.lands_with(batch, &outcomes),
            Record::Rows { outcomes, .. } => self.keep(&outcomes),
            _ => Vec::new(),
        }
    }

    fn key(&self, row: RowId) -> u64 {
        self.load.keys[usize::try_from(row.0).unwrap_or(usize::MAX)]
    }

    /// A row's intent is written down, for either way: no row of its key may be under way on either.
    fn flies(&mut self, row: RowId) {
        let key = self.key(row);
        assert!(self.keys.insert(key), "key {key} is in flight twice");
        assert!(!self.calls.contains(&row), "row {row:?} goes both ways");
    }

    fn lands(&mut self, row: RowId) {
        let key = self.key(row);
        self.keys.remove(&key);
    }

    fn lands_with(&mut self, batch: BatchSeq, outcomes: &[RowOutcome]) -> Vec<u64> {
        for row in self.flying.remove(&batch).unwrap_or_default() {
            self.lands(row);
        }
        self.sent.remove(&batch);
        self.keep(outcomes)
    }

    fn keep(&mut self, outcomes: &[RowOutcome]) -> Vec<u64> {
        for outcome in outcomes {
            let index = usize::try_from(outcome.row.id.0).unwrap_or(usize::MAX);
            let before = self.ended[index].replace(outcome.status);
            assert!(before.is_none(), "two outcomes for a row");
            if outcome.route == Some(Route::Single) {
                self.by_calls += 1;
                self.past_calls.push(outcome.finished_at);
            }
            if self.calling.remove(&outcome.row.id) {
                self.lands(outcome.row.id);
            }
        }
        let loaded = outcomes
            .iter()
            .filter(|outcome| outcome.status == Status::Loaded);
        loaded
            .map(|outcome| self.content(outcome.row.id.0))
            .collect()
    }

    /// A request leaves: nothing may speak against it.
    pub(super) fn leaves(&mut self, now: Instant, request: &Request) {
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
                let called = |row: &RowId| self.calling.contains(row);
                assert!(
                    !self.flying[batch].iter().any(called),
                    "a row goes both ways"
                );
                (submits, "submission")
            }
            Request::Poll(..) => {
                self.polls += 1;
                (polls, "poll")
            }
            Request::Call(_, _, row) => {
                let id = row.row.id;
                let in_bulk = self.flying.values().flatten().any(|flying| *flying == id);
                assert!(self.calling.contains(&id) && !in_bulk, "it goes both ways");
                (None, "call")
            }
        };
        let until = all.max(own);
        assert!(
            until.is_none_or(|until| until <= now),
            "a {name} inside a wait that the site asked for"
        );
    }

    /// An answer comes back: the gate hears of it as the client tells it.
    pub(super) fn answered(&mut self, now: Instant, endpoint: Endpoint, error: &ApiError) {
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
