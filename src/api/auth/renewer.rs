//! One valid access token for all callers.
//!
//! Guarantee: at most one renewal at a time, in this process and, for tokens in a file, among all processes that
//! share it; a new refresh token is durable before its access token is used; once the login server has given a final
//! answer it is not asked again. Must not know: what requests are for, who repeats them.

use super::access::{Access, Worth, millis};
use super::login::{Grant, Granted, Login, NotGranted};
use super::store::{Locked, Store, StoreError, Tokens, Whose};
use crate::api::client::Gate;
use crate::api::contract::Endpoint;
use crate::model::clock::UnixMillis;
use crate::model::reply::{ApiError, ErrorClass};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// How long a token that is about to expire is used on after the login server could not be asked.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// What access tokens are made from.
pub enum Source {
    /// The app's own id and secret, of a service account.
    ClientCredentials,
    /// A person's consent.
    Consent(Consented),
}

/// Where the refresh token of a consent is.
pub struct Consented {
    /// The file.
    pub store: Store,
    /// Which of its tokens.
    pub whose: Whose,
    /// The refresh token that the person's settings hold. It ends with its first use, after which the file's counts;
    /// a new one in its place counts more than the file's.
    pub given: Option<SecretString>,
}

/// What to do when access tokens do not help.
pub(super) struct Advice {
    /// A new access token was refused too.
    pub(super) refused: &'static str,
    /// A scope is lacking.
    pub(super) scope: &'static str,
}

/// Gives access tokens, and renews them in time.
pub struct Renewer {
    shared: Arc<Shared>,
}

struct Shared {
    login: Login,
    source: Source,
    held: Mutex<Held>,
    /// How many renewals have ended.
    rounds: AtomicU64,
}

#[derive(Default)]
struct Held {
    access: Option<Access>,
    /// How the last renewal failed, if it did.
    failed: Option<ApiError>,
    /// Until then a token that is about to expire is used on.
    use_on_until: UnixMillis,
}

impl Renewer {
    /// A renewer that holds nothing yet.
    #[must_use]
    pub fn new(login: Login, source: Source) -> Self {
        let shared = Shared {
            login,
            source,
            held: Mutex::default(),
            rounds: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// An access token that is not `stale`.
    ///
    /// # Errors
    /// An [`ApiError`] of the login server's: `NotSent` or `Throttled` where asking again may help, `AuthWrong` where
    /// it cannot. Whatever the token was for has not been sent.
    pub async fn access(
        &self,
        stale: Option<&SecretString>,
        gate: &dyn Gate,
    ) -> Result<Access, ApiError> {
        let round = self.shared.rounds.load(Ordering::Acquire);
        if let Some(known) = self
            .shared
            .known(&*self.shared.held.lock().await, stale, round)
        {
            return known;
        }
        gate.ready(Endpoint::Token).await;
        let (shared, stale) = (Arc::clone(&self.shared), stale.cloned());
        // a task of its own: whoever waits may give up, and what the login server gives must be kept
        let renewed = tokio::spawn(async move { shared.renew(stale.as_ref(), round).await });
        let renewed = renewed.await.unwrap_or_else(|error| {
            let message = format!("the renewal of the access token broke off: {error}");
            Err(local(ErrorClass::NotSent, message))
        });
        if let Err(error) = &renewed {
            gate.refused(Endpoint::Token, error);
        }
        renewed
    }

    /// The app's id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.shared.login.client_id()
    }

    /// What is kept of the consent.
    ///
    /// # Errors
    /// A [`StoreError`] when the file cannot be read.
    pub fn kept(&self) -> Result<Option<Tokens>, StoreError> {
        match &self.shared.source {
            Source::ClientCredentials => Ok(None),
            Source::Consent(consented) => consented.store.get(&consented.whose),
        }
    }

    pub(super) fn advice(&self) -> Advice {
        match &self.shared.source {
            Source::ClientCredentials => Advice {
                refused: "a new access token was refused too: check that the service account may use the site",
                scope: "scopes are fixed when a credential is made: make a new one that has it",
            },
            Source::Consent(_) => Advice {
                refused: "a new access token was refused too: check that the person who consented may use the site",
                scope: "add it to the app's permissions, then run: csm-loader auth login",
            },
        }
    }
}

impl fmt::Debug for Renewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewer(…)")
    }
}

impl Shared {
    /// What can be said without asking; `round` is how many renewals had ended when the caller came.
    fn known(
        &self,
        held: &Held,
        stale: Option<&SecretString>,
        round: u64,
    ) -> Option<Result<Access, ApiError>> {
        if let Some(access) = &held.access
            && !access.is(stale)
        {
            let now = self.login.now();
            match access.worth(now) {
                Worth::Fresh => return Some(Ok(access.clone())),
                Worth::Ending if now < held.use_on_until => return Some(Ok(access.clone())),
                Worth::Ending | Worth::Ended => {}
            }
        }
        // a final answer stays; and those who waited for a renewal share how it ended
        let waited = self.rounds.load(Ordering::Acquire) != round;
        let failed = held.failed.as_ref();
        let shared = failed.filter(|error| waited || error.class == ErrorClass::AuthWrong);
        shared.cloned().map(Err)
    }

