//! Parents before their children.
//!
//! ```text
//! first reading ──▶ Kin: keys and parents ──▶ order: circles, levels ──▶ Tree: each row's turn, or why it has none
//! second reading ──▶ rows without a parent in the input go out; the others lie in Waiting, and follow in the order of the Tree
//! batcher ──▶ a row leaves once its own parent has settled; other rows go on meanwhile
//! ```
//!
//! Duty: the order, and the rows that have no place in it. Guarantee: no stack grows with the depth, the input is read
//! no more often than without a hierarchy, and rows are handed out parents first. Memory: some 200 bytes a row while
//! the order is made, 48 later, for at most [`MOST_ROWS`](kin::MOST_ROWS) rows; a larger input is refused before anything is sent.
//! Must not know: what was sent, or what became of it.

mod behind;
mod kin;
mod order;
mod record;
#[cfg(test)]
mod tests;
mod tree;
mod waiting;

pub use behind::Behind;
pub use kin::{Children, Kin, KinError, Refused};
pub use tree::{Tree, Turn};
pub use waiting::Waiting;
