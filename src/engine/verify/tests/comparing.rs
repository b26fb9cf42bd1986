//! Rows against records: tables, and a property over rows that were applied by a model of the site's rules.

use super::made_up::held;
use super::{Act, Change, Sent};
use crate::api::entitlements::Entitlement;
use crate::api::profiles::Reference;
use crate::api::read::Detail;
use crate::engine::verify::compare::{Difference, Kinds, Verdict, compare};
use crate::engine::verify::held::Held;
use crate::model::entity::Entity;
use proptest::prelude::*;

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

fn organization(id: &str, name: Option<&str>) -> Reference {
    Reference {
        id: id.to_owned(),
        name: name.map(str::to_owned),
    }
}

fn product(id: &str, product: Option<&str>) -> Entitlement {
    Entitlement {
        id: id.to_owned(),
        product: product.map(|id| organization(id, None)),
        holder: None,
        details: None,
    }
}

fn ana() -> Held {
    Held {
        organizations: Some(vec![
            organization("7", Some("Acme")),
            organization("8", None),
        ]),
        entitlements: Some(vec![product("e-1", Some("p-1"))]),
        ..held(
            "qm:1",
            Some("Ana@Example.com"),
            "Ana Ito",
            &[("Region", &["EMEA"]), ("Tags", &["a", "b"])],
        )
    }
}

fn customer(sent: &Sent, held: &Held) -> Verdict {
    compare(Entity::Customer, sent, held, &Kinds::default())
}

fn detail(field: &str, act: Act) -> Sent {
    Sent {
        details: vec![Change {
            field: field.to_owned(),
            act,
        }],
        ..Sent::default()
    }
}

fn differs(fields: &[&str]) -> Verdict {
    Verdict::Differs(Difference {
        fields: texts(fields),
        ..Difference::default()
    })
}

const HOLDS: Verdict = Verdict::Holds { notes: Vec::new() };

#[test]
fn e_mails_fold_and_display_names_do_not() {
    let named = |email: &str, name: &str| Sent {
        email: Some(email.to_owned()),
        name: Some(name.to_owned()),
        ..Sent::default()
    };
    for (email, name, expected) in [
        (" ana@example.COM", " Ana Ito ", HOLDS),
        ("ana@example.com", "ana ito", differs(&["display_name"])),
        ("bo@example.com", "Ana Ito", differs(&["email"])),
        ("bo@example.com", "Bo", differs(&["email", "display_name"])),
    ] {
        assert_eq!(
            customer(&named(email, name), &ana()),
            expected,
            "{email} {name}"
        );
    }
    // a record that has no name does not have the row's
    let nameless = Held {
        name: None,
        ..ana()
    };
    assert_eq!(
        customer(&named("ana@example.com", "Ana"), &nameless),
        differs(&["display_name"])
    );
    assert_eq!(customer(&Sent::default(), &nameless), HOLDS);
    // a row that names its record by id cannot be sure of an e-mail that is hidden
    let hidden = Held {
        email: None,
        ..ana()
    };
    let mut sent = named("ana@example.com", "Ana Ito");
    assert_eq!(customer(&sent, &hidden), HOLDS);
    sent.id = Some("qm:1".to_owned());
    assert_eq!(customer(&sent, &hidden), Verdict::Untold("its e-mail"));
    let organization = |name: &str| Sent {
        name: Some(name.to_owned()),
        ..Sent::default()
    };
    let of = |name| {
        compare(
            Entity::Organization,
            &organization(name),
            &ana(),
            &Kinds::default(),
        )
    };
    assert_eq!((of("ANA ITO "), of("Ana")), (HOLDS, differs(&["name"])));
}

#[test]
fn detail_values_are_judged_by_what_the_row_does_to_them() {
    let differs = |field: &str| {
        Verdict::Differs(Difference {
            fields: texts(&[field]),
            details: true,
            ..Difference::default()
        })
    };
    for (field, act, holds) in [
        ("region", Act::Set(texts(&["EMEA"])), true),
        ("Region", Act::Set(texts(&["emea"])), false),
        ("Region", Act::Set(vec![]), false),
        ("Tags", Act::Set(texts(&["b", "a"])), true),
        ("Tags", Act::Set(texts(&["a"])), false),
        ("Tags", Act::Set(texts(&["a", "b", "c"])), false),
        ("Tags", Act::Add(texts(&["b"])), true),
        ("Tags", Act::Add(texts(&["c"])), false),
        ("Tags", Act::Take(texts(&["c"])), true),
        ("Tags", Act::Take(texts(&["a"])), false),
        ("None", Act::Set(vec![]), true),
        ("None", Act::Set(texts(&["x"])), false),
        ("None", Act::Add(texts(&["x"])), false),
        ("None", Act::Take(texts(&["x"])), true),
    ] {
        let expected = if holds { HOLDS } else { differs(field) };
        let shown = format!("{field} {act:?}");
        assert_eq!(customer(&detail(field, act), &ana()), expected, "{shown}");
    }
}

