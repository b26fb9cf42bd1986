//! What earlier loads say of a site's times. No I/O: the ledger's words come as arguments.

use super::route::{CallTimes, Queue, TaskTimes};
use crate::ledger::PastTask;
use crate::model::clock::UnixMillis;
use std::collections::BTreeMap;
use std::time::Duration;

/// Tasks from which on their spacing tells how many are worked at once.
const ENOUGH_TASKS: usize = 8;
/// Rows from which on their spacing tells what single calls bring.
const ENOUGH_ROWS: usize = 50;
/// Fewer tasks at once than this are one: the times are known to a poll.
const ONE: f64 = 1.5;
/// The share of what could be had from which on nothing but that was the bound.
const ALL: f64 = 0.75;
/// Requests that a batch takes at least: its submission, and a poll that sees its end.
const REQUESTS: f64 = 2.0;
/// Between rows that single calls wrote, a longer time in milliseconds is a pause: what they did not bring then they had
/// not been asked for.
const PAUSE: UnixMillis = 3_000;

/// How a site worked tasks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tempo {
    /// What tasks of each size take.
    pub tasks: TaskTimes,
    /// How many are worked at once; `None` where too few were seen.
    pub workers: Option<f64>,
}

impl Tempo {
    /// As told by tasks in the order of their ends: what the quickest of each size took, since others may have waited for a
    /// slot of ours, and with how many at once the second half of them ended as fast as it did. Where the slots that were
    /// held were the bound, `slots` now allow as many more as they are more.
    #[must_use]
    pub fn of(past: &[PastTask], slots: usize, requests_per_second: f64) -> Self {
        let mut quickest: BTreeMap<u64, Duration> = BTreeMap::new();
        for task in past {
            let took = u64::try_from(task.settled_at - task.sent_at).unwrap_or(0);
            let took = Duration::from_millis(took);
            let least = quickest.entry(task.rows).or_insert(took);
            *least = took.min(*least);
        }
        let mut tasks = TaskTimes::default();
        let mut least = Duration::MAX;
        for (rows, took) in quickest.iter().rev() {
            // one that took longer than a larger one had waited
            least = least.min(*took);
            let rows = usize::try_from(*rows).unwrap_or(usize::MAX);
            tasks.ended(rows, least, Queue::default());
        }
        let workers = workers(past, &tasks, slots, requests_per_second);
        Self { tasks, workers }
    }

