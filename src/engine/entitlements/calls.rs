//! The calls of one row: look, give the product if it is missing, write each value that differs.
//!
//! A single call has no idempotency key. Once its fate is unknown, the site is asked before it is made again, for as
//! long as reads may lag behind writes.

use super::decide::{self, Broken, Calls, First, Held, Listed, Own, Value};
use super::{Target, Wanted};
use crate::api::contract::{MAX_ENTITLEMENT_PAGE, Name};
use crate::api::entitlements::{Entitlement, Holder};
use crate::api::fold;
use crate::api::read::Detail;
use crate::engine::context::{Context, Tries};
use crate::engine::driver;
use crate::ledger::LedgerError;
use crate::model::code::Code;
use crate::model::entity::{Operation, Owner};
use crate::model::outcome::Status;
use crate::model::reply::{ApiError, ErrorClass};
use crate::model::row::Reason;
use std::time::{Duration, Instant};

/// The first wait before a look is repeated; each is twice the one before.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What all rows of a stage share.
#[derive(Clone, Copy)]
pub(super) struct Means<'a> {
    pub(super) context: &'a Context,
    pub(super) stage: u32,
    pub(super) operation: Operation,
    /// When the stage began: what an earlier process wrote was written before.
    pub(super) began: Instant,
}

/// How a row ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: Status,
    pub(super) reasons: Vec<Reason>,
    /// Calls that write, as often as they were made.
    pub(super) made: u32,
    /// The entitlement as it is now, where that is known.
    pub(super) held: Option<Held>,
    /// Something of it was written.
    pub(super) changed: bool,
    /// What ends the stage.
    pub(super) error: Option<ApiError>,
}

/// What was looked for.
enum Sight {
    There(Held),
    /// Not there, after all patience.
    Absent,
    /// The look was broken off, or not answered.
    Unknown(Option<ApiError>),
}

