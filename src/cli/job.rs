//! The job file as written: site, credentials' source, limits, stages. Every unknown key is an error with a caret.

use super::contract::{ContractTable, Span};
use super::exit::{Exit, Failure};
use super::toml_file;
use crate::dedupe::Policy;
use crate::model::entity::Entity;
use serde::Deserialize;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// A job file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Job {
    #[serde(default)]
    pub(super) site: SiteTable,
    #[serde(default)]
    pub(super) sandbox: SandboxTable,
    #[serde(default)]
    pub(super) auth: AuthTable,
    #[serde(default)]
    pub(super) limits: LimitsTable,
    #[serde(default)]
    pub(super) state: StateTable,
    #[serde(default)]
    pub(super) contract: ContractTable,
    #[serde(default, rename = "stage")]
    pub(super) stages: Vec<StageTable>,
}

/// `[site]`: one of target, site and cloud id.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SiteTable {
    pub(super) target: Option<String>,
    pub(super) site: Option<String>,
    pub(super) cloud_id: Option<String>,
    pub(super) base_url: Option<String>,
}

/// `[sandbox]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SandboxTable {
    pub(super) seed: Option<PathBuf>,
    pub(super) policy: Option<String>,
    #[serde(default)]
    pub(super) set: toml::Table,
    pub(super) random_seed: Option<u32>,
    pub(super) time_scale: Option<u32>,
    pub(super) traffic: Option<PathBuf>,
}

/// `[auth]`: which secret, never the secret itself.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthTable {
    pub(super) method: Option<AuthMethod>,
    pub(super) email: Option<String>,
    pub(super) email_file: Option<PathBuf>,
    pub(super) api_token_file: Option<PathBuf>,
    pub(super) access_token_file: Option<PathBuf>,
    pub(super) client_id: Option<String>,
    pub(super) client_id_file: Option<PathBuf>,
    pub(super) client_secret_file: Option<PathBuf>,
    pub(super) refresh_token_file: Option<PathBuf>,
    pub(super) tokens_file: Option<PathBuf>,
    pub(super) login_url: Option<String>,
}

/// How to identify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum AuthMethod {
    /// E-mail and API token.
    #[default]
    Basic,
    /// An access token.
    Bearer,
    /// A person's consent to an app.
    #[value(name = "oauth")]
    #[serde(rename = "oauth")]
    OAuth,
    /// A service account's credential.
    ClientCredentials,
}

/// `[limits]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsTable {
    pub(super) task_slots: Option<Text>,
    pub(super) requests_per_second: Option<std::num::NonZeroU32>,
    pub(super) platform_limits: Option<bool>,
    pub(super) max_errors: Option<Text>,
    pub(super) route: Option<Text>,
    pub(super) single_in_flight: Option<NonZeroUsize>,
    pub(super) verify: Option<Text>,
    pub(super) max_changes: Option<Text>,
    /// As in `8s`.
    pub(super) expect_task: Option<Span>,
    /// As in `300ms`.
    pub(super) expect_call: Option<Span>,
}

/// `[state]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StateTable {
    pub(super) dir: Option<PathBuf>,
    /// As in `30d`.
    pub(super) refresh_after: Option<Span>,
    pub(super) keep_runs: Option<NonZeroUsize>,
}

/// `[[stage]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StageTable {
    pub(super) entity: Option<Entity>,
    pub(super) mapping: PathBuf,
    pub(super) input: OneOrMore,
    pub(super) results: Option<String>,
    #[serde(default)]
    pub(super) with_source: bool,
    pub(super) duplicates: Option<Policy>,
    pub(super) gone: Option<Gone>,
    pub(super) format: Option<String>,
    #[serde(default)]
    pub(super) csv: CsvTable,
}

/// What becomes of records that the input no longer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Gone {
    /// They are listed.
    Report,
}

/// `csv = { … }` of a stage.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CsvTable {
    pub(super) delimiter: Option<String>,
    pub(super) encoding: Option<String>,
    pub(super) columns: Option<Vec<String>>,
    pub(super) max_record: Option<String>,
}

/// A word or a number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Text {
    /// A number.
    Number(u64),
    /// A word.
    Word(String),
}

impl Text {
    pub(super) fn into_word(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Word(word) => word,
        }
    }
}

/// A path, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore {
    /// One.
    One(String),
    /// Several.
    More(Vec<String>),
}

impl From<OneOrMore> for Vec<String> {
    fn from(paths: OneOrMore) -> Self {
        match paths {
            OneOrMore::One(path) => vec![path],
            OneOrMore::More(paths) => paths,
        }
    }
}

impl Job {
    /// Reads a job file.
    ///
    /// # Errors
    /// When it cannot be read, says what a job file cannot say, or has nothing to load.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        Self::read_site(path)?.staged(&path.display().to_string())
    }

    /// Reads a job file that need not have anything to load yet.
    ///
    /// # Errors
    /// When it cannot be read, or says what a job file cannot say.
    pub(super) fn read_site(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let name = path.display();
            let hint = match error.kind() {
                io::ErrorKind::InvalidData => ROWS,
                _ => "",
            };
            Failure::new(
                Exit::Input,
                format!("failed to read the job file {name}: {error}{hint}"),
            )
        })?;
        Self::parse(&path.display().to_string(), &text)
    }

    fn parse(name: &str, text: &str) -> Result<Self, Failure> {
        toml_file::read(text).map_err(|mut faults| {
            let keys: toml::Table = toml::from_str(text).unwrap_or_default();
            let mut hint = "";
            if keys.contains_key("fields") {
                // every key of it would be unknown
                faults.truncate(1);
                hint = "\nthis looks like a mapping file: name it with --mapping, and the rows with --input";
            } else if !looks_like_toml(text) {
                let what = format!("{name} is no job file{ROWS}");
                return Failure::new(Exit::Input, what);
            }
            let told = toml_file::told(&format!("in the job file {name}"), &faults);
            Failure::new(Exit::Input, told + hint)
        })
    }

    fn staged(self, name: &str) -> Result<Self, Failure> {
        if self.stages.is_empty() {
            let message =
                format!("the job file {name} has no [[stage]]; add one for each entity to load");
            return Err(Failure::new(Exit::Input, message));
        }
        Ok(self)
    }
}

