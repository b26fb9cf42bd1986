//! What the verbs of detail values do.

use super::customers::Customer;
use super::organizations::{LIST, OPTIONS};
use super::session::{Ended, Session, Stopped, refusal, values_of};
use super::shown::Exchange;
use crate::api::contract::{CUSTOMERS, Endpoint, keys, query};
use crate::api::raw::Inquiry;
use crate::model::entity::Owner;
use serde_json::{Value, json};

impl Session<'_> {
    /// UPDATE twice, PATCH, UPDATE with nothing, each in a task of its own: the order inside one is not documented.
    pub(super) async fn detail_verbs(&mut self, customer: &Customer) -> Result<(), Stopped> {
        let about = "customer/details/bulk";
        if !self.has_field(Owner::Customer, LIST) {
            self.open(about, "there is no detail field to try it with");
            return Ok(());
        }
        let [a, b] = OPTIONS;
        let Some(_) = self
            .verb(about, customer, "UPDATE", &[a], |now| now == [a])
            .await?
        else {
            return Ok(());
        };
        let about = "UPDATE of a detail that has values";
        let holds_b = |now: &[String]| now.contains(&b.to_owned());
        let Some((now, exchange)) = self.verb(about, customer, "UPDATE", &[b], holds_b).await?
        else {
            return Ok(());
        };
        let replaces = now == [b];
        let answer = if replaces {
            "replaces them"
        } else {
            "adds to them"
        };
        self.seen(about, answer.to_owned(), &exchange);
        let about = "PATCH of a detail that has values";
        if replaces {
            let holds_a = |now: &[String]| now.contains(&a.to_owned());
            if let Some((now, exchange)) =
                self.verb(about, customer, "PATCH", &[a], holds_a).await?
            {
                let answer = if now == [a] {
                    "replaces them"
                } else {
                    "adds to them"
                };
                self.seen(about, answer.to_owned(), &exchange);
            }
        } else {
            self.open(
                about,
                "UPDATE does not replace, so that the two cannot be told apart",
            );
        }
        let about = "UPDATE of a detail with no values";
        if let Some((_, exchange)) = self
            .verb(about, customer, "UPDATE", &[], <[String]>::is_empty)
            .await?
        {
            self.seen(about, "clears it".to_owned(), &exchange);
        }
        self.clear_alone(customer).await
    }

    /// Gives the values that the field holds once `shows` is true of them; else says what came instead.
    async fn verb(
        &mut self,
        about: &'static str,
        customer: &Customer,
        verb: &str,
        values: &[&str],
        shows: impl Fn(&[String]) -> bool,
    ) -> Result<Option<(Vec<String>, Exchange)>, Stopped> {
        let field = self.named(LIST);
        let payload = json!({ keys::NAME: field, (keys::VALUES): values });
        let operation = json!({ keys::OPERATION: verb, (keys::PAYLOAD): payload });
        let item = json!({ keys::CUSTOMER_ID: customer.id, (keys::OPERATIONS): [operation] });
        let body = json!({ CUSTOMERS: [item] });
        let ended = self.bulk(Endpoint::BulkCustomerDetails, body).await?;
        let look = Inquiry::to(Endpoint::GetCustomerProfile).of(&customer.id);
        let mut words = String::new();
        let holds = |body: &Value| shows(&values_of(body, &field));
        let Some(exchange) = self.effect(&ended, look.clone(), holds, &mut words).await? else {
            self.open(about, words);
            return Ok(None);
        };
        let (body, _) = self.read(look).await?;
        let now = body
            .map(|body| values_of(&body, &field))
            .unwrap_or_default();
        debug_assert!(!matches!(ended, Ended::Refused(_)), "it had an effect");
        Ok(Some((now, exchange)))
    }

    async fn clear_alone(&mut self, customer: &Customer) -> Result<(), Stopped> {
        let about = "a single detail call with no values";
        let field = self.named(LIST);
        let set = |values: &[&str]| {
            Inquiry::to(Endpoint::SetCustomerDetail)
                .of(&customer.id)
                .query(query::FIELD_NAME, field.as_str())
                .body(json!({ keys::VALUES: values }))
        };
        let (fill, clear) = (set(&OPTIONS[..1]), set(&[]));
        let look = Inquiry::to(Endpoint::GetCustomerProfile).of(&customer.id);
        for (inquiry, wanted, last) in [(fill, &OPTIONS[..1], false), (clear, &[][..], true)] {
            let exchange = self.ask(inquiry).await?;
            if let Some(words) = refusal(&exchange) {
                self.open(about, words);
                return Ok(());
            }
            let shown = self
                .until(self.settling(), async |session: &mut Self| {
                    let (body, _) = session.read(look.clone()).await?;
                    Ok(body.filter(|body| values_of(body, &field) == wanted))
                })
                .await?;
            match (shown, last) {
                (Some(_), true) => self.seen(about, "clears it".to_owned(), &exchange),
                (Some(_), false) => {}
                (None, _) => {
                    let line = exchange.line(&self.ours());
                    self.open(about, format!("no effect; {line}"));
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
