//! The names of the login server. Documented, but for PKCE's three, which are those of its standard (RFC 7636): the
//! platform does not speak of them.

use super::Endpoint;
use std::collections::BTreeSet;
use std::time::Duration;

/// Path of the page where a person consents, below [`LOGIN_ORIGIN`](super::LOGIN_ORIGIN).
pub const AUTHORIZE: &str = "/authorize";
/// The audience of every token.
pub const AUDIENCE: &str = "api.atlassian.com";
/// The scope without which there is no refresh token.
pub const OFFLINE_ACCESS: &str = "offline_access";
/// The error of a refresh token or code that is not valid (any more).
pub const INVALID_GRANT: &str = "invalid_grant";
/// How long a refresh token that was used can be used again; later use ends the whole consent. Said by staff.
pub const REUSE_INTERVAL: Duration = Duration::from_mins(10);
/// Days after which a consent ends, however often it was used. Said by staff.
pub const CONSENT_DAYS: i64 = 365;
/// Days without use after which a refresh token ends. Said by staff.
pub const IDLE_DAYS: i64 = 90;

/// Values of [`keys::GRANT_TYPE`].
pub mod grant {
    /// A code of the consent page for tokens.
    pub const AUTHORIZATION_CODE: &str = "authorization_code";
    /// A refresh token for new tokens.
    pub const REFRESH_TOKEN: &str = "refresh_token";
    /// A service account's credential for an access token.
    pub const CLIENT_CREDENTIALS: &str = "client_credentials";
}

/// Keys of requests and answers.
pub mod keys {
    /// What is exchanged, one of [`super::grant`].
    pub const GRANT_TYPE: &str = "grant_type";
    /// The app's id.
    pub const CLIENT_ID: &str = "client_id";
    /// The app's secret.
    pub const CLIENT_SECRET: &str = "client_secret";
    /// The code that the consent page gives.
    pub const CODE: &str = "code";
    /// Where the consent page sends the person back to.
    pub const REDIRECT_URI: &str = "redirect_uri";
    /// A refresh token.
    pub const REFRESH_TOKEN: &str = "refresh_token";
    /// An access token.
    pub const ACCESS_TOKEN: &str = "access_token";
    /// Seconds for which an access token is good.
    pub const EXPIRES_IN: &str = "expires_in";
    /// Scopes, separated by blanks.
    pub const SCOPE: &str = "scope";
    /// What went wrong, as a code.
    pub const ERROR: &str = "error";
    /// The same as a sentence.
    pub const ERROR_DESCRIPTION: &str = "error_description";
    /// For whom the token is, on the consent page.
    pub const AUDIENCE: &str = "audience";
    /// Comes back with the code as it was sent.
    pub const STATE: &str = "state";
    /// What the consent page is to give: `code`.
    pub const RESPONSE_TYPE: &str = "response_type";
    /// `consent`: ask, also where the person consented before.
    pub const PROMPT: &str = "prompt";
    /// PKCE: the hash of the verifier.
    pub const CODE_CHALLENGE: &str = "code_challenge";
    /// PKCE: `S256`.
    pub const CODE_CHALLENGE_METHOD: &str = "code_challenge_method";
    /// PKCE: the verifier.
    pub const CODE_VERIFIER: &str = "code_verifier";
    /// The site's address, in the answer of [`Endpoint::AccessibleResources`](super::Endpoint::AccessibleResources).
    pub const URL: &str = "url";
    /// The scopes that a token has on a site, in the same.
    pub const SCOPES: &str = "scopes";
}

/// What a load does, each with the requests that it makes.
pub const FAMILIES: &[(&str, &[Endpoint])] = &[
    (
        "customer profiles",
        &[
            Endpoint::BulkCustomerProfiles,
            Endpoint::GetTask,
            Endpoint::ListCustomerDetailFields,
            Endpoint::FetchCustomerProfiles,
            Endpoint::FetchOrganizations,
            Endpoint::GetOrganization,
        ],
    ),
    (
        "customer accounts",
        &[Endpoint::BulkCustomerAccounts, Endpoint::GetTask],
    ),
    (
        "customer details",
        &[
            Endpoint::BulkCustomerDetails,
            Endpoint::GetTask,
            Endpoint::GetCustomer,
        ],
    ),
    (
        "organization profiles",
        &[
            Endpoint::BulkOrganizationProfiles,
            Endpoint::GetTask,
            Endpoint::ListOrganizationDetailFields,
            Endpoint::FetchOrganizations,
            Endpoint::CreateOrganization,
        ],
    ),
    (
        "organization details",
        &[Endpoint::BulkOrganizationDetails, Endpoint::GetTask],
    ),
    (
        "products",
        &[Endpoint::ListProducts, Endpoint::CreateProduct],
    ),
    (
        "detail fields",
        &[
            Endpoint::ListCustomerDetailFields,
            Endpoint::BulkCustomerDetailDefinitions,
            Endpoint::ListOrganizationDetailFields,
            Endpoint::BulkOrganizationDetailDefinitions,
            Endpoint::GetTask,
        ],
    ),
];

/// The scopes that all of [`FAMILIES`] need, `guessed` ones or those that are known.
#[must_use]
pub fn scopes(guessed: bool) -> BTreeSet<String> {
    let endpoints = FAMILIES.iter().flat_map(|(_, endpoints)| *endpoints);
    let all: Vec<_> = endpoints.flat_map(|endpoint| endpoint.scopes()).collect();
    let known: BTreeSet<_> = all
        .iter()
        .filter(|(_, grade)| *grade != super::Grade::Guess)
        .map(|(scope, _)| scope.clone())
        .collect();
    if guessed {
        let all = all.into_iter().map(|(scope, _)| scope);
        return all.filter(|scope| !known.contains(scope)).collect();
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_scopes_of_a_load_fit_into_one_consent() {
        // about 80 were seen to break the consent page; the platform says to stay under 50
        assert!(scopes(false).len() + scopes(true).len() + 1 < 50);
        assert!(scopes(false).is_disjoint(&scopes(true)));
        let guessed: Vec<_> = scopes(true).into_iter().collect();
        assert_eq!(
            guessed,
            [
                "read:customer.profile:jira-service-management",
                "write:organization.detail:jira-service-management",
                "write:organization:jira-service-management",
            ]
        );
    }
}
