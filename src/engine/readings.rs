//! The two readings of a stage's input: the first validates it and finds out which rows are sent, the second sends them.

use super::context::Context;
use super::feed::{Feed, Feeder};
use super::gone::Seen;
use super::hierarchy::{Behind, Tree};
use super::job::StageJob;
use super::recall::Recall;
use super::rejected::RejectedSpill;
use super::reread::{Kept, Rereader};
use super::resolve::Resolver;
use super::run::RunError;
use super::settled::Settled;
use super::standing::standing;
use super::survey::{Names, SurveyError, Surveyor, in_order};
use crate::dedupe::{Decided, Losers};
use crate::ledger::record::StageHeader;
use crate::ledger::{LedgerError, Memory, RowSet};
use crate::mapping::{Draft, Known, RefKind, References};
use crate::model::cause::chain;
use crate::model::entity::Entity;
use crate::model::row::RowId;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::mpsc::Sender;
use tokio::task::{JoinHandle, spawn_blocking};

/// What the first reading found.
pub(super) struct First {
    /// Rows of the input, when it was read to its end.
    pub(super) rows: Option<u64>,
    /// The same by file.
    pub(super) file_rows: Vec<u64>,
    /// Rows that lose to another one.
    losers: Losers,
    /// Which rows the site holds as they are, where that is known and something is sent.
    kept: Option<Kept>,
    /// Why nothing of the stage may be sent, though its rows are good to be mapped.
    pub(super) hold: Option<String>,
    /// The keys of all rows, where what is gone is asked for.
    pub(super) seen: Option<Seen>,
    /// Which rows wait for their parents.
    tree: Option<Tree>,
}

impl First {
    /// It did not come to its end.
    fn broken_off() -> Self {
        Self {
            rows: None,
            file_rows: Vec::new(),
            losers: Losers::default(),
            kept: None,
            hold: None,
            seen: None,
            tree: None,
        }
    }
}

/// Reads everything once. A stop, damage or a silent site ends in no decisions: the second reading then writes
/// every row down as not sent.
pub(super) async fn first_reading(
    context: &Arc<Context>,
    header: &StageHeader,
    job: &StageJob,
    mut names: SiteNames,
) -> Result<(First, SiteNames), RunError> {
    if context.stop.why().is_some() {
        return Ok((First::broken_off(), names));
    }
    let (shared, header, job) = (Arc::clone(context), header.clone(), job.clone());
    let (surveyed, names) = spawn_blocking(move || {
        let surveyed = survey(&shared, &header, &job, &mut names);
        (surveyed, names)
    })
    .await?;
    let first = match surveyed {
        Ok(first) => first,
        Err(SurveyError::Spill(source)) => {
            return Err(RunError::Io {
                doing:
                    "write the spill of natural keys; free disk space or choose another --state-dir"
                        .into(),
                source,
            });
        }
        Err(
            error @ (SurveyError::Source(_)
            | SurveyError::Site(_)
            | SurveyError::Ledger(_)
            | SurveyError::TooMany(_)
            | SurveyError::Stopped(_)),
        ) => {
            context.stop.set(chain(&error));
            First::broken_off()
        }
    };
    Ok((first, names))
}

/// The first reading, and what follows from it alone. Blocks.
fn survey(
    context: &Context,
    header: &StageHeader,
    job: &StageJob,
    names: &mut SiteNames,
) -> Result<First, SurveyError> {
    let memory = memory(context, header)?;
    let spool = &context.spool;
    let surveyor = Surveyor {
        stage: header.stage,
        dataset: &job.dataset,
        plan: &job.plan,
        spool,
        all_keys: job.retries.is_some() || job.gone && lists_gone(header.entity),
        contents: memory.is_some(),
        audience: &context.audience,
        stop: &context.stop,
    };
    surveyor.begin();
    let mut recall = None;
    if let Some(memory) = memory {
        let (refresh_after, now) = (context.refresh_after, context.clock.unix_millis());
        let refused = RejectedSpill::new(spool)?;
        recall = Some((Recall::new(memory, refresh_after, now, spool)?, refused));
    }
    let mut found = surveyor.run(names, |rows| {
        let refused = recall.as_mut().map(|(_, refused)| refused.push(rows));
        Ok(refused.transpose().map(drop)?)
    })?;
    if job.retries.is_some()
        && let Some(Seen { keys, .. }) = found.seen.take()
    {
        for (key, row) in standing(context, header, keys.sorted(), job.duplicates)? {
            found.keys.stand(key, row)?;
        }
    }
    let tree = in_order(found.kin, job.duplicates, names)?.map(|(tree, _)| tree);
    let rejected = found.rejected + tree.as_ref().map_or(0, Tree::refused);
    let Decided {
        losers,
        rows,
        repeats,
    } = found.keys.decide_with(job.duplicates, spool, |winners| {
        let recall = recall.as_mut();
        recall.map_or(Ok(()), |(recall, _)| recall.compare(winners))
    })?;
    let most = context
        .max_errors
        .filter(|most| most.exceeded(rejected, found.rows));
    let hold = most.map(|most| {
        format!(
            "{rejected} of {} rows were rejected, more than --max-errors {most} allows; nothing of \
             this stage was sent",
            found.rows
        )
    });
    // of several rows of a key each is compared with what the one before leaves, which is not known yet
    let kept = match recall.filter(|_| hold.is_none() && !repeats) {
        None => None,
        Some((recall, refused)) => Some(Kept {
            recalled: recall.finish()?,
            rows,
            rejected: refused.read()?,
        }),
    };
    Ok(First {
        rows: Some(found.rows),
        file_rows: found.file_rows,
        losers,
        kept,
        hold,
        seen: found.seen,
        tree,
    })
}

