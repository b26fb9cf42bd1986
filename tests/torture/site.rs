//! What is loaded again and again: a small job of four stages with planted faults, and the site that it goes to.

use crate::support::place::Place;
use crate::support::sandbox::{Sandbox, Write};
use std::fmt::Write as _;

/// How the site behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Manners {
    /// As documented, and refuses some records by their keys.
    Documented,
    /// As a live site was seen, its clock quickened.
    Live,
    /// With everything that can go wrong.
    Hostile,
    /// Refuses whole requests for one bad row, and fails tasks in the middle.
    Doubtful,
}

impl Manners {
    /// The policies that have names.
    pub(crate) const PRESETS: [Self; 3] = [Self::Documented, Self::Live, Self::Hostile];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Live => "live-2026",
            Self::Hostile => "hostile",
            Self::Doubtful => "doubtful",
        }
    }

    fn flags(self, seed: u32) -> String {
        match self {
            // the seed decides whom it refuses, and the undisturbed run must meet the same site
            Self::Documented => "--policy documented --set poison=0.04".to_owned(),
            Self::Live => format!("--policy live-2026 --time-scale 6000 --random-seed {seed}"),
            Self::Hostile => format!(
                "--policy hostile --time-scale 10 --random-seed {seed} \
                 --set burst_429=0.001 --set unavailable_503=0.001"
            ),
            Self::Doubtful => format!(
                "--policy documented --random-seed {seed} --set poison=0.005 --set one_bad_item=refuses-request \
                 --set failed_partly=0.4"
            ),
        }
    }
}

/// Customers.
const ROWS: usize = 420;

/// A stage: what it loads, where its results are, and how many rows it has.
#[derive(Debug)]
pub(crate) struct Stage {
    /// As the audit calls it; those of detail fields are called after their owners.
    pub(crate) entity: &'static str,
    pub(crate) results: &'static str,
    pub(crate) rows: usize,
}

pub(crate) const STAGES: [Stage; 4] = [
    Stage {
        entity: "detail-field",
        results: "fields-out.csv",
        rows: 12,
    },
    Stage {
        entity: "product",
        results: "products-out.csv",
        rows: 10,
    },
    Stage {
        entity: "organization",
        results: "organizations-out.csv",
        rows: 60,
    },
    Stage {
        entity: "customer",
        results: "customers-out.csv",
        rows: ROWS,
    },
];

/// A cloud id of its own, so that ids are the same on every site.
const SEED: &str = "\
cloud_id = \"6d1f7f4e-4f0c-4f57-9a3c-1c1f3b1f6a10\"
[[customer_detail]]
name = \"External ID\"
type = \"TEXT\"
[[customer_detail]]
name = \"Region\"
type = \"SELECT\"
options = [\"EMEA\", \"APAC\"]
[[customer_detail]]
name = \"Odd\"
type = \"NUMBER\"
[[organization]]
name = \"Acme Ltd\"
[[product]]
name = \"Router X1\"
[[product]]
name = \"Router X2\"
";

const FIELDS: &str = "\
of,name,type,options
customer,Tier,select,Gold|Silver
customer,Region,select,EMEA
customer,Odd,text,
customer,Score,number,
person,Bad,text,
organization,Industry,text,
organization,Size,number,
entitlement,Seats,number,
entitlement,Until,date,
customer,tier ,text,
customer,Born,date,
organization,Founded,date,
";

const PRODUCTS: &str = "\
name
Router X1
Router X3
Router X4
\"\"
ROUTER X4
Router X2
Router X5
Router X6
Router X7
Router X8
";

const MAPPINGS: [(&str, &str); 4] = [
    (
        "fields.toml",
        "entity = \"detail-field\"\n[fields]\nof = \"of\"\nname = \"name\"\ntype = \"type\"\n\
         options = { column = \"options\", split = \"|\" }\n",
    ),
    (
        "products.toml",
        "entity = \"product\"\n[fields]\nname = \"name\"\n",
    ),
    (
        "organizations.toml",
        "entity = \"organization\"\n[fields]\nname = \"name\"\n[details]\n\"Industry\" = \"industry\"\n\
         \"Size\" = { column = \"size\", type = \"number\" }\n",
    ),
    (
        "customers.toml",
        "entity = \"customer\"\nkey = \"email\"\nkey_detail = \"External ID\"\n[fields]\nemail = \"email\"\ndisplay_name = \"name\"\n\
         [details]\n\"Region\" = \"region\"\n\"Score\" = { column = \"score\", type = \"number\" }\n\
         [organizations]\nnames = { column = \"of\", split = \";\" }\non_missing = \"create\"\n\
         [products]\nnames = \"uses\"\non_missing = \"create\"\n",
    ),
];

fn organizations() -> String {
    let mut text = "name,industry,size\n".to_owned();
    for row in 1..=60 {
        let _ = match row {
            7 => writeln!(text, "Acme ltd,Retail,3"),
            20 => writeln!(text, "\"\",Retail,1"),
            31 => writeln!(text, "Org 31,Retail,many"),
            44 => writeln!(text, "ORG 12,Health,4"),
            50 => writeln!(text, "Org 50,Retail,5,6"),
            _ => writeln!(text, "Org {row},Retail,{row}"),
        };
    }
    text
}

/// Customers; `later` gives those of the next night.
pub(crate) fn customers(later: bool) -> String {
    let mut text = "email,name,region,score,of,uses\n".to_owned();
    let night = if later { " again" } else { "" };
    for row in 1..=ROWS {
        let region = ["EMEA", "APAC", ""][row % 3];
        let of = match row % 12 {
            1 => "Acme Ltd".to_owned(),
            2 => format!("Org {}", row % 12),
            3 => format!("New {};Acme Ltd", row % 8),
            _ => String::new(),
        };
        let uses = ["", "Router X3", "", "", "Switch S1", "", ""][row % 7];
        let _ = match row % 60 {
            9 => writeln!(text, "no address,Person {row},{region},1,,"),
            23 => writeln!(
                text,
                "P{}@example.com,Person {row}{night},{region},2,,",
                row - 20
            ),
            31 => writeln!(text, "p{row}@example.com,Person {row},Mars,3,{of},{uses}"),
            47 => writeln!(text, "p{row}@example.com,Person {row},{region}"),
            _ => writeln!(
                text,
                "p{row}@example.com,Person {row}{night},{region},{row},{of},{uses}"
            ),
        };
    }
    text
}

/// What `FIELDS` defines and the other stages need.
const DEFINED: &str = "\
[[customer_detail]]
name = \"Score\"
type = \"NUMBER\"
[[organization_detail]]
name = \"Industry\"
type = \"TEXT\"
[[organization_detail]]
name = \"Size\"
type = \"NUMBER\"
";

/// Which stages are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    All,
    /// Organizations and customers alone, whose way is another one: the first of every point is theirs.
    Bulk,
}

