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
mod mood;
mod read;
mod records;
mod request;
mod single;
mod tasks;
mod temper;
#[cfg(test)]
mod tests;
mod watch;

pub(super) use change::Change;
pub(super) use entity::Entity;
pub(super) use failure::Failure;
pub(super) use fields::{Field, FieldKind};
pub(super) use inspect::INSPECTION_PAGE;
pub(super) use item::{Bulk, CustomerKind, DetailChange, Item, Wanted};
pub(super) use read::Page;
pub(super) use request::{parse, required, single as requests};
pub(super) use temper::Temper;

use super::policy::{OneBadItem, Policy};
use crate::api::contract::{self, Contract, Endpoint, answer};
use crate::model::clock::UnixMillis;
use change::{Accepted, Finished, Write};
use entitlements::Entitlements;
use fields::Fields;
use mood::{Course, Mood};
use records::Table;
use serde_json::{Value, json};
use tasks::{Outcome, Tasks, Work};
use uuid::Uuid;
use watch::Watch;
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
#[derive(Debug, Clone)]
pub(super) struct Site {
    cloud: Uuid,
    /// Detail fields, by [`Entity`].
    fields: [Fields; 4],
    /// Records, by [`Entity`]; entitlements are apart.
    tables: [Table; 4],
    entitlements: Entitlements,
    tasks: Tasks,
    audit: Vec<Audit>,
    temper: Temper,
    watch: Watch,
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
            temper: Temper::default(),
            watch: Watch::default(),
            changes: Vec::new(),
        }
    }

    /// The site's cloud id.
    pub(super) fn cloud_id(&self) -> Uuid {
        self.cloud
    }

    /// Gives it something against single records; until then it has nothing, so that seeds are not refused.
    pub(super) fn set_temper(&mut self, temper: Temper) {
        self.temper = temper;
    }

    /// What changed since this was last called, to be written down before any answer that rests on it goes out.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Lets time pass: finishes the tasks whose end has come, in the order of their ends, and forgets old results.
    pub(super) fn advance(&mut self, policy: &Policy, now: UnixMillis) {
        while let Some(number) = self.tasks.due(now) {
            self.finish(policy, number);
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
            return Err(Refusal {
                status: policy.key_conflict_status,
                message: format!("An idempotency key {}", contract::KEY_REUSED_MESSAGE),
            });
        }
        let (items, kept) = submission.items?;
        self.clash(submission.bulk.entity(), &items)?;
        if policy.one_bad_item == OneBadItem::RefusesRequest {
            self.judge_all(submission.bulk.entity(), &items)?;
        }
        if !self.tasks.has_slot(policy, now) {
            return Err(Refusal::bad_request(contract::TASK_LIMIT_MESSAGE));
        }
        let digest = submission.digest;
        let (start, end, moved) = self.tasks.schedule(policy, now, items.len(), digest);
        let mood = Mood::of(policy, now, digest, self.tasks.with_body(digest));
        for moved in &moved {
            self.tasks.reschedule(moved);
        }
        if !moved.is_empty() {
            self.changes.push(Change::Moved(moved));
        }
        let mut accepted = Accepted {
            task: self.tasks.next(),
            bulk: submission.bulk,
            key: submission.key,
            digest,
            at: now,
            start,
            end,
            mood,
            body: None,
        };
        let task = accepted.task;
        self.note_accepted(now, task, accepted.bulk.entity(), &items);
        let work = Work::Items(items);
        self.tasks.accept(self.cloud, accepted.clone(), work);
        accepted.body = Some(kept);
        self.changes.push(Change::Accepted(accepted));
        Ok(self.submitted(task))
    }

    /// Refuses a request of which one item cannot be written as the site stands now.
    fn judge_all(&self, entity: Entity, items: &[Wanted]) -> Result<(), Refusal> {
        let wrong = items
            .iter()
            .find_map(|item| self.decide(entity, item).err());
        match wrong.iter().flatten().next() {
            Some(failure) => Err(Refusal::bad_request(failure.error.clone())),
            None => Ok(()),
        }
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

    fn finish(&mut self, policy: &Policy, number: u32) {
        let Some((accepted, Work::Items(items))) = self.tasks.take_work(number) else {
            return self.tasks.finish(number, Outcome::default());
        };
        let at = tasks::millis_after(accepted.end);
        let course = Course::of(policy, &accepted, items.len());
        let (mut failures, mut writes) = (Vec::new(), Vec::with_capacity(items.len()));
        for place in &course.worked {
            let item = &items[*place];
            match self.decide(accepted.bulk.entity(), item) {
                Ok(write) => {
                    self.apply(at, Some(number), &write);
                    writes.push(write);
                }
                Err(mut reasons) => {
                    temper::rename(policy, item, &mut reasons);
                    failures.extend(reasons);
                }
            }
        }
        self.note_finished(number, accepted.bulk.entity(), &items);
        let outcome = course.tell(policy, failures);
        let Outcome { failed, failures } = outcome.clone();
        self.tasks.finish(number, outcome);
        self.changes.push(Change::Finished(Finished {
            task: number,
            failed,
            failures,
            writes,
        }));
    }

    fn table(&self, entity: Entity) -> &Table {
        &self.tables[entity as usize]
    }
}
