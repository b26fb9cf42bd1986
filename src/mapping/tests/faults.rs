//! Every fault of a mapping file, as people see it.

use super::{parse, schema};
use crate::api::contract::Contract;
use crate::mapping::Plan;

/// All faults of a mapping over the columns of a CSV export.
pub(super) fn faults(mapping: &str) -> String {
    let columns = schema(&[
        "crm_id:integer",
        "contact_email",
        "first_name",
        "last_name",
        "region",
        "renewal:date",
        "ended_at:date",
        "account.name",
        "active:boolean",
        "channels:list",
    ]);
    faults_over(mapping, &columns)
}

fn faults_over(mapping: &str, columns: &crate::source::chunk::SourceSchema) -> String {
    let file = match parse(mapping) {
        Ok(file) => file,
        Err(diagnostics) => return diagnostics.to_string(),
    };
    match Plan::compile(&file, columns, &Contract::default()) {
        Ok(_) => panic!("no fault was found"),
        Err(diagnostics) => diagnostics.to_string(),
    }
}

/// Faults of a customer mapping whose `[details]` hold this line.
fn detail(line: &str) -> String {
    faults(&format!(
        "entity = \"customer\"\n[fields]\nemail = \"contact_email\"\n[details]\n{line}\n"
    ))
}

/// Faults of an expression.
fn sql(expression: &str) -> String {
    detail(&format!("D = {{ sql = \"{expression}\" }}"))
}

