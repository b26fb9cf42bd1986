//! What can be found out about rows whose request did not tell: by reading the site, and by single calls.
//!
//! Plain data between whoever asks (`state`) and whoever finds out.

use crate::model::entity::{Asked, Entity, Family};
use crate::model::reply::ApiError;
use crate::model::row::{PreparedRow, Reason};
use std::fmt;

/// What a stage writes, as far as finding its records again and writing them one by one depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The stage's number in the run.
    pub stage: u32,
    /// What it loads.
    pub entity: Entity,
    /// What its rows write of a record.
    pub family: Family,
    /// What is asked for.
    pub asked: Asked,
    /// The detail field that holds the mapping's key, by which records can be found.
    pub key_detail: Option<String>,
}

/// A row that is looked for on the site.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The row, with its payload.
    pub row: PreparedRow,
    /// The site's id of its record, where it is remembered.
    pub remote_id: Option<String>,
}

/// What the site was seen to hold of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// All that the row sends.
    Holds {
        /// The record's id.
        remote_id: Option<String>,
        /// What a person should know all the same: memberships that remain from before.
        notes: Vec<Reason>,
    },
    /// Its record, with other content, however patiently it was read.
    Differs {
        /// The record's id.
        remote_id: Option<String>,
        /// The fields and detail fields whose values are others, by their names in the mapping.
        fields: Vec<String>,
        /// The organizations it does not belong to, though the row says so; by id.
        missing: Vec<String>,
        /// The products it does not have, though the row says so; by id.
        products: Vec<String>,
        /// Why the site cannot take it, where the record itself tells: it belongs to an Atlassian account.
        why: Option<Reason>,
    },
    /// No such record, however patiently it was looked for.
    Absent,
    /// It cannot be told.
    Unknown {
        /// What was tried, or why nothing can be.
        tried: String,
    },
}

/// What a record lacks of a row that calls of its own can still give it; by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lacks {
    /// Organizations that it does not belong to.
    pub organizations: Vec<String>,
    /// Products that it does not have.
    pub products: Vec<String>,
}

impl fmt::Display for Lacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let organizations = self.organizations.join(", ");
        let products = self.products.join(", ");
        match (organizations.is_empty(), products.is_empty()) {
            (_, true) => write!(f, "does not belong to {organizations}"),
            (true, false) => write!(f, "does not have {products}"),
            (false, false) => {
                write!(f, "does not belong to {organizations}, nor have {products}")
            }
        }
    }
}

/// How a row's single calls ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Called {
    /// The site took all of it.
    Loaded {
        /// The record's id.
        remote_id: Option<String>,
        /// Calls that were made.
        calls: u32,
    },
    /// The site refused it, or a part of it: its own words, and which parts were written all the same.
    Refused {
        /// Why.
        reasons: Vec<Reason>,
        /// The record's id.
        remote_id: Option<String>,
        /// The error that carries the trace id.
        trace_id: Option<String>,
    },
    /// A call's answer is lost, and the site could not be made to tell.
    Lost {
        /// What the last attempt met.
        error: ApiError,
        /// What was tried to find out.
        tried: String,
    },
    /// No call that writes has reached the site, and none will: the run has to stop.
    NotSent {
        /// Why.
        error: ApiError,
    },
}
