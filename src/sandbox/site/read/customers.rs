//! What is answered about customers.

use super::Page;
use crate::api::contract::{self, Contract, Name, answer, keys};
use crate::sandbox::site::records::Record;
use crate::sandbox::site::request::required;
use crate::sandbox::site::request::single::{FetchCustomers, Search};
use crate::sandbox::site::{Entity, Refusal, Site};
use serde_json::{Value, json};

/// Customers a search answers with at most, and where it is not told.
const SEARCH_PAGE: usize = 50;

impl Site {
    /// `GET /customer/account/{id}`.
    ///
    /// # Errors
    /// 404 when there is no such Customer Account.
    pub(in crate::sandbox) fn account(&self, id: &str) -> Result<Value, Refusal> {
        let number = self.find_account(id)?;
        let mut body = json!({
            (keys::CUSTOMER_ID): self.id(Entity::Customer, number),
            (keys::EMAIL): self.table(Entity::Customer).get(number).name,
        });
        self.add_display_name(number, keys::DISPLAY_NAME, &mut body);
        Ok(body)
    }

    /// `GET /customer/{id}`.
    ///
    /// # Errors
    /// 404 when there is no such customer.
    pub(in crate::sandbox) fn customer(&self, id: &str) -> Result<Value, Refusal> {
        let number = self.find(Entity::Customer, id)?;
        let record = self.table(Entity::Customer).get(number);
        let mut body = json!({
            (answer::ID): self.id(Entity::Customer, number),
            (keys::DETAILS): self.full_details(Entity::Customer, &record.details),
            (answer::ORGANIZATIONS): self.memberships(record),
        });
        self.add_display_name(number, keys::NAME, &mut body);
        Ok(body)
    }

    /// `GET /customer/profile/{id}`.
    ///
    /// # Errors
    /// 404 when there is no such customer.
    pub(in crate::sandbox) fn customer_profile(
        &self,
        contract: &Contract,
        id: &str,
    ) -> Result<Value, Refusal> {
        let number = self.find(Entity::Customer, id)?;
        Ok(self.customer_json(contract, number))
    }

    /// `POST /customer/profile/fetch`: unknown ids are left out.
    ///
    /// # Errors
    /// When too many are asked for, or none.
    pub(in crate::sandbox) fn fetch_customers(
        &self,
        contract: &Contract,
        wanted: FetchCustomers,
    ) -> Result<Value, Refusal> {
        let ids = required(wanted.ids, keys::CUSTOMER_IDS)?;
        let most = contract::MAX_FETCH_CUSTOMERS;
        if !(1..=most).contains(&ids.len()) {
            return Err(Refusal::bad_request(format!(
                "Between 1 and {most} profiles can be fetched"
            )));
        }
        let table = self.table(Entity::Customer);
        let found = ids.iter().filter_map(|id| table.by_id(self.cloud, id));
        let found = found.map(|number| self.customer_json(contract, number));
        Ok(json!({ (answer::PROFILES): found.collect::<Vec<_>>() }))
    }

    /// `GET /customer/{id}/customer-experiences`: what it answers was not seen, but whether the customer is known.
    ///
    /// # Errors
    /// 404 when there is no such customer.
    pub(in crate::sandbox) fn customer_experiences(&self, id: &str) -> Result<(), Refusal> {
        self.find(Entity::Customer, id).map(drop)
    }

    /// `POST /customer/search-by-detail-field`: the customers that hold all the values, a page of them.
    ///
    /// # Errors
    /// When a field does not exist, or nothing is searched for.
    pub(in crate::sandbox) fn search(
        &self,
        contract: &Contract,
        wanted: Search,
        page: Page,
    ) -> Result<Value, Refusal> {
        let mut criteria = Vec::new();
        for criterion in required(wanted.criteria, keys::DETAIL_FIELDS)? {
            let name = required(criterion.name, keys::NAME)?;
            let value = required(criterion.value, keys::VALUE)?;
            let field = self.fields[Entity::Customer as usize].find(&name);
            let field = field.ok_or_else(|| Refusal::bad_request("Invalid detail field"))?;
            let encoded = Value::from(value.as_str()).to_string();
            criteria.push((field, value, encoded));
        }
        if criteria.is_empty() {
            return Err(Refusal::bad_request("Nothing to search for"));
        }
        let holds = |record: &Record| {
            let may = |(_, _, text): &(_, _, String)| record.details.encoded().contains(text);
            let does = |(field, value, _): &(u16, String, _)| {
                let details = record.details.values();
                details
                    .iter()
                    .any(|(n, values)| n == field && values.contains(value))
            };
            criteria.iter().all(may) && criteria.iter().all(does)
        };
        let limit = page.limit.unwrap_or(SEARCH_PAGE).clamp(1, SEARCH_PAGE);
        let first = page.start.unwrap_or(0).saturating_mul(limit);
        let records = Page {
            start: Some(first),
            limit: Some(limit),
        };
        let found = self.table(Entity::Customer).all();
        let found = found.filter(|(_, record)| holds(record));
        let found = records.take(found, SEARCH_PAGE).map(|(number, record)| {
            let mut body = json!({
                (answer::ID): self.id(Entity::Customer, number),
                (keys::EMAIL): record.name,
            });
            self.add_display_name(number, keys::NAME, &mut body);
            body
        });
        let found: Vec<_> = found.collect();
        Ok(json!({ (contract.name(Name::FoundCustomers)): found }))
    }

    /// `GET /customer/{id}/entitlement`: its own, and those of its organizations; of one product where that is named.
    ///
    /// # Errors
    /// 404 when there is no such customer.
    pub(in crate::sandbox) fn customer_entitlements(
        &self,
        contract: &Contract,
        id: &str,
        product: Option<&str>,
    ) -> Result<Value, Refusal> {
        let number = self.find(Entity::Customer, id)?;
        let record = self.table(Entity::Customer).get(number);
        let inherited = self.live_organizations(record);
        let inherited =
            inherited.flat_map(|n| &self.table(Entity::Organization).get(n).entitlements);
        let all = record.entitlements.iter().chain(inherited).copied();
        Ok(self.entitlement_list(contract, all, product, Page::default(), usize::MAX))
    }

    /// A profile.
    pub(in crate::sandbox::site) fn customer_json(
        &self,
        contract: &Contract,
        number: u32,
    ) -> Value {
        let record = self.table(Entity::Customer).get(number);
        let mut body = json!({
            (keys::CUSTOMER_ID): self.id(Entity::Customer, number),
            (keys::EMAIL): record.name,
            (keys::DETAILS): self.details(Entity::Customer, &record.details),
            (answer::ORGANIZATIONS): self.memberships(record),
            (answer::ENTITLEMENTS): self.entitlements_json(contract, Entity::Customer, number),
        });
        self.add_display_name(number, keys::DISPLAY_NAME, &mut body);
        body
    }

    fn memberships(&self, record: &Record) -> Value {
        let organizations = self.live_organizations(record);
        organizations
            .map(|n| self.summary(Entity::Organization, n))
            .collect()
    }

    fn live_organizations(&self, record: &Record) -> impl Iterator<Item = u32> {
        let organizations = record.organizations.iter().copied();
        organizations.filter(|n| self.table(Entity::Organization).has(*n))
    }

    fn add_display_name(&self, number: u32, key: &str, body: &mut Value) {
        if let Some(name) = &self.table(Entity::Customer).get(number).display_name {
            body[key] = (**name).into();
        }
    }
}
