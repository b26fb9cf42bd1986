//! Detail fields: which a site has, and new ones. Many at once go through [`Client::submit`].

use crate::api::client::{Client, Lacks, Request};
use crate::api::contract::{Endpoint, answer, keys};
use crate::model::entity::Owner;
use crate::model::reply::{ApiError, DetailField};
use serde_json::{Value, json};

impl Client {
    /// All detail fields of one kind of record, at most 50. Documented.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn detail_fields(&self, owner: Owner) -> Result<Vec<DetailField>, ApiError> {
        let endpoint = match owner {
            Owner::Customer => Endpoint::ListCustomerDetailFields,
            Owner::Organization => Endpoint::ListOrganizationDetailFields,
            Owner::Entitlement => Endpoint::ListEntitlementDetailFields,
        };
        Ok(self.call(Request::to(endpoint), list).await?.0)
    }

    /// Creates one detail field; `definition` is its JSON, `{"name", "type": {"name", "options"}}`. Documented. There is
    /// no idempotency key, and none is needed: a second field of the same name is refused.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `MaybeApplied` leaves open whether it exists now.
    pub async fn create_detail_field(
        &self,
        owner: Owner,
        definition: Vec<u8>,
    ) -> Result<DetailField, ApiError> {
        let endpoint = match owner {
            Owner::Customer => Endpoint::CreateCustomerDetailField,
            Owner::Organization => Endpoint::CreateOrganizationDetailField,
            Owner::Entitlement => Endpoint::CreateEntitlementDetailField,
        };
        let request = Request::to(endpoint).body(definition);
        Ok(self.call(request, field).await?.0)
    }

    /// Renames a detail field, or gives it other options: `new_name` is sent always. The keys are a guess.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `Refused` with 404 for an unknown field.
    pub async fn edit_detail_field(
        &self,
        owner: Owner,
        name: &str,
        new_name: &str,
        options: Option<&[String]>,
    ) -> Result<DetailField, ApiError> {
        let endpoint = match owner {
            Owner::Customer => Endpoint::EditCustomerDetailField,
            Owner::Organization => Endpoint::EditOrganizationDetailField,
            Owner::Entitlement => Endpoint::EditEntitlementDetailField,
        };
        let mut body = json!({ keys::NAME: new_name });
        if let Some(options) = options {
            body[answer::OPTIONS] = options.into();
        }
        let request = Request::to(endpoint).of(name).json(&body);
        Ok(self.call(request, field).await?.0)
    }

    /// Deletes a detail field with all its values. Documented.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `Refused` with 404 where there is none (any more).
    pub async fn delete_detail_field(&self, owner: Owner, name: &str) -> Result<(), ApiError> {
        let endpoint = match owner {
            Owner::Customer => Endpoint::DeleteCustomerDetailField,
            Owner::Organization => Endpoint::DeleteOrganizationDetailField,
            Owner::Entitlement => Endpoint::DeleteEntitlementDetailField,
        };
        self.delete(endpoint, name).await
    }
}

fn list(value: &Value) -> Result<Vec<DetailField>, Lacks> {
    let list = value.get(answer::RESULTS).and_then(Value::as_array);
    let list = list.ok_or(Lacks("the list results"))?;
    list.iter().map(field).collect()
}

