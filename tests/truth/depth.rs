//! How much is read back: `verify` as whole runs.

use super::world::World;

/// A site that says FINISHED without a failure, whatever it refuses.
const SILENT: &str = "--set finished_shows=none";

fn load(policy: &str, verify: &str) -> (World, Option<i32>) {
    let world = World::new("", policy);
    let limits = format!("route = \"bulk\"\nverify = \"{verify}\"");
    world.crowd("upsert", 150).job(&limits, "");
    let code = world.load().code;
    (world, code)
}

/// Rows that were looked for on the site by their key.
fn looked_for(world: &World) -> usize {
    world.requests("POST", "/search-by-detail-field")
}

#[test]
fn an_honest_site_is_asked_for_as_many_rows_as_verify_says() {
    // of the rows that name organizations the first hundred; one more where the larger request ends first
    for (verify, rows) in [("failed", 0..=0), ("sample", 100..=101), ("all", 150..=400)] {
        let (world, code) = load("", verify);
        assert_eq!(code, Some(0), "{verify}");
        world.expect_truth("customers");
        let looked = looked_for(&world);
        assert!(rows.contains(&looked), "{verify}: {looked}");
    }
}

#[test]
fn all_finds_every_row_that_a_silent_site_did_not_write() {
    let (world, code) = load(&format!("{SILENT} --set poison=0.05"), "all");
    assert_eq!(code, Some(4));
    world.expect_truth("customers");
    assert!(world.results().counts()["failed"] >= 3);
}

#[test]
fn a_sample_finds_a_site_that_writes_nothing_and_reads_the_rest() {
    let (world, code) = load(&format!("{SILENT} --set poison=1"), "sample");
    assert_eq!(code, Some(4));
    world.expect_truth("customers");
    let results = world.results();
    assert_eq!(results.counts(), [("failed".to_owned(), 150)].into());
    let words = |message: &&str| message.contains("Invalid detail field value");
    assert!(results.column("message").iter().all(words));
}

#[test]
fn failed_reads_what_a_failed_task_held_and_nothing_else() {
    let (world, code) = load("--set failed_applied=1 --set poison=0.05", "failed");
    assert_eq!(code, Some(4));
    world.expect_truth("customers");
    assert!(looked_for(&world) >= 150);
}
