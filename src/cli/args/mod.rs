//! The command line as typed: everything optional, nothing resolved.
//!
//! | module | what |
//! | --- | --- |
//! | `load` | what is loaded, and how |
//! | `site` | sites: access, examination, the sandbox |
//! | `state` | runs and what is remembered of them |

mod load;
mod site;
mod state;

pub(super) use load::{
    CheckArgs, LoadArgs, Log, PlanArgs, RetryArgs, SendArgs, ShowArgs, StageArgs, Target,
};
pub(super) use site::{
    AuthArgs, AuthCommand, ContractArgs, DoctorArgs, LoginArgs, PolicyArgs, SandboxArgs,
};
pub(super) use state::{ReportArgs, ResumeArgs, StateArgs, StateCommand, StateDirArgs};

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

/// Loads customers, organizations, products and entitlements from CSV, Parquet or Arrow files into Atlassian Customer
/// Service Management, and writes one result for every row it read.
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
