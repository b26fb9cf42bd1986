//! Sites: access, examination, the sandbox.

use super::load::Target;
use crate::cli::contract::Span;
use crate::cli::job::AuthMethod;
use clap::Subcommand;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AuthCommand {
    /// Ask a person to let the app in (OAuth), and keep the tokens
    Login(LoginArgs),
    /// Say as whom requests go out, to which site, and what is missing
    Status(AuthArgs),
}

/// Which site, and as whom.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct AuthArgs {
    /// Job file that names site and credentials
    #[arg(value_name = "JOB.toml")]
    pub(in crate::cli) job: Option<PathBuf>,
    /// The site's host, as in acme.atlassian.net
    ///
    /// Also `CSM_LOADER_SITE`
    #[arg(long, value_name = "HOST")]
    pub(in crate::cli) site: Option<String>,
    /// How to identify [default: the job's method]
    #[arg(long, value_enum)]
    pub(in crate::cli) method: Option<AuthMethod>,
    /// Folder that keeps the tokens [default: .csm-loader]
    #[arg(
        long,
        value_name = "DIR",
        env = "CSM_LOADER_STATE_DIR",
        hide_env_values = true
    )]
    pub(in crate::cli) state_dir: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DoctorArgs {
    #[command(flatten)]
    pub(in crate::cli) access: AuthArgs,
    /// The site inside this program instead
    ///
    /// Also `CSM_LOADER_TARGET`
    #[arg(long, value_name = "sandbox", conflicts_with = "site")]
    pub(in crate::cli) target: Option<Target>,
    /// Make, read and delete marked test records to find out what the API's documentation leaves open
    #[arg(long)]
    pub(in crate::cli) probe: bool,
    /// Do not ask before records are made
    #[arg(long, requires = "probe")]
    pub(in crate::cli) yes: bool,
    /// Domain of the test customer's address; mail to it should reach nobody
    #[arg(
        long,
        value_name = "DOMAIN",
        default_value = "example.com",
        requires = "probe"
    )]
    pub(in crate::cli) domain: String,
    /// How long to wait for a task, and for a record to be found, as in 90s or 10m
    #[arg(long, value_name = "TIME", default_value = "5m", requires = "probe")]
    pub(in crate::cli) patience: Span,
    /// Print all of [contract], also what is as usual
    #[arg(long, requires = "probe")]
    pub(in crate::cli) all: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct LoginArgs {
    #[command(flatten)]
    pub(in crate::cli) access: AuthArgs,
    /// Port that the browser is sent back to; the app must name <http://localhost:PORT/callback>
    #[arg(long, value_name = "PORT", default_value_t = 8976)]
    pub(in crate::cli) port: u16,
    /// Ask for these scopes and no others [default: those known that a load needs]
    #[arg(long, value_name = "SCOPE", num_args = 1.., value_delimiter = ' ')]
    pub(in crate::cli) scope: Vec<String>,
    /// Prove with PKCE (S256) that the code came to the program that asked for it
    #[arg(long)]
    pub(in crate::cli) pkce: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct SandboxArgs {
    /// Address to serve on; only this machine can be reached
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8765")]
    pub(in crate::cli) listen: SocketAddr,
    /// Folder whose sandbox site is served, the one that `load --target sandbox` uses
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".csm-loader",
        env = "CSM_LOADER_STATE_DIR",
        hide_env_values = true
    )]
    pub(in crate::cli) state_dir: PathBuf,
    /// Fill the site from this file first (what is there stays)
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) seed: Option<PathBuf>,
    /// Give OAuth tokens, and let in only who this file names (see the README)
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) auth: Option<PathBuf>,
    /// Take the names of the API from this file's [contract], which may be a job file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) contract: Option<PathBuf>,
    /// Fill the site and end, without serving
    #[arg(long, requires = "seed")]
    pub(in crate::cli) seed_only: bool,
    #[command(flatten)]
    pub(in crate::cli) policy: PolicyArgs,
    /// List the knobs of a policy with their value in each preset, and end
    #[arg(long)]
    pub(in crate::cli) policies: bool,
    /// Append every exchange to this file, one JSON object a line; it holds the loaded rows' personal data (mode 600)
    #[arg(
        long,
        value_name = "FILE",
        env = "CSM_LOADER_SANDBOX_TRAFFIC",
        hide_env_values = true
    )]
    pub(in crate::cli) traffic: Option<PathBuf>,
}

/// How a sandbox behaves.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PolicyArgs {
    /// How the site behaves: documented, live-2026, hostile, or a file of knobs [default: documented]
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub(in crate::cli) policy: Option<String>,
    /// Set one knob of the policy otherwise, as often as needed
    #[arg(long, value_name = "KEY=VALUE")]
    pub(in crate::cli) set: Vec<String>,
    /// What chance in the policy starts from; the same number, the same fate [default: 0]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) random_seed: Option<u32>,
    /// Let the site's clock run so many times as fast [default: 1]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) time_scale: Option<u32>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ContractArgs {
    /// Job file whose [contract] says some of it otherwise
    #[arg(long, value_name = "JOB.toml")]
    pub(in crate::cli) job: Option<PathBuf>,
}
