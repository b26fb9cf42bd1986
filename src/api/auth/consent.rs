//! The address where a person lets the app in, and what the browser brings back.
//!
//! Pure: randomness is an argument. Guarantee: a code counts only with the state that was sent along. PKCE is
//! prepared for: the platform's pages do not speak of it.

use crate::api::contract::Base;
use crate::api::contract::oauth::{AUDIENCE, AUTHORIZE, OFFLINE_ACCESS, keys};
use crate::api::site::Site;
use crate::api::words;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;
use url::form_urlencoded::{self, Serializer};

/// The path of the address that the browser is sent back to. The whole address must stand in the app's settings.
pub const CALLBACK: &str = "/callback";

/// One question to a person.
pub struct Question {
    state: String,
    verifier: Option<String>,
    redirect_uri: String,
}

/// Why what the browser brought is of no use.
#[derive(Debug, thiserror::Error)]
pub enum CallbackError {
    /// The person said no, or the app is not set up for this.
    #[error("the consent page answered: {0}")]
    Refused(String),
    /// The state is not the one that was sent.
    #[error(
        "an answer came that belongs to another login; nothing was exchanged. Start again, and use only the address \
         that is shown then"
    )]
    OtherState,
    /// Neither a code nor an error.
    #[error("the consent page sent the browser back without a code")]
    NoCode,
}

impl Question {
    /// A question with a fresh state, and a fresh verifier for PKCE (43 to 128 unreserved characters), where wanted.
    #[must_use]
    pub fn new(state: String, verifier: Option<String>, port: u16) -> Self {
        Self {
            state,
            verifier,
            redirect_uri: format!("http://localhost:{port}{CALLBACK}"),
        }
    }

    /// Where the browser is sent back to.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// PKCE's verifier.
    #[must_use]
    pub fn verifier(&self) -> Option<&str> {
        self.verifier.as_deref()
    }

    /// The address for the browser.
    #[must_use]
    pub fn address<'a>(
        &self,
        server: &Site,
        client_id: &str,
        scopes: impl IntoIterator<Item = &'a str>,
    ) -> String {
        let mut all: Vec<_> = scopes.into_iter().collect();
        if !all.contains(&OFFLINE_ACCESS) {
            all.push(OFFLINE_ACCESS);
        }
        let mut query = Serializer::new(String::new());
        query
            .append_pair(keys::AUDIENCE, AUDIENCE)
            .append_pair(keys::CLIENT_ID, client_id)
            .append_pair(keys::SCOPE, &all.join(" "))
            .append_pair(keys::REDIRECT_URI, &self.redirect_uri)
            .append_pair(keys::STATE, &self.state)
            .append_pair(keys::RESPONSE_TYPE, "code")
            .append_pair(keys::PROMPT, "consent");
        if let Some(verifier) = &self.verifier {
            query
                .append_pair(keys::CODE_CHALLENGE, &challenge(verifier))
                .append_pair(keys::CODE_CHALLENGE_METHOD, "S256");
        }
        format!("{}{AUTHORIZE}?{}", server.base(Base::Login), query.finish())
    }

    /// The code in the target of the browser's request (`/callback?code=…&state=…`); `None` for another path.
    ///
    /// # Errors
    /// [`CallbackError`].
    #[must_use]
    pub fn code(&self, target: &str) -> Option<Result<SecretString, CallbackError>> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        (path == CALLBACK).then(|| self.read(query))
    }

    fn read(&self, query: &str) -> Result<SecretString, CallbackError> {
        let get = |key: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            let value = pairs.find_map(|(name, value)| (name == key).then_some(value.into_owned()));
            value.filter(|value| !value.is_empty())
        };
        // also before an error is believed: anyone can send the browser here
        let state = get(keys::STATE).unwrap_or_default();
        if !bool::from(state.as_bytes().ct_eq(self.state.as_bytes())) {
            return Err(CallbackError::OtherState);
        }
        if let Some(error) = get(keys::ERROR) {
            let why =
                get(keys::ERROR_DESCRIPTION).map_or(error.clone(), |why| format!("{error}: {why}"));
            return Err(CallbackError::Refused(words::line(&why)));
        }
        let code = get(keys::CODE).ok_or(CallbackError::NoCode)?;
        Ok(code.into())
    }
}

fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// Whether two addresses name the same host: `https://acme.atlassian.net/x` and `acme.atlassian.net`.
#[must_use]
pub fn same_host(one: &str, other: &str) -> bool {
    match (origin(one), origin(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

/// A site's address as it is kept: scheme and host alone.
#[must_use]
pub fn origin(named: &str) -> Option<String> {
    let named = named.trim();
    let url = if named.contains("://") {
        Url::parse(named)
    } else {
        Url::parse(&format!("https://{named}"))
    };
    url.ok().map(|url| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn question() -> Question {
        // the verifier of RFC 7636's appendix B
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        Question::new("st4te".to_owned(), Some(verifier), 8976)
    }

    #[test]
    fn the_address_holds_what_the_platform_documents() {
        let server = Site::server("https://auth.atlassian.com").unwrap();
        let address = question().address(&server, "app", ["read:task:x", "write:customer:x"]);
        insta::assert_snapshot!(address.replace('&', "\n&"), @"
        https://auth.atlassian.com/authorize?audience=api.atlassian.com
        &client_id=app
        &scope=read%3Atask%3Ax+write%3Acustomer%3Ax+offline_access
        &redirect_uri=http%3A%2F%2Flocalhost%3A8976%2Fcallback
        &state=st4te
        &response_type=code
        &prompt=consent
        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM
        &code_challenge_method=S256
        ");
    }

    #[test]
    fn a_code_counts_only_with_its_state() {
        let code = |target: &str| question().code(target);
        assert!(code("/favicon.ico").is_none());
        assert!(code("/callback/x?code=c&state=st4te").is_none());
        let found = code("/callback?state=st4te&code=c%2B1").unwrap().unwrap();
        assert_eq!(found.expose_secret(), "c+1");
        let message = |target: &str| code(target).unwrap().unwrap_err().to_string();
        for target in [
            "/callback?code=c",
            "/callback?code=c&state=",
            "/callback?code=c&state=st4t",
            "/callback?code=c&state=other",
            "/callback?error=access_denied&state=other",
        ] {
            assert!(
                message(target).contains("belongs to another login"),
                "{target}"
            );
        }
        insta::assert_snapshot!(
            message("/callback?error=access_denied&error_description=User+did+not+authorize%0Athe+request&state=st4te"),
            @"the consent page answered: access_denied: User did not authorize the request"
        );
        insta::assert_snapshot!(message("/callback?state=st4te"), @"the consent page sent the browser back without a code");
    }

    #[test]
    fn hosts_are_compared_without_scheme_case_and_path() {
        assert!(same_host(
            "ACME.atlassian.net",
            "https://acme.atlassian.net/jira"
        ));
        assert!(same_host("http://127.0.0.1:1", "http://127.0.0.1:1/"));
        assert!(!same_host(
            "acme.atlassian.net",
            "https://other.atlassian.net"
        ));
        assert!(!same_host("", ""));
    }
}
