//! That the judge of exchanges, `support::openapi`, finds what it should.

use crate::support::exchange::Exchange;
use crate::support::openapi::DESCRIPTION;

/// What the judge says of an exchange.
fn faults(exchange: &Exchange) -> String {
    DESCRIPTION.faults(exchange).join("\n")
}

/// A bulk request that is as described, and its answer.
fn good() -> Exchange {
    let headers = [("idempotency-key", "k"), ("x-experimentalapi", "opt-in")];
    Exchange {
        method: "POST".to_owned(),
        path: "/jsm/csm/cloudid/c-1/api/v1/customer/profile/bulk".to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        body: r#"{"customerProfiles":[{"operationType":"UPSERT","payload":{"email":"a@example.com"}}]}"#.to_owned(),
        status: Some(202),
        answer: r#"{"id":"11111111-2222-4333-8444-555555555555","statusUrl":"/api/v1/tasks/x","more":1}"#.to_owned(),
        ..Exchange::default()
    }
}

#[test]
fn the_judge_finds_what_a_request_lacks_or_has_too_much() {
    assert_eq!(faults(&good()), "");
    let mut shown = Vec::new();
    let mut check = |change: &dyn Fn(&mut Exchange)| {
        let mut exchange = good();
        change(&mut exchange);
        shown.push(faults(&exchange));
    };
    check(&|exchange| exchange.headers.clear());
    check(&|exchange| {
        exchange
            .headers
            .insert("x-experimentalapi".to_owned(), "no".to_owned());
    });
    check(&|exchange| exchange.query = "page=1".to_owned());
    check(&|exchange| exchange.body = exchange.body.replace("\"email\"", "\"mail\""));
    check(&|exchange| {
        exchange.body = exchange
            .body
            .replace("\"email\"", "\"note\":\"\",\"email\"");
    });
    check(&|exchange| exchange.body = exchange.body.replace("UPSERT", "MERGE"));
    check(&|exchange| exchange.body = r#"{"customerProfiles":[]}"#.to_owned());
    check(&|exchange| exchange.body = String::new());
    check(&|exchange| exchange.path.push('s'));
    check(&|exchange| exchange.method = "PUT".to_owned());
    insta::assert_snapshot!(shown.join("\n"), @r#"
        header Idempotency-Key is missing
        header X-ExperimentalApi, at "": "no" is not one of "opt-in"
        query page is not described
        the request, at "/customerProfiles/0/payload": Additional properties are not allowed ('mail' was unexpected)
        the request, at "/customerProfiles/0/payload": {"mail":"a@example.com"} is not valid under any of the schemas listed in the 'anyOf' keyword
        the request, at "/customerProfiles/0/payload": Additional properties are not allowed ('note' was unexpected)
        the request, at "/customerProfiles/0/operationType": "MERGE" is not one of "CREATE", "UPDATE" or "UPSERT"
        the request, at "/customerProfiles": [] has less than 1 item
        the request is no JSON: EOF while parsing a value at line 1 column 0
        the description has no such operation
        the description has no such operation
        "#);
}

#[test]
fn the_judge_finds_what_an_answer_lacks() {
    let mut shown = Vec::new();
    for (status, answer) in [
        (202, "{}"),
        (202, r#"{"id":"t-1","statusUrl":"/"}"#),
        (202, ""),
        (201, &*good().answer),
        (400, r#"{"errorMessage":7}"#),
        (400, r#"{"errorMessage":"as described"}"#),
    ] {
        let exchange = Exchange {
            status: Some(status),
            answer: answer.to_owned(),
            ..good()
        };
        let faults = faults(&exchange);
        let told = if faults.is_empty() {
            "as described"
        } else {
            &faults
        };
        shown.push(format!("{status}: {told}"));
    }
    insta::assert_snapshot!(shown.join("\n"), @r#"
        202: the answer, at "": "id" is a required property
        the answer, at "": "statusUrl" is a required property
        202: the answer, at "/id": "t-1" is not a "uuid"
        202: the answer is no JSON: EOF while parsing a value at line 1 column 0
        201: the status 201 is not described
        400: the answer, at "/errorMessage": 7 is not of type "string"
        400: as described
        "#);
}

#[test]
fn the_judge_knows_queries_and_the_closest_path() {
    let get = |path: &str, query: &str| Exchange {
        method: "GET".to_owned(),
        path: format!("/jsm/csm/cloudid/c-1/api/v1{path}"),
        query: query.to_owned(),
        ..Exchange::default()
    };
    let id = |path: &str| {
        DESCRIPTION
            .operation(&get(path, ""))
            .map(|operation| operation.id.clone())
    };
    assert_eq!(
        id("/customer/details").as_deref(),
        Some("listCustomerDetailFields")
    );
    assert_eq!(id("/customer/qm%3A1").as_deref(), Some("getCustomer"));
    assert_eq!(id("/customer/"), None);
    insta::assert_snapshot!(faults(&get("/entitlements", "entityType=PERSON&limit=50&x=1")), @r#"
        header X-ExperimentalApi is missing
        query entityType, at "": "PERSON" is not one of "CUSTOMER" or "ORGANIZATION"
        query entityId is missing
        query limit, at "": 50 is greater than the maximum of 25
        query x is not described
        "#);
}
