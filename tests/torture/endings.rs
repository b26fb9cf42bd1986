//! Runs that end before their time in other ways than by a kill, and runs that another takes the place of.

use super::course::{Course, Kill};
use super::judge::{differences, results};
use super::site::{Field, Job, Manners, STAGES, customers};
use super::{Undisturbed, conclude};
use crate::support::table::Table;
use csm_loader::api::fold;
use std::collections::{BTreeMap, BTreeSet};

fn course() -> Course {
    Course::on(Field::new(Manners::Documented, 0, "last", Job::All))
}

/// Interrupts a load in each of its stages, so often, and continues it; the end is that of an undisturbed run.
fn interrupted(signals: usize) {
    let mut course = course();
    for stage in ["detail-field", "product", "organization", "customer"] {
        // slow enough to be met while it sends
        let mut process = course.start("--requests-per-second 8", &[]);
        process.says(&format!("{stage}: sending\n"));
        process.signal("TERM");
        if signals > 1 {
            process.says("interrupted: ");
            process.signal("TERM");
        }
        let ended = process.end();
        course.story.push(ended.stderr.clone());
        assert!(
            matches!(ended.code, Some(4 | 5)),
            "{}",
            course.story.join("\n")
        );
        if course.is_over() {
            break;
        }
    }
    conclude(
        course,
        Manners::Documented,
        "last",
        &mut super::Figures::default(),
    );
}

#[test]
fn what_sigterm_stopped_is_continued() {
    interrupted(1);
}

#[test]
fn what_a_second_sigterm_ended_at_once_is_continued() {
    interrupted(2);
}

#[test]
fn what_too_many_errors_stopped_is_continued_when_more_are_borne() {
    let mut course = course();
    for most in ["0", "1", "2", "10"] {
        let ended = course
            .start(&format!("--quiet --max-errors {most}"), &[])
            .end();
        assert_eq!(ended.code, Some(5), "{most}: {}", ended.said());
        for stage in &STAGES {
            course
                .field
                .place
                .results(stage.results)
                .expect_rows(stage.rows);
        }
    }
    course.finish("--quiet --max-errors 1000");
    let found = results(&course.field);
    let differences = differences(&found, &Undisturbed::of("last", Job::All).first);
    assert!(differences.is_empty(), "{differences}");
}

/// The keys of rows with a status, folded.
fn keys(table: &Table, status: &str) -> BTreeSet<String> {
    let cells = table.column("key").into_iter().zip(table.column("status"));
    let cells = cells.filter(|(_, found)| *found == status);
    cells
        .map(|(key, _)| fold::email(key).into_owned())
        .collect()
}

/// Kills a load among its customers, then loads the next night's customers, killed here too; both runs are accounted for.
fn superseded(first: &Kill, second: &[Kill]) {
    let mut course = course();
    let place = &course.field.place;
    // one request under way, one that may be, and rows that are in none
    let job = place.read("job.toml");
    place.write(
        "job.toml",
        job.replace("[limits]\n", "[limits]\ntask_slots = 1\n"),
    );
    assert!(course.killed(first).is_none());
    let place = &course.field.place;
    assert!(!place.has("customers-out.csv"));
    place.write("customers.csv", customers(true));
    course.changed = true;
    let told = |course: &Course| course.story.join("\n");
    for kill in second {
        let ended = course.killed(kill);
        assert!(ended.is_none(), "{kill:?} never came\n{}", told(&course));
    }
    course.finish("--quiet");
    assert_eq!(
        (course.runs(1), course.runs(2)),
        (1, 1),
        "{}",
        told(&course)
    );
    let old = course.run_in(2);
    let old = course
        .field
        .place
        .results(&format!("customers-out-{old}.csv"));
    let new = course.field.place.results("customers-out.csv");
    let rows = STAGES[3].rows;
    old.expect_rows(rows);
    new.expect_rows(rows);
    // what the first run says of itself is what the site saw of it
    let audit = course.field.audit();
    let mut written: BTreeMap<&str, BTreeSet<&Option<String>>> = BTreeMap::new();
    for write in audit.iter().filter(|write| write.entity == "customer") {
        let new = written
            .entry(&write.key)
            .or_default()
            .insert(&write.request);
        assert!(
            new,
            "{} was written twice under one key\n{}",
            write.key,
            told(&course)
        );
    }
    let (loaded, again) = (keys(&old, "loaded"), keys(&new, "loaded"));
    let unchanged = keys(&new, "unchanged");
    let unconfirmed = keys(&old, "unconfirmed");
    for (key, requests) in &written {
        let by_old = usize::from(loaded.contains(*key));
        let by_new = usize::from(again.contains(*key));
        let maybe = usize::from(unconfirmed.contains(*key));
        let expected = by_old + by_new..=by_old + by_new + maybe;
        assert!(
            expected.contains(&requests.len()),
            "{key}: {requests:?}\n{}",
            told(&course)
        );
    }
    for key in loaded.iter().chain(&again).chain(&unchanged) {
        assert!(
            written.contains_key(key.as_str()),
            "{key} is not on the site\n{}",
            told(&course)
        );
    }
    // what the second run left out was confirmed by the first
    assert!(unchanged.is_subset(&loaded), "{}", told(&course));
    let undisturbed = &Undisturbed::of("last", Job::All).first[3];
    let status =
        |table: &Table, of: &str| table.column("status").iter().filter(|s| **s == of).count();
    assert_eq!(
        status(&new, "loaded") + status(&new, "unchanged"),
        status(undisturbed, "loaded"),
        "{}",
        told(&course)
    );
}

