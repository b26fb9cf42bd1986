//! What a full export lacks: records whose last write by the stage's mapping was confirmed, and whose key no row has.

use super::run::RunError;
use crate::dedupe::{KeySet, SortedKeys};
use crate::ledger::{KeyMark, LedgerError, Memory};
use crate::model::event::Gone;
use crate::report::results::{GoneWriter, ResultsError, gone_name};
use std::io;
use std::path::Path;

/// The keys of an export, of rejected rows too.
#[derive(Debug)]
pub struct Seen {
    /// Those that can be told.
    pub keys: KeySet,
    /// Rows whose key cannot be told.
    pub keyless: u64,
}

/// Why the list could not be written.
#[derive(Debug, thiserror::Error)]
enum GoneError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Results(#[from] ResultsError),
    #[error(transparent)]
    Spill(#[from] io::Error),
}

impl From<GoneError> for RunError {
    fn from(error: GoneError) -> Self {
        match error {
            GoneError::Ledger(error) => Self::Ledger(error),
            GoneError::Results(error) => Self::Publish(error.into()),
            GoneError::Spill(source) => Self::Io {
                doing: "read the spill of natural keys".into(),
                source,
            },
        }
    }
}

/// Lists beside the results what `memory` knows and the export lacks. Blocks; memory stays flat.
///
/// # Errors
/// When the ledger, the spill or the list cannot be used.
pub(super) fn list(memory: &Memory, seen: Seen, results: &Path) -> Result<Gone, RunError> {
    let path = gone_name(results);
    let mut list = GoneWriter::create(&path).map_err(GoneError::from)?;
    let mut export = Export::new(seen.keys.sorted());
    memory.each(|known| {
        if let Some(confirmed) = known.confirmed
            && !export.has(known.mark)?
        {
            list.write(&known.key, known.remote_id.as_deref(), confirmed.at)?;
        }
        Ok::<_, GoneError>(())
    })?;
    Ok(Gone {
        records: list.finish().map_err(GoneError::from)?,
        keyless: seen.keyless,
        list: path.display().to_string(),
    })
}

/// The keys of an export, asked in order.
struct Export {
    keys: SortedKeys,
    next: Option<KeyMark>,
    begun: bool,
}

impl Export {
    const fn new(keys: SortedKeys) -> Self {
        Self {
            keys,
            next: None,
            begun: false,
        }
    }

    fn has(&mut self, mark: KeyMark) -> io::Result<bool> {
        while !self.begun || self.next.is_some_and(|next| next < mark) {
            self.begun = true;
            self.next = self.keys.next().transpose()?.map(KeyMark::from);
        }
        Ok(self.next == Some(mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::row::KeyHash;

    #[test]
    fn an_export_is_asked_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut keys = KeySet::new(folder.path()).unwrap();
        let hash = |key: u8| KeyHash(u128::from(key) << 120);
        for key in [9, 3, 200] {
            keys.push(hash(key)).unwrap();
        }
        let mut export = Export::new(keys.sorted());
        for (key, there) in [
            (1, false),
            (3, true),
            (3, true),
            (8, false),
            (200, true),
            (255, false),
        ] {
            assert_eq!(export.has(hash(key).into()).unwrap(), there, "{key}");
        }
        let none = KeySet::new(folder.path()).unwrap();
        assert!(!Export::new(none.sorted()).has(hash(1).into()).unwrap());
    }
}
