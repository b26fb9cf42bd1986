//! Customers: rows with the mess of a real export, in blocks of 2,000 that each hold the same kinds of faults.
//!
//! The committed files are the first block; larger files are more of them, made one at a time.

pub(crate) mod faults;

use crate::calendar::Date;
use crate::deck::Deck;
use crate::expected::Planted;
use crate::organizations::Directory;
use crate::prng::SplitMix64;
use crate::tables::{Table, Values};
use crate::words::{DOMAINS, LOADED_PRODUCTS, NOTES, Names, PEOPLE, PHONES, SEEDED_PRODUCTS};
use faults::{Fault, GROUPS, SINGLES};

/// Rows in a block.
pub(crate) const BLOCK: usize = 2_000;

/// Codes that the mapping's `map` knows.
const REGIONS: &[&str] = &["eu", "uk", "me", "us", "ca", "br", "jp", "au", "in"];
/// Codes that the mapping lists as options.
pub(crate) const LANGUAGES: &[&str] = &[
    "en", "de", "fr", "es", "pt", "pl", "el", "ru", "ar", "he", "hi", "th", "zh", "ja", "ko",
];
/// Words that the site lists as options.
pub(crate) const TIERS: &[&str] = &["Free", "Standard", "Premium", "Enterprise"];
/// Words that the mapping and the site list as options.
pub(crate) const CHANNELS: &[&str] = &["Mail", "Chat", "Phone", "Portal", "SMS"];

/// A row of the export.
#[derive(Debug, Clone)]
pub(crate) struct Customer {
    /// Eight digits with leading zeros.
    pub(crate) crm_id: Option<String>,
    /// The natural key.
    pub(crate) contact_email: Option<String>,
    /// Given name.
    pub(crate) first_name: Option<String>,
    /// Family name.
    pub(crate) last_name: Option<String>,
    /// As people type it.
    pub(crate) phone: Option<String>,
    /// One of [`REGIONS`].
    pub(crate) region: Option<String>,
    /// One of [`LANGUAGES`].
    pub(crate) language: Option<String>,
    /// One of [`TIERS`].
    pub(crate) tier: Option<String>,
    /// Some of [`CHANNELS`].
    pub(crate) channels: Option<Vec<String>>,
    /// Names of organizations, joined by `;` in every format.
    pub(crate) account_name: Option<String>,
    /// Name of a product.
    pub(crate) product_name: Option<String>,
    /// Seconds since 1970.
    pub(crate) created_at: i64,
    /// When the contract was signed.
    pub(crate) signed_at: Date,
    /// When the contract ended.
    pub(crate) ended_at: Option<Date>,
    /// A date as `31/01/2026`.
    pub(crate) renewal: Option<String>,
    /// Whether somebody important.
    pub(crate) is_vip: Option<bool>,
    /// Licences.
    pub(crate) seats: Option<i64>,
    /// A percentage as text.
    pub(crate) discount: Option<String>,
    /// Free text.
    pub(crate) notes: Option<String>,
}

/// A block of rows and what was planted in them.
pub(crate) struct Block {
    /// The rows.
    pub(crate) customers: Vec<Customer>,
    /// What was planted in each.
    pub(crate) planted: Vec<Planted>,
}

impl Block {
    /// The block with this number, from 0.
    pub(crate) fn new(seed: u64, number: usize, directory: &Directory) -> Self {
        let mut random = SplitMix64::new(seed, number as u64);
        let first = number * BLOCK;
        let mut block = Self {
            customers: (first..first + BLOCK)
                .map(|row| customer(row, directory, &mut random))
                .collect(),
            planted: vec![Planted::default(); BLOCK],
        };
        let mut deck = Deck::new(BLOCK, &mut random);
        for (count, faults) in SINGLES {
            for row in deck.draw(*count) {
                block.plant(row, faults, directory, &mut random);
            }
        }
        for (number, group) in GROUPS
            .iter()
            .flat_map(|group| std::iter::repeat_n(group, group.count))
            .enumerate()
        {
            let rows = deck.draw(group.size);
            let address = format!("shared{}", first + rows[0]);
            block.share_key(&rows, number, &address, group.international, &mut random);
            if let Some(last) = rows.last() {
                block.plant(*last, group.last, directory, &mut random);
            }
        }
        for (planted, customer) in block.planted.iter_mut().zip(&block.customers) {
            planted.key = customer.crm_id.clone().unwrap_or_default();
        }
        block
    }

