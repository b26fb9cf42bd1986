//! A run: its stages one after the other, each settled before the next begins.

use super::batcher::BatchLimits;
use super::context::{Context, random};
use super::definitions;
use super::driver::{self, DriveError, Sent};
use super::feed::Feeder;
use super::limits::MaxErrors;
use super::message::StageConfig;
use super::publish::{self, PublishError};
use super::resolve::Resolver;
use super::state::Engine;
use super::survey::{Names, Survey, SurveyError, Surveyor, each_once};
use crate::api::contract::{self, BulkEndpoint};
use crate::api::fold;
use crate::dedupe::{Decisions, Policy};
use crate::ledger::LedgerError;
use crate::ledger::record::{Record, StageHeader};
use crate::mapping::{Draft, Plan, RefKind, References};
use crate::model::cause::chain;
use crate::model::entity::Entity;
use crate::model::event::{Phase, RunEvent, StageSummary};
use crate::model::outcome::{Counts, Status};
use crate::model::row::RowId;
use crate::report::results::ResultsHeader;
use crate::source::{Dataset, digest};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::mpsc::channel;
use tokio::task::spawn_blocking;

/// Stretches of input that may wait for the driver.
const FEED: usize = 2;

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

/// Runs the stages in order. A stop leaves every row of every stage with an outcome.
///
/// # Errors
/// When the ledger or a results file cannot be written.
pub async fn run(context: &Arc<Context>, stages: &[StageJob]) -> Result<RunEnd, RunError> {
    let started = Instant::now();
    let mut counts = Counts::default();
    let mut broken_off = false;
    for (stage, job) in (0_u32..).zip(stages) {
        let (summary, summary_broken) = run_stage(context, stage, job).await?;
        for status in Status::ALL {
            counts.add(status, summary.counts.of(status));
        }
        broken_off |= summary_broken;
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
            stopped: stopped.clone(),
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
    stage: u32,
    job: &StageJob,
) -> Result<(StageSummary, bool), RunError> {
    let started = Instant::now();
    let (entity, operation) = (job.plan.entity(), job.plan.operation());
    let files = job.dataset.files().len();
    context.audience.tell(&RunEvent::StageStarted {
        stage,
        entity,
        files,
    });
    let digests = begin(context, stage, job).await?;

    let names = SiteNames {
        resolver: Resolver::new(&job.plan),
        context: Arc::clone(context),
        handle: Handle::current(),
        stage,
        create: false,
    };
    let (first, names) = first_reading(context, stage, job, names).await?;
    if let Some(rows) = first.rows {
        driver::write(context, vec![Record::StageRead { stage, rows }]).await?;
    }

    context.audience.tell(&RunEvent::PhaseStarted {
        stage,
        phase: Phase::Sending,
    });
    let (sender, feed) = channel(FEED);
    let feeder = Feeder {
        dataset: Arc::clone(&job.dataset),
        plan: Arc::clone(&job.plan),
        decisions: first.decisions,
        hold: first.hold.clone(),
        names: SiteNames {
            create: first.hold.is_none(),
            ..names
        },
        stop: context.stop.clone(),
        clock: Arc::clone(&context.clock),
    };
    let reader = spawn_blocking(move || feeder.run(&sender));
    // the verdict on errors may have fallen already; then the second reading only writes them down
    let max_errors = context.max_errors.filter(|_| first.hold.is_none());
    let sent = match contract::bulk_endpoint(entity, job.plan.family()) {
        Some(endpoint) => {
            let engine = Engine::new(stage_config(context, stage, job, endpoint, max_errors));
            driver::bulk(context, stage, entity, endpoint, engine, feed, first.rows).await
        }
        None if entity == Entity::DetailField => {
            definitions::drive(context, stage, max_errors, feed, first.rows).await
        }
        None => driver::single(context, stage, operation, max_errors, feed, first.rows).await,
    };
    if let Err(error) = &sent {
        context.stop.set(error.to_string());
    }
    reader.await?;
    let sent = sent?;
    if let Some(why) = first.hold {
        context.stop.set(why);
    }

    let (counts, top_codes) = write_results(context, stage, job, sent, digests).await?;
    let at = context.clock.unix_millis();
    driver::write(context, vec![Record::StageFinished { stage, at }]).await?;
    let summary = StageSummary {
        stage,
        entity,
        counts,
        top_codes,
        results: Some(job.results.display().to_string()),
        requests: sent.requests,
        took: started.elapsed(),
    };
    Ok((summary, sent.broken_off))
}

/// Writes the stage's header; gives the digests of its inputs.
async fn begin(context: &Arc<Context>, stage: u32, job: &StageJob) -> Result<Vec<u128>, RunError> {
    let dataset = Arc::clone(&job.dataset);
    let digests = spawn_blocking(move || {
        dataset
            .files()
            .iter()
            .map(|file| {
                digest::file(&file.path).map_err(|source| RunError::Io {
                    doing: format!("read {}", file.name),
                    source,
                })
            })
            .collect::<Result<Vec<_>, _>>()
    })
    .await??;
    let files = job.dataset.files().iter().zip(&digests);
    let header = StageHeader {
        stage,
        entity: job.plan.entity(),
        operation: job.plan.asked(),
        mapping: job.mapping,
        results: Some(job.results.display().to_string()),
        files: files
            .map(|(file, digest)| (file.name.clone(), file.bytes, *digest))
            .collect(),
        settings: [("duplicates".to_owned(), job.duplicates.name().to_owned())].into(),
        shape: None,
        retries: None,
    };
    driver::write(context, vec![Record::StageStarted(header)]).await?;
    Ok(digests)
}

/// What the first reading found.
struct First {
    /// Rows of the input, when it was read to its end.
    rows: Option<u64>,
    decisions: Decisions,
    /// Why nothing of the stage may be sent, though its rows are good to be mapped.
    hold: Option<String>,
}

impl First {
    /// It did not come to its end.
    fn broken_off() -> Self {
        Self {
            rows: None,
            decisions: Decisions::none(),
            hold: None,
        }
    }
}

/// Reads everything once. A stop, damage or a silent site ends in no decisions: the second reading then writes
/// every row down as not sent.
async fn first_reading(
    context: &Arc<Context>,
    stage: u32,
    job: &StageJob,
    mut names: SiteNames,
) -> Result<(First, SiteNames), RunError> {
    if context.stop.why().is_some() {
        return Ok((First::broken_off(), names));
    }
    let (shared, job) = (Arc::clone(context), job.clone());
    let (surveyed, names) = spawn_blocking(move || {
        let surveyor = Surveyor {
            stage,
            dataset: &job.dataset,
            plan: &job.plan,
            spool: &shared.spool,
            audience: &shared.audience,
            stop: &shared.stop,
        };
        surveyor.begin();
        let surveyed = surveyor.run(&mut names, |_| Ok(())).and_then(|survey| {
            let Survey {
                rows,
                rejected,
                keys,
            } = survey;
            Ok((rows, rejected, keys.decide(job.duplicates, &shared.spool)?))
        });
        (surveyed, names)
    })
    .await?;
    let first = match surveyed {
        Ok((rows, rejected, decisions)) => {
            let most = context
                .max_errors
                .filter(|most| most.exceeded(rejected, rows));
            let hold = most.map(|most| {
                format!(
                    "{rejected} of {rows} rows were rejected, more than --max-errors {most} allows; nothing of \
                     this stage was sent"
                )
            });
            First {
                rows: Some(rows),
                decisions,
                hold,
            }
        }
        Err(SurveyError::Spill(source)) => {
            return Err(RunError::Io {
                doing: "write the spill of natural keys".into(),
                source,
            });
        }
        Err(error @ (SurveyError::Source(_) | SurveyError::Site(_) | SurveyError::Stopped(_))) => {
            context.stop.set(chain(&error));
            First::broken_off()
        }
    };
    Ok((first, names))
}

fn stage_config(
    context: &Context,
    stage: u32,
    job: &StageJob,
    endpoint: BulkEndpoint,
    max_errors: Option<MaxErrors>,
) -> StageConfig {
    StageConfig {
        stage,
        batches: BatchLimits {
            list_key: endpoint
                .list
                .in_contract(context.client.contract())
                .to_owned()
                .into(),
            items: endpoint.max_items,
            operations: endpoint.max_operations,
            bytes: contract::MAX_BODY_BYTES,
        },
        nonce: context.nonce,
        slots: context.slots,
        most_slots: context.client.contract().task_limit,
        max_errors,
        details: job.plan.detail_names().to_vec(),
        fold: match job.plan.entity() {
            Entity::Customer => |text| fold::email(text).into_owned(),
            Entity::Organization | Entity::Product | Entity::DetailField => {
                |text| fold::name(text).into_owned()
            }
        },
        random: Box::new(random),
    }
}

async fn write_results(
    context: &Arc<Context>,
    stage: u32,
    job: &StageJob,
    sent: Sent,
    digests: Vec<u128>,
) -> Result<(Counts, Vec<crate::model::event::CodeCount>), RunError> {
    context.audience.tell(&RunEvent::PhaseStarted {
        stage,
        phase: Phase::Writing,
    });
    let (shared, job) = (Arc::clone(context), job.clone());
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
        publish::publish(
            &shared,
            stage,
            &job.dataset,
            &header,
            &job.results,
            sent.records,
        )
    })
    .await??;
    Ok((published.counts, published.top_codes))
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
        for kind in RefKind::ALL {
            if self.resolver.wanted(kind) {
                let names = each_once(draft.names(kind));
                let create = self
                    .create
                    .then(|| each_once(draft.names_of_sound_rows(kind, sent)));
                let asked = self
                    .resolver
                    .ensure(&self.context, self.stage, kind, names, create);
                self.handle.block_on(asked)?;
            }
        }
        Ok(self.resolver.references())
    }
}