#[test]
fn memberships_only_join_and_those_that_remain_are_told() {
    let member = |ids: &[&str]| Sent {
        organizations: texts(ids),
        ..Sent::default()
    };
    assert_eq!(customer(&member(&["8", "7"]), &ana()), HOLDS);
    assert_eq!(customer(&member(&[]), &ana()), HOLDS);
    let missing = Verdict::Differs(Difference {
        missing: texts(&["9"]),
        ..Difference::default()
    });
    assert_eq!(customer(&member(&["7", "9"]), &ana()), missing);
    let Verdict::Holds { notes } = customer(&member(&["7"]), &ana()) else {
        panic!("it holds");
    };
    let shown: Vec<_> = notes
        .iter()
        .map(|note| format!("{} {}", note.code, note.message))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @"MEMBERSHIP_REMAINS the customer still belongs to 8, which the row does not name");
    let Verdict::Holds { notes } = customer(&member(&["8"]), &ana()) else {
        panic!("it holds");
    };
    insta::assert_snapshot!(notes[0].message, @r#"the customer still belongs to "Acme", which the row does not name"#);
    let untold = Held {
        organizations: None,
        ..ana()
    };
    assert_eq!(
        customer(&member(&["7"]), &untold),
        Verdict::Untold("its organizations")
    );
    assert_eq!(customer(&member(&[]), &untold), HOLDS);
}

#[test]
fn products_are_those_of_the_entitlements() {
    let has = |ids: &[&str]| Sent {
        products: texts(ids),
        ..Sent::default()
    };
    assert_eq!(customer(&has(&["p-1"]), &ana()), HOLDS);
    assert_eq!(
        customer(&has(&["p-1", "p-2", "p-2"]), &ana()),
        Verdict::Differs(Difference {
            products: texts(&["p-2"]),
            ..Difference::default()
        })
    );
    let vague = Held {
        entitlements: Some(vec![product("e-1", Some("p-1")), product("e-2", None)]),
        ..ana()
    };
    assert_eq!(customer(&has(&["p-1"]), &vague), HOLDS);
    let untold = Verdict::Untold("of which products its entitlements are");
    assert_eq!(customer(&has(&["p-2"]), &vague), untold);
    let untold = Held {
        entitlements: None,
        ..ana()
    };
    assert_eq!(
        customer(&has(&["p-1"]), &untold),
        Verdict::Untold("its products")
    );
}

#[test]
fn what_differs_outweighs_what_is_untold() {
    let vague = Held {
        organizations: None,
        ..ana()
    };
    let sent = Sent {
        name: Some("Bo".to_owned()),
        organizations: texts(&["7"]),
        ..Sent::default()
    };
    assert_eq!(customer(&sent, &vague), differs(&["display_name"]));
}

#[test]
fn an_atlassian_account_is_the_reason_where_its_owner_alone_can_change_it() {
    let atlassian = Held {
        id: "712020:1".to_owned(),
        ..ana()
    };
    let why = |sent: &Sent| match customer(sent, &atlassian) {
        Verdict::Differs(difference) => difference.why.is_some(),
        other => panic!("{other:?}"),
    };
    let region = detail("Region", Act::Set(texts(&["APAC"])));
    assert!(why(&region), "its e-mail does not name it");
    let by_id = |sent: Sent| Sent {
        id: Some("712020:1".to_owned()),
        ..sent
    };
    assert!(!why(&by_id(region)), "by its id its details can be written");
    let named = Sent {
        name: Some("Bo".to_owned()),
        ..Sent::default()
    };
    assert!(why(&by_id(named)));
}

/// What the site makes of a row, as far as this loader's documentation describes it.
fn apply(sent: &Sent, held: &mut Held) {
    if sent.email.is_some() {
        held.email.clone_from(&sent.email);
    }
    if sent.name.is_some() {
        held.name.clone_from(&sent.name);
    }
    let details = held.details.get_or_insert_default();
    for Change { field, act } in &sent.details {
        let place = details.iter().position(|detail| detail.name == *field);
        let place = place.unwrap_or_else(|| {
            details.push(Detail {
                name: field.clone(),
                values: Vec::new(),
            });
            details.len() - 1
        });
        let values = &mut details[place].values;
        match act {
            Act::Set(new) => values.clone_from(new),
            Act::Add(new) => values.extend(new.iter().cloned()),
            Act::Take(gone) => values.retain(|value| !gone.contains(value)),
        }
    }
    let organizations = held.organizations.get_or_insert_default();
    organizations.extend(sent.organizations.iter().map(|id| organization(id, None)));
    let entitlements = held.entitlements.get_or_insert_default();
    entitlements.extend(sent.products.iter().map(|id| product("e", Some(id))));
}

