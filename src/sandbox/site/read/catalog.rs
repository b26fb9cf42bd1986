//! What is answered about products and entitlements.

use super::{Page, owner_word};
use crate::api::contract::{self, Contract, answer};
use crate::sandbox::site::{Entity, Refusal, Site};
use serde_json::{Value, json};

/// Entitlements a page of `GET /entitlements` holds at most, and where it is not told.
const ENTITLEMENT_PAGE: usize = 25;

impl Site {
    /// `GET /product`: a page of products. A limit out of range counts as the largest.
    ///
    /// # Errors
    /// When the cursor is not of this site.
    pub(in crate::sandbox) fn products(
        &self,
        limit: Option<usize>,
        cursor: Option<&str>,
    ) -> Result<Value, Refusal> {
        let most = contract::MAX_PRODUCT_PAGE;
        let limit = limit.filter(|n| (1..=most).contains(n)).unwrap_or(most);
        let table = self.table(Entity::Product);
        let first = match cursor {
            None => 0,
            // the cursor is the number of the page's first product: products come and go between pages
            Some(cursor) => {
                let number = cursor.parse().ok().filter(|number| *number <= table.next());
                number.ok_or_else(|| Refusal::bad_request("Invalid cursor"))?
            }
        };
        let mut rest = table.all().map(|(n, _)| n).skip_while(|n| *n < first);
        let page: Vec<_> = rest
            .by_ref()
            .take(limit)
            .map(|n| self.summary(Entity::Product, n))
            .collect();
        let mut body = json!({ (answer::RESULTS): page });
        if let Some(next) = rest.next() {
            body[answer::NEXT_PAGE_CURSOR] = next.to_string().into();
        }
        Ok(body)
    }

    /// `GET /product/{id}`.
    ///
    /// # Errors
    /// 404 when there is no such product.
    pub(in crate::sandbox) fn product(&self, id: &str) -> Result<Value, Refusal> {
        let number = self.find(Entity::Product, id)?;
        Ok(self.summary(Entity::Product, number))
    }

    /// `GET /entitlement/{id}`.
    ///
    /// # Errors
    /// 404 when there is no such entitlement.
    pub(in crate::sandbox) fn entitlement(
        &self,
        contract: &Contract,
        id: &str,
    ) -> Result<Value, Refusal> {
        let number = self.find(Entity::Entitlement, id)?;
        let found = self.entitlement_json(contract, number);
        found.ok_or_else(|| Refusal::not_found("Entitlement not found"))
    }

    /// `GET /entitlements`: a page of the entitlements of a customer or organization itself.
    ///
    /// # Errors
    /// When the owner's type or id is missing or unknown.
    pub(in crate::sandbox) fn entitlements(
        &self,
        contract: &Contract,
        owner: (Option<&str>, Option<&str>),
        product: Option<&str>,
        page: Page,
    ) -> Result<Value, Refusal> {
        let (Some(word), Some(id)) = owner else {
            return Err(Refusal::bad_request("entityType and entityId are required"));
        };
        let mut owners = [Entity::Customer, Entity::Organization].into_iter();
        let owner = owners.find(|owner| owner_word(contract, *owner) == word);
        let owner = owner.ok_or_else(|| Refusal::bad_request("Invalid entityType"))?;
        let number = self.find(owner, id)?;
        let own = self.table(owner).get(number).entitlements.iter().copied();
        Ok(self.entitlement_list(contract, own, product, page, ENTITLEMENT_PAGE))
    }

    /// A list of entitlements, of one product where that is named.
    pub(super) fn entitlement_list(
        &self,
        contract: &Contract,
        numbers: impl Iterator<Item = u32>,
        product: Option<&str>,
        page: Page,
        most: usize,
    ) -> Value {
        // a product that there is none of is one that nobody has
        let product = product.map(|id| self.table(Entity::Product).by_id(self.cloud, id));
        let of_product = |number: &u32| match product {
            None => true,
            Some(wanted) => {
                let given = self.entitlements.get(*number).map(|e| e.grant.product);
                given.is_some() && given == wanted
            }
        };
        let page = page.take(numbers.filter(of_product), most);
        let page: Vec<_> = page
            .filter_map(|number| self.entitlement_json(contract, number))
            .collect();
        json!({ (answer::RESULTS): page })
    }
}