impl Means<'_> {
    /// Brings one row to its end. `held` is what this run has just written of the same entitlement.
    ///
    /// # Errors
    /// When the intent cannot be written.
    pub(super) async fn load(
        self,
        wanted: &Wanted,
        held: Option<Held>,
    ) -> Result<Ended, LedgerError> {
        let target = &wanted.target;
        let mut calls = Calls {
            begun: wanted.begun,
            // that of the interrupted run, as far as it is known
            made: u32::from(wanted.begun),
            ..Calls::default()
        };
        let held = match held {
            Some(held) => Some(held),
            None => match self.before(target, wanted.begun).await {
                Ok(held) => held,
                Err(error) => return Ok(unseen(&calls, error)),
            },
        };
        let held = match decide::first(self.operation, held.is_some(), wanted.begun) {
            First::End(status, code, message) => {
                let reasons = vec![decide::reason(code, None, message.to_owned())];
                return Ok(ended(status, reasons, &calls, held, None));
            }
            First::Create => None,
            First::Compare => held,
        };
        let values = |held: &Held| decide::differing(&wanted.values, held.details.as_deref());
        if held.as_ref().is_none_or(|held| !values(held).is_empty()) {
            driver::calling(self.context, self.stage, &wanted.row).await?;
        }
        let mut error = None;
        let mut held = match held {
            Some(held) => Some(held),
            None => match self.create(target, &mut calls).await {
                Ok(held) => Some(held),
                Err(why) => {
                    error = why;
                    None
                }
            },
        };
        if let Some(held) = &mut held {
            for number in values(held) {
                error = self.set(wanted, number, held, &mut calls).await;
                if error.is_some() {
                    break;
                }
            }
        }
        let (status, reasons) = decide::verdict(&calls);
        Ok(ended(status, reasons, &calls, held, error))
    }

    /// What the site has before anything is done. What an interrupted run wrote may not be seen yet.
    async fn before(self, target: &Target, begun: bool) -> Result<Option<Held>, ApiError> {
        if !begun {
            return self.look(target).await;
        }
        match self.find(target, self.began).await {
            Sight::There(held) => Ok(Some(held)),
            Sight::Absent => Ok(None),
            Sight::Unknown(Some(error)) => Err(error),
            Sight::Unknown(None) => Err(stopped(self.context)),
        }
    }

    /// Gives the product. The error, if any, ends the stage; `calls` holds why there is no entitlement.
    async fn create(self, target: &Target, calls: &mut Calls) -> Result<Held, Option<ApiError>> {
        let context = self.context;
        let mut tries = Tries::default();
        loop {
            calls.made += 1;
            let client = &context.client;
            let answer = client.create_entitlement(target.holder, &target.owner, &target.product);
            let answer = answer.await;
            context.stop.note_write(&answer);
            let error = match answer {
                Ok(given) => {
                    calls.created = true;
                    let details = given.details.map_or(Vec::new(), folded);
                    return Ok(Held {
                        id: given.id,
                        details: Some(details),
                    });
                }
                Err(error) => error,
            };
            let again = context.again(self.stage, &mut tries, &error).await;
            let refused = error.class == ErrorClass::Refused;
            if error.may_be_applied() || (refused && calls.begun) {
                match self.find(target, context.clock.instant()).await {
                    Sight::There(held) => {
                        calls.created = true;
                        return Ok(held);
                    }
                    Sight::Absent => {}
                    Sight::Unknown(_) => {
                        calls.broken = Some(Broken::Lost(error.message.clone()));
                        return Err(Some(error));
                    }
                }
            }
            if refused {
                calls.refused.push((None, error.message));
                return Err(None);
            }
            if !again {
                calls.broken = Some(unsent(&error));
                return Err(Some(error));
            }
        }
    }

    /// Writes one value, and notes it in `held`. A repetition changes nothing more. The error, if any, ends the stage.
    async fn set(
        self,
        wanted: &Wanted,
        number: usize,
        held: &mut Held,
        calls: &mut Calls,
    ) -> Option<ApiError> {
        let context = self.context;
        let (name, values) = &wanted.details[number];
        let (mut made, mut maybe) = (0, false);
        let answer = context.repeat(self.stage, async || {
            made += 1;
            let of = Owner::Entitlement;
            let answer = context.client.set_detail(of, &held.id, name, values).await;
            context.stop.note_write(&answer);
            maybe |= answer.as_ref().is_err_and(ApiError::may_be_applied);
            answer
        });
        let answer = answer.await;
        calls.made += made;
        match answer {
            Ok(()) => {
                calls.written.push(name.clone());
                let (folded, _) = &wanted.values[number];
                let known = held.details.get_or_insert_default();
                known.retain(|(other, _)| other != folded);
                known.push(wanted.values[number].clone());
                None
            }
            Err(error) if error.class == ErrorClass::Refused => {
                calls.refused.push((Some(name.clone()), error.message));
                None
            }
            Err(error) if maybe => {
                calls.broken = Some(Broken::Lost(error.message.clone()));
                Some(error)
            }
            Err(error) => {
                calls.broken = Some(unsent(&error));
                Some(error)
            }
        }
    }

    /// Looks until it is there, or reads show what was written at `since`.
    async fn find(self, target: &Target, since: Instant) -> Sight {
        let patience = self.context.client.contract().read_patience;
        let mut wait = FIRST_WAIT;
        loop {
            match self.look(target).await {
                Ok(Some(held)) => return Sight::There(held),
                Ok(None) => {}
                Err(error) => return Sight::Unknown(Some(error)),
            }
            let passed = self
                .context
                .clock
                .instant()
                .saturating_duration_since(since);
            let left = patience.saturating_sub(passed);
            if left.is_zero() {
                return Sight::Absent;
            }
            tokio::select! {
                () = tokio::time::sleep(wait.min(left)) => {}
                () = self.context.stop.asked() => return Sight::Unknown(None),
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// What the owner itself has of the product.
    async fn look(self, target: &Target) -> Result<Option<Held>, ApiError> {
        let context = self.context;
        let Target {
            holder,
            owner,
            product,
        } = target;
        let list = context
            .repeat(self.stage, async || {
                let client = &context.client;
                client.entitlements_of(*holder, owner, Some(product)).await
            })
            .await?;
        let list = list.into_iter().map(|one| self.listed(target, one));
        let mut held = match decide::own(list.collect(), product) {
            Own::Has(held) => held,
            Own::Lacks => return Ok(None),
            Own::Unclear => match self.page_through(target).await? {
                Some(held) => held,
                None => return Ok(None),
            },
        };
        if held.details.is_none() {
            let id = &held.id;
            let read = async || context.client.entitlement(id).await;
            let one = context.repeat(self.stage, read).await?;
            held.details = one.details.map(folded);
        }
        Ok(Some(held))
    }

    /// The same from the list that holds no inherited ones, where the other does not say whose they are.
    async fn page_through(self, target: &Target) -> Result<Option<Held>, ApiError> {
        let context = self.context;
        let mut start = 0;
        loop {
            let page = context
                .repeat(self.stage, async || {
                    let client = &context.client;
                    client
                        .entitlements(target.holder, &target.owner, start)
                        .await
                })
                .await?;
            let count = page.len();
            let list = page.into_iter().map(|one| Listed {
                // a list of all products has to name them
                product: Some(
                    one.product
                        .as_ref()
                        .map_or_else(String::new, |it| it.id.clone()),
                ),
                own: Some(true),
                ..self.listed(target, one)
            });
            if let Own::Has(held) = decide::own(list.collect(), &target.product) {
                return Ok(Some(held));
            }
            if count < MAX_ENTITLEMENT_PAGE {
                return Ok(None);
            }
            start += count;
        }
    }

    /// An entitlement of the owner's list. Organizations inherit nothing.
    fn listed(self, target: &Target, one: Entitlement) -> Listed {
        let inherited = self
            .context
            .client
            .contract()
            .name(Name::EntitlementOrganization);
        let own = match (target.holder, one.holder) {
            (Holder::Organization, None) => Some(true),
            (Holder::Organization, Some((_, id))) => Some(id == target.owner),
            (Holder::Customer, holder) => {
                holder.map(|(kind, id)| id == target.owner && !kind.eq_ignore_ascii_case(inherited))
            }
        };
        Listed {
            id: one.id,
            product: one.product.map(|product| product.id),
            own,
            details: one.details.map(folded),
        }
    }
}

fn folded(details: Vec<Detail>) -> Vec<Value> {
    let details = details.into_iter();
    details
        .map(|detail| (fold::name(&detail.name).into_owned(), detail.values))
        .collect()
}

/// Why a call that is left was not made.
fn unsent(error: &ApiError) -> Broken {
    let code = match error.class {
        ErrorClass::AuthExpired | ErrorClass::AuthWrong => Code::RunStopped,
        ErrorClass::NotSent
        | ErrorClass::MaybeApplied
        | ErrorClass::Throttled { .. }
        | ErrorClass::Busy
        | ErrorClass::Refused
        | ErrorClass::Broken => Code::SiteUnreachable,
    };
    Broken::Unsent(code, error.message.clone())
}

/// A look that a stop broke off.
fn stopped(context: &Context) -> ApiError {
    ApiError {
        class: ErrorClass::NotSent,
        request: String::new(),
        status: None,
        message: context.stop.why().unwrap_or_default().to_owned(),
        trace_id: None,
    }
}

/// A row whose entitlement could not be looked for: the site has something against it, or does not answer.
fn unseen(calls: &Calls, error: ApiError) -> Ended {
    let mut calls = calls.clone();
    let error = if error.class == ErrorClass::Refused {
        calls.refused.push((None, error.message));
        None
    } else {
        calls.broken = Some(unsent(&error));
        Some(error)
    };
    let (status, reasons) = decide::verdict(&calls);
    ended(status, reasons, &calls, None, error)
}

fn ended(
    status: Status,
    reasons: Vec<Reason>,
    calls: &Calls,
    held: Option<Held>,
    error: Option<ApiError>,
) -> Ended {
    Ended {
        status,
        reasons,
        made: calls.made,
        held,
        changed: calls.created || !calls.written.is_empty(),
        error,
    }
}
