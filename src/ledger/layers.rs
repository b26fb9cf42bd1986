//! Layers of changes on disk, between what waits in memory and the pages: what keeps the cost of a merge in proportion.
//!
//! The keys of a load are spread over all pages, so that each merge writes all of them anew. What waits is therefore
//! written out as a layer, a map of its own, and the layers are merged into the pages at the end of a run, when they have
//! grown to a share of them; while it writes only when there are too many of them. With that each record is written a few
//! times, however many there are. A look-up asks the pages, then the layers, oldest first, then what waits.

use super::change::{Change, Maps, Shapes};
use super::pages::{self, Key};
use super::pending::{FIRST, LAST, Layer, Waiting};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::BTreeMap;

/// Layers beyond which they are merged with each other.
const MOST: usize = 32;
/// Entries of a page, about: in proportion to what one page holds.
const PAGE: usize = 100;
/// Pages that are merged at once, in memory.
const PIECE: u64 = 256;

/// When layers are merged into the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merge {
    /// Once there are too many of them, and they have as much as the pages: while a run writes.
    Crowded,
    /// Once they are this part of the pages.
    From(u64),
    /// Now, all of them.
    All,
}

impl Merge {
    /// At the end of a run.
    pub(super) const AFTER: Self = Self::From(4);
}

/// The layers over these pages, oldest first.
pub(super) fn over(db: &Connection, base: Maps) -> rusqlite::Result<Vec<Maps>> {
    let mut query = db.prepare_cached(
        "SELECT entries.map, identities.map FROM map AS base JOIN map AS entries USING (site, entity)
         JOIN map AS identities USING (site, entity)
         WHERE base.map = ? AND entries.layer = identities.layer AND entries.layer > 0
           AND entries.kind = 0 AND identities.kind = 1 ORDER BY entries.layer",
    )?;
    let layers = query.query_map([base.entries], |row| {
        Ok(Maps {
            entries: row.get(0)?,
            identities: row.get(1)?,
        })
    })?;
    layers.collect()
}

/// Pages of these maps' entries.
pub(super) fn pages_of(db: &Connection, maps: &[Maps]) -> rusqlite::Result<u64> {
    let mut query = db.prepare_cached("SELECT count(*) FROM page WHERE map = ?")?;
    let mut pages = 0;
    for maps in maps {
        pages += query.query_row([maps.entries], |row| row.get::<_, u64>(0))?;
    }
    Ok(pages)
}

/// Parts of all keys, first and last of each, of which each has about as many pages as are merged at once.
pub(super) fn pieces(pages: u64) -> impl Iterator<Item = (Key, Key)> {
    const PREFIXES: u64 = 1 << 16;
    let count = (pages / PIECE + 1).min(PREFIXES);
    let prefix = move |n: u64| u16::try_from(n * PREFIXES / count).unwrap_or(u16::MAX);
    (0..count).map(move |n| {
        let (mut from, mut to) = (FIRST, LAST);
        from[..2].copy_from_slice(&prefix(n).to_be_bytes());
        if n + 1 < count {
            to[..2].copy_from_slice(&(prefix(n + 1) - 1).to_be_bytes());
        }
        (from, to)
    })
}

/// Writes out what waits: into a layer of its own, or together with the layers into the pages. Commits on the way; a
/// crash in between leaves the first part done, and doing it again leads to the same end.
///
/// # Errors
/// When pages cannot be read or written.
pub(super) fn write(
    db: &mut Connection,
    shapes: &Shapes,
    waiting: &Layer,
    when: Merge,
) -> rusqlite::Result<()> {
    let none = Waiting::default();
    let mut all: BTreeMap<Maps, &Waiting> = waiting.iter().map(|(maps, w)| (*maps, w)).collect();
    if when == Merge::All {
        for base in every(db)? {
            all.entry(base).or_insert(&none);
        }
    }
    for (base, waiting) in all {
        let layers = over(db, base)?;
        if layers.is_empty() && waiting.changes.is_empty() {
            continue;
        }
        let crowded = layers.len() >= MOST;
        let grown = pages_of(db, &layers)? + (waiting.changes.len() / PAGE) as u64 + 1;
        let now = match when {
            Merge::All => true,
            Merge::From(part) => grown * part >= pages_of(db, &[base])?,
            Merge::Crowded => crowded && grown >= pages_of(db, &[base])?,
        };
        if now {
            merge_into_pages(db, shapes, base, &layers, waiting)?;
            continue;
        }
        if crowded {
            merge_layers(db, shapes, &layers)?;
        }
        if !waiting.changes.is_empty() {
            add(db, base, waiting)?;
        }
    }
    Ok(())
}

