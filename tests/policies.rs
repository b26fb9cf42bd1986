//! Policies of a load: which of several rows of one key is sent, and how many errors are borne.

use crate::support::place::Place;
use crate::support::sandbox::Sandbox;
use insta::assert_snapshot;

/// Five rows, three of one key, which is written in several ways.
const REPEATED: &str = "ana@example.com,First\nbob@example.com,Bob\n ANA@Example.com,Second\nana@example.com,Third\neve@example.com,Eve\n";

/// Loads them by a policy: what each row's result says, the name that the site holds, and how often it was written.
fn repeated(policy: &str, code: i32) -> String {
    let place = Place::with_people(REPEATED);
    place
        .load_people(&format!("people.csv --duplicates {policy}"))
        .expect(code);
    let site = Sandbox::serve(&place, "--state-dir state");
    let name = site
        .records("customers")
        .get("ana@example.com")
        .map(|ana| ana["displayName"].to_string());
    let writes = site
        .audit()
        .iter()
        .filter(|write| write.key == "ana@example.com")
        .count();
    format!(
        "{}written {writes} times: {}\n",
        place.results("out.csv").told(),
        name.unwrap_or_default()
    )
}

#[test]
fn each_policy_decides_which_row_of_a_key_is_sent() {
    assert_snapshot!(repeated("last", 0), @r#"
    1 | 2 | ana@example.com | duplicate | DUPLICATE_KEY |  | row 4 has the same natural key and stands for it
    2 | 3 | bob@example.com | loaded
    3 | 4 |  ANA@Example.com | duplicate | DUPLICATE_KEY |  | row 4 has the same natural key and stands for it
    4 | 5 | ana@example.com | loaded
    5 | 6 | eve@example.com | loaded
    written 1 times: "Third"
    "#);
    assert_snapshot!(repeated("first", 0), @r#"
    1 | 2 | ana@example.com | loaded
    2 | 3 | bob@example.com | loaded
    3 | 4 |  ANA@Example.com | duplicate | DUPLICATE_KEY |  | row 1 has the same natural key and stands for it
    4 | 5 | ana@example.com | duplicate | DUPLICATE_KEY |  | row 1 has the same natural key and stands for it
    5 | 6 | eve@example.com | loaded
    written 1 times: "First"
    "#);
    assert_snapshot!(repeated("all-in-order", 0), @r#"
    1 | 2 | ana@example.com | loaded
    2 | 3 | bob@example.com | loaded
    3 | 4 |  ANA@Example.com | loaded
    4 | 5 | ana@example.com | loaded
    5 | 6 | eve@example.com | loaded
    written 3 times: "Third"
    "#);
    assert_snapshot!(repeated("reject", 4), @"
    1 | 2 | ana@example.com | rejected | DUPLICATE_REJECTED |  | 3 rows share this natural key; the first is row 1
    2 | 3 | bob@example.com | loaded
    3 | 4 |  ANA@Example.com | rejected | DUPLICATE_REJECTED |  | 3 rows share this natural key; the first is row 1
    4 | 5 | ana@example.com | rejected | DUPLICATE_REJECTED |  | 3 rows share this natural key; the first is row 1
    5 | 6 | eve@example.com | loaded
    written 0 times:
    ");
}

#[test]
fn a_row_that_is_rejected_does_not_compete_for_its_key() {
    let place =
        Place::with_people("ana@example.com,First\nana@example.com,too,many\nana@example.com,\n");
    place.write(
        "people.toml",
        "entity = \"customer\"\nkey = \"email\"\n[fields]\nemail = \"email\"\n\
         display_name = { column = \"name\", required = true }\n",
    );
    place.load_people("people.csv").expect(4);
    assert_snapshot!(place.results("out.csv").told(), @"
    1 | 2 | ana@example.com | loaded
    2 | 3 |  | rejected | CSV_TOO_MANY_FIELDS |  | 3 fields; the header has 2
    3 | 4 | ana@example.com | rejected | REQUIRED_MISSING | display_name | no value; the field is required
    ");
}

#[test]
fn too_many_errors_stop_the_run_with_every_row_accounted_for() {
    let lines = (0..1_200).map(|row| {
        let at = if row % 10 == 0 { "" } else { "@example.com" };
        format!("p{row}{at},Person")
    });
    let place = Place::with_people(&lines.collect::<Vec<_>>().join("\n"));
    let ended = place.load_people("people.csv --max-errors 5%").expect(5);
    assert_snapshot!(ended.steady(), @"
    customer: 1,200 rows in …
      loaded           0
      rejected       120
      not_sent     1,080
      most frequent codes, each with an example:
        1,080  RUN_STOPPED    people.csv line 3: 120 of 1200 rows were rejected, more than --max-errors 5% allows; nothing of this stage was sent
          120  EMAIL_INVALID  people.csv line 2: email: not an e-mail address
      results: out.csv

    1,200 rows in …: 120 rejected, 1,080 not_sent
    stopped early: 120 of 1200 rows were rejected, more than --max-errors 5% allows; nothing of this stage was sent
    what each code means and what to do: csm-loader codes
    ");
    let results = place.results("out.csv");
    results.expect_rows(1_200);
    let counts = results.counts();
    let loaded = counts.get("loaded").copied().unwrap_or_default();
    assert_eq!(counts.values().sum::<usize>(), 1_200);
    let site = Sandbox::serve(&place, "--state-dir state");
    assert_eq!(site.count("customers"), loaded as u64);
    drop(site);
    // as many as there are, are borne
    place.load_people("people.csv --max-errors 119").expect(5);
    place.load_people("people.csv --max-errors 120").expect(4);
    let counts = |status: &str| [(status.to_owned(), 1_080), ("rejected".to_owned(), 120)].into();
    assert_eq!(place.results("out.csv").counts(), counts("loaded"));
    place.load_people("people.csv --max-errors 10%").expect(4);
    assert_eq!(place.results("out.csv").counts(), counts("unchanged"));
}

#[test]
fn too_many_failures_on_the_site_stop_the_run_too() {
    let place = Place::with_crowd(2_000);
    // the site has no such field, and refuses each row
    place.write(
        "people.toml",
        "entity = \"customer\"\nkey = \"email\"\n[fields]\nemail = \"email\"\n[details]\n\"Region\" = \"name\"\n",
    );
    place.write(
        "site.toml",
        "[[customer_detail]]\nname = \"Other\"\ntype = \"TEXT\"\n",
    );
    for most in ["50", "5%"] {
        place
            .load_people(&format!(
                "people.csv --max-errors {most} --sandbox-seed site.toml"
            ))
            .expect(5);
        let results = place.results("out.csv");
        results.expect_rows(2_000);
        let counts = results.counts();
        assert!((100..2_000).contains(&counts["failed"]), "{counts:?}");
        assert_eq!(counts["failed"] + counts["not_sent"], 2_000);
    }
}
