//! Entitlements: 240 rows of contracts, of customers and organizations that the site has when they load.

use crate::calendar::Date;
use crate::customers::Block;
use crate::deck::Deck;
use crate::expected::{Planted, Reason, settle};
use crate::organizations::Directory;
use crate::prng::SplitMix64;
use crate::tables::{Table, Values};
use crate::words::{LOADED_PRODUCTS, SEEDED_PRODUCTS, UNKNOWN_ORGANIZATIONS, UNKNOWN_PRODUCTS};

/// Rows of the export.
pub(crate) const ROWS: usize = 240;
/// Words that the site lists as options of the plan.
pub(crate) const PLANS: &[&str] = &["Basic", "Plus", "Pro"];
/// Words that the site lists as options of the modules.
pub(crate) const MODULES: &[&str] = &["Chat", "Reports", "Telephony", "SSO"];
/// Rows that belong to an organization.
const OF_ORGANIZATIONS: usize = 60;

/// A row of the export; each field is the column of its name.
#[derive(Debug, Clone, Default)]
struct Contract {
    customer_email: Option<String>,
    account_name: Option<String>,
    product: Option<String>,
    plan: Option<String>,
    seats: Option<String>,
    start: Option<String>,
    modules: Option<Vec<String>>,
    auto_renew: Option<String>,
}

/// The export and what was planted in it.
pub(crate) struct Entitlements {
    rows: Vec<Contract>,
    /// What was planted in each row.
    pub(crate) planted: Vec<Planted>,
}

/// What may be wrong with a row.
#[derive(Debug, Clone, Copy)]
enum Fault {
    ProductUnknown,
    ProductMissing,
    OrganizationUnknown,
    OrganizationRefused,
    OwnerMissing,
    OwnersTwo,
    EmailInvalid,
    CustomerUnknown,
    SeatsMissing,
    SeatsInvalid,
    StartInvalid,
    /// The site does not have this option.
    PlanUnknown,
    Repeated,
}

/// How many rows have each fault.
const FAULTS: [(usize, Fault); 13] = [
    (5, Fault::ProductUnknown),
    (3, Fault::ProductMissing),
    (4, Fault::OrganizationUnknown),
    (2, Fault::OrganizationRefused),
    (3, Fault::OwnerMissing),
    (3, Fault::OwnersTwo),
    (4, Fault::EmailInvalid),
    (6, Fault::CustomerUnknown),
    (2, Fault::SeatsMissing),
    (4, Fault::SeatsInvalid),
    (4, Fault::StartInvalid),
    (5, Fault::PlanUnknown),
    (6, Fault::Repeated),
];

impl Entitlements {
    /// The export, for customers of a block.
    pub(crate) fn new(seed: u64, customers: &Block, directory: &Directory) -> Self {
        let mut random = SplitMix64::new(seed, u64::MAX - 1);
        let owners = owners(customers, directory, &mut random);
        let mut all = Self {
            rows: owners
                .into_iter()
                .map(|owner| contract(owner, &mut random))
                .collect(),
            planted: (0..ROWS)
                .map(|row| Planted {
                    key: format!("C-{:04}", 1_001 + row * 3),
                    ..Planted::default()
                })
                .collect(),
        };
        let mut deck = Deck::new(ROWS, &mut random);
        for (count, fault) in FAULTS {
            for (number, row) in deck.draw(count).into_iter().enumerate() {
                all.plant(row, number, fault, directory, &mut random);
            }
        }
        all
    }

