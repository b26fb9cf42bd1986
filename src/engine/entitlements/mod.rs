//! The stage of entitlements: single calls, some at a time. What the site has is looked at first and written only where
//! it differs.
//!
//! | module | duty |
//! | --- | --- |
//! | [`decide`] | what follows from what the site has and answers |
//! | [`calls`] | the calls of one row |
//! | [`customers`] | which customers e-mails mean |
//! | [`queue`] | which row is next: never two of one entitlement at a time |

mod calls;
mod customers;
mod decide;
mod queue;

use super::context::Context;
use super::driver::{DriveError, Sent, SoFar, write};
use super::feed::Feed;
use super::limits::MaxErrors;
use super::outcome::not_sent;
use super::why;
use crate::api::entitlements::Holder;
use crate::api::fold;
use crate::ledger::LedgerError;
use crate::ledger::record::Record;
use crate::model::cause::chain;
use crate::model::code::Code;
use crate::model::entitlement::{Entitlement, Owner};
use crate::model::entity::Operation;
use crate::model::event::{Progress, RunEvent};
use crate::model::outcome::{Route, RowOutcome, Status};
use crate::model::row::{PreparedRow, RowRef};
use calls::{Ended, Means};
use customers::Failed;
use decide::Held;
use futures_util::stream::{FuturesUnordered, StreamExt};
use queue::Queue;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;

/// Rows under way at a time.
const IN_FLIGHT: usize = 8;
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// Whose entitlement of what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Target {
    holder: Holder,
    /// The owner's id.
    owner: String,
    /// The product's id.
    product: String,
}

/// A row and what it asks for.
#[derive(Debug)]
struct Wanted {
    row: PreparedRow,
    target: Target,
    /// Detail fields by name.
    details: Vec<decide::Value>,
    /// The same by folded name, in the same order.
    values: Vec<decide::Value>,
    /// An interrupted run may have made a call of it.
    begun: bool,
}

/// Drives the stage until every row has a durable outcome.
///
/// # Errors
/// When the ledger cannot be read or written.
pub(super) async fn drive(
    context: &Arc<Context>,
    stage: u32,
    operation: Operation,
    max_errors: Option<MaxErrors>,
    so_far: SoFar,
    mut feed: Receiver<Feed>,
    rows: Option<u64>,
) -> Result<Sent, DriveError> {
    let began = context.clock.instant();
    let mut entitlements = Entitlements {
        context,
        means: Means {
            context,
            stage,
            operation,
            began,
        },
        max_errors,
        rows,
        so_far,
        recent: HashMap::new(),
        sent: Sent::default(),
        told: began,
    };
    entitlements.sent.counts = entitlements.so_far.counts;
    while let Some(stretch) = feed.recv().await {
        match stretch {
            Feed::Rows {
                rows,
                decided,
                records,
            } => {
                entitlements.sent.records += records;
                entitlements.settle(decided).await?;
                entitlements.load(rows).await?;
                entitlements.tell();
            }
            Feed::Broken(error) => {
                entitlements.sent.broken_off = true;
                context.stop.set(chain(&error));
            }
        }
    }
    Ok(entitlements.sent)
}

/// The stage's state.
struct Entitlements<'a> {
    context: &'a Arc<Context>,
    means: Means<'a>,
    max_errors: Option<MaxErrors>,
    /// Rows of the input, when they are known.
    rows: Option<u64>,
    so_far: SoFar,
    /// What was written lately, which reads may not show yet.
    recent: HashMap<Target, (Instant, Held)>,
    sent: Sent,
    /// When progress was told last.
    told: Instant,
}

