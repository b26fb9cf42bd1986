//! What is durable: runs, stages, batches with their exact bodies, and one outcome per row.
//!
//! Duty: keep in one SQLite file, in the order intent before effect and outcome before display, what a run did.
//! Guarantee: when a write is acknowledged it survives a crash; one program at a time owns a state folder.
//! Must not know: mappings, HTTP, what to do next.
//!
//! The file is `ledger.sqlite` in the state folder; people may read it with the `sqlite3` shell. Its tables are
//! documented in `schema/v2.sql`; the view `results` shows rows as the results file does.
//!
//! Three faces: [`Ledger`] and [`RunHandle`] write, [`Reader`] reads (beside a run, too), and [`Memory`] tells what a
//! site is known to hold. `tests/contract.rs` says what another store would have to keep to.

mod apply;
mod body;
mod call;
mod change;
mod content;
mod error;
mod few;
mod forget;
mod insert;
mod layers;
mod lock;
mod memory;
mod merged;
mod newest;
mod pages;
mod pending;
mod progress;
mod prune;
mod read;
mod read_only;
mod reader;
pub mod record;
mod remember;
mod said;
mod schema;
mod space;
mod store;
mod tempo;
#[cfg(test)]
mod tests;
mod transfer;
mod write;

pub use content::KeyMark;
pub use error::LedgerError;
pub use forget::Forgotten;
pub use lock::{StateFolder, private_folder};
pub use memory::{Confirmed, Known, Memory};
pub use newest::Chain;
pub use progress::{OpenBatch, OpenCall, RowSet, StageProgress, Standing};
pub use prune::KEEP_RUNS;
pub use read::StoredRow;
pub use reader::{Reader, RunInfo, RunState, StageInfo};
pub use store::{Ledger, RunHandle};
pub use tempo::PastTask;

use store::FILE;
