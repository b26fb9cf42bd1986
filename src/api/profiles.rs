//! Profiles of customers and organizations, one by one or some at a time: names, detail values, what they belong to.

use crate::api::accounts::customer_id;
use crate::api::client::{Client, Lacks, Request};
use crate::api::contract::{self, Endpoint, Name, answer, keys};
use crate::api::entitlements::{Entitlement, entitlement};
use crate::api::read::{Detail, all, any, details, id, text};
use crate::model::reply::ApiError;
use serde_json::{Value, json};

/// A customer with what the site keeps of it. A list is `None` where the answer does not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerProfile {
    /// The customer's id, opaque.
    pub id: String,
    /// The e-mail, where the site tells it.
    pub email: Option<String>,
    /// The display name, where the site tells it.
    pub name: Option<String>,
    /// The detail fields that have values.
    pub details: Option<Vec<Detail>>,
    /// The organizations it belongs to.
    pub organizations: Option<Vec<Reference>>,
    /// The products it has.
    pub entitlements: Option<Vec<Entitlement>>,
}

/// An organization with what the site keeps of it. A list is `None` where the answer does not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationProfile {
    /// The organization's id, digits.
    pub id: String,
    /// The name, where the site tells it.
    pub name: Option<String>,
    /// The detail fields that have values.
    pub details: Option<Vec<Detail>>,
    /// The products it has.
    pub entitlements: Option<Vec<Entitlement>>,
}

/// A record that another one names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its id, opaque.
    pub id: String,
    /// Its name, where the site tells it.
    pub name: Option<String>,
}

impl Client {
    /// Creates a customer profile from a payload as bulk items carry it. That it is the same is a guess.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `MaybeApplied` leaves open whether it exists now.
    pub async fn create_customer_profile(
        &self,
        payload: Vec<u8>,
    ) -> Result<CustomerProfile, ApiError> {
        let request = Request::to(Endpoint::CreateCustomerProfile).body(payload);
        Ok(self.call(request, customer).await?.0)
    }

    /// Reads a customer profile. What it holds is documented in words, its keys were partly seen.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `Refused` with 404 for an unknown id, or an Atlassian Account that is no customer.
    pub async fn customer_profile(&self, customer: &str) -> Result<CustomerProfile, ApiError> {
        let request = Request::to(Endpoint::GetCustomerProfile).of(customer);
        Ok(self.call(request, self::customer).await?.0)
    }

    /// Reads customer profiles, at most [`contract::MAX_FETCH_CUSTOMERS`]; those the site does not know are left out.
    /// No ids, no request. Keys seen.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn customer_profiles(
        &self,
        ids: &[String],
    ) -> Result<Vec<CustomerProfile>, ApiError> {
        debug_assert!(ids.len() <= contract::MAX_FETCH_CUSTOMERS, "over the cap");
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let body = json!({ keys::CUSTOMER_IDS: ids });
        let request = Request::to(Endpoint::FetchCustomerProfiles).json(&body);
        let read = |value: &Value| all(value, answer::PROFILES, "the list profiles", customer);
        Ok(self.call(request, read).await?.0)
    }

    /// Creates an organization profile from a payload as bulk items carry it. That it is the same is a guess.
    ///
    /// # Errors
    /// As [`Client::create_customer_profile`].
    pub async fn create_organization_profile(
        &self,
        payload: Vec<u8>,
    ) -> Result<OrganizationProfile, ApiError> {
        let request = Request::to(Endpoint::CreateOrganizationProfile).body(payload);
        Ok(self.call(request, organization).await?.0)
    }

    /// Reads an organization profile. Keys are a guess.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `Refused` with 404 for an unknown id.
    pub async fn organization_profile(&self, which: &str) -> Result<OrganizationProfile, ApiError> {
        let request = Request::to(Endpoint::GetOrganizationProfile).of(which);
        Ok(self.call(request, organization).await?.0)
    }

    /// Reads organization profiles, at most [`contract::MAX_FETCH_ORGANIZATION_PROFILES`]; those the site does not
    /// know are left out. No ids, no request. The keys of request and answer are a guess.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn organization_profiles(
        &self,
        ids: &[String],
    ) -> Result<Vec<OrganizationProfile>, ApiError> {
        debug_assert!(
            ids.len() <= contract::MAX_FETCH_ORGANIZATION_PROFILES,
            "over the cap"
        );
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let names = self.contract();
        let body = json!({ names.name(Name::FetchOrganizationProfileIds): ids });
        let request = Request::to(Endpoint::FetchOrganizationProfiles).json(&body);
        let key = names.name(Name::FetchedOrganizationProfiles);
        let read = |value: &Value| all(value, key, "the list of profiles", organization);
        Ok(self.call(request, read).await?.0)
    }
}

/// An id with a name that may be missing.
pub(super) fn reference(value: &Value) -> Result<Reference, Lacks> {
    Ok(Reference {
        id: id(value).ok_or(Lacks("a record's id"))?,
        name: text(value, keys::NAME),
    })
}

fn entitlements(value: &Value) -> Result<Option<Vec<Entitlement>>, Lacks> {
    any(
        value,
        answer::ENTITLEMENTS,
        "the list entitlements",
        entitlement,
    )
}

fn customer(value: &Value) -> Result<CustomerProfile, Lacks> {
    let what = "the list organizations";
    Ok(CustomerProfile {
        id: customer_id(value)?,
        email: text(value, keys::EMAIL),
        name: text(value, keys::DISPLAY_NAME),
        details: details(value)?,
        organizations: any(value, answer::ORGANIZATIONS, what, reference)?,
        entitlements: entitlements(value)?,
    })
}

