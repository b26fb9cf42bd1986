//! Makes the calls of an existing record, each until it is answered.

use super::call::Row;
use super::end::End;
use super::find::{Finder, products};
use super::steps::{self, Step};
use super::told;
use crate::api::classify::is_filtered;
use crate::api::entitlements::{Entitlement, Holder};
use crate::engine::context::Tries;
use crate::engine::patience::Patience;
use crate::model::code::Code;
use crate::model::entity::{Entity, Owner};
use crate::model::reply::{ApiError, ErrorClass};

impl<F: Finder> Row<'_, '_, F> {
    pub(super) async fn perform_all(&mut self, steps: &[Step], id: &str) -> Result<(), End> {
        for step in steps {
            self.perform(step, id).await?;
        }
        Ok(())
    }

    async fn perform(&mut self, step: &Step, id: &str) -> Result<(), End> {
        match self.repeat(step, id).await {
            Ok(()) => {
                self.written.push(step.what());
                self.lost = false;
                Ok(())
            }
            // a gateway does not know what the record holds, nor what an attempt did whose answer is lost; the site would
            // have refused that one too
            Err(error) if is_filtered(&error) && self.stands(step, id).await? => {
                self.written.push(step.what());
                self.lost = false;
                Ok(())
            }
            Err(error) if error.class == ErrorClass::Refused => {
                let reason = told::step(step, &error);
                Err(self.refused(reason, error.trace_id))
            }
            Err(error) => {
                let how = match self.caller.context.stop.why() {
                    Some(_) => "was sent, and not answered",
                    None => "was sent again",
                };
                Err(self.failed(error, &format!("{} {how}", step.what())))
            }
        }
    }

    /// Makes a call until it is answered, while that may help.
    async fn repeat(&mut self, step: &Step, id: &str) -> Result<(), ApiError> {
        let context = self.caller.context;
        let mut tries = Tries::default();
        loop {
            self.calls += 1;
            let answer = self.send(step, id).await;
            context.stop.note_write(&answer);
            let Err(error) = answer else {
                context.answered();
                return Ok(());
            };
            self.lost |= error.may_be_applied();
            if !context
                .again(self.caller.target.stage, &mut tries, &error)
                .await
            {
                return Err(error);
            }
            // what is set twice is set; what is given twice is there twice
            if let Step::Entitle(product) = step
                && error.may_be_applied()
            {
                match self.arrives(id, product).await {
                    Ok(true) => return Ok(()),
                    Ok(false) if context.stop.why().is_none() => {}
                    // no look makes it known what became of the call
                    Ok(false) | Err(_) => return Err(error),
                }
            }
        }
    }

    /// Whether the record is seen to be as a step makes it, before patience ends.
    async fn stands(&self, step: &Step, id: &str) -> Result<bool, End> {
        let caller = self.caller;
        let mut patience = Patience::of(self.patience());
        loop {
            let stands = if let Step::Entitle(product) = step {
                let given = self.gives(id, product).await;
                given.map_err(|error| self.failed(error, "its products were asked for"))?
            } else {
                let Some(current) = self.by_id(id).await? else {
                    return Ok(false);
                };
                steps::is_made(step, &self.asks, &current)
            };
            if stands || !patience.waits(&caller.context.stop).await {
                return Ok(stands);
            }
        }
    }

    async fn send(&self, step: &Step, id: &str) -> Result<(), ApiError> {
        let client = &self.caller.context.client;
        let owner = match self.caller.target.entity {
            Entity::Customer => Owner::Customer,
            _ => Owner::Organization,
        };
        match step {
            Step::NameCustomer(name) => client.rename_account(id, name).await.map(drop),
            Step::NameOrganization(name) => client.rename_organization(id, name).await.map(drop),
            Step::SetDetail(field, values) => client.set_detail(owner, id, field, values).await,
            Step::Join(organization) => {
                let customers = [id.to_owned()];
                client.add_to_organization(organization, &customers).await
            }
            Step::Entitle(product) => {
                let given = client.create_entitlement(self.holder(), id, product);
                given.await.map(drop)
            }
        }
    }

    fn holder(&self) -> Holder {
        match self.caller.target.entity {
            Entity::Customer => Holder::Customer,
            _ => Holder::Organization,
        }
    }

    /// Whether a product that may have been given just now is seen before patience ends.
    async fn arrives(&self, id: &str, product: &str) -> Result<bool, ApiError> {
        let mut patience = Patience::of(self.caller.patience);
        loop {
            let given = self.gives(id, product).await?;
            if given || !patience.waits(&self.caller.context.stop).await {
                return Ok(given);
            }
        }
    }

    /// Whether a product is there that may have been given just now.
    async fn gives(&self, id: &str, product: &str) -> Result<bool, ApiError> {
        let own = self.entitlements(id).await?;
        let is_it = |one: &Entitlement| one.product.as_ref().is_some_and(|of| of.id == product);
        Ok(own.iter().any(is_it))
    }

    /// The record's own entitlements; those that a customer inherits are its organization's.
    async fn entitlements(&self, id: &str) -> Result<Vec<Entitlement>, ApiError> {
        let context = self.caller.context;
        let holder = self.holder();
        let client = &context.client;
        let just_written = self.lost || !self.written.is_empty();
        let asking = context.asking();
        let found = asking.ask(self.caller.target.stage, || {
            client.entitlements_of(holder, id, None)
        });
        let mut found = match found.await {
            // reads may lag behind the record itself
            Err(error) if just_written && error.is_not_found() => Vec::new(),
            found => found?,
        };
        found.retain(|one| one.holder.as_ref().is_none_or(|(_, of)| of == id));
        Ok(found)
    }

    pub(super) async fn products(&self, id: &str) -> Result<Option<Vec<String>>, End> {
        let found = self.entitlements(id).await;
        let found = found.map_err(|error| self.failed(error, "its products were asked for"))?;
        let Some(products) = products(found) else {
            let message = "the site does not tell which products the record has, so that one could be given twice";
            let field = Some("products".to_owned());
            let reason = steps::reason(Code::BulkOnly, field, message.to_owned());
            return Err(self.refused(reason, None));
        };
        Ok(Some(products))
    }
}
