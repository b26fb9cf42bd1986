//! A kind of site, and one load into it.

use crate::support::place::Place;
use crate::support::sandbox::Sandbox;
use crate::support::scripted::CREDENTIALS;
use crate::support::wait_for;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

const ROWS: usize = 12;

const SITE: &str = "\
[[customer_detail]]\nname = \"Region\"\ntype = \"TEXT\"\n\
[[customer_detail]]\nname = \"External ID\"\ntype = \"TEXT\"\n\
[[organization]]\nname = \"Acme\"\n[[organization]]\nname = \"Bolt\"\n";

/// How its tasks end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Finished,
    Failed,
}

/// What of their rows was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    All,
    Nothing,
    Partly,
}

/// What their failures say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// Which row they mean.
    Row,
    /// Which detail field they mean.
    Half,
    /// That there is one.
    None,
    /// There are none.
    Empty,
}

/// How rows can be found on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    ByKeyDetail,
    ByUserSearch,
    Nowhere,
}

/// A kind of site.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) end: End,
    pub(super) written: Written,
    pub(super) names: Names,
    /// Reads lag a minute behind writes.
    pub(super) lag: bool,
    /// Associations do nothing.
    pub(super) dropped: bool,
    pub(super) found: Found,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            end,
            written,
            names,
            lag,
            dropped,
            found,
        } = self;
        let lag = if *lag { 60 } else { 0 };
        let associations = if *dropped { "dropped" } else { "kept" };
        write!(
            f,
            "{end:?}, written {written:?}, failures {names:?}, lag {lag} s, associations {associations}, found {found:?}"
        )
    }
}

impl Cell {
    /// Its tasks FINISH, keep their failures to themselves, and have some.
    pub(super) fn is_silent(self) -> bool {
        self.end == End::Finished && self.names == Names::Empty && self.written != Written::All
    }

    /// Whether its rows may be unconfirmed: they cannot be found, and no failure tells which of them it means.
    fn leaves_open(self) -> bool {
        let told = match (self.end, self.written) {
            // no task tells more than its failures; one that FAILED tells nothing of rows without one
            (End::Failed, _) => false,
            (End::Finished, Written::All) => true,
            (End::Finished, _) => self.names == Names::Row,
        };
        self.found == Found::Nowhere && !told
    }

    fn policy(self) -> String {
        let mut flags = match (self.end, self.written) {
            (End::Finished, Written::All) => vec![],
            // poisoned rows are refused on every route
            (End::Finished, Written::Nothing) => vec!["poison=1"],
            (End::Finished, Written::Partly) => vec!["poison=0.3"],
            (End::Failed, Written::All) => vec!["failed_applied=1", "poison=0.2"],
            (End::Failed, Written::Nothing) => vec!["failed_nothing=1", "poison=0.2"],
            (End::Failed, Written::Partly) => vec!["failed_partly=1", "poison=0.2"],
        };
        flags.extend(match self.names {
            Names::Row => ["failure_names=as-sent", "failed_shows=all"],
            Names::Half => ["failure_names=field", "failed_shows=all"],
            Names::None => ["failure_names=none", "failed_shows=all"],
            Names::Empty => ["finished_shows=none", "failed_shows=none"],
        });
        if self.dropped {
            flags.push("ignored_associations=1");
        }
        if self.lag {
            // a minute of its time is a fifth of a second of ours
            flags.extend([
                "read_lag_ms=60000",
                "user_search_lag_ms=60000",
                "time_scale=300",
            ]);
        }
        flags.iter().fold(String::new(), |mut text, flag| {
            let _ = write!(text, " --set {flag}");
            text
        })
    }

    fn place(self, job: &str) -> Place {
        let place = Place::new();
        let mut lines = "id,email,name,region,account\n".to_owned();
        for row in 1..=ROWS {
            let account = ["", "Acme", "Bolt"][row % 3];
            let region = ["EMEA", ""][row % 2];
            let _ = writeln!(
                lines,
                "k{row},p{row}@example.com,Person {row},{region},{account}"
            );
        }
        place.write("people.csv", lines);
        let key_detail = match self.found {
            Found::ByKeyDetail => "key_detail = \"External ID\"\n",
            Found::ByUserSearch | Found::Nowhere => "",
        };
        place.write(
            "people.toml",
            format!(
                "entity = \"customer\"\nkey = \"id\"\n{key_detail}[fields]\nemail = \"email\"\n\
                 display_name = \"name\"\n[details]\n\"Region\" = \"region\"\n\
                 [organizations]\nnames = \"account\"\n"
            ),
        );
        // every other customer is there already, under another name
        let mut records = SITE.to_owned();
        for row in (1..=ROWS).step_by(2) {
            let _ = writeln!(
                records,
                "[[customer]]\nemail = \"p{row}@example.com\"\ndisplay_name = \"Old {row}\""
            );
        }
        place.write("site.toml", records);
        place.write("job.toml", job);
        place
    }

