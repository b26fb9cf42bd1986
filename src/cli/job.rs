//! The job file as written: site, credentials' source, limits, stages. Unknown keys are errors with a caret.

use super::contract::{ContractTable, Span};
use super::exit::{Exit, Failure};
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
        let job: Self = toml::from_str(text).map_err(|error| {
            let keys: toml::Table = toml::from_str(text).unwrap_or_default();
            let hint = if keys.contains_key("fields") {
                "this looks like a mapping file: name it with --mapping, and the rows with --input"
                    .to_owned()
            } else if !looks_like_toml(text) {
                let what = format!("{name} is no job file{ROWS}");
                return Failure::new(Exit::Input, what);
            } else {
                meant(error.message()).unwrap_or_default()
            };
            Failure::new(
                Exit::Input,
                format!("in the job file {name}: {error}{hint}"),
            )
        })?;
        Ok(job)
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

/// The known key that an unknown one was meant to be, told by the parser's words.
fn meant(message: &str) -> Option<String> {
    let mut quoted = message
        .strip_prefix("unknown field ")?
        .split('`')
        .skip(1)
        .step_by(2);
    let typed = quoted.next()?;
    let near = quoted.map(|known| (strsim::damerau_levenshtein(typed, known), known));
    let (distance, known) = near.min_by_key(|(distance, _)| *distance)?;
    let allowed = (typed.chars().count() / 3).clamp(1, 3);
    (distance <= allowed).then(|| format!("did you mean `{known}`?"))
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
    fn a_key_that_is_like_no_other_gets_no_suggestion() {
        assert_eq!(
            meant("unknown field `colour`, expected one of `dir`, `keep_runs`"),
            None
        );
        assert_eq!(meant("missing field `mapping`"), None);
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
