//! `csm-loader plan`: what a load would do and take; and the check that a load does not change too much.

mod forecast;
mod open_run;
mod reach;

use super::{load, show};
use crate::cli::args::PlanArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::interrupted::Wanted;
use crate::cli::open::{Naming, open};
use crate::cli::settings::LoadSettings;
use crate::engine::context::Audience;
use crate::engine::job::StageJob;
use crate::engine::limits::MaxChanges;
use crate::engine::preview::{Asked, Looker, Preview, Previewer};
use crate::engine::stop::Stop;
use crate::engine::survey::Unasked;
use crate::ledger::record::Shape;
use crate::ledger::{Ledger, StateFolder};
use crate::mapping::RefKind;
use crate::model::clock::{Clock, SystemClock};
use crate::model::entity::Entity;
use crate::model::event::RunEvent;
use reach::Reached;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Says what a load with these arguments would do.
///
/// # Errors
/// When the settings, the inputs, the ledger or the site cannot be used, or the load would change more than it may.
pub(in crate::cli) fn run(args: &PlanArgs) -> Result<Exit, Failure> {
    let PlanArgs { load, remote } = args;
    let settings = LoadSettings::resolve(load, |name| std::env::var(name).ok())?;
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
    let (audience, _) = show::audience(&load.show, &clock)?;
    let stop = Stop::default();
    let reached = match remote {
        None => None,
        Some(most) => {
            let reaching = Reached::new(&settings, &state, &clock, *most);
            Some(runtime.block_on(reaching)?)
        }
    };
    // one that is not there is not made
    let ledger = Ledger::open_existing(state).map_err(|error| Failure::of(Exit::Input, &error))?;
    let means = Forecaster {
        settings: &settings,
        ledger: ledger.as_ref(),
        spool: &spool,
        clock: &*clock,
        audience: &audience,
        stop: &stop,
        reached: reached.as_ref(),
    };
    let previews = means.previews(&jobs);
    audience.finish();
    if let Some(reached) = reached {
        runtime.block_on(reached.leave())?;
    }
    let previews = previews?;
    let forecaster = forecast::Forecaster {
        settings: &settings,
        ledger: ledger.as_ref(),
        asked: remote.is_some(),
        now: clock.instant(),
    };
    let mut said = String::new();
    if let Some(ledger) = &ledger {
        let wanted = Wanted::of(load);
        let (job, site) = (load::job_name(&load.stage), settings.site.name());
        let run = open_run::told(&wanted, ledger, &job, site, &jobs)?;
        said.extend(run.map(|run| run + "\n"));
    }
    for ((stage, job), preview) in (0..).zip(&jobs).zip(&previews) {
        forecaster.write(&mut said, stage, job, preview)?;
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

/// The means of looking ahead.
pub(super) struct Forecaster<'a> {
    pub(super) settings: &'a LoadSettings,
    /// Nothing is remembered without.
    pub(super) ledger: Option<&'a Ledger>,
    pub(super) spool: &'a Path,
    pub(super) clock: &'a dyn Clock,
    pub(super) audience: &'a Audience,
    pub(super) stop: &'a Stop,
    /// The site, where it is to be asked.
    pub(super) reached: Option<&'a Reached>,
}

impl Forecaster<'_> {
    fn previews(&self, jobs: &[StageJob]) -> Result<Vec<Preview>, Failure> {
        let stages = (0_u32..).zip(jobs);
        stages
            .map(|(stage, job)| self.preview(stage, job, &expected(&jobs[..stage as usize])))
            .collect()
    }

    fn preview(
        &self,
        stage: u32,
        job: &StageJob,
        expected: &[RefKind],
    ) -> Result<Preview, Failure> {
        let entity = job.plan.entity();
        self.audience.tell(&RunEvent::StageStarted {
            stage,
            entity,
            files: job.dataset.files().len(),
        });
        let looker = self.reached.map(|reached| Looker {
            asking: reached.asking(self.audience, self.stop),
            most: reached.most,
            in_flight: self.settings.single_in_flight.get(),
            handle: &reached.handle,
        });
        let previewer = Previewer {
            stage,
            job,
            spool: self.spool,
            audience: self.audience,
            stop: self.stop,
            clock: self.clock,
            full: self.settings.full,
            refresh_after: self.settings.refresh_after,
            contract: &self.settings.contract,
            looker,
        };
        let shape = Shape {
            mapping: job.mapping,
            family: job.plan.family().name().to_owned(),
            fields: job.plan.writes(),
        };
        let site = self.settings.site.name();
        let remembered = matches!(entity, Entity::Customer | Entity::Organization);
        let memory = || match self.ledger {
            Some(ledger) if remembered => ledger.memory(site, entity, Some(&shape)).map(Some),
            _ => Ok(None),
        };
        let preview = match looker {
            None => previewer.run(&mut Unasked, memory),
            Some(Looker { asking, handle, .. }) => {
                let mut names = Asked::new(&job.plan, expected, asking, handle.clone(), stage);
                previewer.run(&mut names, memory)
            }
        };
        preview.map_err(|error| Failure::of(Exit::Input, &error))
    }
}

/// Kinds of names that stages make records of.
fn expected(before: &[StageJob]) -> Vec<RefKind> {
    let kind = |job: &StageJob| match job.plan.entity() {
        Entity::Organization => Some(RefKind::Organization),
        Entity::Product => Some(RefKind::Product),
        Entity::Customer | Entity::DetailField | Entity::Entitlement => None,
    };
    before.iter().filter_map(kind).collect()
}
