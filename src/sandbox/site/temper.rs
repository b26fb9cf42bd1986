//! What the site has against single records: a function of the seed and the natural key, and of nothing else, so that
//! a record meets the same verdict in bulk and alone, in whatever order and however often it is sent.

use super::entity::Entity;
use super::failure::Failure;
use super::request::Item;
use crate::sandbox::policy::{Dice, FailureNames, Policy, Share};

/// Verdicts that come from the policy instead of the rules.
#[derive(Debug, Clone, Default)]
pub(in crate::sandbox) struct Temper {
    dice: Dice,
    poison: Share,
    words: String,
    ignored: Share,
}

impl Temper {
    /// That of a policy.
    pub(in crate::sandbox) fn of(policy: &Policy) -> Self {
        Self {
            dice: policy.dice(),
            poison: policy.poison,
            words: policy.poison_words.clone(),
            ignored: policy.ignored_associations,
        }
    }

    /// The words with which the record of this natural key, folded, is refused.
    pub(super) fn refuses(&self, entity: Entity, key: &str) -> Option<&str> {
        self.holds(self.poison, "poison", entity, key)
            .then_some(&*self.words)
    }

    /// Whether associations with the record of this natural key, folded, do nothing.
    pub(super) fn ignores_associations(&self, entity: Entity, key: &str) -> bool {
        self.holds(self.ignored, "ignored_associations", entity, key)
    }

    fn holds(&self, share: Share, about: &str, entity: Entity, key: &str) -> bool {
        // most policies have nothing against anybody
        share.is_some() && share.holds(self.dice.roll(about, &who(entity, key)))
    }
}

/// A record, for the dice.
fn who(entity: Entity, key: &str) -> Vec<u8> {
    [entity.name().as_bytes(), b"/", key.as_bytes()].concat()
}

/// Renames the record of failures as the policy wants it named; an empty id is none.
pub(super) fn rename(policy: &Policy, item: &Item, failures: &mut [Failure]) {
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
                let who = who(failure.entity, &failure.id);
                let way = policy.dice().number("failure_names", &who) % 5;
                WAYS[usize::try_from(way).unwrap_or(0)]
            }
            names => names,
        };
        match names {
            FailureNames::AsSent | FailureNames::Mixed => {}
            FailureNames::Id => {
                if item.id.is_none() && item.name.as_ref() == Some(&failure.id) {
                    failure.id.clear();
                }
            }
            FailureNames::Key => {
                if let Some(name) = &item.name {
                    failure.id.clone_from(name);
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
    use super::super::{Site, Submission};
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
            let submission = Submission::read(Entity::Customer, format!("{n}"), body.into_bytes());
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
    fn products_are_refused_in_the_same_words() {
        let policy = Policy {
            poison: Share::ALL,
            poison_words: "No, thanks".to_owned(),
            ..Policy::default()
        };
        let refused = site(&policy).create_product(0, "Router").unwrap_err();
        assert_eq!((refused.status, &*refused.message), (400, "No, thanks"));
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
            let submission = Submission::read(Entity::Customer, key, body.into_bytes());
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
            let submission = Submission::read(Entity::Customer, "k".into(), body.into_bytes());
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
                    operation: item.operation,
                    part: super::super::failure::Part::Detail,
                    parts: vec!["Region".to_owned()],
                    error: "no".into(),
                }];
                failures[0].id = if n % 2 == 0 {
                    format!("qm:{n}")
                } else {
                    item.name.clone().unwrap()
                };
                rename(&policy, &item, &mut failures);
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
