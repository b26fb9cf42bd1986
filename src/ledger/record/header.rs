//! The headers of runs and stages, and what tells one reading of a job from another.

use crate::model::clock::UnixMillis;
use crate::model::entity::{Asked, Entity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The header of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunHeader {
    /// Its id, as results files show it.
    pub id: String,
    /// Random UUID: the name space of its idempotency keys.
    pub nonce: String,
    /// The site, as people call it.
    pub site: String,
    /// What makes two runs the same job: the job file's path, or entity, mapping and inputs as typed.
    pub job: String,
    /// The id of the run whose rows it loads again.
    pub retry_of: Option<String>,
    /// How it was started, so that it can be continued by its id alone.
    pub invocation: Option<Invocation>,
    /// When it started.
    pub started_at: UnixMillis,
}

/// How a run was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// The folder that relative paths start from.
    pub folder: String,
    /// The arguments, without the program's name.
    pub arguments: Vec<String>,
}

/// The header of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageHeader {
    /// Its number in the run, from 0.
    pub stage: u32,
    /// What it loads.
    pub entity: Entity,
    /// With which verb.
    pub operation: Asked,
    /// Digest of the mapping file.
    pub mapping: u128,
    /// Path of the results file.
    pub results: Option<String>,
    /// Its input files: name, bytes, digest of the content.
    pub files: Vec<(String, u64, u128)>,
    /// What else shapes its batches, by name, as a person wrote it.
    pub settings: BTreeMap<String, String>,
    /// What it writes. Without one, nothing is remembered of its rows, and nothing that was remembered is voided.
    pub shape: Option<Shape>,
    /// Of a retry: the stage of the run [`RunHeader::retry_of`] whose rows it loads again, under their numbers there.
    pub retries: Option<u32>,
    /// JSON: what opens its input again, and the types of its columns, so that rows of it can be loaded again.
    pub source: Option<String>,
    /// Path of the mapping file, absolute.
    pub mapping_path: Option<String>,
}

/// What a stage writes. Content counts as unchanged only when the same shape confirmed it last.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Digest of the mapping file.
    pub mapping: u128,
    /// The endpoints that it writes through.
    pub family: String,
    /// The names of the fields that it writes, without those that only identify the record. Two shapes that share a
    /// name overwrite each other's content.
    pub fields: Vec<String>,
}

/// One thing in which a stage is no longer what it was, as a person would say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It loads another kind of record, or with another verb.
    Kind {
        /// As it was.
        was: (Entity, Asked),
        /// As it is.
        is: (Entity, Asked),
    },
    /// The mapping file has other content.
    Mapping,
    /// An input has other content.
    Changed(String),
    /// An input is new, or stands elsewhere in the order.
    Added(String),
    /// An input is gone.
    Gone(String),
    /// The same inputs, in another order.
    Order,
    /// A setting has another value.
    Setting {
        /// Its name.
        name: String,
        /// As it was.
        was: Option<String>,
        /// As it is.
        is: Option<String>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".into());
        match self {
            Self::Kind { was, is } => write!(
                f,
                "the stage was {} of {}s, and is {} of {}s",
                was.1, was.0, is.1, is.0
            ),
            Self::Mapping => f.write_str("the mapping has changed"),
            Self::Changed(name) => write!(f, "the input {name} has changed"),
            Self::Added(name) => write!(f, "the input {name} is new"),
            Self::Gone(name) => write!(f, "the input {name} is gone"),
            Self::Order => f.write_str("the inputs are in another order"),
            Self::Setting { name, was, is } => {
                write!(f, "{name} was {}, and is {}", said(was), said(is))
            }
        }
    }
}

impl StageHeader {
    /// In what `now` would read, map or cut other batches than this stage did; nothing when it can be continued.
    #[must_use]
    pub fn differences(&self, now: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        let (was, is) = ((self.entity, self.operation), (now.entity, now.operation));
        // by their words: a stored `update` does not say of what
        if (was.0, was.1.name()) != (is.0, is.1.name()) {
            found.push(Difference::Kind { was, is });
        }
        if self.mapping != now.mapping {
            found.push(Difference::Mapping);
        }
        found.extend(differing_files(&self.files, &now.files));
        let names = self.settings.keys().chain(now.settings.keys());
        let names: std::collections::BTreeSet<_> = names.collect();
        found.extend(names.into_iter().filter_map(|name| {
            let (was, is) = (self.settings.get(name), now.settings.get(name));
            (was != is).then(|| Difference::Setting {
                name: name.clone(),
                was: was.cloned(),
                is: is.cloned(),
            })
        }));
        found
    }
}

/// Files are told apart by name, then by bytes and digest.
fn differing_files(was: &[(String, u64, u128)], is: &[(String, u64, u128)]) -> Vec<Difference> {
    let mut found = Vec::new();
    for (name, bytes, digest) in is {
        match was.iter().find(|(other, ..)| other == name) {
            None => found.push(Difference::Added(name.clone())),
            Some((_, b, d)) if (b, d) != (bytes, digest) => {
                found.push(Difference::Changed(name.clone()));
            }
            Some(_) => {}
        }
    }
    let gone = was
        .iter()
        .filter(|(name, ..)| !is.iter().any(|(other, ..)| other == name));
    found.extend(gone.map(|(name, ..)| Difference::Gone(name.clone())));
    // also when one name stands for two files
    if found.is_empty() && was != is {
        found.push(Difference::Order);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entity::Operation;

    fn header(files: &[(&str, u128)], settings: &[(&str, &str)]) -> StageHeader {
        StageHeader {
            stage: 0,
            entity: Entity::Customer,
            operation: Operation::Upsert.into(),
            mapping: 1,
            results: None,
            files: files
                .iter()
                .map(|(name, digest)| ((*name).to_owned(), 10, *digest))
                .collect(),
            settings: settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            shape: None,
            retries: None,
            source: None,
            mapping_path: None,
        }
    }

    fn said(was: &StageHeader, is: &StageHeader) -> String {
        let found = was.differences(is);
        let said: Vec<_> = found.iter().map(ToString::to_string).collect();
        said.join("\n")
    }

    #[test]
    fn every_difference_is_named() {
        let was = header(
            &[("a.csv", 1), ("b.csv", 2), ("c.csv", 3)],
            &[("duplicates", "last"), ("route", "bulk")],
        );
        let is = StageHeader {
            operation: Operation::Create.into(),
            mapping: 2,
            ..header(
                &[("a.csv", 1), ("b.csv", 9), ("d.csv", 4)],
                &[("duplicates", "first"), ("limit", "10")],
            )
        };
        insta::assert_snapshot!(said(&was, &is), @"
        the stage was upsert of customers, and is create of customers
        the mapping has changed
        the input b.csv has changed
        the input d.csv is new
        the input c.csv is gone
        duplicates was last, and is first
        limit was not set, and is 10
        route was bulk, and is not set
        ");
        let turned = header(&[("b.csv", 2), ("a.csv", 1)], &[]);
        let straight = header(&[("a.csv", 1), ("b.csv", 2)], &[]);
        assert_eq!(said(&straight, &turned), "the inputs are in another order");
    }

    #[test]
    fn results_elsewhere_are_no_difference() {
        let was = header(&[("a.csv", 1)], &[]);
        let is = StageHeader {
            results: Some("elsewhere.csv".into()),
            ..was.clone()
        };
        assert_eq!(was.differences(&is), []);
    }
}
