//! The sandbox site that the samples load into: its detail fields, organizations and products.

use crate::customers::{CHANNELS, LANGUAGES, TIERS};
use crate::entitlements::{MODULES, PLANS};
use crate::organizations::{INDUSTRIES, SEGMENTS};
use crate::words::{SEEDED_PRODUCTS, SHARED_ORGANIZATIONS, SITE_ORGANIZATIONS};

/// A detail field: name, type, options.
type Field = (&'static str, &'static str, Vec<&'static str>);

/// Fields that customers' mappings write, those of the HubSpot and Zendesk exports included.
fn customer_fields() -> Vec<Field> {
    vec![
        ("External ID", "TEXT", vec![]),
        ("Phone", "PHONE", vec![]),
        ("Region", "SELECT", vec!["EMEA", "Americas", "APAC"]),
        ("Preferred Language", "SELECT", LANGUAGES.to_vec()),
        ("Tier", "SELECT", TIERS.to_vec()),
        ("Channels", "MULTISELECT", CHANNELS.to_vec()),
        ("Customer Since", "DATE", vec![]),
        ("Contract Signed", "DATE", vec![]),
        ("Renewal Date", "DATE", vec![]),
        ("VIP", "BOOLEAN", vec![]),
        ("Seats", "NUMBER", vec![]),
        ("Seat Band", "SELECT", vec!["small", "medium", "large"]),
        ("Discount", "NUMBER", vec![]),
        ("Source System", "TEXT", vec![]),
        ("Notes", "TEXT", vec![]),
        ("Title", "TEXT", vec![]),
        ("Country", "TEXT", vec![]),
        (
            "Lifecycle Stage",
            "SELECT",
            vec![
                "Subscriber",
                "Lead",
                "Marketing Qualified Lead",
                "Sales Qualified Lead",
                "Opportunity",
                "Customer",
                "Evangelist",
                "Other",
            ],
        ),
        ("Owner", "TEXT", vec![]),
        ("Website", "URL", vec![]),
        ("Time Zone", "TEXT", vec![]),
        ("Tags", "TEXT", vec![]),
        ("Verified", "BOOLEAN", vec![]),
        ("Last Sign-in", "DATE", vec![]),
        ("Zendesk Organization ID", "TEXT", vec![]),
    ]
}

/// Fields that organizations' mappings write, those of the Salesforce export included.
fn organization_fields() -> Vec<Field> {
    vec![
        ("External ID", "TEXT", vec![]),
        ("Industry", "SELECT", [INDUSTRIES, &["Other"]].concat()),
        (
            "Customer Segment",
            "MULTISELECT",
            SEGMENTS.iter().map(|(_, name)| *name).collect(),
        ),
        (
            "Country",
            "SELECT",
            vec![
                "Germany",
                "France",
                "United Kingdom",
                "Spain",
                "Japan",
                "India",
                "Other",
            ],
        ),
        ("Website", "URL", vec![]),
        ("Support E-mail", "EMAIL", vec![]),
        ("Partner", "BOOLEAN", vec![]),
        ("Health Score", "NUMBER", vec![]),
        ("Founded", "NUMBER", vec![]),
        ("Customer Since", "DATE", vec![]),
        ("Employees", "NUMBER", vec![]),
        ("Size", "SELECT", vec!["small", "medium", "large"]),
        ("Annual Revenue", "NUMBER", vec![]),
        ("Address", "TEXT", vec![]),
        ("Imported By", "TEXT", vec![]),
        ("Phone", "PHONE", vec![]),
        (
            "Type",
            "MULTISELECT",
            vec!["Customer", "Partner", "Prospect", "Other"],
        ),
        ("Parent Account ID", "TEXT", vec![]),
        ("Description", "TEXT", vec![]),
    ]
}

/// Fields that the mapping of entitlements writes.
fn entitlement_fields() -> Vec<Field> {
    vec![
        ("Plan", "SELECT", PLANS.to_vec()),
        ("Seats", "NUMBER", vec![]),
        ("Start", "DATE", vec![]),
        ("Modules", "MULTISELECT", MODULES.to_vec()),
        ("Auto-renew", "BOOLEAN", vec![]),
    ]
}

/// The seed file.
pub(crate) fn seed_file() -> String {
    let comment =
        "# The sandbox site before the samples are loaded. Made by the generator; see README.md.\n";
    let organizations = SHARED_ORGANIZATIONS.iter().chain(SITE_ORGANIZATIONS);
    let mut tables = vec![comment.to_owned()];
    tables.extend(
        customer_fields()
            .iter()
            .map(|field| field_table("customer_detail", field)),
    );
    tables.extend(
        organization_fields()
            .iter()
            .map(|field| field_table("organization_detail", field)),
    );
    tables.extend(
        entitlement_fields()
            .iter()
            .map(|field| field_table("entitlement_detail", field)),
    );
    tables.extend(organizations.map(|name| name_table("organization", name)));
    tables.extend(
        SEEDED_PRODUCTS
            .iter()
            .map(|name| name_table("product", name)),
    );
    tables.join("\n")
}

/// The table of one detail field.
fn field_table(table: &str, (name, kind, options): &Field) -> String {
    let text = format!("{}type = \"{kind}\"\n", name_table(table, name));
    if options.is_empty() {
        return text;
    }
    let options: Vec<String> = options.iter().map(|option| quoted(option)).collect();
    format!("{text}options = [{}]\n", options.join(", "))
}

/// A table with a name.
fn name_table(table: &str, name: &str) -> String {
    format!("[[{table}]]\nname = {}\n", quoted(name))
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
