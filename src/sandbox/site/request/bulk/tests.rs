//! What is read from a bulk request, and what refuses it.

use super::*;
use insta::assert_snapshot;

fn read(of: Bulk, body: &str) -> Result<Vec<Wanted>, Refusal> {
    bulk(&Contract::default(), of, body.as_bytes())
}

fn refusal(of: Bulk, body: &str) -> String {
    let refusal = read(of, body).unwrap_err();
    assert_eq!(refusal.status, 400);
    refusal.message
}

#[test]
fn a_whole_profile_is_read_and_ids_sent_as_numbers_are_ignored() {
    let body = r#"{"customerProfiles":[{"operationType":"UPSERT","payload":{
        "customerId":"qm:1","email":"ana@example.com","displayName":"Ana",
        "details":[{"name":"Region","values":["EMEA"]},{"name":"Phone","values":[]}],
        "associateOrganizations":{"organizationIds":["1",2,-3,4.5]},
        "associateProducts":{"productIds":["p"]}}}]}"#;
    let item = Item {
        operation: Operation::Upsert,
        id: Some("qm:1".into()),
        display_name: Some("Ana".into()),
        details: vec![
            DetailChange::update("Region".into(), vec!["EMEA".into()]),
            DetailChange::update("Phone".into(), vec![]),
        ],
        organizations: vec!["1".into()],
        products: vec!["p".into()],
        ..Item::create("ana@example.com".into())
    };
    assert_eq!(
        read(Bulk::CustomerProfiles, body).unwrap(),
        [Wanted::Record(item)]
    );
    let body = r#"{"organizationProfiles":[{"operationType":"CREATE","payload":
        {"name":"Acme","associateCustomers":{"customerIds":["qm:1"]},"id":null}}]}"#;
    let item = Item {
        customers: vec!["qm:1".into()],
        ..Item::create("Acme".into())
    };
    assert_eq!(
        read(Bulk::OrganizationProfiles, body).unwrap(),
        [Wanted::Record(item)]
    );
}

