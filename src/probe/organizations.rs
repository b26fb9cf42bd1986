//! Organizations: made, fetched, and written in bulk by every name that may be right.

use super::made::Kind;
use super::session::{Ended, Session, Stopped, ids_in, list_with, refusal, values_of};
use super::shown::Exchange;
use crate::api::contract::{Endpoint, Name, answer, keys, query};
use crate::api::raw::Inquiry;
use crate::model::entity::Owner;
use serde_json::{Value, json};

/// A test organization.
#[derive(Debug, Clone)]
pub(super) struct Organization {
    pub(super) id: String,
    pub(super) name: String,
}

/// The detail field that holds one text.
pub(super) const KEY: &str = "key";
/// The detail field that holds several of [`OPTIONS`].
pub(super) const LIST: &str = "list";
/// Its options.
pub(super) const OPTIONS: [&str; 2] = ["a", "b"];
/// What is said of a name that was taken and did nothing.
const IN_VAIN: &str = "accepted, and does nothing";

impl Session<'_> {
    /// Makes the detail fields that later questions need.
    pub(super) async fn make_fields(&mut self) -> Result<(), Stopped> {
        for (owner, endpoint, what, kind) in [
            (
                Owner::Customer,
                Endpoint::CreateCustomerDetailField,
                KEY,
                json!({ keys::NAME: "TEXT" }),
            ),
            (
                Owner::Customer,
                Endpoint::CreateCustomerDetailField,
                LIST,
                json!({ keys::NAME: "MULTISELECT", (answer::OPTIONS): OPTIONS }),
            ),
            (
                Owner::Organization,
                Endpoint::CreateOrganizationDetailField,
                KEY,
                json!({ keys::NAME: "TEXT" }),
            ),
        ] {
            let name = self.named(what);
            let body = json!({ keys::NAME: name, (answer::TYPE): kind });
            let inquiry = Inquiry::to(endpoint).body(body);
            let (_, exchange) = self.make(Kind::Field(owner), name, inquiry).await?;
            if let Some(words) = refusal(&exchange) {
                self.open("a detail field for the probe", words);
            }
        }
        Ok(())
    }

    /// Whether the probe has this field.
    pub(super) fn has_field(&self, owner: Owner, what: &str) -> bool {
        let name = self.named(what);
        let mut made = self.made.iter();
        made.any(|thing| thing.kind == Kind::Field(owner) && thing.name == name && thing.may_exist)
    }

    /// Makes two organizations and asks everything about them alone.
    pub(super) async fn organizations(&mut self) -> Result<Vec<Organization>, Stopped> {
        let mut made = Vec::new();
        for what in ["one", "two"] {
            made.extend(self.make_organization(what).await?);
        }
        let [first, second] = &made[..] else {
            return Ok(made);
        };
        let begun = self.clock.instant();
        let look = Inquiry::to(Endpoint::GetOrganization).of(&second.id);
        let seen = self
            .until(self.setup.patience, async |session: &mut Self| {
                let (body, exchange) = session.read(look.clone()).await?;
                Ok(body.map(|_| exchange))
            })
            .await?;
        self.note_lag("how soon a new organization is read", begun, seen);
        self.fetches(first, second).await?;
        let mut first = first.clone();
        self.bulk_organizations(&mut first).await?;
        self.bulk_organization_details(&first).await?;
        made[0] = first;
        Ok(made)
    }

    /// Remembers how long it took until a write was seen.
    pub(super) fn note_lag(
        &mut self,
        about: &'static str,
        begun: std::time::Instant,
        seen: Option<Exchange>,
    ) {
        let lag = self.since(begun);
        match seen {
            None => self.open(about, format!("not within {lag:.1?}")),
            Some(exchange) => {
                self.lag = self.lag.max(lag);
                self.seen(about, format!("after {lag:.1?}"), &exchange);
            }
        }
    }

    async fn make_organization(&mut self, what: &str) -> Result<Option<Organization>, Stopped> {
        let name = self.named(what);
        let mut words = String::new();
        for endpoint in [
            Endpoint::CreateOrganization,
            Endpoint::CreateOrganizationProfile,
        ] {
            let inquiry = Inquiry::to(endpoint).body(json!({ keys::NAME: name }));
            let (id, exchange) = self.make(Kind::Organization, name.clone(), inquiry).await?;
            if let Some(id) = id {
                return Ok(Some(Organization { id, name }));
            }
            words = exchange.line(&self.ours());
            // a second one of the same name would not be told from the first
            if !matches!(&exchange.answer, Err(error) if !error.may_be_applied()) {
                break;
            }
        }
        self.open("how an organization is created", words);
        Ok(None)
    }

    async fn fetches(
        &mut self,
        first: &Organization,
        second: &Organization,
    ) -> Result<(), Stopped> {
        let endpoint = Endpoint::FetchOrganizations;
        let names = Name::FetchOrganizationNames;
        let about = "organization/fetch by names";
        let found = self.fetch(about, endpoint, names, &first.name, first, second);
        if let Some(list) = found.await? {
            self.learn(Name::FetchedOrganizations, &list);
        }
        let ids = Name::FetchOrganizationIds;
        let about = "organization/fetch by ids";
        let found = self.fetch(about, endpoint, ids, &first.id, first, second);
        if let Some(list) = found.await? {
            self.learn(Name::FetchedOrganizations, &list);
        }
        let endpoint = Endpoint::FetchOrganizationProfiles;
        let ids = Name::FetchOrganizationProfileIds;
        let about = "organization/profile/fetch";
        let found = self.fetch(about, endpoint, ids, &first.id, first, second);
        if let Some(list) = found.await? {
            self.learn(Name::FetchedOrganizationProfiles, &list);
        }
        Ok(())
    }

    /// Fetches the first of two organizations under every name that may be right; gives the key of the answer's list. A
    /// key that the site does not look at would bring the second one too, or none.
    async fn fetch(
        &mut self,
        about: &'static str,
        endpoint: Endpoint,
        name: Name,
        wanted: &str,
        first: &Organization,
        second: &Organization,
    ) -> Result<Option<String>, Stopped> {
        let mut words = String::new();
        for key in self.candidates(name) {
            let inquiry = Inquiry::to(endpoint).body(json!({ key.as_str(): [wanted] }));
            let found = self
                .until(self.settling(), async |session: &mut Self| {
                    let (body, exchange) = session.read(inquiry.clone()).await?;
                    words = exchange.line(&session.ours());
                    let list = body.and_then(|body| {
                        let list = list_with(&body, &first.id)?;
                        let others = ids_in(body.get(&list));
                        (!others.contains(&second.id)).then_some(list)
                    });
                    // to ask again what was refused is of no use
                    let refused = exchange.answer.is_err();
                    Ok((list.is_some() || refused).then_some((list, exchange)))
                })
                .await?;
            if let Some((Some(list), exchange)) = found {
                self.learn(name, &key);
                let answer = format!("{key:?}, answered in {list:?}");
                self.seen(about, answer, &exchange);
                return Ok(Some(list));
            }
        }
        self.open(about, format!("no name that was tried works; last {words}"));
        Ok(None)
    }

    async fn bulk_organizations(&mut self, organization: &mut Organization) -> Result<(), Stopped> {
        let about = "organization/bulk";
        let name = self.named("one renamed");
        let mut words = String::new();
        for key in self.candidates(Name::Organizations) {
            let payload = json!({ keys::ORGANIZATION_ID: organization.id, (keys::NAME): name });
            let item = json!({ keys::OPERATION: "UPDATE", (keys::PAYLOAD): payload });
            let body = json!({ key.as_str(): [item] });
            let ended = self.bulk(Endpoint::BulkOrganizations, body).await?;
            let look = Inquiry::to(Endpoint::GetOrganization).of(&organization.id);
            let renamed = |body: &Value| body.get(keys::NAME) == Some(&Value::from(name.as_str()));
            if let Some(exchange) = self.effect(&ended, look, renamed, &mut words).await? {
                self.learn(Name::Organizations, &key);
                self.seen(about, format!("the list is {key:?}"), &exchange);
                organization.name = name;
                return Ok(());
            }
            if let Ended::Stuck(_) = ended {
                break;
            }
        }
        self.open(about, words);
        Ok(())
    }

    async fn bulk_organization_details(
        &mut self,
        organization: &Organization,
    ) -> Result<(), Stopped> {
        let about = "organization/details/bulk";
        if !self.has_field(Owner::Organization, KEY) {
            self.open(about, "there is no detail field to try it with");
            return Ok(());
        }
        let (field, value) = (self.named(KEY), self.setup.tag());
        let mut words = String::new();
        for list in self.candidates(Name::OrganizationDetails) {
            for id in self.candidates(Name::OrganizationDetailsId) {
                let payload = json!({ keys::NAME: field, (keys::VALUES): [value] });
                let operation = json!({ keys::OPERATION: "UPDATE", (keys::PAYLOAD): payload });
                let item = json!({ id.as_str(): organization.id, (keys::OPERATIONS): [operation] });
                let body = json!({ list.as_str(): [item] });
                let ended = self.bulk(Endpoint::BulkOrganizationDetails, body).await?;
                let look = Inquiry::to(Endpoint::GetOrganization).of(&organization.id);
                let set = |body: &Value| values_of(body, &field) == [value.as_str()];
                if let Some(exchange) = self.effect(&ended, look, set, &mut words).await? {
                    self.learn(Name::OrganizationDetails, &list);
                    self.learn(Name::OrganizationDetailsId, &id);
                    let answer = format!("the list is {list:?}, its items are named by {id:?}");
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

    /// Whether a bulk request had an effect, as a read shows it; gives the submission then, and else says why not.
    pub(super) async fn effect(
        &mut self,
        ended: &Ended,
        look: Inquiry,
        holds: impl Fn(&Value) -> bool,
        words: &mut String,
    ) -> Result<Option<Exchange>, Stopped> {
        let submitted = match ended {
            Ended::Refused(exchange) => {
                // what was taken in vain says more than that another name is unknown
                if !words.starts_with(IN_VAIN) {
                    *words = format!("refused; last {}", exchange.line(&self.ours()));
                }
                return Ok(None);
            }
            Ended::Stuck(why) => {
                words.clone_from(why);
                return Ok(None);
            }
            Ended::Task { submitted, .. } => submitted,
        };
        let held = self
            .until(self.settling(), async |session: &mut Self| {
                let (body, _) = session.read(look.clone()).await?;
                Ok(body.filter(|body| holds(body)))
            })
            .await?;
        if held.is_some() {
            let Ok(answer) = &submitted.answer else {
                return Ok(None);
            };
            return Ok(Some(Exchange {
                inquiry: submitted.inquiry.clone(),
                answer: Ok(answer.clone()),
                showed: true,
            }));
        }
        if let Ended::Task { shown, .. } = ended
            && !words.starts_with(IN_VAIN)
        {
            *words = format!(
                "{IN_VAIN}; {}; its task: {}",
                submitted.line(&self.ours()),
                shown.came(&self.ours())
            );
        }
        Ok(None)
    }

    /// Whether organizations can be listed where they cannot be fetched.
    pub(super) async fn organization_list(&mut self) -> Result<(), Stopped> {
        let about = "the service desk's list of organizations";
        let inquiry = Inquiry::to(Endpoint::ListServiceDeskOrganizations)
            .query(query::START, "0")
            .query(query::LIMIT, "1");
        let (body, exchange) = self.read(inquiry).await?;
        if body.is_some() {
            let fetched = "organization/fetch by names";
            let by_name = self.findings.iter().any(|finding| {
                finding.about == fetched && matches!(finding.told, super::Told::Seen { .. })
            });
            self.contract.organization_list |= !by_name;
            self.seen(about, "answers".to_owned(), &exchange);
        } else {
            self.contract.organization_list = false;
            self.open(about, refusal(&exchange).unwrap_or_default());
        }
        Ok(())
    }
}
