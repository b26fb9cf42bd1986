//! Reads: which organizations and products a site has, and which cloud id.

use crate::api::client::{Client, Http, Lacks, Request};
use crate::api::contract::{self, Base, Endpoint, Name, answer, keys, query};
use crate::api::read::id;
use crate::api::site::Site;
use crate::model::reply::{ApiError, ErrorClass};
use serde_json::{Value, json};
use std::time::Duration;

/// A record that has an id and a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The id on the site, opaque.
    pub id: String,
    /// The name as the site writes it.
    pub name: String,
}

/// A page of the site's products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductPage {
    /// At most [`contract::MAX_PRODUCT_PAGE`].
    pub products: Vec<Named>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<String>,
}

impl Client {
    /// The organizations that have one of the names; those the site does not know are left out. `names` holds at
    /// most [`contract::MAX_FETCH_ORGANIZATIONS`]; no names, no request. The endpoint and its cap are documented,
    /// the keys of request and answer a guess.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn organizations_by_name(&self, names: &[String]) -> Result<Vec<Named>, ApiError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        debug_assert!(
            names.len() <= contract::MAX_FETCH_ORGANIZATIONS,
            "over the cap"
        );
        let key = self.contract().name(Name::FetchOrganizationNames);
        self.fetch_organizations(&json!({ key: names })).await
    }

    /// The organizations that have one of the ids, at most [`contract::MAX_FETCH_ORGANIZATIONS`]; those the site
    /// does not know are left out. The keys of request and answer are a guess.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn organizations_by_id(&self, ids: &[String]) -> Result<Vec<Named>, ApiError> {
        debug_assert!(
            ids.len() <= contract::MAX_FETCH_ORGANIZATIONS,
            "over the cap"
        );
        let key = self.contract().name(Name::FetchOrganizationIds);
        self.fetch_organizations(&json!({ key: ids })).await
    }

    async fn fetch_organizations(&self, body: &Value) -> Result<Vec<Named>, ApiError> {
        let request = Request::to(Endpoint::FetchOrganizations).json(body);
        let key = self.contract().name(Name::FetchedOrganizations);
        let read = |value: &Value| {
            let list = value.get(key).and_then(Value::as_array);
            all_named(list.ok_or(Lacks("the list organizations"))?)
        };
        Ok(self.call(request, read).await?.0)
    }

    /// The e-mails (as `name`) of customers by id, at most [`contract::MAX_FETCH_CUSTOMERS`]; ids that the site does
    /// not know, and profiles without an e-mail, are left out. Keys seen.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn customer_emails(&self, ids: &[String]) -> Result<Vec<Named>, ApiError> {
        debug_assert!(ids.len() <= contract::MAX_FETCH_CUSTOMERS, "over the cap");
        let body = json!({ keys::CUSTOMER_IDS: ids });
        let request = Request::to(Endpoint::FetchCustomerProfiles).json(&body);
        let read = |value: &Value| {
            let list = value.get(answer::PROFILES).and_then(Value::as_array);
            let profiles = list.ok_or(Lacks("the list profiles"))?;
            Ok(profiles.iter().filter_map(emailed).collect())
        };
        Ok(self.call(request, read).await?.0)
    }

    /// One page of products, from the start or from the cursor that the page before gave. Documented.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn products(&self, cursor: Option<&str>) -> Result<ProductPage, ApiError> {
        let most = contract::MAX_PRODUCT_PAGE.to_string();
        let mut request = Request::to(Endpoint::ListProducts).query(query::LIMIT, &most);
        if let Some(cursor) = cursor {
            request = request.query(query::CURSOR, cursor);
        }
        let read = |value: &Value| {
            let list = value.get(answer::RESULTS).and_then(Value::as_array);
            let products = all_named(list.ok_or(Lacks("the list results"))?)?;
            let next = value.get(answer::NEXT_PAGE_CURSOR).and_then(Value::as_str);
            let next = next.filter(|next| !next.is_empty());
            // pages without end would never be noticed
            if next.is_some() && next == cursor {
                return Err(Lacks("a new cursor"));
            }
            Ok(ProductPage {
                products,
                next: next.map(str::to_owned),
            })
        };
        Ok(self.call(request, read).await?.0)
    }
}

