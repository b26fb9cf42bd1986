//! What becomes of an interrupted run when its inputs, mapping or settings are not what they were.

use crate::support::place::{PEOPLE, Place};
use crate::support::process::Ended;
use crate::support::scripted::{Answer, CREDENTIALS, Request, Scripted, Willing};
use crate::support::wait_for;
use insta::assert_snapshot;
use serde_json::json;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A load of 300 people that was killed when the site worked at 100 of them and the next 100 waited for a slot, on disk.
/// That task has ended since.
struct Killed {
    place: Place,
    site: Scripted,
    run: String,
}

/// The rows, with another last row.
fn people(last: &str) -> String {
    let mut text = "email,name\n".to_owned();
    for row in 1..300 {
        let _ = writeln!(text, "p{row}@example.com,Person {row}");
    }
    text + last
}

impl Killed {
    fn new() -> Self {
        Self::by("KILL")
    }

    /// The same ended by this signal; one that can be heard lets the task end.
    fn by(signal: &str) -> Self {
        let place = Place::new();
        place.write("people.toml", PEOPLE);
        place.write("people.csv", people("last@example.com,Last\n"));
        let released = Arc::new(AtomicBool::new(false));
        let (done, mut willing) = (Arc::clone(&released), Willing::default());
        let site = Scripted::serve(move |request| match request.task() {
            Some(task) if !done.load(Ordering::Relaxed) => {
                Answer::task(task, "IN_PROGRESS", &json!([]))
            }
            _ => willing.answer(request),
        });
        place.write("job.toml", site.job("[limits]\ntask_slots = 1"));
        let mut process = place.start_with("load job.toml", &CREDENTIALS);
        wait_for("a second poll of the one task", || {
            let polls = site
                .seen()
                .iter()
                .filter(|seen| seen.task().is_some())
                .count();
            (polls >= 2).then_some(())
        });
        process.signal(signal);
        if signal == "KILL" {
            assert_eq!(process.end().code, None);
            released.store(true, Ordering::Relaxed);
            assert!(!place.has("out.csv"));
        } else {
            process.says("interrupted");
            released.store(true, Ordering::Relaxed);
            assert_eq!(process.end().code, Some(5));
        }
        let listed = place.run("runs --state-dir state").expect(0).stdout;
        let run = listed.split_whitespace().next().unwrap().to_owned();
        Self { place, site, run }
    }

    fn run(&self, args: &str, code: i32) -> Ended {
        let mut ended = self.place.run_with(args, &CREDENTIALS).expect(code);
        for text in [&mut ended.stdout, &mut ended.stderr] {
            *text = text.replace(&self.run, "RUN");
        }
        ended
    }

    fn resume(&self, code: i32) -> Ended {
        self.run("resume --state-dir state --quiet", code)
    }

