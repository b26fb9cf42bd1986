//! Ending a run that another one takes the place of: what it has under way is waited for, what it has not sent is
//! written down as such, and its results are written. Nothing new is sent.

use super::config::{associates, batch_limits, fold_of};
use super::context::{Context, random};
use super::definitions;
use super::driver;
use super::feed::Feed;
use super::limits::{TaskSlots, Verify};
use super::outcome::not_sent;
use super::publish;
use super::resume::{called, undecided};
use super::route::Wish;
use super::run::RunError;
use super::seen::Target;
use super::state::Engine;
use super::verify;
use crate::api::contract::{self, Name};
use crate::ledger::record::Record;
use crate::ledger::{OpenBatch, RowSet, StageInfo, StageProgress};
use crate::model::code::Code;
use crate::model::entity::Family;
use crate::model::event::{Phase, RunEvent};
use crate::model::outcome::{Counts, Route, RowOutcome, Status};
use crate::model::row::{FileId, Reason, RowId, RowRef};
use crate::model::slice::Slice;
use crate::report::results::ResultsHeader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc::channel;
use tokio::task::spawn_blocking;

/// Rows that are written down at once.
const STRETCH: usize = 8_192;

/// A stage of the run that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Rows by status.
    pub counts: Counts,
    /// Where its results are.
    pub results: PathBuf,
}

/// Ends the run that `context` writes, all but its record: the run that takes its place closes it as it begins. `results` says where those of a stage go, `key_detail` which detail field holds its key; `why` is told to rows that were not sent.
///
/// # Errors
/// When the ledger or a results file cannot be written.
pub async fn settle(
    context: &Arc<Context>,
    stages: &[StageInfo],
    results: impl Fn(&StageInfo) -> PathBuf,
    key_detail: impl Fn(&StageInfo) -> Option<String>,
    why: &str,
) -> Result<Vec<Ended>, RunError> {
    let mut ended = Vec::new();
    for stage in stages {
        let path = results(stage);
        let settled = settle_stage(context, stage, &path, key_detail(stage), why).await?;
        // a site that does not answer, or an interrupt: what is under way stays for the next time
        if let Some(why) = context.stop.why() {
            return Err(RunError::Unsettled(why.to_owned()));
        }
        if let Some(counts) = settled {
            ended.push(Ended {
                counts,
                results: path,
            });
        }
    }
    Ok(ended)
}

/// `None` for a stage of which no row is known.
async fn settle_stage(
    context: &Arc<Context>,
    stage: &StageInfo,
    path: &Path,
    key_detail: Option<String>,
    why: &str,
) -> Result<Option<Counts>, RunError> {
    let number = stage.header.stage;
    let shared = Arc::clone(context);
    let read = move || shared.ledger.reader()?.progress(&shared.run, number);
    let Some(progress) = spawn_blocking(read).await?? else {
        return Ok(None);
    };
    let finished = progress.info.finished_at.is_some();
    let mut done = progress.decided.clone();
    for row in progress.undecided.iter().flat_map(|open| open.rows.iter()) {
        done.insert(row.row.id);
    }
    let mut counts = progress.counts;
    if !finished {
        counts = finish_requests(context, stage, key_detail, progress, &mut done).await?;
        counts = write_rest(context, stage, &done, why, counts).await?;
    }
    let written = stage.header.results.as_deref().map(Path::new);
    if counts.total() == 0 || (finished && written == Some(path)) {
        return Ok(None);
    }
    let (shared, header, path) = (Arc::clone(context), stage.header.clone(), path.to_owned());
    let published = spawn_blocking(move || {
        let files: Vec<_> = header.files.iter().map(|file| file.0.as_str()).collect();
        let results = ResultsHeader {
            run: shared.run.clone(),
            entity: header.entity,
            operation: header.operation,
            source_columns: Vec::new(),
        };
        publish::publish(&shared, header.stage, &files, &results, None, &path, None)
    });
    let counts = published.await??.counts;
    let at = context.clock.unix_millis();
    if !finished {
        let record = Record::StageFinished { stage: number, at };
        driver::write(context, vec![record]).await?;
    }
    Ok(Some(counts))
}

