//! Organizations and products that rows name, and what is known of them.

use crate::model::code::Code;
use std::collections::HashMap;

/// What a row may refer to by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefKind {
    /// An organization, of a customer.
    Organization,
    /// A product, of a customer or an organization.
    Product,
}

impl RefKind {
    /// Both kinds, in the order in which payloads and reasons hold them.
    pub const ALL: [Self; 2] = [Self::Organization, Self::Product];

    /// The section of the mapping file, and the field of its reasons.
    pub(super) const fn section(self) -> &'static str {
        match self {
            Self::Organization => "organizations",
            Self::Product => "products",
        }
    }

    /// The code of a name that the site does not have.
    pub(super) const fn not_found(self) -> Code {
        match self {
            Self::Organization => Code::OrganizationNotFound,
            Self::Product => Code::ProductNotFound,
        }
    }

    /// The thing in words.
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Product => "product",
        }
    }
}

/// What to do about a name that the site does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnMissing {
    /// Reject the row.
    #[default]
    Reject,
    /// Send the row without that association.
    Skip,
    /// Create it first. A name that is still missing when payloads are built rejects the row.
    Create,
}

/// What is known of the names of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Names were not looked up: nothing is rejected, and payloads leave the associations out.
    Unchecked,
    /// Id by folded name ([`api::fold::name`]); a name that is not here is not on the site.
    ///
    /// [`api::fold::name`]: crate::api::fold::name
    Resolved(HashMap<String, String>),
}

/// What is known of all names that rows refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct References {
    /// Organizations.
    pub organizations: Known,
    /// Products.
    pub products: Known,
}

impl References {
    /// Nothing was looked up.
    pub const UNCHECKED: Self = Self {
        organizations: Known::Unchecked,
        products: Known::Unchecked,
    };

    /// What is known of one kind.
    pub(super) const fn of(&self, kind: RefKind) -> &Known {
        match kind {
            RefKind::Organization => &self.organizations,
            RefKind::Product => &self.products,
        }
    }
}
