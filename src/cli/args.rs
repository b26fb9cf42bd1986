//! The command line as typed: everything optional, nothing resolved.

use super::contract::Span;
use super::job::{AuthMethod, Gone};
use crate::dedupe::Policy;
use crate::engine::limits::{MaxChanges, MaxErrors, TaskSlots, Verify};
use crate::engine::route::Wish;
use crate::ledger::KEEP_RUNS;
use crate::model::entity::Entity;
use crate::model::outcome::Status;
use crate::source::Format;
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

/// Loads customers, organizations and products from CSV, Parquet or Arrow files into Atlassian Customer Service
/// Management, and writes one result for every row it read.
#[derive(Debug, Parser)]
#[command(name = "csm-loader", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 all rows loaded · 1 a defect · 2 wrong flags · 3 bad configuration, mapping, \
                        credentials or input · 4 some rows did not load · 5 stopped early"
)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Load rows into a site and write a results file
    Load(Box<LoadArgs>),
    /// Read, map and validate without a site; write the rows that would not load
    Check(Box<CheckArgs>),
    /// Say what a load would create, update and leave alone, and how long it would take; nothing is sent
    Plan(Box<PlanArgs>),
    /// Get credentials from a site, and see what they are good for
    #[command(subcommand)]
    Auth(AuthCommand),
    /// Look at a site from outside in, and say what is wrong and what to do; find out how it behaves
    Doctor(DoctorArgs),
    /// Continue a run that was interrupted
    Resume(ResumeArgs),
    /// Load the rows of a results file again that did not load
    Retry(Box<RetryArgs>),
    /// List the runs that the state folder holds
    Runs(StateDirArgs),
    /// Write the results of a run again, from the ledger
    Report(ReportArgs),
    /// Move, prune or erase what is remembered
    State(StateArgs),
    /// Serve a local CSM site to try things on
    Sandbox(SandboxArgs),
    /// List every result code with its cause and cure
    Codes,
    /// List what the API is taken for: each name, endpoint and limit, and how well it is known
    Contract(ContractArgs),
    /// Write a script that completes this program's commands and flags in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write this program's manual pages: to a folder, one for each command, or all of them to standard output
    Man {
        /// Folder to write into; it is created
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct ContractArgs {
    /// Job file whose [contract] says some of it otherwise
    #[arg(long, value_name = "JOB.toml")]
    pub(super) job: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct LoadArgs {
    #[command(flatten)]
    pub(super) stage: StageArgs,
    #[command(flatten)]
    pub(super) show: ShowArgs,
    #[command(flatten)]
    pub(super) send: SendArgs,
    /// List customers and organizations that were loaded before and that the input, a full export, no longer has
    #[arg(long, value_enum, value_name = "report")]
    pub(super) gone: Option<Gone>,
    /// Send nothing when more rows than this would create or change a record: a number, or a percentage of the rows read
    #[arg(
        long,
        value_name = "N|P%",
        env = "CSM_LOADER_MAX_CHANGES",
        hide_env_values = true
    )]
    pub(super) max_changes: Option<MaxChanges>,
}

/// What a load would be given, and whom to ask.
#[derive(Debug, clap::Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub(super) load: LoadArgs,
    /// Ask the site which records it has, by reads alone: about so many rows of a stage at most [default: 10000]
    #[arg(
        long,
        value_name = "ROWS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "10000"
    )]
    pub(super) remote: Option<u64>,
}

