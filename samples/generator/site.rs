//! The sandbox site that the samples load into: its detail fields, organizations and products.

use crate::customers::{CHANNELS, LANGUAGES, TIERS};
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
        ("Industry", "SELECT", INDUSTRIES.to_vec()),
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
        ("Salesforce Industry", "TEXT", vec![]),
        ("Parent Organization", "TEXT", vec![]),
        ("Description", "TEXT", vec![]),
    ]
}

/// The seed file.
pub(crate) fn seed_file() -> String {
    let mut text = String::from(
        "# The sandbox site before the samples are loaded. Made by the generator; see README.md.\n\n",
    );
    fields(&mut text, "customer_detail", &customer_fields());
    fields(&mut text, "organization_detail", &organization_fields());
    names(
        &mut text,
        "organization",
        SHARED_ORGANIZATIONS.iter().chain(SITE_ORGANIZATIONS),
    );
    names(&mut text, "product", SEEDED_PRODUCTS);
    text
}

/// Writes one table per detail field.
fn fields(text: &mut String, table: &str, fields: &[Field]) {
    for (name, kind, options) in fields {
        text.push_str(&format!(
            "[[{table}]]\nname = {}\ntype = \"{kind}\"\n",
            quoted(name)
        ));
        if !options.is_empty() {
            let options: Vec<String> = options.iter().map(|option| quoted(option)).collect();
            text.push_str(&format!("options = [{}]\n", options.join(", ")));
        }
        text.push('\n');
    }
}

/// Writes one table per name.
fn names<'a>(text: &mut String, table: &str, names: impl IntoIterator<Item = &'a &'static str>) {
    for name in names {
        text.push_str(&format!("[[{table}]]\nname = {}\n\n", quoted(name)));
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
