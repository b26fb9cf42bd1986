//! One run against a site: which run it is (a new one, or one that was interrupted), and its means.

use super::access::{Access, TIMEOUT, USER_AGENT};
use super::exit::{Exit, Failure};
use super::interrupted::{self, Interrupted, Wanted};
use super::settings::LoadSettings;
use super::signals::{self, Words};
use crate::api::client::{Client, ClientConfig};
use crate::engine::context::{Audience, Context};
use crate::engine::driver::DriveError;
use crate::engine::job::StageJob;
use crate::engine::pace::Pace;
use crate::engine::run::{RunEnd, RunError, run as run_stages};
use crate::engine::settle::settle;
use crate::engine::stop::Stop;
use crate::ledger::record::{Invocation, RunHeader, StageHeader};
use crate::ledger::{Ledger, RunHandle, RunInfo, StageInfo};
use crate::model::cause::chain;
use crate::model::clock::Clock;
use crate::model::event::RunEvent;
use crate::model::outcome::{Counts, Status};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::task::spawn_blocking;
use uuid::Uuid;

/// What a load says when interrupted.
const INTERRUPTED: Words = Words {
    first: "interrupted: waiting for what is in flight; a second interrupt ends at once",
    second: "interrupted again: ended at once; no results file was written for the stage under way",
};

/// Opens the stages once more, after the run of this id was settled, whose place is about to be taken.
pub(super) type Reopen = Arc<dyn Fn(&str) -> Result<Vec<StageJob>, Failure> + Send + Sync>;

/// What makes a run a retry.
pub(super) struct RetryOf {
    /// The run whose rows it loads again, on the same site.
    pub(super) run: RunInfo,
    /// Which rows those are depends on what an earlier retry did: they are chosen again once that has been settled.
    pub(super) reopen: Reopen,
}

/// The means of one run.
pub(super) struct Loader {
    pub(super) settings: LoadSettings,
    pub(super) ledger: Ledger,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) audience: Audience,
    pub(super) nonce: Uuid,
    /// The id of the run, if it is a new one.
    pub(super) run: String,
    /// What makes two runs the same job.
    pub(super) job: String,
    pub(super) invocation: Option<Invocation>,
    pub(super) wanted: Wanted,
    pub(super) retry: Option<RetryOf>,
    pub(super) spool: PathBuf,
}

/// The run that is written, and how far it was.
struct Chosen {
    id: String,
    nonce: Uuid,
    handle: RunHandle,
    /// Of an interrupted run: the stages that had begun.
    begun: Vec<StageInfo>,
}

impl Loader {
    /// Loads.
    ///
    /// # Errors
    /// When the site, the ledger or a results file cannot be used.
    pub(super) async fn load(self, jobs: Vec<StageJob>) -> Result<RunEnd, Failure> {
        let stop = Stop::default();
        signals::listen(stop.clone(), INTERRUPTED).map_err(|error| {
            let message = format!("failed to listen for signals: {error}");
            Failure::new(Exit::Defect, message)
        })?;
        let clock = Arc::clone(&self.clock);
        let (access, sandbox) = self.settings.enter(self.ledger.folder(), clock).await?;
        let ended = self.load_into(access, jobs, stop).await;
        let closed = match sandbox {
            Some(sandbox) => sandbox.stop().await,
            None => Ok(()),
        };
        // the run's own fault comes before that of the site it ran on
        let end = ended?;
        closed.map_err(|error| Failure::of(Exit::Stopped, &error))?;
        Ok(end)
    }

