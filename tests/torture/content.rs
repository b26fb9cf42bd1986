//! What the rows of the job send, to be held against what the site holds.

use super::site::Field;
use serde_json::Value;

/// What a row of organizations or customers sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// The display name of a customer.
    name: Option<String>,
    /// Detail fields with values.
    details: Vec<(&'static str, String)>,
    /// The organizations of a customer.
    organizations: Vec<String>,
}

/// Of each row of a stage, in order; of those that cannot be read whatever is there of them.
pub(crate) fn contents(field: &Field, entity: &str) -> Vec<Content> {
    let file = match entity {
        "customer" => "customers.csv",
        _ => "organizations.csv",
    };
    let text = field.place.read(file);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(text.as_bytes());
    let records = reader.records().map(|record| {
        let record = record.expect("a record");
        let cell = |at: usize| record.get(at).unwrap_or_default().to_owned();
        let (name, mut details, organizations) = match entity {
            "customer" => (
                Some(cell(1)),
                vec![
                    ("External ID", cell(0)),
                    ("Region", cell(2)),
                    ("Score", cell(3)),
                ],
                cell(4),
            ),
            _ => (
                None,
                vec![("Industry", cell(1)), ("Size", cell(2))],
                String::new(),
            ),
        };
        details.retain(|(_, value)| !value.is_empty());
        let organizations = organizations.split(';').filter(|name| !name.is_empty());
        Content {
            name,
            details,
            organizations: organizations.map(str::to_owned).collect(),
        }
    });
    records.collect()
}

impl Content {
    /// Whether a record of the site holds all of it.
    pub(crate) fn is_held(&self, record: &Value) -> bool {
        let details = record["details"].as_array().expect("a list");
        let detail = |name: &str| details.iter().find(|detail| detail["name"] == *name);
        let value = |name| detail(name)?["values"].get(0)?.as_str();
        let belongs = |name: &String| {
            let all = record["organizations"].as_array().expect("a list").iter();
            let mut names = all.filter_map(|one| one["name"].as_str());
            names.any(|held| held.eq_ignore_ascii_case(name))
        };
        let named = |name: &String| record["displayName"] == **name;
        self.name.as_ref().is_none_or(named)
            && self
                .details
                .iter()
                .all(|(name, sent)| value(name) == Some(sent.as_str()))
            && self.organizations.iter().all(belongs)
    }
}