/// What to do with a file of rows.
const ROWS: &str =
    "; if these are rows to load, name them with --input, and a mapping file with --mapping";

/// Whether the first line that says something is one of TOML.
fn looks_like_toml(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_none_or(|line| line.starts_with('[') || line.contains('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_in_place_of_a_job_are_recognised() {
        let failure = Job::parse("k.csv", "id,email\n1,a@example.com\n").unwrap_err();
        insta::assert_snapshot!(failure, @"k.csv is no job file; if these are rows to load, name them with --input, and a mapping file with --mapping");
        let failure = Job::parse("job.toml", "# mine\n[site\n").unwrap_err();
        assert!(
            failure.to_string().contains("TOML parse error"),
            "{failure}"
        );
    }

    #[test]
    fn an_unknown_key_is_shown_where_it_stands() {
        let text = "[site]\ntarget = \"sandbox\"\n\n[limits]\ntask_slot = 3\n";
        let failure = Job::parse("job.toml", text).unwrap_err();
        insta::assert_snapshot!(failure, @r#"
        in the job file job.toml: TOML parse error at line 5, column 1
          |
        5 | task_slot = 3
          | ^^^^^^^^^
        unknown field `task_slot`, expected one of `task_slots`, `requests_per_second`, `platform_limits`, `max_errors`, `route`, `single_in_flight`, `verify`, `max_changes`, `expect_task`, `expect_call`
        did you mean `task_slots`?
        "#);
    }

    #[test]
    fn all_unknown_keys_are_shown_in_one_go() {
        let text = "[site]\ntarget = \"sandbox\"\ncolour = 1\n\n[limits]\ntask_slotz = 3\nrutes = \"bulk\"\n\n\
                    [contract]\nuser_serch = true\n\n[[stage]]\nmaping = \"m.toml\"\ninput = \"a.csv\"\n\n\
                    [[stage]]\nmapping = \"m.toml\"\ninput = \"b.csv\"\ncsv = { delimitr = \";\" }\nformat = 3\n";
        insta::assert_snapshot!(Job::parse("job.toml", text).unwrap_err(), @r#"
        in the job file job.toml: TOML parse error at line 3, column 1
          |
        3 | colour = 1
          | ^^^^^^
        unknown field `colour`, expected one of `target`, `site`, `cloud_id`, `base_url`

        error: in the job file job.toml: TOML parse error at line 6, column 1
          |
        6 | task_slotz = 3
          | ^^^^^^^^^^
        unknown field `task_slotz`, expected one of `task_slots`, `requests_per_second`, `platform_limits`, `max_errors`, `route`, `single_in_flight`, `verify`, `max_changes`, `expect_task`, `expect_call`
        did you mean `task_slots`?

        error: in the job file job.toml: TOML parse error at line 7, column 1
          |
        7 | rutes = "bulk"
          | ^^^^^
        unknown field `rutes`, expected one of `task_slots`, `requests_per_second`, `platform_limits`, `max_errors`, `route`, `single_in_flight`, `verify`, `max_changes`, `expect_task`, `expect_call`

        error: in the job file job.toml: TOML parse error at line 10, column 1
           |
        10 | user_serch = true
           | ^^^^^^^^^^
        unknown field `user_serch`, expected one of `customer_accounts`, `customer_profiles`, `organizations`, `organization_details`, `organization_details_id`, `associate_organizations`, `associate_products`, `product_ids`, `fetch_organization_ids`, `fetch_organization_names`, `fetched_organizations`, `fetch_organization_profile_ids`, `fetched_organization_profiles`, `found_customers`, `entitlement_product`, `entitlement_customer`, `entitlement_organization`, `task_limit`, `organization_ids`, `key_lifetime`, `read_patience`, `user_search`, `organization_list`, `membership`
        did you mean `user_search`?

        error: in the job file job.toml: TOML parse error at line 13, column 1
           |
        13 | maping = "m.toml"
           | ^^^^^^
        unknown field `maping`, expected one of `entity`, `mapping`, `input`, `results`, `with_source`, `duplicates`, `gone`, `format`, `csv`
        did you mean `mapping`?

        error: in the job file job.toml: TOML parse error at line 19, column 9
           |
        19 | csv = { delimitr = ";" }
           |         ^^^^^^^^
        unknown field `delimitr`, expected one of `delimiter`, `encoding`, `columns`, `max_record`
        did you mean `delimiter`?

        error: in the job file job.toml: TOML parse error at line 20, column 10
           |
        20 | format = 3
           |          ^
        invalid type: integer `3`, expected a string
        "#);
    }

    #[test]
    fn a_mapping_in_place_of_a_job_is_recognised() {
        let failure =
            Job::parse("m.toml", "entity = \"product\"\n[fields]\nname = \"n\"\n").unwrap_err();
        assert!(
            failure
                .to_string()
                .ends_with("--mapping, and the rows with --input"),
            "{failure}"
        );
    }

    #[test]
    fn a_job_without_stages_says_what_is_missing() {
        let job = Job::parse("job.toml", "[site]\ntarget = \"sandbox\"\n").unwrap();
        let failure = job.staged("job.toml").unwrap_err();
        insta::assert_snapshot!(failure, @"the job file job.toml has no [[stage]]; add one for each entity to load");
    }
}
