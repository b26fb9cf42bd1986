//! The kinds of records that a site keeps: its own list, apart from what a loader loads.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::sandbox) enum Entity {
    /// A product.
    Product,
    /// An organization.
    Organization,
    /// A customer.
    Customer,
    /// What gives a product to an organization or a customer.
    Entitlement,
}

impl Entity {
    /// Every kind.
    pub(in crate::sandbox) const ALL: [Self; 4] = [
        Self::Product,
        Self::Organization,
        Self::Customer,
        Self::Entitlement,
    ];

    /// Its name in the audit and in messages.
    pub(in crate::sandbox) const fn name(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Organization => "organization",
            Self::Customer => "customer",
            Self::Entitlement => "entitlement",
        }
    }

    /// How the audit calls its detail fields.
    pub(in crate::sandbox) const fn field_name(self) -> &'static str {
        match self {
            Self::Product => "product-detail-field",
            Self::Organization => "organization-detail-field",
            Self::Customer => "customer-detail-field",
            Self::Entitlement => "entitlement-detail-field",
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
