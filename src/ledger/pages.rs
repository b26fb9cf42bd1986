//! A sorted map from short keys to small values, packed into pages of one SQLite row each.
//!
//! One SQLite row for each record would cost twice the bytes, and its random inserts a page of write-ahead log each.
//! Here a page holds some hundred records, changes are merged in by the hundred thousand, in key order, and pages that
//! follow each other are filled anew.
//!
//! The blob of a page: the number of bytes that all its keys begin with, those bytes, then for each entry the rest of
//! its key and its value. Keys ascend. A value says by itself where it ends.

use super::error::damaged;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::iter::Peekable;

/// A key: hashes sort as they are, so that a caller can merge sorted lists.
pub(super) type Key = [u8; 9];

/// Bytes of entries that fill one page of SQLite, with what SQLite adds.
const FULL: usize = 4_040;
/// Pages after which a merge commits what it has.
const COMMIT_AFTER: usize = 4_096;

/// What stands behind a key.
pub(super) trait Value: Sized {
    /// Bytes of its keys that say something; the others are zero.
    const KEY: usize;
    /// Appends it.
    fn encode(&self, out: &mut Vec<u8>);
    /// Takes it off the front; `None` when that is damaged.
    fn decode(bytes: &mut &[u8]) -> Option<Self>;
}

impl Value for () {
    const KEY: usize = 8;

    fn encode(&self, _: &mut Vec<u8>) {}

    fn decode(_: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

/// A page as it was read, from which entries are taken in order.
struct Page {
    id: i64,
    first: Key,
    bytes: Vec<u8>,
    /// Where the next entry starts.
    at: usize,
}

impl Page {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let bytes: Vec<u8> = row.get(2)?;
        let prefix = bytes.first().map_or(usize::MAX, |n| usize::from(*n));
        if prefix > size_of::<Key>() || bytes.len() <= prefix {
            return Err(damaged(2));
        }
        Ok(Self {
            id: row.get(0)?,
            first: row.get(1)?,
            at: 1 + prefix,
            bytes,
        })
    }

    /// The first key of the last page whose first key is not above this one.
    fn start_of(db: &Connection, map: i64, key: Key) -> rusqlite::Result<Option<Key>> {
        db.prepare_cached(
            "SELECT first FROM page WHERE map = ? AND first <= ? ORDER BY first DESC LIMIT 1",
        )?
        .query_row(params![map, key], |row| row.get(0))
        .optional()
    }

    /// The first key of the first page whose first key is above this one.
    fn start_after(db: &Connection, map: i64, key: Key) -> rusqlite::Result<Option<Key>> {
        db.prepare_cached(
            "SELECT first FROM page WHERE map = ? AND first > ? ORDER BY first LIMIT 1",
        )?
        .query_row(params![map, key], |row| row.get(0))
        .optional()
    }

    /// The last page whose first key is not above this one.
    fn holding(db: &Connection, map: i64, key: Key) -> rusqlite::Result<Option<Self>> {
        db.prepare_cached(
            "SELECT page, first, entries FROM page WHERE map = ? AND first <= ? ORDER BY first DESC LIMIT 1",
        )?
        .query_row(params![map, key], Self::read)
        .optional()
    }

    /// The first page whose first key is above this one.
    fn after(db: &Connection, map: i64, key: Key) -> rusqlite::Result<Option<Self>> {
        db.prepare_cached(
            "SELECT page, first, entries FROM page WHERE map = ? AND first > ? ORDER BY first LIMIT 1",
        )?
        .query_row(params![map, key], Self::read)
        .optional()
    }

    fn next<V: Value>(&mut self) -> rusqlite::Result<Option<(Key, V)>> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let prefix = usize::from(self.bytes[0]);
        let mut key = Key::default();
        let rest = V::KEY.checked_sub(prefix).ok_or_else(|| damaged(2))?;
        let mut bytes = self.bytes.get(self.at..).ok_or_else(|| damaged(2))?;
        key[..prefix].copy_from_slice(&self.bytes[1..=prefix]);
        key[prefix..V::KEY].copy_from_slice(bytes.get(..rest).ok_or_else(|| damaged(2))?);
        bytes = &bytes[rest..];
        let value = V::decode(&mut bytes).ok_or_else(|| damaged(2))?;
        self.at = self.bytes.len() - bytes.len();
        Ok(Some((key, value)))
    }
}

