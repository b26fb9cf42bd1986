//! Of a retry: which of its keys have a row that loaded in the run whose rows are loaded again. Such a row counts among the
//! rows of its key, or an older row, once it is repaired, would go over a newer one.
//!
//! The rows of a run are kept by number and not by natural key. What is remembered of a record knows both its natural key
//! and how the row that loaded it last is shown, so the two are joined: 40 bytes for each key that the site is known to hold.

use super::context::Context;
use super::survey::SurveyError;
use crate::dedupe::{Policy, SortedKeys};
use crate::ledger::record::StageHeader;
use crate::model::row::{KeyHash, RowId};
use xxhash_rust::xxh3::xxh3_64;

/// Keys that are looked up at a time.
const AT_A_TIME: usize = 4_096;

/// The keys of a retry that have a row that loaded before, each with the one that counts under `policy`. Blocks.
///
/// # Errors
/// When the ledger cannot be read, or the disk refuses.
pub(super) fn standing(
    context: &Context,
    header: &StageHeader,
    keys: SortedKeys,
    policy: Policy,
) -> Result<Vec<(KeyHash, RowId)>, SurveyError> {
    let (ledger, reader) = (&context.ledger, context.ledger.reader()?);
    let (Some(retried), Some(stage)) = (reader.find(ledger.id())?.retry_of, header.retries) else {
        return Ok(Vec::new());
    };
    let memory = ledger.memory(header.entity, header.shape.as_ref())?;
    let mut found = Held::default();
    let mut keys = keys.peekable();
    while keys.peek().is_some() {
        let some: Vec<_> = keys.by_ref().take(AT_A_TIME).collect::<Result<_, _>>()?;
        for (key, known) in some.iter().zip(memory.look_up(&some)?) {
            if let Some(known) = known {
                found.add(*key, &known.key, known.remote_id.as_deref());
            }
        }
    }
    if found.records.is_empty() {
        return Ok(Vec::new());
    }
    found.names.sort_unstable();
    let loaded = |row, key: &str, id: Option<&str>| found.loaded(RowId(row), key, id, policy);
    reader.each_loaded(&retried, stage, ledger.id(), loaded)?;
    let records = found.records.into_iter();
    Ok(records
        .filter_map(|record| Some((record.key, record.row?)))
        .collect())
}

/// Records that the site is known to hold.
#[derive(Default)]
struct Held {
    records: Vec<Record>,
    /// The hash of what a record is called, and its place; in order, once all are there.
    names: Vec<(u64, usize)>,
}

struct Record {
    key: KeyHash,
    /// Whether the site told its id.
    has_id: bool,
    /// The row that counts.
    row: Option<RowId>,
}

/// What rows and records are called: a shown key is not taken for an id.
fn names<'a>(key: &'a str, id: Option<&'a str>) -> impl Iterator<Item = (bool, u64)> + use<'a> {
    let key = Some(key).filter(|key| !key.is_empty());
    let key = key.map(|key| (false, xxh3_64(key.as_bytes())));
    let id = id.map(|id| (true, !xxh3_64(id.as_bytes())));
    id.into_iter().chain(key)
}

impl Held {
    fn add(&mut self, key: KeyHash, shown: &str, id: Option<&str>) {
        let place = self.records.len();
        let called = names(shown, id).map(|(_, name)| (name, place));
        self.names.extend(called);
        self.records.push(Record {
            key,
            has_id: id.is_some(),
            row: None,
        });
    }

    /// A row loaded. An id tells its record for sure; the shown key does where one of them has no id.
    fn loaded(&mut self, row: RowId, shown: &str, id: Option<&str>, policy: Policy) {
        for (by_id, name) in names(shown, id) {
            let from = self.names.partition_point(|(other, _)| *other < name);
            let same = self.names[from..].iter();
            for (_, place) in same.take_while(|(other, _)| *other == name) {
                let record = &mut self.records[*place];
                if by_id || id.is_none() || !record.has_id {
                    let before = record.row.unwrap_or(row);
                    record.row = Some(match policy {
                        Policy::First => before.min(row),
                        Policy::Last | Policy::AllInOrder | Policy::Reject => before.max(row),
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(records: &[(u128, &str, Option<&str>)]) -> Held {
        let mut held = Held::default();
        for (key, shown, id) in records {
            held.add(KeyHash(*key), shown, *id);
        }
        held.names.sort_unstable();
        held
    }

    fn rows(held: &Held) -> Vec<Option<u64>> {
        let rows = held.records.iter().map(|record| record.row);
        rows.map(|row| row.map(|row| row.0)).collect()
    }

    #[test]
    fn a_record_is_known_by_its_id_and_by_its_shown_key_where_an_id_is_missing() {
        let records = [(1, "a", Some("17")), (2, "b", None), (3, "", None)];
        for (row, expected) in [
            (("z", Some("17")), [Some(9), None, None]),
            (("a", Some("18")), [None, None, None]),
            (("a", None), [Some(9), None, None]),
            (("b", Some("18")), [None, Some(9), None]),
            (("17", Some("b")), [None, None, None]),
            (("", None), [None, None, None]),
        ] {
            let mut held = held(&records);
            held.loaded(RowId(9), row.0, row.1, Policy::Last);
            assert_eq!(rows(&held), expected, "{row:?}");
        }
    }

    #[test]
    fn of_several_rows_the_policy_chooses() {
        for (policy, chosen) in [
            (Policy::Last, 8),
            (Policy::First, 3),
            (Policy::Reject, 8),
            (Policy::AllInOrder, 8),
        ] {
            let mut held = held(&[(1, "a", None)]);
            for row in [5, 8, 3] {
                held.loaded(RowId(row), "a", None, policy);
            }
            assert_eq!(rows(&held), [Some(chosen)], "{policy}");
        }
    }
}
