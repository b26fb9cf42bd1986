//! Parents before their children, as whole runs against a served site.

use crate::support::place::Place;
use crate::support::process::Ended;
use crate::support::sandbox::{Sandbox, Write};
use crate::support::scripted::CREDENTIALS;
use crate::support::table::Table;
use crate::support::{repository, wait_for};
use insta::assert_snapshot;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

const SITE: &str = "\
[[organization_detail]]
name = \"Parent organization\"
type = \"TEXT\"
[[organization_detail]]
name = \"Country\"
type = \"TEXT\"
[[organization_detail]]
name = \"Tier\"
type = \"SELECT\"
options = [\"Free\", \"Paid\"]
";

const MAPPING: &str = "\
entity = \"organization\"
key = \"name\"
[fields]
name = { column = \"name\", max_length = 20 }
[details]
Tier = \"tier\"
[hierarchy]
parent = \"parent\"
detail = \"Parent organization\"
";

/// A served site, and a job that loads `tree.csv` into it.
struct Forest {
    place: Place,
    site: Sandbox,
}

impl Forest {
    fn of(rows: &str) -> Self {
        let place = Place::new();
        place.write("site.toml", SITE);
        place.write("tree.toml", MAPPING);
        place.write("tree.csv", format!("name,parent,tier\n{rows}"));
        let site = Sandbox::serve(&place, "--state-dir site --seed site.toml");
        let job = format!(
            "{}[state]\ndir = \"state\"\n[[stage]]\nmapping = \"tree.toml\"\ninput = \"tree.csv\"\n\
             results = \"out.csv\"\n",
            site.site_table()
        );
        place.write("job.toml", job);
        Self { place, site }
    }

    fn run(&self, args: &str, code: i32) -> Ended {
        self.place.run_with(args, &CREDENTIALS).expect(code)
    }

    fn load(&self, flags: &str, code: i32) -> Table {
        self.run(&format!("load job.toml --quiet --route bulk {flags}"), code);
        self.place.results("out.csv")
    }

    /// What the site was told to write, in its order: name and parent.
    fn written(&self) -> Vec<(String, Option<String>)> {
        let parent = |write: &Write| {
            let details = write.content["details"].as_array()?;
            let named = |detail: &&serde_json::Value| detail["name"] == "Parent organization";
            let values = &details.iter().find(named)?["values"];
            values[0].as_str().map(str::to_lowercase)
        };
        let writes = self.site.audit();
        writes
            .iter()
            .map(|write| (write.key.clone(), parent(write)))
            .collect()
    }

    /// Each parent was written before its children; gives how many were written.
    #[track_caller]
    fn expect_order(&self) -> usize {
        let written = self.written();
        let mut there = HashSet::new();
        for (name, parent) in &written {
            assert!(
                parent.as_ref().is_none_or(|parent| there.contains(parent)),
                "{name} came before {parent:?}"
            );
            there.insert(name.clone());
        }
        assert_eq!(
            there.len(),
            written.len(),
            "an organization was written twice"
        );
        written.len()
    }
}

/// Organizations whose parent is that of half their number, the deepest first.
fn binary(count: u32) -> String {
    let mut rows = String::new();
    for number in (1..=count).rev() {
        let parent = match number / 2 {
            0 => String::new(),
            parent => format!("Org {parent}"),
        };
        let _ = writeln!(rows, "Org {number},{parent},Free");
    }
    rows
}

#[test]
fn each_parent_is_written_before_its_children_whatever_the_order_of_the_input() {
    let forest = Forest::of(&binary(700));
    let results = forest.load("", 0);
    assert_eq!(forest.expect_order(), 700);
    let rows: Vec<_> = (1..=700).map(|row| row.to_string()).collect();
    assert_eq!(results.column("row"), rows);
    assert_eq!(results.counts(), [("loaded".to_owned(), 700)].into());
    assert_eq!(
        forest.site.violations()["violations"]
            .as_array()
            .map(Vec::len)
            .unwrap_or_default(),
        0
    );
    // nothing has changed
    let results = forest.load("", 0);
    assert_eq!(results.counts(), [("unchanged".to_owned(), 700)].into());
}

#[test]
fn a_deep_chain_is_loaded_link_by_link() {
    let mut rows = String::new();
    for number in (1..=60).rev() {
        let parent = if number == 1 {
            String::new()
        } else {
            format!("Org {}", number - 1)
        };
        let _ = writeln!(rows, "Org {number},{parent},");
    }
    let forest = Forest::of(&rows);
    forest.load("", 0);
    assert_eq!(forest.expect_order(), 60);
}

const TROUBLED: &str = "\
Alone,,Free
Circle A,Circle B,Free
Circle B,circle a,Free
Own,OWN,Free
Below circle,Circle A,Free
Orphan,Nowhere,Free
Below orphan,Orphan,Free
A name that is far too long,,Free
Below long,A name that is far too long,Free
Twice,Nowhere,Free
Twice,Alone,Free
Below twice,Twice,Free
";

#[test]
fn circles_and_missing_parents_are_rejected_with_their_rows() {
    let forest = Forest::of(TROUBLED);
    let results = forest.load("", 4);
    assert_snapshot!(results.told(), @r#"
    1 | 2 | Alone | loaded
    2 | 3 | Circle A | rejected | PARENT_CYCLE | Parent organization | its parents go round in a circle: row 2 → row 3 → row 2
    3 | 4 | Circle B | rejected | PARENT_CYCLE | Parent organization | its parents go round in a circle: row 3 → row 2 → row 3
    4 | 5 | Own | rejected | PARENT_CYCLE | Parent organization | its parents go round in a circle: row 4 → row 4
    5 | 6 | Below circle | rejected | PARENT_REJECTED | Parent organization | its parent "Circle A", row 2, was rejected
    6 | 7 | Orphan | rejected | PARENT_MISSING | Parent organization | neither the input nor the site has an organization named "Nowhere"
    7 | 8 | Below orphan | rejected | PARENT_REJECTED | Parent organization | its parent "Orphan", row 6, was rejected
    8 | 9 | A name that is far too long | rejected | TOO_LONG | name | 27 characters; at most 20 are allowed
    9 | 10 | Below long | rejected | PARENT_REJECTED | Parent organization | its parent "A name that is far too long", row 8, was rejected
    10 | 11 | Twice | duplicate | DUPLICATE_KEY |  | row 11 has the same natural key and stands for it
    11 | 12 | Twice | loaded
    12 | 13 | Below twice | loaded
    "#);
    assert_eq!(forest.expect_order(), 3);
    // what is on the site is nobody's missing parent
    forest.place.write(
        "tree.csv",
        "name,parent,tier\nNew,below TWICE,Free\nNewer,New,Free\n",
    );
    let results = forest.load("", 0);
    assert_eq!(results.counts(), [("loaded".to_owned(), 2)].into());
}

#[test]
fn a_check_finds_circles_without_a_site() {
    let forest = Forest::of(TROUBLED);
    let ended = forest.run(
        "check --quiet --mapping tree.toml --input tree.csv --results bad.csv",
        4,
    );
    assert_snapshot!(ended.steady(), @r#"
    organization: 12 rows checked in …
      ready to load  5
      rejected       6
      duplicate      1
      most frequent codes, each with an example:
        3  PARENT_CYCLE     tree.csv line 3: Parent organization: its parents go round in a circle: row 2 → row 3 → row 2
        2  PARENT_REJECTED  tree.csv line 6: Parent organization: its parent "Circle A", row 2, was rejected
        1  DUPLICATE_KEY    tree.csv line 11: row 11 has the same natural key and stands for it
        1  TOO_LONG         tree.csv line 9: name: 27 characters; at most 20 are allowed
      rows that would not be sent: bad.csv
    "#);
    assert_snapshot!(forest.place.results("bad.csv").told(), @r#"
    2 | 3 | Circle A | rejected | PARENT_CYCLE | Parent organization | its parents go round in a circle: row 2 → row 3 → row 2
    3 | 4 | Circle B | rejected | PARENT_CYCLE | Parent organization | its parents go round in a circle: row 3 → row 2 → row 3
    4 | 5 | Own | rejected | PARENT_CYCLE | Parent organization | its parents go round in a circle: row 4 → row 4
    5 | 6 | Below circle | rejected | PARENT_REJECTED | Parent organization | its parent "Circle A", row 2, was rejected
    8 | 9 | A name that is far too long | rejected | TOO_LONG | name | 27 characters; at most 20 are allowed
    9 | 10 | Below long | rejected | PARENT_REJECTED | Parent organization | its parent "A name that is far too long", row 8, was rejected
    10 | 11 | Twice | duplicate | DUPLICATE_KEY |  | row 11 has the same natural key and stands for it
    "#);
}

#[test]
fn rows_of_one_key_are_sent_in_order_and_their_children_after_them() {
    let forest = Forest::of("Leaf,Head,Free\nHead,,Free\nHead,Top,Paid\nTop,,Free\n");
    let results = forest.load("--duplicates all-in-order", 0);
    assert_eq!(results.counts(), [("loaded".to_owned(), 4)].into());
    let names: Vec<_> = forest.written().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["top", "head", "head", "leaf"]);
}

#[test]
fn what_comes_after_a_failed_parent_is_not_sent_and_is_retried_with_it() {
    let forest = Forest::of(
        "Leaf,Branch,Free\nBranch,Root,Free\nRoot,,Golden\nTwig,Leaf,Free\nOther,Ground,Free\nGround,,Paid\n",
    );
    let results = forest.load("--with-source", 4);
    assert_snapshot!(results.told(), @"
    1 | 2 | Leaf | not_sent | PARENT_NOT_LOADED |  | its parent, row 2, did not load
    2 | 3 | Branch | not_sent | PARENT_NOT_LOADED |  | its parent, row 3, did not load
    3 | 4 | Root | failed | SITE_REJECTED | Tier | Invalid detail field value
    4 | 5 | Twig | not_sent | PARENT_NOT_LOADED |  | its parent, row 1, did not load
    5 | 6 | Other | loaded
    6 | 7 | Ground | loaded
    ");
    assert_eq!(forest.expect_order(), 2);
    let fixed = forest.place.read("out.csv").replace("Golden", "Paid");
    forest.place.write("fixed.csv", fixed);
    forest.run("retry --job job.toml --quiet fixed.csv", 0);
    assert_eq!(forest.expect_order(), 6);
    assert_eq!(
        forest.place.results("fixed-retry.csv").counts(),
        [("loaded".to_owned(), 4)].into()
    );
}

#[test]
fn an_interrupted_load_goes_on_behind_what_it_had_loaded() {
    // the root of the second tree is refused before the interruption
    let mut rows = binary(600);
    for number in (1..=40).rev() {
        let parent = if number == 1 {
            String::new()
        } else {
            format!("Bad {}", number / 2)
        };
        let tier = if number == 1 { "Golden" } else { "Free" };
        let _ = writeln!(rows, "Bad {number},{parent},{tier}");
    }
    let forest = Forest::of(&rows);
    let mut killed = CREDENTIALS.to_vec();
    killed.push(("CSM_LOADER_KILL_AT", "settled.after:4"));
    let process = forest.place.start_with("load job.toml --quiet", &killed);
    assert_eq!(process.end().code, None);
    let before = forest.written().len();
    assert!(before > 1 && before < 600, "{before}");
    let results = forest.load("", 4);
    assert_eq!(forest.expect_order(), 600);
    let counts = [("failed", 1), ("loaded", 600), ("not_sent", 39)];
    let counts: HashMap<_, _> = counts
        .map(|(status, rows)| (status.to_owned(), rows))
        .into();
    assert_eq!(
        results.counts().into_iter().collect::<HashMap<_, _>>(),
        counts
    );
    let told = results.told();
    assert_eq!(told.matches("PARENT_NOT_LOADED").count(), 39);
    let last: Vec<_> = told.lines().skip(637).collect();
    assert_snapshot!(last.join("\n"), @"
    638 | 639 | Bad 3 | not_sent | PARENT_NOT_LOADED |  | its parent, row 640, did not load
    639 | 640 | Bad 2 | not_sent | PARENT_NOT_LOADED |  | its parent, row 640, did not load
    640 | 641 | Bad 1 | failed | SITE_REJECTED | Tier | Invalid detail field value
    ");
}

#[test]
fn a_stopped_load_accounts_for_rows_that_wait() {
    let forest = Forest::of(&binary(2_000));
    let process = forest.place.start_with(
        "load job.toml --quiet --requests-per-second 4 --task-slots 1",
        &CREDENTIALS,
    );
    wait_for("writes", || (forest.written().len() > 1).then_some(()));
    process.signal("TERM");
    process.end().expect(5);
    let counts = forest.place.results("out.csv").counts();
    let (loaded, left) = (counts["loaded"], counts["not_sent"]);
    assert_eq!((loaded + left, counts.len()), (2_000, 2));
    assert_eq!(forest.expect_order(), loaded);
    let results = forest.load("", 0);
    assert_eq!(results.counts(), [("loaded".to_owned(), 2_000)].into());
    assert_eq!(forest.expect_order(), 2_000);
}

#[test]
fn the_example_loads_parents_first() {
    let forest = Forest::of("");
    let job = forest.place.read("job.toml");
    let job = job.replace("tree.toml", &repository("mappings/subsidiaries.toml"));
    let job = job.replace("tree.csv", &repository("samples/subsidiaries.csv"));
    forest.place.write("job.toml", job);
    let results = forest.load("", 0);
    assert_eq!(results.counts(), [("loaded".to_owned(), 7)].into());
    assert_eq!(forest.expect_order(), 7);
}