/// The pages of every (site, entity).
fn every(db: &Connection) -> rusqlite::Result<Vec<Maps>> {
    let mut query = db.prepare(
        "SELECT entries.map, identities.map FROM map AS entries JOIN map AS identities USING (site, entity, layer)
         WHERE entries.layer = 0 AND entries.kind = 0 AND identities.kind = 1",
    )?;
    let maps = query.query_map([], |row| {
        Ok(Maps {
            entries: row.get(0)?,
            identities: row.get(1)?,
        })
    })?;
    maps.collect()
}

fn merge_into_pages(
    db: &mut Connection,
    shapes: &Shapes,
    base: Maps,
    layers: &[Maps],
    waiting: &Waiting,
) -> rusqlite::Result<()> {
    let changed = pages_of(db, layers)? + (waiting.changes.len() / PAGE) as u64;
    // most of the pages are written anew, each piece of them in one transaction
    let pages = changed.max(pages_of(db, &[base])? / 4);
    for piece in pieces(pages) {
        merge_piece(db, shapes, base, layers, waiting, piece)?;
    }
    remove(db, layers)
}

/// Merges what there is between two keys, both included, and drops it from the layers.
fn merge_piece(
    db: &mut Connection,
    shapes: &Shapes,
    base: Maps,
    layers: &[Maps],
    waiting: &Waiting,
    (from, to): (Key, Key),
) -> rusqlite::Result<()> {
    let mut part = Part::read(db, layers, from, to)?;
    part.changes.extend_from_slice(waiting.between(from, to));
    let identities = waiting.identities.iter().copied();
    part.identities
        .extend(identities.filter(|key| (from..=to).contains(key)));
    let part = part.folded(shapes);
    let transaction = db.transaction()?;
    drop_through(&transaction, layers, to)?;
    pages::merge_in(
        &transaction,
        base.entries,
        part.changes,
        |old, change: Change| change.apply(shapes, old),
    )?;
    let identities = part.identities.into_iter().map(|key| (key, ()));
    pages::merge_in(&transaction, base.identities, identities, |_, ()| Some(()))?;
    transaction.commit()
}

/// Merges the younger layers into the oldest.
fn merge_layers(db: &mut Connection, shapes: &Shapes, layers: &[Maps]) -> rusqlite::Result<()> {
    let Some((oldest, younger)) = layers.split_first() else {
        return Ok(());
    };
    let pages = pages_of(db, younger)?.max(pages_of(db, &[*oldest])? / 4);
    for (from, to) in pieces(pages) {
        let part = Part::read(db, younger, from, to)?.folded(shapes);
        let transaction = db.transaction()?;
        drop_through(&transaction, younger, to)?;
        pages::merge_in(
            &transaction,
            oldest.entries,
            part.changes,
            |old: Option<Change>, newer| {
                Some(match old {
                    Some(old) => old.then(shapes, newer),
                    None => newer,
                })
            },
        )?;
        let identities = part.identities.into_iter().map(|key| (key, ()));
        pages::merge_in(
            &transaction,
            oldest.identities,
            identities,
            |_, ()| Some(()),
        )?;
        transaction.commit()?;
    }
    remove(db, younger)
}

/// What layers have between two keys: those of one after those of another, older ones first.
#[derive(Default)]
struct Part {
    changes: Vec<(Key, Change)>,
    identities: Vec<Key>,
}

impl Part {
    fn read(db: &Connection, layers: &[Maps], from: Key, to: Key) -> rusqlite::Result<Self> {
        let mut found = Self::default();
        for layer in layers {
            pages::scan(db, layer.entries, from, |key, change| {
                let inside = key <= to;
                if inside {
                    found.changes.push((key, change));
                }
                Ok::<_, rusqlite::Error>(inside)
            })?;
            pages::scan(db, layer.identities, from, |key, ()| {
                let inside = key <= to;
                if inside {
                    found.identities.push(key);
                }
                Ok::<_, rusqlite::Error>(inside)
            })?;
        }
        Ok(found)
    }

    /// In the order of the keys, one change of each.
    fn folded(mut self, shapes: &Shapes) -> Self {
        // stable: changes of a key stay in the order in which they happened; and quick with runs that are sorted
        self.changes.sort_by_key(|(key, _)| *key);
        self.changes.dedup_by(|(key, newer), (before, older)| {
            let same = key == before;
            if same {
                *older = std::mem::take(older).then(shapes, std::mem::take(newer));
            }
            same
        });
        self.identities.sort_unstable();
        self.identities.dedup();
        self
    }
}