#[test]
fn text_that_is_not_toml_is_shown_at_its_place() {
    insta::assert_snapshot!(faults("entity = \"customer\"\n[fields\nemail = \n"), @r"
    error: unclosed table, expected `]`
     --> m.toml:2:8
      |
    2 | [fields
      |        ^
      |
      = help: the file is TOML, see https://toml.io
    ");
}

#[test]
fn a_missing_or_unknown_entity_is_the_first_thing_to_mend() {
    insta::assert_snapshot!(faults("[fields]\nemail = \"contact_email\"\n"), @r#"
    error: the mapping does not say which entity it maps
     --> m.toml:1:1
      |
    1 | [fields]
      | ^
      |
      = help: start it with entity = "customer", "organization", "product", "entitlement" or "detail-field"
    "#);
    insta::assert_snapshot!(faults("entity = \"costumer\"\noperation = \"merge\"\n"), @r#"
    error: unknown entity "costumer"
     --> m.toml:1:10
      |
    1 | entity = "costumer"
      |          ^^^^^^^^^^
      |
      = help: did you mean "customer"?

    error: unknown operation "merge"
     --> m.toml:2:13
      |
    2 | operation = "merge"
      |             ^^^^^^^
      |
      = help: use one of "create", "update", "upsert"
    "#);
    insta::assert_snapshot!(faults("entity = 3\n"), @r"
    error: entity has the wrong type
     --> m.toml:1:10
      |
    1 | entity = 3
      |          ^ this is of type integer
      |
      = help: write text in quotes
    ");
    insta::assert_snapshot!(faults(""), @r#"error: m.toml: the mapping does not say which entity it maps; start it with entity = "customer", "organization", "product", "entitlement" or "detail-field""#);
}

#[test]
fn a_file_that_cannot_be_read_says_so() {
    let error = crate::mapping::MappingFile::read("no/such/file.toml".as_ref()).unwrap_err();
    insta::assert_snapshot!(error, @"error: no/such/file.toml: failed to read the mapping file: No such file or directory (os error 2); check its path; a mapping file is UTF-8 text");
}

#[test]
fn all_faults_of_a_file_are_reported_at_once() {
    insta::assert_snapshot!(faults(
        r#"entity    = "customer"
operation = "upsert"
keys      = "crm_id"
[columns]
renewl = "date"
region = "int"
[fields]
email        = "contact_emial"
display_name = { sql = "concat_ws(' ', first_name, lastname)", max_length = "255" }
[details]
"Region"  = { column = "region", type = "select", option = ["EMEA"] }
"Renewal" = { column = "renewal", type = "date", format = "%d/%m/%Q" }
[rules]
ended = "ended_at > signed_at"
"#), @r#"
    error: unknown key "keys"
     --> m.toml:3:1
      |
    3 | keys      = "crm_id"
      | ^^^^
      |
      = help: did you mean "key"?

    error: unknown column "renewl"
     --> m.toml:5:1
      |
    5 | renewl = "date"
      | ^^^^^^
      |
      = help: did you mean "renewal"?

    error: unknown type "int"
     --> m.toml:6:10
      |
    6 | region = "int"
      |          ^^^^^
      |
      = help: the types are "text", "integer", "number", "boolean", "date", "timestamp"

    error: unknown column "contact_emial"
     --> m.toml:8:16
      |
    8 | email        = "contact_emial"
      |                ^^^^^^^^^^^^^^^
      |
      = help: did you mean "contact_email"?

    error: unknown column "lastname"
     --> m.toml:9:52
      |
    9 | display_name = { sql = "concat_ws(' ', first_name, lastname)", max_length = "255" }
      |                                                    ^^^^^^^^
      |
      = help: did you mean "last_name"?

    error: max_length has the wrong type
     --> m.toml:9:77
      |
    9 | display_name = { sql = "concat_ws(' ', first_name, lastname)", max_length = "255" }
      |                                                                             ^^^^^ this is of type string
      |
      = help: write a number of characters

    error: unknown key "option"
      --> m.toml:11:51
       |
    11 | "Region"  = { column = "region", type = "select", option = ["EMEA"] }
       |                                                   ^^^^^^
       |
       = help: did you mean "options"?

    error: not a strftime format
      --> m.toml:12:59
       |
    12 | "Renewal" = { column = "renewal", type = "date", format = "%d/%m/%Q" }
       |                                                           ^^^^^^^^^^
       |
       = help: formats look like "%d/%m/%Y": %Y year, %m month, %d day

    error: the rule name "ended" is not a code
      --> m.toml:14:1
       |
    14 | ended = "ended_at > signed_at"
       | ^^^^^
       |
       = help: use A–Z, 0–9 and _, as in CONTRACT_ENDED

    error: unknown column "signed_at"
      --> m.toml:14:21
       |
    14 | ended = "ended_at > signed_at"
       |                     ^^^^^^^^^
       |
       = help: the columns are "crm_id", "contact_email", "first_name", "last_name", "region", "renewal", "ended_at", "account.name", "active", "channels"
    "#);
}

#[test]
fn unknown_keys_are_shown_with_the_nearest_known_one() {
    insta::assert_snapshot!(faults("entity = \"product\"\nfeilds = 1\n[fields]\nname = \"region\"\n"), @r#"
    error: unknown key "feilds"
     --> m.toml:2:1
      |
    2 | feilds = 1
      | ^^^^^^
      |
      = help: did you mean "fields"?
    "#);
    insta::assert_snapshot!(detail("D = { column = \"region\", requird = true, colour = 1 }"), @r#"
    error: unknown key "requird"
     --> m.toml:5:26
      |
    5 | D = { column = "region", requird = true, colour = 1 }
      |                          ^^^^^^^
      |
      = help: did you mean "required"?

    error: unknown key "colour"
     --> m.toml:5:42
      |
    5 | D = { column = "region", requird = true, colour = 1 }
      |                                          ^^^^^^
      |
      = help: the keys are "column", "value", "sql", "type", "map", "default", "split", "format", "options", "required", "min_length", "max_length", "region", "empty", "verb", "on_missing"
    "#);
    insta::assert_snapshot!(faults(
        "entity = \"customer\"\n[columns]\nregion = { type = \"date\", from = \"x\" }\n[fields]\nemail = \"contact_email\"\n[products]\nname = \"region\"\n"
    ), @r#"
    error: unknown key "from"
     --> m.toml:3:27
      |
    3 | region = { type = "date", from = "x" }
      |                           ^^^^
      |
      = help: the keys are "type", "format"

    error: [products] has no names
     --> m.toml:6:2
      |
    6 | [products]
      |  ^^^^^^^^
      |
      = help: add names = "…", the column that holds them

    error: unknown key "name"
     --> m.toml:7:1
      |
    7 | name = "region"
      | ^^^^
      |
      = help: did you mean "names"?
    "#);
}

#[test]
fn values_of_the_wrong_type_say_what_to_write() {
    insta::assert_snapshot!(faults(
        "entity = \"customer\"\nkey = 1\ndetails = \"x\"\n[columns]\nregion = 1\nrenewal = { format = \"%Y\" }\n[fields]\nemail = [\"contact_email\"]\n"
    ), @r#"
    error: key has the wrong type
     --> m.toml:2:7
      |
    2 | key = 1
      |       ^ this is of type integer
      |
      = help: write text in quotes

    error: details has the wrong type
     --> m.toml:3:11
      |
    3 | details = "x"
      |           ^^^ this is of type string
      |
      = help: write a table

    error: region has the wrong type
     --> m.toml:5:10
      |
    5 | region = 1
      |          ^ this is of type integer
      |
      = help: write a type, or a table with type and format

    error: the column has no type
     --> m.toml:6:11
      |
    6 | renewal = { format = "%Y" }
      |           ^^^^^^^^^^^^^^^^^
      |
      = help: add type = "date" or another type

    error: email has the wrong type
     --> m.toml:8:9
      |
    8 | email = ["contact_email"]
      |         ^^^^^^^^^^^^^^^^^ this is of type array
      |
      = help: write a column name, or a table with column, value or sql
    "#);
    insta::assert_snapshot!(detail(
        "D = { column = \"region\", map = \"x\", required = \"yes\", options = \"A\", max_length = -1, split = \"\", empty = \"drop\" }"
    ), @r#"
    error: map has the wrong type
     --> m.toml:5:32
      |
    5 | D = { column = "region", map = "x", required = "yes", options = "A", max_length = -1, split = "", empty = "drop" }
      |                                ^^^ this is of type string
      |
      = help: write a table

    error: required has the wrong type
     --> m.toml:5:48
      |
    5 | D = { column = "region", map = "x", required = "yes", options = "A", max_length = -1, split = "", empty = "drop" }
      |                                                ^^^^^ this is of type string
      |
      = help: write true or false

    error: options has the wrong type
     --> m.toml:5:65
      |
    5 | D = { column = "region", map = "x", required = "yes", options = "A", max_length = -1, split = "", empty = "drop" }
      |                                                                 ^^^ this is of type string
      |
      = help: write a list of texts

    error: max_length has the wrong type
     --> m.toml:5:83
      |
    5 | D = { column = "region", map = "x", required = "yes", options = "A", max_length = -1, split = "", empty = "drop" }
      |                                                                                   ^^ this is of type integer
      |
      = help: write a number of characters

    error: split is empty
     --> m.toml:5:95
      |
    5 | D = { column = "region", map = "x", required = "yes", options = "A", max_length = -1, split = "", empty = "drop" }
      |                                                                                               ^^

    error: unknown empty "drop"
     --> m.toml:5:107
      |
    5 | D = { column = "region", map = "x", required = "yes", options = "A", max_length = -1, split = "", empty = "drop" }
      |                                                                                                           ^^^^^^
      |
      = help: use one of "keep", "clear"
    "#);
}

#[test]
fn options_and_maps_hold_texts() {
    insta::assert_snapshot!(detail("D = { column = \"region\", type = \"select\", options = [] }"), @r#"
    error: options is empty
     --> m.toml:5:53
      |
    5 | D = { column = "region", type = "select", options = [] }
      |                                                     ^^
      |
      = help: list the field's options, or leave options out
    "#);
    insta::assert_snapshot!(detail("D = { column = \"region\", map = { a = 1 } }"), @r#"
    error: a has the wrong type
     --> m.toml:5:38
      |
    5 | D = { column = "region", map = { a = 1 } }
      |                                      ^ this is of type integer
      |
      = help: write text in quotes
    "#);
}

#[test]
fn a_value_comes_from_exactly_one_place() {
    insta::assert_snapshot!(detail("D = { column = \"region\", sql = \"region\" }"), @r#"
    error: both column and sql are given
     --> m.toml:5:26
      |
    5 | D = { column = "region", sql = "region" }
      |                          ^^^
      |
      = help: a value has exactly one of column, value and sql
    "#);
    insta::assert_snapshot!(detail("D = { type = \"text\" }"), @r#"
    error: the value does not say where it comes from
     --> m.toml:5:5
      |
    5 | D = { type = "text" }
      |     ^^^^^^^^^^^^^^^^^
      |
      = help: add one of column = "…", value = "…" or sql = "…"
    "#);
}

#[test]
fn unknown_columns_are_shown_with_the_nearest_one_or_all_of_them() {
    insta::assert_snapshot!(faults(
        "entity = \"customer\"\nkey = \"crmid\"\n[columns]\nphone = \"text\"\n[fields]\nemail = \"Contact Email\"\n"
    ), @r#"
    error: unknown column "crmid"
     --> m.toml:2:7
      |
    2 | key = "crmid"
      |       ^^^^^^^
      |
      = help: did you mean "crm_id"?

    error: unknown column "phone"
     --> m.toml:4:1
      |
    4 | phone = "text"
      | ^^^^^
      |
      = help: the columns are "crm_id", "contact_email", "first_name", "last_name", "region", "renewal", "ended_at", "account.name", "active", "channels"

    error: unknown column "Contact Email"
     --> m.toml:6:9
      |
    6 | email = "Contact Email"
      |         ^^^^^^^^^^^^^^^
      |
      = help: did you mean "contact_email"?
    "#);
    insta::assert_snapshot!(sql("upper(regoin)"), @r#"
    error: unknown column "regoin"
     --> m.toml:5:20
      |
    5 | D = { sql = "upper(regoin)" }
      |                    ^^^^^^
      |
      = help: did you mean "region"?
    "#);
    insta::assert_snapshot!(sql(r#"concat(region, \"x\")"#), @r#"
    error: unknown column "x"
     --> m.toml:5:13
      |
    5 | D = { sql = "concat(region, \"x\")" }
      |             ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: text stands in single quotes: 'x'; double quotes name a column
    "#);
    let wide: Vec<String> = (0..40).map(|n| format!("column_{n}")).collect();
    let wide: Vec<&str> = wide.iter().map(String::as_str).collect();
    insta::assert_snapshot!(
        faults_over("entity = \"product\"\n[fields]\nname = \"product\"\n", &schema(&wide)), @r#"
    error: unknown column "product"
     --> m.toml:3:8
      |
    3 | name = "product"
      |        ^^^^^^^^^
    "#
    );
}

#[test]
fn fields_are_those_of_the_entity() {
    insta::assert_snapshot!(faults(
        "entity = \"customer\"\n[fields]\nemail = \"contact_email\"\ndisplayname = \"region\"\nphone = \"region\"\n"
    ), @r#"
    error: unknown field "displayname" of a customer
     --> m.toml:4:1
      |
    4 | displayname = "region"
      | ^^^^^^^^^^^
      |
      = help: did you mean "display_name"?

    error: unknown field "phone" of a customer
     --> m.toml:5:1
      |
    5 | phone = "region"
      | ^^^^^
      |
      = help: a customer has "email", "customer_id", "display_name"; other fields of the site stand in [details]
    "#);
    insta::assert_snapshot!(faults("entity = \"product\"\n[fields]\nname = \"region\"\nid = \"crm_id\"\n"), @r#"
    error: unknown field "id" of a product
     --> m.toml:4:1
      |
    4 | id = "crm_id"
      | ^^
      |
      = help: a product has only "name"
    "#);
}

#[test]
fn a_natural_key_must_be_mapped() {
    insta::assert_snapshot!(faults("entity = \"customer\"\n[fields]\ndisplay_name = \"region\"\n"), @r#"
    error: a customer needs "email" or "customer_id" in [fields]
     --> m.toml:1:10
      |
    1 | entity = "customer"
      |          ^^^^^^^^^^
      |
      = help: add email = "…", the column that identifies the customer
    "#);
    insta::assert_snapshot!(faults("entity = \"organization\"\n"), @r#"
    error: an organization needs "name" or "id" in [fields]
     --> m.toml:1:10
      |
    1 | entity = "organization"
      |          ^^^^^^^^^^^^^^
      |
      = help: add name = "…", the column that identifies the organization
    "#);
    insta::assert_snapshot!(faults("entity = \"product\"\n"), @r#"
    error: a product needs "name" in [fields]
     --> m.toml:1:10
      |
    1 | entity = "product"
      |          ^^^^^^^^^
      |
      = help: add name = "…", the column that identifies the product
    "#);
}

#[test]
fn keys_that_do_not_fit_their_value_are_refused() {
    insta::assert_snapshot!(detail(
        "D = { column = \"region\", options = [\"A\"], split = \";\", format = \"%Y\", region = \"DE\" }"
    ), @r#"
    error: only select and multiselect have options
     --> m.toml:5:36
      |
    5 | D = { column = "region", options = ["A"], split = ";", format = "%Y", region = "DE" }
      |                                    ^^^^^
      |
      = help: add type = "select"

    error: only multiselect details, names of references and a detail field's options are split
     --> m.toml:5:51
      |
    5 | D = { column = "region", options = ["A"], split = ";", format = "%Y", region = "DE" }
      |                                                   ^^^
      |
      = help: add type = "multiselect", or take one part with split_part(x, ';', 1)

    error: only dates have a format
     --> m.toml:5:65
      |
    5 | D = { column = "region", options = ["A"], split = ";", format = "%Y", region = "DE" }
      |                                                                 ^^^^
      |
      = help: add type = "date"

    error: only phone numbers have a region
     --> m.toml:5:80
      |
    5 | D = { column = "region", options = ["A"], split = ";", format = "%Y", region = "DE" }
      |                                                                                ^^^^
      |
      = help: add type = "phone"
    "#);
    insta::assert_snapshot!(faults(
        "entity = \"customer\"\n[fields]\nemail = { column = \"contact_email\", type = \"text\", empty = \"clear\" }\ndisplay_name = { column = \"region\", type = \"multiselect\", split = \";\" }\n[products]\nnames = { column = \"region\", type = \"select\" }\n"
    ), @r#"
    error: this field is an e-mail address
     --> m.toml:3:44
      |
    3 | email = { column = "contact_email", type = "text", empty = "clear" }
      |                                            ^^^^^^
      |
      = help: leave type out

    error: only details can be cleared
     --> m.toml:3:60
      |
    3 | email = { column = "contact_email", type = "text", empty = "clear" }
      |                                                            ^^^^^^^
      |
      = help: leave empty out: a field without a value keeps what the site has

    error: a field has one value
     --> m.toml:4:44
      |
    4 | display_name = { column = "region", type = "multiselect", split = ";" }
      |                                            ^^^^^^^^^^^^^
      |
      = help: multiselect is for [details]; leave type out

    error: names are text
     --> m.toml:6:37
      |
    6 | names = { column = "region", type = "select" }
      |                                     ^^^^^^^^
      |
      = help: leave type out
    "#);
    insta::assert_snapshot!(detail("D = { column = \"region\", min_length = 9, max_length = 3 }"), @r#"
    error: min_length is more than max_length
     --> m.toml:5:39
      |
    5 | D = { column = "region", min_length = 9, max_length = 3 }
      |                                       ^
      |
      = help: no value could fit
    "#);
    insta::assert_snapshot!(detail("D = { column = \"region\", type = \"dropdown\" }"), @r#"
    error: unknown type "dropdown"
     --> m.toml:5:33
      |
    5 | D = { column = "region", type = "dropdown" }
      |                                 ^^^^^^^^^^
      |
      = help: the types are "text", "email", "url", "date", "number", "boolean", "phone", "select", "multiselect"
    "#);
    insta::assert_snapshot!(detail("D = { column = \"region\", type = \"phone\", region = \"UK\" }"), @r#"
    error: unknown region "UK"
     --> m.toml:5:51
      |
    5 | D = { column = "region", type = "phone", region = "UK" }
      |                                                   ^^^^
      |
      = help: use the country's two capital letters, as in "DE" or "GB"
    "#);
}

#[test]
fn formats_must_be_known_and_name_a_whole_day() {
    insta::assert_snapshot!(detail("D = { column = \"region\", type = \"date\", format = \"%d/%m\" }"), @r#"
    error: the format does not name a whole day
     --> m.toml:5:50
      |
    5 | D = { column = "region", type = "date", format = "%d/%m" }
      |                                                  ^^^^^^^
      |
      = help: formats look like "%d/%m/%Y": %Y year, %m month, %d day
    "#);
    insta::assert_snapshot!(faults(
        "entity = \"customer\"\n[columns]\nregion = { type = \"date\", format = \"%K\" }\nlast_name = { type = \"text\", format = \"%Y\" }\ncrm_id = \"date\"\n[fields]\nemail = \"contact_email\"\n"
    ), @r#"
    error: not a strftime format
     --> m.toml:3:36
      |
    3 | region = { type = "date", format = "%K" }
      |                                    ^^^^
      |
      = help: formats look like "%d/%m/%Y": %Y year, %m month, %d day

    error: a text column has no format
     --> m.toml:4:39
      |
    4 | last_name = { type = "text", format = "%Y" }
      |                                       ^^^^
      |
      = help: format is for date and timestamp; leave it out

    error: an integer column cannot be read as date
     --> m.toml:5:10
      |
    5 | crm_id = "date"
      |          ^^^^^^
      |
      = help: use the column as it is, or convert it with sql
    "#);
}

#[test]
fn texts_of_the_mapping_pass_its_own_checks() {
    insta::assert_snapshot!(detail(
        "D = { column = \"region\", type = \"select\", options = [\"EMEA\", \"AMER\"], map = { eu = \"EMEA\", us = \"AMERICA\" }, default = \"none\" }"
    ), @r#"
    error: every row with this value would be rejected: not one of the 2 options
     --> m.toml:5:97
      |
    5 | D = { column = "region", type = "select", options = ["EMEA", "AMER"], map = { eu = "EMEA", us = "AMERICA" }, default = "none" }
      |                                                                                                 ^^^^^^^^^

    error: every row with this value would be rejected: not one of the 2 options
     --> m.toml:5:120
      |
    5 | D = { column = "region", type = "select", options = ["EMEA", "AMER"], map = { eu = "EMEA", us = "AMERICA" }, default = "none" }
      |                                                                                                                        ^^^^^^
    "#);
    insta::assert_snapshot!(detail("D = { value = \"yesterday\", type = \"date\" }"), @r#"
    error: every row with this value would be rejected: not a date in the form %Y-%m-%d
     --> m.toml:5:15
      |
    5 | D = { value = "yesterday", type = "date" }
      |               ^^^^^^^^^^^
    "#);
}

#[test]
fn details_are_few_named_and_different() {
    insta::assert_snapshot!(faults(
        "entity = \"customer\"\nkey_detail = \"EXTERNAL ID\"\n[fields]\nemail = \"contact_email\"\n[details]\nRegion = \"region\"\n\" region\" = \"region\"\n\"\" = \"region\"\n\"External id\" = \"region\"\n"
    ), @r#"
    error: the detail "EXTERNAL ID" is mapped twice
     --> m.toml:2:14
      |
    2 | key_detail = "EXTERNAL ID"
      |              ^^^^^^^^^^^^^
      |
      = help: the site takes it for "External id": case and blanks do not matter

    error: the detail " region" is mapped twice
     --> m.toml:7:1
      |
    7 | " region" = "region"
      | ^^^^^^^^^
      |
      = help: the site takes it for "Region": case and blanks do not matter

    error: the detail has no name
     --> m.toml:8:1
      |
    8 | "" = "region"
      | ^^
      |
      = help: write the field's name as the site shows it
    "#);
    insta::assert_snapshot!(faults(
        "entity = \"product\"\nkey_detail = \"Id\"\n[fields]\nname = \"region\"\n[details]\nRegion = \"region\"\n"
    ), @r#"
    error: products have no details
     --> m.toml:2:14
      |
    2 | key_detail = "Id"
      |              ^^^^
      |
      = help: a product is its name alone

    error: products have no details
     --> m.toml:6:1
      |
    6 | Region = "region"
      | ^^^^^^
      |
      = help: a product is its name alone
    "#);
    let many: Vec<String> = (0..51).map(|n| format!("D{n} = \"region\"")).collect();
    insta::assert_snapshot!(detail(&many.join("\n")), @r#"
    error: more than 50 details
      --> m.toml:55:1
       |
    55 | D50 = "region"
       | ^^^
       |
       = help: a site has at most 50 detail fields
    "#);
}

#[test]
fn references_are_those_of_the_entity() {
    insta::assert_snapshot!(faults(
        "entity = \"organization\"\n[fields]\nname = \"region\"\n[organizations]\nnames = \"region\"\non_missing = \"ignore\"\n"
    ), @r#"
    error: an organization has no [organizations]
     --> m.toml:4:2
      |
    4 | [organizations]
      |  ^^^^^^^^^^^^^
      |
      = help: only customers belong to organizations

    error: unknown on_missing "ignore"
     --> m.toml:6:14
      |
    6 | on_missing = "ignore"
      |              ^^^^^^^^
      |
      = help: use one of "reject", "skip", "create"
    "#);
    insta::assert_snapshot!(faults(
        "entity = \"product\"\n[fields]\nname = \"region\"\n[products]\non_missing = \"skip\"\n"
    ), @r#"
    error: [products] has no names
     --> m.toml:4:2
      |
    4 | [products]
      |  ^^^^^^^^
      |
      = help: add names = "…", the column that holds them

    error: a product has no [products]
     --> m.toml:4:2
      |
    4 | [products]
      |  ^^^^^^^^
      |
      = help: customers and organizations have products
    "#);
}

#[test]
fn rules_have_a_code_of_their_own_and_a_condition() {
    insta::assert_snapshot!(faults(
        "entity = \"customer\"\n[fields]\nemail = \"contact_email\"\n[rules]\n\"has-name\" = \"active\"\nEMAIL_INVALID = \"active\"\nNAMED = \"upper(first_name)\"\nTYPED = 1\nNULL = \"null\"\n"
    ), @r#"
    error: the rule name "has-name" is not a code
     --> m.toml:5:1
      |
    5 | "has-name" = "active"
      | ^^^^^^^^^^
      |
      = help: use A–Z, 0–9 and _, as in CONTRACT_ENDED

    error: EMAIL_INVALID is a code of its own already
     --> m.toml:6:1
      |
    6 | EMAIL_INVALID = "active"
      | ^^^^^^^^^^^^^
      |
      = help: give the rule another name

    error: a rule is a condition; this is text
     --> m.toml:7:9
      |
    7 | NAMED = "upper(first_name)"
      |         ^^^^^^^^^^^^^^^^^^^
      |
      = help: compare it with something, as in length(name) > 1

    error: rule has the wrong type
     --> m.toml:8:9
      |
    8 | TYPED = 1
      |         ^ this is of type integer
      |
      = help: write text in quotes

    error: a rule is a condition; this is null
     --> m.toml:9:8
      |
    9 | NULL = "null"
      |        ^^^^^^
      |
      = help: compare it with something, as in length(name) > 1
    "#);
}

#[test]
fn sql_syntax_is_shown_at_its_place() {
    insta::assert_snapshot!(sql("upper(region"), @r#"
    error: SQL syntax: Expected: ), found: EOF
     --> m.toml:5:26
      |
    5 | D = { sql = "upper(region" }
      |                          ^
    "#);
    insta::assert_snapshot!(sql("region = 'x"), @r#"
    error: SQL syntax: Unterminated string literal
     --> m.toml:5:23
      |
    5 | D = { sql = "region = 'x" }
      |                       ^
    "#);
    insta::assert_snapshot!(sql("region as r"), @r#"
    error: SQL syntax: unexpected as after the expression
     --> m.toml:5:21
      |
    5 | D = { sql = "region as r" }
      |                     ^^
      |
      = help: an expression computes one value; it has no alias and no clauses
    "#);
    insta::assert_snapshot!(sql("select region from self"), @r#"
    error: SQL syntax: unexpected region after the expression
     --> m.toml:5:21
      |
    5 | D = { sql = "select region from self" }
      |                     ^^^^^^
      |
      = help: an expression computes one value; it has no alias and no clauses
    "#);
    insta::assert_snapshot!(sql(""), @r#"
    error: the expression is empty
     --> m.toml:5:13
      |
    5 | D = { sql = "" }
      |             ^^
    "#);
    insta::assert_snapshot!(detail("D = { sql = '''\nconcat(first_name,\n  lastname)''' }"), @r#"
    error: unknown column "lastname"
     --> m.toml:7:3
      |
    7 |   lastname)''' }
      |   ^^^^^^^^
      |
      = help: did you mean "last_name"?
    "#);
    insta::assert_snapshot!(detail(r#"D = { sql = "concat(\"first_name\", lastname)" }"#), @r#"
    error: unknown column "lastname"
     --> m.toml:5:13
      |
    5 | D = { sql = "concat(\"first_name\", lastname)" }
      |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean "last_name"?
    "#);
}

#[test]
fn expressions_that_look_beyond_their_row_are_refused() {
    for (expression, function) in [
        ("count(*)", "count"),
        ("sum(crm_id)", "sum"),
        ("avg(crm_id) over (partition by region)", "avg"),
        ("first(region)", "first"),
        ("string_agg(region, ',')", "string_agg"),
        ("row_number() over ()", "row_number"),
        ("lag(region)", "lag"),
        ("rank()", "rank"),
        ("upper(region) over ()", "OVER"),
        ("unnest(channels)", "unnest"),
        ("array_agg(region)", "array_agg"),
        ("coalesce(region, last(region))", "last"),
    ] {
        let shown = sql(expression);
        assert!(
            shown.contains("one row") && shown.contains(function),
            "{shown}"
        );
    }
    insta::assert_snapshot!(sql("max(crm_id)"), @r#"
    error: max looks at several rows; an expression sees one row
     --> m.toml:5:14
      |
    5 | D = { sql = "max(crm_id)" }
      |              ^^^^^^^^^^
      |
      = help: greatest(a, b) gives the largest of several columns
    "#);
    insta::assert_snapshot!(sql("upper(region) over (order by crm_id)"), @r#"
    error: OVER looks at other rows; an expression sees one row
     --> m.toml:5:14
      |
    5 | D = { sql = "upper(region) over (order by crm_id)" }
      |              ^^^^^^^^^^^^
      |
      = help: compute it in the export's query
    "#);
    insta::assert_snapshot!(sql("crm_id in (select crm_id from self)"), @r#"
    error: subqueries are not possible: a row sees itself alone
     --> m.toml:5:14
      |
    5 | D = { sql = "crm_id in (select crm_id from self)" }
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: compute it in the export's query, or list the values: x in ('a', 'b')
    "#);
}

#[test]
fn expressions_of_the_clock_or_of_chance_are_refused() {
    for expression in [
        "now()",
        "current_date",
        "current_timestamp",
        "current_date()",
        "random()",
        "rand()",
        "uuid()",
        "renewal > current_date",
    ] {
        let shown = sql(expression);
        assert!(shown.contains("another answer each time"), "{shown}");
    }
    insta::assert_snapshot!(sql("renewal > current_date"), @r#"
    error: current_date gives another answer each time; a row must always map the same
     --> m.toml:5:24
      |
    5 | D = { sql = "renewal > current_date" }
      |                        ^^^^^^^^^^^^
      |
      = help: put the value into the export, or write it as a literal
    "#);
}

#[test]
fn functions_are_known_ones_with_their_arguments() {
    insta::assert_snapshot!(sql("lowr(region)"), @r#"
    error: unknown function lowr
     --> m.toml:5:14
      |
    5 | D = { sql = "lowr(region)" }
      |              ^^^^^^^^^^^
      |
      = help: did you mean lower?
    "#);
    insta::assert_snapshot!(sql("frobnicate(region)"), @r#"
    error: unknown function frobnicate
     --> m.toml:5:14
      |
    5 | D = { sql = "frobnicate(region)" }
      |              ^^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(sql("lower(region, first_name)"), @r#"
    error: lower takes 1 argument, not 2
     --> m.toml:5:14
      |
    5 | D = { sql = "lower(region, first_name)" }
      |              ^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(sql("date(region)"), @r#"
    error: date takes 2 arguments, not 1
     --> m.toml:5:14
      |
    5 | D = { sql = "date(region)" }
      |              ^^^^^^^^^^^
      |
      = help: give the form of the text: date(x, '%Y-%m-%d')
    "#);
    insta::assert_snapshot!(sql("date(region, '%Q')"), @r#"
    error: not a strftime format: '%Q'
     --> m.toml:5:27
      |
    5 | D = { sql = "date(region, '%Q')" }
      |                           ^^^^
      |
      = help: formats look like '%d/%m/%Y', see chrono's strftime documentation
    "#);
    insta::assert_snapshot!(sql("replace(region, first_name, 'x')"), @r#"
    error: argument 2 of replace must be a literal
     --> m.toml:5:30
      |
    5 | D = { sql = "replace(region, first_name, 'x')" }
      |                              ^^^^^^^^^^
      |
      = help: write it in single quotes; it cannot come from a column
    "#);
    insta::assert_snapshot!(sql("region like first_name"), @r#"
    error: a pattern must be a literal
     --> m.toml:5:26
      |
    5 | D = { sql = "region like first_name" }
      |                          ^^^^^^^^^^
      |
      = help: write it in single quotes; it cannot come from a column
    "#);
    insta::assert_snapshot!(sql("regexp_like(region, '[')"), @r#"
    error: the expression cannot be computed: unclosed character class
     --> m.toml:5:13
      |
    5 | D = { sql = "regexp_like(region, '[')" }
      |             ^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(sql("lower(distinct region)"), @r#"
    error: lower takes plain arguments only
     --> m.toml:5:14
      |
    5 | D = { sql = "lower(distinct region)" }
      |              ^^^^^^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(sql("concat(*)"), @r#"
    error: concat takes plain arguments only
     --> m.toml:5:14
      |
    5 | D = { sql = "concat(*)" }
      |              ^^^^^^
    "#);
}

#[test]
fn syntax_that_polars_would_take_otherwise_is_refused() {
    insta::assert_snapshot!(sql("self.region"), @r#"
    error: columns have no table name
     --> m.toml:5:13
      |
    5 | D = { sql = "self.region" }
      |             ^^^^^^^^^^^^^
      |
      = help: there is one table: write the column alone, or "self.region" when its name has a dot
    "#);
    insta::assert_snapshot!(sql("region -> 'a'"), @r#"
    error: the operator -> is not supported
     --> m.toml:5:13
      |
    5 | D = { sql = "region -> 'a'" }
      |             ^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(sql("array['a', region]"), @r#"
    error: this is not supported in a mapping: ARRAY['a', region]
     --> m.toml:5:20
      |
    5 | D = { sql = "array['a', region]" }
      |                    ^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(sql("(region, first_name)"), @r#"
    error: this is not supported in a mapping: (region, first_name)
     --> m.toml:5:15
      |
    5 | D = { sql = "(region, first_name)" }
      |               ^^^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(sql("crm_id = any(channels)"), @r#"
    error: this is not supported in a mapping: crm_id = ANY(channels)
     --> m.toml:5:14
      |
    5 | D = { sql = "crm_id = any(channels)" }
      |              ^^^^^^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(sql("*"), @r#"
    error: SQL syntax: Expected: an expression, found: *
     --> m.toml:5:13
      |
    5 | D = { sql = "*" }
      |             ^^^
    "#);
    insta::assert_snapshot!(sql("?"), @r#"
    error: placeholders are not supported
     --> m.toml:5:13
      |
    5 | D = { sql = "?" }
      |             ^^^
    "#);
    let patterns = schema(&["email", "^.*$", "*"]);
    insta::assert_snapshot!(faults_over(
        "entity = \"customer\"\n[fields]\nemail = \"email\"\ndisplay_name = { sql = '''upper(\"^.*$\") || \"*\"''' }\n", &patterns
    ), @r#"
    error: the column "^.*$" cannot be used in sql
     --> m.toml:4:33
      |
    4 | display_name = { sql = '''upper("^.*$") || "*"''' }
      |                                 ^^^^^^
      |
      = help: use it with column, or rename it in the export

    error: the column "*" cannot be used in sql
     --> m.toml:4:44
      |
    4 | display_name = { sql = '''upper("^.*$") || "*"''' }
      |                                            ^^^
      |
      = help: use it with column, or rename it in the export
    "#);
}

#[test]
fn types_that_do_not_fit_show_before_any_row_is_read() {
    insta::assert_snapshot!(sql("lower(crm_id)"), @r#"
    error: the expression cannot be computed: invalid series dtype: expected `String`, got `i64` for series with name `crm_id`
     --> m.toml:5:13
      |
    5 | D = { sql = "lower(crm_id)" }
      |             ^^^^^^^^^^^^^^^
      |
      = help: give the column another type in [columns], or use cast(x as varchar)
    "#);
    insta::assert_snapshot!(sql("renewal > '2026-01-31'"), @r#"
    error: the expression cannot be computed: cannot compare 'date/datetime/time' to a string value
     --> m.toml:5:13
      |
    5 | D = { sql = "renewal > '2026-01-31'" }
      |             ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write dates as DATE '2026-01-31'; give text columns a type in [columns]
    "#);
    insta::assert_snapshot!(sql("renewal > region"), @r#"
    error: the expression cannot be computed: cannot compare 'date/datetime/time' to a string value
     --> m.toml:5:13
      |
    5 | D = { sql = "renewal > region" }
      |             ^^^^^^^^^^^^^^^^^^
      |
      = help: write dates as DATE '2026-01-31'; give text columns a type in [columns]
    "#);
    insta::assert_snapshot!(sql("cast(region as date)"), @r#"
    error: text cannot be cast to a date or time
     --> m.toml:5:13
      |
    5 | D = { sql = "cast(region as date)" }
      |             ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: use date(x, '%Y-%m-%d') or timestamp(x, '%Y-%m-%d %H:%M:%S'), or give the column a type in [columns]
    "#);
    insta::assert_snapshot!(sql("cast(region as geometry)"), @r#"
    error: the expression cannot be computed: datatype "geometry" is not currently supported
     --> m.toml:5:13
      |
    5 | D = { sql = "cast(region as geometry)" }
      |             ^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(sql("lower(channels)"), @r#"
    error: the expression cannot be computed: invalid series dtype: expected `String`, got `list[str]` for series with name `channels`
     --> m.toml:5:13
      |
    5 | D = { sql = "lower(channels)" }
      |             ^^^^^^^^^^^^^^^^^
      |
      = help: give the column another type in [columns], or use cast(x as varchar)
    "#);
    insta::assert_snapshot!(sql("-channels"), @r#"
    error: lists have no operators
     --> m.toml:5:13
      |
    5 | D = { sql = "-channels" }
      |             ^^^^^^^^^^^
      |
      = help: take one item with x[1], or make text of it with array_to_string(x, ';')
    "#);
    insta::assert_snapshot!(sql("renewal - ended_at"), @r#"
    error: the expression gives a value of type duration[μs]
     --> m.toml:5:13
      |
    5 | D = { sql = "renewal - ended_at" }
      |             ^^^^^^^^^^^^^^^^^^^^
      |
      = help: turn it into text, a number or a date
    "#);
}

#[test]
fn expressions_too_long_or_too_deep_are_refused() {
    let chain = vec!["1"; 4_000].join("+");
    let long = vec!["region"; 2_000].join(" || ");
    let branches = format!("case {} end", "when region = 'a' then 'b' ".repeat(70));
    let nested = format!("{}region{}", "(".repeat(500), ")".repeat(500));
    for (expression, words) in [
        (chain, "nests too deeply"),
        (long, "longer than"),
        (nested, "nests too deeply"),
        (branches, "nests too deeply"),
    ] {
        let shown = sql(&expression);
        assert!(shown.contains(words), "{shown}");
    }
    let deepest = vec!["region"; 60].join(" || ");
    let branches = "when region = 'a' then 'b' ".repeat(60);
    for expression in [deepest, format!("case {branches} end")] {
        super::map(
            &format!("entity = \"product\"\n[fields]\nname = {{ sql = \"{expression}\" }}\n"),
            vec![super::text("region", &["a", "b"])],
        );
    }
}
