//! How records are found, and how long.

use super::made_up::{MadeUp, failed, held, refused};
use super::{target, wanted};
use crate::engine::seen::{Seen, Target, Wanted};
use crate::engine::verify::can_find;
use crate::engine::verify::held::Held;
use crate::engine::verify::patience::read;
use crate::model::entity::{Entity, Family};
use crate::model::reply::{DetailField, ErrorClass};
use serde_json::json;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(90);

fn ana() -> Held {
    held("qm:1", Some("ana@example.com"), "Ana", &[("Key", &["17"])])
}

/// Ana's row, with her key.
fn row(remote_id: Option<&str>) -> Wanted {
    let details = json!([{ "name": "Key", "values": ["17"] }]);
    let payload = json!({ "email": "Ana@example.com", "displayName": "Ana", "details": details });
    wanted(remote_id, &payload)
}

async fn one(site: &MadeUp, target: &Target, row: Wanted) -> Seen {
    let mut seen = read(site, target, &[row], PATIENCE).await;
    assert_eq!(seen.len(), 1);
    seen.remove(0)
}

fn holds(id: &str) -> Seen {
    Seen::Holds {
        remote_id: Some(id.to_owned()),
        notes: Vec::new(),
    }
}

fn tried(seen: Seen) -> String {
    match seen {
        Seen::Unknown { tried } => tried,
        other => panic!("{other:?} is told"),
    }
}

fn log(site: &MadeUp) -> String {
    site.log.lock().unwrap().join("\n")
}

#[tokio::test]
async fn a_remembered_id_is_read_at_once() {
    let site = MadeUp::of([(0, ana())]);
    let customers = target(Entity::Customer, None);
    assert_eq!(
        one(&site, &customers, row(Some("qm:1"))).await,
        holds("qm:1")
    );
    insta::assert_snapshot!(log(&site), @"profiles qm:1");
    // also where e-mails are hidden
    let site = MadeUp::of([(
        0,
        Held {
            email: None,
            ..ana()
        },
    )]);
    assert_eq!(
        one(&site, &customers, row(Some("qm:1"))).await,
        holds("qm:1")
    );
}

