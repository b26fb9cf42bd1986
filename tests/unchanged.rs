//! What has not changed since the site confirmed it is not sent again, as whole runs.

mod content;
mod families;
mod gone;
mod mappings;
mod pruned;

use crate::support::place::Place;
use crate::support::process::Ended;
use crate::support::sandbox::{Sandbox, Write};
use crate::support::scripted::CREDENTIALS;
use crate::support::table::Table;

/// Detail fields of the site.
const SITE: &str = "\
[[customer_detail]]
name = \"Plan\"
type = \"SELECT\"
options = [\"Basic\", \"Pro\"]
[[customer_detail]]
name = \"Region\"
type = \"TEXT\"
[[organization_detail]]
name = \"Tier\"
type = \"TEXT\"
";

/// A served site, and a place to load from.
struct Nights {
    place: Place,
    site: Sandbox,
}

impl Nights {
    /// With `people.toml` and the rows of `people.csv`.
    fn of(mapping: &str, rows: &str) -> Self {
        let place = Place::new();
        place.write("site.toml", SITE);
        place.write("people.toml", mapping);
        place.write("people.csv", rows);
        let site = Sandbox::serve(&place, "--state-dir site --seed site.toml");
        Self { place, site }
    }

    /// Loads `people.csv` through a mapping, with results in `out.csv`; gives the writes that the site saw.
    fn load(&self, mapping: &str, flags: &str, code: i32) -> Vec<Write> {
        self.load_with(mapping, "", flags, code).1
    }

    fn load_with(&self, mapping: &str, state: &str, flags: &str, code: i32) -> (Ended, Vec<Write>) {
        let before = self.site.audit().len();
        self.place.write(
            "job.toml",
            format!(
                "{}[state]\ndir = \"state\"\n{state}\n[[stage]]\nmapping = \"{mapping}\"\n\
                 input = \"people.csv\"\nresults = \"out.csv\"\n",
                self.site.site_table()
            ),
        );
        let line = format!("load job.toml --quiet {flags}");
        let ended = self.place.run_with(line.trim(), &CREDENTIALS).expect(code);
        let mut writes = self.site.audit();
        (ended, writes.split_off(before))
    }

    fn results(&self) -> Table {
        self.place.results("out.csv")
    }

    fn statuses(&self) -> Vec<String> {
        let results = self.results();
        let statuses = results.column("status").into_iter();
        statuses.map(str::to_owned).collect()
    }

    /// Bulk requests so far.
    fn bulks(&self) -> usize {
        let mut exchanges = self.place.exchanges();
        exchanges.retain(|exchange| exchange.method == "POST" && exchange.path.ends_with("/bulk"));
        exchanges.len()
    }
}

/// The keys of some writes.
fn keys(writes: &[Write]) -> Vec<&str> {
    let mut keys: Vec<_> = writes.iter().map(|write| write.key.as_str()).collect();
    keys.sort_unstable();
    keys
}
