//! What is answered about organizations.

use super::Page;
use crate::api::contract::{self, Contract, Name, answer, keys};
use crate::sandbox::site::request::required;
use crate::sandbox::site::request::single::{FetchOrganizationProfiles, FetchOrganizations};
use crate::sandbox::site::{Entity, Refusal, Site};
use serde_json::{Value, json};

/// Profiles that one request may fetch.
const MAX_FETCH_PROFILES: usize = 25;

impl Site {
    /// `GET /organization/{id}`.
    ///
    /// # Errors
    /// 404 when there is no such organization.
    pub(in crate::sandbox) fn organization(&self, id: &str) -> Result<Value, Refusal> {
        let number = self.find(Entity::Organization, id)?;
        let mut body = self.summary(Entity::Organization, number);
        let details = &self.table(Entity::Organization).get(number).details;
        body[keys::DETAILS] = self.full_details(Entity::Organization, details);
        Ok(body)
    }

    /// `GET /organization/profile/{id}`.
    ///
    /// # Errors
    /// 404 when there is no such organization.
    pub(in crate::sandbox) fn organization_profile(
        &self,
        contract: &Contract,
        id: &str,
    ) -> Result<Value, Refusal> {
        let number = self.find(Entity::Organization, id)?;
        Ok(self.organization_json(contract, number))
    }

    /// `POST /organization/fetch`: each organization found, once, in the order asked for.
    ///
    /// # Errors
    /// When too many are asked for, or none.
    pub(in crate::sandbox) fn fetch_organizations(
        &self,
        contract: &Contract,
        wanted: FetchOrganizations,
    ) -> Result<Value, Refusal> {
        let ids = wanted.ids.unwrap_or_default();
        let names = wanted.names.unwrap_or_default();
        let most = contract::MAX_FETCH_ORGANIZATIONS;
        if !(1..=most).contains(&(ids.len() + names.len())) {
            return Err(Refusal::bad_request(format!(
                "Between 1 and {most} organizations can be fetched"
            )));
        }
        let table = self.table(Entity::Organization);
        let by_id = ids.iter().filter_map(|id| table.by_id(self.cloud, id));
        let by_name = names.iter().filter_map(|name| table.by_name(name));
        let mut found = Vec::new();
        for number in by_id.chain(by_name) {
            if !found.contains(&number) {
                found.push(number);
            }
        }
        let found = found
            .into_iter()
            .map(|n| self.summary(Entity::Organization, n));
        let found: Vec<_> = found.collect();
        Ok(json!({ (contract.name(Name::FetchedOrganizations)): found }))
    }

    /// `POST /organization/profile/fetch`: unknown ids are left out.
    ///
    /// # Errors
    /// When too many are asked for, or none.
    pub(in crate::sandbox) fn fetch_organization_profiles(
        &self,
        contract: &Contract,
        wanted: FetchOrganizationProfiles,
    ) -> Result<Value, Refusal> {
        let ids = required(wanted.ids, contract.name(Name::FetchOrganizationProfileIds))?;
        if !(1..=MAX_FETCH_PROFILES).contains(&ids.len()) {
            return Err(Refusal::bad_request(format!(
                "Between 1 and {MAX_FETCH_PROFILES} profiles can be fetched"
            )));
        }
        let table = self.table(Entity::Organization);
        let found = ids.iter().filter_map(|id| table.by_id(self.cloud, id));
        let found = found.map(|number| self.organization_json(contract, number));
        let found: Vec<_> = found.collect();
        Ok(json!({ (contract.name(Name::FetchedOrganizationProfiles)): found }))
    }

    /// `GET /organization/{id}/entitlement`; of one product where that is named.
    ///
    /// # Errors
    /// 404 when there is no such organization.
    pub(in crate::sandbox) fn organization_entitlements(
        &self,
        contract: &Contract,
        id: &str,
        product: Option<&str>,
    ) -> Result<Value, Refusal> {
        let number = self.find(Entity::Organization, id)?;
        let own = &self.table(Entity::Organization).get(number).entitlements;
        let own = own.iter().copied();
        Ok(self.entitlement_list(contract, own, product, Page::default(), usize::MAX))
    }

    /// A profile.
    pub(in crate::sandbox::site) fn organization_json(
        &self,
        contract: &Contract,
        number: u32,
    ) -> Value {
        let mut body = self.summary(Entity::Organization, number);
        let details = &self.table(Entity::Organization).get(number).details;
        body[keys::DETAILS] = self.details(Entity::Organization, details);
        body[answer::ENTITLEMENTS] = self.entitlements_json(contract, Entity::Organization, number);
        body
    }
}
