//! Associations that did not arrive, or remain, and records whose owner is somebody else.

use super::world::{World, organizations};
use insta::assert_snapshot;

/// A load of so many members of one organization into a site on which associations do nothing.
fn into_a_site_that_ignores_associations(rows: usize, contract: &str) -> World {
    let world = World::new("", "--set ignored_associations=1");
    world
        .crowd("upsert", rows)
        .job("route = \"bulk\"", contract);
    world
}

#[test]
fn memberships_that_did_not_arrive_are_made_by_calls_of_their_own() {
    let world = into_a_site_that_ignores_associations(250, "membership = true");
    world.load().expect(0);
    world.expect_truth("customers");
    let held = world.site.records("customers");
    assert_eq!(held.len(), 250);
    for record in held.values() {
        assert_eq!(organizations(record), ["Acme"]);
    }
    // one call each, and none is made twice
    assert_eq!(world.requests("POST", "/user"), 250);
}

#[test]
fn without_that_call_no_row_is_loaded_whose_organization_did_not_arrive() {
    let world = into_a_site_that_ignores_associations(150, "");
    world.load().expect(4);
    world.expect_truth("customers");
    let results = world.results();
    assert_eq!(results.counts(), [("failed".to_owned(), 150)].into());
    let first = results.told().lines().next().unwrap().to_owned();
    assert_snapshot!(first, @"1 | 2 | p1@example.com | failed | ASSOCIATION_MISSING | organizations | the customer does not belong to organization 1, and a membership of an existing customer takes the service desk call that [contract] membership = true allows");
}

/// A load of 200 customers of a product each into a site that silently ignores the associations of one in five, and how
/// many of them have it.
fn of_a_product_each(limits: &str) -> (World, usize) {
    let world = World::new(
        "[[product]]\nname = \"P1\"\n",
        "--set ignored_associations=0.2",
    );
    world
        .crowd("upsert", 200)
        .job(&format!("route = \"bulk\"\n{limits}"), "");
    let mapping = "entity = \"customer\"\nkey = \"email\"\nkey_detail = \"External ID\"\n\
                   [fields]\nemail = \"email\"\ndisplay_name = \"name\"\n[details]\nRegion = \"region\"\n\
                   [products]\nnames = { value = \"P1\" }\n";
    world.place.write("rows.toml", mapping);
    world.load().expect(0);
    let results = world.results();
    assert_eq!(results.counts(), [("loaded".to_owned(), 200)].into());
    // by customer and product; one that is there twice fails here
    let given = world.site.records("entitlements").len();
    (world, given)
}

#[test]
fn products_that_did_not_arrive_are_given_by_calls_of_their_own() {
    for verify in ["sample", "all"] {
        let (world, given) = of_a_product_each(&format!("verify = {verify:?}"));
        assert_eq!(given, 200, "{verify}");
        // nothing was sent again for them
        assert_eq!(world.requests("POST", "/customer/profile/bulk"), 2);
        assert!(world.requests("POST", "/entitlement") > 20);
    }
}

#[test]
fn where_nothing_is_read_products_may_be_missing_and_none_is_there_twice() {
    let (_, given) = of_a_product_each("verify = \"failed\"");
    assert!((100..200).contains(&given), "{given}");
}

#[test]
fn a_membership_that_remains_after_a_move_is_told() {
    let world = World::new("", "");
    let ana = ["ana@example.com", "Ana", "EMEA", "Acme"];
    world
        .customers("upsert", &[ana])
        .job("route = \"bulk\"\nverify = \"all\"", "");
    world.load().expect(0);
    world.customers("upsert", &[["ana@example.com", "Ana", "EMEA", "Bolt"]]);
    world.load().expect(0);
    world.expect_truth("customers");
    assert_snapshot!(world.results().told(), @r#"1 | 2 | ana@example.com | loaded | MEMBERSHIP_REMAINS | organizations | the customer still belongs to "Acme", which the row does not name"#);
}

#[test]
fn a_record_of_an_atlassian_account_says_so_on_either_way() {
    let eve =
        "[[customer]]\nemail = \"eve@example.com\"\ndisplay_name = \"Eve\"\nkind = \"atlassian\"\n";
    let mut told = String::new();
    for (route, policy) in [
        // without a failure that says why, the record itself tells
        ("bulk", "--set failed_nothing=1"),
        ("single", ""),
    ] {
        let world = World::new(eve, policy);
        let id = world.site.records("customers")["eve@example.com"]["customerId"].clone();
        let id = id.as_str().unwrap();
        world
            .customers("update", &[])
            .job(&format!("route = \"{route}\""), "");
        world
            .place
            .write("rows.csv", format!("id,name\n{id},Eva\n"));
        world.place.write(
            "rows.toml",
            "entity = \"customer\"\nkey = \"id\"\noperation = \"update\"\n\
             [fields]\ncustomer_id = \"id\"\ndisplay_name = \"name\"\n",
        );
        world.load().expect(4);
        told.push_str(&world.results().told().replace(id, "…"));
        let held = &world.site.records("customers")["eve@example.com"];
        assert_eq!(held["displayName"], "Eve");
    }
    assert_snapshot!(told, @"
        1 | 2 | … | failed | ATLASSIAN_ACCOUNT |  | the record belongs to an Atlassian account, whose name and e-mail are its owner's, and which only its id names
        1 | 2 | … | failed | ATLASSIAN_ACCOUNT | display_name | the display name belongs to the person's Atlassian account: Customer not found
        ");
}

#[test]
fn what_was_written_before_a_call_was_refused_is_told() {
    let world = World::new("", "");
    world
        .customers("upsert", &[["ana@example.com", "Ana", "EMEA", ""]])
        .job("route = \"single\"", "");
    world.load().expect(0);
    // the name is taken, the region is not one of the site's
    world.customers("upsert", &[["ana@example.com", "Anna", "MOON", ""]]);
    world.load().expect(4);
    assert_snapshot!(world.results().told(), @"1 | 2 | ana@example.com | failed | SITE_REJECTED; PARTLY_APPLIED | Region;  | Invalid detail field value; written all the same: the display name");
    let held = &world.site.records("customers")["ana@example.com"];
    assert_eq!(held["displayName"], "Anna");
}