/// Where rows are sent, and how.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SendArgs {
    /// Where to load: `sandbox` is a site inside this program, kept in the state folder
    ///
    /// Also `CSM_LOADER_TARGET`
    #[arg(long, value_name = "sandbox", conflicts_with = "site")]
    pub(super) target: Option<Target>,
    /// The site's host, as in acme.atlassian.net
    ///
    /// Also `CSM_LOADER_SITE`
    #[arg(long, value_name = "HOST")]
    pub(super) site: Option<String>,
    /// Send rows too that have not changed since they were loaded
    #[arg(long)]
    pub(super) full: bool,
    /// Begin a new run, though one of this job was interrupted; what that one has under way is settled first
    #[arg(long)]
    pub(super) new: bool,
    /// Runs that the ledger keeps when this one has ended; open ones stay in any case [default: 30]
    #[arg(long, value_name = "N")]
    pub(super) keep_runs: Option<NonZeroUsize>,
    /// Fill the embedded sandbox from this file first (what is there stays)
    #[arg(long, value_name = "FILE")]
    pub(super) sandbox_seed: Option<PathBuf>,
    /// Task slots to hold on the site: a number, or `auto`
    #[arg(
        long,
        value_name = "N",
        env = "CSM_LOADER_TASK_SLOTS",
        hide_env_values = true
    )]
    pub(super) task_slots: Option<TaskSlots>,
    /// Requests a second, over all endpoints [default: 50]
    #[arg(
        long,
        value_name = "N",
        env = "CSM_LOADER_REQUESTS_PER_SECOND",
        hide_env_values = true
    )]
    pub(super) requests_per_second: Option<NonZeroU32>,
    /// Stop early when more rows than this did not load: a number, or a percentage of the rows read
    #[arg(
        long,
        value_name = "N|P%",
        env = "CSM_LOADER_MAX_ERRORS",
        hide_env_values = true
    )]
    pub(super) max_errors: Option<MaxErrors>,
    /// Which way rows travel: bulk, single, or auto: whichever is faster [default: auto]
    #[arg(
        long,
        value_name = "ROUTE",
        env = "CSM_LOADER_ROUTE",
        hide_env_values = true
    )]
    pub(super) route: Option<Wish>,
    /// Rows that may travel by single calls at a time [default: 8]
    #[arg(
        long,
        value_name = "N",
        env = "CSM_LOADER_SINGLE_IN_FLIGHT",
        hide_env_values = true
    )]
    pub(super) single_in_flight: Option<NonZeroUsize>,
    /// Of which rows it is read back what the site holds: failed (those in doubt), sample or all [default: sample]
    #[arg(
        long,
        value_name = "ROWS",
        env = "CSM_LOADER_VERIFY",
        hide_env_values = true
    )]
    pub(super) verify: Option<Verify>,
}

#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub(super) stage: StageArgs,
    #[command(flatten)]
    pub(super) show: ShowArgs,
}

/// What is loaded: a job file, or one entity by flags.
#[derive(Debug, clap::Args)]
pub(super) struct StageArgs {
    /// Job file that names site, limits and stages
    #[arg(value_name = "JOB.toml", conflicts_with_all = ["entity", "mapping", "input"])]
    pub(super) job: Option<PathBuf>,
    /// What to load: customer, organization, product, detail-field [default: the mapping's]
    #[arg(long)]
    pub(super) entity: Option<Entity>,
    /// Mapping file
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "job",
        requires = "input"
    )]
    pub(super) mapping: Option<PathBuf>,
    /// Files, globs, folders, or - for standard input
    #[arg(long, value_name = "PATH", num_args = 1.., required_unless_present = "job", requires = "mapping")]
    pub(super) input: Vec<String>,
    /// Results file: .csv, .parquet, .arrow or .jsonl; {date} and {run} expand [default: <input>-results.csv, for a check <input>-rejected.csv]
    #[arg(long, value_name = "FILE")]
    pub(super) results: Option<String>,
    /// Add the source's columns to the results as src.<name>
    #[arg(long)]
    pub(super) with_source: bool,
    /// Which row of a natural key is sent: last, first, all-in-order or reject [default: last]
    #[arg(
        long,
        value_name = "POLICY",
        env = "CSM_LOADER_DUPLICATES",
        hide_env_values = true
    )]
    pub(super) duplicates: Option<Policy>,
    /// Folder for the ledger and the sandbox's site [default: .csm-loader]
    #[arg(
        long,
        value_name = "DIR",
        env = "CSM_LOADER_STATE_DIR",
        hide_env_values = true
    )]
    pub(super) state_dir: Option<PathBuf>,
    /// Format of the input: csv, parquet or arrow [default: by content and extension]
    #[arg(long)]
    pub(super) format: Option<Format>,
    /// What separates CSV cells: one character, or `tab` [default: detected]
    #[arg(long, value_name = "CHAR")]
    pub(super) csv_delimiter: Option<String>,
    /// Encoding of CSV files, as in windows-1252 [default: UTF-8]
    #[arg(long, value_name = "NAME")]
    pub(super) csv_encoding: Option<String>,
    /// Names of the columns of CSV files that have no header row
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) csv_columns: Option<Vec<String>>,
    /// Largest CSV record, as in 16MiB [default: 16MiB]
    #[arg(long, value_name = "SIZE")]
    pub(super) csv_max_record: Option<String>,
}

