//! Reads: which organizations and products a site has, and which cloud id.

use crate::api::bulk::id;
use crate::api::classify::Kind;
use crate::api::client::{Client, Http, Lacks, Request};
use crate::api::contract::{self, answers, keys};
use crate::api::site::Site;
use crate::model::reply::{ApiError, ErrorClass};
use serde_json::{Value, json};
use std::time::Duration;
use url::form_urlencoded::Serializer;

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
        let body = json!({ keys::FETCH_ORGANIZATION_NAMES: names });
        let request = Request::post(contract::ORGANIZATION_FETCH, Kind::Read, &body);
        let read = |value: &Value| {
            let list = value
                .get(keys::FETCHED_ORGANIZATIONS)
                .and_then(Value::as_array);
            all_named(list.ok_or(Lacks("the list organizations"))?)
        };
        Ok(self.call(request, read).await?.0)
    }

    /// One page of products, from the start or from the cursor that the page before gave. Documented.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn products(&self, cursor: Option<&str>) -> Result<ProductPage, ApiError> {
        let mut query = Serializer::new(String::new());
        query.append_pair(answers::LIMIT, &contract::MAX_PRODUCT_PAGE.to_string());
        if let Some(cursor) = cursor {
            query.append_pair(answers::CURSOR, cursor);
        }
        let path = format!("{}?{}", contract::PRODUCT, query.finish());
        let read = |value: &Value| {
            let list = value.get(answers::RESULTS).and_then(Value::as_array);
            let products = all_named(list.ok_or(Lacks("the list results"))?)?;
            let next = value.get(answers::NEXT_PAGE_CURSOR).and_then(Value::as_str);
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
        Ok(self.call(Request::get(&path), read).await?.0)
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
        request: format!("GET {}", contract::TENANT_INFO),
        status: None,
        message: error.to_string(),
        trace_id: None,
    };
    let site = Site::host(site_host).map_err(unusable)?;
    let http = Http::new(&site, user_agent, timeout).map_err(unusable)?;
    let read = |value: &Value| {
        let id = value
            .get(answers::CLOUD_ID)
            .and_then(Value::as_str)
            .map(str::trim);
        id.filter(|id| !id.is_empty())
            .map(str::to_owned)
            .ok_or(Lacks("the site's cloudId"))
    };
    match http
        .call(&site, None, Request::get(contract::TENANT_INFO), read)
        .await
    {
        Ok((cloud_id, _)) => Ok(cloud_id),
        Err(mut error) => {
            // a name that no site has is answered by a redirect or a page
            if matches!(error.status, Some(300..=399 | 404)) {
                error.class = ErrorClass::Refused;
                error.message = format!("there is no site at {}; check its name", site.base());
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