/// Removes from layers what they have up to a key. From all of them at once, and together with the merge: a change of one
/// that outlived a newer one would count again.
fn drop_through(db: &Transaction<'_>, layers: &[Maps], key: Key) -> rusqlite::Result<()> {
    for layer in layers {
        pages::drop_through::<Change>(db, layer.entries, key)?;
        pages::drop_through::<()>(db, layer.identities, key)?;
    }
    Ok(())
}

fn remove(db: &mut Connection, layers: &[Maps]) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    for layer in layers {
        for map in [layer.entries, layer.identities] {
            transaction.execute("DELETE FROM page WHERE map = ?", [map])?;
            transaction.execute("DELETE FROM map WHERE map = ?", [map])?;
        }
    }
    transaction.commit()
}

/// Writes a new layer, the youngest.
fn add(db: &mut Connection, base: Maps, waiting: &Waiting) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    let highest: Option<u64> = transaction
        .query_row(
            "SELECT max(layer.layer) FROM map AS base JOIN map AS layer USING (site, entity) WHERE base.map = ?",
            [base.entries],
            |row| row.get(0),
        )
        .optional()?
        .flatten();
    let mut made = [0; 2];
    for (kind, map) in made.iter_mut().enumerate() {
        transaction.execute(
            "INSERT INTO map (site, entity, kind, layer) SELECT site, entity, ?, ? FROM map WHERE map = ?",
            params![kind, highest.unwrap_or_default() + 1, base.entries],
        )?;
        *map = transaction.last_insert_rowid();
    }
    let [entries, identities] = made;
    let changes = waiting.changes.iter().map(|(key, change)| (*key, change));
    pages::fill(&transaction, entries, changes)?;
    let keys = waiting.identities.iter().map(|key| (*key, &()));
    pages::fill(&transaction, identities, keys)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::change::KnownShape;
    use crate::ledger::content::{Content, Entry, QuarterHour, identity};
    use crate::ledger::record::ContentHash;
    use crate::ledger::schema;
    use std::collections::BTreeSet;
    use std::path::Path;

    const BASE: Maps = Maps {
        entries: 1,
        identities: 2,
    };
    const SHAPE: u32 = 1;

    struct World {
        db: Connection,
        shapes: Shapes,
        /// What a person would write down beside it.
        plain: BTreeMap<Key, Entry>,
    }

    impl World {
        fn new() -> Self {
            let mut db = Connection::open_in_memory().unwrap();
            schema::prepare(&mut db, Path::new("x")).unwrap();
            for (site, map) in [("s", 1), ("s", 2), ("other", 3), ("other", 4)] {
                db.execute(
                    "INSERT INTO map (map, site, entity, kind) VALUES (?1, ?2, 'customer', (?1 + 1) % 2)",
                    params![map, site],
                )
                .unwrap();
            }
            let known = KnownShape {
                maps: BASE,
                fields: vec!["a".into()],
            };
            Self {
                db,
                shapes: [(SHAPE, known)].into_iter().collect(),
                plain: BTreeMap::new(),
            }
        }

        /// Some keys are sent again; the first half of them is confirmed, with texts so long that pages are many.
        fn write(&mut self, keys: impl Iterator<Item = u64>, round: u32, when: Merge) {
            let mut waiting = Vec::new();
            for (n, number) in keys.enumerate() {
                let mut key = FIRST;
                key[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
                let mut change = Change::default();
                change.void(&self.shapes, SHAPE);
                if n % 2 == 0 {
                    let shown = format!("{number} {}", "x".repeat(900));
                    let hash = ContentHash::of(u128::from(round));
                    let at = QuarterHour(round);
                    let content = Content {
                        shape: SHAPE,
                        hash,
                        at,
                    };
                    change.confirm(content, shown, None);
                }
                let old = self.plain.remove(&key);
                let new = change.clone().apply(&self.shapes, old);
                self.plain.extend(new.map(|entry| (key, entry)));
                waiting.push((key, change));
            }
            let waiting = waiting.into_iter().collect();
            super::write(&mut self.db, &self.shapes, &[(BASE, waiting)].into(), when).unwrap();
        }

        fn check(&self) -> usize {
            let layers = over(&self.db, BASE).unwrap();
            let mut found = BTreeMap::new();
            pages::scan(&self.db, BASE.entries, FIRST, |key, entry: Entry| {
                found.insert(key, entry);
                Ok::<_, rusqlite::Error>(true)
            })
            .unwrap();
            let changes = Part::read(&self.db, &layers, FIRST, LAST).unwrap();
            let changes = changes.folded(&self.shapes);
            for (key, change) in changes.changes {
                let old = found.remove(&key);
                found.extend(change.apply(&self.shapes, old).map(|entry| (key, entry)));
            }
            let wrong = found
                .iter()
                .filter(|(key, entry)| self.plain.get(*key) != Some(entry));
            assert_eq!((wrong.count(), found.len()), (0, self.plain.len()));
            let mut identities: BTreeSet<Key> = changes.identities.iter().copied().collect();
            pages::scan(&self.db, BASE.identities, FIRST, |key, ()| {
                identities.insert(key);
                Ok::<_, rusqlite::Error>(true)
            })
            .unwrap();
            for (key, entry) in &self.plain {
                assert!(identities.contains(&identity(&entry.key, *key)));
            }
            layers.len()
        }
    }

    #[test]
    fn layers_and_pages_together_say_what_was_written() {
        let mut world = World::new();
        world.write(0..1_200, 0, Merge::From(1));
        assert_eq!(world.check(), 0, "the first pages are written at once");
        let mut most = 0;
        for round in 1..40 {
            let from = u64::from(round) * 37;
            world.write(from..from + 300, round, Merge::From(0));
            most = most.max(over(&world.db, BASE).unwrap().len());
            if round % 8 > 5 {
                world.check();
            }
        }
        assert_eq!(most, MOST);
        let layers = over(&world.db, BASE).unwrap();
        assert!(pages_of(&world.db, &layers).unwrap() > PIECE);
        // killed in the middle of a merge: the first part is done
        let World { db, shapes, .. } = &mut world;
        let mut all = pieces(3 * PIECE);
        let none = Waiting::default();
        let first = all.next().unwrap();
        merge_piece(db, shapes, BASE, &layers, &none, first).unwrap();
        let before = pages_of(&world.db, &layers).unwrap();
        assert_eq!(world.check(), layers.len());
        super::write(&mut world.db, &world.shapes, &Layer::new(), Merge::All).unwrap();
        assert_eq!(world.check(), 0);
        assert!(before > 0);
        let rest = "SELECT count(*) FROM page WHERE map > 2";
        assert_eq!(world.db.query_row(rest, [], |row| row.get(0)), Ok(0));
    }

    #[test]
    fn layers_are_merged_once_they_have_grown_to_their_share() {
        let mut world = World::new();
        let mut counts = Vec::new();
        for (round, rows) in [(0, 800), (1, 300), (2, 300), (3, 200), (4, 1_700), (5, 100)] {
            world.write(0..rows, round, Merge::From(1));
            counts.push(world.check());
        }
        // what waits is counted by rows, as if they were of the usual size
        assert_eq!(counts, [0, 1, 2, 3, 0, 1]);
        world.write(0..6_000, 6, Merge::AFTER);
        assert_eq!(world.check(), 0);
    }

    #[test]
    fn while_a_run_writes_layers_wait_until_they_are_too_many() {
        let mut world = World::new();
        let mut counts = Vec::new();
        let most = MOST as u64;
        for round in 0..2 * most + 2 {
            let number = u32::try_from(round).unwrap();
            world.write(round * 30..round * 30 + 40, number, Merge::Crowded);
            counts.push(world.check() as u64);
        }
        // the pages have nothing, and then what all layers had: as much as the next ones have
        let expected = (1..=most).chain([0]).chain(1..=most).chain([0]);
        assert_eq!(counts, expected.collect::<Vec<_>>());
        // then more than they have: they are one layer, and what waits is the second
        for round in 0..=most {
            let from = 10_000 + round * 10;
            world.write(from..from + 10, 99, Merge::Crowded);
        }
        assert_eq!(world.check(), 2);
    }

    #[test]
    fn pieces_are_all_keys_without_a_gap() {
        for pages in [0, 1, PIECE, 10 * PIECE, u64::MAX / PIECE] {
            let all: Vec<_> = pieces(pages).collect();
            assert_eq!((all[0].0, all[all.len() - 1].1), (FIRST, LAST));
            for pair in all.windows(2) {
                let end = u16::from_be_bytes([pair[0].1[0], pair[0].1[1]]);
                let next = u16::from_be_bytes([pair[1].0[0], pair[1].0[1]]);
                assert_eq!(end + 1, next);
                assert!(pair[0].1[2..].iter().all(|byte| *byte == 0xff));
            }
        }
    }
}