/// Which rows of a results file are loaded again.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RetryArgs {
    /// Results file whose rows are loaded again, perhaps edited: .csv, .parquet, .arrow or .jsonl
    #[arg(value_name = "RESULTS")]
    pub(super) file: PathBuf,
    /// Only rows with these statuses [default: those that did not load]
    #[arg(long, value_name = "STATUSES", value_delimiter = ',', value_parser = retried_status)]
    pub(super) status: Vec<Status>,
    /// Only rows with one of these codes: `csm-loader codes` lists them
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    pub(super) code: Vec<String>,
    /// Mapping file [default: that of the run]
    #[arg(long, value_name = "FILE")]
    pub(super) mapping: Option<PathBuf>,
    /// New results file, never the retried one; {date} and {run} expand [default: <RESULTS>-retry with its ending]
    #[arg(long, value_name = "FILE")]
    pub(super) results: Option<String>,
    /// Add the source's columns to the new results as src.<name> [default: when RESULTS has them]
    #[arg(long)]
    pub(super) with_source: bool,
    /// Which row of a natural key is sent: last, first, all-in-order or reject [default: as in the run]
    #[arg(
        long,
        value_name = "POLICY",
        env = "CSM_LOADER_DUPLICATES",
        hide_env_values = true
    )]
    pub(super) duplicates: Option<Policy>,
    /// Encoding of a CSV file that is not UTF-8, as in windows-1252
    #[arg(long, value_name = "NAME")]
    pub(super) csv_encoding: Option<String>,
    /// Job file whose site, credentials, limits and state folder are used; its stages are not
    #[arg(long, value_name = "JOB.toml")]
    pub(super) job: Option<PathBuf>,
    /// Folder for the ledger and the sandbox's site, that of the run [default: .csm-loader]
    #[arg(
        long,
        value_name = "DIR",
        env = "CSM_LOADER_STATE_DIR",
        hide_env_values = true
    )]
    pub(super) state_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(super) show: ShowArgs,
    #[command(flatten)]
    pub(super) send: SendArgs,
}

/// A status by which rows can be chosen.
fn retried_status(word: &str) -> Result<Status, String> {
    let choices = || {
        Status::ALL
            .into_iter()
            .filter(|status| *status != Status::Loaded)
    };
    if word == Status::Loaded.name() {
        return Err("rows that loaded are not loaded again".to_owned());
    }
    choices()
        .find(|status| status.name() == word)
        .ok_or_else(|| {
            let names: Vec<_> = choices().map(Status::name).collect();
            format!("use {}", names.join(", "))
        })
}

