//! Interrupts and crashes: the first interrupt drains, the second ends at once, and after `kill -9` a new load brings
//! everything in without creating a record twice.

use crate::support::place::Place;
use crate::support::process::Process;
use crate::support::sandbox::Sandbox;
use crate::support::scripted::{Answer, CREDENTIALS, Request, Scripted, Willing};
use crate::support::table::Table;
use crate::support::wait_for;
use insta::assert_snapshot;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A site that accepts bulk writes and keeps their tasks unfinished until it is released.
struct Slow {
    site: Scripted,
    released: Arc<AtomicBool>,
}

impl Slow {
    fn serve() -> Self {
        let released = Arc::new(AtomicBool::new(false));
        let (done, mut willing) = (Arc::clone(&released), Willing::default());
        let site = Scripted::serve(move |request| match request.task() {
            Some(task) if !done.load(Ordering::Relaxed) => {
                Answer::task(task, "IN_PROGRESS", &json!([]))
            }
            _ => willing.answer(request),
        });
        Self { site, released }
    }

    fn release(&self) {
        self.released.store(true, Ordering::Relaxed);
    }

    /// Starts a load of `people.csv`, and waits until its tasks fill both slots.
    fn start_load(&self, place: &Place) -> Process {
        place.write("job.toml", self.site.job("[limits]\ntask_slots = 2"));
        let process = place.start_with("load job.toml", &CREDENTIALS);
        self.wait_for_both_slots();
        process
    }

    fn wait_for_both_slots(&self) {
        wait_for("a poll of each of two tasks", || {
            let seen = self.site.seen();
            let polled: BTreeSet<_> = seen.iter().filter_map(Request::task).collect();
            (polled.len() == 2).then_some(())
        });
    }

    /// The e-mails that the site was sent.
    fn sent(&self) -> BTreeSet<String> {
        self.site.bulks().iter().flat_map(Request::emails).collect()
    }
}

fn keys_with(results: &Table, status: &str) -> BTreeSet<String> {
    let cells = results
        .column("key")
        .into_iter()
        .zip(results.column("status"));
    let cells = cells.filter(|(_, found)| *found == status);
    cells.map(|(key, _)| key.to_owned()).collect()
}

