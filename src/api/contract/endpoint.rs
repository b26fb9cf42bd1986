//! Every endpoint: where it is, what it does, what it asks of its caller, and how well each of that is known.

use super::Grade;

/// Which address a path is appended to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Base {
    /// The CSM API of a site, `…/jsm/csm/cloudid/{cloudId}`.
    Csm,
    /// The Jira API of a site, `…/ex/jira/{cloudId}`, for what the CSM API does not offer.
    Jira,
    /// The gateway itself.
    Gateway,
    /// The site's own host.
    Host,
    /// The server that gives access tokens.
    Login,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
}

impl Method {
    /// As it stands in a request.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// The kind of a request: what may have happened when its answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A bulk write, with an idempotency key.
    Bulk,
    /// A write of one record, without a key.
    Single,
    /// Changes nothing.
    Read,
}

/// The ending of every scope of the CSM API.
const SCOPE_SUFFIX: &str = ":jira-service-management";

/// Declares the endpoints once: variant, base, method, kind, path, grade, permission, scopes with their grade.
macro_rules! endpoints {
    ($($(#[doc = $doc:literal])+ $name:ident = $base:ident $method:ident $kind:ident $path:literal,
        $grade:ident, $permission:literal, [$($scope:literal),*] $scopes:ident;)+) => {
        /// An endpoint. The names are those of the OpenAPI description's operations.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Endpoint {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Endpoint {
            /// Every endpoint, in the order of the description.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// What its path is appended to.
            #[must_use]
            pub const fn base(self) -> Base {
                match self { $(Self::$name => Base::$base),+ }
            }

            /// The method.
            #[must_use]
            pub const fn method(self) -> Method {
                match self { $(Self::$name => Method::$method),+ }
            }

            /// What a lost answer may mean.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind),+ }
            }

            /// The path, at most one parameter in braces.
            #[must_use]
            pub const fn path(self) -> &'static str {
                match self { $(Self::$name => $path),+ }
            }

            /// How the request's body is known, or the answer's where there is no body.
            #[must_use]
            pub const fn grade(self) -> Grade {
                match self { $(Self::$name => Grade::$grade),+ }
            }

            /// What the caller must be allowed to do.
            #[must_use]
            pub const fn permission(self) -> &'static str {
                match self { $(Self::$name => $permission),+ }
            }

            /// The scopes it needs, without their common ending; none where none is known.
            const fn short_scopes(self) -> (&'static [&'static str], Grade) {
                match self { $(Self::$name => (&[$($scope),*], Grade::$scopes)),+ }
            }

            /// What it does.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+)),+ }
            }
        }
    };
}

