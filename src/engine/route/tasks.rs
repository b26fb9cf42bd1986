//! How long bulk tasks take: by their items, and by what was unfinished when they were submitted.
//!
//! A site may work tasks side by side or one after the other; nothing says which. So for each of some numbers of workers
//! a task's time is taken for its own work and its share of the work before it, the cost of a task and of an item are
//! fitted to the times that were seen, and the number with the best fit is believed.

use super::float;
use std::collections::VecDeque;
use std::time::Duration;

/// Tasks that are remembered: enough for a line, few enough to follow a site that changes.
const MEMORY: usize = 16;
/// Numbers of workers that are told apart; the last one stands for as many as there are slots.
const WORKERS: [usize; 6] = [1, 2, 3, 5, 10, 1_000];
/// How much better fewer workers must explain the times: where all tasks had the same company, all fit alike.
const BETTER: f64 = 0.9;
/// The mean square of relative misfits below which lines are equally good: times are known to a hundredth.
const NOISE: f64 = 1e-4;
/// The slowest site that was ever seen: one task at a time, eight minutes for a hundred items.
pub const WORST_ITEM: Duration = Duration::from_millis(4_800);
/// What any task may take, however few its items.
pub const WORST_TASK: Duration = Duration::from_secs(10);
/// What a task is taken to cost before one was seen: a guess, of the order of a bulk service's queue.
const GUESSED: Line = Line {
    task: 1.0,
    item: 0.08,
};

/// Our unfinished tasks at some moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Queue {
    /// How many.
    pub tasks: usize,
    /// Their rows.
    pub rows: usize,
}

impl Queue {
    /// With one task more, of so many rows.
    #[must_use]
    pub fn and(self, rows: usize) -> Self {
        Self {
            tasks: self.tasks + 1,
            rows: self.rows + rows,
        }
    }
}

/// A task that ended.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    rows: usize,
    /// Seconds from its submission to its end.
    took: f64,
    before: Queue,
}

/// Seconds of work: for a task, and more for each of its items.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Line {
    task: f64,
    item: f64,
}

/// What is known of the times of a site's tasks. Times are from submission to end, as seen by whoever waits.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskTimes {
    seen: VecDeque<Seen>,
    line: Line,
    workers: usize,
    /// How many times longer than believed an unfinished task is taking; at least 1.
    overdue: f64,
}

impl Default for TaskTimes {
    fn default() -> Self {
        Self {
            seen: VecDeque::with_capacity(MEMORY),
            line: GUESSED,
            workers: WORKERS[WORKERS.len() - 1],
            overdue: 1.0,
        }
    }
}

impl TaskTimes {
    /// A task ended: its rows, the time from its submission to its end, and what was unfinished before it when it was
    /// submitted.
    pub fn ended(&mut self, rows: usize, took: Duration, before: Queue) {
        if self.seen.len() == MEMORY {
            self.seen.pop_front();
        }
        self.seen.push_back(Seen {
            rows: rows.max(1),
            took: took.as_secs_f64().max(1e-3),
            before,
        });
        self.overdue = 1.0;
        let (mut least, seen) = (f64::INFINITY, &self.seen);
        // from the most workers to the fewest: what cannot be told apart counts as side by side
        for workers in WORKERS.into_iter().rev() {
            let (line, misfit) = fit(seen, workers);
            if misfit < BETTER * least - NOISE {
                (least, self.line, self.workers) = (misfit, line, workers);
            }
        }
    }

    /// A task is unfinished at this age: it takes at least so long.
    pub fn running(&mut self, rows: usize, age: Duration, before: Queue) {
        let (tasks, items) = loads(rows, before, self.workers);
        let believed = self.line.task * tasks + self.line.item * items;
        self.overdue = self.overdue.max(age.as_secs_f64() / believed);
    }

    /// Whether a task was seen to end.
    #[must_use]
    pub fn known(&self) -> bool {
        !self.seen.is_empty()
    }

    /// The most tasks that were seen unfinished before another.
    #[must_use]
    pub fn longest_queue(&self) -> usize {
        let tasks = self.seen.iter().map(|seen| seen.before.tasks);
        tasks.max().unwrap_or(0)
    }

