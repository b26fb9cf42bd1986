//! `csm-loader sandbox`: serves the local site until interrupted.

use crate::cli::args::{PolicyArgs, SandboxArgs};
use crate::cli::contract;
use crate::cli::exit::{Exit, Failure};
use crate::cli::signals::{self, Words};
use crate::engine::stop::Stop;
use crate::ledger::StateFolder;
use crate::model::clock::SystemClock;
use crate::sandbox::{self, PolicyChoice, PolicyError, SandboxConfig, TokenPolicy};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of the sandbox's site inside a state folder.
pub(in crate::cli) const FOLDER: &str = "sandbox";

/// What is said when interrupted.
const INTERRUPTED: Words = Words {
    first: "stopping",
    second: "interrupted again: ended at once",
};

/// Serves, or fills, the site of a state folder.
///
/// # Errors
/// When the policy, the folder, the seed or the address cannot be used.
pub(in crate::cli) fn run(args: &SandboxArgs) -> Result<Exit, Failure> {
    if args.policies {
        say(sandbox::listing().trim_end());
        return Ok(Exit::Done);
    }
    let policy = choice(&args.policy)
        .and_then(|choice| choice.resolve())
        .map_err(|error| Failure::of(Exit::Input, &error))?;
    let contract = args.contract.as_deref().map(contract::read).transpose()?;
    let state =
        StateFolder::open(&args.state_dir).map_err(|error| Failure::of(Exit::Input, &error))?;
    let folder = state
        .folder(FOLDER)
        .map_err(|error| Failure::of(Exit::Input, &error))?;
    if let (true, Some(seed)) = (args.seed_only, &args.seed) {
        let report = sandbox::seed_only(&folder, seed, &SystemClock)
            .map_err(|error| Failure::of(Exit::Input, &error))?;
        say(&report.to_string());
        return Ok(Exit::Done);
    }
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::new(Exit::Defect, format!("failed to start: {error}")))?;
    runtime.block_on(async {
        let config = SandboxConfig {
            listen: args.listen,
            state: Some(folder),
            seed: args.seed.clone(),
            policy,
            contract: Arc::new(contract.unwrap_or_default()),
            tokens: args.auth.as_deref().map(token_policy).transpose()?,
            traffic: args.traffic.clone(),
        };
        let running = sandbox::start(config, Arc::new(SystemClock))
            .await
            .map_err(|error| Failure::of(Exit::Input, &error))?;
        say(&format!(
            "serving {} (cloud id {}); Ctrl-C ends it",
            running.base_url(),
            running.cloud_id()
        ));
        let stop = Stop::default();
        signals::listen(stop.clone(), INTERRUPTED).map_err(|error| {
            Failure::new(
                Exit::Defect,
                format!("failed to listen for signals: {error}"),
            )
        })?;
        stop.asked().await;
        running
            .stop()
            .await
            .map_err(|error| Failure::of(Exit::Stopped, &error))?;
        Ok(Exit::Done)
    })
}

/// Who is let in.
fn token_policy(path: &Path) -> Result<TokenPolicy, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        let name = path.display();
        Failure::new(Exit::Input, format!("failed to read {name}: {error}"))
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    // the parser would quote a line that may hold a secret
    toml::from_str(&text).map_err(|error: toml::de::Error| failed(&error.message()))
}

/// The policy that the flags ask for.
fn choice(args: &PolicyArgs) -> Result<PolicyChoice, PolicyError> {
    let mut choice = PolicyChoice {
        policy: args.policy.clone(),
        base: PathBuf::new(),
        set: Vec::new(),
    };
    choice.set_number("random_seed", args.random_seed);
    choice.set_number("time_scale", args.time_scale);
    for text in &args.set {
        choice.set_text(text)?;
    }
    Ok(choice)
}

fn say(text: &str) {
    // nobody needs to read it
    let _ = writeln!(io::stdout(), "{text}");
}
