//! The one loop: waits for the next event, asks the state machine, performs its commands.
//!
//! Nothing is decided here. Requests run as tasks of their own and report back as events.

use super::context::{Context, Tries};
use super::feed::Feed;
use super::limits::MaxErrors;
use super::message::{Command, Durable, Event, Now, Recovered};
use super::outcome::{not_sent, sent_row};
use super::products::Products;
use super::seen::{Target, Wanted};
use super::state::Engine;
use super::{single, verify, why};
use crate::api::contract::BulkEndpoint;
use crate::ledger::record::Record;
use crate::ledger::{LedgerError, OpenBatch, RowSet};
use crate::model::cause::chain;
use crate::model::entity::{Entity, Operation};
use crate::model::event::{Progress, RunEvent};
use crate::model::failpoint::Step;
use crate::model::outcome::{BatchSeq, Counts};
use crate::model::row::PreparedRow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// How a stage's sending ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    /// Rows with a durable outcome, by status.
    pub(super) counts: Counts,
    /// Records read from the input.
    pub(super) records: u64,
    /// The input could not be read to its end.
    pub(super) broken_off: bool,
    /// Batches were given up that a later process goes on with.
    pub(super) suspended: bool,
    /// Rows that were sent again, because a reading did not show them.
    pub(super) again: u64,
}

/// Which way a stage's requests go.
#[derive(Debug, Clone)]
pub(super) struct Route {
    /// What it writes.
    pub(super) target: Arc<Target>,
    /// Where bulk requests go.
    pub(super) endpoint: BulkEndpoint,
}

/// How far an interrupted stage of single calls had come.
#[derive(Debug, Default)]
pub(super) struct SoFar {
    /// Rows with a durable outcome, by status.
    pub(super) counts: Counts,
    /// The highest number of a batch.
    pub(super) last: Option<BatchSeq>,
    /// Rows without an outcome, for which a single call may have been made.
    pub(super) begun: RowSet,
    /// Bulk requests for definitions that are not decided.
    pub(super) definitions: Vec<OpenBatch>,
}

/// An event of a task of this loop's.
enum Heard {
    Event(Event),
    Broken(DriveError),
}

/// Why sending cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The ledger cannot be written: what was sent stays recorded as under way.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A request's task panicked.
    #[error("a request ended unexpectedly; this is a defect, please report it")]
    Task,
}

/// Drives the bulk route of a stage until every row has a durable outcome.
///
/// # Errors
/// When the ledger cannot be written: what was sent stays recorded as under way.
pub(super) async fn bulk(
    context: &Arc<Context>,
    route: Route,
    mut engine: Engine,
    recovered: Recovered,
    mut feed: Receiver<Feed>,
    rows: Option<u64>,
) -> Result<Sent, DriveError> {
    let (events, mut heard) = unbounded_channel();
    let stage = route.target.stage;
    let performer = Performer {
        context,
        route,
        events,
    };
    let mut tick = interval(TELL_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut reading, mut stopping) = (false, false);
    let mut sent = Sent::default();
    let mut next = Event::Woken;
    let mut commands = engine.recover(now(context), recovered);
    loop {
        // what a stop cut short may be heard of before the stop itself
        if let Some(why) = context.stop.why().filter(|_| !stopping) {
            stopping = true;
            commands.extend(engine.handle(now(context), Event::Stop(why.to_owned())));
        }
        commands.extend(engine.handle(now(context), next));
        for command in commands.drain(..) {
            match command {
                Command::ReadMore => reading = true,
                other => performer.perform(other),
            }
        }
        if let Some(why) = engine.stopped() {
            context.stop.set(why);
            stopping = true;
        }
        if engine.finished() {
            break;
        }
        let wake = engine.next_wake().map(Instant::from_std);
        next = loop {
            tokio::select! {
                biased;
                Some(heard) = heard.recv() => match heard {
                    Heard::Event(event) => break event,
                    Heard::Broken(error) => return Err(error),
                },
                () = context.stop.asked(), if !stopping => {
                    break Event::Stop(context.stop.why().unwrap_or_default().to_owned());
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => break Event::Woken,
                stretch = feed.recv(), if reading => {
                    reading = false;
                    break match stretch {
                        Some(Feed::Rows { rows, decided, records }) => {
                            sent.records += records;
                            Event::Rows { rows, decided }
                        }
                        Some(Feed::Broken(error)) => {
                            // the end of the input follows: ask for it at once
                            reading = true;
                            sent.broken_off = true;
                            Event::Stop(chain(&error))
                        }
                        None => Event::InputEnded,
                    };
                }
                _ = tick.tick() => tell(context, stage, &engine, sent.records, rows),
            }
        };
    }
    tell(context, stage, &engine, sent.records, rows);
    sent.counts = engine.counts();
    sent.suspended = engine.suspended();
    sent.again = engine.sent_again();
    Ok(sent)
}

fn tell(context: &Context, stage: u32, engine: &Engine, read: u64, rows: Option<u64>) {
    let (slots_used, slots) = engine.slots();
    let progress = Progress {
        read,
        rows,
        counts: engine.counts(),
        slots_used,
        slots,
    };
    context
        .audience
        .tell(&RunEvent::Progressed { stage, progress });
}

fn now(context: &Context) -> Now {
    Now {
        at: context.clock.instant(),
        unix: context.clock.unix_millis(),
    }
}

/// Turns commands into effects.
struct Performer<'a> {
    context: &'a Arc<Context>,
    route: Route,
    events: UnboundedSender<Heard>,
}

