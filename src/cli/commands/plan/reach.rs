//! The site that a plan asks.

use crate::api::client::{Client, ClientConfig};
use crate::cli::access::{TIMEOUT, USER_AGENT};
use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::LoadSettings;
use crate::engine::asking::Asking;
use crate::engine::context::Audience;
use crate::engine::pace::Pace;
use crate::engine::retry::Budget;
use crate::engine::stop::Stop;
use crate::ledger::StateFolder;
use crate::model::clock::Clock;
use crate::sandbox::Running;
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;

/// A site that lets us in, as far as is known.
pub(in crate::cli) struct Reached {
    client: Client,
    clock: Arc<dyn Clock>,
    budget: Mutex<Budget>,
    sandbox: Option<Running>,
    /// Where requests run.
    pub(super) handle: Handle,
    /// The most rows that it is asked about, in each stage.
    pub(super) most: u64,
}

impl Reached {
    /// The way to the site of the settings.
    ///
    /// # Errors
    /// When credentials are missing, or the site cannot be found or started.
    pub(super) async fn new(
        settings: &LoadSettings,
        state: &StateFolder,
        clock: &Arc<dyn Clock>,
        most: u64,
    ) -> Result<Self, Failure> {
        let (access, sandbox) = settings.enter(state, Arc::clone(clock)).await?;
        let client = Client::new(ClientConfig {
            site: access.site,
            auth: access.auth,
            timeout: TIMEOUT,
            user_agent: USER_AGENT.into(),
            contract: Arc::clone(&settings.contract),
            gate: Arc::new(Pace::new(settings.rates)),
        });
        Ok(Self {
            client: client.map_err(|error| Failure::of(Exit::Input, &error))?,
            clock: Arc::clone(clock),
            budget: Mutex::default(),
            sandbox,
            handle: Handle::current(),
            most,
        })
    }

    /// What asking it takes.
    pub(super) fn asking<'a>(&'a self, audience: &'a Audience, stop: &'a Stop) -> Asking<'a> {
        Asking {
            client: &self.client,
            clock: &*self.clock,
            audience,
            stop,
            budget: &self.budget,
        }
    }

    /// Ends the sandbox, where it is the site.
    ///
    /// # Errors
    /// When it ended badly.
    pub(super) async fn leave(self) -> Result<(), Failure> {
        match self.sandbox {
            Some(sandbox) => sandbox
                .stop()
                .await
                .map_err(|error| Failure::of(Exit::Stopped, &error)),
            None => Ok(()),
        }
    }
}
