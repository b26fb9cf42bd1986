//! When to ask for a task's state: learned from how long tasks took.
//!
//! A poll costs a request; a long interval costs the slot's time between a task's end and the news of it. For a given
//! mean delay the fewest polls are made when their density follows the square root of the chance that the task ends
//! just now, given that it has not ended yet. That chance is read off the times of the last tasks, cut into cells of
//! equal weight; beyond them the interval grows with the age.

use std::collections::VecDeque;
use std::time::Duration;

/// How long a task may stay unfinished before its rows are given up as unconfirmed: the site itself gives up
/// after 30 minutes, and may start late.
pub const DEADLINE: Duration = Duration::from_hours(2);

/// The mean delay aimed at, as a share of the mean time of tasks; the promise is 1 %.
const DELAY: f64 = 0.0065;
/// The shortest time between an answer and the next poll, and before the first, as a share of the time between two
/// polls that may leave; but no more than this.
const PACE: f64 = 0.4;
const SHORTEST: Duration = Duration::from_millis(10);
/// How late timers may be, and below what times are not told apart: a first poll that is due so soon is due at once.
const AT_ONCE: Duration = Duration::from_millis(2);
/// The longest time between two polls.
const LONGEST: Duration = Duration::from_mins(1);
/// The interval as a share of the age where too few tasks are known.
const UNKNOWN: f64 = 0.05;
/// Tasks that must have ended before their times count.
const ENOUGH: usize = 3;
/// The share of the polls that may leave which are planned: the more of them, the longer they wait for each other.
const PLANNED: f64 = 0.65;
/// The fewest polls planned for a task, on average: with fewer, none would come near its end.
const FEWEST: f64 = 2.0;
/// How many of the last tasks are remembered.
const MEMORY: usize = 256;
/// The plan is made anew once this part of the remembered times is new.
const REPLAN: usize = 32;
/// Cells that the remembered times are cut into, at most.
const CELLS: usize = 24;
/// The narrowest cell as a share of its age: no time is known better.
const NARROWEST: f64 = 0.004;
/// The chance of an end at an age where none was seen, as a share of one in that age.
const SURPRISE: f64 = 0.01;
/// Where ages begin, in seconds, and how they grow from cell to cell where no task ended.
const FIRST_EDGE: f64 = 0.001;
const GROWTH: f64 = 1.2;

/// A stretch of ages.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Where it begins, in seconds; it ends where the next one begins.
    from: f64,
    /// Polls a second in it.
    density: f64,
}

/// The times that tasks took, and when to poll because of them.
#[derive(Debug, Clone)]
pub struct Polling {
    /// Polls that may leave in a second, for all tasks together.
    rate: f64,
    /// The shortest time between an answer and the next poll, and before the first.
    shortest: Duration,
    /// In seconds, the last one at the end.
    times: VecDeque<f64>,
    /// How many of them the plan does not know yet.
    unlearned: usize,
    plan: Vec<Cell>,
}

impl Polling {
    /// Nothing is known of any task yet, and so many polls may leave in a second.
    #[must_use]
    pub fn new(rate: f64) -> Self {
        let shortest = SHORTEST.min(Duration::from_secs_f64(PACE / rate));
        Self {
            rate,
            shortest,
            times: VecDeque::with_capacity(MEMORY),
            unlearned: 0,
            plan: geometric(0.0, FIRST_EDGE, shortest),
        }
    }

    /// The age at which a task is polled first. `random` is uniform in 0..1.
    #[must_use]
    pub fn first(&self, random: f64) -> Duration {
        // a random phase: whatever the times are, an end falls anywhere between two polls
        let first = self.after(0.0, random).max(self.shortest);
        if first < AT_ONCE {
            Duration::ZERO
        } else {
            first
        }
    }

    /// The age of the next poll of a task that was polled at age `asked` and whose answer came at age `answered`.
    #[must_use]
    pub fn next(&self, asked: Duration, answered: Duration) -> Duration {
        self.after(asked.as_secs_f64(), 1.0)
            .max(answered + self.shortest)
    }

    /// A task was found ended at age `seen`; a poll at age `running` had found it running. With it `tasks` were
    /// awaited, which share the polls that may leave.
    pub fn learn(&mut self, running: Option<Duration>, seen: Duration, tasks: usize) {
        let seen = seen.as_secs_f64();
        // without a poll before, the end lies within the interval that was planned
        let since = running.map_or_else(
            || (seen - 1.0 / self.plan[self.cell(seen)].density).max(0.0),
            |running| running.as_secs_f64().min(seen),
        );
        if self.times.len() == MEMORY {
            self.times.pop_front();
        }
        self.times
            .push_back(f64::midpoint(since, seen).max(FIRST_EDGE));
        self.unlearned += 1;
        // one more among many changes little
        if self.times.len() >= ENOUGH && self.unlearned > self.times.len() / REPLAN {
            self.unlearned = 0;
            self.plan = learned(&self.times, self.shortest);
            self.spare(tasks);
        }
    }

