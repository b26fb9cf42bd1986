//! Organizations, one by one. By name and several at a time they are in [`lookup`](super::lookup).

use crate::api::client::{Client, Lacks, Request};
use crate::api::contract::{Endpoint, keys};
use crate::api::lookup::{Named, named};
use crate::api::read::{Detail, details};
use crate::model::reply::ApiError;
use serde_json::{Value, json};

/// An organization as `GET organization/{id}` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// The id, digits.
    pub id: String,
    /// The name.
    pub name: String,
    /// The detail fields that have values; `None` where the answer does not tell.
    pub details: Option<Vec<Detail>>,
}

impl Client {
    /// Reads an organization with its detail values. Documented.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `Refused` with 404 for an unknown id.
    pub async fn organization(&self, which: &str) -> Result<Organization, ApiError> {
        let request = Request::to(Endpoint::GetOrganization).of(which);
        Ok(self.call(request, organization).await?.0)
    }

    /// Renames an organization. The keys are a guess.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; to repeat it after `MaybeApplied` changes nothing more.
    pub async fn rename_organization(&self, which: &str, name: &str) -> Result<Named, ApiError> {
        let request = Request::to(Endpoint::UpdateOrganization)
            .of(which)
            .json(&json!({ keys::NAME: name }));
        Ok(self.call(request, named).await?.0)
    }

    /// Deletes an organization for good. Documented.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `Refused` with 404 where there is none (any more).
    pub async fn delete_organization(&self, which: &str) -> Result<(), ApiError> {
        self.delete(Endpoint::DeleteOrganization, which).await
    }
}

fn organization(value: &Value) -> Result<Organization, Lacks> {
    let Named { id, name } = named(value)?;
    Ok(Organization {
        id,
        name,
        details: details(value)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::scripted::exchange;
    use crate::model::reply::ErrorClass;

    #[tokio::test]
    async fn an_organization_is_read_renamed_and_deleted() {
        let body = r#"{"id":7,"name":"Acme","details":[{"id":"d","name":"Industry","type":{"name":"TEXT"},
            "values":["Retail"],"configuration":{"position":1}}]}"#;
        let (given, asked) =
            exchange(200, body, async |client| client.organization("7").await).await;
        insta::assert_snapshot!(asked, @"GET /api/v1/organization/7");
        let expected = Organization {
            id: "7".to_owned(),
            name: "Acme".to_owned(),
            details: Some(vec![Detail {
                name: "Industry".to_owned(),
                values: vec!["Retail".to_owned()],
            }]),
        };
        assert_eq!(given, Ok(expected));

        let (given, asked) = exchange(200, r#"{"id":"7","name":"Acme 2"}"#, async |client| {
            client.rename_organization("7", "Acme 2").await
        })
        .await;
        insta::assert_snapshot!(asked, @r#"PUT /api/v1/organization/7 {"name":"Acme 2"}"#);
        assert_eq!(given.expect("renamed").name, "Acme 2");

        let (given, asked) = exchange(204, "", async |client| {
            client.delete_organization("7").await
        })
        .await;
        insta::assert_snapshot!(asked, @"DELETE /api/v1/organization/7");
        assert_eq!(given, Ok(()));
    }

    #[tokio::test]
    async fn id_and_name_must_be_there() {
        for (body, details) in [
            (r#"{"id":"7"}"#, None),
            (r#"{"name":"Acme"}"#, None),
            ("[7]", None),
            (r#"{"id":"7","name":"Acme"}"#, Some(None)),
        ] {
            let (given, _) =
                exchange(200, body, async |client| client.organization("7").await).await;
            match (given, details) {
                (Ok(organization), Some(details)) => assert_eq!(organization.details, details),
                (Err(error), None) => assert_eq!(error.class, ErrorClass::Broken, "{body}"),
                (given, _) => panic!("{body}: {given:?}"),
            }
        }
    }
}
