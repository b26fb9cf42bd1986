//! How a command is watched: bars on a terminal, lines elsewhere, JSON on request; the summary is kept beside.

use crate::cli::args::{Log, ShowArgs};
use crate::cli::exit::{Exit, Failure};
use crate::engine::context::Audience;
use crate::model::clock::Clock;
use crate::model::event::RunEvent;
use crate::report::progress::{Background, Bars, JsonLog, Lines, Reporter, Reporters};
use crate::report::summary::Summary;
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};

/// The closing summary, collected while events pass.
#[derive(Clone, Default)]
pub(super) struct Collected(Arc<Mutex<Summary>>);

impl Collected {
    /// Its text.
    pub(super) fn text(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .to_string()
    }
}

impl Reporter for Collected {
    fn event(&mut self, event: &RunEvent) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .record(event);
    }

    fn finish(&mut self) {}
}

/// Sets up who watches.
///
/// # Errors
/// When the system has no thread to give.
pub(super) fn audience(
    args: &ShowArgs,
    clock: &Arc<dyn Clock>,
) -> Result<(Audience, Collected), Failure> {
    let collected = Collected::default();
    let mut all = Reporters::default();
    all.add(collected.clone());
    let background = |reporter| {
        Background::start(reporter).map_err(|error| {
            Failure::new(
                Exit::Defect,
                format!("failed to start the display: {error}"),
            )
        })
    };
    if !args.quiet {
        let clock = Arc::clone(clock);
        let stderr = || Box::new(io::stderr());
        let mut shown = Reporters::default();
        match args.log {
            Log::Json => shown.add(JsonLog::new(stderr(), clock)),
            Log::Auto if io::stderr().is_terminal() => shown.add(Bars::on_stderr(clock)),
            Log::Auto | Log::Lines => shown.add(Lines::new(stderr(), clock)),
        }
        all.add(background(shown)?);
    }
    Ok((Audience::new(Box::new(all)), collected))
}
