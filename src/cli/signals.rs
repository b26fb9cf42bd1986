//! The first interrupt drains what is in flight, the second ends at once.

use super::exit::Exit;
use crate::engine::stop::Stop;
use std::io::{self, Write};
use std::path::PathBuf;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

/// Its number on every system this is built for but MIPS.
const SIGXFSZ: i32 = 25;

/// What is said when interrupted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// The first time.
    pub(super) first: &'static str,
    /// The second time.
    pub(super) second: &'static str,
}

/// A file that would grow beyond the system's limit (`ulimit -f`) is an error to be told, and no sudden end: once there is a
/// handler, it stays.
fn outlive_size_limits() -> io::Result<()> {
    signal(SignalKind::from_raw(SIGXFSZ)).map(drop)
}

/// Listens for Ctrl-C and SIGTERM until the program ends. From then on a limit of file sizes is an error.
///
/// # Errors
/// When the system does not let us listen.
pub(super) fn listen(stop: Stop, words: Words) -> io::Result<()> {
    outlive_size_limits()?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        stop.set("interrupted");
        say(words.first);
        either(&mut interrupt, &mut terminate).await;
        say(words.second);
        end(Exit::Stopped);
    });
    Ok(())
}

/// While this lives, an interrupt removes `folder` with all that is in it and ends the program. A limit of file sizes is an
/// error from then on.
///
/// # Errors
/// When the system does not let us listen.
pub(super) fn end_at_once(folder: PathBuf, words: &'static str) -> io::Result<Watch> {
    outlive_size_limits()?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let task = tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        // what cannot be removed is at least private
        let _ = std::fs::remove_dir_all(folder);
        say(words);
        end(Exit::Stopped);
    });
    Ok(Watch(task))
}

/// An interrupt ends the program while this lives.
pub(super) struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
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
