//! How long a stage will take, and what it costs, by each way.
//!
//! Duty: turn what is known of a site's times into durations, requests and points. Guarantee: no I/O and no clock.
//! Must not know: where the times come from, and how estimates are shown.

mod both;

pub use both::{Both, by_auto, by_both};

use super::limits::TaskSlots;
use super::route::{CallTimes, TaskTimes};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);
/// Polls of a task: few of a short one, whose end is news at once.
const POLLS: f64 = 5.0;
const POLLS_OF_SHORT: f64 = 1.4;
/// Seconds below which a task is short.
const SHORT: f64 = 0.5;
/// Points of a poll, or of another read of one object. Any write is one point.
const POINTS_A_READ: f64 = 2.0;
/// Tasks that are gone through one by one; the others take as long as the last of these.
const TRIED: u64 = 2_000;
/// Slots that are held at first where they are learned.
const FIRST_SLOTS: usize = 2;

/// What is to be sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// Rows.
    pub rows: u64,
    /// Rows that a bulk request holds.
    pub batch_rows: usize,
    /// Single calls that a row takes.
    pub calls: f64,
    /// Those that a load expects of a row before it has looked: as many as a new record's.
    pub expected_calls: f64,
    /// Reads that follow a bulk request, to see whether what the site says to have written is there.
    pub reads: f64,
}

/// What is known of a site, and what may be used of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Means {
    /// Task slots that are wanted.
    pub slots: TaskSlots,
    /// Task slots that the contract grants.
    pub most_slots: usize,
    /// Single calls in flight.
    pub single_in_flight: usize,
    /// Requests that may leave in a second.
    pub requests_per_second: f64,
    /// Tasks' times.
    pub tasks: TaskTimes,
    /// How many tasks the site works at once, where that is known better than from their times.
    pub workers: Option<f64>,
    /// Single calls' times.
    pub calls: CallTimes,
    /// Points that requests may cost in an hour, where they cost any.
    pub points_an_hour: Option<u64>,
}

/// What one way costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// From the first request to the last end.
    pub took: Duration,
    /// Tasks.
    pub tasks: u64,
    /// Requests, polls among them.
    pub requests: u64,
    /// Points of the hourly quota.
    pub points: u64,
}

/// By bulk requests.
#[must_use]
pub fn by_bulk(work: &Work, means: &Means) -> Cost {
    if work.rows == 0 {
        return Cost::default();
    }
    let tasks = work.rows.div_ceil(work.batch_rows.max(1) as u64);
    let rows = work
        .batch_rows
        .min(usize::try_from(work.rows).unwrap_or(usize::MAX));
    // of small tasks alone it cannot be told what large ones take
    let each = if means.tasks.known() {
        means.tasks.alone_at_worst(rows)
    } else {
        means.tasks.alone(rows)
    };
    let polls = if each < SHORT { POLLS_OF_SHORT } else { POLLS };
    let paced = float(tasks) * fewest_requests(work, means) / means.requests_per_second;
    let looks = float(tasks) * (polls + work.reads);
    let cost = Cost {
        took: Duration::from_secs_f64(in_turns(tasks, each, means).max(paced)),
        tasks,
        requests: tasks + whole(looks),
        points: tasks + whole(looks * POINTS_A_READ),
    };
    cost.within(means.points_an_hour)
}

/// Requests of a task where they are scarce: it is polled no more than it takes. Where it is known how fast tasks ended, what
/// more was polled is in that.
fn fewest_requests(work: &Work, means: &Means) -> f64 {
    let polls = means.workers.map_or(POLLS_OF_SHORT, |_| 1.0);
    1.0 + work.reads + polls
}

