//! Exit codes, part of the contract, and how a failure is said.

use crate::model::cause::chain;
use std::error::Error;
use std::fmt;
use std::io::Write;
use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All rows loaded, unchanged, or duplicates of such a row.
    Done = 0,
    /// A defect of the program.
    Defect = 1,
    /// Wrong flags.
    Usage = 2,
    /// Bad configuration, mapping, credentials or input file; nothing was sent.
    Input = 3,
    /// Finished; some rows did not load.
    RowsLeft = 4,
    /// Stopped early.
    Stopped = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do its work.
#[derive(Debug)]
pub(super) struct Failure {
    /// With which code the program ends.
    pub(super) exit: Exit,
    message: String,
}

impl Failure {
    /// A failure with its message: what was wrong and what to do.
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }

    /// An error with all its causes.
    pub(super) fn of(exit: Exit, error: &dyn Error) -> Self {
        Self::new(exit, chain(error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Writes a failure to standard error. Rendered diagnostics carry their own `error:`.
pub(super) fn say(failure: &Failure) {
    let text = failure.to_string();
    let start = if text.starts_with("error") {
        ""
    } else {
        "error: "
    };
    // a closed standard error leaves the exit code to speak
    let _ = writeln!(std::io::stderr(), "{start}{}", text.trim_end());
}
