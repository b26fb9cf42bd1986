mod world;

use super::*;
use crate::engine::limits::TaskSlots;
use crate::engine::slots::SlotGate;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use world::{Account, Terms, load};

/// The site that was seen live: one task at a time, 4.8 s an item.
fn live(rows: u64) -> Terms {
    Terms {
        slots: 5,
        workers: 1,
        task: 0.0,
        item: 4_800.0,
        call: 300.0,
        calls: 1,
        spread: 0.0,
        wanted: TaskSlots::Auto,
        rows,
    }
}

/// As documented, with quick tasks.
fn documented(rows: u64) -> Terms {
    Terms {
        workers: 5,
        task: 20.0,
        item: 0.2,
        call: 10.0,
        ..live(rows)
    }
}

/// As documented, with tasks of eight seconds and ten slots.
fn eight_seconds(rows: u64, calls: u32) -> Terms {
    Terms {
        slots: 10,
        workers: 10,
        task: 8_000.0,
        item: 0.0,
        calls,
        ..live(rows)
    }
}

fn config(terms: &Terms, wish: Wish) -> RouteConfig {
    RouteConfig {
        wish,
        batch_rows: 100,
        most_slots: terms.slots,
        single_in_flight: 8,
        requests_per_second: 50.0,
        points_an_hour: None,
        expected_rows: terms.rows,
    }
}

fn run(terms: &Terms, wish: Wish) -> Account {
    let config = config(terms, wish);
    let account = load(terms, Router::new(config.clone()), &config);
    assert_eq!(account.by_bulk + account.by_calls, terms.rows);
    account
}

/// Auto's makespan as a share of that by bulk only and by single calls only.
fn shares(terms: &Terms) -> (f64, f64, Account) {
    let [auto, bulk, single] = [Wish::Auto, Wish::Bulk, Wish::Single].map(|wish| run(terms, wish));
    assert_eq!((bulk.by_calls, single.by_bulk), (0, 0));
    (
        auto.makespan / bulk.makespan,
        auto.makespan / single.makespan,
        auto,
    )
}

#[test]
fn on_the_site_seen_live_16_000_customers_go_by_single_calls() {
    let (of_bulk, of_single, auto) = shares(&live(16_000));
    assert!(of_bulk <= 1.0 / 60.0, "{of_bulk}: {auto:?}");
    assert!(of_single <= 1.10, "{of_single}: {auto:?}");
    // what was risked on the slow way
    assert!(auto.by_bulk <= 60 && auto.most_in_tasks <= 30, "{auto:?}");
    insta::assert_snapshot!(auto.said.join("\n"), @"bulk requests write 1.0 rows a second here at most and single calls about 27 rows a second: the rest goes by single calls");
}

#[test]
fn where_tasks_are_quick_all_but_a_probe_goes_by_bulk_requests() {
    for rows in [16_000, 100_000] {
        let (of_bulk, _, auto) = shares(&documented(rows));
        assert!(of_bulk <= 1.03, "{rows}: {of_bulk}: {auto:?}");
        assert!(auto.by_calls <= 10, "{rows}: {auto:?}");
        assert!(auto.said.is_empty(), "{rows}: {auto:?}");
    }
}

#[test]
fn few_rows_of_a_site_of_which_nothing_is_known_are_not_risked() {
    for rows in [1, 2, 10, 100] {
        for terms in [live(rows), eight_seconds(rows, 1)] {
            let (of_bulk, of_single, auto) = shares(&terms);
            assert!(
                of_bulk < 1.0 && of_single <= 1.05,
                "{rows}: {of_bulk} {of_single} {auto:?}"
            );
        }
    }
    let (of_bulk, of_single, auto) = shares(&live(500));
    assert!(
        of_bulk < 0.1 && of_single <= 1.1,
        "{of_bulk} {of_single} {auto:?}"
    );
}

