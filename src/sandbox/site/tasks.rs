//! Bulk tasks: slots, order, idempotency keys and how long results are kept.
//!
//! Each task takes a time known beforehand, so that start and end are settled when it is accepted, and its state is a
//! function of the clock. Tasks are worked first come, first served; under [`TaskOrder::Random`] a new task may come
//! before those that wait, which then start later.

use super::change::{Accepted, Moved};
use super::failure::Failure;
use super::ids;
use super::item::Wanted;
use crate::api::contract::task_status;
use crate::model::clock::UnixMillis;
use crate::sandbox::policy::{Policy, TaskOrder, TimedOut};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// The items of a task, for as long as they are needed.
#[derive(Debug, Clone)]
pub(super) enum Work {
    /// To be done.
    Items(Vec<Wanted>),
    /// To be done, read back from a journal and not yet parsed.
    Body(String),
    /// Done.
    Done(Outcome),
}

/// How a task ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Whether it shows FAILED, whatever it wrote.
    pub failed: bool,
    /// What it says could not be done.
    pub failures: Vec<Failure>,
}

/// One task.
#[derive(Debug, Clone)]
pub(super) struct Task {
    /// What was accepted, without its body.
    pub accepted: Accepted,
    /// Its items or its failures.
    pub work: Work,
}

/// What a look at a task shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct View<'a> {
    /// A word of [`task_status`].
    pub status: &'static str,
    /// When it came to that.
    pub updated: UnixMillis,
    /// What could not be done.
    pub failures: &'a [Failure],
}

impl Task {
    /// What a look at it shows; nothing once it has vanished.
    pub(super) fn view(&self, now: UnixMillis) -> Option<View<'_>> {
        let Accepted {
            at,
            start,
            end,
            mood,
            ..
        } = &self.accepted;
        let end = millis_after(*end);
        let view = |status, updated| View {
            status,
            updated,
            failures: &[],
        };
        if mood.gone(now) {
            return None;
        }
        if let Some(failed) = mood.gave_up(now, end) {
            return Some(view(task_status::FAILED, failed));
        }
        Some(match &self.work {
            Work::Done(outcome) => View {
                failures: &outcome.failures,
                ..view(
                    if outcome.failed {
                        task_status::FAILED
                    } else {
                        task_status::FINISHED
                    },
                    end,
                )
            },
            Work::Items(_) | Work::Body(_) if now.saturating_mul(1000) >= *start => {
                view(task_status::IN_PROGRESS, millis_after(*start))
            }
            Work::Items(_) | Work::Body(_) => view(task_status::NOT_STARTED, *at),
        })
    }

    /// Whether whoever looks has to go on waiting for it.
    pub(super) fn is_awaited(&self, now: UnixMillis) -> bool {
        self.view(now).is_some_and(|view| {
            [task_status::NOT_STARTED, task_status::IN_PROGRESS].contains(&view.status)
        })
    }
}

/// All tasks whose results are still kept, and the idempotency keys of all tasks that ever were.
#[derive(Debug, Clone, Default)]
pub(super) struct Tasks {
    kept: BTreeMap<u32, Task>,
    by_id: HashMap<Uuid, u32>,
    by_key: HashMap<Arc<str>, u32>,
    keys: Vec<Arc<str>>,
    /// How many tasks had this body.
    bodies: HashMap<u64, u32>,
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

    /// How many tasks with this body there have been.
    pub(super) fn with_body(&self, digest: u64) -> u32 {
        self.bodies.get(&digest).copied().unwrap_or(0)
    }

    /// The task with this number, if its result is still kept.
    pub(super) fn get(&self, number: u32) -> Option<&Task> {
        self.kept.get(&number)
    }

    /// When the last task was accepted, of those that are kept.
    pub(super) fn latest(&self) -> Option<UnixMillis> {
        self.kept.last_key_value().map(|(_, task)| task.accepted.at)
    }

    /// How many tasks somebody waits for.
    pub(super) fn awaited(&self, now: UnixMillis) -> usize {
        let running = self.running.iter().filter_map(|(_, n)| self.kept.get(n));
        running.filter(|task| task.is_awaited(now)).count()
    }

    /// When a task of so many items starts and ends, in microseconds, and which waiting tasks it moves.
    pub(super) fn schedule(
        &self,
        policy: &Policy,
        now: UnixMillis,
        items: usize,
        digest: u64,
    ) -> (i64, i64, Vec<Moved>) {
        let micros = now.saturating_mul(1000);
        if policy.task_order == TaskOrder::Random {
            return self.shuffle(policy, now, items, digest);
        }
        let queued = self.running.len().checked_sub(policy.workers.max(1));
        // with all workers busy, it starts when so few are left before it that one is free
        let free = queued.and_then(|ahead| self.running.iter().nth(ahead));
        let start = free.map_or(micros, |(end, _)| (*end).max(micros));
        let (start, end) = span(policy, now, start, items);
        (start, end, Vec::new())
    }