    /// As a person says: every task takes so long, and none waits for another.
    #[must_use]
    pub fn expected(task: Duration, rows: usize) -> Self {
        let mut tasks = TaskTimes::default();
        tasks.ended(rows, task, Queue::default());
        Self {
            tasks,
            workers: None,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a small number of tasks")]
fn workers(
    past: &[PastTask],
    times: &TaskTimes,
    slots: usize,
    requests_per_second: f64,
) -> Option<f64> {
    let (before, later) = past.split_at(past.len() / 2);
    let (from, to) = (before.last()?.settled_at, later.last()?.settled_at);
    if past.len() < ENOUGH_TASKS || to <= from {
        return None;
    }
    // those that ended with the last one before belong to its turn
    let later: Vec<_> = later.iter().filter(|task| task.settled_at > from).collect();
    let rows: u64 = later.iter().map(|task| task.rows).sum();
    let each = times.alone(usize::try_from(rows / later.len() as u64).ok()?);
    let per_second = later.len() as f64 / ((to - from) as f64 / 1e3);
    let at_once = per_second * each;
    if per_second * REQUESTS > ALL * requests_per_second {
        return Some(at_once.max(1.0));
    }
    if at_once < ONE {
        return Some(1.0);
    }
    // as many batches as there are slots wait behind those that hold them
    let held = at_a_time(past) as f64 / 2.0;
    let grown = (slots as f64 / held).max(1.0);
    Some(if at_once > ALL * held {
        at_once * grown
    } else {
        at_once
    })
}

/// The most tasks that were undecided at a time.
fn at_a_time(past: &[PastTask]) -> usize {
    let begun = past.iter().map(|task| (task.sent_at, true));
    let ended = past.iter().map(|task| (task.settled_at, false));
    let mut moments: Vec<_> = begun.chain(ended).collect();
    // who ends makes room for who begins at the same time
    moments.sort_unstable();
    let (mut now, mut most) = (0_usize, 0);
    for (_, begins) in moments {
        now = if begins {
            now + 1
        } else {
            now.saturating_sub(1)
        };
        most = most.max(now);
    }
    most
}

/// Rows a second that single calls brought, told by when rows were decided, in that order; `None` where these are too few.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "rows and milliseconds of a load"
)]
pub fn rows_per_second(decided: &[UnixMillis]) -> Option<f64> {
    let first = decided.first()?;
    let gaps = decided.windows(2).map(|pair| pair[1] - pair[0]);
    let busy: UnixMillis = gaps.filter(|gap| *gap < PAUSE).sum();
    // those of the first moment had begun before it
    let rows = decided.iter().filter(|at| *at > first).count();
    (rows >= ENOUGH_ROWS && busy > 0).then(|| rows as f64 * 1e3 / busy as f64)
}

/// The times of calls, from the rows a second that `in_flight` of them at a time brought, each row with so many calls.
#[must_use]
pub fn calls_of(rows_per_second: f64, in_flight: usize, calls_a_row: f64) -> CallTimes {
    let in_flight = u32::try_from(in_flight).unwrap_or(u32::MAX);
    let row = f64::from(in_flight) / rows_per_second;
    calls_expected(Duration::from_secs_f64(row / calls_a_row), calls_a_row)
}

/// The same, from what a call takes.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts of floats saturate"
)]
pub fn calls_expected(call: Duration, calls_a_row: f64) -> CallTimes {
    const ROWS: u32 = 1_000;
    let calls = (calls_a_row * f64::from(ROWS)).round() as u32;
    let mut times = CallTimes::default();
    times.done(ROWS as usize, calls, call.saturating_mul(calls));
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(tasks: &[(i64, i64)]) -> Vec<PastTask> {
        let task = |(sent_at, settled_at): &(i64, i64)| PastTask {
            rows: 100,
            sent_at: *sent_at,
            settled_at: *settled_at,
        };
        tasks.iter().map(task).collect()
    }

    fn near(is: f64, wanted: f64) {
        assert!((is / wanted - 1.0).abs() < 0.01, "{is}, not {wanted}");
    }

    #[test]
    fn tasks_that_waited_for_each_other_are_told_from_those_that_took_long() {
        let serial: Vec<_> = (1..=10)
            .map(|n| (480_000 * (n - 4).max(0), 480_000 * n))
            .collect();
        let tempo = Tempo::of(&past(&serial), 5, 50.0);
        near(tempo.tasks.alone(100), 480.0);
        near(tempo.workers.expect("one at a time"), 1.0);
    }

    #[test]
    fn small_tasks_that_waited_are_not_taken_for_slow_ones() {
        let task = |rows, settled_at| PastTask {
            rows,
            sent_at: 0,
            settled_at,
        };
        let past = [task(3, 7_900), task(100, 8_000), task(57, 24_000)];
        let tempo = Tempo::of(&past, 5, 50.0);
        near(tempo.tasks.alone(57), 8.0);
        near(tempo.tasks.alone(100), 8.0);
    }

    #[test]
    fn where_slots_were_the_bound_more_of_them_bring_more() {
        // four hold a slot, and four more wait for one
        let four: Vec<_> = (0..20)
            .map(|n| (8_000 * (n / 4 - 1).max(0), 8_000 * (n / 4 + 1)))
            .collect();
        let workers = |past: &[(i64, i64)], slots| {
            let tempo = Tempo::of(&self::past(past), slots, 50.0);
            near(tempo.tasks.alone(100), 8.0);
            tempo.workers
        };
        near(workers(&four, 4).expect("four"), 4.0);
        near(workers(&four, 10).expect("ten"), 10.0);
        // with ten slots four were worked at once: it is the site
        let site: Vec<_> = (0..40)
            .map(|n| (8_000 * (n / 4 - 4).max(0), 8_000 * (n / 4 + 1)))
            .collect();
        near(workers(&site, 10).expect("four"), 4.0);
        // of three nothing can be told
        assert_eq!(workers(&four[..3], 4), None);
    }

    #[test]
    fn tasks_that_our_own_pace_spaced_go_on_at_that_pace() {
        let paced: Vec<_> = (0..40).map(|n| (50 * n - 450, 50 * n + 50)).collect();
        let mut paced = past(&paced);
        // one that waited for nothing
        paced[0].sent_at = paced[0].settled_at - 60;
        near(Tempo::of(&paced, 5, 50.0).workers.expect("told"), 1.2);
        near(Tempo::of(&paced, 5, 1_000.0).workers.expect("told"), 1.0);
    }

    #[test]
    fn rows_by_single_calls_are_counted_while_they_are_under_way() {
        let steady: Vec<_> = (0..=100).map(|n| 40 * n).collect();
        near(rows_per_second(&steady).expect("enough"), 25.0);
        let paused: Vec<_> = steady
            .iter()
            .map(|at| if *at > 2_000 { at + 600_000 } else { *at })
            .collect();
        near(rows_per_second(&paused).expect("enough"), 25.25);
        assert_eq!(rows_per_second(&steady[..50]), None);
        let calls = calls_of(25.0, 8, 2.0);
        near(calls.row(1.0), 0.32);
        near(calls.calls(1.0), 2.0);
    }
}