fn an_interrupt_drains(signal: &str) {
    let place = Place::with_crowd(2_000);
    let slow = Slow::serve();
    let mut process = slow.start_load(&place);
    process.signal(signal);
    process.says("interrupted: waiting for what is in flight; a second interrupt ends at once");
    slow.release();
    let ended = process.end().expect(5);
    let results = place.results("out.csv");
    results.expect_rows(2_000);
    assert_eq!(
        results.counts(),
        [("loaded".to_owned(), 200), ("not_sent".to_owned(), 1_800)].into()
    );
    assert_eq!(keys_with(&results, "loaded"), slow.sent());
    let unsent: BTreeSet<_> = results
        .column("code")
        .into_iter()
        .zip(results.column("message"))
        .collect();
    assert_eq!(unsent, [("", ""), ("RUN_STOPPED", "interrupted")].into());
    insta::allow_duplicates! {
        let steady = ended.steady();
        let (_, end) = steady.split_once("\n\n").unwrap();
        assert_snapshot!(end, @"
        2,000 rows in …: 200 loaded, 1,800 not_sent
        stopped early: interrupted
        what each code means and what to do: csm-loader codes
        ");
    }
}

#[test]
fn ctrl_c_drains_what_is_in_flight_and_accounts_for_every_row() {
    an_interrupt_drains("INT");
}

#[test]
fn sigterm_drains_what_is_in_flight_and_accounts_for_every_row() {
    an_interrupt_drains("TERM");
}

#[test]
fn a_second_interrupt_ends_at_once_and_the_next_load_brings_in_every_row() {
    let place = Place::with_crowd(1_000);
    let slow = Slow::serve();
    let mut process = slow.start_load(&place);
    process.signal("INT");
    process.says("interrupted: ");
    process.signal("TERM");
    let ended = process.end().expect(5);
    assert!(
        ended.stderr.contains("interrupted again: ended at once"),
        "{}",
        ended.stderr
    );
    assert!(!place.has("out.csv"));
    slow.release();
    place
        .run_with("load job.toml --quiet", &CREDENTIALS)
        .expect(0);
    let results = place.results("out.csv");
    results.expect_rows(1_000);
    assert_eq!(results.counts(), [("loaded".to_owned(), 1_000)].into());
}

#[test]
fn an_interrupt_before_anything_is_sent_sends_nothing() {
    let place = Place::with_crowd(1);
    // the look-up of organizations, before the first send, is held
    place.write(
        "people.toml",
        "entity = \"customer\"\nkey = \"email\"\n[fields]\nemail = \"email\"\n[organizations]\nnames = \"name\"\n",
    );
    let (held, waiting) = (
        Arc::new(AtomicBool::new(true)),
        Arc::new(AtomicBool::new(false)),
    );
    let (still, arrived) = (Arc::clone(&held), Arc::clone(&waiting));
    let site = Scripted::serve(move |_| {
        arrived.store(true, Ordering::Relaxed);
        wait_for("the release", || {
            (!still.load(Ordering::Relaxed)).then_some(())
        });
        Answer::json(
            200,
            &json!({ "organizations": [{ "id": "1", "name": "Person 1" }] }),
        )
    });
    place.write("job.toml", site.job(""));
    let mut process = place.start_with("load job.toml", &CREDENTIALS);
    wait_for("a look-up", || {
        waiting.load(Ordering::Relaxed).then_some(())
    });
    process.signal("INT");
    process.says("interrupted: ");
    held.store(false, Ordering::Relaxed);
    process.end().expect(5);
    assert!(site.bulks().is_empty());
    assert_snapshot!(place.results("out.csv").told(), @"1 | 2 | p1@example.com | not_sent | RUN_STOPPED |  | interrupted");
}

#[test]
fn an_interrupt_accounts_for_the_rows_of_later_stages_too() {
    let place = Place::with_crowd(300);
    place.write("later.csv", "email,name\nx@example.com,X\ny@example.com\n");
    let slow = Slow::serve();
    let stage = "[[stage]]\nmapping = \"people.toml\"\ninput = \"later.csv\"\nresults = \"later-out.csv\"\n";
    place.write(
        "job.toml",
        format!("{}{stage}", slow.site.job("[limits]\ntask_slots = 2")),
    );
    let mut process = place.start_with("load job.toml", &CREDENTIALS);
    slow.wait_for_both_slots();
    process.signal("INT");
    process.says("interrupted: ");
    slow.release();
    process.end().expect(5);
    place.results("out.csv").expect_rows(300);
    assert_snapshot!(place.results("later-out.csv").told(), @"
    1 | 2 | x@example.com | not_sent | RUN_STOPPED |  | interrupted
    2 | 3 |  | rejected | CSV_TOO_FEW_FIELDS |  | 1 fields; the header has 2
    ");
}

/// Rows of the crash tests.
const ROWS: u64 = 3_000;

/// Kills loads of the same file with SIGKILL once the site has written so many records, then lets one run to its end.
fn killed_after(writes: &[u64]) {
    let place = Place::with_crowd(usize::try_from(ROWS).unwrap());
    let site = Sandbox::serve(&place, "--state-dir site");
    let stage =
        "[[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\nresults = \"out.csv\"\n";
    place.write(
        "job.toml",
        format!("{}[state]\ndir = \"state\"\n{stage}", site.site_table()),
    );
    for most in writes {
        let before = site.count("writes");
        // slow enough to be killed in the middle wherever this runs
        let process = place.start_with("load job.toml --requests-per-second 10", &CREDENTIALS);
        wait_for("writes", || {
            (site.count("writes") >= before + most).then_some(())
        });
        process.signal("KILL");
        assert_eq!(process.end().code, None);
        assert!(!place.has("out.csv"));
    }
    place
        .run_with("load job.toml --quiet", &CREDENTIALS)
        .expect(0);
    let results = place.results("out.csv");
    results.expect_rows(usize::try_from(ROWS).unwrap());
    assert_eq!(results.column("status"), vec!["loaded"; results.rows.len()]);
    assert_eq!(site.count("customers"), ROWS);
    let mut created = BTreeSet::new();
    for write in site.audit() {
        if write.operation == "create" {
            assert!(
                created.insert(write.key.clone()),
                "{} created twice",
                write.key
            );
        }
    }
    assert_eq!(created.len() as u64, ROWS);
}

#[test]
fn a_load_killed_before_and_while_it_sends_creates_nothing_twice() {
    killed_after(&[0, 1]);
}

#[test]
fn a_load_killed_again_in_the_middle_creates_nothing_twice() {
    killed_after(&[100, 700]);
}

#[test]
fn an_interrupt_while_standard_input_is_read_leaves_nothing_of_it_behind() {
    for command in ["load --quiet --target sandbox", "check --quiet"] {
        let place = Place::with_people("");
        let args = format!("{command} --state-dir state --mapping people.toml --input -");
        let mut child = Command::new(env!("CARGO_BIN_EXE_csm-loader"))
            .args(args.split(' '))
            .current_dir(place.path(""))
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        pipe.write_all(b"email,name\na@example.com,Ana\n").unwrap();
        let spooled = || -> Option<PathBuf> {
            let folders = fs::read_dir(place.path("state")).ok()?.flatten();
            let files = folders.filter_map(|folder| fs::read_dir(folder.path()).ok());
            files
                .flatten()
                .flatten()
                .map(|file| file.path())
                .find(|file| file.is_file())
        };
        wait_for("the spool of standard input", spooled);
        let kill = format!("kill -INT {}", child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(5), "{command}");
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(said.starts_with("interrupted"), "{said}");
        assert_eq!(spooled(), None, "{command}");
        drop(pipe);
    }
}
