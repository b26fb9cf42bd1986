//! Detail fields as rows, as whole runs: what is listed, created, left alone, and what each row's result says.

use crate::support::place::Place;
use crate::support::scripted::{Answer, CREDENTIALS, Request, Scripted};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write as _;

const MAPPING: &str = "entity = \"detail-field\"\n[fields]\nof = \"of\"\nname = \"name\"\ntype = \"type\"\n\
                       options = { column = \"options\", split = \"|\" }\n";

/// A site that keeps detail fields: names are unique, and a clash refuses a whole request.
#[derive(Default)]
struct Fields {
    /// By owner, in the order of creation.
    fields: HashMap<String, Vec<Value>>,
    tasks: usize,
}

impl Fields {
    fn with(mut self, owner: &str, name: &str, kind: &str, options: &[&str]) -> Self {
        self.add(
            owner,
            &json!({ "name": name, "type": { "name": kind, "options": options } }),
        );
        self
    }

    fn add(&mut self, owner: &str, field: &Value) {
        self.fields
            .entry(owner.to_owned())
            .or_default()
            .push(field.clone());
    }

    fn has(&self, owner: &str, field: &Value) -> bool {
        let fold = |field: &Value| field["name"].as_str().unwrap().trim().to_lowercase();
        let fields = self.fields.get(owner).into_iter().flatten();
        fields.into_iter().any(|other| fold(other) == fold(field))
    }

    fn answer(&mut self, request: &Request) -> Answer {
        if let Some(task) = request.task() {
            return Answer::task(task, "FINISHED", &json!([]));
        }
        let owner = request.path.split('/').nth(3).unwrap().to_owned();
        if request.method == "GET" {
            let fields = self.fields.get(&owner).cloned().unwrap_or_default();
            return Answer::json(200, &json!({ "results": fields }));
        }
        let new = definitions(request);
        if new.iter().any(|field| self.has(&owner, field)) {
            return Answer::error(400, "Detail field already exists");
        }
        if self.fields.get(&owner).map_or(0, Vec::len) + new.len() > 50 {
            return Answer::error(400, "At most 50 detail fields are allowed");
        }
        for field in &new {
            self.add(&owner, field);
        }
        if request.is_bulk() {
            self.tasks += 1;
            return Answer::json(202, &json!({ "id": format!("task-{}", self.tasks) }));
        }
        Answer::json(200, &new[0])
    }
}

/// The definitions of a write.
fn definitions(request: &Request) -> Vec<Value> {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    match body.get("detailFields") {
        Some(list) => list.as_array().unwrap().clone(),
        None => vec![body],
    }
}

/// Loads rows into a site that a script stands before: what it does not answer, the site does.
fn load(
    rows: &str,
    mut site: Fields,
    mut script: impl FnMut(&Request, &mut Fields) -> Option<Answer> + Send + 'static,
    code: i32,
) -> (Place, Scripted) {
    let place = Place::new();
    place.write("people.toml", MAPPING);
    place.write("people.csv", format!("of,name,type,options\n{rows}"));
    let site = Scripted::serve(move |request| {
        let answer = script(request, &mut site);
        answer.unwrap_or_else(|| site.answer(request))
    });
    place.write("job.toml", site.job(""));
    place
        .run_with("load --quiet job.toml", &CREDENTIALS)
        .expect(code);
    (place, site)
}

/// What was asked of the site, with the names that each write holds.
fn asked(site: &Scripted) -> String {
    let mut text = String::new();
    for request in site
        .seen()
        .iter()
        .filter(|request| request.task().is_none())
    {
        let _ = write!(text, "{} {}", request.method, request.path);
        if request.method == "POST" {
            let names: Vec<_> = definitions(request)
                .iter()
                .map(|field| field["name"].as_str().unwrap().to_owned())
                .collect();
            let _ = write!(text, ": {}", names.join(", "));
        }
        text.push('\n');
    }
    text
}

fn nothing(_: &Request, _: &mut Fields) -> Option<Answer> {
    None
}

