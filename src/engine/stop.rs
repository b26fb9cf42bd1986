//! The wish to stop early, shared by everything that runs.

use crate::model::reply::{ApiError, ErrorClass};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;

/// A flag with a reason. Once set it stays; the first reason counts.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    why: OnceLock<String>,
    set: Notify,
    refused: AtomicBool,
    written: AtomicBool,
}

impl Stop {
    /// Asks everyone to stop.
    pub fn set(&self, why: impl Into<String>) {
        // a later reason is a consequence of the first
        let _ = self.shared.why.set(why.into());
        self.shared.set.notify_waiters();
    }

    /// Why to stop, if so.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        self.shared.why.get().map(String::as_str)
    }

    /// Takes note that the site did not let us in.
    pub fn note(&self, error: &ApiError) {
        if matches!(error.class, ErrorClass::AuthExpired | ErrorClass::AuthWrong) {
            self.shared.refused.store(true, Ordering::Relaxed);
        }
    }

    /// Takes note of the answer to a write.
    pub fn note_write<T>(&self, answer: &Result<T, ApiError>) {
        match answer {
            Ok(_) => self.shared.written.store(true, Ordering::Relaxed),
            Err(error) => {
                self.note(error);
                if error.may_be_applied() {
                    self.shared.written.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    /// Whether the site did not let us in, and nothing can have been written to it.
    #[must_use]
    pub fn never_let_in(&self) -> bool {
        self.shared.refused.load(Ordering::Relaxed) && !self.shared.written.load(Ordering::Relaxed)
    }

    /// Returns once a stop is asked for.
    pub async fn asked(&self) {
        loop {
            let set = self.shared.set.notified();
            if self.why().is_some() {
                return;
            }
            set.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_counts_and_wakes_who_waits() {
        let stop = Stop::default();
        assert_eq!(stop.why(), None);
        let (waiting, asking) = (stop.clone(), stop.clone());
        let waiter = tokio::spawn(async move { waiting.asked().await });
        asking.set("interrupted");
        asking.set("again");
        waiter.await.unwrap();
        stop.asked().await;
        assert_eq!(stop.why(), Some("interrupted"));
    }
}
