//! What a load would do, found out by reading alone: how many records it would write, how many it would leave alone.
//!
//! Reads the input as a load does, and compares with what the ledger remembers of the site. Writes nothing. The site is
//! asked only where that is wanted: what the names of organizations and products mean is the site's to say, so that without
//! asking, rows that name some cannot be compared, and what this ledger never loaded is not known.
//!
//! | module | |
//! | --- | --- |
//! | `names` | looks names up |
//! | `sample` | how many single calls rows take |
//! | `remote` | what the site holds of the rows that would be sent |

mod names;
mod remote;
mod sample;

pub use names::Asked;
pub use remote::{Looker, Remote, is_asked};
pub use sample::Sample;

use super::context::Audience;
use super::drafts::{Drafted, Drafts};
use super::hierarchy::{Tree, Turn};
use super::job::StageJob;
use super::recall::{Recall, Recalled};
use super::seen::{Target, Wanted};
use super::stop::Stop;
use super::survey::{Names, Survey, SurveyError, Surveyor, in_order};
use crate::api::contract::Contract;
use crate::dedupe::{Decided, Losers, Verdict};
use crate::ledger::{Known, LedgerError, Memory};
use crate::mapping::{Draft, Emit, RefKind};
use crate::model::clock::Clock;
use crate::model::event::{Phase, Progress, RunEvent};
use crate::model::row::{Mapped, PreparedRow};
use crate::source::{RowSet, SourceError};
use std::io;
use std::path::Path;
use std::time::Duration;

/// What would become of a stage's rows.
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// How many single calls rows to be sent take.
    pub sample: Sample,
    /// Whether rows may be unchanged that are counted as known, because what their names mean is the site's to say.
    pub names_open: bool,
    /// What the site says of the rows to be sent, where it was asked.
    pub remote: Option<Remote>,
}

impl Preview {
    /// Rows to be sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.known + self.unknown
    }

    /// Rows that would create or change a record, as far as is known.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.sent() - self.remote.as_ref().map_or(0, |remote| remote.holds)
    }

    /// Single calls that a row takes whose record is new, which a load expects before it has looked.
    #[must_use]
    pub fn calls_if_new(&self) -> f64 {
        self.sample.calls_a_row(0, 1)
    }

    /// Single calls that a row to be sent takes.
    #[must_use]
    pub fn calls_a_row(&self) -> f64 {
        let there = match &self.remote {
            None => self.known,
            Some(remote) => remote.differs + remote.holds,
        };
        self.sample.calls_a_row(there, self.sent() - there)
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
    /// What of the API the job says otherwise.
    pub contract: &'a Contract,
    /// What asks the site about the rows that would be sent.
    pub looker: Option<Looker<'a>>,
}

/// Rows that the site is asked about.
#[derive(Default)]
struct ToAsk {
    rows: RowSet,
    /// For how many of them the site's id is remembered.
    remembered: u64,
    /// Rows to be sent that are not among them, as they are too many.
    others: u64,
}

