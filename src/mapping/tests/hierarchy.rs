//! `[hierarchy]`: its faults, and what rows carry.

use super::{draft, map, parse, schema, shown, text};
use crate::api::contract::Contract;
use crate::api::fold;
use crate::mapping::{Emit, Plan, References};
use crate::model::entity::Entity;
use crate::model::row::RowId;

fn faults(mapping: &str) -> String {
    let columns = schema(&["name", "id", "parent", "region"]);
    match Plan::compile(&parse(mapping).unwrap(), &columns, &Contract::default()) {
        Ok(_) => panic!("no fault was found"),
        Err(diagnostics) => diagnostics.to_string(),
    }
}

/// Faults of an organization mapping that ends so.
fn organization(end: &str) -> String {
    faults(&format!(
        "entity = \"organization\"\n[fields]\nname = \"name\"\n{end}"
    ))
}

#[test]
fn only_organizations_with_all_their_parts_have_parents() {
    let hierarchy = "[hierarchy]\nparent = \"parent\"\ndetail = \"Parent\"\n";
    let of = |head: &str| faults(&format!("{head}{hierarchy}"));
    insta::assert_snapshot!(of("entity = \"customer\"\n[fields]\nemail = \"id\"\n"), @"
    error: a customer has no [hierarchy]
     --> m.toml:4:2
      |
    4 | [hierarchy]
      |  ^^^^^^^^^
      |
      = help: only organizations have parents
    ");
    insta::assert_snapshot!(of("entity = \"organization\"\napi = \"account\"\n[fields]\nname = \"name\"\n"), @r#"
    error: api = "account" carries no hierarchy
     --> m.toml:5:2
      |
    5 | [hierarchy]
      |  ^^^^^^^^^
      |
      = help: leave [hierarchy] out, or use api = "profile"
    "#);
    insta::assert_snapshot!(of("entity = \"organization\"\n[fields]\nname = \"name\"\nid = \"id\"\n"), @r#"
    error: [hierarchy] finds parents by name, and rows with an id are known by it alone
     --> m.toml:4:1
      |
    4 | id = "id"
      | ^^
      |
      = help: leave id out, so that name identifies the organization
    "#);
}

#[test]
fn a_hierarchy_names_a_column_of_parents_and_a_detail_of_its_own() {
    insta::assert_snapshot!(organization("[hierarchy]\n"), @r#"
    error: [hierarchy] has no parent
     --> m.toml:4:2
      |
    4 | [hierarchy]
      |  ^^^^^^^^^
      |
      = help: add parent = "…", the column that holds the parent's name

    error: [hierarchy] has no detail
     --> m.toml:4:2
      |
    4 | [hierarchy]
      |  ^^^^^^^^^
      |
      = help: add detail = "…", the text field of the site that takes the parent's name
    "#);
    insta::assert_snapshot!(organization("[hierarchy]\nparent = \"parnt\"\ndetail = \"Parent\"\n"), @r#"
    error: unknown column "parnt"
     --> m.toml:5:10
      |
    5 | parent = "parnt"
      |          ^^^^^^^
      |
      = help: did you mean "parent"?
    "#);
    insta::assert_snapshot!(organization("[hierarchy]\nparent = \"name\"\ndetail = \"Parent\"\n"), @r#"
    error: "name" is the organization's own name: each would be its own parent
     --> m.toml:5:10
      |
    5 | parent = "name"
      |          ^^^^^^
      |
      = help: name the column that holds the parent's name
    "#);
    insta::assert_snapshot!(organization("[hierarchy]\nparent = { column = \"parent\", split = \";\" }\ndetail = \" \"\nlevels = 3\n"), @r#"
    error: unknown key "split"
     --> m.toml:5:31
      |
    5 | parent = { column = "parent", split = ";" }
      |                               ^^^^^
      |
      = help: the keys are "column", "value", "sql", "map", "default", "empty"

    error: the detail has no name
     --> m.toml:6:10
      |
    6 | detail = " "
      |          ^^^
      |
      = help: write the field's name as the site shows it

    error: unknown key "levels"
     --> m.toml:7:1
      |
    7 | levels = 3
      | ^^^^^^
      |
      = help: the keys are "parent", "detail"
    "#);
    insta::assert_snapshot!(
        organization("[details]\nRegion = \"region\"\n[hierarchy]\nparent = \"parent\"\ndetail = \"region\"\n"),
        @r#"
    error: the detail "region" is mapped twice
     --> m.toml:8:10
      |
    8 | detail = "region"
      |          ^^^^^^^^
      |
      = help: the site takes it for "Region": case and blanks do not matter
    "#
    );
    insta::assert_snapshot!(organization("[hierarchy]\nparent = { sql = \"lower(parnt)\" }\ndetail = \"Parent\"\n"), @r#"
    error: unknown column "parnt"
     --> m.toml:5:25
      |
    5 | parent = { sql = "lower(parnt)" }
      |                         ^^^^^
      |
      = help: did you mean "parent"?
    "#);
}

#[test]
fn a_parent_is_a_detail_value_and_a_natural_key() {
    let mapping = "entity = \"organization\"\nkey_detail = \"Number\"\nkey = \"id\"\n[fields]\nname = \"name\"\n\
                   [details]\nRegion = \"region\"\n\
                   [hierarchy]\nparent = { sql = \"nullif(parent, 'none')\", empty = \"clear\" }\ndetail = \"Parent\"\n";
    let columns = || {
        vec![
            text("id", &["1", "2", "3", "4"]),
            text("name", &["Acme", "Acme UK", "Acme Wales", "-"]),
            text("parent", &["none", " ACME ", "Acme UK", "Acme"]),
            text("region", &["EMEA", "-", "EMEA", "EMEA"]),
        ]
    };
    let mapped = map(mapping, columns());
    insta::assert_snapshot!(shown(&mapped), @r#"
    1 [1] {"operationType":"UPSERT","payload":{"name":"Acme","details":[{"name":"Region","values":["EMEA"]},{"name":"Parent","values":[]},{"name":"Number","values":["1"]}]}}
    2 [2] {"operationType":"UPSERT","payload":{"name":"Acme UK","details":[{"name":"Parent","values":["ACME"]},{"name":"Number","values":["2"]}]}}
    3 [3] {"operationType":"UPSERT","payload":{"name":"Acme Wales","details":[{"name":"Region","values":["EMEA"]},{"name":"Parent","values":["Acme UK"]},{"name":"Number","values":["3"]}]}}
    4 [4] REQUIRED_MISSING name: no value; the field is required
    "#);
    let key = |name: &str| fold::hash(Entity::Organization, &fold::name(name));
    let parents: Vec<_> = mapped.rows.iter().map(|row| row.parent).collect();
    assert_eq!(parents, [None, Some(key("Acme")), Some(key("Acme UK"))]);
    assert_eq!(mapped.rows[0].hash, key("Acme"));
    // of rejected rows too
    let draft = draft(mapping, columns());
    let parents: Vec<_> = draft
        .parents()
        .map(|(row, name)| (row.0, name.to_owned()))
        .collect();
    assert_eq!(
        parents,
        [
            (2, "ACME".to_owned()),
            (3, "Acme UK".to_owned()),
            (4, "Acme".to_owned())
        ]
    );
    let named: Vec<_> = draft.named().collect();
    assert_eq!((named.len(), named[1]), (3, (RowId(2), key("acme uk"))));
    let keys = draft.finish(&References::UNCHECKED, Emit::Keys);
    assert_eq!(keys.rows[1].parent, Some(key("acme")));
}
