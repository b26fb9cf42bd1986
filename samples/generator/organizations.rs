//! Organizations: 150 rows, and the directory of names that the site knows once they are loaded.

use crate::calendar::Date;
use crate::deck::Deck;
use crate::expected::{Planted, Reason, settle};
use crate::prng::SplitMix64;
use crate::tables::{Dialect, Table, Values};
use crate::words::{
    EXPORTED_ORGANIZATIONS, FIRST_WORDS, LAST_WORDS, LOADED_PRODUCTS, SEEDED_PRODUCTS,
    SHARED_ORGANIZATIONS, SITE_ORGANIZATIONS, UNKNOWN_PRODUCTS,
};

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

/// A row of the export.
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

/// A fault of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Customer since a day that no calendar has.
    SinceUncastable,
    /// Founded in something that is not a whole number.
    FoundedUncastable,
    /// No name, or only blanks.
    NameMissing,
    /// A name of one letter.
    NameTooShort,
    /// A name of more than 120 characters.
    NameTooLong,
    /// A segment code that the map does not know.
    SegmentUnmapped,
    /// A website without scheme or host.
    WebsiteInvalid,
    /// Not an address.
    SupportEmailInvalid,
    /// Neither yes nor no.
    PartnerInvalid,
    /// Not a number.
    ScoreInvalid,
    /// A test account, which a rule keeps out.
    TestAccount,
    /// An industry that only the site refuses.
    IndustryRefused,
    /// Products that exist nowhere, which the mapping skips: the row loads.
    ProductSkipped,
}

/// Rows with these faults.
pub(crate) const SINGLES: &[(usize, &[Fault])] = &[
    (2, &[Fault::SinceUncastable]),
    (3, &[Fault::FoundedUncastable]),
    (3, &[Fault::NameMissing]),
    (2, &[Fault::NameTooShort]),
    (1, &[Fault::NameTooLong]),
    (2, &[Fault::SegmentUnmapped]),
    (4, &[Fault::WebsiteInvalid]),
    (2, &[Fault::SupportEmailInvalid]),
    (2, &[Fault::PartnerInvalid]),
    (3, &[Fault::ScoreInvalid]),
    (3, &[Fault::TestAccount]),
    (5, &[Fault::IndustryRefused]),
    (3, &[Fault::ProductSkipped]),
    (2, &[Fault::WebsiteInvalid, Fault::ScoreInvalid]),
    (1, &[Fault::NameMissing, Fault::FoundedUncastable]),
    (
        1,
        &[
            Fault::SupportEmailInvalid,
            Fault::PartnerInvalid,
            Fault::TestAccount,
        ],
    ),
];

/// Spellings of one name, row by row; the last one is rejected where it carries a fault.
const GROUPS: &[(&[&str], &[Fault])] = &[
    (&["TIDEWATER BOOKS LTD", "Tidewater Books Ltd"], &[]),
    (&["  Kupferberg AG", "Kupferberg AG"], &[]),
    (
        &["Cafe\u{301} du The\u{301}a\u{302}tre", "Café du Théâtre"],
        &[],
    ),
    (&["sunset rail", "SUNSET RAIL", "Sunset Rail"], &[]),
    (&["ΦΩΤΕΙΝΗ ΓΩΝΙΑ", "Φωτεινη γωνια"], &[]),
    (
        &["Harbour Lights", "harbour lights"],
        &[Fault::WebsiteInvalid],
    ),
];

/// The export and what was planted in it.
pub(crate) struct Organizations {
    rows: Vec<Organization>,
    /// What was planted in each row.
    pub(crate) planted: Vec<Planted>,
}

/// Names for customers to refer to.
pub(crate) struct Directory {
    good: Vec<String>,
    refused: Vec<String>,
}

impl Directory {
    /// A name that the site knows when customers load.
    pub(crate) fn any(&self, random: &mut SplitMix64) -> &str {
        &self.good[random.index(self.good.len())]
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
        let named = faulty
            .iter()
            .map(|(row, _)| *row)
            .chain(deck.rest())
            .collect::<Vec<_>>();
        for row in named {
            all.rows[row].account_name = names.next();
        }
        for (row, faults) in faulty {
            all.plant(row, faults, &mut random);
        }
        all
    }

    /// Plants faults in a row and notes what the loader should say. Places follow `mappings/organizations.toml`.
    fn plant(&mut self, row: usize, faults: &[Fault], random: &mut SplitMix64) {
        for fault in faults {
            let (organization, planted) = (&mut self.rows[row], &mut self.planted[row]);
            if let Some((place, code, field, message)) = fault.spoil(organization, row, random) {
                planted.reasons.push(Reason {
                    place,
                    code,
                    field,
                    message,
                });
            } else if *fault == Fault::IndustryRefused {
                planted.refused_detail = Some("Industry");
            }
        }
    }

