//! The state of a site and its rules.
//!
//! Duty: decide what each request does to the site and what it is answered. Guarantee: a pure function of the
//! requests, the policy and the times it is given; everything it changes comes out as a [`Change`], and repeating the
//! changes gives the same site. Must not know: clocks, files, sockets, HTTP.

mod change;
mod decide;
mod entity;
mod failure;
mod fields;
mod ids;
mod mood;
mod read;
mod records;
mod request;
mod tasks;
mod temper;
#[cfg(test)]
mod tests;
mod watch;

pub(super) use change::Change;
pub(super) use entity::Entity;
pub(super) use failure::Failure;
pub(super) use fields::{Field, FieldKind};
pub(super) use read::INSPECTION_PAGE;
pub(super) use request::{Item, Named, body, required};
pub(super) use temper::Temper;

use super::policy::{OneBadItem, Policy};
use crate::api::contract::{self, Endpoint, answer};
use crate::model::clock::UnixMillis;
use change::{Accepted, Finished, Write};
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
    entity: Entity,
    key: String,
    digest: u64,
    body: String,
    items: Result<Vec<Item>, Refusal>,
}

impl Submission {
    /// Reads a bulk request for customers or organizations.
    pub(super) fn read(entity: Entity, key: String, body: Vec<u8>) -> Self {
        // what is not UTF-8 is refused as JSON, so the loss below is never kept
        let items = request::bulk(entity, &body);
        let digest = xxh3_64(&body);
        let body = String::from_utf8(body).unwrap_or_default();
        Self {
            entity,
            key,
            digest,
            body,
            items,
        }
    }
}

/// One applied write, as the audit lists it.
#[derive(Debug, Clone, Copy)]
struct Audit {
    at: UnixMillis,
    task: Option<u32>,
    number: u32,
    entity: Entity,
    created: bool,
}

