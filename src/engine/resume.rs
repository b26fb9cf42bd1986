//! How far an interrupted stage had come, in the engine's terms.
//!
//! Rows with an outcome are read and left out. Batches that are not decided go on with their stored bytes; whose
//! records their rows are is read off those bytes, as the site will name them by that.

use super::context::Context;
use super::message::{Recovered, Undecided};
use super::run::RunError;
use crate::api::contract::{Name, keys};
use crate::api::fold;
use crate::ledger::record::SentRow;
use crate::ledger::{OpenBatch, OpenCall, RowSet, StageProgress};
use crate::model::clock::UnixMillis;
use crate::model::entity::Entity;
use crate::model::outcome::Counts;
use crate::model::row::PreparedRow;
use crate::model::slice::Slice;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;

/// How far a stage had come.
pub(super) enum Before {
    /// To its end.
    Finished(Counts),
    /// Somewhere, or nowhere.
    Open(Box<TakenUp>),
}

/// What is left of an interrupted stage.
#[derive(Debug, Default)]
pub(super) struct TakenUp {
    /// Bulk requests under way, and the counts.
    pub(super) recovered: Recovered,
    /// Rows that are decided or under way.
    pub(super) done: RowSet,
    /// Decided rows whose records the site is not known to hold.
    pub(super) unloaded: RowSet,
    /// Rows that are neither, and that a call may have been made for.
    pub(super) begun: RowSet,
    /// Requests for definitions under way: their rows are read again, since the bytes do not say whose fields they are.
    pub(super) definitions: Vec<OpenBatch>,
}

/// Reads how far a stage had come in the ledger of the run.
///
/// # Errors
/// When the ledger cannot be used.
pub(super) async fn take_up(
    context: &Arc<Context>,
    entity: Entity,
    stage: u32,
    details: &[String],
) -> Result<Before, RunError> {
    let shared = Arc::clone(context);
    let read = move || shared.ledger.reader()?.progress(&shared.run, stage);
    let Some(progress) = spawn_blocking(read).await?? else {
        return Ok(Before::Open(Box::default()));
    };
    if progress.info.finished_at.is_some() {
        return Ok(Before::Finished(progress.counts));
    }
    let id_key = context.client.contract().name(Name::OrganizationDetailsId);
    let now = context.clock.unix_millis();
    Ok(Before::Open(Box::new(taken_up(
        entity, progress, details, id_key, now,
    ))))
}

fn taken_up(
    entity: Entity,
    progress: StageProgress,
    details: &[String],
    id_key: &str,
    now: UnixMillis,
) -> TakenUp {
    let mut done = progress.decided;
    let mut begun = RowSet::default();
    for call in &progress.called {
        begun.insert(call.row);
    }
    let mut recovered = Recovered {
        counts: progress.counts,
        last: progress.last_batch,
        undecided: Vec::new(),
        begun: progress.called.iter().map(|call| call.row).collect(),
    };
    let mut definitions = Vec::new();
    for open in progress.undecided {
        if entity == Entity::DetailField {
            definitions.push(open);
            continue;
        }
        for sent in open.rows.iter() {
            done.insert(sent.row.id);
        }
        let undecided = undecided(entity, open, details, id_key, now);
        recovered.undecided.push(undecided);
    }
    TakenUp {
        recovered,
        done,
        unloaded: progress.unloaded,
        begun,
        definitions,
    }
}

/// A batch as the ledger has it, with its rows as the engine needs them.
pub(super) fn undecided(
    entity: Entity,
    open: OpenBatch,
    details: &[String],
    id_key: &str,
    now: UnixMillis,
) -> Undecided {
    let items = items(&open.body);
    let rows = open.rows.iter().enumerate();
    let rows = rows.map(|(index, sent)| {
        let item = items.get(index).map_or("", |item| item.get());
        prepared(entity, sent, item, details, id_key)
    });
    let age = u64::try_from(now.saturating_sub(open.sent_at)).unwrap_or(0);
    Undecided {
        seq: open.batch,
        key: open.key.clone(),
        rows: rows.collect(),
        task: open.task.clone(),
        age: Duration::from_millis(age),
        body: Arc::new(open.body),
    }
}

/// A row that single calls may have been made for, as the engine needs it; `None` where what it sends is not known.
pub(super) fn called(entity: Entity, call: OpenCall, id_key: &str) -> Option<PreparedRow> {
    let (row, item) = call.sent?;
    let sent = SentRow {
        row,
        hashes: Some(call.hashes),
    };
    let item = String::from_utf8(item).ok()?;
    Some(prepared(entity, &sent, &item, &[], id_key))
}

/// The elements of a bulk request's one list, byte for byte.
fn items(body: &[u8]) -> Vec<&RawValue> {
    let lists: BTreeMap<&str, Vec<&RawValue>> = serde_json::from_slice(body).unwrap_or_default();
    lists.into_values().next().unwrap_or_default()
}

