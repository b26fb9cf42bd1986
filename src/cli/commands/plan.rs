//! `csm-loader plan`: what a load would do and take, without a site; and the check that a load does not change too much.

use super::{load, show};
use crate::api::contract::{self, Contract};
use crate::cli::args::LoadArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::open::{Naming, open};
use crate::cli::settings::LoadSettings;
use crate::engine::context::Audience;
use crate::engine::estimate::{self, Cost, Means, Work};
use crate::engine::limits::MaxChanges;
use crate::engine::preview::{Preview, Previewer};
use crate::engine::route::{CallTimes, GUESSED_CALL, Queue, TaskTimes, WORST_ITEM};
use crate::engine::run::StageJob;
use crate::engine::stop::Stop;
use crate::ledger::record::Shape;
use crate::ledger::{Ledger, PastTask, StateFolder};
use crate::model::clock::{Clock, SystemClock};
use crate::model::entity::{Entity, Family, Operation};
use crate::report::forecast::{ForecastSummary, WaySummary, write_forecast};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Single calls that are in flight.
const SINGLE_IN_FLIGHT: usize = 8;

/// Says what a load with these arguments would do.
///
/// # Errors
/// When the settings, the inputs or the ledger cannot be used, or the load would change more than it may.
pub(in crate::cli) fn run(args: &LoadArgs) -> Result<Exit, Failure> {
    let settings = LoadSettings::resolve(args, |name| std::env::var(name).ok())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let state =
        StateFolder::open(&settings.state_dir).map_err(|error| Failure::of(Exit::Input, &error))?;
    let spool = load::spool(&state)?;
    let runtime = load::runtime()?;
    let _entered = runtime.enter();
    let _opening = load::opening(&spool)?;
    let naming = Naming {
        suffix: "results",
        from_job: true,
        date: &load::date(clock.unix_millis()),
        run: "plan",
    };
    let jobs = open(&settings.stages, &spool, &naming, &settings.contract)?;
    // one that is not there is not made
    let ledger = Ledger::open_existing(state).map_err(|error| Failure::of(Exit::Input, &error))?;
    let (audience, _) = show::audience(&args.show, &clock)?;
    let means = Forecaster {
        settings: &settings,
        ledger: ledger.as_ref(),
        spool: &spool,
        clock: &*clock,
        audience: &audience,
    };
    let previews = means.previews(&jobs);
    audience.finish();
    let previews = previews?;
    let mut said = String::new();
    for (job, preview) in jobs.iter().zip(&previews) {
        let past = means.past_tasks(job.plan.entity())?;
        // a string takes all
        let _ = means.write(&mut said, job, preview, &past);
    }
    // a reader that goes away has seen enough
    let _ = io::stdout().write_all(said.as_bytes());
    if let Some(most) = settings.max_changes {
        refuse_surprises(&previews, most)?;
    }
    let all_good = previews.iter().all(|preview| preview.rejected == 0);
    Ok(if all_good { Exit::Done } else { Exit::RowsLeft })
}

/// Refuses a load that would change more than it may. Reads all inputs; nothing has been sent yet.
///
/// # Errors
/// When it would, or an input or the ledger cannot be read.
pub(super) fn hold_to(
    most: MaxChanges,
    forecaster: &Forecaster<'_>,
    jobs: &[StageJob],
) -> Result<(), Failure> {
    let previews = forecaster.previews(jobs)?;
    refuse_surprises(&previews, most)
}

fn refuse_surprises(previews: &[Preview], most: MaxChanges) -> Result<(), Failure> {
    let changes = previews.iter().map(Preview::changes).sum();
    let rows = previews.iter().map(|preview| preview.rows).sum();
    if !most.exceeded(changes, rows) {
        return Ok(());
    }
    let open = if previews.iter().any(|preview| preview.names_open) {
        " (rows that name organizations or products count, changed or not: what the names mean is not known before the site is asked)"
    } else {
        ""
    };
    Err(Failure::new(
        Exit::Input,
        format!(
            "{changes} of {rows} rows would create or change a record, more than --max-changes {most} allows{open}; nothing was sent"
        ),
    ))
}

/// The means of a forecast.
pub(super) struct Forecaster<'a> {
    pub(super) settings: &'a LoadSettings,
    /// Nothing is remembered without.
    pub(super) ledger: Option<&'a Ledger>,
    pub(super) spool: &'a Path,
    pub(super) clock: &'a dyn Clock,
    pub(super) audience: &'a Audience,
}

