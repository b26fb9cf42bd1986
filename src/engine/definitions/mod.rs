//! The stage of detail fields: what the site has is listed first and never changed; what is missing is created, many
//! at once where the site takes that.
//!
//! Names are unique on the site, so that a creation that is repeated harms nothing: whenever an answer leaves
//! something open, the list is asked for again before anything is claimed.
//!
//! | module | duty |
//! | --- | --- |
//! | [`decide`] | what follows from answers and list |
//! | [`bulk`] | one bulk request and its task |
//! | [`recover`] | what an interrupted run has under way |
//! | [`single`] | one field by itself |

mod bulk;
mod decide;
mod recover;
mod single;

use super::batcher::{BatchLimits, Batcher};
use super::context::Context;
use super::driver::{DriveError, Sent, SoFar, write};
use super::feed::Feed;
use super::limits::MaxErrors;
use super::outcome::not_sent;
use super::why;
use crate::api::contract::{self, BulkEndpoint, keys};
use crate::api::fold;
use crate::ledger::record::Record;
use crate::ledger::{LedgerError, OpenBatch, RowSet};
use crate::model::cause::chain;
use crate::model::code::Code;
use crate::model::entity::Owner;
use crate::model::event::{Progress, RunEvent};
use crate::model::outcome::{BatchSeq, Counts, Route, RowOutcome, Status};
use crate::model::reply::{ApiError, DetailField};
use crate::model::row::{PreparedRow, Reason};
use decide::{Next, Standing, Wanted, compare, present};
pub(super) use recover::verdicts;
use std::collections::{HashMap, HashSet};
use tokio::sync::mpsc::Receiver;

/// Drives the stage until every row has a durable outcome.
///
/// # Errors
/// When the ledger cannot be written.
pub(super) async fn drive(
    context: &Context,
    stage: u32,
    max_errors: Option<MaxErrors>,
    so_far: SoFar,
    mut feed: Receiver<Feed>,
    rows: Option<u64>,
) -> Result<Sent, DriveError> {
    let mut definitions = Definitions::new(context, stage, max_errors);
    definitions.sent.counts = so_far.counts;
    definitions.begun = so_far.begun;
    definitions.underway = so_far.definitions;
    if let Some(last) = so_far.last {
        definitions.batcher.continue_after(last);
    }
    while let Some(stretch) = feed.recv().await {
        let (to_send, decided) = match stretch {
            Feed::Rows {
                rows,
                decided,
                records,
            } => {
                definitions.sent.records += records;
                (rows, decided)
            }
            Feed::Broken(error) => {
                definitions.sent.broken_off = true;
                context.stop.set(chain(&error));
                continue;
            }
        };
        definitions.persist(decided).await?;
        for owner in Owner::ALL {
            let rows = to_send.iter().cloned().filter_map(Asked::of);
            let rows: Vec<_> = rows.filter(|asked| asked.wanted.owner == owner).collect();
            definitions.load(owner, rows).await?;
        }
        let progress = Progress {
            read: definitions.sent.records,
            rows,
            counts: definitions.sent.counts,
            ..Progress::default()
        };
        context
            .audience
            .tell(&RunEvent::Progressed { stage, progress });
    }
    Ok(definitions.sent)
}

/// A row and what it asks for.
#[derive(Debug, Clone)]
struct Asked {
    row: PreparedRow,
    wanted: Wanted,
    /// Of a row whose earlier request may have been applied: why that is not known, and how it travelled.
    unclear: Option<(Code, Travelled)>,
}

impl Asked {
    fn of(row: PreparedRow) -> Option<Self> {
        let wanted = Wanted::of(&row)?;
        Some(Self {
            row,
            wanted,
            unclear: None,
        })
    }
}

/// How a row travelled, if it did.
#[derive(Debug, Clone, Copy, Default)]
struct Travelled {
    route: Option<Route>,
    batch: Option<BatchSeq>,
    attempts: u32,
}

/// A row that an interrupted run was about to create.
const BY_ITSELF: Travelled = Travelled {
    route: Some(Route::Single),
    batch: None,
    attempts: 1,
};

/// The stage's state.
struct Definitions<'a> {
    context: &'a Context,
    stage: u32,
    max_errors: Option<MaxErrors>,
    /// The fields of each owner by folded name, once they were listed.
    present: HashMap<Owner, HashMap<String, DetailField>>,
    batcher: Batcher,
    /// Rows that an interrupted run was about to create, one by one.
    begun: RowSet,
    /// Requests of an interrupted run that are not decided.
    underway: Vec<OpenBatch>,
    sent: Sent,
}

impl<'a> Definitions<'a> {
    fn new(context: &'a Context, stage: u32, max_errors: Option<MaxErrors>) -> Self {
        Self {
            context,
            stage,
            max_errors,
            present: HashMap::new(),
            batcher: Batcher::new(BatchLimits {
                list_key: keys::DETAIL_FIELDS.into(),
                items: contract::CUSTOMER_DEFINITIONS_BULK.max_items,
                operations: None,
                bytes: contract::MAX_BODY_BYTES,
            }),
            begun: RowSet::default(),
            underway: Vec::new(),
            sent: Sent::default(),
        }
    }

    /// Brings the rows of one owner to their end, in order.
    async fn load(&mut self, owner: Owner, rows: Vec<Asked>) -> Result<(), DriveError> {
        let mut rows = self.recover(owner, rows).await?;
        while !rows.is_empty() {
            if self.context.stop.why().is_none()
                && !self.present.contains_key(&owner)
                && let Err(error) = self.list(owner).await
            {
                self.context.stop.set(error.to_string());
            }
            if let Some(why) = self.context.stop.why() {
                let at = self.context.clock.unix_millis();
                let rows = rows.into_iter();
                let unsent = rows.map(|asked| not_sent(asked.row.row, why, at));
                return Ok(self.persist(unsent.collect()).await?);
            }
            rows = self.round(owner, rows).await?;
        }
        Ok(())
    }

