//! Both ways at once, as `route = "auto"` uses them.

use super::{Cost, Means, Work, by_bulk, by_calls, fewest_requests, float};
use crate::engine::route::{RouteConfig, Wish, risks_bulk};
use crate::engine::slots::SlotGate;
use std::time::{Duration, Instant};

/// The share of the time that the second way must save, or all rows go the faster one.
const WORTH: f64 = 0.1;

/// What both ways cost together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Both {
    /// All of it.
    pub cost: Cost,
    /// Rows by single calls.
    pub by_calls: u64,
}

/// As `route = "auto"` goes: by single calls alone where a load has too few rows for a bulk request to be risked, however
/// quick tasks were in loads before; else [by both](by_both).
#[must_use]
pub fn by_auto(work: &Work, means: &Means, now: Instant) -> Both {
    let config = RouteConfig {
        wish: Wish::Auto,
        batch_rows: work.batch_rows,
        most_slots: means.most_slots,
        single_in_flight: means.single_in_flight,
        requests_per_second: means.requests_per_second,
        points_an_hour: means.points_an_hour.map(float),
        expected_rows: work.rows,
    };
    let slots = SlotGate::new(means.slots, means.most_slots).ceiling();
    if work.rows > 0 && !risks_bulk(&config, slots, work.expected_calls, &means.calls, now) {
        return Both {
            cost: by_calls(work, means),
            by_calls: work.rows,
        };
    }
    by_both(work, means)
}

/// By whichever way is faster, or by both where the second one is worth it: the end of what the loader's own choice moves
/// towards while it learns. What it takes to find out is not in it.
#[must_use]
pub fn by_both(work: &Work, means: &Means) -> Both {
    let batches = work.rows.div_ceil(work.batch_rows.max(1) as u64);
    // more batches take longer, and leave less to be called: the best lies where both end at the same time
    let (mut few, mut many) = (0, batches);
    while few < many {
        let middle = few + (many - few) / 2;
        let (bulk, calls) = shares(work, means, middle);
        if bulk.took < calls.took {
            few = middle + 1;
        } else {
            many = middle;
        }
    }
    let alone = [batches, 0].map(|batches| mixed(work, means, batches));
    let best = alone[0].min_by_time(alone[1]);
    let mix = mixed(work, means, few).min_by_time(mixed(work, means, few.saturating_sub(1)));
    let saved = best.cost.took.saturating_sub(mix.cost.took);
    if saved > best.cost.took.mul_f64(WORTH) {
        mix
    } else {
        best
    }
}

/// What so many bulk requests cost, and the calls for the other rows.
fn shares(work: &Work, means: &Means, batches: u64) -> (Cost, Cost) {
    let bulk = work.rows.min(batches * work.batch_rows as u64);
    let rows = |rows| Work { rows, ..*work };
    (
        by_bulk(&rows(bulk), means),
        by_calls(&rows(work.rows - bulk), means),
    )
}

fn mixed(work: &Work, means: &Means, batches: u64) -> Both {
    let (bulk, calls) = shares(work, means, batches);
    let requests = bulk.requests + calls.requests;
    // alone, a way says itself what its requests take
    let paced = if bulk.requests > 0 && calls.requests > 0 {
        let fewest = float(bulk.tasks) * fewest_requests(work, means) + float(calls.requests);
        Duration::from_secs_f64(fewest / means.requests_per_second)
    } else {
        Duration::ZERO
    };
    let cost = Cost {
        took: bulk.took.max(calls.took).max(paced),
        tasks: bulk.tasks,
        requests,
        points: bulk.points + calls.points,
    };
    Both {
        cost: cost.within(means.points_an_hour),
        by_calls: work.rows - work.rows.min(batches * work.batch_rows as u64),
    }
}

impl Both {
    fn min_by_time(self, other: Self) -> Self {
        if other.cost.took < self.cost.took {
            other
        } else {
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{means, near, work};
    use super::*;
    use crate::engine::limits::TaskSlots;
    use crate::engine::past::calls_expected;

    #[test]
    fn rows_are_shared_out_where_that_is_worth_it() {
        let fixed = TaskSlots::Fixed(10);
        // 125 rows a second by bulk, 27 by calls
        let both = by_both(&work(100_000), &means(8.0, 10, fixed));
        near(both.cost.took, 100_000.0 / (125.0 + 26.7));
        assert!((16_000..19_000).contains(&both.by_calls), "{both:?}");
        // 0.2 a second by bulk
        let live = means(480.0, 1, fixed);
        let both = by_both(&work(16_000), &live);
        assert_eq!(
            (both.by_calls, both.cost),
            (16_000, by_calls(&work(16_000), &live))
        );
        // all requests that may leave go into quick tasks
        let quick = means(0.04, 5, fixed);
        let both = by_both(&work(16_000), &quick);
        assert_eq!(
            (both.by_calls, both.cost),
            (0, by_bulk(&work(16_000), &quick))
        );
        assert_eq!(by_both(&work(0), &quick), Both::default());
    }

    #[test]
    fn few_rows_go_by_calls_however_quick_tasks_were_before() {
        let now = Instant::now();
        let quick = means(0.04, 5, TaskSlots::Auto);
        let auto = |rows, means: &Means| by_auto(&work(rows), means, now);
        let few = auto(100, &quick);
        assert_eq!(
            (few.by_calls, few.cost),
            (100, by_calls(&work(100), &quick))
        );
        assert!(by_bulk(&work(100), &quick).took < few.cost.took);
        assert_eq!(auto(2_000, &quick), by_both(&work(2_000), &quick));
        assert_eq!(auto(0, &quick), Both::default());
        // calls of half a minute are not waited for
        let slow = Means {
            calls: calls_expected(Duration::from_secs(30), 1.0),
            ..quick
        };
        assert_eq!(auto(100, &slow), by_both(&work(100), &slow));
    }
}