    /// Thins the plan out until its polls can leave when they are due. A poll that waits for others comes late, widens
    /// what is known of its task's time, and so asks for more polls.
    fn spare(&mut self, tasks: usize) {
        let count = as_float(self.times.len());
        let mean = self.times.iter().sum::<f64>() / count;
        let mut polls = 0.0;
        for (index, cell) in self.plan.iter().enumerate() {
            let end = self
                .plan
                .get(index + 1)
                .map_or(f64::INFINITY, |next| next.from);
            let stay = |time: &f64| (time.min(end) - cell.from).max(0.0);
            polls += cell.density * self.times.iter().map(stay).sum::<f64>() / count;
        }
        let share = PLANNED * self.rate * mean / as_float(tasks.max(1));
        let thinner = share.max(FEWEST) / polls;
        if thinner < 1.0 {
            for cell in &mut self.plan {
                cell.density = bounded(thinner * cell.density, self.shortest);
            }
        }
    }

    /// The age beyond `age` until which the density adds up to this many polls.
    fn after(&self, mut age: f64, mut polls: f64) -> Duration {
        for (index, cell) in self.plan.iter().enumerate().skip(self.cell(age)) {
            let end = self
                .plan
                .get(index + 1)
                .map_or(f64::INFINITY, |next| next.from);
            let here = (end - age) * cell.density;
            if here >= polls {
                age += polls / cell.density;
                break;
            }
            polls -= here;
            age = end;
        }
        Duration::from_secs_f64(age)
    }

    fn cell(&self, age: f64) -> usize {
        self.plan
            .partition_point(|cell| cell.from <= age)
            .saturating_sub(1)
    }
}

/// Cells from `start` on, the first of them up to `edge`, in which the interval is a share of the age.
fn geometric(start: f64, edge: f64, shortest: Duration) -> Vec<Cell> {
    edges(start, edge, 2.0 * DEADLINE.as_secs_f64())
        .map(|from| Cell {
            from,
            density: bounded(1.0 / (UNKNOWN * from.max(FIRST_EDGE)), shortest),
        })
        .collect()
}