impl Performer<'_> {
    fn perform(&self, command: Command) {
        match command {
            Command::ReadMore => {}
            Command::Persist(records, then) => self.persist(records, then),
            Command::Submit { batch, key, body } => {
                let endpoint = self.route.endpoint.endpoint;
                self.spawn(|context| async move {
                    let answer = context.client.submit(endpoint, body, &key).await;
                    context.stop.note_write(&answer);
                    Event::Submitted(batch, answer)
                });
            }
            Command::Poll(batch, task) => {
                self.spawn(|context| async move {
                    Event::Polled(batch, context.client.task(&task).await)
                });
            }
            Command::Identify(batch, ids) => {
                let (stage, entity) = (self.route.target.stage, self.route.target.entity);
                self.spawn(|context| async move {
                    Event::Identified(batch, identify(&context, stage, entity, &ids).await)
                });
            }
            Command::ReadBack(batch, rows) => {
                let target = Arc::clone(&self.route.target);
                self.spawn(|context| async move {
                    let wanted = remembered(&context, &target, rows).await;
                    let patience = context.client.contract().read_patience;
                    Step::ReadBack.before();
                    let seen = verify::read_back(&context, &target, &wanted, patience).await;
                    Step::ReadBack.after();
                    Event::ReadBack(batch, seen)
                });
            }
            Command::Join {
                batch,
                index,
                record,
                lacks,
            } => {
                let target = Arc::clone(&self.route.target);
                self.spawn(|context| async move {
                    let called = single::join(&context, &target, &record, &lacks).await;
                    Event::Joined(batch, index, called)
                });
            }
            Command::Call {
                batch,
                index,
                row,
                look_first,
            } => {
                let target = Arc::clone(&self.route.target);
                self.spawn(|context| async move {
                    let wanted = remembered(&context, &target, vec![row.clone()]).await;
                    let remote_id = wanted.into_iter().find_map(|wanted| wanted.remote_id);
                    let wanted = Wanted { row, remote_id };
                    let called = single::call(&context, &target, &wanted, look_first).await;
                    Event::Called(batch, index, called)
                });
            }
            Command::Tell(event) => self.context.audience.tell(&event),
        }
    }

    fn persist(&self, records: Vec<Record>, then: Durable) {
        let answer = Answer {
            events: self.events.clone(),
            otherwise: Some(LedgerError::Stopped),
        };
        let is_split = is_split(&records);
        if is_split {
            Step::Split.before();
        }
        self.context.ledger.write(records, move |result| {
            if is_split && result.is_ok() {
                Step::Split.after();
            }
            answer.give(match result {
                Ok(()) => Heard::Event(Event::Durable(then)),
                Err(error) => Heard::Broken(error.into()),
            });
        });
    }

    fn spawn<F, A>(&self, act: F)
    where
        F: FnOnce(Arc<Context>) -> A,
        A: Future<Output = Event> + Send + 'static,
    {
        let act = act(Arc::clone(self.context));
        let answer = Answer {
            events: self.events.clone(),
            otherwise: Some(DriveError::Task),
        };
        tokio::spawn(async move {
            let event = act.await;
            answer.give(Heard::Event(event));
        });
    }
}

/// Whether rows of a batch that is settled go on in other ones.
fn is_split(records: &[Record]) -> bool {
    let settles = |record: &Record| matches!(record, Record::Settled { .. });
    let sends = |record: &Record| matches!(record, Record::Sending { .. });
    records.iter().any(settles) && records.iter().any(sends)
}

/// The one answer of something that was started: given, or, when that panics, the news that none will come.
struct Answer<E: Into<DriveError>> {
    events: UnboundedSender<Heard>,
    otherwise: Option<E>,
}

impl<E: Into<DriveError>> Answer<E> {
    fn give(mut self, heard: Heard) {
        self.otherwise = None;
        // a loop that has ended no longer listens
        let _ = self.events.send(heard);
    }
}

impl<E: Into<DriveError>> Drop for Answer<E> {
    fn drop(&mut self) {
        if let Some(error) = self.otherwise.take() {
            let _ = self.events.send(Heard::Broken(error.into()));
        }
    }
}

/// Rows with the ids under which their records are remembered. A ledger that cannot be read costs these, and no more.
async fn remembered(context: &Context, target: &Target, rows: Vec<PreparedRow>) -> Vec<Wanted> {
    match verify::remembered(context, target.entity, rows.clone()).await {
        Ok(wanted) => wanted,
        Err(error) => {
            let message = format!("the ids of records cannot be looked up: {}", chain(&error));
            context.audience.notice(target.stage, message);
            let wanted = |row| Wanted {
                row,
                remote_id: None,
            };
            rows.into_iter().map(wanted).collect()
        }
    }
}

