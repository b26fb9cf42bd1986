//! One row by single-record calls.
//!
//! Duty: write what a row asks for by calls that each write one record or a part of one, and tell truthfully how far it
//! came. Guarantee: no record is created twice, since a creation whose answer is lost is followed by a look before it is
//! repeated; all other calls may be repeated freely. Where no look can tell, only the creation of a customer is repeated:
//! that no two share an e-mail is a guess of the contract. Must not know: batches, tasks, who decides on a route.
//!
//! A single call has no idempotency key, and a row may take several calls: a row that is refused half-way keeps what was
//! written of it, which its reasons then name.
//!
//! | module | duty |
//! | --- | --- |
//! | [`row`] | what a row asks for, what the site has: plain data |
//! | `read` | the JSON of an item → what the row asks for |
//! | `steps` | which calls write it, or why none do |
//! | `told` | what a refusal means, as reasons |
//! | `find` | finds records on the site |
//! | `ask` | repeats reads |
//! | `call` | what becomes of a row |
//! | `perform` | makes the calls of an existing record |
//! | `create` | creates a record, once |
//! | `end` | how a row ends that is not loaded |
//! | `join` | memberships alone |
//! | `limits` | what only a bulk request can do |

mod call;
mod create;
mod end;
mod find;
mod join;
mod limits;
mod perform;
mod read;
pub mod row;
mod steps;
#[cfg(test)]
mod tests;
mod told;

pub use call::{Caller, call};
pub use find::{Finder, Found, Looking};
pub use join::join;
pub use limits::{Limits, limits};
pub use read::calls_of;
