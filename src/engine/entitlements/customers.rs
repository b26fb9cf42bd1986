//! Which customers the e-mails of rows mean: by what the ledger remembers, then by a search where the job allows one.
//!
//! Memory is that of one stretch of rows: nothing is kept for the next.

use super::IN_FLIGHT;
use crate::api::contract::MAX_FETCH_CUSTOMERS;
use crate::api::fallback::User;
use crate::api::fold;
use crate::engine::context::Context;
use crate::ledger::LedgerError;
use crate::model::entity::Entity;
use crate::model::reply::{ApiError, ErrorClass};
use futures_util::stream::{self, StreamExt};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// What is known of one e-mail.
pub(super) type Found = Result<String, String>;

/// Why e-mails cannot be looked for.
#[derive(Debug)]
pub(super) enum Failed {
    /// What is remembered cannot be read.
    Ledger(LedgerError),
    /// The site does not answer.
    Site(ApiError),
}

/// The id of each customer, or why none is known, by folded e-mail.
///
/// # Errors
/// When the ledger cannot be read, or the site does not answer.
pub(super) async fn find(
    context: &Arc<Context>,
    stage: u32,
    emails: BTreeSet<String>,
) -> Result<HashMap<String, Found>, Failed> {
    let mut found = HashMap::new();
    if emails.is_empty() {
        return Ok(found);
    }
    let asked: Vec<_> = emails.into_iter().collect();
    let (asked, remembered) = remembered(context, asked).await.map_err(Failed::Ledger)?;
    let mut unknown = Vec::new();
    for (email, id) in asked.into_iter().zip(remembered) {
        match id {
            Some(id) => {
                found.insert(email, Ok(id));
            }
            None => unknown.push(email),
        }
    }
    if !context.client.contract().user_search {
        let why = "no id is known of the customer with this e-mail, and [contract] user_search does not allow to search \
                   for it";
        found.extend(
            unknown
                .into_iter()
                .map(|email| (email, Err(why.to_owned()))),
        );
        return Ok(found);
    }
    let searches = unknown.into_iter().map(|email| async move {
        let searched = search(context, stage, &email).await;
        (email, searched)
    });
    let mut searches = stream::iter(searches).buffer_unordered(IN_FLIGHT);
    while let Some((email, searched)) = searches.next().await {
        found.insert(email, searched.map_err(Failed::Site)?);
    }
    Ok(found)
}

/// The ids that sites told of these customers when they were loaded.
async fn remembered(
    context: &Arc<Context>,
    emails: Vec<String>,
) -> Result<(Vec<String>, Vec<Option<String>>), LedgerError> {
    let shared = Arc::clone(context);
    let read = spawn_blocking(move || {
        let hash = |email: &String| fold::hash(Entity::Customer, email);
        let keys: Vec<_> = emails.iter().map(hash).collect();
        let memory = shared.ledger.memory(Entity::Customer, None)?;
        let known = memory.look_up(&keys)?.into_iter();
        let ids = known.map(|known| known.and_then(|known| known.remote_id));
        Ok((emails, ids.collect()))
    });
    read.await.unwrap_or(Err(LedgerError::Stopped))
}

/// Searches for one customer. People may hide the e-mail of their account: the customer's profile tells it.
async fn search(context: &Context, stage: u32, email: &str) -> Result<Found, ApiError> {
    let users = context
        .repeat(stage, async || context.client.users_like(email).await)
        .await;
    let users = match users {
        Err(error) if error.class == ErrorClass::Refused => {
            return Ok(Err(format!(
                "the search for this e-mail was refused: {}",
                error.message
            )));
        }
        users => users?,
    };
    let same = |other: &str| fold::email(other) == email;
    let (open, hidden): (Vec<User>, Vec<User>) =
        users.into_iter().partition(|user| user.email.is_some());
    let mut ids: BTreeSet<String> = open
        .into_iter()
        .filter(|user| user.email.as_deref().is_some_and(same))
        .map(|user| user.id)
        .collect();
    let hidden: Vec<String> = hidden.into_iter().map(|user| user.id).collect();
    for chunk in hidden.chunks(MAX_FETCH_CUSTOMERS) {
        let told = context
            .repeat(stage, async || context.client.customer_emails(chunk).await)
            .await?;
        ids.extend(told.into_iter().filter(|it| same(&it.name)).map(|it| it.id));
    }
    let why = match ids.len() {
        1 => return Ok(ids.pop_first().ok_or_else(String::new)),
        0 => "a search found no customer with this e-mail",
        _ => "a search found several customers with this e-mail",
    };
    Ok(Err(why.to_owned()))
}