fn at(point: &str, count: u32) -> Kill {
    Kill::At(point.to_owned(), count)
}

#[test]
fn a_run_that_the_next_night_takes_the_place_of_is_settled_first() {
    superseded(&at("accepted.after", 4), &[]);
    superseded(&at("settled.before", 5), &[]);
}

#[test]
fn settling_may_be_killed_as_well() {
    let kills: Vec<_> = [
        "reopen.after",
        "submit.after",
        "settled.after",
        "rows.before",
        "rows.after",
        "results.after",
        "stage-finished.before",
        "stage-finished.after",
        "run-superseded.before",
        // here the new run has begun, and is what goes on
        "run-superseded.after",
        "submit.after",
        "settled.before",
    ]
    .map(|point| at(point, 1))
    .into();
    superseded(&at("submit.before", 4), &kills);
}

/// Keys that the site has written since it was seeded, folded.
fn written(course: &Course) -> BTreeSet<String> {
    let audit = course.field.audit().into_iter();
    audit
        .map(|write| fold::name(&write.key).into_owned())
        .collect()
}

#[test]
fn what_another_night_finds_of_fields_and_products_is_told_as_far_as_it_is_known() {
    let mut told = Vec::new();
    for (point, count) in [
        ("submit.after", 1),
        ("accepted.after", 1),
        ("accepted.after", 2),
        ("create.after", 1),
        ("create.after", 4),
        ("rows.after", 6),
    ] {
        let mut course = course();
        assert!(course.killed(&at(point, count)).is_none());
        let before = written(&course);
        let place = &course.field.place;
        for name in ["fields.csv", "products.csv"] {
            let text = place.read(name);
            place.write(
                name,
                text.replace("customer,Born,date,\n", "")
                    .replace("Router X8\n", ""),
            );
        }
        course.changed = true;
        course.finish("--quiet");
        let old = course.run_in(2);
        let mut counts = BTreeMap::new();
        for stage in &STAGES[..2] {
            let name = stage.results.replace(".csv", &format!("-{old}.csv"));
            if !course.field.place.has(&name) {
                continue;
            }
            let table = course.field.place.results(&name);
            table.expect_rows(stage.rows);
            for key in keys(&table, "loaded") {
                assert!(written(&course).contains(&key), "{key}");
            }
            for status in ["not_sent", "failed", "rejected"] {
                let (ours, loaded) = (keys(&table, status), keys(&table, "loaded"));
                let wrong: Vec<_> = ours
                    .intersection(&before)
                    .filter(|key| !loaded.contains(*key))
                    .collect();
                assert!(wrong.is_empty(), "{status}: {wrong:?}");
            }
            counts.extend(table.counts());
        }
        let counts: Vec<_> = counts
            .iter()
            .map(|(status, rows)| format!("{rows} {status}"))
            .collect();
        told.push(format!("{point}:{count}  {}", counts.join(", ")));
    }
    insta::assert_snapshot!(told.join("\n"), @"
    submit.after:1  1 duplicate, 1 failed, 5 not_sent, 1 rejected, 1 unchanged, 3 unconfirmed
    accepted.after:1  1 duplicate, 1 failed, 3 loaded, 5 not_sent, 1 rejected, 1 unchanged
    accepted.after:2  1 duplicate, 1 failed, 6 loaded, 2 not_sent, 1 rejected, 1 unchanged
    create.after:1  1 duplicate, 1 failed, 6 loaded, 1 not_sent, 1 rejected, 1 unchanged, 1 unconfirmed
    create.after:4  1 duplicate, 1 failed, 1 loaded, 7 not_sent, 1 rejected, 1 unchanged, 1 unconfirmed
    rows.after:6  1 duplicate, 1 failed, 1 loaded, 8 not_sent, 1 rejected, 1 unchanged
    ");
}