/// Looks keys up, which must ascend, and calls `found` for those that are there.
///
/// # Errors
/// When pages cannot be read.
pub(super) fn look_up<V: Value>(
    db: &Connection,
    map: i64,
    keys: impl IntoIterator<Item = Key>,
    mut found: impl FnMut(Key, V),
) -> rusqlite::Result<()> {
    let mut page: Option<Page> = None;
    let mut next: Option<(Key, V)> = None;
    for key in keys {
        loop {
            if let Some((at, _)) = &next {
                if *at > key {
                    break;
                }
                if let Some((at, value)) = next.take()
                    && at == key
                {
                    found(key, value);
                    break;
                }
            }
            next = match &mut page {
                Some(page) => page.next()?,
                None => None,
            };
            if next.is_none() {
                let fresh = Page::holding(db, map, key)?;
                // none, or the page that was just read to its end: nothing of it is left for this key
                if fresh.as_ref().map(|page| page.first) == page.as_ref().map(|page| page.first) {
                    break;
                }
                page = fresh;
            }
        }
    }
    Ok(())
}

/// Calls `each` for all entries with keys from `from` on, in order, until it says `false`.
///
/// # Errors
/// When pages cannot be read.
pub(super) fn scan<V: Value, E: From<rusqlite::Error>>(
    db: &Connection,
    map: i64,
    from: Key,
    mut each: impl FnMut(Key, V) -> Result<bool, E>,
) -> Result<(), E> {
    // the page that holds the key begins before it; where none does, all that there are begin after it
    let first = Page::start_of(db, map, from)?.unwrap_or(from);
    let mut query = db.prepare_cached(
        "SELECT page, first, entries FROM page WHERE map = ? AND first >= ? ORDER BY first",
    )?;
    let mut pages = query.query(params![map, first])?;
    while let Some(row) = pages.next()? {
        let mut page = Page::read(row)?;
        while let Some((key, value)) = page.next()? {
            if key >= from && !each(key, value)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Writes a map that has nothing yet. Keys must ascend.
///
/// # Errors
/// When pages cannot be written.
pub(super) fn fill<'a, V: Value + 'a>(
    db: &Transaction<'_>,
    map: i64,
    entries: impl IntoIterator<Item = (Key, &'a V)>,
) -> rusqlite::Result<()> {
    let mut packer = Packer::new(db, map);
    for (key, value) in entries {
        packer.put(key, value)?;
    }
    packer.flush::<V>()
}

/// Merges changes in, whose keys must ascend. `apply` makes the new value from the old one and the change; `None`
/// removes the entry.
///
/// Commits on the way when there is much, so that the write-ahead log stays bounded; a crash in between leaves the
/// first part done.
///
/// # Errors
/// When pages cannot be read or written.
pub(super) fn merge<V: Value, C>(
    db: &mut Connection,
    map: i64,
    changes: impl IntoIterator<Item = (Key, C)>,
    mut apply: impl FnMut(Option<V>, C) -> Option<V>,
) -> rusqlite::Result<()> {
    let mut changes = changes.into_iter().peekable();
    while changes.peek().is_some() {
        let transaction = db.transaction()?;
        merge_some(&transaction, map, &mut changes, &mut apply, COMMIT_AFTER)?;
        transaction.commit()?;
    }
    Ok(())
}

/// The same as a part of a transaction, for changes that are not too many for one.
///
/// # Errors
/// When pages cannot be read or written.
pub(super) fn merge_in<V: Value, C>(
    db: &Transaction<'_>,
    map: i64,
    changes: impl IntoIterator<Item = (Key, C)>,
    mut apply: impl FnMut(Option<V>, C) -> Option<V>,
) -> rusqlite::Result<()> {
    let mut changes = changes.into_iter().peekable();
    merge_some(db, map, &mut changes, &mut apply, usize::MAX)
}

/// Merges changes in until about `most` pages are written.
fn merge_some<V: Value, C, I: Iterator<Item = (Key, C)>>(
    db: &Transaction<'_>,
    map: i64,
    changes: &mut Peekable<I>,
    apply: &mut impl FnMut(Option<V>, C) -> Option<V>,
    most: usize,
) -> rusqlite::Result<()> {
    let mut packer = Packer::new(db, map);
    while let Some((key, _)) = changes.peek() {
        if packer.written >= most {
            break;
        }
        let page = match Page::holding(db, map, *key)? {
            Some(page) => Some(page),
            // before the first page: into it
            None => Page::after(db, map, *key)?,
        };
        let Some(mut page) = page else {
            // the first page of all: all changes belong into it
            while let Some((key, change)) = changes.next_if(|_| packer.written < most) {
                put(&mut packer, key, apply(None, change))?;
            }
            break;
        };
        let end = Page::start_after(db, map, page.first)?;
        db.prepare_cached("DELETE FROM page WHERE page = ?")?
            .execute([page.id])?;
        let mut held = page.next::<V>()?;
        loop {
            let change = changes.next_if(|(key, _)| {
                end.is_none_or(|end| *key < end) && held.as_ref().is_none_or(|(at, _)| key <= at)
            });
            match (change, held.take()) {
                (Some((key, change)), Some((at, value))) if at == key => {
                    put(&mut packer, key, apply(Some(value), change))?;
                    held = page.next()?;
                }
                (Some((key, change)), rest) => {
                    put(&mut packer, key, apply(None, change))?;
                    held = rest;
                }
                (None, Some((at, value))) => {
                    packer.put(at, &value)?;
                    held = page.next()?;
                }
                (None, None) => break,
            }
        }
        // pages that follow each other are filled together; where the next change is further on, this one ends
        if changes
            .peek()
            .is_none_or(|(key, _)| end.is_none_or(|end| *key < end) || skips(db, map, end, *key))
        {
            packer.flush::<V>()?;
        }
    }
    packer.flush::<V>()
}

/// Puts what is left of an entry.
fn put<V: Value>(packer: &mut Packer<'_>, key: Key, value: Option<V>) -> rusqlite::Result<()> {
    value.map_or(Ok(()), |value| packer.put(key, &value))
}

/// Removes all entries up to a key, itself included.
///
/// # Errors
/// When pages cannot be read or written.
pub(super) fn drop_through<V: Value>(
    db: &Transaction<'_>,
    map: i64,
    key: Key,
) -> rusqlite::Result<()> {
    let Some(mut last) = Page::holding(db, map, key)? else {
        return Ok(());
    };
    db.prepare_cached("DELETE FROM page WHERE map = ? AND first <= ?")?
        .execute(params![map, key])?;
    let mut packer = Packer::new(db, map);
    while let Some((at, value)) = last.next::<V>()? {
        if at > key {
            packer.put(at, &value)?;
        }
    }
    packer.flush::<V>()
}

/// Whether a key lies behind the page that starts with `end`.
fn skips(db: &Connection, map: i64, end: Option<Key>, key: Key) -> bool {
    let next = end.map(|end| Page::start_after(db, map, end));
    // what cannot be read here is an error when it is read in earnest
    matches!(next, Some(Ok(Some(next))) if next <= key)
}

/// Packs entries into pages.
struct Packer<'a> {
    db: &'a Transaction<'a>,
    map: i64,
    entries: Vec<(Key, usize)>,
    values: Vec<u8>,
    written: usize,
}

impl<'a> Packer<'a> {
    fn new(db: &'a Transaction<'a>, map: i64) -> Self {
        Self {
            db,
            map,
            entries: Vec::new(),
            values: Vec::new(),
            written: 0,
        }
    }

    fn put<V: Value>(&mut self, key: Key, value: &V) -> rusqlite::Result<()> {
        let start = self.values.len();
        value.encode(&mut self.values);
        if !self.entries.is_empty() && self.bytes_with::<V>(key) > FULL {
            let last = self.values.split_off(start);
            self.flush::<V>()?;
            self.values = last;
        }
        self.entries.push((key, self.values.len()));
        Ok(())
    }

    /// The page's bytes if this key were its last.
    fn bytes_with<V: Value>(&self, key: Key) -> usize {
        let prefix = self
            .entries
            .first()
            .map_or(0, |(first, _)| common::<V>(first, &key));
        1 + prefix + (self.entries.len() + 1) * (V::KEY - prefix) + self.values.len()
    }

    fn flush<V: Value>(&mut self) -> rusqlite::Result<()> {
        let (Some((first, _)), Some((last, _))) = (self.entries.first(), self.entries.last())
        else {
            return Ok(());
        };
        let prefix = common::<V>(first, last);
        let mut bytes = Vec::with_capacity(FULL);
        bytes.push(u8::try_from(prefix).unwrap_or_default());
        bytes.extend_from_slice(&first[..prefix]);
        let mut start = 0;
        for (key, end) in &self.entries {
            bytes.extend_from_slice(&key[prefix..V::KEY]);
            bytes.extend_from_slice(&self.values[start..*end]);
            start = *end;
        }
        self.db
            .prepare_cached("INSERT INTO page (map, first, entries) VALUES (?, ?, ?)")?
            .execute(params![self.map, first, bytes])?;
        self.entries.clear();
        self.values.clear();
        self.written += 1;
        Ok(())
    }
}

/// Bytes that two keys begin with, one fewer than all.
fn common<V: Value>(left: &Key, right: &Key) -> usize {
    let same = left.iter().zip(right).take_while(|(l, r)| l == r).count();
    same.min(V::KEY - 1)
}