    async fn renew(&self, stale: Option<&SecretString>, round: u64) -> Result<Access, ApiError> {
        let mut held = self.held.lock().await;
        if let Some(known) = self.known(&held, stale, round) {
            return known;
        }
        let renewed = match &self.source {
            Source::ClientCredentials => self
                .login
                .ask(Grant::ClientCredentials)
                .await
                .map(|granted| granted.access)
                .map_err(|not| not.error),
            Source::Consent(consented) => self.refresh(consented, stale).await,
        };
        self.rounds.fetch_add(1, Ordering::Release);
        match renewed {
            Ok(access) => {
                held.failed = None;
                held.access = Some(access.clone());
                Ok(access)
            }
            Err(error) => {
                let now = self.login.now();
                let left = held.access.clone().filter(|access| {
                    error.class != ErrorClass::AuthWrong
                        && !access.is(stale)
                        && access.worth(now) == Worth::Ending
                });
                held.use_on_until = now.saturating_add(millis(ASK_AGAIN));
                held.failed = Some(error.clone());
                // it is good for some more minutes, and the login server may come back within them
                left.ok_or(error)
            }
        }
    }

    /// Takes what another process has renewed meanwhile, or else renews and keeps.
    async fn refresh(
        &self,
        consented: &Consented,
        stale: Option<&SecretString>,
    ) -> Result<Access, ApiError> {
        let store = consented.store.clone();
        let locked = spawn_blocking(move || store.lock()).await;
        let locked = locked.map_err(|error| unkept(&error.to_string()))?;
        let locked = locked.map_err(|error| unkept(&error.to_string()))?;
        let read = || {
            let kept = locked.get(&consented.whose);
            kept.map_err(|error| unkept(&error.to_string()))
        };
        let kept = read()?;
        // a token in the settings that is not the one the file's tokens came from was put there later
        let newer = consented
            .given
            .as_ref()
            .filter(|given| kept.as_ref().is_none_or(|kept| !kept.has_replaced(given)));
        let first = match (newer, &kept) {
            (Some(given), _) => given.clone(),
            (None, Some(kept)) => {
                if kept.access.worth(self.login.now()) == Worth::Fresh && !kept.access.is(stale) {
                    return Ok(kept.access.clone());
                }
                kept.refresh.clone()
            }
            (None, None) => {
                let message = format!(
                    "there are no tokens for this app and site in {}; run: csm-loader auth login",
                    consented.store.path().display()
                );
                return Err(local(ErrorClass::AuthWrong, message));
            }
        };
        match self.login.ask(Grant::Refresh(&first)).await {
            Ok(granted) => self.keep(consented, &locked, granted, &first, kept.as_ref()),
            Err(not) if not.invalid_grant => {
                // a process that does not honour the lock may have renewed, or the settings hold an old token
                let kept = read()?;
                let other = kept.as_ref().map(|kept| kept.refresh.clone());
                let other = other.filter(|other| other.expose_secret() != first.expose_secret());
                let Some(other) = other else {
                    return Err(ended(not));
                };
                let granted = self
                    .login
                    .ask(Grant::Refresh(&other))
                    .await
                    .map_err(ended)?;
                self.keep(consented, &locked, granted, &other, kept.as_ref())
            }
            Err(not) => Err(not.error),
        }
    }

    /// Makes what was given durable; only then may it be used.
    fn keep(
        &self,
        consented: &Consented,
        locked: &Locked,
        granted: Granted,
        used: &SecretString,
        kept: Option<&Tokens>,
    ) -> Result<Access, ApiError> {
        let now = self.login.now();
        let given = consented.given.as_ref();
        let used_given = given.is_some_and(|given| given.expose_secret() == used.expose_secret());
        // another consent than the one in the file: how old it is nobody says
        let same_consent = kept.filter(|_| !used_given);
        let mut tokens = Tokens {
            access: granted.access.clone(),
            refresh: granted.refresh.unwrap_or_else(|| used.clone()),
            refreshed_at: now,
            consented_at: same_consent.map_or(now, |kept| kept.consented_at),
            consent_is_older: same_consent.is_none_or(|kept| kept.consent_is_older),
            scopes: if granted.scopes.is_empty() {
                same_consent
                    .map(|kept| kept.scopes.clone())
                    .unwrap_or_default()
            } else {
                granted.scopes
            },
            replaced: kept.map(|kept| kept.replaced.clone()).unwrap_or_default(),
        };
        if let Some(given) = given {
            tokens.replace(given);
        }
        match locked.put(&consented.whose, &tokens) {
            Ok(()) => Ok(granted.access),
            Err(error) => Err(unkept(&format!(
                "{error}; the tokens were renewed and could not be kept: clear this up and start again within 10 \
                 minutes, or run: csm-loader auth login"
            ))),
        }
    }
}

/// A refresh token that is not valid any more: only a person can help.
fn ended(not: NotGranted) -> ApiError {
    let mut error = not.error;
    if not.invalid_grant {
        error.message = format!(
            "{}; the refresh token has ended, was revoked, or was used elsewhere; run: csm-loader auth login",
            error.message
        );
    }
    error
}

fn unkept(why: &str) -> ApiError {
    local(ErrorClass::AuthWrong, why.to_owned())
}

/// An error of ours, not of the login server.
fn local(class: ErrorClass, message: String) -> ApiError {
    ApiError {
        class,
        request: String::new(),
        status: None,
        message,
        trace_id: None,
    }
}

#[cfg(test)]
mod tests;