endpoints! {
    /// Create or update up to 50 customer accounts.
    BulkCustomerAccounts = Csm Post Bulk "/api/v1/customer/bulk",
        Seen, "Administer Jira", ["write:customer"] Documented;
    /// Create, update or upsert up to 100 customer profiles.
    BulkCustomerProfiles = Csm Post Bulk "/api/v1/customer/profile/bulk",
        Seen, "Administer Jira and CSM or JSM user", ["write:customer.profile"] Seen;
    /// Change detail values of many customers, at most 1000 operations.
    BulkCustomerDetails = Csm Post Bulk "/api/v1/customer/details/bulk",
        Documented, "CSM or JSM user", ["write:customer.detail"] Documented;
    /// Create up to 50 customer detail fields.
    BulkCustomerDetailDefinitions = Csm Post Bulk "/api/v1/customer/details/definitions/bulk",
        Documented, "Administer Jira", ["write:customer.detail-field"] Documented;
    /// Manage up to 50 organizations.
    BulkOrganizations = Csm Post Bulk "/api/v1/organization/bulk",
        Guess, "CSM or JSM user; the site can raise this to Administer Jira", ["write:organization"] Guess;
    /// Create, update or upsert up to 100 organization profiles.
    BulkOrganizationProfiles = Csm Post Bulk "/api/v1/organization/profile/bulk",
        Documented, "CSM or JSM user; the site can raise this to Administer Jira", ["write:organization.profile"] Documented;
    /// Change detail values of many organizations, at most 1000 operations.
    BulkOrganizationDetails = Csm Post Bulk "/api/v1/organization/details/bulk",
        Guess, "CSM or JSM user", ["write:organization.detail"] Guess;
    /// Create up to 50 organization detail fields.
    BulkOrganizationDetailDefinitions = Csm Post Bulk "/api/v1/organization/details/definitions/bulk",
        Documented, "Administer Jira", ["write:organization.detail-field"] Documented;
    /// Read a bulk task's state and failures.
    GetTask = Csm Get Read "/api/v1/tasks/{taskId}",
        Documented, "Administer Jira or CSM or JSM user", ["read:task"] Documented;
    /// List customer detail fields.
    ListCustomerDetailFields = Csm Get Read "/api/v1/customer/details",
        Documented, "Administer Jira", ["read:customer.detail-field"] Documented;
    /// Create one customer detail field (50 at most per site).
    CreateCustomerDetailField = Csm Post Single "/api/v1/customer/details",
        Documented, "Administer Jira", ["write:customer.detail-field"] Documented;
    /// Rename a detail field or change its options.
    EditCustomerDetailField = Csm Put Single "/api/v1/customer/details/{fieldName}",
        Documented, "Administer Jira", ["write:customer.detail-field"] Documented;
    /// Delete a detail field and all its values.
    DeleteCustomerDetailField = Csm Delete Single "/api/v1/customer/details/{fieldName}",
        Documented, "Administer Jira", ["write:customer.detail-field"] Guess;
    /// List organization detail fields.
    ListOrganizationDetailFields = Csm Get Read "/api/v1/organization/details",
        Documented, "Administer Jira", ["read:organization.detail-field"] Documented;
    /// Create one organization detail field (50 at most per site).
    CreateOrganizationDetailField = Csm Post Single "/api/v1/organization/details",
        Documented, "Administer Jira", ["write:organization.detail-field"] Documented;
    /// Rename a detail field or change its options.
    EditOrganizationDetailField = Csm Put Single "/api/v1/organization/details/{fieldName}",
        Documented, "Administer Jira", ["write:organization.detail-field"] Documented;
    /// Delete a detail field and all its values.
    DeleteOrganizationDetailField = Csm Delete Single "/api/v1/organization/details/{fieldName}",
        Documented, "Administer Jira", ["write:organization.detail-field"] Guess;
    /// List entitlement detail fields.
    ListEntitlementDetailFields = Csm Get Read "/api/v1/entitlement/details",
        Documented, "Administer Jira", ["read:entitlement.detail-field"] Documented;
    /// Create one entitlement detail field (50 at most per site).
    CreateEntitlementDetailField = Csm Post Single "/api/v1/entitlement/details",
        Documented, "Administer Jira", ["write:entitlement.detail-field"] Documented;
    /// Rename a detail field or change its options.
    EditEntitlementDetailField = Csm Put Single "/api/v1/entitlement/details/{fieldName}",
        Documented, "Administer Jira", ["write:entitlement.detail-field"] Documented;
    /// Delete a detail field and all its values.
    DeleteEntitlementDetailField = Csm Delete Single "/api/v1/entitlement/details/{fieldName}",
        Documented, "Administer Jira", ["write:entitlement.detail-field"] Guess;
    /// Create a customer account.
    CreateCustomerAccount = Csm Post Single "/api/v1/customer",
        Guess, "Administer Jira", ["write:customer"] Documented;
    /// Read a customer account (Customer Accounts only).
    GetCustomerAccount = Csm Get Read "/api/v1/customer/account/{customerId}",
        Guess, "CSM or JSM user", ["read:customer"] Guess;
    /// Change a customer account's display name.
    UpdateCustomerAccount = Csm Put Single "/api/v1/customer/account/{customerId}",
        Guess, "Administer Jira", ["write:customer"] Guess;
    /// Delete a customer account for good.
    DeleteCustomerAccount = Csm Delete Single "/api/v1/customer/account/{customerId}",
        Documented, "Administer Jira", ["delete:customer"] Guess;
    /// Create a customer profile.
    CreateCustomerProfile = Csm Post Single "/api/v1/customer/profile",
        Guess, "Administer Jira and CSM or JSM user", ["write:customer.profile"] Guess;
    /// Read up to 25 customer profiles.
    FetchCustomerProfiles = Csm Post Read "/api/v1/customer/profile/fetch",
        Seen, "CSM or JSM user", ["read:customer.profile"] Guess;
    /// Read a customer profile.
    GetCustomerProfile = Csm Get Read "/api/v1/customer/profile/{customerId}",
        Documented, "CSM or JSM user", ["read:customer.profile"] Guess;
    /// Find customers by detail value.
    SearchCustomersByDetailField = Csm Post Read "/api/v1/customer/search-by-detail-field",
        Seen, "JSM agent", ["read:customer"] Seen;
    /// Read a customer with details.
    GetCustomer = Csm Get Read "/api/v1/customer/{customerId}",
        Seen, "JSM agent", ["read:customer", "read:customer.detail"] Seen;
    /// Set one detail value.
    SetCustomerDetail = Csm Put Single "/api/v1/customer/{customerId}/details",
        Documented, "JSM agent", ["write:customer.detail"] Documented;
    /// List entitlements, inherited ones included.
    ListCustomerEntitlements = Csm Get Read "/api/v1/customer/{customerId}/entitlement",
        Guess, "JSM agent", [] Documented;
    /// Give a customer a product.
    CreateCustomerEntitlement = Csm Post Single "/api/v1/customer/{customerId}/entitlement",
        Guess, "JSM agent", [] Documented;
    /// List customer experiences open to a customer.
    ListCustomerExperiences = Csm Get Read "/api/v1/customer/{customerId}/customer-experiences",
        Documented, "CSM agent", [] Documented;
    /// Create an organization.
    CreateOrganization = Csm Post Single "/api/v1/organization",
        Guess, "CSM or JSM user; the site can raise this to Administer Jira", ["write:organization"] Guess;
    /// Read up to 50 organizations by id or name.
    FetchOrganizations = Csm Post Read "/api/v1/organization/fetch",
        Guess, "CSM or JSM user", ["read:organization"] Guess;
    /// Create an organization profile.
    CreateOrganizationProfile = Csm Post Single "/api/v1/organization/profile",
        Guess, "CSM or JSM user; the site can raise this to Administer Jira", ["write:organization.profile"] Guess;
    /// Read up to 25 organization profiles.
    FetchOrganizationProfiles = Csm Post Read "/api/v1/organization/profile/fetch",
        Guess, "CSM or JSM user", ["read:organization.profile"] Guess;
    /// Read an organization profile.
    GetOrganizationProfile = Csm Get Read "/api/v1/organization/profile/{organizationId}",
        Guess, "CSM or JSM user", ["read:organization.profile"] Guess;
    /// Read an organization with details.
    GetOrganization = Csm Get Read "/api/v1/organization/{organizationId}",
        Documented, "JSM agent", ["read:organization", "read:organization.detail"] Documented;
    /// Rename an organization.
    UpdateOrganization = Csm Put Single "/api/v1/organization/{organizationId}",
        Guess, "CSM or JSM user; the site can raise this to Administer Jira", ["write:organization"] Guess;
    /// Delete an organization for good.
    DeleteOrganization = Csm Delete Single "/api/v1/organization/{organizationId}",
        Documented, "Administer Jira", ["delete:organization"] Guess;
    /// Set one detail value.
    SetOrganizationDetail = Csm Put Single "/api/v1/organization/{organizationId}/details",
        Documented, "JSM agent", ["write:organization.detail"] Guess;
    /// List an organization's entitlements.
    ListOrganizationEntitlements = Csm Get Read "/api/v1/organization/{organizationId}/entitlement",
        Guess, "JSM agent", [] Documented;
    /// Give an organization a product.
    CreateOrganizationEntitlement = Csm Post Single "/api/v1/organization/{organizationId}/entitlement",
        Guess, "JSM agent", [] Documented;
    /// List products.
    ListProducts = Csm Get Read "/api/v1/product",
        Documented, "JSM agent", ["read:product"] Documented;
    /// Create a product.
    CreateProduct = Csm Post Single "/api/v1/product",
        Documented, "JSM agent", ["write:product"] Documented;
    /// Read a product.
    GetProduct = Csm Get Read "/api/v1/product/{productId}",
        Documented, "JSM agent", ["read:product"] Documented;
    /// Rename a product.
    RenameProduct = Csm Put Single "/api/v1/product/{productId}",
        Documented, "JSM agent", ["write:product"] Documented;
    /// Delete a product and its entitlements.
    DeleteProduct = Csm Delete Single "/api/v1/product/{productId}",
        Documented, "Administer Jira", ["delete:product"] Guess;
    /// Read an entitlement.
    GetEntitlement = Csm Get Read "/api/v1/entitlement/{entitlementId}",
        Guess, "JSM agent", [] Documented;
    /// Delete an entitlement for good.
    DeleteEntitlement = Csm Delete Single "/api/v1/entitlement/{entitlementId}",
        Documented, "Administer Jira", [] Documented;
    /// Set one detail value.
    SetEntitlementDetail = Csm Put Single "/api/v1/entitlement/{entitlementId}/details",
        Documented, "JSM agent", [] Documented;
    /// Page through an entity's entitlements.
    ListEntitlements = Csm Get Read "/api/v1/entitlements",
        Documented, "JSM agent", [] Documented;
    /// Find a customer's account id by e-mail (fall-back).
    SearchUsers = Jira Get Read "/rest/api/3/user/search",
        Seen, "Browse users and groups", [] Seen;
    /// List organizations, 50 a page (fall-back).
    ListServiceDeskOrganizations = Jira Get Read "/rest/servicedeskapi/organization",
        Documented, "JSM agent", [] Documented;
    /// Put customers into an organization (fall-back).
    AddServiceDeskOrganizationUsers = Jira Post Single "/rest/servicedeskapi/organization/{id}/user",
        Documented, "JSM agent", [] Documented;
    /// Look a site's cloud id up by its host, without credentials.
    TenantInfo = Host Get Read "/_edge/tenant_info",
        Seen, "nobody in particular", [] Seen;
    /// List the sites that a token may use.
    AccessibleResources = Gateway Get Read "/oauth/token/accessible-resources",
        Documented, "any user", [] Documented;
    /// Get or refresh an access token.
    Token = Login Post Single "/oauth/token",
        Documented, "nobody in particular", [] Documented;
}

