//! What a loader should not do, as far as tasks show it. Counted since the site was opened; nothing hangs on it.

use super::Site;
use super::entity::Entity;
use super::item::Wanted;
use crate::model::clock::UnixMillis;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_64;

/// Counts of what was seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    /// The task that holds a natural key.
    held: HashMap<u64, u32>,
    most_unfinished: usize,
    shared_keys: u64,
}

/// A record or field as an item calls it.
fn name(entity: Entity, wanted: &Wanted, fold: impl Fn(&str) -> u64) -> Option<u64> {
    let kind = match wanted {
        Wanted::Record(_) => entity.name(),
        Wanted::Field(_) => entity.field_name(),
    };
    let name = wanted.name().or(wanted.id())?;
    Some(fold(name) ^ xxh3_64(kind.as_bytes()))
}

impl Site {
    /// Notes a task that is about to be accepted.
    pub(super) fn note_accepted(
        &mut self,
        now: UnixMillis,
        task: u32,
        entity: Entity,
        items: &[Wanted],
    ) {
        for key in self.keys_of(entity, items) {
            let holder = self.watch.held.insert(key, task);
            let awaited = |holder| {
                let holder = self.tasks.get(holder);
                holder.is_some_and(|holder| holder.is_awaited(now))
            };
            if holder.is_some_and(|holder| holder != task && awaited(holder)) {
                self.watch.shared_keys += 1;
            }
        }
        let unfinished = self.tasks.awaited(now) + 1;
        self.watch.most_unfinished = self.watch.most_unfinished.max(unfinished);
    }

    /// Notes the end of a task.
    pub(super) fn note_finished(&mut self, task: u32, entity: Entity, items: &[Wanted]) {
        for key in self.keys_of(entity, items) {
            if self.watch.held.get(&key) == Some(&task) {
                self.watch.held.remove(&key);
            }
        }
    }

    fn keys_of(&self, entity: Entity, items: &[Wanted]) -> Vec<u64> {
        let table = self.table(entity);
        let fold = |text: &str| xxh3_64(table.fold(text).as_bytes());
        let keys = items.iter().filter_map(|item| name(entity, item, fold));
        keys.collect()
    }

    /// Inspection: what tasks showed of the loader's ways.
    pub(in crate::sandbox) fn violations(&self) -> Map<String, Value> {
        let seen = [
            ("mostUnfinishedTasks", json!(self.watch.most_unfinished)),
            ("keysInTwoTasks", json!(self.watch.shared_keys)),
        ];
        seen.map(|(name, count)| (name.to_owned(), count))
            .into_iter()
            .collect()
    }

    /// The latest time the site knows of: it may be ahead of the machine's, when the site's clock ran faster.
    pub(in crate::sandbox) fn latest(&self) -> UnixMillis {
        // seeds are written at the machine's time, so the last entry need not be the latest
        let written = self.audit.iter().map(|entry| entry.at);
        written.chain(self.tasks.latest()).max().unwrap_or(0)
    }
}