/// Asks a site for its cloud id, without credentials. `site_host` is a name such as `acme.atlassian.net`, or its
/// address. Seen in many programs, and named by the vendor's support pages.
///
/// # Errors
/// An [`ApiError`]: `Refused` where there is no such site, `Broken` where `site_host` is not usable.
pub async fn discover(
    site_host: &str,
    user_agent: &str,
    timeout: Duration,
) -> Result<String, ApiError> {
    let unusable = |error: crate::api::error::ClientError| ApiError {
        class: ErrorClass::Broken,
        request: Endpoint::TenantInfo.name(),
        status: None,
        message: error.to_string(),
        trace_id: None,
    };
    let site = Site::host(site_host).map_err(unusable)?;
    let http = Http::new(&site, user_agent, timeout).map_err(unusable)?;
    let read = |value: &Value| {
        let id = value
            .get(contract::TENANT_CLOUD_ID)
            .and_then(Value::as_str)
            .map(str::trim);
        id.filter(|id| !id.is_empty())
            .map(str::to_owned)
            .ok_or(Lacks("the site's cloudId"))
    };
    match http
        .call(&site, None, Request::to(Endpoint::TenantInfo), read)
        .await
    {
        Ok((cloud_id, _)) => Ok(cloud_id),
        Err(mut error) => {
            // a name that no site has is answered by a redirect or a page
            if matches!(error.status, Some(300..=399 | 404)) {
                error.class = ErrorClass::Refused;
                error.message = format!(
                    "there is no site at {}; check its name",
                    site.base(Base::Host)
                );
            }
            Err(error)
        }
    }
}

/// A record with its id and name.
pub(super) fn named(value: &Value) -> Result<Named, Lacks> {
    let id = id(value).ok_or(Lacks("a record's id"))?;
    let name = value
        .get(keys::NAME)
        .and_then(Value::as_str)
        .ok_or(Lacks("a record's name"))?;
    Ok(Named {
        id,
        name: name.to_owned(),
    })
}

/// Every record, or none: one left out would be taken for missing and created again.
fn all_named(list: &[Value]) -> Result<Vec<Named>, Lacks> {
    list.iter().map(named).collect()
}

