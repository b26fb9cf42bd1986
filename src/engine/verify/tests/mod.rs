//! Read-back against a made-up site in made-up time, and against the sandbox.

mod comparing;
mod finding;
mod made_up;
mod sandbox;

use super::sent::{Act, Change, Sent};
use crate::engine::seen::{Target, Wanted};
use crate::model::entity::{Asked, Entity, Family, Operation};
use crate::model::row::{FileId, KeyHash, PreparedRow, RowId, RowRef};
use crate::model::slice::Slice;

fn target(entity: Entity, key_detail: Option<&str>) -> Target {
    Target {
        stage: 0,
        entity,
        family: Family::Profile,
        asked: Asked::Record(Operation::Upsert),
        key_detail: key_detail.map(str::to_owned),
    }
}

/// A row with this payload, whose key hashes to `hash`.
fn prepared(hash: u128, payload: &serde_json::Value) -> PreparedRow {
    let item = serde_json::json!({ "operationType": "UPSERT", "payload": payload });
    PreparedRow {
        row: RowRef {
            id: RowId(1),
            file: FileId(0),
            line: Some(2),
            key: Slice::owned("key"),
        },
        hash: KeyHash(hash),
        identity: Slice::owned("identity"),
        item: Slice::owned(item.to_string()),
        details: 0,
        parent: None,
    }
}

fn wanted(remote_id: Option<&str>, payload: &serde_json::Value) -> Wanted {
    Wanted {
        row: prepared(1, payload),
        remote_id: remote_id.map(str::to_owned),
    }
}
