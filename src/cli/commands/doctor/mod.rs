//! `csm-loader doctor`: looks at a site from outside in, says what is wrong and what to do, and stops only where the
//! next look makes no sense. Writes nothing, unless `--probe` is given.

mod access;
mod block;
mod fields;
mod line;
mod network;
mod probe;
mod settings;

use crate::api::client::{Client, ClientConfig};
use crate::cli::access::{Access, Embedded, TIMEOUT, USER_AGENT, enter, unusable};
use crate::cli::args::DoctorArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::SiteSettings;
use crate::engine::pace::{Pace, Rates};
use crate::ledger::StateFolder;
use crate::model::clock::{Clock, SystemClock};
use crate::sandbox::Running;
use line::{Lines, Mark};
use settings::DoctorSettings;
use std::sync::Arc;

/// Examines, and probes if asked to.
///
/// # Errors
/// When the settings cannot be used, or a probe is not allowed or left something behind.
pub(in crate::cli) fn run(args: &DoctorArgs) -> Result<Exit, Failure> {
    let settings = DoctorSettings::resolve(args, |name| std::env::var(name).ok())?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::new(Exit::Defect, format!("failed to start: {error}")))?;
    runtime.block_on(async {
        let mut lines = Lines::default();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let Some((client, running)) = way_in(&settings, &clock, &mut lines).await? else {
            return Ok(Exit::Input);
        };
        access::look(&client, &settings.contract, &mut lines).await;
        let let_in = lines.exit() == Exit::Done;
        fields::look(&client, &settings, &mut lines).await;
        if !args.probe {
            lines.say(
                Mark::Skip,
                "task slots",
                "not tested: nothing is written without --probe",
            );
        }
        let ended = if !args.probe {
            Ok(lines.exit())
        } else if let_in {
            let probed = probe::run(args, &client, &*clock).await;
            probed.map(|exit| {
                if exit == Exit::Done {
                    lines.exit()
                } else {
                    exit
                }
            })
        } else {
            lines.say(Mark::Skip, "probe", "not made: the site does not let us in");
            Ok(lines.exit())
        };
        if let Some(running) = running {
            let stopped = running.stop().await;
            stopped.map_err(|error| Failure::of(Exit::Stopped, &error))?;
        }
        ended
    })
}

/// The client, and the embedded sandbox where that is the site; `None` where the site cannot be reached or entered.
async fn way_in(
    settings: &DoctorSettings,
    clock: &Arc<dyn Clock>,
    lines: &mut Lines,
) -> Result<Option<(Client, Option<Running>)>, Failure> {
    if let SiteSettings::Sandbox { seed, policy } = &settings.site {
        let state = StateFolder::open(&settings.state_dir).map_err(|error| unusable(&error))?;
        let embedded = Embedded {
            seed: seed.clone(),
            policy: (**policy).clone(),
            contract: Arc::clone(&settings.contract),
            traffic: settings.sandbox_traffic.clone(),
        };
        let (access, running) = embedded.start(&state, Arc::clone(clock)).await?;
        lines.say(
            Mark::Ok,
            "site",
            "the embedded sandbox, which lets everyone in",
        );
        let client = client(settings, access)?;
        return Ok(Some((client, Some(running))));
    }
    if !network::look(&settings.site, &settings.auth, &**clock, lines).await {
        return Ok(None);
    }
    let access = match enter(&settings.site, &settings.auth, Arc::clone(clock)).await {
        Ok(access) => access,
        Err(failure) => {
            lines.say(Mark::Fail, "credentials", &failure.to_string());
            return Ok(None);
        }
    };
    for warning in &access.warnings {
        lines.say(Mark::Warn, "credentials", warning);
    }
    let (auth, cloud_id) = (access.auth.clone(), access.site.cloud_id().to_owned());
    lines.say(
        Mark::Ok,
        "site",
        &format!("{} (cloud id {cloud_id})", access.name),
    );
    let client = client(settings, access)?;
    if !access::token(&client, &auth, &cloud_id, clock.unix_millis(), lines).await {
        return Ok(None);
    }
    Ok(Some((client, None)))
}

fn client(settings: &DoctorSettings, access: Access) -> Result<Client, Failure> {
    let config = ClientConfig {
        site: access.site,
        auth: access.auth,
        timeout: TIMEOUT,
        user_agent: USER_AGENT.into(),
        contract: Arc::clone(&settings.contract),
        gate: Arc::new(Pace::new(Rates::within_limits(
            settings.requests_per_second,
        ))),
    };
    Client::new(config).map_err(|error| unusable(&error))
}