/// `start`, then growing edges until `end`.
fn edges(start: f64, edge: f64, end: f64) -> impl Iterator<Item = f64> {
    let growing = std::iter::successors(Some(edge), |edge| Some(edge * GROWTH));
    std::iter::once(start).chain(growing.take_while(move |edge| *edge < end))
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred")]
fn as_float(count: usize) -> f64 {
    count as f64
}

fn bounded(density: f64, shortest: Duration) -> f64 {
    density.clamp(1.0 / LONGEST.as_secs_f64(), 1.0 / shortest.as_secs_f64())
}

/// The plan for tasks that take as long as these.
#[expect(clippy::cast_precision_loss, reason = "a few hundred tasks")]
fn learned(times: &VecDeque<f64>, shortest: Duration) -> Vec<Cell> {
    let mut sorted: Vec<_> = times.iter().copied().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let total = sorted.len();
    let least = total.div_ceil(CELLS);
    let unseen = |age: f64| (SURPRISE / age.max(FIRST_EDGE)).sqrt();
    let first = sorted[0] * (1.0 - NARROWEST / 2.0);
    let mut plan: Vec<_> = edges(0.0, FIRST_EDGE, first)
        .map(|from| Cell {
            from,
            density: unseen(from),
        })
        .collect();
    // the square root of the chance a second that a task ends now, cell by cell, and its inverse over all tasks
    let (mut from, mut here, mut inverse) = (first, 0, 0.0);
    for (index, time) in sorted.iter().enumerate() {
        here += 1;
        let more = index + 1 < total;
        let end = match sorted.get(index + 1) {
            Some(next) => f64::midpoint(*time, *next),
            None => time * (1.0 + NARROWEST / 2.0),
        };
        let narrow = end - from < NARROWEST * from;
        if more && (here < least || narrow) {
            continue;
        }
        // half of the cell's tasks have ended in its middle; one that never ends keeps the last chance finite
        let unfinished = (total - index - 1) as f64 + here as f64 / 2.0 + 0.5;
        let seen = here as f64 / (unfinished * (end - from).max(NARROWEST * from));
        let density = (seen + SURPRISE / from).sqrt();
        plan.push(Cell { from, density });
        inverse += here as f64 / density;
        (from, here) = (end, 0);
    }
    // scaled so that the mean of half an interval over all tasks is the delay aimed at
    let sum: f64 = sorted.iter().sum();
    let scale = inverse / (2.0 * DELAY * sum);
    for cell in &mut plan {
        cell.density = bounded(scale * cell.density, shortest);
    }
    plan.extend(geometric(from, from * GROWTH, shortest));
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Polls a second.
    const RATE: f64 = 40.0;

    /// Uniform in 0..1.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self) -> f64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX)
        }

        fn normal(&mut self) -> f64 {
            (0..12).map(|_| self.roll()).sum::<f64>() - 6.0
        }
    }

    /// Mean delay as a share of the mean time, and polls a task, over tasks of these times; an answer takes so many
    /// milliseconds.
    fn watched(tasks: usize, answer: u64, mut time: impl FnMut(&mut Dice) -> f64) -> (f64, f64) {
        let mut dice = Dice(7);
        let mut polling = Polling::new(RATE);
        let answer = Duration::from_millis(answer);
        let half = answer.as_secs_f64() / 2.0;
        let (mut times, mut delays, mut polls) = (0.0, 0.0, 0_u32);
        for _ in 0..tasks {
            let took = time(&mut dice);
            let mut running = None;
            let mut asked = polling.first(dice.roll());
            // the site looks half an answer's time after it was asked
            while asked.as_secs_f64() + half < took {
                polls += 1;
                running = Some(asked + answer / 2);
                asked = polling.next(asked, asked + answer);
            }
            polls += 1;
            polling.learn(running, asked + answer / 2, 1);
            times += took;
            delays += asked.as_secs_f64() + half - took;
        }
        let tasks = f64::from(u32::try_from(tasks).unwrap());
        (delays / times, f64::from(polls) / tasks)
    }

    #[test]
    fn polls_cost_less_than_a_hundredth_of_the_time_whatever_its_distribution() {
        let constant = watched(1_000, 50, |_| 8.0);
        assert!(
            constant.0 < 0.01 && constant.1 < 10.0,
            "constant: {constant:?}"
        );
        let short = watched(1_000, 2, |_| 1.0);
        assert!(short.0 < 0.01 && short.1 < 10.0, "short: {short:?}");
        let log_normal = watched(3_000, 50, |dice| 8.0 * (0.5 * dice.normal()).exp());
        assert!(
            log_normal.0 < 0.01 && log_normal.1 < 70.0,
            "log-normal: {log_normal:?}"
        );
        // Pareto with exponent 1.5 from 4 s to 10 min
        let heavy = watched(3_000, 50, |dice| {
            (4.0 * dice.roll().max(1e-9).powf(-1.0 / 1.5)).min(600.0)
        });
        assert!(heavy.0 < 0.01 && heavy.1 < 60.0, "heavy-tailed: {heavy:?}");
        let minutes = watched(200, 50, |dice| 480.0 + 20.0 * dice.normal());
        assert!(minutes.0 < 0.01 && minutes.1 < 40.0, "minutes: {minutes:?}");
    }

    #[test]
    fn tasks_that_get_slower_are_still_found_soon() {
        let mut task = 0;
        let (delay, polls) = watched(400, 50, |_| {
            task += 1;
            if task < 200 { 2.0 } else { 16.0 }
        });
        assert!(delay < 0.02 && polls < 60.0, "{delay} {polls}");
    }

    #[test]
    fn tasks_that_end_at_once_are_not_flooded() {
        let (_, polls) = watched(100, 50, |_| 0.001);
        assert!(polls <= 1.0, "{polls}");
        assert!(Polling::new(RATE).first(0.0) >= SHORTEST);
    }

    #[test]
    fn where_any_number_of_polls_may_leave_a_task_is_asked_for_as_soon_as_it_may_have_ended() {
        let mut polling = Polling::new(80_000.0);
        for _ in 0..100 {
            for random in [0.0, 0.5, 1.0] {
                assert_eq!(polling.first(random), Duration::ZERO);
            }
            let asked = Duration::from_micros(300);
            assert!(polling.next(asked, asked) < AT_ONCE);
            polling.learn(None, asked, 10);
        }
        // and not before where tasks take their time
        for _ in 0..MEMORY + MEMORY / REPLAN {
            let running = Duration::from_millis(7_990);
            polling.learn(Some(running), Duration::from_secs(8), 10);
        }
        assert!(polling.first(0.5) > Duration::from_secs(1));
    }

    #[test]
    fn the_next_poll_follows_the_last_answer_within_a_minute() {
        let mut polling = Polling::new(RATE);
        for _ in 0..2 {
            for seconds in [0.0, 0.02, 1.0, 60.0, 1_400.0, 7_200.0, 90_000.0] {
                let asked = Duration::from_secs_f64(seconds);
                let answered = asked + Duration::from_millis(30);
                let next = polling.next(asked, answered);
                assert!(next >= answered + SHORTEST, "{seconds}");
                assert!(
                    next <= asked + LONGEST.max(asked.mul_f64(0.06)) + SHORTEST * 5,
                    "{seconds} {next:?}"
                );
            }
            for _ in 0..10 {
                polling.learn(None, Duration::from_mins(20), 1);
            }
        }
    }
}