/// What a second reading goes by, beside what the first one found.
pub(super) struct Reading {
    /// Rows that an interrupted run decided, or has under way.
    pub(super) done: RowSet,
    /// Those whose records the site is not known to hold.
    pub(super) unloaded: RowSet,
    pub(super) names: SiteNames,
}

/// Starts the second reading: of all rows, or, where no row goes out behind another, of those that have changed.
pub(super) fn second_reading(
    context: &Context,
    job: &StageJob,
    reading: Reading,
    first: &mut First,
    out: Sender<Feed>,
) -> JoinHandle<()> {
    let Reading {
        done,
        unloaded,
        names,
    } = reading;
    let (dataset, plan) = (Arc::clone(&job.dataset), Arc::clone(&job.plan));
    let (stop, clock) = (context.stop.clone(), Arc::clone(&context.clock));
    let losers = std::mem::take(&mut first.losers);
    if first.tree.is_none()
        && let Some(kept) = first.kept.take()
    {
        let rereader = Rereader {
            dataset,
            plan,
            losers,
            kept,
            done,
            names,
            stop,
            clock,
        };
        return spawn_blocking(move || rereader.run(&out));
    }
    let feeder = Feeder {
        dataset,
        plan,
        losers,
        recalled: first.kept.take().map(|kept| kept.recalled),
        behind: Behind::of(first.tree.take(), unloaded, &context.spool),
        done,
        hold: first.hold.clone(),
        names,
        stop,
        clock,
    };
    spawn_blocking(move || feeder.run(&out))
}

/// What was confirmed before, for a stage that leaves out what has not changed; `None` where nothing was.
fn memory(context: &Context, header: &StageHeader) -> Result<Option<Memory>, LedgerError> {
    if context.full || !is_remembered(header.entity) {
        return Ok(None);
    }
    let memory = context
        .ledger
        .memory(header.entity, header.shape.as_ref())?;
    Ok(if memory.is_empty()? {
        None
    } else {
        Some(memory)
    })
}

/// Whether the content of such records is remembered.
fn is_remembered(entity: Entity) -> bool {
    match entity {
        Entity::Customer | Entity::Organization | Entity::Entitlement => true,
        Entity::Product | Entity::DetailField => false,
    }
}

/// Whether records are listed that are no longer in the input, where that is asked for.
fn lists_gone(entity: Entity) -> bool {
    match entity {
        Entity::Customer | Entity::Organization => true,
        Entity::Product | Entity::DetailField | Entity::Entitlement => false,
    }
}

/// Looks names up on the site, from a thread that may block.
pub(super) struct SiteNames {
    pub(super) resolver: Resolver,
    pub(super) context: Arc<Context>,
    pub(super) handle: Handle,
    pub(super) stage: u32,
    pub(super) create: bool,
}

impl Names for SiteNames {
    fn ensure(
        &mut self,
        draft: &Draft,
        sent: &dyn Fn(RowId) -> bool,
    ) -> Result<&References, SurveyError> {
        let sent = self.create.then_some(sent);
        let asking = self.context.asking();
        let asked = self.resolver.ensure_all(asking, self.stage, draft, sent);
        self.handle.block_on(asked)?;
        Ok(self.resolver.references())
    }

    fn organizations(&mut self, names: Vec<String>) -> Result<&Known, SurveyError> {
        let kind = RefKind::Organization;
        let asked = self
            .resolver
            .ensure(self.context.asking(), self.stage, kind, names, None);
        self.handle.block_on(asked)?;
        Ok(&self.resolver.references().organizations)
    }

    fn settled(&self) -> Option<Settled> {
        Some(self.resolver.settled(self.create))
    }

    fn learned(&self) -> u64 {
        self.resolver.learned()
    }
}