    /// Decides what the list decides and sends what is missing, as much as one request takes. Gives the rows that
    /// are left: those that found no place, and those of a name that was just sent.
    async fn round(&mut self, owner: Owner, rows: Vec<Asked>) -> Result<Vec<Asked>, DriveError> {
        let bulk = contract::definitions_bulk(owner);
        let most = bulk.map_or(1, |endpoint| endpoint.max_items);
        let (mut ended, mut missing, mut left) = (Vec::new(), Vec::new(), Vec::new());
        let mut names = HashSet::new();
        for asked in rows {
            match self.standing(&asked.wanted) {
                // an interrupted run was about to create it, so that it is ours
                Standing::Same if self.may_be_ours(&asked) => {
                    let travelled = asked.unclear.map_or(BY_ITSELF, |(_, travelled)| travelled);
                    ended.push(self.outcome(&asked, Next::End(Status::Loaded, None), travelled));
                }
                Standing::Same => ended.push(self.outcome(&asked, present(), Travelled::default())),
                Standing::Differs(how) => {
                    let differs = Next::differs(&how);
                    ended.push(self.outcome(&asked, differs, Travelled::default()));
                }
                Standing::Missing
                    if missing.len() < most && names.insert(asked.wanted.folded.clone()) =>
                {
                    missing.push(asked);
                }
                Standing::Missing => left.push(asked),
            }
        }
        self.persist(ended.into_iter().flatten().collect()).await?;
        match bulk {
            _ if missing.is_empty() || self.context.stop.why().is_some() => {
                missing.append(&mut left);
                return Ok(missing);
            }
            Some(endpoint) => self.create_together(endpoint, missing).await?,
            None => self.create_each(missing).await?,
        }
        Ok(left)
    }

    /// Sends rows in as few requests as the caps allow.
    async fn create_together(
        &mut self,
        endpoint: BulkEndpoint,
        rows: Vec<Asked>,
    ) -> Result<(), DriveError> {
        let mut batches = Vec::new();
        for asked in &rows {
            batches.extend(self.batcher.push(asked.row.clone()));
        }
        batches.extend(self.batcher.flush());
        let mut rows = rows.into_iter();
        for batch in batches {
            let rows: Vec<_> = rows.by_ref().take(batch.rows().len()).collect();
            if self.context.stop.why().is_some() {
                self.batcher.settled(&batch);
                self.create_each(rows).await?;
            } else {
                self.create_batch(endpoint, batch, rows).await?;
            }
        }
        Ok(())
    }

    /// Asks the site for the fields of an owner.
    async fn list(&mut self, owner: Owner) -> Result<(), ApiError> {
        let context = self.context;
        let fields = context
            .repeat(self.stage, async || {
                context.client.detail_fields(owner).await
            })
            .await?;
        let named = fields
            .into_iter()
            .map(|field| (fold::name(&field.name).into_owned(), field));
        // a list that lags behind lacks what was created since
        self.present.entry(owner).or_default().extend(named);
        Ok(())
    }

    /// Whether an earlier request may have created the field of a row.
    fn may_be_ours(&self, asked: &Asked) -> bool {
        asked.unclear.is_some() || self.begun.contains(asked.row.row.id)
    }

    /// How a row compares with what the site had when it was last asked.
    fn standing(&self, wanted: &Wanted) -> Standing {
        let fields = self.present.get(&wanted.owner);
        compare(
            &wanted.field,
            fields.and_then(|fields| fields.get(&wanted.folded)),
        )
    }

    /// Takes note of a field that was created.
    fn created(&mut self, wanted: &Wanted) {
        let fields = self.present.entry(wanted.owner).or_default();
        fields.insert(wanted.folded.clone(), wanted.field.clone());
    }

    /// The outcome of a row that is at its end.
    fn outcome(&self, asked: &Asked, next: Next, travelled: Travelled) -> Option<RowOutcome> {
        let Next::End(status, reason) = next else {
            return None;
        };
        let reason = reason.map(|(code, message)| Reason {
            code: code.into(),
            field: None,
            message,
        });
        Some(RowOutcome {
            row: asked.row.row.clone(),
            status,
            reasons: reason.into_iter().collect(),
            remote_id: None,
            route: travelled.route.filter(|_| status != Status::NotSent),
            batch: travelled.batch,
            attempts: travelled.attempts,
            finished_at: self.context.clock.unix_millis(),
        })
    }

    /// Makes outcomes durable that no batch holds.
    async fn persist(&mut self, outcomes: Vec<RowOutcome>) -> Result<(), LedgerError> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let counts = counted(&outcomes);
        let stage = self.stage;
        write(self.context, vec![Record::Rows { stage, outcomes }]).await?;
        self.count(counts);
        Ok(())
    }

    /// Counts durable outcomes, and stops when too many rows did not load.
    fn count(&mut self, counts: Counts) {
        for status in Status::ALL {
            self.sent.counts.add(status, counts.of(status));
        }
        let (errors, read) = (self.sent.counts.errors(), self.sent.records);
        if let Some(most) = self.max_errors.filter(|most| most.exceeded(errors, read)) {
            self.context.stop.set(why::too_many_errors(most));
        }
    }
}

fn counted(outcomes: &[RowOutcome]) -> Counts {
    let mut counts = Counts::default();
    for outcome in outcomes {
        counts.add(outcome.status, 1);
    }
    counts
}