    /// What was said of runs, without times.
    fn notices(ended: &Ended) -> String {
        let lines = ended.stderr.lines().filter(|line| line.contains("RUN"));
        let lines = lines.map(|line| line.split_once("Z ").map_or(line, |(_, said)| said));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// How often each person was sent.
    fn sent_once(&self, rows: usize) {
        let mut sent: Vec<_> = self.site.bulks().iter().flat_map(Request::emails).collect();
        assert_eq!(sent.len(), rows);
        sent.sort_unstable();
        sent.dedup();
        assert_eq!(sent.len(), rows);
    }
}

#[test]
fn a_load_of_what_it_was_goes_on() {
    let killed = Killed::new();
    let ended = killed.run("load job.toml", 0);
    assert_snapshot!(Killed::notices(&ended), @"
    run RUN on c-1
    run RUN was interrupted: going on where it stopped (--new begins anew)
    ");
    killed.place.results("out.csv").expect_rows(300);
    killed.sent_once(300);
}

#[test]
fn a_load_of_another_export_settles_the_run_and_takes_its_place() {
    let killed = Killed::new();
    killed
        .place
        .write("people.csv", people("new@example.com,New\n"));
    let ended = killed.run("load job.toml", 0);
    assert_snapshot!(Killed::notices(&ended), @"
    run RUN was interrupted, and is not continued: the input people.csv has changed; settling what it has under way
    of run RUN: 200 loaded, 100 not sent, 300 in all; results in …/out-RUN.csv
    ");
    let old = killed.place.results(&format!("out-{}.csv", killed.run));
    old.expect_rows(300);
    assert_eq!(
        old.counts(),
        [("loaded".to_owned(), 200), ("not_sent".to_owned(), 100)].into()
    );
    assert_eq!(old.column("code")[299], "RUN_STOPPED");
    let new = killed.place.results("out.csv");
    new.expect_rows(300);
    assert_eq!(
        new.counts(),
        [("loaded".to_owned(), 100), ("unchanged".to_owned(), 200)].into()
    );
    killed.sent_once(300);
    let listed = killed.run("runs --state-dir state", 0).stdout;
    assert!(listed.contains("superseded by "), "{listed}");
    assert_snapshot!(killed.resume(3).stderr, @"error: the ledger in state has no run to continue; `csm-loader runs` lists those it has");
}

#[test]
fn new_begins_anew_though_nothing_changed() {
    let killed = Killed::new();
    let ended = killed.run("load job.toml --new", 0);
    assert_snapshot!(Killed::notices(&ended), @"
    run RUN was interrupted, and is not continued: --new was given; settling what it has under way
    of run RUN: 200 loaded, 100 not sent, 300 in all; results in …/out-RUN.csv
    ");
    let new = killed.place.results("out.csv");
    assert_eq!(
        new.counts(),
        [("loaded".to_owned(), 100), ("unchanged".to_owned(), 200)].into()
    );
    killed.sent_once(300);
}

#[test]
fn a_resume_of_something_else_is_refused_and_says_what_changed() {
    let killed = Killed::new();
    let job = killed.place.read("job.toml");
    let sent = killed.site.seen().len();
    killed
        .place
        .write("people.csv", people("new@example.com,New\n"));
    assert_snapshot!(killed.resume(3).stderr, @"error: run RUN cannot be continued: the input people.csv has changed; `load` settles what it has under way and begins a new run");
    killed
        .place
        .write("people.csv", people("last@example.com,Last\n"));
    killed.place.write(
        "people.toml",
        PEOPLE.replace("display_name = \"name\"", "display_name = \"email\""),
    );
    assert_snapshot!(killed.resume(3).stderr, @"error: run RUN cannot be continued: the mapping has changed; `load` settles what it has under way and begins a new run");
    killed.place.write("people.toml", PEOPLE);
    killed
        .place
        .write("job.toml", format!("{job}duplicates = \"first\"\n"));
    assert_snapshot!(killed.resume(3).stderr, @"error: run RUN cannot be continued: duplicates was last, and is first; `load` settles what it has under way and begins a new run");
    killed
        .place
        .write("more.csv", "email,name\nnew@example.com,New\n");
    let input = "input = [\"people.csv\", \"more.csv\"]";
    killed
        .place
        .write("job.toml", job.replace("input = \"people.csv\"", input));
    assert_snapshot!(killed.resume(3).stderr, @"error: run RUN cannot be continued: the input more.csv is new; `load` settles what it has under way and begins a new run");
    // nothing was said to the site, and what was under way still is
    assert_eq!(killed.site.seen().len(), sent);
    killed.place.write("job.toml", job);
    killed.resume(0);
    killed.place.results("out.csv").expect_rows(300);
    killed.sent_once(300);
}

#[test]
fn a_run_that_was_stopped_keeps_its_results_when_another_takes_its_place() {
    let stopped = Killed::by("TERM");
    let before = stopped.place.results("out.csv");
    before.expect_rows(300);
    stopped
        .place
        .write("people.csv", people("new@example.com,New\n"));
    let ended = stopped.run("load job.toml", 0);
    assert_snapshot!(Killed::notices(&ended), @"
    run RUN was interrupted, and is not continued: the input people.csv has changed; settling what it has under way
    of run RUN: 100 loaded, 200 not sent, 300 in all; results in …/out-RUN.csv
    ");
    let kept = stopped.place.results(&format!("out-{}.csv", stopped.run));
    for column in ["row", "key", "line", "status", "code"] {
        assert_eq!(kept.column(column), before.column(column), "{column}");
    }
    stopped.place.results("out.csv").expect_rows(300);
    stopped.sent_once(300);
}

#[test]
fn a_run_goes_on_with_its_own_site_and_csv_settings_only() {
    let killed = Killed::new();
    let job = killed.place.read("job.toml");
    let sent = killed.site.seen().len();
    killed.place.write("job.toml", job.replace("c-1", "c-2"));
    assert_snapshot!(killed.resume(3).stderr, @"error: run RUN loads into c-1, and the settings of now name c-2; name the site it began with");
    let columns = "csv = { columns = [\"email\", \"name\"] }\n";
    killed.place.write("job.toml", format!("{job}{columns}"));
    assert_snapshot!(killed.resume(3).stderr, @"error: run RUN cannot be continued: csv columns was not set, and is email,name; `load` settles what it has under way and begins a new run");
    assert_eq!(killed.site.seen().len(), sent);
}
