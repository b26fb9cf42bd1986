//! The credentials of every request.
//!
//! Guarantee: no `Debug` or message shows an e-mail or token. Must not know: where they come from.

use crate::api::error::ClientError;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;

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
        }
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer { .. } => "Bearer(…)",
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
