//! Calls outside the CSM API, for what it does not offer. Each is behind a switch of
//! [`Contract`](crate::api::contract::Contract), which whoever calls has to look at.

use crate::api::client::{Client, Lacks, Request};
use crate::api::contract::{self, Endpoint, fallback, query};
use crate::api::lookup::{Named, named};
use crate::api::read::{all, scalar, text};
use crate::model::reply::ApiError;
use serde_json::{Value, json};

/// A user that a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The account id, which is the customer's id.
    pub id: String,
    /// The e-mail, which users may hide.
    pub email: Option<String>,
    /// The display name, where the site tells it.
    pub name: Option<String>,
}

/// A page of the organizations that the service desk API lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationPage {
    /// At most [`contract::MAX_ORGANIZATION_PAGE`].
    pub organizations: Vec<Named>,
    /// No page follows.
    pub is_last: bool,
}

impl Client {
    /// The users that match an e-mail, which may be more than the one that has it: compare before using one. New
    /// accounts are found minutes after their creation. Seen.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn users_like(&self, email: &str) -> Result<Vec<User>, ApiError> {
        let request = Request::to(Endpoint::SearchUsers).query(query::QUERY, email);
        let read = |value: &Value| {
            let list = value.as_array().ok_or(Lacks("the list of users"))?;
            list.iter().map(user).collect()
        };
        Ok(self.call(request, read).await?.0)
    }

    /// One page of the site's organizations, from the `start`-th. Documented.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn service_desk_organizations(
        &self,
        start: usize,
    ) -> Result<OrganizationPage, ApiError> {
        let request = Request::to(Endpoint::ListServiceDeskOrganizations)
            .query(query::START, &start.to_string())
            .query(query::LIMIT, &contract::MAX_ORGANIZATION_PAGE.to_string());
        let read = |value: &Value| {
            let organizations = all(value, fallback::VALUES, "the list values", named)?;
            let told = value.get(fallback::IS_LAST_PAGE).and_then(Value::as_bool);
            Ok(OrganizationPage {
                // an empty page that is not the last would be asked for again without end
                is_last: organizations.is_empty()
                    || told.unwrap_or(organizations.len() < contract::MAX_ORGANIZATION_PAGE),
                organizations,
            })
        };
        Ok(self.call(request, read).await?.0)
    }

    /// Puts customers into an organization; those that are in it stay. Documented.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; to repeat it after `MaybeApplied` changes nothing more.
    pub async fn add_to_organization(
        &self,
        organization: &str,
        customers: &[String],
    ) -> Result<(), ApiError> {
        let request = Request::to(Endpoint::AddServiceDeskOrganizationUsers)
            .of(organization)
            .json(&json!({ fallback::ACCOUNT_IDS: customers }))
            .may_be_empty();
        self.call(request, |_| Ok(())).await?;
        Ok(())
    }
}

fn user(value: &Value) -> Result<User, Lacks> {
    let id = value.get(fallback::ACCOUNT_ID).and_then(scalar);
    Ok(User {
        id: id.ok_or(Lacks("a user's accountId"))?,
        email: text(value, fallback::EMAIL_ADDRESS),
        name: text(value, contract::keys::DISPLAY_NAME),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::scripted::{exchange, texts};
    use crate::model::reply::ErrorClass;

    #[tokio::test]
    async fn users_are_searched_by_e_mail() {
        let body = r#"[{"accountId":"qm:1","emailAddress":"ana@example.com","displayName":"Ana","active":true},
            {"accountId":"b"}]"#;
        let (given, asked) = exchange(200, body, async |client| {
            client.users_like("ana+1@example.com").await
        })
        .await;
        insta::assert_snapshot!(asked, @"GET /ex/jira/c-1/rest/api/3/user/search?query=ana%2B1%40example.com");
        let ana = User {
            id: "qm:1".to_owned(),
            email: Some("ana@example.com".to_owned()),
            name: Some("Ana".to_owned()),
        };
        let hidden = User {
            id: "b".to_owned(),
            email: None,
            name: None,
        };
        assert_eq!(given, Ok(vec![ana, hidden]));
        for body in ["{}", r#"[{"emailAddress":"a@b.example"}]"#, "[null]"] {
            let (given, _) = exchange(200, body, async |client| client.users_like("a").await).await;
            assert_eq!(
                given.expect_err("unusable").class,
                ErrorClass::Broken,
                "{body}"
            );
        }
    }

    #[tokio::test]
    async fn organizations_are_listed_to_the_last_page() {
        for (body, count, is_last) in [
            (
                r#"{"values":[{"id":"7","name":"Acme"}],"start":50,"limit":50,"size":1,"isLastPage":true}"#,
                1,
                true,
            ),
            (
                r#"{"values":[{"id":"7","name":"Acme"}],"isLastPage":false}"#,
                1,
                false,
            ),
            (r#"{"values":[{"id":7,"name":"Acme"}]}"#, 1, true),
            (r#"{"values":[],"isLastPage":false}"#, 0, true),
        ] {
            let (given, asked) = exchange(200, body, async |client| {
                client.service_desk_organizations(50).await
            })
            .await;
            assert_eq!(
                asked,
                "GET /ex/jira/c-1/rest/servicedeskapi/organization?start=50&limit=50"
            );
            let page = given.expect("a page");
            assert_eq!(
                (page.organizations.len(), page.is_last),
                (count, is_last),
                "{body}"
            );
        }
        let (given, _) = exchange(200, r#"{"values":[{"id":"7"}]}"#, async |client| {
            client.service_desk_organizations(0).await
        })
        .await;
        assert_eq!(given.expect_err("no name").class, ErrorClass::Broken);
    }

    #[tokio::test]
    async fn customers_are_put_into_an_organization() {
        let (given, asked) = exchange(204, "", async |client| {
            client
                .add_to_organization("7", &texts(&["qm:1", "b"]))
                .await
        })
        .await;
        insta::assert_snapshot!(asked, @r#"POST /ex/jira/c-1/rest/servicedeskapi/organization/7/user {"accountIds":["qm:1","b"]}"#);
        assert_eq!(given, Ok(()));
    }
}