    /// Items of the largest task that was seen.
    #[must_use]
    pub fn largest(&self) -> usize {
        self.seen.iter().map(|seen| seen.rows).max().unwrap_or(0)
    }

    /// Seconds that a task of so many rows takes by itself.
    #[must_use]
    pub fn alone(&self, rows: usize) -> f64 {
        self.overdue * self.line.of(float(rows))
    }

    /// The same, if each item beyond those of the largest task seen costs as much as all costs of that one shared out;
    /// before one was seen, as on the slowest site known.
    #[must_use]
    pub fn alone_at_worst(&self, rows: usize) -> f64 {
        if self.known() {
            let largest = self.alone(self.largest());
            return self.alone(rows).max(self.stretch(rows) * largest);
        }
        let items = WORST_ITEM.as_secs_f64() * float(rows);
        items.max(WORST_TASK.as_secs_f64())
    }

    /// How many times larger than the largest task seen one of so many rows is; at least 1.
    fn stretch(&self, rows: usize) -> f64 {
        (float(rows) / float(self.largest().max(1))).max(1.0)
    }

    /// Whether tasks as large were seen, and behind as many others.
    #[must_use]
    pub fn foresees(&self, rows: usize, before: Queue) -> bool {
        self.known() && rows <= self.largest() && before.tasks <= self.longest_queue()
    }

    /// How many tasks the site works at once, of so many slots.
    #[must_use]
    pub fn workers(&self, slots: usize) -> usize {
        self.workers.min(slots).max(1)
    }

    /// Rows a second with all of so many slots holding tasks of so many rows.
    #[must_use]
    pub fn rate(&self, rows: usize, slots: usize) -> f64 {
        float(self.workers(slots)) * float(rows) / self.alone(rows)
    }

    /// Seconds until a task of so many rows would end that is submitted now, behind these.
    #[must_use]
    pub fn finish(&self, rows: usize, before: Queue) -> f64 {
        let (tasks, items) = loads(rows, before, self.workers);
        self.overdue * (self.line.task * tasks + self.line.item * items)
    }

    /// The same at worst, where the task is larger than any that was seen, or the queue more than twice as long: what is
    /// beyond that may be worked one by one.
    #[must_use]
    pub fn finish_at_worst(&self, rows: usize, before: Queue) -> f64 {
        let unseen = before.tasks.saturating_sub(2 * self.longest_queue());
        let each = before.rows / before.tasks.max(1);
        let turns = float(unseen) * self.alone(each);
        self.stretch(rows) * (self.finish(rows, before) + turns)
    }
}

impl Line {
    fn of(self, rows: f64) -> f64 {
        self.task + self.item * rows
    }
}

/// What a task waits for until its end, itself and its share of the queue before it: tasks, and items.
fn loads(rows: usize, before: Queue, workers: usize) -> (f64, f64) {
    let queued = float((before.tasks + 1).saturating_sub(workers)) / float(workers);
    let each = float(before.rows) / float(before.tasks.max(1));
    (1.0 + queued, float(rows) + queued * each)
}

