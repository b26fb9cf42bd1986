//! The faults that are planted in customers, how often, and what the loader should say about each.

use super::{CHANNELS, Customer, LANGUAGES};
use crate::calendar::Date;
use crate::expected::{Planted, Reason};
use crate::organizations::Directory;
use crate::prng::SplitMix64;
use crate::words::{BAD_PHONES, UNKNOWN_ORGANIZATIONS, UNKNOWN_PRODUCTS};

/// The message about a missing value.
const MISSING: &str = "no value; the field is required";
/// What also stands in e-mail columns.
const BAD_EMAILS: &[&str] = &[
    "not-an-address",
    "ana@",
    "@example.com",
    "two@signs@example.com",
    "no spaces@example.com",
    "double..dot@example.org",
];
/// What also stands in date columns: days that no calendar has, other forms, words.
const BAD_DATES: &[&str] = &[
    "31/02/2026",
    "soon",
    "2026-05-01",
    "12/13/2026",
    "00/01/2027",
];

/// A fault of one row. Faults of different fields can be planted in one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No e-mail address, or only blanks.
    EmailMissing,
    /// Not an address.
    EmailMalformed,
    /// Neither first nor last name.
    NameMissing,
    /// A display name of more than 255 characters.
    NameTooLong,
    /// Not a phone number.
    PhoneInvalid,
    /// A region that the map does not know.
    RegionUnmapped,
    /// A language that the mapping does not list.
    LanguageUnknown,
    /// A channel among others that the mapping does not list.
    ChannelUnknown,
    /// No date, or one that no calendar has.
    RenewalInvalid,
    /// Not a number.
    DiscountInvalid,
    /// An organization that exists nowhere, beside one that exists.
    OrganizationUnknown,
    /// Two organizations that exist nowhere.
    OrganizationsUnknown,
    /// An organization whose own row did not load.
    OrganizationRefused,
    /// A product that exists nowhere.
    ProductUnknown,
    /// A contract that ended before it was signed.
    ContractEnded,
    /// Less than no seats.
    SeatsNegative,
    /// A tier that only the site refuses.
    TierRefused,
}

/// Rows of a block with these faults: mostly one, sometimes two or three.
pub(crate) const SINGLES: &[(usize, &[Fault])] = &[
    (20, &[Fault::EmailMissing]),
    (16, &[Fault::EmailMalformed]),
    (6, &[Fault::NameMissing]),
    (6, &[Fault::NameTooLong]),
    (24, &[Fault::PhoneInvalid]),
    (12, &[Fault::RegionUnmapped]),
    (12, &[Fault::LanguageUnknown]),
    (8, &[Fault::ChannelUnknown]),
    (24, &[Fault::RenewalInvalid]),
    (12, &[Fault::DiscountInvalid]),
    (16, &[Fault::OrganizationUnknown]),
    (3, &[Fault::OrganizationsUnknown]),
    (4, &[Fault::OrganizationRefused]),
    (8, &[Fault::ProductUnknown]),
    (10, &[Fault::ContractEnded]),
    (5, &[Fault::SeatsNegative]),
    (14, &[Fault::TierRefused]),
    (4, &[Fault::EmailMissing, Fault::RenewalInvalid]),
    (2, &[Fault::EmailMalformed, Fault::NameTooLong]),
    (
        3,
        &[
            Fault::PhoneInvalid,
            Fault::RegionUnmapped,
            Fault::LanguageUnknown,
        ],
    ),
    (
        3,
        &[
            Fault::RenewalInvalid,
            Fault::DiscountInvalid,
            Fault::ContractEnded,
        ],
    ),
    (3, &[Fault::PhoneInvalid, Fault::OrganizationUnknown]),
    (3, &[Fault::OrganizationUnknown, Fault::ProductUnknown]),
    (2, &[Fault::ProductUnknown, Fault::ContractEnded]),
];

/// Rows that share one e-mail address.
pub(crate) struct Group {
    /// How many such groups a block has.
    pub(crate) count: usize,
    /// Rows in each.
    pub(crate) size: usize,
    /// Whether the domain is written in Unicode and in A-labels.
    pub(crate) international: bool,
    /// What is planted in the last row: if it is rejected, the row before it is sent.
    pub(crate) last: &'static [Fault],
}

/// The groups of a block.
pub(crate) const GROUPS: &[Group] = &[
    group(20, 2, &[]),
    group(6, 3, &[]),
    group(2, 4, &[]),
    group(5, 2, &[Fault::PhoneInvalid]),
    group(3, 3, &[Fault::OrganizationUnknown]),
    group(2, 2, &[Fault::TierRefused]),
    Group {
        count: 2,
        size: 3,
        international: true,
        last: &[],
    },
];

/// Groups with plain domains.
const fn group(count: usize, size: usize, last: &'static [Fault]) -> Group {
    Group {
        count,
        size,
        international: false,
        last,
    }
}

impl Fault {
    /// Spoils a row and notes what the loader should say about it.
    pub(crate) fn plant(
        self,
        row: &mut Customer,
        planted: &mut Planted,
        directory: &Directory,
        random: &mut SplitMix64,
    ) {
        let messages = self.spoil(row, directory, random);
        match self.reported() {
            Some((place, code, field)) => {
                planted
                    .reasons
                    .extend(messages.into_iter().map(|message| Reason {
                        place,
                        code,
                        field,
                        message,
                    }));
            }
            None => planted.refused_detail = Some("Tier"),
        }
    }

