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
    let tables = field.stages.iter().map(|stage| {
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
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.columns, expected.columns);
        if found.rows.len() != expected.rows.len() {
            let _ = writeln!(
                text,
                "{} rows, undisturbed {}",
                found.rows.len(),
                expected.rows.len()
            );
        }
        for (found, expected) in found.rows.iter().zip(&expected.rows) {
            if found != expected {
                let (found, expected) = (found.join(" | "), expected.join(" | "));
                let _ = writeln!(text, "  {found}\n  undisturbed: {expected}");
            }
        }
    }
    text
}

/// The statuses of the rows of a key, by entity and key as keys are compared.
type Said = BTreeMap<(&'static str, String), Vec<String>>;

fn said(field: &Field) -> Said {
    let mut said = Said::new();
    for stage in field.stages {
        let table = field.place.results(stage.results);
        table.expect_rows(stage.rows);
        for (key, status) in table.column("key").into_iter().zip(table.column("status")) {
            let key = match stage.entity {
                "customer" => fold::email(key).into_owned(),
                _ => fold::name(key).into_owned(),
            };
            let statuses: &mut Vec<String> = said.entry((stage.entity, key)).or_default();
            statuses.push(status.to_owned());
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

/// Holds the results to the site's audit.
pub(crate) fn judge(field: &Field) -> Verdict {
    let said = said(field);
    let audit = field.audit();
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
        // each row that was sent is one write under one key
        let sent =
            |status: &&String| matches!(status.as_str(), "loaded" | "unconfirmed" | "failed");
        let rows = said
            .iter()
            .find(|((of, name), _)| *of == entity && name == key);
        let rows = rows.map_or(1, |(_, statuses)| statuses.iter().filter(sent).count());
        if keys.len() > rows || times > rows {
            verdict.faults.push(format!(
                "{entity} {key} was written {times} times under {} keys, for {rows} rows",
                keys.len()
            ));
        }
    }
    verdict
}
