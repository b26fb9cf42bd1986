//! The calls outside the CSM API.

use super::customers::Customer;
use super::session::{Session, Stopped, ids_in};
use crate::api::contract::{Endpoint, query};
use crate::api::raw::Inquiry;

impl Session<'_> {
    /// Whether the user search finds a new customer by its address, and how soon.
    pub(super) async fn user_search(&mut self, customer: &Customer) -> Result<(), Stopped> {
        let about = "the user search";
        let inquiry =
            Inquiry::to(Endpoint::SearchUsers).query(query::QUERY, customer.email.as_str());
        let left = self
            .setup
            .patience
            .saturating_sub(self.since(customer.made));
        let mut words = String::new();
        let found = self
            .until(left, async |session: &mut Self| {
                let (body, exchange) = session.read(inquiry.clone()).await?;
                words = exchange.line(&session.ours());
                let found = ids_in(body.as_ref()).contains(&customer.id);
                let refused = exchange.answer.is_err();
                Ok((found || refused).then_some((found, exchange)))
            })
            .await?;
        let took = self.since(customer.made);
        match found {
            Some((true, exchange)) => {
                self.contract.user_search = true;
                let answer = format!("finds a new customer after {took:.1?} at the latest");
                self.seen(about, answer, &exchange);
            }
            Some((false, _)) => {
                self.contract.user_search = false;
                self.open(about, words);
            }
            None => {
                self.contract.user_search = false;
                self.open(about, format!("not found within {took:.1?}; last {words}"));
            }
        }
        Ok(())
    }
}
