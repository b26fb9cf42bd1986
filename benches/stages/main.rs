//! Each stage of the loader by itself: `make bench-stages`. Rows a second, and what is allocated.
//! As a test, each runs once over a few rows.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement that cannot go on has failed"
)]

mod batches;
#[path = "../tools/input/customers.rs"]
mod customers;
mod engine;
mod input;
mod ledger;
mod mapping;
mod results;
mod source;

use divan::AllocProfiler;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}
