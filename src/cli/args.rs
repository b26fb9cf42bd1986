//! The command line as typed: everything optional, nothing resolved.

use crate::dedupe::Policy;
use crate::engine::limits::{MaxErrors, TaskSlots};
use crate::ledger::KEEP_RUNS;
use crate::model::entity::Entity;
use crate::source::Format;
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::num::NonZeroU32;
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
}

#[derive(Debug, clap::Args)]
pub(super) struct LoadArgs {
    #[command(flatten)]
    pub(super) stage: StageArgs,
    #[command(flatten)]
    pub(super) show: ShowArgs,
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
    /// What to load: customer, organization or product [default: the mapping's entity]
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

/// What is shown while it runs.
#[derive(Debug, clap::Args)]
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
    /// Fill the site and end, without serving
    #[arg(long, requires = "seed")]
    pub(super) seed_only: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
