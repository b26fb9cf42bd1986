//! What was written but is not in pages yet: consulted by each look-up, merged into the pages by the hundred thousand.
//!
//! It is in memory alone. The intents in the ledger say the same, and bring it back after a crash.

use super::content::{Content, Entry, first_mark, identities_of, identity};
use super::pages::{self, Key};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Keys that wait before they are merged. At some 150 bytes each this bounds the memory.
pub(super) const FOLD_AT: usize = 200_000;

/// No key is lower.
pub(super) const FIRST: Key = [0; size_of::<Key>()];
/// No key is higher.
pub(super) const LAST: Key = [0xff; size_of::<Key>()];

/// Some keys of a kind.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keys<'a> {
    These(&'a BTreeSet<Key>),
    /// Both included, the first not above the second.
    Between(Key, Key),
}

impl Keys<'_> {
    pub(super) const ALL: Self = Self::Between(FIRST, LAST);
}

/// A (site, entity): its two maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Maps {
    pub(super) entries: i64,
    pub(super) identities: i64,
}

/// A shape, as far as it matters here.
#[derive(Debug, Clone)]
pub(super) struct KnownShape {
    pub(super) maps: Maps,
    pub(super) fields: Vec<String>,
}

/// One step of what happens to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// It is about to be written by a shape.
    Void(u32),
    /// The site confirmed it.
    Confirmed {
        content: Content,
        key: String,
        remote_id: Option<String>,
    },
}

/// What happened to a key since the last merge.
#[derive(Debug, Clone, Default)]
struct Change {
    /// By these shapes.
    voided: Vec<u32>,
    contents: Vec<Content>,
    /// Shown key and remote id.
    known: Option<(String, Option<String>)>,
}

/// Changes, sorted as the pages are.
#[derive(Debug, Default)]
struct Layer {
    changes: BTreeMap<(Maps, Key), Change>,
    identities: BTreeSet<(Maps, Key)>,
}

/// All that is not in pages yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    shapes: Arc<HashMap<u32, KnownShape>>,
    waiting: Layer,
    /// Being merged: some of it may be in pages already. Applying a change twice is as good as once.
    folding: Option<Arc<Layer>>,
}

impl Pending {
    pub(super) fn add_shape(&mut self, shape: u32, known: KnownShape) {
        Arc::make_mut(&mut self.shapes).insert(shape, known);
    }

    /// Takes a step of a key whose writer is `shape`.
    pub(super) fn take(&mut self, shape: u32, key: Key, step: Step) {
        let Some(maps) = self.shapes.get(&shape).map(|known| known.maps) else {
            return;
        };
        let shapes = &self.shapes;
        let change = self.waiting.changes.entry((maps, key)).or_default();
        match step {
            Step::Void(shape) => {
                change
                    .contents
                    .retain(|content| !overlap(shapes, content.shape, shape));
                if !change.voided.contains(&shape) {
                    change.voided.push(shape);
                }
            }
            Step::Confirmed {
                content,
                key: shown,
                remote_id,
            } => {
                replace(&mut change.contents, content);
                if !shown.is_empty() {
                    self.waiting
                        .identities
                        .insert((maps, identity(&shown, key)));
                }
                let before = change.known.take().and_then(|(_, id)| id);
                change.known = Some((shown, remote_id.or(before)));
            }
        }
    }

