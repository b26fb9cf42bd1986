//! Which way rows travel: in bulk requests, or by single calls.
//!
//! Duty: estimate what each way brings from what was seen of it, and say for each stretch of rows which way it goes.
//! A way is used as long as it adds something worth having; what goes onto it must end before the other way could have done
//! all the rest, so that no stretch holds up the end of the load. A way of which nothing is known gets little at first:
//! what one can bear if the site is as slow as the slowest that was ever seen.
//! Must not know: batches, requests, and what became of rows; whoever asks keeps rows in flight on the way they are on.

mod calls;
mod line;
mod start;
mod tasks;
#[cfg(test)]
mod tests;

pub use calls::{CallTimes, GUESSED_CALL};
pub use line::Line;
pub use start::risks_bulk;
pub use tasks::{Queue, TaskTimes, WORST_ITEM, WORST_TASK};

use std::time::{Duration, Instant};

/// The share of the other way's rate that makes a way worth being taken up beside it, and the share below which it is
/// left again; in between all stays as it is. A task binds its rows for long, a call does not.
const BULK_WORTH: Worth = Worth {
    taken: 0.30,
    left: 0.20,
};
const SINGLE_WORTH: Worth = Worth {
    taken: 0.15,
    left: 0.10,
};
/// Rows of a probe.
const PROBE: usize = 3;
/// The time after which bulk requests that were left are probed again, and single calls, which bind nothing.
const PROBE_AGAIN: Duration = Duration::from_mins(10);
const CALL_AGAIN: Duration = Duration::from_secs(30);
/// Where all rows would keep single calls busy for longer than this, they are not worth haste: for as long as the first
/// task may be a quick one, one row at a time goes by calls, so that they do not take the pace of bulk requests.
const MANY: f64 = 60.0;
const MAY_BE_QUICK: Duration = Duration::from_millis(500);
/// A probe again may take this share of the time since the last one.
const PROBE_SHARE: f64 = 0.25;
/// What a stretch of unknown duration may take at worst: this share of what the other way needs for all the rest, and
/// this time where that is little.
const BEARABLE: f64 = 0.5;
const BEARABLE_TIME: f64 = 5.0;
/// Beyond this time it must be a small share of the rest.
const LONG: f64 = 120.0;
const LONG_SHARE: f64 = 0.1;
/// Requests that a task costs at least: its submission and two polls.
const TASK_REQUESTS: f64 = 3.0;
/// Points that it costs at least: a write, and two reads.
const TASK_POINTS: f64 = 5.0;
const HOUR: Duration = Duration::from_hours(1);
/// Seconds of work that single calls are given at a time.
const STRETCH: f64 = 0.5;

/// What a person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wish {
    /// Whichever is faster, or both.
    #[default]
    Auto,
    /// Bulk requests only.
    Bulk,
    /// Single calls only.
    Single,
}

/// What does not change during a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteConfig {
    /// What a person wants.
    pub wish: Wish,
    /// Rows that a bulk request holds at most.
    pub batch_rows: usize,
    /// Task slots that may be had, at best.
    pub most_slots: usize,
    /// Single calls that may be in flight.
    pub single_in_flight: usize,
    /// Requests that may leave in a second.
    pub requests_per_second: f64,
    /// Points that requests may cost in an hour, where they cost any.
    pub points_an_hour: Option<f64>,
    /// Rows of the stage that are to be sent, as far as that is known: at most, all rows of the input.
    pub expected_rows: u64,
}

/// How things stand when a stretch of rows is to be assigned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// Rows that are not assigned yet, where that is known better than from the expected rows.
    pub rows_left: Option<u64>,
    /// Task slots that the gate holds open now, used or not.
    pub slots: usize,
    /// Tasks that may be submitted at once: without a slot that is free, and not refused just now, 0.
    pub free_slots: usize,
    /// Batches on the bulk way that are not ended.
    pub unfinished: Queue,
    /// Rows on the single way that are not ended, waiting or under way.
    pub single_rows: usize,
    /// Calls that writing one of the next rows takes, by expectation; `None` when the next rows cannot be written by
    /// single calls, or not with the same result.
    pub calls: Option<f64>,
}

/// The way of the next stretch of rows. The router takes it as done: it asks for no other answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// A bulk request.
    Bulk {
        /// With so many rows at most.
        most_rows: usize,
    },
    /// Single calls.
    Single {
        /// For so many rows at most.
        most_rows: usize,
    },
    /// Neither yet: ask again when a task or a row on the single way has ended, a slot became free, or a second has passed.
    /// Never said while nothing is under way and a way is open.
    Wait,
}

