//! `csm-loader load`: the main job.

use super::sandbox::FOLDER;
use super::show;
use crate::api::auth::Auth;
use crate::api::client::{Client, ClientConfig};
use crate::api::site::Site;
use crate::cli::access::{self, Access, TIMEOUT, USER_AGENT};
use crate::cli::args::{LoadArgs, StageArgs};
use crate::cli::exit::{Exit, Failure};
use crate::cli::open::{Naming, open};
use crate::cli::settings::{LoadSettings, SiteSettings};
use crate::cli::signals::{self, Words};
use crate::engine::context::{Audience, Context};
use crate::engine::driver::DriveError;
use crate::engine::pace::Pace;
use crate::engine::run::{RunEnd, RunError, StageJob, run as run_stages};
use crate::engine::stop::Stop;
use crate::ledger::record::RunHeader;
use crate::ledger::{Ledger, StateFolder};
use crate::model::clock::{Clock, SystemClock, UnixMillis};
use crate::model::entity::Entity;
use crate::model::event::RunEvent;
use crate::sandbox::{self, Running, SandboxConfig};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// What a load says when interrupted.
const INTERRUPTED: Words = Words {
    first: "interrupted: waiting for what is in flight; a second interrupt ends at once",
    second: "interrupted again: ended at once; no results file was written for the stage under way",
};

/// Loads.
///
/// # Errors
/// When the settings, the inputs or the site cannot be used; nothing was sent then.
pub(in crate::cli) fn run(args: &LoadArgs) -> Result<Exit, Failure> {
    let settings = LoadSettings::resolve(args, |name| std::env::var(name).ok())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let state =
        StateFolder::open(&settings.state_dir).map_err(|error| Failure::of(Exit::Input, &error))?;
    // what a killed run left there is nobody's any more: the state folder is ours
    let spool = state.path().join("spool");
    match std::fs::remove_dir_all(&spool) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            let message = format!("failed to clear {}: {error}", spool.display());
            return Err(Failure::new(Exit::Input, message));
        }
        _ => {}
    }
    let spool = state
        .folder("spool")
        .map_err(|error| Failure::of(Exit::Input, &error))?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::new(Exit::Defect, format!("failed to start: {error}")))?;
    let entered = runtime.enter();
    let opening = signals::end_at_once(
        spool.clone(),
        "interrupted while the inputs were opened: nothing was sent",
    )
    .map_err(|error| {
        Failure::new(
            Exit::Defect,
            format!("failed to listen for signals: {error}"),
        )
    })?;
    let nonce = Uuid::new_v4();
    let run = run_id(clock.unix_millis(), nonce);
    let naming = Naming {
        suffix: "results",
        from_job: true,
        date: &date(clock.unix_millis()),
        run: &run,
    };
    let jobs = open(&settings.stages, &spool, &naming, &settings.contract)?;
    drop(opening);
    drop(entered);
    let ledger = Ledger::open(state).map_err(|error| Failure::of(Exit::Input, &error))?;
    let (audience, summary) = show::audience(&args.show, &clock)?;
    let ended = runtime.block_on(async {
        let loader = Loader {
            settings,
            ledger,
            clock,
            audience: audience.clone(),
            nonce,
            run,
            job: job_name(&args.stage),
            spool,
        };
        loader.load(&jobs).await
    });
    audience.finish();
    let end = ended?;
    // a reader that goes away has seen enough
    let _ = io::stdout().write_all(summary.text().as_bytes());
    Ok(match end {
        RunEnd {
            never_let_in: true, ..
        } => Exit::Input,
        RunEnd {
            stopped: Some(_), ..
        } => Exit::Stopped,
        RunEnd { counts, .. } if counts.any_not_loaded() => Exit::RowsLeft,
        RunEnd { .. } => Exit::Done,
    })
}

/// `20260131-081500-3f9a2c`: sorts by time, and is unique.
fn run_id(now: UnixMillis, nonce: Uuid) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis(now).unwrap_or_default();
    format!(
        "{}-{}",
        time.format("%Y%m%d-%H%M%S"),
        &nonce.simple().to_string()[..6]
    )
}

/// `2026-01-31`
pub(super) fn date(now: UnixMillis) -> String {
    DateTime::<Utc>::from_timestamp_millis(now)
        .unwrap_or_default()
        .format("%Y-%m-%d")
        .to_string()
}

/// What makes two loads the same job: the job file's place, or what was typed instead of one.
fn job_name(args: &StageArgs) -> String {
    if let Some(job) = &args.job {
        let place = job.canonicalize().unwrap_or_else(|_| job.clone());
        return place.display().to_string();
    }
    let entity = args.entity.map(Entity::name);
    let mapping = args.mapping.as_ref().map(|path| path.display().to_string());
    let words = entity.into_iter().map(str::to_owned).chain(mapping);
    let words: Vec<_> = words.chain(args.input.iter().cloned()).collect();
    words.join(" ")
}