impl Forecaster<'_> {
    fn previews(&self, jobs: &[StageJob]) -> Result<Vec<Preview>, Failure> {
        let stages = (0_u32..).zip(jobs);
        stages
            .map(|(stage, job)| self.preview(stage, job))
            .collect()
    }

    fn preview(&self, stage: u32, job: &StageJob) -> Result<Preview, Failure> {
        let previewer = Previewer {
            stage,
            job,
            spool: self.spool,
            audience: self.audience,
            stop: &Stop::default(),
            clock: self.clock,
            full: self.settings.full,
            refresh_after: self.settings.refresh_after,
        };
        let entity = job.plan.entity();
        let shape = Shape {
            mapping: job.mapping,
            family: job.plan.family().name().to_owned(),
            fields: job.plan.writes(),
        };
        let site = self.settings.site.name();
        let remembered = matches!(entity, Entity::Customer | Entity::Organization);
        let preview = previewer.run(|| match self.ledger {
            Some(ledger) if remembered => ledger.memory(site, entity, Some(&shape)).map(Some),
            _ => Ok(None),
        });
        preview.map_err(|error| Failure::of(Exit::Input, &error))
    }

    fn write(
        &self,
        said: &mut String,
        job: &StageJob,
        preview: &Preview,
        past: &[PastTask],
    ) -> Result<(), std::fmt::Error> {
        let Self { settings, .. } = self;
        let entity = job.plan.entity();
        let (tasks, workers) = times_of(past);
        let mut assumed = Vec::new();
        let work = Work {
            rows: preview.changes(),
            batch_rows: batch_rows(job).unwrap_or(1),
            calls: calls_a_row(preview),
        };
        let bulk_known = batch_rows(job).is_some();
        if bulk_known && work.rows > 0 {
            assumed.push(about_tasks(&tasks, past.len(), settings.site.name()));
        }
        if work.rows > 0 {
            assumed.push(format!(
                "a single call takes {} ms, {SINGLE_IN_FLIGHT} are in flight, and a row takes {:.1} of them",
                GUESSED_CALL.as_millis(),
                work.calls
            ));
            assumed.push(format!(
                "a write costs 1 quota point and a poll 2, of {} an hour; only OAuth apps have this quota",
                estimate::POINTS_AN_HOUR
            ));
        }
        if preview.names_open {
            assumed.push(
                "rows that name organizations or products have changed: what the names mean is not known before the site is asked"
                    .into(),
            );
        }
        let means = Means {
            slots: settings.slots,
            most_slots: settings.contract.task_limit,
            single_in_flight: SINGLE_IN_FLIGHT,
            requests_per_second: f64::from(settings.requests_per_second.get()),
            tasks,
            workers,
            calls: CallTimes::default(),
        };
        let forecast = ForecastSummary {
            entity,
            rows: preview.rows,
            shares: &[
                (unknown_word(job.plan.operation()), preview.unknown),
                ("update", preview.known),
                ("leave alone", preview.unchanged),
                ("reject", preview.rejected),
                ("duplicate", preview.duplicates),
            ],
            bulk: bulk_known.then(|| way(estimate::by_bulk(&work, &means))),
            single: (entity != Entity::DetailField).then(|| way(estimate::by_calls(&work, &means))),
            assumed: &assumed,
            warnings: &warnings(job, &settings.contract),
        };
        write_forecast(said, &forecast)
    }

    /// What the last load of such records into the site took.
    fn past_tasks(&self, entity: Entity) -> Result<Vec<PastTask>, Failure> {
        let Some(ledger) = self.ledger else {
            return Ok(Vec::new());
        };
        let site = self.settings.site.name();
        let past = ledger
            .reader()
            .and_then(|reader| reader.past_tasks(site, entity));
        past.map_err(|error| Failure::of(Exit::Input, &error))
    }
}

/// Rows that a bulk request holds; `None` where such records have no bulk requests.
fn batch_rows(job: &StageJob) -> Option<usize> {
    let endpoint = contract::bulk_endpoint(job.plan.entity(), job.plan.family())?;
    let details = job.plan.detail_names().len().max(1);
    let by_operations = endpoint.max_operations.map(|most| (most / details).max(1));
    Some(endpoint.max_items.min(by_operations.unwrap_or(usize::MAX)))
}

/// One call creates a record; to update one takes a call for its own fields and one for each detail value.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn calls_a_row(preview: &Preview) -> f64 {
    let calls = preview.changes() + preview.details_of_known;
    calls as f64 / preview.changes().max(1) as f64
}

const fn unknown_word(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "create",
        Operation::Update => "update, not loaded before",
        Operation::Upsert => "create or update",
    }
}

fn way(cost: Cost) -> WaySummary {
    WaySummary {
        took: cost.took,
        tasks: cost.tasks,
        requests: cost.requests,
        points: cost.points,
    }
}

