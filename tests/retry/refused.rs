//! What is not retried, and what is said of it.

use super::{Desk, set, told};
use crate::support::spreadsheet::save_as;
use insta::assert_snapshot;

#[test]
fn a_row_that_loaded_is_refused_whatever_its_status_was_made() {
    let desk = Desk::with_people();
    desk.load("--quiet --with-source").expect(4);
    let mut sheet = desk.sheet("out.csv");
    set(&mut sheet, "1", "status", "failed");
    set(&mut sheet, "1", "src.name", "Somebody Else");
    set(&mut sheet, "3", "src.tier", "Free");
    desk.place.write("edited.csv", save_as(&sheet, ','));
    let ended = desk
        .retry("edited.csv --status failed --log lines")
        .expect(4);
    let run = desk.run_of("out.csv");
    let said = told(&ended, &run);
    let (before, _) = said.split_once("\nrun ").unwrap();
    assert_snapshot!(before, @"
    2 rows are loaded again (2 failed)
    1 row is not loaded again, because the ledger knows that it loaded: line 2
    3 rows are left out (1 loaded, 2 rejected)
    ");
    // not even from the file as it was first: a later run loaded row 3
    let ended = desk
        .retry("edited.csv --status failed --log lines")
        .expect(4);
    let said = told(&ended, &run);
    let (before, _) = said.split_once("\nrun ").unwrap();
    assert_snapshot!(before, @"
    1 row is loaded again (1 failed)
    2 rows are not loaded again, because the ledger knows that they loaded: lines 2, 4
    3 rows are left out (1 loaded, 2 rejected)
    ");
    assert_eq!(
        desk.written(),
        ["ana@example.com", "cy@example.com", "dee@example.com"]
    );
}

#[test]
fn what_cannot_be_retried_is_said_and_nothing_is_sent() {
    let desk = Desk::with_people();
    desk.load("--quiet").expect(4);
    let run = desk.run_of("out.csv");
    let refusal = |args: &str| {
        let ended = desk.retry(args).expect(3);
        let said = ended.stderr.replace(&run, "RUN");
        said.trim_end().to_owned()
    };
    assert_snapshot!(refusal("out.csv --results out.csv"), @"error: the results file out.csv is the file that is retried; name another with --results");
    assert_snapshot!(refusal("out.csv --results people.csv"), @"error: the results file people.csv is an input (people.csv); name another with --results");
    assert_snapshot!(refusal("out.csv --code URL_INVALID"), @"error: out.csv: no row has the code URL_INVALID; the column code shows those that rows have, and csm-loader codes lists all");
    assert_snapshot!(refusal("people.csv"), @r#"error: people.csv: it has no column "run"; retry needs it: restore it, or name a results file of csm-loader"#);
    assert_snapshot!(refusal("nothing.csv"), @"error: nothing.csv: there is no such file; check its name and the current folder (No such file or directory (os error 2))");
    assert_snapshot!(refusal("out.csv --state-dir elsewhere"), @r#"error: out.csv, line 2, column run: the ledger has no run "RUN"; name the state folder of that run with --state-dir"#);
    assert_snapshot!(refusal("out.csv --target sandbox --quiet").replace(&desk.site.cloud_id, "CLOUD"), @"error: run RUN loaded into CLOUD, and this would load its rows into sandbox; name the site of that run");
    let lines = desk.place.read("out.csv");
    let last = lines.lines().last().unwrap();
    desk.place.write("twice.csv", format!("{lines}{last}\n"));
    assert_snapshot!(refusal("twice.csv"), @"error: twice.csv, line 8, column row: row 6 stands on line 7 already; keep one of them");
    desk.place
        .write("more.csv", lines.replace(",6,people", ",7,people"));
    assert_snapshot!(refusal("more.csv"), @"error: more.csv, line 7, column row: run RUN has no row 7 of this kind; restore it as it was in the results file");
    let people = desk.place.read("people.csv");
    desk.place
        .write("people.csv", people.replace("Gold", "Free"));
    assert_snapshot!(refusal("out.csv"), @"error: out.csv: it has no src. columns to load from, and its source people.csv has changed since the run; load the source again with csm-loader load, and use --with-source so that its results can be edited and retried by themselves");
    assert_eq!(desk.written().len(), 2);
    assert!(!desk.place.has("out-retry.csv"));
}

#[test]
fn without_a_site_a_retry_says_how_to_name_one() {
    let desk = Desk::with_people();
    desk.load("--quiet").expect(4);
    let ended = desk.run("retry out.csv --state-dir state").expect(3);
    assert_snapshot!(ended.stderr, @"error: no site: name one with --site acme.atlassian.net, try things on the local one with --target sandbox, or write [site] into the job file");
}

#[test]
fn a_code_that_no_row_has_is_said_to_be_none() {
    let desk = Desk::with_people();
    desk.load("--quiet").expect(4);
    let ended = desk.retry("out.csv --code NOPE --quiet").expect(3);
    assert_snapshot!(ended.stderr, @"error: out.csv: no row has the code NOPE; the column code shows those that rows have, and csm-loader codes lists all");
}

#[test]
fn the_results_of_the_run_are_not_written_over() {
    let desk = Desk::with_people();
    desk.load("--quiet --with-source").expect(4);
    let run = desk.run_of("out.csv");
    desk.fix_two();
    let before = desk.place.read("out.csv");
    let refused = desk.retry("fixed.csv --results out.csv").expect(3);
    let said = refused.stderr.replace(&run, "RUN");
    assert_snapshot!(said.lines().last().unwrap(), @"error: the results file out.csv has the results of run RUN, whose rows are loaded again; name another with --results");
    assert_eq!(desk.place.read("out.csv"), before);
}
