//! From settings to a site and the credentials for it: which cloud id, whose tokens.

use super::commands::SANDBOX_FOLDER;
use super::exit::{Exit, Failure};
use super::job::AuthMethod;
use super::secrets::{self, Credentials};
use super::settings::{AuthSettings, LoadSettings, SiteSettings};
use crate::api::auth::Auth;
use crate::api::auth::age;
use crate::api::auth::consent::origin;
use crate::api::auth::login::{App, Login};
use crate::api::auth::renewer::{Consented, Renewer, Source};
use crate::api::auth::store::{Store, Whose};
use crate::api::client::{Client, ClientConfig};
use crate::api::contract::Contract;
use crate::api::lookup;
use crate::api::resources::choose;
use crate::api::site::Site;
use crate::engine::pace::{DEFAULT_REQUESTS_PER_SECOND, Pace, Rates};
use crate::ledger::StateFolder;
use crate::model::clock::Clock;
use crate::sandbox::{self, Policy, Running, SandboxConfig};
use secrecy::SecretString;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// From the start of a request to the end of its answer.
pub(super) const TIMEOUT: Duration = Duration::from_mins(1);
/// As the platform asks programs to name themselves.
pub(super) const USER_AGENT: &str = concat!("jira-csm-loader-int/", env!("CARGO_PKG_VERSION"));

/// A site, and as whom to go there.
pub(super) struct Access {
    /// Where requests go.
    pub(super) site: Site,
    /// What they carry.
    pub(super) auth: Auth,
    /// What people call the site.
    pub(super) name: String,
    /// What a person should know of the credentials.
    pub(super) warnings: Vec<String>,
}

impl LoadSettings {
    /// The way to the site, which may be the one inside this program; that one is kept beside the ledger.
    ///
    /// # Errors
    /// When credentials are missing, or the site cannot be found or started.
    pub(super) async fn enter(
        &self,
        state: &StateFolder,
        clock: Arc<dyn Clock>,
    ) -> Result<(Access, Option<Running>), Failure> {
        let SiteSettings::Sandbox { seed, policy } = &self.site else {
            let (site, auth) = (&self.site, &self.auth);
            let access = enter(site, auth, clock).await?;
            return Ok((access, None));
        };
        let embedded = Embedded {
            seed: seed.clone(),
            policy: (**policy).clone(),
            contract: Arc::clone(&self.contract),
            traffic: self.sandbox_traffic.clone(),
        };
        let (access, running) = embedded.start(state, clock).await?;
        Ok((access, Some(running)))
    }
}

/// What a sandbox inside this program is like.
pub(super) struct Embedded {
    pub(super) seed: Option<PathBuf>,
    pub(super) policy: Policy,
    pub(super) contract: Arc<Contract>,
    pub(super) traffic: Option<PathBuf>,
}

impl Embedded {
    /// Starts it on the site of a state folder.
    ///
    /// # Errors
    /// When the folder or a port cannot be used.
    pub(super) async fn start(
        self,
        state: &StateFolder,
        clock: Arc<dyn Clock>,
    ) -> Result<(Access, Running), Failure> {
        let folder = state
            .folder(SANDBOX_FOLDER)
            .map_err(|error| unusable(&error))?;
        let config = SandboxConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            state: Some(folder),
            seed: self.seed,
            policy: self.policy,
            contract: self.contract,
            tokens: None,
            traffic: self.traffic,
        };
        let running = sandbox::start(config, clock)
            .await
            .map_err(|error| unusable(&error))?;
        let access = of_sandbox(&running)?;
        Ok((access, running))
    }
}

/// The way to a sandbox inside this program.
///
/// # Errors
/// When its address cannot be used, which would be a defect.
fn of_sandbox(running: &Running) -> Result<Access, Failure> {
    let site =
        Site::cloud(&running.base_url(), running.cloud_id()).map_err(|error| unusable(&error))?;
    Ok(Access {
        site,
        auth: Auth::Basic {
            email: "loader@sandbox.example".into(),
            token: SecretString::from("sandbox"),
        },
        name: "sandbox".into(),
        warnings: Vec::new(),
    })
}

