//! Several mappings of the same records: what one writes may undo what another confirmed.

use super::{Nights, keys};

/// The head of a mapping of customers.
const CUSTOMERS: &str = "entity = \"customer\"\nkey = \"email\"\n[fields]\nemail = \"email\"\n";
const ROWS: &str =
    "email,name,plan,region\nana@example.com,Ana,Pro,EMEA\nbo@example.com,Bo,Basic,AMER\n";

/// A mapping that writes these lines beside the e-mail.
fn mapping(lines: &str) -> String {
    format!("{CUSTOMERS}{lines}")
}

#[test]
fn a_mapping_that_makes_other_payloads_sends_again() {
    let nights = Nights::of(&mapping("display_name = \"name\"\n"), ROWS);
    nights.load("people.toml", "", 0);
    let changed = mapping("display_name = { sql = \"upper(name)\" }\n");
    nights.place.write("people.toml", changed);
    assert_eq!(nights.load("people.toml", "", 0).len(), 2);
    let changed = mapping("display_name = { sql = \"upper(name)\" }\n[details]\nPlan = \"plan\"\n");
    nights.place.write("people.toml", changed);
    assert_eq!(nights.load("people.toml", "", 0).len(), 2);
    assert_eq!(nights.load("people.toml", "", 0), []);
}

#[test]
fn mappings_of_disjoint_fields_leave_each_other_alone() {
    let nights = Nights::of(&mapping("[details]\nPlan = \"plan\"\n"), ROWS);
    let region = mapping("[details]\nRegion = \"region\"\n");
    nights.place.write("region.toml", region);
    for mapping in ["people.toml", "region.toml"] {
        assert_eq!(nights.load(mapping, "", 0).len(), 2, "{mapping}");
    }
    for mapping in ["people.toml", "region.toml", "people.toml"] {
        assert_eq!(nights.load(mapping, "", 0), [], "{mapping}");
    }
}

#[test]
fn a_write_by_a_mapping_that_shares_a_field_makes_the_other_send_again() {
    let nights = Nights::of(
        &mapping("display_name = \"name\"\n[details]\nPlan = \"plan\"\n"),
        ROWS,
    );
    let region = mapping("[details]\nPlan = { value = \"Basic\" }\nRegion = \"region\"\n");
    nights.place.write("region.toml", region);
    nights.load("people.toml", "", 0);
    nights.place.write(
        "people.csv",
        "email,name,plan,region\nana@example.com,Ana,Pro,EMEA\n",
    );
    assert_eq!(
        keys(&nights.load("region.toml", "", 0)),
        ["ana@example.com"]
    );
    nights.place.write("people.csv", ROWS);
    // Bo is as this mapping left him
    assert_eq!(
        keys(&nights.load("people.toml", "", 0)),
        ["ana@example.com"]
    );
    assert_eq!(nights.statuses(), ["loaded", "unchanged"]);
    assert_eq!(nights.load("region.toml", "", 0).len(), 2);
}