#[test]
fn whether_a_bulk_request_is_risked_is_told_beforehand() {
    // not those around 500 with which a call's least wait for its turn decides
    for rows in [1, 3, 30, 100, 300, 400, 600, 1_000, 3_000] {
        for terms in [
            live(rows),
            documented(rows),
            eight_seconds(rows, 1),
            eight_seconds(rows, 4),
        ] {
            let config = config(&terms, Wish::Auto);
            let mut seen = CallTimes::default();
            let took = Duration::from_secs_f64(terms.call / 1e3);
            seen.done(1, terms.calls, took * terms.calls);
            let slots = SlotGate::new(terms.wanted, terms.slots).ceiling();
            let calls = f64::from(terms.calls);
            let told = risks_bulk(&config, slots, calls, &seen, Instant::now());
            let account = run(&terms, Wish::Auto);
            assert_eq!(told, account.by_bulk > 0, "{rows}: {terms:?} {account:?}");
        }
    }
}

#[test]
fn both_ways_are_used_where_both_bring_something() {
    let terms = eight_seconds(16_000, 1);
    let (of_bulk, of_single, auto) = shares(&terms);
    assert!(
        of_bulk <= 0.95 && of_single <= 0.35,
        "{of_bulk} {of_single} {auto:?}"
    );
    assert!(auto.by_calls > 1_000, "{auto:?}");
}

#[test]
fn rows_that_take_many_calls_go_by_bulk_requests() {
    for (rows, of_bulk_at_most, of_single_at_most) in [
        (100, 10.0, 1.1),
        (500, 2.5, 0.5),
        (16_000, 1.06, 0.1),
        (100_000, 1.03, 0.1),
    ] {
        let (of_bulk, of_single, auto) = shares(&eight_seconds(rows, 8));
        assert!(
            of_bulk <= of_bulk_at_most,
            "{rows}: {of_bulk} {of_single} {auto:?}"
        );
        assert!(
            of_single <= of_single_at_most,
            "{rows}: {of_single} {auto:?}"
        );
    }
}

#[test]
fn what_is_known_from_an_earlier_run_spares_the_probes() {
    let mut tasks = TaskTimes::default();
    for depth in [1, 2, 4, 8] {
        let before = Queue {
            tasks: depth - 1,
            rows: 100 * (depth - 1),
        };
        tasks.ended(100, Duration::from_secs(8), before);
    }
    for (rows, calls) in [(100, 1), (500, 1), (100, 8), (500, 8), (5_000, 8)] {
        let terms = eight_seconds(rows, calls);
        let config = config(&terms, Wish::Auto);
        let router = Router::new(config.clone()).knowing(tasks.clone(), CallTimes::default());
        let auto = load(&terms, router, &config);
        let [bulk, single] = [Wish::Bulk, Wish::Single].map(|wish| run(&terms, wish).makespan);
        let best = bulk.min(single);
        assert!(
            auto.makespan <= 1.1 * best,
            "{rows} × {calls}: {best} {auto:?}"
        );
    }
}

/// Any site, with times that vary.
fn any_site() -> impl Strategy<Value = Terms> {
    let times = (-2.0..4.3_f64, -1.0..3.7_f64, 1.0..3.0_f64, 0.0..0.3_f64);
    let counts = (1..=10_usize, 1..=10_usize, 1..=10_u32, 0.0..4.3_f64);
    (times, counts).prop_map(
        |((task, item, call, spread), (slots, workers, calls, rows))| Terms {
            slots,
            workers,
            task: 10_f64.powf(task),
            item: 10_f64.powf(item),
            call: 10_f64.powf(call),
            calls,
            spread,
            wanted: TaskSlots::Auto,
            rows: super::whole(10_f64.powf(rows)) as u64,
        },
    )
}

#[test]
fn on_any_site_auto_is_little_slower_than_the_better_way() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..60 {
        let terms = any_site().new_tree(&mut runner).unwrap().current();
        let [auto, bulk, single] =
            [Wish::Auto, Wish::Bulk, Wish::Single].map(|wish| run(&terms, wish));
        let best = bulk.makespan.min(single.makespan);
        // a short load ends before anything is known: there it is the way that cannot go very wrong
        let bound = if best >= 60.0 {
            1.3 * best
        } else {
            2.5 * single.makespan
        };
        let why = || format!("bulk {bulk:?}\nsingle {single:?}\nauto {auto:?}\n{terms:?}");
        assert!(auto.makespan <= bound, "{}", why());
    }
}

