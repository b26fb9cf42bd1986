//! What was written but is neither in pages nor in layers yet: consulted by each look-up, written out by the ten thousand.
//!
//! It is in memory alone. The intents in the ledger say the same, and bring it back after a crash.

use super::change::{Change, KnownShape, Maps, Shapes};
use super::content::{Content, Entry, identity};
use super::pages::Key;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Keys that wait before they are written out. At some 250 bytes each, two steps and their texts, this bounds the memory.
pub(super) const FOLD_AT: usize = 32_768;

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

/// Changes, sorted as the pages are, one of each key.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) changes: Vec<(Key, Change)>,
    pub(super) identities: Vec<Key>,
}

impl FromIterator<(Key, Change)> for Waiting {
    /// Of changes in any order, one of each key.
    fn from_iter<I: IntoIterator<Item = (Key, Change)>>(changes: I) -> Self {
        let mut changes: Vec<_> = changes.into_iter().collect();
        changes.sort_unstable_by_key(|(key, _)| *key);
        let identities = changes.iter().filter_map(|(key, change)| {
            let shown = change.shown().filter(|shown| !shown.is_empty())?;
            Some(identity(shown, *key))
        });
        let mut identities: Vec<_> = identities.collect();
        identities.sort_unstable();
        Self {
            changes,
            identities,
        }
    }
}

impl Waiting {
    fn get(&self, key: Key) -> Option<&Change> {
        let place = self.changes.binary_search_by_key(&key, |(at, _)| *at);
        place.ok().map(|place| &self.changes[place].1)
    }

    /// The changes from one key to another, both included.
    pub(super) fn between(&self, from: Key, to: Key) -> &[(Key, Change)] {
        let start = self.changes.partition_point(|(key, _)| *key < from);
        let rest = &self.changes[start..];
        &rest[..rest.partition_point(|(key, _)| *key <= to)]
    }
}

/// Steps as they came. A map would be asked twice for each row, and hardly ever by anyone else.
#[derive(Debug, Default)]
struct Unsorted {
    /// What happened to keys that were looked up since.
    changes: FxHashMap<Key, Change>,
    /// What happened after that.
    steps: Vec<(Key, Step)>,
}

impl Unsorted {
    /// About how many keys it has: of each that is loaded there are two steps.
    fn len(&self) -> usize {
        self.changes.len() + self.steps.len() / 2
    }

    /// All of it by key.
    fn changes(&mut self, shapes: &Shapes) -> &FxHashMap<Key, Change> {
        for (key, step) in self.steps.drain(..) {
            self.changes.entry(key).or_default().take(shapes, step);
        }
        &self.changes
    }

    /// All of it, sorted; nothing is left.
    fn take(&mut self, shapes: &Shapes) -> Waiting {
        if !self.changes.is_empty() {
            self.changes(shapes);
            return std::mem::take(&mut self.changes).into_iter().collect();
        }
        let mut order: Vec<(Key, usize)> = (0..)
            .zip(&self.steps)
            .map(|(place, (key, _))| (*key, place))
            .collect();
        // of a key the older ones first
        order.sort_unstable();
        let mut changes: Vec<(Key, Change)> = Vec::with_capacity(self.len() + 1);
        for (key, place) in order {
            let step = std::mem::replace(&mut self.steps[place].1, Step::Void(0));
            match changes.last_mut() {
                Some((last, change)) if *last == key => change.take(shapes, step),
                _ => {
                    let mut change = Change::default();
                    change.take(shapes, step);
                    changes.push((key, change));
                }
            }
        }
        self.steps.clear();
        changes.into_iter().collect()
    }
}

impl Change {
    fn take(&mut self, shapes: &Shapes, step: Step) {
        match step {
            Step::Void(by) => self.void(shapes, by),
            Step::Confirmed {
                content,
                key,
                remote_id,
            } => self.confirm(content, key, remote_id),
        }
    }
}

/// By the maps that they change.
pub(super) type Layer = BTreeMap<Maps, Waiting>;