/// The costs that fit the times best, were there so many workers, and the mean square of their relative misfit.
/// Relative, so that a task of five items counts as much as one of a hundred.
fn fit(seen: &VecDeque<Seen>, workers: usize) -> (Line, f64) {
    // least squares of task · u + item · v = 1 with u, v by their time: sums over all tasks
    let scaled = |one: &Seen| {
        let (tasks, items) = loads(one.rows, one.before, workers);
        (tasks / one.took, items / one.took)
    };
    let (mut uu, mut uv, mut vv, mut u_sum, mut v_sum) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (u, v) in seen.iter().map(scaled) {
        uu += u * u;
        uv += u * v;
        vv += v * v;
        u_sum += u;
        v_sum += v;
    }
    let determinant = uu * vv - uv * uv;
    let tasks_alone = Line {
        task: u_sum / uu,
        item: 0.0,
    };
    // one size only: all of the time may be the task's
    let line = if determinant < 1e-6 * uu * vv {
        tasks_alone
    } else {
        let task = (u_sum * vv - v_sum * uv) / determinant;
        let item = (v_sum * uu - u_sum * uv) / determinant;
        match (task > 0.0, item > 0.0) {
            (_, false) => tasks_alone,
            (false, true) => Line {
                task: 0.0,
                item: v_sum / vv,
            },
            (true, true) => Line { task, item },
        }
    };
    let misfit = seen.iter().map(scaled).map(|(u, v)| {
        let relative = line.task * u + line.item * v - 1.0;
        relative * relative
    });
    (line, misfit.sum::<f64>() / float(seen.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Behind others of as many rows, as the `depth`th.
    fn before(depth: usize, rows: usize) -> Queue {
        Queue {
            tasks: depth - 1,
            rows: (depth - 1) * rows,
        }
    }

    /// Times of tasks on a site with so many workers, submitted at these depths.
    fn learned(tasks: &[(usize, usize)], workers: usize, task: f64, item: f64) -> TaskTimes {
        let mut times = TaskTimes::default();
        for (rows, depth) in tasks {
            let company = (float(*depth) / float(workers)).max(1.0);
            let took = company * (task + item * float(*rows));
            times.ended(*rows, Duration::from_secs_f64(took), before(*depth, *rows));
        }
        times
    }

    fn near(is: f64, wanted: f64) {
        assert!((is / wanted - 1.0).abs() < 0.02, "{is}, not {wanted}");
    }

    #[test]
    fn costs_of_tasks_and_items_are_told_apart_by_tasks_of_two_sizes() {
        let times = learned(&[(5, 1), (100, 1)], 1, 2.0, 0.5);
        near(times.alone(50), 27.0);
        // of one size all may be the task's, or the items'
        let times = learned(&[(5, 1)], 1, 0.0, 4.8);
        near(times.alone(100), 24.0);
        near(times.alone_at_worst(100), 480.0);
    }

    #[test]
    fn a_site_that_works_one_by_one_is_told_from_one_that_works_side_by_side() {
        let serial = learned(&[(100, 1), (100, 2), (100, 3), (100, 3)], 1, 0.0, 4.8);
        assert_eq!(serial.workers(5), 1);
        near(serial.rate(100, 5), 100.0 / 480.0);
        near(serial.finish(100, before(3, 100)), 3.0 * 480.0);
        let parallel = learned(&[(100, 1), (100, 2), (100, 3), (100, 5)], 10, 8.0, 0.0);
        assert_eq!(parallel.workers(5), 5);
        near(parallel.rate(100, 5), 500.0 / 8.0);
        near(parallel.finish(100, before(5, 100)), 8.0);
        let two = learned(&[(100, 1), (100, 2), (100, 4), (100, 5)], 2, 8.0, 0.0);
        assert_eq!(two.workers(5), 2);
    }

    #[test]
    fn a_small_task_behind_large_ones_is_not_taken_for_a_slow_one() {
        let mut times = learned(&[(100, 1)], 1, 0.0, 4.8);
        times.ended(10, Duration::from_secs_f64(110.0 * 4.8), before(2, 100));
        assert_eq!(times.workers(5), 1);
        near(times.alone(10), 48.0);
        near(times.finish(20, before(3, 50)), 120.0 * 4.8);
    }

    #[test]
    fn tasks_in_the_same_company_give_the_right_rate_whoever_works() {
        for workers in [1, 5] {
            let times = learned(&[(100, 5), (100, 5)], workers, 8.0, 0.0);
            near(times.rate(100, 5), float(workers) * 100.0 / 8.0);
        }
    }

    #[test]
    fn a_task_that_still_runs_bounds_the_rate_until_it_ends() {
        let mut times = TaskTimes::default();
        let guessed = times.rate(100, 5);
        times.running(5, Duration::from_millis(1_400), Queue::default());
        near(times.rate(100, 5), guessed);
        times.running(5, Duration::from_secs(14), Queue::default());
        near(times.rate(100, 5), guessed / 10.0);
        times.ended(5, Duration::from_secs(24), Queue::default());
        near(times.alone(5), 24.0);
    }
}
