//! The results file of a stage: built from the ledger, row by row, in source order.

use super::context::Context;
use crate::ledger::{LedgerError, StoredRow};
use crate::model::code::ReasonCode;
use crate::model::event::{CodeCount, Progress, RunEvent, Travelled};
use crate::model::failpoint::Step;
use crate::model::outcome::{Counts, Status};
use crate::report::results::{ResultRow, ResultsError, ResultsHeader, ResultsWriter};
use crate::source::{Dataset, RowCells, digest};
use std::borrow::Cow;
use std::collections::HashMap;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// Rows that are handed over at once, and how many times that many may wait.
const STRETCH: usize = 512;
const AHEAD: usize = 2;
/// Codes that a summary shows.
const TOP_CODES: usize = 5;

/// Why results could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The file cannot be written.
    #[error(transparent)]
    Results(#[from] ResultsError),
}

impl PublishError {
    /// Whether the rows were wrong, and not the circumstances.
    #[must_use]
    pub fn is_defect(&self) -> bool {
        matches!(
            self,
            Self::Results(
                ResultsError::OutOfOrder { .. }
                    | ResultsError::RowCount { .. }
                    | ResultsError::SourceCells { .. }
            )
        )
    }
}

/// What was written.
#[derive(Debug)]
pub(super) struct Published {
    /// Rows by status, as the file holds them.
    pub(super) counts: Counts,
    /// How those that were sent travelled.
    pub(super) travelled: Travelled,
    /// The most frequent codes.
    pub(super) top_codes: Vec<CodeCount>,
}

/// Writes the results file of a stage. Blocks.
///
/// # Errors
/// When the ledger cannot be read, the file cannot be written, or the rows are not as many as were read.
pub(super) fn publish(
    context: &Context,
    stage: u32,
    files: &[&str],
    header: &ResultsHeader,
    mut cells: Option<RowCells>,
    path: &Path,
    expected: Option<u64>,
) -> Result<Published, PublishError> {
    let mut writer = ResultsWriter::create(path, header)?;
    let mut tally = Tally::default();
    let mut counts = Counts::default();
    let mut travelled = Travelled::default();
    let mut told = Instant::now();
    let tell = |counts: Counts| {
        let progress = Progress {
            read: counts.total(),
            rows: expected,
            counts,
            ..Progress::default()
        };
        context
            .audience
            .tell(&RunEvent::Progressed { stage, progress });
    };
    each_row(context, stage, |row: StoredRow| {
        let source = files[row.file as usize];
        counts.add(row.status, 1);
        if row.status != Status::Unchanged {
            travelled.add(row.route);
        }
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            tell(counts);
        }
        tally.count(&row, source);
        let cells = cells
            .as_mut()
            .map(|cells| cells.of(row.row))
            .unwrap_or_default();
        writer.write(&result_row(&row, source, &cells))?;
        Ok(())
    })?;
    tell(counts);
    Step::Results.before();
    writer.finish_expecting(expected.unwrap_or(counts.total()))?;
    Step::Results.after();
    Ok(Published {
        counts,
        travelled,
        top_codes: tally.top(),
    })
}

/// Why the rest of a stage's rows is not read.
enum Unread {
    Ledger(LedgerError),
    /// Who writes them has failed.
    Unwanted,
}

impl From<LedgerError> for Unread {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// Calls `each` for every row of a stage, in order. Another thread reads ahead: reading and writing cost about the same.
fn each_row(
    context: &Context,
    stage: u32,
    mut each: impl FnMut(StoredRow) -> Result<(), PublishError>,
) -> Result<(), PublishError> {
    thread::scope(|scope| {
        let (send, stretches) = sync_channel::<Vec<StoredRow>>(AHEAD);
        let reader = scope.spawn(move || {
            let mut stretch = Vec::with_capacity(STRETCH);
            let read = context.ledger.each_row(stage, |row| {
                stretch.push(row);
                if stretch.len() < STRETCH {
                    return Ok(());
                }
                let full = std::mem::replace(&mut stretch, Vec::with_capacity(STRETCH));
                send.send(full).map_err(|_| Unread::Unwanted)
            });
            match read {
                Err(Unread::Ledger(error)) => Err(error),
                Ok(()) | Err(Unread::Unwanted) => {
                    // a writer that is gone says itself why
                    let _ = send.send(stretch);
                    Ok(())
                }
            }
        });
        for row in stretches.into_iter().flatten() {
            each(row)?;
        }
        reader.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok(())
    })
}

/// A row of the ledger as results files show it. A row that no request left for has neither task nor trace.
#[must_use]
pub fn result_row<'a>(
    row: &'a StoredRow,
    source: &'a str,
    cells: &'a [Option<Cow<'a, str>>],
) -> ResultRow<'a> {
    let travelled = row.route.is_some();
    ResultRow {
        row: row.row,
        source,
        line: row.line,
        key: &row.key,
        status: row.status,
        reasons: &row.reasons,
        remote_id: row.remote_id.as_deref(),
        route: row.route,
        batch: row.batch,
        task_id: row.task_id.as_deref().filter(|_| travelled),
        trace_id: row.trace_id.as_deref().filter(|_| travelled),
        attempts: row.attempts,
        finished_at: row.finished_at,
        cells,
    }
}

/// Whether the input is still what was read.
pub(super) fn unchanged(dataset: &Dataset, digests: &[u128]) -> bool {
    dataset
        .files()
        .iter()
        .zip(digests)
        .all(|(file, digest)| digest::file(&file.path).is_ok_and(|now| now == *digest))
}

/// Counts codes, with the first row of each as an example.
#[derive(Debug, Default)]
pub struct Tally {
    codes: HashMap<(ReasonCode, Status), CodeCount>,
}

impl Tally {
    fn count(&mut self, row: &StoredRow, source: &str) {
        self.add(row.status, &row.reasons, source, row.line, row.row);
    }

    /// Counts the reasons of a row.
    pub fn add(
        &mut self,
        status: Status,
        reasons: &[crate::model::row::Reason],
        source: &str,
        line: Option<u64>,
        row: u64,
    ) {
        // what is as it should be needs nobody's eye
        if status == Status::Unchanged {
            return;
        }
        for (index, reason) in reasons.iter().enumerate() {
            // a row counts once, however many of its fields have the same fault
            if reasons[..index]
                .iter()
                .any(|other| other.code == reason.code)
            {
                continue;
            }
            let count = self
                .codes
                .entry((reason.code.clone(), status))
                .or_insert_with(|| CodeCount {
                    code: reason.code.clone(),
                    status,
                    rows: 0,
                    example: match line {
                        Some(line) => format!("{source} line {line}"),
                        None => format!("{source} row {row}"),
                    },
                    message: match &reason.field {
                        Some(field) => format!("{field}: {}", reason.message),
                        None => reason.message.clone(),
                    },
                });
            count.rows += 1;
        }
    }

    /// The most frequent codes, most frequent first.
    #[must_use]
    pub fn top(self) -> Vec<CodeCount> {
        let mut codes: Vec<_> = self.codes.into_values().collect();
        codes.sort_by(|left, right| {
            right
                .rows
                .cmp(&left.rows)
                .then_with(|| left.code.name().cmp(right.code.name()))
        });
        codes.truncate(TOP_CODES);
        codes
    }
}
