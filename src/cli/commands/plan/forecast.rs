//! What a load would do and take, from a preview and what is known of the site's times.

use crate::api::contract::{self, POINTS_AN_HOUR};
use crate::cli::access::is_metered;
use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::LoadSettings;
use crate::engine::estimate::{self, Both, Cost, Means, Work};
use crate::engine::job::StageJob;
use crate::engine::limits::{TaskSlots, Verify};
use crate::engine::past::{self, Tempo};
use crate::engine::preview::{Preview, Remote, is_asked};
use crate::engine::route::{CallTimes, GUESSED_CALL, WORST_ITEM, Wish};
use crate::engine::seen::Target;
use crate::engine::single::{self, Limits};
use crate::engine::verify;
use crate::ledger::{Ledger, LedgerError};
use crate::mapping::RefKind;
use crate::model::entity::{Asked, Entity, Family, Operation};
use crate::report::forecast::{ForecastSummary, WaySummary, write_forecast};
use std::cmp::Reverse;
use std::time::Instant;

/// How the way is called that the loader finds of itself.
const AUTO: &str = "with route = \"auto\"";
/// Why single calls cannot do what a bulk request does.
const NOT_FOUND_AGAIN: &str = "their records cannot be found again";
const NO_MEMBERS: &str = "they name organizations, and no call makes a customer a member that may be on the site already \
                          (unless [contract] says membership = true)";
/// Reasons why the site does not tell, of which the most frequent are shown.
const REASONS: usize = 3;

/// The means of a forecast.
pub(super) struct Forecaster<'a> {
    pub(super) settings: &'a LoadSettings,
    /// Nothing is remembered without.
    pub(super) ledger: Option<&'a Ledger>,
    /// Whether the site was to be asked.
    pub(super) asked: bool,
    /// The time.
    pub(super) now: Instant,
}