    /// Place (in the order of `mappings/customers.toml`), code and field; `None` when only the site finds it.
    const fn reported(self) -> Option<(u8, &'static str, &'static str)> {
        Some(match self {
            Self::EmailMissing => (10, "REQUIRED_MISSING", "email"),
            Self::EmailMalformed => (10, "EMAIL_INVALID", "email"),
            Self::NameMissing => (11, "REQUIRED_MISSING", "display_name"),
            Self::NameTooLong => (11, "TOO_LONG", "display_name"),
            Self::PhoneInvalid => (20, "PHONE_INVALID", "Phone"),
            Self::RegionUnmapped => (21, "VALUE_UNMAPPED", "Region"),
            Self::LanguageUnknown => (22, "OPTION_UNKNOWN", "Preferred Language"),
            Self::ChannelUnknown => (24, "OPTION_UNKNOWN", "Channels"),
            Self::RenewalInvalid => (27, "DATE_INVALID", "Renewal Date"),
            Self::DiscountInvalid => (31, "NUMBER_INVALID", "Discount"),
            Self::OrganizationUnknown | Self::OrganizationsUnknown | Self::OrganizationRefused => {
                (40, "ORGANIZATION_NOT_FOUND", "organizations")
            }
            Self::ProductUnknown => (41, "PRODUCT_NOT_FOUND", "products"),
            Self::ContractEnded => (50, "CONTRACT_ENDED", ""),
            Self::SeatsNegative => (51, "SEATS_NEGATIVE", ""),
            Self::TierRefused => return None,
        })
    }

    /// Spoils a row; gives the messages that the loader should show, one per reason.
    fn spoil(
        self,
        row: &mut Customer,
        directory: &Directory,
        random: &mut SplitMix64,
    ) -> Vec<String> {
        let no_organization = |name| format!("the site has no organization named \"{name}\"");
        let mut any = |words: &[&str]| Some(random.pick(words).to_owned());
        let message = match self {
            Self::EmailMissing => {
                row.contact_email = random.chance(25).then(|| "  ".to_owned());
                MISSING.into()
            }
            Self::EmailMalformed => {
                row.contact_email = any(BAD_EMAILS);
                "not an e-mail address".into()
            }
            Self::NameMissing => {
                row.first_name = random.chance(30).then(|| "   ".to_owned());
                row.last_name = None;
                MISSING.into()
            }
            Self::NameTooLong => {
                let first = "É".repeat(200 + random.index(60));
                let last = "Wolfeschlegelsteinhausenbergerdorff".repeat(2);
                let length = first.chars().count() + 1 + last.chars().count();
                (row.first_name, row.last_name) = (Some(first), Some(last));
                format!("{length} characters; at most 255 are allowed")
            }
            Self::PhoneInvalid => {
                row.phone = any(BAD_PHONES);
                "not a valid phone number".into()
            }
            Self::RegionUnmapped => {
                row.region = any(&["zz", "mars", "EU"]);
                "no entry in map".into()
            }
            Self::LanguageUnknown => {
                row.language = any(&["tlh", "english", "EN"]);
                format!("not one of the {} options", LANGUAGES.len())
            }
            Self::ChannelUnknown => {
                let unknown = any(&["Pager", "Telex", "mail"]);
                row.channels.get_or_insert_default().extend(unknown);
                format!("not one of the {} options", CHANNELS.len())
            }
            Self::RenewalInvalid => {
                row.renewal = any(BAD_DATES);
                "not a date in the form %d/%m/%Y".into()
            }
            Self::DiscountInvalid => {
                row.discount = any(&["12,5", "ten", "5 %", "1.2.3"]);
                "not a number".into()
            }
            Self::OrganizationUnknown => {
                let unknown = random.pick(UNKNOWN_ORGANIZATIONS);
                row.account_name = Some(format!("{};{unknown}", directory.any(random)));
                no_organization(unknown)
            }
            Self::OrganizationsUnknown => {
                let both = [UNKNOWN_ORGANIZATIONS[0], UNKNOWN_ORGANIZATIONS[2]];
                row.account_name = Some(both.join("; "));
                return both.map(no_organization).to_vec();
            }
            Self::OrganizationRefused => {
                let name = directory.any_refused(random);
                row.account_name = Some(name.to_owned());
                no_organization(name)
            }
            Self::ProductUnknown => {
                let name = random.pick(UNKNOWN_PRODUCTS);
                row.product_name = Some(name.to_owned());
                format!("the site has no product named \"{name}\"")
            }
            Self::ContractEnded => {
                let days = row.signed_at.days - super::small(random.below(90));
                row.ended_at = Some(Date { days });
                "breaks the rule: ended_at is null or ended_at > signed_at".into()
            }
            Self::SeatsNegative => {
                row.seats = Some(-1 - i64::from(random.below(9)));
                "breaks the rule: seats is null or seats >= 0".into()
            }
            Self::TierRefused => {
                row.tier = Some("Legacy Gold".to_owned());
                return Vec::new();
            }
        };
        vec![message]
    }
}