    /// Plants faults in a row.
    fn plant(
        &mut self,
        row: usize,
        faults: &[Fault],
        directory: &Directory,
        random: &mut SplitMix64,
    ) {
        for fault in faults {
            let (customer, planted) = (&mut self.customers[row], &mut self.planted[row]);
            fault.plant(customer, planted, directory, random);
        }
    }

    /// Gives rows one e-mail address, each time spelt in another way.
    fn share_key(
        &mut self,
        rows: &[usize],
        number: usize,
        local: &str,
        international: bool,
        random: &mut SplitMix64,
    ) {
        let domains = if international {
            ["bücher.example", "BÜCHER.example", "xn--bcher-kva.example"]
        } else {
            ["example.com", "Example.COM", "EXAMPLE.com"]
        };
        for (spelling, row) in rows.iter().enumerate() {
            let domain = domains[spelling % domains.len()];
            let local = mixed_case(local, random);
            self.customers[*row].contact_email = Some(format!("{local}@{domain}"));
            self.planted[*row].shared_key = Some(number);
        }
    }

    /// The block as a table.
    pub(crate) fn table(&self) -> Table {
        let text = |cell: fn(&Customer) -> &Option<String>| -> Vec<Option<String>> {
            self.customers.iter().map(|row| cell(row).clone()).collect()
        };
        let rows = || self.customers.iter();
        Table {
            columns: vec![
                ("crm_id", Values::Text(text(|row| &row.crm_id))),
                (
                    "contact_email",
                    Values::Text(text(|row| &row.contact_email)),
                ),
                ("first_name", Values::Text(text(|row| &row.first_name))),
                ("last_name", Values::Text(text(|row| &row.last_name))),
                ("phone", Values::Text(text(|row| &row.phone))),
                ("region", Values::Category(text(|row| &row.region))),
                ("language", Values::Category(text(|row| &row.language))),
                ("tier", Values::Category(text(|row| &row.tier))),
                (
                    "channels",
                    Values::List(rows().map(|row| row.channels.clone()).collect()),
                ),
                ("account_name", Values::Text(text(|row| &row.account_name))),
                (
                    "product_name",
                    Values::Category(text(|row| &row.product_name)),
                ),
                (
                    "created_at",
                    Values::Timestamp(rows().map(|row| Some(row.created_at)).collect()),
                ),
                (
                    "signed_at",
                    Values::Date(rows().map(|row| Some(row.signed_at)).collect()),
                ),
                (
                    "ended_at",
                    Values::Date(rows().map(|row| row.ended_at).collect()),
                ),
                ("renewal", Values::Text(text(|row| &row.renewal))),
                (
                    "is_vip",
                    Values::Boolean(rows().map(|row| row.is_vip).collect()),
                ),
                (
                    "seats",
                    Values::Integer(rows().map(|row| row.seats).collect()),
                ),
                ("discount", Values::Text(text(|row| &row.discount))),
                ("notes", Values::Text(text(|row| &row.notes))),
            ],
        }
    }
}

