//! The first reading of a results file: which run and stage it is of, which rows are loaded again, and all that is wrong.

use super::error::{Fault, Faults, RetryError};
use super::file::{Entry, ResultsFile, row_number};
use super::ledgered::{KnownRun, KnownStage, Ledgered};
use super::select::{Choice, Filter};
use super::stage::{RESTORE, misfit, stage_of};
use super::told::Told;
use crate::model::row::RowId;
use crate::source::{At, RowSet};
use std::collections::HashMap;

/// What the file holds.
#[derive(Debug)]
pub(super) struct Scan {
    /// The run.
    pub(super) run: String,
    /// The stage of the run.
    pub(super) stage: KnownStage,
    /// The rows that are loaded again.
    pub(super) rows: RowSet,
    /// Whether they stand in the order of their numbers.
    pub(super) ascending: bool,
    /// Whether a row has one of the codes that are asked for.
    pub(super) coded: bool,
    /// What is told about all rows.
    pub(super) told: Told,
}

/// Reads the file once.
///
/// # Errors
/// When it cannot be read, some row cannot be told or is unknown, or the run cannot be retried.
pub(super) fn scan(
    file: &ResultsFile,
    ledger: &mut impl Ledgered,
    filter: &Filter,
) -> Result<Scan, RetryError> {
    let mut scanner = Scanner {
        ledger,
        filter,
        known: None,
        seen: RowSet::default(),
        last: None,
        repeated: Vec::new(),
        rows: RowSet::default(),
        ascending: true,
        coded: false,
        told: Told::default(),
        faults: Faults::new(file.name()),
    };
    file.each(|seen| match seen {
        Ok(entry) => scanner.take(&entry),
        Err((at, what)) => {
            scanner.fault(
                at,
                None,
                format!("{what}; restore the record, or take it out"),
            );
            Ok(())
        }
    })?;
    let Scanner {
        known,
        repeated,
        rows,
        ascending,
        coded,
        told,
        mut faults,
        ..
    } = scanner;
    for fault in name_firsts(file, &repeated)? {
        faults.add(fault);
    }
    faults.check()?;
    let Some((run, stage)) = known else {
        return Err(RetryError::NoRows {
            file: file.name().to_owned(),
        });
    };
    Ok(Scan {
        run: run.id,
        stage,
        rows,
        ascending,
        coded,
        told,
    })
}

struct Scanner<'a, L> {
    ledger: &'a mut L,
    filter: &'a Filter,
    /// The run and the stage of the first row, which all others must be of.
    known: Option<(KnownRun, KnownStage)>,
    seen: RowSet,
    last: Option<RowId>,
    /// Rows that came before, and where they come again.
    repeated: Vec<(RowId, At)>,
    rows: RowSet,
    ascending: bool,
    coded: bool,
    told: Told,
    faults: Faults,
}

