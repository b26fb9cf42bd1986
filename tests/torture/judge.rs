//! What must hold when a job has ended, however often it was killed.

use super::site::{Field, STAGES};
use crate::support::sandbox;
use crate::support::table::Table;
use csm_loader::api::fold;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The columns in which a run that was killed may differ from one that was not.
const MAY_DIFFER: [&str; 6] = [
    "run",
    "batch",
    "task_id",
    "trace_id",
    "attempts",
    "finished_at",
];

/// The results of all stages without what may differ.
pub(crate) fn results(field: &Field) -> Vec<Table> {
    let tables = STAGES.iter().map(|stage| {
        let table = field.place.results(stage.results);
        let kept = table.columns.iter().map(String::as_str);
        let kept: Vec<_> = kept.filter(|name| !MAY_DIFFER.contains(name)).collect();
        table.select(&kept)
    });
    tables.collect()
}

/// How two results of one job differ, row by row.
pub(crate) fn differences(found: &[Table], expected: &[Table]) -> String {
    let mut text = String::new();
    for ((found, expected), stage) in found.iter().zip(expected).zip(&STAGES) {
        assert_eq!(found.columns, expected.columns);
        if found.rows.len() != expected.rows.len() {
            let _ = writeln!(text, "{}: {} rows", stage.results, found.rows.len());
        }
        for (found, expected) in found.rows.iter().zip(&expected.rows) {
            if found != expected {
                let (found, expected) = (found.join(" | "), expected.join(" | "));
                let _ = writeln!(
                    text,
                    "{}:\n  {found}\n  undisturbed: {expected}",
                    stage.results
                );
            }
        }
    }
    text
}

/// What the results say of a key, by entity and key as keys are compared.
type Said = BTreeMap<(&'static str, String), BTreeSet<String>>;

fn said(field: &Field) -> Said {
    let mut said = Said::new();
    for stage in &STAGES {
        let table = field.place.results(stage.results);
        table.expect_rows(stage.rows);
        for (key, status) in table.column("key").into_iter().zip(table.column("status")) {
            let key = match stage.entity {
                "customer" => fold::email(key).into_owned(),
                _ => fold::name(key).into_owned(),
            };
            let statuses: &mut BTreeSet<String> = said.entry((stage.entity, key)).or_default();
            statuses.insert(status.to_owned());
        }
    }
    said
}

/// The stage that writes what the audit calls so.
fn stage_of(write: &sandbox::Write) -> Option<&'static str> {
    let entities = STAGES.iter().map(|stage| stage.entity);
    let of_field = write
        .entity
        .ends_with("-detail-field")
        .then_some("detail-field");
    of_field.or_else(|| entities.into_iter().find(|entity| *entity == write.entity))
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// What may not be, as sentences.
    pub(crate) faults: Vec<String>,
    /// Records that single calls created twice: asked for in between, they were not shown.
    pub(crate) created_twice: usize,
}

/// Holds the results to the site's audit. `rows_of_a_key`: several rows of one key are sent, each by itself.
pub(crate) fn judge(field: &Field, rows_of_a_key: bool) -> Verdict {
    let said = said(field);
    let audit = field.site.audit();
    let mut verdict = Verdict::default();
    let mut written = BTreeSet::new();
    let mut requests: BTreeMap<(&str, &str), Vec<&Option<String>>> = BTreeMap::new();
    for write in &audit {
        if let Some(entity) = stage_of(write) {
            let key = match entity {
                "detail-field" => fold::name(&write.key).into_owned(),
                _ => write.key.clone(),
            };
            written.insert((entity, key));
        }
        let of_key = requests.entry((&write.entity, &write.key)).or_default();
        if write.operation == "create" || write.request.is_some() {
            of_key.push(&write.request);
        }
    }
    for ((entity, key), statuses) in &said {
        let any = |of: &[&str]| statuses.iter().any(|status| of.contains(&status.as_str()));
        let written = written.contains(&(*entity, key.clone()));
        if any(&["loaded"]) && !written {
            verdict.faults.push(format!(
                "{entity} {key} is loaded, and the site has not written it"
            ));
        }
        if written && !any(&["loaded", "unconfirmed"]) && any(&["failed", "rejected", "not_sent"]) {
            verdict.faults.push(format!(
                "{entity} {key} is {statuses:?}, and the site has written it"
            ));
        }
    }
    for ((entity, key), requests) in requests {
        let single = requests.iter().filter(|request| request.is_none()).count();
        let mut keys: Vec<_> = requests
            .iter()
            .filter_map(|request| request.as_ref())
            .collect();
        let times = keys.len();
        keys.sort_unstable();
        keys.dedup();
        verdict.created_twice += single.saturating_sub(1);
        if !rows_of_a_key && (keys.len() > 1 || times > keys.len()) {
            verdict.faults.push(format!(
                "{entity} {key} was written {times} times, under {} keys",
                keys.len()
            ));
        }
    }
    verdict
}
