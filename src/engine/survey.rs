//! The first reading: maps and validates every row, looks names up, collects keys; nothing is sent.

use super::context::Audience;
use super::drafts::Lanes;
use super::found::{Found, Wanted};
use super::gone::Seen;
use super::hierarchy::{Children, Kin, KinError, Tree};
use super::rejected::RejectedBlock;
use super::settled::{Board, Settled, Teller};
use super::stop::Stop;
use crate::api::fold;
use crate::dedupe::{KeySet, KeySpill, Policy};
use crate::mapping::{Draft, Known, Plan, References};
use crate::model::event::{Phase, Progress, RunEvent};
use crate::model::outcome::{Counts, Status};
use crate::model::row::RowId;
use crate::source::{Dataset, SourceError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// What the first reading found.
#[derive(Debug)]
pub struct Survey {
    /// Rows read.
    pub rows: u64,
    /// The same by file.
    pub file_rows: Vec<u64>,
    /// Rows that validation refused.
    pub rejected: u64,
    /// The keys of all others.
    pub keys: KeySpill,
    /// The keys of all rows, where that was asked for.
    pub seen: Option<Seen>,
    /// The parents of rows, where rows have some.
    pub kin: Option<Kin>,
}

impl Survey {
    fn take(&mut self, found: &Found) -> Result<(), SurveyError> {
        self.rows += found.records;
        if let Some(rows) = self.file_rows.get_mut(found.file.0 as usize) {
            *rows += found.records;
        }
        self.rejected += found.refused.rows();
        self.keys.take(&found.keyed)?;
        if let (Some(kin), Some(of)) = (&mut self.kin, &found.kin) {
            kin.push(&of.rows, &of.named, &of.parents)?;
        }
        if let Some(seen) = &mut self.seen {
            for key in &found.keys {
                seen.keys.push(*key)?;
            }
            seen.keyless += found.keyless;
        }
        Ok(())
    }
}

/// What a mapper makes of a chunk.
enum FoundOrDraft {
    Found(Box<Found>),
    Draft(Box<Draft>),
}

/// Why a first reading ended early.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The input is damaged.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Names could not be looked up.
    #[error(
        "failed to look up the names that rows refer to: {0}{next}", next = .0.what_to_check()
    )]
    Site(#[from] crate::model::reply::ApiError),
    /// The spill could not be written.
    #[error(
        "failed to write the spill of natural keys; free disk space or choose another --state-dir: {0}"
    )]
    Spill(#[from] io::Error),
    /// A hierarchy is too large to be ordered.
    #[error("{0}")]
    TooMany(KinError),
    /// What was confirmed before cannot be read.
    #[error(transparent)]
    Ledger(#[from] crate::ledger::LedgerError),
    /// Someone asked to stop.
    #[error("{0}")]
    Stopped(String),
}

impl From<KinError> for SurveyError {
    fn from(error: KinError) -> Self {
        match error {
            KinError::Spill(error) => Self::Spill(error),
            KinError::TooMany => Self::TooMany(error),
        }
    }
}

/// Where a chunk's names are looked up: on the site, or nowhere.
pub trait Names {
    /// Makes sure that the draft's names were asked for; gives what is known. `sent` tells the rows that will be sent:
    /// only for them may names be created.
    ///
    /// # Errors
    /// When the site does not answer.
    fn ensure(
        &mut self,
        draft: &Draft,
        sent: &dyn Fn(RowId) -> bool,
    ) -> Result<&References, SurveyError>;

    /// Asks for organizations; gives what is known.
    ///
    /// # Errors
    /// When the site does not answer.
    fn organizations(&mut self, names: Vec<String>) -> Result<&Known, SurveyError>;

    /// A copy of what is known, for the threads that map; `None` where each draft is to be asked for.
    fn settled(&self) -> Option<Settled> {
        None
    }

    /// Rises whenever more is known.
    fn learned(&self) -> u64 {
        0
    }
}

/// Orders rows behind their parents. `names` is asked for parents that are not in the input.
///
/// # Errors
/// When the site does not answer or the disk refuses.
pub fn in_order(
    kin: Option<Kin>,
    policy: Policy,
    names: &mut impl Names,
) -> Result<Option<(Tree, Children)>, SurveyError> {
    let absent = |asked: &[String]| {
        let known = names.organizations(asked.to_vec())?;
        let asked = asked.iter();
        Ok::<_, SurveyError>(match known {
            Known::Unchecked => asked.map(|_| false).collect(),
            Known::Resolved(known) => asked
                .map(|name| !known.contains_key(&*fold::name(name)))
                .collect(),
        })
    };
    kin.map(|kin| kin.decide(policy, absent)).transpose()
}

/// `check` asks no site.
#[derive(Debug, Clone, Copy)]
pub struct Unasked;

impl Names for Unasked {
    fn ensure(&mut self, _: &Draft, _: &dyn Fn(RowId) -> bool) -> Result<&References, SurveyError> {
        Ok(&References::UNCHECKED)
    }

    fn organizations(&mut self, _: Vec<String>) -> Result<&Known, SurveyError> {
        Ok(&Known::Unchecked)
    }

    fn settled(&self) -> Option<Settled> {
        Some(Settled::unasked())
    }
}

/// Names that repeat, each once.
#[must_use]
pub fn each_once<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(str::to_owned).collect()
}