/// What is shown while it runs.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ShowArgs {
    /// How progress is told: auto (bars on a terminal, else lines), lines or json
    #[arg(long, value_enum, default_value_t = Log::Auto, env = "CSM_LOADER_LOG", hide_env_values = true)]
    pub(super) log: Log,
    /// Show only errors and the closing summary
    #[arg(long, short, action = ArgAction::SetTrue)]
    pub(super) quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Log {
    /// Bars on a terminal, else lines
    Auto,
    /// Plain lines
    Lines,
    /// One JSON object per event
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Target {
    /// The site inside this program
    Sandbox,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuthCommand {
    /// Ask a person to let the app in (OAuth), and keep the tokens
    Login(LoginArgs),
    /// Say as whom requests go out, to which site, and what is missing
    Status(AuthArgs),
}

/// Which site, and as whom.
#[derive(Debug, clap::Args)]
pub(super) struct AuthArgs {
    /// Job file that names site and credentials
    #[arg(value_name = "JOB.toml")]
    pub(super) job: Option<PathBuf>,
    /// The site's host, as in acme.atlassian.net
    ///
    /// Also `CSM_LOADER_SITE`
    #[arg(long, value_name = "HOST")]
    pub(super) site: Option<String>,
    /// How to identify [default: the job's method]
    #[arg(long, value_enum)]
    pub(super) method: Option<AuthMethod>,
    /// Folder that keeps the tokens [default: .csm-loader]
    #[arg(
        long,
        value_name = "DIR",
        env = "CSM_LOADER_STATE_DIR",
        hide_env_values = true
    )]
    pub(super) state_dir: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    pub(super) access: AuthArgs,
    /// The site inside this program instead
    ///
    /// Also `CSM_LOADER_TARGET`
    #[arg(long, value_name = "sandbox", conflicts_with = "site")]
    pub(super) target: Option<Target>,
    /// Make, read and delete marked test records to find out what the API's documentation leaves open
    #[arg(long)]
    pub(super) probe: bool,
    /// Do not ask before records are made
    #[arg(long, requires = "probe")]
    pub(super) yes: bool,
    /// Domain of the test customer's address; mail to it should reach nobody
    #[arg(
        long,
        value_name = "DOMAIN",
        default_value = "example.com",
        requires = "probe"
    )]
    pub(super) domain: String,
    /// How long to wait for a task, and for a record to be found, as in 90s or 10m
    #[arg(long, value_name = "TIME", default_value = "5m", requires = "probe")]
    pub(super) patience: Span,
    /// Print all of [contract], also what is as usual
    #[arg(long, requires = "probe")]
    pub(super) all: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct LoginArgs {
    #[command(flatten)]
    pub(super) access: AuthArgs,
    /// Port that the browser is sent back to; the app must name <http://localhost:PORT/callback>
    #[arg(long, value_name = "PORT", default_value_t = 8976)]
    pub(super) port: u16,
    /// Ask for these scopes and no others [default: those known that a load needs]
    #[arg(long, value_name = "SCOPE", num_args = 1.., value_delimiter = ' ')]
    pub(super) scope: Vec<String>,
    /// Prove with PKCE (S256) that the code came to the program that asked for it
    #[arg(long)]
    pub(super) pkce: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct StateDirArgs {
    /// Folder of the ledger
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".csm-loader",
        env = "CSM_LOADER_STATE_DIR",
        hide_env_values = true,
        global = true
    )]
    pub(super) state_dir: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct ResumeArgs {
    /// The run's id, or what it alone begins with [default: the last one that was interrupted]
    pub(super) run: Option<String>,
    #[command(flatten)]
    pub(super) state: StateDirArgs,
    #[command(flatten)]
    pub(super) show: ShowArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    /// The run's id, or what it alone begins with
    pub(super) run: String,
    /// Results file: .csv, .parquet, .arrow or .jsonl; {run} expands, and several stages put their entity behind the name [default: <run>-<entity>-results.csv]
    #[arg(long, value_name = "FILE")]
    pub(super) results: Option<String>,
    /// Show the final state of all rows: what retries of the run made of them counts
    #[arg(long)]
    pub(super) merged: bool,
    #[command(flatten)]
    pub(super) state: StateDirArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct StateArgs {
    #[command(subcommand)]
    pub(super) command: StateCommand,
    #[command(flatten)]
    pub(super) state: StateDirArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum StateCommand {
    /// Write all runs and what is remembered to a file, to take it to another machine
    Export {
        /// File to write, an SQLite database; it must not exist
        file: PathBuf,
    },
    /// Take over an export into an empty state folder
    Import {
        /// File that `state export` wrote
        file: PathBuf,
    },
    /// Erase a person or another record from the ledger, on disk too
    Forget {
        /// The key as results show it, or the e-mail, name or id
        key: String,
        /// What it is: customer, organization or product [default: any]
        #[arg(long)]
        entity: Option<Entity>,
    },
    /// Remove the oldest runs; what is remembered of the site stays
    Prune {
        /// Runs to keep; open ones stay in any case
        #[arg(long, value_name = "N", default_value_t = KEEP_RUNS)]
        keep_runs: usize,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct SandboxArgs {
    /// Address to serve on; only this machine can be reached
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8765")]
    pub(super) listen: SocketAddr,
    /// Folder whose sandbox site is served, the one that `load --target sandbox` uses
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".csm-loader",
        env = "CSM_LOADER_STATE_DIR",
        hide_env_values = true
    )]
    pub(super) state_dir: PathBuf,
    /// Fill the site from this file first (what is there stays)
    #[arg(long, value_name = "FILE")]
    pub(super) seed: Option<PathBuf>,
    /// Give OAuth tokens, and let in only who this file names (see the README)
    #[arg(long, value_name = "FILE")]
    pub(super) auth: Option<PathBuf>,
    /// Take the names of the API from this file's [contract], which may be a job file
    #[arg(long, value_name = "FILE")]
    pub(super) contract: Option<PathBuf>,
    /// Fill the site and end, without serving
    #[arg(long, requires = "seed")]
    pub(super) seed_only: bool,
    #[command(flatten)]
    pub(super) policy: PolicyArgs,
    /// List the knobs of a policy with their value in each preset, and end
    #[arg(long)]
    pub(super) policies: bool,
    /// Append every exchange to this file, one JSON object a line; it holds the loaded rows' personal data (mode 600)
    #[arg(
        long,
        value_name = "FILE",
        env = "CSM_LOADER_SANDBOX_TRAFFIC",
        hide_env_values = true
    )]
    pub(super) traffic: Option<PathBuf>,
}

/// How a sandbox behaves.
#[derive(Debug, clap::Args)]
pub(super) struct PolicyArgs {
    /// How the site behaves: documented, live-2026, hostile, or a file of knobs [default: documented]
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub(super) policy: Option<String>,
    /// Set one knob of the policy otherwise, as often as needed
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// What chance in the policy starts from; the same number, the same fate [default: 0]
    #[arg(long, value_name = "N")]
    pub(super) random_seed: Option<u32>,
    /// Let the site's clock run so many times as fast [default: 1]
    #[arg(long, value_name = "N")]
    pub(super) time_scale: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn rows_to_retry_are_chosen_by_the_statuses_that_can_be_retried() {
        assert_eq!(retried_status("not_sent"), Ok(Status::NotSent));
        insta::assert_snapshot!(retried_status("loaded").unwrap_err(), @"rows that loaded are not loaded again");
        insta::assert_snapshot!(retried_status("Failed").unwrap_err(), @"use unchanged, rejected, failed, duplicate, unconfirmed, not_sent");
    }

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
