//! What a row of entitlements asks for: who shall have which product, with which detail values.
//!
//! No request carries it as a whole: it travels from `mapping` to `engine` as the row's JSON, and by several calls from
//! there.

use serde::{Deserialize, Serialize};

/// One entitlement as a row wants it. Its JSON is the row's content: the same row, the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlement {
    /// Who shall have it.
    pub owner: Owner,
    /// The product's id on the site.
    pub product: String,
    /// Detail fields by name, with all their values; no values clear the field.
    pub details: Vec<(String, Vec<String>)>,
}

/// Who has an entitlement, as the row names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// The customer with this e-mail, whose id is to be found.
    Email(String),
    /// The customer with this id.
    Customer(String),
    /// The organization with this id.
    Organization(String),
}