/// A customer's id with the e-mail as its name.
fn emailed(profile: &Value) -> Option<Named> {
    let text = |key| profile.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(Named {
        id: text(keys::CUSTOMER_ID)?,
        name: text(keys::EMAIL)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::scripted::{Scripted, Step, answer};

    fn named(id: &str, name: &str) -> Named {
        Named {
            id: id.to_owned(),
            name: name.to_owned(),
        }
    }

    #[tokio::test]
    async fn organizations_are_asked_for_by_name() {
        let body =
            r#"{"organizations":[{"id":"123","name":"Acme"},{"id":124,"name":"Zoë & Söhne"}]}"#;
        let server = Scripted::json(200, body);
        let names = [
            "Acme".to_owned(),
            "zoë & söhne".to_owned(),
            "nobody".to_owned(),
        ];
        let found = server
            .client()
            .organizations_by_name(&names)
            .await
            .expect("an answer");
        assert_eq!(found, [named("123", "Acme"), named("124", "Zoë & Söhne")]);
        let seen = server.seen().remove(0);
        assert_eq!(
            seen.line(),
            "POST /jsm/csm/cloudid/c-1/api/v1/organization/fetch HTTP/1.1"
        );
        assert_eq!(
            seen.body,
            r#"{"organizationNames":["Acme","zoë & söhne","nobody"]}"#.as_bytes()
        );
        assert_eq!(seen.header("idempotency-key"), None);
    }

    #[tokio::test]
    async fn no_names_are_no_request() {
        let nobody = crate::api::scripted::client("http://127.0.0.1:9", Duration::from_secs(1));
        assert_eq!(nobody.organizations_by_name(&[]).await, Ok(vec![]));
    }

    #[tokio::test]
    async fn a_list_that_cannot_be_read_whole_is_not_taken_for_a_shorter_one() {
        for (body, lacking) in [
            (r#"{"values":[]}"#, "the list organizations"),
            (r#"{"organizations":null}"#, "the list organizations"),
            (
                r#"{"organizations":[{"id":"1","name":"a"},{"id":"2"}]}"#,
                "a record's name",
            ),
            (r#"{"organizations":[{"name":"a"}]}"#, "a record's id"),
        ] {
            let server = Scripted::json(200, body);
            let answer = server
                .client()
                .organizations_by_name(&["a".to_owned()])
                .await;
            let error = answer.expect_err("unusable");
            assert_eq!(error.class, ErrorClass::Broken);
            assert_eq!(
                error.message,
                format!("JSON without {lacking}, which the API should give")
            );
        }
    }

    #[tokio::test]
    async fn products_come_page_by_page() {
        let page = r#"{"results":[{"id":"p-1","name":"Router"}],"nextPageCursor":"a+b/c=="}"#;
        let last = r#"{"results":[],"nextPageCursor":null}"#;
        let steps = [page, last, r#"{"results":[],"nextPageCursor":""}"#, page]
            .map(|body| Step::Answer(answer(200, &[], body.as_bytes())));
        let server = Scripted::start(steps.into());
        let client = server.client();
        let first = client.products(None).await.expect("a page");
        assert_eq!(first.products, [named("p-1", "Router")]);
        let cursor = first.next.expect("another page");
        let end = ProductPage {
            products: vec![],
            next: None,
        };
        assert_eq!(client.products(Some(&cursor)).await.as_ref(), Ok(&end));
        assert_eq!(client.products(Some("x")).await.as_ref(), Ok(&end));
        let endless = client
            .products(Some(&cursor))
            .await
            .expect_err("the same page again");
        assert_eq!(endless.class, ErrorClass::Broken);
        insta::assert_snapshot!(endless, @"GET /api/v1/product was answered 200: JSON without a new cursor, which the API should give");
        let seen = server.seen();
        let base = "GET /jsm/csm/cloudid/c-1/api/v1/product?limit=100";
        assert_eq!(seen[0].line(), format!("{base} HTTP/1.1"));
        assert_eq!(
            seen[1].line(),
            format!("{base}&cursor=a%2Bb%2Fc%3D%3D HTTP/1.1")
        );
    }

    #[tokio::test]
    async fn the_cloud_id_is_asked_for_without_credentials() {
        let server = Scripted::json(200, r#"{"cloudId":" 1111-2222 "}"#);
        let found = discover(&server.origin, "jira-x-int/1", Duration::from_secs(5)).await;
        assert_eq!(found.as_deref(), Ok("1111-2222"));
        let seen = server.seen().remove(0);
        assert_eq!(seen.line(), "GET /_edge/tenant_info HTTP/1.1");
        assert_eq!(seen.header("authorization"), None);
        assert_eq!(seen.header("user-agent"), Some("jira-x-int/1"));
    }

    #[tokio::test]
    async fn a_site_that_does_not_exist_is_said_to() {
        let login = [("Location", "https://id.example/login")];
        let page = [("Content-Type", "text/html")];
        for bytes in [answer(302, &login, b""), answer(404, &page, b"<html>")] {
            let server = Scripted::start(vec![Step::Answer(bytes)]);
            let error = discover(&server.origin, "x", Duration::from_secs(5))
                .await
                .expect_err("none");
            assert_eq!(error.class, ErrorClass::Refused);
            assert_eq!(
                error.message,
                format!("there is no site at {}; check its name", server.origin)
            );
        }
        let error = discover("http://acme.atlassian.net", "x", Duration::from_secs(5)).await;
        insta::assert_snapshot!(error.expect_err("plain"), @r#"GET /_edge/tenant_info had no answer: "http://acme.atlassian.net" cannot be used as the site's address: the token would travel unencrypted; use https"#);
    }
}