/// A row without faults: `row` counts from 0 over all blocks.
fn customer(row: usize, directory: &Directory, random: &mut SplitMix64) -> Customer {
    let Names { given, family } = PEOPLE[random.index(PEOPLE.len())];
    let given = given[random.index(given.len())];
    let family = family[random.index(family.len())];
    let signed_at = Date {
        days: 17_897 + small(random.below(2_500)),
    };
    let some = |random: &mut SplitMix64, list: &[&str], nulls| -> Option<String> {
        let word = random.pick(list).to_owned();
        (!random.chance(nulls)).then_some(word)
    };
    Customer {
        crm_id: (random.below(500) > 0).then(|| format!("{:08}", 4_711 + row * 3)),
        contact_email: Some(email(row, given.1, family.1, random)),
        first_name: (!random.chance(2)).then(|| given.0.to_owned()),
        last_name: Some(family.0.to_owned()),
        phone: (!random.chance(8)).then(|| phone(random)),
        region: some(random, REGIONS, 5),
        language: some(random, LANGUAGES, 10),
        tier: some(random, TIERS, 5),
        channels: (!random.chance(10)).then(|| channels(random)),
        account_name: accounts(directory, random),
        product_name: (!random.chance(20)).then(|| product(random).to_owned()),
        created_at: i64::from(signed_at.days) * 86_400 - i64::from(random.below(9_000_000)),
        signed_at,
        ended_at: random.chance(20).then(|| Date {
            days: signed_at.days + 30 + small(random.below(1_400)),
        }),
        renewal: (!random.chance(10)).then(|| {
            let days = 20_454 + small(random.below(1_095));
            Date { days }.slashes()
        }),
        is_vip: (!random.chance(5)).then(|| random.chance(7)),
        seats: (!random.chance(10)).then(|| 1 + i64::from(random.below(500))),
        discount: some(random, &["0", "5", "12.5", "+7.5", " 10 ", "33.33"], 30),
        notes: some(random, NOTES, 40),
    }
}

/// An address that no other row has, in the spelling of a hurried person.
fn email(row: usize, given: &str, family: &str, random: &mut SplitMix64) -> String {
    let domain = random.pick(DOMAINS);
    let address = match random.below(40) {
        0 => format!("{given}+crm@{row}.{domain}"),
        1 => format!("{given}.grün{row}@{domain}"),
        2..=5 => mixed_case(&format!("{given}.{family}{row}@{domain}"), random),
        _ => format!("{given}.{family}{row}@{domain}"),
    };
    if random.chance(1) {
        format!(" {address} ")
    } else {
        address
    }
}

/// Turns about half of the ASCII letters into capitals.
fn mixed_case(text: &str, random: &mut SplitMix64) -> String {
    text.chars()
        .map(|letter| {
            if random.chance(50) {
                letter.to_ascii_uppercase()
            } else {
                letter
            }
        })
        .collect()
}

/// A valid phone number.
fn phone(random: &mut SplitMix64) -> String {
    format!("{}{:03}", random.pick(PHONES), random.below(1_000))
}

/// One to three different channels.
fn channels(random: &mut SplitMix64) -> Vec<String> {
    let mut all: Vec<String> = CHANNELS.iter().map(ToString::to_string).collect();
    random.shuffle(&mut all);
    all.truncate(1 + random.index(3));
    all
}

/// One organization or two, sometimes in another case than the site writes it.
fn accounts(directory: &Directory, random: &mut SplitMix64) -> Option<String> {
    let first = directory.any(random);
    match random.below(100) {
        0..=7 => None,
        8..=13 => Some(format!("{first};{}", directory.any(random))),
        14..=17 => Some(format!("{first} ; {}", directory.any(random))),
        18 => Some(first.to_lowercase()),
        _ => Some(first.to_owned()),
    }
}

/// A product that the site has when customers load.
fn product(random: &mut SplitMix64) -> &'static str {
    let number = random.index(LOADED_PRODUCTS.len() + SEEDED_PRODUCTS.len());
    LOADED_PRODUCTS.get(number).map_or_else(
        || SEEDED_PRODUCTS[number - LOADED_PRODUCTS.len()],
        |(_, name)| name,
    )
}

/// A small random number as days.
fn small(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(0)
}
