//! What a load would do, found out by reading alone: how many records it would write, how many it would leave alone.
//!
//! Reads the input as a load does, and compares with what the ledger remembers of the site. Asks no site and writes
//! nothing. What the names of organizations and products mean is the site's to say: rows that name some cannot be compared.

use super::context::Audience;
use super::hierarchy::{Tree, Turn};
use super::recall::{Recall, Recalled};
use super::run::StageJob;
use super::stop::Stop;
use super::survey::{Survey, SurveyError, Surveyor, Unasked, in_order};
use crate::dedupe::{Decided, Losers, Verdict};
use crate::ledger::{LedgerError, Memory, RowSet};
use crate::mapping::{Emit, RefKind, References};
use crate::model::clock::Clock;
use crate::model::row::{Mapped, PreparedRow};
use std::io;
use std::path::Path;
use std::time::Duration;

/// What would become of a stage's rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Preview {
    /// Rows read.
    pub rows: u64,
    /// Rows that validation refuses, or that share their key where that is refused.
    pub rejected: u64,
    /// Rows in whose place another is sent.
    pub duplicates: u64,
    /// Rows whose record is known to be as they say.
    pub unchanged: u64,
    /// Rows to be sent whose record was loaded before.
    pub known: u64,
    /// Rows to be sent of which nothing is known.
    pub unknown: u64,
    /// Detail values of the rows to be sent whose record was loaded before.
    pub details_of_known: u64,
    /// Whether rows may be unchanged that are counted as known, because what their names mean is the site's to say.
    pub names_open: bool,
}

impl Preview {
    /// Rows that would create or change a record.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.known + self.unknown
    }
}

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// The input could not be read to its end.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// What is remembered cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What outgrows memory could not be written.
    #[error("failed to spill natural keys; free disk space or choose another --state-dir: {0}")]
    Spill(#[from] io::Error),
}

/// The means of a preview.
pub struct Previewer<'a> {
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
    /// Whether rows are sent that have not changed.
    pub full: bool,
    /// A confirmation that is older counts no longer.
    pub refresh_after: Option<Duration>,
}

impl Previewer<'_> {
    /// Reads everything. `memory` opens what is remembered of such records, if anything is; it is asked twice at most.
    /// Blocks.
    ///
    /// # Errors
    /// When the input is damaged, the ledger cannot be read or the disk is full.
    pub fn run(
        &self,
        memory: impl Fn() -> Result<Option<Memory>, LedgerError>,
    ) -> Result<Preview, PreviewError> {
        let names = RefKind::ALL
            .into_iter()
            .any(|kind| self.job.plan.on_missing(kind).is_some());
        let now = self.clock.unix_millis();
        let mut recall = match memory()? {
            Some(memory) if !self.full && !names => {
                Some(Recall::new(memory, self.refresh_after, now, self.spool)?)
            }
            _ => None,
        };
        let surveyor = Surveyor {
            stage: self.stage,
            dataset: &self.job.dataset,
            plan: &self.job.plan,
            spool: self.spool,
            all_keys: false,
            contents: recall.is_some(),
            audience: self.audience,
            stop: self.stop,
        };
        surveyor.begin();
        let Survey {
            rows,
            rejected,
            keys,
            kin,
            ..
        } = surveyor.run(&mut Unasked, |_| Ok(()))?;
        let tree = in_order(kin, self.job.duplicates, &mut Unasked)?.map(|(tree, _)| tree);
        let rejected = rejected + tree.as_ref().map_or(0, Tree::refused);
        let Decided {
            losers, repeats, ..
        } = keys.decide_with(self.job.duplicates, self.spool, |winners| {
            let recall = recall.as_mut();
            recall.map_or(Ok(()), |recall| recall.compare(winners))
        })?;
        let (mut preview, losers) = without_losers(rows, rejected, losers)?;
        preview.unknown = rows - preview.rejected - preview.duplicates;
        let Some(known) = memory()? else {
            return Ok(preview);
        };
        preview.names_open = names;
        // of several rows of a key each is compared with what the one before leaves
        let recall = recall.filter(|_| !repeats).map(Recall::finish);
        let mut recalled = recall.transpose()?;
        let sent = |row: &PreparedRow| {
            let turn = tree.as_ref().map(|tree| tree.turn(row.row.id));
            !losers.contains(row.row.id) && turn != Some(Turn::Refused)
        };
        for drafted in super::drafts::Drafts::start(&self.job.dataset, &self.job.plan, self.stop)? {
            let drafted = drafted.map_err(SurveyError::from)?;
            let Some(draft) = drafted.draft else {
                let why = self.stop.why().unwrap_or_default().to_owned();
                return Err(SurveyError::Stopped(why).into());
            };
            let Mapped { mut rows, .. } = draft.finish(&References::UNCHECKED, Emit::Keys);
            rows.retain(sent);
            preview.compare(&rows, &known, recalled.as_mut())?;
        }
        Ok(preview)
    }
}

impl Preview {
    /// Moves rows from those of which nothing is known to where they belong. Rows come in order.
    fn compare(
        &mut self,
        rows: &[PreparedRow],
        memory: &Memory,
        mut recalled: Option<&mut Recalled>,
    ) -> Result<(), PreviewError> {
        let keys: Vec<_> = rows.iter().map(|row| row.hash).collect();
        let known = memory.look_up(&keys)?;
        for (row, known) in rows.iter().zip(known) {
            let recalled = recalled.as_mut();
            let same = recalled.map_or(Ok(None), |recalled| recalled.is_same(row.row.id))?;
            if same.is_some() {
                self.unchanged += 1;
            } else if known.is_some() {
                self.known += 1;
                self.details_of_known += u64::from(row.details.count_ones());
            } else {
                continue;
            }
            self.unknown -= 1;
        }
        Ok(())
    }
}

/// The counts so far, and the rows that lose to another one.
fn without_losers(rows: u64, rejected: u64, mut lost: Losers) -> io::Result<(Preview, RowSet)> {
    let mut preview = Preview {
        rows,
        rejected,
        ..Preview::default()
    };
    let mut losers = RowSet::default();
    while let Some(loser) = lost.pop()? {
        match loser.verdict {
            Verdict::Duplicate { .. } => preview.duplicates += 1,
            Verdict::Rejected { .. } => preview.rejected += 1,
        }
        losers.insert(loser.row);
    }
    Ok((preview, losers))
}
