//! Endpoint families: what each carries, and what it refuses to.

use super::faults::faults;
use super::{chunk, map, parse, plan_for, shown, text};
use crate::api::contract::{Contract, IdForm, Name};
use crate::mapping::{Emit, Known, Plan, References};
use crate::model::entity::Family;
use crate::source::chunk::SourceSchema;
use insta::assert_snapshot;
use polars::prelude::Column;

fn columns() -> Vec<Column> {
    vec![
        text("cid", &["qm:1", "qm:2", "-", "qm:4"]),
        text(
            "email",
            &["ana@example.com", "bo@example.com", "cy@example.com", "-"],
        ),
        text("region", &["EMEA", "-", "APAC", "-"]),
        text("tags", &["a;b", "-", "c", "-"]),
    ]
}

#[test]
fn an_account_is_identity_and_name_alone() {
    let customers = "entity = \"customer\"\napi = \"account\"\noperation = \"update\"\n[fields]\n\
                     email = \"email\"\ncustomer_id = \"cid\"\ndisplay_name = \"region\"\n";
    let plan = plan_for(customers, &columns());
    assert_eq!(plan.family(), Family::Account);
    assert_eq!(plan.asked().name(), "update");
    assert_snapshot!(shown(&map(customers, columns())), @r#"
    1 [qm:1] {"operationType":"UPDATE","payload":{"customerId":"qm:1","email":"ana@example.com","displayName":"EMEA"}}
    2 [qm:2] {"operationType":"UPDATE","payload":{"customerId":"qm:2","email":"bo@example.com"}}
    3 [cy@example.com] {"operationType":"UPDATE","payload":{"email":"cy@example.com","displayName":"APAC"}}
    4 [qm:4] {"operationType":"UPDATE","payload":{"customerId":"qm:4"}}
    "#);
    let organizations =
        "entity = \"organization\"\napi = \"account\"\n[fields]\nname = \"region\"\nid = \"cid\"\n";
    assert_snapshot!(shown(&map(organizations, columns())), @r#"
    1 [qm:1] {"operationType":"UPSERT","payload":{"id":"qm:1","name":"EMEA"}}
    2 [qm:2] {"operationType":"UPSERT","payload":{"id":"qm:2"}}
    3 [APAC] {"operationType":"UPSERT","payload":{"name":"APAC"}}
    4 [qm:4] {"operationType":"UPSERT","payload":{"id":"qm:4"}}
    "#);
}

#[test]
fn detail_values_travel_as_operations_with_their_verbs() {
    let mapping = r#"entity = "customer"
api    = "details"
verb   = "patch"
[fields]
customer_id = "cid"
[details]
"Region" = { column = "region", verb = "update", empty = "clear" }
"Tags"   = { column = "tags", type = "multiselect", split = ";" }
"Old"    = { column = "tags", type = "multiselect", split = ";", verb = "delete" }
"Gone"   = { verb = "delete" }
"Part"   = { column = "region", verb = "delete", empty = "clear" }
"#;
    assert_snapshot!(shown(&map(mapping, columns())), @r#"
    1 [qm:1] {"customerId":"qm:1","operations":[{"operationType":"UPDATE","payload":{"name":"Region","values":["EMEA"]}},{"operationType":"PATCH","payload":{"name":"Tags","values":["a","b"]}},{"operationType":"DELETE","payload":{"name":"Old","values":["a","b"]}},{"operationType":"DELETE","payload":{"name":"Gone"}},{"operationType":"DELETE","payload":{"name":"Part","values":["EMEA"]}}]}
    2 [qm:2] {"customerId":"qm:2","operations":[{"operationType":"UPDATE","payload":{"name":"Region","values":[]}},{"operationType":"DELETE","payload":{"name":"Gone"}},{"operationType":"DELETE","payload":{"name":"Part"}}]}
    4 [qm:4] {"customerId":"qm:4","operations":[{"operationType":"UPDATE","payload":{"name":"Region","values":[]}},{"operationType":"DELETE","payload":{"name":"Gone"}},{"operationType":"DELETE","payload":{"name":"Part"}}]}
    3 [] REQUIRED_MISSING customer_id: no value; the field is required
    "#);
}

#[test]
fn a_row_without_a_value_has_nothing_to_send_and_says_so() {
    let mapping = "entity = \"organization\"\napi = \"details\"\n[fields]\nid = \"cid\"\n[details]\n\
                   \"Region\" = \"region\"\n\"Tags\" = \"tags\"\n[rules]\nNO_BO = \"email <> 'bo@example.com'\"\n";
    assert_snapshot!(shown(&map(mapping, columns())), @r#"
    1 [qm:1] {"organizationId":"qm:1","operations":[{"operationType":"UPDATE","payload":{"name":"Region","values":["EMEA"]}},{"operationType":"UPDATE","payload":{"name":"Tags","values":["a;b"]}}]}
    2 [qm:2] NO_BO -: breaks the rule: email <> 'bo@example.com'; NOTHING_TO_SEND -: no value for any detail field, so that there is nothing to send
    3 [] REQUIRED_MISSING id: no value; the field is required
    4 [qm:4] NO_BO -: breaks the rule: email <> 'bo@example.com'; NOTHING_TO_SEND -: no value for any detail field, so that there is nothing to send
    "#);
    // with the key as a detail, each row has one
    let mapping = "entity = \"customer\"\napi = \"details\"\nkey = \"email\"\nkey_detail = \"External ID\"\n\
                   [fields]\ncustomer_id = \"cid\"\n";
    assert_snapshot!(shown(&map(mapping, columns())), @r#"
    1 [ana@example.com] {"customerId":"qm:1","operations":[{"operationType":"UPDATE","payload":{"name":"External ID","values":["ana@example.com"]}}]}
    2 [bo@example.com] {"customerId":"qm:2","operations":[{"operationType":"UPDATE","payload":{"name":"External ID","values":["bo@example.com"]}}]}
    3 [cy@example.com] REQUIRED_MISSING customer_id: no value; the field is required
    4 [] NOTHING_TO_SEND -: no value for any detail field, so that there is nothing to send
    "#);
}

#[test]
fn results_show_the_common_verb_or_the_files() {
    let asked = |details: &str| {
        let mapping = format!(
            "entity = \"customer\"\napi = \"details\"\nverb = \"patch\"\n[fields]\ncustomer_id = \"cid\"\n\
             [details]\n{details}"
        );
        plan_for(&mapping, &columns()).asked().name()
    };
    assert_eq!(asked("A = \"tags\"\n"), "patch");
    assert_eq!(
        asked("A = { column = \"tags\", verb = \"delete\" }\nB = { verb = \"delete\" }\n"),
        "delete"
    );
    assert_eq!(asked("A = \"tags\"\nB = { verb = \"delete\" }\n"), "patch");
}

#[test]
fn a_plan_tells_which_detail_holds_the_key() {
    let of = |key_detail: &str| {
        let mapping = format!(
            "entity = \"customer\"\nkey = \"cid\"\n{key_detail}[fields]\nemail = \"email\"\n[details]\nTags = \"tags\"\n"
        );
        let plan = plan_for(&mapping, &columns());
        plan.key_detail().map(str::to_owned)
    };
    assert_eq!(
        of("key_detail = \"External ID\"\n").as_deref(),
        Some("External ID")
    );
    assert_eq!(of(""), None);
}

#[test]
fn guessed_names_and_the_form_of_ids_come_from_the_contract() {
    let mut contract = Contract::default()
        .with(Name::AssociateOrganizations, "orgs")
        .with(Name::AssociateProducts, "goods")
        .with(Name::ProductIds, "ids")
        .with(Name::OrganizationDetailsId, "orgId");
    contract.organization_ids = IdForm::Number;
    let rows = |mapping: &str| {
        let columns = vec![
            text("id", &["7"]),
            text("at", &["Acme"]),
            text("product", &["Router"]),
        ];
        let schema = columns
            .iter()
            .map(|c| (c.name().to_string(), c.dtype().clone()));
        let schema = SourceSchema::new(schema.collect());
        let plan = Plan::compile(&parse(mapping).unwrap(), &schema, &contract).unwrap();
        let known = |name: &str, id: &str| Known::Resolved([(name.into(), id.into())].into());
        let references = References {
            organizations: known("acme", "12"),
            products: known("router", "p-1"),
        };
        shown(
            &plan
                .draft(&chunk(columns))
                .finish(&references, Emit::Payloads),
        )
    };
    assert_snapshot!(rows("entity = \"customer\"\n[fields]\ncustomer_id = \"id\"\n[organizations]\nnames = \"at\"\n[products]\nnames = \"product\"\n"), @r#"1 [7] {"operationType":"UPSERT","payload":{"customerId":"7","orgs":{"organizationIds":[12]},"goods":{"ids":["p-1"]}}}"#);
    assert_snapshot!(rows("entity = \"organization\"\napi = \"details\"\n[fields]\nid = \"id\"\n[details]\nA = \"at\"\n"), @r#"1 [7] {"orgId":"7","operations":[{"operationType":"UPDATE","payload":{"name":"A","values":["Acme"]}}]}"#);
}

#[test]
fn an_account_refuses_what_it_cannot_carry() {
    assert_snapshot!(faults(
        r#"entity     = "customer"
api        = "account"
key_detail = "External ID"
key        = "crm_id"
[fields]
email = "contact_email"
[details]
"Region" = "region"
[organizations]
names = "account.name"
[products]
names = "region"
"#), @r#"
    error: api = "account" carries no details
     --> m.toml:3:14
      |
    3 | key_detail = "External ID"
      |              ^^^^^^^^^^^^^
      |
      = help: leave key_detail out, or use api = "profile"

    error: api = "account" carries no details
     --> m.toml:7:2
      |
    7 | [details]
      |  ^^^^^^^
      |
      = help: leave [details] out, or use api = "profile"

    error: api = "account" carries no organizations
     --> m.toml:9:2
      |
    9 | [organizations]
      |  ^^^^^^^^^^^^^
      |
      = help: leave [organizations] out, or use api = "profile"

    error: api = "account" carries no products
      --> m.toml:11:2
       |
    11 | [products]
       |  ^^^^^^^^
       |
       = help: leave [products] out, or use api = "profile"
    "#);
}

#[test]
fn detail_values_refuse_what_they_cannot_carry() {
    assert_snapshot!(faults(
        r#"entity     = "customer"
api        = "details"
operation  = "update"
verb       = "delete"
key        = "crm_id"
key_detail = "External ID"
[fields]
email        = "contact_email"
display_name = "first_name"
[organizations]
names = "account.name"
"#), @r#"
    error: a customer needs "customer_id" in [fields]
     --> m.toml:1:14
      |
    1 | entity     = "customer"
      |              ^^^^^^^^^^
      |
      = help: add customer_id = "…", the column that identifies the customer

    error: detail values have a verb, not an operation
     --> m.toml:3:14
      |
    3 | operation  = "update"
      |              ^^^^^^^^
      |
      = help: write verb = "update", "patch" or "delete" instead

    error: key_detail writes a value, and verb = "delete" takes values away
     --> m.toml:6:14
      |
    6 | key_detail = "External ID"
      |              ^^^^^^^^^^^^^
      |
      = help: leave key_detail out, or give the details verbs of their own

    error: api = "details" knows a customer by "customer_id" alone
     --> m.toml:8:1
      |
    8 | email        = "contact_email"
      | ^^^^^
      |
      = help: leave email out, or use api = "profile"

    error: api = "details" knows a customer by "customer_id" alone
     --> m.toml:9:1
      |
    9 | display_name = "first_name"
      | ^^^^^^^^^^^^
      |
      = help: leave display_name out, or use api = "profile"

    error: api = "details" carries no organizations
      --> m.toml:10:2
       |
    10 | [organizations]
       |  ^^^^^^^^^^^^^
       |
       = help: leave [organizations] out, or use api = "profile"
    "#);
}

#[test]
fn details_must_be_there_and_fit_their_verbs() {
    assert_snapshot!(faults(
        "entity = \"organization\"\napi = \"details\"\n[fields]\nid = \"crm_id\"\nnme = \"region\"\n"
    ), @r#"
    error: there are no [details], and nothing else is sent
     --> m.toml:2:7
      |
    2 | api = "details"
      |       ^^^^^^^^^
      |
      = help: add [details] with the fields to change

    error: unknown field "nme" of an organization
     --> m.toml:5:1
      |
    5 | nme = "region"
      | ^^^
      |
      = help: an organization has "id"; other fields of the site stand in [details]
    "#);
    assert_snapshot!(faults(
        r#"entity = "customer"
api    = "details"
[fields]
customer_id = "crm_id"
[details]
A = { column = "region", verb = "patch", empty = "clear" }
B = { verb = "patch" }
C = { verb = "delete", required = true }
D = { column = "region", verb = "remove" }
"#), @r#"
    error: patch adds values; it cannot clear a field
     --> m.toml:6:50
      |
    6 | A = { column = "region", verb = "patch", empty = "clear" }
      |                                                  ^^^^^^^
      |
      = help: use verb = "update" or "delete", or leave empty out

    error: the value does not say where it comes from
     --> m.toml:7:5
      |
    7 | B = { verb = "patch" }
      |     ^^^^^^^^^^^^^^^^^^
      |
      = help: add one of column = "…", value = "…" or sql = "…"

    error: the value does not say where it comes from
     --> m.toml:8:5
      |
    8 | C = { verb = "delete", required = true }
      |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add one of column = "…", value = "…" or sql = "…"

    error: unknown verb "remove"
     --> m.toml:9:33
      |
    9 | D = { column = "region", verb = "remove" }
      |                                 ^^^^^^^^
      |
      = help: use one of "update", "patch", "delete"
    "#);
}

#[test]
fn families_and_verbs_stand_where_they_mean_something() {
    assert_snapshot!(faults(
        "entity = \"product\"\napi = \"account\"\nverb = \"patch\"\n[fields]\nname = \"region\"\n"
    ), @r#"
    error: a product has no endpoint families
     --> m.toml:2:7
      |
    2 | api = "account"
      |       ^^^^^^^^^
      |
      = help: leave api out; it is for customers and organizations

    error: only api = "details" has a verb
     --> m.toml:3:8
      |
    3 | verb = "patch"
      |        ^^^^^^^
      |
      = help: add api = "details", or leave verb out
    "#);
    assert_snapshot!(faults(
        r#"entity = "customer"
verb   = "delete"
[fields]
email = { column = "contact_email", verb = "update" }
[details]
"Region" = { column = "region", verb = "update" }
"#), @r#"
    error: only api = "details" has a verb
     --> m.toml:2:10
      |
    2 | verb   = "delete"
      |          ^^^^^^^^
      |
      = help: add api = "details", or leave verb out

    error: only details of a mapping with api = "details" have a verb
     --> m.toml:4:44
      |
    4 | email = { column = "contact_email", verb = "update" }
      |                                            ^^^^^^^^
      |
      = help: leave verb out: operation says what is asked

    error: only details of a mapping with api = "details" have a verb
     --> m.toml:6:40
      |
    6 | "Region" = { column = "region", verb = "update" }
      |                                        ^^^^^^^^
      |
      = help: leave verb out: operation says what is asked
    "#);
    assert_snapshot!(faults("entity = \"customer\"\napi = \"detail\"\n[fields]\nemail = \"contact_email\"\n"), @r#"
    error: unknown api "detail"
     --> m.toml:2:7
      |
    2 | api = "detail"
      |       ^^^^^^^^
      |
      = help: did you mean "details"?
    "#);
}
