use super::*;

fn target(entity: Entity, operation: Operation) -> Target {
    Target {
        stage: 0,
        entity,
        family: Family::Profile,
        asked: operation.into(),
        key_detail: None,
    }
}

fn details() -> Target {
    Target {
        family: Family::Details,
        asked: Asked::Details(Verb::Update),
        ..target(Entity::Customer, Operation::Update)
    }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|&text| text.to_owned()).collect()
}

fn change(verb: Verb, field: &str, values: &[&str]) -> Change {
    Change {
        verb,
        field: field.to_owned(),
        values: texts(values),
    }
}

fn set(field: &str, values: &[&str]) -> Step {
    Step::SetDetail(field.to_owned(), texts(values))
}

/// A row that sends all that a customer can have.
fn whole() -> Asks {
    Asks {
        key: Some("ana@example.com".to_owned()),
        email: Some("Ana@Example.com".to_owned()),
        name: Some("Ana".to_owned()),
        details: vec![
            change(Verb::Update, "Region", &["EMEA"]),
            change(Verb::Update, "Phone", &[]),
        ],
        organizations: texts(&["1", "2"]),
        products: texts(&["p"]),
        ..Asks::default()
    }
}

fn current() -> Current {
    Current {
        id: "qm:1".to_owned(),
        key: Some("ana@example.com".to_owned()),
        name: Some("Old".to_owned()),
        details: Some(vec![("region".to_owned(), texts(&["APAC"]))]),
        organizations: Some(texts(&["2"])),
        products: Some(Vec::new()),
    }
}

const ALLOWED: Means<'_> = Means {
    membership: true,
    many: None,
};
const FORBIDDEN: Means<'_> = Means {
    membership: false,
    many: None,
};

fn customer(means: Means<'_>, asks: &Asks, current: &Current) -> Result<Vec<Step>, String> {
    let target = target(Entity::Customer, Operation::Upsert);
    changes(&target, means, asks, current).map_err(|reason| reason.code.to_string())
}

#[test]
fn a_customer_takes_a_call_for_each_part_that_differs_and_for_every_detail() {
    let rest = || vec![set("Region", &["EMEA"]), set("Phone", &[])];
    let mut expected = vec![Step::NameCustomer("Ana".to_owned())];
    expected.extend(rest());
    expected.extend([Step::Join("1".to_owned()), Step::Entitle("p".to_owned())]);
    assert_eq!(customer(ALLOWED, &whole(), &current()), Ok(expected));

    let same = Current {
        name: Some("Ana".to_owned()),
        organizations: Some(texts(&["1", "2", "3"])),
        products: Some(texts(&["p", "q"])),
        ..current()
    };
    assert_eq!(customer(ALLOWED, &whole(), &same), Ok(rest()));
    assert_eq!(customer(FORBIDDEN, &whole(), &same), Ok(rest()));
}

#[test]
fn what_no_single_call_can_do_is_told_before_any_is_made() {
    let told = |change: fn(&mut Current)| {
        let mut now = current();
        change(&mut now);
        customer(FORBIDDEN, &whole(), &now)
    };
    let missing = Err("ASSOCIATION_MISSING".to_owned());
    assert_eq!(told(|_| {}), missing);
    assert_eq!(told(|now| now.organizations = None), missing);
    let bulk = Err("BULK_ONLY".to_owned());
    assert_eq!(told(|now| now.key = Some("bo@example.com".into())), bulk);
    assert_eq!(told(|now| now.key = None), bulk);
}

#[test]
fn an_organization_is_renamed_only_to_another_name() {
    let target = target(Entity::Organization, Operation::Update);
    for (key, expected) in [
        ("acme", Vec::new()),
        ("acme inc", vec![Step::NameOrganization("Acme Inc".into())]),
    ] {
        let asks = Asks {
            id: Some("1".to_owned()),
            key: Some(key.to_owned()),
            name: Some("Acme Inc".to_owned()),
            ..Asks::default()
        };
        let now = Current {
            key: Some("acme".to_owned()),
            ..current()
        };
        assert_eq!(changes(&target, ALLOWED, &asks, &now), Ok(expected));
    }
}

#[test]
fn detail_verbs_become_values_to_set() {
    let many = HashSet::from(["type".to_owned()]);
    let now = Current {
        details: Some(vec![
            ("Type".to_owned(), texts(&["A", "B"])),
            ("Region".to_owned(), texts(&["EMEA"])),
        ]),
        ..current()
    };
    let cases: [(&[Change], &[Step]); 11] = [
        (
            &[change(Verb::Update, "Type", &["A"])],
            &[set("Type", &["A"])],
        ),
        (&[change(Verb::Update, "Type", &[])], &[set("Type", &[])]),
        (
            &[change(Verb::Patch, "Type", &["C", "A"])],
            &[set("Type", &["A", "B", "C"])],
        ),
        (&[change(Verb::Patch, "Type", &["B"])], &[]),
        (
            &[change(Verb::Patch, "Region", &["APAC"])],
            &[set("Region", &["APAC"])],
        ),
        (
            &[change(Verb::Patch, "Phone", &["+49"])],
            &[set("Phone", &["+49"])],
        ),
        (
            &[change(Verb::Delete, "Type", &["A"])],
            &[set("Type", &["B"])],
        ),
        (&[change(Verb::Delete, "Type", &["C"])], &[]),
        (&[change(Verb::Delete, "Type", &[])], &[set("Type", &[])]),
        (
            &[
                change(Verb::Delete, "Type", &["A"]),
                change(Verb::Patch, "type ", &["C"]),
            ],
            &[set("Type", &["B", "C"])],
        ),
        (
            &[
                change(Verb::Update, "Region", &["APAC"]),
                change(Verb::Update, "Type", &["C"]),
            ],
            &[set("Region", &["APAC"]), set("Type", &["C"])],
        ),
    ];
    for (changes, expected) in cases {
        let means = Means {
            membership: false,
            many: Some(&many),
        };
        let asks = Asks {
            details: changes.to_vec(),
            ..Asks::default()
        };
        let found = super::changes(&details(), means, &asks, &now);
        assert_eq!(found.as_deref(), Ok(expected), "{changes:?}");
    }
}

