//! What requests and tasks say of what they did not do.

use super::made::{Kind, Thing};
use super::organizations::Organization;
use super::session::{Ended, Session, Stopped, id_of};
use crate::api::contract::{Endpoint, Name, ORGANIZATION_PROFILES, answer, keys};
use crate::api::raw::Inquiry;
use crate::model::reply::ErrorClass;
use serde_json::{Value, json};

/// How a failure names an item that has no id.
fn naming(failure: &Value, name: &str, field: &str) -> &'static str {
    let id = failure.get(answer::ENTITY_ID).and_then(Value::as_str);
    let parts = failure.get(answer::OPERATED_ON_IDS).map(Value::to_string);
    let by_field = parts.is_some_and(|parts| parts.contains(field));
    match id {
        Some(id) if id == name => "by its name",
        Some(id) if !id.trim().is_empty() => "by an id of its own",
        _ if by_field => "by the detail field alone",
        _ => "not at all",
    }
}

impl Session<'_> {
    /// One good and one bad item in a request: whether the good one is written, and how the other is named. The bad one
    /// asks for a new organization with a detail field that does not exist.
    pub(super) async fn failures(&mut self, organization: &Organization) -> Result<(), Stopped> {
        let (about, about_naming) = (
            "one bad item of a bulk request",
            "how a failed create is named",
        );
        let (ghost, field) = (
            self.named("that should fail"),
            self.named("that is missing"),
        );
        let renamed = self.named("one beside a bad item");
        let good = json!({ keys::ORGANIZATION_ID: organization.id, (keys::NAME): renamed });
        let detail = json!({ keys::NAME: field, (keys::VALUES): ["x"] });
        let bad = json!({ keys::NAME: ghost, (keys::DETAILS): [detail] });
        let good = json!({ keys::OPERATION: "UPDATE", (keys::PAYLOAD): good });
        let bad = json!({ keys::OPERATION: "CREATE", (keys::PAYLOAD): bad });
        let body = json!({ ORGANIZATION_PROFILES: [good, bad] });
        let place = self.made.len();
        self.made.push(Thing {
            kind: Kind::Organization,
            name: ghost.clone(),
            id: None,
            may_exist: true,
        });
        let ended = self.bulk(Endpoint::BulkOrganizationProfiles, body).await?;
        let (submitted, shown) = match ended {
            Ended::Stuck(why) => {
                self.open(about, why);
                return Ok(());
            }
            Ended::Refused(exchange) => {
                let refused =
                    matches!(&exchange.answer, Err(error) if error.class == ErrorClass::Refused);
                self.made[place].may_exist = !refused;
                let alone = json!({ ORGANIZATION_PROFILES: [good] });
                let alone = self.bulk(Endpoint::BulkOrganizationProfiles, alone).await?;
                if refused && matches!(alone, Ended::Task { .. }) {
                    let answer = "refuses the whole request".to_owned();
                    self.seen(about, answer, &exchange);
                    self.open(about_naming, "requests with such an item are refused");
                } else {
                    // for some other reason, as it seems
                    self.open(about, exchange.line(&self.ours()));
                }
                return Ok(());
            }
            Ended::Task { submitted, shown } => (submitted, shown),
        };
        if self.find_ghost(&ghost, place).await? {
            let why = "a detail field that does not exist is no failure here";
            self.open(about, why);
            self.open(about_naming, why);
            return Ok(());
        }
        let look = Inquiry::to(Endpoint::GetOrganization).of(&organization.id);
        let good = self
            .until(self.settling(), async |session: &mut Self| {
                let (body, _) = session.read(look.clone()).await?;
                let name = body
                    .as_ref()
                    .and_then(|body| body.get(keys::NAME)?.as_str());
                Ok((name == Some(&renamed)).then_some(()))
            })
            .await?;
        let answer = match good {
            Some(()) => "fails alone, in its task",
            None => "fails with the good one beside it, in their task",
        };
        self.seen(about, answer.to_owned(), &submitted);
        let failures = shown
            .body()
            .and_then(|body| body.get(answer::FAILURES)?.as_array());
        // of several, the one that mentions it
        let ours = |failure: &&Value| {
            let text = failure.to_string();
            text.contains(&ghost) || text.contains(&field)
        };
        let failure = failures.and_then(|all| all.iter().find(ours).or(all.first()));
        if let Some(failure) = failure {
            // the task's own word, and it was not found either
            self.made[place].may_exist = false;
            let answer = naming(failure, &ghost, &field).to_owned();
            self.seen(about_naming, answer, &shown);
        } else {
            let line = shown.came(&self.ours());
            self.open(about_naming, format!("the task shows no failure: {line}"));
        }
        Ok(())
    }

    /// Whether the organization that should have failed was made.
    async fn find_ghost(&mut self, ghost: &str, place: usize) -> Result<bool, Stopped> {
        let key = self.contract.name(Name::FetchOrganizationNames).to_owned();
        let list = self.contract.name(Name::FetchedOrganizations).to_owned();
        let inquiry =
            Inquiry::to(Endpoint::FetchOrganizations).body(json!({ key.as_str(): [ghost] }));
        let found = self
            .until(self.settling(), async |session: &mut Self| {
                let (body, _) = session.read(inquiry.clone()).await?;
                let items = body.and_then(|body| body.get(&list)?.as_array().cloned());
                let mut items = items.into_iter().flatten();
                Ok(items.find(|item| item.get(keys::NAME).and_then(Value::as_str) == Some(ghost)))
            })
            .await?;
        self.made[place].id = found.as_ref().and_then(id_of);
        Ok(found.is_some())
    }

    /// The same idempotency key twice: with the same body, and with another.
    pub(super) async fn reused_key(&mut self, organization: &Organization) -> Result<(), Stopped> {
        let about = "a key with another body";
        let request = |name: &str| {
            let payload = json!({ keys::ORGANIZATION_ID: organization.id, (keys::NAME): name });
            let item = json!({ keys::OPERATION: "UPDATE", (keys::PAYLOAD): payload });
            let inquiry = Inquiry::to(Endpoint::BulkOrganizationProfiles);
            inquiry.body(json!({ ORGANIZATION_PROFILES: [item] }))
        };
        let key = self.key();
        let mut first = request(&organization.name);
        first.key = Some(key.clone());
        let submitted = self.ask(first.clone()).await?;
        let Some(task) = submitted.body().and_then(id_of) else {
            self.open(about, submitted.line(&self.ours()));
            return Ok(());
        };
        let repeated = self.ask(first).await?;
        let same = repeated.body().and_then(id_of).as_deref() == Some(task.as_str());
        let answer = if same {
            "gives the same task"
        } else {
            "does not give the same task"
        };
        self.seen("a key with the same body", answer.to_owned(), &repeated);
        let mut other = request(&self.named("one, under a used key"));
        other.key = Some(key);
        let exchange = self.ask(other).await?;
        let status = exchange.answer.as_ref().map_err(|error| error.status);
        match status {
            Ok(_) => self.seen(about, "is accepted".to_owned(), &exchange),
            Err(Some(status)) => {
                self.seen(about, format!("is refused with {status}"), &exchange);
            }
            Err(None) => self.open(about, exchange.line(&self.ours())),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_its_item_in_one_of_four_ways() {
        let of = |failure: Value| naming(&failure, "probe x", "probe f");
        assert_eq!(of(json!({ "entityId": "probe x" })), "by its name");
        assert_eq!(of(json!({ "entityId": "17" })), "by an id of its own");
        let field = json!({ "entityId": null, "operatedOnIds": ["probe f"] });
        assert_eq!(of(field), "by the detail field alone");
        assert_eq!(of(json!({ "entityId": "" })), "not at all");
        assert_eq!(of(json!({})), "not at all");
    }
}
