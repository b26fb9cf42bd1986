//! A run: its stages one after the other, each settled before the next begins.

use super::config::stage_config;
use super::context::Context;
use super::definitions;
use super::driver::{self, DriveError, Sent};
use super::entitlements;
use super::feed::Feed;
use super::gone::{self, Seen};
use super::job::StageJob;
use super::lately::Lately;
use super::limits::MaxErrors;
use super::message::Recovered;
use super::publish::{self, PublishError, Published};
use super::readings::{Reading, SiteNames, first_reading, second_reading};
use super::resolve::Resolver;
use super::resume::{Before, take_up};
use super::state::Engine;
use crate::api::contract::{self};
use crate::ledger::record::{Record, StageHeader};
use crate::ledger::{LedgerError, OpenBatch, RowSet};
use crate::model::entity::Entity;
use crate::model::event::{Gone, Phase, RunEvent, StageSummary, Travelled};
use crate::model::outcome::{Counts, Status};
use crate::report::results::ResultsHeader;
use crate::source::RowCells;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::spawn_blocking;

/// Stretches of input that may wait for the driver.
const FEED: usize = 1;

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
    // stages follow each other: what is sent until the end of this one is its own
    let before = context.client.writes();
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
                write_requests: 0,
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
        write_requests: context.client.writes() - before,
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
