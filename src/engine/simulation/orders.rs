//! Random orders of events: whatever happens when, every row ends in exactly one status, keys never fly together,
//! limits and waits are respected, and there is an end. What must never happen is asserted by the world itself.

use super::loader::Load;
use super::parts::{Status, TaskSlots, Verify, Wish};
use super::site::{Dice, Terms};
use super::world::World;
use proptest::prelude::*;
use std::time::Duration;

/// Worlds that a seed decides altogether; together they see more than a quarter of a million events.
const SEEDS: u64 = 2_000;

fn moments(dice: &mut Dice) -> Duration {
    Duration::from_millis(1 + dice.roll(5_000))
}

fn load(keys: Vec<u64>, dice: &mut Dice) -> Load {
    let most_slots = 1 + usize::try_from(dice.roll(6)).unwrap();
    let fixed = 1 + usize::try_from(dice.roll(6)).unwrap();
    Load {
        keys,
        slots: [TaskSlots::Auto, TaskSlots::Fixed(fixed)][usize::from(dice.roll(2) == 0)],
        most_slots,
        requests_per_second: [2, 50, 1_000][usize::try_from(dice.roll(3)).unwrap()],
        items: 1 + usize::try_from(dice.roll(4)).unwrap(),
        stretch: 9,
        latency: (1, 60),
        route: [Wish::Bulk, Wish::Single, Wish::Auto][usize::try_from(dice.roll(3)).unwrap()],
        verify: [Verify::Failed, Verify::Sample, Verify::All]
            [usize::try_from(dice.roll(3)).unwrap()],
        findable: dice.roll(4) > 0,
    }
}

fn world(keys: &[&[u64]], seed: u64, hostile: bool) -> World {
    let mut dice = Dice::new(seed);
    let terms = Terms {
        slots: 1 + usize::try_from(dice.roll(6)).unwrap(),
        serial: dice.roll(4) == 0,
        hostile,
        time: moments,
        item: Duration::from_millis(dice.roll(3) * 100),
        call: Duration::from_millis(dice.roll(400)),
    };
    let loads = keys.iter().map(|keys| load(keys.to_vec(), &mut dice));
    World::new(terms, loads.collect(), seed)
}

/// How many events it took.
fn any_world(seed: u64) -> u64 {
    let mut dice = Dice::new(!seed);
    let mut keys = || -> Vec<u64> {
        let rows = dice.roll(30);
        (0..rows).map(|_| dice.roll(20)).collect()
    };
    let (one, other) = (keys(), keys());
    let both: [&[u64]; 2] = [&one, &other];
    let programs = 1 + usize::from(dice.roll(4) == 0);
    let hostile = dice.roll(2) == 0;
    let stop = (dice.roll(3) == 0).then(|| dice.roll(60));
    let mut world = world(&both[..programs], seed, hostile);
    world.run(stop);
    if !hostile && stop.is_none() {
        let all = world.loaders.iter().flat_map(|loader| &loader.ended);
        assert!(all.into_iter().all(|ended| *ended == Some(Status::Loaded)));
    }
    world.events
}

#[test]
fn whatever_the_order_of_events_a_load_ends_well() {
    let halves = [0, 1].map(|half| {
        std::thread::spawn(move || {
            let seeds = (0..SEEDS).filter(|seed| seed % 2 == half);
            seeds
                .map(|seed| {
                    let outcome = std::panic::catch_unwind(|| any_world(seed));
                    outcome.unwrap_or_else(|_| panic!("the world of seed {seed} went wrong"))
                })
                .sum::<u64>()
        })
    });
    let events: u64 = halves.map(|half| half.join().unwrap()).iter().sum();
    assert!(events > 250_000, "{events}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_row_ends_once_on_a_friendly_site_and_loads(keys in prop::collection::vec(0..40_u64, 0..80), seed: u64) {
        let mut world = world(&[&keys], seed, false);
        world.run(None);
        prop_assert!(world.loaders[0].ended.iter().all(|ended| *ended == Some(Status::Loaded)));
    }

    #[test]
    fn every_row_ends_once_on_a_hostile_site(keys in prop::collection::vec(0..40_u64, 0..80), seed: u64) {
        world(&[&keys], seed, true).run(None);
    }

    #[test]
    fn a_stop_at_any_moment_leaves_no_row_without_an_outcome(
        keys in prop::collection::vec(0..40_u64, 0..80), seed: u64, hostile: bool, after in 0..200_u64
    ) {
        world(&[&keys], seed, hostile).run(Some(after));
    }
}