    fn plant(
        &mut self,
        row: usize,
        number: usize,
        fault: Fault,
        directory: &Directory,
        random: &mut SplitMix64,
    ) {
        if let Fault::Repeated = fault {
            // the row after it, in the next place that is free of faults, says the same in other letters
            return self.repeat(row, number);
        }
        let (contract, planted) = (&mut self.rows[row], &mut self.planted[row]);
        let mut reject = |place, code, field, message: &str| {
            planted.reasons.push(Reason {
                place,
                code,
                field,
                message: message.to_owned(),
            });
        };
        let missing = "no value; the field is required";
        match fault {
            Fault::ProductUnknown => {
                let name = random.pick(UNKNOWN_PRODUCTS);
                contract.product = Some(name.to_owned());
                let message = format!("the site has no product named \"{name}\"");
                reject(12, "PRODUCT_NOT_FOUND", "product", &message);
            }
            Fault::ProductMissing => {
                contract.product = None;
                reject(12, "REQUIRED_MISSING", "product", missing);
            }
            Fault::OrganizationUnknown | Fault::OrganizationRefused => {
                let name = match fault {
                    Fault::OrganizationUnknown => random.pick(UNKNOWN_ORGANIZATIONS),
                    _ => directory.any_refused(random),
                };
                contract.customer_email = None;
                contract.account_name = Some(name.to_owned());
                let message = format!("the site has no organization named \"{name}\"");
                reject(11, "ORGANIZATION_NOT_FOUND", "organization", &message);
            }
            Fault::OwnerMissing => {
                (contract.customer_email, contract.account_name) = (None, None);
                let message = "no value; an entitlement belongs to a customer or an organization";
                reject(10, "REQUIRED_MISSING", "customer", message);
            }
            Fault::OwnersTwo => {
                let account = directory.any(random).to_owned();
                contract.account_name.get_or_insert(account);
                let email = "both@example.com".to_owned();
                contract.customer_email.get_or_insert(email);
                let message =
                    "a customer and an organization; an entitlement belongs to one of them";
                reject(11, "OWNER_AMBIGUOUS", "organization", message);
            }
            Fault::EmailInvalid => {
                contract.customer_email = Some(format!("no.address{number}@"));
                contract.account_name = None;
                reject(10, "EMAIL_INVALID", "customer", "not an e-mail address");
            }
            Fault::CustomerUnknown => {
                contract.customer_email = Some(format!("stranger{number}@example.com"));
                contract.account_name = None;
                planted.failed = vec![Reason {
                    place: 0,
                    code: "CUSTOMER_NOT_FOUND",
                    field: "customer",
                    message: "a search found no customer with this e-mail".to_owned(),
                }];
            }
            Fault::SeatsMissing => {
                contract.seats = None;
                reject(21, "REQUIRED_MISSING", "Seats", missing);
            }
            Fault::SeatsInvalid => {
                contract.seats = Some("a dozen".to_owned());
                reject(21, "NUMBER_INVALID", "Seats", "not a number");
            }
            Fault::StartInvalid => {
                contract.start = Some("31/02/2026".to_owned());
                let message = "not a date in the form %d/%m/%Y";
                reject(22, "DATE_INVALID", "Start", message);
            }
            Fault::PlanUnknown => refuse_plan(contract, planted, number),
            Fault::Repeated => {}
        }
    }

    /// Makes a row say what another one says, which is then sent in its place, or is sent instead.
    fn repeat(&mut self, row: usize, number: usize) {
        let sound = |at: &usize| {
            let planted = &self.planted[*at];
            *at != row
                && planted.reasons.is_empty()
                && planted.failed.is_empty()
                && planted.shared_key.is_none()
        };
        let Some(other) = (0..ROWS).skip(number * 20).find(sound) else {
            return;
        };
        let owner = &self.rows[other];
        let capitals = |text: &Option<String>| text.as_ref().map(|text| text.to_uppercase());
        let (email, account) = (capitals(&owner.customer_email), owner.account_name.clone());
        let product = owner.product.as_ref().map(|product| format!(" {product} "));
        let contract = &mut self.rows[row];
        contract.customer_email = email;
        contract.account_name = account;
        contract.product = product;
        for row in [row, other] {
            self.planted[row].shared_key = Some(number);
        }
    }

