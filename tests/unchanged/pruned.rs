//! Old runs go when a run has ended, and what is remembered of the site stays.

use super::Nights;
use crate::support::place::PEOPLE;
use insta::assert_snapshot;

fn runs(nights: &Nights) -> usize {
    let listed = nights.place.run("runs --state-dir state").expect(0).stdout;
    listed
        .lines()
        .filter(|line| line.contains("finished"))
        .count()
}

#[test]
fn the_runs_that_are_kept_are_the_last_ones() {
    let nights = Nights::of(PEOPLE, "email,name\nana@example.com,Ana\n");
    for _ in 0..3 {
        nights.load("people.toml", "", 0);
    }
    assert_eq!(runs(&nights), 3);
    assert_eq!(nights.load("people.toml", "--keep-runs 2", 0), []);
    assert_eq!(runs(&nights), 2);
    let keep = |runs: &str| nights.load_with("people.toml", &format!("keep_runs = {runs}"), "", 0);
    assert_eq!(keep("1").1, []);
    assert_eq!(runs(&nights), 1);
    // the run that confirmed the row is gone long since
    assert_eq!(nights.load("people.toml", "", 0), []);
    assert_eq!(nights.statuses(), ["unchanged"]);
}

#[test]
fn at_least_the_run_itself_is_kept() {
    let nights = Nights::of(PEOPLE, "email,name\nana@example.com,Ana\n");
    let (ended, writes) = nights.load_with("people.toml", "keep_runs = 0", "", 3);
    assert_eq!(writes, []);
    assert_snapshot!(ended.stderr, @"
    error: in the job file job.toml: TOML parse error at line 6, column 13
      |
    6 | keep_runs = 0
      |             ^
    invalid value: integer `0`, expected a nonzero usize
    ");
    let (ended, _) = nights.load_with("people.toml", "", "--keep-runs 0", 2);
    assert_snapshot!(ended.stderr, @"
    error: invalid value '0' for '--keep-runs <N>': number would be zero for non-zero type

    For more information, try '--help'.
    ");
}
