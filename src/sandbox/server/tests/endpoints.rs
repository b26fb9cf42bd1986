//! Every endpoint once over a socket, family by family: what it answers, and what it refuses.

use super::*;
use crate::api::contract::{Base, EXPERIMENTAL_API, Endpoint, JIRA_PREFIX};

/// The experimental opt-in.
const OPT_IN: (&str, &str) = (EXPERIMENTAL_API, "opt-in");

impl World {
    /// Sends a request, expects this status, and gives the body.
    #[track_caller]
    fn expect(&self, status: u16, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.call(method, path, &[], body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        answer.body
    }

    #[track_caller]
    fn put(&self, path: &str, body: &Value) -> Value {
        self.expect(200, "PUT", path, body)
    }

    /// Deletes something, and checks that it is gone.
    #[track_caller]
    fn delete(&self, path: &str) {
        assert_eq!(self.expect(204, "DELETE", path, &Value::Null), Value::Null);
        let again = self.expect(404, "DELETE", path, &Value::Null);
        assert_eq!(again["errors"], json!(["NOT_FOUND"]));
    }

    /// A call of the Jira API.
    fn jira(&self, method: &str, path: &str, body: &Value) -> Answer {
        let prefix = JIRA_PREFIX.replace("{cloudId}", self.running().cloud_id());
        let headers = [
            ("Authorization", "Basic eDp5"),
            ("Content-Type", "application/json"),
        ];
        let body = body.to_string();
        self.raw(
            method,
            &format!("{prefix}{path}"),
            &headers,
            body.as_bytes(),
        )
    }

    /// Sends a bulk request, and gives the type and the failures of its task.
    #[track_caller]
    fn bulk(&self, path: &str, body: &Value) -> (String, Value) {
        let accepted = self.submit(path, path, body);
        assert_eq!(accepted.status, 202, "{path}: {}", accepted.body);
        let task = self.ended(&accepted.body);
        let kind = task["type"].as_str().unwrap().to_owned();
        (kind, task["failures"].clone())
    }

    /// The product of the seed.
    fn router(&self) -> String {
        let products = self.get("/product");
        products["results"][0]["id"].as_str().unwrap().to_owned()
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

fn escaped(id: &str) -> String {
    id.replace(':', "%3A")
}

#[test]
fn every_endpoint_of_the_contract_is_served_with_its_method() {
    let world = World::quick();
    for endpoint in Endpoint::ALL {
        let path = endpoint.path();
        let path = match path.split_once('{') {
            Some((before, after)) => {
                let (_, after) = after.split_once('}').unwrap();
                format!("{before}none{after}")
            }
            None => path.to_owned(),
        };
        let method = endpoint.method().name();
        let answer = match endpoint.base() {
            Base::Csm => {
                let path = path.strip_prefix("/api/v1").unwrap();
                world.call(method, path, &[OPT_IN], &json!({}))
            }
            Base::Jira => world.jira(method, &path, &json!({})),
            Base::Host => world.raw(method, &path, &[], b""),
            // tokens are another's
            Base::Gateway | Base::Login => continue,
        };
        let told = answer.body.to_string();
        assert_ne!(answer.status, 405, "{endpoint:?}");
        assert!(
            !told.contains("There is no such resource"),
            "{endpoint:?}: {told}"
        );
    }
}

#[test]
fn customer_accounts_and_profiles() {
    let world = World::quick();
    let ana = json!({ "email": "ana@example.com", "displayName": "Ana" });
    let account = world.post("/customer", &ana);
    let id = text(&account, "customerId").to_owned();
    assert_eq!(
        account,
        json!({ "customerId": id, "email": "ana@example.com", "displayName": "Ana" })
    );
    world.expect(400, "POST", "/customer", &ana);
    world.expect(400, "POST", "/customer", &json!({ "displayName": "B" }));
    world.expect(400, "POST", "/customer", &json!({ "customerId": "x" }));
    let path = format!("/customer/account/{}", escaped(&id));
    assert_eq!(world.get(&path), account);
    let renamed = world.put(&path, &json!({ "displayName": "Ana Ito" }));
    assert_eq!(renamed["displayName"], "Ana Ito");
    world.expect(400, "PUT", &path, &json!({}));

    let bo = json!({ "email": "bo@example.com", "details": [{ "name": "Region", "values": ["EMEA"] }],
        "associateOrganizations": { "organizationIds": ["1"] },
        "associateProducts": { "productIds": [world.router()] } });
    let profile = world.post("/customer/profile", &bo);
    assert_eq!(profile["organizations"][0]["name"], "Acme Ltd");
    assert_eq!(profile["entitlements"][0]["product"]["name"], "Router");
    let bo = escaped(text(&profile, "customerId"));
    let shown = world.get(&format!(
        "/customer/profile/{bo}?expand=accessibleCustomerExperiences"
    ));
    assert_eq!(shown["accessibleCustomerExperiences"], json!([]));
    let customer = world.get(&format!("/customer/{bo}"));
    assert_eq!(
        customer,
        json!({ "id": profile["customerId"], "organizations": profile["organizations"],
            "details": [{ "name": "Region", "values": ["EMEA"], "configuration": { "position": 0 },
                "type": { "name": "SELECT", "options": ["EMEA", "APAC"] } }] })
    );
    let set = world.put(
        &format!("/customer/{bo}/details?fieldName=External%20ID"),
        &json!({ "values": ["007"] }),
    );
    assert_eq!(
        set,
        json!({ "name": "External ID", "type": { "name": "TEXT" }, "values": ["007"] })
    );
    let no_field = format!("/customer/{bo}/details");
    world.expect(400, "PUT", &no_field, &json!({ "values": [] }));
    let unknown = format!("/customer/{bo}/details?fieldName=Colour");
    let refused = world.expect(400, "PUT", &unknown, &json!({ "values": [] }));
    assert_eq!(refused["errorMessage"], "Invalid detail field");

    let experiences = format!("/customer/{bo}/customer-experiences");
    world.expect(412, "GET", &experiences, &Value::Null);
    let answer = world.call("GET", &experiences, &[OPT_IN], &Value::Null);
    assert_eq!((answer.status, answer.body), (200, Value::Null));
    world.delete(&path);
    world.expect(404, "GET", &path, &Value::Null);
}

#[test]
fn organizations_and_their_profiles() {
    let world = World::quick();
    let named = |name: &str| json!({ "name": name });
    let beta = world.post("/organization", &named("Beta"));
    assert_eq!(beta, json!({ "id": "2", "name": "Beta", "details": [] }));
    let renamed = world.put("/organization/2", &named("Gamma"));
    assert_eq!(renamed["name"], "Gamma");
    world.expect(400, "PUT", "/organization/2", &named("acme LTD"));
    world.expect(404, "PUT", "/organization/9", &named("x"));
    let details = json!([{ "name": "Industry", "values": ["Mining"] }]);
    let router = json!({ "productIds": [world.router()] });
    let delta = json!({ "name": "Delta", "details": details, "associateProducts": router });
    let profile = world.post("/organization/profile", &delta);
    assert_eq!(profile["details"], details);
    assert_eq!(
        profile["entitlements"][0]["entity"],
        json!({ "type": "ORGANIZATION", "id": "3" })
    );
    world.expect(400, "POST", "/organization/profile", &delta);
    assert_eq!(world.get("/organization/profile/3"), profile);
    let fetched = world.post(
        "/organization/profile/fetch",
        &json!({ "organizationIds": ["3", "9"] }),
    );
    assert_eq!(fetched, json!({ "profiles": [profile] }));
    let many: Vec<_> = (0..26).map(|n| n.to_string()).collect();
    let many = json!({ "organizationIds": many });
    world.expect(400, "POST", "/organization/profile/fetch", &many);
    let set = world.put(
        "/organization/3/details?fieldName=Industry",
        &json!({ "values": [] }),
    );
    assert_eq!(set["values"], json!([]));
    world.delete("/organization/3");
    world.expect(404, "GET", "/organization/profile/3", &Value::Null);
}

#[test]
fn products_and_entitlements() {
    let world = World::quick();
    let product = world.post("/product", &json!({ "name": "Hub" }));
    let hub = text(&product, "id").to_owned();
    let path = format!("/product/{hub}");
    let renamed = world.put(&path, &json!({ "name": "Switch" }));
    assert_eq!(renamed, json!({ "id": hub, "name": "Switch" }));
    world.expect(400, "PUT", &path, &json!({ "name": " " }));

    let member = json!({ "email": "a@b", "associateOrganizations": { "organizationIds": ["1"] } });
    let member = world.post("/customer/profile", &member);
    let member = escaped(text(&member, "customerId"));
    let of_customer = format!("/customer/{member}/entitlement");
    let own = world.post(&of_customer, &json!({ "productId": hub }));
    let inherited = world.post(
        "/organization/1/entitlement",
        &json!({ "productId": { "id": world.router() } }),
    );
    world.expect(400, "POST", &of_customer, &json!({ "productId": "none" }));
    world.expect(
        400,
        "POST",
        &of_customer,
        &json!({ "product": { "id": hub } }),
    );
    assert_eq!(world.get(&of_customer)["results"], json!([own, inherited]));
    let filtered = world.get(&format!("{of_customer}?product={hub}"));
    assert_eq!(filtered["results"], json!([own]));
    let listed = world.get("/organization/1/entitlement");
    assert_eq!(listed["results"], json!([inherited]));
    let list = format!("/entitlements?entityType=CUSTOMER&entityId={member}&start=0&limit=25");
    world.expect(412, "GET", &list, &Value::Null);
    let listed = world.call("GET", &list, &[OPT_IN], &Value::Null);
    assert_eq!(listed.body["results"], json!([own]));

    let field = json!({ "name": "Serial", "type": { "name": "TEXT" } });
    assert_eq!(world.post("/entitlement/details", &field), field);
    let path = format!("/entitlement/{}", text(&own, "id"));
    world.put(
        &format!("{path}/details?fieldName=Serial"),
        &json!({ "values": ["1"] }),
    );
    let shown = world.get(&path);
    assert_eq!(shown["details"][0]["values"], json!(["1"]));
    assert_eq!(
        world.admin("entitlements")["results"][1]["key"],
        "acme ltd/router"
    );
    world.delete(&path);
    world.delete(&format!("/product/{}", world.router()));
    assert_eq!(world.admin("state")["entitlements"], 0);
    assert_eq!(
        world.get("/organization/1/entitlement")["results"],
        json!([])
    );
}

#[test]
fn detail_fields_of_every_kind_of_record() {
    let world = World::quick();
    for kind in ["customer", "organization", "entitlement"] {
        let path = format!("/{kind}/details");
        let tier = json!({ "name": "Tier / 1", "type": { "name": "SELECT", "options": ["a"] } });
        assert_eq!(world.post(&path, &tier), tier);
        let clash = json!({ "name": "TIER / 1", "type": { "name": "TEXT" } });
        world.expect(400, "POST", &path, &clash);
        let one = format!("{path}/Tier%20%2F%201");
        let edit = json!({ "name": "Level", "options": ["a", "b"] });
        let edited = world.put(&one, &edit);
        assert_eq!(edited["type"]["options"], json!(["a", "b"]));
        world.expect(404, "PUT", &one, &edit);
        let last = world.get(&path)["results"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()
            .clone();
        assert_eq!(
            (&last["name"], &last["type"]),
            (&json!("Level"), &edited["type"])
        );
        world.delete(&format!("{path}/level"));
    }
}

#[test]
fn the_other_bulk_requests() {
    let world = World::quick();
    let item = |verb: &str, payload: Value| json!([{ "operationType": verb, "payload": payload }]);
    let field = |name: &str| json!({ "name": name, "type": { "name": "TEXT" } });
    let accounts = json!({ "customerAccounts": item("CREATE", json!({ "email": "a@b" })) });
    let created = world.bulk("/customer/bulk", &accounts);
    assert_eq!(
        created,
        ("BULK_CUSTOMER_ACCOUNT_CREATE_UPDATE".into(), json!([]))
    );
    let id = world.admin("customers")["results"][0]["customerId"].clone();
    let details = item("UPDATE", json!({ "name": "Region", "values": ["EMEA"] }));
    let details = json!({ "customers": [{ "customerId": id, "operations": details }] });
    assert_eq!(
        world.bulk("/customer/details/bulk", &details),
        ("BULK_CUSTOMER_DETAIL_UPDATE".into(), json!([]))
    );
    let fields = json!({ "detailFields": [field("Tier"), field("Since")] });
    assert_eq!(
        world.bulk("/customer/details/definitions/bulk", &fields),
        ("BULK_CUSTOMER_DETAIL_FIELD_CREATE".into(), json!([]))
    );
    let clash = world.submit("/customer/details/definitions/bulk", "again", &fields);
    assert_eq!(clash.status, 400);
    assert_eq!(
        clash.body["errorMessage"],
        "Detail field already exists: Tier"
    );
    let organizations = json!({ "organizations": item("UPSERT", json!({ "name": "Beta" })) });
    assert_eq!(
        world.bulk("/organization/bulk", &organizations),
        ("BULK_ORGANIZATION_CREATE_UPDATE".into(), json!([]))
    );
    let details = item("DELETE", json!({ "name": "Industry" }));
    let details = json!({ "organizations": [{ "organizationId": "1", "operations": details }] });
    assert_eq!(
        world.bulk("/organization/details/bulk", &details),
        ("BULK_ORGANIZATION_DETAIL_UPDATE".into(), json!([]))
    );
    let fields = json!({ "detailFields": [field("Tier")] });
    assert_eq!(
        world.bulk("/organization/details/definitions/bulk", &fields),
        ("BULK_ORGANIZATION_DETAIL_FIELD_CREATE".into(), json!([]))
    );
    let last = world.admin("audit")["entries"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    assert_eq!(
        (
            &last["entity"],
            &last["key"],
            &last["operation"],
            &last["idempotencyKey"]
        ),
        (
            &json!("organization-detail-field"),
            &json!("Tier"),
            &json!("create"),
            &json!("/organization/details/definitions/bulk")
        )
    );
    let operations: Vec<_> = (0..1001)
        .map(|_| json!({ "operationType": "DELETE", "payload": { "name": "Region" } }))
        .collect();
    let halves = operations.chunks(501);
    let halves: Vec<_> = halves
        .map(|half| json!({ "customerId": id, "operations": half }))
        .collect();
    let many = world.submit(
        "/customer/details/bulk",
        "many",
        &json!({ "customers": halves }),
    );
    assert_eq!(
        many.body["errorMessage"],
        "customers must hold between 1 and 1000 operations, not 1001"
    );
}

#[test]
fn the_calls_of_the_jira_api() {
    let world = World::quick();
    let ana = world.post("/customer", &json!({ "email": "ana@example.com" }));
    let found = world.jira(
        "GET",
        "/rest/api/3/user/search?query=ana%40example.com",
        &Value::Null,
    );
    assert_eq!(found.status, 200);
    assert_eq!(found.body[0]["accountId"], ana["customerId"]);
    assert_eq!(found.body[0]["emailAddress"], "ana@example.com");
    let users = "/rest/servicedeskapi/organization/1/user";
    let both = json!({ "accountIds": [ana["customerId"]] });
    let added = world.jira("POST", users, &both);
    assert_eq!((added.status, added.body), (204, Value::Null));
    let listed = world.jira(
        "GET",
        "/rest/servicedeskapi/organization?start=0&limit=50",
        &Value::Null,
    );
    assert_eq!(
        listed.body,
        json!({ "size": 1, "start": 0, "limit": 50, "isLastPage": true,
            "values": [{ "id": "1", "name": "Acme Ltd" }] })
    );
    let unknown = world.jira("POST", users, &json!({ "accountIds": ["none"] }));
    assert_eq!(
        (unknown.status, unknown.body),
        (
            400,
            json!({ "errorMessages": ["There is no user with the id none"], "errors": {} })
        )
    );
    let without = world.raw("GET", "/ex/jira/x/rest/api/3/user/search", &[], b"");
    assert_eq!(without.status, 401);
}