    /// Whether it is time to merge.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.changes.len() >= FOLD_AT
    }

    /// What waits of these keys.
    pub(super) fn capture(&self, maps: Maps, keys: Keys<'_>) -> Overlay {
        let mut changes: BTreeMap<Key, Vec<Change>> = BTreeMap::new();
        for layer in self.layers() {
            let mut keep = |key: Key, change: &Change| {
                changes.entry(key).or_default().push(change.clone());
            };
            match keys {
                Keys::These(keys) => {
                    for key in keys {
                        if let Some(change) = layer.changes.get(&(maps, *key)) {
                            keep(*key, change);
                        }
                    }
                }
                Keys::Between(from, to) => {
                    let range = layer.changes.range((maps, from)..=(maps, to));
                    range.for_each(|((_, key), change)| keep(*key, change));
                }
            }
        }
        Overlay {
            shapes: Arc::clone(&self.shapes),
            changes,
        }
    }

    /// The keys that the records of a shown key may have, among those not in pages yet.
    pub(super) fn owners(&self, maps: Maps, shown: &str) -> Vec<Key> {
        let from = identities_of(shown);
        let mut to = from;
        to[4..].fill(0xff);
        let mut found = Vec::new();
        for layer in self.layers() {
            for (_, identity) in layer.identities.range((maps, from)..=(maps, to)) {
                let from = first_mark(*identity);
                let mut to = from;
                to[4..].fill(0xff);
                let range = layer.changes.range((maps, from)..=(maps, to));
                found.extend(range.map(|((_, key), _)| *key));
            }
        }
        found
    }

    /// Older ones first.
    fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.folding
            .as_deref()
            .into_iter()
            .chain(std::iter::once(&self.waiting))
    }

    /// Begins a merge: what waits now.
    pub(super) fn begin_fold(&mut self) -> Fold {
        let layer = Arc::new(std::mem::take(&mut self.waiting));
        self.folding = Some(Arc::clone(&layer));
        Fold {
            layer,
            shapes: Arc::clone(&self.shapes),
        }
    }

    /// Ends it.
    pub(super) fn end_fold(&mut self) {
        self.folding = None;
    }
}

/// Changes on their way into the pages.
pub(super) struct Fold {
    layer: Arc<Layer>,
    shapes: Arc<HashMap<u32, KnownShape>>,
}

/// Changes of some keys, as they were at one moment.
pub(super) struct Overlay {
    shapes: Arc<HashMap<u32, KnownShape>>,
    changes: BTreeMap<Key, Vec<Change>>,
}

impl Overlay {
    /// The first key that is not taken yet.
    pub(super) fn first(&self) -> Option<Key> {
        self.changes.keys().next().copied()
    }

    /// What a key is, given what the pages say; its changes are taken.
    pub(super) fn take(&mut self, key: Key, stored: Option<Entry>) -> Option<Entry> {
        let changes = self.changes.remove(&key).unwrap_or_default();
        changes
            .iter()
            .fold(stored, |entry, change| apply(&self.shapes, entry, change))
    }
}

impl Fold {
    /// Merges them in.
    ///
    /// # Errors
    /// When pages cannot be read or written.
    pub(super) fn run(&self, db: &mut Connection) -> rusqlite::Result<()> {
        let maps: BTreeSet<Maps> = self.layer.changes.keys().map(|(maps, _)| *maps).collect();
        for maps in maps {
            let from = (maps, Key::default());
            let changes = self.layer.changes.range(from..=(maps, LAST));
            let changes = changes.map(|((_, key), change)| (*key, change));
            pages::merge(db, maps.entries, changes, |old, change| {
                apply(&self.shapes, old, change)
            })?;
            let identities = self.layer.identities.range(from..=(maps, LAST));
            let identities = identities.map(|(_, key)| (*key, ()));
            pages::merge(db, maps.identities, identities, |_, ()| Some(()))?;
        }
        Ok(())
    }
}

fn apply(shapes: &HashMap<u32, KnownShape>, old: Option<Entry>, change: &Change) -> Option<Entry> {
    if old.is_none() && change.known.is_none() {
        return None;
    }
    let mut entry = old.unwrap_or_default();
    entry.contents.retain(|content| {
        let voided = |by: &u32| overlap(shapes, content.shape, *by);
        !change.voided.iter().any(voided)
    });
    for content in &change.contents {
        replace(&mut entry.contents, *content);
    }
    if let Some((key, remote_id)) = &change.known {
        entry.key.clone_from(key);
        if remote_id.is_some() {
            entry.remote_id.clone_from(remote_id);
        }
    }
    Some(entry)
}

fn replace(contents: &mut Vec<Content>, content: Content) {
    contents.retain(|other| other.shape != content.shape);
    contents.push(content);
}

/// Whether two shapes write a field in common. A shape that is not known might.
fn overlap(shapes: &HashMap<u32, KnownShape>, left: u32, right: u32) -> bool {
    left == right
        || match (shapes.get(&left), shapes.get(&right)) {
            (Some(left), Some(right)) => {
                left.fields.iter().any(|field| right.fields.contains(field))
            }
            _ => true,
        }
}
