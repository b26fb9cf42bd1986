//! A run: its stages one after the other, each settled before the next begins.

use super::batcher::BatchLimits;
use super::context::{Context, random};
use super::definitions;
use super::driver::{self, DriveError, Sent};
use super::entitlements;
use super::feed::{Feed, Feeder};
use super::gone::{self, Seen};
use super::hierarchy::{Behind, Tree};
use super::lately::Lately;
use super::limits::MaxErrors;
use super::message::{CallsOf, Recovered, StageConfig};
use super::publish::{self, PublishError, Published};
use super::recall::Recall;
use super::rejected::RejectedSpill;
use super::reread::{Kept, Rereader};
use super::resolve::Resolver;
use super::resume::{Before, take_up};
use super::seen::Target;
use super::settled::Settled;
use super::standing::standing;
use super::state::Engine;
use super::survey::{Names, SurveyError, Surveyor, in_order};
use super::{single, verify};
use crate::api::contract::{self, BulkEndpoint, Contract, Name};
use crate::api::fold;
use crate::dedupe::{Decided, Losers, Policy};
use crate::ledger::record::{Record, Shape, StageHeader};
use crate::ledger::{LedgerError, Memory, OpenBatch, RowSet};
use crate::mapping::{Draft, Known, Plan, RefKind, References};
use crate::model::cause::chain;
use crate::model::entity::{Entity, Operation};
use crate::model::event::{Gone, Phase, RunEvent, StageSummary, Travelled};
use crate::model::outcome::{Counts, Status};
use crate::model::row::{PreparedRow, RowId};
use crate::report::results::ResultsHeader;
use crate::source::{Dataset, RecordedSource, RowCells, digest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{JoinHandle, spawn_blocking};

/// Stretches of input that may wait for the driver.
const FEED: usize = 1;

/// One stage, opened and compiled.
#[derive(Clone)]
pub struct StageJob {
    /// The input.
    pub dataset: Arc<Dataset>,
    /// How rows are mapped.
    pub plan: Arc<Plan>,
    /// Digest of the mapping file.
    pub mapping: u128,
    /// What happens to rows that share a key.
    pub duplicates: Policy,
    /// Where the results go.
    pub results: PathBuf,
    /// Whether results hold the source's columns.
    pub with_source: bool,
    /// Whether records are listed that were loaded before and that the input no longer has: of customers and organizations.
    pub gone: bool,
    /// What else shapes its rows and batches, by name, as a person wrote it.
    pub settings: BTreeMap<String, String>,
    /// The mapping file.
    pub mapping_path: PathBuf,
    /// What opens the input again in another run, where that can be.
    pub source: Option<RecordedSource>,
    /// Of a retry: what it retries.
    pub retries: Option<Retried>,
}

/// Which rows a retry loads again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retried {
    /// The stage of the run it retries, whose row numbers it uses.
    pub stage: u32,
    /// How many they are, and a digest of their numbers: a run that stopped is continued only with the same rows.
    pub rows: (u64, u64),
}

impl StageJob {
    /// What the stage writes, as far as its records and single calls are concerned.
    #[must_use]
    pub fn target(&self, stage: u32) -> Target {
        let plan = &self.plan;
        Target {
            stage,
            entity: plan.entity(),
            family: plan.family(),
            asked: plan.asked(),
            key_detail: plan.key_detail().map(str::to_owned),
        }
    }

    /// What the ledger keeps of the stage: what it reads, how it maps, what it writes. Blocks: it reads the inputs.
    ///
    /// # Errors
    /// When an input cannot be read.
    pub fn header(&self, stage: u32) -> Result<StageHeader, RunError> {
        // rows that were kept stand in one file, whichever they came from
        let mut last: Option<(&Path, u128)> = None;
        let files = self.dataset.files().iter().map(|file| {
            let digest = match last {
                Some((path, digest)) if path == file.path => digest,
                _ => digest::file(&file.path).map_err(|source| RunError::Io {
                    doing: format!("read {}", file.name),
                    source,
                })?,
            };
            last = Some((&file.path, digest));
            Ok((file.name.clone(), file.bytes, digest))
        });
        let files = files.collect::<Result<_, RunError>>()?;
        let mut settings = self.settings.clone();
        settings.insert("duplicates".into(), self.duplicates.name().into());
        if let Some(Retried { rows, .. }) = &self.retries {
            let (count, digest) = rows;
            settings.insert("choice of rows".into(), format!("{count} ({digest:016x})"));
        }
        let mapping_path = absolute(&self.mapping_path);
        // a source is plain data: it can be written
        let source = self
            .source
            .as_ref()
            .and_then(|source| source.to_json().ok());
        let (entity, family) = (self.plan.entity(), self.plan.family());
        Ok(StageHeader {
            stage,
            entity,
            operation: self.plan.asked(),
            mapping: self.mapping,
            results: Some(absolute(&self.results).display().to_string()),
            files,
            settings,
            shape: Some(Shape {
                mapping: self.mapping,
                family: family.name().to_owned(),
                fields: self.plan.writes(),
            }),
            retries: self.retries.as_ref().map(|retried| retried.stage),
            source,
            mapping_path: Some(mapping_path.display().to_string()),
        })
    }
}

