//! The first interrupt drains what is in flight, the second ends at once.

use super::exit::Exit;
use crate::engine::stop::Stop;
use std::io::{self, Write};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for Ctrl-C and SIGTERM until the program ends.
///
/// # Errors
/// When the system does not let us listen.
pub(super) fn listen(stop: Stop) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        stop.set("interrupted");
        say("interrupted: waiting for what is in flight; a second interrupt ends at once");
        either(&mut interrupt, &mut terminate).await;
        say(
            "interrupted again: ended at once; no results file was written for the stage under way",
        );
        end(Exit::Stopped);
    });
    Ok(())
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

fn say(text: &str) {
    // a closed standard error must not keep the program from ending
    let _ = writeln!(io::stderr(), "{text}");
}

#[expect(
    clippy::exit,
    reason = "the person asked twice; the ledger is crash-safe"
)]
fn end(exit: Exit) {
    std::process::exit(exit as i32);
}
