//! A site that misbehaves in every way it knows: each row's result is held against what the site really holds.
//!
//! `CSM_LOADER_TEST_ROWS=20000 cargo test --test main -- hostile --nocapture` loads more, and prints the shares. After
//! each burst the loader asks more slowly for a while, so that this takes half an hour; the suite meets fewer of them.

use crate::support::place::Place;
use crate::support::sandbox::{Sandbox, Write};
use crate::support::scripted::CREDENTIALS;
use crate::support::{PATIENCE, wait_for};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

/// Rows of a load, where no other number is asked for.
const ROWS: usize = 1_000;
/// Rows of one in which they cannot be found again.
const UNFINDABLE: usize = 600;
/// Such a site for each, at once.
const SEEDS: [u32; 3] = [11, 23, 47];

/// How long a load may take, beside what each may.
const FOR_A_ROW: Duration = Duration::from_millis(300);

const SITE: &str = "\
[[customer_detail]]\nname = \"External ID\"\ntype = \"TEXT\"\n\
[[customer_detail]]\nname = \"Region\"\ntype = \"TEXT\"\n\
[[customer_detail]]\nname = \"Tier\"\ntype = \"SELECT\"\noptions = [\"Free\", \"Premium\"]\n";

/// How rows can be found on the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// By a detail field that holds their key, and by their e-mail.
    Again,
    /// By what an answer told of them alone.
    Nowhere,
}

impl Found {
    fn mapping(self) -> String {
        let key_detail = match self {
            Self::Again => "key_detail = \"External ID\"\n",
            Self::Nowhere => "",
        };
        format!(
            "entity = \"customer\"\nkey = \"id\"\n{key_detail}[fields]\nemail = \"email\"\ndisplay_name = \"name\"\n\
             [details]\n\"Region\" = \"region\"\n\"Tier\" = \"tier\"\n"
        )
    }
}

/// The rows of a load, and what its site does otherwise than hostile ones do.
fn size() -> (usize, &'static str) {
    match std::env::var("CSM_LOADER_TEST_ROWS") {
        Ok(rows) => (rows.parse().expect("a number of rows"), ""),
        Err(_) => (ROWS, "--set burst_429=0.001 --set unavailable_503=0.001"),
    }
}

/// What a row sets: its name, and the details it has a value for. Some have none, and few a value of theirs that the
/// site does not know: failures that name nothing but a field then fit several rows, or one.
fn cells(row: usize) -> [String; 3] {
    let region = if row.is_multiple_of(3) { "EMEA" } else { "" };
    let tier = match row {
        row if row.is_multiple_of(97) => "Gold",
        row if row.is_multiple_of(70) => "Premium",
        _ => "",
    };
    [format!("Person {row}"), region.to_owned(), tier.to_owned()]
}

fn email(row: usize) -> String {
    format!("p{row}@example.com")
}

/// One load into a hostile site.
struct Load {
    seed: u32,
    rows: usize,
    found: Found,
    place: Place,
    site: Sandbox,
}

impl Load {
    fn new(seed: u32, (rows, flags): (usize, &str), found: Found) -> Self {
        let place = Place::new();
        let mut lines = "id,email,name,region,tier\n".to_owned();
        for row in 1..=rows {
            let _ = writeln!(lines, "k{row},{},{}", email(row), cells(row).join(","));
        }
        place.write("people.csv", lines);
        place.write("people.toml", found.mapping());
        place.write("site.toml", SITE);
        // ten times as fast as it is, so that what it shows late is not waited for
        let site = Sandbox::serve(
            &place,
            &format!(
                "--policy hostile --time-scale 10 --random-seed {seed} --seed site.toml --state-dir site {flags}"
            ),
        );
        place.write(
            "job.toml",
            format!(
                "{}[auth]\nmethod = \"basic\"\n[state]\ndir = \"state\"\n\
                 [limits]\nrequests_per_second = 1000\n\
                 [contract]\nread_patience = \"1s\"\nuser_search = {}\n\
                 [[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\nresults = \"out.csv\"\n",
                site.site_table(),
                found == Found::Again
            ),
        );
        Self {
            seed,
            rows,
            found,
            place,
            site,
        }
    }

    /// Loads; how many rows the loader says to have sent again.
    fn run(&self) -> u64 {
        let place = &self.place;
        let mut process = place.start_with("load job.toml --log json", &CREDENTIALS);
        let most = PATIENCE + FOR_A_ROW * u32::try_from(self.rows).expect("fewer rows");
        let started = Instant::now();
        while process.runs() && started.elapsed() < most {
            thread::sleep(Duration::from_millis(50));
        }
        let ended = process.end().expect(4);
        let lines = ended.stderr.lines();
        let events = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let again = events.filter_map(|event| event["sent_again"].as_u64());
        // nothing of a task that goes on may be missed
        wait_for("the end of all tasks", || {
            (self.site.count("unfinishedTasks") == 0).then_some(())
        });
        again.sum()
    }

    /// What is wrong with a result, given what the site holds of its row, and has written of it.
    fn fault(&self, row: usize, status: &str, held: Option<&Value>) -> Option<String> {
        match (status, held) {
            ("loaded", None) => Some("the site does not hold it".to_owned()),
            ("loaded", Some(held)) if !self.is_sent(row, held) => {
                Some(format!("the site holds {held}"))
            }
            ("failed", Some(held)) if self.is_sent(row, held) => {
                Some("the site holds it".to_owned())
            }
            ("unconfirmed", _) if self.found == Found::Again => Some("it could be told".to_owned()),
            ("loaded" | "failed" | "unconfirmed", _) => None,
            _ => Some("it was sent".to_owned()),
        }
    }

