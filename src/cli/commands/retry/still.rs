//! Which of the rows would be rejected again: found by reading them once, before the site hears of any.

use super::ready::Ready;
use crate::cli::args::RetryArgs;
use crate::cli::exit::{Exit, Failure};
use crate::engine::context::Audience;
use crate::engine::stop::Stop;
use crate::engine::survey::{Surveyor, Unasked};
use crate::mapping::Plan;
use crate::model::row::RejectedRow;
use crate::report::figures;
use crate::report::progress::Reporters;
use crate::report::results::SOURCE_PREFIX;
use crate::retry::{Origin, places};
use crate::source::At;
use std::collections::BTreeMap;
use std::path::Path;

/// Rows that are named; of the others there is a count.
const SHOWN: usize = 20;

/// One sentence for all that still fail and one for each of the first: where it stands, in which columns, and why. Nothing when
/// all are sound. What only the site can tell is not looked at.
///
/// # Errors
/// When the rows cannot be read.
pub(super) fn sentences(
    ready: &Ready,
    args: &RetryArgs,
    spool: &Path,
) -> Result<Vec<String>, Failure> {
    let surveyor = Surveyor {
        stage: 0,
        dataset: &ready.job.dataset,
        plan: &ready.job.plan,
        spool,
        all_keys: false,
        contents: false,
        audience: &Audience::new(Box::new(Reporters::default())),
        stop: &Stop::default(),
    };
    let mut first: Vec<RejectedRow> = Vec::new();
    let surveyed = surveyor.run(&mut Unasked, |rows| {
        first.extend(rows.iter().take(SHOWN - first.len()));
        Ok(())
    });
    let survey = surveyed.map_err(|error| Failure::of(Exit::Input, &error))?;
    if survey.rejected == 0 {
        return Ok(Vec::new());
    }
    let rows: Vec<_> = first.iter().map(|rejected| rejected.row.id).collect();
    let places = match ready.origin {
        Origin::Source => BTreeMap::new(),
        Origin::ResultsFile => places(&args.file, args.csv_encoding.as_deref(), &rows)
            .map_err(|error| Failure::of(Exit::Input, &error))?,
    };
    let mut said = vec![format!(
        "{} of these will be rejected; the others are sent:",
        figures::counted(survey.rejected, "row")
    )];
    let file = args.file.display().to_string();
    for rejected in &first {
        let (place, prefix) = match places.get(&rejected.row.id) {
            Some(at) => (format!("{file}, {at}"), SOURCE_PREFIX),
            None => (in_source(ready, rejected), ""),
        };
        said.extend(reasons(&ready.job.plan, &place, prefix, rejected));
    }
    let more = survey.rejected - first.len() as u64;
    if more > 0 {
        said.push(format!("and {} more", figures::counted(more, "row")));
    }
    Ok(said)
}

fn in_source(ready: &Ready, rejected: &RejectedRow) -> String {
    let row = &rejected.row;
    let files = ready.job.dataset.files();
    let name = files.get(row.file.0 as usize).map_or("", |file| &file.name);
    let at = row.line.map_or(At::Record(row.id.0), At::Line);
    format!("{name}, {at}")
}

/// `out.csv, line 4, column src.email: email: not an e-mail address (EMAIL_INVALID)`
fn reasons(plan: &Plan, place: &str, prefix: &str, rejected: &RejectedRow) -> Vec<String> {
    let reasons = rejected.reasons.iter().map(|reason| {
        let (field, code) = (reason.field.as_deref(), reason.code.name());
        let columns = field.map_or(&[][..], |field| plan.columns_of(field));
        let names: Vec<_> = columns
            .iter()
            .map(|name| format!("{prefix}{name}"))
            .collect();
        let columns = match names.as_slice() {
            [] => String::new(),
            [name] => format!(", column {name}"),
            names => format!(", columns {}", names.join(", ")),
        };
        let field = field.map_or(String::new(), |field| format!("{field}: "));
        format!("{place}{columns}: {field}{} ({code})", reason.message)
    });
    reasons.collect()
}
