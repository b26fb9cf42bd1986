//! The login server of the sandbox: codes, access tokens, rotating refresh tokens. Pure: time and randomness are
//! arguments.
//!
//! As documented and said by the platform's staff: a refresh token that was used can be used again for ten minutes,
//! later use ends the whole consent; so long the access tokens made before live on. What it knows is forgotten when
//! the sandbox ends. Must not know: HTTP.

use crate::api::contract::Endpoint;
use crate::api::contract::oauth::{INVALID_GRANT, OFFLINE_ACCESS, REUSE_INTERVAL, grant, keys};
use crate::model::clock::UnixMillis;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Milliseconds for which a code can be exchanged.
const CODE_LIFE: i64 = 10 * 60 * 1000;

/// Who is let in, and how long tokens live. A file of these, in TOML, is what `csm-loader sandbox --auth` reads.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenPolicy {
    /// Seconds for which an access token is good.
    pub access_seconds: u64,
    /// Whether a refresh token ends with its use.
    pub rotate: bool,
    /// Seconds for which a used refresh token, and the access tokens made before, are good still.
    pub reuse_seconds: u64,
    /// All scopes that a token can get; every scope when absent.
    pub scopes: Option<Vec<String>>,
    /// Apps and credentials of service accounts.
    #[serde(rename = "client")]
    pub clients: Vec<Client>,
    /// Accounts with API tokens.
    pub basic: Vec<Account>,
}

/// An app, or a service account's credential.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

/// An account with an API token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The e-mail; a service account's token also counts without, as a bearer token.
    pub email: String,
    /// The API token.
    pub token: String,
    /// The token's scopes; every scope when absent.
    pub scopes: Option<Vec<String>>,
}

impl Default for TokenPolicy {
    /// As documented.
    fn default() -> Self {
        Self {
            access_seconds: 3600,
            rotate: true,
            reuse_seconds: REUSE_INTERVAL.as_secs(),
            scopes: None,
            clients: Vec::new(),
            basic: Vec::new(),
        }
    }
}

/// Scopes of a token; `None` is every scope.
type Scopes = Option<Vec<String>>;

struct Access {
    consent: Option<usize>,
    ends_at: UnixMillis,
    scopes: Scopes,
}

struct Refresh {
    consent: usize,
    used_at: Option<UnixMillis>,
}

struct Consent {
    client: String,
    scopes: Scopes,
    /// Asked for a refresh token.
    offline: bool,
    revoked: bool,
}

struct Code {
    consent: usize,
    redirect_uri: String,
    challenge: Option<String>,
    made_at: UnixMillis,
}

/// The state.
pub(super) struct Tokens {
    policy: TokenPolicy,
    consents: Vec<Consent>,
    codes: HashMap<String, Code>,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    granted: u64,
    refused: u64,
}

/// Why a token is not given, in the login server's words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotGranted {
    pub(super) status: u16,
    pub(super) error: &'static str,
    pub(super) description: &'static str,
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotLetIn {
    /// No token, an unknown one, one that has expired or was revoked.
    Unauthorized,
    /// An API token that was rejected.
    Rejected,
    /// The token belongs to another account.
    Mismatch,
    /// A scope is lacking.
    Scope,
}

impl Tokens {
    pub(super) fn new(policy: TokenPolicy) -> Self {
        Self {
            policy,
            consents: Vec::new(),
            codes: HashMap::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            granted: 0,
            refused: 0,
        }
    }