/// A fresh site with the job beside it.
pub(crate) struct Field {
    pub(crate) place: Place,
    pub(crate) site: Sandbox,
    pub(crate) job: Job,
    pub(crate) stages: &'static [Stage],
    /// Writes of the site's audit that are the seed's.
    seeded: usize,
}

impl Field {
    pub(crate) fn new(manners: Manners, seed: u32, duplicates: &str, job: Job) -> Self {
        let place = Place::new();
        let (stages, defined) = match job {
            Job::All => (&STAGES[..], ""),
            Job::Bulk => (&STAGES[2..], DEFINED),
        };
        place.write("site.toml", format!("{SEED}{defined}"));
        for (name, text) in MAPPINGS {
            place.write(name, text);
        }
        place.write("fields.csv", FIELDS);
        place.write("products.csv", PRODUCTS);
        place.write("organizations.csv", organizations());
        place.write("customers.csv", customers(false));
        let flags = manners.flags(seed);
        let site = Sandbox::serve(
            &place,
            &format!("--state-dir site --seed site.toml {flags}"),
        );
        let seeded = site.audit().len();
        let field = Self {
            place,
            site,
            job,
            stages,
            seeded,
        };
        field.write_job(manners, duplicates);
        field
    }

    /// What the site has written since it was seeded, oldest first.
    pub(crate) fn audit(&self) -> Vec<Write> {
        self.site.audit().split_off(self.seeded)
    }

    fn write_job(&self, manners: Manners, duplicates: &str) {
        let slots = if manners == Manners::Live {
            "task_slots = 2\n"
        } else {
            ""
        };
        // where organizations may not arrive, each row that names one has to be looked at
        let verify = if manners == Manners::Hostile {
            "all"
        } else {
            "sample"
        };
        // by calls side by side, ids would depend on chance
        let mut job = format!(
            // more than reads lag behind writes anywhere, and than a task that is shown as FAILED goes on
            "{}[state]\ndir = \"state\"\n[limits]\nrequests_per_second = 1000\nplatform_limits = false\nroute = \"bulk\"\nverify = \"{verify}\"\n{slots}\
             [contract]\nread_patience = \"1s\"\nuser_search = true\n",
            self.site.site_table()
        );
        for stage in self.stages {
            let stage = stage.results.trim_end_matches("-out.csv");
            let _ = write!(
                job,
                "[[stage]]\nmapping = \"{stage}.toml\"\ninput = \"{stage}.csv\"\nresults = \"{stage}-out.csv\"\n\
                 duplicates = \"{duplicates}\"\n"
            );
        }
        self.place.write("job.toml", job);
    }
}
