//! What a person wrote, made into a policy: a preset or a file, and single knobs set otherwise.

use super::knobs::{GROUPS, Policy, Preset};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The key in a policy file that names the preset it starts from.
const PRESET: &str = "preset";

/// Which policy is wanted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PolicyChoice {
    /// The name of a preset, or a file; without one, `documented`.
    pub policy: Option<String>,
    /// The folder that the file's path starts from.
    pub base: PathBuf,
    /// Knobs to set otherwise, in order; later ones win.
    pub set: Vec<(String, Value)>,
}

/// Why there is no such policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Neither a preset nor a file.
    #[error("no policy is called {name:?}: name one of {presets}, or a file that ends in .toml", presets = presets())]
    Unknown {
        /// What was named.
        name: String,
    },
    /// The file cannot be read.
    #[error("failed to read the policy {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("in the policy {}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// There is no such knob.
    #[error("{place}: no knob is called {name:?}; there are {known}", known = known())]
    Knob {
        /// Where it stands.
        place: String,
        /// What was written.
        name: String,
    },
    /// A knob cannot have this value.
    #[error("{place}: {name} cannot be {value}: {message}")]
    Value {
        /// Where it stands.
        place: String,
        /// The knob.
        name: String,
        /// What was written.
        value: String,
        /// Why not.
        message: String,
    },
    /// What was to be set has no value.
    #[error("--set {0} says no value; write it as --set KEY=VALUE")]
    NoValue(String),
    /// The shares of faulty requests, or of failed tasks, add up to more than there are.
    #[error("{place}: the shares of {of} add up to {total}, and there is 1 to share out")]
    TooManyFaults {
        /// Where they stand.
        place: String,
        /// What is shared out.
        of: &'static str,
        /// Their sum.
        total: String,
    },
}

fn presets() -> String {
    Preset::ALL.map(Preset::name).join(", ")
}

fn known() -> String {
    let knobs = GROUPS.iter().flat_map(|(_, knobs)| *knobs);
    let names: Vec<_> = knobs.map(|knob| knob.name).collect();
    names.join(", ")
}

impl PolicyChoice {
    /// Adds a knob as written after `--set`: `KEY=VALUE`. What is not a TOML value counts as text.
    ///
    /// # Errors
    /// Without a value.
    pub fn set_text(&mut self, text: &str) -> Result<(), PolicyError> {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| PolicyError::NoValue(text.to_owned()))?;
        let (key, value) = (key.trim(), value.trim());
        let read = format!("value = {value}").parse::<Table>();
        let read = read.ok().and_then(|mut table| table.remove("value"));
        let value = read.unwrap_or_else(|| value.into());
        self.set.push((key.to_owned(), value));
        Ok(())
    }

    /// Sets a knob to a number, where there is one.
    pub fn set_number(&mut self, key: &str, number: Option<u32>) {
        let value = number.map(|number| Value::Integer(number.into()));
        self.set.extend(value.map(|value| (key.to_owned(), value)));
    }

    /// The policy.
    ///
    /// # Errors
    /// When there is none of that name, its file is wrong, or a knob is.
    pub fn resolve(&self) -> Result<Policy, PolicyError> {
        let name = self.policy.as_deref().unwrap_or(Preset::Documented.name());
        let mut policy = match preset(name) {
            Some(preset) => preset.policy(),
            None if has_ending(name) => read(&self.base.join(name))?,
            None => {
                let name = name.to_owned();
                return Err(PolicyError::Unknown { name });
            }
        };
        let place = "the sandbox's policy";
        for (key, value) in &self.set {
            policy = turn(place, policy, key, value)?;
        }
        check(place, &policy)?;
        Ok(policy)
    }
}

fn has_ending(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("toml"))
}

fn preset(name: &str) -> Option<Preset> {
    Preset::ALL.into_iter().find(|preset| preset.name() == name)
}

