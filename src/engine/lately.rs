//! What was loaded so lately that reads may not show it yet, as the ledger remembers it; and the names that were created
//! on the way, which no row stands for.

use super::context::Context;
use crate::api::fold;
use crate::ledger::{Known, LedgerError};
use crate::mapping::RefKind;
use crate::model::clock::UnixMillis;
use crate::model::entity::Entity;
use crate::model::row::KeyHash;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A record that reads may not show yet.
#[derive(Debug, Clone)]
pub(super) struct Late {
    /// Its id, where the site told one.
    pub(super) id: Option<String>,
}

/// What a run knows of names that the site may not show yet. Clones share what they learn.
#[derive(Clone)]
pub(super) struct Lately {
    context: Arc<Context>,
    /// Ids of what was created because rows refer to it.
    made: Arc<Mutex<HashMap<(RefKind, String), String>>>,
}

impl Lately {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            made: Arc::default(),
        }
    }

    /// Takes note of a name, folded, that was created because rows refer to it.
    pub(super) fn made(&self, kind: RefKind, folded: String, id: String) {
        self.lock().insert((kind, folded), id);
    }

    /// Those of the folded names that were loaded or made lately. Blocks.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(super) fn names<'a>(
        &self,
        kind: RefKind,
        folded: &[&'a str],
    ) -> Result<HashMap<&'a str, Late>, LedgerError> {
        let entity = match kind {
            RefKind::Organization => Entity::Organization,
            RefKind::Product => Entity::Product,
        };
        let hashes: Vec<_> = folded.iter().map(|name| fold::hash(entity, name)).collect();
        let loaded = loaded(&self.context, entity, &hashes)?;
        let made = self.lock();
        let known = folded.iter().zip(loaded).filter_map(|(name, loaded)| {
            let made = made.get(&(kind, (*name).to_owned())).cloned();
            let made = made.map(|id| Late { id: Some(id) });
            Some((*name, made.or(loaded)?))
        });
        Ok(known.collect())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(RefKind, String), String>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Lately {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lately").finish_non_exhaustive()
    }
}

/// Those of the records that were loaded lately, in the order of the keys. Blocks.
///
/// # Errors
/// When the ledger cannot be read.
pub(super) fn loaded(
    context: &Context,
    entity: Entity,
    keys: &[KeyHash],
) -> Result<Vec<Option<Late>>, LedgerError> {
    let known = context.ledger.memory(entity, None)?.look_up(keys)?;
    let patience = context.client.contract().read_patience;
    let now = context.clock.unix_millis();
    let late = |known: Known| {
        let is_late = is_late(known.loaded_until, patience, now);
        is_late.then_some(Late {
            id: known.remote_id,
        })
    };
    let known = known.into_iter();
    Ok(known.map(|known| known.and_then(late)).collect())
}

/// Whether reads may not show yet what was loaded by then.
fn is_late(loaded_until: Option<UnixMillis>, patience: Duration, now: UnixMillis) -> bool {
    let patience = UnixMillis::try_from(patience.as_millis()).unwrap_or(UnixMillis::MAX);
    loaded_until.is_some_and(|until| until.saturating_add(patience) > now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_loaded_long_ago_is_shown_by_now() {
        let patience = Duration::from_secs(90);
        assert!(is_late(Some(900_000), patience, 0));
        assert!(is_late(Some(900_000), patience, 989_999));
        assert!(!is_late(Some(900_000), patience, 990_000));
        assert!(is_late(Some(900_000), Duration::MAX, 990_000));
        assert!(!is_late(None, patience, 0));
    }
}
