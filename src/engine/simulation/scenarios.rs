//! Whole loads in made-up time, and what they cost against one that knew every task's time beforehand.

use super::account::Account;
use super::loader::Load;
use super::parts::{Status, TaskSlots, Verify, Wish};
use super::site::{Dice, Terms};
use super::world::World;
use std::time::Duration;

fn eight_seconds(_: &mut Dice) -> Duration {
    Duration::from_secs(8)
}

fn a_second(_: &mut Dice) -> Duration {
    Duration::from_secs(1)
}

fn log_normal(dice: &mut Dice) -> Duration {
    Duration::from_secs_f64(8.0 * (0.5 * dice.normal()).exp())
}

/// Pareto with exponent 1.5, from 4 s to ten minutes.
fn heavy_tailed(dice: &mut Dice) -> Duration {
    let share = dice.share().max(1e-9);
    Duration::from_secs_f64((4.0 * share.powf(-1.0 / 1.5)).min(600.0))
}

fn eight_minutes(_: &mut Dice) -> Duration {
    Duration::from_mins(8)
}

fn at_once(_: &mut Dice) -> Duration {
    Duration::from_millis(1)
}

pub(super) fn parallel(slots: usize, time: fn(&mut Dice) -> Duration) -> Terms {
    Terms {
        slots,
        serial: false,
        hostile: false,
        time,
        item: Duration::ZERO,
        call: Duration::ZERO,
    }
}

pub(super) fn load(rows: u64, slots: TaskSlots, most_slots: usize) -> Load {
    Load {
        keys: (0..rows).collect(),
        slots,
        most_slots,
        requests_per_second: 50,
        items: 100,
        stretch: 2_000,
        latency: (30, 80),
        route: Wish::Bulk,
        verify: Verify::Sample,
        findable: true,
    }
}

pub(super) fn run(terms: Terms, loads: Vec<Load>) -> World {
    let mut world = World::new(terms, loads, 11);
    world.run(None);
    for loader in &world.loaders {
        assert!(loader.ended.iter().all(|end| *end == Some(Status::Loaded)));
    }
    world
}

/// 100,000 customers with five slots, against a clairvoyant greedy schedule of the same times.
fn hundred_thousand(slots: TaskSlots, time: fn(&mut Dice) -> Duration) -> Account {
    let world = run(parallel(5, time), vec![load(100_000, slots, 5)]);
    let account = world.account(5);
    assert!(
        account.makespan <= 1.03 * account.clairvoyant,
        "{account:?}"
    );
    assert!(account.slots_in_use >= 0.97, "{account:?}");
    assert!(account.mean_delay <= 0.01, "{account:?}");
    assert!(account.polls_per_second <= 41.0, "{account:?}");
    account
}

#[test]
fn tasks_of_eight_seconds_lose_less_than_three_percent() {
    let account = hundred_thousand(TaskSlots::Fixed(5), eight_seconds);
    assert!(account.polls_per_task < 8.0, "{account:?}");
    hundred_thousand(TaskSlots::Auto, eight_seconds);
}

#[test]
fn tasks_of_a_second_lose_less_than_five_percent_though_few_polls_may_leave() {
    let quick = Load {
        latency: (3, 20),
        ..load(20_000, TaskSlots::Fixed(5), 5)
    };
    let account = run(parallel(5, a_second), vec![quick]).account(5);
    assert!(
        account.makespan <= 1.05 * account.clairvoyant,
        "{account:?}"
    );
    // of 40 that may leave in a second, at five tasks a second
    assert!(account.polls_per_task <= 6.5, "{account:?}");
}

#[test]
fn log_normal_tasks_lose_less_than_three_percent() {
    hundred_thousand(TaskSlots::Fixed(5), log_normal);
    hundred_thousand(TaskSlots::Auto, log_normal);
}

#[test]
fn heavy_tailed_tasks_lose_less_than_three_percent() {
    hundred_thousand(TaskSlots::Fixed(5), heavy_tailed);
    hundred_thousand(TaskSlots::Auto, heavy_tailed);
}

#[test]
fn auto_opens_to_ten_slots_where_the_site_has_them() {
    let wide = run(
        parallel(10, eight_seconds),
        vec![load(60_000, TaskSlots::Auto, 10)],
    );
    assert_eq!(wide.loaders[0].most_slots_used, 10);
    let account = wide.account(10);
    assert!(
        account.makespan <= 1.06 * account.clairvoyant,
        "{account:?}"
    );
    let fixed = run(
        parallel(10, eight_seconds),
        vec![load(30_000, TaskSlots::Fixed(3), 10)],
    );
    assert_eq!(fixed.loaders[0].most_slots_used, 3);
}

#[test]
fn a_site_with_fewer_slots_than_hoped_for_is_used_to_the_full_with_few_refusals() {
    let world = run(
        parallel(3, eight_seconds),
        vec![load(30_000, TaskSlots::Fixed(10), 10)],
    );
    let account = world.account(3);
    assert!(
        account.makespan <= 1.04 * account.clairvoyant,
        "{account:?}"
    );
    // one try for one slot more a minute, or after twenty tasks
    let refusals = world.loaders[0].submits - 300;
    assert!(refusals <= 25, "{refusals}");
}

#[test]
fn two_programs_share_a_sites_slots_and_both_finish() {
    let loads = vec![
        load(20_000, TaskSlots::Auto, 5),
        load(20_000, TaskSlots::Fixed(5), 5),
    ];
    let world = run(parallel(5, log_normal), loads);
    let account = world.account(5);
    // a slot that the other program gives up is tried for once a minute
    assert!(account.makespan <= 1.2 * account.clairvoyant, "{account:?}");
    assert!(account.slots_in_use >= 0.8, "{account:?}");
}

#[test]
fn on_a_serial_site_of_eight_minutes_a_task_none_times_out() {
    let terms = Terms {
        serial: true,
        ..parallel(10, eight_minutes)
    };
    let world = run(terms, vec![load(4_000, TaskSlots::Auto, 10)]);
    assert_eq!(world.loaders[0].most_slots_used, 3);
    let account = world.account(1);
    assert_eq!(account.timed_out, 0);
    // the one worker never waits for us
    assert!(
        account.makespan <= 1.01 * account.clairvoyant,
        "{account:?}"
    );
}

#[test]
fn tasks_that_end_at_once_are_neither_flooded_with_polls_nor_starved_by_them() {
    let world = run(
        parallel(10, at_once),
        vec![load(100_000, TaskSlots::Fixed(10), 10)],
    );
    let account = world.account(10);
    assert!(account.polls_per_task <= 1.5, "{account:?}");
    // fifty requests a second, a submission and a poll each
    assert!(
        account.makespan <= 1_000.0 * 2.0 / 50.0 * 1.3,
        "{account:?}"
    );
}
