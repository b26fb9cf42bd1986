//! A site that refuses every request, whatever rows it holds.

use super::world::World;
use insta::assert_snapshot;
use std::collections::BTreeMap;

/// Loads rows that the site refuses, each and all; how the run ended, and the requests it took.
fn load(limits: &str, contract: &str, policy: &str) -> (World, String, usize) {
    let world = World::new("", policy);
    let limits = format!("route = \"bulk\"\n{limits}");
    world.crowd("upsert", 1_000).job(&limits, contract);
    let ended = world.load().expect(5);
    let requests = world.requests("POST", "/bulk");
    (world, ended.stdout, requests)
}

#[test]
fn a_wrong_name_in_the_contract_stops_the_load_after_few_requests() {
    let (world, said, requests) = load(
        "task_slots = 1",
        "associate_organizations = \"inOrganizations\"",
        "",
    );
    world.place.judge_only("the name is wrong", |exchange| {
        !exchange.path.ends_with("/bulk")
    });
    let why = said.lines().find(|line| line.starts_with("stopped early"));
    // which row was refused last, and where its request breaks off, is chance
    let (why, column) = why.unwrap().split_once(" column ").unwrap();
    let rest = column.trim_start_matches(|c: char| c.is_ascii_digit());
    assert_snapshot!(format!("{why} column …{rest}"), @r#"stopped early: the site refused every request, 5 of them with a single row, always with the same words, which is hardly the fault of single rows: POST /api/v1/customer/profile/bulk was answered 400: Invalid request body: unknown key "inOrganizations" at line 1 column …; compare the names in [contract] and the mapping with the site (csm-loader doctor --probe shows what it takes), then load again, and retry the rows that failed"#);
    assert!(requests <= 20, "{requests}");
    let mut counts: BTreeMap<_, _> = world.results().counts();
    assert_eq!(counts.remove("failed"), Some(5));
    assert_eq!(counts, [("not_sent".to_owned(), 995)].into());
    assert_eq!(world.site.count("customers"), 0);
    // once it is mended, the rest follows
    world.job("route = \"bulk\"", "");
    world.load();
    assert_eq!(world.site.count("customers"), 1_000);
}

#[test]
fn as_many_slots_as_there_are_do_not_make_it_costly() {
    let everybody = "--set poison=1 --set one_bad_item=refuses-request";
    let (world, _, requests) = load("task_slots = 5", "", everybody);
    assert!(requests <= 60, "{requests}");
    assert_eq!(world.results().counts().get("loaded"), None);
}

#[test]
fn one_good_row_is_enough_to_go_on() {
    // nine in ten are refused: the others are loaded all the same
    let world = World::new("", "--set poison=0.9 --set one_bad_item=refuses-request");
    world.crowd("upsert", 100).job("route = \"bulk\"", "");
    let ended = world.load();
    world.expect_truth("customers");
    assert_eq!(ended.code, Some(4));
}