/// Chooses the way of every stretch of rows of a stage.
#[derive(Debug, Clone)]
pub struct Router {
    config: RouteConfig,
    tasks: TaskTimes,
    calls: CallTimes,
    assigned: u64,
    /// Whether a way is worth being used beside the other, as last decided.
    bulk_worth: bool,
    single_worth: bool,
    bulk_tried: Option<Instant>,
    single_tried: Option<Instant>,
    /// What was last said of the ways in use.
    said: Option<Lead>,
    sentence: Option<String>,
}

/// Which ways are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lead {
    Bulk,
    Single,
    Both,
}

/// From which share of the other way's rate on a way is used.
#[derive(Debug, Clone, Copy)]
struct Worth {
    taken: f64,
    left: f64,
}

impl Worth {
    fn of(self, is_used: bool, rate: f64, other: f64) -> bool {
        rate > other * if is_used { self.left } else { self.taken }
    }
}

/// What the ways would bring, as far as known.
#[derive(Debug, Clone, Copy)]
struct Rates {
    /// Rows a second with the slots that are open now.
    bulk: f64,
    /// The same with all slots that may be had.
    bulk_at_best: f64,
    single: f64,
}

impl Router {
    /// A router that has seen nothing.
    #[must_use]
    pub fn new(config: RouteConfig) -> Self {
        Self {
            config,
            tasks: TaskTimes::default(),
            calls: CallTimes::default(),
            assigned: 0,
            bulk_worth: true,
            single_worth: true,
            bulk_tried: None,
            single_tried: None,
            said: None,
            sentence: None,
        }
    }

    /// The same, knowing how long tasks and calls took in an earlier run on the site.
    #[must_use]
    pub fn knowing(mut self, tasks: TaskTimes, calls: CallTimes) -> Self {
        self.tasks = tasks;
        self.calls = calls;
        self
    }

    /// A task ended, however: its rows, the time from its submission to the news of its end, and what of ours had
    /// its turn before it.
    pub fn task_ended(&mut self, rows: usize, took: Duration, before: Queue) {
        self.tasks.ended(rows, took, before);
    }

    /// A task was found unfinished at this age, behind as much of ours at most.
    pub fn task_running(&mut self, rows: usize, age: Duration, before: Queue) {
        self.tasks.running(rows, age, before);
    }

    /// Rows ended on the single way, by so many calls one after the other, which took this time from the first one's wait
    /// for its turn to the last one's answer.
    pub fn single_done(&mut self, rows: usize, calls: u32, took: Duration) {
        self.calls.done(rows, calls, took);
    }

    /// Once after it began to move work over: a sentence that says so and why.
    pub fn explain(&mut self) -> Option<String> {
        self.sentence.take()
    }

    /// The way of the next stretch, which has a row at least. Ask until the answer is [`Choice::Wait`].
    pub fn assign(&mut self, now: Instant, facts: &Facts) -> Choice {
        let choice = match (self.config.wish, facts.calls) {
            (Wish::Bulk, _) | (Wish::Auto, None) => {
                Self::forced_bulk(facts, self.config.batch_rows)
            }
            (Wish::Single, calls) => self.forced_single(facts, calls.unwrap_or(1.0)),
            (Wish::Auto, Some(calls)) => self.weigh(now, facts, calls),
        };
        match choice {
            Choice::Bulk { most_rows } => {
                self.bulk_tried = Some(now);
                self.assigned += most_rows as u64;
            }
            Choice::Single { most_rows } => {
                self.single_tried = Some(now);
                self.assigned += most_rows as u64;
            }
            Choice::Wait => {}
        }
        choice
    }

    fn forced_bulk(facts: &Facts, most_rows: usize) -> Choice {
        if facts.free_slots == 0 {
            return Choice::Wait;
        }
        Choice::Bulk { most_rows }
    }

    fn forced_single(&self, facts: &Facts, calls: f64) -> Choice {
        if !self.has_room(facts) {
            return Choice::Wait;
        }
        Choice::Single {
            most_rows: self.stretch(calls),
        }
    }

