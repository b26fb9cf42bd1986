//! Detail values of one record, field by field.

use crate::api::client::{Client, Request};
use crate::api::contract::{Endpoint, keys, query};
use crate::model::entity::Owner;
use crate::model::reply::ApiError;
use serde_json::json;

impl Client {
    /// Sets the values of one detail field of a record; no values clear it, which is a guess. Request documented; of
    /// the answer nothing is needed.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; to repeat it after `MaybeApplied` changes nothing more.
    pub async fn set_detail(
        &self,
        of: Owner,
        record: &str,
        field: &str,
        values: &[String],
    ) -> Result<(), ApiError> {
        let endpoint = match of {
            Owner::Customer => Endpoint::SetCustomerDetail,
            Owner::Organization => Endpoint::SetOrganizationDetail,
            Owner::Entitlement => Endpoint::SetEntitlementDetail,
        };
        let request = Request::to(endpoint)
            .of(record)
            .query(query::FIELD_NAME, field)
            .json(&json!({ keys::VALUES: values }))
            .may_be_empty();
        self.call(request, |_| Ok(())).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::scripted::{exchange, texts};
    use crate::model::reply::ErrorClass;

    #[tokio::test]
    async fn a_field_is_set_by_its_name() {
        for (of, path) in [
            (Owner::Customer, "customer"),
            (Owner::Organization, "organization"),
            (Owner::Entitlement, "entitlement"),
        ] {
            let answer = r#"{"name":"Größe & so","values":["x"]}"#;
            let (given, asked) = exchange(200, answer, async |client| {
                client
                    .set_detail(of, "a:1", "Größe & so", &texts(&["x", ""]))
                    .await
            })
            .await;
            assert_eq!(given, Ok(()));
            let expected = format!(
                r#"PUT /api/v1/{path}/a%3A1/details?fieldName=Gr%C3%B6%C3%9Fe+%26+so {{"values":["x",""]}}"#
            );
            assert_eq!(asked, expected);
        }
    }

    #[tokio::test]
    async fn what_the_answer_holds_does_not_matter_but_a_refusal_does() {
        for (status, body) in [(200, "{}"), (200, "[]"), (204, "")] {
            let (given, _) = exchange(status, body, async |client| {
                client.set_detail(Owner::Customer, "c", "f", &[]).await
            })
            .await;
            assert_eq!(given, Ok(()), "{body:?}");
        }
        let body = r#"{"errorMessage":"Invalid detail field value","errors":["BAD_REQUEST"],"statusCode":400}"#;
        let (given, _) = exchange(400, body, async |client| {
            client.set_detail(Owner::Customer, "c", "f", &[]).await
        })
        .await;
        let error = given.expect_err("refused");
        assert_eq!(error.class, ErrorClass::Refused);
        assert_eq!(error.message, "Invalid detail field value");
    }
}
