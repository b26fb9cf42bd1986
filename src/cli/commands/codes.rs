//! `csm-loader codes`: every result code with its cause and cure.

use crate::cli::exit::{Exit, Failure};
use crate::report::codes;
use std::io::{self, Write};

/// Columns of the text.
const WIDTH: usize = 100;

/// Prints the list.
///
/// # Errors
/// None: a reader that goes away has seen enough.
#[expect(clippy::unnecessary_wraps, reason = "commands have one shape")]
pub(in crate::cli) fn run() -> Result<Exit, Failure> {
    let _ = io::stdout().write_all(codes::table(WIDTH).as_bytes());
    Ok(Exit::Done)
}
