//! The settings as run: flags over environment over job file over defaults, resolved once.

use super::args::{AuthArgs, LoadArgs, RetryArgs, SendArgs, StageArgs, Target};
use super::exit::{Exit, Failure};
use super::job::{AuthTable, CsvTable, Job, SandboxTable, SiteTable, StageTable};
use crate::api::contract::{self, Contract};
use crate::dedupe::Policy;
use crate::engine::limits::{MaxChanges, MaxErrors, TaskSlots, Verify};
use crate::engine::pace::{DEFAULT_REQUESTS_PER_SECOND, Rates};
use crate::engine::route::Wish;
use crate::ledger::KEEP_RUNS;
use crate::model::entity::Entity;
use crate::sandbox::{self, PolicyChoice};
use crate::source::{CsvOptions, Format, Header};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The state folder when nobody names one.
pub(super) const STATE_DIR: &str = ".csm-loader";

/// Where rows go.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SiteSettings {
    /// The site inside this program, filled from a file first.
    Sandbox {
        seed: Option<PathBuf>,
        policy: Box<sandbox::Policy>,
    },
    /// A site whose cloud id is looked up.
    Host { host: String, origin: String },
    /// A site by its cloud id.
    Cloud { cloud_id: String, origin: String },
}

impl SiteSettings {
    /// What people call it, and the ledger.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Sandbox { .. } => "sandbox",
            Self::Host { host, .. } => host,
            Self::Cloud { cloud_id, .. } => cloud_id,
        }
    }
}

/// One stage.
#[derive(Debug, Clone)]
pub(super) struct StageSettings {
    pub(super) entity: Option<Entity>,
    pub(super) mapping: PathBuf,
    pub(super) inputs: Vec<String>,
    /// The folder that the inputs start from.
    pub(super) base: PathBuf,
    pub(super) format: Option<Format>,
    pub(super) csv: CsvOptions,
    /// As written, with `{date}` and `{run}`; the folder it starts from is already in front.
    pub(super) results: Option<String>,
    pub(super) with_source: bool,
    pub(super) duplicates: Policy,
    /// Whether what the input no longer has is listed.
    pub(super) gone: bool,
}

/// What `check` needs.
#[derive(Debug)]
pub(super) struct CheckSettings {
    pub(super) state_dir: PathBuf,
    /// What the API is taken for.
    pub(super) contract: Contract,
    pub(super) stages: Vec<StageSettings>,
}

/// As whom to go to a site.
#[derive(Debug)]
pub(super) struct AuthSettings {
    pub(super) table: AuthTable,
    /// The folder that secret files start from.
    pub(super) base: PathBuf,
    /// The file that keeps tokens.
    pub(super) tokens: PathBuf,
    /// Where tokens come from.
    pub(super) login_origin: String,
}

/// What `auth` needs.
#[derive(Debug)]
pub(super) struct AccessSettings {
    pub(super) site: SiteSettings,
    pub(super) auth: AuthSettings,
}

impl AccessSettings {
    /// Resolves the settings of `auth`.
    ///
    /// # Errors
    /// When the job file or a flag says what cannot be.
    pub(super) fn resolve(
        args: &AuthArgs,
        var: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let (mut job, base) = read_job(args.job.as_deref())?;
        let state_dir = state_dir(args.state_dir.as_deref(), &job, &base);
        job.auth.method = args.method.or(job.auth.method);
        Ok(Self {
            auth: AuthSettings::new(job.auth, base, &state_dir),
            site: site(
                None,
                args.site.as_ref(),
                var,
                job.site,
                SiteSettings::Sandbox {
                    seed: None,
                    policy: Box::default(),
                },
            )?,
        })
    }
}

