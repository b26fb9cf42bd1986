//! Why a client cannot be built. What an answer means is in [`classify`](super::classify) instead.

/// A setting with which no request can be sent.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address of the gateway or site cannot be used.
    #[error("{origin:?} cannot be used as the site's address: {why}")]
    Origin {
        /// The address as written; left out where it may hold a password.
        origin: String,
        /// What is wrong with it, and what to write instead.
        why: &'static str,
    },
    /// The cloud id is empty.
    #[error("the cloud id is empty; name it, or name the site so that it is looked up")]
    CloudId,
    /// The e-mail or token cannot stand in a header. Never holds the value.
    #[error("the {what} {why}")]
    Credentials {
        /// `e-mail`, `API token` or `access token`.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// TLS or the HTTP client could not be set up.
    #[error("failed to set up the HTTP client: {why}")]
    Setup {
        /// What the library reported, with what to do where that is known.
        why: String,
    },
}
