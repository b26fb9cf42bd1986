//! Detail fields as rows.

use super::faults::faults;
use super::{map, plan_for, shown, text};
use crate::model::entity::Entity;
use insta::assert_snapshot;
use polars::prelude::Column;

const MAPPING: &str = "entity = \"detail-field\"\n[fields]\nof = \"belongs_to\"\nname = \"field\"\ntype = \"kind\"\n\
                       options = { column = \"choices\", split = \"|\" }\n";

fn columns(rows: &[[&str; 4]]) -> Vec<Column> {
    let names = ["belongs_to", "field", "kind", "choices"];
    let columns = names.iter().enumerate();
    columns
        .map(|(at, name)| text(name, &rows.iter().map(|row| row[at]).collect::<Vec<_>>()))
        .collect()
}

#[test]
fn a_row_becomes_a_definition() {
    let rows = columns(&[
        ["customer", " Region ", "select", "EMEA| APAC|EMEA||"],
        ["Organization", "Founded", "Date", "-"],
        ["ENTITLEMENT", "Seats", "NUMBER", "-"],
        ["customer", "say \"hi\"", "multiselect", "a"],
    ]);
    assert_eq!(plan_for(MAPPING, &rows).entity(), Entity::DetailField);
    assert_eq!(plan_for(MAPPING, &rows).asked().name(), "create");
    let mapped = map(MAPPING, rows);
    assert_snapshot!(shown(&mapped), @r#"
    1 [Region] {"name":"Region","type":{"name":"SELECT","options":["EMEA","APAC"]}}
    2 [Founded] {"name":"Founded","type":{"name":"DATE"}}
    3 [Seats] {"name":"Seats","type":{"name":"NUMBER"}}
    4 [say "hi"] {"name":"say \"hi\"","type":{"name":"MULTISELECT","options":["a"]}}
    "#);
    let identities: Vec<_> = mapped
        .rows
        .iter()
        .map(|row| row.identity.as_str())
        .collect();
    assert_eq!(
        identities,
        [
            "customer/region",
            "organization/founded",
            "entitlement/seats",
            "customer/say \"hi\""
        ]
    );
}

#[test]
fn the_same_name_of_another_owner_is_another_field() {
    let mapped = map(
        MAPPING,
        columns(&[
            ["customer", "Region", "TEXT", "-"],
            ["organization", "Region", "TEXT", "-"],
            ["customer", " REGION", "DATE", "-"],
        ]),
    );
    let hash = |row: usize| mapped.rows[row].hash;
    assert_ne!(hash(0), hash(1));
    assert_eq!(hash(0), hash(2));
}

#[test]
fn rows_that_describe_no_field_are_rejected_with_all_their_reasons() {
    let many = (0..=2000)
        .map(|n| n.to_string())
        .collect::<Vec<_>>()
        .join("|");
    assert_snapshot!(shown(&map(MAPPING, columns(&[
        ["person", "A", "colour", "x"],
        ["customer", "-", "-", "-"],
        ["customer", "B", "SELECT", "-"],
        ["customer", "C", "TEXT", "x"],
        ["customer", "D", "MULTISELECT", &many],
    ]))), @"
    1 [A] OWNER_UNKNOWN of: not one of customer, organization, entitlement; TYPE_UNKNOWN type: not one of TEXT, EMAIL, URL, DATE, NUMBER, BOOLEAN, PHONE, SELECT, MULTISELECT
    2 [] REQUIRED_MISSING name: no value; the field is required; REQUIRED_MISSING type: no value; the field is required
    3 [B] OPTIONS_INVALID options: SELECT fields need options
    4 [C] OPTIONS_INVALID options: TEXT fields have no options; only SELECT and MULTISELECT do
    5 [D] OPTIONS_INVALID options: 2001 options; at most 2000 are allowed
    ");
}

#[test]
fn words_of_the_source_are_mapped_and_an_owner_may_be_the_same_for_all() {
    let mapping = "entity = \"detail-field\"\n[fields]\nof = { value = \"Customer\" }\nname = \"field\"\n\
                   type = { column = \"kind\", map = { string = \"TEXT\", pick = \"SELECT\" }, default = \"NUMBER\" }\n\
                   options = { sql = \"case when kind = 'pick' then choices end\", split = \",\", max_length = 3 }\n";
    assert_snapshot!(shown(&map(mapping, columns(&[
        ["-", "A", "string", "x"],
        ["-", "B", "pick", "x,yy,zzz"],
        ["-", "C", "-", "x"],
        ["-", "D", "pick", "long"],
    ]))), @r#"
    1 [A] {"name":"A","type":{"name":"TEXT"}}
    2 [B] {"name":"B","type":{"name":"SELECT","options":["x","yy","zzz"]}}
    3 [C] {"name":"C","type":{"name":"NUMBER"}}
    4 [D] TOO_LONG options: 4 characters; at most 3 are allowed
    "#);
    // without a column of options, a select has nowhere to take them from
    let bare = "entity = \"detail-field\"\n[fields]\nof = { value = \"customer\" }\nname = \"field\"\ntype = \"kind\"\n";
    assert_snapshot!(shown(&map(bare, columns(&[["-", "A", "select", "x"], ["-", "B", "url", "x"]]))), @r#"
    2 [B] {"name":"B","type":{"name":"URL"}}
    1 [A] OPTIONS_INVALID options: SELECT fields need options
    "#);
}

#[test]
fn a_definition_needs_an_owner_a_name_and_a_type() {
    assert_snapshot!(faults("entity = \"detail-field\"\n[fields]\nname = \"region\"\n"), @r#"
    error: a detail-field needs "of" and "type" in [fields]
     --> m.toml:1:10
      |
    1 | entity = "detail-field"
      |          ^^^^^^^^^^^^^^
      |
      = help: add of = { value = "customer" }, or a column that says it
    "#);
}

#[test]
fn a_mapping_of_definitions_that_cannot_work_says_why() {
    assert_snapshot!(faults(
        r#"entity     = "detail-field"
api        = "account"
operation  = "update"
key        = "crm_id"
key_detail = "External ID"
[fields]
of       = { value = "people", type = "select" }
name     = "region"
type     = { value = "SELEKT" }
options  = { column = "channels", type = "multiselect", options = ["a"] }
kind     = "region"
[details]
"Region" = "region"
[products]
names = "region"
"#), @r#"
    error: a detail-field has no endpoint families
     --> m.toml:2:14
      |
    2 | api        = "account"
      |              ^^^^^^^^^
      |
      = help: leave api out; it is for customers and organizations

    error: a detail field has no operation
     --> m.toml:3:14
      |
    3 | operation  = "update"
      |              ^^^^^^^^
      |
      = help: leave it out: what is missing is created, and what is there is never changed

    error: a detail field has no details
     --> m.toml:5:14
      |
    5 | key_detail = "External ID"
      |              ^^^^^^^^^^^^^
      |
      = help: its type and options stand in [fields]

    error: this field has a type of its own
     --> m.toml:7:39
      |
    7 | of       = { value = "people", type = "select" }
      |                                       ^^^^^^^^
      |
      = help: leave type out; other words can be mapped with map

    error: every row with this value would be rejected: not one of TEXT, EMAIL, URL, DATE, NUMBER, BOOLEAN, PHONE, SELECT, MULTISELECT
     --> m.toml:9:22
      |
    9 | type     = { value = "SELEKT" }
      |                      ^^^^^^^^

    error: options are text
      --> m.toml:10:42
       |
    10 | options  = { column = "channels", type = "multiselect", options = ["a"] }
       |                                          ^^^^^^^^^^^^^
       |
       = help: leave type out

    error: unknown field "kind" of a detail-field
      --> m.toml:11:1
       |
    11 | kind     = "region"
       | ^^^^
       |
       = help: a detail-field has "of", "name", "type", "options"

    error: a detail field has no details
      --> m.toml:13:1
       |
    13 | "Region" = "region"
       | ^^^^^^^^
       |
       = help: its type and options stand in [fields]

    error: a detail-field has no [products]
      --> m.toml:14:2
       |
    14 | [products]
       |  ^^^^^^^^
       |
       = help: customers and organizations have products
    "#);
    assert_snapshot!(faults(
        "entity = \"detail-field\"\n[fields]\nof = { value = \"people\" }\nname = \"region\"\ntype = { value = \"SELEKT\" }\n"
    ), @r#"
    error: every row with this value would be rejected: not one of customer, organization, entitlement
     --> m.toml:3:16
      |
    3 | of = { value = "people" }
      |                ^^^^^^^^

    error: every row with this value would be rejected: not one of TEXT, EMAIL, URL, DATE, NUMBER, BOOLEAN, PHONE, SELECT, MULTISELECT
     --> m.toml:5:18
      |
    5 | type = { value = "SELEKT" }
      |                  ^^^^^^^^
    "#);
}