/// Finds credentials, and the cloud id of a site that is named by its host: from the list of sites that an OAuth
/// token may use, or else from the site itself.
///
/// # Errors
/// When something is missing, or the site cannot be found.
pub(super) async fn enter(
    site: &SiteSettings,
    auth: &AuthSettings,
    clock: Arc<dyn Clock>,
) -> Result<Access, Failure> {
    let (SiteSettings::Host { origin, .. } | SiteSettings::Cloud { origin, .. }) = site else {
        return Err(embedded());
    };
    let gateway = Site::server(origin).map_err(|error| unusable(&error))?;
    let (auth, consent) = credentials(site, auth, Arc::clone(&clock))?;
    let mut warnings = Vec::new();
    if let Some(renewer) = &consent
        && let Some(kept) = renewer.kept().map_err(|error| unusable(&error))?
    {
        warnings = age::warnings(&kept, clock.unix_millis());
    }
    let (site, name) = match site {
        SiteSettings::Sandbox { .. } => return Err(embedded()),
        SiteSettings::Cloud { cloud_id, origin } => {
            let site = Site::cloud(origin, cloud_id).map_err(|error| unusable(&error))?;
            (site, cloud_id.clone())
        }
        SiteSettings::Host { host, origin } => {
            let cloud_id = if consent.is_some() {
                let sites = client(gateway, auth.clone())?.accessible_resources().await;
                let sites = sites.map_err(|error| unusable(&error))?;
                let chosen = choose(&sites, host);
                chosen
                    .map_err(|message| Failure::new(Exit::Input, message))?
                    .cloud_id
                    .clone()
            } else {
                let found = lookup::discover(host, USER_AGENT, TIMEOUT).await;
                found.map_err(|error| {
                    let what = format!("{error}{}", error.what_to_check());
                    Failure::new(Exit::Input, what)
                })?
            };
            let site = Site::cloud(origin, &cloud_id).map_err(|error| unusable(&error))?;
            (site, host.clone())
        }
    };
    Ok(Access {
        site,
        auth,
        name,
        warnings,
    })
}

/// Whether requests count against the platform's hourly quota, as those of apps are documented to.
pub(super) fn is_metered(site: &SiteSettings, auth: &AuthSettings) -> bool {
    let is_app = matches!(
        auth.table.method,
        Some(AuthMethod::OAuth | AuthMethod::ClientCredentials)
    );
    is_app && !matches!(site, SiteSettings::Sandbox { .. })
}

/// The credentials, and, where they come from a person's consent, what renews them.
fn credentials(
    site: &SiteSettings,
    auth: &AuthSettings,
    clock: Arc<dyn Clock>,
) -> Result<(Auth, Option<Arc<Renewer>>), Failure> {
    let var = |name: &str| std::env::var(name).ok();
    let (login, source) = match secrets::find(&auth.table, &auth.base, var)? {
        Credentials::Ready(ready) => return Ok((ready, None)),
        Credentials::Service(app) => (login(auth, app, clock)?, Source::ClientCredentials),
        Credentials::OAuth { app, refresh_token } => {
            let consented = Consented {
                store: Store::new(auth.tokens.clone()),
                whose: whose(site, &app.client_id),
                given: refresh_token,
            };
            (login(auth, app, clock)?, Source::Consent(consented))
        }
    };
    let of_person = matches!(source, Source::Consent(_));
    let renewer = Arc::new(Renewer::new(login, source));
    let auth = Auth::Renewed(Arc::clone(&renewer));
    Ok((auth, of_person.then_some(renewer)))
}

/// The login server, asked as this app.
///
/// # Errors
/// When its address cannot be used.
pub(super) fn login(
    auth: &AuthSettings,
    app: App,
    clock: Arc<dyn Clock>,
) -> Result<Login, Failure> {
    let login = Login::new(&auth.login_origin, app, USER_AGENT, TIMEOUT, clock);
    login.map_err(|error| Failure::new(Exit::Input, format!("login_url in [auth]: {error}")))
}

/// A client that asks a question or two.
///
/// # Errors
/// When the credentials cannot stand in a request.
pub(super) fn client(site: Site, auth: Auth) -> Result<Client, Failure> {
    let config = ClientConfig {
        site,
        auth,
        timeout: TIMEOUT,
        user_agent: USER_AGENT.into(),
        contract: Arc::default(),
        gate: Arc::new(Pace::new(Rates::within_limits(DEFAULT_REQUESTS_PER_SECOND))),
    };
    Client::new(config).map_err(|error| unusable(&error))
}

/// Whose tokens a site's are.
pub(super) fn whose(site: &SiteSettings, client_id: &str) -> Whose {
    let (site, cloud_id) = match site {
        SiteSettings::Sandbox { .. } => (None, None),
        SiteSettings::Host { host, .. } => (origin(host), None),
        SiteSettings::Cloud { cloud_id, .. } => (None, Some(cloud_id.clone())),
    };
    Whose {
        client_id: client_id.to_owned(),
        site,
        cloud_id,
    }
}

/// The sandbox inside this program lets everyone in.
pub(super) fn embedded() -> Failure {
    let message = "the embedded sandbox needs no credentials; name a site with --site, or with site or cloud_id in [site]";
    Failure::new(Exit::Input, message)
}

pub(super) fn unusable(error: &dyn Error) -> Failure {
    Failure::of(Exit::Input, error)
}