    /// Loads into it; what is wrong with the results, as sentences.
    pub(super) fn faults(self) -> Vec<String> {
        let place = self.place("");
        let site = Sandbox::serve(
            &place,
            &format!(
                "--seed site.toml --state-dir site --random-seed 5{}",
                self.policy()
            ),
        );
        let user_search = self.found == Found::ByUserSearch;
        place.write(
            "job.toml",
            format!(
                "{}[auth]\nmethod = \"basic\"\n[state]\ndir = \"state\"\n\
                 [limits]\nrequests_per_second = 1000\nplatform_limits = false\nverify = \"all\"\nroute = \"bulk\"\n\
                 [contract]\nread_patience = \"1s\"\nuser_search = {user_search}\n\
                 [[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\nresults = \"out.csv\"\n",
                site.site_table()
            ),
        );
        let ended = place.run_with("load job.toml --quiet", &CREDENTIALS);
        if ![Some(0), Some(4)].contains(&ended.code) {
            return vec![format!(
                "{self}: ended with {:?}: {}",
                ended.code, ended.stderr
            )];
        }
        wait_for("the end of all tasks", || {
            (site.count("unfinishedTasks") == 0).then_some(())
        });
        let held = site.records("customers");
        let results = place.results("out.csv");
        results.expect_rows(ROWS);
        let columns = ["status", "code", "message"].map(|name| results.column(name));
        let mut faults = Vec::new();
        for row in 1..=ROWS {
            let [status, code, message] = columns.each_ref().map(|column| column[row - 1]);
            let record = held.get(&format!("p{row}@example.com"));
            if let Some(fault) = self.fault(row, status, code, record) {
                faults.push(format!(
                    "{self}: row {row} {status} {code}: {fault} ({message})"
                ));
            }
        }
        faults
    }

    /// What is wrong with a result, given what the site holds of its row.
    fn fault(self, row: usize, status: &str, code: &str, record: Option<&Value>) -> Option<String> {
        let wanted = |record: &Value| {
            let region = row.is_multiple_of(2).then_some("EMEA");
            let held = details(record);
            record["displayName"] == format!("Person {row}")
                && held.get("Region").map(String::as_str) == region
                && (self.found != Found::ByKeyDetail
                    || held.get("External ID") == Some(&format!("k{row}")))
        };
        let belongs = |record: &Value| {
            let organization = ["", "Acme", "Bolt"][row % 3];
            let held = record["organizations"].as_array().expect("a list");
            let names: Vec<_> = held
                .iter()
                .filter_map(|held| held["name"].as_str())
                .collect();
            organization.is_empty() || names == [organization]
        };
        match (status, record) {
            ("loaded", None) => Some("the site does not hold it".into()),
            ("loaded", Some(record)) if !wanted(record) => Some(format!("the site holds {record}")),
            ("loaded", Some(record)) if !belongs(record) => {
                Some("it belongs to no organization".into())
            }
            ("failed", Some(record)) if wanted(record) && belongs(record) => {
                Some("the site holds it".into())
            }
            ("failed", Some(record))
                if wanted(record)
                    && !code.split("; ").any(|code| code == "ASSOCIATION_MISSING") =>
            {
                Some("the site holds it but for its organization".into())
            }
            ("unconfirmed", _) if !self.leaves_open() => Some("it could be told".into()),
            ("loaded" | "failed" | "unconfirmed", _) => None,
            _ => Some("it was sent".into()),
        }
    }
}

/// Detail values that are not empty, by field.
fn details(record: &Value) -> BTreeMap<String, String> {
    let list = record["details"].as_array().expect("a list");
    let values = list.iter().filter_map(|detail| {
        let value = detail["values"].get(0)?.as_str()?;
        Some((detail["name"].as_str()?.to_owned(), value.to_owned()))
    });
    values.collect()
}