/// By single calls.
#[must_use]
pub fn by_calls(work: &Work, means: &Means) -> Cost {
    let Means {
        calls,
        single_in_flight,
        requests_per_second,
        ..
    } = means;
    if work.rows == 0 {
        return Cost::default();
    }
    let rate = calls.rate(work.calls, *single_in_flight, *requests_per_second);
    let requests = whole((float(work.rows) * calls.calls(work.calls)).ceil());
    let cost = Cost {
        took: Duration::from_secs_f64((float(work.rows) / rate).max(calls.row(work.calls))),
        tasks: 0,
        requests,
        points: requests,
    };
    cost.within(means.points_an_hour)
}

impl Cost {
    /// The same where an hour has so many points: whoever has spent them waits for the next one. The first hour is taken to
    /// begin with the load, with all its points.
    fn within(self, points_an_hour: Option<u64>) -> Self {
        let Some(quota) = points_an_hour.filter(|quota| self.points > *quota) else {
            return self;
        };
        let full = (self.points - 1) / quota.max(1);
        let last = float(self.points - full * quota) / float(self.points);
        let hours = HOUR.as_secs_f64() * float(full) + self.took.as_secs_f64() * last;
        Self {
            took: self.took.max(Duration::from_secs_f64(hours)),
            ..self
        }
    }
}

/// Seconds that so many tasks take, each worked for `each` seconds, with slots that open one by one where they are learned.
fn in_turns(tasks: u64, each: f64, means: &Means) -> f64 {
    let (most, mut open) = match means.slots {
        TaskSlots::Fixed(slots) => (slots, slots),
        TaskSlots::Auto => (
            means.most_slots.max(1),
            FIRST_SLOTS.min(means.most_slots.max(1)),
        ),
    };
    let at_once = means
        .workers
        .unwrap_or_else(|| float(means.tasks.workers(most) as u64))
        .clamp(1.0, float(most as u64));
    // half a worker more makes each task shorter, not their number larger
    let workers = usize::try_from(whole(at_once.ceil())).unwrap_or(most);
    let each = each * float(workers as u64) / at_once;
    let mut free = vec![0.0_f64; workers];
    // ends in microseconds, which have an order
    let mut ends: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
    let (mut now, mut last) = (0.0_f64, 0.0_f64);
    for _ in 0..tasks.min(TRIED) {
        if ends.len() >= open
            && let Some(Reverse(end)) = ends.pop()
        {
            now = now.max(float(end) / 1e6);
            open = (open + 1).min(most);
        }
        let worker = (0..workers)
            .min_by(|a, b| free[*a].total_cmp(&free[*b]))
            .unwrap_or(0);
        free[worker] = free[worker].max(now) + each;
        last = last.max(free[worker]);
        ends.push(Reverse(whole(free[worker] * 1e6)));
    }
    last + float(tasks.saturating_sub(TRIED)) * each / float(workers as u64)
}

