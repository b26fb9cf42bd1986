//! The packed map against a plain one.

use crate::ledger::content::Entry;
use crate::ledger::pages::{self, Key};
use crate::ledger::schema;
use proptest::prelude::*;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn database() -> Connection {
    let mut db = Connection::open_in_memory().unwrap();
    schema::prepare(&mut db, Path::new("x")).unwrap();
    for map in 1..=2 {
        db.execute(
            "INSERT INTO map (map, site, entity, kind) VALUES (?1, 's', 'customer', ?1)",
            [map],
        )
        .unwrap();
    }
    db
}

fn key(number: u16) -> Key {
    // neighbours share their beginning, as in a map of millions
    let mut key = [7; 9];
    key[3..5].copy_from_slice(&number.to_be_bytes());
    key
}

fn entry(length: usize) -> Entry {
    Entry {
        key: "x".repeat(length),
        ..Entry::default()
    }
}

fn all(db: &Connection) -> BTreeMap<Key, usize> {
    let mut found = BTreeMap::new();
    pages::scan(db, 1, Key::default(), |key, entry: Entry| {
        assert!(found.insert(key, entry.key.len()).is_none());
        Ok::<_, rusqlite::Error>(true)
    })
    .unwrap();
    found
}

/// Changes of one merge: a length puts an entry, none removes it.
fn merges() -> impl Strategy<Value = Vec<BTreeMap<u16, Option<usize>>>> {
    let few =
        proptest::collection::btree_map(0..2_000_u16, proptest::option::of(0..600_usize), 0..20);
    let dense = (0..1_900_u16, 1..100_u16, 0..300_usize).prop_map(|(from, count, length)| {
        (from..from + count).map(|n| (n, Some(length))).collect()
    });
    let gone = (0..1_900_u16, 1..100_u16)
        .prop_map(|(from, count)| (from..from + count).map(|n| (n, None)).collect());
    proptest::collection::vec(prop_oneof![2 => few, 2 => dense, 1 => gone], 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn merges_look_ups_and_scans_agree_with_a_plain_map(
        merges in merges(),
        wanted in proptest::collection::btree_set(0..2_100_u16, 0..200),
        from in 0..2_100_u16,
    ) {
        let mut db = database();
        let mut plain = BTreeMap::new();
        for changes in merges {
            let keyed = changes.iter().map(|(number, length)| (key(*number), *length));
            pages::merge(&mut db, 1, keyed, |_: Option<Entry>, length| length.map(entry)).unwrap();
            for (number, length) in changes {
                match length {
                    Some(length) => plain.insert(key(number), length),
                    None => plain.remove(&key(number)),
                };
            }
            prop_assert_eq!(&all(&db), &plain);
        }
        let mut found = BTreeSet::new();
        pages::look_up(&db, 1, wanted.iter().map(|n| key(*n)), |at, _: Entry| {
            found.insert(at);
        }).unwrap();
        let expected: BTreeSet<Key> =
            wanted.iter().map(|n| key(*n)).filter(|key| plain.contains_key(key)).collect();
        prop_assert_eq!(found, expected);
        let mut first = None;
        pages::scan(&db, 1, key(from), |at, _: Entry| {
            first = Some(at);
            Ok::<_, rusqlite::Error>(false)
        }).unwrap();
        prop_assert_eq!(first, plain.range(key(from)..).next().map(|(key, _)| *key));
        // another map has none of it
        pages::scan(&db, 2, Key::default(), |_, _: Entry| -> rusqlite::Result<bool> {
            panic!("an entry of another map")
        }).unwrap();
    }

    #[test]
    fn a_change_sees_the_value_it_changes(
        numbers in proptest::collection::btree_set(0..3_000_u16, 1..600),
        again in proptest::collection::btree_set(0..3_000_u16, 1..100),
    ) {
        let mut db = database();
        let put = numbers.iter().map(|n| (key(*n), usize::from(*n % 50)));
        pages::merge(&mut db, 1, put, |_: Option<Entry>, n| Some(entry(n))).unwrap();
        let mut seen = BTreeMap::new();
        pages::merge(&mut db, 1, again.iter().map(|n| (key(*n), *n)), |old: Option<Entry>, n| {
            seen.insert(n, old.as_ref().map(|old| old.key.len()));
            old
        }).unwrap();
        for n in again {
            let expected = numbers.contains(&n).then_some(usize::from(n % 50));
            prop_assert_eq!(seen[&n], expected);
        }
    }
}

#[test]
fn pages_are_nearly_full_after_many_merges_in_any_order() {
    let mut db = database();
    for turn in 0..8_u32 {
        // every eighth number, so that each merge goes everywhere
        let keys = (0..2_500_u32).map(|n| {
            let number = n * 8 + turn * 5 % 8;
            let mut key = [0; 9];
            key[..4].copy_from_slice(&(number << 12).to_be_bytes());
            (key, ())
        });
        pages::merge(&mut db, 1, keys, |_: Option<Entry>, ()| Some(entry(20))).unwrap();
    }
    let (pages, bytes): (u64, u64) = db
        .query_row(
            "SELECT count(*), sum(length(entries)) FROM page",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(all(&db).len(), 20_000);
    assert!(bytes / pages > 3_900, "{} bytes a page", bytes / pages);
}

#[test]
fn a_damaged_page_is_an_error_and_never_a_panic() {
    let mut db = database();
    let put = (0..50).map(|n| (key(n), 10));
    pages::merge(&mut db, 1, put, |_: Option<Entry>, n| Some(entry(n))).unwrap();
    let whole: Vec<u8> = db
        .query_row("SELECT entries FROM page", [], |row| row.get(0))
        .unwrap();
    let read = |bytes: &[u8]| {
        db.execute("UPDATE page SET entries = ?", [bytes]).unwrap();
        let mut count = 0;
        pages::scan(&db, 1, Key::default(), |_, _: Entry| {
            count += 1;
            Ok::<_, rusqlite::Error>(true)
        })
        .map(|()| count)
    };
    assert_eq!(read(&whole).unwrap(), 50);
    let mut errors = 0;
    for cut in 0..whole.len() {
        errors += usize::from(read(&whole[..cut]).is_err());
    }
    // a cut between two entries cannot be told from a page of fewer; the one inside each of them can
    assert!(errors >= whole.len() - 51, "{errors} of {}", whole.len());
    for first in [11, 255] {
        let mut bytes = whole.clone();
        bytes[0] = first;
        assert!(read(&bytes).is_err());
    }
}
