//! What a full export no longer has.

use super::Nights;
use crate::support::place::{PEOPLE, Place};
use crate::support::process::Ended;
use insta::assert_snapshot;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

const FOUR: &str =
    "email,name\nana@example.com,Ana\nbo@example.com,Bo\ncy@example.com,Cy\ndi@example.com,Di\n";

fn report(nights: &Nights, mapping: &str, code: i32) -> Ended {
    nights.load_with(mapping, "", "--gone report", code).0
}

/// The keys that are listed.
fn listed(nights: &Nights) -> Vec<String> {
    let list = nights.place.results("out-gone.csv");
    let mut keys: Vec<_> = list.column("key").into_iter().map(str::to_owned).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn keys_that_are_missing_are_listed_and_left_alone() {
    let nights = Nights::of(PEOPLE, FOUR);
    nights.load("people.toml", "", 0);
    assert!(!nights.place.has("out-gone.csv"));
    let rows = "email,name\nBO@example.com,Bo\nnew@example.com,New\n";
    nights.place.write("people.csv", rows);
    assert_snapshot!(report(&nights, "people.toml", 0).steady(), @"
    customer: 2 rows in …, 1 write request
      loaded       2
      results: out.csv
      loaded before and not in the input: 3 records, listed in out-gone.csv

    2 rows in …: 2 loaded
    ");
    assert_eq!(
        listed(&nights),
        ["ana@example.com", "cy@example.com", "di@example.com"]
    );
    let list = nights.place.results("out-gone.csv");
    assert_eq!(list.columns, ["key", "remote_id", "confirmed_at"]);
    let times = list.column("confirmed_at");
    assert!(
        times
            .iter()
            .all(|time| time.starts_with("20") && time.ends_with('Z')),
        "{times:?}"
    );
    let mode = fs::metadata(nights.place.path("out-gone.csv"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(nights.site.count("customers"), 5);
    // nothing is written unless it is asked for, and the list is as old as it says
    nights.place.write("people.csv", FOUR);
    nights.load("people.toml", "", 0);
    assert_eq!(listed(&nights).len(), 3);
    report(&nights, "people.toml", 0);
    assert_eq!(listed(&nights), ["new@example.com"]);
}

#[test]
fn a_rejected_row_is_not_gone() {
    let mapping = format!("{PEOPLE}[rules]\nKNOWN = \"name <> 'Nobody'\"\n");
    let nights = Nights::of(&mapping, FOUR);
    nights.load("people.toml", "", 0);
    let rows = "email,name\nana@example.com,Nobody\nbo(at)example.com,Bo\ncy@example.com,Cy\n";
    nights.place.write("people.csv", rows);
    assert_snapshot!(report(&nights, "people.toml", 4).steady(), @"
    customer: 3 rows in …
      loaded       0
      unchanged    1
      rejected     2
      most frequent codes, each with an example:
        1  EMAIL_INVALID  people.csv line 3: email: not an e-mail address
        1  KNOWN          people.csv line 2: breaks the rule: name <> 'Nobody'
      results: out.csv
      loaded before and not in the input: 2 records, listed in out-gone.csv
        whose records may be among them, as their keys cannot be told: 1 rejected row

    3 rows in …: 1 unchanged, 2 rejected
    what each code means and what to do: csm-loader codes
    ");
    assert_eq!(listed(&nights), ["bo@example.com", "di@example.com"]);
}

#[test]
fn only_what_this_mapping_loaded_can_be_gone() {
    let nights = Nights::of(PEOPLE, FOUR);
    let planned = "entity = \"customer\"\nkey = \"email\"\n[fields]\nemail = \"email\"\n[details]\nPlan = { value = \"Pro\" }\n";
    nights.place.write("planned.toml", planned);
    nights.load("people.toml", "", 0);
    nights.place.write(
        "people.csv",
        "email,name\neve@example.com,Eve\nfe@example.com,Fe\n",
    );
    nights.load("planned.toml", "", 0);
    nights
        .place
        .write("people.csv", "email,name\nfe@example.com,Fe\n");
    report(&nights, "planned.toml", 0);
    assert_eq!(listed(&nights), ["eve@example.com"]);
    report(&nights, "people.toml", 0);
    assert_eq!(listed(&nights).len(), 4);
    assert_eq!(nights.site.count("customers"), 6);
}

#[test]
fn a_stage_may_ask_for_it_itself_and_products_are_never_listed() {
    let nights = Nights::of(PEOPLE, FOUR);
    nights.place.write(
        "products.toml",
        "entity = \"product\"\n[fields]\nname = \"name\"\n",
    );
    let job = format!(
        "{}[state]\ndir = \"state\"\n[[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\n\
         results = \"out.csv\"\ngone = \"report\"\n\
         [[stage]]\nmapping = \"products.toml\"\ninput = \"people.csv\"\nresults = \"products.csv\"\n",
        nights.site.site_table()
    );
    nights.place.write("both.toml", job);
    let load = |flags: &str| {
        let env = &crate::support::scripted::CREDENTIALS;
        let line = format!("load both.toml --quiet {flags}");
        nights.place.run_with(line.trim(), env).expect(0)
    };
    load("");
    nights
        .place
        .write("people.csv", FOUR.replace("di@example.com,Di\n", ""));
    load("--gone report");
    assert_eq!(listed(&nights), ["di@example.com"]);
    assert!(!nights.place.has("products-gone.csv"));
}

#[test]
fn a_list_never_replaces_an_input() {
    let place = Place::with_people("");
    place.write("out-gone.csv", FOUR);
    let ended = place.load_people("out-gone.csv --gone report");
    let ended = ended.expect(3);
    assert_snapshot!(ended.stderr, @"error: the list of what is gone, out-gone.csv, is an input (out-gone.csv); name other results with --results");
    assert_eq!(place.read("out-gone.csv"), FOUR);
}
