//! The site, as the program sees it: one contract module and one typed client.
//!
//! Duty: build requests, send them, read and classify the answers. Guarantee: every path, key and limit of the
//! API stands in [`contract`] alone. Must not know: rows, batches, retries, the ledger.

pub mod contract;
pub mod fold;