impl Previewer<'_> {
    /// Reads everything. `names` are looked up on the site where one is asked, else nowhere; `memory` opens what is
    /// remembered of such records, if anything is, and is asked twice at most. Blocks.
    ///
    /// # Errors
    /// When the input is damaged, the ledger cannot be read, the disk is full, or names cannot be looked up.
    pub fn run(
        &self,
        names: &mut impl Names,
        memory: impl Fn() -> Result<Option<Memory>, LedgerError>,
    ) -> Result<Preview, PreviewError> {
        let refers = |kind| self.job.plan.on_missing(kind).is_some();
        let names_open = self.looker.is_none() && RefKind::ALL.into_iter().any(refers);
        let now = self.clock.unix_millis();
        let mut recall = match memory()? {
            Some(memory) if !self.full && !names_open => {
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
        } = surveyor.run(names, |_| Ok(()))?;
        let tree = in_order(kin, self.job.duplicates, names)?.map(|(tree, _)| tree);
        let rejected = rejected + tree.as_ref().map_or(0, Tree::refused);
        let Decided {
            losers, repeats, ..
        } = keys.decide_with(self.job.duplicates, self.spool, |winners| {
            let recall = recall.as_mut();
            recall.map_or(Ok(()), |recall| recall.compare(winners))
        })?;
        let (mut preview, losers) = without_losers(rows, rejected, losers)?;
        preview.unknown = rows - preview.rejected - preview.duplicates;
        let memory = memory()?;
        preview.names_open = names_open && memory.is_some();
        // of several rows of a key each is compared with what the one before leaves
        let recall = recall.filter(|_| !repeats).map(Recall::finish);
        let sent = |row: &PreparedRow| {
            let turn = tree.as_ref().map(|tree| tree.turn(row.row.id));
            !losers.contains(row.row.id) && turn != Some(Turn::Refused)
        };
        let to_ask = self.compare(
            names,
            &sent,
            memory.as_ref(),
            recall.transpose()?,
            &mut preview,
        )?;
        if let Some(looker) = &self.looker
            && is_asked(self.job.plan.entity())
        {
            preview.remote = Some(self.ask(looker, names, &to_ask, memory.as_ref())?);
        }
        Ok(preview)
    }

    fn target(&self) -> Target {
        self.job.target(self.stage)
    }

    fn drafts(&self) -> Result<impl Iterator<Item = Result<Draft, SurveyError>>, SurveyError> {
        let drafts = Drafts::start(&self.job.dataset, &self.job.plan, self.stop)?;
        let draft = |drafted: Result<Drafted, SourceError>| {
            let stopped = || SurveyError::Stopped(self.stop.why().unwrap_or_default().to_owned());
            drafted?.draft.ok_or_else(stopped)
        };
        Ok(drafts.map(draft))
    }

    /// Reads the rows that are sent, and moves them from those of which nothing is known to where they belong.
    fn compare(
        &self,
        names: &mut impl Names,
        sent: &dyn Fn(&PreparedRow) -> bool,
        memory: Option<&Memory>,
        mut recalled: Option<Recalled>,
        preview: &mut Preview,
    ) -> Result<ToAsk, PreviewError> {
        let target = self.target();
        let mut to_ask = ToAsk::default();
        for draft in self.drafts()? {
            let draft = draft?;
            let sampled = !preview.sample.is_enough();
            if memory.is_none() && self.looker.is_none() && !sampled {
                break;
            }
            let emit = if sampled { Emit::Payloads } else { Emit::Keys };
            let references = names.ensure(&draft, &|_| false)?;
            let Mapped { mut rows, .. } = draft.finish(references, emit);
            rows.retain(sent);
            let known = look_up(memory, &rows)?;
            let mut to_send = Vec::with_capacity(rows.len());
            for (row, known) in rows.into_iter().zip(known) {
                let recalled = recalled.as_mut();
                let same = recalled.map_or(Ok(None), |recalled| recalled.is_same(row.row.id))?;
                if same.is_some() {
                    preview.unknown -= 1;
                    preview.unchanged += 1;
                    continue;
                }
                if known.is_some() {
                    preview.unknown -= 1;
                    preview.known += 1;
                }
                to_ask.add(self.looker.as_ref(), &row, remote_id(known).is_some());
                to_send.push(row);
            }
            if sampled {
                preview.sample.take(self.contract, &target, &to_send);
            }
        }
        Ok(to_ask)
    }

    /// Asks the site about the rows, after saying what that takes.
    fn ask(
        &self,
        looker: &Looker<'_>,
        names: &mut impl Names,
        to_ask: &ToAsk,
        memory: Option<&Memory>,
    ) -> Result<Remote, PreviewError> {
        let target = self.target();
        let mut remote = Remote::default();
        let rows = to_ask.rows.len();
        let requests = looker.requests(&target, rows, to_ask.remembered);
        let message = format!("asking the site about {rows} rows, by about {requests} requests");
        self.audience.notice(self.stage, message);
        self.audience.tell(&RunEvent::PhaseStarted {
            stage: self.stage,
            phase: Phase::Asking,
        });
        let stretch = looker.stretch(&target);
        let mut waiting: Vec<Wanted> = Vec::new();
        let mut asked = 0;
        let mut look = |waiting: &mut Vec<Wanted>| {
            looker.look(&target, waiting, &mut remote);
            asked += waiting.len() as u64;
            waiting.clear();
            let progress = Progress {
                read: asked,
                rows: Some(rows),
                ..Progress::default()
            };
            let stage = self.stage;
            self.audience
                .tell(&RunEvent::Progressed { stage, progress });
        };
        for draft in self.drafts()? {
            let draft = draft?;
            let references = names.ensure(&draft, &|_| false)?;
            let Mapped { rows, .. } = draft.finish(references, Emit::Payloads);
            let rows = rows
                .into_iter()
                .filter(|row| to_ask.rows.contains(row.row.id));
            let rows: Vec<_> = rows.collect();
            let known = look_up(memory, &rows)?;
            for (row, known) in rows.into_iter().zip(known) {
                waiting.push(Wanted {
                    row,
                    remote_id: remote_id(known),
                });
                if waiting.len() == stretch {
                    look(&mut waiting);
                }
            }
        }
        look(&mut waiting);
        if let Some(why) = self.stop.why() {
            return Err(SurveyError::Stopped(why.to_owned()).into());
        }
        remote.not_told(
            format!("only {} rows are asked about", looker.most),
            to_ask.others,
        );
        Ok(remote)
    }
}

impl ToAsk {
    fn add(&mut self, looker: Option<&Looker<'_>>, row: &PreparedRow, is_remembered: bool) {
        let Some(looker) = looker else { return };
        if self.rows.len() < looker.most {
            self.rows.insert(row.row.id);
            self.remembered += u64::from(is_remembered);
        } else {
            self.others += 1;
        }
    }
}

fn remote_id(known: Option<Known>) -> Option<String> {
    known.and_then(|known| known.remote_id)
}

/// What is remembered of rows' records.
fn look_up(
    memory: Option<&Memory>,
    rows: &[PreparedRow],
) -> Result<Vec<Option<Known>>, LedgerError> {
    let Some(memory) = memory else {
        return Ok(vec![None; rows.len()]);
    };
    let keys: Vec<_> = rows.iter().map(|row| row.hash).collect();
    memory.look_up(&keys)
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