/// Waits for the requests that are under way, and sends again those that may not have arrived; looks for what single calls
/// may have written.
async fn finish_requests(
    context: &Arc<Context>,
    stage: &StageInfo,
    key_detail: Option<String>,
    progress: StageProgress,
    done: &mut RowSet,
) -> Result<Counts, RunError> {
    let (number, entity) = (stage.header.stage, stage.header.entity);
    let family = stage.header.shape.as_ref().and_then(|shape| {
        let mut all = Family::ALL.into_iter();
        all.find(|family| family.name() == shape.family)
    });
    let endpoint =
        family.and_then(|family| Some((contract::bulk_endpoint(entity, family)?, family)));
    let mut counts = progress.counts;
    let (calls, last) = (progress.called.clone(), progress.last_batch);
    if let Some(endpoint) = endpoint {
        context.audience.tell(&RunEvent::PhaseStarted {
            stage: number,
            phase: Phase::Sending,
        });
        let contract = context.client.contract();
        let id_key = contract.name(Name::OrganizationDetailsId);
        let now = context.clock.unix_millis();
        let target = Target {
            stage: number,
            entity,
            family: endpoint.1,
            asked: stage.header.operation,
            key_detail,
        };
        let endpoint = endpoint.0;
        let engine = Engine::new(super::message::StageConfig {
            stage: number,
            route: Wish::Bulk,
            requests_per_second: context.requests_per_second,
            points_an_hour: None,
            expected_rows: 0,
            calls: Box::new(|_| None),
            single_in_flight: context.single_in_flight.get(),
            verify: Verify::Failed,
            findable: verify::can_find(contract, &target).is_ok(),
            associates: associates(contract),
            resend: false,
            batches: batch_limits(context, endpoint),
            nonce: context.nonce,
            key_lifetime: contract.key_lifetime,
            // what is under way is all there is
            slots: TaskSlots::Fixed(contract.task_limit),
            most_slots: contract.task_limit,
            polls_per_second: context.polls_per_second,
            max_errors: None,
            // without the plan no failure is matched by its field: its rows are unconfirmed instead
            details: Vec::new(),
            fold: fold_of(entity),
            random: Box::new(random),
        });
        let undecided = progress
            .undecided
            .into_iter()
            .map(|open| undecided(entity, open, &[], id_key, now));
        let looked_for = calls.iter().cloned();
        let looked_for = looked_for.filter_map(|call| called(entity, call, id_key));
        let rows: Vec<_> = looked_for.collect();
        for row in &rows {
            done.insert(row.row.id);
        }
        let recovered = super::message::Recovered {
            counts,
            last,
            undecided: undecided.collect(),
            begun: rows.iter().map(|row| row.row.id).collect(),
        };
        let (all, feed) = channel(1);
        let rows = Feed::Rows {
            rows,
            decided: Vec::new(),
            records: 0,
        };
        // its other end is held below
        let _ = all.send(rows).await;
        drop(all);
        let route = driver::Route {
            target: Arc::new(target),
            endpoint,
        };
        let sent = driver::bulk(context, route, engine, recovered, feed, None).await?;
        counts = sent.counts;
    } else {
        counts = settle_definitions(context, number, &progress.undecided, counts).await?;
    }
    // a call that may have been made, of a row that is known by its number alone
    let at = context.clock.unix_millis();
    let called: Vec<_> = calls
        .iter()
        .filter(|call| !done.contains(call.row))
        .map(|call| lost(place(stage, call.row), at))
        .collect();
    for outcome in &called {
        done.insert(outcome.row.id);
    }
    counts.add(Status::Unconfirmed, called.len() as u64);
    write_rows(context, number, called).await?;
    Ok(counts)
}

/// Ends requests for definitions as the site now tells.
async fn settle_definitions(
    context: &Arc<Context>,
    number: u32,
    undecided: &[OpenBatch],
    mut counts: Counts,
) -> Result<Counts, RunError> {
    let mut records = Vec::new();
    for open in undecided {
        let ends = definitions::verdicts(context, number, open).await;
        let at = context.clock.unix_millis();
        let rows = open.rows.iter().map(|sent| lost(sent.row.clone(), at));
        let mut outcomes: Vec<_> = rows.collect();
        for (outcome, (status, reasons)) in outcomes.iter_mut().zip(ends.unwrap_or_default()) {
            (outcome.status, outcome.reasons) = (status, reasons);
        }
        for outcome in &mut outcomes {
            // it may have left; how often is not known
            (outcome.route, outcome.attempts) = (Some(Route::Bulk), 1);
            outcome.batch = Some(open.batch);
            counts.add(outcome.status, 1);
        }
        records.push(Record::Settled {
            stage: number,
            batch: open.batch,
            trace_id: None,
            outcomes,
            at,
        });
    }
    driver::write(context, records).await?;
    Ok(counts)
}

/// Writes every row that is known of by number, and by nothing else, as not sent.
async fn write_rest(
    context: &Context,
    stage: &StageInfo,
    done: &RowSet,
    why: &str,
    mut counts: Counts,
) -> Result<Counts, RunError> {
    // the rows of a retry are not numbered through
    let rows = stage.rows.filter(|_| stage.header.retries.is_none());
    let at = context.clock.unix_millis();
    let left = (1..=rows.unwrap_or(0))
        .map(RowId)
        .filter(|row| !done.contains(*row));
    let mut stretch = Vec::new();
    for row in left {
        stretch.push(not_sent(place(stage, row), why, at));
        if stretch.len() == STRETCH {
            counts.add(Status::NotSent, stretch.len() as u64);
            write_rows(context, stage.header.stage, std::mem::take(&mut stretch)).await?;
        }
    }
    counts.add(Status::NotSent, stretch.len() as u64);
    write_rows(context, stage.header.stage, stretch).await?;
    Ok(counts)
}

async fn write_rows(
    context: &Context,
    stage: u32,
    outcomes: Vec<RowOutcome>,
) -> Result<(), RunError> {
    if outcomes.is_empty() {
        return Ok(());
    }
    Ok(driver::write(context, vec![Record::Rows { stage, outcomes }]).await?)
}

/// A row of which nothing is known but its number: its file follows from the rows of the files before it.
fn place(stage: &StageInfo, row: RowId) -> RowRef {
    let mut last = 0;
    let file = stage.file_rows.iter().position(|rows| {
        last += rows;
        row.0 <= last
    });
    RowRef {
        id: row,
        file: FileId(u32::try_from(file.unwrap_or(0)).unwrap_or(0)),
        line: None,
        key: Slice::owned(""),
    }
}

/// The outcome of a row for which a request may have left, and nobody can tell.
fn lost(row: RowRef, at: i64) -> RowOutcome {
    RowOutcome {
        status: Status::Unconfirmed,
        reasons: vec![Reason {
            code: Code::AnswerLost.into(),
            field: None,
            message: "the run was interrupted before an answer arrived".into(),
        }],
        ..not_sent(row, "", at)
    }
}
