//! The state of a site and its rules.
//!
//! Duty: decide what each request does to the site and what it is answered. Guarantee: a pure function of the
//! requests, the policy and the times it is given; everything it changes comes out as a [`Change`], and repeating the
//! changes gives the same site. Must not know: clocks, files, sockets, HTTP.

mod apply;
mod change;
mod decide;
mod details;
mod entitlements;
mod entity;
mod failure;
mod fields;
mod ids;
mod inspect;
mod item;
mod jira;
mod read;
mod records;
mod request;
mod single;
mod tasks;
#[cfg(test)]
mod tests;

pub(super) use change::Change;
pub(super) use entity::Entity;
pub(super) use failure::Failure;
pub(super) use fields::{Field, FieldKind};
pub(super) use inspect::INSPECTION_PAGE;
pub(super) use item::{Bulk, CustomerKind, DetailChange, Item, Wanted};
pub(super) use read::Page;
pub(super) use request::{parse, required, single as requests};

use super::policy::Policy;
use crate::api::contract::{self, Contract, Endpoint, answer};
use crate::model::clock::UnixMillis;
use change::{Accepted, Finished, Write};
use entitlements::Entitlements;
use fields::Fields;
use records::Table;
use serde_json::{Value, json};
use tasks::{Tasks, Work};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

/// A request that is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The reason.
    pub message: String,
}

impl Refusal {
    /// The request is wrong.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status: 400,
            message,
        }
    }

    /// There is no such thing.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status: 404,
            message,
        }
    }
}

/// A bulk request, read but not yet judged: reading takes time and needs no site.
pub(super) struct Submission {
    bulk: Bulk,
    key: String,
    digest: u64,
    /// The items, and what the journal keeps of them: no names of the contract's, which may be others next time.
    items: Result<(Vec<Wanted>, String), Refusal>,
}

impl Submission {
    /// Reads a bulk request.
    pub(super) fn read(contract: &Contract, bulk: Bulk, key: String, body: &[u8]) -> Self {
        let items = request::bulk(contract, bulk, body).and_then(|items| {
            let kept = serde_json::to_string(&items);
            let kept = kept.map_err(|error| Refusal::bad_request(error.to_string()))?;
            Ok((items, kept))
        });
        Self {
            bulk,
            key,
            digest: xxh3_64(body),
            items,
        }
    }
}

/// One applied write, as the audit lists it.
#[derive(Debug, Clone)]
struct Audit {
    at: UnixMillis,
    task: Option<u32>,
    /// The [`Write`], encoded: one allocation instead of many.
    write: Box<str>,
}

impl Audit {
    fn new(at: UnixMillis, task: Option<u32>, write: &Write) -> Self {
        let write = serde_json::to_string(write).unwrap_or_default().into();
        Self { at, task, write }
    }
}

/// A site.
#[derive(Debug)]
pub(super) struct Site {
    cloud: Uuid,
    /// Detail fields, by [`Entity`].
    fields: [Fields; 4],
    /// Records, by [`Entity`]; entitlements are apart.
    tables: [Table; 4],
    entitlements: Entitlements,
    tasks: Tasks,
    audit: Vec<Audit>,
    /// What changed since it was last asked for.
    changes: Vec<Change>,
}