/// The means of one load.
struct Loader {
    settings: LoadSettings,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    audience: Audience,
    nonce: Uuid,
    run: String,
    job: String,
    spool: std::path::PathBuf,
}

impl Loader {
    async fn load(self, jobs: &[StageJob]) -> Result<RunEnd, Failure> {
        let stop = Stop::default();
        signals::listen(stop.clone(), INTERRUPTED).map_err(|error| {
            Failure::new(
                Exit::Defect,
                format!("failed to listen for signals: {error}"),
            )
        })?;
        let (access, sandbox) = self.access().await?;
        let Access {
            site,
            auth,
            name,
            warnings,
        } = access;
        let config = ClientConfig {
            site,
            auth,
            timeout: TIMEOUT,
            user_agent: USER_AGENT.into(),
            contract: Arc::clone(&self.settings.contract),
            gate: Arc::new(Pace::new(self.settings.requests_per_second)),
        };
        let client = Client::new(config).map_err(|error| Failure::of(Exit::Input, &error))?;
        let header = RunHeader {
            id: self.run.clone(),
            nonce: self.nonce.to_string(),
            site: name.clone(),
            job: self.job.clone(),
            retry_of: None,
            started_at: self.clock.unix_millis(),
        };
        let handle = self
            .ledger
            .begin(&header)
            .map_err(|error| Failure::of(Exit::Input, &error))?;
        self.audience.tell(&RunEvent::RunStarted {
            run: self.run.clone(),
            site: name,
        });
        for message in warnings {
            self.audience.tell(&RunEvent::Notice {
                stage: None,
                message,
            });
        }
        let context = Arc::new(Context {
            client,
            clock: Arc::clone(&self.clock),
            ledger: handle,
            audience: self.audience.clone(),
            stop,
            run: self.run.clone(),
            nonce: self.nonce,
            slots: self.settings.slots,
            budget: Mutex::default(),
            max_errors: self.settings.max_errors,
            spool: self.spool.clone(),
        });
        let ended = run_stages(&context, jobs).await;
        let closed = match sandbox {
            Some(sandbox) => sandbox.stop().await,
            None => Ok(()),
        };
        // the run's own fault comes before that of the site it ran on
        let end = ended.map_err(|error| Failure::of(exit_of(&error), &error))?;
        closed.map_err(|error| Failure::of(Exit::Stopped, &error))?;
        Ok(end)
    }

    /// The way to the site, which may be the one inside this program.
    async fn access(&self) -> Result<(Access, Option<Running>), Failure> {
        let SiteSettings::Sandbox { seed, policy } = &self.settings.site else {
            let (site, auth) = (&self.settings.site, &self.settings.auth);
            let access = access::enter(site, auth, Arc::clone(&self.clock)).await?;
            return Ok((access, None));
        };
        let unusable = |error: &dyn std::error::Error| Failure::of(Exit::Input, error);
        let folder = self
            .ledger
            .folder()
            .folder(FOLDER)
            .map_err(|error| unusable(&error))?;
        let config = SandboxConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            state: Some(folder),
            seed: seed.clone(),
            policy: (**policy).clone(),
            contract: Arc::clone(&self.settings.contract),
            tokens: None,
            traffic: self.settings.sandbox_traffic.clone(),
        };
        let running = sandbox::start(config, Arc::clone(&self.clock))
            .await
            .map_err(|error| unusable(&error))?;
        let site = Site::cloud(&running.base_url(), running.cloud_id())
            .map_err(|error| unusable(&error))?;
        let auth = Auth::Basic {
            email: "loader@sandbox.example".into(),
            token: SecretString::from("sandbox"),
        };
        let access = Access {
            site,
            auth,
            name: "sandbox".into(),
            warnings: Vec::new(),
        };
        Ok((access, Some(running)))
    }
}

/// Bugs are told from circumstances.
fn exit_of(error: &RunError) -> Exit {
    match error {
        RunError::Worker(_) | RunError::Drive(DriveError::Task) => Exit::Defect,
        RunError::Publish(error) if error.is_defect() => Exit::Defect,
        RunError::Ledger(_) | RunError::Drive(_) | RunError::Publish(_) | RunError::Io { .. } => {
            Exit::Stopped
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_by_time() {
        let id = run_id(1_769_847_300_000, Uuid::nil());
        assert_eq!(id, "20260131-081500-000000");
        assert_eq!(date(1_769_847_300_000), "2026-01-31");
    }
}
