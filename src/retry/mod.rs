//! From a results file, perhaps edited in a spreadsheet, to a dataset of the rows that are loaded again.
//!
//! Duty: read the file as people and spreadsheets leave it, choose its rows, find out where they are read from, and make a
//! dataset in which they have the numbers, files and lines they had. Guarantee: the ledger, and not the file, says what
//! loaded; a row that loaded is never given; memory does not grow with the rows but for a few bits each. Must not know:
//! mappings, the site, how the ledger stores things (it is asked through [`Ledgered`]).
//!
//! ```text
//! file ─▶ scan (ledgered, select) ─▶ origin ─┬▶ the file's src. columns ─▶ sort ─▶ source::RowKeeper ─▶ Dataset
//!                                            └▶ the source, unchanged ─────────▶ Dataset::restricted
//! ```

mod copy;
mod error;
mod file;
mod find;
mod ledgered;
mod origin;
mod place;
mod prepare;
mod scan;
mod select;
mod sort;
mod stage;
mod told;

pub use error::{Fault, Faults, RetryError};
pub use find::places;
pub use ledgered::{KnownFile, KnownRow, KnownRun, KnownStage, Ledgered, LedgeredError};
pub use origin::{NoSource, Origin};
pub use place::default_results;
pub use prepare::{Prepared, Request, prepare};
pub use select::Filter;
pub use told::{Examples, Told};