#[test]
fn values_that_cannot_be_told_are_left_to_the_bulk_route() {
    let told = |change: Change, now: &Current| {
        let asks = Asks {
            details: vec![change],
            ..Asks::default()
        };
        let why = changes(&details(), ALLOWED, &asks, now).expect_err("nothing can be told");
        (
            format!("{}: {}", why.code, why.message),
            needs_types(&asks, now),
        )
    };
    let mute = Current {
        details: None,
        ..current()
    };
    let (words, types) = told(change(Verb::Delete, "Region", &["EMEA"]), &mute);
    insta::assert_snapshot!(words, @"BULK_ONLY: the site does not tell the field's values of now, so that no single call can do what delete does");
    assert!(!types);
    let (words, types) = told(change(Verb::Patch, "Region", &["EMEA"]), &current());
    insta::assert_snapshot!(words, @"BULK_ONLY: the field's type is not known, so that no single call can do what patch does");
    assert!(types);
}

#[test]
fn a_created_record_is_completed_as_far_as_the_answer_tells() {
    let created = |organizations, products| Current {
        organizations,
        products,
        ..Current::default()
    };
    let steps = completion(FORBIDDEN, &whole(), &created(None, None));
    assert_eq!(steps, Ok(Vec::new()));
    let some = created(Some(texts(&["1"])), Some(Vec::new()));
    let steps = completion(ALLOWED, &whole(), &some);
    let expected = vec![Step::Join("2".into()), Step::Entitle("p".into())];
    assert_eq!(steps, Ok(expected));
    assert!(completion(FORBIDDEN, &whole(), &some).is_err());
}

#[test]
fn only_all_of_it_is_held() {
    let held = Current {
        name: Some("Ana".to_owned()),
        details: Some(vec![("Region".to_owned(), texts(&["EMEA"]))]),
        organizations: Some(texts(&["2", "1"])),
        products: Some(texts(&["p"])),
        ..current()
    };
    assert!(holds(&whole(), &held));
    let changes: [fn(&mut Current); 8] = [
        |now| now.key = None,
        |now| now.name = None,
        |now| now.details = None,
        |now| now.details = Some(vec![("Phone".into(), vec!["+49".into()])]),
        |now| now.organizations = None,
        |now| now.organizations = Some(vec!["1".into()]),
        |now| now.products = None,
        |now| now.products = Some(Vec::new()),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut now = held.clone();
        change(&mut now);
        assert!(!holds(&whole(), &now), "change {number}");
    }
}

#[test]
fn calls_are_counted_as_they_are_made() {
    use Operation::{Create, Update, Upsert};
    let by_id = || Asks {
        id: Some("1".to_owned()),
        ..whole()
    };
    let organization = || Asks {
        email: None,
        organizations: Vec::new(),
        products: Vec::new(),
        ..whole()
    };
    for (entity, operation, asks, exists, expected) in [
        // one call, whatever it holds
        (Entity::Customer, Upsert, whole(), None, 1),
        (Entity::Customer, Create, whole(), Some(false), 1),
        // the record, its products; name, two details, two organizations, a product
        (Entity::Customer, Upsert, whole(), Some(true), 8),
        (Entity::Customer, Upsert, by_id(), None, 8),
        (Entity::Customer, Create, by_id(), None, 1),
        (Entity::Customer, Update, whole(), None, 1),
        // looked for by name
        (Entity::Organization, Upsert, organization(), None, 2),
        (Entity::Organization, Upsert, organization(), Some(true), 3),
        (Entity::Organization, Create, organization(), Some(true), 1),
    ] {
        let target = target(entity, operation);
        assert_eq!(
            calls(&target, &asks, exists),
            expected,
            "{target:?} {exists:?}"
        );
    }
    let fields = |changes: &[Change]| {
        let asks = Asks {
            id: Some("1".to_owned()),
            details: changes.to_vec(),
            ..Asks::default()
        };
        calls(&details(), &asks, None)
    };
    assert_eq!(
        fields(&[
            change(Verb::Update, "A", &["1"]),
            change(Verb::Delete, "B", &[])
        ]),
        2
    );
    assert_eq!(fields(&[change(Verb::Delete, "A", &["1"])]), 2);
    assert_eq!(fields(&[change(Verb::Patch, "A", &["1"])]), 3);
}
