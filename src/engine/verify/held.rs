//! What the site tells of a customer or an organization, in one form.

use crate::api::entitlements::Entitlement;
use crate::api::lookup::Named;
use crate::api::profiles::{CustomerProfile, OrganizationProfile, Reference};
use crate::api::read::Detail;

/// A record of the site. What the answer does not tell is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Its id.
    pub id: String,
    /// A customer's e-mail.
    pub email: Option<String>,
    /// A customer's display name, an organization's name.
    pub name: Option<String>,
    /// Detail fields with values.
    pub details: Option<Vec<Detail>>,
    /// A customer's organizations.
    pub organizations: Option<Vec<Reference>>,
    /// What it has of products.
    pub entitlements: Option<Vec<Entitlement>>,
}

impl From<CustomerProfile> for Held {
    fn from(profile: CustomerProfile) -> Self {
        Self {
            id: profile.id,
            email: profile.email,
            name: profile.name,
            details: profile.details,
            organizations: profile.organizations,
            entitlements: profile.entitlements,
        }
    }
}

impl From<OrganizationProfile> for Held {
    fn from(profile: OrganizationProfile) -> Self {
        Self {
            id: profile.id,
            name: profile.name,
            details: profile.details,
            entitlements: profile.entitlements,
            ..Self::default()
        }
    }
}

impl From<Named> for Held {
    fn from(named: Named) -> Self {
        Self {
            id: named.id,
            name: Some(named.name),
            ..Self::default()
        }
    }
}
