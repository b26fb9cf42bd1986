//! Writes of one record. They carry no idempotency key: after `MaybeApplied`, look the name up before asking again.

use crate::api::classify::Kind;
use crate::api::client::{Client, Request};
use crate::api::contract::{self, keys};
use crate::api::lookup::{Named, named};
use crate::model::reply::ApiError;
use serde_json::json;

impl Client {
    /// Creates an organization. The endpoint is documented, the keys of request and answer a guess.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `MaybeApplied` leaves open whether it exists now.
    pub async fn create_organization(&self, name: &str) -> Result<Named, ApiError> {
        self.create(contract::ORGANIZATION, name).await
    }

    /// Creates a product. Documented.
    ///
    /// # Errors
    /// As [`Client::create_organization`].
    pub async fn create_product(&self, name: &str) -> Result<Named, ApiError> {
        self.create(contract::PRODUCT, name).await
    }

    async fn create(&self, path: &str, name: &str) -> Result<Named, ApiError> {
        let body = json!({ keys::NAME: name });
        Ok(self
            .call(Request::post(path, Kind::Single, &body), named)
            .await?
            .0)
    }
}