    /// Puts a new task anywhere among those that wait.
    fn shuffle(
        &self,
        policy: &Policy,
        now: UnixMillis,
        items: usize,
        digest: u64,
    ) -> (i64, i64, Vec<Moved>) {
        let micros = now.saturating_mul(1000);
        let running = self.running.iter().filter_map(|(_, n)| self.kept.get(n));
        let (mut waiting, worked): (Vec<&Task>, Vec<&Task>) =
            running.partition(|task| task.accepted.start > micros);
        waiting.sort_unstable_by_key(|task| (task.accepted.start, task.accepted.task));
        // the last to end hold the workers, should there be fewer than when they were started
        let mut free: Vec<i64> = worked.iter().map(|task| task.accepted.end).collect();
        free.resize(free.len().max(policy.workers.max(1)), micros);
        free.sort_unstable();
        let mut free = free.split_off(free.len() - policy.workers.max(1));
        let who = [digest, u64::from(self.with_body(digest))].map(u64::to_le_bytes);
        let place = policy.dice().number("task_order", who.as_flattened());
        let places = u64::try_from(waiting.len() + 1).unwrap_or(1);
        let place = usize::try_from(place % places).unwrap_or(0);
        let mut order: Vec<Option<&Task>> = waiting.into_iter().map(Some).collect();
        order.insert(place, None);
        let (mut new, mut moved) = ((micros, micros), Vec::new());
        for task in order {
            let (at, items) = match task {
                None => (now, items),
                Some(task) => (task.accepted.at, task.items()),
            };
            let (start, end) = span(policy, at, free[0].max(micros), items);
            free[0] = end;
            free.sort_unstable();
            match task.map(|task| &task.accepted) {
                None => new = (start, end),
                Some(old) if (old.start, old.end) != (start, end) => moved.push(Moved {
                    task: old.task,
                    start,
                    end,
                }),
                Some(_) => {}
            }
        }
        (new.0, new.1, moved)
    }

    /// Gives an unfinished task another start and end; false when it is not unfinished.
    pub(super) fn reschedule(&mut self, moved: &Moved) -> bool {
        let Some(task) = self.kept.get_mut(&moved.task) else {
            return false;
        };
        let running = self.running.remove(&(task.accepted.end, moved.task));
        if running {
            task.accepted.start = moved.start;
            task.accepted.end = moved.end;
            self.running.insert((moved.end, moved.task));
        }
        running
    }

    /// Takes in a task.
    pub(super) fn accept(&mut self, cloud: Uuid, accepted: Accepted, work: Work) {
        let number = accepted.task;
        let key: Arc<str> = accepted.key.as_str().into();
        *self.bodies.entry(accepted.digest).or_default() += 1;
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
        let work = std::mem::replace(&mut task.work, Work::Done(Outcome::default()));
        Some((task.accepted.clone(), work))
    }

    /// Ends a task.
    pub(super) fn finish(&mut self, number: u32, outcome: Outcome) {
        if let Some(task) = self.kept.get_mut(&number) {
            self.running.remove(&(task.accepted.end, number));
            self.finished.insert((task.accepted.end, number));
            task.work = Work::Done(outcome);
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

impl Task {
    /// How many items there are to be worked.
    fn items(&self) -> usize {
        match &self.work {
            Work::Items(items) => items.len(),
            // bodies are read before the site takes anything in
            Work::Body(_) | Work::Done(_) => 0,
        }
    }
}

/// Start and end of a task that was accepted at some time and for which a worker is free from `start` on.
fn span(policy: &Policy, at: UnixMillis, start: i64, items: usize) -> (i64, i64) {
    let end = start.saturating_add(policy.work_micros(items));
    match deadline(policy, at) {
        Some(deadline) => (start.min(deadline), end.min(deadline)),
        None => (start, end),
    }
}

/// When a task that was accepted at some time is broken off, in microseconds.
pub(super) fn deadline(policy: &Policy, at: UnixMillis) -> Option<i64> {
    let deadline = at.saturating_add(policy.task_timeout_ms);
    (policy.timed_out == TimedOut::FailedStops).then(|| deadline.saturating_mul(1000))
}

/// The first whole millisecond at or after these microseconds.
pub(super) fn millis_after(micros: i64) -> UnixMillis {
    micros.saturating_add(999).div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::site::item::Bulk;
    use crate::sandbox::site::mood::Mood;

    #[test]
    fn in_random_order_no_worker_has_two_tasks_and_some_overtake() {
        let policy = Policy {
            workers: 2,
            task_micros: 10_000,
            item_micros: 0,
            task_order: TaskOrder::Random,
            ..Policy::default()
        };
        let mut tasks = Tasks::default();
        for number in 0..20 {
            let now = i64::from(number);
            while let Some(done) = tasks.due(now) {
                tasks.finish(done, Outcome::default());
            }
            let (start, end, moved) = tasks.schedule(&policy, now, 0, u64::from(number));
            for moved in &moved {
                assert!(moved.start > now * 1000, "what was begun stays");
                assert!(tasks.reschedule(moved));
            }
            let accepted = Accepted {
                task: number,
                bulk: Bulk::CustomerProfiles,
                key: number.to_string(),
                digest: number.into(),
                at: now,
                start,
                end,
                mood: Mood::default(),
                body: None,
            };
            tasks.accept(Uuid::nil(), accepted, Work::Items(Vec::new()));
        }
        let spans: Vec<_> = (0..20)
            .map(|n| tasks.get(n).unwrap())
            .map(|task| (task.accepted.start, task.accepted.end))
            .collect();
        for (start, end) in &spans {
            assert_eq!(end - start, 10_000);
            let at_once = spans.iter().filter(|(s, e)| s <= start && start < e);
            assert!(at_once.count() <= 2);
        }
        let last = spans.iter().map(|(_, end)| *end).max();
        assert_eq!(last, Some(100_000 + 1000), "no worker idles");
        assert!(!spans.is_sorted(), "{spans:?}");
    }

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
            let (start, end, moved) = tasks.schedule(&policy, now, items, 0);
            assert!(moved.is_empty());
            spans.push((start, end));
            let accepted = Accepted {
                task: tasks.next(),
                bulk: Bulk::CustomerProfiles,
                key: tasks.next().to_string(),
                digest: 0,
                at: now,
                start,
                end,
                mood: Mood::default(),
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