impl Site {
    /// A site without anything.
    pub(super) fn new(cloud: Uuid) -> Self {
        Self {
            cloud,
            fields: Default::default(),
            tables: Entity::ALL.map(Table::new),
            entitlements: Entitlements::default(),
            tasks: Tasks::default(),
            audit: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// The site's cloud id.
    pub(super) fn cloud_id(&self) -> Uuid {
        self.cloud
    }

    /// What changed since this was last called, to be written down before any answer that rests on it goes out.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Lets time pass: finishes the tasks whose end has come, in the order of their ends, and forgets old results.
    pub(super) fn advance(&mut self, policy: &Policy, now: UnixMillis) {
        while let Some(number) = self.tasks.due(now) {
            self.finish(number);
        }
        self.tasks.expire(policy, self.cloud, now);
    }

    /// When [`Self::advance`] will next have a task to finish.
    pub(super) fn next_end(&self) -> Option<UnixMillis> {
        self.tasks.next_end()
    }

    /// Judges a bulk request: the answer of its task, an old one's if the key is known.
    ///
    /// # Errors
    /// When the key is known with another body, the request is wrong, or no slot is free.
    pub(super) fn submit(
        &mut self,
        policy: &Policy,
        now: UnixMillis,
        submission: Submission,
    ) -> Result<Value, Refusal> {
        if let Some(known) = self.tasks.by_key(&submission.key) {
            let Accepted {
                task, bulk, digest, ..
            } = known.accepted;
            if (bulk, digest) == (submission.bulk, submission.digest) {
                return Ok(self.submitted(task));
            }
            return Err(Refusal::bad_request(format!(
                "An idempotency key {}",
                contract::KEY_REUSED_MESSAGE
            )));
        }
        let (items, kept) = submission.items?;
        self.clash(submission.bulk.entity(), &items)?;
        if !self.tasks.has_slot(policy, now) {
            return Err(Refusal::bad_request(contract::TASK_LIMIT_MESSAGE));
        }
        let (start, end) = self.tasks.schedule(policy, now, items.len());
        let mut accepted = Accepted {
            task: self.tasks.next(),
            bulk: submission.bulk,
            key: submission.key,
            digest: submission.digest,
            at: now,
            start,
            end,
            body: None,
        };
        let work = Work::Items(items);
        self.tasks.accept(self.cloud, accepted.clone(), work);
        let task = accepted.task;
        accepted.body = Some(kept);
        self.changes.push(Change::Accepted(accepted));
        Ok(self.submitted(task))
    }

    fn submitted(&self, task: u32) -> Value {
        let id = ids::task(self.cloud, task).to_string();
        let url = Endpoint::GetTask.path().replace("{taskId}", &id);
        json!({ (answer::ID): id, (answer::STATUS_URL): url })
    }

    /// Refuses definitions of which one has a name that another has, or that exceed the limit.
    fn clash(&self, entity: Entity, items: &[Wanted]) -> Result<(), Refusal> {
        if !matches!(items.first(), Some(Wanted::Field(_))) {
            return Ok(());
        }
        let mut room = Fields::default();
        for (_, field) in self.fields[entity as usize].all() {
            room.add(field.clone());
        }
        for item in items {
            if let Wanted::Field(field) = item {
                if let Some(reason) = room.against(field) {
                    return Err(Refusal::bad_request(format!("{reason}: {}", field.name)));
                }
                room.add(field.clone());
            }
        }
        Ok(())
    }

    /// Defines a detail field; false when the site has no room for another.
    pub(super) fn add_field(&mut self, entity: Entity, field: Field) -> bool {
        let added = self.fields[entity as usize].add(field.clone());
        if added {
            self.changes.push(Change::Field(entity, field));
        }
        added
    }

    /// Whether there is a detail field with this name, whatever its spelling.
    pub(super) fn has_field(&self, entity: Entity, name: &str) -> bool {
        self.fields[entity as usize].find(name).is_some()
    }

    /// Whether there is the record that an item means.
    pub(super) fn has_record(&self, entity: Entity, item: &Item) -> bool {
        self.meant(entity, item).is_some()
    }

    fn finish(&mut self, number: u32) {
        let Some((accepted, Work::Items(items))) = self.tasks.take_work(number) else {
            return self.tasks.finish(number, Vec::new());
        };
        let at = tasks::millis_after(accepted.end);
        let (mut failures, mut writes) = (Vec::new(), Vec::with_capacity(items.len()));
        for item in &items {
            match self.decide(accepted.bulk.entity(), item) {
                Ok(write) => {
                    self.apply(at, Some(number), &write);
                    writes.push(write);
                }
                Err(reasons) => failures.extend(reasons),
            }
        }
        self.tasks.finish(number, failures.clone());
        self.changes.push(Change::Finished(Finished {
            task: number,
            failures,
            writes,
        }));
    }

    fn table(&self, entity: Entity) -> &Table {
        &self.tables[entity as usize]
    }
}