impl Forecaster<'_> {
    /// Writes what would become of a stage.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(super) fn write(
        &self,
        said: &mut String,
        stage: u32,
        job: &StageJob,
        preview: &Preview,
    ) -> Result<(), Failure> {
        let Self { settings, .. } = self;
        let entity = job.plan.entity();
        let target = job.target(stage);
        let findable = verify::can_find(&settings.contract, &target);
        let batch_rows = batch_rows(job);
        let work = Work {
            rows: preview.sent(),
            batch_rows: batch_rows.unwrap_or(1),
            calls: preview.calls_a_row(),
            expected_calls: preview.calls_if_new(),
            reads: reads(
                entity,
                settings.verify,
                batch_rows.unwrap_or(1),
                findable.is_ok(),
            ),
        };
        let mut assumed = Vec::new();
        let open = self.open(job, &target, batch_rows.is_some());
        let means = self
            .means(entity, &work, &open, &mut assumed)
            .map_err(|error| Failure::of(Exit::Input, &error))?;
        let ways = ways(&open, &work, &means, self.now);
        if work.rows > 0 {
            assumed.extend(about_route(&open, &ways, &work));
            assumed.push(about_points(means.points_an_hour));
        }
        if preview.names_open {
            assumed.push(
                "rows that name organizations or products have changed: what the names mean is not known before the site is asked \
                 (--remote)"
                    .into(),
            );
        }
        match &preview.remote {
            Some(remote) => assumed.extend(about_remote(remote, target.asked)),
            None if self.asked && !is_asked(entity) => {
                assumed.push(format!("{entity}s are looked up by the load alone"));
            }
            None => {}
        }
        let warnings: Vec<_> = findable.err().into_iter().collect();
        let forecast = ForecastSummary {
            entity,
            rows: preview.rows,
            shares: &shares(&target, job.plan.operation(), preview),
            ways: &ways,
            assumed: &assumed,
            warnings: &warnings,
        };
        // a string takes all
        let _ = write_forecast(said, &forecast);
        Ok(())
    }

    fn open(&self, job: &StageJob, target: &Target, may_bulk: bool) -> Open {
        let Limits { sure, joins } = single::limits(&self.settings.contract, target);
        let names_firms = job.plan.on_missing(RefKind::Organization).is_some();
        let bulk_alone = if sure {
            (!joins && names_firms).then_some(NO_MEMBERS)
        } else {
            Some(NOT_FOUND_AGAIN)
        };
        Open::of(self.settings.route, target.entity, may_bulk, bulk_alone)
    }

    /// What is known of the site, by the job's own words, the ledger's, or a guess; says which.
    fn means(
        &self,
        entity: Entity,
        work: &Work,
        open: &Open,
        assumed: &mut Vec<String>,
    ) -> Result<Means, LedgerError> {
        let Self {
            settings, ledger, ..
        } = self;
        let site = settings.site.name();
        let requests_per_second = f64::from(settings.rates.requests_per_second.get());
        let in_flight = settings.single_in_flight.get();
        let reader = ledger.map(Ledger::reader).transpose()?;
        let (tasks, decided) = match &reader {
            Some(reader) => (
                reader.past_tasks(site, entity)?,
                reader.past_calls(site, entity)?,
            ),
            None => Default::default(),
        };
        let slots = match settings.slots {
            TaskSlots::Auto => settings.contract.task_limit,
            TaskSlots::Fixed(slots) => slots,
        };
        let tempo = match settings.expect_task {
            Some(task) => Tempo::expected(task, work.batch_rows),
            None => Tempo::of(&tasks, slots, requests_per_second),
        };
        let brought = past::rows_per_second(&decided);
        let calls = match (settings.expect_call, brought) {
            (Some(call), _) => past::calls_expected(call, work.calls),
            (None, Some(rate)) => past::calls_of(rate, in_flight, work.calls),
            (None, None) => CallTimes::default(),
        };
        if work.rows > 0 {
            if open.bulk {
                let expected = settings.expect_task.is_some();
                assumed.push(about_tasks(
                    &tempo,
                    expected,
                    tasks.len(),
                    work.batch_rows,
                    site,
                ));
            }
            if open.single {
                assumed.push(match (settings.expect_call, brought) {
                    (None, Some(rate)) => {
                        format!("single calls write {rate:.1} rows a second, as they did here last")
                    }
                    (call, _) => format!(
                        "a single call takes {} ms, {in_flight} are in flight, and a row takes {:.1} of them",
                        call.unwrap_or(GUESSED_CALL).as_millis(),
                        work.calls
                    ),
                });
            }
        }
        Ok(Means {
            slots: settings.slots,
            most_slots: settings.contract.task_limit,
            single_in_flight: in_flight,
            requests_per_second,
            tasks: tempo.tasks,
            workers: tempo.workers,
            calls,
            points_an_hour: is_metered(&settings.site, &settings.auth)
                .then(|| POINTS_AN_HOUR.into()),
        })
    }
}

/// The ways that a load of such rows can take with the job's `route`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    bulk: bool,
    single: bool,
    /// Why only bulk requests write them, though the job leaves the choice.
    bulk_alone: Option<&'static str>,
}

impl Open {
    /// `may_bulk`: there is an endpoint that takes them.
    fn of(route: Wish, entity: Entity, may_bulk: bool, bulk_alone: Option<&'static str>) -> Self {
        // the job's choice is for records that have both ways
        let route = if may_bulk { route } else { Wish::Single };
        let bulk_alone = bulk_alone.filter(|_| route == Wish::Auto);
        Self {
            bulk: route != Wish::Single,
            single: route != Wish::Bulk && bulk_alone.is_none() && entity != Entity::DetailField,
            bulk_alone,
        }
    }
}

/// What each way that the load can take would cost.
fn ways(open: &Open, work: &Work, means: &Means, now: Instant) -> Vec<(&'static str, WaySummary)> {
    let mut ways = Vec::new();
    if open.bulk {
        ways.push(("by bulk requests", way(estimate::by_bulk(work, means), 0)));
    }
    if open.single {
        ways.push(("by single calls", way(estimate::by_calls(work, means), 0)));
    }
    if open.bulk && open.single {
        let Both { cost, by_calls } = estimate::by_auto(work, means, now);
        ways.push((AUTO, way(cost, by_calls)));
    }
    ways
}

fn way(cost: Cost, by_calls: u64) -> WaySummary {
    WaySummary {
        took: cost.took,
        by_calls,
        tasks: cost.tasks,
        requests: cost.requests,
        points: cost.points,
    }
}

