//! What the site has against single records: a function of the seed and the natural key, and of nothing else, so that
//! a record meets the same verdict in bulk and alone, in whatever order and however often it is sent.

use super::entity::Entity;
use super::failure::Failure;
use super::item::Wanted;
use crate::sandbox::policy::{Dice, Existing, FailureNames, Policy, Share};

/// Verdicts that come from the policy instead of the rules.
#[derive(Debug, Clone, Default)]
pub(in crate::sandbox) struct Temper {
    dice: Dice,
    poison: Share,
    words: String,
    ignored: Share,
    /// A profile's organizations take the place of those that are there.
    pub(super) replaces_organizations: bool,
    /// UPDATE adds to several values.
    pub(super) adds_values: bool,
}

impl Temper {
    /// That of a policy.
    pub(in crate::sandbox) fn of(policy: &Policy) -> Self {
        Self {
            dice: policy.dice(),
            poison: policy.poison,
            words: policy.poison_words.clone(),
            ignored: policy.ignored_associations,
            replaces_organizations: policy.associations_there == Existing::Goes,
            adds_values: policy.values_there == Existing::Stays,
        }
    }

    /// The words with which the record of this natural key, folded, is refused.
    pub(super) fn refuses(&self, entity: Entity, key: &str) -> Option<&str> {
        self.holds(self.poison, "poison", entity.name(), key)
            .then_some(&*self.words)
    }

    /// The words with which the definition of a detail field is refused.
    pub(super) fn refuses_field(&self, entity: Entity, name: &str) -> Option<&str> {
        self.holds(self.poison, "poison", entity.field_name(), name)
            .then_some(&*self.words)
    }

    /// Whether associations with the record of this natural key, folded, do nothing.
    pub(super) fn ignores_associations(&self, entity: Entity, key: &str) -> bool {
        self.holds(self.ignored, "ignored_associations", entity.name(), key)
    }

    fn holds(&self, share: Share, about: &str, kind: &str, key: &str) -> bool {
        // most policies have nothing against anybody
        share.is_some() && share.holds(self.dice.roll(about, &who(kind, key)))
    }
}

/// A record or field, for the dice.
fn who(kind: &str, key: &str) -> Vec<u8> {
    [kind.as_bytes(), b"/", key.as_bytes()].concat()
}

