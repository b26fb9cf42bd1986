//! Entitlements, as whole runs: what the site is asked, what it holds in the end, and what each row's result says.

use crate::support::place::Place;
use crate::support::process::Ended;
use crate::support::sandbox::Sandbox;
use crate::support::scripted::CREDENTIALS;
use insta::assert_snapshot;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const MAPPING: &str = "\
entity = \"entitlement\"\n[fields]\ncustomer = \"mail\"\norganization = \"firm\"\nproduct = \"goods\"\n\
[details]\n\"Seats\" = { column = \"seats\", type = \"number\" }\n\
\"Level\" = { column = \"level\", type = \"select\" }\n";

const SITE: &str = "\
[[entitlement_detail]]\nname = \"Seats\"\ntype = \"NUMBER\"\n\
[[entitlement_detail]]\nname = \"Level\"\ntype = \"SELECT\"\noptions = [\"Gold\", \"Silver\"]\n\
[[organization]]\nname = \"Acme\"\n[[organization]]\nname = \"Bolt\"\n\
[[product]]\nname = \"Router\"\n[[product]]\nname = \"Switch\"\n\
[[customer]]\nemail = \"ana@example.com\"\n[[customer]]\nemail = \"bo@example.com\"\n\
[[customer]]\nemail = \"cy@example.com\"\nkind = \"atlassian\"\n";

/// A served site and a job of entitlements before it.
struct Course {
    place: Place,
    site: Sandbox,
}

impl Course {
    /// Rows below the header `mail,firm,goods,seats,level`, on a site of this policy.
    fn new(policy: &str, mapping: &str, rows: &str) -> Self {
        let place = Place::new();
        place.write("site.toml", SITE);
        place.write("rights.toml", mapping);
        place.write("rights.csv", format!("mail,firm,goods,seats,level\n{rows}"));
        let flags = format!("--seed site.toml --state-dir site {policy}");
        let site = Sandbox::serve(&place, &flags);
        let course = Self { place, site };
        course.job("user_search = true\nread_patience = \"1s\"\n", "", "");
        course
    }

    /// Writes the job; `before` are stages ahead of the entitlements, `stage` more lines of theirs.
    fn job(&self, contract: &str, before: &str, stage: &str) {
        let site = self.site.site_table();
        let job = format!(
            "{site}[auth]\nmethod = \"basic\"\n[state]\ndir = \"state\"\n[contract]\n{contract}{before}[[stage]]\n\
             mapping = \"rights.toml\"\ninput = \"rights.csv\"\nresults = \"out.csv\"\n{stage}"
        );
        self.place.write("job.toml", job);
    }

    fn load(&self, flags: &str) -> Ended {
        let words = format!("load --quiet job.toml {flags}");
        self.place.run_with(&words, &CREDENTIALS)
    }

    fn told(&self) -> String {
        self.place.results("out.csv").told()
    }

    /// Each entitlement with its values. That none is there twice is checked on the way.
    fn held(&self) -> String {
        let mut text = String::new();
        for (key, record) in self.site.records("entitlements") {
            let _ = writeln!(text, "{key}{}", values(&record));
        }
        text
    }

    /// Requests to entitlements since the one with this number, by method and path without ids.
    fn asked(&self, since: usize) -> BTreeMap<String, usize> {
        let mut asked = BTreeMap::new();
        for exchange in self.place.exchanges().split_off(since) {
            let parts: Vec<_> = exchange.path.split('/').collect();
            if !parts.contains(&"entitlement") {
                continue;
            }
            let id = |part: &&str| {
                part.contains([':', '%']) || part.len() > 30 || part.parse::<u32>().is_ok()
            };
            let parts = parts.iter().map(|part| if id(part) { "*" } else { part });
            let path = parts.collect::<Vec<_>>().join("/");
            let path = path.split("/v1").last().unwrap_or_default();
            *asked
                .entry(format!("{} {path}", exchange.method))
                .or_default() += 1;
        }
        asked
    }
}

fn values(record: &Value) -> String {
    let details = record["details"].as_array().unwrap().iter();
    let details = details.map(|detail| {
        let values = detail["values"].as_array().unwrap().iter();
        let values: Vec<_> = values.map(|value| value.as_str().unwrap()).collect();
        format!(
            ", {} {}",
            detail["name"].as_str().unwrap(),
            values.join("+")
        )
    });
    details.collect()
}