/// Rows that a bulk request holds; `None` where such records have no bulk requests.
fn batch_rows(job: &StageJob) -> Option<usize> {
    let endpoint = contract::bulk_endpoint(job.plan.entity(), job.plan.family())?;
    let details = job.plan.detail_names().len().max(1);
    let by_operations = endpoint.max_operations.map(|most| (most / details).max(1));
    Some(endpoint.max_items.min(by_operations.unwrap_or(usize::MAX)))
}

/// Reads that follow a bulk request whose rows all loaded.
#[expect(clippy::cast_precision_loss, reason = "rows of a batch")]
fn reads(entity: Entity, verify: Verify, batch_rows: usize, findable: bool) -> f64 {
    let rows = match verify {
        _ if !findable => return 0.0,
        Verify::Failed => return 0.0,
        Verify::Sample => batch_rows.div_ceil(100),
        Verify::All => batch_rows,
    };
    // customers are searched one by one
    let (searches, together) = match entity {
        Entity::Customer => (rows, contract::MAX_FETCH_CUSTOMERS),
        _ => (
            rows.div_ceil(contract::MAX_FETCH_ORGANIZATIONS),
            contract::MAX_FETCH_ORGANIZATION_PROFILES,
        ),
    };
    (searches + rows.div_ceil(together)) as f64
}

/// Rows by what would become of them.
fn shares(target: &Target, operation: Operation, preview: &Preview) -> Vec<(&'static str, u64)> {
    let updates = operation == Operation::Update || target.family == Family::Details;
    let mut shares = match &preview.remote {
        None => {
            let unknown = match operation {
                Operation::Create => "create",
                _ if updates => "update, not loaded before",
                Operation::Update | Operation::Upsert => "create or update",
            };
            vec![(unknown, preview.unknown), ("update", preview.known)]
        }
        Some(remote) => {
            let there = remote.differs + remote.holds;
            let mut shares = match operation {
                _ if updates => vec![
                    ("not on the site", remote.absent),
                    ("update", remote.differs),
                ],
                Operation::Create => {
                    vec![("create", remote.absent), ("on the site already", there)]
                }
                Operation::Update | Operation::Upsert => {
                    vec![("create", remote.absent), ("update", remote.differs)]
                }
            };
            if operation != Operation::Create {
                shares.push(("as on the site", remote.holds));
            }
            shares.push(("not told", remote.untold()));
            shares
        }
    };
    shares.extend([
        ("leave alone", preview.unchanged),
        ("reject", preview.rejected),
        ("duplicate", preview.duplicates),
    ]);
    shares
}

/// What the site did not tell, and why.
fn about_remote(remote: &Remote, asked: Asked) -> Vec<String> {
    let mut said = Vec::new();
    if remote.holds > 0 && asked != Operation::Create.into() {
        said.push(
            "rows that are as on the site are sent all the same: no load of this state folder has confirmed them".into(),
        );
    }
    let mut reasons: Vec<_> = remote.untold.iter().collect();
    reasons.sort_by_key(|(_, rows)| Reverse(**rows));
    let shown = reasons.iter().take(REASONS);
    said.extend(shown.map(|(why, rows)| format!("of {rows} rows nothing can be told: {why}")));
    let others: u64 = reasons.iter().skip(REASONS).map(|(_, rows)| **rows).sum();
    if others > 0 {
        said.push(format!(
            "of {others} rows nothing can be told, for other reasons"
        ));
    }
    said
}

/// Which way the load goes of itself, where the ways alone do not say it.
fn about_route(open: &Open, ways: &[(&str, WaySummary)], work: &Work) -> Option<String> {
    if let Some(why) = open.bulk_alone {
        return Some(format!(
            "route = \"auto\" writes these rows by bulk requests alone: {why}"
        ));
    }
    let by_calls = |(name, way): &(&str, WaySummary)| *name == AUTO && way.by_calls == work.rows;
    let few = ways.iter().any(by_calls) && work.rows > 0;
    few.then(|| {
        "route = \"auto\" begins with single calls, which write so few rows before a bulk request would be worth its risk"
            .into()
    })
}

/// What points bound, where they bound anything.
fn about_points(an_hour: Option<u64>) -> String {
    let cost = format!("a write costs 1 quota point and a poll 2, of {POINTS_AN_HOUR} an hour");
    match an_hour {
        None => format!("{cost}; only OAuth apps have this quota"),
        Some(_) => format!(
            "{cost}, which this load alone spends; once they are spent it waits for the next hour"
        ),
    }
}

