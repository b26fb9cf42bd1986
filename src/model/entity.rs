//! Which kind of record is loaded, and with which verb.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A kind of record of the site. The order is the order in which stages run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entity {
    /// A product, identified by its name.
    Product,
    /// An organization, identified by its name or id.
    Organization,
    /// A customer, identified by e-mail or customer id.
    Customer,
}

impl Entity {
    /// Every entity, in the order in which stages run.
    pub const ALL: [Self; 3] = [Self::Product, Self::Organization, Self::Customer];

    /// The name used in mapping files, job files, flags and results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Organization => "organization",
            Self::Customer => "customer",
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Entity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|entity| entity.name() == text)
            .ok_or_else(|| {
                format!("unknown entity {text:?}; use product, organization or customer")
            })
    }
}

/// What is asked of the site for each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// The record must not exist yet.
    Create,
    /// The record must exist.
    Update,
    /// Create it, or update it where it exists.
    #[default]
    Upsert,
}

impl Operation {
    /// The name used in mapping files and results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Upsert => "upsert",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
