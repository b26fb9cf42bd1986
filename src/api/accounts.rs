//! Customer accounts, one by one: e-mail and display name, nothing else.

use crate::api::client::{Client, Lacks, Request};
use crate::api::contract::{Endpoint, answer, keys};
use crate::api::read::{scalar, text};
use crate::model::reply::ApiError;
use serde_json::{Value, json};

/// A customer account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The customer's id, opaque.
    pub id: String,
    /// The e-mail, where the site tells it.
    pub email: Option<String>,
    /// The display name, where the site tells it.
    pub name: Option<String>,
}

impl Client {
    /// Creates a customer account. The endpoint is documented, the keys of request and answer a guess.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `MaybeApplied` leaves open whether it exists now.
    pub async fn create_account(
        &self,
        email: &str,
        name: Option<&str>,
    ) -> Result<Account, ApiError> {
        let mut body = json!({ keys::EMAIL: email });
        if let Some(name) = name {
            body[keys::DISPLAY_NAME] = name.into();
        }
        let request = Request::to(Endpoint::CreateCustomerAccount).json(&body);
        Ok(self.call(request, account).await?.0)
    }

    /// Reads a customer account. Atlassian Accounts have none: they are `Refused` with 404. Keys are a guess.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn account(&self, customer: &str) -> Result<Account, ApiError> {
        let request = Request::to(Endpoint::GetCustomerAccount).of(customer);
        Ok(self.call(request, account).await?.0)
    }

    /// Changes a customer account's display name. Keys are a guess.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; to repeat it after `MaybeApplied` changes nothing more.
    pub async fn rename_account(&self, customer: &str, name: &str) -> Result<Account, ApiError> {
        let body = json!({ keys::DISPLAY_NAME: name });
        let request = Request::to(Endpoint::UpdateCustomerAccount)
            .of(customer)
            .json(&body);
        Ok(self.call(request, account).await?.0)
    }

    /// Deletes a customer account for good. Documented.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `Refused` with 404 where there is none (any more).
    pub async fn delete_account(&self, customer: &str) -> Result<(), ApiError> {
        self.delete(Endpoint::DeleteCustomerAccount, customer).await
    }

    /// Deletes what an endpoint's path names. That the answer has no body is a guess: any success will do.
    pub(super) async fn delete(&self, endpoint: Endpoint, which: &str) -> Result<(), ApiError> {
        let request = Request::to(endpoint).of(which).may_be_empty();
        self.call(request, |_| Ok(())).await?;
        Ok(())
    }
}

/// A customer's id, under the key of writes or that of other reads.
pub(super) fn customer_id(value: &Value) -> Result<String, Lacks> {
    [keys::CUSTOMER_ID, answer::ID]
        .iter()
        .find_map(|key| value.get(*key).and_then(scalar))
        .ok_or(Lacks("a customer's id"))
}

fn account(value: &Value) -> Result<Account, Lacks> {
    Ok(Account {
        id: customer_id(value)?,
        email: text(value, keys::EMAIL),
        name: text(value, keys::DISPLAY_NAME),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::scripted::exchange;
    use crate::model::reply::ErrorClass;

    fn ana() -> Account {
        Account {
            id: "qm:1:2".to_owned(),
            email: Some("ana@example.com".to_owned()),
            name: Some("Ana \"A\"".to_owned()),
        }
    }

    const ANA: &str =
        r#"{"customerId":"qm:1:2","email":"ana@example.com","displayName":"Ana \"A\""}"#;

    #[tokio::test]
    async fn an_account_is_created_read_and_renamed() {
        let (given, asked) = exchange(200, ANA, async |client| {
            client
                .create_account("ana@example.com", Some("Ana \"A\""))
                .await
        })
        .await;
        assert_eq!(given, Ok(ana()));
        insta::assert_snapshot!(asked, @r#"POST /api/v1/customer {"displayName":"Ana \"A\"","email":"ana@example.com"}"#);

        let (_, asked) = exchange(201, ANA, async |client| {
            client.create_account("a@b.example", None).await
        })
        .await;
        insta::assert_snapshot!(asked, @r#"POST /api/v1/customer {"email":"a@b.example"}"#);

        let (given, asked) =
            exchange(200, ANA, async |client| client.account("qm:1:2").await).await;
        assert_eq!(given, Ok(ana()));
        insta::assert_snapshot!(asked, @"GET /api/v1/customer/account/qm%3A1%3A2");

        let (given, asked) = exchange(200, ANA, async |client| {
            client.rename_account("qm:1:2", "Ana").await
        })
        .await;
        assert_eq!(given, Ok(ana()));
        insta::assert_snapshot!(asked, @r#"PUT /api/v1/customer/account/qm%3A1%3A2 {"displayName":"Ana"}"#);
    }

    #[tokio::test]
    async fn only_the_id_must_be_there() {
        for (body, id) in [
            (r#"{"customerId":"a"}"#, "a"),
            (r#"{"id":7,"email":null}"#, "7"),
        ] {
            let (given, _) = exchange(200, body, async |client| client.account("x").await).await;
            let account = given.expect("an account");
            assert_eq!(
                (&*account.id, account.email, account.name),
                (id, None, None)
            );
        }
        for body in ["{}", "[]", "null", r#"{"customerId":{}}"#] {
            let (given, _) = exchange(200, body, async |client| client.account("x").await).await;
            assert_eq!(
                given.expect_err("no id").class,
                ErrorClass::Broken,
                "{body}"
            );
            let (given, _) = exchange(200, body, async |client| {
                client.create_account("x", None).await
            })
            .await;
            assert_eq!(
                given.expect_err("no id").class,
                ErrorClass::MaybeApplied,
                "{body}"
            );
        }
    }

    #[tokio::test]
    async fn a_deletion_needs_no_body_but_a_page_is_none() {
        for (status, body) in [(204, ""), (200, "{}"), (202, " \n")] {
            let (given, asked) = exchange(status, body, async |client| {
                client.delete_account("qm:1").await
            })
            .await;
            assert_eq!(given, Ok(()), "{body:?}");
            assert_eq!(asked, "DELETE /api/v1/customer/account/qm%3A1");
        }
        let (given, _) = exchange(200, "<html>", async |client| {
            client.delete_account("qm:1").await
        })
        .await;
        assert_eq!(given.expect_err("a page").class, ErrorClass::MaybeApplied);
    }
}
