//! Read-back: what the site holds of rows whose request did not tell.
//!
//! Duty: find the record of each row, compare it with what the row sends, and look again while reads may lag behind
//! writes. Guarantee: [`Seen::Holds`] is only said of a record that was read and holds all that the row sends; nothing is
//! ever written. Must not know: batches, and what follows from what was seen.
//!
//! | module | |
//! | --- | --- |
//! | `sent`, `held` | what a row sends, what the site tells of a record |
//! | `compare`, `value` | one against the other |
//! | `site`, `fetch` | the reads, several records by one |
//! | `customers`, `organizations` | finding records |
//! | `sought`, `patience` | what is known of a row, when to look again |

mod compare;
mod customers;
mod fetch;
mod held;
mod organizations;
mod patience;
mod sent;
mod site;
mod sought;
mod value;

#[cfg(test)]
mod tests;

use super::asking::Asking;
use super::context::Context;
use super::run::RunError;
use super::seen::{Seen, Target, Wanted};
use crate::api::contract::Contract;
use crate::model::entity::{Entity, Family};
use crate::model::row::{KeyHash, PreparedRow};
use std::time::Duration;
use tokio::task::spawn_blocking;

/// Reads what the site holds of rows: one answer for each, in their order. A row that the site does not show is looked
/// for again, with growing pauses, until `patience` has passed since the call (where only the user search can find it,
/// four times that: new accounts appear there minutes late). After a stop there is one more reading, and what it does not
/// show is [`Seen::Unknown`]: without patience nothing is absent. Reads alone; never fails, since what cannot be read is
/// unknown.
pub async fn read_back(
    context: &Context,
    target: &Target,
    rows: &[Wanted],
    patience: Duration,
) -> Vec<Seen> {
    let site = site::Loaded {
        asking: context.asking(),
        stage: target.stage,
    };
    patience::read(&site, target, rows, patience).await
}

/// The same with one look, before anything is written, with a run or without one. [`Seen::Absent`] is what the site says
/// now: a record that was made a moment ago may not be found yet.
pub async fn look(asking: Asking<'_>, target: &Target, rows: &[Wanted]) -> Vec<Seen> {
    let site = site::Loaded {
        asking,
        stage: target.stage,
    };
    patience::read(&site, target, rows, Duration::ZERO).await
}

/// Whether the records of a stage's rows can be found again, whatever becomes of their requests.
///
/// # Errors
/// Why those whose id the site never told cannot, and what to do about it, as a sentence for people.
pub fn can_find(contract: &Contract, target: &Target) -> Result<(), String> {
    if target.entity != Entity::Customer || target.family == Family::Details {
        return Ok(());
    }
    if target.key_detail.is_some() || contract.user_search {
        return Ok(());
    }
    let cure = match target.family {
        Family::Profile => {
            "set key_detail in the mapping to a detail field that holds the key, or user_search = true in [contract]"
        }
        Family::Account | Family::Details => "set user_search = true in [contract]",
    };
    Err(format!(
        "a customer cannot be looked up by its e-mail: where a request does not tell what became of it, a new customer's row \
         ends unconfirmed; {cure}"
    ))
}

/// Adds the ids that the ledger remembers of the rows' records, as the site told them in this run or an earlier one.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn remembered(
    context: &Context,
    entity: Entity,
    rows: Vec<PreparedRow>,
) -> Result<Vec<Wanted>, RunError> {
    let memory = context.ledger.memory(entity, None)?;
    let look_up = spawn_blocking(move || {
        let keys: Vec<KeyHash> = rows.iter().map(|row| row.hash).collect();
        let known = memory.look_up(&keys)?;
        let wanted = rows.into_iter().zip(known).map(|(row, known)| Wanted {
            row,
            remote_id: known.and_then(|known| known.remote_id),
        });
        Ok(wanted.collect())
    });
    look_up.await?
}
