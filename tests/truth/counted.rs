//! The requests that the summary counts, against those that the site saw.

use super::world::World;
use crate::support::exchange::Exchange;
use crate::support::process::Ended;

/// Whether it writes, or tries to: all that is neither read by GET nor asked by POST.
fn writes(exchange: &Exchange) -> bool {
    let asks = ["/fetch", "/search-by-detail-field"];
    exchange.method != "GET" && !asks.iter().any(|ask| exchange.path.ends_with(ask))
}

/// How many write requests the summary names of an entity.
fn told(ended: &Ended, entity: &str) -> usize {
    let said = &ended.stdout;
    let lines = said.lines().filter_map(|line| line.strip_prefix(entity));
    let mut words = lines.flat_map(|line| line.split(", "));
    let count = words.find_map(|word| word.split_once(" write request"));
    let (count, _) = count.unwrap_or_else(|| panic!("{entity}: {said}"));
    count.replace(',', "").parse().expect("a number")
}

/// Loads, and compares; gives the writes, with the status of their answers.
#[track_caller]
fn expect_counted(world: &World, entity: &str) -> Vec<(String, u16)> {
    let before = world.place.exchanges().len();
    let ended = world.load();
    let exchanges = world.place.exchanges().split_off(before);
    let seen = exchanges.into_iter().filter(writes);
    let seen: Vec<_> = seen
        .map(|exchange| (exchange.path, exchange.status.unwrap_or_default()))
        .collect();
    assert_eq!(
        told(&ended, entity),
        seen.len(),
        "{}\n{seen:#?}",
        ended.said()
    );
    seen
}

/// How many of them were answered with this status, among those whose path ends so.
fn answered(seen: &[(String, u16)], path_end: &str, status: u16) -> usize {
    let of = |(path, answered): &&(String, u16)| path.ends_with(path_end) && *answered == status;
    seen.iter().filter(of).count()
}

#[test]
fn single_calls_that_are_refused_or_repeated_count_as_often_as_they_left() {
    let world = World::new("", "--set poison=0.2 --set json_500=0.05");
    world
        .crowd("create", 150)
        .job("route = \"single\"", "membership = true");
    let seen = expect_counted(&world, "customer");
    assert!(answered(&seen, "/profile", 400) > 10, "{seen:?}");
    assert!(answered(&seen, "/profile", 500) > 0, "{seen:?}");
}

#[test]
fn what_a_refused_request_is_taken_apart_into_counts_down_to_the_single_row() {
    let world = World::new("", "--set poison=0.02 --set one_bad_item=refuses-request");
    world.crowd("create", 300).job("route = \"bulk\"", "");
    let seen = expect_counted(&world, "customer");
    assert!(answered(&seen, "/bulk", 400) > 5, "{seen:?}");
    // rows that the site's tasks say no to, too, go out once more by themselves
    let world = World::new("", "--set poison=0.05 --set failed_nothing=0.3");
    world.crowd("create", 300).job("route = \"bulk\"", "");
    expect_counted(&world, "customer");
}

#[test]
fn what_is_given_values_that_fail_and_what_is_there_already_counts_by_its_calls() {
    let world = World::new("[[product]]\nname = \"Gold\"\n", "--set poison=0.3");
    let names = [
        "Gold", "Iron", "Zinc", "Lead", "Tin", "Opal", "Ruby", "Jade",
    ];
    world.products(&names).job("", "");
    let seen = expect_counted(&world, "product");
    assert!(answered(&seen, "/product", 400) > 0, "{seen:?}");
    assert!(seen.len() < names.len(), "one is there: {seen:?}");
    world.organizations("upsert", "A", 12);
    world.job("route = \"single\"", "");
    expect_counted(&world, "organization");
    // each is there now, and is changed by calls of its own
    world.organizations("upsert", "B", 12);
    expect_counted(&world, "organization");
}
