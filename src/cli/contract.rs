//! `[contract]` of a job file: what of the API the job says otherwise. Unknown keys are errors with a caret.

use super::exit::{Exit, Failure};
use super::toml_file;
use crate::api::contract::{Contract, IdForm, Name};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// What is no name, in the order of the README: see [`Contract`].
pub(super) const OTHERS: [&str; 7] = [
    "task_limit",
    "organization_ids",
    "key_lifetime",
    "read_patience",
    "user_search",
    "organization_list",
    "membership",
];

/// Every key.
const KNOWN: [&str; Name::ALL.len() + OTHERS.len()] = {
    let mut keys = [""; Name::ALL.len() + OTHERS.len()];
    let mut at = 0;
    while at < keys.len() {
        keys[at] = if at < Name::ALL.len() {
            Name::ALL[at].key()
        } else {
            OTHERS[at - Name::ALL.len()]
        };
        at += 1;
    }
    keys
};

/// `[contract]`, defaults filled in.
#[derive(Debug, Clone, Default)]
pub(super) struct ContractTable(pub(super) Contract);

impl<'de> Deserialize<'de> for ContractTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Table).map(Self)
    }
}

/// Reads the `[contract]` of a file: a job file, or one that holds nothing else.
///
/// # Errors
/// When the file cannot be read, has no `[contract]`, or says there what cannot be said.
pub(super) fn read(path: &Path) -> Result<Contract, Failure> {
    let name = path.display();
    let failed = |error: &dyn fmt::Display| {
        Failure::new(Exit::Input, format!("failed to read {name}: {error}"))
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    let file: File = toml_file::read(&text).map_err(|faults| {
        Failure::new(Exit::Input, toml_file::told(&format!("in {name}"), &faults))
    })?;
    let contract = file
        .contract
        .ok_or_else(|| failed(&"it has no [contract]"))?;
    Ok(contract.0)
}

/// What else a file holds is not for us to judge.
#[derive(serde::Deserialize)]
struct File {
    contract: Option<ContractTable>,
}

struct Table;

impl<'de> Visitor<'de> for Table {
    type Value = Contract;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the names of the API that the job says otherwise")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Contract, A::Error> {
        let mut contract = Contract::default();
        while let Some(key) = table.next_key()? {
            match key {
                Key::Name(name) => contract = contract.with(name, table.next_value::<Text>()?.0),
                Key::TaskLimit => {
                    contract.task_limit = table.next_value::<Tasks>()?.0;
                }
                Key::OrganizationIds => {
                    contract.organization_ids = table.next_value::<Ids>()?.0;
                }
                Key::Lifetime => contract.key_lifetime = table.next_value::<Span>()?.0,
                Key::Patience => contract.read_patience = table.next_value::<Span>()?.0,
                Key::UserSearch => contract.user_search = table.next_value()?,
                Key::OrganizationList => contract.organization_list = table.next_value()?,
                Key::Membership => contract.membership = table.next_value()?,
            }
        }
        Ok(contract)
    }
}

enum Key {
    Name(Name),
    TaskLimit,
    OrganizationIds,
    Lifetime,
    Patience,
    UserSearch,
    OrganizationList,
    Membership,
}

// an error of the key's own is shown at the key
impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match &*text {
            "task_limit" => Self::TaskLimit,
            "organization_ids" => Self::OrganizationIds,
            "key_lifetime" => Self::Lifetime,
            "read_patience" => Self::Patience,
            "user_search" => Self::UserSearch,
            "organization_list" => Self::OrganizationList,
            "membership" => Self::Membership,
            other => {
                let name = Name::ALL.iter().find(|name| name.key() == other);
                Self::Name(*name.ok_or_else(|| D::Error::unknown_field(other, &KNOWN))?)
            }
        })
    }
}

/// A name: text that is not blank.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim().is_empty() {
            return Err(D::Error::custom("a name of the API cannot be empty"));
        }
        Ok(Self(text))
    }
}

struct Tasks(usize);

impl<'de> Deserialize<'de> for Tasks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tasks = u16::deserialize(deserializer)?;
        if tasks == 0 {
            return Err(D::Error::custom(
                "a site that allows no task cannot be loaded",
            ));
        }
        Ok(Self(tasks.into()))
    }
}

struct Ids(IdForm);

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match &*String::deserialize(deserializer)? {
            "string" => Ok(Self(IdForm::String)),
            "number" => Ok(Self(IdForm::Number)),
            other => Err(D::Error::unknown_variant(other, &["string", "number"])),
        }
    }
}

/// `24h`, `90m`, `3d`, `300ms`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span(pub(super) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no span of time; write it as in \"24h\"");
        let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let millis: u64 = match &text[digits.len()..] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60 * 1_000,
            "h" => 60 * 60 * 1_000,
            "d" => 24 * 60 * 60 * 1_000,
            _ => return Err(wrong()),
        };
        let count: Option<u32> = digits.trim().parse().ok();
        let count = count.filter(|count| *count > 0).ok_or_else(wrong)?;
        Ok(Self(Duration::from_millis(u64::from(count) * millis)))
    }
}

