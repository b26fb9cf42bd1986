//! What must hold when a job has ended, however often it was killed.

use super::content::{Content, contents};
use super::site::{Field, STAGES};
use crate::support::sandbox;
use crate::support::table::Table;
use csm_loader::api::fold;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The columns in which a run that was killed may differ from one that was not. Which id a site gives depends on the
/// order in which requests come, and for which rows it is known on which are read back as a sample: [`judge`] holds those
/// that are told to the site.
const MAY_DIFFER: [&str; 7] = [
    "run",
    "remote_id",
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

/// What the results say of a row.
#[derive(Debug)]
struct Row {
    number: usize,
    status: String,
    /// Its codes and messages.
    why: String,
    /// The id that the site gave its record, where it is known.
    id: String,
}

impl Row {
    fn is(&self, statuses: &[&str]) -> bool {
        statuses.contains(&self.status.as_str())
    }

    /// It was sent, and the site is said to hold a part of it.
    fn tells_a_part(&self) -> bool {
        ["PARTLY_APPLIED", "ASSOCIATION_MISSING"]
            .iter()
            .any(|code| self.why.contains(code))
    }
}

/// The rows of a key, by entity and key as keys are compared.
type Said = BTreeMap<(&'static str, String), Vec<Row>>;

fn said(field: &Field) -> Said {
    let mut said = Said::new();
    for stage in field.stages {
        let table = field.place.results(stage.results);
        table.expect_rows(stage.rows);
        let columns =
            ["key", "status", "code", "message", "remote_id"].map(|name| table.column(name));
        for number in 1..=stage.rows {
            let [key, status, code, message, id] =
                columns.each_ref().map(|column| column[number - 1]);
            let key = match stage.entity {
                "customer" => fold::email(key).into_owned(),
                _ => fold::name(key).into_owned(),
            };
            let rows: &mut Vec<Row> = said.entry((stage.entity, key)).or_default();
            rows.push(Row {
                number,
                status: status.to_owned(),
                why: format!("{code}: {message}"),
                id: id.to_owned(),
            });
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
    /// Writes of rows that were written before by another request: read in between, they were not shown.
    pub(crate) again: usize,
}

/// Holds the results to the site's audit and to its records.
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
    for ((entity, key), rows) in &said {
        let any = |of: &[&str]| rows.iter().any(|row| row.is(of));
        let told = rows.iter().any(Row::tells_a_part);
        let written = written.contains(&(*entity, key.clone()));
        if any(&["unconfirmed"]) {
            verdict
                .faults
                .push(format!("{entity} {key} could be told: {rows:?}"));
        }
        if any(&["loaded"]) && !written {
            verdict.faults.push(format!(
                "{entity} {key} is loaded, and the site has not written it"
            ));
        }
        if written && !any(&["loaded"]) && !told && any(&["failed", "rejected", "not_sent"]) {
            verdict.faults.push(format!(
                "{entity} {key} is {rows:?}, and the site has written it"
            ));
        }
    }
    verdict.faults.extend(untrue(field, &said));
    for ((entity, key), requests) in requests {
        let single = requests.iter().filter(|request| request.is_none()).count();
        let mut keys: Vec<_> = requests
            .iter()
            .filter_map(|request| request.as_ref())
            .collect();
        let times = keys.len();
        keys.sort_unstable();
        keys.dedup();
        if keys.len() < times {
            verdict.faults.push(format!(
                "{entity} {key} was written {times} times under {} keys",
                keys.len()
            ));
        }
        // each row that was sent is one write
        let sent = |row: &&Row| row.is(&["loaded", "failed"]);
        let rows = said
            .iter()
            .find(|((of, name), _)| *of == entity && name == key);
        let rows = rows.map_or(1, |(_, rows)| rows.iter().filter(sent).count());
        verdict.again += (single + keys.len()).saturating_sub(rows.max(1));
    }
    verdict
}

/// Rows that are loaded and that the site does not hold, and the other way about, as sentences.
fn untrue(field: &Field, said: &Said) -> Vec<String> {
    let mut faults = Vec::new();
    for (entity, kind) in [("organization", "organizations"), ("customer", "customers")] {
        let contents = contents(field, entity);
        let held = field.site.records(kind);
        for ((_, key), rows) in said.iter().filter(|((of, _), _)| *of == entity) {
            let record = held.get(key);
            let holds = |row: &Row| {
                let content = |row: &Row| &contents[row.number - 1];
                let later = rows.iter().filter(|later| later.number > row.number);
                let parts: Vec<&Content> = later
                    .filter(|row| row.tells_a_part())
                    .map(content)
                    .collect();
                record.is_some_and(|record| content(row).is_held(record, &parts))
            };
            let id = record.and_then(|record| {
                record
                    .get(if entity == "customer" {
                        "customerId"
                    } else {
                        "id"
                    })?
                    .as_str()
            });
            let strange = |row: &&Row| !row.id.is_empty() && Some(row.id.as_str()) != id;
            for row in rows.iter().filter(strange) {
                faults.push(format!(
                    "{entity} {key}: {row:?} has an id that is not that of {record:?}"
                ));
            }
            // of several rows of a key the last that was loaded is what is there, but for what later ones are told to have
            // written in part
            if let Some(last) = rows.iter().rfind(|row| row.is(&["loaded"])) {
                if !holds(last) {
                    faults.push(format!(
                        "{entity} {key}: {last:?} of {rows:?}, and the site holds {record:?}"
                    ));
                }
                continue;
            }
            for row in rows.iter().filter(|row| row.is(&["failed"])) {
                if holds(row) {
                    faults.push(format!("{entity} {key}: {row:?}, and the site holds it"));
                }
            }
        }
    }
    faults
}