fn read(path: &Path) -> Result<Policy, PolicyError> {
    let text = std::fs::read_to_string(path).map_err(|source| PolicyError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut table = text.parse::<Table>().map_err(|error| PolicyError::Syntax {
        path: path.to_owned(),
        message: error.to_string(),
    })?;
    let place = path.display().to_string();
    let mut policy = match table.remove(PRESET) {
        None => Policy::default(),
        Some(Value::String(name)) => {
            let found = preset(&name);
            found.ok_or(PolicyError::Unknown { name })?.policy()
        }
        Some(other) => return Err(wrong(&place, PRESET, &other, "it names a preset".into())),
    };
    for (key, value) in &table {
        policy = turn(&place, policy, key, value)?;
    }
    Ok(policy)
}

/// Sets one knob. Goes through the policy's TOML form, so that a value means the same wherever it stands.
fn turn(place: &str, policy: Policy, key: &str, value: &Value) -> Result<Policy, PolicyError> {
    let mut knobs = GROUPS.iter().flat_map(|(_, knobs)| *knobs);
    if !knobs.any(|knob| knob.name == key) {
        return Err(PolicyError::Knob {
            place: place.to_owned(),
            name: key.to_owned(),
        });
    }
    if value.as_integer().is_some_and(|number| number < 0) {
        return Err(wrong(place, key, value, "it is below 0".into()));
    }
    let table = Table::try_from(policy);
    let turned = table
        .map_err(|error| error.to_string())
        .and_then(|mut table| {
            table.insert(key.to_owned(), value.clone());
            let policy = table.try_into::<Policy>();
            policy.map_err(|error| error.message().to_owned())
        });
    let policy = turned.map_err(|message| wrong(place, key, value, message))?;
    let (known, choices): (&[u16], _) = match key {
        "submit_status" => (&[200, 202], "it is 200 or 202"),
        "key_conflict_status" => (&[400, 409, 422], "it is 400, 409 or 422"),
        _ => (&[], ""),
    };
    let number = value.as_integer().and_then(|n| u16::try_from(n).ok());
    if !known.is_empty() && !number.is_some_and(|number| known.contains(&number)) {
        return Err(wrong(place, key, value, choices.into()));
    }
    if ["time_scale", "max_tasks", "workers"].contains(&key) && number == Some(0) {
        return Err(wrong(place, key, value, "it is at least 1".into()));
    }
    Ok(policy)
}

fn wrong(place: &str, name: &str, value: &Value, message: String) -> PolicyError {
    PolicyError::Value {
        place: place.to_owned(),
        name: name.to_owned(),
        value: value.to_string(),
        message,
    }
}

/// A request has one fault at most, and a task one end, so their shares must leave room for each other.
fn check(place: &str, policy: &Policy) -> Result<(), PolicyError> {
    let requests: f64 = policy
        .request_faults()
        .map(|(_, share)| f64::from(share))
        .sum();
    let tasks = [
        policy.failed_applied,
        policy.failed_partly,
        policy.failed_nothing,
    ];
    let tasks: f64 = tasks.map(f64::from).iter().sum();
    // sums of decimals may come out a little above
    for (of, total) in [
        ("requests with a fault", requests),
        ("tasks that end FAILED", tasks),
    ] {
        if total > 1.000_001 {
            return Err(PolicyError::TooManyFaults {
                place: place.to_owned(),
                of,
                total: format!("{total:.3}"),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::policy::{Share, TimedOut};
    use insta::assert_snapshot;

    fn choice(policy: Option<&str>, base: &Path, set: &[&str]) -> PolicyChoice {
        let mut choice = PolicyChoice {
            policy: policy.map(str::to_owned),
            base: base.to_owned(),
            set: Vec::new(),
        };
        for text in set {
            choice.set_text(text).unwrap();
        }
        choice
    }

    fn named(policy: &str, set: &[&str]) -> Result<Policy, PolicyError> {
        choice(Some(policy), Path::new(""), set).resolve()
    }

    #[test]
    fn a_preset_is_taken_as_it_is_but_for_what_is_set() {
        assert_eq!(
            PolicyChoice::default().resolve().unwrap(),
            Policy::default()
        );
        for preset in Preset::ALL {
            assert_eq!(named(preset.name(), &[]).unwrap(), preset.policy());
        }
        let set = [
            "poison=1",
            "workers = 2",
            "workers = 3",
            "timed_out=failed-stops",
            "poison_words=No, thanks",
            "authorization = \"Basic x\"",
            "shuffle_items=true",
        ];
        let expected = Policy {
            poison: Share::ALL,
            workers: 3,
            timed_out: TimedOut::FailedStops,
            poison_words: "No, thanks".to_owned(),
            authorization: Some("Basic x".to_owned()),
            shuffle_items: true,
            ..Preset::Hostile.policy()
        };
        assert_eq!(named("hostile", &set).unwrap(), expected);
    }

    #[test]
    fn a_file_holds_knobs_over_a_preset_and_starts_from_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("slow.toml");
        std::fs::write(
            &file,
            "preset = \"live-2026\"\nmax_tasks = 10\npoison = 0.5\n",
        )
        .unwrap();
        let policy = choice(Some("slow.toml"), folder.path(), &["workers=2"]);
        let expected = Policy {
            max_tasks: 10,
            poison: Share::per_mille(500),
            workers: 2,
            ..Preset::Live2026.policy()
        };
        assert_eq!(policy.resolve().unwrap(), expected);
        let wrong = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let error = policy.resolve().unwrap_err().to_string();
            error.replace(&*folder.path().to_string_lossy(), "FOLDER")
        };
        assert_snapshot!(wrong("preset = \"nice\""), @r#"no policy is called "nice": name one of documented, live-2026, hostile, or a file that ends in .toml"#);
        assert_snapshot!(wrong("preset = 1"), @"FOLDER/slow.toml: preset cannot be 1: it names a preset");
        assert_snapshot!(wrong("workers = [1]"), @"FOLDER/slow.toml: workers cannot be [1]: invalid type: sequence, expected usize");
        assert_snapshot!(wrong("workers"), @"
        in the policy FOLDER/slow.toml: TOML parse error at line 1, column 8
          |
        1 | workers
          |        ^
        key with no value, expected `=`
        ");
        std::fs::remove_file(&file).unwrap();
        let gone = policy.resolve().unwrap_err().to_string();
        assert_snapshot!(gone.replace(&*folder.path().to_string_lossy(), "FOLDER"), @"failed to read the policy FOLDER/slow.toml");
    }

    #[test]
    fn what_cannot_be_is_said_with_what_can() {
        let wrong = |policy: &str, set: &str| named(policy, &[set]).unwrap_err().to_string();
        assert_snapshot!(wrong("nice", "poison=0"), @r#"no policy is called "nice": name one of documented, live-2026, hostile, or a file that ends in .toml"#);
        assert_snapshot!(wrong("hostile", "poisson=0.5"), @r#"the sandbox's policy: no knob is called "poisson"; there are random_seed, time_scale, max_tasks, workers, item_micros, task_micros, task_timeout_ms, timed_out, result_ttl_ms, task_order, shuffle_items, submit_status, key_conflict_status, failed_applied, failed_partly, failed_nothing, failed_shows, finished_shows, failure_names, vanished_tasks, vanish_after_ms, poison, poison_words, one_bad_item, ignored_associations, associations_there, values_there, read_lag_ms, user_search_lag_ms, single_call_ms, bulk_call_ms, requests_per_second, burst_429, burst_window_ms, quota_429, quota_window_ms, throttle_style, json_500, html_502, unavailable_503, applied_504, html_400, login_page, precondition_412, key_conflicts, vanished_polls, dropped_before, dropped_after, truncated_json, slow_answers, slow_answer_ms, slow_bodies, slow_body_ms, require_experimental, authorization"#);
        assert_snapshot!(wrong("hostile", "poison=1.5"), @"the sandbox's policy: poison cannot be 1.5: a share lies between 0 and 1");
        assert_snapshot!(wrong("hostile", "poison=much"), @r#"the sandbox's policy: poison cannot be "much": invalid type: string "much", expected f64"#);
        assert_snapshot!(wrong("hostile", "timed_out=never"), @r#"the sandbox's policy: timed_out cannot be "never": unknown variant `never`, expected one of `goes-on`, `failed-goes-on`, `failed-stops`"#);
        assert_snapshot!(wrong("hostile", "item_micros=-1"), @"the sandbox's policy: item_micros cannot be -1: it is below 0");
        assert_snapshot!(wrong("hostile", "workers=0"), @"the sandbox's policy: workers cannot be 0: it is at least 1");
        assert_snapshot!(wrong("hostile", "submit_status=201"), @"the sandbox's policy: submit_status cannot be 201: it is 200 or 202");
        assert_snapshot!(wrong("hostile", "key_conflict_status=500"), @"the sandbox's policy: key_conflict_status cannot be 500: it is 400, 409 or 422");
        assert_snapshot!(wrong("hostile", "json_500=0.99"), @"the sandbox's policy: the shares of requests with a fault add up to 1.134, and there is 1 to share out");
        assert_snapshot!(wrong("hostile", "failed_applied=0.99"), @"the sandbox's policy: the shares of tasks that end FAILED add up to 1.060, and there is 1 to share out");
        let error = PolicyChoice::default().set_text("poison").unwrap_err();
        assert_snapshot!(error, @"--set poison says no value; write it as --set KEY=VALUE");
    }
}
