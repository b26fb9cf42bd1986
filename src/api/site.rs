//! Where requests go: the gateway's address with the site's cloud id.
//!
//! Guarantee: credentials leave over https, or to this machine; a parameter never changes the path around it.
//! Must not know: credentials, answers.

use crate::api::contract::{self, Base};
use crate::api::error::ClientError;
use std::fmt;
use url::{Host, Url};

/// A site's API, by cloud id.
#[derive(Clone, PartialEq, Eq)]
pub struct Site {
    /// Scheme and host of the gateway, or of the site itself, with a proxy's path; without a trailing slash.
    origin: String,
    /// Empty for a site known by its host alone.
    cloud_id: String,
    plain: bool,
    local: bool,
}

impl Site {
    /// The API of a site behind a gateway: [`contract::ORIGIN`], or a proxy or test server in its place, which may
    /// have a path of its own. Documented.
    ///
    /// # Errors
    /// [`ClientError::Origin`] unless `origin` is an https address, or http to this machine, without user name,
    /// query and fragment; [`ClientError::CloudId`] for an empty id.
    pub fn cloud(origin: &str, cloud_id: &str) -> Result<Self, ClientError> {
        let server = Self::server(origin)?;
        if cloud_id.trim().is_empty() {
            return Err(ClientError::CloudId);
        }
        Ok(Self {
            cloud_id: cloud_id.trim().to_owned(),
            ..server
        })
    }

    /// A server that belongs to no site, such as the gateway itself or the login server; it may have a path.
    ///
    /// # Errors
    /// [`ClientError::Origin`] as for [`Site::cloud`].
    pub fn server(origin: &str) -> Result<Self, ClientError> {
        let url = address(origin)?;
        Ok(Self {
            origin: url.as_str().trim_end_matches('/').to_owned(),
            cloud_id: String::new(),
            plain: url.scheme() == "http",
            local: is_loopback(&url),
        })
    }

    /// A site's own host, for what it tells everyone: a name such as `acme.atlassian.net`, or an address.
    ///
    /// # Errors
    /// As [`Site::cloud`].
    pub fn host(host: &str) -> Result<Self, ClientError> {
        let host = host.trim();
        let url = if host.contains("://") {
            address(host)?
        } else {
            address(&format!("https://{host}"))?
        };
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            cloud_id: String::new(),
            plain: url.scheme() == "http",
            local: is_loopback(&url),
        })
    }

    /// Scheme, host and prefix that the paths of a base are appended to, without a trailing slash.
    #[must_use]
    pub fn base(&self, base: Base) -> String {
        let prefix = match base {
            Base::Csm => contract::CLOUD_PREFIX,
            Base::Jira => contract::JIRA_PREFIX,
            Base::Gateway | Base::Host | Base::Login => "",
        };
        format!("{}{}", self.origin, path(prefix, &self.cloud_id))
    }

    /// The cloud id; empty for a server that belongs to no site.
    #[must_use]
    pub fn cloud_id(&self) -> &str {
        &self.cloud_id
    }

    /// Without TLS, which only this machine gets.
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    /// On this machine, where no proxy stands between.
    pub(super) fn is_local(&self) -> bool {
        self.local
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("origin", &self.origin)
            .field("cloud_id", &self.cloud_id)
            .finish_non_exhaustive()
    }
}

/// Puts a parameter into the braces of a contract path, with every byte outside RFC 3986's unreserved set
/// percent-encoded: customer ids hold colons.
pub(super) fn path(template: &str, parameter: &str) -> String {
    use fmt::Write as _;
    let Some((before, (_, after))) = template
        .split_once('{')
        .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    else {
        return template.to_owned();
    };
    let mut path = String::with_capacity(template.len() + parameter.len());
    path.push_str(before);
    for byte in parameter.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // writing to a String cannot fail
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path.push_str(after);
    path
}

fn address(text: &str) -> Result<Url, ClientError> {
    let wrong = |why| ClientError::Origin {
        origin: text.to_owned(),
        why,
    };
    let url = Url::parse(text.trim()).map_err(|_| wrong("it is not an https address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ClientError::Origin {
            origin: "…@…".to_owned(),
            why: "it holds a user name or password; credentials are given apart from it",
        });
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(
            "it holds a query or fragment; leave out everything from ? or #",
        ));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(wrong("the token would travel unencrypted; use https")),
        _ => Err(wrong("it is not an https address")),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::contract::Endpoint;

    #[test]
    fn the_base_holds_origin_and_cloud_id() {
        for (origin, base) in [
            (
                contract::ORIGIN,
                "https://api.atlassian.com/jsm/csm/cloudid/c-1",
            ),
            (
                "https://proxy.example/at/",
                "https://proxy.example/at/jsm/csm/cloudid/c-1",
            ),
            (
                "http://127.0.0.1:8080",
                "http://127.0.0.1:8080/jsm/csm/cloudid/c-1",
            ),
            (
                "http://[::1]:8080/",
                "http://[::1]:8080/jsm/csm/cloudid/c-1",
            ),
            (
                "http://localhost:1",
                "http://localhost:1/jsm/csm/cloudid/c-1",
            ),
        ] {
            assert_eq!(
                Site::cloud(origin, "c-1").expect("usable").base(Base::Csm),
                base
            );
        }
        let odd = Site::cloud(contract::ORIGIN, "../a?b").expect("encoded");
        assert_eq!(
            odd.base(Base::Csm),
            "https://api.atlassian.com/jsm/csm/cloudid/..%2Fa%3Fb"
        );
    }

    #[test]
    fn a_site_may_be_named_by_host_or_address() {
        for named in [
            "acme.atlassian.net",
            "https://acme.atlassian.net/jira/projects",
            "ACME.atlassian.net",
        ] {
            assert_eq!(
                Site::host(named).expect("usable").base(Base::Host),
                "https://acme.atlassian.net"
            );
        }
    }

    #[test]
    fn addresses_that_would_leak_or_mislead_are_refused() {
        let message = |origin| Site::cloud(origin, "c-1").expect_err("refused").to_string();
        insta::assert_snapshot!(
            message("http://api.example.com"),
            @r#""http://api.example.com" cannot be used as the site's address: the token would travel unencrypted; use https"#
        );
        insta::assert_snapshot!(
            message("api.atlassian.com"),
            @r#""api.atlassian.com" cannot be used as the site's address: it is not an https address"#
        );
        insta::assert_snapshot!(
            message("ftp://api.atlassian.com"),
            @r#""ftp://api.atlassian.com" cannot be used as the site's address: it is not an https address"#
        );
        insta::assert_snapshot!(
            message("https://ana:s3cret@api.atlassian.com"),
            @r#""…@…" cannot be used as the site's address: it holds a user name or password; credentials are given apart from it"#
        );
        insta::assert_snapshot!(
            message("https://api.atlassian.com/?x=1"),
            @r#""https://api.atlassian.com/?x=1" cannot be used as the site's address: it holds a query or fragment; leave out everything from ? or #"#
        );
        insta::assert_snapshot!(
            Site::cloud(contract::ORIGIN, " ").expect_err("refused"),
            @"the cloud id is empty; name it, or name the site so that it is looked up"
        );
    }

    #[test]
    fn parameters_are_encoded_whole() {
        assert_eq!(path(Endpoint::GetTask.path(), "a-1"), "/api/v1/tasks/a-1");
        assert_eq!(
            path(Endpoint::GetCustomerProfile.path(), "qm:1:2/ü%"),
            "/api/v1/customer/profile/qm%3A1%3A2%2F%C3%BC%25"
        );
        assert_eq!(path("/x", "unused"), "/x");
    }
}
