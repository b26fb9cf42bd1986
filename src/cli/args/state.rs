//! Runs and what is remembered of them.

use super::load::ShowArgs;
use crate::ledger::KEEP_RUNS;
use crate::model::entity::Entity;
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct StateDirArgs {
    /// Folder of the ledger
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".csm-loader",
        env = "CSM_LOADER_STATE_DIR",
        hide_env_values = true,
        global = true
    )]
    pub(in crate::cli) state_dir: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ResumeArgs {
    /// The run's id, or what it alone begins with [default: the last one that was interrupted]
    pub(in crate::cli) run: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) state: StateDirArgs,
    #[command(flatten)]
    pub(in crate::cli) show: ShowArgs,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ReportArgs {
    /// The run's id, or what it alone begins with
    pub(in crate::cli) run: String,
    /// Results file: .csv, .parquet, .arrow or .jsonl; {run} expands, and several stages put their entity behind the name [default: <run>-<entity>-results.csv]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) results: Option<String>,
    /// Show the final state of all rows: what retries of the run made of them counts
    #[arg(long)]
    pub(in crate::cli) merged: bool,
    #[command(flatten)]
    pub(in crate::cli) state: StateDirArgs,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct StateArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: StateCommand,
    #[command(flatten)]
    pub(in crate::cli) state: StateDirArgs,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum StateCommand {
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
