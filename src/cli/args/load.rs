//! What is loaded, and how.

use crate::cli::job::Gone;
use crate::dedupe::Policy;
use crate::engine::limits::{MaxChanges, MaxErrors, TaskSlots, Verify};
use crate::engine::route::Wish;
use crate::model::entity::Entity;
use crate::model::outcome::Status;
use crate::source::Format;
use clap::{ArgAction, ArgGroup, ValueEnum};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct LoadArgs {
    #[command(flatten)]
    pub(in crate::cli) stage: StageArgs,
    #[command(flatten)]
    pub(in crate::cli) show: ShowArgs,
    #[command(flatten)]
    pub(in crate::cli) send: SendArgs,
    /// List customers and organizations that were loaded before and that the input, a full export, no longer has
    #[arg(long, value_enum, value_name = "report")]
    pub(in crate::cli) gone: Option<Gone>,
    /// Send nothing when more rows than this would create or change a record: a number, or a percentage of the rows read
    #[arg(
        long,
        value_name = "N|P%",
        env = "CSM_LOADER_MAX_CHANGES",
        hide_env_values = true
    )]
    pub(in crate::cli) max_changes: Option<MaxChanges>,
}

/// What a load would be given, and whom to ask.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PlanArgs {
    #[command(flatten)]
    pub(in crate::cli) load: LoadArgs,
    /// Ask the site which records it has, by reads alone: about so many rows of a stage at most [default: 10000]
    #[arg(
        long,
        value_name = "ROWS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "10000"
    )]
    pub(in crate::cli) remote: Option<u64>,
}

/// Where rows are sent, and how.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct SendArgs {
    /// Where to load: `sandbox` is a site inside this program, kept in the state folder
    ///
    /// Also `CSM_LOADER_TARGET`
    #[arg(long, value_name = "sandbox", conflicts_with = "site")]
    pub(in crate::cli) target: Option<Target>,
    /// The site's host, as in acme.atlassian.net
    ///
    /// Also `CSM_LOADER_SITE`
    #[arg(long, value_name = "HOST")]
    pub(in crate::cli) site: Option<String>,
    /// Send rows too that have not changed since they were loaded
    #[arg(long)]
    pub(in crate::cli) full: bool,
    /// Begin a new run, though one of this job was interrupted; what that one has under way is settled first
    #[arg(long)]
    pub(in crate::cli) new: bool,
    /// Runs that the ledger keeps when this one has ended; open ones stay in any case [default: 30]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) keep_runs: Option<NonZeroUsize>,
    /// Fill the embedded sandbox from this file first (what is there stays)
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) sandbox_seed: Option<PathBuf>,
    /// Task slots to hold on the site: a number, or `auto`
    #[arg(
        long,
        value_name = "N",
        env = "CSM_LOADER_TASK_SLOTS",
        hide_env_values = true
    )]
    pub(in crate::cli) task_slots: Option<TaskSlots>,
    /// Requests a second, over all endpoints [default: 50]
    #[arg(
        long,
        value_name = "N",
        env = "CSM_LOADER_REQUESTS_PER_SECOND",
        hide_env_values = true
    )]
    pub(in crate::cli) requests_per_second: Option<NonZeroU32>,
    /// Stop early when more rows than this did not load: a number, or a percentage of the rows read
    #[arg(
        long,
        value_name = "N|P%",
        env = "CSM_LOADER_MAX_ERRORS",
        hide_env_values = true
    )]
    pub(in crate::cli) max_errors: Option<MaxErrors>,
    /// Which way rows travel: bulk, single, or auto: whichever is faster [default: auto]
    #[arg(
        long,
        value_name = "ROUTE",
        env = "CSM_LOADER_ROUTE",
        hide_env_values = true
    )]
    pub(in crate::cli) route: Option<Wish>,
    /// Rows that may travel by single calls at a time [default: 8]
    #[arg(
        long,
        value_name = "N",
        env = "CSM_LOADER_SINGLE_IN_FLIGHT",
        hide_env_values = true
    )]
    pub(in crate::cli) single_in_flight: Option<NonZeroUsize>,
    /// Of which rows it is read back what the site holds: failed (those in doubt), sample or all [default: sample]
    #[arg(
        long,
        value_name = "ROWS",
        env = "CSM_LOADER_VERIFY",
        hide_env_values = true
    )]
    pub(in crate::cli) verify: Option<Verify>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CheckArgs {
    #[command(flatten)]
    pub(in crate::cli) stage: StageArgs,
    #[command(flatten)]
    pub(in crate::cli) show: ShowArgs,
}