impl Endpoint {
    /// The scopes that a scoped token or an OAuth app needs for it, with how they are known; none where none is.
    pub fn scopes(self) -> impl Iterator<Item = (String, Grade)> {
        let (scopes, grade) = self.short_scopes();
        scopes
            .iter()
            .map(move |scope| (format!("{scope}{SCOPE_SUFFIX}"), grade))
    }

    /// How messages call it: method and path.
    #[must_use]
    pub fn name(self) -> String {
        format!("{} {}", self.method().name(), self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_endpoints_share_method_and_path() {
        let names: HashSet<_> = Endpoint::ALL
            .iter()
            .map(|endpoint| (endpoint.base(), endpoint.name()))
            .collect();
        assert_eq!(names.len(), Endpoint::ALL.len());
    }

    #[test]
    fn a_path_holds_at_most_one_parameter() {
        for endpoint in Endpoint::ALL {
            let path = endpoint.path();
            assert!(
                path.starts_with('/') && path.matches('{').count() <= 1,
                "{path}"
            );
        }
    }

    #[test]
    fn scopes_carry_their_ending() {
        let scopes: Vec<_> = Endpoint::BulkCustomerProfiles.scopes().collect();
        let expected = "write:customer.profile:jira-service-management".to_owned();
        assert_eq!(scopes, [(expected, Grade::Seen)]);
        assert_eq!(Endpoint::GetEntitlement.scopes().count(), 0);
    }
}
