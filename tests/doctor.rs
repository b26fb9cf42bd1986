//! `doctor` looks at sites, and `doctor --probe` finds out how differently configured ones behave, leaving nothing
//! behind.

use crate::support::place::Place;
use crate::support::process::Ended;
use crate::support::sandbox::Sandbox;
use crate::support::scripted::CREDENTIALS;
use csm_loader::probe::QUESTIONS;
use insta::assert_snapshot;
use serde_json::Value;
use std::collections::BTreeMap;

/// What is on a site before anybody probes it.
const SEED: &str = "\
[[customer_detail]]\nname = \"Tier\"\ntype = \"SELECT\"\noptions = [\"Gold\", \"Silver\"]\n\
[[customer_detail]]\nname = \"External ID\"\ntype = \"TEXT\"\n\
[[organization]]\nname = \"Keeper Ltd\"\n\
[[product]]\nname = \"Router\"\n\
[[customer]]\nemail = \"ana@example.com\"\ndisplay_name = \"Ana\"\n";

/// What a probe must leave as it was.
const COUNTED: [&str; 7] = [
    "customers",
    "organizations",
    "products",
    "entitlements",
    "customerDetailFields",
    "organizationDetailFields",
    "entitlementDetailFields",
];

struct Probed {
    ended: Ended,
    before: Site,
    after: Site,
}

