//! Erasing a person: everything that the ledger holds of a key, overwritten on disk.

use super::content::{Entry, identity};
use super::error::{LedgerError, damaged};
use super::layers::Merge;
use super::pages::{self, Key};
use super::reader::RunState;
use super::remember;
use super::said;
use super::store::Ledger;
use crate::model::entity::Entity;
use crate::model::row::{KeyHash, Reason};
use rusqlite::{Connection, params};
use std::collections::BTreeSet;

/// What stands where a message stood.
const FORGOTTEN: &str = "forgotten";

/// What was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Outcomes of rows that lost their key, remote id and messages.
    pub rows: u64,
    /// Records of which nothing is remembered any more.
    pub records: u64,
}

impl Ledger {
    /// Erases a key, shown or natural, of one kind of record or all: in outcomes the key, the remote id and the messages; of
    /// what is remembered everything. Also the other shown key of a record that is found by its natural key. `natural` gives
    /// the hashes that the key may have as a natural key.
    ///
    /// The whole file is written anew, so that nothing is left in its free space; that takes its size on disk once more.
    ///
    /// # Errors
    /// When a run is open, whose requests may hold the key, or the ledger cannot be read or written.
    pub fn forget(
        &self,
        key: &str,
        entity: Option<Entity>,
        natural: impl Fn(Entity) -> Vec<KeyHash>,
    ) -> Result<Forgotten, LedgerError> {
        let runs = self.reader()?.runs()?;
        if let Some(open) = runs.into_iter().find(|run| run.state == RunState::Open) {
            return Err(LedgerError::RunOpen { run: open.id });
        }
        let failed = self.failed("write");
        let mut db = self.connect()?;
        remember::fold(&mut db, &self.pending, Merge::All, None).map_err(&failed)?;
        let mut forgotten = Forgotten::default();
        for of in Entity::ALL {
            if entity.is_some_and(|entity| entity != of) {
                continue;
            }
            let mut shown = BTreeSet::from([key.to_owned()]);
            for site in sites(&db, of).map_err(&failed)? {
                let memory = self.memory(&site, of, None)?;
                let by_natural = memory.look_up(&natural(of))?.into_iter().flatten();
                let by_shown = memory.keyed(&[key])?.into_iter().flatten();
                let found: Vec<_> = by_natural.chain(by_shown).collect();
                let Some(maps) = memory.maps else { continue };
                let marks: BTreeSet<Key> = found.iter().map(|known| known.mark.0).collect();
                let identities: BTreeSet<Key> = found
                    .iter()
                    .map(|known| identity(&known.key, known.mark.0))
                    .collect();
                forgotten.records += marks.len() as u64;
                shown.extend(found.into_iter().map(|known| known.key));
                let gone = marks.into_iter().map(|mark| (mark, ()));
                pages::merge(&mut db, maps.entries, gone, |_: Option<Entry>, ()| None)
                    .map_err(&failed)?;
                let gone = identities.into_iter().map(|identity| (identity, ()));
                pages::merge(&mut db, maps.identities, gone, |_: Option<()>, ()| None)
                    .map_err(&failed)?;
            }
            for key in shown.iter().filter(|key| !key.is_empty()) {
                forgotten.rows += erase_rows(&mut db, of, key).map_err(&failed)?;
            }
        }
        // moved and split pages may hold copies in their free space, which secure_delete does not reach
        db.execute_batch("VACUUM").map_err(&failed)?;
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(&failed)?;
        Ok(forgotten)
    }
}

fn sites(db: &Connection, entity: Entity) -> rusqlite::Result<Vec<String>> {
    let mut query =
        db.prepare("SELECT site FROM map WHERE entity = ? AND kind = 0 AND layer = 0")?;
    let sites = query.query_map([entity.name()], |row| row.get(0))?;
    sites.collect()
}

fn erase_rows(db: &mut Connection, entity: Entity, key: &str) -> rusqlite::Result<u64> {
    let transaction = db.transaction()?;
    let mut count = 0;
    {
        let mut query = transaction.prepare(
            "SELECT row.part, row, said, reasons FROM row JOIN stage USING (part) LEFT JOIN said USING (said)
             WHERE stage.entity = ? AND key = ?",
        )?;
        let mut rows = query.query([entity.name(), key])?;
        let mut erase = transaction.prepare(
            "UPDATE row SET key = '', remote_id = NULL, said = ? WHERE part = ? AND row = ?",
        )?;
        let mut said = BTreeSet::new();
        while let Some(row) = rows.next()? {
            let (part, number): (i64, i64) = (row.get(0)?, row.get(1)?);
            said.extend(row.get::<_, Option<i64>>(2)?);
            let reasons: Option<String> = row.get(3)?;
            let left = match reasons {
                Some(reasons) => {
                    let reasons = without_messages(&reasons).ok_or_else(|| damaged(3))?;
                    Some(said::insert(&transaction, part, &reasons)?)
                }
                None => None,
            };
            count += erase.execute(params![left, part, number])? as u64;
        }
        // what was said of other rows too is theirs
        let mut unsaid = transaction.prepare(
            "DELETE FROM said WHERE said = ?1 AND NOT EXISTS (SELECT 1 FROM row WHERE row.said = ?1 AND row.part = said.part)",
        )?;
        for number in said {
            unsaid.execute([number])?;
        }
    }
    transaction.commit()?;
    Ok(count)
}

