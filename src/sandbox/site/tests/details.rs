//! Detail values: what the three verbs do, in bulk and one by one.

use super::*;
use crate::sandbox::site::ids;

/// A customer with a field that takes several values.
fn with_tags() -> (Site, String) {
    let mut site = site();
    let tags = Field {
        name: "Tags".into(),
        kind: FieldKind::Multiselect,
        options: ["a", "b", "c"].map(str::to_owned).to_vec(),
    };
    assert!(site.add_field(Entity::Customer, tags));
    let id = customer(&mut site, "ana@example.com");
    (site, id)
}

fn operate(site: &mut Site, id: &str, operations: &[(&str, &str, &[&str])]) -> Vec<String> {
    let operations: Vec<_> = operations
        .iter()
        .map(|(verb, name, values)| {
            json!({ "operationType": verb, "payload": { "name": name, "values": values } })
        })
        .collect();
    let body = json!({ "customers": [{ "customerId": id, "operations": operations }] });
    run(site, Bulk::CustomerDetails, &body)
}

#[test]
fn update_replaces_patch_adds_delete_takes_away_or_clears() {
    let (mut site, id) = with_tags();
    let table: [(&str, &str, &[&str], Value); 9] = [
        ("UPDATE", "Tags", &["a", "b"], json!(["a", "b"])),
        ("PATCH", "tags ", &["b", "c"], json!(["a", "b", "c"])),
        ("DELETE", "Tags", &["b", "none"], json!(["a", "c"])),
        ("DELETE", "Tags", &[], json!([])),
        ("DELETE", "Tags", &[], json!([])),
        ("PATCH", "Region", &["EMEA"], json!(["EMEA"])),
        ("PATCH", "Region", &["APAC"], json!(["APAC"])),
        ("UPDATE", "Region", &[], json!([])),
        ("UPDATE", "Region", &["EMEA"], json!(["EMEA"])),
    ];
    let none: [&str; 0] = [];
    for (verb, name, sent, expected) in table {
        assert_eq!(
            operate(&mut site, &id, &[(verb, name, sent)]),
            none,
            "{verb} {name}"
        );
        let field = if name == "Region" { "Region" } else { "Tags" };
        assert_eq!(
            values(&site, &id, field),
            expected,
            "{verb} {name} {sent:?}"
        );
    }
}

#[test]
fn operations_on_one_customer_are_done_in_order_or_not_at_all() {
    let (mut site, id) = with_tags();
    let none: [&str; 0] = [];
    let good: [(&str, &str, &[&str]); 4] = [
        ("UPDATE", "Tags", &["a"]),
        ("PATCH", "Tags", &["c"]),
        ("DELETE", "Tags", &["a"]),
        ("UPDATE", "Region", &["EMEA"]),
    ];
    assert_eq!(operate(&mut site, &id, &good), none);
    assert_eq!(values(&site, &id, "Tags"), json!(["c"]));
    let tail = id.rsplit(':').next().unwrap().to_owned();
    let bad: [(&str, &str, &[&str]); 4] = [
        ("DELETE", "Tags", &[]),
        ("PATCH", "Region", &["Mars"]),
        ("DELETE", "Colour", &[]),
        ("UPDATE", "Phone", &["030"]),
    ];
    assert_eq!(
        operate(&mut site, &id, &bad),
        [
            format!("PATCH CUSTOMER_DETAIL {tail} [\"Region\"] Invalid detail field value"),
            format!("DELETE CUSTOMER_DETAIL {tail} [\"Colour\"] Invalid detail field"),
            format!("UPDATE CUSTOMER_DETAIL {tail} [\"Phone\"] Invalid detail field value"),
        ]
    );
    assert_eq!(values(&site, &id, "Tags"), json!(["c"]));
    assert_eq!(
        operate(&mut site, "qm:none", &good),
        ["UPDATE CUSTOMER_ACCOUNT none [] Customer not found"]
    );
}

#[test]
fn organizations_take_the_same_verbs() {
    let mut site = site();
    let body = json!({ "organizations": [{ "organizationId": "1", "operations": [
        { "operationType": "UPDATE", "payload": { "name": "Industry", "values": ["Retail"] } }
    ] }] });
    assert!(run(&mut site, Bulk::OrganizationDetails, &body).is_empty());
    let details = &site.organization("1").unwrap()["details"];
    assert_eq!(
        details[0],
        json!({ "name": "Industry", "type": { "name": "TEXT" },
            "configuration": { "position": 0 }, "values": ["Retail"] })
    );
}

#[test]
fn one_field_is_set_at_once_and_its_definition_answered() {
    let (mut site, id) = with_tags();
    let set = |site: &mut Site, field: &str, values: &[&str]| {
        let values = values.iter().map(|v| (*v).to_owned()).collect();
        site.set_detail(5, Entity::Customer, &id, field, values)
    };
    let answer = set(&mut site, "region", &["EMEA"]).unwrap();
    let kind = json!({ "name": "SELECT", "options": ["EMEA", "APAC"] });
    assert_eq!(
        answer,
        json!({ "name": "Region", "type": kind, "values": ["EMEA"] })
    );
    let last = site.audit(0, 100)["entries"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    assert_eq!(
        (&last["operation"], &last["key"], &last["content"]),
        (
            &json!("update"),
            &json!("ana@example.com"),
            &json!({ "details": [{ "name": "Region", "values": ["EMEA"] }] })
        )
    );
    let refused = |result: Result<Value, Refusal>| result.unwrap_err();
    assert_eq!(
        refused(set(&mut site, "Region", &["Mars"])),
        Refusal::bad_request("Invalid detail field value")
    );
    assert_eq!(
        refused(set(&mut site, "Colour", &[])),
        Refusal::bad_request("Invalid detail field")
    );
    let nobody = ids::record(CLOUD, Entity::Customer, 7);
    let unknown = site.set_detail(5, Entity::Customer, &nobody, "Region", vec![]);
    assert_eq!(refused(unknown), Refusal::not_found("Customer not found"));
}