#[tokio::test]
async fn a_key_finds_the_record_that_also_has_the_e_mail() {
    let other = held("qm:2", Some("bo@example.com"), "Ana", &[("Key", &["17"])]);
    let customers = target(Entity::Customer, Some("Key"));
    let site = MadeUp::of([(0, other.clone()), (0, ana())]);
    assert_eq!(one(&site, &customers, row(None)).await, holds("qm:1"));
    insta::assert_snapshot!(log(&site), @r"
    search Key=17 0
    profiles qm:1
    ");
    // searches that hide e-mails leave it to the profiles
    let hiding = MadeUp {
        hides_emails: true,
        ..MadeUp::of([(0, other.clone()), (0, ana())])
    };
    assert_eq!(one(&hiding, &customers, row(None)).await, holds("qm:1"));
    insta::assert_snapshot!(log(&hiding), @r"
    search Key=17 0
    profiles qm:1 qm:2
    ");
    // another's record is none of the row's
    let site = MadeUp::of([(0, other)]);
    assert_eq!(one(&site, &customers, row(None)).await, Seen::Absent);
    assert!(site.passed() >= PATIENCE);
}

#[tokio::test]
async fn e_mails_that_nobody_tells_confirm_nothing() {
    let site = MadeUp {
        hides_emails: true,
        ..MadeUp::of([(
            0,
            Held {
                email: None,
                ..ana()
            },
        )])
    };
    let seen = one(&site, &target(Entity::Customer, Some("Key")), row(None)).await;
    insta::assert_snapshot!(tried(seen), @"records were found that may be the row's, and the site does not tell their e-mails");
}

#[tokio::test]
async fn a_key_that_many_share_says_nothing() {
    let many = (0..200).map(|n| (0, held(&format!("qm:{n}"), None, "x", &[("Key", &["17"])])));
    let site = MadeUp::of(many);
    let seen = one(&site, &target(Entity::Customer, Some("Key")), row(None)).await;
    insta::assert_snapshot!(tried(seen), @r#"the site's id of the record is not known; at least 200 customers have its "Key"; [contract] user_search is off"#);
    assert_eq!((site.requests(), site.passed()), (4, Duration::ZERO));
}

#[tokio::test]
async fn where_there_is_no_way_it_is_said_at_once() {
    let site = MadeUp::of([(0, ana())]);
    let seen = one(&site, &target(Entity::Customer, None), row(None)).await;
    insta::assert_snapshot!(tried(seen), @"the site's id of the record is not known; the mapping has no key_detail; [contract] user_search is off");
    let keyless = wanted(None, &json!({ "email": "ana@example.com" }));
    let seen = one(&site, &target(Entity::Customer, Some("Key")), keyless).await;
    insta::assert_snapshot!(tried(seen), @r#"the site's id of the record is not known; the row has no value for its key_detail "Key"; [contract] user_search is off"#);
    assert_eq!((site.requests(), site.passed()), (0, Duration::ZERO));
}

#[tokio::test]
async fn a_remembered_id_that_is_anothers_now_is_not_trusted() {
    let moved = held("qm:1", Some("bo@example.com"), "Ana", &[("Key", &["17"])]);
    let new = Held {
        id: "qm:3".to_owned(),
        ..ana()
    };
    let site = MadeUp::of([(0, moved), (0, new)]);
    let seen = one(&site, &target(Entity::Customer, None), row(Some("qm:1"))).await;
    insta::assert_snapshot!(tried(seen), @"the record whose id is remembered has another e-mail now; the mapping has no key_detail; [contract] user_search is off");
    let seen = one(
        &site,
        &target(Entity::Customer, Some("Key")),
        row(Some("qm:1")),
    )
    .await;
    assert_eq!(seen, holds("qm:3"));
    let seen = one(&site, &target(Entity::Customer, None), row(Some("qm:9"))).await;
    insta::assert_snapshot!(tried(seen), @"the record whose id is remembered is not there; the mapping has no key_detail; [contract] user_search is off");
}

#[tokio::test]
async fn a_remembered_record_may_only_not_be_seen_yet() {
    let site = MadeUp::of([(40, ana())]);
    let seen = one(&site, &target(Entity::Customer, None), row(Some("qm:1"))).await;
    assert_eq!(seen, holds("qm:1"));
}

#[tokio::test]
async fn the_user_search_is_given_minutes_and_its_answers_are_compared() {
    let like = held("qm:4", Some("ana@example.com.au"), "Ana", &[]);
    let mut site = MadeUp::of([(0, like), (0, ana())]);
    site.contract.user_search = true;
    site.user_lag = Duration::from_mins(3);
    let customers = target(Entity::Customer, None);
    assert_eq!(one(&site, &customers, row(None)).await, holds("qm:1"));
    assert!(site.passed() >= site.user_lag && site.passed() < site.user_lag + PATIENCE / 5);
    assert!(site.requests() < 25, "{} requests", site.requests());
    let nobody = MadeUp {
        contract: site.contract.clone(),
        ..MadeUp::of([])
    };
    assert_eq!(one(&nobody, &customers, row(None)).await, Seen::Absent);
    assert_eq!(nobody.passed(), PATIENCE * 4);
    // with a key that is not there, that is not waited for
    let nobody = MadeUp {
        contract: site.contract.clone(),
        ..MadeUp::of([])
    };
    let keyed = target(Entity::Customer, Some("Key"));
    assert_eq!(one(&nobody, &keyed, row(None)).await, Seen::Absent);
    assert_eq!(nobody.passed(), PATIENCE);
}

#[tokio::test]
async fn what_lags_is_read_again_and_what_was_seen_is_not() {
    let bo = held("qm:2", Some("bo@example.com"), "Bo", &[]);
    let site = MadeUp::of([(0, bo), (60, ana())]);
    let rows = [
        wanted(Some("qm:2"), &json!({ "email": "bo@example.com" })),
        row(None),
    ];
    let seen = read(
        &site,
        &target(Entity::Customer, Some("Key")),
        &rows,
        PATIENCE,
    )
    .await;
    assert_eq!(seen, [holds("qm:2"), holds("qm:1")]);
    assert!(site.passed() >= Duration::from_mins(1) && site.passed() < PATIENCE);
    assert_eq!(log(&site).matches("profiles qm:2").count(), 1);
    assert!(site.requests() < 15, "{}", log(&site));
}

#[tokio::test]
async fn an_old_form_is_not_the_last_word_until_patience_ends() {
    let old = held("qm:1", Some("ana@example.com"), "Anna", &[("Key", &["17"])]);
    let customers = target(Entity::Customer, None);
    let site = MadeUp::of([(0, old.clone()), (89, ana())]);
    assert_eq!(
        one(&site, &customers, row(Some("qm:1"))).await,
        holds("qm:1")
    );
    let site = MadeUp::of([(0, old), (91, ana())]);
    let differs = Seen::Differs {
        remote_id: Some("qm:1".to_owned()),
        fields: vec!["display_name".to_owned()],
        missing: Vec::new(),
        products: Vec::new(),
        why: None,
    };
    assert_eq!(one(&site, &customers, row(Some("qm:1"))).await, differs);
    assert_eq!(site.passed(), PATIENCE);
    let site = MadeUp::of([(0, ana())]);
    let seen = read(&site, &customers, &[row(Some("qm:1"))], Duration::ZERO).await;
    assert_eq!(seen, [holds("qm:1")]);
}

#[tokio::test]
async fn after_a_stop_the_site_is_read_once_more_and_nothing_is_absent() {
    let customers = target(Entity::Customer, Some("Key"));
    let mut site = MadeUp::of([(10, ana())]);
    site.stop = Some(Duration::from_secs(10));
    assert_eq!(one(&site, &customers, row(None)).await, holds("qm:1"));
    let mut site = MadeUp::of([(50, ana())]);
    site.stop = Some(Duration::from_secs(10));
    let seen = one(&site, &customers, row(None)).await;
    insta::assert_snapshot!(tried(seen), @"the run stopped, and the one reading after that did not show the row");
    assert_eq!(site.passed(), Duration::from_secs(10));
    let mut site = MadeUp::of([(0, ana())]);
    site.stop = Some(Duration::ZERO);
    let rows = [
        row(None),
        wanted(None, &json!({ "customerId": "qm:9", "displayName": "x" })),
    ];
    let seen = read(&site, &customers, &rows, PATIENCE).await;
    assert_eq!(seen[0], holds("qm:1"));
    assert!(matches!(seen[1], Seen::Unknown { .. }), "{seen:?}");
}

#[tokio::test]
async fn one_bad_id_does_not_hide_the_others() {
    let records = (0..25).map(|n| (0, held(&format!("qm:{n:02}"), None, "x", &[])));
    let mut site = MadeUp::of(records);
    site.stumbles_over = vec!["qm:07".to_owned(), "qm:99".to_owned()];
    let rows: Vec<_> = (0..25)
        .map(|n| format!("qm:{n:02}"))
        .chain(["qm:99".to_owned()])
        .map(|id| wanted(None, &json!({ "customerId": id, "displayName": "x" })))
        .collect();
    let seen = read(
        &site,
        &target(Entity::Customer, None),
        &rows,
        Duration::ZERO,
    )
    .await;
    let held = seen
        .iter()
        .filter(|seen| matches!(seen, Seen::Holds { .. }));
    assert_eq!((held.count(), seen.last()), (25, Some(&Seen::Absent)));
    assert!(site.requests() <= 16, "{}", log(&site));
}

#[tokio::test]
async fn a_site_that_is_not_well_leaves_rows_unknown_and_one_that_lets_nobody_in_ends_it() {
    let customers = target(Entity::Customer, Some("Key"));
    let mut site = MadeUp::of([(0, ana())]);
    site.error = Some(failed(ErrorClass::MaybeApplied, Some(502)));
    let rows = [row(None), row(Some("qm:1"))];
    let mut seen = read(&site, &customers, &rows, PATIENCE).await;
    insta::assert_snapshot!(tried(seen.remove(1)), @"reading the record failed: POST /somewhere was answered 502: no");
    insta::assert_snapshot!(tried(seen.remove(0)), @r#"the site's id of the record is not known; searching for its "Key" failed: POST /somewhere was answered 502: no; [contract] user_search is off"#);
    assert_eq!(site.passed(), PATIENCE);
    for class in [ErrorClass::AuthWrong, ErrorClass::AuthExpired] {
        let mut site = MadeUp::of([(0, ana())]);
        site.error = Some(failed(class, Some(403)));
        let seen = read(&site, &customers, &rows, PATIENCE).await;
        for seen in seen {
            assert_eq!(
                tried(seen),
                "the site could not be read: POST /somewhere was answered 403: no"
            );
        }
        assert_eq!((site.requests(), site.passed()), (1, Duration::ZERO));
    }
}

#[tokio::test]
async fn a_search_that_is_not_allowed_leaves_what_is_known_by_id() {
    let mut site = MadeUp::of([(0, ana())]);
    site.contract.user_search = true;
    site.closed = Some(failed(ErrorClass::AuthWrong, Some(403)));
    let rows = [row(None), row(Some("qm:1")), row(None)];
    let mut seen = read(
        &site,
        &target(Entity::Customer, Some("Key")),
        &rows,
        PATIENCE,
    )
    .await;
    insta::assert_snapshot!(tried(seen.remove(2)), @r#"the site's id of the record is not known; searching for its "Key" failed: POST /somewhere was answered 403: no; the user search failed: POST /somewhere was answered 403: no"#);
    assert!(matches!(seen[0], Seen::Unknown { .. }), "{seen:?}");
    assert_eq!(seen[1], holds("qm:1"));
    insta::assert_snapshot!(log(&site), @r"
    profiles qm:1
    search Key=17 0
    users Ana@example.com
    ");
    assert_eq!(site.passed(), Duration::ZERO);
    site.closed = Some(failed(ErrorClass::AuthExpired, Some(401)));
    let seen = one(&site, &target(Entity::Customer, Some("Key")), row(None)).await;
    assert_eq!(
        tried(seen),
        "the site could not be read: POST /somewhere was answered 401: no"
    );
}

#[tokio::test]
async fn an_atlassian_account_is_told_as_the_reason() {
    let atlassian = held(
        "712020:1",
        Some("ana@example.com"),
        "Ana Ito",
        &[("Key", &["17"])],
    );
    let customers = target(Entity::Customer, Some("Key"));
    let site = MadeUp::of([(0, atlassian.clone())]);
    insta::assert_debug_snapshot!(one(&site, &customers, row(None)).await, @r#"
    Differs {
        remote_id: Some(
            "712020:1",
        ),
        fields: [
            "display_name",
        ],
        missing: [],
        products: [],
        why: Some(
            Reason {
                code: Known(
                    AtlassianAccount,
                ),
                field: None,
                message: "the record belongs to an Atlassian account, whose name and e-mail are its owner's, and which only its id names",
            },
        ),
    }
    "#);
    // a Customer Account of the same e-mail is what the row means, also when it appears later
    let site = MadeUp::of([(0, atlassian), (30, ana())]);
    assert_eq!(one(&site, &customers, row(None)).await, holds("qm:1"));
}

#[tokio::test]
async fn what_an_answer_leaves_out_is_not_taken_for_nothing() {
    let site = MadeUp::of([(
        0,
        Held {
            organizations: None,
            ..ana()
        },
    )]);
    let customers = target(Entity::Customer, None);
    let member = json!({ "email": "ana@example.com", "associateOrganizations": { "organizationIds": ["7"] } });
    let seen = one(&site, &customers, wanted(Some("qm:1"), &member)).await;
    insta::assert_snapshot!(tried(seen), @"the record was read, and the site does not tell its organizations");
    assert_eq!((site.requests(), site.passed()), (1, Duration::ZERO));
    let site = MadeUp::of([(
        0,
        Held {
            details: None,
            ..ana()
        },
    )]);
    let seen = one(&site, &customers, row(Some("qm:1"))).await;
    insta::assert_snapshot!(tried(seen), @"the record was read, and the site does not tell its detail fields");
}

#[tokio::test]
async fn the_types_of_fields_are_asked_for_once_and_only_where_texts_differ() {
    let kept = held(
        "qm:1",
        Some("ana@example.com"),
        "Ana",
        &[("Seats", &["1.5"])],
    );
    let mut site = MadeUp::of([(0, kept)]);
    let seats = |text: &str| {
        let details = json!([{ "name": "Seats", "values": [text] }]);
        wanted(
            Some("qm:1"),
            &json!({ "email": "ana@example.com", "details": details }),
        )
    };
    let rows = [seats("1.5"), seats("1.50"), seats("01.5"), seats("1.51")];
    site.fields = vec![DetailField {
        name: "seats".to_owned(),
        kind: "NUMBER".to_owned(),
        options: Vec::new(),
    }];
    let seen = read(
        &site,
        &target(Entity::Customer, None),
        &rows,
        Duration::ZERO,
    )
    .await;
    assert_eq!(seen[..3], [holds("qm:1"), holds("qm:1"), holds("qm:1")]);
    assert!(
        matches!(&seen[3], Seen::Differs { fields, .. } if fields == &["Seats"]),
        "{seen:?}"
    );
    insta::assert_snapshot!(log(&site), @r"
    profiles qm:1
    fields
    ");
}

#[tokio::test]
async fn organizations_are_found_by_name_and_two_of_a_name_are_not_told_apart() {
    let records = ["Acme", "Globex", "Twin", "TWIN"].into_iter().enumerate();
    let records =
        records.map(|(id, name)| (0, held(&id.to_string(), None, name, &[("Tier", &["Gold"])])));
    let site = MadeUp::of(records);
    let named = |name: &str| {
        let details = json!([{ "name": "Tier", "values": ["Gold"] }]);
        wanted(None, &json!({ "name": name, "details": details }))
    };
    let rows = [
        named(" acme"),
        wanted(None, &json!({ "name": "Globex" })),
        named("Twin"),
        wanted(Some("1"), &json!({ "name": "Globex" })),
        wanted(Some("1"), &json!({ "name": "Initech" })),
        wanted(None, &json!({ "id": "0", "name": "Acme Ltd" })),
    ];
    let mut seen = read(
        &site,
        &target(Entity::Organization, None),
        &rows,
        Duration::ZERO,
    )
    .await;
    insta::assert_snapshot!(tried(seen.remove(2)), @"2 organizations of the site have its name");
    assert_eq!(seen[..3], [holds("0"), holds("1"), holds("1")]);
    assert_eq!(seen[3], Seen::Absent);
    assert!(
        matches!(&seen[4], Seen::Differs { fields, .. } if fields == &["name"]),
        "{seen:?}"
    );
    insta::assert_snapshot!(log(&site), @r"
    profiles 0 1
    organizations  acme Globex Initech Twin
    profiles 0
    ");
}

#[tokio::test]
async fn organizations_are_listed_where_they_cannot_be_asked_for() {
    let records = ["Acme", "Globex", "Initech"].into_iter().enumerate();
    let mut site =
        MadeUp::of(records.map(|(id, name)| (0, held(&id.to_string(), None, name, &[]))));
    site.stumbles_over = vec!["Initech".to_owned()];
    let rows = ["Acme", "Initech", "Nobody"].map(|name| wanted(None, &json!({ "name": name })));
    let organizations = target(Entity::Organization, None);
    let seen = read(&site, &organizations, &rows, Duration::ZERO).await;
    assert_eq!((&seen[0], &seen[2]), (&holds("0"), &Seen::Absent));
    insta::assert_snapshot!(tried(seen[1].clone()), @"looking its name up failed: POST /somewhere was answered 400: no");
    site.contract.organization_list = true;
    site.log.lock().unwrap().clear();
    let seen = read(&site, &organizations, &rows, Duration::ZERO).await;
    assert_eq!(seen, [holds("0"), holds("2"), Seen::Absent]);
    insta::assert_snapshot!(log(&site), @r"
    organizations Acme Initech Nobody
    organizations Acme
    organizations Initech Nobody
    organizations Initech
    organizations Nobody
    list from 0
    list from 2
    ");
    assert_eq!(refused(404).status, Some(404));
}

#[test]
fn what_cannot_be_found_is_said_before() {
    let mut contract = crate::api::contract::Contract::default();
    let customers = target(Entity::Customer, None);
    insta::assert_snapshot!(can_find(&contract, &customers).unwrap_err(), @"a customer cannot be looked up by its e-mail: where a request does not tell what became of it, a new customer's row ends unconfirmed; set key_detail in the mapping to a detail field that holds the key, or user_search = true in [contract]");
    let accounts = Target {
        family: Family::Account,
        ..customers.clone()
    };
    insta::assert_snapshot!(can_find(&contract, &accounts).unwrap_err(), @"a customer cannot be looked up by its e-mail: where a request does not tell what became of it, a new customer's row ends unconfirmed; set user_search = true in [contract]");
    let details = Target {
        family: Family::Details,
        ..customers.clone()
    };
    for known in [
        details,
        target(Entity::Customer, Some("Key")),
        target(Entity::Organization, None),
    ] {
        assert_eq!(can_find(&contract, &known), Ok(()), "{known:?}");
    }
    contract.user_search = true;
    assert_eq!(can_find(&contract, &customers), Ok(()));
}