    async fn load_into(
        &self,
        access: Access,
        mut jobs: Vec<StageJob>,
        stop: Stop,
    ) -> Result<RunEnd, Failure> {
        let name = access.name.clone();
        self.check_site(&name)?;
        let gate = Arc::new(Pace::new(self.settings.rates));
        let client = || {
            let config = ClientConfig {
                site: access.site.clone(),
                auth: access.auth.clone(),
                timeout: TIMEOUT,
                user_agent: USER_AGENT.into(),
                contract: Arc::clone(&self.settings.contract),
                gate: Arc::clone(&gate) as _,
            };
            Client::new(config).map_err(|error| Failure::of(Exit::Input, &error))
        };
        let mut headers = headers(&jobs).await?;
        let interrupted = self.interrupted(&name, &headers)?;
        if let Interrupted::Over(old, stages, why) = &interrupted {
            let means = (client()?, stop.clone());
            self.end(old, stages, why, &jobs, &headers, means).await?;
            if let Some(RetryOf { reopen, .. }) = &self.retry {
                let (reopen, settled) = (Arc::clone(reopen), old.id.clone());
                let opened = spawn_blocking(move || reopen(&settled)).await;
                jobs = opened.map_err(|error| Failure::of(Exit::Defect, &error))??;
                headers = self::headers(&jobs).await?;
            }
        }
        let chosen = self.choose(interrupted, &name)?;
        for ((job, header), begun) in jobs.iter_mut().zip(&mut headers).zip(&chosen.begun) {
            if let Some(results) = &begun.header.results {
                job.results = PathBuf::from(results);
                header.results = Some(results.clone());
            }
        }
        self.audience.tell(&RunEvent::RunStarted {
            run: chosen.id.clone(),
            site: name,
        });
        for message in access.warnings {
            self.tell(message);
        }
        if !chosen.begun.is_empty() {
            let otherwise = match self.wanted {
                Wanted::Latest | Wanted::New => " (--new begins anew)",
                Wanted::Resume(_) => "",
            };
            self.tell(format!(
                "run {} was interrupted: going on where it stopped{otherwise}",
                chosen.id
            ));
        }
        let stages: Vec<_> = jobs.iter().cloned().zip(headers).collect();
        let context = Arc::new(self.context(client()?, stop, chosen));
        let ended = run_stages(&context, &stages).await;
        let end = ended.map_err(|error| Failure::of(exit_of(&error), &error))?;
        // its writer ends with it
        drop(context);
        if end.stopped.is_none() {
            self.prune();
        }
        Ok(end)
    }

    /// Removes the oldest runs. Nothing depends on it: what fails is told and tried again after the next run.
    fn prune(&self) {
        if let Err(error) = self.ledger.prune(self.settings.keep_runs) {
            self.tell(format!("old runs were not removed: {}", chain(&error)));
        }
    }

    /// What the ledger says of rows is true of the site that they were loaded into.
    fn check_site(&self, name: &str) -> Result<(), Failure> {
        match &self.retry {
            Some(RetryOf { run, .. }) if run.site != name => Err(Failure::new(
                Exit::Input,
                format!(
                    "run {} loaded into {}, and this would load its rows into {name}; name the site of that run",
                    run.id, run.site
                ),
            )),
            _ => Ok(()),
        }
    }

    fn tell(&self, message: String) {
        self.audience.tell(&RunEvent::Notice {
            stage: None,
            message,
        });
    }

    fn context(&self, client: Client, stop: Stop, chosen: Chosen) -> Context {
        Context {
            client,
            clock: Arc::clone(&self.clock),
            ledger: chosen.handle,
            audience: self.audience.clone(),
            stop,
            run: chosen.id,
            nonce: chosen.nonce,
            slots: self.settings.slots,
            route: self.settings.route,
            requests_per_second: self.settings.rates.requests_per_second.get().into(),
            single_in_flight: self.settings.single_in_flight,
            verify: self.settings.verify,
            polls_per_second: self.settings.rates.polls(),
            budget: Mutex::default(),
            max_errors: self.settings.max_errors,
            full: self.settings.full,
            refresh_after: self.settings.refresh_after,
            spool: self.spool.clone(),
        }
    }

    /// What an earlier run of the same job left, and what to do about it.
    fn interrupted(&self, site: &str, headers: &[StageHeader]) -> Result<Interrupted, Failure> {
        let reader = self.ledger.reader();
        let reader = reader.map_err(|error| Failure::of(Exit::Input, &error))?;
        match self.wanted.find(&reader, &self.job, site)? {
            Some(old) => self.wanted.judge(&reader, old, site, headers),
            None => Ok(Interrupted::None),
        }
    }

    /// Settles what a run has under way that another takes the place of.
    async fn end(
        &self,
        old: &RunInfo,
        stages: &[StageInfo],
        why: &str,
        jobs: &[StageJob],
        headers: &[StageHeader],
        (client, stop): (Client, Stop),
    ) -> Result<(), Failure> {
        self.tell(format!(
            "run {} was interrupted, and is not continued: {why}; settling what it has under way",
            old.id
        ));
        let handle = self.ledger.attach(&old.id);
        let handle = handle.map_err(|error| Failure::of(Exit::Input, &error))?;
        let chosen = Chosen {
            id: old.id.clone(),
            nonce: nonce(old)?,
            handle,
            begun: Vec::new(),
        };
        let context = Arc::new(self.context(client, stop, chosen));
        let taken: Vec<_> = headers
            .iter()
            .filter_map(|header| header.results.as_deref())
            .collect();
        let place = |stage: &StageInfo| results_of(stage, &old.id, &taken);
        let said = format!("run {} took the place of this one", self.run);
        // the old mapping is gone: that of now says best where the keys are
        let key_detail = |stage: &StageInfo| {
            let job = jobs.get(stage.header.stage as usize)?;
            let plan = Some(&job.plan).filter(|plan| plan.entity() == stage.header.entity)?;
            plan.key_detail().map(str::to_owned)
        };
        let ended = settle(&context, stages, place, key_detail, &said).await;
        let ended = ended.map_err(|error| Failure::of(exit_of(&error), &error))?;
        for stage in ended {
            self.tell(format!(
                "of run {}: {}; results in {}",
                old.id,
                all_of(&stage.counts),
                stage.results.display()
            ));
        }
        Ok(())
    }