/// Codes and fields alone: a message may repeat what the site said about the record.
fn without_messages(reasons: &str) -> Option<String> {
    let mut reasons: Vec<Reason> = serde_json::from_str(reasons).ok()?;
    for reason in &mut reasons {
        reason.message = FORGOTTEN.into();
    }
    serde_json::to_string(&reasons).ok()
}

#[cfg(test)]
mod tests {
    use crate::ledger::record::Record;
    use crate::ledger::tests::{begin, hash, open, outcome, sending, sent, settled, shape};
    use crate::model::entity::Entity;
    use crate::model::outcome::Status;
    use crate::model::slice::Slice;
    use std::fs;
    use std::path::Path;

    /// Whether any file of the folder holds these bytes.
    fn held(folder: &Path, text: &str) -> bool {
        let files = fs::read_dir(folder).unwrap();
        let mut found = false;
        for file in files {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            found |= bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes());
        }
        found
    }

    #[test]
    fn a_key_is_gone_from_every_byte_of_the_files_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        let run = begin(&ledger, "r1", Some(shape(1, &["display_name"])));
        // enough rows for pages to split and move
        for batch in 1..=40_u64 {
            let ids: Vec<_> = (0..50).map(|n| batch + n * 40).collect();
            let named = |id: u64| Slice::owned(format!("person-{id}@example.com"));
            let rows = ids.iter().map(|id| {
                let mut row = sent(*id, u128::from(*id), 1);
                row.row.key = named(*id);
                row
            });
            let outcomes = ids.iter().map(|id| {
                let status = if id % 7 == 0 {
                    Status::Failed
                } else {
                    Status::Loaded
                };
                let mut outcome = outcome(*id, status, Some(batch));
                outcome.row.key = named(*id);
                outcome.remote_id = Some(format!("remote-{id}-"));
                for reason in &mut outcome.reasons {
                    reason.message = format!("no person-{id}@example.com");
                }
                outcome
            });
            let outcomes = outcomes.collect();
            let at = 3_000;
            let batch = crate::model::outcome::BatchSeq(batch);
            run.write_now(vec![
                sending(batch.0, rows),
                Record::Settled {
                    stage: 0,
                    batch,
                    trace_id: None,
                    outcomes,
                    at,
                },
            ])
            .unwrap();
        }
        let forget = |key: &str, natural: u128| {
            ledger.forget(key, None, |entity| match entity {
                Entity::Customer => vec![hash(natural)],
                _ => Vec::new(),
            })
        };
        insta::assert_snapshot!(forget("person-5@example.com", 5).unwrap_err(), @"run r1 is open, and its requests under way may hold the key; load its job again until it ends, then forget");
        run.write_now(vec![Record::RunFinished {
            at: 4_000,
            stopped: None,
        }])
        .unwrap();
        drop(run);
        for (key, natural, records) in [
            ("person-5@example.com", 5, 1),
            ("person-7@example.com", 7, 0),
        ] {
            assert!(held(folder.path(), key));
            let forgotten = forget(key, natural).unwrap();
            assert_eq!((forgotten.rows, forgotten.records), (1, records));
            assert!(!held(folder.path(), key), "{key}");
        }
        assert!(!held(folder.path(), "remote-5-"));
        for kept in [
            "person-6@example.com",
            "person-55@example.com",
            "remote-55-",
        ] {
            assert!(held(folder.path(), kept), "{kept}");
        }
        let memory = ledger.memory("sandbox", Entity::Customer, None).unwrap();
        let known = memory.look_up(&[hash(5), hash(6)]).unwrap();
        assert_eq!([known[0].is_some(), known[1].is_some()], [false, true]);
        assert_eq!(memory.keyed(&["person-5@example.com"]).unwrap(), [vec![]]);
        assert_eq!(forget("person-5@example.com", 5).unwrap().rows, 0);
    }

    #[test]
    fn a_record_found_by_its_natural_key_loses_its_shown_key_too() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(folder.path());
        let run = begin(&ledger, "r1", Some(shape(1, &["display_name"])));
        run.write_now(vec![
            sending(1, [sent(1, 11, 1), sent(2, 12, 1)]),
            settled(1, &[(1, Status::Loaded), (2, Status::Loaded)]),
            Record::RunFinished {
                at: 4_000,
                stopped: None,
            },
        ])
        .unwrap();
        drop(run);
        let natural = |_| vec![hash(99), hash(11)];
        let of_others = ledger.forget("ana@example.com", Some(Entity::Product), natural);
        assert_eq!(of_others.unwrap(), super::Forgotten::default());
        let forgotten = ledger
            .forget("ana@example.com", Some(Entity::Customer), natural)
            .unwrap();
        assert_eq!((forgotten.rows, forgotten.records), (1, 1));
        let mut keys = Vec::new();
        let told = ledger.reader().unwrap().each_row("r1", 0, |row| {
            keys.push(row.key);
            Ok::<_, crate::ledger::LedgerError>(())
        });
        told.unwrap();
        assert_eq!(keys, ["", "k2"]);
    }
}
