//! What whole-run tests share: the built binary in a folder of its own, its results, and sites to point it at.

pub(crate) mod exchange;
pub(crate) mod http;
pub(crate) mod openapi;
pub(crate) mod place;
pub(crate) mod process;
pub(crate) mod recalled;
pub(crate) mod sandbox;
pub(crate) mod scripted;
pub(crate) mod spreadsheet;
pub(crate) mod table;

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up: far more than it needs on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// Waits until `done` gives something.
pub(crate) fn wait_for<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = done() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{what} never came");
        sleep(Duration::from_millis(5));
    }
}

/// A path in the repository, absolute.
pub(crate) fn repository(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}
