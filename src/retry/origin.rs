//! Where the rows are read from: the file itself when it has the source's columns, else the source when it is unchanged.

use super::ledgered::{KnownFile, KnownStage};
use crate::model::cause::chain;
use crate::source::{Dataset, SourceFile, digest};
use std::fmt;
use std::path::Path;

/// Where the rows are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From the `src.` columns of the results file.
    ResultsFile,
    /// From the source, which is what it was.
    Source,
}

/// Why the source cannot be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoSource {
    /// Nobody remembers how it was opened.
    Unknown,
    /// It came from the `src.` columns of a results file, where it may have been edited.
    Edited,
    /// It came through standard input.
    Stdin,
    /// It cannot be opened any more, and why.
    Unopened(String),
    /// The inputs are other files now.
    OtherFiles {
        /// The file that is new, missing or in another place.
        name: String,
    },
    /// A file's content is not what it was.
    Changed {
        /// The file.
        name: String,
    },
}

impl fmt::Display for NoSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("the ledger does not know how its source was read"),
            Self::Edited => f.write_str(
                "its rows came from the src. columns of another results file, and not from their source",
            ),
            Self::Stdin => f.write_str("its source was standard input, which is gone"),
            Self::Unopened(why) => write!(f, "its source cannot be opened ({why})"),
            Self::OtherFiles { name } => {
                write!(
                    f,
                    "its source has other files now ({name} is one that differs)"
                )
            }
            Self::Changed { name } => write!(f, "its source {name} has changed since the run"),
        }
    }
}

/// Opens the source of a stage, if it is what it was to the last byte.
pub(super) fn open_source(stage: &KnownStage, spool: &Path) -> Result<Dataset, NoSource> {
    let Some(source) = &stage.source else {
        return Err(NoSource::Unknown);
    };
    if source.is_edited() {
        return Err(NoSource::Edited);
    }
    if source.has_stdin() {
        return Err(NoSource::Stdin);
    }
    let dataset = Dataset::open(&source.spec(spool)).map_err(|faults| {
        let first = faults.faults().first();
        NoSource::Unopened(first.map_or_else(String::new, |fault| chain(fault)))
    })?;
    if let Some(name) = first_other(dataset.files(), &stage.files) {
        return Err(NoSource::OtherFiles { name });
    }
    // sizes first: they cost nothing
    let files = || dataset.files().iter().zip(&stage.files);
    let changed = files()
        .find(|(now, then)| now.bytes != then.bytes)
        .or_else(|| {
            files().find(|(now, then)| {
                !digest::file(&now.path).is_ok_and(|digest| digest == then.digest)
            })
        });
    match changed {
        Some((file, _)) => Err(NoSource::Changed {
            name: file.name.clone(),
        }),
        None => Ok(dataset),
    }
}

/// The first name that one list has in a place where the other has not.
fn first_other(now: &[SourceFile], then: &[KnownFile]) -> Option<String> {
    (0..now.len().max(then.len())).find_map(|index| {
        let (now, then) = (now.get(index), then.get(index));
        let (now, then) = (now.map(|file| &file.name), then.map(|file| &file.name));
        (now != then).then(|| now.or(then).cloned().unwrap_or_default())
    })
}
