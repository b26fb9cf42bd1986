//! What a simulated run came to.

use super::world::World;
use std::time::Instant;

/// What a run came to.
#[derive(Debug)]
#[expect(dead_code, reason = "shown by whoever prints it")]
pub(super) struct Account {
    /// From the start to the last durable outcome, in seconds.
    pub(super) makespan: f64,
    /// The same for someone who knows each task's time, has no network, and starts each as a slot is free.
    pub(super) clairvoyant: f64,
    /// Of all slots, from the start until the last batch was accepted.
    pub(super) slots_in_use: f64,
    /// From a task's end to the poll that sees it, as a share of the tasks' mean time.
    pub(super) mean_delay: f64,
    pub(super) polls_per_task: f64,
    pub(super) polls_per_second: f64,
    /// Tasks that the site gave up.
    pub(super) timed_out: usize,
    pub(super) requests: u64,
    pub(super) events: u64,
}

impl World {
    /// The account of a site that works at `slots` tasks at a time.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub(super) fn account(&self, slots: usize) -> Account {
        let since = |at: Instant| at.duration_since(self.start).as_secs_f64();
        let tasks = &self.site.tasks;
        let ends = self.loaders.iter().filter_map(|loader| loader.finished);
        let makespan = ends.map(since).fold(0.0, f64::max);
        let mut free = vec![0.0_f64; slots];
        for task in tasks {
            free.sort_unstable_by(f64::total_cmp);
            free[0] += task.work.as_secs_f64();
        }
        let last = tasks
            .iter()
            .map(|task| since(task.created))
            .fold(0.0, f64::max);
        let used: f64 = tasks
            .iter()
            .map(|task| since(task.ends).min(last) - since(task.created))
            .sum();
        let lasted: f64 = tasks
            .iter()
            .map(|task| (task.ends - task.created).as_secs_f64())
            .sum();
        let delays: f64 = tasks
            .iter()
            .filter_map(|task| Some((task.seen? - task.ends).as_secs_f64()))
            .sum();
        let polls: u64 = self.loaders.iter().map(|loader| loader.polls).sum();
        let submits: u64 = self.loaders.iter().map(|loader| loader.submits).sum();
        Account {
            makespan,
            clairvoyant: free.into_iter().fold(0.0, f64::max),
            slots_in_use: used / (last * slots as f64),
            mean_delay: delays / lasted,
            polls_per_task: polls as f64 / tasks.len() as f64,
            polls_per_second: polls as f64 / makespan,
            timed_out: self.site.timed_out(),
            requests: polls + submits,
            events: self.events,
        }
    }
}
