//! A sandbox that misbehaves on request: how that is asked for, and what a load then meets.

use crate::support::place::Place;
use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;
use std::collections::BTreeSet;

/// A job that loads `people.csv` into the embedded sandbox.
fn job(place: &Place, sandbox: &str) {
    place.write(
        "job.toml",
        format!(
            "[site]\ntarget = \"sandbox\"\n[state]\ndir = \"state\"\n[sandbox]\n{sandbox}\n\
             [[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\nresults = \"out.csv\"\n"
        ),
    );
}

/// The keys of the rows with a status, and those that the site has written.
fn loaded_and_written(place: &Place, status: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let told = place.results("out.csv").told();
    let rows = told
        .lines()
        .map(|line| line.split(" | ").collect::<Vec<_>>());
    let of_status = rows.filter(|cells| cells[3] == status);
    let keys = of_status.map(|cells| cells[2].to_owned()).collect();
    let site = Sandbox::serve(place, "--state-dir state");
    let written = site.audit().into_iter().map(|write| write.key).collect();
    (keys, written)
}

#[test]
fn knobs_in_a_job_file_decide_which_rows_the_site_refuses_and_the_seed_which() {
    let refused = |seed: u32| {
        let place = Place::with_crowd(200);
        job(
            &place,
            &format!("random_seed = {seed}\nset = {{ poison = 0.2, shuffle_items = true }}"),
        );
        place.run("load --quiet job.toml").expect(4);
        let (loaded, written) = loaded_and_written(&place, "loaded");
        assert_eq!(loaded, written);
        let (failed, _) = loaded_and_written(&place, "failed");
        assert_eq!(loaded.len() + failed.len(), 200);
        failed
    };
    let first = refused(1);
    assert!((20..60).contains(&first.len()), "{}", first.len());
    assert_eq!(refused(1), first);
    assert_ne!(refused(2), first);
}

#[test]
fn a_task_that_ends_failed_though_it_wrote_everything_leaves_its_rows_unconfirmed() {
    let place = Place::with_crowd(5);
    job(&place, "policy = \"odd.toml\"");
    place.write("odd.toml", "preset = \"documented\"\nfailed_applied = 1\n");
    place.run("load --quiet job.toml").expect(4);
    let (unconfirmed, written) = loaded_and_written(&place, "unconfirmed");
    assert_eq!(unconfirmed.len(), 5);
    assert_eq!(unconfirmed, written);
}

#[test]
fn a_served_sandbox_takes_a_policy_and_a_faster_clock() {
    let place = Place::with_crowd(250);
    let flags = "--policy live-2026 --time-scale 6000 --set failed_applied=0 --random-seed 3";
    let site = Sandbox::serve(&place, flags);
    place.write(
        "job.toml",
        format!(
            "{}[auth]\nmethod = \"basic\"\n[[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\nresults = \"out.csv\"\n",
            site.site_table()
        ),
    );
    let secrets = [
        ("CSM_LOADER_EMAIL", "me@example.com"),
        ("CSM_LOADER_API_TOKEN", "secret"),
    ];
    // 250 items of 4.8 s each, one after the other, in 0.2 s
    place
        .run_with("load --quiet job.toml --state-dir loader", &secrets)
        .expect(0);
    assert_eq!(site.count("customers"), 250);
}

#[test]
fn knobs_are_listed_and_unknown_ones_are_errors() {
    let place = Place::new();
    let listed = place.run("sandbox --policies").expect(0).stdout;
    assert!(listed.starts_with("knob                   documented     live-2026      hostile\n"));
    let said = |args: &str| place.run(args).expect(3).stderr;
    assert_snapshot!(said("sandbox --policy nasty"), @r#"error: no policy is called "nasty": name one of documented, live-2026, hostile, or a file that ends in .toml"#);
    assert_snapshot!(said("sandbox --set poison=2"), @"error: the sandbox's policy: poison cannot be 2: a share lies between 0 and 1");
    assert_snapshot!(said("sandbox --set poison"), @"error: --set poison says no value; write it as --set KEY=VALUE");
    let unknown = said("sandbox --set poisson=0.1");
    assert!(unknown.starts_with("error: the sandbox's policy: no knob is called \"poisson\"; there are random_seed, time_scale, max_tasks,"), "{unknown}");
    let people = Place::with_crowd(1);
    job(
        &people,
        "policy = \"hostile\"\nset = { json_500 = \"often\" }",
    );
    assert_snapshot!(people.run("load --quiet job.toml").expect(3).stderr, @r#"error: the sandbox's policy: json_500 cannot be "often": invalid type: string "often", expected f64"#);
    assert!(!people.has("state"), "nothing was begun");
}
