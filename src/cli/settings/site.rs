//! Where rows go, and as whom.

use super::{input, read_job, state_dir};
use crate::api::contract;
use crate::cli::args::{AuthArgs, Target};
use crate::cli::exit::{Exit, Failure};
use crate::cli::job::{AuthTable, SandboxTable, SiteTable};
use crate::sandbox::{self, PolicyChoice};
use std::path::{Path, PathBuf};

/// Where rows go.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) enum SiteSettings {
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
    pub(in crate::cli) fn name(&self) -> &str {
        match self {
            Self::Sandbox { .. } => "sandbox",
            Self::Host { host, .. } => host,
            Self::Cloud { cloud_id, .. } => cloud_id,
        }
    }
}

/// As whom to go to a site.
#[derive(Debug)]
pub(in crate::cli) struct AuthSettings {
    pub(in crate::cli) table: AuthTable,
    /// The folder that secret files start from.
    pub(in crate::cli) base: PathBuf,
    /// The file that keeps tokens.
    pub(in crate::cli) tokens: PathBuf,
    /// Where tokens come from.
    pub(in crate::cli) login_origin: String,
}

/// What `auth` needs.
#[derive(Debug)]
pub(in crate::cli) struct AccessSettings {
    pub(in crate::cli) site: SiteSettings,
    pub(in crate::cli) auth: AuthSettings,
}

impl AccessSettings {
    /// Resolves the settings of `auth`.
    ///
    /// # Errors
    /// When the job file or a flag says what cannot be.
    pub(in crate::cli) fn resolve(
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
    pub(in crate::cli) fn new(mut table: AuthTable, base: PathBuf, state_dir: &Path) -> Self {
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

/// The site inside this program, should it be asked for.
pub(in crate::cli) fn embedded(
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
pub(in crate::cli) fn site(
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
