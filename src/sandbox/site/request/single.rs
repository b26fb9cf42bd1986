//! The bodies of single calls.

use super::{object, required};
use crate::api::contract::{Contract, Name, answer, keys};
use crate::sandbox::site::Refusal;
use crate::sandbox::site::fields::{Field, FieldEdit, FieldKind};
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::fmt;

pub(in crate::sandbox) use super::Read;
pub(in crate::sandbox) use super::bulk::{CustomerProfile, OrganizationProfile};

/// The accounts to put into an organization.
const ACCOUNT_IDS: &str = "accountIds";

object! {
    /// A customer account to create or change.
    pub(in crate::sandbox) struct CustomerAccount {
        id: String = keys::CUSTOMER_ID,
        email: String = keys::EMAIL,
        display_name: String = keys::DISPLAY_NAME,
    }
}
object! {
    /// The body of `POST /customer`.
    pub(in crate::sandbox) struct NewAccount {
        email: String = keys::EMAIL,
        display_name: String = keys::DISPLAY_NAME,
    }
}
object! {
    /// The body of `PUT /customer/account/{id}`.
    pub(in crate::sandbox) struct DisplayName { display_name: String = keys::DISPLAY_NAME, }
}
object! {
    /// The body of calls that create or rename a product or an organization.
    pub(in crate::sandbox) struct Named { name: String = keys::NAME, }
}
object! {
    /// The body of calls that set one detail field.
    pub(in crate::sandbox) struct Values { values: Vec<String> = keys::VALUES, }
}
object! {
    /// A detail field to define.
    pub(in crate::sandbox) struct NewField { name: String = keys::NAME, kind: NewFieldType = answer::TYPE, }
}
object! {
    /// Its type.
    pub(in crate::sandbox) struct NewFieldType { name: FieldKind = keys::NAME, options: Vec<String> = answer::OPTIONS, }
}
object! {
    /// The body of calls that change a detail field.
    pub(in crate::sandbox) struct ChangedField { name: String = keys::NAME, options: Vec<String> = answer::OPTIONS, }
}
object! {
    /// The body of `organization/fetch`.
    pub(in crate::sandbox) struct FetchOrganizations {
        ids: Vec<String> = Name::FetchOrganizationIds,
        names: Vec<String> = Name::FetchOrganizationNames,
    }
}
object! {
    /// The body of `organization/profile/fetch`.
    pub(in crate::sandbox) struct FetchOrganizationProfiles { ids: Vec<String> = Name::FetchOrganizationProfileIds, }
}
object! {
    /// The body of `customer/profile/fetch`.
    pub(in crate::sandbox) struct FetchCustomers { ids: Vec<String> = keys::CUSTOMER_IDS, }
}
object! {
    /// The body of `customer/search-by-detail-field`.
    pub(in crate::sandbox) struct Search { criteria: Vec<Criterion> = keys::DETAIL_FIELDS, }
}
object! {
    /// One thing to search for.
    pub(in crate::sandbox) struct Criterion { name: String = keys::NAME, value: String = keys::VALUE, }
}
object! {
    /// The body of calls that give a product.
    pub(in crate::sandbox) struct Entitle { product: ProductRef = Name::EntitlementProduct, }
}
object! {
    /// The body of `servicedeskapi/organization/{id}/user`.
    pub(in crate::sandbox) struct Users { ids: Vec<String> = ACCOUNT_IDS, }
}

/// A product, as its id or as an object that holds it: which one the API wants was not seen.
#[derive(Debug)]
pub(in crate::sandbox) struct ProductRef(pub(in crate::sandbox) String);

impl<'de> Read<'de> for ProductRef {
    fn read<D: Deserializer<'de>>(contract: &Contract, from: D) -> Result<Self, D::Error> {
        object! {
            struct Holder { id: String = answer::ID, }
        }
        struct IdOrHolder<'c>(&'c Contract);
        impl<'de> Visitor<'de> for IdOrHolder<'_> {
            type Value = ProductRef;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a product's id")
            }
            fn visit_str<E: Error>(self, id: &str) -> Result<ProductRef, E> {
                Ok(ProductRef(id.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ProductRef, A::Error> {
                let from = serde::de::value::MapAccessDeserializer::new(map);
                let id = Holder::read(self.0, from)?.id;
                id.map(ProductRef)
                    .ok_or_else(|| A::Error::missing_field(answer::ID))
            }
        }
        from.deserialize_any(IdOrHolder(contract))
    }
}

impl NewField {
    /// The field, checked.
    ///
    /// # Errors
    /// When something is missing or does not fit.
    pub(in crate::sandbox) fn field(self) -> Result<Field, Refusal> {
        let kind = required(self.kind, answer::TYPE)?;
        let field = Field {
            name: required(self.name, keys::NAME)?,
            kind: required(kind.name, keys::NAME)?,
            options: kind.options.unwrap_or_default(),
        };
        field.checked()
    }
}

impl ChangedField {
    /// The change; whether it fits, the field tells.
    ///
    /// # Errors
    /// When there is no name.
    pub(in crate::sandbox) fn edit(self) -> Result<FieldEdit, Refusal> {
        Ok(FieldEdit {
            name: required(self.name, keys::NAME)?,
            options: self.options,
        })
    }
}
