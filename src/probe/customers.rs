//! Customers: made, written in bulk, put into organizations, found by a value.

use super::made::Kind;
use super::organizations::{KEY, Organization};
use super::session::{Ended, Session, Stopped, ids_in, list_with, refusal};
use crate::api::contract::{Endpoint, IdForm, Name, answer, fallback, keys, query};
use crate::api::raw::Inquiry;
use crate::model::entity::Owner;
use serde_json::{Value, json};
use std::time::Instant;

/// A test customer.
#[derive(Debug, Clone)]
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) email: String,
    /// When it was made.
    pub(super) made: Instant,
}

impl Session<'_> {
    /// Makes a customer.
    pub(super) async fn customer(&mut self) -> Result<Option<Customer>, Stopped> {
        let email = self.setup.email();
        let mut account =
            json!({ keys::EMAIL: email, (keys::DISPLAY_NAME): self.named("customer") });
        let plain = Inquiry::to(Endpoint::CreateCustomerAccount).body(account.clone());
        if self.has_field(Owner::Customer, KEY) {
            account[keys::DETAILS] =
                json!([{ keys::NAME: self.named(KEY), (keys::VALUES): [self.setup.tag()] }]);
        }
        let profile = Inquiry::to(Endpoint::CreateCustomerProfile).body(account);
        for (about, inquiry) in [
            ("customer/profile by single call", profile),
            ("customer by single call", plain),
        ] {
            let made = self.clock.instant();
            let (id, exchange) = self.make(Kind::Customer, email.clone(), inquiry).await?;
            let Some(id) = id else {
                self.open(about, exchange.line(&self.ours()));
                // a second one could not be told from the first
                if matches!(&exchange.answer, Err(error) if !error.may_be_applied()) {
                    continue;
                }
                return Ok(None);
            };
            self.seen(about, "creates a customer".to_owned(), &exchange);
            let look = Inquiry::to(Endpoint::GetCustomerProfile).of(&id);
            let seen = self
                .until(self.setup.patience, async |session: &mut Self| {
                    let (body, exchange) = session.read(look.clone()).await?;
                    Ok(body.map(|_| exchange))
                })
                .await?;
            self.note_lag("how soon a new customer is read", made, seen);
            return Ok(Some(Customer { id, email, made }));
        }
        Ok(None)
    }

    /// The lists of the bulk requests that write customers.
    pub(super) async fn customer_writes(&mut self, customer: &Customer) -> Result<(), Stopped> {
        for (about, endpoint, name, display_name, key) in [
            (
                "customer/profile/bulk",
                Endpoint::BulkCustomerProfiles,
                Name::CustomerProfiles,
                self.named("customer, by its profile"),
                json!({ keys::EMAIL: customer.email }),
            ),
            (
                "customer/bulk",
                Endpoint::BulkCustomerAccounts,
                Name::CustomerAccounts,
                self.named("customer, by its account"),
                json!({ keys::CUSTOMER_ID: customer.id, (keys::EMAIL): customer.email }),
            ),
        ] {
            let mut payload = key;
            payload[keys::DISPLAY_NAME] = display_name.as_str().into();
            let mut words = String::new();
            let mut known = false;
            for list in self.candidates(name) {
                let body = json!({ list.as_str(): [update(&payload)] });
                let ended = self.bulk(endpoint, body).await?;
                let look = Inquiry::to(Endpoint::GetCustomerProfile).of(&customer.id);
                let named = |body: &Value| {
                    body.get(keys::DISPLAY_NAME) == Some(&Value::from(display_name.as_str()))
                };
                if let Some(exchange) = self.effect(&ended, look, named, &mut words).await? {
                    self.learn(name, &list);
                    self.seen(about, format!("the list is {list:?}"), &exchange);
                    known = true;
                    break;
                }
                if let Ended::Stuck(_) = ended {
                    break;
                }
            }
            if !known {
                self.open(about, words);
            }
        }
        Ok(())
    }

    /// Whether profiles put customers into organizations, how, and what else does.
    pub(super) async fn memberships(
        &mut self,
        customer: &Customer,
        organizations: &[Organization],
    ) -> Result<(), Stopped> {
        let about = "organizations of a customer profile";
        let [first, second] = organizations else {
            self.open(about, "there are no organizations to try it with");
            return Ok(());
        };
        let mut words = String::new();
        let mut arrives = false;
        'names: for name in self.candidates(Name::AssociateOrganizations) {
            for form in self.forms() {
                let ended = self.associate(customer, &name, form, first).await?;
                let look = Inquiry::to(Endpoint::GetCustomerProfile).of(&customer.id);
                let member =
                    |body: &Value| ids_in(body.get(answer::ORGANIZATIONS)).contains(&first.id);
                if let Some(exchange) = self.effect(&ended, look, member, &mut words).await? {
                    self.learn(Name::AssociateOrganizations, &name);
                    self.contract.organization_ids = form;
                    let written = match form {
                        IdForm::String => "texts",
                        IdForm::Number => "numbers",
                    };
                    self.seen(about, format!("{name:?}, ids as {written}"), &exchange);
                    arrives = true;
                    break 'names;
                }
                if let Ended::Stuck(_) = ended {
                    break 'names;
                }
            }
        }
        if arrives {
            self.second_membership(customer, first, second).await?;
        } else {
            self.open(about, words);
        }
        self.fallback_membership(customer, second, arrives).await
    }

    /// Which form to try first: the one that is believed.
    fn forms(&self) -> [IdForm; 2] {
        match self.contract.organization_ids {
            IdForm::String => [IdForm::String, IdForm::Number],
            IdForm::Number => [IdForm::Number, IdForm::String],
        }
    }

    async fn associate(
        &mut self,
        customer: &Customer,
        name: &str,
        form: IdForm,
        organization: &Organization,
    ) -> Result<Ended, Stopped> {
        let id = match (form, organization.id.parse::<u64>()) {
            (IdForm::Number, Ok(number)) => json!(number),
            _ => json!(organization.id),
        };
        let list = json!({ keys::ORGANIZATION_IDS: [id] });
        let payload = json!({ keys::EMAIL: customer.email, name: list });
        let key = self.contract.name(Name::CustomerProfiles).to_owned();
        let body = json!({ key.as_str(): [update(&payload)] });
        self.bulk(Endpoint::BulkCustomerProfiles, body).await
    }

    async fn second_membership(
        &mut self,
        customer: &Customer,
        first: &Organization,
        second: &Organization,
    ) -> Result<(), Stopped> {
        let about = "a second organization of a customer";
        let name = self.contract.name(Name::AssociateOrganizations).to_owned();
        let form = self.contract.organization_ids;
        let ended = self.associate(customer, &name, form, second).await?;
        let look = Inquiry::to(Endpoint::GetCustomerProfile).of(&customer.id);
        let member = |body: &Value| ids_in(body.get(answer::ORGANIZATIONS)).contains(&second.id);
        let mut words = String::new();
        let Some(exchange) = self
            .effect(&ended, look.clone(), member, &mut words)
            .await?
        else {
            self.open(about, words);
            return Ok(());
        };
        let (body, _) = self.read(look).await?;
        let both =
            body.is_some_and(|body| ids_in(body.get(answer::ORGANIZATIONS)).contains(&first.id));
        let answer = if both {
            "is added to the first: associations add"
        } else {
            "takes the first one's place: associations replace"
        };
        self.seen(about, answer.to_owned(), &exchange);
        Ok(())
    }

    /// The service desk's way into an organization, tried with one of its own.
    async fn fallback_membership(
        &mut self,
        customer: &Customer,
        second: &Organization,
        works: bool,
    ) -> Result<(), Stopped> {
        let about = "membership through the service desk";
        let other = if works {
            match self.make_third().await? {
                Some(other) => other,
                None => return Ok(()),
            }
        } else {
            second.clone()
        };
        let inquiry = Inquiry::to(Endpoint::AddServiceDeskOrganizationUsers)
            .of(&other.id)
            .body(json!({ fallback::ACCOUNT_IDS: [customer.id] }));
        let exchange = self.ask(inquiry).await?;
        if let Some(words) = refusal(&exchange) {
            self.open(about, words);
            return Ok(());
        }
        let look = Inquiry::to(Endpoint::GetCustomerProfile).of(&customer.id);
        let joined = self
            .until(self.settling(), async |session: &mut Self| {
                let (body, _) = session.read(look.clone()).await?;
                Ok(body.filter(|body| ids_in(body.get(answer::ORGANIZATIONS)).contains(&other.id)))
            })
            .await?;
        if joined.is_some() {
            self.contract.membership |= !works;
            let answer = if works {
                "works, and is not needed, as associations arrive"
            } else {
                "works"
            };
            self.seen(about, answer.to_owned(), &exchange);
        } else {
            self.open(about, format!("no effect; {}", exchange.line(&self.ours())));
        }
        Ok(())
    }

    async fn make_third(&mut self) -> Result<Option<Organization>, Stopped> {
        let name = self.named("three");
        let inquiry = Inquiry::to(Endpoint::CreateOrganization).body(json!({ keys::NAME: name }));
        let (id, _) = self.make(Kind::Organization, name.clone(), inquiry).await?;
        Ok(id.map(|id| Organization { id, name }))
    }

    /// Whether a customer is found by a value of a detail field, and how soon.
    pub(super) async fn search(&mut self, customer: &Customer) -> Result<(), Stopped> {
        let about = "customer/search-by-detail-field";
        if !self.has_field(Owner::Customer, KEY) {
            self.open(about, "there is no detail field to try it with");
            return Ok(());
        }
        let (field, value) = (self.named(KEY), self.setup.tag());
        // a customer that was made as an account has no value yet
        let set = Inquiry::to(Endpoint::SetCustomerDetail)
            .of(&customer.id)
            .query(query::FIELD_NAME, field.as_str())
            .body(json!({ keys::VALUES: [value] }));
        let begun = self.clock.instant();
        self.ask(set).await?;
        let inquiry = Inquiry::to(Endpoint::SearchCustomersByDetailField)
            .query(query::PAGE, "0")
            .query(query::MAX_RESULTS, "10")
            .body(json!({ keys::DETAIL_FIELDS: [{ keys::NAME: field, (keys::VALUE): value }] }));
        let mut words = String::new();
        let found = self
            .until(self.setup.patience, async |session: &mut Self| {
                let (body, exchange) = session.read(inquiry.clone()).await?;
                words = exchange.line(&session.ours());
                let list = body.and_then(|body| list_with(&body, &customer.id));
                let refused = exchange.answer.is_err();
                Ok((list.is_some() || refused).then_some((list, exchange)))
            })
            .await?;
        match found {
            Some((Some(list), exchange)) => {
                let took = self.since(begun);
                self.learn(Name::FoundCustomers, &list);
                let answer = format!("answers in {list:?}, after {took:.1?}");
                self.seen(about, answer, &exchange);
            }
            Some((None, _)) | None => self.open(about, words),
        }
        Ok(())
    }
}

/// A bulk item that changes a record and never makes one.
pub(super) fn update(payload: &Value) -> Value {
    json!({ keys::OPERATION: "UPDATE", (keys::PAYLOAD): payload })
}