impl<L: Ledgered> Scanner<'_, L> {
    fn fault(&mut self, at: At, column: Option<&'static str>, what: impl Into<String>) {
        let what = what.into();
        self.faults.add(Fault { at, column, what });
    }

    fn take(&mut self, entry: &Entry<'_>) -> Result<(), RetryError> {
        let at = entry.at;
        let (run, row) = match (entry.run(), entry.row()) {
            (Some(run), Some(row)) => (run, row),
            (None, None) => {
                let what = "this row has neither run nor row; load new rows with csm-loader load";
                self.fault(at, None, what);
                return Ok(());
            }
            (None, Some(_)) => {
                self.fault(at, Some("run"), EMPTY);
                return Ok(());
            }
            (Some(_), None) => {
                self.fault(at, Some("row"), EMPTY);
                return Ok(());
            }
        };
        if !self.is_of_this_stage(entry, run)? {
            return Ok(());
        }
        let Some(row) = row_number(row).map(RowId) else {
            let cell = shown(row).unwrap_or_else(|| "this".to_owned());
            let what = format!("{cell} is not a row number; {RESTORE}");
            self.fault(at, Some("row"), what);
            return Ok(());
        };
        if !self.seen.insert(row) {
            // where it came first is looked up for as many as can be shown
            if self.repeated.len() >= self.faults.room() {
                self.faults.count();
            } else {
                self.repeated.push((row, at));
            }
            return Ok(());
        }
        let Some((run, stage)) = &self.known else {
            return Ok(());
        };
        let known = self
            .ledger
            .row(&run.id, stage.stage, row)
            .map_err(RetryError::Ledger)?;
        let Some(known) = known else {
            let what = format!(
                "run {} has no row {} of this kind; {RESTORE}",
                run.id, row.0
            );
            self.fault(at, Some("row"), what);
            return Ok(());
        };
        self.coded |= self.filter.has_code(&known);
        match self.filter.choose(&known, entry.status()) {
            Choice::Again => {
                self.told.again.add(known.status, 1);
                self.rows.insert(row);
                self.ascending &= self.last.is_none_or(|last| last < row);
                self.last = Some(row);
            }
            Choice::Refused => self.told.refused.add(at),
            Choice::Left => self.told.left.add(known.status, 1),
        }
        Ok(())
    }

    /// Whether the row is of the run and stage of the first one; says so where it is not.
    fn is_of_this_stage(&mut self, entry: &Entry<'_>, run: &str) -> Result<bool, RetryError> {
        if self.known.is_none() {
            return self.begin(entry, run);
        }
        let wrong = self
            .known
            .as_ref()
            .and_then(|(known, stage)| misfit(known, stage, run, entry.entity(), entry.source()));
        Ok(match wrong {
            None => true,
            Some((column, what)) => {
                self.fault(entry.at, Some(column), what);
                false
            }
        })
    }

    /// Takes the run and the stage of the first row; `false` when the stage cannot be told.
    fn begin(&mut self, entry: &Entry<'_>, run: &str) -> Result<bool, RetryError> {
        let Some(known) = self.ledger.run(run).map_err(RetryError::Ledger)? else {
            let name = shown(run).unwrap_or_else(|| "of this name".to_owned());
            let what = format!(
                "the ledger has no run {name}; name the state folder of that run with --state-dir"
            );
            self.fault(entry.at, Some("run"), what);
            // without a run nothing can be said about the other rows
            let faults = std::mem::replace(&mut self.faults, Faults::new(""));
            return Ok(faults.check().map(|()| false)?);
        };
        if let Some(run) = known.unfinished {
            return Err(RetryError::NotFinished { run });
        }
        match stage_of(&known, entry.entity(), entry.source()) {
            Ok(stage) => {
                let stage = stage.clone();
                self.known = Some((known, stage));
                Ok(true)
            }
            Err((column, what)) => {
                self.fault(entry.at, Some(column), what);
                Ok(false)
            }
        }
    }
}

const EMPTY: &str = "the cell is empty; restore it as it was in the results file";

/// The faults of repeated rows, with the place where each came first, which takes another reading.
fn name_firsts(file: &ResultsFile, repeated: &[(RowId, At)]) -> Result<Vec<Fault>, RetryError> {
    if repeated.is_empty() {
        return Ok(Vec::new());
    }
    let mut firsts: HashMap<RowId, Option<At>> =
        repeated.iter().map(|(row, _)| (*row, None)).collect();
    file.each(|seen| {
        if let Ok(entry) = seen
            && let Some(row) = entry.row().and_then(row_number)
            && let Some(first) = firsts.get_mut(&RowId(row))
        {
            first.get_or_insert(entry.at);
        }
        Ok::<_, RetryError>(())
    })?;
    let fault = |(row, at): &(RowId, At)| {
        let first = firsts.get(row).copied().flatten().unwrap_or(*at);
        Fault {
            at: *at,
            column: Some("row"),
            what: format!("row {} stands on {first} already; keep one of them", row.0),
        }
    };
    Ok(repeated.iter().map(fault).collect())
}

/// A cell that ought to be a run or a number, quoted. What looks like neither may be anybody's data: it is not repeated.
fn shown(text: &str) -> Option<String> {
    let known = |c: char| c.is_ascii_hexdigit() || ".,+-".contains(c);
    let digit = text.starts_with(|c: char| c.is_ascii_digit());
    (digit && text.len() <= 24 && text.chars().all(known)).then(|| format!("\"{text}\""))
}