impl AuthSettings {
    pub(super) fn new(mut table: AuthTable, base: PathBuf, state_dir: &Path) -> Self {
        Self {
            tokens: match table.tokens_file.take() {
                Some(file) => base.join(file),
                None => state_dir.join("tokens.json"),
            },
            login_origin: table
                .login_url
                .take()
                .unwrap_or_else(|| contract::LOGIN_ORIGIN.to_owned()),
            table,
            base,
        }
    }
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
        settings.max_changes = match (args.max_changes, of_job) {
            (Some(most), _) => Some(most),
            (None, Some(text)) => Some(
                text.into_word()
                    .parse()
                    .map_err(|error: String| input(format!("max_changes in [limits]: {error}")))?,
            ),
            (None, None) => None,
        };
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
        let in_limits = |key: &str, error: String| input(format!("{key} in [limits]: {error}"));
        let slots = match (args.task_slots, job.limits.task_slots) {
            (Some(slots), _) => slots,
            (None, Some(text)) => text
                .into_word()
                .parse()
                .map_err(|error| in_limits("task_slots", error))?,
            (None, None) => TaskSlots::default(),
        };
        let max_errors = match (args.max_errors, job.limits.max_errors) {
            (Some(most), _) => Some(most),
            (None, Some(text)) => Some(
                text.into_word()
                    .parse()
                    .map_err(|error| in_limits("max_errors", error))?,
            ),
            (None, None) => None,
        };
        let route = match (args.route, job.limits.route) {
            (Some(route), _) => route,
            (None, Some(text)) => text
                .into_word()
                .parse()
                .map_err(|error| in_limits("route", error))?,
            (None, None) => Wish::default(),
        };
        let verify = match (args.verify, job.limits.verify) {
            (Some(verify), _) => verify,
            (None, Some(text)) => text
                .into_word()
                .parse()
                .map_err(|error| in_limits("verify", error))?,
            (None, None) => Verify::default(),
        };
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
            slots,
            rates: Rates {
                requests_per_second: args
                    .requests_per_second
                    .or(job.limits.requests_per_second)
                    .unwrap_or(DEFAULT_REQUESTS_PER_SECOND),
                platform_limits: job.limits.platform_limits.unwrap_or(true),
            },
            max_errors,
            route,
            single_in_flight: args
                .single_in_flight
                .or(job.limits.single_in_flight)
                .unwrap_or(DEFAULT_SINGLE_IN_FLIGHT),
            verify,
            max_changes: None,
            expect_task: job.limits.expect_task.map(|span| span.0),
            expect_call: job.limits.expect_call.map(|span| span.0),
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

/// The site inside this program, should it be asked for.
pub(super) fn embedded(
    seed: Option<&PathBuf>,
    table: SandboxTable,
    base: &Path,
) -> Result<SiteSettings, Failure> {
    let mut choice = PolicyChoice {
        policy: table.policy,
        base: base.to_owned(),
        set: table.set.into_iter().collect(),
    };
    choice.set_number("random_seed", table.random_seed);
    choice.set_number("time_scale", table.time_scale);
    let policy = choice
        .resolve()
        .map_err(|error| Failure::of(Exit::Input, &error))?;
    let of_job = table.seed.map(|seed| base.join(seed));
    Ok(SiteSettings::Sandbox {
        seed: seed.cloned().or(of_job),
        policy: Box::new(policy),
    })
}

/// Flags over environment over job file; on each level the sandbox or a site.
pub(super) fn site(
    target: Option<Target>,
    host: Option<&String>,
    var: impl Fn(&str) -> Option<String>,
    table: SiteTable,
    sandbox: SiteSettings,
) -> Result<SiteSettings, Failure> {
    let origin = table
        .base_url
        .unwrap_or_else(|| contract::ORIGIN.to_owned());
    if target == Some(Target::Sandbox) {
        return Ok(sandbox);
    }
    if let Some(host) = host {
        return Ok(SiteSettings::Host {
            host: host.clone(),
            origin,
        });
    }
    match (var("CSM_LOADER_TARGET").as_deref(), var("CSM_LOADER_SITE")) {
        (Some("sandbox"), None) => return Ok(sandbox),
        (None, Some(host)) => return Ok(SiteSettings::Host { host, origin }),
        (None, None) => {}
        (Some(other), None) => {
            let message =
                format!("CSM_LOADER_TARGET={other} is not known; the one target is sandbox");
            return Err(input(message));
        }
        (Some(_), Some(_)) => {
            let message = "CSM_LOADER_TARGET and CSM_LOADER_SITE are both set; unset one, or say which with --target or --site";
            return Err(input(message.into()));
        }
    }
    match (table.target.as_deref(), table.site, table.cloud_id) {
        (Some("sandbox"), None, None) => Ok(sandbox),
        (Some(other), None, None) => Err(input(format!(
            "target = {other:?} in [site] is not known; the one target is \"sandbox\""
        ))),
        (None, Some(host), None) => Ok(SiteSettings::Host { host, origin }),
        (None, None, Some(cloud_id)) => Ok(SiteSettings::Cloud { cloud_id, origin }),
        (None, None, None) => Err(input(
            "no site: name one with --site acme.atlassian.net, try things on the local one with \
             --target sandbox, or write [site] into the job file"
                .into(),
        )),
        _ => Err(input(
            "[site] names more than one of target, site and cloud_id; keep one".into(),
        )),
    }
}

fn stages(
    args: &StageArgs,
    tables: Vec<StageTable>,
    base: &Path,
) -> Result<Vec<StageSettings>, Failure> {
    let stages = match (&args.mapping, tables.is_empty()) {
        (Some(mapping), _) => vec![stage_of_flags(args, mapping)?],
        (None, _) => tables
            .into_iter()
            .map(|table| stage_of_table(args, table, base))
            .collect::<Result<Vec<_>, _>>()?,
    };
    if args.results.is_some() && stages.len() > 1 {
        let message = "--results names one file, and the job has several stages; write results into each [[stage]]";
        return Err(Failure::new(Exit::Usage, message));
    }
    if stages
        .iter()
        .flat_map(|stage| &stage.inputs)
        .filter(|input| *input == "-")
        .count()
        > 1
    {
        return Err(input(
            "standard input (-) is named more than once; it can be read by one stage only".into(),
        ));
    }
    Ok(stages)
}

fn stage_of_flags(args: &StageArgs, mapping: &Path) -> Result<StageSettings, Failure> {
    Ok(StageSettings {
        entity: args.entity,
        mapping: mapping.to_owned(),
        inputs: args.input.clone(),
        base: PathBuf::new(),
        format: args.format,
        csv: csv_options(args, CsvTable::default())?,
        results: args.results.clone(),
        with_source: args.with_source,
        duplicates: args.duplicates.unwrap_or_default(),
        gone: false,
    })
}

fn stage_of_table(
    args: &StageArgs,
    table: StageTable,
    base: &Path,
) -> Result<StageSettings, Failure> {
    let format = match (args.format, table.format) {
        (Some(format), _) => Some(format),
        (None, Some(word)) => Some(
            word.parse()
                .map_err(|error| input(format!("format in [[stage]]: {error}")))?,
        ),
        (None, None) => None,
    };
    let results = table
        .results
        .map(|results| base.join(results).display().to_string());
    Ok(StageSettings {
        entity: table.entity,
        mapping: base.join(table.mapping),
        inputs: table.input.into(),
        base: base.to_owned(),
        format,
        csv: csv_options(args, table.csv)?,
        results: args.results.clone().or(results),
        with_source: args.with_source || table.with_source,
        duplicates: args.duplicates.or(table.duplicates).unwrap_or_default(),
        gone: table.gone.is_some(),
    })
}

fn csv_options(args: &StageArgs, table: CsvTable) -> Result<CsvOptions, Failure> {
    let of_flags = |error| Failure::new(Exit::Usage, error);
    let usual = CsvOptions::default();
    Ok(CsvOptions {
        delimiter: match (&args.csv_delimiter, &table.delimiter) {
            (Some(text), _) => Some(delimiter(text).map_err(of_flags)?),
            (None, Some(text)) => Some(delimiter(text).map_err(input)?),
            (None, None) => None,
        },
        encoding: args.csv_encoding.clone().or(table.encoding),
        header: args
            .csv_columns
            .clone()
            .or(table.columns)
            .map_or(Header::FromFile, Header::Names),
        max_record: match (&args.csv_max_record, &table.max_record) {
            (Some(text), _) => bytes(text).map_err(of_flags)?,
            (None, Some(text)) => bytes(text).map_err(input)?,
            (None, None) => usual.max_record,
        },
    })
}

fn delimiter(text: &str) -> Result<u8, String> {
    match (text, text.as_bytes()) {
        ("tab" | "\\t", _) => Ok(b'\t'),
        (_, [byte]) if !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err(format!(
            "the CSV delimiter {text:?} is not one ASCII character; write it as in \";\" or \"tab\""
        )),
    }
}

/// `16MiB`, `512KiB`, `1048576`
fn bytes(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "kib" | "k" => Some(1 << 10),
        "mib" | "m" => Some(1 << 20),
        "gib" | "g" => Some(1 << 30),
        "kb" => Some(1_000),
        "mb" => Some(1_000_000),
        "gb" => Some(1_000_000_000),
        _ => None,
    };
    let number = digits
        .trim()
        .parse::<usize>()
        .ok()
        .filter(|number| *number > 0);
    unit.zip(number)
        .and_then(|(unit, number)| number.checked_mul(unit))
        .ok_or_else(|| format!("{text:?} is not a size; write it as in 16MiB"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Args, Command};
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

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, expected) in [
            ("16MiB", 16 << 20),
            ("1k", 1024),
            ("2MB", 2_000_000),
            ("7", 7),
        ] {
            assert_eq!(bytes(text).unwrap(), expected, "{text}");
        }
        assert!(
            bytes("0").is_err() && bytes("1 furlong").is_err() && bytes("99999999999gib").is_err()
        );
    }
}
