//! The calls of the Jira API that a loader falls back to, where the CSM API offers nothing.

use super::change::{Put, Write};
use super::entity::Entity;
use super::item::CustomerKind;
use super::read::Page;
use super::{Refusal, Site};
use crate::api::contract::{answer, keys};
use crate::model::clock::UnixMillis;
use serde_json::{Value, json};

/// Users that one search answers with.
const MAX_USERS: usize = 50;
/// Organizations of a page.
const ORGANIZATION_PAGE: usize = 50;

impl Site {
    /// `GET /rest/api/3/user/search`: who has this address, or a name that begins so. New accounts appear `lag` milliseconds late.
    ///
    /// # Errors
    /// When there is nothing to search for.
    pub(in crate::sandbox) fn search_users(
        &self,
        lag: i64,
        now: UnixMillis,
        query: &str,
    ) -> Result<Value, Refusal> {
        let query = query.trim();
        if query.is_empty() {
            return Err(Refusal::bad_request("Query parameter 'query' is required"));
        }
        let table = self.table(Entity::Customer);
        let known = |number: &u32| {
            let made = self.audit.get(table.get(*number).made_by as usize);
            made.is_none_or(|made| made.at.saturating_add(lag) <= now)
        };
        // addresses are indexed; names are not, and a load does not search for them
        let found: Vec<u32> = if query.contains('@') {
            let both = [table.by_name(query), table.atlassian_by_name(query)];
            both.into_iter().flatten().filter(known).collect()
        } else {
            let query = query.to_lowercase();
            let begins = |text: &str| text.to_lowercase().starts_with(&query);
            let all = table.all().filter(|(_, record)| {
                let names = record
                    .display_name
                    .iter()
                    .flat_map(|n| n.split_whitespace());
                begins(&record.name) || names.into_iter().any(begins)
            });
            all.map(|(n, _)| n).filter(known).take(MAX_USERS).collect()
        };
        Ok(found.into_iter().map(|number| self.user(number)).collect())
    }

    fn user(&self, number: u32) -> Value {
        let record = self.table(Entity::Customer).get(number);
        let name = record.display_name.as_ref().unwrap_or(&record.name);
        let kind = self.kind(number);
        let mut user = json!({
            "accountId": self.id(Entity::Customer, number),
            "accountType": match kind {
                CustomerKind::Account => "customer",
                CustomerKind::Atlassian => "atlassian",
            },
            (keys::DISPLAY_NAME): name,
            "active": true,
        });
        // people decide themselves who sees the address of their Atlassian account
        if kind == CustomerKind::Account {
            user["emailAddress"] = (*record.name).into();
        }
        user
    }

    /// `GET /rest/servicedeskapi/organization`.
    pub(in crate::sandbox) fn service_desk_organizations(&self, page: Page) -> Value {
        let table = self.table(Entity::Organization);
        let start = page.start.unwrap_or(0);
        let limit = page.limit.unwrap_or(ORGANIZATION_PAGE);
        let limit = limit.clamp(1, ORGANIZATION_PAGE);
        let values = table.all().skip(start).take(limit);
        let values: Vec<_> = values
            .map(|(number, _)| self.summary(Entity::Organization, number))
            .collect();
        json!({
            "size": values.len(),
            "start": start,
            "limit": limit,
            "isLastPage": start.saturating_add(values.len()) >= table.count(),
            (keys::VALUES): values,
        })
    }

    /// `POST /rest/servicedeskapi/organization/{id}/user`.
    ///
    /// # Errors
    /// When there is no such organization, or one of the accounts does not exist: then none is put into it.
    pub(in crate::sandbox) fn add_users(
        &mut self,
        now: UnixMillis,
        organization: &str,
        accounts: &[String],
    ) -> Result<(), Refusal> {
        let number = self.find(Entity::Organization, organization)?;
        let mut put = Put::new(Entity::Organization, number, false);
        for id in accounts {
            let customer = self.table(Entity::Customer).by_id(self.cloud, id);
            let unknown =
                || Refusal::bad_request(format!("There is no user with the {} {id}", answer::ID));
            put.customers.push(customer.ok_or_else(unknown)?);
        }
        self.tolerates(
            Entity::Organization,
            &self.key(Entity::Organization, number),
        )?;
        if !put.customers.is_empty() {
            self.wrote(now, Write::Put(put));
        }
        Ok(())
    }
}