/// Tasks from which on their spacing tells how many are worked at once.
const ENOUGH: usize = 8;

/// What earlier tasks say of those to come: what the quickest of each size took, since others may have waited for a slot of
/// ours, and with how many worked at once the second half of them ended as fast as it did.
fn times_of(past: &[PastTask]) -> (TaskTimes, Option<usize>) {
    let mut quickest: BTreeMap<u64, Duration> = BTreeMap::new();
    for task in past {
        let took = u64::try_from(task.settled_at - task.sent_at).unwrap_or(0);
        let took = Duration::from_millis(took);
        let least = quickest.entry(task.rows).or_insert(took);
        *least = took.min(*least);
    }
    let mut times = TaskTimes::default();
    for (rows, took) in &quickest {
        let rows = usize::try_from(*rows).unwrap_or(usize::MAX);
        times.ended(rows, *took, Queue::default());
    }
    (times.clone(), workers_of(past, &times))
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small number of tasks"
)]
fn workers_of(past: &[PastTask], times: &TaskTimes) -> Option<usize> {
    let (before, later) = past.split_at(past.len() / 2);
    let (from, to) = (before.last()?.settled_at, later.last()?.settled_at);
    if past.len() < ENOUGH || to <= from {
        return None;
    }
    // those that ended with the last one before belong to its turn
    let later: Vec<_> = later.iter().filter(|task| task.settled_at > from).collect();
    let rows: u64 = later.iter().map(|task| task.rows).sum();
    let each = times.alone(usize::try_from(rows / later.len() as u64).ok()?);
    let at_once = later.len() as f64 * each * 1e3 / (to - from) as f64;
    Some(at_once.round().max(1.0) as usize)
}

/// Where the times of tasks come from.
fn about_tasks(tasks: &TaskTimes, seen: usize, site: &str) -> String {
    let each = tasks.alone(100);
    if tasks.known() {
        return format!(
            "tasks take as long as the last {seen} here did: {each:.1} s for 100 rows on {site}"
        );
    }
    format!(
        "a task of 100 rows takes {each:.1} s and as many are worked at once as there are slots: no earlier load tells; \
         one site was seen to take {:.1} s a row, one task at a time",
        WORST_ITEM.as_secs_f64()
    )
}

/// What will be hard to tell afterwards.
fn warnings(job: &StageJob, contract: &Contract) -> Vec<String> {
    let plan = &job.plan;
    let found = plan.entity() != Entity::Customer
        || plan.family() == Family::Details
        || plan.key_detail().is_some()
        || contract.user_search;
    let warning = "a customer cannot be looked up by its e-mail: where a request does not tell what became of a new one, its row \
                   ends unconfirmed; set key_detail in the mapping, or user_search = true in [contract]";
    if found {
        Vec::new()
    } else {
        vec![warning.into()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(tasks: &[(u64, i64, i64)]) -> Vec<PastTask> {
        let task = |(rows, sent_at, settled_at): &(u64, i64, i64)| PastTask {
            rows: *rows,
            sent_at: *sent_at,
            settled_at: *settled_at,
        };
        tasks.iter().map(task).collect()
    }

    #[test]
    fn tasks_that_waited_for_each_other_are_told_from_those_that_took_long() {
        let serial: Vec<_> = (1..=10)
            .map(|n| (100, 480_000 * (n - 3).max(0), 480_000 * n))
            .collect();
        let (times, workers) = times_of(&past(&serial));
        assert!((times.alone(100) - 480.0).abs() < 1.0, "{times:?}");
        assert_eq!(workers, Some(1));
        // four at once, and two more wait for a slot
        let four: Vec<_> = (0..20)
            .map(|n| (100, 8_000 * (n / 4 - 1).max(0), 8_000 * (n / 4 + 1)))
            .collect();
        let (times, workers) = times_of(&past(&four));
        assert!((times.alone(100) - 8.0).abs() < 0.1, "{times:?}");
        assert_eq!(workers, Some(4));
        // of three nothing more can be told
        assert_eq!(times_of(&past(&four[..3])).1, None);
    }

    #[test]
    fn what_is_assumed_is_said_with_its_source() {
        insta::assert_snapshot!(about_tasks(&TaskTimes::default(), 0, "acme"), @"a task of 100 rows takes 9.0 s and as many are worked at once as there are slots: no earlier load tells; one site was seen to take 4.8 s a row, one task at a time");
        let (times, _) = times_of(&past(&[(100, 0, 8_000)]));
        insta::assert_snapshot!(about_tasks(&times, 1, "acme"), @"tasks take as long as the last 1 here did: 8.0 s for 100 rows on acme");
    }
}