    fn choose(&self, interrupted: Interrupted, site: &str) -> Result<Chosen, Failure> {
        let unusable = |error| Failure::of(Exit::Input, &error);
        if let Interrupted::GoesOn(old, begun) = interrupted {
            return Ok(Chosen {
                nonce: nonce(&old)?,
                handle: self.ledger.resume(&old.id).map_err(unusable)?,
                id: old.id,
                begun,
            });
        }
        let header = RunHeader {
            id: self.run.clone(),
            nonce: self.nonce.to_string(),
            site: site.to_owned(),
            job: self.job.clone(),
            retry_of: self.retry.as_ref().map(|retry| retry.run.id.clone()),
            invocation: self.invocation.clone(),
            started_at: self.clock.unix_millis(),
        };
        let handle = match interrupted {
            Interrupted::Over(old, ..) => self.ledger.begin_in_place_of(&header, &old.id),
            Interrupted::None | Interrupted::GoesOn(..) => self.ledger.begin(&header),
        };
        Ok(Chosen {
            id: self.run.clone(),
            nonce: self.nonce,
            handle: handle.map_err(unusable)?,
            begun: Vec::new(),
        })
    }
}

/// How all rows of a stage ended: `3 loaded, 0 not sent, 1 unconfirmed, 4 in all`.
fn all_of(counts: &Counts) -> String {
    let named = [Status::Loaded, Status::NotSent];
    let mut parts = named
        .map(|status| format!("{} {}", counts.of(status), said(status)))
        .to_vec();
    let others = Status::ALL
        .into_iter()
        .filter(|status| !named.contains(status) && counts.of(*status) > 0);
    parts.extend(others.map(|status| format!("{} {}", counts.of(status), said(status))));
    parts.push(format!("{} in all", counts.total()));
    parts.join(", ")
}

fn said(status: Status) -> String {
    status.to_string().replace('_', " ")
}

async fn headers(jobs: &[StageJob]) -> Result<Vec<StageHeader>, Failure> {
    let jobs = jobs.to_vec();
    let read = spawn_blocking(move || interrupted::headers(&jobs)).await;
    read.map_err(|error| Failure::of(Exit::Input, &RunError::from(error)))?
}

fn nonce(run: &RunInfo) -> Result<Uuid, Failure> {
    Uuid::try_parse(&run.nonce).map_err(|_| {
        let message = format!(
            "the ledger's entry of run {} is damaged; begin anew with --new",
            run.id
        );
        Failure::new(Exit::Input, message)
    })
}

/// Where the results of a run go that is not continued: where they were to go, unless those of the new run go there.
fn results_of(stage: &StageInfo, run: &str, taken: &[&str]) -> PathBuf {
    let named = stage.header.results.as_deref();
    let wanted = named.map_or_else(
        || PathBuf::from(format!("{}-results.csv", stage.header.entity)),
        PathBuf::from,
    );
    if taken.iter().any(|taken| Path::new(taken) == wanted) {
        let stem = wanted.file_stem().unwrap_or_default().to_string_lossy();
        let ending = wanted.extension().unwrap_or_default().to_string_lossy();
        return wanted.with_file_name(format!("{stem}-{run}.{ending}"));
    }
    wanted
}

/// Bugs are told from circumstances.
fn exit_of(error: &RunError) -> Exit {
    match error {
        RunError::Worker(_) | RunError::Drive(DriveError::Task) => Exit::Defect,
        RunError::Publish(error) if error.is_defect() => Exit::Defect,
        RunError::Ledger(_)
        | RunError::Drive(_)
        | RunError::Publish(_)
        | RunError::Unsettled(_)
        | RunError::Io { .. } => Exit::Stopped,
    }
}
