//! `csm-loader auth`: gets credentials and says what they are good for.

mod callback;
mod login;
mod status;

pub(in crate::cli) use login::run as login;
pub(in crate::cli) use status::run as status;
pub(in crate::cli::commands) use status::{ALL_SCOPES, of_app};

use crate::cli::exit::{Exit, Failure};
use std::io::{self, Write};

/// Runs a command that only waits for answers.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Defect, format!("failed to start: {error}")))?;
    runtime.block_on(work)
}

fn say(text: &str) {
    // nobody needs to read it
    let _ = writeln!(io::stdout(), "{text}");
}
