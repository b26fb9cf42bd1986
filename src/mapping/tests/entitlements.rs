//! Entitlements as rows.

use super::faults::faults;
use super::{chunk, draft, map, plan_for, shown, text};
use crate::mapping::{Emit, Known, OnMissing, RefKind, References};
use crate::model::entity::Entity;
use crate::model::row::Mapped;
use insta::assert_snapshot;
use polars::prelude::Column;

const MAPPING: &str = "entity = \"entitlement\"\n[fields]\ncustomer = \"mail\"\norganization = \"firm\"\n\
                       product = \"goods\"\n[details]\n\"Seats\" = { column = \"seats\", type = \"number\" }\n\
                       \"Modules\" = { column = \"modules\", type = \"multiselect\", split = \";\", empty = \"clear\" }\n";

fn columns(rows: &[[&str; 5]]) -> Vec<Column> {
    let names = ["mail", "firm", "goods", "seats", "modules"];
    let columns = names.iter().enumerate();
    columns
        .map(|(at, name)| text(name, &rows.iter().map(|row| row[at]).collect::<Vec<_>>()))
        .collect()
}

/// Rows mapped with a site that has "Acme" and "Router".
fn resolved(mapping: &str, columns: Vec<Column>) -> Mapped {
    let known = |name: &str, id: &str| Known::Resolved([(name.into(), id.into())].into());
    let references = References {
        organizations: known("acme", "12"),
        products: known("router", "p-1"),
    };
    draft(mapping, columns).finish(&references, Emit::Payloads)
}

