//! Creates a record, once, where nothing keeps the site from taking the same creation twice.
//!
//! Names are not known to be unique on a site, and a single call has no idempotency key: a record whose creation may have
//! been carried out is looked for until reads can no longer lag behind, and created again only when it is not there then.

use super::asking::Asking;
use super::patience::Patience;
use super::retry::Tries;
use super::stop::Stop;
use crate::api::classify::is_filtered;
use crate::api::lookup::Named;
use crate::model::reply::{ApiError, ErrorClass};
use std::time::Duration;

/// The calls that one record took.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// How often its creation was sent.
    pub(super) attempts: u32,
    /// One of them may have been carried out, and the site does not show it.
    pub(super) maybe_applied: bool,
}

/// Creates a record by `post`, and finds by `look` one that an attempt made whose answer is lost.
///
/// # Errors
/// The last answer; `sent` tells whether the record may be there all the same.
pub(super) async fn create(
    asking: Asking<'_>,
    stage: u32,
    sent: &mut Sent,
    look: impl AsyncFn() -> Result<Option<Named>, ApiError>,
    post: impl AsyncFn() -> Result<Named, ApiError>,
) -> Result<Named, ApiError> {
    let patience = asking.client.contract().read_patience;
    let mut tries = Tries::default();
    loop {
        sent.attempts += 1;
        let answer = post().await;
        asking.stop.note_write(&answer);
        let error = match answer {
            Ok(created) => {
                asking.answered();
                return Ok(created);
            }
            Err(error) => error,
        };
        sent.maybe_applied |= error.may_be_applied();
        let again = asking.again_at_all(stage, &mut tries, &error).await;
        if sent.maybe_applied {
            match seek(asking.stop, patience, &look).await {
                Ok(Some(found)) => return Ok(found),
                Ok(None) if asking.stop.why().is_none() => {}
                // it could not be looked for to the end
                Ok(None) | Err(_) => return Err(error),
            }
        }
        if again {
            continue;
        }
        // had an earlier attempt been carried out, it would have been seen by now
        if error.class == ErrorClass::Refused && !is_filtered(&error) {
            sent.maybe_applied = false;
        }
        return Err(error);
    }
}

/// Looks until something is found, patience ends, or a stop is asked for.
///
/// # Errors
/// When a look fails.
pub(super) async fn seek<T>(
    stop: &Stop,
    patience: Duration,
    look: impl AsyncFn() -> Result<Option<T>, ApiError>,
) -> Result<Option<T>, ApiError> {
    let mut patience = Patience::of(patience);
    loop {
        let found = look().await?;
        if found.is_some() || !patience.waits(stop).await {
            return Ok(found);
        }
    }
}
