//! What is known by its name alone: a site that takes a name twice has two of it, and reads that lag show none.

use super::world::{World, creations};
use crate::support::scripted::CREDENTIALS;

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
         [organizations]\nnames = { column = \"account\", on_missing = \"create\" }\n\
         [products]\nnames = { column = \"goods\", on_missing = \"create\" }\n",
    );
    world.job("", "");
    world.load().expect(0);
    expect_once(&world, "organization", GOODS.len());
    expect_once(&world, "product", GOODS.len());
}
