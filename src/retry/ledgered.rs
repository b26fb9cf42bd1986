//! What is asked of the ledger: which runs and rows it knows, and how they ended.

use crate::model::code::ReasonCode;
use crate::model::entity::Entity;
use crate::model::outcome::Status;
use crate::model::row::{FileId, RowId};
use crate::source::RecordedSource;
use std::error::Error;
use std::path::PathBuf;

/// Why the ledger could not answer.
pub type LedgeredError = Box<dyn Error + Send + Sync>;

/// The ledger's side of a retry.
pub trait Ledgered {
    /// A run by its id as results files show it; `None` when there is none.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn run(&mut self, id: &str) -> Result<Option<KnownRun>, LedgeredError>;

    /// How a row of a stage ended; `None` when the stage has no such row.
    ///
    /// The newest outcome counts: when a later run retried this run's row, that run's outcome of it.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn row(&mut self, run: &str, stage: u32, row: RowId)
    -> Result<Option<KnownRow>, LedgeredError>;
}

/// A run that the ledger knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRun {
    /// Its id.
    pub id: String,
    /// The run that has to end first, itself or one that loads its rows again; `None` when nothing of them is under way or
    /// left to continue.
    pub unfinished: Option<String>,
    /// Its stages, in order.
    pub stages: Vec<KnownStage>,
}

/// A stage of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownStage {
    /// Its number in the run.
    pub stage: u32,
    /// What it loaded.
    pub entity: Entity,
    /// The path of its mapping file, where it was recorded.
    pub mapping: Option<PathBuf>,
    /// What it did with rows that share a key, by name, where it was recorded.
    pub duplicates: Option<String>,
    /// Its input files, in reading order.
    pub files: Vec<KnownFile>,
    /// Where its rows came from and which columns they had, where that was recorded.
    pub source: Option<RecordedSource>,
}

/// An input file of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFile {
    /// Its name, as results files show it.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The digest of its content.
    pub digest: u128,
}

/// How a row ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRow {
    /// Its file's position in the stage.
    pub file: FileId,
    /// Its physical line, where its format has lines.
    pub line: Option<u64>,
    /// Its status.
    pub status: Status,
    /// The codes of its reasons.
    pub codes: Vec<ReasonCode>,
}
