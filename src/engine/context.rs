//! What every stage of a run shares: the client, the clock, the ledger, the audience.

use super::asking::Asking;
use super::limits::{MaxErrors, TaskSlots, Verify};
use super::retry;
pub use super::retry::Tries;
use super::route::Wish;
use super::stop::Stop;
use crate::api::client::Client;
use crate::ledger::RunHandle;
use crate::model::clock::Clock;
use crate::model::event::RunEvent;
use crate::model::reply::ApiError;
use crate::report::progress::Reporter;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// Passes events to whoever shows them, from any thread.
#[derive(Clone)]
pub struct Audience(Arc<Mutex<Box<dyn Reporter>>>);

impl Audience {
    /// An audience of one reporter (or several as one).
    #[must_use]
    pub fn new(reporter: Box<dyn Reporter>) -> Self {
        Self(Arc::new(Mutex::new(reporter)))
    }

    /// Tells them.
    pub fn tell(&self, event: &RunEvent) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .event(event);
    }

    /// Tells them something about a stage, as a sentence without cell values.
    pub fn notice(&self, stage: u32, message: String) {
        self.tell(&RunEvent::Notice {
            stage: Some(stage),
            message,
        });
    }

    /// Nothing follows.
    pub fn finish(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .finish();
    }
}

impl fmt::Debug for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Audience")
    }
}

/// One run's means.
pub struct Context {
    /// The site.
    pub client: Client,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The durable record.
    pub ledger: RunHandle,
    /// Who watches.
    pub audience: Audience,
    /// The wish to stop.
    pub stop: Stop,
    /// The run's id, as results files show it.
    pub run: String,
    /// The name space of its idempotency keys.
    pub nonce: Uuid,
    /// Task slots wanted.
    pub slots: TaskSlots,
    /// Which way rows travel.
    pub route: Wish,
    /// Requests that may leave in a second.
    pub requests_per_second: f64,
    /// Rows that may travel by single calls at a time.
    pub single_in_flight: NonZeroUsize,
    /// Of which rows it is read back what the site holds.
    pub verify: Verify,
    /// Polls that may leave in a second.
    pub polls_per_second: f64,
    /// Repetitions that look-ups and single calls may make.
    pub budget: Mutex<retry::Budget>,
    /// When to stop because of rows that did not load.
    pub max_errors: Option<MaxErrors>,
    /// Whether rows are sent that have not changed since they were confirmed.
    pub full: bool,
    /// A confirmation that is older counts no longer.
    pub refresh_after: Option<Duration>,
    /// A private folder for what outgrows memory.
    pub spool: PathBuf,
}

impl Context {
    /// What asking the site takes.
    #[must_use]
    pub fn asking(&self) -> Asking<'_> {
        Asking {
            client: &self.client,
            clock: &*self.clock,
            audience: &self.audience,
            stop: &self.stop,
            budget: &self.budget,
        }
    }

    /// As [`Asking::repeat`].
    ///
    /// # Errors
    /// The last error, when repeating does not help (any more).
    pub async fn repeat<T, F>(&self, stage: u32, call: F) -> Result<T, ApiError>
    where
        F: AsyncFnMut() -> Result<T, ApiError>,
    {
        self.asking().repeat(stage, call).await
    }

    /// As [`Asking::answered`], of a request that is repeated by rules of its own.
    pub fn answered(&self) {
        self.asking().answered();
    }

    /// As [`Asking::again`].
    pub async fn again(&self, stage: u32, tries: &mut Tries, error: &ApiError) -> bool {
        self.asking().again(stage, tries, error).await
    }
}

/// Uniform in 0..1, for jitter.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "53 bits are as many as a double holds"
)]
pub fn random() -> f64 {
    let bits = Uuid::new_v4().as_u64_pair().1 & ((1 << 53) - 1);
    bits as f64 / (1_u64 << 53) as f64
}