    /// The address that the consent page sends the browser to: here everybody consents at once.
    ///
    /// # Errors
    /// What the page would show.
    pub(super) fn authorize(
        &mut self,
        now: UnixMillis,
        query: &HashMap<String, String>,
        code: &str,
    ) -> Result<String, &'static str> {
        let get = |key: &str| query.get(key).filter(|value| !value.is_empty());
        let client =
            get(keys::CLIENT_ID).filter(|id| self.policy.clients.iter().any(|c| c.id == **id));
        let client = client.ok_or("unauthorized_client: unknown client_id")?;
        let redirect_uri =
            get(keys::REDIRECT_URI).ok_or("unauthorized_client: Callback URL mismatch")?;
        let state = get(keys::STATE).ok_or("invalid_request: state is missing")?;
        if get(keys::RESPONSE_TYPE).is_none_or(|kind| kind != "code") {
            return Err("unsupported_response_type: it must be code");
        }
        let asked: Vec<_> = get(keys::SCOPE)
            .map_or("", String::as_str)
            .split(' ')
            .collect();
        self.consents.push(Consent {
            client: client.clone(),
            scopes: Some(self.grantable(&asked)),
            offline: asked.contains(&OFFLINE_ACCESS),
            revoked: false,
        });
        self.codes.insert(
            code.to_owned(),
            Code {
                consent: self.consents.len() - 1,
                redirect_uri: redirect_uri.clone(),
                challenge: get(keys::CODE_CHALLENGE).cloned(),
                made_at: now,
            },
        );
        let mut answer = url::form_urlencoded::Serializer::new(String::new());
        answer
            .append_pair(keys::STATE, state)
            .append_pair(keys::CODE, code);
        Ok(format!("{redirect_uri}?{}", answer.finish()))
    }

    fn grantable(&self, asked: &[&str]) -> Vec<String> {
        let may = |scope: &&&str| {
            let all = self.policy.scopes.as_ref();
            all.is_none_or(|all| all.iter().any(|one| one == **scope))
        };
        let scopes = asked
            .iter()
            .filter(may)
            .filter(|scope| **scope != OFFLINE_ACCESS);
        scopes.map(|scope| (*scope).to_owned()).collect()
    }

    /// Answers `POST /oauth/token`; `fresh` makes tokens.
    ///
    /// # Errors
    /// [`NotGranted`].
    pub(super) fn exchange(
        &mut self,
        now: UnixMillis,
        body: &Value,
        fresh: impl FnMut() -> String,
    ) -> Result<Value, NotGranted> {
        let given = self.exchanged(now, body, fresh);
        match given {
            Ok(_) => self.granted += 1,
            Err(_) => self.refused += 1,
        }
        given
    }

    fn exchanged(
        &mut self,
        now: UnixMillis,
        body: &Value,
        mut fresh: impl FnMut() -> String,
    ) -> Result<Value, NotGranted> {
        let get = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
        let client = get(keys::CLIENT_ID);
        let known =
            |known: &&Client| known.id == client && known.secret == get(keys::CLIENT_SECRET);
        if !self.policy.clients.iter().any(|client| known(&client)) {
            return Err(NotGranted {
                status: 401,
                error: "access_denied",
                description: "Unauthorized",
            });
        }
        let (consent, used) = match get(keys::GRANT_TYPE) {
            grant::CLIENT_CREDENTIALS => {
                let scopes = self.policy.scopes.clone();
                return Ok(self.give(now, None, scopes, None, fresh()));
            }
            grant::AUTHORIZATION_CODE => (self.redeem(now, body)?, None),
            grant::REFRESH_TOKEN => {
                let token = get(keys::REFRESH_TOKEN);
                (self.refreshed(now, token)?, Some(token))
            }
            _ => {
                return Err(NotGranted {
                    status: 400,
                    error: "unsupported_grant_type",
                    description: "Unsupported grant type",
                });
            }
        };
        let of = &self.consents[consent];
        if of.client != client || of.revoked {
            return Err(INVALID);
        }
        let scopes = of.scopes.clone();
        let refresh = match used {
            Some(used) if !self.policy.rotate => Some(used.to_owned()),
            _ if of.offline => {
                let next = fresh();
                let unused = Refresh {
                    consent,
                    used_at: None,
                };
                self.refresh.insert(next.clone(), unused);
                Some(next)
            }
            _ => None,
        };
        // what was made before ends with the reuse interval, whatever its own end
        let last = now + self.reuse_millis();
        for access in self.access.values_mut() {
            if access.consent == Some(consent) {
                access.ends_at = access.ends_at.min(last);
            }
        }
        Ok(self.give(now, Some(consent), scopes, refresh, fresh()))
    }

    fn reuse_millis(&self) -> i64 {
        i64::try_from(self.policy.reuse_seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
    }

    fn redeem(&mut self, now: UnixMillis, body: &Value) -> Result<usize, NotGranted> {
        let get = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
        // a code is good once
        let code = self.codes.remove(get(keys::CODE)).ok_or(INVALID)?;
        let proven = code.challenge.is_none_or(|challenge| {
            challenge == URL_SAFE_NO_PAD.encode(Sha256::digest(get(keys::CODE_VERIFIER)))
        });
        let timely = now - code.made_at <= CODE_LIFE;
        if proven && timely && code.redirect_uri == get(keys::REDIRECT_URI) {
            Ok(code.consent)
        } else {
            Err(INVALID)
        }
    }

    fn refreshed(&mut self, now: UnixMillis, token: &str) -> Result<usize, NotGranted> {
        let reuse = self.reuse_millis();
        let rotate = self.policy.rotate;
        let refresh = self.refresh.get_mut(token).ok_or(INVALID)?;
        let consent = refresh.consent;
        match refresh.used_at {
            Some(used_at) if now - used_at > reuse => {
                self.consents[consent].revoked = true;
                return Err(INVALID);
            }
            None if rotate => refresh.used_at = Some(now),
            _ => {}
        }
        Ok(consent)
    }

    fn give(
        &mut self,
        now: UnixMillis,
        consent: Option<usize>,
        scopes: Scopes,
        refresh: Option<String>,
        token: String,
    ) -> Value {
        let mut body = json!({
            keys::ACCESS_TOKEN: token,
            keys::EXPIRES_IN: self.policy.access_seconds,
            "token_type": "Bearer",
        });
        if let Some(scopes) = &scopes {
            body[keys::SCOPE] = scopes.join(" ").into();
        }
        if let Some(refresh) = refresh {
            body[keys::REFRESH_TOKEN] = refresh.into();
        }
        let life = i64::try_from(self.policy.access_seconds.saturating_mul(1000));
        let access = Access {
            consent,
            ends_at: now.saturating_add(life.unwrap_or(i64::MAX)),
            scopes,
        };
        self.access.insert(token, access);
        body
    }

    /// Lets a request in, by its `Authorization`; gives the scopes that it may use.
    ///
    /// # Errors
    /// [`NotLetIn`].
    pub(super) fn let_in(&self, now: UnixMillis, authorization: &str) -> Result<&Scopes, NotLetIn> {
        let (scheme, secret) = authorization.split_once(' ').unwrap_or_default();
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded = STANDARD.decode(secret.trim()).ok();
            let pair = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
            let pair = pair.unwrap_or_default();
            let (email, token) = pair.split_once(':').unwrap_or_default();
            let account = self
                .policy
                .basic
                .iter()
                .find(|account| account.token == token);
            let account = account.ok_or(NotLetIn::Rejected)?;
            return if account.email == email {
                Ok(&account.scopes)
            } else {
                Err(NotLetIn::Mismatch)
            };
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(NotLetIn::Unauthorized);
        }
        let secret = secret.trim();
        if let Some(account) = self
            .policy
            .basic
            .iter()
            .find(|account| account.token == secret)
        {
            return Ok(&account.scopes);
        }
        let access = self.access.get(secret).ok_or(NotLetIn::Unauthorized)?;
        let revoked = access
            .consent
            .is_some_and(|consent| self.consents[consent].revoked);
        if revoked || access.ends_at <= now {
            return Err(NotLetIn::Unauthorized);
        }
        Ok(&access.scopes)
    }

    /// Checks a request to an endpoint.
    ///
    /// # Errors
    /// [`NotLetIn`].
    pub(super) fn check(
        &self,
        now: UnixMillis,
        authorization: &str,
        endpoint: Option<Endpoint>,
    ) -> Result<(), NotLetIn> {
        let Some(granted) = self.let_in(now, authorization)? else {
            return Ok(());
        };
        let mut needed = endpoint.into_iter().flat_map(Endpoint::scopes);
        if needed.all(|(scope, _)| granted.contains(&scope)) {
            Ok(())
        } else {
            Err(NotLetIn::Scope)
        }
    }

    /// All access tokens expire.
    pub(super) fn expire(&mut self, now: UnixMillis) {
        for access in self.access.values_mut() {
            access.ends_at = access.ends_at.min(now);
        }
    }

    /// All consents are withdrawn, and all access tokens end.
    pub(super) fn revoke(&mut self, now: UnixMillis) {
        for consent in &mut self.consents {
            consent.revoked = true;
        }
        self.expire(now);
    }

    /// How often tokens were given and refused.
    pub(super) fn counts(&self) -> Value {
        json!({ "granted": self.granted, "refused": self.refused })
    }
}

const INVALID: NotGranted = NotGranted {
    status: 403,
    error: INVALID_GRANT,
    description: "Unknown or invalid refresh token.",
};

/// The endpoint of a request below the cloud prefix; the path without parameters comes before the one with.
pub(super) fn endpoint(method: &str, path: &str) -> Option<Endpoint> {
    let matches = |endpoint: &&Endpoint| {
        let (mut one, mut other) = (endpoint.path().split('/'), path.split('/'));
        let same = one.by_ref().zip(other.by_ref()).all(|(template, part)| {
            template == part || (template.starts_with('{') && !part.is_empty())
        });
        endpoint.method().name() == method && same && {
            endpoint.path().matches('/').count() == path.matches('/').count()
        }
    };
    let found = Endpoint::ALL.iter().filter(matches);
    found
        .min_by_key(|endpoint| endpoint.path().contains('{'))
        .copied()
}

#[cfg(test)]
mod tests;
