//! The credentials of every request.
//!
//! Guarantee: no `Debug` or message shows an e-mail, token or secret. Must not know: where credentials come from.
//!
//! | module | duty |
//! | --- | --- |
//! | [`access`] | an access token and when it is to be replaced, pure |
//! | [`login`] | the three requests to the login server |
//! | [`store`] | the file that keeps tokens, shared by processes |
//! | [`renewer`] | one valid access token for all callers |
//! | [`consent`] | the address where a person consents, and what comes back, pure |
//! | [`age`] | when a consent needs a person again, pure |

pub mod access;
pub mod age;
pub mod consent;
pub mod login;
pub mod renewer;
pub mod store;

use crate::api::classify::LACKS_SCOPE;
use crate::api::client::Gate;
use crate::api::error::ClientError;
use crate::model::reply::{ApiError, ErrorClass};
use renewer::Renewer;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::Arc;

/// As whom requests are made.
#[derive(Clone)]
pub enum Auth {
    /// E-mail and API token. Documented "for scripts"; seen on the bulk endpoints.
    Basic {
        /// The account's e-mail.
        email: String,
        /// The API token, of any length.
        token: SecretString,
    },
    /// An OAuth access token (documented), or the API token of a service account (told by users; "limited support").
    Bearer {
        /// The token, of any length.
        token: SecretString,
    },
    /// OAuth access tokens that are renewed while they are in use. Documented.
    Renewed(Arc<Renewer>),
}

/// What one request carries.
#[derive(Clone)]
pub(super) enum Pass {
    /// E-mail and API token.
    Basic { email: String, token: SecretString },
    /// A token.
    Bearer { token: SecretString },
}

impl Auth {
    /// Checks that the credentials can stand in a header.
    ///
    /// # Errors
    /// [`ClientError::Credentials`] for an empty or unprintable e-mail or token, or an e-mail that holds a colon.
    pub(super) fn check(&self) -> Result<(), ClientError> {
        match self {
            Self::Basic { email, token } => {
                printable("e-mail", email)?;
                if email.contains(':') {
                    return Err(ClientError::Credentials {
                        what: "e-mail",
                        why: "holds a colon, which basic authentication cannot carry",
                    });
                }
                printable("API token", token.expose_secret())
            }
            Self::Bearer { token } => printable("access token", token.expose_secret()),
            // they come from the login server, and the transport refuses what it cannot send
            Self::Renewed(_) => Ok(()),
        }
    }

    /// What the next request carries; renewed first where it is about to expire.
    ///
    /// # Errors
    /// As [`Renewer::access`].
    pub(super) async fn pass(&self, gate: &dyn Gate) -> Result<Pass, ApiError> {
        match self {
            Self::Basic { email, token } => Ok(Pass::Basic {
                email: email.clone(),
                token: token.clone(),
            }),
            Self::Bearer { token } => Ok(Pass::Bearer {
                token: token.clone(),
            }),
            Self::Renewed(renewer) => {
                let token = renewer.access(None, gate).await?.token;
                Ok(Pass::Bearer { token })
            }
        }
    }

    /// Another pass in place of one that the site took for expired; `None` where there can be no other.
    ///
    /// # Errors
    /// As [`Renewer::access`].
    pub(super) async fn another(
        &self,
        stale: &Pass,
        gate: &dyn Gate,
    ) -> Result<Option<Pass>, ApiError> {
        match (self, stale) {
            (Self::Renewed(renewer), Pass::Bearer { token: stale }) => {
                let token = renewer.access(Some(stale), gate).await?.token;
                Ok(Some(Pass::Bearer { token }))
            }
            _ => Ok(None),
        }
    }

    /// Whether there can be another pass.
    pub(super) fn renews(&self) -> bool {
        matches!(self, Self::Renewed(_))
    }

    /// An error that another pass cannot cure (any more), with what to do for these credentials.
    pub(super) fn last_word(&self, mut error: ApiError) -> ApiError {
        let expired = error.class == ErrorClass::AuthExpired;
        if expired {
            error.class = ErrorClass::AuthWrong;
        }
        if let Self::Renewed(renewer) = self {
            let advice = if expired {
                renewer.advice().refused
            } else if error.message.contains(LACKS_SCOPE) {
                renewer.advice().scope
            } else {
                return error;
            };
            error.message = format!("{}; {advice}", error.message);
        }
        error
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer { .. } => "Bearer(…)",
            Self::Renewed(_) => "Renewed(…)",
        })
    }
}

fn printable(what: &'static str, value: &str) -> Result<(), ClientError> {
    let why = if value.is_empty() {
        "is empty"
    } else if value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    } else {
        "holds a character that no header can carry, such as a space or a line break at its end"
    };
    Err(ClientError::Credentials { what, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(email: &str, token: &str) -> Auth {
        Auth::Basic {
            email: email.to_owned(),
            token: token.into(),
        }
    }

    #[test]
    fn credentials_that_no_header_can_carry_are_refused_without_being_shown() {
        let message = |auth: &Auth| auth.check().expect_err("refused").to_string();
        insta::assert_snapshot!(message(&basic("", "t0ken")), @"the e-mail is empty");
        insta::assert_snapshot!(
            message(&basic("ana:ito@example.com", "t0ken")),
            @"the e-mail holds a colon, which basic authentication cannot carry"
        );
        insta::assert_snapshot!(
            message(&basic("ana@example.com", "t0ken\n")),
            @"the API token holds a character that no header can carry, such as a space or a line break at its end"
        );
        insta::assert_snapshot!(
            message(&Auth::Bearer { token: "".into() }),
            @"the access token is empty"
        );
        assert!(basic("ana@example.com", "ATATT3xF=1A2B").check().is_ok());
    }

    #[test]
    fn debug_shows_neither_address_nor_token() {
        let shown = format!("{:?}", basic("ana@example.com", "t0ken"));
        assert_eq!(shown, "Basic(…)");
        let shown = format!(
            "{:?}",
            Auth::Bearer {
                token: "t0ken".into()
            }
        );
        assert_eq!(shown, "Bearer(…)");
    }
}
