//! The local CSM site: the contract served on this machine, for demos, trials and tests.
//!
//! Duty: enforce what the API's contract says (caps, slots, idempotency, credentials, task life) and keep what was
//! written, so that a second run meets what the first one made. Guarantee: every answer is durable before it goes out;
//! killed at any time, the site comes back with all it answered for. Must not know: the loader; it sees the contract,
//! the folding of keys and the model, and nothing but the command line and tests may see it.
//!
//! | module | duty |
//! | --- | --- |
//! | `policy` | limits, times and misbehaviour: knobs, presets, chance |
//! | `site` | state and rules, pure |
//! | `seed` | fills a site from a file |
//! | `journal` | keeps a site on disk |
//! | `keeper` | the one thread that owns site and journal |
//! | `tokens` | who is let in, and the login server, pure |
//! | `lag` | the site as its readers see it |
//! | `time` | the site's clock |
//! | `faults` | what happens to requests and answers on their way |
//! | `server` | HTTP |
//! | `traffic` | a log of what passes, for tests |

mod error;
mod faults;
mod journal;
mod keeper;
mod lag;
mod policy;
mod seed;
mod server;
mod site;
mod time;
mod tokens;
mod traffic;

pub use error::SandboxError;
pub use policy::{
    Existing, FailureNames, FailuresShown, OneBadItem, Policy, PolicyChoice, PolicyError, Preset,
    Share, TaskOrder, ThrottleStyle, TimedOut, listing,
};
pub use seed::{SeedReport, Seeded};
pub use tokens::{Account, Client, TokenPolicy};

use crate::api::contract::Contract;
use crate::model::clock::Clock;
use faults::{Faults, Wire, Wires};
use journal::Journal;
use keeper::Keeper;
use seed::Seed;
use site::Site;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use time::SiteClock;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use uuid::Uuid;

/// The cloud id of a site whose seed names none.
const CLOUD_ID: Uuid = Uuid::from_u128(0x5a4d_b0c5_0000_4000_8000_0000_0000_0001);
/// How long requests under way may take once the sandbox is to stop.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// Which site to serve, and where.
pub struct SandboxConfig {
    /// Address to listen on: this machine's alone; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Folder that keeps the site; `None` keeps it in memory alone.
    pub state: Option<PathBuf>,
    /// File that fills the site with what it does not have yet.
    pub seed: Option<PathBuf>,
    /// Limits, times and moods.
    pub policy: Policy,
    /// What it takes the names and forms of the API for that are guessed.
    pub contract: Arc<Contract>,
    /// Who is let in, where tokens are checked and given; with `None` the policy alone says.
    pub tokens: Option<TokenPolicy>,
    /// File that every exchange is appended to, bodies included; credentials are left out.
    pub traffic: Option<PathBuf>,
}

/// A site that is being served. Dropping it stops the server, [`Running::stop`] also waits for it.
pub struct Running {
    address: SocketAddr,
    cloud_id: String,
    keeper: Keeper,
    server: JoinHandle<io::Result<()>>,
    stop: oneshot::Sender<()>,
}

/// Serves a site.
///
/// # Errors
/// When the address, the state folder, the seed or the traffic log cannot be used.
pub async fn start(config: SandboxConfig, clock: Arc<dyn Clock>) -> Result<Running, SandboxError> {
    let SandboxConfig {
        listen,
        state,
        seed,
        policy,
        contract,
        tokens,
        traffic,
    } = config;
    if !listen.ip().is_loopback() {
        return Err(SandboxError::NotLoopback(listen));
    }
    let traffic = traffic.as_deref().map(traffic::Log::open).transpose()?;
    let cannot_listen = |source| SandboxError::Bind {
        address: listen,
        source,
    };
    let listener = TcpListener::bind(listen).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    let faults = Faults::new(&policy, Arc::clone(&clock));
    let site_policy = policy.clone();
    let door_clock = Arc::clone(&clock);
    let opened = spawn_blocking(move || {
        let (site, journal, _) = open(state.as_deref(), seed.as_deref(), &*clock)?;
        let cloud_id = site.cloud_id().to_string();
        let clock = SiteClock::new(clock, site_policy.time_scale, site.latest());
        Keeper::start(site, journal, site_policy, clock).map(|keeper| (keeper, cloud_id))
    });
    let opened = opened
        .await
        .map_err(|_| SandboxError::Panicked("opening"))?;
    let (keeper, cloud_id) = opened?;
    let doorman = tokens.map(|tokens| (tokens, door_clock));
    let mut router = server::router(keeper.desk(), policy, contract, &cloud_id, faults, doorman);
    if let Some(log) = traffic {
        router = log.of(router);
    }
    let service = router.into_make_service_with_connect_info::<Wire>();
    let (stop, stopped) = oneshot::channel();
    let server = axum::serve(Wires(listener), service).with_graceful_shutdown(async {
        // either way, told to or dropped, it is to stop
        let _ = stopped.await;
    });
    Ok(Running {
        address,
        cloud_id,
        keeper,
        server: tokio::spawn(server.into_future()),
        stop,
    })
}

impl Running {
    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The origin for clients, as `http://127.0.0.1:8080`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The site's cloud id.
    #[must_use]
    pub fn cloud_id(&self) -> &str {
        &self.cloud_id
    }

    /// Stops: requests under way are answered, the journal is synced and closed.
    ///
    /// # Errors
    /// What made the site stop before, if something did.
    pub async fn stop(self) -> Result<(), SandboxError> {
        let Self {
            keeper,
            mut server,
            stop,
            ..
        } = self;
        drop(stop);
        let served = timeout(STOP_WITHIN, &mut server).await;
        server.abort();
        let kept = spawn_blocking(move || keeper.stop()).await;
        kept.unwrap_or(Err(SandboxError::Panicked("stopping")))?;
        match served {
            // a client that holds its connection open has been left behind
            Err(_) | Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(SandboxError::Server(error)),
            Ok(Err(_)) => Err(SandboxError::Panicked("server")),
        }
    }
}

/// Fills the site in a folder without serving it.
///
/// # Errors
/// When the folder or the seed cannot be used.
pub fn seed_only(state: &Path, seed: &Path, clock: &dyn Clock) -> Result<SeedReport, SandboxError> {
    let (_, _, report) = open(Some(state), Some(seed), clock)?;
    Ok(report)
}

/// Opens a site and fills it; what the seed wrote is durable.
fn open(
    state: Option<&Path>,
    seed: Option<&Path>,
    clock: &dyn Clock,
) -> Result<(Site, Option<Journal>, SeedReport), SandboxError> {
    let seed = seed.map(Seed::read).transpose()?;
    let wanted = seed.as_ref().and_then(|seed| seed.cloud_id);
    let cloud = wanted.unwrap_or(CLOUD_ID);
    let (mut site, mut journal) = match state {
        Some(folder) => {
            let (journal, site) = Journal::open(folder, cloud)?;
            (site, Some(journal))
        }
        None => (Site::new(cloud), None),
    };
    if let (Some(journal), Some(seed)) = (&journal, wanted)
        && seed != site.cloud_id()
    {
        return Err(SandboxError::OtherSite {
            path: journal.path().to_owned(),
            seed,
            found: site.cloud_id(),
        });
    }
    let mut report = SeedReport::default();
    if let Some(seed) = seed {
        report = seed.fill(&mut site, clock.unix_millis())?;
        let changes = site.take_changes();
        if let Some(journal) = &mut journal {
            journal.append(&changes)?;
        }
    }
    Ok((site, journal, report))
}
