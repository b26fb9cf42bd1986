//! Organizations: 150 rows, and the directory of names that the site knows once they are loaded.

mod faults;

use crate::calendar::Date;
use crate::deck::Deck;
use crate::expected::{Planted, settle};
use crate::prng::SplitMix64;
use crate::tables::{Dialect, Table, Values};
use crate::words::{
    EXPORTED_ORGANIZATIONS, FIRST_WORDS, LAST_WORDS, LOADED_PRODUCTS, SEEDED_PRODUCTS,
    SHARED_ORGANIZATIONS, SITE_ORGANIZATIONS,
};
use faults::{Fault, GROUPS, SINGLES};

/// Rows of the export.
pub(crate) const ROWS: usize = 150;

/// As spreadsheets save "CSV UTF-8".
pub(crate) const DIALECT: Dialect = Dialect {
    delimiter: b',',
    spreadsheet: true,
};

/// Words that the site lists as options of the industry.
pub(crate) const INDUSTRIES: &[&str] = &[
    "Food",
    "Retail",
    "Software",
    "Health",
    "Logistics",
    "Education",
];
/// What the segment codes of the export stand for.
pub(crate) const SEGMENTS: &[(&str, &str)] = &[
    ("ent", "Enterprise"),
    ("mid", "Mid-market"),
    ("smb", "Small business"),
    ("pub", "Public sector"),
];
/// Country codes of the export; the mapping knows some and calls the rest "Other".
const COUNTRIES: &[&str] = &["DE", "FR", "GB", "ES", "JP", "IN", "BR", "XK"];

/// A row of the export; each field is the column of its name.
#[derive(Debug, Clone)]
struct Organization {
    account_name: Option<String>,
    industry: Option<String>,
    segments: Option<String>,
    country: Option<String>,
    website: Option<String>,
    support_email: Option<String>,
    is_partner: Option<String>,
    health_score: Option<String>,
    founded: Option<String>,
    customer_since: Option<String>,
    employees: Option<i64>,
    annual_revenue: Option<i64>,
    products: Option<Vec<String>>,
    address: Option<String>,
}

/// The export and what was planted in it.
pub(crate) struct Organizations {
    /// The rows.
    rows: Vec<Organization>,
    /// What was planted in each row.
    pub(crate) planted: Vec<Planted>,
}

/// Names for customers to refer to.
pub(crate) struct Directory {
    /// Names that the site knows when customers load.
    good: Vec<String>,
    /// Names whose rows did not load.
    refused: Vec<String>,
}

impl Directory {
    /// A name that the site knows when customers load.
    pub(crate) fn any(&self, random: &mut SplitMix64) -> &str {
        &self.good[random.index(self.good.len())]
    }

    /// The names that the site knows.
    pub(crate) fn good(&self) -> impl Iterator<Item = &str> {
        self.good.iter().map(String::as_str)
    }

    /// A name whose row did not load.
    pub(crate) fn any_refused(&self, random: &mut SplitMix64) -> &str {
        &self.refused[random.index(self.refused.len())]
    }
}