impl Entitlements<'_> {
    /// Brings the rows of a stretch to their end.
    async fn load(&mut self, rows: Vec<PreparedRow>) -> Result<(), DriveError> {
        self.forget();
        let wanted = self.wanted(rows).await?;
        let mut queue = Queue::new(wanted, |wanted: &Wanted| wanted.target.clone());
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < IN_FLIGHT && self.context.stop.why().is_none() {
                let Some(wanted) = queue.take() else { break };
                let held = self.recent.get(&wanted.target);
                let held = held.map(|(_, held)| held.clone());
                under_way.push(perform(self.means, wanted, held));
            }
            let Some(performed) = under_way.next().await else {
                break;
            };
            let (target, status, ended) = performed?;
            queue.done(&target);
            self.note(target, status, ended);
        }
        let left = queue.rest();
        let at = self.context.clock.unix_millis();
        let why = self.context.stop.why().unwrap_or_default();
        let left = left.map(|wanted| not_sent(wanted.row.row, why, at));
        Ok(self.settle(left.collect()).await?)
    }

    /// What the rows ask for, customers found. Rows of customers that are not known are settled.
    async fn wanted(&mut self, rows: Vec<PreparedRow>) -> Result<Vec<Wanted>, DriveError> {
        let asked: Vec<_> = rows
            .into_iter()
            .map(|row| {
                let asked = serde_json::from_slice::<Entitlement>(&row.item);
                (row, asked.expect("the mapping wrote it"))
            })
            .collect();
        let emails: BTreeSet<_> = asked
            .iter()
            .filter_map(|(_, asked)| match &asked.owner {
                Owner::Email(email) => Some(fold::email(email).into_owned()),
                Owner::Customer(_) | Owner::Organization(_) => None,
            })
            .collect();
        let stage = self.means.stage;
        let found = match self.context.stop.why() {
            Some(_) => HashMap::new(),
            None => match customers::find(self.context, stage, emails).await {
                Ok(found) => found,
                Err(Failed::Ledger(error)) => return Err(error.into()),
                Err(Failed::Site(error)) => {
                    self.context.stop.set(error.to_string());
                    HashMap::new()
                }
            },
        };
        let at = self.context.clock.unix_millis();
        let (mut wanted, mut settled) = (Vec::new(), Vec::new());
        for (row, asked) in asked {
            let (holder, owner) = match asked.owner {
                Owner::Customer(id) => (Holder::Customer, Ok(id)),
                Owner::Organization(id) => (Holder::Organization, Ok(id)),
                Owner::Email(email) => {
                    let found = found.get(&*fold::email(&email));
                    (
                        Holder::Customer,
                        found.cloned().unwrap_or(Err(String::new())),
                    )
                }
            };
            match (owner, self.context.stop.why()) {
                (_, Some(why)) => settled.push(not_sent(row.row, why, at)),
                (Err(why), None) => settled.push(RowOutcome {
                    status: Status::Failed,
                    reasons: vec![decide::reason(
                        Code::CustomerNotFound,
                        Some("customer".to_owned()),
                        why,
                    )],
                    ..not_sent(row.row, "", at)
                }),
                (Ok(owner), None) => {
                    let fold = |(name, values): &decide::Value| {
                        (fold::name(name).into_owned(), values.clone())
                    };
                    wanted.push(Wanted {
                        begun: self.so_far.begun.contains(row.row.id),
                        row,
                        target: Target {
                            holder,
                            owner,
                            product: asked.product,
                        },
                        values: asked.details.iter().map(fold).collect(),
                        details: asked.details,
                    });
                }
            }
        }
        self.settle(settled).await?;
        Ok(wanted)
    }

    /// Takes note of a row that has ended.
    fn note(&mut self, target: Target, status: Status, ended: Ended) {
        self.sent.counts.add(status, 1);
        if let (Some(held), true) = (ended.held, ended.changed) {
            let now = self.context.clock.instant();
            self.recent.insert(target, (now, held));
        }
        if let Some(error) = ended.error {
            self.context.stop.set(error.to_string());
        }
        self.check();
        if self.context.clock.instant().duration_since(self.told) >= TELL_EVERY {
            self.tell();
        }
    }

    /// Stops when too many rows did not load.
    fn check(&self) {
        let (errors, read) = (self.sent.counts.errors(), self.sent.records);
        if let Some(most) = self.max_errors.filter(|most| most.exceeded(errors, read)) {
            self.context.stop.set(why::too_many_errors(most));
        }
    }

    /// Forgets what every read shows by now.
    fn forget(&mut self) {
        let (now, context) = (self.context.clock.instant(), self.context);
        let patience = context.client.contract().read_patience;
        self.recent
            .retain(|_, (at, _)| now.saturating_duration_since(*at) < patience);
    }

    /// Makes outcomes durable that need no call.
    async fn settle(&mut self, outcomes: Vec<RowOutcome>) -> Result<(), LedgerError> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let statuses: Vec<_> = outcomes.iter().map(|outcome| outcome.status).collect();
        let stage = self.means.stage;
        write(self.context, vec![Record::Rows { stage, outcomes }]).await?;
        for status in statuses {
            self.sent.counts.add(status, 1);
        }
        self.check();
        Ok(())
    }

    fn tell(&mut self) {
        self.told = self.context.clock.instant();
        let progress = Progress {
            read: self.sent.records,
            rows: self.rows,
            counts: self.sent.counts,
            ..Progress::default()
        };
        let stage = self.means.stage;
        let event = RunEvent::Progressed { stage, progress };
        self.context.audience.tell(&event);
    }
}

/// Makes the calls of one row and its outcome durable.
async fn perform(
    means: Means<'_>,
    wanted: Wanted,
    held: Option<Held>,
) -> Result<(Target, Status, Ended), LedgerError> {
    let mut ended = means.load(&wanted, held).await?;
    let outcome = outcome(means.context, wanted.row.row, &mut ended);
    let status = outcome.status;
    let (stage, outcomes) = (means.stage, vec![outcome]);
    write(means.context, vec![Record::Rows { stage, outcomes }]).await?;
    Ok((wanted.target, status, ended))
}

fn outcome(context: &Context, row: RowRef, ended: &mut Ended) -> RowOutcome {
    RowOutcome {
        row,
        status: ended.status,
        reasons: std::mem::take(&mut ended.reasons),
        remote_id: ended.held.as_ref().map(|held| held.id.clone()),
        route: (ended.made > 0 && ended.status != Status::NotSent).then_some(Route::Single),
        batch: None,
        attempts: ended.made,
        finished_at: context.clock.unix_millis(),
    }
}