/// The same place from any folder.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Why a run ended before its results were written.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Sending cannot go on.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// Results cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A file in the state folder cannot be written or an input cannot be read.
    #[error("failed to {doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// What an earlier run has under way could not be brought to its end.
    #[error(
        "{0}; what an earlier run has under way is not settled yet: mend this, then load again"
    )]
    Unsettled(String),
    /// A thread of ours ended by a defect.
    #[error("a worker ended unexpectedly: {0}; this is a defect, please report it")]
    Worker(#[from] tokio::task::JoinError),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// All rows by status.
    pub counts: Counts,
    /// Why it stopped early.
    pub stopped: Option<String>,
    /// The site refused our credentials before it accepted anything.
    pub never_let_in: bool,
}

/// Runs the stages in order, each with its header; what the ledger has of them is taken up. A stop leaves every row of
/// every stage with an outcome.
///
/// # Errors
/// When the ledger or a results file cannot be written.
pub async fn run(
    context: &Arc<Context>,
    stages: &[(StageJob, StageHeader)],
) -> Result<RunEnd, RunError> {
    let started = Instant::now();
    let mut counts = Counts::default();
    let (mut broken_off, mut suspended) = (false, false);
    let lately = Lately::new(Arc::clone(context));
    for (job, header) in stages {
        let (summary, sent) = run_stage(context, &lately, job, header).await?;
        for status in Status::ALL {
            counts.add(status, summary.counts.of(status));
        }
        broken_off |= sent.broken_off;
        suspended |= sent.suspended;
        context.audience.tell(&RunEvent::StageFinished { summary });
    }
    // a stop that came when all was decided stopped nothing
    let early = broken_off || counts.of(Status::NotSent) + counts.of(Status::Unconfirmed) > 0;
    let stopped = context.stop.why().filter(|_| early).map(str::to_owned);
    let at = context.clock.unix_millis();
    driver::write(
        context,
        vec![Record::RunFinished {
            at,
            // with every row decided there is nothing to continue
            stopped: stopped
                .clone()
                .filter(|_| broken_off || suspended || counts.of(Status::NotSent) > 0),
        }],
    )
    .await?;
    let took = started.elapsed();
    context.audience.tell(&RunEvent::RunFinished {
        counts,
        stopped: stopped.clone(),
        took,
    });
    let never_let_in = context.stop.never_let_in();
    Ok(RunEnd {
        counts,
        stopped,
        never_let_in,
    })
}

async fn run_stage(
    context: &Arc<Context>,
    lately: &Lately,
    job: &StageJob,
    header: &StageHeader,
) -> Result<(StageSummary, Sent), RunError> {
    let started = Instant::now();
    let stage = header.stage;
    let entity = job.plan.entity();
    let files = job.dataset.files().len();
    context.audience.tell(&RunEvent::StageStarted {
        stage,
        entity,
        files,
    });
    driver::write(context, vec![Record::StageStarted(header.clone())]).await?;
    let details = job.plan.detail_names();
    let so_far = match take_up(context, entity, stage, details).await? {
        Before::Open(so_far) => *so_far,
        Before::Finished(counts) => {
            let summary = StageSummary {
                stage,
                entity,
                counts,
                top_codes: Vec::new(),
                results: header.results.clone(),
                requests: 0,
                travelled: Travelled::default(),
                sent_again: 0,
                gone: None,
                took: started.elapsed(),
            };
            return Ok((summary, Sent::default()));
        }
    };

    let names = SiteNames {
        resolver: Resolver::new(&job.plan).after(lately.clone(), context.clock.instant()),
        context: Arc::clone(context),
        handle: Handle::current(),
        stage,
        create: false,
    };
    let (mut first, names) = first_reading(context, header, job, names).await?;
    if first.rows.is_some() {
        let rows = first.file_rows.clone();
        driver::write(context, vec![Record::StageRead { stage, rows }]).await?;
    }

    context.audience.tell(&RunEvent::PhaseStarted {
        stage,
        phase: Phase::Sending,
    });
    let (sender, feed) = channel(FEED);
    let names = SiteNames {
        create: first.hold.is_none(),
        ..names
    };
    let reading = Reading {
        done: so_far.done,
        unloaded: so_far.unloaded,
        names,
    };
    let reader = second_reading(context, job, reading, &mut first, sender);
    // the verdict on errors may have fallen already; then the second reading only writes them down
    let max_errors = context.max_errors.filter(|_| first.hold.is_none());
    let left = Left {
        recovered: so_far.recovered,
        begun: so_far.begun,
        definitions: so_far.definitions,
        rows: first.rows,
        max_errors,
    };
    let sent = send(context, job, stage, left, feed).await;
    if let Err(error) = &sent {
        context.stop.set(error.to_string());
    }
    reader.await?;
    let sent = sent?;
    if let Some(why) = first.hold {
        context.stop.set(why);
    }

    let published = write_results(context, stage, job, sent, header).await?;
    let gone = match first.seen {
        Some(seen) => Some(list_gone(context, header, job, seen).await?),
        None => None,
    };
    // what was not read to its end is not finished, though all that was read is decided
    if first.rows.is_some() && !sent.broken_off {
        let at = context.clock.unix_millis();
        driver::write(context, vec![Record::StageFinished { stage, at }]).await?;
    }
    let summary = StageSummary {
        stage,
        entity,
        counts: published.counts,
        travelled: published.travelled,
        top_codes: published.top_codes,
        results: Some(job.results.display().to_string()),
        requests: sent.requests,
        sent_again: sent.again,
        gone,
        took: started.elapsed(),
    };
    Ok((summary, sent))
}