/// A field; its type is an object with a name, or the name itself.
fn field(value: &Value) -> Result<DetailField, Lacks> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let kind = value.get(answer::TYPE);
    let options = kind.and_then(|kind| kind.get(answer::OPTIONS)?.as_array());
    Ok(DetailField {
        name: value
            .get(keys::NAME)
            .and_then(text)
            .ok_or(Lacks("a detail field's name"))?,
        kind: kind
            .and_then(|kind| text(kind.get(keys::NAME).unwrap_or(kind)))
            .ok_or(Lacks("a detail field's type"))?,
        options: options.map_or_else(Vec::new, |list| list.iter().filter_map(text).collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::scripted::{Scripted, exchange, texts};
    use crate::model::reply::ErrorClass;

    fn region() -> DetailField {
        DetailField {
            name: "Region".to_owned(),
            kind: "SELECT".to_owned(),
            options: vec!["EMEA".to_owned(), "APAC".to_owned()],
        }
    }

    #[tokio::test]
    async fn fields_are_listed_with_their_types_and_options() {
        let body = r#"{"results":[
            {"name":"Region","type":{"name":"SELECT","options":["EMEA","APAC"]},"configuration":{"position":1}},
            {"name":"Seats","type":{"name":"NUMBER","options":null}},
            {"name":"Old","type":"TEXT"}]}"#;
        let plain = |name: &str, kind: &str| DetailField {
            name: name.to_owned(),
            kind: kind.to_owned(),
            options: Vec::new(),
        };
        for owner in Owner::ALL {
            let server = Scripted::json(200, body);
            let fields = server.client().detail_fields(owner).await;
            let expected = vec![region(), plain("Seats", "NUMBER"), plain("Old", "TEXT")];
            assert_eq!(fields, Ok(expected));
            assert_eq!(
                server.seen()[0].line(),
                format!("GET /jsm/csm/cloudid/c-1/api/v1/{owner}/details HTTP/1.1")
            );
        }
    }

    #[tokio::test]
    async fn a_list_that_cannot_be_read_whole_is_not_taken_for_a_shorter_one() {
        for (body, lacking) in [
            ("{}", "the list results"),
            (
                r#"{"results":[{"type":{"name":"TEXT"}}]}"#,
                "a detail field's name",
            ),
            (r#"{"results":[{"name":"A"}]}"#, "a detail field's type"),
            (
                r#"{"results":[{"name":"A","type":{}}]}"#,
                "a detail field's type",
            ),
        ] {
            let server = Scripted::json(200, body);
            let fields = server.client().detail_fields(Owner::Customer).await;
            let error = fields.expect_err("unusable");
            assert_eq!(error.class, ErrorClass::Broken);
            let expected = format!("JSON without {lacking}, which the API should give");
            assert_eq!(error.message, expected);
        }
    }

    #[tokio::test]
    async fn a_field_is_created_without_a_key() {
        let body = r#"{"name":"Region","type":{"name":"SELECT","options":["EMEA","APAC"]}}"#;
        for owner in Owner::ALL {
            let server = Scripted::json(200, body);
            let created = server
                .client()
                .create_detail_field(owner, body.as_bytes().to_vec())
                .await;
            assert_eq!(created, Ok(region()));
            let seen = server.seen().remove(0);
            assert_eq!(
                seen.line(),
                format!("POST /jsm/csm/cloudid/c-1/api/v1/{owner}/details HTTP/1.1")
            );
            assert_eq!(seen.body, body.as_bytes());
            assert_eq!(seen.header("idempotency-key"), None);
        }
    }

    #[tokio::test]
    async fn a_field_is_edited_and_deleted() {
        let body = r#"{"name":"Region","type":{"name":"SELECT","options":["EMEA","APAC"]}}"#;
        for owner in Owner::ALL {
            let options = texts(&["EMEA", "APAC"]);
            let (given, asked) = exchange(200, body, async |client| {
                client
                    .edit_detail_field(owner, "Old/Region", "Region", Some(&options))
                    .await
            })
            .await;
            assert_eq!(given, Ok(region()));
            let sent = r#"{"name":"Region","options":["EMEA","APAC"]}"#;
            assert_eq!(
                asked,
                format!("PUT /api/v1/{owner}/details/Old%2FRegion {sent}")
            );

            let (given, asked) = exchange(204, "", async |client| {
                client.delete_detail_field(owner, "Region").await
            })
            .await;
            assert_eq!(given, Ok(()));
            assert_eq!(asked, format!("DELETE /api/v1/{owner}/details/Region"));
        }
        let (_, asked) = exchange(200, body, async |client| {
            client
                .edit_detail_field(Owner::Customer, "a", "b", None)
                .await
        })
        .await;
        insta::assert_snapshot!(asked, @r#"PUT /api/v1/customer/details/a {"name":"b"}"#);
    }
}