/// A site's counts and records.
#[derive(Debug, PartialEq)]
struct Site(Vec<(&'static str, u64)>, Vec<BTreeMap<String, Value>>);

impl Site {
    fn of(sandbox: &Sandbox) -> Self {
        let counts = COUNTED.map(|of| (of, sandbox.count(of)));
        let records = ["customers", "organizations", "products", "entitlements"];
        let records = records.map(|kind| sandbox.records(kind));
        Self(counts.into(), records.into())
    }
}

/// Serves a site of these knobs that calls things as `contract` says, and probes it without knowing any of that.
fn probe(place: &Place, knobs: &str, contract: &str, flags: &str) -> Probed {
    place.write("seed.toml", SEED);
    place.write("names.toml", format!("[contract]\n{contract}"));
    let sandbox = Sandbox::serve(
        place,
        &format!("--state-dir site --seed seed.toml --contract names.toml {knobs}"),
    );
    place.write("job.toml", sandbox.site_table());
    let before = Site::of(&sandbox);
    let command = format!("doctor job.toml --probe --yes --patience 9s {flags}");
    let ended = place.run_with(&command, &CREDENTIALS);
    let after = Site::of(&sandbox);
    sandbox.stop();
    Probed {
        ended,
        before,
        after,
    }
}

impl Probed {
    /// Nothing is left behind; gives what is said at the end.
    #[track_caller]
    fn end(&self) -> &str {
        let said = &self.ended.stdout;
        assert_eq!(self.ended.code, Some(0), "{}", self.ended.said());
        assert_eq!(self.before, self.after, "{said}");
        end(&self.ended)
    }

    /// The same; gives the block.
    #[track_caller]
    fn block(&self) -> &str {
        let said = self.end();
        let start = said.find("\n[contract]").expect("a block") + 1;
        let end = said[start..].find("\n\n").expect("an end");
        &said[start..start + end]
    }

    /// The answer to a question.
    #[track_caller]
    fn answer(&self, about: &str) -> &str {
        let said = &self.ended.stdout;
        let begin = format!("  {about}: ");
        let mut lines = said.lines();
        let line = lines.find_map(|line| Some(line.split_once(&begin)?.1));
        line.unwrap_or_else(|| panic!("{about} in\n{said}"))
    }
}

/// What a probe says behind its answers, down to that everything is deleted.
#[track_caller]
fn end(ended: &Ended) -> &str {
    let said = &ended.stdout;
    let start = said.find("\n# ").expect("an end") + 1;
    let gone = "everything that the probe made is deleted";
    let end = said[start..].find(gone).expect("all is deleted");
    &said[start..start + end]
}

/// Names are tried that the site does not have: what it refuses is not as described, on purpose.
fn tolerant() -> Place {
    let place = Place::new();
    place.judge_only("names are tried out", |exchange| {
        !matches!(exchange.status, Some(400 | 422))
    });
    place
}

/// The site itself is not as described.
fn unjudged() -> Place {
    let place = Place::new();
    place.judge_only("the site has other names", |_| false);
    place
}

#[test]
fn a_site_that_is_as_guessed_differs_in_nothing_but_what_is_off() {
    let place = tolerant();
    let probed = probe(&place, "", "", "");
    assert_snapshot!(probed.block(), @r"
    [contract]
    user_search = true
    ");
    for (about, answer) in [
        (
            "organization/fetch by names",
            "\"organizationNames\", answered in \"organizations\"",
        ),
        ("customer/profile/bulk", "the list is \"customerProfiles\""),
        (
            "organizations of a customer profile",
            "\"associateOrganizations\", ids as texts",
        ),
        (
            "a second organization of a customer",
            "is added to the first: associations add",
        ),
        (
            "membership through the service desk",
            "works, and is not needed, as associations arrive",
        ),
        ("UPDATE of a detail that has values", "replaces them"),
        ("PATCH of a detail that has values", "adds to them"),
        ("UPDATE of a detail with no values", "clears it"),
        ("a single detail call with no values", "clears it"),
        ("one bad item of a bulk request", "fails alone, in its task"),
        ("how a failed create is named", "by its name"),
        ("a key with the same body", "gives the same task"),
        ("a key with another body", "is refused with 400"),
    ] {
        assert_eq!(probed.answer(about), answer, "{about}");
    }
    assert!(
        !probed.ended.stdout.contains("open  "),
        "{}",
        probed.ended.stdout
    );
    // so nothing of what may be asked stays open
    let answers = probed.ended.stdout.lines();
    let asked: Vec<_> = answers
        .filter_map(|line| Some(line.strip_prefix("seen  ")?.split_once(": ")?.0))
        .collect();
    assert_eq!(asked, QUESTIONS);
    // what was sent and what came back stands below each answer
    let seen = probed.ended.stdout.matches("\nseen  ").count();
    assert_eq!(probed.ended.stdout.matches("\n      sent ").count(), seen);
    // nothing of anybody else's record is shown
    assert!(
        !probed.ended.stdout.contains("Keeper"),
        "{}",
        probed.ended.stdout
    );
}

#[test]
fn other_names_are_found_and_the_job_then_loads() {
    let place = unjudged();
    let names = "\
customer_accounts = \"accounts\"\ncustomer_profiles = \"profiles\"\norganization_details = \"details\"\n\
organization_details_id = \"id\"\nassociate_products = \"products\"\nproduct_ids = \"ids\"\n\
fetch_organization_ids = \"ids\"\nfetch_organization_names = \"names\"\nfetched_organizations = \"found\"\n\
fetch_organization_profile_ids = \"ids\"\nfetched_organization_profiles = \"found\"\nfound_customers = \"customers\"\n\
entitlement_product = \"product\"\nentitlement_customer = \"customer\"\nentitlement_organization = \"organization\"\n";
    let probed = probe(&place, "", names, "");
    assert_snapshot!(probed.block(), @r#"
    [contract]
    customer_accounts = "accounts"
    customer_profiles = "profiles"
    organization_details = "details"
    organization_details_id = "id"
    associate_products = "products"
    product_ids = "ids"
    fetch_organization_ids = "ids"
    fetch_organization_names = "names"
    fetched_organizations = "found"
    fetch_organization_profile_ids = "ids"
    fetched_organization_profiles = "found"
    found_customers = "customers"
    entitlement_product = "product"
    entitlement_customer = "customer"
    entitlement_organization = "organization"
    user_search = true
    "#);
    // the printed block goes into a job as it is
    let block = probed.block().to_owned();
    let sandbox = Sandbox::serve(&place, "--state-dir site --contract names.toml");
    place.write("people.toml", crate::support::place::PEOPLE);
    place.write("people.csv", "email,name\nbo@example.com,Bo\n");
    let stage =
        "[[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\nresults = \"out.csv\"\n";
    place.write(
        "job.toml",
        format!("{}{block}\n{stage}", sandbox.site_table()),
    );
    place
        .run_with("load --quiet job.toml", &CREDENTIALS)
        .expect(0);
    sandbox.stop();
}

#[test]
fn organizations_named_by_numbers_are_found_and_replaced() {
    let place = unjudged();
    let knobs =
        "--set associations_there=goes --set key_conflict_status=409 --set submit_status=200";
    let probed = probe(&place, knobs, "organization_ids = \"number\"\n", "");
    assert_snapshot!(probed.block(), @r#"
    [contract]
    organization_ids = "number"
    user_search = true
    "#);
    assert_eq!(
        probed.answer("a second organization of a customer"),
        "takes the first one's place: associations replace"
    );
    assert_eq!(
        probed.answer("a key with another body"),
        "is refused with 409"
    );
    let status = probed.answer("status of an accepted bulk request");
    assert!(status.starts_with("200;"), "{status}");
}

#[test]
fn ignored_associations_call_for_the_fallback() {
    let place = tolerant();
    let knobs = "--set ignored_associations=1 --set failure_names=field --set values_there=stays";
    let probed = probe(&place, knobs, "", "");
    assert_snapshot!(probed.block(), @r"
    [contract]
    user_search = true
    membership = true
    ");
    assert_eq!(
        probed.answer("membership through the service desk"),
        "works"
    );
    for (about, name) in [
        ("organizations", "\"associateOrganizations\":"),
        ("products", "\"associateProducts\":"),
    ] {
        let about =
            format!("open  {about} of a customer profile: accepted, and does nothing; sent ");
        let mut lines = probed.ended.stdout.lines();
        let said = lines.find(|line| line.starts_with(&about)).unwrap();
        assert!(said.contains(name), "{said}");
    }
    assert_eq!(
        probed.answer("how a failed create is named"),
        "by the detail field alone"
    );
    assert_eq!(
        probed.answer("UPDATE of a detail that has values"),
        "adds to them"
    );
}

#[test]
fn a_bad_item_may_refuse_the_whole_request() {
    let place = tolerant();
    let knobs = "--set one_bad_item=refuses-request --set key_conflict_status=422";
    let probed = probe(&place, knobs, "", "--all");
    assert_eq!(
        probed.answer("one bad item of a bulk request"),
        "refuses the whole request"
    );
    assert_eq!(
        probed.answer("a key with another body"),
        "is refused with 422"
    );
    let block = probed.block();
    assert!(
        block.contains("\norganization_ids = \"string\"\n"),
        "{block}"
    );
    assert_eq!(
        block.lines().filter(|line| line.contains(" = ")).count(),
        24
    );
}

#[test]
fn late_reads_and_late_searches_are_waited_for() {
    let place = tolerant();
    let knobs = "--set read_lag_ms=120 --set user_search_lag_ms=60000 --set failure_names=none";
    let probed = probe(&place, knobs, "", "");
    assert_snapshot!(probed.end(), @"
    # what was found out is as it was taken for; there is no [contract] to paste

    not found out:
      the user search
    ");
    let search = probed.answer("the user search");
    assert!(search.starts_with("not found within"), "{search}");
    assert_eq!(probed.answer("how a failed create is named"), "not at all");
    assert_eq!(
        probed.answer("organizations of a customer profile"),
        "\"associateOrganizations\", ids as texts"
    );
}

#[test]
fn a_probe_asks_first() {
    let place = Place::new();
    let ended = place.run("doctor --target sandbox --state-dir state --probe");
    assert_eq!(ended.code, Some(2));
    assert_snapshot!(ended.stderr, @"error: --probe writes to the site, and nobody is there to ask: say --yes");
}

#[test]
fn an_interrupted_probe_deletes_what_it_made() {
    let place = tolerant();
    place.write("seed.toml", SEED);
    // nobody finds the customer: the probe waits until it is stopped
    let sandbox = Sandbox::serve(
        &place,
        "--state-dir site --seed seed.toml --set user_search_lag_ms=3600000",
    );
    place.write("job.toml", sandbox.site_table());
    let before = Site::of(&sandbox);
    let probing = place.start_with("doctor job.toml --probe --yes --patience 10m", &CREDENTIALS);
    crate::support::wait_for("a customer", || {
        (sandbox.count("customers") > 1).then_some(())
    });
    probing.signal("INT");
    let ended = probing.end();
    assert_eq!(ended.code, Some(5), "{}", ended.said());
    assert!(ended.stdout.contains("stopped early"), "{}", ended.stdout);
    // how far it came is chance; nothing that it saw until then is otherwise
    let (title, open) = end(&ended).split_once("\n\n").unwrap();
    assert_snapshot!(title, @"# what was found out is as it was taken for; there is no [contract] to paste");
    assert!(open.starts_with("not found out:\n  "), "{open}");
    assert!(open.contains("\n  the user search\n"), "{open}");
    assert_eq!(Site::of(&sandbox), before);
    sandbox.stop();
}

#[test]
fn what_cannot_be_deleted_is_listed() {
    let place = tolerant();
    place.write(
        "auth.toml",
        "[[basic]]\nemail = \"loader@example.com\"\ntoken = \"secret\"\nscopes = [\"write:organization:jira-service-management\", \
         \"read:organization:jira-service-management\", \"read:task:jira-service-management\"]\n",
    );
    let sandbox = Sandbox::serve(&place, "--state-dir site --auth auth.toml");
    place.write("job.toml", sandbox.site_table());
    let credentials = [
        ("CSM_LOADER_EMAIL", "loader@example.com"),
        ("CSM_LOADER_API_TOKEN", "secret"),
    ];
    let ended = place.run_with("doctor job.toml --probe --yes --patience 3s", &credentials);
    assert_eq!(ended.code, Some(4), "{}", ended.said());
    assert!(
        ended.stderr.contains("not everything that the probe made is deleted; delete by hand:\n  organization \"csm-loader-probe-"),
        "{}",
        ended.stderr
    );
    assert_eq!(sandbox.count("organizations"), 2);
    sandbox.stop();
}

/// A site with a job of two customer mappings.
fn examined(place: &Place, mapping: &str) -> Ended {
    place.write("seed.toml", SEED);
    place.write("people.toml", mapping);
    let sandbox = Sandbox::serve(place, "--state-dir site --seed seed.toml");
    let stage = "[[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\n";
    place.write("job.toml", format!("{}{stage}", sandbox.site_table()));
    let mut ended = place.run_with("doctor job.toml", &CREDENTIALS);
    ended.stdout = ended.stdout.replace(&sandbox.base_url, "SITE");
    ended.stdout = ended.stdout.replace(&sandbox.cloud_id, "ID");
    sandbox.stop();
    ended
}

#[test]
fn a_site_that_fits_its_job_is_examined_line_by_line() {
    let place = Place::new();
    let mapping = "entity = \"customer\"\nkey = \"id\"\nkey_detail = \"External ID\"\n[fields]\nemail = \"email\"\n[details]\n\
                   Tier = { column = \"t\", type = \"select\", options = [\"Gold\"] }\n";
    let ended = examined(&place, mapping).expect(0);
    assert_snapshot!(ended.stdout, @r"
    ok    name: 127.0.0.1 has an address
    ok    connection: SITE answers
    ok    clock: within a minute of the site's
    ok    site: ID (cloud id ID)
    ok    token: an API token, as ana.loader@corp.example; it cannot be asked for its scopes
    ok    tasks: GET /api/v1/tasks/{taskId} works
    ok    products: GET /api/v1/product works
    ok    organizations by name: POST /api/v1/organization/fetch works
    ok    customers by id: POST /api/v1/customer/profile/fetch works
    ok    rate limits: no answer told of any
    ok    customer detail fields: 2 fields
    ok    people.toml: the site has the 2 detail fields that it writes
    ok    organization detail fields: 0 fields
    -     task slots: not tested: nothing is written without --probe
    ");
}

#[test]
fn what_does_not_fit_is_said_with_what_to_do() {
    let place = Place::new();
    let mapping = "entity = \"customer\"\n[fields]\nemail = \"email\"\n[details]\nSince = \"since\"\n\
                   tier = { column = \"t\", type = \"select\", options = [\"Gold\", \"Bronze\"] }\n";
    let ended = examined(&place, mapping).expect(3);
    let said: Vec<_> = ended
        .stdout
        .lines()
        .filter(|line| line.contains("people.toml"))
        .collect();
    assert_snapshot!(said.join("\n"), @r#"
    fail  people.toml: the site has no detail field "Since": create it, with a stage of definitions for example, or take it out of the mapping
    fail  people.toml: the detail field "tier" lacks options on the site: "Bronze"; add them there, or rows with them fail
    warn  people.toml: no key_detail: customers whose loading is in doubt cannot be found again unless their id is known; write the key to a detail field and name it as key_detail, or see with --probe if user_search works
    "#);
}

#[test]
fn a_site_that_is_not_there_ends_the_examination() {
    let place = Place::new();
    // nobody listens on the first port
    place.write(
        "job.toml",
        "[site]\ncloud_id = \"c\"\nbase_url = \"http://127.0.0.1:1\"\n",
    );
    let ended = place.run_with("doctor job.toml", &CREDENTIALS).expect(3);
    assert_snapshot!(ended.stdout, @r"
    ok    name: 127.0.0.1 has an address
    fail  connection: http://127.0.0.1:1 does not answer: no connection to 127.0.0.1:1: Connection refused (os error 111); check the address, the proxy (HTTPS_PROXY) and the certificates that this machine trusts
    ");
    let ended = place
        .run("doctor --target sandbox --state-dir state")
        .expect(0);
    assert!(ended.stdout.contains("not tested"), "{}", ended.stdout);
}

#[test]
fn missing_credentials_and_permissions_fail() {
    let place = Place::new();
    let sandbox = Sandbox::serve(&place, "--state-dir site --set authorization=nobody");
    place.write("job.toml", sandbox.site_table());
    let ended = place.run("doctor job.toml").expect(3);
    assert!(
        ended.stdout.contains("\nfail  credentials: "),
        "{}",
        ended.stdout
    );
    let ended = place.run_with("doctor job.toml", &CREDENTIALS).expect(3);
    let (_, said) = ended.stdout.split_once("\nfail").unwrap();
    assert_snapshot!(said.trim(), @"
    token: GET /api/v1/tasks/00000000-0000-0000-0000-000000000000 was answered 401: Unauthorized (check e-mail and token; the token may have expired)
    -     reads and detail fields: not tested: nobody is let in with this token
    ");
    sandbox.stop();
}