/// Where the times of tasks come from.
fn about_tasks(tempo: &Tempo, expected: bool, seen: usize, rows: usize, site: &str) -> String {
    let each = if tempo.tasks.known() {
        tempo.tasks.alone_at_worst(rows)
    } else {
        tempo.tasks.alone(rows)
    };
    if expected {
        return format!(
            "a task takes {each:.1} s, as expect_task in [limits] says, and as many are worked at once as there are slots"
        );
    }
    if !tempo.tasks.known() {
        return format!(
            "a task of {rows} rows takes {each:.1} s and as many are worked at once as there are slots: no earlier load tells; \
             one site was seen to take {:.1} s a row, one task at a time",
            WORST_ITEM.as_secs_f64()
        );
    }
    let at_once = match tempo.workers {
        Some(workers) => format!("{workers:.1} at a time"),
        None => "as many at a time as there are slots".to_owned(),
    };
    format!(
        "tasks take as long as the last {seen} here did: {each:.1} s for {rows} rows on {site}, {at_once}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::PastTask;
    use std::time::Duration;

    #[test]
    fn what_is_assumed_is_said_with_its_source() {
        insta::assert_snapshot!(about_tasks(&Tempo::default(), false, 0, 100, "acme"), @"a task of 100 rows takes 9.0 s and as many are worked at once as there are slots: no earlier load tells; one site was seen to take 4.8 s a row, one task at a time");
        let past = [PastTask {
            rows: 100,
            sent_at: 0,
            settled_at: 8_000,
        }];
        let mut tempo = Tempo::of(&past, 5, 50.0);
        insta::assert_snapshot!(about_tasks(&tempo, false, 1, 100, "acme"), @"tasks take as long as the last 1 here did: 8.0 s for 100 rows on acme, as many at a time as there are slots");
        tempo.workers = Some(1.0);
        insta::assert_snapshot!(about_tasks(&tempo, false, 9, 100, "acme"), @"tasks take as long as the last 9 here did: 8.0 s for 100 rows on acme, 1.0 at a time");
        let expected = Tempo::expected(Duration::from_secs(3), 100);
        insta::assert_snapshot!(about_tasks(&expected, true, 9, 100, "acme"), @"a task takes 3.0 s, as expect_task in [limits] says, and as many are worked at once as there are slots");
    }

    #[test]
    fn the_hourly_quota_is_named_as_a_bound_where_it_is_one() {
        insta::assert_snapshot!(about_points(Some(65_000)), @"a write costs 1 quota point and a poll 2, of 65000 an hour, which this load alone spends; once they are spent it waits for the next hour");
        insta::assert_snapshot!(about_points(None), @"a write costs 1 quota point and a poll 2, of 65000 an hour; only OAuth apps have this quota");
    }

    #[test]
    fn why_the_site_does_not_tell_is_said_most_frequent_first() {
        let remote = Remote {
            holds: 2,
            untold: [("a", 1), ("b", 7), ("c", 3), ("d", 2), ("e", 1)]
                .map(|(why, rows)| (why.to_owned(), rows))
                .into(),
            ..Remote::default()
        };
        insta::assert_snapshot!(about_remote(&remote, Operation::Upsert.into()).join("\n"), @"
        rows that are as on the site are sent all the same: no load of this state folder has confirmed them
        of 7 rows nothing can be told: b
        of 3 rows nothing can be told: c
        of 2 rows nothing can be told: d
        of 2 rows nothing can be told, for other reasons
        ");
    }

    #[test]
    fn what_is_read_back_after_a_batch_are_requests_too() {
        let near = |is: f64, wanted: f64| assert!((is - wanted).abs() < 1e-9, "{is}, not {wanted}");
        near(reads(Entity::Customer, Verify::Sample, 100, true), 2.0);
        near(reads(Entity::Customer, Verify::All, 100, true), 104.0);
        near(reads(Entity::Organization, Verify::All, 100, true), 6.0);
        near(reads(Entity::Customer, Verify::Failed, 100, true), 0.0);
        near(reads(Entity::Customer, Verify::All, 100, false), 0.0);
    }
}
