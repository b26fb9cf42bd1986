//! Which kind of record is loaded, and with which verb.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A kind of record of the site. The order is the order in which stages run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entity {
    /// The definition of a detail field, identified by what it belongs to and its name.
    DetailField,
    /// A product, identified by its name.
    Product,
    /// An organization, identified by its name or id.
    Organization,
    /// A customer, identified by e-mail or customer id.
    Customer,
    /// A product that a customer or an organization has, identified by the two.
    Entitlement,
}

impl Entity {
    /// Every entity, in the order in which stages run.
    pub const ALL: [Self; 5] = [
        Self::DetailField,
        Self::Product,
        Self::Organization,
        Self::Customer,
        Self::Entitlement,
    ];

    /// The name used in mapping files, job files, flags and results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DetailField => "detail-field",
            Self::Product => "product",
            Self::Organization => "organization",
            Self::Customer => "customer",
            Self::Entitlement => "entitlement",
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
                format!(
                    "unknown entity {text:?}; use detail-field, product, organization, customer or entitlement"
                )
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
    /// Every operation, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Create, Self::Update, Self::Upsert];

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

/// Which of an entity's bulk endpoints its rows go to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Whole records: identity, detail values, associations.
    #[default]
    Profile,
    /// Identity and name alone.
    Account,
    /// Detail values alone, of records that exist.
    Details,
}

impl Family {
    /// Every family, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Profile, Self::Account, Self::Details];

    /// The name used in mapping files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Account => "account",
            Self::Details => "details",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is asked of the site for a detail value, in [`Family::Details`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// The values take the place of what the site has.
    #[default]
    Update,
    /// The values join what the site has.
    Patch,
    /// The values go, or with none named the whole of what the site has.
    Delete,
}

impl Verb {
    /// Every verb, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Update, Self::Patch, Self::Delete];

    /// The name used in mapping files and results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// What a detail field belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// Customers.
    Customer,
    /// Organizations.
    Organization,
    /// Entitlements.
    Entitlement,
}

impl Owner {
    /// Every owner, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Customer, Self::Organization, Self::Entitlement];

    /// The name used in mapping files and sources.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Organization => "organization",
            Self::Entitlement => "entitlement",
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a stage asks of the site, as results show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asked {
    /// Of records.
    Record(Operation),
    /// Of detail values.
    Details(Verb),
}

impl Asked {
    /// The word in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Record(operation) => operation.name(),
            Self::Details(verb) => verb.name(),
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Asked {
    type Err = String;

    /// Reads the word in results. `update` is read as that of records, whose word it is, too.
    fn from_str(text: &str) -> Result<Self, String> {
        let records = [Operation::Create, Operation::Update, Operation::Upsert].map(Self::Record);
        let details = [Verb::Update, Verb::Patch, Verb::Delete].map(Self::Details);
        let mut known = records.into_iter().chain(details);
        known
            .find(|asked| asked.name() == text)
            .ok_or_else(|| format!("unknown operation {text:?}"))
    }
}

impl From<Operation> for Asked {
    fn from(operation: Operation) -> Self {
        Self::Record(operation)
    }
}
