//! Endpoint families, as whole runs: what is sent where, and what each row's result says.

use crate::support::place::Place;
use crate::support::scripted::{Answer, CREDENTIALS, Request, Scripted, Willing};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Loads `people.csv` through `people.toml`, expecting the exit code.
fn load(place: &Place, site: &Scripted, code: i32) {
    place.write("job.toml", site.job(""));
    let ended = place.run_with(
        "load --quiet --route bulk --verify failed job.toml",
        &CREDENTIALS,
    );
    ended.expect(code);
}

fn place(mapping: &str, rows: &str) -> Place {
    let place = Place::new();
    place.write("people.toml", mapping);
    place.write("people.csv", rows);
    place
}

fn willing() -> Scripted {
    let mut willing = Willing::default();
    Scripted::serve(move |request| willing.answer(request))
}

/// The items of a bulk write.
fn items(request: &Request, list: &str) -> Vec<Value> {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body.as_object().unwrap().len(), 1);
    body[list].as_array().unwrap().clone()
}

#[test]
fn accounts_travel_fifty_at_a_time() {
    let mut rows = "email,name\n".to_owned();
    for row in 1..=120 {
        let _ = writeln!(rows, "p{row}@example.com,Person {row}");
    }
    for (mapping, path, list) in [
        (
            "entity = \"customer\"\napi = \"account\"\noperation = \"create\"\n[fields]\nemail = \"email\"\n\
             display_name = \"name\"\n",
            "/api/v1/customer/bulk",
            "customerAccounts",
        ),
        (
            "entity = \"organization\"\napi = \"account\"\noperation = \"create\"\n[fields]\nname = \"name\"\n",
            "/api/v1/organization/bulk",
            "organizations",
        ),
    ] {
        let place = place(mapping, &rows);
        let site = willing();
        load(&place, &site, 0);
        let mut sizes = Vec::new();
        for bulk in site.bulks() {
            assert_eq!(bulk.path, path);
            let items = items(&bulk, list);
            assert_eq!(items[0]["operationType"], "CREATE");
            sizes.push(items.len());
        }
        sizes.sort_unstable();
        assert_eq!(sizes, [20, 50, 50]);
        let results = place.results("out.csv");
        results.expect_rows(120);
        assert!(
            results
                .column("operation")
                .iter()
                .all(|verb| *verb == "create")
        );
    }
}

#[test]
fn detail_values_travel_a_thousand_operations_at_a_time() {
    let mut rows = "id,a,b,c\n".to_owned();
    for row in 1..=500 {
        let _ = writeln!(
            rows,
            "{row},{row},x|y,{}",
            if row % 2 == 0 { "z" } else { "" }
        );
    }
    for (entity, path, list, id) in [
        (
            "customer",
            "/api/v1/customer/details/bulk",
            "customers",
            "customer_id",
        ),
        (
            "organization",
            "/api/v1/organization/details/bulk",
            "organizations",
            "id",
        ),
    ] {
        let mapping = format!(
            "entity = \"{entity}\"\napi = \"details\"\nverb = \"patch\"\n[fields]\n{id} = \"id\"\n[details]\n\
             A = \"a\"\nB = {{ column = \"b\", type = \"multiselect\", split = \"|\" }}\nC = \"c\"\n"
        );
        let place = place(&mapping, &rows);
        let site = willing();
        load(&place, &site, 0);
        let mut operations = Vec::new();
        for bulk in site.bulks() {
            assert_eq!(bulk.path, path);
            let items = items(&bulk, list);
            let each = items
                .iter()
                .map(|item| item["operations"].as_array().unwrap().len());
            operations.push(each.sum::<usize>());
        }
        operations.sort_unstable();
        assert_eq!(operations, [250, 1000]);
        let results = place.results("out.csv");
        results.expect_rows(500);
        assert!(
            results
                .column("operation")
                .iter()
                .all(|verb| *verb == "patch")
        );
    }
}

#[test]
fn a_row_of_detail_values_fails_or_is_rejected_by_itself() {
    let mapping = "entity = \"customer\"\napi = \"details\"\nverb = \"delete\"\n[fields]\ncustomer_id = \"id\"\n\
                   [details]\nRegion = \"region\"\nTags = { column = \"tags\", empty = \"keep\" }\n";
    let place = place(
        mapping,
        "id,region,tags\nqm:1,EMEA,\nqm:2,,\nqm:3,APAC,b\n,EMEA,a\n",
    );
    let mut willing = Willing::default();
    let site = Scripted::serve(move |request| match request.task() {
        Some(task) => {
            let failure = json!([{ "entityId": "qm:3", "operatedOnIds": ["Tags"], "error": "Invalid detail field" }]);
            Answer::task(task, "FINISHED", &failure)
        }
        None => willing.answer(request),
    });
    load(&place, &site, 4);
    let sent = items(&site.bulks()[0], "customers");
    assert_snapshot!(Value::from(sent), @r#"[{"customerId":"qm:1","operations":[{"operationType":"DELETE","payload":{"name":"Region","values":["EMEA"]}}]},{"customerId":"qm:3","operations":[{"operationType":"DELETE","payload":{"name":"Region","values":["APAC"]}},{"operationType":"DELETE","payload":{"name":"Tags","values":["b"]}}]}]"#);
    let results = place.results("out.csv");
    assert_snapshot!(results.told(), @"
    1 | 2 | qm:1 | loaded
    2 | 3 | qm:2 | rejected | NOTHING_TO_SEND |  | no value for any detail field, so that there is nothing to send
    3 | 4 | qm:3 | failed | SITE_REJECTED | Tags | Invalid detail field
    4 | 5 |  | rejected | REQUIRED_MISSING | customer_id | no value; the field is required
    ");
    assert_eq!(results.column("operation"), ["delete"; 4]);
}

#[test]
fn a_check_tells_what_a_family_would_reject() {
    let mapping = "entity = \"organization\"\napi = \"details\"\n[fields]\nid = \"id\"\n[details]\n\
                   Founded = { column = \"founded\", type = \"number\" }\n";
    let place = place(mapping, "id,founded\n1,1999\n2,\n3,long ago\n1,2001\n");
    let ended = place
        .run("check --quiet --mapping people.toml --input people.csv")
        .expect(4);
    assert_snapshot!(ended.steady(), @"
    organization: 4 rows checked in …
      ready to load  1
      rejected       2
      duplicate      1
      most frequent codes, each with an example:
        1  DUPLICATE_KEY    people.csv line 2: row 4 has the same natural key and stands for it
        1  NOTHING_TO_SEND  people.csv line 3: no value for any detail field, so that there is nothing to send
        1  NUMBER_INVALID   people.csv line 4: Founded: not a number
      rows that would not be sent: people-rejected.csv
    ");
}