    fn weigh(&mut self, now: Instant, facts: &Facts, calls: f64) -> Choice {
        let rates = self.rates(facts, calls);
        self.judge(rates);
        let rest = self.rest(facts);
        let bulk = self.bulk_rows(now, facts, rates, rest);
        if let Some(most_rows) = bulk {
            return Choice::Bulk { most_rows };
        }
        if self.has_room(facts) && self.takes_single(now, facts, rates, rest, calls) {
            let most_rows = if self.calls.known() && self.tasks.known() {
                if self.single_worth {
                    self.stretch(calls)
                } else {
                    self.calls.grow_old();
                    PROBE
                }
            } else if self.may_be_quick(now, rates, rest) {
                1
            } else {
                let in_flight = self.config.single_in_flight.max(1);
                PROBE.min(in_flight - facts.single_rows.min(in_flight - 1))
            };
            return Choice::Single { most_rows };
        }
        // nothing under way: whatever is open is better than waiting for nothing
        if facts.unfinished.tasks == 0 && facts.single_rows == 0 {
            if facts.free_slots > 0 && self.tasks.known() && rates.bulk > rates.single {
                return Self::forced_bulk(facts, self.config.batch_rows);
            }
            return self.forced_single(facts, calls);
        }
        Choice::Wait
    }

    fn rates(&self, facts: &Facts, calls: f64) -> Rates {
        let Self { config, tasks, .. } = self;
        let paced = float(config.batch_rows) * config.requests_per_second / TASK_REQUESTS;
        let bulk = |slots| tasks.rate(config.batch_rows, slots).min(paced);
        let most = config.most_slots.max(facts.slots);
        let (in_flight, pace) = (config.single_in_flight, config.requests_per_second);
        let single = self.calls.rate(calls, in_flight, pace);
        let rest = self.rest(facts);
        let metered = |rate, points_a_row| self.metered(rate, points_a_row, rest);
        let by_task = TASK_POINTS / float(config.batch_rows);
        Rates {
            bulk: metered(bulk(facts.slots), by_task),
            bulk_at_best: metered(bulk(most), by_task),
            single: metered(single, self.calls.calls(calls)),
        }
    }

    /// What a way brings in the long run, where a row costs so many points: if all the rest costs more than an hour has, no
    /// more than the points of each hour allow.
    fn metered(&self, rate: f64, points_a_row: f64, rest: f64) -> f64 {
        match self.config.points_an_hour {
            Some(points) if rest * points_a_row > points => {
                rate.min(points / (HOUR.as_secs_f64() * points_a_row))
            }
            _ => rate,
        }
    }

    /// Decides anew which ways are worth it; says so when that changes what goes where.
    fn judge(&mut self, rates: Rates) {
        // a guess moves nothing
        if !self.tasks.known() || !self.calls.known() {
            return;
        }
        self.bulk_worth = BULK_WORTH.of(self.bulk_worth, rates.bulk_at_best, rates.single);
        self.single_worth = SINGLE_WORTH.of(self.single_worth, rates.single, rates.bulk);
        let lead = match (self.bulk_worth, self.single_worth) {
            (true, false) => Lead::Bulk,
            (false, true) => Lead::Single,
            (true, true) | (false, false) => Lead::Both,
        };
        // what small tasks promise of large ones is believed once it is seen
        let promised = 2 * self.tasks.largest() < self.config.batch_rows;
        if promised && self.bulk_worth {
            return;
        }
        let before = self.said.replace(lead);
        // bulk requests are what anybody expects
        if before.unwrap_or(Lead::Bulk) != lead {
            self.sentence = Some(words(lead, rates));
        }
    }

    /// Rows that are not assigned, with the next stretch.
    fn rest(&self, facts: &Facts) -> f64 {
        let expected = self.config.expected_rows.saturating_sub(self.assigned);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let rest = facts.rows_left.unwrap_or(expected).max(1) as f64;
        rest
    }

    /// The rows of a bulk request that is worth sending now.
    fn bulk_rows(&self, now: Instant, facts: &Facts, rates: Rates, rest: f64) -> Option<usize> {
        if facts.free_slots == 0 {
            return None;
        }
        let full = self.config.batch_rows.min(whole(rest)).max(1);
        let alone = (rest + float(facts.single_rows)) / rates.single;
        if !self.bulk_worth {
            let again = again(now, self.bulk_tried, PROBE_AGAIN)?;
            let short = self.tasks.alone_at_worst(PROBE) < (PROBE_SHARE * again).min(alone);
            return (short && facts.unfinished.tasks == 0).then_some(PROBE.min(full));
        }
        let bearable = bearable(alone);
        if !self.tasks.known() {
            // one probe, whose answer is waited for, unless the worst that was ever seen can be borne
            if self.tasks.alone_at_worst(facts.unfinished.rows + full) <= bearable {
                return Some(full);
            }
            let rows = PROBE.min(full / 2);
            let short = self.tasks.alone_at_worst(rows) <= bearable;
            return (facts.unfinished.tasks == 0 && rows > 0 && short).then_some(rows);
        }
        let risked = alone.min(long(alone));
        // when all is over with so many rows in this request, and the others by single calls
        let over = |rows: usize| {
            let ends = self.tasks.finish(rows, facts.unfinished);
            ends.max(alone - float(rows) / rates.single)
        };
        let mut best = (self.single_worth.then_some(alone), None);
        let mut rows = full;
        while rows > 0 {
            let sure = self.tasks.foresees(rows, facts.unfinished)
                || self.tasks.finish_at_worst(rows, facts.unfinished) <= risked
                || self.tasks.alone_at_worst(rows + facts.unfinished.rows) <= bearable;
            if sure && best.0.is_none_or(|best| over(rows) < best) {
                best = (Some(over(rows)), Some(rows));
            }
            rows /= 2;
        }
        best.1
    }

