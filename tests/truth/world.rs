//! A site, a job of one stage, and the results of loading it beside what the site holds.

use crate::support::place::Place;
use crate::support::process::Ended;
use crate::support::sandbox::Sandbox;
use crate::support::scripted::CREDENTIALS;
use crate::support::table::Table;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Detail fields and organizations of the sites here.
pub(super) const SITE: &str = "\
[[customer_detail]]\nname = \"Region\"\ntype = \"SELECT\"\noptions = [\"EMEA\", \"APAC\"]\n\
[[customer_detail]]\nname = \"External ID\"\ntype = \"TEXT\"\n\
[[organization_detail]]\nname = \"Tier\"\ntype = \"TEXT\"\n\
[[organization]]\nname = \"Acme\"\n[[organization]]\nname = \"Bolt\"\n";

/// A row of customers: their e-mail, name, region and organization.
pub(super) type Person = [&'static str; 4];

/// A site and its job.
pub(super) struct World {
    pub(super) place: Place,
    pub(super) site: Sandbox,
}

impl World {
    /// A site of [`SITE`] and these records more, which behaves like this.
    pub(super) fn new(records: &str, policy: &str) -> Self {
        let place = Place::new();
        place.write("site.toml", format!("{SITE}{records}"));
        let flags = format!("--seed site.toml --state-dir site --random-seed 5 {policy}");
        let site = Sandbox::serve(&place, &flags);
        Self { place, site }
    }

    /// The job: one stage of `rows.csv`, with these lines of `[limits]` and `[contract]`.
    pub(super) fn job(&self, limits: &str, contract: &str) -> &Self {
        self.place.write(
            "job.toml",
            format!(
                "{}[auth]\nmethod = \"basic\"\n[state]\ndir = \"state\"\n\
                 [limits]\nrequests_per_second = 1000\nplatform_limits = false\n{limits}\n[contract]\nread_patience = \"1s\"\n{contract}\n\
                 [[stage]]\nmapping = \"rows.toml\"\ninput = \"rows.csv\"\nresults = \"out.csv\"\n",
                self.site.site_table()
            ),
        );
        self
    }

    /// Customers with the columns of [`Person`], found again by their e-mail's copy.
    pub(super) fn customers(&self, operation: &str, people: &[Person]) -> &Self {
        let lines = people.iter().map(|person| person.join(","));
        self.rows("email,name,region,account", lines);
        self.place.write(
            "rows.toml",
            format!(
                "entity = \"customer\"\nkey = \"email\"\nkey_detail = \"External ID\"\noperation = \"{operation}\"\n\
                 [fields]\nemail = \"email\"\ndisplay_name = \"name\"\n[details]\nRegion = \"region\"\n\
                 [organizations]\nnames = \"account\"\n"
            ),
        );
        self
    }

    /// So many customers of one region and organization.
    pub(super) fn crowd(&self, operation: &str, count: usize) -> &Self {
        let lines = (1..=count).map(|row| format!("p{row}@example.com,Person {row},EMEA,Acme"));
        self.customers(operation, &[]);
        self.rows("email,name,region,account", lines)
    }

    /// So many organizations of one tier.
    pub(super) fn organizations(&self, operation: &str, tier: &str, count: usize) -> &Self {
        let lines = (1..=count).map(|row| format!("Org {row},{tier}"));
        self.place.write(
            "rows.toml",
            format!(
                "entity = \"organization\"\nkey = \"name\"\noperation = \"{operation}\"\n\
                 [fields]\nname = \"name\"\n[details]\nTier = \"tier\"\n"
            ),
        );
        self.rows("name,tier", lines)
    }

    /// Products of these names.
    pub(super) fn products(&self, names: &[&str]) -> &Self {
        let mapping = "entity = \"product\"\nkey = \"name\"\n[fields]\nname = \"name\"\n";
        self.place.write("rows.toml", mapping);
        self.rows("name", names.iter().map(|name| (*name).to_owned()))
    }

    pub(super) fn rows(&self, header: &str, lines: impl IntoIterator<Item = String>) -> &Self {
        let mut text = format!("{header}\n");
        for line in lines {
            let _ = writeln!(text, "{line}");
        }
        self.place.write("rows.csv", text);
        self
    }

    pub(super) fn load(&self) -> Ended {
        self.place.run_with("load job.toml --quiet", &CREDENTIALS)
    }

    pub(super) fn results(&self) -> Table {
        self.place.results("out.csv")
    }

    /// How many requests were made to this path.
    pub(super) fn requests(&self, method: &str, path_end: &str) -> usize {
        let exchanges = self.place.exchanges();
        let are_meant = exchanges
            .iter()
            .filter(|exchange| exchange.method == method && exchange.path.ends_with(path_end));
        are_meant.count()
    }

    /// Checks that each row says of its record what the site holds: rows that are loaded are there as they were sent,
    /// and rows that failed are not, unless their code says that a part of them is.
    #[track_caller]
    pub(super) fn expect_truth(&self, kind: &str) {
        let held = self.site.records(kind);
        let results = self.results();
        let sent = Table::read(&self.place.path("rows.csv"));
        results.expect_rows(sent.rows.len());
        for (row, (status, code)) in sent.rows.iter().zip(
            results
                .column("status")
                .into_iter()
                .zip(results.column("code")),
        ) {
            let record = held.get(&row[0].to_lowercase());
            let holds = record.is_some_and(|record| holds(&sent.columns, row, record));
            let is_partly = ["ASSOCIATION_MISSING", "PARTLY_APPLIED", "ALREADY_EXISTS"]
                .iter()
                .any(|partly| code.contains(partly));
            match status {
                "loaded" => assert!(holds, "{row:?} is loaded; the site holds {record:?}"),
                "failed" => assert!(
                    !holds || is_partly,
                    "{row:?} failed {code}; the site holds it"
                ),
                other => panic!("{row:?} is {other} {code}"),
            }
        }
    }
}

/// Whether a record has all that a row says.
fn holds(columns: &[String], row: &[String], record: &Value) -> bool {
    let detail = |name: &str, value: &str| {
        let details = record["details"].as_array().expect("a list").iter();
        let has = details
            .filter(|detail| detail["name"] == name)
            .any(|detail| detail["values"][0] == value);
        has || value.is_empty()
    };
    columns
        .iter()
        .zip(row)
        .all(|(column, value)| match &**column {
            "email" => detail("External ID", value),
            "name" if record.get("displayName").is_some() => record["displayName"] == **value,
            "name" => record["name"] == **value,
            "region" => detail("Region", value),
            "tier" => detail("Tier", value),
            "account" => value.is_empty() || organizations(record).contains(&value.as_str()),
            other => panic!("no column {other}"),
        })
}

/// The names of the organizations that a customer belongs to.
pub(super) fn organizations(record: &Value) -> Vec<&str> {
    let list = record["organizations"].as_array().expect("a list");
    let names = list.iter().filter_map(|one| one["name"].as_str());
    names.collect()
}

/// How often each record was created, by key.
pub(super) fn creations(site: &Sandbox, entity: &str) -> BTreeMap<String, usize> {
    let mut creations = BTreeMap::new();
    for write in site.audit() {
        if write.entity == entity && write.operation == "create" {
            *creations.entry(write.key).or_default() += 1;
        }
    }
    creations
}
