//! Detail fields: defined, changed and deleted.

use super::*;
use crate::sandbox::site::fields::FieldEdit;

fn text(name: &str) -> Field {
    Field {
        name: name.into(),
        kind: FieldKind::Text,
        options: Vec::new(),
    }
}

fn definition(name: &str) -> Value {
    json!({ "name": name, "type": { "name": "TEXT" } })
}

fn names(site: &Site, entity: Entity) -> Vec<String> {
    let fields = site.detail_fields(entity);
    let fields = fields["results"].as_array().unwrap().iter();
    fields
        .enumerate()
        .map(|(place, field)| {
            assert_eq!(field["configuration"]["position"], place);
            field["name"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn a_clash_in_a_bulk_of_definitions_refuses_it_and_creates_nothing() {
    let mut site = site();
    let mut define = |key: &str, list: Value| {
        let body = json!({ "detailFields": list });
        let bulk = Bulk::CustomerFields;
        let sent = submit_to(&mut site, &quick(), 0, bulk, key, &body);
        site.advance(&quick(), 1000);
        let names = names(&site, Entity::Customer);
        (sent.map_err(|refusal| refusal.message), names)
    };
    let before = ["Region", "Phone"];
    let (within, after) = define("1", json!([definition("New"), definition(" NEW ")]));
    assert_eq!(within.unwrap_err(), "Detail field already exists: NEW");
    assert_eq!(after, before);
    let (known, after) = define("2", json!([definition("New"), definition("region")]));
    assert_eq!(known.unwrap_err(), "Detail field already exists: region");
    assert_eq!(after, before);
    let many: Vec<_> = (0..49).map(|n| definition(&n.to_string())).collect();
    let (full, after) = define("3", many.into());
    assert_eq!(
        full.unwrap_err(),
        "Maximum number of detail fields reached: 48"
    );
    assert_eq!(after, before);
    let (good, after) = define("4", json!([definition(" Tier "), definition("Since")]));
    good.unwrap();
    assert_eq!(after, ["Region", "Phone", "Tier", "Since"]);
}

#[test]
fn a_definition_that_came_in_between_fails_its_item_alone() {
    let mut site = site();
    let body = json!({ "detailFields": [definition("Tier"), definition("Since")] });
    let bulk = Bulk::OrganizationFields;
    let id = submit_to(&mut site, &quick(), 0, bulk, "k", &body).unwrap();
    site.define(1, Entity::Organization, text("TIER")).unwrap();
    site.advance(&quick(), 1000);
    assert_eq!(
        failures(&site.task(1000, &id).unwrap()),
        [r#"CREATE ORGANIZATION_DETAIL_FIELD Tier ["Tier"] Detail field already exists"#]
    );
    assert_eq!(
        names(&site, Entity::Organization),
        ["Industry", "TIER", "Since"]
    );
}

#[test]
fn what_a_definition_must_be() {
    let site = site();
    let refused = |list: Value| {
        let body = json!({ "detailFields": list }).to_string();
        let submission = Submission::read(
            &Contract::default(),
            Bulk::CustomerFields,
            "k".into(),
            body.as_bytes(),
        );
        submission.items.unwrap_err().message
    };
    let of = |kind: Value| json!([{ "name": "Tier", "type": kind }]);
    let many: Vec<_> = (0..2001).map(|n| n.to_string()).collect();
    let select = json!({ "name": "SELECT", "options": many });
    for (list, reason) in [
        (
            json!([]),
            "detailFields must hold between 1 and 50 items, not 0",
        ),
        (json!([definition(" ")]), "Invalid detail field name"),
        (
            json!([{ "name": "Tier" }]),
            "Invalid request body: type is required",
        ),
        (
            of(json!({ "name": "SELECT" })),
            "Detail field Tier: SELECT and MULTISELECT need options, other types have none",
        ),
        (
            of(json!({ "name": "TEXT", "options": ["a"] })),
            "Detail field Tier: SELECT and MULTISELECT need options, other types have none",
        ),
        (of(select), "A detail field has at most 2000 options"),
        (
            of(json!({ "name": "SELECT", "options": [" "] })),
            "An option must not be blank",
        ),
    ] {
        assert_eq!(refused(list), reason);
    }
    let user = refused(of(json!({ "name": "USER" })));
    assert!(user.contains("unknown variant `USER`"), "{user}");
    assert_eq!(names(&site, Entity::Customer).len(), 2);
}

#[test]
fn fields_are_renamed_given_other_options_and_deleted_for_good() {
    let mut site = site();
    let id = customer(&mut site, "ana@example.com");
    let region = |site: &mut Site, value: &str| {
        site.set_detail(0, Entity::Customer, &id, "Region", vec![value.into()])
    };
    region(&mut site, "EMEA").unwrap();
    let edit = |name: &str, options: Option<&[&str]>| FieldEdit {
        name: name.into(),
        options: options.map(|all| all.iter().map(|o| (*o).to_owned()).collect()),
    };
    let change = |site: &mut Site, field: &str, edit: FieldEdit| {
        let edited = site.edit_field(1, Entity::Customer, field, edit);
        edited.map_err(|refusal| (refusal.status, refusal.message))
    };
    let taken = change(&mut site, "Region", edit("PHONE", None));
    assert_eq!(
        taken.unwrap_err(),
        (400, "Detail field already exists".into())
    );
    let none = change(&mut site, "Colour", edit("Color", None));
    assert_eq!(none.unwrap_err(), (404, "Detail field not found".into()));
    let options = change(&mut site, "Phone", edit("Phone", Some(&["a"])));
    assert_eq!(
        options.unwrap_err(),
        (400, "Options do not fit the field's type".into())
    );
    let edited = change(&mut site, "region", edit("REGION", Some(&["Mars"]))).unwrap();
    assert_eq!(
        edited,
        json!({ "name": "REGION", "type": { "name": "SELECT", "options": ["Mars"] } })
    );
    assert_eq!(
        values(&site, &id, "REGION"),
        json!(["EMEA"]),
        "old values stay"
    );
    assert_eq!(
        region(&mut site, "EMEA").unwrap_err().message,
        "Invalid detail field value"
    );

    site.remove_field(2, Entity::Customer, "region").unwrap();
    assert_eq!(names(&site, Entity::Customer), ["Phone"]);
    assert_eq!(site.customer(&id).unwrap()["details"], json!([]));
    let again = site.remove_field(2, Entity::Customer, "region");
    assert_eq!(again.unwrap_err().status, 404);
    // another field of the name has no values
    site.define(3, Entity::Customer, text("Region")).unwrap();
    assert_eq!(site.customer(&id).unwrap()["details"], json!([]));
    let audit = site.audit(0, 100);
    let told: Vec<_> = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["entity"] == "customer-detail-field")
        .map(|entry| {
            format!(
                "{} {} {}",
                entry["operation"], entry["key"], entry["content"]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            r#""update" "REGION" {"name":"REGION","options":["Mars"]}"#,
            r#""delete" "REGION" null"#,
            r#""create" "Region" {"name":"Region","type":{"name":"TEXT"}}"#,
        ]
    );
}