/// Renames the record of failures as the policy wants it named; an empty id is none.
pub(super) fn rename(policy: &Policy, wanted: &Wanted, failures: &mut [Failure]) {
    const WAYS: [FailureNames; 5] = [
        FailureNames::AsSent,
        FailureNames::Id,
        FailureNames::Key,
        FailureNames::Field,
        FailureNames::None,
    ];
    for failure in failures {
        let names = match policy.failure_names {
            FailureNames::Mixed => {
                let who = who(failure.entity.name(), &failure.id);
                let way = policy.dice().number("failure_names", &who) % 5;
                WAYS[usize::try_from(way).unwrap_or(0)]
            }
            names => names,
        };
        match names {
            FailureNames::AsSent | FailureNames::Mixed => {}
            FailureNames::Id => {
                if wanted.id().is_none() && wanted.name() == Some(&failure.id) {
                    failure.id.clear();
                }
            }
            FailureNames::Key => {
                if let Some(name) = wanted.name() {
                    name.clone_into(&mut failure.id);
                }
            }
            FailureNames::Field => failure.id.clear(),
            FailureNames::None => {
                failure.id.clear();
                failure.parts.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::{Field, FieldEdit, FieldKind};
    use super::super::item::Verb;
    use super::super::{Bulk, Contract, Item, Site, Submission};
    use super::*;
    use crate::sandbox::policy::OneBadItem;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;
    use uuid::Uuid;

    fn policy() -> Policy {
        Policy {
            poison: Share::per_mille(300),
            ignored_associations: Share::per_mille(300),
            ..Policy::default()
        }
    }

    fn site(policy: &Policy) -> Site {
        let mut site = Site::new(Uuid::nil());
        let acme = Item::create("Acme Ltd".to_owned());
        site.write(0, Entity::Organization, &acme).unwrap();
        site.set_temper(Temper::of(policy));
        site
    }

    fn read(key: &str, body: &str) -> Submission {
        let bulk = Bulk::CustomerProfiles;
        Submission::read(&Contract::default(), bulk, key.to_owned(), body.as_bytes())
    }

    fn item(email: &str) -> Value {
        json!({ "operationType": "UPSERT", "payload": {
            "email": email, "associateOrganizations": { "organizationIds": ["1"] } } })
    }

    /// Loads customers in requests of some size; the keys of those who are there, and of those in an organization.
    fn load(policy: &Policy, emails: &[String], size: usize) -> [BTreeSet<String>; 2] {
        let mut tempered = site(policy);
        for (n, emails) in (0..).zip(emails.chunks(size)) {
            let items: Vec<_> = emails.iter().map(|email| item(email)).collect();
            let body = json!({ "customerProfiles": items }).to_string();
            let submission = read(&format!("{n}"), &body);
            tempered.submit(policy, n * 1000, submission).unwrap();
            tempered.advance(policy, n * 1000 + 999);
        }
        let list = tempered.list(Entity::Customer, None, 10_000);
        let all = list["results"].as_array().unwrap();
        let key = |record: &Value| record["key"].as_str().unwrap().to_owned();
        let member = |record: &&Value| record["organizations"] != json!([]);
        [
            all.iter().map(key).collect(),
            all.iter().filter(member).map(key).collect(),
        ]
    }

    #[test]
    fn verdicts_hang_on_seed_and_natural_key_alone() {
        let mut emails: Vec<_> = (0..300).map(|n| format!("c{n}@x.example")).collect();
        let first = load(&policy(), &emails, 100);
        let [written, members] = &first;
        assert!((180..240).contains(&written.len()), "{}", written.len());
        assert!((120..180).contains(&members.len()), "{}", members.len());
        // in another order, spelling, and cut
        emails.reverse();
        for email in &mut emails {
            *email = email.to_uppercase();
        }
        assert_eq!(load(&policy(), &emails, 7), first);
        let other = Policy {
            random_seed: 1,
            ..policy()
        };
        assert_ne!(load(&other, &emails, 100), first);
        // alone as well
        let mut site = site(&policy());
        for email in &emails {
            let alone = site.write(0, Entity::Customer, &Item::create(email.clone()));
            assert_eq!(
                alone.is_ok(),
                written.contains(&email.to_lowercase()),
                "{email}"
            );
        }
    }

    #[test]
    fn what_was_there_stays_or_goes() {
        for (policy, expected) in [
            (Policy::default(), vec!["1", "2"]),
            (
                Policy {
                    associations_there: Existing::Goes,
                    ..Policy::default()
                },
                vec!["2"],
            ),
        ] {
            let mut site = site(&policy);
            let other = Item::create("Other Ltd".to_owned());
            site.write(0, Entity::Organization, &other).unwrap();
            let mut item = Item::create("ana@x.example".to_owned());
            item.organizations = vec!["1".to_owned()];
            site.write(0, Entity::Customer, &item).unwrap();
            item.operation = crate::model::entity::Operation::Update;
            item.organizations = vec!["2".to_owned()];
            site.write(0, Entity::Customer, &item).unwrap();
            // a profile that names none leaves them alone
            item.organizations = Vec::new();
            site.write(0, Entity::Customer, &item).unwrap();
            let list = site.list(Entity::Customer, None, 10);
            let organizations = list["results"][0]["organizations"].as_array().unwrap();
            let ids: Vec<_> = organizations
                .iter()
                .map(|organization| organization["id"].as_str().unwrap())
                .collect();
            assert_eq!(ids, expected);
        }
    }

    /// Everything is refused, but was written before.
    fn poisoned() -> (Site, Policy) {
        let policy = Policy {
            poison: Share::ALL,
            poison_words: "No, thanks".to_owned(),
            ..Policy::default()
        };
        let mut site = site(&Policy::default());
        let ana = Item::create("ana@x.example".to_owned());
        site.write(0, Entity::Customer, &ana).unwrap();
        site.create_product(0, "Router").unwrap();
        assert!(site.add_field(Entity::Customer, text("Region")));
        assert!(site.add_field(Entity::Entitlement, text("Seats")));
        (site, policy)
    }

    fn text(name: &str) -> Field {
        Field {
            name: name.to_owned(),
            kind: FieldKind::Text,
            options: Vec::new(),
        }
    }

    fn id(site: &Site, entity: Entity) -> String {
        let key = match entity {
            Entity::Customer => "customerId",
            _ => "id",
        };
        let list = site.list(entity, None, 1);
        list["results"][0][key].as_str().unwrap().to_owned()
    }

    #[test]
    fn every_kind_of_bulk_request_meets_the_verdict() {
        let (mut site, policy) = poisoned();
        site.set_temper(Temper::of(&policy));
        let ana = id(&site, Entity::Customer);
        let upsert = |payload: Value| json!([{ "operationType": "UPSERT", "payload": payload }]);
        let region =
            json!([{ "operationType": "UPDATE", "payload": { "name": "Region", "values": [] } }]);
        let plan = json!([{ "name": "Plan", "type": { "name": "DATE" } }]);
        let (email, acme) = (
            json!({ "email": "ana@x.example" }),
            json!({ "name": "Acme Ltd" }),
        );
        let bodies = [
            (
                Bulk::CustomerAccounts,
                json!({ "customerAccounts": upsert(email.clone()) }),
            ),
            (
                Bulk::CustomerProfiles,
                json!({ "customerProfiles": upsert(email) }),
            ),
            (
                Bulk::CustomerDetails,
                json!({ "customers": [{ "customerId": ana, "operations": region }] }),
            ),
            (Bulk::CustomerFields, json!({ "detailFields": plan })),
            (
                Bulk::Organizations,
                json!({ "organizations": upsert(acme.clone()) }),
            ),
            (
                Bulk::OrganizationProfiles,
                json!({ "organizationProfiles": upsert(acme) }),
            ),
            (
                Bulk::OrganizationDetails,
                json!({ "organizations": [{ "organizationId": "1", "operations": region }] }),
            ),
            (Bulk::OrganizationFields, json!({ "detailFields": plan })),
        ];
        let before = site.counts();
        for (now, (bulk, body)) in (0..).map(|n| n * 1000).zip(bodies) {
            let (contract, key) = (Contract::default(), format!("{bulk:?}"));
            let body = body.to_string();
            let submission = Submission::read(&contract, bulk, key, body.as_bytes());
            let task = site.submit(&policy, now, submission).unwrap();
            site.advance(&policy, now + 999);
            let task = site.task(now + 999, task["id"].as_str().unwrap()).unwrap();
            let failures = task["failures"].as_array().unwrap();
            assert_eq!(failures.len(), 1, "{bulk:?}");
            assert_eq!(failures[0]["error"], "No, thanks", "{bulk:?}");
        }
        let writes = |counts: &Value| counts["writes"].clone();
        assert_eq!(writes(&site.counts()), writes(&before));
    }

    #[test]
    fn single_writes_are_refused_in_the_same_words() {
        let (mut site, policy) = poisoned();
        let contract = Contract::default();
        let (ana, router) = (id(&site, Entity::Customer), id(&site, Entity::Product));
        let owner = Entity::Organization;
        let given = site.give(0, &contract, owner, "1", &router).unwrap();
        let given = given["id"].as_str().unwrap().to_owned();
        site.set_temper(Temper::of(&policy));
        let values = || vec!["x".to_owned()];
        let edit = FieldEdit {
            name: "Area".to_owned(),
            options: None,
        };
        let refused = [
            site.put(
                0,
                Entity::Customer,
                &Item::create("bo@x.example".to_owned()),
            )
            .map(drop),
            site.name_account(0, &ana, "Ana".to_owned()),
            site.rename_organization(0, "1", "Acme".to_owned()),
            site.create_product(0, "Hub").map(drop),
            site.rename_product(0, &router, "Hub"),
            site.set_detail(0, Entity::Customer, &ana, "Region", values())
                .map(drop),
            site.set_detail(0, Entity::Entitlement, &given, "Seats", values())
                .map(drop),
            site.give(0, &contract, Entity::Customer, &ana, &router)
                .map(drop),
            site.define(0, Entity::Customer, text("Plan")).map(drop),
            site.edit_field(0, Entity::Customer, "Region", edit)
                .map(drop),
            site.add_users(0, "1", std::slice::from_ref(&ana)),
        ];
        for (place, refused) in refused.into_iter().enumerate() {
            let refused = refused.unwrap_err();
            let told = (refused.status, &*refused.message);
            assert_eq!(told, (400, "No, thanks"), "{place}");
        }
        // what is refused can still go away
        site.remove_field(0, Entity::Customer, "Region").unwrap();
        site.delete(0, Entity::Product, &router).unwrap();
        site.delete_account(0, &ana).unwrap();
    }

    #[test]
    fn one_bad_item_may_refuse_its_whole_request() {
        let policy = Policy {
            one_bad_item: OneBadItem::RefusesRequest,
            ..policy()
        };
        let mut site = site(&policy);
        let mut submit = |emails: &[&str]| {
            let items: Vec<_> = emails.iter().map(|email| item(email)).collect();
            let body = json!({ "customerProfiles": items }).to_string();
            let key = emails.concat();
            let submission = read(&key, &body);
            site.submit(&policy, 0, submission)
                .map_err(|refusal| refusal.message)
        };
        let temper = Temper::of(&policy);
        let refused = |email: &&String| temper.refuses(Entity::Customer, email).is_some();
        let emails: Vec<_> = (0..100).map(|n| format!("c{n}@x.example")).collect();
        let good = emails.iter().find(|email| !refused(email)).unwrap();
        let bad = emails.iter().find(refused).unwrap();
        assert!(submit(&[good]).is_ok());
        let words = Err("Invalid detail field value".to_owned());
        assert_eq!(submit(&[good, bad]), words);
        assert_eq!(submit(&[bad]), words);
    }

    #[test]
    fn failures_name_their_record_as_the_policy_says() {
        let named = |failure_names, existing: bool| {
            let policy = Policy {
                failure_names,
                ..Policy::default()
            };
            let mut site = site(&policy);
            if existing {
                let ana = Item::create("ana@x.example".to_owned());
                site.write(0, Entity::Customer, &ana).unwrap();
            }
            let items = json!([{ "operationType": "UPSERT", "payload": {
                "email": "ana@x.example", "details": [{ "name": "Region", "values": [] }] } }]);
            let body = json!({ "customerProfiles": items }).to_string();
            let submission = read("k", &body);
            let id = site.submit(&policy, 0, submission).unwrap()["id"].clone();
            site.advance(&policy, 1000);
            let task = site.task(1000, id.as_str().unwrap()).unwrap();
            let failure = &task["failures"][0];
            let id = failure["entityId"].as_str().unwrap_or("null");
            let id = if id.starts_with("qm:") { "qm:…" } else { id };
            format!("{id} {}", failure["operatedOnIds"])
        };
        for (names, new, existing) in [
            (
                FailureNames::AsSent,
                r#"ana@x.example ["Region"]"#,
                r#"qm:… ["Region"]"#,
            ),
            (FailureNames::Id, r#"null ["Region"]"#, r#"qm:… ["Region"]"#),
            (
                FailureNames::Key,
                r#"ana@x.example ["Region"]"#,
                r#"ana@x.example ["Region"]"#,
            ),
            (
                FailureNames::Field,
                r#"null ["Region"]"#,
                r#"null ["Region"]"#,
            ),
            (FailureNames::None, "null []", "null []"),
        ] {
            assert_eq!(named(names, false), new);
            assert_eq!(named(names, true), existing);
        }
        let policy = Policy {
            failure_names: FailureNames::Mixed,
            ..Policy::default()
        };
        let ways: BTreeSet<_> = (0..100)
            .map(|n| {
                let item = Item::create(format!("c{n}@x.example"));
                let mut failures = vec![Failure {
                    entity: Entity::Customer,
                    id: "qm:1".to_owned(),
                    operation: Verb::Create,
                    part: super::super::failure::Part::Detail,
                    parts: vec!["Region".to_owned()],
                    error: "no".into(),
                }];
                failures[0].id = if n % 2 == 0 {
                    format!("qm:{n}")
                } else {
                    item.name.clone().unwrap()
                };
                rename(&policy, &Wanted::Record(item), &mut failures);
                let named = match failures[0].id.as_str() {
                    "" => "",
                    id if id.starts_with("qm:") => "id",
                    _ => "key",
                };
                (named, failures[0].parts.len())
            })
            .collect();
        assert_eq!(ways, [("", 0), ("", 1), ("id", 1), ("key", 1)].into());
    }
}
