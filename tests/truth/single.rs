//! The single route as whole runs: each row by calls of its own, whatever the site answers.

use super::world::{World, creations};
use crate::support::scripted::CREDENTIALS;
use crate::support::wait_for;

/// No request may be a bulk one.
#[track_caller]
fn expect_no_bulk(world: &World) {
    assert_eq!(world.requests("POST", "/bulk"), 0);
}

/// Loads until the site holds so many records, and kills the load.
fn kill_when_some_are_there(world: &World, kind: &str, some: u64) {
    let mut load = world
        .place
        .start_with("load job.toml --quiet", &CREDENTIALS);
    wait_for("some records", || {
        (world.site.count(kind) >= some).then_some(())
    });
    load.kill();
}

#[test]
fn customers_are_created_left_alone_and_changed_one_by_one() {
    let world = World::new("", "");
    world.job(
        "route = \"single\"",
        "membership = true\nuser_search = true",
    );
    world.customers(
        "create",
        &[
            ["ana@example.com", "Ana", "EMEA", "Acme"],
            ["bo@example.com", "Bo", "", ""],
            ["cy@example.com", "Cy", "MOON", ""],
        ],
    );
    world.load().expect(4);
    world.expect_truth("customers");
    assert_eq!(
        world.results().column("status"),
        ["loaded", "loaded", "failed"]
    );
    assert_eq!(world.results().column("route"), ["single"; 3]);
    // a second creation is refused, an update of what is not there as well
    world.customers(
        "update",
        &[
            ["ana@example.com", "Anna", "APAC", "Bolt"],
            ["dan@example.com", "Dan", "", ""],
        ],
    );
    world.load().expect(4);
    world.expect_truth("customers");
    let results = world.results();
    assert_eq!(results.column("code"), ["", "NOT_FOUND"]);
    world.customers(
        "create",
        &[
            ["ana@example.com", "Ana", "EMEA", ""],
            ["eve@example.com", "Eve", "EMEA", ""],
        ],
    );
    world.load().expect(4);
    assert_eq!(world.results().column("code"), ["ALREADY_EXISTS", ""]);
    world.customers(
        "upsert",
        &[
            ["ana@example.com", "Ana B", "EMEA", "Bolt"],
            ["flo@example.com", "Flo", "APAC", "Acme"],
        ],
    );
    world.load().expect(0);
    world.expect_truth("customers");
    expect_no_bulk(&world);
    let all_once = creations(&world.site, "customer")
        .into_values()
        .all(|times| times == 1);
    assert!(all_once);
}

#[test]
fn organizations_are_created_left_alone_and_changed_one_by_one() {
    let world = World::new("", "");
    world.job("route = \"single\"", "");
    for (operation, tier, rows, code) in [
        ("create", "gold", 10, 0),
        ("update", "lead", 12, 4),
        ("create", "tin", 11, 4),
        ("upsert", "gold", 14, 0),
    ] {
        world.organizations(operation, tier, rows);
        world.load().expect(code);
        // those that a creation found there are not as it says
        if (operation, code) != ("create", 4) {
            world.expect_truth("organizations");
        }
    }
    assert_eq!(world.results().counts(), [("loaded".to_owned(), 14)].into());
    expect_no_bulk(&world);
    let mut created = creations(&world.site, "organization");
    created.retain(|key, _| key.starts_with("org "));
    assert_eq!(created.len(), 14);
    assert!(created.into_values().all(|times| times == 1));
}

/// Answers that are lost, refused for now, or none.
const TROUBLE: &str = "--set json_500=0.03 --set applied_504=0.05 --set dropped_after=0.03 --set burst_429=0.02 \
     --set burst_window_ms=100 --set poison=0.05";

