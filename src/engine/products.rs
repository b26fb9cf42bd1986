//! The single-record route of products: looked up by name first, so that none is created twice.
//!
//! A single call has no idempotency key. Its fate being unknown, the product is looked for with patience before the call
//! is repeated.

use super::context::Context;
use super::driver;
use super::lately;
use super::once::{self, Sent, seek};
use super::outcome::not_sent;
use super::resolve::products;
use crate::api::lookup::Named;
use crate::ledger::{LedgerError, RowSet};
use crate::model::code::{Code, ReasonCode};
use crate::model::entity::{Entity, Operation};
use crate::model::outcome::{Route, RowOutcome, Status};
use crate::model::reply::{ApiError, ErrorClass};
use crate::model::row::{KeyHash, PreparedRow, Reason};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;
use tokio::task::spawn_blocking;

/// What to do with a product row, given what the site has under its name. `begun`: an interrupted run was about to
/// create it, so that a product that is there now is ours.
#[derive(Debug, PartialEq, Eq)]
enum Act {
    Create,
    /// It was created before the interruption.
    Begun,
    /// Nothing to send: the row ends like this.
    End(Status, Code, &'static str),
}

fn decide(operation: Operation, present: bool, begun: bool) -> Act {
    match (operation, present) {
        (Operation::Create | Operation::Upsert, true) if begun => Act::Begun,
        (Operation::Create | Operation::Upsert, false) => Act::Create,
        (Operation::Update | Operation::Upsert, true) => Act::End(
            Status::Unchanged,
            Code::AlreadyPresent,
            "a product of this name is already on the site",
        ),
        (Operation::Create, true) => Act::End(
            Status::Failed,
            Code::AlreadyExists,
            "a product of this name is already on the site",
        ),
        (Operation::Update, false) => Act::End(
            Status::Failed,
            Code::NotFound,
            "the site has no product of this name",
        ),
    }
}

/// The products of the site, as far as this stage knows them.
pub(super) struct Products {
    stage: u32,
    operation: Operation,
    present: HashMap<String, Named>,
    /// Rows that an interrupted run was about to create.
    begun: RowSet,
    /// Products that were loaded so lately that the list may lack them.
    lately: HashSet<KeyHash>,
    /// When the products were listed: what an earlier process created was created before.
    since: Instant,
}

impl Products {
    /// Lists the site's products.
    ///
    /// # Errors
    /// When the site does not answer.
    pub(super) async fn list(
        context: &Context,
        stage: u32,
        operation: Operation,
        begun: RowSet,
    ) -> Result<Self, ApiError> {
        let since = context.clock.instant();
        let present = products(context.asking(), stage).await?;
        Ok(Self {
            stage,
            operation,
            present,
            begun,
            lately: HashSet::new(),
            since,
        })
    }

    /// Takes note of which of these rows' products were loaded lately, and are not on the list.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(super) async fn recall(
        &mut self,
        context: &Arc<Context>,
        rows: &[PreparedRow],
    ) -> Result<(), LedgerError> {
        let absent = |row: &&PreparedRow| !self.present.contains_key(row.identity.as_str());
        let keys: Vec<_> = rows.iter().filter(absent).map(|row| row.hash).collect();
        let context = Arc::clone(context);
        let read = spawn_blocking(move || {
            let loaded = lately::loaded(&context, Entity::Product, &keys)?;
            let loaded = keys.into_iter().zip(loaded);
            Ok(loaded.filter_map(|(key, late)| late.map(|_| key)).collect())
        });
        self.lately = read.await.unwrap_or(Err(LedgerError::Stopped))?;
        Ok(())
    }

    /// Loads one row. The site's error, if any, ends the stage; the row's outcome holds it too.
    ///
    /// # Errors
    /// When the intent cannot be written.
    pub(super) async fn load(
        &mut self,
        context: &Context,
        row: PreparedRow,
    ) -> Result<(RowOutcome, Option<ApiError>), LedgerError> {
        let folded = row.identity.as_str().to_owned();
        let mut sent = Sent::default();
        let begun = self.begun.contains(row.row.id);
        let expected = begun || self.lately.contains(&row.hash);
        if expected && !self.present.contains_key(&folded) {
            match self.await_shown(context, &folded).await {
                Ok(Some(found)) => {
                    self.present.insert(folded.clone(), found);
                }
                Ok(None) => {}
                Err(error) => {
                    let at = context.clock.unix_millis();
                    return Ok((not_sent(row.row, &error.message, at), Some(error)));
                }
            }
            if let Some(why) = context.stop.why() {
                return Ok((not_sent(row.row, why, context.clock.unix_millis()), None));
            }
        }
        let end = match decide(self.operation, self.present.contains_key(&folded), begun) {
            Act::Begun => {
                sent.attempts = 1;
                (Status::Loaded, Vec::new(), None)
            }
            Act::End(status, code, message) => (status, vec![reason(code, message)], None),
            Act::Create => {
                driver::calling(context, self.stage, &row).await?;
                match self.create(context, &row, &folded, &mut sent).await {
                    Ok(()) => (Status::Loaded, Vec::new(), None),
                    Err(error) => {
                        let (status, code) = failed(&sent, &error);
                        (
                            status,
                            vec![reason(code, &error.message)],
                            (error.class != ErrorClass::Refused).then_some(error),
                        )
                    }
                }
            }
        };
        let (status, reasons, error) = end;
        let known = matches!(status, Status::Loaded | Status::Unchanged);
        let outcome = RowOutcome {
            remote_id: self
                .present
                .get(&folded)
                .filter(|_| known)
                .map(|named| named.id.clone()),
            status,
            reasons,
            route: (sent.attempts > 0).then_some(Route::Single),
            batch: None,
            attempts: sent.attempts,
            finished_at: context.clock.unix_millis(),
            row: row.row,
        };
        Ok((outcome, error))
    }

