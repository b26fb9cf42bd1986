//! Layers of changes on disk, between what waits in memory and the pages: what keeps the cost of a merge in proportion.
//!
//! The keys of a load are spread over all pages, so that each merge writes all of them anew. What waits is therefore
//! written out as a layer, a map of its own, and the layers are merged into the pages when they have grown to a share of
//! them. With that each record is written a few times, however many there are. A look-up asks the pages, then the
//! layers, oldest first, then what waits.

use super::change::{Change, Maps, Shapes};
use super::pages::{self, Key};
use super::pending::{FIRST, LAST, Layer, Waiting};
use rusqlite::{Connection, OptionalExtension, params};
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
    /// Once they are this part of the pages.
    From(u64),
    /// Now, all of them.
    All,
}

impl Merge {
    /// While a run writes: they double the pages.
    pub(super) const DURING: Self = Self::From(1);
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
        let grown = pages_of(db, &layers)? + (waiting.changes.len() / PAGE) as u64 + 1;
        let now = match when {
            Merge::All => true,
            Merge::From(part) => grown * part >= pages_of(db, &[base])?,
        };
        if now {
            merge_into_pages(db, shapes, base, &layers, waiting)?;
            continue;
        }
        if layers.len() >= MOST {
            merge_layers(db, shapes, &layers)?;
        }
        if !waiting.changes.is_empty() {
            let layer = add(db, base)?;
            let changes = waiting.changes.iter().map(|(key, change)| (*key, change));
            pages::merge(db, layer.entries, changes, |_, change| Some(change.clone()))?;
            let identities = waiting.identities.iter().map(|key| (*key, ()));
            pages::merge(db, layer.identities, identities, |_, ()| Some(()))?;
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
    let pages = pages_of(db, layers)? + (waiting.changes.len() / PAGE) as u64;
    for (from, to) in pieces(pages) {
        let mut part = read(db, shapes, layers, from, to)?;
        for (key, change) in waiting.changes.range(from..=to) {
            part.above(shapes, *key, change.clone());
        }
        let identities = waiting.identities.range(from..=to);
        part.identities.extend(identities);
        pages::merge(db, base.entries, part.changes, |old, change| {
            change.apply(shapes, old)
        })?;
        let identities = part.identities.into_iter().map(|key| (key, ()));
        pages::merge(db, base.identities, identities, |_, ()| Some(()))?;
        drop_below(db, layers, to)?;
    }
    remove(db, layers)
}

/// Merges the younger layers into the oldest.
fn merge_layers(db: &mut Connection, shapes: &Shapes, layers: &[Maps]) -> rusqlite::Result<()> {
    let Some((oldest, younger)) = layers.split_first() else {
        return Ok(());
    };
    let pages = pages_of(db, younger)?;
    for (from, to) in pieces(pages) {
        let part = read(db, shapes, younger, from, to)?;
        pages::merge(
            db,
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
        pages::merge(db, oldest.identities, identities, |_, ()| Some(()))?;
        drop_below(db, younger, to)?;
    }
    remove(db, younger)
}

impl Waiting {
    fn above(&mut self, shapes: &Shapes, key: Key, newer: Change) {
        let change = match self.changes.remove(&key) {
            Some(older) => older.then(shapes, newer),
            None => newer,
        };
        self.changes.insert(key, change);
    }
}

/// What layers, oldest first, have between two keys.
fn read(
    db: &Connection,
    shapes: &Shapes,
    layers: &[Maps],
    from: Key,
    to: Key,
) -> rusqlite::Result<Waiting> {
    let mut found = Waiting::default();
    for layer in layers {
        pages::scan(db, layer.entries, from, |key, change: Change| {
            let inside = key <= to;
            if inside {
                found.above(shapes, key, change);
            }
            Ok::<_, rusqlite::Error>(inside)
        })?;
        pages::scan(db, layer.identities, from, |key, ()| {
            let inside = key <= to;
            if inside {
                found.identities.insert(key);
            }
            Ok::<_, rusqlite::Error>(inside)
        })?;
    }
    Ok(found)
}

/// Removes the pages that lie wholly below a key: they are merged, and what comes next takes their place.
fn drop_below(db: &mut Connection, layers: &[Maps], key: Key) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    for layer in layers {
        for map in [layer.entries, layer.identities] {
            transaction
                .prepare_cached(
                    "DELETE FROM page WHERE map = ?1
                     AND first < (SELECT max(first) FROM page WHERE map = ?1 AND first <= ?2)",
                )?
                .execute(params![map, key])?;
        }
    }
    transaction.commit()
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

/// A new layer, the youngest.
fn add(db: &mut Connection, base: Maps) -> rusqlite::Result<Maps> {
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
    transaction.commit()?;
    let [entries, identities] = made;
    Ok(Maps {
        entries,
        identities,
    })
}