impl Organizations {
    /// The export.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed, u64::MAX);
        let mut all = Self {
            rows: (0..ROWS).map(|_| organization(&mut random)).collect(),
            planted: (0..ROWS)
                .map(|row| Planted {
                    key: format!("{:06}", 420 + row * 7),
                    ..Planted::default()
                })
                .collect(),
        };
        let mut deck = Deck::new(ROWS, &mut random);
        for (number, (spellings, faults)) in GROUPS.iter().enumerate() {
            let rows = deck.draw(spellings.len());
            for (row, name) in rows.iter().zip(*spellings) {
                all.rows[*row].account_name = Some((*name).to_owned());
                all.planted[*row].shared_key = Some(number);
            }
            if let Some(last) = rows.last() {
                all.plant(*last, faults, &mut random);
            }
        }
        for (row, name) in deck
            .draw(SHARED_ORGANIZATIONS.len())
            .iter()
            .zip(SHARED_ORGANIZATIONS)
        {
            all.rows[*row].account_name = Some((*name).to_owned());
        }
        // faults may take a name's place, so names come first
        let mut names = new_names();
        let mut faulty = Vec::new();
        for (count, faults) in SINGLES {
            faulty.extend(deck.draw(*count).into_iter().map(|row| (row, *faults)));
        }
        let without_name = faulty
            .iter()
            .map(|(row, _)| *row)
            .chain(deck.rest())
            .collect::<Vec<_>>();
        for row in without_name {
            all.rows[row].account_name = names.next();
        }
        for (row, faults) in faulty {
            all.plant(row, faults, &mut random);
        }
        all
    }

    /// Plants faults in a row.
    fn plant(&mut self, row: usize, faults: &[Fault], random: &mut SplitMix64) {
        for fault in faults {
            fault.plant(&mut self.rows[row], &mut self.planted[row], random);
        }
    }

    /// The names that the site knows once this export and its own organizations are there, and those that it refused.
    pub(crate) fn directory(&self) -> Directory {
        let mut directory = Directory {
            good: SITE_ORGANIZATIONS.iter().map(ToString::to_string).collect(),
            refused: Vec::new(),
        };
        for (row, answer) in self.rows.iter().zip(settle(&self.planted)) {
            let name = row
                .account_name
                .as_deref()
                .map(str::trim)
                .unwrap_or_default();
            // a rejected row may share its name with one that loads, or be too odd to be quoted in a message
            let plain = !name.contains('"') && (2..=60).contains(&name.chars().count());
            let shared = self.planted[answer.row - 1].shared_key.is_some();
            match answer.status {
                "loaded" => directory.good.push(name.to_owned()),
                "failed" | "rejected" if plain && !shared => {
                    directory.refused.push(name.to_owned());
                }
                _ => {}
            }
        }
        directory
    }

    /// The export as a table.
    pub(crate) fn table(&self) -> Table {
        let text = |cell: fn(&Organization) -> &Option<String>| -> Vec<Option<String>> {
            self.rows.iter().map(|row| cell(row).clone()).collect()
        };
        let rows = || self.rows.iter();
        let ids = self.planted.iter().map(|planted| Some(planted.key.clone()));
        Table {
            columns: vec![
                ("account_id", Values::Text(ids.collect())),
                ("account_name", Values::Text(text(|row| &row.account_name))),
                ("industry", Values::Category(text(|row| &row.industry))),
                ("segments", Values::Category(text(|row| &row.segments))),
                ("country", Values::Category(text(|row| &row.country))),
                ("website", Values::Text(text(|row| &row.website))),
                (
                    "support_email",
                    Values::Text(text(|row| &row.support_email)),
                ),
                ("is_partner", Values::Text(text(|row| &row.is_partner))),
                ("health_score", Values::Text(text(|row| &row.health_score))),
                ("founded", Values::Text(text(|row| &row.founded))),
                (
                    "customer_since",
                    Values::Text(text(|row| &row.customer_since)),
                ),
                (
                    "employees",
                    Values::Integer(rows().map(|row| row.employees).collect()),
                ),
                (
                    "annual_revenue",
                    Values::Decimal(rows().map(|row| row.annual_revenue).collect()),
                ),
                (
                    "products",
                    Values::List(rows().map(|row| row.products.clone()).collect()),
                ),
                ("address", Values::Text(text(|row| &row.address))),
            ],
        }
    }
}

/// A row without faults and without a name.
fn organization(random: &mut SplitMix64) -> Organization {
    let some = |random: &mut SplitMix64, list: &[&str], nulls| -> Option<String> {
        let word = random.pick(list).to_owned();
        (!random.chance(nulls)).then_some(word)
    };
    let page = random.below(10_000);
    Organization {
        account_name: None,
        industry: some(random, INDUSTRIES, 10),
        segments: some(
            random,
            &["ent", "mid", "smb", "pub", "ent|pub", "mid|smb", "smb"],
            10,
        ),
        country: some(random, COUNTRIES, 5),
        website: (!random.chance(20)).then(|| match page % 4 {
            0 => format!("http://www.example.org/shop?id={page}"),
            1 => format!("https://bücher.example/über-uns/{page}"),
            _ => format!("https://www.example.com/{page}"),
        }),
        support_email: (!random.chance(30)).then(|| format!("Help.{page}@Example.net")),
        is_partner: some(random, &["yes", "no", "Y", "n", "TRUE", "0"], 15),
        health_score: some(random, &["87", "87.5", "+3", "-1", "0", "99.25"], 20),
        founded: (!random.chance(15)).then(|| (1_890 + random.below(130)).to_string()),
        customer_since: (!random.chance(15)).then(|| {
            let days = 14_000 + i32::try_from(random.below(6_000)).unwrap_or(0);
            Date { days }.dots()
        }),
        employees: (!random.chance(10)).then(|| 1 + i64::from(random.below(5_000))),
        annual_revenue: (!random.chance(20)).then(|| i64::from(random.below(2_000_000_000)) * 5),
        products: (!random.chance(50)).then(|| {
            let first = LOADED_PRODUCTS[random.index(LOADED_PRODUCTS.len())].1;
            vec![first.to_owned(), random.pick(SEEDED_PRODUCTS).to_owned()]
        }),
        address: some(
            random,
            &[
                "1 Example Street\nLondon N1 0XX",
                "Musterweg 7, 3. OG\r\n10115 Berlin",
                "Rua das Flores 12, \"Casa Azul\"",
                "東京都千代田区0-0-0",
                "شارع المثال ١٢",
            ],
            25,
        ),
    }
}

/// Names that neither the site nor another row has.
fn new_names() -> impl Iterator<Item = String> {
    let made = FIRST_WORDS.iter().enumerate().flat_map(|(number, first)| {
        (0..4).map(move |turn| {
            format!(
                "{first} {}",
                LAST_WORDS[(number + turn * 2) % LAST_WORDS.len()]
            )
        })
    });
    EXPORTED_ORGANIZATIONS
        .iter()
        .map(ToString::to_string)
        .chain(made)
}