fn prepared(
    entity: Entity,
    sent: &SentRow,
    text: &str,
    details: &[String],
    id_key: &str,
) -> PreparedRow {
    let item: Value = serde_json::from_str(text).unwrap_or_default();
    let payload = item.get(keys::PAYLOAD).unwrap_or(&item);
    let word = |key| payload.get(key).and_then(Value::as_str);
    let (ids, name) = match entity {
        Entity::Customer => ([keys::CUSTOMER_ID, keys::CUSTOMER_ID], keys::EMAIL),
        Entity::Organization | Entity::Product | Entity::DetailField | Entity::Entitlement => {
            ([keys::ORGANIZATION_ID, id_key], keys::NAME)
        }
    };
    let id = ids.into_iter().find_map(word);
    let folded = word(name).map(|name| match entity {
        Entity::Customer => fold::email(name).into_owned(),
        Entity::Organization | Entity::Product | Entity::DetailField | Entity::Entitlement => {
            fold::name(name).into_owned()
        }
    });
    let identity = id.map(str::to_owned).or(folded).unwrap_or_default();
    PreparedRow {
        row: sent.row.clone(),
        hash: match sent.hashes {
            Some(hashes) => hashes.key,
            None => fold::hash(entity, &identity),
        },
        identity: Slice::owned(identity),
        item: Slice::owned(text),
        details: carried(payload, details),
        parent: None,
    }
}

/// The detail fields that an item names, as bits.
fn carried(payload: &Value, details: &[String]) -> u64 {
    let list = |key| payload.get(key).and_then(Value::as_array);
    let values = list(keys::DETAILS).into_iter().flatten();
    let operations = list(keys::OPERATIONS).into_iter().flatten();
    let operations = operations.filter_map(|operation| operation.get(keys::PAYLOAD));
    values
        .chain(operations)
        .filter_map(|named| named.get(keys::NAME)?.as_str())
        .filter_map(|name| details.iter().position(|detail| detail == name))
        .fold(0, |bits, index| bits | 1 << index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::record::{ContentHash, RowHashes};
    use crate::model::outcome::BatchSeq;
    use crate::model::reply::TaskId;
    use crate::model::row::{FileId, KeyHash, RowId, RowRef};

    fn open(body: &str, rows: u64) -> OpenBatch {
        let row = |id| SentRow {
            row: RowRef {
                id: RowId(id),
                file: FileId(0),
                line: Some(id + 1),
                key: Slice::owned(format!("k{id}")),
            },
            hashes: Some(RowHashes {
                key: KeyHash(u128::from(id)),
                content: ContentHash::of(7),
            }),
        };
        OpenBatch {
            batch: BatchSeq(3),
            key: "key".to_owned(),
            body: body.as_bytes().to_vec(),
            rows: (1..=rows).map(row).collect(),
            task: Some(TaskId("t".to_owned())),
            trace_id: None,
            sent_at: 1_000,
        }
    }

    fn identities(entity: Entity, body: &str, rows: u64) -> Vec<(String, u64)> {
        let details = ["Region".to_owned(), "Tier".to_owned()];
        let undecided = undecided(entity, open(body, rows), &details, "organizationId", 61_000);
        assert_eq!(undecided.age, Duration::from_mins(1));
        assert_eq!(undecided.body.as_slice(), body.as_bytes());
        let rows = undecided.rows.iter();
        if let Ok(Value::Object(lists)) = serde_json::from_str(body) {
            let list = lists.values().next().and_then(Value::as_array).unwrap();
            for (item, row) in list.iter().zip(rows.clone()) {
                assert!(body.contains(row.item.as_str()));
                assert_eq!(
                    serde_json::from_str::<Value>(row.item.as_str()).unwrap(),
                    *item
                );
            }
        }
        rows.map(|row| (row.identity.as_str().to_owned(), row.details))
            .collect()
    }

    #[test]
    fn rows_are_known_by_what_their_requests_say() {
        let profiles = r#"{"customerProfiles":[
            {"operationType":"UPSERT","payload":{"email":"Ana@Example.com","details":[{"name":"Tier","values":["A"]}]}},
            {"operationType":"UPSERT","payload":{"customerId":"qm:1","email":"b@example.com"}}]}"#;
        assert_eq!(
            identities(Entity::Customer, profiles, 2),
            [("ana@example.com".to_owned(), 2), ("qm:1".to_owned(), 0)]
        );
        let organizations = r#"{"organizationProfiles":[{"operationType":"CREATE","payload":{"name":"ACME  Ltd"}}]}"#;
        assert_eq!(
            identities(Entity::Organization, organizations, 1),
            [(fold::name("ACME  Ltd").into_owned(), 0)]
        );
        let values = r#"{"organizations":[{"organizationId":"12","operations":[
            {"operationType":"PATCH","payload":{"name":"Region","values":["EMEA"]}},
            {"operationType":"DELETE","payload":{"name":"Tier"}}]}]}"#;
        assert_eq!(
            identities(Entity::Organization, values, 1),
            [("12".to_owned(), 3)]
        );
    }

    #[test]
    fn a_body_that_cannot_be_read_leaves_its_rows_without_names() {
        assert_eq!(identities(Entity::Customer, "{", 1), [(String::new(), 0)]);
    }
}
