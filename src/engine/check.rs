//! `check`: the first reading alone, and a file of the rows that would not be sent, in source order.

use super::context::Audience;
use super::feed::{lost, refused};
use super::hierarchy::Refused;
use super::job::StageJob;
use super::publish::{PublishError, Tally};
use super::rejected::{RejectedRows, RejectedSpill};
use super::stop::Stop;
use super::survey::{Survey, SurveyError, Surveyor, Unasked, in_order};
use crate::dedupe::Decided;
use crate::model::clock::Clock;
use crate::model::entity::Entity;
use crate::model::event::CodeCount;
use crate::model::outcome::{Counts, RowOutcome, Status};
use crate::model::row::{RejectedRow, RowId};
use crate::report::results::{ResultRow, ResultsHeader, ResultsWriter};
use crate::report::summary::{CheckSummary, write_check};
use crate::source::RowCells;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// What the rows are.
    pub entity: Entity,
    /// Rows read.
    pub rows: u64,
    /// Rows that would not be sent, by status.
    pub counts: Counts,
    /// The most frequent codes.
    pub top_codes: Vec<CodeCount>,
    /// Where the rows that would not be sent are listed.
    pub results: PathBuf,
    /// How long it took.
    pub took: Duration,
}

impl Checked {
    /// Whether no row was rejected.
    #[must_use]
    pub fn all_good(&self) -> bool {
        !self.counts.any_not_loaded()
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let results = self.results.display().to_string();
        let check = CheckSummary {
            entity: self.entity,
            rows: self.rows,
            counts: &self.counts,
            top_codes: &self.top_codes,
            results: &results,
            took: self.took,
        };
        write_check(f, &check)
    }
}

/// Why a check did not end.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The input could not be read to its end.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// The list of rows could not be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The spill of rejected rows could not be written.
    #[error("failed to spill rejected rows; free disk space or choose another --state-dir: {0}")]
    Spill(#[from] io::Error),
}

/// The means of a check.
pub struct Checker<'a> {
    /// The stage's number in the job.
    pub stage: u32,
    /// The stage.
    pub job: &'a StageJob,
    /// A private folder for what outgrows memory.
    pub spool: &'a Path,
    /// Who watches.
    pub audience: &'a Audience,
    /// The wish to stop.
    pub stop: &'a Stop,
    /// The time.
    pub clock: &'a dyn Clock,
}

impl Checker<'_> {
    /// Reads everything once and writes the list. Blocks.
    ///
    /// # Errors
    /// When the input is damaged or the disk is full.
    pub fn run(&self) -> Result<Checked, CheckError> {
        let started = Instant::now();
        let surveyor = Surveyor {
            stage: self.stage,
            dataset: &self.job.dataset,
            plan: &self.job.plan,
            spool: self.spool,
            all_keys: false,
            contents: false,
            audience: self.audience,
            stop: self.stop,
        };
        surveyor.begin();
        let mut spill = RejectedSpill::new(self.spool)?;
        let Survey {
            rows, keys, kin, ..
        } = surveyor.run(&mut Unasked, |rows| Ok(spill.push(rows)?))?;
        let Decided {
            mut losers,
            rows: mut refs,
            ..
        } = keys.decide(self.job.duplicates, self.spool)?;

        let plan = &self.job.plan;
        let columns = self.job.dataset.schema().columns();
        let source_columns = columns
            .iter()
            .filter(|_| self.job.with_source)
            .map(|(name, _)| name.clone())
            .collect();
        let header = ResultsHeader {
            run: "check".into(),
            entity: plan.entity(),
            operation: plan.asked(),
            source_columns,
        };
        let mut list = List::create(self, &header)?;
        let kin = in_order(kin, self.job.duplicates, &mut Unasked)?;
        let kin = kin.map(|(tree, children)| children.refused(tree, plan.parent_field()));
        let mut rejected = Unsound::new(spill.read()?, kin)?;
        let at = self.clock.unix_millis();
        loop {
            // lists in row order, no row in two of them
            let outcome = match (rejected.peek(), losers.peek()) {
                (Some(row), other) if other.is_none_or(|other| row < other) => {
                    let Some(row) = rejected.pop()? else { break };
                    refused(row, at)
                }
                (_, Some(_)) => {
                    let Some(loser) = losers.pop()? else { break };
                    lost(loser.verdict, refs.find(loser.row)?, at)
                }
                _ => break,
            };
            list.write(&outcome)?;
        }
        let (counts, top_codes) = list.finish()?;
        Ok(Checked {
            entity: plan.entity(),
            rows,
            counts,
            top_codes,
            results: self.job.results.clone(),
            took: started.elapsed(),
        })
    }
}

/// The file of rows that would not be sent.
struct List<'a> {
    checker: &'a Checker<'a>,
    writer: ResultsWriter,
    cells: Option<RowCells>,
    counts: Counts,
    tally: Tally,
}

impl<'a> List<'a> {
    fn create(checker: &'a Checker<'a>, header: &ResultsHeader) -> Result<Self, PublishError> {
        let writer = ResultsWriter::create(&checker.job.results, header)?;
        let cells = checker
            .job
            .with_source
            .then(|| RowCells::new(&checker.job.dataset));
        Ok(Self {
            checker,
            writer,
            cells,
            counts: Counts::default(),
            tally: Tally::default(),
        })
    }

    fn write(&mut self, outcome: &RowOutcome) -> Result<(), PublishError> {
        let row = &outcome.row;
        let source = &self.checker.job.dataset.files()[row.file.0 as usize].name;
        self.counts.add(outcome.status, 1);
        self.tally
            .add(outcome.status, &outcome.reasons, source, row.line, row.id.0);
        let cells = self
            .cells
            .as_mut()
            .map(|cells| cells.of(row.id.0))
            .unwrap_or_default();
        self.writer.write(&ResultRow {
            row: row.id.0,
            source,
            line: row.line,
            key: row.key.as_str(),
            status: outcome.status,
            reasons: &outcome.reasons,
            remote_id: None,
            route: None,
            batch: None,
            task_id: None,
            trace_id: None,
            attempts: 0,
            finished_at: outcome.finished_at,
            cells: &cells,
        })?;
        Ok(())
    }

    fn finish(self) -> Result<(Counts, Vec<CodeCount>), PublishError> {
        let written = self.counts.of(Status::Rejected) + self.counts.of(Status::Duplicate);
        self.writer.finish_expecting(written)?;
        Ok((self.counts, self.tally.top()))
    }
}

/// Rejected rows and those that are refused for their parents, in row order.
struct Unsound {
    rejected: RejectedRows,
    kin: Option<Refused>,
    next_kin: Option<RejectedRow>,
}

impl Unsound {
    fn new(rejected: RejectedRows, mut kin: Option<Refused>) -> io::Result<Self> {
        let next_kin = kin.as_mut().map_or(Ok(None), Refused::read)?;
        Ok(Self {
            rejected,
            kin,
            next_kin,
        })
    }

    fn of_kin(&self) -> Option<RowId> {
        self.next_kin.as_ref().map(|row| row.row.id)
    }

    fn peek(&self) -> Option<RowId> {
        self.rejected.peek().into_iter().chain(self.of_kin()).min()
    }

    fn pop(&mut self) -> io::Result<Option<RejectedRow>> {
        if self.of_kin().is_none() || self.of_kin() != self.peek() {
            return self.rejected.pop();
        }
        let next = self.kin.as_mut().map_or(Ok(None), Refused::read)?;
        Ok(std::mem::replace(&mut self.next_kin, next))
    }
}
