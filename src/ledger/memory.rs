//! What the site is known to hold: asked by natural key, by shown key, or all in order.

use super::change::{Change, Maps};
use super::content::{Entry, KeyMark, first_mark, identities_of};
use super::error::{LedgerError, failed};
use super::layers;
use super::pages::{self, Key};
use super::pending::{FIRST, Keys, LAST, Pending};
use super::record::ContentHash;
use crate::model::clock::UnixMillis;
use crate::model::row::KeyHash;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// A record that was loaded before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its natural key, hashed.
    pub mark: KeyMark,
    /// Its shown key when it was loaded last.
    pub key: String,
    /// The site's id, where it told.
    pub remote_id: Option<String>,
    /// When any shape confirmed it last, rounded up to a quarter of an hour; `None` when nothing of it counts as confirmed.
    pub loaded_until: Option<UnixMillis>,
    /// What this shape confirmed last; `None` when something was sent since then whose end is not known to be good, when
    /// another shape overwrote it, or when this shape never wrote it.
    pub confirmed: Option<Confirmed>,
}

/// What was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed {
    /// The content's hash.
    pub content: ContentHash,
    /// When, rounded down to a quarter of an hour.
    pub at: UnixMillis,
}

/// What is remembered of one kind of record on one site, seen by one shape. For one thread; any number may be open,
/// also while a run writes: each call sees what was acknowledged before it.
pub struct Memory {
    pub(super) db: Connection,
    pub(super) file: PathBuf,
    pub(super) pending: Arc<Mutex<Pending>>,
    /// `None` when nothing of this kind was ever loaded on this site.
    pub(super) maps: Option<Maps>,
    /// `None` when this shape never wrote.
    pub(super) shape: Option<u32>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl Memory {
    /// What is known of these records, in the order of the keys. Pages are read in their own order, each once: the more
    /// keys a call has, and the closer they are together, the cheaper each is.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn look_up(&self, keys: &[KeyHash]) -> Result<Vec<Option<Known>>, LedgerError> {
        let Some(maps) = self.maps else {
            return Ok(vec![None; keys.len()]);
        };
        let wanted: BTreeSet<Key> = keys.iter().map(|key| KeyMark::from(*key).0).collect();
        let found = self.entries(maps, &wanted)?;
        let known = keys.iter().map(|key| {
            let mark = KeyMark::from(*key);
            found
                .get(&mark.0)
                .map(|entry| self.known(mark, entry.clone()))
        });
        Ok(known.collect())
    }

