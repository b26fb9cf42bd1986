//! What `doctor` needs of job file and flags.

use crate::api::contract::Contract;
use crate::cli::args::DoctorArgs;
use crate::cli::exit::Failure;
use crate::cli::job::Job;
use crate::cli::settings::{AuthSettings, SiteSettings, embedded, folder, site, state_dir};
use crate::engine::pace::DEFAULT_REQUESTS_PER_SECOND;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

/// The settings, resolved.
#[derive(Debug)]
pub(super) struct DoctorSettings {
    pub(super) site: SiteSettings,
    pub(super) auth: AuthSettings,
    pub(super) state_dir: PathBuf,
    pub(super) contract: Arc<Contract>,
    pub(super) requests_per_second: NonZeroU32,
    /// Where the embedded sandbox logs its exchanges.
    pub(super) sandbox_traffic: Option<PathBuf>,
    /// The mapping files of the job's stages.
    pub(super) mappings: Vec<PathBuf>,
}

impl DoctorSettings {
    /// Resolves them.
    ///
    /// # Errors
    /// When the job file or a flag says what cannot be.
    pub(super) fn resolve(
        args: &DoctorArgs,
        var: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let (mut job, base) = match &args.access.job {
            Some(path) => (Job::read_site(path)?, folder(path)),
            None => (Job::default(), PathBuf::new()),
        };
        let state_dir = state_dir(args.access.state_dir.as_deref(), &job, &base);
        job.auth.method = args.access.method.or(job.auth.method);
        let traffic = var("CSM_LOADER_SANDBOX_TRAFFIC").map(PathBuf::from);
        let of_job = job.sandbox.traffic.clone().map(|path| base.join(path));
        let stages = job.stages.iter();
        Ok(Self {
            mappings: stages.map(|stage| base.join(&stage.mapping)).collect(),
            sandbox_traffic: traffic.or(of_job),
            contract: Arc::new(job.contract.0),
            requests_per_second: job
                .limits
                .requests_per_second
                .unwrap_or(DEFAULT_REQUESTS_PER_SECOND),
            site: site(
                args.target,
                args.access.site.as_ref(),
                var,
                job.site,
                embedded(None, job.sandbox, &base)?,
            )?,
            auth: AuthSettings::new(job.auth, base, &state_dir),
            state_dir,
        })
    }
}
