//! Every kind of record and family of endpoints, and the records that rows refer to.

use super::{Nights, keys};
use insta::assert_snapshot;

#[test]
fn organizations_are_left_out_as_customers_are() {
    let mapping =
        "entity = \"organization\"\n[fields]\nname = \"name\"\n[details]\nTier = \"tier\"\n";
    let nights = Nights::of(mapping, "name,tier\nAcme,A\nGlobex,B\n");
    nights.load("people.toml", "", 0);
    assert_eq!(nights.load("people.toml", "", 0), []);
    assert_eq!(nights.statuses(), ["unchanged"; 2]);
    nights
        .place
        .write("people.csv", "name,tier\nAcme,A\nGlobex,C\n");
    assert_eq!(nights.load("people.toml", "", 0).len(), 1);
    assert_eq!(nights.statuses(), ["unchanged", "loaded"]);
}

#[test]
fn accounts_are_left_out_too() {
    let mapping = "entity = \"customer\"\napi = \"account\"\n[fields]\nemail = \"email\"\ndisplay_name = \"name\"\n";
    let nights = Nights::of(
        mapping,
        "email,name\nana@example.com,Ana\nbo@example.com,Bo\n",
    );
    nights.load("people.toml", "", 0);
    assert_eq!(nights.load("people.toml", "", 0), []);
    nights.place.write(
        "people.csv",
        "email,name\nana@example.com,Ana\nbo@example.com,Bob\n",
    );
    assert_eq!(keys(&nights.load("people.toml", "", 0)), ["bo@example.com"]);
}

#[test]
fn detail_values_are_left_out_too_and_keep_the_remote_id() {
    let accounts = "entity = \"organization\"\n[fields]\nname = \"name\"\n";
    let nights = Nights::of(accounts, "name\nAcme\nGlobex\n");
    nights.load("people.toml", "", 0);
    let records = nights.site.records("organizations");
    let id = |name: &str| records[name]["id"].as_str().unwrap().to_owned();
    let (acme, globex) = (id("acme"), id("globex"));
    let details = "entity = \"organization\"\napi = \"details\"\n[fields]\nid = \"id\"\n[details]\nTier = \"tier\"\n";
    nights.place.write("details.toml", details);
    let rows = |tier: &str| format!("id,tier\n{acme},A\n{globex},{tier}\n");
    nights.place.write("people.csv", rows("B"));
    assert!(!nights.load("details.toml", "", 0).is_empty());
    let before = nights.results();
    assert_eq!(nights.load("details.toml", "", 0), []);
    assert_eq!(nights.statuses(), ["unchanged"; 2]);
    assert_eq!(
        nights.results().column("remote_id"),
        before.column("remote_id")
    );
    nights.place.write("people.csv", rows("C"));
    assert!(!nights.load("details.toml", "", 0).is_empty());
    assert_eq!(nights.statuses(), ["unchanged", "loaded"]);
}

/// Customers whose organizations are made where they are missing.
const MEMBERS: &str = "entity = \"customer\"\n[fields]\nemail = \"email\"\ndisplay_name = \"name\"\n\
                       [organizations]\nnames = \"org\"\non_missing = \"create\"\n";
const ROWS: &str = "email,name,org\nana@example.com,Ana,Acme\nbo@example.com,Bo,Globex\n";

#[test]
fn organizations_made_on_demand_are_found_again() {
    let nights = Nights::of(MEMBERS, ROWS);
    let writes = nights.load("people.toml", "", 0);
    assert_eq!(
        keys(&writes),
        ["acme", "ana@example.com", "bo@example.com", "globex"]
    );
    assert_eq!(nights.load("people.toml", "", 0), []);
    assert_eq!(nights.statuses(), ["unchanged"; 2]);
}

#[test]
fn a_name_that_means_another_organization_now_is_a_change() {
    let nights = Nights::of(MEMBERS, ROWS);
    nights.load("people.toml", "", 0);
    let id = nights.site.records("organizations")["acme"]["id"].clone();
    let rename = "entity = \"organization\"\noperation = \"update\"\n[fields]\nid = \"id\"\nname = \"name\"\n";
    nights.place.write("rename.toml", rename);
    let rows = format!("id,name\n{},Acme Old\n", id.as_str().unwrap());
    nights.place.write("people.csv", rows);
    nights.load("rename.toml", "", 0);
    nights.place.write("people.csv", ROWS);
    let writes = nights.load("people.toml", "", 0);
    assert_eq!(keys(&writes), ["acme", "ana@example.com"]);
    assert_eq!(nights.statuses(), ["loaded", "unchanged"]);
    assert_ne!(nights.site.records("organizations")["acme"]["id"], id);
}

#[test]
fn products_and_their_customers_in_one_job() {
    let nights = Nights::of(
        "entity = \"customer\"\n[fields]\nemail = \"email\"\n[products]\nnames = \"product\"\n",
        "email,product\nana@example.com,Router\n",
    );
    nights.place.write(
        "products.toml",
        "entity = \"product\"\n[fields]\nname = \"product\"\n",
    );
    let job = |site: &str| {
        format!(
            "{site}[state]\ndir = \"state\"\n[[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\n\
             [[stage]]\nmapping = \"products.toml\"\ninput = \"people.csv\"\nresults = \"products-results.csv\"\n"
        )
    };
    nights
        .place
        .write("both.toml", job(&nights.site.site_table()));
    let load = || {
        let env = &crate::support::scripted::CREDENTIALS;
        nights
            .place
            .run_with("load both.toml --quiet", env)
            .expect(0)
    };
    load();
    let writes = nights.site.audit();
    assert_snapshot!(load().steady(), @"
    product: 1 row in …
      loaded       0
      unchanged    1
      results: products-results.csv

    customer: 1 row in …
      loaded       0
      unchanged    1
      results: people-results.csv

    2 rows in …: 2 unchanged
    ");
    assert_eq!(nights.site.audit(), writes);
}
