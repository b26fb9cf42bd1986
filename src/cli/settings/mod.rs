//! The settings as run: flags over environment over job file over defaults, resolved once.
//!
//! | module | what |
//! | --- | --- |
//! | `site` | where rows go, and as whom |
//! | `stages` | what is read, and how |

mod site;
mod stages;

pub(super) use site::{AccessSettings, AuthSettings, SiteSettings, embedded, site};
pub(super) use stages::StageSettings;

use super::args::{LoadArgs, RetryArgs, SendArgs, StageArgs};
use super::exit::{Exit, Failure};
use super::job::{Job, Text};
use crate::api::contract::Contract;
use crate::engine::limits::{MaxChanges, MaxErrors, TaskSlots, Verify};
use crate::engine::pace::{DEFAULT_REQUESTS_PER_SECOND, Rates};
use crate::engine::route::Wish;
use crate::ledger::KEEP_RUNS;
use stages::stages;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// The state folder when nobody names one.
pub(super) const STATE_DIR: &str = ".csm-loader";

/// What `check` needs.
#[derive(Debug)]
pub(super) struct CheckSettings {
    pub(super) state_dir: PathBuf,
    /// What the API is taken for.
    pub(super) contract: Contract,
    pub(super) stages: Vec<StageSettings>,
}

/// Rows by single calls at a time. No limit of calls in flight is documented; a cost guide advises five to ten.
const DEFAULT_SINGLE_IN_FLIGHT: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// What `load` needs.
#[derive(Debug)]
pub(super) struct LoadSettings {
    pub(super) site: SiteSettings,
    pub(super) auth: AuthSettings,
    pub(super) state_dir: PathBuf,
    pub(super) slots: TaskSlots,
    pub(super) rates: Rates,
    pub(super) max_errors: Option<MaxErrors>,
    /// Which way rows travel.
    pub(super) route: Wish,
    /// Rows that may travel by single calls at a time.
    pub(super) single_in_flight: NonZeroUsize,
    /// Of which rows it is read back what the site holds.
    pub(super) verify: Verify,
    /// How many records may be created or changed.
    pub(super) max_changes: Option<MaxChanges>,
    /// What a plan takes a task, and a single call, to take.
    pub(super) expect_task: Option<Duration>,
    pub(super) expect_call: Option<Duration>,
    /// What the job says of the API otherwise.
    pub(super) contract: Arc<Contract>,
    /// Whether rows are sent that have not changed since they were confirmed.
    pub(super) full: bool,
    /// A confirmation that is older counts no longer.
    pub(super) refresh_after: Option<Duration>,
    /// Runs that the ledger keeps.
    pub(super) keep_runs: usize,
    /// Where the embedded sandbox logs its exchanges.
    pub(super) sandbox_traffic: Option<PathBuf>,
    pub(super) stages: Vec<StageSettings>,
}

impl CheckSettings {
    /// Resolves the settings of `check`.
    ///
    /// # Errors
    /// When the job file or a flag says what cannot be.
    pub(super) fn resolve(args: &StageArgs) -> Result<Self, Failure> {
        let (job, base) = read_job(args.job.as_deref())?;
        let state_dir = state_dir(args.state_dir.as_deref(), &job, &base);
        Ok(Self {
            contract: job.contract.0,
            state_dir,
            stages: stages(args, job.stages, &base)?,
        })
    }
}

impl LoadSettings {
    /// Resolves the settings of `load`.
    ///
    /// # Errors
    /// When the job file or a flag says what cannot be.
    pub(super) fn resolve(
        args: &LoadArgs,
        var: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let (mut job, base) = read_job(args.stage.job.as_deref())?;
        let mut stages = stages(&args.stage, std::mem::take(&mut job.stages), &base)?;
        for stage in &mut stages {
            stage.gone |= args.gone.is_some();
        }
        let state_dir = args.stage.state_dir.as_deref();
        let of_job = job.limits.max_changes.take();
        let mut settings = Self::of_job(job, &base, state_dir, &args.send, stages, var)?;
        settings.max_changes = of_limits("max_changes", args.max_changes, of_job)?;
        Ok(settings)
    }

    /// Resolves the settings of `retry`, which has no stages: what it loads is not said by flags.
    ///
    /// # Errors
    /// When the job file or a flag says what cannot be.
    pub(super) fn of_retry(
        args: &RetryArgs,
        var: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let (job, base) = read_job(args.job.as_deref())?;
        let state_dir = args.state_dir.as_deref();
        Self::of_job(job, &base, state_dir, &args.send, Vec::new(), var)
    }

