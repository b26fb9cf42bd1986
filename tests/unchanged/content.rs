//! One mapping: what counts as the same, and what never does.

use super::{Nights, keys};
use crate::support::place::PEOPLE;
use crate::support::place::Place;
use crate::support::scripted::{Answer, CREDENTIALS, Scripted, Willing};
use insta::assert_snapshot;
use serde_json::json;
use std::fmt::Write as _;
use std::fs;

/// So many rows; those that `changed` names have another name.
fn people(rows: usize, changed: &[usize]) -> String {
    let mut text = "email,name\n".to_owned();
    for row in 1..=rows {
        let name = if changed.contains(&row) {
            "Another"
        } else {
            "Person"
        };
        let _ = writeln!(text, "p{row}@example.com,{name} {row}");
    }
    text
}

const PLANNED: &str = "\
entity = \"customer\"\nkey = \"email\"\n[fields]\nemail = \"email\"\ndisplay_name = \"name\"\n[details]\nPlan = \"plan\"\n";

#[test]
fn the_same_file_again_sends_nothing() {
    let nights = Nights::of(PEOPLE, &people(250, &[]));
    assert_eq!(nights.load("people.toml", "", 0).len(), 250);
    let (first, bulks) = (nights.results(), nights.bulks());
    let (ended, writes) = nights.load_with("people.toml", "", "", 0);
    assert_eq!(writes, []);
    assert_eq!(nights.bulks(), bulks);
    let again = nights.results();
    again.expect_rows(250);
    assert_eq!(again.column("status"), ["unchanged"; 250]);
    for told in ["route", "batch", "task_id", "code", "message"] {
        assert_eq!(again.column(told), [""; 250], "{told}");
    }
    // the site tells the ids of customers it loads in bulk to nobody, so there is none to keep
    assert_eq!(again.column("remote_id"), first.column("remote_id"));
    assert_snapshot!(ended.steady(), @"
    customer: 250 rows in …
      loaded         0
      unchanged    250
      results: out.csv

    250 rows in …: 250 unchanged
    ");
}

#[test]
fn what_changed_is_sent_and_nothing_else() {
    let nights = Nights::of(PEOPLE, &people(300, &[]));
    nights.load("people.toml", "", 0);
    let changed = [7, 150, 300];
    nights.place.write(
        "people.csv",
        people(300, &changed) + "new@example.com,New\n",
    );
    let writes = nights.load("people.toml", "", 0);
    let expected = [
        "new@example.com",
        "p150@example.com",
        "p300@example.com",
        "p7@example.com",
    ];
    assert_eq!(keys(&writes), expected);
    let statuses = nights.statuses();
    for (row, status) in (1..).zip(&statuses) {
        let sent = row == 301 || changed.contains(&row);
        assert_eq!(status, if sent { "loaded" } else { "unchanged" }, "{row}");
    }
    assert_eq!(nights.load("people.toml", "", 0), []);
    // back to what it was: that is a change again
    nights.place.write("people.csv", people(300, &[]));
    assert_eq!(nights.load("people.toml", "", 0).len(), 3);
}

#[test]
fn a_row_that_failed_is_sent_again_whatever_it_was_before() {
    let rows = |plan: &str| {
        format!("email,name,plan\nana@example.com,Ana,{plan}\nbo@example.com,Bo,Basic\n")
    };
    let nights = Nights::of(PLANNED, &rows("Pro"));
    assert_eq!(nights.load("people.toml", "", 0).len(), 2);
    nights.place.write("people.csv", rows("Gold"));
    nights.load("people.toml", "", 4);
    assert_eq!(nights.statuses(), ["failed", "unchanged"]);
    nights.load("people.toml", "", 4);
    assert_eq!(nights.statuses(), ["failed", "unchanged"]);
    // what it was when it was confirmed last; nobody knows what the refused request left
    nights.place.write("people.csv", rows("Pro"));
    let writes = nights.load("people.toml", "", 0);
    assert_eq!(keys(&writes), ["ana@example.com"]);
    assert_eq!(nights.statuses(), ["loaded", "unchanged"]);
}

#[test]
fn an_unconfirmed_row_is_sent_again() {
    let place = Place::with_people("ana@example.com,Ana\nbo@example.com,Bo\n");
    let mut willing = Willing::default();
    let mut bulks = 0;
    let site = Scripted::serve(move |request| {
        bulks += usize::from(request.is_bulk());
        match request.task() {
            Some(task) if bulks == 2 => Answer::task(task, "FAILED", &json!([])),
            _ => willing.answer(request),
        }
    });
    place.write("job.toml", site.job(""));
    let load = |code| {
        place
            .run_with("load job.toml --quiet", &CREDENTIALS)
            .expect(code);
        let results = place.results("out.csv");
        let statuses = results.column("status").into_iter();
        let statuses: Vec<_> = statuses.map(str::to_owned).collect();
        (statuses, site.bulks().len())
    };
    let told = |statuses: [&str; 2], bulks| (statuses.map(str::to_owned).to_vec(), bulks);
    assert_eq!(load(0), told(["loaded", "loaded"], 1));
    place.write(
        "people.csv",
        "email,name\nana@example.com,Anna\nbo@example.com,Bo\n",
    );
    assert_eq!(load(4), told(["unconfirmed", "unchanged"], 2));
    assert_eq!(load(0), told(["loaded", "unchanged"], 3));
    assert_eq!(load(0), told(["unchanged", "unchanged"], 3));
}

#[test]
fn full_sends_everything() {
    let nights = Nights::of(PEOPLE, &people(5, &[]));
    nights.load("people.toml", "", 0);
    assert_eq!(nights.load("people.toml", "--full", 0).len(), 5);
    assert_eq!(nights.statuses(), ["loaded"; 5]);
    assert_eq!(nights.load("people.toml", "", 0), []);
}

#[test]
fn without_the_ledger_everything_is_sent() {
    let nights = Nights::of(PEOPLE, &people(5, &[]));
    nights.load("people.toml", "", 0);
    fs::remove_dir_all(nights.place.path("state")).unwrap();
    assert_eq!(nights.load("people.toml", "", 0).len(), 5);
    assert_eq!(nights.load("people.toml", "", 0), []);
}

#[test]
fn refresh_after_is_checked_when_the_job_is_read() {
    let nights = Nights::of(PEOPLE, &people(5, &[]));
    nights.load("people.toml", "", 0);
    let load = |span: &str, code| {
        nights.load_with("people.toml", &format!("refresh_after = {span}"), "", code)
    };
    assert_eq!(load("\"30d\"", 0).1, []);
    assert_snapshot!(load("\"soon\"", 3).0.stderr, @r#"
    error: in the job file job.toml: TOML parse error at line 6, column 17
      |
    6 | refresh_after = "soon"
      |                 ^^^^^^
    "soon" is no span of time; write it as in "24h"
    "#);
}

#[test]
fn rows_that_lose_to_another_stay_duplicates() {
    let rows = "email,name\nana@example.com,Ana\nbo@example.com,Bo\nANA@example.com,Anna\n";
    let nights = Nights::of(PEOPLE, rows);
    nights.load("people.toml", "", 0);
    assert_eq!(nights.load("people.toml", "", 0), []);
    assert_eq!(nights.statuses(), ["duplicate", "unchanged", "unchanged"]);
    // another winner is another content
    let writes = nights.load("people.toml", "--duplicates first", 0);
    assert_eq!(keys(&writes), ["ana@example.com"]);
    assert_eq!(nights.statuses(), ["loaded", "unchanged", "duplicate"]);
}

#[test]
fn several_rows_of_a_key_are_all_sent_in_order_each_time() {
    let rows = "email,name\nana@example.com,Ana\nbo@example.com,Bo\nana@example.com,Anna\n";
    let nights = Nights::of(PEOPLE, rows);
    for _ in 0..2 {
        let writes = nights.load("people.toml", "--duplicates all-in-order", 0);
        assert_eq!(writes.len(), 3);
        let name = &nights.site.records("customers")["ana@example.com"]["displayName"];
        assert_eq!(name, "Anna");
    }
    // each row by itself is compared again
    nights.place.write(
        "people.csv",
        "email,name\nana@example.com,Ana\nbo@example.com,Bo\n",
    );
    let writes = nights.load("people.toml", "--duplicates all-in-order", 0);
    assert_eq!(keys(&writes), ["ana@example.com"]);
    assert_eq!(nights.statuses(), ["loaded", "unchanged"]);
}
