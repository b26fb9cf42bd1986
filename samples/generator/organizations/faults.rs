//! The faults that are planted in organizations, how often, and what the loader should say about each.

use super::Organization;
use crate::expected::{Planted, Reason};
use crate::prng::SplitMix64;
use crate::words::{SEEDED_PRODUCTS, UNKNOWN_PRODUCTS};

/// Longer than the 120 characters that the mapping allows.
const LONG_NAME: &str = "Überaus Lange Gesellschaft für Handel und Wandel, Überaus Lange \
    Gesellschaft für Handel und Wandel, Überaus Lange Gesellschaft";
/// What also stands in website columns.
const BAD_WEBSITES: &[&str] = &[
    "www.example.com/contact",
    "ftp://example.org",
    "http://",
    "see below",
];

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
pub(crate) const GROUPS: &[(&[&str], &[Fault])] = &[
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

impl Fault {
    /// Spoils a row and notes what the loader should say about it.
    pub(super) fn plant(
        self,
        row: &mut Organization,
        planted: &mut Planted,
        random: &mut SplitMix64,
    ) {
        let message = self.spoil(row, random);
        if let Some((place, code, field)) = self.reported() {
            planted.reasons.push(Reason {
                place,
                code,
                field,
                message,
            });
        } else if self == Self::IndustryRefused {
            planted.refused_detail = Some("Industry");
        }
    }

    /// Place (in the order of `mappings/organizations.toml`), code and field; `None` when validation lets it pass.
    const fn reported(self) -> Option<(u8, &'static str, &'static str)> {
        Some(match self {
            Self::SinceUncastable => (0, "CAST_INVALID", "customer_since"),
            Self::FoundedUncastable => (1, "CAST_INVALID", "founded"),
            Self::NameMissing => (10, "REQUIRED_MISSING", "name"),
            Self::NameTooShort => (10, "TOO_SHORT", "name"),
            Self::NameTooLong => (10, "TOO_LONG", "name"),
            Self::SegmentUnmapped => (21, "VALUE_UNMAPPED", "Customer Segment"),
            Self::WebsiteInvalid => (23, "URL_INVALID", "Website"),
            Self::SupportEmailInvalid => (24, "EMAIL_INVALID", "Support E-mail"),
            Self::PartnerInvalid => (25, "BOOLEAN_INVALID", "Partner"),
            Self::ScoreInvalid => (26, "NUMBER_INVALID", "Health Score"),
            Self::TestAccount => (50, "TEST_ACCOUNT", ""),
            Self::IndustryRefused | Self::ProductSkipped => return None,
        })
    }

    /// Spoils a row; gives the message that the loader should show.
    fn spoil(self, row: &mut Organization, random: &mut SplitMix64) -> String {
        let mut any = |words: &[&str]| Some(random.pick(words).to_owned());
        match self {
            Self::SinceUncastable => {
                row.customer_since = any(&["31.02.2019", "2019", "spring"]);
                "cannot be read as date".into()
            }
            Self::FoundedUncastable => {
                row.founded = any(&["since 1987", "MCMXC", "19xx"]);
                "cannot be read as integer".into()
            }
            Self::NameMissing => {
                row.account_name = random.chance(40).then(|| "   ".to_owned());
                "no value; the field is required".into()
            }
            Self::NameTooShort => {
                row.account_name = any(&["X", "株", "Ω"]);
                "1 characters; at least 2 are needed".into()
            }
            Self::NameTooLong => {
                row.account_name = Some(LONG_NAME.to_owned());
                let length = LONG_NAME.chars().count();
                format!("{length} characters; at most 120 are allowed")
            }
            Self::SegmentUnmapped => {
                row.segments = any(&["ent|vip", "n/a"]);
                "no entry in map".into()
            }
            Self::WebsiteInvalid => {
                row.website = any(BAD_WEBSITES);
                "not an absolute http or https URL".into()
            }
            Self::SupportEmailInvalid => {
                row.support_email = any(&["help(at)example.org", "desk@"]);
                "not an e-mail address".into()
            }
            Self::PartnerInvalid => {
                row.is_partner = any(&["maybe", "?"]);
                "neither true nor false".into()
            }
            Self::ScoreInvalid => {
                row.health_score = any(&["n/a", "4,5", "high"]);
                "not a number".into()
            }
            Self::TestAccount => {
                row.account_name = Some(format!("ZZ TEST {}", random.below(1_000)));
                "breaks the rule: account_name is null or account_name not like 'ZZ TEST%'".into()
            }
            Self::IndustryRefused => {
                row.industry = any(&["Alchemy", "Astrology"]);
                String::new()
            }
            Self::ProductSkipped => {
                let names = [SEEDED_PRODUCTS[0], UNKNOWN_PRODUCTS[0]];
                row.products = Some(names.map(str::to_owned).to_vec());
                String::new()
            }
        }
    }
}
