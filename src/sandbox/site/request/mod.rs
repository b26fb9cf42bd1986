//! Request bodies, read strictly: a key the contract does not name refuses the whole request.
//!
//! Part of the names are guesses that a site may have otherwise, so they are read by the contract in force.

mod bulk;
pub(in crate::sandbox) mod single;

pub(super) use bulk::bulk;

use super::Refusal;
use super::fields::FieldKind;
use super::item::DetailVerb;
use crate::api::contract::{Contract, Name, operation_word};
use crate::model::entity::Operation;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// Reads a request body.
///
/// # Errors
/// When it is not JSON, or not what the contract says.
pub(in crate::sandbox) fn parse<T: for<'de> Read<'de>>(
    contract: &Contract,
    bytes: &[u8],
) -> Result<T, Refusal> {
    let wrong = |error| Refusal::bad_request(format!("Invalid request body: {error}"));
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let body = T::read(contract, &mut from).map_err(wrong)?;
    from.end().map_err(wrong)?;
    Ok(body)
}

/// Reads a required key.
///
/// # Errors
/// When it is absent.
pub(in crate::sandbox) fn required<T>(value: Option<T>, key: &str) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::bad_request(format!("Invalid request body: {key} is required")))
}

/// What is read by the names of a contract.
pub(in crate::sandbox) trait Read<'de>: Sized {
    /// Reads it.
    fn read<D: Deserializer<'de>>(contract: &Contract, from: D) -> Result<Self, D::Error>;
}

/// Reads a `T` by a contract, where serde asks for a seed.
struct By<'c, T>(&'c Contract, PhantomData<T>);

impl<'c, T> By<'c, T> {
    const fn new(contract: &'c Contract) -> Self {
        Self(contract, PhantomData)
    }
}

impl<'de, T: Read<'de>> DeserializeSeed<'de> for By<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        T::read(self.0, from)
    }
}

impl<'de, T: Read<'de>> Read<'de> for Option<T> {
    fn read<D: Deserializer<'de>>(contract: &Contract, from: D) -> Result<Self, D::Error> {
        from.deserialize_option(By::<Self>::new(contract))
    }
}

impl<'de, T: Read<'de>> Visitor<'de> for By<'_, Option<T>> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_none<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Option<T>, D::Error> {
        T::read(self.0, from).map(Some)
    }
}

impl<'de, T: Read<'de>> Read<'de> for Vec<T> {
    fn read<D: Deserializer<'de>>(contract: &Contract, from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(By::<Self>::new(contract))
    }
}

impl<'de, T: Read<'de>> Visitor<'de> for By<'_, Vec<T>> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = list.next_element_seed(By::new(self.0))? {
            all.push(item);
        }
        Ok(all)
    }
}

/// What is read the same by every contract.
macro_rules! plain {
    ($($type:ty),+) => {
        $(impl<'de> Read<'de> for $type {
            fn read<D: Deserializer<'de>>(_: &Contract, from: D) -> Result<Self, D::Error> {
                Self::deserialize(from)
            }
        })+
    };
}

plain!(String, FieldKind, DetailVerb);

/// `operationType` of a record.
impl<'de> Read<'de> for Operation {
    fn read<D: Deserializer<'de>>(_: &Contract, from: D) -> Result<Self, D::Error> {
        let word = Cow::<str>::deserialize(from)?;
        [Self::Create, Self::Update, Self::Upsert]
            .into_iter()
            .find(|operation| operation_word(*operation) == word)
            .ok_or_else(|| D::Error::custom("an operation type is CREATE, UPDATE or UPSERT"))
    }
}

/// A key of an object: fixed, or open to the contract.
trait Called {
    /// What it is called.
    fn called(self, contract: &Contract) -> &str;
}

impl Called for &'static str {
    fn called(self, _: &Contract) -> &str {
        self
    }
}

impl Called for Name {
    fn called(self, contract: &Contract) -> &str {
        contract.name(self)
    }
}

/// Reads one of these names and gives its place; others are errors.
struct OneOf<'a>(&'a [&'a str]);

impl<'de> DeserializeSeed<'de> for OneOf<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<usize, D::Error> {
        from.deserialize_identifier(self)
    }
}

impl Visitor<'_> for OneOf<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<usize, E> {
        let place = self.0.iter().position(|name| *name == key);
        place.ok_or_else(|| E::custom(format_args!("unknown key {key:?}")))
    }
}

/// Declares a JSON object by the contract's keys. Every key is optional, `null` counts as absent, others are errors.
macro_rules! object {
    ($(#[$doc:meta])* $vis:vis struct $name:ident { $($(#[$about:meta])* $field:ident: $type:ty = $key:expr,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        $vis struct $name { $($(#[$about])* $vis $field: Option<$type>,)+ }

        impl<'de> $crate::sandbox::site::request::Read<'de> for $name {
            fn read<D: serde::Deserializer<'de>>(
                contract: &$crate::api::contract::Contract,
                from: D,
            ) -> Result<Self, D::Error> {
                #[expect(non_camel_case_types, reason = "the names of the fields")]
                enum Place { $($field,)+ }
                struct Object<'c>(&'c $crate::api::contract::Contract);
                impl<'de> serde::de::Visitor<'de> for Object<'_> {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        use $crate::sandbox::site::request::{By, Called as _, OneOf};
                        let names = [$($key.called(self.0),)+];
                        let mut object = $name::default();
                        while let Some(place) = map.next_key_seed(OneOf(&names))? {
                            $(if place == Place::$field as usize {
                                object.$field = map.next_value_seed(By::new(self.0))?;
                                continue;
                            })+
                        }
                        Ok(object)
                    }
                }
                from.deserialize_map(Object(contract))
            }
        }
    };
}
use object;
