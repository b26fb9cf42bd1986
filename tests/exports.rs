//! The mappings for what other products export.

use crate::support::place::Place;
use crate::support::repository;
use crate::support::table::Table;
use std::path::Path;

fn export_loads_as_expected(name: &str) {
    let place = Place::new();
    place
        .run(&format!(
            "load --quiet --mapping mappings/{name}.toml --input samples/exports/{name}.csv --target sandbox \
             --sandbox-seed samples/site.toml --state-dir state --results out.csv"
        ))
        .expect(4);
    let expected = Table::read(Path::new(&repository(&format!(
        "samples/expected/{name}.csv"
    ))));
    let columns: Vec<_> = expected.columns.iter().map(String::as_str).collect();
    assert_eq!(place.results("out.csv").select(&columns), expected);
}

#[test]
fn a_hubspot_contact_export_loads_as_expected() {
    export_loads_as_expected("hubspot-contacts");
}

#[test]
fn a_salesforce_account_export_loads_as_expected() {
    export_loads_as_expected("salesforce-accounts");
}

#[test]
fn a_zendesk_user_export_loads_as_expected() {
    export_loads_as_expected("zendesk-users");
}