/// The means of a first reading.
pub struct Surveyor<'a> {
    /// The stage's number in the run.
    pub stage: u32,
    /// The input.
    pub dataset: &'a Dataset,
    /// How rows are mapped.
    pub plan: &'a Arc<Plan>,
    /// A private folder for the spill.
    pub spool: &'a Path,
    /// Whether the keys of all rows are wanted, of rejected ones too.
    pub all_keys: bool,
    /// Whether payloads are made, for what they hold to be compared with what was confirmed before.
    pub contents: bool,
    /// Who watches.
    pub audience: &'a Audience,
    /// The wish to stop.
    pub stop: &'a Stop,
}

impl Surveyor<'_> {
    /// Reads everything once. `rejected` is given every refused row, in row order. Blocks.
    ///
    /// # Errors
    /// When the input is damaged, the site does not answer, the disk is full, or a stop was asked for.
    pub fn run(
        &self,
        names: &mut impl Names,
        mut rejected: impl FnMut(&RejectedBlock) -> Result<(), SurveyError>,
    ) -> Result<Survey, SurveyError> {
        let mut survey = Survey {
            rows: 0,
            file_rows: vec![0; self.dataset.files().len()],
            rejected: 0,
            keys: KeySpill::new(self.spool)?,
            seen: None,
            kin: None,
        };
        if self.plan.has_parents() {
            survey.kin = Some(Kin::new(self.spool)?);
        }
        if self.all_keys {
            survey.seen = Some(Seen {
                keys: KeySet::new(self.spool)?,
                keyless: 0,
            });
        }
        let wanted = Wanted {
            contents: self.contents,
            all_keys: self.all_keys,
            kin: self.plan.has_parents(),
        };
        let mut teller = Teller::new(names);
        let mut told = Instant::now();
        for found in self.find(wanted, teller.board())? {
            let found = match (self.stop.why(), found?) {
                (None, Some(FoundOrDraft::Found(found))) => *found,
                (None, Some(FoundOrDraft::Draft(draft))) => {
                    let references = names.ensure(&draft, &|_| false)?;
                    Found::of(*draft, references, wanted)
                }
                (why, _) => return Err(SurveyError::Stopped(why.unwrap_or_default().to_owned())),
            };
            survey.take(&found)?;
            rejected(&found.refused)?;
            teller.read(found.records, names);
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                self.tell(&survey, None);
            }
        }
        self.tell(&survey, Some(survey.rows));
        Ok(survey)
    }

    /// Starts reading: what is found of a chunk, or its draft where names were not asked for yet; none of them once a stop
    /// was asked for.
    fn find(&self, wanted: Wanted, board: &Board) -> io::Result<Lanes<Option<FoundOrDraft>>> {
        let (plan, stop, board) = (Arc::clone(self.plan), self.stop.clone(), board.clone());
        Lanes::over(self.dataset, self.plan, move |chunk| {
            stop.why().is_none().then(|| {
                let draft = plan.draft(&chunk);
                match board.covering(&draft) {
                    Some(known) => {
                        FoundOrDraft::Found(Box::new(Found::of(draft, known.references(), wanted)))
                    }
                    None => FoundOrDraft::Draft(Box::new(draft)),
                }
            })
        })
    }

    fn tell(&self, survey: &Survey, rows: Option<u64>) {
        let mut counts = Counts::default();
        counts.add(Status::Rejected, survey.rejected);
        let progress = Progress {
            read: survey.rows,
            rows,
            counts,
            ..Progress::default()
        };
        self.audience.tell(&RunEvent::Progressed {
            stage: self.stage,
            progress,
        });
    }

    /// Tells that the first reading begins.
    pub fn begin(&self) {
        self.audience.tell(&RunEvent::PhaseStarted {
            stage: self.stage,
            phase: Phase::Reading,
        });
    }
}