/// Nothing is under way, and one slot is free.
fn idle(rows_left: u64) -> Facts {
    Facts {
        rows_left: Some(rows_left),
        slots: 1,
        free_slots: 1,
        unfinished: Queue::default(),
        single_rows: 0,
        calls: Some(1.0),
    }
}

#[test]
fn a_way_that_was_left_is_probed_again_when_a_probe_is_a_small_part_of_the_time() {
    let start = Instant::now();
    let mut router = Router::new(config(&live(1_000_000), Wish::Auto));
    let full = router.assign(start, &idle(1_000_000));
    assert_eq!(full, Choice::Bulk { most_rows: 100 });
    let minutes = |minutes| start + Duration::from_mins(minutes);
    router.single_done(1, 1, Duration::from_millis(300));
    router.task_ended(100, Duration::from_mins(8), Queue::default());
    let single = Choice::Single { most_rows: 13 };
    assert_eq!(router.assign(minutes(9), &idle(900_000)), single);
    // it may take as long as the last task
    assert_eq!(router.assign(minutes(32), &idle(900_000)), single);
    let probe = router.assign(minutes(33), &idle(900_000));
    assert_eq!(probe, Choice::Bulk { most_rows: PROBE });
    assert_eq!(router.assign(minutes(34), &idle(900_000)), single);
    // the site has become quick
    router.task_ended(PROBE, Duration::from_millis(50), Queue::default());
    for _ in 0..16 {
        router.task_ended(100, Duration::from_millis(50), Queue::default());
    }
    let full = router.assign(minutes(35), &idle(900_000));
    assert_eq!(full, Choice::Bulk { most_rows: 100 });
    insta::assert_snapshot!(router.explain().unwrap(), @"single calls write about 27 rows a second here and bulk requests up to 1667 rows a second: the rest goes by bulk requests");
    assert_eq!(router.explain(), None);
}

#[test]
fn where_requests_cost_points_a_way_is_worth_what_these_allow_in_the_long_run() {
    // 20 rows a second by bulk, 27 by calls, of which the points of an hour pay for one
    let said = |rows: u64, points_an_hour| {
        let start = Instant::now();
        let config = RouteConfig {
            points_an_hour,
            ..config(&live(rows), Wish::Auto)
        };
        let mut router = Router::new(config);
        router.single_done(1, 1, Duration::from_millis(300));
        for _ in 0..4 {
            router.task_ended(100, Duration::from_secs(5), Queue::default());
        }
        let _ = router.assign(start, &idle(rows));
        router.explain()
    };
    insta::assert_snapshot!(said(100_000, None).unwrap(), @"bulk requests write up to 100 rows a second here and single calls about 27 rows a second: the rest goes both ways at once");
    assert_eq!(said(100_000, Some(3_600.0)), None);
    // within the points of an hour they bound nothing
    assert!(said(3_000, Some(3_600.0)).is_some());
}

#[test]
fn a_forced_way_and_rows_that_calls_cannot_write_leave_no_choice() {
    let now = Instant::now();
    let facts = idle(10);
    let terms = live(10);
    let bulk = Choice::Bulk { most_rows: 100 };
    let mut router = Router::new(config(&terms, Wish::Bulk));
    assert_eq!(router.assign(now, &facts), bulk);
    let held = Facts {
        free_slots: 0,
        ..facts
    };
    assert_eq!(router.assign(now, &held), Choice::Wait);
    let mut router = Router::new(config(&terms, Wish::Single));
    assert_eq!(router.assign(now, &facts), Choice::Single { most_rows: 13 });
    let occupied = Facts {
        single_rows: 16,
        ..facts
    };
    assert_eq!(router.assign(now, &occupied), Choice::Wait);
    let by_bulk_alone = Facts {
        calls: None,
        ..facts
    };
    let mut router = Router::new(config(&terms, Wish::Auto));
    assert_eq!(router.assign(now, &by_bulk_alone), bulk);
}
