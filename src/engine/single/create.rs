//! Creates a record, once: after an answer that is lost it is looked for before the call is repeated.

use super::call::Row;
use super::end::End;
use super::find::{Finder, Found};
use super::row::Current;
use super::steps;
use super::told;
use crate::api::classify::is_filtered;
use crate::engine::context::Tries;
use crate::engine::patience::Patience;
use crate::model::code::Code;
use crate::model::entity::{Entity, Family, Operation};
use crate::model::reply::{ApiError, ErrorClass};
use std::time::Duration;

impl<F: Finder> Row<'_, '_, F> {
    /// Creates the record. `was_absent`: the site was seen not to have it, so that one that is there is ours.
    pub(super) async fn create(&mut self, was_absent: bool) -> Result<(), End> {
        let context = self.caller.context;
        let mut attempts = Tries::default();
        loop {
            self.calls += 1;
            let answer = self.post().await;
            context.stop.note_write(&answer);
            let error = match answer {
                Ok(created) => {
                    context.answered();
                    self.lost = false;
                    self.written
                        .push(format!("the {}", self.caller.target.entity));
                    return self.complete(&created).await;
                }
                Err(error) => error,
            };
            if told::says_it_exists(&error) {
                context.answered();
                return self.exists(error, was_absent).await;
            }
            // had an earlier attempt been applied, the site would say that the record exists; a gateway does not know
            if error.class == ErrorClass::Refused && !(self.lost && is_filtered(&error)) {
                // a gateway does not know what an earlier request of the row did
                if is_filtered(&error)
                    && let Ok(Found::There(current)) = self.caller.finder.by_key(&self.asks).await
                    && (steps::operation(self.caller.target) != Some(Operation::Create)
                        || steps::holds(&self.asks, &current))
                {
                    return self.settle(current, was_absent, error).await;
                }
                context.answered();
                let trace_id = error.trace_id.clone();
                return Err(self.refused(told::creation(&error), trace_id));
            }
            self.lost |= error.may_be_applied();
            let stage = self.caller.target.stage;
            let again = context.again(stage, &mut attempts, &error).await;
            if !self.lost {
                if again {
                    continue;
                }
                return Err(self.failed(error, ""));
            }
            // no two customers share an e-mail, so that a second creation is refused: one quick look does. Of organizations
            // nothing of the kind is documented: one that is only not shown yet must not be created again
            let found = if again && self.is_customer() {
                self.caller.finder.by_key(&self.asks).await
            } else {
                self.seek(self.caller.patience).await
            };
            let tried = match found {
                Ok(Found::There(current)) => return self.settle(current, was_absent, error).await,
                // a stop may have broken off the look
                Ok(Found::Absent) if again && context.stop.why().is_none() => continue,
                Ok(Found::Unknown { .. }) if again && self.is_customer() => continue,
                // no attempt before this refusal was applied, or it would have been seen by now
                Ok(Found::Absent)
                    if error.class == ErrorClass::Refused && context.stop.why().is_none() =>
                {
                    let trace_id = error.trace_id.clone();
                    return Err(self.refused(told::creation(&error), trace_id));
                }
                Ok(Found::Absent) => "it was looked for, and not found".to_owned(),
                Ok(Found::Unknown { tried, .. }) => tried,
                Err(look) => format!("the look for it failed: {look}"),
            };
            return Err(self.unclear(error, &tried));
        }
    }

    async fn post(&self) -> Result<Current, ApiError> {
        let client = &self.caller.context.client;
        let asks = &self.asks;
        let target = self.caller.target;
        let name = asks.name.as_deref();
        match (target.entity, target.family) {
            (Entity::Customer, Family::Account) => {
                let email = asks.email.as_deref().unwrap_or_default();
                client.create_account(email, name).await.map(Current::from)
            }
            (Entity::Customer, _) => client
                .create_customer_profile(asks.payload.clone())
                .await
                .map(Current::from),
            (_, Family::Account) => {
                let created = client.create_organization(name.unwrap_or_default()).await?;
                Ok(Current {
                    id: created.id,
                    ..Current::default()
                })
            }
            _ => client
                .create_organization_profile(asks.payload.clone())
                .await
                .map(Current::from),
        }
    }

    /// What the answer to the creation lacks, as far as it tells.
    async fn complete(&mut self, created: &Current) -> Result<(), End> {
        self.remote_id = Some(created.id.clone());
        let steps = steps::completion(self.means(None), &self.asks, created);
        let steps = steps.map_err(|reason| self.refused(reason, None))?;
        self.perform_all(&steps, &created.id).await
    }

    /// The site says that the record exists: it was there before, or an attempt made it whose answer is lost.
    async fn exists(&mut self, error: ApiError, was_absent: bool) -> Result<(), End> {
        let creates = steps::operation(self.caller.target) == Some(Operation::Create);
        if creates && !self.lost {
            let reason = steps::reason(Code::AlreadyExists, None, error.message);
            return Err(self.refused(reason, error.trace_id));
        }
        // one that was there before has long been there to see
        let tried = match self.look(self.patience()).await? {
            Found::There(current) if self.lost => {
                return self.settle(current, was_absent, error).await;
            }
            Found::There(current) => return self.change(current).await,
            Found::Absent => "the site says that it exists, and no look finds it".to_owned(),
            Found::Unknown { tried, .. } => tried,
        };
        Err(if self.lost {
            self.unclear(error, &tried)
        } else {
            self.without_id(&tried)
        })
    }

    /// A record is there that an attempt may have created whose answer is lost.
    pub(super) async fn settle(
        &mut self,
        current: Current,
        was_absent: bool,
        error: ApiError,
    ) -> Result<(), End> {
        if steps::operation(self.caller.target) != Some(Operation::Create) {
            return self.change(current).await;
        }
        let current = self.by_id(&current.id).await?.unwrap_or(current);
        if steps::holds(&self.asks, &current) {
            self.remote_id = Some(current.id);
            return Ok(());
        }
        if was_absent {
            return self.change(current).await;
        }
        self.remote_id = Some(current.id);
        let tried = "a record of this key is there and holds other content than the row's; whether this row's call \
                     created it cannot be told";
        Err(self.unclear(error, tried))
    }

    /// Looks until the record is found, no look can show it, or patience ends.
    async fn look(&self, patience: Duration) -> Result<Found, End> {
        let found = self.seek(patience).await;
        found.map_err(|error| self.failed(error, "its record was looked for"))
    }

    /// The same; the error of a look that failed is given as it is.
    async fn seek(&self, patience: Duration) -> Result<Found, ApiError> {
        let caller = self.caller;
        let mut patience = Patience::of(patience);
        loop {
            let found = caller.finder.by_key(&self.asks).await?;
            let may_come = match &found {
                Found::There(_) => false,
                Found::Absent => true,
                Found::Unknown { late, .. } => *late,
            };
            if !may_come || !patience.waits(&caller.context.stop).await {
                return Ok(found);
            }
        }
    }
}