/// As `[contract]` writes it: in hours, where they are whole ones.
pub(super) fn span(span: Duration) -> String {
    if span.subsec_millis() > 0 {
        return format!("{}ms", span.as_millis());
    }
    let seconds = span.as_secs();
    for (unit, length) in [("h", 3_600), ("m", 60)] {
        if seconds.is_multiple_of(length) {
            return format!("{}{unit}", seconds / length);
        }
    }
    format!("{seconds}s")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn parsed(text: &str) -> Result<Contract, String> {
        #[derive(serde::Deserialize)]
        struct Job {
            #[serde(default)]
            contract: ContractTable,
        }
        let job: Result<Job, _> = toml::from_str(text);
        job.map(|job| job.contract.0)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_must_have_the_table_and_may_be_a_job() {
        let folder = tempfile::tempdir().unwrap();
        let of = |text: &str| {
            let path = folder.path().join("c.toml");
            std::fs::write(&path, text).unwrap();
            let name = path.display().to_string();
            read(&path).map_err(|failure| failure.to_string().replace(&name, "c.toml"))
        };
        let job = "[site]\ntarget = \"sandbox\"\n[contract]\ntask_limit = 10\n";
        assert_eq!(of(job).map(|contract| contract.task_limit), Ok(10));
        insta::assert_snapshot!(of("task_limit = 10\n").unwrap_err(), @"failed to read c.toml: it has no [contract]");
        insta::assert_snapshot!(of("[contract]\ntask_limit = 0\n").unwrap_err(), @r"
        in c.toml: TOML parse error at line 2, column 14
          |
        2 | task_limit = 0
          |              ^
        a site that allows no task cannot be loaded
        ");
    }

    #[test]
    fn every_key_can_be_said_otherwise() {
        let mut text = String::from(
            "[contract]\ntask_limit = 10\norganization_ids = \"number\"\nkey_lifetime = \"90m\"\nread_patience = \"5m\"\nuser_search = true\n\
             organization_list = true\nmembership = true\n",
        );
        for name in Name::ALL {
            let _ = writeln!(text, "{} = \"x-{}\"", name.key(), name.key());
        }
        let contract = parsed(&text).unwrap();
        for name in Name::ALL {
            assert_eq!(contract.name(*name), format!("x-{}", name.key()));
        }
        assert_eq!(contract.task_limit, 10);
        assert_eq!(contract.organization_ids, IdForm::Number);
        assert_eq!(contract.key_lifetime, Duration::from_mins(90));
        assert_eq!(contract.read_patience, Duration::from_mins(5));
        assert!(contract.user_search && contract.organization_list && contract.membership);
        assert_eq!(text.lines().count(), KNOWN.len() + 1, "a key is not tested");
    }

    #[test]
    fn what_is_not_said_stays_at_its_default() {
        assert_eq!(parsed(""), Ok(Contract::default()));
        assert_eq!(parsed("[contract]\n"), Ok(Contract::default()));
    }

    #[test]
    fn an_unknown_key_is_shown_with_the_known_ones() {
        insta::assert_snapshot!(parsed("[contract]\nproduct_id = \"x\"\n").unwrap_err(), @r#"
        TOML parse error at line 2, column 1
          |
        2 | product_id = "x"
          | ^^^^^^^^^^
        unknown field `product_id`, expected one of `customer_accounts`, `customer_profiles`, `organizations`, `organization_details`, `organization_details_id`, `associate_organizations`, `associate_products`, `product_ids`, `fetch_organization_ids`, `fetch_organization_names`, `fetched_organizations`, `fetch_organization_profile_ids`, `fetched_organization_profiles`, `found_customers`, `entitlement_product`, `entitlement_customer`, `entitlement_organization`, `task_limit`, `organization_ids`, `key_lifetime`, `read_patience`, `user_search`, `organization_list`, `membership`
        "#);
    }

    #[test]
    fn a_wrong_value_is_shown_where_it_stands() {
        let mut shown = String::new();
        for line in [
            "product_ids = 3",
            "product_ids = \" \"",
            "task_limit = 0",
            "task_limit = \"5\"",
            "organization_ids = \"digits\"",
            "key_lifetime = 24",
            "key_lifetime = \"a day\"",
            "key_lifetime = \"0h\"",
            "user_search = \"yes\"",
        ] {
            shown.push_str(&parsed(&format!("[contract]\n{line}\n")).unwrap_err());
        }
        insta::assert_snapshot!(shown, @r#"
        TOML parse error at line 2, column 15
          |
        2 | product_ids = 3
          |               ^
        invalid type: integer `3`, expected a string
        TOML parse error at line 2, column 15
          |
        2 | product_ids = " "
          |               ^^^
        a name of the API cannot be empty
        TOML parse error at line 2, column 14
          |
        2 | task_limit = 0
          |              ^
        a site that allows no task cannot be loaded
        TOML parse error at line 2, column 14
          |
        2 | task_limit = "5"
          |              ^^^
        invalid type: string "5", expected u16
        TOML parse error at line 2, column 20
          |
        2 | organization_ids = "digits"
          |                    ^^^^^^^^
        unknown variant `digits`, expected `string` or `number`
        TOML parse error at line 2, column 16
          |
        2 | key_lifetime = 24
          |                ^^
        invalid type: integer `24`, expected a string
        TOML parse error at line 2, column 16
          |
        2 | key_lifetime = "a day"
          |                ^^^^^^^
        "a day" is no span of time; write it as in "24h"
        TOML parse error at line 2, column 16
          |
        2 | key_lifetime = "0h"
          |                ^^^^
        "0h" is no span of time; write it as in "24h"
        TOML parse error at line 2, column 15
          |
        2 | user_search = "yes"
          |               ^^^^^
        invalid type: string "yes", expected a boolean
        "#);
    }

    #[test]
    fn spans_are_read_and_shown() {
        for (text, shown) in [
            ("24h", "24h"),
            ("90m", "90m"),
            ("3d", "72h"),
            ("45s", "45s"),
        ] {
            let contract = parsed(&format!("[contract]\nkey_lifetime = \"{text}\"\n")).unwrap();
            assert_eq!(span(contract.key_lifetime), shown);
        }
    }
}