/// What is loaded: a job file, or one entity by flags.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("what").required(true).args(["job", "mapping"])))]
pub(in crate::cli) struct StageArgs {
    /// Job file that names site, limits and stages
    #[arg(value_name = "JOB.toml", conflicts_with_all = ["entity", "mapping", "input"])]
    pub(in crate::cli) job: Option<PathBuf>,
    /// What to load: customer, organization, product, entitlement, detail-field [default: the mapping's]
    #[arg(long)]
    pub(in crate::cli) entity: Option<Entity>,
    /// Mapping file
    #[arg(long, value_name = "FILE", requires = "input")]
    pub(in crate::cli) mapping: Option<PathBuf>,
    /// Files, globs, folders, or - for standard input
    #[arg(long, value_name = "PATH", num_args = 1.., requires = "mapping")]
    pub(in crate::cli) input: Vec<String>,
    /// Results file: .csv, .parquet, .arrow or .jsonl; {date} and {run} expand [default: <input>-results.csv, for a check <input>-rejected.csv]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) results: Option<String>,
    /// Add the source's columns to the results as src.<name>
    #[arg(long)]
    pub(in crate::cli) with_source: bool,
    /// Which row of a natural key is sent: last, first, all-in-order or reject [default: last]
    #[arg(
        long,
        value_name = "POLICY",
        env = "CSM_LOADER_DUPLICATES",
        hide_env_values = true
    )]
    pub(in crate::cli) duplicates: Option<Policy>,
    /// Folder for the ledger and the sandbox's site [default: .csm-loader]
    #[arg(
        long,
        value_name = "DIR",
        env = "CSM_LOADER_STATE_DIR",
        hide_env_values = true
    )]
    pub(in crate::cli) state_dir: Option<PathBuf>,
    /// Format of the input: csv, parquet or arrow [default: by content and extension]
    #[arg(long)]
    pub(in crate::cli) format: Option<Format>,
    /// What separates CSV cells: one character, or `tab` [default: detected]
    #[arg(long, value_name = "CHAR")]
    pub(in crate::cli) csv_delimiter: Option<String>,
    /// Encoding of CSV files, as in windows-1252 [default: UTF-8]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) csv_encoding: Option<String>,
    /// Names of the columns of CSV files that have no header row
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(in crate::cli) csv_columns: Option<Vec<String>>,
    /// Largest CSV record, as in 16MiB [default: 16MiB]
    #[arg(long, value_name = "SIZE")]
    pub(in crate::cli) csv_max_record: Option<String>,
}

/// Which rows of a results file are loaded again.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct RetryArgs {
    /// Results file whose rows are loaded again, perhaps edited: .csv, .parquet, .arrow or .jsonl
    #[arg(value_name = "RESULTS")]
    pub(in crate::cli) file: PathBuf,
    /// Only rows with these statuses [default: those that did not load]
    #[arg(long, value_name = "STATUSES", value_delimiter = ',', value_parser = retried_status)]
    pub(in crate::cli) status: Vec<Status>,
    /// Only rows with one of these codes: `csm-loader codes` lists them
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    pub(in crate::cli) code: Vec<String>,
    /// Mapping file [default: that of the run]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) mapping: Option<PathBuf>,
    /// New results file, never the retried one; {date} and {run} expand [default: <RESULTS>-retry with its ending]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) results: Option<String>,
    /// Add the source's columns to the new results as src.<name> [default: when RESULTS has them]
    #[arg(long)]
    pub(in crate::cli) with_source: bool,
    /// Which row of a natural key is sent: last, first, all-in-order or reject [default: as in the run]
    #[arg(
        long,
        value_name = "POLICY",
        env = "CSM_LOADER_DUPLICATES",
        hide_env_values = true
    )]
    pub(in crate::cli) duplicates: Option<Policy>,
    /// Encoding of a CSV file that is not UTF-8, as in windows-1252
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) csv_encoding: Option<String>,
    /// Job file whose site, credentials, limits and state folder are used; its stages are not
    #[arg(long, value_name = "JOB.toml")]
    pub(in crate::cli) job: Option<PathBuf>,
    /// Folder for the ledger and the sandbox's site, that of the run [default: .csm-loader]
    #[arg(
        long,
        value_name = "DIR",
        env = "CSM_LOADER_STATE_DIR",
        hide_env_values = true
    )]
    pub(in crate::cli) state_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) show: ShowArgs,
    #[command(flatten)]
    pub(in crate::cli) send: SendArgs,
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
pub(in crate::cli) struct ShowArgs {
    /// How progress is told: auto (bars on a terminal, else lines), lines or json
    #[arg(long, value_enum, default_value_t = Log::Auto, env = "CSM_LOADER_LOG", hide_env_values = true)]
    pub(in crate::cli) log: Log,
    /// Show only errors and the closing summary
    #[arg(long, short, action = ArgAction::SetTrue)]
    pub(in crate::cli) quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Log {
    /// Bars on a terminal, else lines
    Auto,
    /// Plain lines
    Lines,
    /// One JSON object per event
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Target {
    /// The site inside this program
    Sandbox,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_to_retry_are_chosen_by_the_statuses_that_can_be_retried() {
        assert_eq!(retried_status("not_sent"), Ok(Status::NotSent));
        insta::assert_snapshot!(retried_status("loaded").unwrap_err(), @"rows that loaded are not loaded again");
        insta::assert_snapshot!(retried_status("Failed").unwrap_err(), @"use unchanged, rejected, failed, duplicate, unconfirmed, not_sent");
    }
}