    /// Whether single calls take the next rows.
    fn takes_single(
        &self,
        now: Instant,
        facts: &Facts,
        rates: Rates,
        rest: f64,
        calls: f64,
    ) -> bool {
        // all there is to do while a probe runs, then a first look
        if !self.tasks.known() {
            return facts.single_rows == 0 || !self.may_be_quick(now, rates, rest);
        }
        if !self.calls.known() {
            return facts.single_rows == 0;
        }
        if !self.single_worth {
            let again = again(now, self.single_tried, CALL_AGAIN);
            return again.is_some() && facts.single_rows == 0;
        }
        if !self.bulk_is_faster(rates) {
            return true;
        }
        // the other way takes what this one would hold up
        let row = self.calls.row(calls);
        let backlog = float(facts.single_rows + 1) / float(self.config.single_in_flight);
        let others = self.tasks.alone(self.config.batch_rows.min(whole(rest)));
        row * backlog.max(1.0) <= (rest / rates.bulk).max(others)
    }

    /// Whether the first task may be a quick one yet, and there are rows enough to find out before calls are in haste.
    fn may_be_quick(&self, now: Instant, rates: Rates, rest: f64) -> bool {
        let asked = self.bulk_tried;
        asked.is_some_and(|asked| now.saturating_duration_since(asked) < MAY_BE_QUICK)
            && rest / rates.single > MANY
    }

    fn bulk_is_faster(&self, rates: Rates) -> bool {
        self.bulk_worth && rates.bulk > rates.single
    }

    /// Whether more rows may be given to the single way: so many that no call waits for rows.
    fn has_room(&self, facts: &Facts) -> bool {
        let in_flight = self.config.single_in_flight.max(1);
        let ahead = if self.tasks.known() { 2 } else { 1 };
        facts.single_rows < ahead * in_flight
    }

    /// Rows that are given to the single way at a time.
    fn stretch(&self, calls: f64) -> usize {
        let Self { config, .. } = self;
        let rate = self
            .calls
            .rate(calls, config.single_in_flight, config.requests_per_second);
        whole(STRETCH * rate).clamp(1, config.batch_rows.max(1))
    }
}

/// Seconds since a way was tried, if it is time to try again.
fn again(now: Instant, tried: Option<Instant>, after: Duration) -> Option<f64> {
    let since = tried.map_or(after, |tried| now.saturating_duration_since(tried));
    (since >= after).then_some(since.as_secs_f64())
}

/// What a stretch of unknown duration may take at worst, where the other way needs so long for all the rest. In seconds.
fn bearable(others: f64) -> f64 {
    let share = BEARABLE * others + BEARABLE_TIME.min(others);
    share.min(long(others))
}

/// A time that is long beside what the other way needs for all the rest, though not beyond it.
fn long(others: f64) -> f64 {
    LONG.max(LONG_SHARE * others)
}

fn words(lead: Lead, rates: Rates) -> String {
    let single = per_second(rates.single);
    // what was seen of few tasks may promise too much, never too little
    let bulk = per_second(rates.bulk_at_best);
    match lead {
        Lead::Bulk => format!(
            "single calls write about {single} here and bulk requests up to {bulk}: the rest goes by bulk requests"
        ),
        Lead::Single => format!(
            "bulk requests write {bulk} here at most and single calls about {single}: the rest goes by single calls"
        ),
        Lead::Both => format!(
            "bulk requests write up to {bulk} here and single calls about {single}: the rest goes both ways at once"
        ),
    }
}

/// As people say it: by the hour where it is little.
fn per_second(rate: f64) -> String {
    if rate >= 10.0 {
        format!("{rate:.0} rows a second")
    } else if rate >= 1.0 {
        format!("{rate:.1} rows a second")
    } else {
        format!("{:.0} rows an hour", rate * 3_600.0)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of rows, tasks and slots"
)]
fn float(count: usize) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts of floats saturate"
)]
fn whole(count: f64) -> usize {
    count as usize
}