/// What is left to be sent of a stage.
struct Left {
    recovered: Recovered,
    /// Rows that a call may have been made for.
    begun: RowSet,
    /// Requests for definitions that are not decided.
    definitions: Vec<OpenBatch>,
    rows: Option<u64>,
    max_errors: Option<MaxErrors>,
}

/// Sends the rows of `feed` the way that their kind of record takes.
async fn send(
    context: &Arc<Context>,
    job: &StageJob,
    stage: u32,
    left: Left,
    feed: Receiver<Feed>,
) -> Result<Sent, DriveError> {
    let entity = job.plan.entity();
    let Left {
        recovered,
        begun,
        definitions,
        rows,
        max_errors,
    } = left;
    if let Some(endpoint) = contract::bulk_endpoint(entity, job.plan.family()) {
        let target = job.target(stage);
        let config = stage_config(context, job, &target, endpoint, rows, max_errors);
        let mut engine = Engine::new(config);
        if job.plan.has_parents() {
            engine.follow_parents();
        }
        let route = driver::Route {
            target: Arc::new(target),
            endpoint,
        };
        return driver::bulk(context, route, engine, recovered, feed, rows).await;
    }
    let so_far = driver::SoFar {
        counts: recovered.counts,
        last: recovered.last,
        begun,
        definitions,
    };
    let operation = job.plan.operation();
    let mut sent = if entity == Entity::DetailField {
        definitions::drive(context, stage, max_errors, so_far, feed, rows).await?
    } else if entity == Entity::Entitlement {
        entitlements::drive(context, stage, operation, max_errors, so_far, feed, rows).await?
    } else {
        driver::single(context, stage, operation, max_errors, so_far, feed, rows).await?
    };
    // calls that got no answer before a stop: whoever goes on looks what became of them
    sent.suspended = context.stop.why().is_some() && sent.counts.of(Status::Unconfirmed) > 0;
    Ok(sent)
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

/// Lists what was loaded before and is not in the input.
async fn list_gone(
    context: &Context,
    header: &StageHeader,
    job: &StageJob,
    seen: Seen,
) -> Result<Gone, RunError> {
    let memory = context
        .ledger
        .memory(header.entity, header.shape.as_ref())?;
    let results = job.results.clone();
    spawn_blocking(move || gone::list(&memory, seen, &results)).await?
}

/// What the first reading found.
struct First {
    /// Rows of the input, when it was read to its end.
    rows: Option<u64>,
    /// The same by file.
    file_rows: Vec<u64>,
    /// Rows that lose to another one.
    losers: Losers,
    /// Which rows the site holds as they are, where that is known and something is sent.
    kept: Option<Kept>,
    /// Why nothing of the stage may be sent, though its rows are good to be mapped.
    hold: Option<String>,
    /// The keys of all rows, where what is gone is asked for.
    seen: Option<Seen>,
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
async fn first_reading(
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
struct Reading {
    /// Rows that an interrupted run decided, or has under way.
    done: RowSet,
    /// Those whose records the site is not known to hold.
    unloaded: RowSet,
    names: SiteNames,
}

/// Starts the second reading: of all rows, or, where no row goes out behind another, of those that have changed.
fn second_reading(
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

fn stage_config(
    context: &Context,
    job: &StageJob,
    target: &Target,
    endpoint: BulkEndpoint,
    rows: Option<u64>,
    max_errors: Option<MaxErrors>,
) -> StageConfig {
    StageConfig {
        stage: target.stage,
        route: context.route,
        requests_per_second: context.requests_per_second,
        points_an_hour: context.client.points_an_hour(),
        expected_rows: rows.unwrap_or(0),
        calls: calls(context.client.contract(), target),
        single_in_flight: context.single_in_flight.get(),
        verify: context.verify,
        findable: verify::can_find(context.client.contract(), target).is_ok(),
        associates: associates(context.client.contract()),
        resend: true,
        batches: batch_limits(context, endpoint),
        nonce: context.nonce,
        key_lifetime: context.client.contract().key_lifetime,
        slots: context.slots,
        most_slots: context.client.contract().task_limit,
        polls_per_second: context.polls_per_second,
        max_errors,
        details: job.plan.detail_names().to_vec(),
        fold: fold_of(job.plan.entity()),
        random: Box::new(random),
    }
}

/// How many calls write a row by itself. A customer that may be on the site under an id that nobody can find is written
/// by bulk requests alone; so is one that may be there and is to belong to an organization, unless calls may see to that.
fn calls(contract: &Contract, target: &Target) -> CallsOf {
    let creates = target.asked == Operation::Create.into();
    let sure = creates || verify::can_find(contract, target).is_ok();
    let joins = creates || contract.membership;
    let (contract, target) = (contract.clone(), target.clone());
    let joining = format!("\"{}\":", contract.name(Name::AssociateOrganizations));
    Box::new(move |row| {
        let can = sure && (joins || !row.item.as_str().contains(&joining));
        can.then(|| f64::from(single::calls_of(&contract, &target, &row.item, None)))
    })
}

/// Whether a row's payload names organizations or products. A value that reads like their key is taken for it, which
/// costs a reading.
pub(super) fn associates(contract: &Contract) -> Box<dyn Fn(&PreparedRow) -> bool + Send> {
    let names = [Name::AssociateOrganizations, Name::AssociateProducts];
    let keys = names.map(|name| format!("\"{}\":", contract.name(name)));
    Box::new(move |row| {
        let item = row.item.as_str();
        keys.iter().any(|key| item.contains(key.as_str()))
    })
}

/// The caps of an endpoint's requests.
pub(super) fn batch_limits(context: &Context, endpoint: BulkEndpoint) -> BatchLimits {
    let list_key = endpoint.list.in_contract(context.client.contract());
    BatchLimits {
        list_key: list_key.to_owned().into(),
        items: endpoint.max_items,
        operations: endpoint.max_operations,
        bytes: contract::MAX_BODY_BYTES,
    }
}

/// How natural keys of an entity are compared.
pub(super) fn fold_of(entity: Entity) -> fn(&str) -> String {
    match entity {
        Entity::Customer => |text| fold::email(text).into_owned(),
        Entity::Organization | Entity::Product | Entity::DetailField | Entity::Entitlement => {
            |text| fold::name(text).into_owned()
        }
    }
}

async fn write_results(
    context: &Arc<Context>,
    stage: u32,
    job: &StageJob,
    sent: Sent,
    stage_header: &StageHeader,
) -> Result<Published, RunError> {
    context.audience.tell(&RunEvent::PhaseStarted {
        stage,
        phase: Phase::Writing,
    });
    let (shared, job) = (Arc::clone(context), job.clone());
    let digests: Vec<_> = stage_header.files.iter().map(|file| file.2).collect();
    let published = spawn_blocking(move || {
        let mut source_columns = Vec::new();
        if job.with_source {
            if publish::unchanged(&job.dataset, &digests) {
                let columns = job.dataset.schema().columns();
                source_columns = columns.iter().map(|(name, _)| name.clone()).collect();
            } else {
                let message =
                    "an input changed while it was loaded: results are written without its columns";
                shared.audience.notice(stage, message.into());
            }
        }
        let header = ResultsHeader {
            run: shared.run.clone(),
            entity: job.plan.entity(),
            operation: job.plan.asked(),
            source_columns,
        };
        let files = job.dataset.files().iter();
        let files: Vec<_> = files.map(|file| file.name.as_str()).collect();
        let cells = (!header.source_columns.is_empty()).then(|| RowCells::new(&job.dataset));
        publish::publish(
            &shared,
            stage,
            &files,
            &header,
            cells,
            &job.results,
            // where reading broke off, rows behind that point may have been decided before
            Some(sent.records).filter(|_| !sent.broken_off),
        )
    })
    .await??;
    Ok(published)
}

/// Looks names up on the site, from a thread that may block.
struct SiteNames {
    resolver: Resolver,
    context: Arc<Context>,
    handle: Handle,
    stage: u32,
    create: bool,
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
