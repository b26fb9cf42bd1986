//! What is known by its name alone: a site that takes a name twice has two of it, and reads that lag show none.

use super::world::{World, creations, organizations};
use crate::support::scripted::CREDENTIALS;
use std::fmt::Write as _;

const GOODS: [&str; 8] = [
    "Router", "Switch", "Cable", "Rack", "Hub", "Modem", "Antenna", "Bridge",
];

/// Every name of a kind was created, and none twice.
#[track_caller]
fn expect_once(world: &World, entity: &str, count: usize) {
    let created = creations(&world.site, entity);
    assert_eq!(created.len(), count, "{created:?}");
    assert!(created.values().all(|times| *times == 1), "{created:?}");
}

#[test]
fn a_product_that_reads_do_not_show_yet_is_not_created_twice() {
    let world = World::new("", "--set read_lag_ms=300 --set dropped_after=0.5");
    world.products(&GOODS).job("", "");
    world.load().expect(0);
    world.expect_truth("products");
    expect_once(&world, "product", GOODS.len());
}

#[test]
fn a_product_that_an_interrupted_run_created_is_waited_for() {
    let world = World::new("", "--set read_lag_ms=600");
    world.products(&GOODS[..2]).job("", "");
    let kill = [
        CREDENTIALS[0],
        CREDENTIALS[1],
        ("CSM_LOADER_KILL_AT", "create.after:1"),
    ];
    let killed = world.place.start_with("load job.toml --quiet", &kill).end();
    assert_eq!(killed.code, None, "{}", killed.stderr);
    world.load().expect(0);
    world.expect_truth("products");
    expect_once(&world, "product", 2);
}

#[test]
fn a_product_that_the_run_before_loaded_is_waited_for() {
    let world = World::new("", "--set read_lag_ms=600");
    world.products(&GOODS[..3]).job("", "");
    world.load().expect(0);
    world.load().expect(0);
    assert_eq!(world.results().column("status"), ["unchanged"; 3]);
    expect_once(&world, "product", 3);
}

#[test]
fn a_product_that_the_site_refuses_is_failed_whatever_was_lost_before() {
    let world = World::new("", "--set poison=0.4 --set applied_504=0.6");
    world.products(&GOODS).job("", "");
    world.load().expect(4);
    world.expect_truth("products");
    let codes = world.results();
    let codes: Vec<_> = codes
        .column("code")
        .into_iter()
        .filter(|code| !code.is_empty())
        .collect();
    assert!(
        codes.iter().all(|code| *code == "SITE_REJECTED"),
        "{codes:?}"
    );
    expect_once(&world, "product", GOODS.len() - codes.len());
}

#[test]
fn names_that_rows_refer_to_are_created_once() {
    let world = World::new("", "--set read_lag_ms=300 --set dropped_after=0.5");
    let rows = GOODS
        .iter()
        .map(|name| format!("{}@example.com,{name} Ltd,{name}", name.to_lowercase()));
    world.rows("email,account,goods", rows);
    world.place.write(
        "rows.toml",
        "entity = \"customer\"\nkey = \"email\"\n[fields]\nemail = \"email\"\n\
         [organizations]\nnames = \"account\"\non_missing = \"create\"\n\
         [products]\nnames = \"goods\"\non_missing = \"create\"\n",
    );
    world.job("", "");
    world.load().expect(0);
    // and the two that were there
    expect_once(&world, "organization", GOODS.len() + 2);
    expect_once(&world, "product", GOODS.len());
}

#[test]
fn a_detail_field_that_the_site_says_it_has_by_now_is_loaded() {
    let world = World::new("", "--set read_lag_ms=300 --set dropped_after=0.5");
    let rows = GOODS.iter().map(|name| format!("entitlement,{name},TEXT"));
    world.rows("of,name,type", rows);
    world.place.write(
        "rows.toml",
        "entity = \"detail-field\"\n[fields]\nof = \"of\"\nname = \"name\"\ntype = \"type\"\n",
    );
    world.job("", "");
    world.load().expect(0);
    assert_eq!(world.results().column("status"), ["loaded"; GOODS.len()]);
}

/// A job of three stages, in which customers and organizations name what was loaded just before.
fn stages(world: &World, route: &str) {
    let job = world
        .job(&format!("route = \"{route}\""), "")
        .place
        .read("job.toml");
    let (site, _) = job.split_once("[[stage]]").unwrap();
    let mut job = site.to_owned();
    for (entity, mapping) in [
        ("product", "[fields]\nname = \"name\"\n"),
        (
            "organization",
            "[fields]\nname = \"name\"\n[products]\nnames = \"goods\"\n",
        ),
        (
            "customer",
            "[fields]\nemail = \"email\"\n[organizations]\nnames = \"account\"\n[products]\nnames = \"goods\"\n",
        ),
    ] {
        let key = if entity == "customer" {
            "email"
        } else {
            "name"
        };
        let mapping = format!("entity = \"{entity}\"\nkey = \"{key}\"\n{mapping}");
        world.place.write(&format!("{entity}.toml"), mapping);
        let _ = write!(
            job,
            "[[stage]]\nmapping = \"{entity}.toml\"\ninput = \"{entity}.csv\"\nresults = \"{entity}-out.csv\"\n"
        );
    }
    world.place.write("job.toml", job);
    world.place.write("product.csv", "name\nRouter\nSwitch\n");
    world.place.write(
        "organization.csv",
        "name,goods\nGlobex,Router\nHooli,Switch\n",
    );
    world.place.write(
        "customer.csv",
        "email,account,goods\nana@example.com,Globex,Router\nbo@example.com,Hooli,Switch\ncy@example.com,Nobody,Router\n",
    );
}

#[test]
fn names_that_an_earlier_stage_loaded_are_waited_for_and_others_are_not() {
    for route in ["bulk", "single"] {
        let world = World::new("", "--set read_lag_ms=600");
        stages(&world, route);
        world.load().expect(4);
        for (entity, expected) in [
            ("product", &["loaded", "loaded"][..]),
            ("organization", &["loaded", "loaded"]),
            ("customer", &["loaded", "loaded", "rejected"]),
        ] {
            let results = world.place.results(&format!("{entity}-out.csv"));
            assert_eq!(
                results.column("status"),
                expected,
                "{route}: {}",
                results.told()
            );
        }
        let held = world.site.records("customers");
        assert_eq!(
            organizations(&held["ana@example.com"]),
            ["Globex"],
            "{route}"
        );
        assert_eq!(organizations(&held["bo@example.com"]), ["Hooli"], "{route}");
    }
}
