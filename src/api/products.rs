//! Products, one by one. They are listed in [`lookup`](super::lookup) and created in [`single`](super::single).

use crate::api::client::{Client, Request};
use crate::api::contract::{Endpoint, keys};
use crate::api::lookup::{Named, named};
use crate::model::reply::ApiError;
use serde_json::json;

impl Client {
    /// Reads a product. Documented.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `Refused` with 404 for an unknown id.
    pub async fn product(&self, which: &str) -> Result<Named, ApiError> {
        let request = Request::to(Endpoint::GetProduct).of(which);
        Ok(self.call(request, named).await?.0)
    }

    /// Renames a product. Documented.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; to repeat it after `MaybeApplied` changes nothing more.
    pub async fn rename_product(&self, which: &str, name: &str) -> Result<Named, ApiError> {
        let request = Request::to(Endpoint::RenameProduct)
            .of(which)
            .json(&json!({ keys::NAME: name }));
        Ok(self.call(request, named).await?.0)
    }

    /// Deletes a product with its entitlements. Documented.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `Refused` with 404 where there is none (any more).
    pub async fn delete_product(&self, which: &str) -> Result<(), ApiError> {
        self.delete(Endpoint::DeleteProduct, which).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::scripted::exchange;
    use crate::model::reply::ErrorClass;

    #[tokio::test]
    async fn a_product_is_read_renamed_and_deleted() {
        let router = Named {
            id: "p-1".to_owned(),
            name: "Router".to_owned(),
        };
        let body = r#"{"id":"p-1","name":"Router"}"#;
        let (given, asked) = exchange(200, body, async |client| client.product("p-1").await).await;
        insta::assert_snapshot!(asked, @"GET /api/v1/product/p-1");
        assert_eq!(given.as_ref(), Ok(&router));

        let (given, asked) = exchange(200, body, async |client| {
            client.rename_product("p-1", "Router").await
        })
        .await;
        insta::assert_snapshot!(asked, @r#"PUT /api/v1/product/p-1 {"name":"Router"}"#);
        assert_eq!(given, Ok(router));

        let (given, asked) =
            exchange(204, "", async |client| client.delete_product("p-1").await).await;
        insta::assert_snapshot!(asked, @"DELETE /api/v1/product/p-1");
        assert_eq!(given, Ok(()));
    }

    #[tokio::test]
    async fn an_answer_without_the_record_is_told_by_what_was_asked() {
        let (given, _) = exchange(200, "{}", async |client| client.product("p").await).await;
        assert_eq!(given.expect_err("a read").class, ErrorClass::Broken);
        let (given, _) = exchange(200, "{}", async |client| {
            client.rename_product("p", "n").await
        })
        .await;
        assert_eq!(given.expect_err("a write").class, ErrorClass::MaybeApplied);
    }
}