    /// For each shown key, the records that were loaded under it last, in the order of their natural keys. More than one
    /// is found when people gave several records the same.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn keyed(&self, shown: &[&str]) -> Result<Vec<Vec<Known>>, LedgerError> {
        let Some(maps) = self.maps else {
            return Ok(vec![Vec::new(); shown.len()]);
        };
        let mut candidates: HashMap<&str, BTreeSet<Key>> = HashMap::new();
        for key in shown {
            if !key.is_empty() && !candidates.contains_key(key) {
                candidates.insert(key, self.candidates(maps, key)?);
            }
        }
        let all = candidates.values().flatten().copied().collect();
        let found = self.entries(maps, &all)?;
        let owned = shown.iter().map(|key| {
            let marks = candidates.get(key).into_iter().flatten();
            let entries = marks.filter_map(|mark| Some((*mark, found.get(mark)?)));
            entries
                .filter(|(_, entry)| entry.key == **key)
                .map(|(mark, entry)| self.known(KeyMark(mark), entry.clone()))
                .collect()
        });
        Ok(owned.collect())
    }

    /// Whether nothing of this kind was ever loaded on this site.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn is_empty(&self) -> Result<bool, LedgerError> {
        let Some(maps) = self.maps else {
            return Ok(true);
        };
        let waiting = self.pending().capture(maps, Keys::ALL);
        if waiting.first().is_some() {
            return Ok(false);
        }
        let read = failed("read", &self.file);
        let snapshot = self.db.unchecked_transaction().map_err(&read)?;
        let mut all = layers::over(&snapshot, maps).map_err(&read)?;
        all.push(maps);
        let pages = layers::pages_of(&snapshot, &all).map_err(&read)?;
        Ok(pages == 0)
    }

    /// Calls `each` for every record that was ever loaded, in the order of natural keys' hashes, so that it can be merged
    /// with the sorted keys of an export. Stops at the first error of `each`.
    ///
    /// # Errors
    /// When the ledger cannot be read, or `each` fails.
    pub fn each<E: From<LedgerError>>(
        &self,
        each: impl FnMut(Known) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_between(KeyMark(FIRST), KeyMark(LAST), each)
    }

    /// The same of the records from one mark to another, both included.
    ///
    /// # Errors
    /// As [`Memory::each`].
    pub fn each_between<E: From<LedgerError>>(
        &self,
        from: KeyMark,
        to: KeyMark,
        mut each: impl FnMut(Known) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(maps) = self.maps else {
            return Ok(());
        };
        let mut waiting = self.pending().capture(maps, Keys::Between(from.0, to.0));
        let mut tell = |mark: Key, entry: Option<Entry>| {
            entry.map_or(Ok(()), |entry| each(self.known(KeyMark(mark), entry)))
        };
        let read = failed("read", &self.file);
        let snapshot = self.db.unchecked_transaction().map_err(&read)?;
        let layers = layers::over(&snapshot, maps).map_err(&read)?;
        let pages = layers::pages_of(&snapshot, &layers).map_err(&read)?;
        // changes of a piece at a time are held, and each piece is merged with its pages
        for (first, last) in layers::pieces(pages) {
            let (first, last) = (first.max(from.0), last.min(to.0));
            if first > last {
                continue;
            }
            let mut changes = waiting.empty();
            for layer in &layers {
                pages::scan(&snapshot, layer.entries, first, |key, change| {
                    let inside = key <= last;
                    if inside {
                        changes.above(key, change);
                    }
                    Ok::<_, rusqlite::Error>(inside)
                })
                .map_err(&read)?;
            }
            changes.above_all(&mut waiting, last);
            let scanned = pages::scan(&snapshot, maps.entries, first, |key, entry| {
                if key > last {
                    return Ok(false);
                }
                while let Some(before) = changes.first().filter(|before| *before < key) {
                    tell(before, changes.take(before, None)).map_err(Stop::Each)?;
                }
                tell(key, changes.take(key, Some(entry))).map_err(Stop::Each)?;
                Ok(true)
            });
            match scanned {
                Ok(()) => {}
                Err(Stop::Each(error)) => return Err(error),
                Err(Stop::Sqlite(error)) => return Err(read(error).into()),
            }
            while let Some(key) = changes.first() {
                tell(key, changes.take(key, None))?;
            }
        }
        Ok(())
    }

    /// What these keys are, by the pages and what waits to be merged.
    fn entries(
        &self,
        maps: Maps,
        wanted: &BTreeSet<Key>,
    ) -> Result<BTreeMap<Key, Entry>, LedgerError> {
        // taken first: a merge that ends in between puts into the pages what is laid over them again, to the same end
        let mut waiting = self.pending().capture(maps, Keys::These(wanted));
        let read = failed("read", &self.file);
        let snapshot = self.db.unchecked_transaction().map_err(&read)?;
        let mut changes = waiting.empty();
        for layer in layers::over(&snapshot, maps).map_err(&read)? {
            let keys = wanted.iter().copied();
            pages::look_up(&snapshot, layer.entries, keys, |key, change| {
                changes.above(key, change);
            })
            .map_err(&read)?;
        }
        changes.above_all(&mut waiting, LAST);
        let mut found = BTreeMap::new();
        let keys = wanted.iter().copied();
        pages::look_up(&snapshot, maps.entries, keys, |key, entry: Entry| {
            found.insert(key, entry);
        })
        .map_err(&read)?;
        while let Some(key) = changes.first() {
            let stored = found.remove(&key);
            found.extend(changes.take(key, stored).map(|entry| (key, entry)));
        }
        Ok(found)
    }

    fn candidates(&self, maps: Maps, shown: &str) -> Result<BTreeSet<Key>, LedgerError> {
        let mut found: BTreeSet<Key> = self.pending().owners(maps, shown).into_iter().collect();
        let from = identities_of(shown);
        let read = failed("read", &self.file);
        let snapshot = self.db.unchecked_transaction().map_err(&read)?;
        let layers = layers::over(&snapshot, maps).map_err(&read)?;
        let mut starts = BTreeSet::new();
        for maps in layers.iter().chain([&maps]) {
            pages::scan(&snapshot, maps.identities, from, |identity, ()| {
                let same = identity[..4] == from[..4];
                if same {
                    starts.insert(first_mark(identity));
                }
                Ok::<_, rusqlite::Error>(same)
            })
            .map_err(&read)?;
        }
        for start in starts {
            // of those found here, whatever they are, the entry decides
            let mut find = |mark: Key| {
                let same = mark[..4] == start[..4];
                if same {
                    found.insert(mark);
                }
                Ok::<_, rusqlite::Error>(same)
            };
            for layer in &layers {
                pages::scan(&snapshot, layer.entries, start, |mark, _: Change| {
                    find(mark)
                })
                .map_err(&read)?;
            }
            pages::scan(&snapshot, maps.entries, start, |mark, _: Entry| find(mark))
                .map_err(&read)?;
        }
        Ok(found)
    }

    fn known(&self, mark: KeyMark, entry: Entry) -> Known {
        let confirmed = entry
            .contents
            .iter()
            .find(|content| Some(content.shape) == self.shape);
        Known {
            mark,
            confirmed: confirmed.map(|content| Confirmed {
                content: content.hash,
                at: content.at.start(),
            }),
            loaded_until: entry.contents.iter().map(|content| content.at.end()).max(),
            key: entry.key,
            remote_id: entry.remote_id,
        }
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a scan ended early.
enum Stop<E> {
    Sqlite(rusqlite::Error),
    Each(E),
}

impl<E> From<rusqlite::Error> for Stop<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}
