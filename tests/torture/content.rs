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
    /// Whether a record of the site holds all of it, but for what later rows of its key are told to have written in part.
    pub(crate) fn is_held(&self, record: &Value, later: &[&Self]) -> bool {
        let details = record["details"].as_array().expect("a list");
        let held = |name: &str| {
            let detail = details.iter().find(|detail| detail["name"] == *name);
            detail?["values"].get(0)?.as_str()
        };
        let sent = |content: &Self, name: &str| {
            let mut details = content.details.iter();
            details
                .find(|(of, _)| *of == name)
                .map(|(_, sent)| sent.clone())
        };
        let belongs = |name: &String| {
            let all = record["organizations"].as_array().expect("a list").iter();
            let mut names = all.filter_map(|one| one["name"].as_str());
            names.any(|held| held.eq_ignore_ascii_case(name))
        };
        let named = |content: &&Self| {
            let name = content.name.as_ref();
            name.is_none_or(|name| record["displayName"] == **name)
        };
        let whose = || std::iter::once(self).chain(later.iter().copied());
        whose().any(|content| named(&content))
            && self.details.iter().all(|(name, _)| {
                let held = held(name);
                held.is_some() && whose().any(|content| sent(content, name).as_deref() == held)
            })
            && self.organizations.iter().all(belongs)
    }
}