    /// Whether a record holds what the row sends, and nothing else.
    fn is_sent(&self, row: usize, held: &Value) -> bool {
        let [name, region, tier] = cells(row);
        let mut sent = BTreeMap::from([("Region", region), ("Tier", tier)]);
        if self.found == Found::Again {
            sent.insert("External ID", format!("k{row}"));
        }
        sent.retain(|_, value| !value.is_empty());
        let details = held["details"].as_array().expect("a list").iter();
        let details = details.filter_map(|detail| {
            let value = detail["values"].get(0)?.as_str()?;
            Some((detail["name"].as_str()?, value.to_owned()))
        });
        held["displayName"] == *name && details.collect::<BTreeMap<_, _>>() == sent
    }

    /// Holds the results to the site; what was found.
    fn judge(&self, again: u64) -> String {
        let (seed, rows) = (self.seed, self.rows);
        let results = self.place.results("out.csv");
        results.expect_rows(rows);
        let held = self.site.records("customers");
        let audit = self.site.audit();
        let mut faults = Vec::new();
        let mut shares: BTreeMap<(&str, &str, &str), [usize; 2]> = BTreeMap::new();
        let columns = ["status", "code", "route", "message"].map(|name| results.column(name));
        for row in 1..=rows {
            let [status, code, route, message] = columns.each_ref().map(|column| column[row - 1]);
            let record = held.get(&email(row));
            // what is left of a row that is not loaded is told
            let part =
                record.filter(|_| status == "failed" && !message.contains("written all the same"));
            if let Some(record) = part {
                faults.push(format!(
                    "row {row} failed {code}: the site holds {record} ({message})"
                ));
            }
            if let Some(fault) = self.fault(row, status, record) {
                faults.push(format!("row {row} {status} {code}: {fault} ({message})"));
            }
            shares.entry((status, code, route)).or_default()[usize::from(record.is_some())] += 1;
        }
        let known: BTreeSet<_> = (1..=rows).map(email).collect();
        faults.extend(held.keys().filter(|key| !known.contains(*key)).cloned());
        let (repeated, under_one_key) = repeated(&audit);
        if repeated > again {
            faults.push(format!(
                "{repeated} rows were written again, and {again} sent again after a reading"
            ));
        }
        faults.extend(under_one_key);
        let loader = self.site.violations();
        if loader["keysInTwoTasks"] != 0 {
            faults.push(format!("a key in two tasks: {loader}"));
        }
        let count = |kind: &str| loader[kind].as_u64().expect("a number");
        // a customer that could not be looked for is asked for again: that the site creates none twice is in its audit
        if count("repeatedWrites") * 200 > count("requests") {
            faults.push(format!("writes that were applied are repeated: {loader}"));
        }
        // the site takes a request for one inside a wait that was longer under way than a tenth of a second, which a busy
        // machine makes some be; that none leaves inside a wait is shown where time is made up (engine::pace, simulation)
        let inside = count("insideSiteWait") + count("insideEndpointWait");
        if inside * 50 > count("requests") {
            faults.push(format!("{inside} requests inside waits in {loader}"));
        }
        if count("mostUnfinishedTasks") > 5 {
            faults.push(loader.to_string());
        }
        assert!(faults.is_empty(), "seed {seed}\n{}", faults.join("\n"));

        let mut told =
            format!("seed {seed}, {rows} rows, {again} sent again, {repeated} written again\n");
        for ((status, code, route), [lacking, there]) in &shares {
            let share = 1_000 * (lacking + there) / rows;
            let _ = writeln!(
                told,
                "  {status} {code} {route}: {share} ‰ ({there} there, {lacking} not)"
            );
        }
        let _ = writeln!(told, "  {loader}");
        told
    }
}

/// How often a customer was written by another request than the one before, and what was written twice by one.
fn repeated(audit: &[Write]) -> (u64, Vec<String>) {
    let mut requests: BTreeMap<&str, Vec<&Option<String>>> = BTreeMap::new();
    for write in audit.iter().filter(|write| write.entity == "customer") {
        // what single calls complete is no other record
        if write.request.is_some() || write.operation == "create" {
            requests.entry(&write.key).or_default().push(&write.request);
        }
    }
    let mut faults = Vec::new();
    let mut repeated = 0;
    for (key, mut requests) in requests {
        let times = requests.len();
        repeated += times as u64 - 1;
        requests.sort_unstable();
        requests.dedup();
        if requests.len() < times {
            faults.push(format!("{key} was written twice by one request"));
        }
    }
    (repeated, faults)
}

/// Loads into one site of each seed; what was found.
fn load(size: (usize, &'static str), found: Found) -> String {
    let loads = SEEDS.map(|seed| {
        thread::spawn(move || {
            let load = Load::new(seed, size, found);
            let again = load.run();
            load.judge(again)
        })
    });
    let told = loads.map(|load| load.join().expect("what is wrong is told above"));
    told.join("\n")
}

#[test]
fn every_row_ends_as_the_site_holds_it_however_it_misbehaves() {
    println!("{}", load(size(), Found::Again));
}

#[test]
fn no_result_says_more_than_the_site_holds_where_rows_cannot_be_found_again() {
    println!("{}", load((UNFINDABLE, ""), Found::Nowhere));
}