    /// Looks for what was created before the list was read, which may not show it yet.
    async fn await_shown(
        &self,
        context: &Context,
        folded: &str,
    ) -> Result<Option<Named>, ApiError> {
        let passed = context.clock.instant().duration_since(self.since);
        let patience = context.client.contract().read_patience;
        let look = async || self.look(context, folded).await;
        seek(&context.stop, patience.saturating_sub(passed), look).await
    }

    async fn look(&self, context: &Context, folded: &str) -> Result<Option<Named>, ApiError> {
        Ok(products(context.asking(), self.stage).await?.remove(folded))
    }

    async fn create(
        &mut self,
        context: &Context,
        row: &PreparedRow,
        folded: &str,
        sent: &mut Sent,
    ) -> Result<(), ApiError> {
        let name = name_in(&row.item);
        let look = async || self.look(context, folded).await;
        let post = async || context.client.create_product(&name).await;
        let created = once::create(context.asking(), self.stage, sent, look, post).await?;
        self.present.insert(folded.to_owned(), created);
        Ok(())
    }
}

/// How a row ends whose call did not succeed.
fn failed(sent: &Sent, error: &ApiError) -> (Status, Code) {
    match error.class {
        _ if sent.maybe_applied => (Status::Unconfirmed, Code::AnswerLost),
        ErrorClass::Refused => (Status::Failed, Code::SiteRejected),
        ErrorClass::AuthExpired | ErrorClass::AuthWrong => (Status::NotSent, Code::RunStopped),
        ErrorClass::NotSent
        | ErrorClass::MaybeApplied
        | ErrorClass::Throttled { .. }
        | ErrorClass::Busy
        | ErrorClass::Broken => (Status::NotSent, Code::SiteUnreachable),
    }
}

fn reason(code: Code, message: &str) -> Reason {
    Reason {
        code: ReasonCode::Known(code),
        field: None,
        message: message.to_owned(),
    }
}

/// The name in a product's payload.
fn name_in(item: &[u8]) -> String {
    serde_json::from_slice::<serde_json::Value>(item)
        .ok()
        .and_then(|item| {
            item.get(crate::api::contract::keys::NAME)?
                .as_str()
                .map(str::to_owned)
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_created_only_when_its_name_is_free() {
        assert_eq!(decide(Operation::Upsert, false, false), Act::Create);
        assert_eq!(decide(Operation::Create, false, false), Act::Create);
        for (operation, present, status) in [
            (Operation::Upsert, true, Status::Unchanged),
            (Operation::Update, true, Status::Unchanged),
            (Operation::Create, true, Status::Failed),
            (Operation::Update, false, Status::Failed),
        ] {
            let Act::End(ended, ..) = decide(operation, present, false) else {
                panic!("{operation} sent")
            };
            assert_eq!(ended, status);
        }
    }

    #[test]
    fn a_call_whose_fate_is_unknown_is_unconfirmed_and_one_that_never_left_is_not_sent() {
        let error = |class| ApiError {
            class,
            request: String::new(),
            status: None,
            message: String::new(),
            trace_id: None,
        };
        let sent = Sent {
            attempts: 8,
            maybe_applied: true,
        };
        assert_eq!(
            failed(&sent, &error(ErrorClass::NotSent)).0,
            Status::Unconfirmed
        );
        let unsent = Sent {
            attempts: 8,
            maybe_applied: false,
        };
        assert_eq!(
            failed(&unsent, &error(ErrorClass::NotSent)).0,
            Status::NotSent
        );
        assert_eq!(
            failed(&unsent, &error(ErrorClass::Refused)).0,
            Status::Failed
        );
    }

    #[test]
    fn the_name_is_read_back_from_the_payload() {
        assert_eq!(name_in(br#"{"name":"Caf\u00e9 \"9\""}"#), "Café \"9\"");
    }
}
