//! What happened, told to everyone who shows it: progress, log and summary are views of these.

use crate::model::code::ReasonCode;
use crate::model::entity::Entity;
use crate::model::outcome::{BatchSeq, Counts, Route, Status};
use crate::model::reply::TaskId;
use std::time::Duration;

/// What a stage is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// First reading: validation, natural keys, references.
    Reading,
    /// Looks at what the site holds, before anything is sent.
    Asking,
    /// Second reading and sending.
    Sending,
    /// Writing the results file.
    Writing,
}

impl Phase {
    /// The word that progress shows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Asking => "asking the site",
            Self::Sending => "sending",
            Self::Writing => "writing",
        }
    }
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Rows read in this phase.
    pub read: u64,
    /// Rows of the dataset, once known (after the first reading).
    pub rows: Option<u64>,
    /// Rows with an outcome, by status.
    pub counts: Counts,
    /// Task slots in use.
    pub slots_used: usize,
    /// Task slots that may be used now.
    pub slots: usize,
}

/// Something that happened in a run. Holds no cell values.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEvent {
    /// A run begins.
    RunStarted {
        /// Its id.
        run: String,
        /// The site, as people call it.
        site: String,
    },
    /// A stage begins.
    StageStarted {
        /// Its number in the run, from 0.
        stage: u32,
        /// What it loads.
        entity: Entity,
        /// How many files it reads.
        files: usize,
    },
    /// A stage begins a phase.
    PhaseStarted {
        /// The stage.
        stage: u32,
        /// The phase.
        phase: Phase,
    },
    /// A stage went on.
    Progressed {
        /// The stage.
        stage: u32,
        /// How far it is.
        progress: Progress,
    },
    /// The site accepted a batch.
    BatchAccepted {
        /// The stage.
        stage: u32,
        /// The batch.
        batch: BatchSeq,
        /// Its rows.
        rows: usize,
        /// The task.
        task: TaskId,
    },
    /// A batch was decided.
    BatchSettled {
        /// The stage.
        stage: u32,
        /// The batch.
        batch: BatchSeq,
        /// Its rows by status.
        counts: Counts,
        /// From the first send to the verdict.
        took: Duration,
    },
    /// Something is repeated, waited for, or worth knowing.
    Notice {
        /// The stage, where one is concerned.
        stage: Option<u32>,
        /// What, as a sentence without cell values.
        message: String,
    },
    /// A stage is settled and its results file is in place.
    StageFinished {
        /// Its summary.
        summary: StageSummary,
    },
    /// The run is over.
    RunFinished {
        /// All stages' counts together.
        counts: Counts,
        /// Why it stopped early, if it did.
        stopped: Option<String>,
        /// How long it took.
        took: Duration,
    },
}

/// The closing account of a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct StageSummary {
    /// The stage.
    pub stage: u32,
    /// What it loaded.
    pub entity: Entity,
    /// Rows by status.
    pub counts: Counts,
    /// The most frequent codes, most frequent first.
    pub top_codes: Vec<CodeCount>,
    /// Where the results are, as the user wrote it or as it was derived.
    pub results: Option<String>,
    /// Bulk requests and single calls that write, each as often as it left: accepted, refused or not answered. Looks, polls and
    /// readings back are not among them.
    pub write_requests: u64,
    /// Rows whose results say that they travelled by bulk requests, and by single calls.
    pub travelled: Travelled,
    /// Rows that were sent again, because a reading did not show what was sent before.
    pub sent_again: u64,
    /// What the input lacks that was loaded before, where that was asked for.
    pub gone: Option<Gone>,
    /// How long it took.
    pub took: Duration,
}

/// How rows travelled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Travelled {
    /// By bulk requests.
    pub bulk: u64,
    /// By single calls.
    pub single: u64,
}

impl Travelled {
    /// Counts a row; one that was not sent did not travel.
    pub fn add(&mut self, route: Option<Route>) {
        match route {
            Some(Route::Bulk) => self.bulk += 1,
            Some(Route::Single) => self.single += 1,
            None => {}
        }
    }

    /// Whether rows went both ways.
    #[must_use]
    pub const fn both(self) -> bool {
        self.bulk > 0 && self.single > 0
    }
}

/// Records that were loaded before and that the input no longer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// How many.
    pub records: u64,
    /// Rows whose natural key cannot be told: their records may be among them.
    pub keyless: u64,
    /// The file that lists them.
    pub list: String,
}

/// How often a code occurred, with an example.
#[derive(Debug, Clone, PartialEq)]
pub struct CodeCount {
    /// The code.
    pub code: ReasonCode,
    /// The status of its rows.
    pub status: Status,
    /// How many rows carry it.
    pub rows: u64,
    /// Where the first such row stands (`customers.csv line 17` or `customers.parquet row 17`).
    pub example: String,
    /// That row's message.
    pub message: String,
}