/// All that is in neither pages nor layers.
#[derive(Debug, Default)]
pub(super) struct Pending {
    shapes: Arc<Shapes>,
    /// Sorted when it is written out.
    waiting: BTreeMap<Maps, Unsorted>,
    /// Being written out: some of it may be in pages already. Applying a change twice is as good as once.
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
        self.waiting
            .entry(maps)
            .or_default()
            .steps
            .push((key, step));
    }

    /// Whether it is time to write it out.
    pub(super) fn is_full(&self) -> bool {
        let waiting = self.waiting.values();
        waiting.map(Unsorted::len).sum::<usize>() >= FOLD_AT
    }

    /// What waits of these keys.
    pub(super) fn capture(&mut self, maps: Maps, keys: Keys<'_>) -> Overlay {
        let mut overlay = Overlay {
            shapes: Arc::clone(&self.shapes),
            changes: BTreeMap::new(),
        };
        // older ones first
        let folding = self.folding.as_deref().and_then(|layer| layer.get(&maps));
        let waiting = self.waiting.get_mut(&maps);
        let waiting = waiting.map(|waiting| waiting.changes(&self.shapes));
        match keys {
            Keys::These(keys) => {
                for key in keys {
                    let older = folding.and_then(|changes| changes.get(*key));
                    let newer = waiting.and_then(|changes| changes.get(key));
                    for change in older.into_iter().chain(newer) {
                        overlay.above(*key, change.clone());
                    }
                }
            }
            Keys::Between(from, to) => {
                let older = folding.map_or(&[][..], |all| all.between(from, to));
                for (key, change) in older {
                    overlay.above(*key, change.clone());
                }
                let newer = waiting.into_iter().flatten();
                for (key, change) in newer.filter(|(key, _)| (from..=to).contains(key)) {
                    overlay.above(*key, change.clone());
                }
            }
        }
        overlay
    }

    /// The keys of the records that were loaded under a shown key, among those that wait. Looks at each.
    pub(super) fn owners(&mut self, maps: Maps, shown: &str) -> Vec<Key> {
        let owned = |change: &Change| change.shown() == Some(shown);
        let folding = self.folding.as_deref().and_then(|layer| layer.get(&maps));
        let folding = folding.into_iter().flat_map(|waiting| &waiting.changes);
        let mut found: Vec<_> = folding
            .filter_map(|(key, change)| owned(change).then_some(*key))
            .collect();
        if let Some(waiting) = self.waiting.get_mut(&maps) {
            let waiting = waiting.changes(&self.shapes).iter();
            found.extend(waiting.filter_map(|(key, change)| owned(change).then_some(*key)));
        }
        found
    }

    /// Begins to write out what waits now.
    pub(super) fn begin_fold(&mut self) -> (Arc<Layer>, Arc<Shapes>) {
        let waiting = self.waiting.iter_mut();
        let sorted = waiting.map(|(maps, waiting)| (*maps, waiting.take(&self.shapes)));
        let layer: Arc<Layer> = Arc::new(sorted.collect());
        self.folding = Some(Arc::clone(&layer));
        (layer, Arc::clone(&self.shapes))
    }

    /// Ends it.
    pub(super) fn end_fold(&mut self) {
        self.folding = None;
    }
}

/// Changes of some keys, as they were at one moment.
pub(super) struct Overlay {
    shapes: Arc<Shapes>,
    changes: BTreeMap<Key, Change>,
}

impl Overlay {
    /// Nothing, of the same shapes.
    pub(super) fn empty(&self) -> Self {
        Self {
            shapes: Arc::clone(&self.shapes),
            changes: BTreeMap::new(),
        }
    }

    /// Lays a newer change over what it has of a key.
    pub(super) fn above(&mut self, key: Key, newer: Change) {
        let change = match self.changes.remove(&key) {
            Some(older) => older.then(&self.shapes, newer),
            None => newer,
        };
        self.changes.insert(key, change);
    }

    /// Lays all over it that another one has up to a key, which is taken from there.
    pub(super) fn above_all(&mut self, newer: &mut Self, to: Key) {
        while let Some(entry) = newer
            .changes
            .first_entry()
            .filter(|entry| *entry.key() <= to)
        {
            let (key, change) = entry.remove_entry();
            self.above(key, change);
        }
    }

    /// The first key that is not taken yet.
    pub(super) fn first(&self) -> Option<Key> {
        self.changes.keys().next().copied()
    }

    /// What a key is, given what the pages say; its change is taken.
    pub(super) fn take(&mut self, key: Key, stored: Option<Entry>) -> Option<Entry> {
        match self.changes.remove(&key) {
            Some(change) => change.apply(&self.shapes, stored),
            None => stored,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::content::QuarterHour;
    use crate::ledger::record::ContentHash;
    use proptest::prelude::*;

    const MAPS: Maps = Maps {
        entries: 1,
        identities: 2,
    };

    fn pending() -> Pending {
        let mut pending = Pending::default();
        for (shape, field) in [(1, "a"), (2, "a"), (3, "b")] {
            let known = KnownShape {
                maps: MAPS,
                fields: vec![field.to_owned()],
            };
            pending.add_shape(shape, known);
        }
        pending
    }

    /// When and as what the site confirmed a record; if it did.
    type Confirmation = Option<(u32, String)>;

    /// Steps of a few keys: who writes, and what was confirmed.
    fn steps() -> impl Strategy<Value = Vec<(u8, u32, Confirmation)>> {
        let confirmed = proptest::option::of((0..9_u32, "[a-c]{0,2}"));
        proptest::collection::vec((0..6_u8, 1..4_u32, confirmed), 0..40)
    }

    proptest! {
        #[test]
        fn whether_somebody_looks_on_the_way_changes_nothing(steps in steps(), every in 1..50_usize) {
            let (mut watched, mut alone) = (pending(), pending());
            for (n, (key, shape, confirmed)) in steps.into_iter().enumerate() {
                let step = match confirmed {
                    None => Step::Void(shape),
                    Some((at, shown)) => {
                        let (hash, at) = (ContentHash::of(at.into()), QuarterHour(at));
                        let content = Content { shape, hash, at };
                        Step::Confirmed { content, key: shown, remote_id: None }
                    }
                };
                for pending in [&mut watched, &mut alone] {
                    pending.take(shape, [key; 9], step.clone());
                }
                if n % every == 0 {
                    prop_assert!(watched.capture(MAPS, Keys::ALL).first().is_some());
                }
            }
            let [watched, alone] = [watched, alone].map(|mut pending| pending.begin_fold().0);
            let changes = |layer: &Layer| layer.get(&MAPS).map(|waiting| waiting.changes.clone());
            prop_assert_eq!(changes(&watched), changes(&alone));
            let identities = |layer: &Layer| layer.get(&MAPS).map(|waiting| waiting.identities.clone());
            prop_assert_eq!(identities(&watched), identities(&alone));
            for waiting in alone.values() {
                prop_assert!(waiting.changes.is_sorted_by(|(one, _), (other, _)| one < other));
            }
        }
    }
}