    /// The names that the site knows once this export and its own organizations are there, and those that it refused.
    pub(crate) fn directory(&self) -> Directory {
        let mut directory = Directory {
            good: SITE_ORGANIZATIONS.iter().map(ToString::to_string).collect(),
            refused: Vec::new(),
        };
        for (row, answer) in self.rows.iter().zip(settle(&self.planted)) {
            let Some(name) = row.account_name.as_deref().map(str::trim) else {
                continue;
            };
            let shared = self.planted[answer.row - 1].shared_key.is_some();
            match answer.status {
                "loaded" => directory.good.push(name.to_owned()),
                "failed" => directory.refused.push(name.to_owned()),
                "rejected" if !shared && (2..=60).contains(&name.chars().count()) => {
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

impl Fault {
    /// Spoils a row; gives place, code, field and message where validation is what finds it.
    fn spoil(
        self,
        row: &mut Organization,
        number: usize,
        random: &mut SplitMix64,
    ) -> Option<(u8, &'static str, &'static str, String)> {
        let text = |words: &str| words.to_owned();
        Some(match self {
            Self::SinceUncastable => {
                row.customer_since = Some(text(random.pick(&["31.02.2019", "2019", "spring"])));
                (
                    0,
                    "CAST_INVALID",
                    "customer_since",
                    text("cannot be read as date"),
                )
            }
            Self::FoundedUncastable => {
                row.founded = Some(text(random.pick(&["since 1987", "MCMXC", "19xx"])));
                (
                    1,
                    "CAST_INVALID",
                    "founded",
                    text("cannot be read as integer"),
                )
            }
            Self::NameMissing => {
                row.account_name = random.chance(40).then(|| text("   "));
                (
                    10,
                    "REQUIRED_MISSING",
                    "name",
                    text("no value; the field is required"),
                )
            }
            Self::NameTooShort => {
                row.account_name = Some(text(random.pick(&["X", "株", "Ω"])));
                (
                    10,
                    "TOO_SHORT",
                    "name",
                    text("1 characters; at least 2 are needed"),
                )
            }
            Self::NameTooLong => {
                let name = "Überaus Lange Gesellschaft für Handel und Wandel ".repeat(3);
                let name = name.trim_end();
                row.account_name = Some(text(name));
                let length = name.chars().count();
                (
                    10,
                    "TOO_LONG",
                    "name",
                    format!("{length} characters; at most 120 are allowed"),
                )
            }
            Self::SegmentUnmapped => {
                row.segments = Some(text(random.pick(&["ent|vip", "n/a"])));
                (
                    21,
                    "VALUE_UNMAPPED",
                    "Customer Segment",
                    text("no entry in map"),
                )
            }
            Self::WebsiteInvalid => {
                let bad = [
                    "www.example.com/contact",
                    "ftp://example.org",
                    "http://",
                    "see below",
                ];
                row.website = Some(text(random.pick(&bad)));
                (
                    23,
                    "URL_INVALID",
                    "Website",
                    text("not an absolute http or https URL"),
                )
            }
            Self::SupportEmailInvalid => {
                row.support_email = Some(text(random.pick(&["help(at)example.org", "desk@"])));
                (
                    24,
                    "EMAIL_INVALID",
                    "Support E-mail",
                    text("not an e-mail address"),
                )
            }
            Self::PartnerInvalid => {
                row.is_partner = Some(text(random.pick(&["maybe", "?"])));
                (
                    25,
                    "BOOLEAN_INVALID",
                    "Partner",
                    text("neither true nor false"),
                )
            }
            Self::ScoreInvalid => {
                row.health_score = Some(text(random.pick(&["n/a", "4,5", "high"])));
                (26, "NUMBER_INVALID", "Health Score", text("not a number"))
            }
            Self::TestAccount => {
                row.account_name = Some(format!("ZZ TEST {number}"));
                let rule = "account_name is null or account_name not like 'ZZ TEST%'";
                (50, "TEST_ACCOUNT", "", format!("breaks the rule: {rule}"))
            }
            Self::IndustryRefused => {
                row.industry = Some(text(random.pick(&["Alchemy", "Astrology"])));
                return None;
            }
            Self::ProductSkipped => {
                row.products = Some(vec![text(SEEDED_PRODUCTS[0]), text(UNKNOWN_PRODUCTS[0])]);
                return None;
            }
        })
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
