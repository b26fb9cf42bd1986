//! How a write changes the site, now or when it is repeated from a journal.

use super::change::{Change, Finished, Grant, Put, Write};
use super::entity::Entity;
use super::item::Wanted;
use super::tasks::{self, Outcome, Work};
use super::{Audit, Site};
use crate::model::clock::UnixMillis;

impl Site {
    /// Repeats a change that was written down.
    ///
    /// # Errors
    /// When it does not fit the site as the changes before it left it.
    pub(in crate::sandbox) fn repeat(&mut self, change: Change) -> Result<(), String> {
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
    pub(in crate::sandbox) fn ready(&mut self) -> Result<(), String> {
        for task in self.tasks.running_mut() {
            if let Work::Body(body) = &task.work {
                let items: Result<Vec<Wanted>, _> = serde_json::from_str(body);
                let number = task.accepted.task;
                let items = items.map_err(|e| format!("the items of task {number} are lost: {e}"));
                task.work = Work::Items(items?);
            }
        }
        Ok(())
    }

    fn repeat_write(
        &mut self,
        at: UnixMillis,
        task: Option<u32>,
        write: &Write,
    ) -> Result<(), String> {
        if self.fits(write) {
            self.apply(at, task, write);
            return Ok(());
        }
        Err(match write {
            Write::Put(Put { entity, number, .. }) => {
                format!("the write of {entity} {number} does not fit")
            }
            Write::Entitled(_, grant) => format!("the entitlement of {} does not fit", grant.owner),
            Write::Deleted(entity, number) => {
                format!("the deletion of {entity} {number} does not fit")
            }
            Write::Defined(entity, _) | Write::Edited(entity, ..) | Write::Removed(entity, ..) => {
                format!("the change of {entity} detail fields does not fit")
            }
        })
    }

    /// Whether a write can be applied to the site as it stands.
    fn fits(&self, write: &Write) -> bool {
        match write {
            Write::Put(put) => {
                let known = |entity, numbers: &[u32]| numbers.iter().all(|n| self.has(entity, *n));
                let placed = if put.created {
                    put.entity != Entity::Entitlement
                        && put.number == self.table(put.entity).next()
                        && put.name.is_some()
                } else {
                    self.has(put.entity, put.number)
                };
                let fields = &self.fields[put.entity as usize];
                placed
                    && put.details.iter().all(|(n, _)| fields.get(*n).is_some())
                    && known(Entity::Organization, &put.organizations)
                    && known(Entity::Customer, &put.customers)
                    && known(Entity::Product, &put.products)
            }
            Write::Entitled(number, grant) => {
                *number == self.entitlements.next()
                    && matches!(grant.owner, Entity::Customer | Entity::Organization)
                    && self.has(grant.owner, grant.number)
                    && self.has(Entity::Product, grant.product)
            }
            Write::Deleted(entity, number) => self.has(*entity, *number),
            Write::Defined(entity, field) => self.fields[*entity as usize].against(field).is_none(),
            Write::Edited(entity, number, _) | Write::Removed(entity, number, _) => {
                self.fields[*entity as usize].get(*number).is_some()
            }
        }
    }

    /// Whether there is a record with this number.
    pub(super) fn has(&self, entity: Entity, number: u32) -> bool {
        match entity {
            Entity::Entitlement => self.entitlements.get(number).is_some(),
            Entity::Product | Entity::Organization | Entity::Customer => {
                self.table(entity).has(number)
            }
        }
    }

    /// Applies a write that was found good, and lists it in the audit.
    pub(super) fn apply(&mut self, at: UnixMillis, task: Option<u32>, write: &Write) {
        match write {
            Write::Put(put) if put.entity == Entity::Entitlement => {
                self.entitlements.set(put.number, &put.details);
            }
            Write::Put(put) => self.apply_put(put),
            Write::Entitled(_, grant) => self.entitle(*grant),
            Write::Deleted(entity, number) => self.apply_deletion(*entity, *number),
            Write::Defined(entity, field) => {
                // that there is room for it was found before
                self.fields[*entity as usize].add(field.clone());
            }
            Write::Edited(entity, number, edit) => {
                self.fields[*entity as usize].edit(*number, edit);
            }
            Write::Removed(entity, number, _) => self.fields[*entity as usize].remove(*number),
        }
        self.audit.push(Audit::new(at, task, write));
    }

    fn apply_put(&mut self, put: &Put) {
        let audit = u32::try_from(self.audit.len()).unwrap_or(u32::MAX);
        self.tables[put.entity as usize].apply(self.cloud, put, audit);
        for customer in &put.customers {
            self.tables[Entity::Customer as usize].join(*customer, put.number);
        }
        for product in &put.products {
            let mut given = self.table(put.entity).get(put.number).entitlements.iter();
            let same =
                |n: &u32| self.entitlements.get(*n).map(|e| e.grant.product) == Some(*product);
            if !given.any(same) {
                self.entitle(Grant {
                    owner: put.entity,
                    number: put.number,
                    product: *product,
                });
            }
        }
    }

    fn entitle(&mut self, grant: Grant) {
        let number = self.entitlements.add(grant);
        self.tables[grant.owner as usize].entitle(grant.number, number);
    }

    fn apply_deletion(&mut self, entity: Entity, number: u32) {
        let gone: Vec<u32> = match entity {
            Entity::Entitlement => vec![number],
            Entity::Product => {
                let gives = self.entitlements.all();
                let gives = gives.filter(|(_, entitlement)| entitlement.grant.product == number);
                gives.map(|(n, _)| n).collect()
            }
            Entity::Organization | Entity::Customer => {
                self.table(entity).get(number).entitlements.to_vec()
            }
        };
        for entitlement in gone {
            if let Some(grant) = self.entitlements.delete(entitlement) {
                self.tables[grant.owner as usize].disentitle(grant.number, entitlement);
            }
        }
        if entity != Entity::Entitlement {
            self.tables[entity as usize].delete(self.cloud, number);
        }
    }
}