    /// The export as a table.
    pub(crate) fn table(&self) -> Table {
        let text = |cell: fn(&Contract) -> &Option<String>| -> Values {
            Values::Text(self.rows.iter().map(|row| cell(row).clone()).collect())
        };
        let keys = self.planted.iter().map(|planted| Some(planted.key.clone()));
        let modules = self.rows.iter().map(|row| row.modules.clone());
        Table {
            columns: vec![
                ("contract_id", Values::Text(keys.collect())),
                ("customer_email", text(|row| &row.customer_email)),
                ("account_name", text(|row| &row.account_name)),
                ("product", text(|row| &row.product)),
                ("plan", text(|row| &row.plan)),
                ("seats", text(|row| &row.seats)),
                ("start", text(|row| &row.start)),
                ("modules", Values::List(modules.collect())),
                ("auto_renew", text(|row| &row.auto_renew)),
            ],
        }
    }
}

/// A plan that only the site refuses: whatever else the row says is written.
fn refuse_plan(contract: &mut Contract, planted: &mut Planted, number: usize) {
    contract.plan = Some("Platinum".to_owned());
    // of an owner that has no product yet, so that the entitlement is made for this row
    (contract.customer_email, contract.account_name) = (None, None);
    contract.account_name = Some(crate::words::SITE_ORGANIZATIONS[number].to_owned());
    contract.product = Some(SEEDED_PRODUCTS[3].to_owned());
    contract.start = Some("01/03/2026".to_owned());
    contract.modules = Some(vec![MODULES[0].to_owned()]);
    let reason = |code, field, message: &str| Reason {
        place: 0,
        code,
        field,
        message: message.to_owned(),
    };
    let written =
        "written all the same: the entitlement, \"Seats\", \"Start\", \"Modules\", \"Auto-renew\"";
    planted.failed = vec![
        reason("SITE_REJECTED", "Plan", "Invalid detail field value"),
        reason("PARTLY_APPLIED", "", written),
    ];
}

/// E-mail or account name of each row's owner: none has two rows.
fn owners(
    customers: &Block,
    directory: &Directory,
    random: &mut SplitMix64,
) -> Vec<(Option<String>, Option<String>)> {
    let loaded = settle(&customers.planted).into_iter();
    let loaded = loaded.filter(|answer| answer.status == "loaded");
    let mut emails: Vec<_> = loaded
        .filter_map(|answer| customers.customers[answer.row - 1].contact_email.clone())
        .collect();
    random.shuffle(&mut emails);
    emails.truncate(ROWS - OF_ORGANIZATIONS);
    let organizations = directory.good().skip(5).take(OF_ORGANIZATIONS);
    let emails = emails.into_iter().map(|email| (Some(email), None));
    let mut all: Vec<_> = emails
        .chain(organizations.map(|name| (None, Some(name.to_owned()))))
        .collect();
    random.shuffle(&mut all);
    all
}

/// A row without faults.
fn contract(
    (customer_email, account_name): (Option<String>, Option<String>),
    random: &mut SplitMix64,
) -> Contract {
    let products = LOADED_PRODUCTS.iter().map(|(_, name)| *name);
    let products: Vec<_> = products.chain(SEEDED_PRODUCTS.iter().copied()).collect();
    let mut modules: Vec<_> = MODULES.iter().map(ToString::to_string).collect();
    random.shuffle(&mut modules);
    modules.truncate(1 + random.index(3));
    let days = 19_800 + i32::try_from(random.below(800)).unwrap_or(0);
    Contract {
        customer_email,
        account_name,
        product: Some(random.pick(&products).to_owned()),
        plan: (!random.chance(10)).then(|| random.pick(PLANS).to_owned()),
        seats: Some((1 + random.below(500)).to_string()),
        start: (!random.chance(15)).then(|| Date { days }.slashes()),
        modules: (!random.chance(20)).then_some(modules),
        auto_renew: (!random.chance(30)).then(|| random.pick(&["y", "n"]).to_owned()),
    }
}
