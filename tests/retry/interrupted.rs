//! Retries that are killed: they go on by the same command or by `resume`, and no row goes out twice.

use super::{Desk, statuses, told};
use crate::support::scripted::CREDENTIALS;
use crate::support::wait_for;
use insta::assert_snapshot;
use std::collections::BTreeSet;
use std::fmt::Write as _;

const ROWS: usize = 1_000;

/// A crowd whose e-mails were all wrong, and are right in `fixed.csv`; its retry was killed after it wrote some of them.
fn killed() -> Desk {
    let mut people = "id,email,name,tier\n".to_owned();
    for row in 1..=ROWS {
        let _ = writeln!(people, "{row},p{row} at example.com,Person {row},Free");
    }
    let desk = Desk::with(&people);
    desk.load("--quiet --with-source").expect(4);
    assert_eq!(desk.written().len(), 0);
    let fixed = desk.place.read("out.csv").replace(" at ", "@");
    desk.place.write("fixed.csv", fixed);
    // slow enough to be killed in the middle wherever this runs
    let process = desk.place.start_with(
        "retry --job job.toml fixed.csv --requests-per-second 4 --task-slots 1",
        &CREDENTIALS,
    );
    wait_for("writes", || (desk.written().len() >= 100).then_some(()));
    process.signal("KILL");
    assert_eq!(process.end().code, None);
    assert!(!desk.place.has("fixed-retry.csv"));
    assert!(desk.written().len() < ROWS, "it was too fast");
    desk
}

impl Desk {
    /// All rows are on the site, each was written once.
    #[track_caller]
    fn expect_all_once(&self) {
        let written = self.written();
        let each: BTreeSet<_> = written.iter().collect();
        assert_eq!((written.len(), each.len()), (ROWS, ROWS));
        let merged = self.merged(&self.run_of("out.csv"));
        assert_eq!(merged.matches("loaded").count(), ROWS, "{merged}");
    }

    /// The run that retries that of `out.csv`.
    fn retried(&self) -> String {
        let first = self.run_of("out.csv");
        let listed = self.run("runs --state-dir state").expect(0).stdout;
        let before = listed
            .split(&format!("retries       {first}"))
            .next()
            .unwrap();
        let mut heads = before.lines().filter(|line| !line.starts_with(' '));
        let head = heads.next_back().unwrap();
        head.split_whitespace().next().unwrap().to_owned()
    }
}

#[test]
fn a_killed_retry_goes_on_when_it_is_typed_again() {
    let desk = killed();
    let ended = desk.retry("fixed.csv --log lines").expect(0);
    let run = desk.retried();
    let said = told(&ended, &run);
    let (before, _) = said.split_once("\ncustomer: finished").unwrap();
    assert_snapshot!(before, @"
    1000 rows are loaded again (1000 rejected)
    run RUN on CLOUD
    run RUN was interrupted: going on where it stopped (--new begins anew)
    customer: started, 1 file
    ");
    let results = desk.place.results("fixed-retry.csv");
    results.expect_rows(ROWS);
    assert_eq!(desk.run_of("fixed-retry.csv"), run);
    desk.expect_all_once();
}

#[test]
fn a_killed_retry_goes_on_by_resume() {
    let desk = killed();
    // its load is another job, and does not take it for its own
    desk.load("--quiet").expect(4);
    assert_eq!(desk.place.results("out.csv").counts()["rejected"], ROWS);
    desk.run("resume --state-dir state --quiet").expect(0);
    let results = desk.place.results("fixed-retry.csv");
    assert_eq!(results.expect_rows(ROWS).counts()["loaded"], ROWS);
    assert_eq!(desk.written().len(), ROWS);
    // neither the rows nor their keys stay in the spool
    let spool = std::fs::read_dir(desk.place.path("state/spool")).unwrap();
    assert_eq!(spool.count(), 0);
}

#[test]
fn a_killed_retry_whose_sheet_was_edited_again_is_settled_first() {
    let desk = killed();
    let killed = desk.retried();
    // another sheet of the same rows must not overtake it
    desk.place.write("other.csv", desk.place.read("fixed.csv"));
    let ended = desk.retry("other.csv --quiet").expect(3);
    assert_snapshot!(ended.stderr.replace(&killed, "RUN"), @"error: run RUN has not ended: continue it first, with csm-loader resume RUN, and retry what does not load then");

    // the last person gets another name, the first one is taken out
    let fixed = desk.place.read("fixed.csv");
    let mut lines: Vec<_> = fixed.lines().collect();
    let last = lines.pop().unwrap().replace("Person", "Doctor");
    lines.remove(1);
    desk.place
        .write("fixed.csv", format!("{}\n{last}\n", lines.join("\n")));
    let ended = desk.run("resume --state-dir state --quiet").expect(3);
    let said = ended.stderr.replace(&killed, "RUN");
    let said = without_digests(&said);
    assert_snapshot!(said, @"error: run RUN cannot be continued: rows have been edited; choice of rows was 1000 (…), and is 999 (…); `retry` settles what it has under way and begins a new run");

    let ended = desk.retry("fixed.csv --log lines").expect(0);
    let said = told(&ended, &killed);
    let line = said
        .lines()
        .find(|line| line.contains("is not continued"))
        .unwrap();
    assert_snapshot!(without_digests(line), @"run RUN was interrupted, and is not continued: rows have been edited; choice of rows was 1000 (…), and is 999 (…); settling what it has under way");
    desk.expect_all_once();
    let site = desk.site.records("customers");
    assert!(
        site["p1000@example.com"]
            .to_string()
            .contains("Doctor 1000")
    );
    let results = desk.place.results("fixed-retry.csv");
    assert!(results.rows.len() < ROWS, "{}", statuses(&results));
}

fn without_digests(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let inside = word.trim_start_matches('(');
        let hex = inside.len() >= 16 && inside.as_bytes()[..16].iter().all(u8::is_ascii_hexdigit);
        if hex {
            word.replace(&inside[..16], "…")
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