#[test]
fn what_the_contract_does_not_name_refuses_the_whole_request() {
    let customer = |item: &str| {
        refusal(
            Bulk::CustomerProfiles,
            &format!("{{\"customerProfiles\":[{item}]}}"),
        )
    };
    assert_snapshot!(refusal(Bulk::CustomerProfiles, "not json"), @"Invalid request body: expected ident at line 1 column 2");
    assert_snapshot!(refusal(Bulk::CustomerProfiles, "[]"), @"Invalid request body: invalid type: sequence, expected an object at line 1 column 0");
    assert_snapshot!(refusal(Bulk::CustomerProfiles, "{}"), @"Invalid request body: customerProfiles is required");
    assert_snapshot!(refusal(Bulk::CustomerProfiles, r#"{"customers":[]}"#), @r#"Invalid request body: unknown key "customers" at line 1 column 12"#);
    assert_snapshot!(customer(""), @"customerProfiles must hold between 1 and 100 items, not 0");
    assert_snapshot!(customer(r#"{"payload":{"email":"a@b"}}"#), @"Invalid request body: operationType is required");
    assert_snapshot!(customer(r#"{"operationType":"upsert","payload":{"email":"a@b"}}"#), @"Invalid request body: an operation type is CREATE, UPDATE or UPSERT at line 1 column 46");
    assert_snapshot!(customer(r#"{"operationType":"UPSERT"}"#), @"Invalid request body: payload is required");
    assert_snapshot!(customer(r#"{"operationType":"UPSERT","payload":{}}"#), @"Invalid request body: email or customerId is required");
    assert_snapshot!(customer(r#"{"operationType":"UPSERT","payload":{"name":"x"}}"#), @r#"Invalid request body: unknown key "name" at line 1 column 64"#);
    assert_snapshot!(customer(r#"{"operationType":"UPSERT","payload":{"email":"a@b","details":[{"name":"x"}]}}"#), @"Invalid request body: values is required");
    assert_snapshot!(customer(r#"{"operationType":"UPSERT","payload":{"email":"a@b","associateProducts":{}}}"#), @"Invalid request body: productIds is required");
    assert_snapshot!(refusal(Bulk::OrganizationProfiles, r#"{"organizationProfiles":[{"operationType":"UPSERT","payload":{}}]}"#), @"Invalid request body: name or id is required");
}

#[test]
fn the_other_families_are_as_strict() {
    let account = |payload: &str| {
        let item = format!(r#"{{"operationType":"UPDATE","payload":{payload}}}"#);
        refusal(
            Bulk::CustomerAccounts,
            &format!("{{\"customerAccounts\":[{item}]}}"),
        )
    };
    assert_snapshot!(account("{}"), @"Invalid request body: email or customerId is required");
    assert_snapshot!(account(r#"{"email":"a@b","details":[]}"#), @r#"Invalid request body: unknown key "details" at line 1 column 81"#);
    let operations = |operations: &str| {
        let item = format!(r#"{{"customerId":"qm:1","operations":{operations}}}"#);
        refusal(
            Bulk::CustomerDetails,
            &format!("{{\"customers\":[{item}]}}"),
        )
    };
    assert_snapshot!(operations("null"), @"Invalid request body: operations is required");
    assert_snapshot!(operations("[]"), @"operations must hold between 1 and 1000 operations, not 0");
    assert_snapshot!(operations(r#"[{"operationType":"CREATE"}]"#), @"Invalid request body: unknown variant `CREATE`, expected one of `UPDATE`, `PATCH`, `DELETE` at line 1 column 74");
    assert_snapshot!(operations(r#"[{"operationType":"DELETE"}]"#), @"Invalid request body: payload is required");
    assert_snapshot!(operations(r#"[{"operationType":"PATCH","payload":{"name":"x"}}]"#), @"Invalid request body: values is required");
    assert_snapshot!(operations(r#"[{"operationType":"DELETE","payload":{"values":[]}}]"#), @"Invalid request body: name is required");
    let nobody =
        r#"{"customers":[{"operations":[{"operationType":"DELETE","payload":{"name":"x"}}]}]}"#;
    assert_snapshot!(refusal(Bulk::CustomerDetails, nobody), @"Invalid request body: customerId is required");
    assert_snapshot!(refusal(Bulk::CustomerDetails, r#"{"customers":[]}"#), @"customers must hold between 1 and 1000 operations, not 0");
    assert_snapshot!(refusal(Bulk::OrganizationDetails, r#"{"organizations":[{"id":"1"}]}"#), @r#"Invalid request body: unknown key "id" at line 1 column 23"#);
    assert_snapshot!(refusal(Bulk::Organizations, r#"{"organizations":[{"operationType":"CREATE","payload":{}}]}"#), @"Invalid request body: name or id is required");
    assert_snapshot!(refusal(Bulk::OrganizationFields, r#"{"detailFields":[{"type":{"name":"TEXT"}}]}"#), @"Invalid request body: name is required");
}

#[test]
fn deleting_values_may_name_them_or_not() {
    let body = r#"{"customers":[{"customerId":"qm:1","operations":[
        {"operationType":"DELETE","payload":{"name":"Tags"}},
        {"operationType":"PATCH","payload":{"name":"Tags","values":["a"]}}]}]}"#;
    let change = |verb, values: &[&str]| DetailChange {
        verb,
        name: "Tags".into(),
        values: values.iter().map(|v| (*v).to_owned()).collect(),
    };
    let item = Item {
        details: vec![
            change(DetailVerb::Delete, &[]),
            change(DetailVerb::Patch, &["a"]),
        ],
        ..Item::update("qm:1".into())
    };
    assert_eq!(
        read(Bulk::CustomerDetails, body).unwrap(),
        [Wanted::Record(item)]
    );
}
