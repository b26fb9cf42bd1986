//! `[hierarchy]`: its faults, and what rows carry.

use super::{draft, map, parse, schema, shown, text};
use crate::api::contract::Contract;
use crate::api::fold;
use crate::mapping::{Emit, Plan, References};
use crate::model::entity::Entity;

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
    insta::assert_snapshot!(of("entity = \"customer\"\n[fields]\nemail = \"id\"\n"), @r"");
    insta::assert_snapshot!(of("entity = \"organization\"\napi = \"account\"\n[fields]\nname = \"name\"\n"), @r"");
    insta::assert_snapshot!(of("entity = \"organization\"\n[fields]\nname = \"name\"\nid = \"id\"\n"), @r"");
}

#[test]
fn a_hierarchy_names_a_column_of_parents_and_a_detail_of_its_own() {
    insta::assert_snapshot!(organization("[hierarchy]\n"), @r"");
    insta::assert_snapshot!(organization("[hierarchy]\nparent = \"parnt\"\ndetail = \"Parent\"\n"), @r"");
    insta::assert_snapshot!(organization("[hierarchy]\nparent = \"name\"\ndetail = \"Parent\"\n"), @r"");
    insta::assert_snapshot!(organization("[hierarchy]\nparent = { column = \"parent\", split = \";\" }\ndetail = \" \"\nlevels = 3\n"), @r"");
    insta::assert_snapshot!(
        organization("[details]\nRegion = \"region\"\n[hierarchy]\nparent = \"parent\"\ndetail = \"region\"\n"),
        @r""
    );
    insta::assert_snapshot!(organization("[hierarchy]\nparent = { sql = \"lower(parnt)\" }\ndetail = \"Parent\"\n"), @r"");
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
    insta::assert_snapshot!(shown(&mapped), @r"");
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
    let keys = draft.finish(&References::UNCHECKED, Emit::Keys);
    assert_eq!(keys.rows[1].parent, Some(key("acme")));
}