/// Whom remote ids mean: id → folded identity. Ids that cannot be looked up are left out; what they mean is then
/// not guessed.
async fn identify(
    context: &Context,
    stage: u32,
    entity: Entity,
    ids: &[String],
) -> HashMap<String, String> {
    use crate::api::fold;
    let mut known = HashMap::new();
    let most = match entity {
        Entity::Customer => crate::api::contract::MAX_FETCH_CUSTOMERS,
        Entity::Organization | Entity::Product | Entity::DetailField | Entity::Entitlement => {
            crate::api::contract::MAX_FETCH_ORGANIZATIONS
        }
    };
    for chunk in ids.chunks(most) {
        // spelled out: the future of `Context::repeat` cannot be told to be `Send`
        let mut tries = Tries::default();
        let found = loop {
            let found = match entity {
                Entity::Customer => context.client.customer_emails(chunk).await,
                Entity::Organization => context.client.organizations_by_id(chunk).await,
                Entity::Product | Entity::DetailField | Entity::Entitlement => Ok(Vec::new()),
            };
            match found {
                Ok(found) => break found,
                Err(error) if context.again(stage, &mut tries, &error).await => {}
                Err(_) => break Vec::new(),
            }
        };
        for named in found {
            let identity = match entity {
                Entity::Customer => fold::email(&named.name),
                Entity::Organization
                | Entity::Product
                | Entity::DetailField
                | Entity::Entitlement => fold::name(&named.name),
            };
            known.insert(named.id, identity.into_owned());
        }
    }
    known
}

/// Drives the single route of products: one row after the other.
///
/// # Errors
/// When the ledger cannot be written.
pub(super) async fn single(
    context: &Arc<Context>,
    stage: u32,
    operation: Operation,
    max_errors: Option<MaxErrors>,
    so_far: SoFar,
    mut feed: Receiver<Feed>,
    rows: Option<u64>,
) -> Result<Sent, DriveError> {
    let mut sent = Sent {
        counts: so_far.counts,
        ..Sent::default()
    };
    let mut products = None;
    while let Some(stretch) = feed.recv().await {
        let (rows_to_send, mut outcomes) = match stretch {
            Feed::Rows {
                rows,
                decided,
                records,
            } => {
                sent.records += records;
                (rows, decided)
            }
            Feed::Broken(error) => {
                sent.broken_off = true;
                context.stop.set(chain(&error));
                continue;
            }
        };
        if products.is_none() && !rows_to_send.is_empty() && context.stop.why().is_none() {
            match Products::list(context, stage, operation, so_far.begun.clone()).await {
                Ok(listed) => products = Some(listed),
                Err(error) => context.stop.set(error.to_string()),
            }
        }
        if let Some(products) = &mut products {
            products.recall(context, &rows_to_send).await?;
        }
        for row in rows_to_send {
            let outcome = match (&mut products, context.stop.why()) {
                (Some(products), None) => {
                    let (outcome, error) = products.load(context, row).await?;
                    if let Some(error) = error {
                        context.stop.set(error.to_string());
                    }
                    outcome
                }
                (_, why) => not_sent(
                    row.row,
                    why.unwrap_or_default(),
                    context.clock.unix_millis(),
                ),
            };
            // each row at once: a single call has no key to repeat it by
            sent.counts.add(outcome.status, 1);
            persist(context, stage, vec![outcome]).await?;
            let most = max_errors.filter(|most| most.exceeded(sent.counts.errors(), sent.records));
            if let Some(most) = most {
                context.stop.set(why::too_many_errors(most));
            }
        }
        for outcome in &outcomes {
            sent.counts.add(outcome.status, 1);
        }
        persist(context, stage, std::mem::take(&mut outcomes)).await?;
        let progress = Progress {
            read: sent.records,
            rows,
            counts: sent.counts,
            ..Progress::default()
        };
        context
            .audience
            .tell(&RunEvent::Progressed { stage, progress });
    }
    Ok(sent)
}

async fn persist(
    context: &Context,
    stage: u32,
    outcomes: Vec<crate::model::outcome::RowOutcome>,
) -> Result<(), LedgerError> {
    if outcomes.is_empty() {
        return Ok(());
    }
    write(context, vec![Record::Rows { stage, outcomes }]).await
}

/// Writes down that calls are about to be made for a row, and waits until that is durable.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn calling(
    context: &Context,
    stage: u32,
    row: &PreparedRow,
) -> Result<(), LedgerError> {
    let record = Record::Calling {
        stage,
        rows: [sent_row(row)].into_iter().collect(),
        items: Vec::new(),
    };
    write(context, vec![record]).await
}

/// Writes records and waits until they are durable.
///
/// # Errors
/// When they cannot be written.
pub(super) async fn write(context: &Context, records: Vec<Record>) -> Result<(), LedgerError> {
    let (done, wait) = oneshot::channel();
    context.ledger.write(records, move |result| {
        // nobody waits any more when the run was dropped
        let _ = done.send(result);
    });
    wait.await.unwrap_or(Err(LedgerError::Stopped))
}
