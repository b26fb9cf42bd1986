//! What asking a site takes: the client, and what it depends on whether a request is repeated.

use super::context::{Audience, random};
use super::retry::{self, Budget, Tries};
use super::stop::Stop;
use crate::api::classify::is_filtered;
use crate::api::client::Client;
use crate::model::clock::Clock;
use crate::model::reply::{ApiError, ErrorClass};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The means of requests that a repetition cannot harm, with a run or without one.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// The site.
    pub client: &'a Client,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Who watches.
    pub audience: &'a Audience,
    /// The wish to stop.
    pub stop: &'a Stop,
    /// Repetitions that requests may make.
    pub budget: &'a Mutex<Budget>,
}

impl Asking<'_> {
    /// A read, or a write that a repetition cannot harm: repeated while that may help.
    ///
    /// # Errors
    /// The last error, when repeating does not help (any more).
    pub async fn repeat<T, F>(&self, stage: u32, mut call: F) -> Result<T, ApiError>
    where
        F: AsyncFnMut() -> Result<T, ApiError>,
    {
        let mut tries = Tries::default();
        loop {
            match call().await {
                Ok(answer) => {
                    self.answered();
                    return Ok(answer);
                }
                Err(error) if self.again_at_all(stage, &mut tries, &error).await => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The same of a closure that gives its future: one that is async itself cannot be shown to travel between threads
    /// along with what it borrows.
    ///
    /// # Errors
    /// The last error, when repeating does not help (any more).
    pub async fn ask<T, A>(&self, stage: u32, call: impl Fn() -> A) -> Result<T, ApiError>
    where
        A: Future<Output = Result<T, ApiError>>,
    {
        let mut tries = Tries::default();
        loop {
            match call().await {
                Ok(answer) => {
                    self.answered();
                    return Ok(answer);
                }
                Err(error) if self.again_at_all(stage, &mut tries, &error).await => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The site did what was asked, or refused it in its own words.
    pub fn answered(&self) {
        self.budget().answered();
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request that did not succeed may be repeated; `false` when repeating does not help (any more),
    /// or a stop was asked for.
    pub async fn again(&self, stage: u32, tries: &mut Tries, error: &ApiError) -> bool {
        self.after(&error.class, stage, tries, error).await
    }

    /// The same of a request that nothing harms: what a gateway refuses says nothing of what the site holds.
    pub(super) async fn again_at_all(
        &self,
        stage: u32,
        tries: &mut Tries,
        error: &ApiError,
    ) -> bool {
        let class = if is_filtered(error) {
            &ErrorClass::Broken
        } else {
            &error.class
        };
        self.after(class, stage, tries, error).await
    }

    async fn after(
        &self,
        class: &ErrorClass,
        stage: u32,
        tries: &mut Tries,
        error: &ApiError,
    ) -> bool {
        self.stop.note(error);
        let wait = match tries.decide(class, random()) {
            retry::Decision::Again(wait) => {
                let now = self.clock.instant();
                wait.max(self.budget().take(now))
            }
            retry::Decision::Pause(wait) => wait,
            retry::Decision::AwaitSlot => tries.backoff(random()),
            retry::Decision::Refused => {
                self.answered();
                return false;
            }
            retry::Decision::Stop | retry::Decision::GiveUp => return false,
        };
        let message = format!("waiting {wait:.1?} before repeating: {error}");
        self.audience.notice(stage, message);
        tokio::select! {
            () = tokio::time::sleep(wait) => true,
            () = self.stop.asked() => false,
        }
    }
}