    fn of_job(
        job: Job,
        base: &Path,
        state_dir: Option<&Path>,
        args: &SendArgs,
        stages: Vec<StageSettings>,
        var: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let state_dir = self::state_dir(state_dir, &job, base);
        let limits = job.limits;
        let slots = of_limits("task_slots", args.task_slots, limits.task_slots)?;
        let max_errors = of_limits("max_errors", args.max_errors, limits.max_errors)?;
        let route = of_limits("route", args.route, limits.route)?;
        let verify = of_limits("verify", args.verify, limits.verify)?;
        // a test tool: no flag
        let sandbox_traffic = var("CSM_LOADER_SANDBOX_TRAFFIC").map(PathBuf::from);
        let of_job = job.sandbox.traffic.clone().map(|path| base.join(path));
        Ok(Self {
            sandbox_traffic: sandbox_traffic.or(of_job),
            site: site(
                args.target,
                args.site.as_ref(),
                var,
                job.site,
                embedded(args.sandbox_seed.as_ref(), job.sandbox, base)?,
            )?,
            auth: AuthSettings::new(job.auth, base.to_owned(), &state_dir),
            state_dir,
            slots: slots.unwrap_or_default(),
            rates: Rates {
                requests_per_second: args
                    .requests_per_second
                    .or(limits.requests_per_second)
                    .unwrap_or(DEFAULT_REQUESTS_PER_SECOND),
                platform_limits: limits.platform_limits.unwrap_or(true),
            },
            max_errors,
            route: route.unwrap_or_default(),
            single_in_flight: args
                .single_in_flight
                .or(limits.single_in_flight)
                .unwrap_or(DEFAULT_SINGLE_IN_FLIGHT),
            verify: verify.unwrap_or_default(),
            max_changes: None,
            expect_task: limits.expect_task.map(|span| span.0),
            expect_call: limits.expect_call.map(|span| span.0),
            contract: Arc::new(job.contract.0),
            full: args.full,
            refresh_after: job.state.refresh_after.map(|span| span.0),
            keep_runs: args
                .keep_runs
                .or(job.state.keep_runs)
                .map_or(KEEP_RUNS, NonZeroUsize::get),
            stages,
        })
    }
}

/// What a flag says, else what a word in `[limits]` says.
fn of_limits<T>(key: &str, flag: Option<T>, word: Option<Text>) -> Result<Option<T>, Failure>
where
    T: FromStr<Err = String>,
{
    let of_job = || {
        let word = word.map(|text| text.into_word().parse());
        word.transpose()
            .map_err(|error| input(format!("{key} in [limits]: {error}")))
    };
    flag.map_or_else(of_job, |flag| Ok(Some(flag)))
}

fn input(message: String) -> Failure {
    Failure::new(Exit::Input, message)
}

/// The job file and the folder that its paths start from; without one, the current folder.
fn read_job(job: Option<&Path>) -> Result<(Job, PathBuf), Failure> {
    match job {
        None => Ok((Job::default(), PathBuf::new())),
        Some(path) => Ok((Job::read(path)?, folder(path))),
    }
}

/// The folder that the paths of a job file start from.
pub(super) fn folder(job: &Path) -> PathBuf {
    job.parent().map(Path::to_owned).unwrap_or_default()
}

