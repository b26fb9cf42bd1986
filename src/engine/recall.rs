//! Which rows the site already holds as they are: same content as was confirmed last, by the same mapping.

use super::state::content_of;
use crate::ledger::{Known, LedgerError, Memory};
use crate::model::clock::UnixMillis;
use crate::model::row::PreparedRow;
use std::time::Duration;

/// What was confirmed before, asked chunk by chunk.
#[derive(Debug)]
pub struct Recall {
    /// What is remembered.
    pub memory: Memory,
    /// A confirmation that is older counts no longer.
    pub refresh_after: Option<Duration>,
}

impl Recall {
    /// For each row what is known of its record, if the record needs no request. Blocks.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn unchanged(
        &self,
        rows: &[PreparedRow],
        now: UnixMillis,
    ) -> Result<Vec<Option<Known>>, LedgerError> {
        let keys: Vec<_> = rows.iter().map(|row| row.hash).collect();
        let known = self.memory.look_up(&keys)?;
        let fresh = |at: UnixMillis| {
            let age = u64::try_from(now.saturating_sub(at)).unwrap_or(0);
            self.refresh_after
                .is_none_or(|most| Duration::from_millis(age) < most)
        };
        let same = rows.iter().zip(known).map(|(row, known)| {
            known.filter(|known| {
                known
                    .confirmed
                    .is_some_and(|last| last.content == content_of(row) && fresh(last.at))
            })
        });
        Ok(same.collect())
    }
}
