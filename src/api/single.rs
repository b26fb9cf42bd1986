//! Writes of one record. They carry no idempotency key: after `MaybeApplied`, look the name up before asking again.

use crate::api::client::{Client, Request};
use crate::api::contract::{Endpoint, keys};
use crate::api::lookup::{Named, named};
use crate::model::reply::ApiError;
use serde_json::json;

impl Client {
    /// Creates an organization. The endpoint is documented, the keys of request and answer a guess.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `MaybeApplied` leaves open whether it exists now.
    pub async fn create_organization(&self, name: &str) -> Result<Named, ApiError> {
        self.create(Endpoint::CreateOrganization, name).await
    }

    /// Creates a product. Documented.
    ///
    /// # Errors
    /// As [`Client::create_organization`].
    pub async fn create_product(&self, name: &str) -> Result<Named, ApiError> {
        self.create(Endpoint::CreateProduct, name).await
    }

    async fn create(&self, endpoint: Endpoint, name: &str) -> Result<Named, ApiError> {
        let body = json!({ keys::NAME: name });
        Ok(self.call(Request::to(endpoint).json(&body), named).await?.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::api::lookup::Named;
    use crate::api::scripted::Scripted;
    use crate::model::reply::ErrorClass;

    #[tokio::test]
    async fn a_record_is_created_by_its_name() {
        let body = r#"{"id":"p-1","name":"Router \"X\""}"#;
        let expected = Named {
            id: "p-1".to_owned(),
            name: "Router \"X\"".to_owned(),
        };
        let server = Scripted::json(200, body);
        assert_eq!(
            server
                .client()
                .create_product("Router \"X\"")
                .await
                .as_ref(),
            Ok(&expected)
        );
        let seen = server.seen().remove(0);
        assert_eq!(
            seen.line(),
            "POST /jsm/csm/cloudid/c-1/api/v1/product HTTP/1.1"
        );
        assert_eq!(seen.body, br#"{"name":"Router \"X\""}"#);
        assert_eq!(seen.header("idempotency-key"), None);

        let server = Scripted::json(201, body);
        assert_eq!(
            server.client().create_organization("Router").await,
            Ok(expected)
        );
        let line = server.seen().remove(0).head;
        assert!(line.starts_with("POST /jsm/csm/cloudid/c-1/api/v1/organization HTTP/1.1"));
    }

    #[tokio::test]
    async fn an_answer_without_the_record_leaves_open_whether_it_exists() {
        let server = Scripted::json(200, "{}");
        let error = server
            .client()
            .create_product("Router")
            .await
            .expect_err("unusable");
        assert_eq!(error.class, ErrorClass::MaybeApplied);
        insta::assert_snapshot!(error, @"POST /api/v1/product was answered 200: JSON without a record's id, which the API should give");
    }
}