#[expect(clippy::cast_precision_loss, reason = "estimates")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts of floats saturate"
)]
const fn whole(count: f64) -> u64 {
    count as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::route::Queue;

    /// A site whose tasks of a hundred rows take so long, of which so many are worked at once.
    pub(super) fn means(seconds: f64, workers: u32, slots: TaskSlots) -> Means {
        let mut tasks = TaskTimes::default();
        for before in 0..10_u32 {
            let waited = (f64::from(before + 1) / f64::from(workers)).max(1.0);
            let tasks_before = before as usize;
            let before = Queue {
                tasks: tasks_before,
                rows: 100 * tasks_before,
            };
            tasks.ended(100, Duration::from_secs_f64(seconds * waited), before);
        }
        Means {
            slots,
            most_slots: 10,
            single_in_flight: 8,
            requests_per_second: 50.0,
            tasks,
            workers: None,
            calls: CallTimes::default(),
            points_an_hour: None,
        }
    }

    pub(super) fn work(rows: u64) -> Work {
        Work {
            rows,
            batch_rows: 100,
            calls: 1.0,
            expected_calls: 1.0,
            reads: 0.0,
        }
    }

    pub(super) fn near(is: Duration, wanted: f64) {
        let is = is.as_secs_f64();
        assert!((is / wanted - 1.0).abs() < 0.03, "{is}, not {wanted}");
    }

    #[test]
    fn tasks_side_by_side_take_turns_in_the_slots_and_others_queue() {
        let fixed = TaskSlots::Fixed(10);
        near(by_bulk(&work(10_000), &means(8.0, 10, fixed)).took, 80.0);
        near(by_bulk(&work(10_100), &means(8.0, 10, fixed)).took, 88.0);
        near(
            by_bulk(&work(16_000), &means(480.0, 1, fixed)).took,
            76_800.0,
        );
        near(
            by_bulk(&work(1_000_000), &means(8.0, 5, fixed)).took,
            16_000.0,
        );
        near(
            by_bulk(&work(100), &means(8.0, 10, TaskSlots::Auto)).took,
            8.0,
        );
        // as many as ended in the time, if that is no whole number
        let mut some = means(8.0, 10, fixed);
        some.workers = Some(2.5);
        near(by_bulk(&work(100_000), &some).took, 3_200.0);
        // two, then four, then the other four: each end opens one slot more
        near(
            by_bulk(&work(1_000), &means(8.0, 10, TaskSlots::Auto)).took,
            24.0,
        );
    }

    #[test]
    fn the_pace_bounds_what_quick_tasks_and_calls_can_do() {
        let quick = means(0.04, 5, TaskSlots::Fixed(5));
        let bulk = by_bulk(&work(16_000), &quick);
        near(bulk.took, 160.0 * 2.4 / 50.0);
        assert_eq!((bulk.tasks, bulk.requests, bulk.points), (160, 384, 608));
        let calls = by_calls(&work(16_000), &quick);
        near(calls.took, 600.0);
        assert_eq!(
            (calls.tasks, calls.requests, calls.points),
            (0, 16_000, 16_000)
        );
        let read_back = Work {
            reads: 1.0,
            ..work(16_000)
        };
        near(by_bulk(&read_back, &quick).took, 160.0 * 3.4 / 50.0);
        let many = Work {
            calls: 8.0,
            ..work(10)
        };
        assert_eq!(by_calls(&many, &quick).requests, 80);
    }

    #[test]
    fn beyond_the_points_of_an_hour_the_next_one_is_waited_for() {
        let metered = Means {
            points_an_hour: Some(65_000),
            ..means(8.0, 10, TaskSlots::Fixed(10))
        };
        // 26.7 calls a second, of which 65,000 an hour are 18
        near(by_calls(&work(65_000), &metered).took, 65_000.0 / 26.667);
        near(
            by_calls(&work(65_100), &metered).took,
            3_600.0 + 100.0 / 26.667,
        );
        near(
            by_calls(&work(260_000), &metered).took,
            3.0 * 3_600.0 + 65_000.0 / 26.667,
        );
        // a task costs 11 points: 300,000 rows stay within an hour's
        near(by_bulk(&work(300_000), &metered).took, 2_400.0);
        // what slow tasks spend in an hour is less than it has
        let slow = Means {
            points_an_hour: Some(65_000),
            ..means(480.0, 1, TaskSlots::Fixed(10))
        };
        near(by_bulk(&work(1_000_000), &slow).took, 4_800_000.0);
    }

    #[test]
    fn where_only_small_tasks_were_seen_large_ones_take_as_much_longer_as_they_are_larger() {
        let mut small = means(8.0, 1, TaskSlots::Fixed(1));
        small.tasks = TaskTimes::default();
        for _ in 0..6 {
            let took = Duration::from_secs(3);
            small.tasks.ended(12, took, Queue::default());
        }
        near(by_bulk(&work(1_000), &small).took, 10.0 * 25.0);
    }

    #[test]
    fn nothing_costs_nothing() {
        let means = means(8.0, 5, TaskSlots::Auto);
        assert_eq!(by_bulk(&work(0), &means), Cost::default());
        assert_eq!(by_calls(&work(0), &means), Cost::default());
    }
}