#[test]
fn what_is_missing_is_created_and_what_is_there_is_left_alone() {
    let site = Fields::default()
        .with("customer", "phone", "PHONE", &[])
        .with("customer", "Region", "TEXT", &[])
        .with(
            "organization",
            "Industry",
            "SELECT",
            &["Software", "Retail", "Health"],
        );
    let rows = "customer,Phone,phone,\ncustomer,Region,select,EMEA|APAC\ncustomer,Tier,select,Gold|Silver\n\
                customer,tier ,text,\norganization,Industry,select,Retail|Logistics\norganization,Founded,number,\n\
                customer,Born,date,\nentitlement,Seats,number,\nperson,A,text,\nentitlement,Until,date,\n";
    let (place, site) = load(rows, site, nothing, 4);
    assert_snapshot!(asked(&site), @"
    GET /api/v1/customer/details
    POST /api/v1/customer/details/definitions/bulk: tier, Born
    GET /api/v1/organization/details
    POST /api/v1/organization/details/definitions/bulk: Founded
    GET /api/v1/entitlement/details
    POST /api/v1/entitlement/details: Seats
    POST /api/v1/entitlement/details: Until
    ");
    let results = place.results("out.csv");
    assert_snapshot!(results.told(), @r#"
    1 | 2 | Phone | unchanged | ALREADY_PRESENT |  | the site has a field of this name, type and options already
    2 | 3 | Region | failed | FIELD_DIFFERS |  | the site has a field of this name, of type TEXT instead of SELECT
    3 | 4 | Tier | duplicate | DUPLICATE_KEY |  | row 4 has the same natural key and stands for it
    4 | 5 | tier | loaded
    5 | 6 | Industry | failed | FIELD_DIFFERS |  | the site has a field of this name, without the option "Logistics"
    6 | 7 | Founded | loaded
    7 | 8 | Born | loaded
    8 | 9 | Seats | loaded
    9 | 10 | A | rejected | OWNER_UNKNOWN | of | not one of customer, organization, entitlement
    10 | 11 | Until | loaded
    "#);
    assert_eq!(results.column("operation"), ["create"; 10]);
    let routes: Vec<_> = results.column("route");
    assert_eq!(
        routes,
        [
            "", "", "", "bulk", "", "bulk", "bulk", "single", "", "single"
        ]
    );
    assert_snapshot!(Value::from(definitions(&site.bulks()[0])), @r#"[{"name":"tier","type":{"name":"TEXT"}},{"name":"Born","type":{"name":"DATE"}}]"#);
}

#[test]
fn a_run_that_is_repeated_changes_nothing() {
    let rows = "customer,Tier,select,Gold\nentitlement,Seats,number,\n";
    let site = Fields::default()
        .with("customer", "Tier", "SELECT", &["Gold"])
        .with("entitlement", "Seats", "NUMBER", &[]);
    let (place, site) = load(rows, site, nothing, 0);
    assert!(site.seen().iter().all(|request| request.method == "GET"));
    assert_eq!(place.results("out.csv").column("status"), ["unchanged"; 2]);
    assert_eq!(
        place.results("out.csv").column("code"),
        ["ALREADY_PRESENT"; 2]
    );
}

#[test]
fn what_others_create_meanwhile_never_fails_the_rest() {
    let rows = "customer,A,text,\ncustomer,B,text,\ncustomer,C,date,\ncustomer,D,text,\n";
    let mut first = true;
    let (place, site) = load(
        rows,
        Fields::default(),
        move |request, site| {
            // between the list and the request
            if request.is_bulk() && std::mem::take(&mut first) {
                site.add(
                    "customer",
                    &json!({ "name": "b", "type": { "name": "TEXT" } }),
                );
                site.add(
                    "customer",
                    &json!({ "name": "C", "type": { "name": "TEXT" } }),
                );
            }
            None
        },
        4,
    );
    assert_snapshot!(asked(&site), @"
    GET /api/v1/customer/details
    POST /api/v1/customer/details/definitions/bulk: A, B, C, D
    GET /api/v1/customer/details
    POST /api/v1/customer/details/definitions/bulk: A, D
    ");
    let bulks = site.bulks();
    assert_ne!(bulks[0].key(), bulks[1].key());
    assert_snapshot!(place.results("out.csv").told(), @"
    1 | 2 | A | loaded
    2 | 3 | B | unchanged | ALREADY_PRESENT |  | the site has a field of this name, type and options already
    3 | 4 | C | failed | FIELD_DIFFERS |  | the site has a field of this name, of type TEXT instead of DATE
    4 | 5 | D | loaded
    ");
}

#[test]
fn a_field_that_the_site_refuses_fails_alone_with_the_sites_words() {
    let rows = "organization,A,text,\norganization,Bad,text,\norganization,C,text,\n";
    let (place, site) = load(
        rows,
        Fields::default(),
        |request, _| {
            let bad = request.method == "POST"
                && definitions(request)
                    .iter()
                    .any(|field| field["name"] == "Bad");
            bad.then(|| Answer::error(400, "Name is reserved"))
        },
        4,
    );
    assert_snapshot!(asked(&site), @"
    GET /api/v1/organization/details
    POST /api/v1/organization/details/definitions/bulk: A, Bad, C
    GET /api/v1/organization/details
    POST /api/v1/organization/details: A
    POST /api/v1/organization/details: Bad
    GET /api/v1/organization/details
    POST /api/v1/organization/details: C
    ");
    assert_snapshot!(place.results("out.csv").told(), @"
    1 | 2 | A | loaded
    2 | 3 | Bad | failed | SITE_REJECTED |  | Name is reserved
    3 | 4 | C | loaded
    ");
}

#[test]
fn the_fields_beyond_the_fiftieth_fail_with_the_sites_words() {
    let mut site = Fields::default();
    for field in 0..48 {
        site = site.with("customer", &format!("F{field}"), "TEXT", &[]);
    }
    let rows = "customer,A,text,\ncustomer,B,text,\ncustomer,C,text,\n";
    let (place, _) = load(rows, site, nothing, 4);
    assert_snapshot!(place.results("out.csv").told(), @"
    1 | 2 | A | loaded
    2 | 3 | B | loaded
    3 | 4 | C | failed | SITE_REJECTED |  | At most 50 detail fields are allowed
    ");
}

#[test]
fn more_than_a_request_takes_travel_in_several() {
    let mut rows = String::new();
    for field in 0..60 {
        let _ = writeln!(rows, "customer,F{field},text,");
    }
    let (place, site) = load(&rows, Fields::default(), nothing, 4);
    let sizes: Vec<_> = site
        .bulks()
        .iter()
        .map(|bulk| definitions(bulk).len())
        .collect();
    assert_eq!(sizes, [50, 10]);
    let expected = [("loaded".to_owned(), 50), ("failed".to_owned(), 10)];
    assert_eq!(place.results("out.csv").counts(), expected.into());
}

#[test]
fn a_failed_task_is_checked_against_the_list_before_anything_is_claimed() {
    let rows = "customer,A,text,\ncustomer,B,text,\ncustomer,C,text,\n";
    let (place, site) = load(
        rows,
        Fields::default(),
        |request, site| {
            if request.is_bulk() {
                // half of the work lands
                site.add("customer", &definitions(request)[0]);
                return Some(Answer::json(202, &json!({ "id": "task-1" })));
            }
            let task = request.task()?;
            Some(Answer::task(task, "FAILED", &json!([])))
        },
        0,
    );
    assert_snapshot!(asked(&site), @"
    GET /api/v1/customer/details
    POST /api/v1/customer/details/definitions/bulk: A, B, C
    GET /api/v1/customer/details
    POST /api/v1/customer/details: B
    POST /api/v1/customer/details: C
    ");
    assert_snapshot!(place.results("out.csv").told(), @"
    1 | 2 | A | loaded
    2 | 3 | B | loaded
    3 | 4 | C | loaded
    ");
    assert_eq!(
        place.results("out.csv").column("route"),
        ["bulk", "single", "single"]
    );
}

#[test]
fn failures_of_a_task_are_told_to_the_fields_they_name() {
    let rows = "customer,A,text,\ncustomer,B,text,\ncustomer,C,text,\n";
    let (place, site) = load(
        rows,
        Fields::default(),
        |request, site| {
            if request.is_bulk() {
                site.add("customer", &definitions(request)[0]);
                site.add(
                    "customer",
                    &json!({ "name": "C", "type": { "name": "TEXT" } }),
                );
                return Some(Answer::json(202, &json!({ "id": "task-1" })));
            }
            let failures = json!([
                { "operatedOnIds": ["b"], "error": "Invalid name" },
                { "entityId": "C", "error": "Already exists" },
            ]);
            Some(Answer::task(request.task()?, "FINISHED", &failures))
        },
        4,
    );
    assert_snapshot!(asked(&site), @"
    GET /api/v1/customer/details
    POST /api/v1/customer/details/definitions/bulk: A, B, C
    GET /api/v1/customer/details
    ");
    assert_snapshot!(place.results("out.csv").told(), @"
    1 | 2 | A | loaded
    2 | 3 | B | failed | SITE_REJECTED |  | Invalid name
    3 | 4 | C | unchanged | ALREADY_PRESENT |  | the site has a field of this name, type and options already
    ");
}

#[test]
fn a_request_whose_answer_is_lost_goes_out_again_with_the_same_key_and_bytes() {
    let rows = "customer,A,text,\nentitlement,B,text,\n";
    let (mut bulks, mut singles) = (0, 0);
    let (place, site) = load(
        rows,
        Fields::default(),
        move |request, site| {
            if request.is_bulk() {
                bulks += 1;
                return (bulks == 1).then_some(Answer::Drop);
            }
            if request.method == "POST" {
                // created, and nobody hears of it
                singles += 1;
                site.add("entitlement", &definitions(request)[0]);
                return (singles == 1).then_some(Answer::Drop);
            }
            None
        },
        0,
    );
    assert_snapshot!(asked(&site), @"
    GET /api/v1/customer/details
    POST /api/v1/customer/details/definitions/bulk: A
    POST /api/v1/customer/details/definitions/bulk: A
    GET /api/v1/entitlement/details
    POST /api/v1/entitlement/details: B
    GET /api/v1/entitlement/details
    ");
    let bulks = site.bulks();
    assert_eq!(
        (bulks[0].key(), &bulks[0].body),
        (bulks[1].key(), &bulks[1].body)
    );
    let results = place.results("out.csv");
    assert_eq!(results.column("status"), ["loaded"; 2]);
    assert_eq!(results.column("attempts"), ["2", "1"]);
}

#[test]
fn credentials_that_do_not_suffice_send_nothing() {
    let rows = "customer,A,text,\ncustomer,,text,\n";
    let refuse =
        |_: &Request, _: &mut Fields| Some(Answer::error(403, "Administer Jira is needed"));
    let (place, site) = load(rows, Fields::default(), refuse, 3);
    assert_eq!(asked(&site), "GET /api/v1/customer/details\n");
    assert_snapshot!(place.results("out.csv").told(), @"
    1 | 2 | A | not_sent | RUN_STOPPED |  | GET /api/v1/customer/details was answered 403: Administer Jira is needed (the account may lack a permission; this needs: Administer Jira)
    2 | 3 |  | rejected | REQUIRED_MISSING | name | no value; the field is required
    ");
}

#[test]
fn fields_are_there_before_the_records_that_have_them() {
    let place = Place::new();
    place.write("people.toml", crate::support::place::PEOPLE);
    place.write("people.csv", "email,name\nana@example.com,Ana\n");
    place.write("fields.toml", MAPPING);
    place.write("fields.csv", "of,name,type,options\ncustomer,Tier,text,\n");
    let mut fields = Fields::default();
    let site = Scripted::serve(move |request| {
        if request.path.ends_with("/profile/bulk") {
            return Answer::json(202, &json!({ "id": "profiles" }));
        }
        fields.answer(request)
    });
    let job = site.job("");
    let stage = "[[stage]]\nentity = \"detail-field\"\nmapping = \"fields.toml\"\ninput = \"fields.csv\"\n\
                 results = \"fields-out.csv\"\n";
    place.write("job.toml", format!("{job}{stage}"));
    let ended = place
        .run_with("load --quiet job.toml", &CREDENTIALS)
        .expect(0);
    assert_snapshot!(ended.steady(), @"
    detail-field: 1 row in …, 1 write request
      loaded       1
      results: fields-out.csv

    customer: 1 row in …, 1 write request
      loaded       1
      results: out.csv

    2 rows in …: 2 loaded
    ");
    let bulks: Vec<_> = site.bulks().iter().map(|bulk| bulk.path.clone()).collect();
    assert_eq!(
        bulks,
        [
            "/api/v1/customer/details/definitions/bulk",
            "/api/v1/customer/profile/bulk"
        ]
    );
}

#[test]
fn the_shipped_mapping_fits_its_sample() {
    let place = Place::new();
    let ended = place
        .run(
            "check --quiet --mapping mappings/detail-fields.toml --input samples/detail-fields.csv",
        )
        .expect(0);
    assert_snapshot!(ended.steady(), @"
    detail-field: 10 rows checked in …
      ready to load  10
      rejected        0
      duplicate       0
      rows that would not be sent: detail-fields-rejected.csv
    ");
    let mut fields = Fields::default();
    let site = Scripted::serve(move |request| fields.answer(request));
    let job = site
        .job("")
        .replace(
            "people.toml",
            &crate::support::repository("mappings/detail-fields.toml"),
        )
        .replace(
            "people.csv",
            &crate::support::repository("samples/detail-fields.csv"),
        );
    place.write("job.toml", job);
    place
        .run_with("load --quiet job.toml", &CREDENTIALS)
        .expect(0);
    assert_eq!(
        place.results("out.csv").counts(),
        [("loaded".to_owned(), 10)].into()
    );
}