fn organization(value: &Value) -> Result<OrganizationProfile, Lacks> {
    let Reference { id, name } = reference(value)?;
    Ok(OrganizationProfile {
        id,
        name,
        details: details(value)?,
        entitlements: entitlements(value)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::scripted::{exchange, texts};
    use crate::model::reply::ErrorClass;

    const ANA: &str = r#"{"customerId":"qm:1","email":"ana@example.com","displayName":"Ana",
        "details":[{"name":"Region","values":["EMEA"]}],"organizations":[{"id":"7","name":"Acme"},{"id":8}],
        "entitlements":[{"id":"e-1","product":{"id":"p-1","name":"Router"}}],"more":1}"#;
    const ACME: &str = r#"{"id":"7","name":"Acme","details":[]}"#;

    fn acme() -> OrganizationProfile {
        OrganizationProfile {
            id: "7".to_owned(),
            name: Some("Acme".to_owned()),
            details: Some(vec![]),
            entitlements: None,
        }
    }

    #[tokio::test]
    async fn a_customer_profile_is_created_from_its_payload_and_read() {
        let payload = br#"{"email":"ana@example.com"}"#;
        let (given, asked) = exchange(200, ANA, async |client| {
            client.create_customer_profile(payload.to_vec()).await
        })
        .await;
        insta::assert_snapshot!(asked, @r#"POST /api/v1/customer/profile {"email":"ana@example.com"}"#);
        insta::assert_debug_snapshot!(given.expect("a profile"), @r#"
        CustomerProfile {
            id: "qm:1",
            email: Some(
                "ana@example.com",
            ),
            name: Some(
                "Ana",
            ),
            details: Some(
                [
                    Detail {
                        name: "Region",
                        values: [
                            "EMEA",
                        ],
                    },
                ],
            ),
            organizations: Some(
                [
                    Reference {
                        id: "7",
                        name: Some(
                            "Acme",
                        ),
                    },
                    Reference {
                        id: "8",
                        name: None,
                    },
                ],
            ),
            entitlements: Some(
                [
                    Entitlement {
                        id: "e-1",
                        product: Some(
                            Reference {
                                id: "p-1",
                                name: Some(
                                    "Router",
                                ),
                            },
                        ),
                        holder: None,
                        details: None,
                    },
                ],
            ),
        }
        "#);
        let (given, asked) = exchange(200, r#"{"customerId":"qm:1"}"#, async |client| {
            client.customer_profile("qm:1").await
        })
        .await;
        insta::assert_snapshot!(asked, @"GET /api/v1/customer/profile/qm%3A1");
        let bare = given.expect("a profile");
        assert_eq!(
            (bare.details, bare.organizations, bare.entitlements),
            (None, None, None)
        );
    }

    #[tokio::test]
    async fn profiles_are_fetched_by_id_and_unknown_ones_are_left_out() {
        let body = format!(r#"{{"profiles":[{ANA}]}}"#);
        let (given, asked) = exchange(200, &body, async |client| {
            client.customer_profiles(&texts(&["qm:1", "nobody"])).await
        })
        .await;
        insta::assert_snapshot!(asked, @r#"POST /api/v1/customer/profile/fetch {"customerIds":["qm:1","nobody"]}"#);
        assert_eq!(given.expect("profiles").len(), 1);

        let body = format!(r#"{{"profiles":[{ACME}]}}"#);
        let (given, asked) = exchange(200, &body, async |client| {
            client.organization_profiles(&texts(&["7", "9"])).await
        })
        .await;
        insta::assert_snapshot!(asked, @r#"POST /api/v1/organization/profile/fetch {"organizationIds":["7","9"]}"#);
        assert_eq!(given, Ok(vec![acme()]));
    }

    #[tokio::test]
    async fn no_ids_are_no_request() {
        let nobody =
            crate::api::scripted::client("http://127.0.0.1:9", std::time::Duration::from_secs(1));
        assert_eq!(nobody.customer_profiles(&[]).await, Ok(vec![]));
        assert_eq!(nobody.organization_profiles(&[]).await, Ok(vec![]));
    }

    #[tokio::test]
    async fn an_organization_profile_is_created_from_its_payload_and_read() {
        let (given, asked) = exchange(200, ACME, async |client| {
            client
                .create_organization_profile(br#"{"name":"Acme"}"#.to_vec())
                .await
        })
        .await;
        assert_eq!(given, Ok(acme()));
        insta::assert_snapshot!(asked, @r#"POST /api/v1/organization/profile {"name":"Acme"}"#);
        let (given, asked) = exchange(200, ACME, async |client| {
            client.organization_profile("7").await
        })
        .await;
        assert_eq!(given, Ok(acme()));
        insta::assert_snapshot!(asked, @"GET /api/v1/organization/profile/7");
    }

    #[tokio::test]
    async fn a_profile_that_cannot_be_read_whole_is_not_read() {
        for body in [
            "{}",
            r#"{"profiles":{}}"#,
            r#"{"profiles":[{"email":"a@b.example"}]}"#,
            r#"{"profiles":[{"customerId":"a","details":[{}]}]}"#,
            r#"{"profiles":[{"customerId":"a","organizations":[{}]}]}"#,
            r#"{"profiles":[{"customerId":"a","entitlements":"none"}]}"#,
        ] {
            let (given, _) = exchange(200, body, async |client| {
                client.customer_profiles(&texts(&["a"])).await
            })
            .await;
            assert_eq!(
                given.expect_err("unusable").class,
                ErrorClass::Broken,
                "{body}"
            );
        }
    }
}