const ROWS: &str = "\
ana@example.com,,Router,5,Gold\n\
,Acme,Router,,Silver\n\
ana@example.com,,Switch,many,Gold\n\
bo@example.com,,Router,3,Platinum\n\
nobody@example.com,,Router,1,\n\
bo@example.com,,Switch,,\n\
,Nowhere,Router,,\n\
 ANA@example.com,,router,7,Gold\n\
cy@example.com,,Router,2,Gold\n\
bo@example.com,Acme,Router,2,Gold\n\
,Bolt,Hub,2,Gold\n";

#[test]
fn what_is_missing_is_given_and_a_second_run_finds_it_as_it_is() {
    let course = Course::new("", MAPPING, ROWS);
    course.load("").expect(4);
    assert_snapshot!(course.told(), @r#"
    1 | 2 | ana@example.com / Router | duplicate | DUPLICATE_KEY |  | row 8 has the same natural key and stands for it
    2 | 3 | Acme / Router | loaded
    3 | 4 | ana@example.com / Switch | rejected | NUMBER_INVALID | Seats | not a number
    4 | 5 | bo@example.com / Router | failed | SITE_REJECTED; PARTLY_APPLIED | Level;  | Invalid detail field value; written all the same: the entitlement, "Seats"
    5 | 6 | nobody@example.com / Router | failed | CUSTOMER_NOT_FOUND | customer | a search found no customer with this e-mail
    6 | 7 | bo@example.com / Switch | loaded
    7 | 8 | Nowhere / Router | rejected | ORGANIZATION_NOT_FOUND | organization | the site has no organization named "Nowhere"
    8 | 9 | ANA@example.com / router | loaded
    9 | 10 | cy@example.com / Router | loaded
    10 | 11 | bo@example.com / Router | rejected | OWNER_AMBIGUOUS | organization | a customer and an organization; an entitlement belongs to one of them
    11 | 12 | Bolt / Hub | rejected | PRODUCT_NOT_FOUND | product | the site has no product named "Hub"
    "#);
    assert_snapshot!(course.held(), @"
    acme/router, Level Silver
    ana@example.com/router, Seats 7, Level Gold
    bo@example.com/router, Seats 3
    bo@example.com/switch
    cy@example.com/router, Seats 2, Level Gold
    ");
    let results = course.place.results("out.csv");
    let ids: Vec<_> = results
        .column("remote_id")
        .into_iter()
        .map(|id| !id.is_empty())
        .collect();
    assert_eq!(
        ids,
        [
            false, true, false, true, false, true, false, true, true, false, false
        ]
    );
    let (writes, asked) = (course.site.audit().len(), course.place.exchanges().len());

    // what was loaded is remembered, what was not is looked at again
    course.load("").expect(4);
    assert_eq!(
        course.place.results("out.csv").counts(),
        [
            ("duplicate", 1),
            ("failed", 2),
            ("rejected", 4),
            ("unchanged", 4)
        ]
        .map(|(status, rows)| (status.to_owned(), rows))
        .into()
    );
    assert_eq!(
        course.asked(asked),
        [
            ("GET /customer/*/entitlement".to_owned(), 1),
            ("PUT /entitlement/*/details".to_owned(), 1)
        ]
        .into()
    );
    // asked of the site itself, it says the same
    course.load("--full").expect(4);
    let unchanged: Vec<_> = course
        .told()
        .lines()
        .filter(|line| line.contains("unchanged"))
        .map(str::to_owned)
        .collect();
    assert_snapshot!(unchanged.join("\n"), @"
    2 | 3 | Acme / Router | unchanged | ALREADY_PRESENT |  | the site has this entitlement with these values already
    6 | 7 | bo@example.com / Switch | unchanged | ALREADY_PRESENT |  | the site has this entitlement with these values already
    8 | 9 | ANA@example.com / router | unchanged | ALREADY_PRESENT |  | the site has this entitlement with these values already
    9 | 10 | cy@example.com / Router | unchanged | ALREADY_PRESENT |  | the site has this entitlement with these values already
    ");
    assert_eq!(
        course.site.audit().len(),
        writes,
        "nothing is written twice"
    );
}

#[test]
fn an_organizations_entitlement_is_not_its_customers() {
    let course = Course::new("", MAPPING, ",Acme,Router,1,\nana@example.com,,Router,2,\n");
    course.place.write(
        "people.toml",
        "entity = \"customer\"\n[fields]\nemail = \"mail\"\n[organizations]\nnames = \"firm\"\n",
    );
    course
        .place
        .write("people.csv", "mail,firm\nana@example.com,Acme\n");
    let people = "[[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\nresults = \"people-out.csv\"\n";
    course.job("user_search = true\n", people, "duplicates = \"last\"\n");
    course.load("").expect(0);
    assert_snapshot!(course.held(), @"
    acme/router, Seats 1
    ana@example.com/router, Seats 2
    ");
    course.load("--full").expect(0);
    assert_eq!(
        course.place.results("out.csv").column("status"),
        ["unchanged"; 2]
    );
}

#[test]
fn the_operation_says_what_must_be_there() {
    let rows = "ana@example.com,,Router,5,Gold\n";
    let course = Course::new("", &format!("operation = \"update\"\n{MAPPING}"), rows);
    course.load("").expect(4);
    assert_snapshot!(course.told(), @"1 | 2 | ana@example.com / Router | failed | NOT_FOUND |  | the site does not have this entitlement");
    course
        .place
        .write("rights.toml", format!("operation = \"create\"\n{MAPPING}"));
    course.load("").expect(0);
    course.load("--full").expect(4);
    assert_snapshot!(course.told(), @"1 | 2 | ana@example.com / Router | failed | ALREADY_EXISTS |  | the site has this entitlement already");
    course
        .place
        .write("rights.toml", format!("operation = \"update\"\n{MAPPING}"));
    course.place.write(
        "rights.csv",
        "mail,firm,goods,seats,level\nana@example.com,,Router,6,Gold\n",
    );
    course.load("").expect(0);
    assert_snapshot!(course.held(), @"ana@example.com/router, Seats 6, Level Gold");
    assert_eq!(course.place.results("out.csv").column("attempts"), ["1"]);
}

#[test]
fn rows_of_one_entitlement_follow_each_other_in_order() {
    let mut rows = String::new();
    for seats in 1..=12 {
        let _ = writeln!(rows, "ana@example.com,,Router,{seats},");
        let _ = writeln!(rows, ",Acme,Router,{seats},");
    }
    // reads are behind, so that only what was just written tells the next row
    let course = Course::new("--set read_lag_ms=400", MAPPING, &rows);
    let contract = "user_search = true\nread_patience = \"30s\"\n";
    course.job(contract, "", "duplicates = \"all-in-order\"\n");
    course.load("").expect(0);
    assert_snapshot!(course.held(), @"
    acme/router, Seats 12
    ana@example.com/router, Seats 12
    ");
    assert_eq!(
        course.place.results("out.csv").counts(),
        [("loaded".to_owned(), 24)].into()
    );
}

#[test]
fn a_product_that_is_missing_is_created_where_the_mapping_says_so() {
    let mapping = MAPPING.replace(
        "\"goods\"",
        "{ column = \"goods\", on_missing = \"create\" }",
    );
    let course = Course::new(
        "",
        &mapping,
        "ana@example.com,,Hub,5,\nbo@example.com,,Cable,many,\n",
    );
    course.load("").expect(4);
    assert_snapshot!(course.held(), @"ana@example.com/hub, Seats 5");
    assert_eq!(
        course.site.count("products"),
        3,
        "none for a row that is rejected"
    );
}

#[test]
fn without_a_search_a_customer_is_known_by_its_id_alone() {
    let course = Course::new("", MAPPING, "ana@example.com,,Router,5,\n");
    course.job("", "", "");
    course.load("").expect(4);
    assert_snapshot!(course.told(), @"1 | 2 | ana@example.com / Router | failed | CUSTOMER_NOT_FOUND | customer | no id is known of the customer with this e-mail, and [contract] user_search does not allow to search for it");
    let id = course.site.records("customers")["ana@example.com"]["customerId"]
        .as_str()
        .unwrap()
        .to_owned();
    course.place.write(
        "rights.toml",
        MAPPING.replace("customer =", "customer_id ="),
    );
    course.place.write(
        "rights.csv",
        format!("mail,firm,goods,seats,level\n{id},,Router,5,\nqm:nobody,,Router,1,\n"),
    );
    course.load("").expect(4);
    assert_snapshot!(course.told().replace(&id, "ID"), @"
    1 | 2 | ID / Router | loaded
    2 | 3 | qm:nobody / Router | failed | SITE_REJECTED |  | Customer not found
    ");
}

/// Rows of both organizations and all customers, with two products each.
fn many() -> String {
    let mut rows = String::new();
    let owners = [
        "ana@example.com,",
        "bo@example.com,",
        "cy@example.com,",
        ",Acme",
        ",Bolt",
    ];
    for (number, owner) in owners.iter().enumerate() {
        for product in ["Router", "Switch"] {
            let _ = writeln!(rows, "{owner},{product},{},Gold", number + 1);
        }
    }
    rows
}

const MANY: &str = "\
acme/router, Seats 4, Level Gold\nacme/switch, Seats 4, Level Gold\nana@example.com/router, Seats 1, Level Gold\n\
ana@example.com/switch, Seats 1, Level Gold\nbo@example.com/router, Seats 2, Level Gold\n\
bo@example.com/switch, Seats 2, Level Gold\nbolt/router, Seats 5, Level Gold\nbolt/switch, Seats 5, Level Gold\n\
cy@example.com/router, Seats 3, Level Gold\ncy@example.com/switch, Seats 3, Level Gold\n";

#[test]
fn answers_that_are_lost_are_looked_for_and_nothing_is_given_twice() {
    for seed in 1..=2 {
        let policy = format!(
            "--random-seed {seed} --set dropped_after=0.06 --set truncated_json=0.04 --set applied_504=0.04 \
             --set dropped_before=0.02 --set burst_429=0.04 --set burst_window_ms=100 --set read_lag_ms=200"
        );
        let course = Course::new(&policy, MAPPING, &many());
        course
            .place
            .judge_only("answers break off", |exchange| exchange.fault.is_none());
        course.load("").expect(0);
        let results = course.place.results("out.csv");
        assert_eq!(results.column("status"), ["loaded"; 10], "seed {seed}");
        assert_eq!(course.held(), MANY, "seed {seed}");
        let lost = course.place.exchanges().into_iter();
        let lost = lost.filter(|exchange| exchange.method == "POST" && exchange.fault.is_some());
        assert!(lost.count() > 0, "seed {seed} loses no answer");
    }
}

#[test]
fn what_the_site_refuses_fails_in_its_words_and_too_much_of_it_stops_the_run() {
    let policy = "--set poison=1 --set poison_words=Not-this-one";
    let course = Course::new(policy, MAPPING, &many());
    course.load("").expect(4);
    let results = course.place.results("out.csv");
    assert_eq!(results.column("status"), ["failed"; 10]);
    assert_eq!(results.column("message"), ["Not-this-one"; 10]);
    assert_eq!(course.held(), "");
    course.load("--max-errors 1").expect(5);
    let results = course.place.results("out.csv");
    let counts = results.counts();
    assert_eq!(counts["failed"] + counts["not_sent"], 10, "{counts:?}");
    assert!(
        counts["failed"] >= 2 && counts["not_sent"] >= 1,
        "{counts:?}"
    );
}

#[test]
fn a_load_that_is_killed_goes_on_where_it_was() {
    let points = [
        "calling.before:1",
        "calling.after:1",
        "create.before:2",
        "create.after:1",
        "create.after:9",
        "rows.before:1",
        "rows.after:3",
        "look-up.after:4",
        "stage-finished.before:1",
    ];
    for point in points {
        let course = Course::new("--set read_lag_ms=100", MAPPING, &many());
        let mut env = CREDENTIALS.to_vec();
        env.push(("CSM_LOADER_KILL_AT", point));
        let killed = course.place.run_with("load --quiet job.toml", &env);
        assert_eq!(killed.code, None, "{point}: {}", killed.said());
        course.load("").expect(0);
        assert_eq!(
            course.place.results("out.csv").column("status"),
            ["loaded"; 10],
            "{point}"
        );
        assert_eq!(course.held(), MANY, "{point}");
        // each value once, however often the load was killed: a call that was carried out is found
        let writes = course.site.audit();
        let writes: Vec<_> = writes
            .iter()
            .filter(|write| write.entity == "entitlement")
            .collect();
        assert!(
            (30..=38).contains(&writes.len()),
            "{point}: {}",
            writes.len()
        );
    }
}