#[test]
fn lost_answers_and_throttles_create_nobody_twice() {
    for kind in ["customers", "organizations"] {
        let world = World::new("", TROUBLE);
        world.job(
            "route = \"single\"\nsingle_in_flight = 8",
            "membership = true",
        );
        if kind == "customers" {
            world.crowd("upsert", 60);
        } else {
            world.organizations("upsert", "gold", 60);
        }
        world.load().expect(4);
        world.expect_truth(kind);
        let exchanges = world.place.exchanges();
        let lost = exchanges
            .iter()
            .filter(|exchange| exchange.status.is_none_or(|status| status >= 429));
        assert!(lost.count() >= 5);
        let entity = kind.strip_suffix('s').unwrap();
        let twice: Vec<_> = creations(&world.site, entity)
            .into_iter()
            .filter(|(_, times)| *times > 1)
            .collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}

#[test]
fn rows_whose_answers_an_interrupt_cuts_off_are_looked_for_by_the_next_load() {
    let world = World::new("", "--set single_call_ms=100 --set dropped_after=0.05");
    world.job("route = \"single\"\nsingle_in_flight = 8", "");
    world.organizations("upsert", "gold", 80);
    let before = world.site.count("organizations");
    for more in [10, 30] {
        let load = world
            .place
            .start_with("load job.toml --quiet", &CREDENTIALS);
        wait_for("some records", || {
            (world.site.count("organizations") >= before + more).then_some(())
        });
        load.signal("INT");
        load.end().expect(5);
        let results = world.results();
        results.expect_rows(80);
        for (code, message) in results.column("code").iter().zip(results.column("message")) {
            match *code {
                "RUN_STOPPED" => assert_eq!(message, "interrupted"),
                "ANSWER_LOST" => assert!(
                    message.starts_with("the run stopped before an answer arrived (interrupted): "),
                    "{message}"
                ),
                other => assert_eq!(other, ""),
            }
        }
    }
    world.load().expect(0);
    world.expect_truth("organizations");
    assert_eq!(world.site.count("organizations"), before + 80);
    let created = creations(&world.site, "organization");
    assert!(created.into_values().all(|times| times == 1));
}

#[test]
fn a_load_that_is_killed_goes_on_where_it_was() {
    for kind in ["customers", "organizations"] {
        let world = World::new("", "--set single_call_ms=5");
        world.job("route = \"single\"", "membership = true");
        if kind == "customers" {
            world.crowd("create", 200);
        } else {
            world.organizations("create", "gold", 200);
        }
        let before = world.site.count(kind);
        kill_when_some_are_there(&world, kind, before + 30);
        assert!(world.site.count(kind) < before + 200);
        world.load().expect(0);
        world.expect_truth(kind);
        assert_eq!(world.site.count(kind), before + 200);
        expect_no_bulk(&world);
    }
}

#[test]
fn calls_under_way_are_looked_for_when_another_run_takes_the_place_of_theirs() {
    for kind in ["customers", "organizations"] {
        let world = World::new("", "--set single_call_ms=20");
        world.job(
            "route = \"single\"\nsingle_in_flight = 8",
            "membership = true",
        );
        let rows = |count| match kind {
            "customers" => world.crowd("upsert", count),
            _ => world.organizations("upsert", "gold", count),
        };
        rows(200);
        let before = world.site.count(kind);
        kill_when_some_are_there(&world, kind, before + 30);
        let written = world.site.count(kind) - before;
        assert!(written < 200);
        rows(201);
        let ended = world
            .place
            .run_with("load job.toml", &CREDENTIALS)
            .expect(0);
        let line = ended.stderr.lines().find(|line| line.contains(" in all; "));
        let line = line.expect("how the old run ended");
        let (told, results) = line.split_once("; results in ").unwrap();
        let name = results.rsplit('/').next().unwrap();
        let old = world.place.results(name);
        old.expect_rows(200);
        let counts = old.counts();
        let count = |status| counts.get(status).copied().unwrap_or(0);
        // what was written is loaded, and what was not is said to be missing
        assert!(count("loaded") as u64 >= written, "{counts:?}");
        assert!(
            !old.column("code").contains(&"ANSWER_LOST"),
            "{}",
            old.told()
        );
        assert_eq!(
            count("loaded") + count("unconfirmed") + count("not_sent"),
            200
        );
        let all = format!(
            "{} loaded, {} not sent, ",
            count("loaded"),
            count("not_sent")
        );
        assert!(
            told.contains(&all) && told.ends_with("200 in all"),
            "{told}"
        );
        assert_eq!(
            told.contains(" unconfirmed, "),
            count("unconfirmed") > 0,
            "{told}"
        );
        let new = world.results();
        new.expect_rows(201);
        assert_eq!(new.counts().get("unchanged"), Some(&count("loaded")));
        let created = creations(&world.site, &kind[..kind.len() - 1]);
        assert!(created.into_values().all(|times| times == 1));
    }
}