fn value() -> impl Strategy<Value = String> {
    "[a-z0-9ÄÖ]{1,4}"
}

fn acts() -> impl Strategy<Value = Act> {
    let values = prop::collection::vec(value(), 0..3);
    (0..3_u8, values).prop_map(|(act, values)| match act {
        0 => Act::Set(values),
        1 => Act::Add(values),
        _ => Act::Take(values),
    })
}

fn sents() -> impl Strategy<Value = Sent> {
    let details = prop::collection::btree_map("[A-D]", acts(), 0..4);
    let ids = || prop::collection::vec("[0-9]", 0..3);
    let name = prop::option::of(value());
    (name, details, ids(), ids()).prop_map(|(name, details, organizations, products)| Sent {
        id: None,
        email: Some("ana@example.com".to_owned()),
        name,
        details: details
            .into_iter()
            .map(|(field, act)| Change { field, act })
            .collect(),
        organizations,
        products,
    })
}

fn before() -> impl Strategy<Value = Held> {
    let details = prop::collection::btree_map("[A-D]", prop::collection::vec(value(), 1..3), 0..4);
    (value(), details).prop_map(|(name, details)| {
        let details = details
            .into_iter()
            .map(|(name, values)| Detail { name, values });
        Held {
            details: Some(details.collect()),
            ..held("qm:1", Some("ana@example.com"), &name, &[])
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_was_applied_holds_and_any_one_change_is_named(
        sent in sents(),
        mut now in before(),
        pick in any::<prop::sample::Index>(),
    ) {
        apply(&sent, &mut now);
        prop_assert!(matches!(customer(&sent, &now), Verdict::Holds { .. }), "{now:?}");
        // parts of the row, of which one is spoilt
        let mut parts = vec!["email".to_owned()];
        parts.extend(sent.name.as_ref().map(|_| "display_name".to_owned()));
        parts.extend(sent.details.iter().filter(|c| spoilable(&c.act)).map(|c| c.field.clone()));
        parts.extend(sent.organizations.first().map(|_| "organizations".to_owned()));
        parts.extend(sent.products.first().map(|_| "products".to_owned()));
        let part = pick.get(&parts).clone();
        spoil(&part, &sent, &mut now);
        let Verdict::Differs(difference) = customer(&sent, &now) else {
            return Err(TestCaseError::fail(format!("{part} is not missed in {now:?}")));
        };
        if part == "organizations" {
            prop_assert_eq!(difference.missing, [sent.organizations[0].clone()]);
            prop_assert!(difference.fields.is_empty() && difference.products.is_empty());
        } else if part == "products" {
            prop_assert_eq!(difference.products, [sent.products[0].clone()]);
            prop_assert!(difference.fields.is_empty() && difference.missing.is_empty());
        } else {
            prop_assert_eq!(difference.fields, [part]);
        }
    }
}

fn spoilable(act: &Act) -> bool {
    match act {
        Act::Set(_) => true,
        Act::Add(values) | Act::Take(values) => !values.is_empty(),
    }
}

fn spoil(part: &str, sent: &Sent, held: &mut Held) {
    match part {
        "email" => held.email = Some("bo@example.com".to_owned()),
        "display_name" => held.name = Some("another name".to_owned()),
        "organizations" => {
            let organizations = held.organizations.as_mut().unwrap();
            organizations.retain(|other| other.id != sent.organizations[0]);
        }
        "products" => {
            let gone = |other: &Entitlement| other.product.as_ref().unwrap().id == sent.products[0];
            held.entitlements
                .as_mut()
                .unwrap()
                .retain(|other| !gone(other));
        }
        field => {
            let act = &sent
                .details
                .iter()
                .find(|change| change.field == field)
                .unwrap()
                .act;
            let details = held.details.as_mut().unwrap().iter_mut();
            let values = &mut details
                .into_iter()
                .find(|d| d.name == field)
                .unwrap()
                .values;
            match act {
                Act::Set(_) => values.push("more".to_owned()),
                Act::Add(new) => values.retain(|value| *value != new[0]),
                Act::Take(gone) => values.push(gone[0].clone()),
            }
        }
    }
}
