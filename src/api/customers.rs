//! Customers beyond their profiles: one with its detail values, those that have a value, what is open to one.

use crate::api::accounts::customer_id;
use crate::api::client::{Client, Lacks, Request};
use crate::api::contract::{Endpoint, Name, answer, keys, query};
use crate::api::profiles::{Reference, reference};
use crate::api::read::{Detail, all, any, details, text};
use crate::model::reply::ApiError;
use serde_json::{Value, json};

/// A customer as `GET customer/{id}` shows it. A list is `None` where the answer does not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The id, opaque.
    pub id: String,
    /// The display name, where the site tells it.
    pub name: Option<String>,
    /// The detail fields that have values.
    pub details: Option<Vec<Detail>>,
    /// The organizations it belongs to.
    pub organizations: Option<Vec<Reference>>,
}

/// A customer that a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The id, opaque.
    pub id: String,
    /// The display name, where the site tells it.
    pub name: Option<String>,
    /// The e-mail, which only administrators are told.
    pub email: Option<String>,
}

impl Client {
    /// Reads a customer with its detail values. Keys seen.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `Refused` with 404 for an unknown id, or an Atlassian Account that is no customer.
    pub async fn customer(&self, which: &str) -> Result<Customer, ApiError> {
        let request = Request::to(Endpoint::GetCustomer).of(which);
        Ok(self.call(request, customer).await?.0)
    }

    /// One page, from 0, of the customers that have each of these values in its detail field: `(field, value)`. A page
    /// that is not full (`per_page`, of which no limit is known) is the last. How soon after a write it finds a record
    /// is unknown. Request seen, the answer's list a guess.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn customers_with(
        &self,
        values: &[(&str, &str)],
        page: usize,
        per_page: usize,
    ) -> Result<Vec<Found>, ApiError> {
        debug_assert!(!values.is_empty() && per_page > 0, "nothing asked for");
        let criteria: Vec<_> = values
            .iter()
            .map(|(field, value)| json!({ keys::NAME: field, (keys::VALUE): value }))
            .collect();
        let request = Request::to(Endpoint::SearchCustomersByDetailField)
            .query(query::PAGE, &page.to_string())
            .query(query::MAX_RESULTS, &per_page.to_string())
            .json(&json!({ keys::DETAIL_FIELDS: criteria }));
        let key = self.contract().name(Name::FoundCustomers);
        let read = |value: &Value| all(value, key, "the list of customers", found);
        Ok(self.call(request, read).await?.0)
    }

    /// The customer experiences open to a customer, as they come: no shape of them is known, and the documentation shows
    /// an empty answer, which reads as null. Experimental.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn customer_experiences(&self, which: &str) -> Result<Value, ApiError> {
        let request = Request::to(Endpoint::ListCustomerExperiences)
            .of(which)
            .may_be_empty();
        Ok(self.call(request, |value| Ok(value.clone())).await?.0)
    }
}

fn customer(value: &Value) -> Result<Customer, Lacks> {
    let what = "the list organizations";
    Ok(Customer {
        id: customer_id(value)?,
        name: text(value, keys::NAME).or_else(|| text(value, keys::DISPLAY_NAME)),
        details: details(value)?,
        organizations: any(value, answer::ORGANIZATIONS, what, reference)?,
    })
}

fn found(value: &Value) -> Result<Found, Lacks> {
    Ok(Found {
        id: customer_id(value)?,
        name: text(value, keys::NAME).or_else(|| text(value, keys::DISPLAY_NAME)),
        email: text(value, keys::EMAIL),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::contract::Contract;
    use crate::api::scripted::{Scripted, exchange};
    use crate::model::reply::ErrorClass;

    #[tokio::test]
    async fn a_customer_is_read_with_its_details() {
        let body = r#"{"id":"qm:1","name":"Ana","details":[{"name":"Region","values":["EMEA"]}],
            "organizations":[{"id":"7"}]}"#;
        let (given, asked) =
            exchange(200, body, async |client| client.customer("qm:1").await).await;
        insta::assert_snapshot!(asked, @"GET /api/v1/customer/qm%3A1");
        let expected = Customer {
            id: "qm:1".to_owned(),
            name: Some("Ana".to_owned()),
            details: Some(vec![Detail {
                name: "Region".to_owned(),
                values: vec!["EMEA".to_owned()],
            }]),
            organizations: Some(vec![Reference {
                id: "7".to_owned(),
                name: None,
            }]),
        };
        assert_eq!(given, Ok(expected));
        let (given, _) = exchange(200, r#"{"id":"a"}"#, async |client| {
            client.customer("a").await
        })
        .await;
        let bare = given.expect("a customer");
        assert_eq!(
            (bare.name, bare.details, bare.organizations),
            (None, None, None)
        );
    }

    #[tokio::test]
    async fn customers_are_found_by_their_values_page_by_page() {
        let body = r#"{"results":[{"id":"qm:1","name":"Ana","email":"ana@example.com"},{"customerId":"b"}]}"#;
        let (given, asked) = exchange(200, body, async |client| {
            client
                .customers_with(&[("External ID", "17"), ("Region", "EMEA")], 2, 50)
                .await
        })
        .await;
        insta::assert_snapshot!(asked, @r#"POST /api/v1/customer/search-by-detail-field?page=2&maxResults=50 {"detailFields":[{"name":"External ID","value":"17"},{"name":"Region","value":"EMEA"}]}"#);
        let found = |id: &str, name: Option<&str>, email: Option<&str>| Found {
            id: id.to_owned(),
            name: name.map(str::to_owned),
            email: email.map(str::to_owned),
        };
        let expected = vec![
            found("qm:1", Some("Ana"), Some("ana@example.com")),
            found("b", None, None),
        ];
        assert_eq!(given, Ok(expected));
    }

    #[tokio::test]
    async fn the_list_of_a_search_may_be_said_otherwise() {
        let server = Scripted::json(200, r#"{"values":[{"id":"a"}]}"#);
        let client = server.client_of(Contract::default().with(Name::FoundCustomers, "values"));
        let found = client.customers_with(&[("f", "v")], 0, 1).await;
        assert_eq!(found.expect("a page").len(), 1);
        for body in [r#"{"values":[]}"#, r#"{"results":[{"name":"Ana"}]}"#, "[]"] {
            let (given, _) = exchange(200, body, async |client| {
                client.customers_with(&[("f", "v")], 0, 1).await
            })
            .await;
            assert_eq!(
                given.expect_err("unusable").class,
                ErrorClass::Broken,
                "{body}"
            );
        }
    }

    #[tokio::test]
    async fn experiences_are_handed_over_as_they_come() {
        let (given, asked) = exchange(200, r#"{"odd":[1]}"#, async |client| {
            client.customer_experiences("qm:1").await
        })
        .await;
        assert_eq!(given, Ok(json!({"odd": [1]})));
        let (given, _) = exchange(200, "", async |client| {
            client.customer_experiences("qm:1").await
        })
        .await;
        assert_eq!(given, Ok(Value::Null));
        insta::assert_snapshot!(asked, @"GET /api/v1/customer/qm%3A1/customer-experiences");
    }
}
