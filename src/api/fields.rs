//! Detail fields: which ones a site has, and changes to one of them.

use crate::api::client::{Client, Lacks, Request};
use crate::api::contract::{Endpoint, answer, keys};
use crate::api::read::{all, any, text};
use crate::model::reply::ApiError;
use serde_json::{Value, json};

/// Whose detail fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldsOf {
    /// Those of customers.
    Customer,
    /// Those of organizations.
    Organization,
    /// Those of entitlements.
    Entitlement,
}

/// A detail field as the site defines it. A name is unique among the fields of one kind of record, trimmed and without
/// regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name, which requests address it by.
    pub name: String,
    /// Its type in the site's word (`TEXT`, `SELECT`, …).
    pub kind: String,
    /// What may be chosen, for `SELECT` and `MULTISELECT`.
    pub options: Option<Vec<String>>,
    /// Its place among its siblings, where the site tells it.
    pub position: Option<i64>,
}

impl Client {
    /// Every detail field of one kind of record, at most
    /// [`MAX_DETAIL_FIELDS`](crate::api::contract::MAX_DETAIL_FIELDS). Documented.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn fields(&self, of: FieldsOf) -> Result<Vec<Field>, ApiError> {
        let endpoint = match of {
            FieldsOf::Customer => Endpoint::ListCustomerDetailFields,
            FieldsOf::Organization => Endpoint::ListOrganizationDetailFields,
            FieldsOf::Entitlement => Endpoint::ListEntitlementDetailFields,
        };
        let read = |value: &Value| all(value, answer::RESULTS, "the list results", field);
        Ok(self.call(Request::to(endpoint), read).await?.0)
    }

    /// Creates a detail field of this type, with options where it is a choice: at most
    /// [`MAX_OPTIONS`](crate::api::contract::MAX_OPTIONS). Documented.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `MaybeApplied` leaves open whether it exists now.
    pub async fn create_field(
        &self,
        of: FieldsOf,
        name: &str,
        kind: &str,
        options: Option<&[String]>,
    ) -> Result<Field, ApiError> {
        let endpoint = match of {
            FieldsOf::Customer => Endpoint::CreateCustomerDetailField,
            FieldsOf::Organization => Endpoint::CreateOrganizationDetailField,
            FieldsOf::Entitlement => Endpoint::CreateEntitlementDetailField,
        };
        let mut of_kind = json!({ keys::NAME: kind });
        if let Some(options) = options {
            of_kind[answer::OPTIONS] = options.into();
        }
        let body = json!({ keys::NAME: name, (answer::TYPE): of_kind });
        let request = Request::to(endpoint).json(&body);
        Ok(self.call(request, field).await?.0)
    }

    /// Renames a detail field, or gives it other options: `new_name` is sent always. The keys are a guess.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `Refused` with 404 for an unknown field.
    pub async fn edit_field(
        &self,
        of: FieldsOf,
        name: &str,
        new_name: &str,
        options: Option<&[String]>,
    ) -> Result<Field, ApiError> {
        let endpoint = match of {
            FieldsOf::Customer => Endpoint::EditCustomerDetailField,
            FieldsOf::Organization => Endpoint::EditOrganizationDetailField,
            FieldsOf::Entitlement => Endpoint::EditEntitlementDetailField,
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
    pub async fn delete_field(&self, of: FieldsOf, name: &str) -> Result<(), ApiError> {
        let endpoint = match of {
            FieldsOf::Customer => Endpoint::DeleteCustomerDetailField,
            FieldsOf::Organization => Endpoint::DeleteOrganizationDetailField,
            FieldsOf::Entitlement => Endpoint::DeleteEntitlementDetailField,
        };
        self.delete(endpoint, name).await
    }
}

fn field(value: &Value) -> Result<Field, Lacks> {
    let kind = value.get(answer::TYPE).unwrap_or(&Value::Null);
    let what = "a field's options";
    Ok(Field {
        name: text(value, keys::NAME).ok_or(Lacks("a field's name"))?,
        kind: text(kind, keys::NAME).ok_or(Lacks("a field's type"))?,
        options: any(kind, answer::OPTIONS, what, |option| {
            option.as_str().map(str::to_owned).ok_or(Lacks(what))
        })?,
        position: value
            .get(answer::CONFIGURATION)
            .and_then(|configuration| configuration.get(answer::POSITION)?.as_i64()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::scripted::{exchange, texts};
    use crate::model::reply::ErrorClass;

    const OF: [(FieldsOf, &str); 3] = [
        (FieldsOf::Customer, "customer"),
        (FieldsOf::Organization, "organization"),
        (FieldsOf::Entitlement, "entitlement"),
    ];
    const TIER: &str = r#"{"name":"Tier","type":{"name":"SELECT","options":["Free","Pro"]}}"#;

    fn tier(position: Option<i64>) -> Field {
        Field {
            name: "Tier".to_owned(),
            kind: "SELECT".to_owned(),
            options: Some(texts(&["Free", "Pro"])),
            position,
        }
    }

    #[tokio::test]
    async fn the_fields_of_each_kind_are_listed() {
        let body = r#"{"results":[{"name":"Tier","type":{"name":"SELECT","options":["Free","Pro"]},
            "configuration":{"position":3}},{"name":"Since","type":{"name":"DATE"}}]}"#;
        for (of, path) in OF {
            let (given, asked) = exchange(200, body, async |client| client.fields(of).await).await;
            let given = given.expect("fields");
            assert_eq!(given[0], tier(Some(3)));
            assert_eq!((&*given[1].kind, &given[1].options), ("DATE", &None));
            assert_eq!(asked, format!("GET /api/v1/{path}/details"));
        }
    }

    #[tokio::test]
    async fn a_field_is_created_edited_and_deleted() {
        for (of, path) in OF {
            let options = texts(&["Free", "Pro"]);
            let (given, asked) = exchange(200, TIER, async |client| {
                client
                    .create_field(of, "Tier", "SELECT", Some(&options))
                    .await
            })
            .await;
            assert_eq!(given, Ok(tier(None)));
            assert_eq!(asked, format!("POST /api/v1/{path}/details {TIER}"));

            let (given, asked) = exchange(200, TIER, async |client| {
                client
                    .edit_field(of, "Old/Tier", "Tier", Some(&options))
                    .await
            })
            .await;
            assert_eq!(given, Ok(tier(None)));
            let body = r#"{"name":"Tier","options":["Free","Pro"]}"#;
            assert_eq!(
                asked,
                format!("PUT /api/v1/{path}/details/Old%2FTier {body}")
            );

            let (given, asked) = exchange(204, "", async |client| {
                client.delete_field(of, "Tier").await
            })
            .await;
            assert_eq!(given, Ok(()));
            assert_eq!(asked, format!("DELETE /api/v1/{path}/details/Tier"));
        }
        let (_, asked) = exchange(200, TIER, async |client| {
            client
                .create_field(FieldsOf::Customer, "Since", "DATE", None)
                .await
        })
        .await;
        insta::assert_snapshot!(asked, @r#"POST /api/v1/customer/details {"name":"Since","type":{"name":"DATE"}}"#);
        let (_, asked) = exchange(200, TIER, async |client| {
            client.edit_field(FieldsOf::Customer, "a", "b", None).await
        })
        .await;
        insta::assert_snapshot!(asked, @r#"PUT /api/v1/customer/details/a {"name":"b"}"#);
    }

    #[tokio::test]
    async fn a_list_that_cannot_be_read_whole_is_not_taken_for_a_shorter_one() {
        for (body, lacking) in [
            ("{}", "the list results"),
            (
                r#"{"results":[{"type":{"name":"TEXT"}}]}"#,
                "a field's name",
            ),
            (r#"{"results":[{"name":"a"}]}"#, "a field's type"),
            (
                r#"{"results":[{"name":"a","type":"TEXT"}]}"#,
                "a field's type",
            ),
            (
                r#"{"results":[{"name":"a","type":{"name":"SELECT","options":[1]}}]}"#,
                "a field's options",
            ),
        ] {
            let (given, _) = exchange(200, body, async |client| {
                client.fields(FieldsOf::Customer).await
            })
            .await;
            let error = given.expect_err("unusable");
            assert_eq!(error.class, ErrorClass::Broken);
            let expected = format!("JSON without {lacking}, which the API should give");
            assert_eq!(error.message, expected);
        }
    }
}
