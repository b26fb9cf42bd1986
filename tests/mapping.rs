//! Mapping files that cannot be used: everything that is wrong, at once, with its place.

use crate::support::place::{PEOPLE, Place};
use insta::assert_snapshot;

/// Loads `people.csv` through a mapping that is refused: the message. Nothing was sent.
fn refused(mapping: &str) -> String {
    let place = Place::with_people("a@example.com,Ana\n");
    place.write("people.toml", mapping);
    let ended = place.load_people("people.csv").expect(3);
    assert!(!place.has("out.csv") && !place.path("state/sandbox/site.jsonl").exists());
    assert_eq!(ended.stdout, "");
    ended.stderr
}

#[test]
fn all_faults_of_a_mapping_are_reported_at_once() {
    let mapping = r#"entity    = "customer"
operation = "upsert"
key       = "emial"

[fields]
email        = "e_mail"
display_name = { sql = "upper(nme)", max_lenght = 255 }

[details]
"Region" = { column = "name", type = "selekt" }
"Seats"  = { sql = "count(name)", type = "number" }
"Since"  = { sql = "select 1 +", type = "date" }

[rules]
LATE = "random() > 0.5"
"#;
    assert_snapshot!(refused(mapping), @r#"
    error: unknown column "emial"
     --> people.toml:3:13
      |
    3 | key       = "emial"
      |             ^^^^^^^
      |
      = help: did you mean "email"?

    error: unknown column "e_mail"
     --> people.toml:6:16
      |
    6 | email        = "e_mail"
      |                ^^^^^^^^
      |
      = help: did you mean "email"?

    error: unknown column "nme"
     --> people.toml:7:31
      |
    7 | display_name = { sql = "upper(nme)", max_lenght = 255 }
      |                               ^^^
      |
      = help: did you mean "name"?

    error: unknown key "max_lenght"
     --> people.toml:7:38
      |
    7 | display_name = { sql = "upper(nme)", max_lenght = 255 }
      |                                      ^^^^^^^^^^
      |
      = help: did you mean "max_length"?

    error: unknown type "selekt"
      --> people.toml:10:38
       |
    10 | "Region" = { column = "name", type = "selekt" }
       |                                      ^^^^^^^^
       |
       = help: did you mean "select"?

    error: count looks at several rows; an expression sees one row
      --> people.toml:11:21
       |
    11 | "Seats"  = { sql = "count(name)", type = "number" }
       |                     ^^^^^^^^^^
       |
       = help: compute it in the export's query

    error: SQL syntax: unexpected 1 after the expression
      --> people.toml:12:28
       |
    12 | "Since"  = { sql = "select 1 +", type = "date" }
       |                            ^
       |
       = help: an expression computes one value; it has no alias and no clauses

    error: random gives another answer each time; a row must always map the same
      --> people.toml:15:9
       |
    15 | LATE = "random() > 0.5"
       |         ^^^^^^
       |
       = help: put the value into the export, or write it as a literal

    note: the columns are those of people.csv
    "#);
}

#[test]
fn columns_and_expressions_are_checked_against_the_input_all_at_once() {
    let mapping = r#"entity = "customer"
key    = "emial"
[columns]
signd_at = "date"
[fields]
email        = "e_mail"
display_name = { sql = "upper(nme)" }
[details]
"Seats" = { sql = "count(name)", type = "number" }
"Since" = { sql = "name +", type = "date" }
[rules]
LATE = "random() > 0.5"
"#;
    assert_snapshot!(refused(mapping), @r#"
    error: unknown column "emial"
     --> people.toml:2:10
      |
    2 | key    = "emial"
      |          ^^^^^^^
      |
      = help: did you mean "email"?

    error: unknown column "signd_at"
     --> people.toml:4:1
      |
    4 | signd_at = "date"
      | ^^^^^^^^
      |
      = help: the columns are "email", "name"

    error: unknown column "e_mail"
     --> people.toml:6:16
      |
    6 | email        = "e_mail"
      |                ^^^^^^^^
      |
      = help: did you mean "email"?

    error: unknown column "nme"
     --> people.toml:7:31
      |
    7 | display_name = { sql = "upper(nme)" }
      |                               ^^^
      |
      = help: did you mean "name"?

    error: count looks at several rows; an expression sees one row
     --> people.toml:9:20
      |
    9 | "Seats" = { sql = "count(name)", type = "number" }
      |                    ^^^^^^^^^^
      |
      = help: compute it in the export's query

    error: SQL syntax: Expected: an expression, found: EOF
      --> people.toml:10:26
       |
    10 | "Since" = { sql = "name +", type = "date" }
       |                          ^

    error: random gives another answer each time; a row must always map the same
      --> people.toml:12:9
       |
    12 | LATE = "random() > 0.5"
       |         ^^^^^^
       |
       = help: put the value into the export, or write it as a literal

    note: the columns are those of people.csv
    "#);
}

#[test]
fn what_is_not_toml_is_shown_where_it_breaks_off() {
    assert_snapshot!(refused("entity = \"customer\"\n[fields\nemail = \"email\"\n"), @"
    error: unclosed table, expected `]`
     --> people.toml:2:8
      |
    2 | [fields
      |        ^
      |
      = help: the file is TOML, see https://toml.io
    ");
    assert_snapshot!(refused("entity = \"customer\"\n[fields]\ndisplay_name = \"name\"\n"), @r#"
    error: a customer needs "email" or "customer_id" in [fields]
     --> people.toml:1:10
      |
    1 | entity = "customer"
      |          ^^^^^^^^^^
      |
      = help: add email = "…", the column that identifies the customer
    "#);
}

#[test]
fn a_mapping_for_another_entity_is_refused() {
    let place = Place::with_people("a@example.com,Ana\n");
    let ended = place
        .load_people("people.csv --entity organization")
        .expect(3);
    assert_snapshot!(ended.stderr, @"error: the stage loads organizations, and its mapping people.toml is for customers; name the right mapping");
}

#[test]
fn a_mapping_that_is_not_there_and_an_input_that_is_not_are_both_named() {
    let place = Place::new();
    let ended = place.load_people("people.csv").expect(3);
    assert_snapshot!(ended.stderr, @"
    error: people.toml: failed to read the mapping file: No such file or directory (os error 2); check its path; a mapping file is UTF-8 text

    error: people.csv: there is no such file; check its name and the folder that it starts from
    ");
}

#[test]
fn faults_of_all_stages_of_a_job_come_together() {
    let place = Place::with_people("a@example.com,Ana\n");
    place.write("other.toml", PEOPLE.replace("\"name\"", "\"nme\""));
    place.write(
        "job.toml",
        "[site]\ntarget = \"sandbox\"\n[[stage]]\nentity = \"product\"\nmapping = \"people.toml\"\ninput = \"people.csv\"\n\
         [[stage]]\nmapping = \"other.toml\"\ninput = \"people.csv\"\nresults = \"b.csv\"\n\
         [[stage]]\nmapping = \"people.toml\"\ninput = \"none.csv\"\nresults = \"c.csv\"\n",
    );
    let ended = place.run("load job.toml --state-dir state").expect(3);
    assert_snapshot!(ended.stderr, @r#"
    error: the stage loads products, and its mapping people.toml is for customers; name the right mapping
    error: unknown column "nme"
     --> other.toml:5:16
      |
    5 | display_name = "nme"
      |                ^^^^^
      |
      = help: did you mean "name"?

    note: the columns are those of people.csv

    error: none.csv: there is no such file; check its name and the folder that it starts from
    "#);
}