pub(super) fn state_dir(flag: Option<&Path>, job: &Job, base: &Path) -> PathBuf {
    match (flag, &job.state.dir) {
        (Some(dir), _) => dir.to_owned(),
        (None, Some(dir)) => base.join(dir),
        (None, None) => base.join(STATE_DIR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Args, Command};
    use crate::dedupe::Policy;
    use crate::model::entity::Entity;
    use clap::Parser;

    fn load(flags: &[&str]) -> Result<LoadSettings, Failure> {
        let line = [
            "csm-loader",
            "load",
            "--mapping",
            "m.toml",
            "--input",
            "a.csv",
        ];
        let args = Args::try_parse_from(line.iter().chain(flags)).unwrap();
        let Command::Load(args) = args.command else {
            panic!("not load")
        };
        LoadSettings::resolve(&args, |_| None)
    }

    #[test]
    fn defaults_are_those_of_the_readme() {
        let settings = load(&["--target", "sandbox"]).unwrap();
        assert_eq!(settings.slots, TaskSlots::Auto);
        assert_eq!(settings.rates.requests_per_second.get(), 50);
        assert!(settings.rates.platform_limits);
        assert_eq!(settings.max_errors, None);
        assert_eq!(settings.route, Wish::Auto);
        assert_eq!(settings.single_in_flight.get(), 8);
        assert_eq!(settings.verify, Verify::Sample);
        assert_eq!(settings.state_dir, Path::new(STATE_DIR));
        assert_eq!(settings.stages[0].duplicates, Policy::Last);
        assert_eq!(settings.stages[0].csv.max_record, 16 << 20);
    }

    #[test]
    fn a_job_file_gives_way_to_flags_and_its_paths_start_from_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let job = folder.path().join("job.toml");
        let text = "[site]\ntarget = \"sandbox\"\n[limits]\ntask_slots = 3\nmax_errors = \"5%\"\nroute = \"single\"\nverify = \"all\"\n\
                    [[stage]]\nentity = \"customer\"\nmapping = \"c.toml\"\ninput = \"c.csv\"\nresults = \"out/c.csv\"\n\
                    [[stage]]\nentity = \"product\"\nmapping = \"p.toml\"\ninput = [\"p.csv\"]\n";
        std::fs::write(&job, text).unwrap();
        let line = [
            "csm-loader",
            "load",
            job.to_str().unwrap(),
            "--task-slots",
            "4",
        ];
        let Command::Load(args) = Args::try_parse_from(line).unwrap().command else {
            panic!("not load")
        };
        let settings = LoadSettings::resolve(&args, |_| None).unwrap();
        assert_eq!(settings.slots, TaskSlots::Fixed(4));
        assert_eq!(settings.max_errors, Some(MaxErrors::Percent(5.0)));
        assert_eq!(
            (settings.route, settings.verify),
            (Wish::Single, Verify::All)
        );
        assert_eq!(settings.state_dir, folder.path().join(STATE_DIR));
        let order: Vec<_> = settings.stages.iter().map(|stage| stage.entity).collect();
        assert_eq!(order, [Some(Entity::Customer), Some(Entity::Product)]);
        assert_eq!(settings.stages[0].mapping, folder.path().join("c.toml"));
        assert_eq!(
            settings.stages[0].results,
            Some(folder.path().join("out/c.csv").display().to_string())
        );
    }

    #[test]
    fn the_site_comes_from_flags_then_environment_then_job_file() {
        let site = |flags: &[&str], target: Option<&str>, host: Option<&str>| {
            let line = [
                "csm-loader",
                "load",
                "--mapping",
                "m.toml",
                "--input",
                "a.csv",
            ];
            let args = Args::try_parse_from(line.iter().chain(flags)).unwrap();
            let Command::Load(args) = args.command else {
                panic!("not load")
            };
            let var = |name: &str| match name {
                "CSM_LOADER_TARGET" => target.map(str::to_owned),
                "CSM_LOADER_SITE" => host.map(str::to_owned),
                _ => None,
            };
            LoadSettings::resolve(&args, var).map(|settings| settings.site)
        };
        let acme = |site| matches!(site, SiteSettings::Host { host, .. } if host == "acme.example");
        assert_eq!(
            site(&["--target", "sandbox"], None, Some("acme.example")).unwrap(),
            SiteSettings::Sandbox {
                seed: None,
                policy: Box::default()
            }
        );
        assert!(acme(
            site(&["--site", "acme.example"], Some("sandbox"), None).unwrap()
        ));
        assert!(acme(site(&[], None, Some("acme.example")).unwrap()));
        insta::assert_snapshot!(site(&[], Some("sandbox"), Some("acme.example")).unwrap_err(), @"CSM_LOADER_TARGET and CSM_LOADER_SITE are both set; unset one, or say which with --target or --site");
    }

    #[test]
    fn the_traffic_log_comes_from_the_environment_then_from_beside_the_job_file() {
        let folder = tempfile::tempdir().unwrap();
        let job = folder.path().join("job.toml");
        let text = "[site]\ntarget = \"sandbox\"\n[sandbox]\ntraffic = \"t.jsonl\"\n\
                    [[stage]]\nmapping = \"c.toml\"\ninput = \"c.csv\"\n";
        std::fs::write(&job, text).unwrap();
        let line = ["csm-loader", "load", job.to_str().unwrap()];
        let Command::Load(args) = Args::try_parse_from(line).unwrap().command else {
            panic!("not load")
        };
        let traffic = |var: Option<&str>| {
            let var = |name: &str| var.filter(|_| name == "CSM_LOADER_SANDBOX_TRAFFIC");
            let settings = LoadSettings::resolve(&args, |name| var(name).map(str::to_owned));
            settings.unwrap().sandbox_traffic
        };
        assert_eq!(traffic(None), Some(folder.path().join("t.jsonl")));
        assert_eq!(traffic(Some("x")), Some(PathBuf::from("x")));
        assert_eq!(
            load(&["--target", "sandbox"]).unwrap().sandbox_traffic,
            None
        );
    }

    #[test]
    fn what_cannot_be_is_said() {
        insta::assert_snapshot!(load(&[]).unwrap_err(), @"no site: name one with --site acme.atlassian.net, try things on the local one with --target sandbox, or write [site] into the job file");
        let failure = load(&["--target", "sandbox", "--csv-delimiter", "::"]).unwrap_err();
        insta::assert_snapshot!(failure, @r#"the CSV delimiter "::" is not one ASCII character; write it as in ";" or "tab""#);
        let failure = load(&["--target", "sandbox", "--csv-max-record", "lots"]).unwrap_err();
        insta::assert_snapshot!(failure, @r#""lots" is not a size; write it as in 16MiB"#);
    }
}
