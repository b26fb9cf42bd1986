//! A probe under way: asks, waits, and keeps what was answered.

use super::Setup;
use super::finding::{Finding, Told};
use super::made::{Kind, Thing};
use super::names::candidates;
use super::shown::Exchange;
use crate::api::client::Client;
use crate::api::contract::{
    self, Contract, Endpoint, Method, Name, answer, fallback, keys, task_status,
};
use crate::api::raw::Inquiry;
use crate::model::clock::Clock;
use crate::model::reply::{ApiError, ErrorClass};
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use uuid::Uuid;

/// The first wait between two looks; it grows.
const FIRST_WAIT: Duration = Duration::from_millis(25);
/// The longest wait between two looks.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Attempts at a request that may pass.
const ATTEMPTS: u32 = 6;

/// A person asked to stop.
#[derive(Debug)]
pub(super) struct Stopped;

/// What became of a bulk request.
#[derive(Debug)]
pub(super) enum Ended {
    /// There was no task.
    Refused(Exchange),
    /// Its task ended.
    Task {
        /// The submission.
        submitted: Exchange,
        /// The task as it was shown last.
        shown: Box<Exchange>,
    },
    /// Its task did not end in time, or it was not asked because of such a one.
    Stuck(String),
}

pub(super) struct Session<'a> {
    pub(super) client: &'a Client,
    pub(super) clock: &'a dyn Clock,
    pub(super) setup: &'a Setup,
    stop: watch::Receiver<bool>,
    tell: &'a dyn Fn(&Finding),
    /// What the API is taken for by now.
    pub(super) contract: Contract,
    pub(super) findings: Vec<Finding>,
    pub(super) made: Vec<Thing>,
    /// How long reads were seen to lag behind writes.
    pub(super) lag: Duration,
    /// Keys given out.
    keys: u32,
    /// Why no more tasks are started.
    pub(super) stuck: Option<String>,
    /// The task that is waited for.
    pub(super) running: Option<String>,
    told_of_tasks: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        client: &'a Client,
        clock: &'a dyn Clock,
        setup: &'a Setup,
        stop: watch::Receiver<bool>,
        tell: &'a dyn Fn(&Finding),
    ) -> Self {
        Self {
            client,
            clock,
            setup,
            stop,
            tell,
            contract: client.contract().clone(),
            findings: Vec::new(),
            made: Vec::new(),
            lag: Duration::ZERO,
            keys: 0,
            stuck: None,
            running: None,
            told_of_tasks: false,
        }
    }

    /// The site showed this.
    pub(super) fn seen(&mut self, about: &'static str, answer: String, exchange: &Exchange) {
        let evidence = exchange.line(&self.ours());
        self.note(about, Told::Seen { answer, evidence });
    }

    /// This stays open.
    pub(super) fn open(&mut self, about: &'static str, why: impl Into<String>) {
        self.note(about, Told::Open { why: why.into() });
    }

    pub(super) fn note(&mut self, about: &'static str, told: Told) {
        let finding = Finding { about, told };
        (self.tell)(&finding);
        self.findings.push(finding);
    }

    /// What records of ours are recognised by.
    pub(super) fn ours(&self) -> Vec<String> {
        let ids = self.made.iter().filter_map(|thing| thing.id.clone());
        ids.map(|id| format!("{id:?}"))
            .chain([self.setup.tag()])
            .collect()
    }

    /// A name that marks its bearer as ours.
    pub(super) fn named(&self, what: &str) -> String {
        format!("{} {what}", self.setup.tag())
    }

    /// What to try for a name.
    pub(super) fn candidates(&self, name: Name) -> Vec<String> {
        candidates(&self.contract, name)
    }

    /// Takes a name for this.
    pub(super) fn learn(&mut self, name: Name, value: &str) {
        self.contract = std::mem::take(&mut self.contract).with(name, value);
    }

    /// Makes something by a single call, and gives its id; it is noted before the request leaves.
    pub(super) async fn make(
        &mut self,
        kind: Kind,
        name: String,
        inquiry: Inquiry,
    ) -> Result<(Option<String>, Exchange), Stopped> {
        let place = self.made.len();
        self.made.push(Thing {
            kind,
            name,
            id: None,
            may_exist: true,
        });
        let exchange = self.ask(inquiry).await;
        let thing = &mut self.made[place];
        match &exchange {
            // it never left
            Err(Stopped) => thing.may_exist = false,
            Ok(exchange) => match &exchange.answer {
                Ok(whole) if !matches!(kind, Kind::Field(_)) => thing.id = id_of(&whole.body),
                Ok(_) => {}
                Err(error) => thing.may_exist = error.may_be_applied(),
            },
        }
        let id = thing.id.clone();
        exchange.map(|exchange| (id, exchange))
    }

    /// Sends a request; again while it may pass and does no harm.
    pub(super) async fn ask(&mut self, inquiry: Inquiry) -> Result<Exchange, Stopped> {
        let begun = self.clock.instant();
        let creates = inquiry.key.is_none()
            && inquiry.endpoint.method() == Method::Post
            && inquiry.endpoint.kind() == contract::Kind::Single;
        let mut wait = FIRST_WAIT;
        let mut attempt = 1;
        loop {
            self.go_on()?;
            let answer = self.client.inquire(&inquiry).await;
            let again = match &answer {
                Err(error) if creates && error.may_be_applied() => None,
                Err(error) => match error.class {
                    ErrorClass::Busy => Some(Duration::from_millis(200)),
                    ErrorClass::Throttled { after, .. } => Some(after.unwrap_or(wait)),
                    _ => (attempt < ATTEMPTS && may_pass(error)).then_some(wait),
                },
                Ok(_) => None,
            };
            let Some(pause) = again.filter(|_| !self.over(begun)) else {
                return Ok(Exchange {
                    inquiry,
                    answer,
                    showed: false,
                });
            };
            self.pause(pause).await?;
            wait = (wait * 2).min(LONGEST_WAIT);
            attempt += 1;
        }
    }

    /// A read: its body, where it was answered.
    pub(super) async fn read(
        &mut self,
        inquiry: Inquiry,
    ) -> Result<(Option<Value>, Exchange), Stopped> {
        let exchange = self.ask(inquiry).await?;
        Ok((exchange.body().cloned(), exchange))
    }

    /// Sends a bulk request of one list and waits for its task.
    pub(super) async fn bulk(&mut self, endpoint: Endpoint, body: Value) -> Result<Ended, Stopped> {
        if let Some(why) = &self.stuck {
            return Ok(Ended::Stuck(why.clone()));
        }
        let mut inquiry = Inquiry::to(endpoint).body(body);
        inquiry.key = Some(self.key());
        let submitted = self.ask(inquiry).await?;
        let begun = self.clock.instant();
        let Some(task) = submitted.body().and_then(id_of) else {
            return Ok(Ended::Refused(submitted));
        };
        self.running = Some(task.clone());
        let mut wait = FIRST_WAIT;
        loop {
            let shown = self.ask(Inquiry::to(Endpoint::GetTask).of(&task)).await?;
            if shown.body().is_some_and(has_ended) {
                self.running = None;
                self.tell_of_tasks(&submitted, begun);
                let shown = Box::new(shown);
                return Ok(Ended::Task { submitted, shown });
            }
            if shown.answer.is_err() || self.over(begun) {
                let why = format!(
                    "a task had not ended when it was looked at last: {}",
                    shown.line(&self.ours())
                );
                self.stuck = Some(why.clone());
                self.running = None;
                return Ok(Ended::Stuck(why));
            }
            self.pause(wait).await?;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn tell_of_tasks(&mut self, submitted: &Exchange, begun: Instant) {
        if let (false, Ok(whole)) = (self.told_of_tasks, &submitted.answer) {
            self.told_of_tasks = true;
            let took = self.since(begun);
            let status = whole.status;
            let answer = format!("{status}; the task of one item ended after {took:.1?}");
            self.seen("status of an accepted bulk request", answer, submitted);
        }
    }

    /// Looks until something shows, at most for so long.
    pub(super) async fn until<T>(
        &mut self,
        most: Duration,
        mut look: impl AsyncFnMut(&mut Self) -> Result<Option<T>, Stopped>,
    ) -> Result<Option<T>, Stopped> {
        let begun = self.clock.instant();
        let mut wait = FIRST_WAIT;
        loop {
            if let Some(found) = look(self).await? {
                return Ok(Some(found));
            }
            let left = most.saturating_sub(self.since(begun));
            if left.is_zero() {
                return Ok(None);
            }
            self.pause(wait.min(left)).await?;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// How long an effect is waited for that may never show.
    pub(super) fn settling(&self) -> Duration {
        let least = self.setup.patience / 30;
        least.max(self.lag * 2).min(self.setup.patience)
    }

    /// A key that was never used.
    pub(super) fn key(&mut self) -> String {
        self.keys += 1;
        Uuid::new_v5(&self.setup.marker, &self.keys.to_be_bytes()).to_string()
    }

    pub(super) fn since(&self, then: Instant) -> Duration {
        self.clock.instant().saturating_duration_since(then)
    }

    fn over(&self, begun: Instant) -> bool {
        self.since(begun) >= self.setup.patience
    }

    fn go_on(&self) -> Result<(), Stopped> {
        if *self.stop.borrow() {
            Err(Stopped)
        } else {
            Ok(())
        }
    }

    async fn pause(&mut self, time: Duration) -> Result<(), Stopped> {
        tokio::select! {
            () = tokio::time::sleep(time) => self.go_on(),
            () = async { if self.stop.wait_for(|stop| *stop).await.is_err() { std::future::pending().await } } => Err(Stopped),
        }
    }
}

/// Whether the same request may succeed later.
pub(super) fn may_pass(error: &ApiError) -> bool {
    matches!(
        error.class,
        ErrorClass::NotSent
            | ErrorClass::MaybeApplied
            | ErrorClass::Busy
            | ErrorClass::Throttled { .. }
    )
}

/// Whether a task's state is a final one.
pub(super) fn has_ended(task: &Value) -> bool {
    let status = task.get(answer::STATUS).and_then(Value::as_str);
    status.is_some_and(|status| {
        [task_status::FINISHED, task_status::FAILED]
            .iter()
            .any(|end| status.trim().eq_ignore_ascii_case(end))
    })
}

/// The id of a record or task, under whichever key it stands.
pub(super) fn id_of(value: &Value) -> Option<String> {
    [keys::CUSTOMER_ID, answer::ID, fallback::ACCOUNT_ID]
        .iter()
        .find_map(|key| match value.get(*key)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
}

/// The ids of the items of a list.
pub(super) fn ids_in(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(id_of).collect()
}

/// The key under which an answer lists the record with this id.
pub(super) fn list_with(body: &Value, id: &str) -> Option<String> {
    let mut entries = body.as_object()?.iter();
    let found = entries.find(|(_, list)| ids_in(Some(list)).iter().any(|found| found == id));
    found.map(|(key, _)| key.clone())
}

/// The values that a record's details hold in a field; none where the field is not there.
pub(super) fn values_of(record: &Value, field: &str) -> Vec<String> {
    let details = record.get(keys::DETAILS).and_then(Value::as_array);
    let found = details.into_iter().flatten().find(|detail| {
        let name = detail.get(keys::NAME).and_then(Value::as_str);
        name == Some(field)
    });
    let values = found.and_then(|detail| detail.get(keys::VALUES)?.as_array());
    let values = values.into_iter().flatten().filter_map(Value::as_str);
    values.map(str::to_owned).collect()
}

/// A success is a fact whatever it is called.
pub(super) fn refusal(exchange: &Exchange) -> Option<String> {
    let error = exchange.answer.as_ref().err()?;
    Some(match error.status {
        Some(status) => format!("{status}: {}", error.message),
        None => error.message.clone(),
    })
}
