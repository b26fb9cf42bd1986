//! An answer to one question about a site.

use std::fmt;

/// What a probe finds out of a site that answers everything, in the order of asking.
pub const QUESTIONS: [&str; 29] = [
    "how soon a new organization is read",
    "organization/fetch by names",
    "organization/fetch by ids",
    "organization/profile/fetch",
    "status of an accepted bulk request",
    "organization/bulk",
    "organization/details/bulk",
    "customer/profile by single call",
    "how soon a new customer is read",
    "customer/profile/bulk",
    "customer/bulk",
    "organizations of a customer profile",
    "a second organization of a customer",
    "membership through the service desk",
    "UPDATE of a detail that has values",
    "PATCH of a detail that has values",
    "UPDATE of a detail with no values",
    "a single detail call with no values",
    "customer/search-by-detail-field",
    "one bad item of a bulk request",
    "how a failed create is named",
    "a key with the same body",
    "a key with another body",
    "products of a customer profile",
    "entitlement by single call",
    "how entitlements call a customer",
    "how entitlements call an organization",
    "the user search",
    "the service desk's list of organizations",
];

/// One question with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was asked.
    pub about: &'static str,
    /// What was found.
    pub told: Told,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The site showed it.
    Seen {
        /// The answer.
        answer: String,
        /// What was sent and what came back, in one line; nothing of records that the probe did not make.
        evidence: String,
    },
    /// It stays open.
    Open {
        /// Why.
        why: String,
    },
}

/// One line, and a second one for the evidence.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.told {
            Told::Seen { answer, evidence } => {
                write!(f, "seen  {}: {answer}\n      {evidence}", self.about)
            }
            Told::Open { why } => write!(f, "open  {}: {why}", self.about),
        }
    }
}
