//! What `plan` expects of a load that follows another one on a site, against what that load then takes.

use super::loader::{Load, Loader, SINGLE_IN_FLIGHT};
use super::parts::{TaskSlots, Wish};
use super::scenarios::{load, parallel, run};
use super::site::Terms;
use crate::engine::estimate::{Means, Work, by_auto, by_bulk, by_calls};
use crate::engine::past::{Tempo, calls_of, rows_per_second};
use crate::engine::route::CallTimes;
use std::time::{Duration, Instant};

/// How far an estimate may be off, as a share of what was measured.
const NEAR: f64 = 0.20;
/// Batches that are looked at of an earlier load.
const LOOKED_AT: usize = 64;

/// A site, and how it is loaded.
struct Case {
    name: &'static str,
    terms: Terms,
    slots: usize,
    requests_per_second: u32,
    /// Rows of the load that is learned from, and of the one that is planned.
    rows: [u64; 2],
    routes: &'static [Wish],
}

const EITHER: &[Wish] = &[Wish::Bulk, Wish::Auto];

fn cases() -> Vec<Case> {
    let documented = Terms {
        item: Duration::from_micros(200),
        ..parallel(5, |_| Duration::from_millis(20))
    };
    let few = Terms {
        call: Duration::from_millis(300),
        ..documented.clone()
    };
    let ten_slots = Terms {
        item: Duration::from_micros(200),
        call: Duration::from_millis(100),
        ..parallel(10, |_| Duration::from_millis(800))
    };
    let live = Terms {
        serial: true,
        item: Duration::from_millis(4_800),
        call: Duration::from_millis(300),
        ..parallel(5, |_| Duration::ZERO)
    };
    let quickened = Terms {
        item: live.item / 20,
        call: live.call / 20,
        ..live.clone()
    };
    let case = |name, terms: Terms, requests_per_second, rows, routes| Case {
        name,
        slots: terms.slots,
        terms,
        requests_per_second,
        rows,
        routes,
    };
    vec![
        case("documented", documented, 50, [2_000, 5_000], EITHER),
        // quick tasks were seen, and few rows go by calls all the same
        case("few", few, 50, [2_000, 200], EITHER),
        case("ten slots", ten_slots, 50, [3_000, 5_000], EITHER),
        case("live", live.clone(), 50, [1_000, 2_000], &[Wish::Bulk]),
        case(
            "live",
            live,
            50,
            [2_000, 16_000],
            &[Wish::Auto, Wish::Single],
        ),
        case("quickened", quickened, 1_000, [2_000, 8_000], EITHER),
    ]
}

impl Case {
    /// The seconds of a load, and what its ledger tells later ones.
    fn load(&self, rows: u64, route: Wish) -> (f64, Loader) {
        let load = Load {
            route,
            requests_per_second: self.requests_per_second,
            latency: (1, 10),
            ..load(rows, TaskSlots::Auto, self.slots)
        };
        let mut world = run(self.terms.clone(), vec![load]);
        let loader = world.loaders.remove(0);
        let end = loader.finished.expect("an end");
        (end.duration_since(world.start).as_secs_f64(), loader)
    }

    fn means(&self, earlier: &Loader) -> Means {
        let requests_per_second = f64::from(self.requests_per_second);
        let looked_at = earlier.past_tasks.len().saturating_sub(LOOKED_AT);
        let tempo = Tempo::of(
            &earlier.past_tasks[looked_at..],
            self.slots,
            requests_per_second,
        );
        let calls = rows_per_second(&earlier.past_calls);
        Means {
            slots: TaskSlots::Auto,
            most_slots: self.slots,
            single_in_flight: SINGLE_IN_FLIGHT,
            requests_per_second,
            tasks: tempo.tasks,
            workers: tempo.workers,
            calls: calls.map_or_else(CallTimes::default, |rate| {
                calls_of(rate, SINGLE_IN_FLIGHT, 1.0)
            }),
            points_an_hour: None,
        }
    }

    /// What is expected of the second load, and what it takes.
    fn compared(&self, route: Wish) -> (f64, f64) {
        let [first, second] = self.rows;
        let (_, earlier) = self.load(first, route);
        let means = self.means(&earlier);
        let work = Work {
            rows: second,
            batch_rows: 100,
            calls: 1.0,
            expected_calls: 1.0,
            // here they pass no gate
            reads: 0.0,
        };
        let expected = match route {
            Wish::Bulk => by_bulk(&work, &means),
            Wish::Single => by_calls(&work, &means),
            Wish::Auto => by_auto(&work, &means, Instant::now()).cost,
        };
        let (took, _) = self.load(second, route);
        (expected.took.as_secs_f64(), took)
    }
}

#[test]
fn what_a_plan_expects_is_what_the_load_takes() {
    let mut off = Vec::new();
    for case in cases() {
        for route in case.routes {
            let (expected, took) = case.compared(*route);
            let error = expected / took - 1.0;
            let line = format!(
                "{} {route:?}: {expected:.1} s expected, {took:.1} s taken",
                case.name
            );
            if error.abs() > NEAR {
                off.push(line);
            }
        }
    }
    assert!(off.is_empty(), "{off:#?}");
}
