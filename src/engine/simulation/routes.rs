//! Whole loads by each route and by whichever is faster: what they take, on sites of known times.

use super::loader::{Load, Loader};
use super::parts::{TaskSlots, Wish};
use super::scenarios::{load, parallel, run};
use super::site::Terms;
use std::time::Duration;

const ROWS: u64 = 16_000;

/// The site that was seen live: one task at a time, 4.8 s an item, 300 ms a call.
fn live() -> Terms {
    Terms {
        serial: true,
        item: Duration::from_millis(4_800),
        call: Duration::from_millis(300),
        ..parallel(5, |_| Duration::ZERO)
    }
}

/// As documented, with quick tasks.
fn documented() -> Terms {
    Terms {
        item: Duration::from_micros(200),
        ..parallel(5, |_| Duration::from_millis(20))
    }
}

/// Tasks of eight seconds in ten slots, where calls are worth having beside them.
fn both_worth() -> Terms {
    Terms {
        call: Duration::from_millis(300),
        ..parallel(10, |_| Duration::from_secs(8))
    }
}

/// A load that ended: its seconds, and its account.
struct Ended {
    took: f64,
    loader: Loader,
}

fn ended(terms: Terms, route: Wish, most_slots: usize) -> Ended {
    let load = Load {
        route,
        latency: (5, 20),
        ..load(ROWS, TaskSlots::Auto, most_slots)
    };
    let mut world = run(terms, vec![load]);
    let loader = world.loaders.remove(0);
    let end = loader.finished.expect("an end");
    Ended {
        took: end.duration_since(world.start).as_secs_f64(),
        loader,
    }
}

/// By whichever is faster, by bulk requests alone, and by calls alone.
fn each_way(terms: &Terms, most_slots: usize) -> [Ended; 3] {
    let [auto, bulk, single] =
        [Wish::Auto, Wish::Bulk, Wish::Single].map(|wish| ended(terms.clone(), wish, most_slots));
    assert_eq!((bulk.loader.by_calls, single.loader.by_calls), (0, ROWS));
    [auto, bulk, single]
}

#[test]
fn on_the_site_seen_live_a_load_of_a_day_takes_minutes() {
    let [auto, bulk, single] = each_way(&live(), 5);
    let shares = (auto.took / bulk.took, auto.took / single.took);
    assert!(shares.0 <= 1.0 / 60.0, "{shares:?}");
    assert!(shares.1 <= 1.10, "{shares:?}");
    insta::assert_snapshot!(auto.loader.said.join("\n"), @"bulk requests write 1.0 rows a second here at most and single calls about 26 rows a second: the rest goes by single calls");
}

#[test]
fn where_tasks_are_quick_all_but_a_probe_goes_by_bulk_requests() {
    let [auto, bulk, single] = each_way(&documented(), 5);
    assert!(auto.took <= 1.03 * bulk.took, "{} {}", auto.took, bulk.took);
    assert!(
        bulk.took < 0.1 * single.took,
        "{} {}",
        bulk.took,
        single.took
    );
    let by_calls = auto.loader.by_calls;
    assert!(by_calls <= 20, "{by_calls}");
    assert_eq!(auto.loader.said, [""; 0]);
}

#[test]
fn both_routes_are_used_where_both_bring_something() {
    let [auto, bulk, single] = each_way(&both_worth(), 10);
    let best = bulk.took.min(single.took);
    // what care costs at the start, while a queue may yet be worked one by one, calls make up for
    assert!(auto.took < 1.02 * best, "{} {best}", auto.took);
    assert!((2_000..8_000).contains(&auto.loader.by_calls));
    insta::assert_snapshot!(auto.loader.said.join("\n"), @"bulk requests write up to 123 rows a second here and single calls about 25 rows a second: the rest goes both ways at once");
}
