//! What a request asks for, after it was read: the same for every spelling that a contract may give its keys.

use super::entity::Entity;
use super::fields::Field;
use crate::model::entity::Operation;
use serde::{Deserialize, Serialize};

/// The bulk endpoints, which are also the kinds of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::sandbox) enum Bulk {
    /// `customer/bulk`.
    CustomerAccounts,
    /// `customer/profile/bulk`.
    CustomerProfiles,
    /// `customer/details/bulk`.
    CustomerDetails,
    /// `customer/details/definitions/bulk`.
    CustomerFields,
    /// `organization/bulk`.
    Organizations,
    /// `organization/profile/bulk`.
    OrganizationProfiles,
    /// `organization/details/bulk`.
    OrganizationDetails,
    /// `organization/details/definitions/bulk`.
    OrganizationFields,
}

impl Bulk {
    /// What its items are, or are the fields of.
    pub(in crate::sandbox) const fn entity(self) -> Entity {
        match self {
            Self::CustomerAccounts
            | Self::CustomerProfiles
            | Self::CustomerDetails
            | Self::CustomerFields => Entity::Customer,
            Self::Organizations
            | Self::OrganizationProfiles
            | Self::OrganizationDetails
            | Self::OrganizationFields => Entity::Organization,
        }
    }

    /// The `type` of its tasks. That of customer profiles is documented, the others follow it.
    pub(super) const fn task_type(self) -> &'static str {
        match self {
            Self::CustomerAccounts => "BULK_CUSTOMER_ACCOUNT_CREATE_UPDATE",
            Self::CustomerProfiles => "BULK_CUSTOMER_PROFILE_CREATE_UPDATE",
            Self::CustomerDetails => "BULK_CUSTOMER_DETAIL_UPDATE",
            Self::CustomerFields => "BULK_CUSTOMER_DETAIL_FIELD_CREATE",
            Self::Organizations => "BULK_ORGANIZATION_CREATE_UPDATE",
            Self::OrganizationProfiles => "BULK_ORGANIZATION_PROFILE_CREATE_UPDATE",
            Self::OrganizationDetails => "BULK_ORGANIZATION_DETAIL_UPDATE",
            Self::OrganizationFields => "BULK_ORGANIZATION_DETAIL_FIELD_CREATE",
        }
    }
}

/// One item of a bulk request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::sandbox) enum Wanted {
    /// A record to create or change.
    Record(Item),
    /// A detail field to define.
    Field(Field),
}

impl Wanted {
    /// The id by which it names a record.
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::Record(item) => item.id.as_deref(),
            Self::Field(_) => None,
        }
    }

    /// The natural key, as sent.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Record(item) => item.name.as_deref(),
            Self::Field(field) => Some(&field.name),
        }
    }
}

/// A record to create or change, the same for customers, organizations and products.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) struct Item {
    /// What is asked for.
    #[serde(rename = "v")]
    pub operation: Operation,
    /// The only kind of customer that is meant; `None` means either, and a Customer Account where one is created.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<CustomerKind>,
    /// The record's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A customer's e-mail, an organization's or product's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A customer's name.
    #[serde(rename = "dn", default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What is to be done with detail values, in order.
    #[serde(rename = "d", default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<DetailChange>,
    /// Ids of organizations to put a customer into.
    #[serde(rename = "o", default, skip_serializing_if = "Vec::is_empty")]
    pub organizations: Vec<String>,
    /// Ids of customers to put into an organization.
    #[serde(rename = "m", default, skip_serializing_if = "Vec::is_empty")]
    pub customers: Vec<String>,
    /// Ids of products to entitle it to.
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<String>,
}

impl Item {
    /// The creation of a record that has a name alone.
    pub(in crate::sandbox) fn create(name: String) -> Self {
        Self {
            name: Some(name),
            ..Self::of(Operation::Create)
        }
    }

    /// The change of a record that is named by its id.
    pub(in crate::sandbox) fn update(id: String) -> Self {
        Self {
            id: Some(id),
            ..Self::of(Operation::Update)
        }
    }

    /// Without anything but its verb.
    pub(super) const fn of(operation: Operation) -> Self {
        Self {
            operation,
            kind: None,
            id: None,
            name: None,
            display_name: None,
            details: Vec::new(),
            organizations: Vec::new(),
            customers: Vec::new(),
            products: Vec::new(),
        }
    }
}

/// The two kinds of customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::sandbox) enum CustomerKind {
    /// A Customer Account: made by this API, named by e-mail or id.
    #[default]
    Account,
    /// An Atlassian account that is a customer: comes from elsewhere, named by its id alone.
    Atlassian,
}

/// A change of one field's values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) struct DetailChange {
    /// What is done. What each does is a guess.
    #[serde(rename = "v", default, skip_serializing_if = "DetailVerb::is_update")]
    pub verb: DetailVerb,
    /// The field.
    #[serde(rename = "n")]
    pub name: String,
    /// The values.
    #[serde(rename = "w", default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

impl DetailChange {
    /// Replaces a field's values; none clear it.
    pub(in crate::sandbox) const fn update(name: String, values: Vec<String>) -> Self {
        Self {
            verb: DetailVerb::Update,
            name,
            values,
        }
    }
}

/// What is done with a field's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(in crate::sandbox) enum DetailVerb {
    /// Replaces them.
    #[default]
    Update,
    /// Adds to those of a field that takes several, replaces those of others.
    Patch,
    /// Takes the listed ones away, or all where none is listed.
    Delete,
}

impl DetailVerb {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    const fn is_update(&self) -> bool {
        matches!(self, Self::Update)
    }
}

/// What is done to a record or a field, as failures and the audit name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::sandbox) enum Verb {
    /// It did not exist.
    Create,
    /// It exists.
    Update,
    /// Values are added to it.
    Patch,
    /// It, or what it holds, goes away.
    Delete,
}

impl Verb {
    /// Its word in failures.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Its word in the audit.
    pub(super) const fn audit_word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update | Self::Patch => "update",
            Self::Delete => "delete",
        }
    }
}

impl From<DetailVerb> for Verb {
    fn from(verb: DetailVerb) -> Self {
        match verb {
            DetailVerb::Update => Self::Update,
            DetailVerb::Patch => Self::Patch,
            DetailVerb::Delete => Self::Delete,
        }
    }
}
