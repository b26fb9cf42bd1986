//! What is durable: runs, stages, batches with their exact bodies, and one outcome per row.
//!
//! Duty: keep in one SQLite file, in the order intent before effect and outcome before display, what a run did.
//! Guarantee: when a write is acknowledged it survives a crash; one program at a time owns a state folder.
//! Must not know: mappings, HTTP, what to do next.
//!
//! The file is `ledger.sqlite` in the state folder; people may read it with the `sqlite3` shell. Its tables are
//! documented in `schema.sql`; the view `results` shows rows as the results file does.

mod lock;
mod read;
pub mod record;
mod store;
mod write;

pub use lock::{StateFolder, private_folder};
pub use read::StoredRow;
pub use store::{Ledger, LedgerError, RunHandle};
