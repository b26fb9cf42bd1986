//! Rows of chunks: what becomes of each cell, and why a row is refused.

use super::{chunk, chunk_of, column, draft, map, plan_for, shown, text};
use crate::api::fold;
use crate::mapping::{Emit, Known, OnMissing, RefKind, References};
use crate::model::code::Code;
use crate::model::entity::Entity;
use crate::model::row::{FileId, Mapped, RowId};
use crate::source::chunk::BadRow;
use polars::prelude::{Column, DataType, IntoColumn, ListChunked, NamedFrom, Series, TimeUnit};

/// A customer mapping with these lines below `[details]`.
fn customer(details: &str) -> String {
    format!(
        "entity = \"customer\"\n[fields]\nemail = {{ value = \"ana@example.com\" }}\n[details]\n{details}\n"
    )
}

/// What a detail becomes for each cell: the values sent, or the reasons.
fn detail(value: &str, cells: Column) -> Vec<String> {
    let mapped = map(&customer(&format!("D = {value}")), vec![cells]);
    outcomes(&mapped)
}

fn outcomes(mapped: &Mapped) -> Vec<String> {
    let mut outcomes: Vec<(u64, String)> = Vec::new();
    for row in &mapped.rows {
        let item: serde_json::Value = serde_json::from_slice(&row.item).unwrap();
        let values = &item["payload"]["details"][0]["values"];
        outcomes.push((row.row.id.0, values.to_string()));
    }
    for row in &mapped.rejected {
        outcomes.push((row.row.id.0, super::reasons(&row.reasons)));
    }
    outcomes.sort_unstable();
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn date_column(name: &str, days: &[&str]) -> Column {
    let days = days.iter().map(|day| day.parse::<chrono::NaiveDate>().ok());
    column(name, days.collect::<Vec<_>>())
}

fn lists(name: &str, lists: &[Option<&[&str]>]) -> Column {
    let lists: ListChunked = lists
        .iter()
        .map(|list| list.map(|items| Series::new("".into(), items)))
        .collect();
    Series::from(lists).with_name(name.into()).into_column()
}

fn known(organizations: &[(&str, &str)], products: &[(&str, &str)]) -> References {
    let resolved = |names: &[(&str, &str)]| {
        let names = names.iter();
        Known::Resolved(
            names
                .map(|(name, id)| (fold::name(name).into_owned(), (*id).to_owned()))
                .collect(),
        )
    };
    References {
        organizations: resolved(organizations),
        products: resolved(products),
    }
}

#[test]
fn a_customer_becomes_one_item_with_everything_in_its_place() {
    let mapping = r#"
entity     = "customer"
key        = "crm_id"
key_detail = "External ID"
[columns]
signed_at = "date"
[fields]
display_name = { sql = "concat_ws(' ', first_name, last_name)", max_length = 20 }
email        = { sql = "lower(trim(contact_email))" }
[details]
"Region"   = { column = "region", type = "select", map = { eu = "EMEA", us = "AMER" }, default = "EMEA" }
"Renewal"  = { column = "renewal", type = "date", format = "%d/%m/%Y" }
"Channels" = { column = "channels", type = "multiselect", split = ";", options = ["Mail", "Chat"] }
"Signed"   = { column = "signed_at", type = "date" }
[organizations]
names = { column = "account", split = ";" }
[products]
names = "product"
on_missing = "skip"
[rules]
SIGNED_EARLY = "signed_at >= DATE '2020-01-01'"
"#;
    let columns = vec![
        text("crm_id", &["007", "008", "009", "010"]),
        text(
            "contact_email",
            &[" Ana@Example.com ", "bo@example.com", "nobody", "-"],
        ),
        text(
            "first_name",
            &["Ana \"A\"", "-", "A name far too long", "-"],
        ),
        text("last_name", &["Itō\n", "Berg", "for the field", "-"]),
        text("region", &["eu", "-", "apac", "us"]),
        text("renewal", &["31/01/2026", "", "2026-01-31", "-"]),
        text("channels", &["Chat; Mail;Chat", " ; ", "Fax", "-"]),
        text(
            "signed_at",
            &["2026-01-31", "2025-12-31", "2019-12-31", "soon"],
        ),
        text("account", &["Acme;ACME ; Globex", "-", "-", "-"]),
        text("product", &["Widget", "Gadget", "-", "-"]),
    ];
    let draft = draft(mapping, columns);
    let names: Vec<_> = draft.names(RefKind::Organization).collect();
    assert_eq!(names, ["Acme", "Globex"]);
    let names: Vec<_> = draft.names(RefKind::Product).collect();
    assert_eq!(names, ["Widget", "Gadget"]);
    let references = known(&[("acme", "11"), ("globex", "12")], &[("widget", "p-1")]);
    let mapped = draft.finish(&references, Emit::Payloads);
    insta::assert_snapshot!(shown(&mapped), @r#"
    1 [007] {"operationType":"UPSERT","payload":{"email":"ana@example.com","displayName":"Ana \"A\" Itō","details":[{"name":"Region","values":["EMEA"]},{"name":"Renewal","values":["2026-01-31"]},{"name":"Channels","values":["Chat","Mail"]},{"name":"Signed","values":["2026-01-31"]},{"name":"External ID","values":["007"]}],"associateOrganizations":{"organizationIds":["11","12"]},"associateProducts":{"productIds":["p-1"]}}}
    2 [008] {"operationType":"UPSERT","payload":{"email":"bo@example.com","displayName":"Berg","details":[{"name":"Region","values":["EMEA"]},{"name":"Signed","values":["2025-12-31"]},{"name":"External ID","values":["008"]}]}}
    3 [009] TOO_LONG display_name: 33 characters; at most 20 are allowed; EMAIL_INVALID email: not an e-mail address; DATE_INVALID Renewal: not a date in the form %d/%m/%Y; OPTION_UNKNOWN Channels: not one of the 2 options; SIGNED_EARLY -: breaks the rule: signed_at >= DATE '2020-01-01'
    4 [010] CAST_INVALID signed_at: cannot be read as date; REQUIRED_MISSING email: no value; the field is required
    "#);
    let details: Vec<_> = mapped.rows.iter().map(|row| row.details).collect();
    assert_eq!(details, [0b11111, 0b11001]);
}

#[test]
fn organizations_and_products_have_payloads_of_their_own() {
    let mapping = "entity = \"organization\"\noperation = \"create\"\n[fields]\nid = \"id\"\nname = \"name\"\n[details]\nTier = { column = \"tier\", empty = \"clear\" }\nNote = \"tier\"\n[products]\nnames = \"product\"\n";
    let columns = vec![
        column("id", [Some(9_007_199_254_740_993i64), None, None]),
        text("name", &["Acme", " Globex ", "-"]),
        text("tier", &["-", "gold", "gold"]),
        text("product", &["-", "Widget", "-"]),
    ];
    let draft = draft(mapping, columns);
    let mapped = draft.finish(&known(&[], &[("Widget", "3")]), Emit::Payloads);
    insta::assert_snapshot!(shown(&mapped), @r#"
    1 [9007199254740993] {"operationType":"CREATE","payload":{"id":"9007199254740993","name":"Acme","details":[{"name":"Tier","values":[]}]}}
    2 [Globex] {"operationType":"CREATE","payload":{"name":"Globex","details":[{"name":"Tier","values":["gold"]},{"name":"Note","values":["gold"]}],"associateProducts":{"productIds":["3"]}}}
    3 [] REQUIRED_MISSING name: no value; the field is required
    "#);
    let details: Vec<_> = mapped.rows.iter().map(|row| row.details).collect();
    assert_eq!(details, [0b01, 0b11]);

    let mapped = map(
        "entity = \"product\"\n[fields]\nname = \"n\"\n",
        vec![text("n", &["Wid\"get", " ", "-"])],
    );
    insta::assert_snapshot!(shown(&mapped), @r#"
    1 [Wid"get] {"name":"Wid\"get"}
    2 [] REQUIRED_MISSING name: no value; the field is required
    3 [] REQUIRED_MISSING name: no value; the field is required
    "#);
}

#[test]
fn each_type_has_a_canonical_form_or_a_reason() {
    let cells = ["00420", "-", "", "  ", " x "];
    let kept = detail(r#""c""#, text("c", &cells));
    assert_eq!(
        kept,
        [r#"["00420"]"#, "null", "null", r#"["  "]"#, r#"[" x "]"#]
    );
    let cases: [(&str, &[&str]); 9] = [
        (
            "email",
            &[
                "ana@example.com",
                " Bo@Example.COM ",
                "ana@localhost",
                "Ana <ana@example.com>",
            ],
        ),
        ("url", &["https://example.com/a", "example.com"]),
        ("date", &["2026-01-31", "31.01.2026", "2026-02-29"]),
        ("number", &["+1.50", "007", "1,5"]),
        ("boolean", &["Yes", "0", "ja"]),
        (
            "phone",
            &["+49 30 123456", "030 123456", "+49 30 123456 ext 1"],
        ),
        ("select", &[" EMEA ", ""]),
        ("multiselect", &["a;b", " "]),
        ("text", &["a\tb\u{0}\u{1F600}\\"]),
    ];
    let lines: Vec<String> = cases
        .iter()
        .flat_map(|(kind, cells)| {
            let value = format!("{{ column = \"c\", type = \"{kind}\" }}");
            detail(&value, text("c", cells))
                .into_iter()
                .map(move |outcome| format!("{kind}: {outcome}"))
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    email: ["ana@example.com"]
    email: ["Bo@Example.COM"]
    email: EMAIL_INVALID D: not an e-mail address
    email: EMAIL_INVALID D: not an e-mail address
    url: ["https://example.com/a"]
    url: URL_INVALID D: not an absolute http or https URL
    date: ["2026-01-31"]
    date: DATE_INVALID D: not a date in the form %Y-%m-%d
    date: DATE_INVALID D: not a date in the form %Y-%m-%d
    number: ["1.50"]
    number: ["007"]
    number: NUMBER_INVALID D: not a number
    boolean: ["true"]
    boolean: ["false"]
    boolean: BOOLEAN_INVALID D: neither true nor false
    phone: ["+4930123456"]
    phone: PHONE_INVALID D: not a valid phone number
    phone: PHONE_INVALID D: not a valid phone number
    select: ["EMEA"]
    select: null
    multiselect: ["a;b"]
    multiselect: null
    text: ["a\tb\u0000😀\\"]
    "#);
}

#[test]
fn typed_columns_render_exactly_whatever_the_target() {
    let decimals = text("c", &["12345678901234567890.1200", "-0.50", "3", "-"])
        .cast(&DataType::Decimal(38, 4))
        .unwrap();
    let number = r#"{ column = "c", type = "number" }"#;
    assert_eq!(
        detail(number, decimals),
        [
            r#"["12345678901234567890.12"]"#,
            r#"["-0.5"]"#,
            r#"["3"]"#,
            "null"
        ]
    );
    let ints = column("c", [9_223_372_036_854_775_807i64, -1]);
    assert_eq!(
        detail(number, ints),
        [r#"["9223372036854775807"]"#, r#"["-1"]"#]
    );
    let floats = column("c", [1.0, 0.1, 1e300, f64::NAN]);
    let rendered = detail(number, floats);
    assert_eq!(&rendered[..2], [r#"["1"]"#, r#"["0.1"]"#]);
    assert_eq!(rendered[2].len(), 301 + 4);
    assert_eq!(rendered[3], "NUMBER_INVALID D: not a number");
    let times = column("c", [1_769_847_300_000_000i64, 1_500_000])
        .cast(&DataType::Datetime(TimeUnit::Microseconds, None))
        .unwrap();
    assert_eq!(
        detail(r#""c""#, times.clone()),
        [
            r#"["2026-01-31T08:15:00Z"]"#,
            r#"["1970-01-01T00:00:01.5Z"]"#
        ]
    );
    let day = r#"{ column = "c", type = "date", format = "%d/%m/%Y", default = "01/02/2026" }"#;
    assert_eq!(
        detail(day, times),
        [r#"["2026-01-31"]"#, r#"["1970-01-01"]"#]
    );
    let days = date_column("c", &["2026-01-31", "-"]);
    assert_eq!(
        detail(day, days),
        [r#"["2026-01-31"]"#, r#"["2026-02-01"]"#]
    );
    let flags = column("c", [Some(true), None]);
    assert_eq!(
        detail(r#"{ column = "c", type = "boolean" }"#, flags),
        [r#"["true"]"#, "null"]
    );
}

#[test]
fn the_order_of_steps_is_split_trim_null_map_default_required_type_length_options() {
    let cells = || text("c", &[" eu ", "us", "xx", "-", "  "]);
    assert_eq!(
        detail(
            r#"{ column = "c", type = "select", map = { eu = "EMEA", us = "" } }"#,
            cells()
        ),
        [
            r#"["EMEA"]"#,
            "null",
            "VALUE_UNMAPPED D: no entry in map",
            "null",
            "null"
        ]
    );
    assert_eq!(
        detail(
            r#"{ column = "c", type = "select", map = { eu = "EMEA", us = "" }, default = "REST", required = true }"#,
            cells()
        ),
        [
            r#"["EMEA"]"#,
            r#"["REST"]"#,
            r#"["REST"]"#,
            r#"["REST"]"#,
            r#"["REST"]"#
        ]
    );
    assert_eq!(
        detail(
            r#"{ column = "c", required = true, min_length = 3 }"#,
            cells()
        ),
        [
            r#"[" eu "]"#,
            "TOO_SHORT D: 2 characters; at least 3 are needed",
            "TOO_SHORT D: 2 characters; at least 3 are needed",
            "REQUIRED_MISSING D: no value; the field is required",
            "TOO_SHORT D: 2 characters; at least 3 are needed",
        ]
    );
    assert_eq!(
        detail(
            r#"{ column = "c", type = "select", max_length = 2, options = ["ü", "ßß"] }"#,
            text("c", &["ü", "ßß", "üüü"])
        ),
        [
            r#"["ü"]"#,
            r#"["ßß"]"#,
            "TOO_LONG D: 3 characters; at most 2 are allowed; OPTION_UNKNOWN D: not one of the 2 options",
        ]
    );
}

#[test]
fn several_values_are_split_trimmed_told_apart_and_checked_each() {
    let value = r#"{ column = "c", type = "multiselect", split = ";", options = ["Mail", "Chat"], required = true }"#;
    assert_eq!(
        detail(
            value,
            text("c", &["Mail; Chat ;;Mail", "Fax;Fix", " ; ", "-"])
        ),
        [
            r#"["Mail","Chat"]"#,
            "OPTION_UNKNOWN D: not one of the 2 options",
            "REQUIRED_MISSING D: no value; the field is required",
            "REQUIRED_MISSING D: no value; the field is required",
        ]
    );
    let mapped = r#"{ column = "c", type = "multiselect", split = ";", map = { m = "Mail", c = "Chat" }, default = "None" }"#;
    assert_eq!(
        detail(mapped, text("c", &["m;c", "m;x", "-"])),
        [r#"["Mail","Chat"]"#, r#"["Mail","None"]"#, r#"["None"]"#]
    );
    let nested = lists(
        "c",
        &[
            Some(&["Mail", " Chat ", "Mail"]),
            Some(&["Mail;Chat"]),
            Some(&[]),
            None,
        ],
    );
    assert_eq!(
        detail(value, nested.clone()),
        [
            r#"["Mail","Chat"]"#,
            "OPTION_UNKNOWN D: not one of the 2 options",
            "REQUIRED_MISSING D: no value; the field is required",
            "REQUIRED_MISSING D: no value; the field is required",
        ]
    );
    assert_eq!(
        detail(r#""c""#, nested),
        [
            r#"["[\"Mail\",\" Chat \",\"Mail\"]"]"#,
            r#"["[\"Mail;Chat\"]"]"#,
            r#"["[]"]"#,
            "null"
        ]
    );
    let clear =
        customer(r#"D = { column = "c", type = "multiselect", split = ";", empty = "clear" }"#);
    let mapped = map(&clear, vec![text("c", &["-", "a"])]);
    assert_eq!(outcomes(&mapped), ["[]", r#"["a"]"#]);
    assert_eq!(mapped.rows[0].details, 1);
}

#[test]
fn all_reasons_of_a_row_are_told_in_the_order_of_the_file() {
    let mapping = r#"
entity = "customer"
[rules]
Z_RULE = "length(name) > 100"
A_RULE = "name is null"
[products]
names = { column = "product", required = true }
[details]
Z = { column = "name", type = "number" }
A = { column = "name", type = "boolean" }
[fields]
display_name = { column = "name", min_length = 9 }
email = "mail"
[columns]
since = "date"
age = "integer"
"#;
    let columns = vec![
        text("mail", &["nobody"]),
        text("name", &["Ana"]),
        text("since", &["soon"]),
        text("age", &["old"]),
        text("product", &["-"]),
    ];
    let mapped = map(mapping, columns).rejected.remove(0);
    insta::assert_snapshot!(super::reasons(&mapped.reasons).replace("; ", ";\n"), @r"
    CAST_INVALID since: cannot be read as date;
    CAST_INVALID age: cannot be read as integer;
    TOO_SHORT display_name: 3 characters;
    at least 9 are needed;
    EMAIL_INVALID email: not an e-mail address;
    NUMBER_INVALID Z: not a number;
    BOOLEAN_INVALID A: neither true nor false;
    REQUIRED_MISSING products: no value;
    the field is required;
    Z_RULE -: breaks the rule: length(name) > 100;
    A_RULE -: breaks the rule: name is null
    ");
}

#[test]
fn a_cell_that_cannot_be_read_gives_one_reason_and_no_follow_up() {
    let mapping = r#"
entity = "customer"
key = "id"
[columns]
id = "integer"
since = "date"
[fields]
email = "mail"
customer_id = "id"
[details]
Since = { column = "since", type = "date", required = true }
Year = { sql = "extract(year from since)", required = true }
Name = { column = "name", required = true }
[rules]
RECENT = "since > DATE '2020-01-01'"
"#;
    let columns = vec![
        text("id", &["x-1", "007"]),
        text("mail", &["-", "ana@example.com"]),
        text("since", &["soon", "2026-01-31"]),
        text("name", &["-", "Ana"]),
    ];
    insta::assert_snapshot!(shown(&map(mapping, columns)), @r#"
    2 [7] {"operationType":"UPSERT","payload":{"customerId":"7","email":"ana@example.com","details":[{"name":"Since","values":["2026-01-31"]},{"name":"Year","values":["2026"]},{"name":"Name","values":["Ana"]}]}}
    1 [x-1] CAST_INVALID id: cannot be read as integer; CAST_INVALID since: cannot be read as date; REQUIRED_MISSING Name: no value; the field is required
    "#);
}

#[test]
fn a_row_for_which_an_expression_fails_is_refused_and_the_others_load() {
    let cells = || text("c", &["1", "x", "-", "3"]);
    let failed = "EXPRESSION_FAILED D: the expression cannot be computed for this row";
    assert_eq!(
        detail(r#"{ sql = "cast(c as bigint) + 1" }"#, cells()),
        [r#"["2"]"#, failed, "null", r#"["4"]"#]
    );
    assert_eq!(
        detail(r#"{ sql = "try_cast(c as bigint) + 1" }"#, cells()),
        [r#"["2"]"#, "null", "null", r#"["4"]"#]
    );
    // the cast concerns only rows that reach it
    assert_eq!(
        detail(
            r#"{ sql = "case when c ~ '^[0-9]+$' then cast(c as bigint) else 0 end" }"#,
            cells()
        ),
        [r#"["1"]"#, r#"["0"]"#, r#"["0"]"#, r#"["3"]"#]
    );
    assert_eq!(
        detail(
            r#"{ sql = "coalesce(date(c, '%d/%m/%Y'), DATE '2020-01-01')" }"#,
            text("c", &["31/01/2026", "soon", "-"])
        ),
        [r#"["2026-01-31"]"#, failed, r#"["2020-01-01"]"#]
    );
    // nothing relaxed helps here: the length is negative for one row
    let columns = || vec![text("c", &["abcdef"; 5]), column("n", [2i64, 1, -1, 0, 3])];
    let mapped = map(&customer(r#"D = { sql = "substr(c, 1, n)" }"#), columns());
    assert_eq!(
        outcomes(&mapped),
        [r#"["ab"]"#, r#"["a"]"#, failed, "null", r#"["abc"]"#]
    );
    let rule = "entity = \"product\"\n[fields]\nname = \"c\"\n[rules]\nSHORT = \"length(substr(c, 1, n)) < 3\"\n";
    insta::assert_snapshot!(shown(&map(rule, columns())), @r#"
    1 [abcdef] {"name":"abcdef"}
    2 [abcdef] {"name":"abcdef"}
    4 [abcdef] {"name":"abcdef"}
    3 [abcdef] EXPRESSION_FAILED SHORT: the expression cannot be computed for this row
    5 [abcdef] SHORT -: breaks the rule: length(substr(c, 1, n)) < 3
    "#);
}

#[test]
fn rules_refuse_rows_for_which_they_are_false_or_null() {
    let mapping = "entity = \"product\"\n[fields]\nname = \"n\"\n[rules]\nCONTRACT_ENDED = \"ended > signed\"\nCONSTANT = \"1 < 2\"\n";
    let columns = vec![
        text("n", &["a", "b", "c"]),
        date_column("ended", &["2026-02-01", "2025-01-01", "-"]),
        date_column("signed", &["2026-01-01"; 3]),
    ];
    insta::assert_snapshot!(shown(&map(mapping, columns)), @r#"
    1 [a] {"name":"a"}
    2 [b] CONTRACT_ENDED -: breaks the rule: ended > signed
    3 [c] CONTRACT_ENDED -: breaks the rule: ended > signed
    "#);
}

#[test]
fn the_key_is_a_column_or_else_the_identity_as_mapped() {
    let mapping = "entity = \"customer\"\nkey_detail = \"Id\"\n[fields]\nemail = \"mail\"\ncustomer_id = \"id\"\n";
    let columns = vec![
        text(
            "mail",
            &["Ana@BÜCHER.example", "bo@example.com", "nobody", "-"],
        ),
        text("id", &["-", " qm:1 ", "-", "-"]),
    ];
    let mapped = map(mapping, columns);
    insta::assert_snapshot!(shown(&mapped), @r#"
    1 [Ana@BÜCHER.example] {"operationType":"UPSERT","payload":{"email":"Ana@BÜCHER.example","details":[{"name":"Id","values":["Ana@BÜCHER.example"]}]}}
    2 [qm:1] {"operationType":"UPSERT","payload":{"customerId":"qm:1","email":"bo@example.com","details":[{"name":"Id","values":["qm:1"]}]}}
    3 [nobody] EMAIL_INVALID email: not an e-mail address
    4 [] REQUIRED_MISSING email: no value; the field is required
    "#);
    let identities: Vec<_> = mapped
        .rows
        .iter()
        .map(|row| row.identity.as_str())
        .collect();
    assert_eq!(identities, ["ana@xn--bcher-kva.example", "qm:1"]);
    let hash = fold::hash(Entity::Customer, "ana@xn--bcher-kva.example");
    assert_eq!(mapped.rows[0].hash, hash);
}

#[test]
fn an_id_never_has_the_hash_of_a_name() {
    let mapping = "entity = \"organization\"\n[fields]\nname = \"name\"\nid = \"id\"\n";
    let columns = vec![
        text("name", &["10", "x", "\u{0}id:10"]),
        text("id", &["-", "10", "-"]),
    ];
    let mapped = map(mapping, columns);
    let hashes: Vec<_> = mapped.rows.iter().map(|row| row.hash).collect();
    assert!(hashes[0] != hashes[1] && hashes[0] != hashes[2]);
    assert_eq!(mapped.rows[1].identity.as_str(), "10");
}

#[test]
fn missing_names_reject_or_are_left_out_as_the_mapping_says() {
    let mapping = |on_missing: &str| {
        format!(
            "entity = \"customer\"\n[fields]\nemail = \"mail\"\n[organizations]\nnames = {{ column = \"account\", split = \";\" }}\non_missing = \"{on_missing}\"\n[products]\nnames = \"product\"\n"
        )
    };
    let columns = || {
        vec![
            text(
                "mail",
                &["a@example.com", "b@example.com", "c@example.com", "bad"],
            ),
            text("account", &["Acme;Nowhere;Nobody", "Acme", "-", "Nowhere"]),
            text("product", &["Gone", "Widget", "-", "Widget"]),
        ]
    };
    let references = || known(&[("ACME", "1")], &[("widget", "7")]);
    let finish = |on_missing: &str, references: &References, emit| {
        shown(&draft(&mapping(on_missing), columns()).finish(references, emit))
    };
    insta::assert_snapshot!(finish("reject", &references(), Emit::Payloads), @r#"
    2 [b@example.com] {"operationType":"UPSERT","payload":{"email":"b@example.com","associateOrganizations":{"organizationIds":["1"]},"associateProducts":{"productIds":["7"]}}}
    3 [c@example.com] {"operationType":"UPSERT","payload":{"email":"c@example.com"}}
    1 [a@example.com] ORGANIZATION_NOT_FOUND organizations: the site has no organization named "Nowhere"; ORGANIZATION_NOT_FOUND organizations: the site has no organization named "Nobody"; PRODUCT_NOT_FOUND products: the site has no product named "Gone"
    4 [bad] EMAIL_INVALID email: not an e-mail address; ORGANIZATION_NOT_FOUND organizations: the site has no organization named "Nowhere"
    "#);
    insta::assert_snapshot!(finish("skip", &references(), Emit::Payloads), @r#"
    2 [b@example.com] {"operationType":"UPSERT","payload":{"email":"b@example.com","associateOrganizations":{"organizationIds":["1"]},"associateProducts":{"productIds":["7"]}}}
    3 [c@example.com] {"operationType":"UPSERT","payload":{"email":"c@example.com"}}
    1 [a@example.com] PRODUCT_NOT_FOUND products: the site has no product named "Gone"
    4 [bad] EMAIL_INVALID email: not an e-mail address
    "#);
    let created = finish("create", &references(), Emit::Payloads);
    assert_eq!(created, finish("reject", &references(), Emit::Payloads));
    insta::assert_snapshot!(finish("reject", &References::UNCHECKED, Emit::Payloads), @r#"
    1 [a@example.com] {"operationType":"UPSERT","payload":{"email":"a@example.com"}}
    2 [b@example.com] {"operationType":"UPSERT","payload":{"email":"b@example.com"}}
    3 [c@example.com] {"operationType":"UPSERT","payload":{"email":"c@example.com"}}
    4 [bad] EMAIL_INVALID email: not an e-mail address
    "#);
    insta::assert_snapshot!(finish("reject", &references(), Emit::Keys), @r#"
    2 [b@example.com] 
    3 [c@example.com] 
    1 [a@example.com] ORGANIZATION_NOT_FOUND organizations: the site has no organization named "Nowhere"; ORGANIZATION_NOT_FOUND organizations: the site has no organization named "Nobody"; PRODUCT_NOT_FOUND products: the site has no product named "Gone"
    4 [bad] EMAIL_INVALID email: not an e-mail address; ORGANIZATION_NOT_FOUND organizations: the site has no organization named "Nowhere"
    "#);

    let plan = plan_for(&mapping("create"), &columns());
    assert_eq!(
        plan.on_missing(RefKind::Organization),
        Some(OnMissing::Create)
    );
    assert_eq!(plan.on_missing(RefKind::Product), Some(OnMissing::Reject));
    let draft = plan.draft(&chunk(columns()));
    let names: Vec<_> = draft.names(RefKind::Organization).collect();
    assert_eq!(names, ["Acme", "Nowhere", "Nobody", "Acme", "Nowhere"]);
    let names: Vec<_> = draft
        .names_of_sound_rows(RefKind::Organization, |_| true)
        .collect();
    assert_eq!(names, ["Acme", "Nowhere", "Nobody", "Acme"]);
}

#[test]
fn records_that_could_not_be_read_are_refused_in_their_place() {
    let columns = vec![text("n", &["a", "b"])];
    let plan = plan_for(
        "entity = \"product\"\n[fields]\nname = \"n\"\n[rules]\nR = \"n <> 'b'\"\n",
        &columns,
    );
    let mut chunk = chunk(columns);
    chunk.file = FileId(3);
    chunk.ids = vec![RowId(11), RowId(14)];
    chunk.lines = vec![12, 20];
    chunk.bad = [(10, 11), (12, 13), (13, 15), (15, 21)]
        .map(|(row, line)| BadRow {
            row: RowId(row),
            line: Some(line),
            code: Code::CsvTooFewFields,
            message: "1 fields; the header has 2".into(),
        })
        .to_vec();
    let mapped = plan
        .draft(&chunk)
        .finish(&References::UNCHECKED, Emit::Payloads);
    assert_eq!(mapped.rows.len(), 1);
    assert_eq!(mapped.rows[0].row.line, Some(12));
    let places: Vec<_> = mapped
        .rejected
        .iter()
        .map(|row| {
            (
                row.row.id.0,
                row.row.file.0,
                row.row.line,
                row.reasons[0].code.name().to_owned(),
            )
        })
        .collect();
    let bad = "CSV_TOO_FEW_FIELDS".to_owned();
    assert_eq!(
        places,
        [
            (10, 3, Some(11), bad.clone()),
            (12, 3, Some(13), bad.clone()),
            (13, 3, Some(15), bad.clone()),
            (14, 3, Some(20), "R".to_owned()),
            (15, 3, Some(21), bad),
        ]
    );
    assert_eq!(
        mapped.rejected[1].reasons[0].message,
        "1 fields; the header has 2"
    );
}

#[test]
fn a_plan_reads_the_columns_it_uses_in_the_order_of_the_source() {
    let columns = vec![
        text("unused", &["-"]),
        text("c", &["1"]),
        text("b", &["x"]),
        text("a", &["y"]),
        text("k", &["z"]),
        text("r", &["-"]),
    ];
    let mapping = "entity = \"customer\"\nkey = \"k\"\nkey_detail = \"Key\"\n[columns]\nc = \"integer\"\n[fields]\nemail = { sql = \"a || '@' || b\" }\n[details]\nX = { value = \"x\" }\n[rules]\nR = \"r is null\"\n";
    let plan = plan_for(mapping, &columns);
    assert_eq!(plan.columns(), ["c", "b", "a", "k", "r"]);
    assert_eq!(plan.detail_names(), ["X", "Key"]);
    assert_eq!(plan.entity(), Entity::Customer);
    assert_eq!(plan.on_missing(RefKind::Product), None);
    shared(&plan);
}

fn shared<T: Send + Sync>(_: &T) {}

#[test]
fn chunks_without_rows_and_mappings_without_columns_are_fine() {
    let constant = "entity = \"product\"\n[fields]\nname = { sql = \"upper('a') || 'b'\" }\n[rules]\nR = \"true\"\n";
    let plan = plan_for(constant, &[]);
    for rows in [0, 1, 3] {
        let mapped = plan
            .draft(&chunk_of(rows, Vec::new()))
            .finish(&References::UNCHECKED, Emit::Payloads);
        assert_eq!(mapped.rows.len(), rows);
        assert!(
            mapped
                .rows
                .iter()
                .all(|row| row.item.as_str() == r#"{"name":"Ab"}"#)
        );
    }
    let mapped = map(
        &customer("D = { sql = \"upper(c)\" }"),
        vec![text("c", &[])],
    );
    assert_eq!((mapped.rows.len(), mapped.rejected.len()), (0, 0));
}

#[test]
fn the_digest_is_that_of_the_text() {
    let file = |text: &str| super::parse(text).unwrap().digest();
    let text = "entity = \"product\"\n[fields]\nname = \"n\"\n";
    assert_eq!(file(text), file(text));
    assert_ne!(
        file(text),
        file(
            &text
                .replace('n', "m")
                .replace("mame", "name")
                .replace("emtity", "entity")
        )
    );
}
