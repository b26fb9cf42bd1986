//! Bulk tasks: slots, order, idempotency keys and how long results are kept.
//!
//! Tasks are worked first come, first served, and each takes a time known beforehand, so that start and end are
//! settled when a task is accepted and its state is a function of the clock.

use super::change::Accepted;
use super::failure::Failure;
use super::ids;
use super::item::Wanted;
use crate::model::clock::UnixMillis;
use crate::sandbox::policy::Policy;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// The items of a task, for as long as they are needed.
#[derive(Debug)]
pub(super) enum Work {
    /// To be done.
    Items(Vec<Wanted>),
    /// To be done, read back from a journal and not yet parsed.
    Body(String),
    /// Done.
    Done(Vec<Failure>),
}

/// One task.
#[derive(Debug)]
pub(super) struct Task {
    /// What was accepted, without its body.
    pub accepted: Accepted,
    /// Its items or its failures.
    pub work: Work,
}

/// All tasks whose results are still kept, and the idempotency keys of all tasks that ever were.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    kept: BTreeMap<u32, Task>,
    by_id: HashMap<Uuid, u32>,
    by_key: HashMap<Arc<str>, u32>,
    keys: Vec<Arc<str>>,
    /// (end, number) of those not yet finished.
    running: BTreeSet<(i64, u32)>,
    /// (end, number) of those that are.
    finished: BTreeSet<(i64, u32)>,
}

impl Tasks {
    /// The number of the next task.
    pub(super) fn next(&self) -> u32 {
        u32::try_from(self.keys.len()).unwrap_or(u32::MAX)
    }

    /// The task with this id.
    pub(super) fn by_id(&self, id: &str) -> Option<&Task> {
        let number = self.by_id.get(&Uuid::try_parse(id).ok()?)?;
        self.kept.get(number)
    }

    /// The task that was accepted with this idempotency key.
    pub(super) fn by_key(&self, key: &str) -> Option<&Task> {
        self.kept.get(self.by_key.get(key)?)
    }

    /// The idempotency key of a task, however old.
    pub(super) fn key(&self, number: u32) -> Option<&str> {
        self.keys.get(number as usize).map(|key| &**key)
    }

    /// Tasks not yet finished.
    pub(super) fn unfinished(&self) -> usize {
        self.running.len()
    }

    /// Whether another task may be accepted. Tasks over their time are not counted.
    pub(super) fn has_slot(&self, policy: &Policy, now: UnixMillis) -> bool {
        let in_time = |task: &&Task| now.saturating_sub(task.accepted.at) < policy.task_timeout_ms;
        let running = self.running.iter().filter_map(|(_, n)| self.kept.get(n));
        running.filter(in_time).count() < policy.max_tasks
    }

    /// When a task of so many items would start and end, in microseconds.
    pub(super) fn schedule(&self, policy: &Policy, now: UnixMillis, items: usize) -> (i64, i64) {
        let now = now.saturating_mul(1000);
        let queued = self.running.len().checked_sub(policy.workers.max(1));
        // with all workers busy, it starts when so few are left before it that one is free
        let free = queued.and_then(|ahead| self.running.iter().nth(ahead));
        let start = free.map_or(now, |(end, _)| (*end).max(now));
        let items = u64::try_from(items).unwrap_or(u64::MAX);
        let takes = policy
            .task_micros
            .saturating_add(policy.item_micros.saturating_mul(items));
        let takes = i64::try_from(takes).unwrap_or(i64::MAX);
        (start, start.saturating_add(takes))
    }

    /// Takes in a task.
    pub(super) fn accept(&mut self, cloud: Uuid, accepted: Accepted, work: Work) {
        let number = accepted.task;
        let key: Arc<str> = accepted.key.as_str().into();
        self.keys.push(Arc::clone(&key));
        self.by_key.insert(key, number);
        self.by_id.insert(ids::task(cloud, number), number);
        self.running.insert((accepted.end, number));
        self.kept.insert(number, Task { accepted, work });
    }

    /// The next task to finish, if its end has come.
    pub(super) fn due(&self, now: UnixMillis) -> Option<u32> {
        let (end, number) = self.running.first()?;
        (*end <= now.saturating_mul(1000)).then_some(*number)
    }

    /// When the next task ends.
    pub(super) fn next_end(&self) -> Option<UnixMillis> {
        self.running.first().map(|(end, _)| millis_after(*end))
    }

    /// The tasks not yet finished.
    pub(super) fn running_mut(&mut self) -> impl Iterator<Item = &mut Task> {
        let open = |task: &&mut Task| !matches!(task.work, Work::Done(_));
        self.kept.values_mut().filter(open)
    }

    /// Takes an unfinished task's items, and its acceptance; the task must be finished with [`Self::finish`].
    pub(super) fn take_work(&mut self, number: u32) -> Option<(Accepted, Work)> {
        let task = self.kept.get_mut(&number)?;
        if !self.running.contains(&(task.accepted.end, number)) {
            return None;
        }
        let work = std::mem::replace(&mut task.work, Work::Done(Vec::new()));
        Some((task.accepted.clone(), work))
    }

    /// Ends a task.
    pub(super) fn finish(&mut self, number: u32, failures: Vec<Failure>) {
        if let Some(task) = self.kept.get_mut(&number) {
            self.running.remove(&(task.accepted.end, number));
            self.finished.insert((task.accepted.end, number));
            task.work = Work::Done(failures);
        }
    }

    /// Forgets the results and keys that are too old.
    pub(super) fn expire(&mut self, policy: &Policy, cloud: Uuid, now: UnixMillis) {
        while let Some((end, number)) = self.finished.first().copied()
            && millis_after(end).saturating_add(policy.result_ttl_ms) <= now
        {
            self.finished.pop_first();
            self.by_id.remove(&ids::task(cloud, number));
            if let Some(task) = self.kept.remove(&number)
                && self.by_key.get(task.accepted.key.as_str()) == Some(&number)
            {
                self.by_key.remove(task.accepted.key.as_str());
            }
        }
    }
}

/// The first whole millisecond at or after these microseconds.
pub(super) fn millis_after(micros: i64) -> UnixMillis {
    micros.saturating_add(999).div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::site::item::Bulk;

    #[test]
    fn tasks_start_when_a_worker_is_free_first_come_first_served() {
        let mut tasks = Tasks::default();
        let policy = Policy {
            workers: 2,
            task_micros: 1000,
            item_micros: 100,
            ..Policy::default()
        };
        let mut spans = Vec::new();
        for (now, items) in [(1, 10), (1, 0), (1, 0), (1, 1), (1, 0), (50, 0)] {
            let (start, end) = tasks.schedule(&policy, now, items);
            spans.push((start, end));
            let accepted = Accepted {
                task: tasks.next(),
                bulk: Bulk::CustomerProfiles,
                key: tasks.next().to_string(),
                digest: 0,
                at: now,
                start,
                end,
                body: None,
            };
            tasks.accept(Uuid::nil(), accepted, Work::Items(Vec::new()));
        }
        assert_eq!(
            spans,
            [
                (1000, 3000),
                (1000, 2000),
                (2000, 3000),
                (3000, 4100),
                (3000, 4000),
                (50_000, 51_000)
            ]
        );
    }
}
