//! Products of customers and organizations.

use super::customers::{Customer, update};
use super::made::Kind;
use super::organizations::Organization;
use super::session::{Ended, Session, Stopped, id_of, refusal};
use crate::api::contract::{Endpoint, Name, answer, keys, query};
use crate::api::raw::Inquiry;
use serde_json::{Value, json};

/// Whether a list of entitlements is not empty; it is asked for one product, which is ours.
fn has_any(body: &Value) -> bool {
    let list = body.get(answer::RESULTS).and_then(Value::as_array);
    list.is_some_and(|list| !list.is_empty())
}

impl Session<'_> {
    /// Makes a product and gives it away by every name that may be right.
    pub(super) async fn products(
        &mut self,
        customer: Option<&Customer>,
        organization: Option<&Organization>,
    ) -> Result<(), Stopped> {
        let name = self.named("product");
        let inquiry = Inquiry::to(Endpoint::CreateProduct).body(json!({ keys::NAME: name }));
        let (product, exchange) = self.make(Kind::Product, name, inquiry).await?;
        let Some(product) = product else {
            self.open("a product for the probe", exchange.line(&self.ours()));
            return Ok(());
        };
        if let Some(customer) = customer {
            self.products_of_profile(customer, &product).await?;
        }
        if let Some(organization) = organization {
            self.entitlement(organization, &product).await?;
        }
        if let Some(customer) = customer {
            let endpoint = Endpoint::ListCustomerEntitlements;
            self.word(Name::EntitlementCustomer, &customer.id, endpoint)
                .await?;
        }
        if let Some(organization) = organization {
            let endpoint = Endpoint::ListOrganizationEntitlements;
            self.word(Name::EntitlementOrganization, &organization.id, endpoint)
                .await?;
        }
        Ok(())
    }

    async fn products_of_profile(
        &mut self,
        customer: &Customer,
        product: &str,
    ) -> Result<(), Stopped> {
        let about = "products of a customer profile";
        let list_key = self.contract.name(Name::CustomerProfiles).to_owned();
        let mut words = String::new();
        for object in self.candidates(Name::AssociateProducts) {
            for list in self.candidates(Name::ProductIds) {
                let products = json!({ list.as_str(): [product] });
                let payload = json!({ keys::EMAIL: customer.email, object.as_str(): products });
                let body = json!({ list_key.as_str(): [update(&payload)] });
                let ended = self.bulk(Endpoint::BulkCustomerProfiles, body).await?;
                let look = Inquiry::to(Endpoint::ListCustomerEntitlements)
                    .of(&customer.id)
                    .query(query::PRODUCT, product);
                if let Some(exchange) = self.effect(&ended, look, has_any, &mut words).await? {
                    self.learn(Name::AssociateProducts, &object);
                    self.learn(Name::ProductIds, &list);
                    let answer = format!("{object:?} with {list:?} inside");
                    self.seen(about, answer, &exchange);
                    return Ok(());
                }
                if let Ended::Stuck(_) = ended {
                    self.open(about, words);
                    return Ok(());
                }
            }
        }
        self.open(about, words);
        Ok(())
    }

    /// The product's key of a new entitlement; the entitlement goes with its product.
    async fn entitlement(
        &mut self,
        organization: &Organization,
        product: &str,
    ) -> Result<(), Stopped> {
        let about = "entitlement by single call";
        let mut words = String::new();
        for key in self.candidates(Name::EntitlementProduct) {
            let value = if key == answer::PRODUCT {
                json!({ answer::ID: product })
            } else {
                json!(product)
            };
            let inquiry = Inquiry::to(Endpoint::CreateOrganizationEntitlement)
                .of(&organization.id)
                .body(json!({ key.as_str(): value }));
            let exchange = self.ask(inquiry).await?;
            if exchange.body().and_then(id_of).is_some() {
                self.learn(Name::EntitlementProduct, &key);
                self.seen(about, format!("names the product by {key:?}"), &exchange);
                return Ok(());
            }
            words = exchange.line(&self.ours());
        }
        self.open(about, words);
        Ok(())
    }

    /// The word for a kind of holder: the one under which its entitlements are listed.
    async fn word(&mut self, name: Name, holder: &str, list: Endpoint) -> Result<(), Stopped> {
        let about = match name {
            Name::EntitlementCustomer => "how entitlements call a customer",
            _ => "how entitlements call an organization",
        };
        let has = self
            .until(self.settling(), async |session: &mut Self| {
                let (body, _) = session.read(Inquiry::to(list).of(holder)).await?;
                Ok(body.filter(has_any))
            })
            .await?;
        if has.is_none() {
            self.open(about, "it has no entitlement to list");
            return Ok(());
        }
        let mut words = String::new();
        for word in self.candidates(name) {
            let inquiry = Inquiry::to(Endpoint::ListEntitlements)
                .query(query::ENTITY_TYPE, word.as_str())
                .query(query::ENTITY_ID, holder)
                .query(query::START, "0")
                .query(query::LIMIT, "25");
            let (body, exchange) = self.read(inquiry).await?;
            if body.as_ref().is_some_and(has_any) {
                self.learn(name, &word);
                self.seen(about, format!("{word:?}"), &exchange);
                return Ok(());
            }
            words = refusal(&exchange).unwrap_or_else(|| exchange.line(&self.ours()));
        }
        self.open(about, words);
        Ok(())
    }
}