#[test]
fn a_row_says_who_has_what_with_which_values() {
    let rows = columns(&[
        ["Ana@Example.com ", "-", "Router", "5", "a;b;a"],
        ["-", " ACME", "router", "-", "-"],
    ]);
    let plan = plan_for(MAPPING, &rows);
    assert_eq!(plan.entity(), Entity::Entitlement);
    assert_eq!(plan.asked().name(), "upsert");
    assert_eq!(plan.writes(), ["detail Seats", "detail Modules"]);
    assert_eq!(
        plan.on_missing(RefKind::Organization),
        Some(OnMissing::Reject)
    );
    assert_eq!(plan.on_missing(RefKind::Product), Some(OnMissing::Reject));
    assert_eq!(plan.columns_of("product"), ["goods"]);
    assert_snapshot!(shown(&resolved(MAPPING, rows)), @r#"
    1 [Ana@Example.com / Router] {"owner":{"email":"Ana@Example.com"},"product":"p-1","details":[["Seats",["5"]],["Modules",["a","b"]]]}
    2 [ACME / router] {"owner":{"organization":"12"},"product":"p-1","details":[["Modules",[]]]}
    "#);
}

#[test]
fn ids_stand_for_names_and_win_over_them() {
    let mapping = "entity = \"entitlement\"\nkey = \"seats\"\n[fields]\ncustomer = \"mail\"\ncustomer_id = \"firm\"\n\
                   product = \"goods\"\nproduct_id = \"modules\"\n";
    let rows = columns(&[
        ["ana@example.com", "-", "Router", "1", "-"],
        ["ana@example.com", "qm:1", "Router", "2", "p-9"],
        ["-", "qm:2", "Unheard of", "3", "p-9"],
        ["-", "-", "-", "4", "-"],
    ]);
    assert_snapshot!(shown(&resolved(mapping, rows)), @r#"
    1 [1] {"owner":{"email":"ana@example.com"},"product":"p-1","details":[]}
    2 [2] {"owner":{"customer":"qm:1"},"product":"p-9","details":[]}
    3 [3] {"owner":{"customer":"qm:2"},"product":"p-9","details":[]}
    4 [4] REQUIRED_MISSING customer: no value; an entitlement belongs to a customer or an organization; REQUIRED_MISSING product: no value; the field is required
    "#);
    let mapping = "entity = \"entitlement\"\n[fields]\norganization_id = \"mail\"\norganization = \"firm\"\n\
                   product_id = \"goods\"\n";
    let rows = columns(&[
        ["7", "Unheard of", "p-1", "-", "-"],
        ["-", "Acme", "p-1", "-", "-"],
        ["-", "Acme", "-", "-", "-"],
    ]);
    assert_snapshot!(shown(&resolved(mapping, rows)), @r#"
    1 [7 / p-1] {"owner":{"organization":"7"},"product":"p-1","details":[]}
    2 [Acme / p-1] {"owner":{"organization":"12"},"product":"p-1","details":[]}
    3 [] REQUIRED_MISSING product_id: no value; the field is required
    "#);
}

#[test]
fn rows_without_one_owner_and_one_product_are_rejected_with_all_their_reasons() {
    let rows = columns(&[
        ["ana@example.com", "Acme", "Router", "-", "-"],
        ["-", "-", "Router", "many", "-"],
        ["ana@", "-", "-", "-", "-"],
        ["-", "Unheard of", "Nothing", "-", "-"],
    ]);
    assert_snapshot!(shown(&resolved(MAPPING, rows)), @r#"
    1 [ana@example.com / Router] OWNER_AMBIGUOUS organization: a customer and an organization; an entitlement belongs to one of them
    2 [] REQUIRED_MISSING customer: no value; an entitlement belongs to a customer or an organization; NUMBER_INVALID Seats: not a number
    3 [] EMAIL_INVALID customer: not an e-mail address; REQUIRED_MISSING product: no value; the field is required
    4 [Unheard of / Nothing] ORGANIZATION_NOT_FOUND organization: the site has no organization named "Unheard of"; PRODUCT_NOT_FOUND product: the site has no product named "Nothing"
    "#);
}

#[test]
fn an_owner_and_a_product_are_the_natural_key() {
    let rows = columns(&[
        ["Ana@Example.com", "-", "Router", "1", "-"],
        ["ana@example.com ", "-", " ROUTER", "2", "-"],
        ["-", "Router", "ana@example.com", "3", "-"],
        ["-", "Acme", "Router", "4", "-"],
        ["ana@example.com", "-", "Switch", "5", "-"],
    ]);
    let mapped = map(MAPPING, rows);
    let hash = |row: usize| mapped.rows[row].hash;
    assert_eq!(hash(0), hash(1));
    let hashes: std::collections::HashSet<_> = (1..5).map(hash).collect();
    assert_eq!(hashes.len(), 4);
    assert_eq!(
        mapped.rows[1].identity.as_str(),
        r#"["email","ana@example.com","product","router"]"#
    );
    // an id is another key than a name that reads like it
    let ids = MAPPING.replace("customer =", "customer_id =");
    let row = columns(&[["ana@example.com", "-", "Router", "1", "-"]]);
    assert_ne!(map(&ids, row).rows[0].hash, hash(0));
}

#[test]
fn names_are_looked_up_unless_an_id_stands_beside_them() {
    let mapping = "entity = \"entitlement\"\n[fields]\norganization = \"firm\"\norganization_id = \"mail\"\n\
                   product = { column = \"goods\", on_missing = \"create\" }\nproduct_id = \"modules\"\n";
    let rows = columns(&[
        ["-", "Acme", "Router", "-", "-"],
        ["7", "Other", "Switch", "-", "p-2"],
        ["-", "-", "Hub", "-", "-"],
    ]);
    let plan = plan_for(mapping, &rows);
    assert_eq!(plan.on_missing(RefKind::Product), Some(OnMissing::Create));
    let draft = plan.draft(&chunk(rows));
    let names = |kind| draft.names(kind).collect::<Vec<_>>();
    assert_eq!(names(RefKind::Organization), ["Acme"]);
    assert_eq!(names(RefKind::Product), ["Router", "Hub"]);
    // nothing is created for a row that is rejected
    let sound: Vec<_> = draft
        .names_of_sound_rows(RefKind::Product, |_| true)
        .collect();
    assert_eq!(sound, ["Router"]);
}

#[test]
fn a_mapping_that_does_not_say_who_has_what_is_refused() {
    assert_snapshot!(faults("entity = \"entitlement\"\n[fields]\nproducts = \"region\"\n"), @r#"
    error: an entitlement needs "customer", "customer_id", "organization" or "organization_id" in [fields]
     --> m.toml:1:10
      |
    1 | entity = "entitlement"
      |          ^^^^^^^^^^^^^
      |
      = help: add customer = "…", the column with the e-mail of whoever has the product, or another of them

    error: an entitlement needs "product" or "product_id" in [fields]
     --> m.toml:1:10
      |
    1 | entity = "entitlement"
      |          ^^^^^^^^^^^^^
      |
      = help: add product = "…", the column with the product's name

    error: unknown field "products" of an entitlement
     --> m.toml:3:1
      |
    3 | products = "region"
      | ^^^^^^^^
      |
      = help: did you mean "product"?
    "#);
    assert_snapshot!(faults("entity = \"entitlement\"\napi = \"details\"\n[fields]\ncustomer = { column = \"contact_email\", type = \"text\" }\n\
        product = { column = \"channels\", on_missing = \"skip\" }\n\
        organization = { column = \"region\", split = \";\", on_missing = \"create\" }\n\
        product_id = { column = \"region\", on_missing = \"create\" }\n\
        [products]\nnames = \"region\"\n"), @r#"
    error: an entitlement has no endpoint families
     --> m.toml:2:7
      |
    2 | api = "details"
      |       ^^^^^^^^^
      |
      = help: leave api out; it is for customers and organizations

    error: this field is an e-mail address
     --> m.toml:4:47
      |
    4 | customer = { column = "contact_email", type = "text" }
      |                                               ^^^^^^
      |
      = help: leave type out

    error: product is one name; this is a list
     --> m.toml:5:1
      |
    5 | product = { column = "channels", on_missing = "skip" }
      | ^^^^^^^
      |
      = help: write one row for each, or take one with sql

    error: without its product nothing is left of an entitlement
     --> m.toml:5:47
      |
    5 | product = { column = "channels", on_missing = "skip" }
      |                                               ^^^^^^
      |
      = help: use "reject" or "create"

    error: only multiselect details, names of references and a detail field's options are split
     --> m.toml:6:45
      |
    6 | organization = { column = "region", split = ";", on_missing = "create" }
      |                                             ^^^
      |
      = help: add type = "multiselect", or take one part with split_part(x, ';', 1)

    error: an entitlement's organization has to be there
     --> m.toml:6:63
      |
    6 | organization = { column = "region", split = ";", on_missing = "create" }
      |                                                               ^^^^^^^^
      |
      = help: leave on_missing out, and load organizations in a stage before

    error: only the product of an entitlement, [organizations] and [products] have on_missing
     --> m.toml:7:48
      |
    7 | product_id = { column = "region", on_missing = "create" }
      |                                                ^^^^^^^^
      |
      = help: leave on_missing out

    error: an entitlement has no [products]
     --> m.toml:8:2
      |
    8 | [products]
      |  ^^^^^^^^
      |
      = help: an entitlement's organization and product stand in [fields]
    "#);
}