/// A site.
#[derive(Debug, Clone)]
pub(super) struct Site {
    cloud: Uuid,
    /// Detail fields, by [`Entity`].
    fields: [Fields; 3],
    /// Records, by [`Entity`].
    tables: [Table; 3],
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
                task,
                entity,
                digest,
                ..
            } = known.accepted;
            if (entity, digest) == (submission.entity, submission.digest) {
                return Ok(self.submitted(task));
            }
            return Err(Refusal {
                status: policy.key_conflict_status,
                message: format!("An idempotency key {}", contract::KEY_REUSED_MESSAGE),
            });
        }
        let items = submission.items?;
        if policy.one_bad_item == OneBadItem::RefusesRequest {
            self.judge_all(submission.entity, &items)?;
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
            entity: submission.entity,
            key: submission.key,
            digest,
            at: now,
            start,
            end,
            mood,
            body: None,
        };
        let task = accepted.task;
        self.note_accepted(now, task, accepted.entity, &items);
        let work = Work::Items(items);
        self.tasks.accept(self.cloud, accepted.clone(), work);
        accepted.body = Some(submission.body);
        self.changes.push(Change::Accepted(accepted));
        Ok(self.submitted(task))
    }

    /// Refuses a request of which one item cannot be written as the site stands now.
    fn judge_all(&self, entity: Entity, items: &[Item]) -> Result<(), Refusal> {
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

    /// Writes one record at once: single calls and the seed. Gives its id.
    ///
    /// # Errors
    /// All the reasons against it.
    pub(super) fn write(
        &mut self,
        now: UnixMillis,
        entity: Entity,
        item: &Item,
    ) -> Result<String, Vec<Failure>> {
        let write = self.decide(entity, item)?;
        self.apply(now, None, &write);
        let id = ids::record(self.cloud, entity, write.number);
        self.changes.push(Change::Wrote(now, write));
        Ok(id)
    }

    /// Creates a product, also one whose name exists: no rule about that is known, and a loader must not rely on one.
    ///
    /// # Errors
    /// When the name is blank.
    pub(super) fn create_product(
        &mut self,
        now: UnixMillis,
        name: &str,
    ) -> Result<String, Refusal> {
        let name = name.trim();
        if name.is_empty() {
            return Err(Refusal::bad_request("Invalid name"));
        }
        let key = self.table(Entity::Product).fold(name);
        if let Some(words) = self.temper.refuses(Entity::Product, &key) {
            return Err(Refusal::bad_request(words));
        }
        let number = self.table(Entity::Product).count();
        let write = Write {
            entity: Entity::Product,
            number,
            created: true,
            name: Some(name.to_owned()),
            display_name: None,
            details: Vec::new(),
            organizations: Vec::new(),
            customers: Vec::new(),
            products: Vec::new(),
        };
        self.apply(now, None, &write);
        self.changes.push(Change::Wrote(now, write));
        Ok(ids::record(self.cloud, Entity::Product, number))
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

    /// Whether there is a record with this natural key, whatever its spelling.
    pub(super) fn has_record(&self, entity: Entity, name: &str) -> bool {
        self.table(entity).by_name(name).is_some()
    }

    /// Repeats a change that was written down.
    ///
    /// # Errors
    /// When it does not fit the site as the changes before it left it.
    pub(super) fn repeat(&mut self, change: Change) -> Result<(), String> {
        match change {
            Change::Field(entity, field) => {
                if !self.fields[entity as usize].add(field) {
                    return Err(format!("one {entity} detail field too many"));
                }
            }
            Change::Wrote(at, write) => self.repeat_write(at, None, &write)?,
            Change::Accepted(mut accepted) => {
                if accepted.task != self.tasks.next() {
                    return Err(format!("task {} is out of order", accepted.task));
                }
                let work = Work::Body(accepted.body.take().unwrap_or_default());
                self.tasks.accept(self.cloud, accepted, work);
            }
            Change::Moved(moved) => {
                for moved in &moved {
                    if !self.tasks.reschedule(moved) {
                        return Err(format!("task {} was not waiting", moved.task));
                    }
                }
            }
            Change::Finished(Finished {
                task,
                failed,
                failures,
                writes,
            }) => {
                let Some((accepted, _)) = self.tasks.take_work(task) else {
                    return Err(format!("task {task} was not running"));
                };
                let at = tasks::millis_after(accepted.end);
                for write in &writes {
                    self.repeat_write(at, Some(task), write)?;
                }
                self.tasks.finish(task, Outcome { failed, failures });
            }
        }
        Ok(())
    }

    /// Ends the repetition: reads the items of the tasks that were not finished.
    ///
    /// # Errors
    /// When the items of a task cannot be read.
    pub(super) fn ready(&mut self) -> Result<(), String> {
        for task in self.tasks.running_mut() {
            if let Work::Body(body) = &task.work {
                let items = request::bulk(task.accepted.entity, body.as_bytes());
                let number = task.accepted.task;
                let items = items.map_err(|refusal| {
                    format!("the items of task {number} are lost: {}", refusal.message)
                })?;
                task.work = Work::Items(items);
            }
        }
        Ok(())
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
            match self.decide(accepted.entity, item) {
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
        self.note_finished(number, accepted.entity, &items);
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

    fn repeat_write(
        &mut self,
        at: UnixMillis,
        task: Option<u32>,
        write: &Write,
    ) -> Result<(), String> {
        let Write { entity, number, .. } = *write;
        let count = self.table(entity).count();
        let fields = self.fields[entity as usize].all().len();
        let known = |entity, numbers: &[u32]| {
            let count = self.table(entity).count();
            numbers.iter().all(|number| *number < count)
        };
        let fits = if write.created {
            number == count && write.name.is_some()
        } else {
            number < count
        };
        if fits
            && write.details.iter().all(|(n, _)| usize::from(*n) < fields)
            && known(Entity::Organization, &write.organizations)
            && known(Entity::Customer, &write.customers)
            && known(Entity::Product, &write.products)
        {
            self.apply(at, task, write);
            return Ok(());
        }
        Err(format!("the write of {entity} {number} does not fit"))
    }

    fn apply(&mut self, at: UnixMillis, task: Option<u32>, write: &Write) {
        let Write {
            entity,
            number,
            created,
            ..
        } = *write;
        self.tables[entity as usize].apply(self.cloud, write);
        for customer in &write.customers {
            self.tables[Entity::Customer as usize].join(*customer, number);
        }
        self.audit.push(Audit {
            at,
            task,
            number,
            entity,
            created,
        });
    }

    fn table(&self, entity: Entity) -> &Table {
        &self.tables[entity as usize]
    }
}
