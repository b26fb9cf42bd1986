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
    assert_snapshot!(before, @"");
    // not even from the file as it was first: a later run loaded row 3
    let ended = desk
        .retry("edited.csv --status failed --log lines")
        .expect(4);
    let said = told(&ended, &run);
    let (before, _) = said.split_once("\nrun ").unwrap();
    assert_snapshot!(before, @"");
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
    assert_snapshot!(refusal("out.csv --results out.csv"), @"");
    assert_snapshot!(refusal("out.csv --results people.csv"), @"");
    assert_snapshot!(refusal("out.csv --code URL_INVALID"), @"");
    assert_snapshot!(refusal("people.csv"), @"");
    assert_snapshot!(refusal("nothing.csv"), @"");
    assert_snapshot!(refusal("out.csv --state-dir elsewhere"), @"");
    assert_snapshot!(refusal("out.csv --target sandbox --quiet").replace(&desk.site.cloud_id, "CLOUD"), @"");
    let lines = desk.place.read("out.csv");
    let last = lines.lines().last().unwrap();
    desk.place.write("twice.csv", format!("{lines}{last}\n"));
    assert_snapshot!(refusal("twice.csv"), @"");
    desk.place
        .write("more.csv", lines.replace(",6,people", ",7,people"));
    assert_snapshot!(refusal("more.csv"), @"");
    let people = desk.place.read("people.csv");
    desk.place
        .write("people.csv", people.replace("Gold", "Free"));
    assert_snapshot!(refusal("out.csv"), @"");
    assert_eq!(desk.written().len(), 2);
    assert!(!desk.place.has("out-retry.csv"));
}

#[test]
fn without_a_site_a_retry_says_how_to_name_one() {
    let desk = Desk::with_people();
    desk.load("--quiet").expect(4);
    let ended = desk.run("retry out.csv --state-dir state").expect(3);
    assert_snapshot!(ended.stderr, @"");
}
