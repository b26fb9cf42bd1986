//! The sites that an OAuth token may use.

use crate::api::auth::consent::same_host;
use crate::api::client::{Client, Lacks, Request};
use crate::api::contract::oauth::keys as oauth;
use crate::api::contract::{Endpoint, answer, keys, query};
use crate::model::reply::ApiError;
use serde_json::Value;
use std::fmt::Write as _;

/// A site that a token may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its cloud id.
    pub cloud_id: String,
    /// What people call it.
    pub name: String,
    /// Its address, as `https://acme.atlassian.net`.
    pub url: String,
    /// What the token may do there, in alphabetical order.
    pub scopes: Vec<String>,
}

impl Client {
    /// The sites that the token may use. The answer has an entry for each product of a site; they are one here.
    /// Documented.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn accessible_resources(&self) -> Result<Vec<Resource>, ApiError> {
        let read = |value: &Value| {
            let entries = value.as_array().ok_or(Lacks("a list of sites"))?;
            let found: Option<Vec<_>> = entries.iter().map(resource).collect();
            Ok(merged(found.ok_or(Lacks("a site's id and url"))?))
        };
        let request = Request::to(Endpoint::AccessibleResources);
        Ok(self.call(request, read).await?.0)
    }

    /// Asks an endpoint that reads and has no parameter whether it lets us in, for one record where it gives pages.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn probe(&self, endpoint: Endpoint) -> Result<(), ApiError> {
        let mut request = Request::to(endpoint);
        // the lists of detail fields have no pages
        if endpoint == Endpoint::ListProducts {
            request = request.query(query::LIMIT, "1");
        }
        self.call(request, |_| Ok(())).await.map(drop)
    }
}

fn resource(entry: &Value) -> Option<Resource> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    let scopes = entry.get(oauth::SCOPES).and_then(Value::as_array);
    let scopes = scopes.into_iter().flatten().filter_map(Value::as_str);
    let url = text(oauth::URL)?;
    Some(Resource {
        cloud_id: text(answer::ID)?,
        name: text(keys::NAME).unwrap_or_else(|| url.clone()),
        scopes: scopes.map(str::to_owned).collect(),
        url,
    })
}

fn merged(entries: Vec<Resource>) -> Vec<Resource> {
    let mut sites: Vec<Resource> = Vec::new();
    for entry in entries {
        match sites
            .iter_mut()
            .find(|site| site.cloud_id == entry.cloud_id)
        {
            Some(site) => site.scopes.extend(entry.scopes),
            None => sites.push(entry),
        }
    }
    for site in &mut sites {
        site.scopes.sort_unstable();
        site.scopes.dedup();
    }
    sites
}

/// The site that is wanted, by host or address.
///
/// # Errors
/// What to tell a person: the token may not use it, and which it may.
pub fn choose<'a>(sites: &'a [Resource], host: &str) -> Result<&'a Resource, String> {
    let found = sites.iter().find(|site| same_host(&site.url, host));
    found.ok_or_else(|| match sites {
        [] => "the token may use no site: the consent was given for none, or has been withdrawn; run: csm-loader \
               auth login"
            .to_owned(),
        sites => {
            let mut message = format!("the token may not use {host}; it may use ");
            for (index, site) in sites.iter().enumerate() {
                let comma = if index == 0 { "" } else { ", " };
                // writing to a String cannot fail
                let _ = write!(message, "{comma}{}", site.url);
            }
            message + ". Name one of them, or consent for the other: csm-loader auth login"
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::scripted::Scripted;

    #[tokio::test]
    async fn the_products_of_a_site_are_one_and_scopes_come_together() {
        let server = Scripted::json(
            200,
            r#"[{"id":"c-1","name":"acme","url":"https://acme.atlassian.net","scopes":["write:b","read:a"],"avatarUrl":"x"},
                {"id":"c-2","url":"https://beta.atlassian.net","scopes":[]},
                {"id":"c-1","name":"acme","url":"https://acme.atlassian.net","scopes":["read:a","read:c"]}]"#,
        );
        let sites = server.client().accessible_resources().await.expect("sites");
        assert_eq!(
            server.seen()[0].line(),
            "GET /oauth/token/accessible-resources HTTP/1.1"
        );
        assert_eq!(sites.len(), 2);
        assert_eq!(sites[0].scopes, ["read:a", "read:c", "write:b"]);
        assert_eq!(sites[1].name, "https://beta.atlassian.net");
        assert_eq!(
            choose(&sites, "ACME.atlassian.net")
                .expect("found")
                .cloud_id,
            "c-1"
        );
        insta::assert_snapshot!(
            choose(&sites, "gamma.atlassian.net").expect_err("none"),
            @"the token may not use gamma.atlassian.net; it may use https://acme.atlassian.net, https://beta.atlassian.net. Name one of them, or consent for the other: csm-loader auth login"
        );
        insta::assert_snapshot!(
            choose(&[], "x").expect_err("none"),
            @"the token may use no site: the consent was given for none, or has been withdrawn; run: csm-loader auth login"
        );
    }
}
