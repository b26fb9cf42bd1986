//! Makes the calls of a row, one after the other, and stops at the first that is refused: what a row that fails leaves
//! on the site is as little as can be.

use super::end::{End, interrupted, unreadable};
use super::find::{Finder, Found, Looking};
use super::read;
use super::row::{Asks, Current};
use super::steps::{self, Means};
use crate::engine::context::Context;
use crate::engine::patience::Patience;
use crate::engine::seen::{Called, Target, Wanted};
use crate::model::code::Code;
use crate::model::entity::{Entity, Family, Operation, Owner};
use crate::model::reply::ApiError;
use std::collections::HashSet;
use std::time::Duration;
use tokio::sync::OnceCell;

/// Types of detail fields that hold several values.
const SEVERAL: &str = "MULTISELECT";

/// Writes one row by single calls. `look_first`: an interrupted run may have made these calls.
pub async fn call(context: &Context, target: &Target, wanted: &Wanted, look_first: bool) -> Called {
    let finder = Looking::new(context, target);
    Caller::new(context, target, finder)
        .call(wanted, look_first)
        .await
}

/// Writes rows of a stage by single calls; several at a time may share it.
pub struct Caller<'a, F> {
    pub(super) context: &'a Context,
    pub(super) target: &'a Target,
    pub(super) finder: F,
    pub(super) patience: Duration,
    /// The detail fields that hold several values, once they were asked for.
    many: OnceCell<HashSet<String>>,
}

impl<'a, F: Finder> Caller<'a, F> {
    /// For the rows of a stage.
    #[must_use]
    pub fn new(context: &'a Context, target: &'a Target, finder: F) -> Self {
        Self {
            context,
            target,
            finder,
            patience: context.client.contract().read_patience,
            many: OnceCell::new(),
        }
    }

    /// Looks for a record that the site says it has for this long, instead of the contract's `read_patience`.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Writes one row. `look_first`: an interrupted run may have made these calls.
    pub async fn call(&self, wanted: &Wanted, look_first: bool) -> Called {
        let contract = self.context.client.contract();
        let Some(asks) = read::asks(contract, self.target, &wanted.row.item) else {
            return Called::NotSent {
                error: unreadable(),
            };
        };
        let mut row = self.row(asks, look_first);
        let end = row.go(wanted.remote_id.as_deref()).await;
        row.called(end)
    }

    pub(super) fn row(&self, asks: Asks, look_first: bool) -> Row<'_, 'a, F> {
        Row {
            caller: self,
            asks,
            remote_id: None,
            calls: 0,
            written: Vec::new(),
            begun: look_first,
            lost: look_first,
        }
    }

    /// The detail fields that hold several values; `None` where the site does not tell.
    async fn many(&self) -> Option<&HashSet<String>> {
        let owner = match self.target.entity {
            Entity::Customer => Owner::Customer,
            _ => Owner::Organization,
        };
        let list = async {
            let (client, asking) = (&self.context.client, self.context.asking());
            let listed = asking.ask(self.target.stage, || client.detail_fields(owner));
            let several = listed
                .await?
                .into_iter()
                .filter(|field| field.kind == SEVERAL)
                .map(|field| field.name.trim().to_lowercase());
            Ok::<_, ApiError>(several.collect())
        };
        self.many.get_or_try_init(|| list).await.ok()
    }
}

/// A row whose calls are being made.
pub(super) struct Row<'c, 'a, F> {
    pub(super) caller: &'c Caller<'a, F>,
    pub(super) asks: Asks,
    /// The record's id, once it is known.
    pub(super) remote_id: Option<String>,
    /// Calls that write.
    pub(super) calls: u32,
    /// What the site took.
    pub(super) written: Vec<String>,
    /// Whether an interrupted run may have made calls.
    pub(super) begun: bool,
    /// Whether a call may have been applied of which nothing is known.
    pub(super) lost: bool,
}

impl<F: Finder> Row<'_, '_, F> {
    /// How the row ended.
    pub(super) fn called(self, end: Result<(), End>) -> Called {
        match end {
            Ok(()) => Called::Loaded {
                remote_id: self.remote_id,
                calls: self.calls,
            },
            Err(End(called)) => *called,
        }
    }

    async fn go(&mut self, remembered: Option<&str>) -> Result<(), End> {
        if self.caller.target.family == Family::Details {
            return self.set_details().await;
        }
        if let Some(id) = self.asks.id.clone() {
            return match self.by_id(&id).await? {
                Some(current) => self.found(current).await,
                None => Err(self.no_such_record()),
            };
        }
        if let Some(id) = remembered
            && let Some(current) = self.by_id(id).await?
            // its e-mail or name may have been changed since: then the row means another one
            && current.key == self.asks.key
        {
            return self.found(current).await;
        }
        if !self.begun && !steps::looks_first(self.caller.target) {
            return self.create(false).await;
        }
        let operation = steps::operation(self.caller.target);
        match self.by_key().await? {
            Found::There(current) => self.found(current).await,
            Found::Absent if operation == Some(Operation::Update) => Err(self.no_such_record()),
            Found::Absent => self.create(!self.begun).await,
            // no two customers share an e-mail, so that one that exists is not created again
            Found::Unknown { .. } if self.is_customer() && operation != Some(Operation::Update) => {
                self.create(false).await
            }
            Found::Unknown { tried, .. } => Err(self.without_id(&tried)),
        }
    }

    /// The record is there, before any call of this row was made now.
    async fn found(&mut self, current: Current) -> Result<(), End> {
        let creates = steps::operation(self.caller.target) == Some(Operation::Create);
        if creates && self.begun {
            let error = interrupted();
            return self.settle(current, false, error).await;
        }
        if creates {
            let what = self.caller.target.entity;
            let message = format!("operation = \"create\", and the site already has this {what}");
            self.remote_id = Some(current.id);
            return Err(self.refused(steps::reason(Code::AlreadyExists, None, message), None));
        }
        self.change(current).await
    }

    /// Brings an existing record to what the row asks for.
    pub(super) async fn change(&mut self, mut current: Current) -> Result<(), End> {
        let id = current.id.clone();
        self.remote_id = Some(id.clone());
        if self.lost {
            current.organizations = self.memberships(&current).await?;
        }
        if !self.asks.products.is_empty() {
            current.products = self.products_of_now(&id).await?;
        }
        let caller = self.caller;
        let many = if steps::needs_types(&self.asks, &current) {
            caller.many().await
        } else {
            None
        };
        let steps = steps::changes(caller.target, self.means(many), &self.asks, &current);
        let steps = steps.map_err(|reason| self.refused(reason, None))?;
        self.perform_all(&steps, &id).await
    }

    /// The organizations of a record that was written just now, or may have been; they are waited for where no call may
    /// make those that are missing.
    async fn memberships(&self, current: &Current) -> Result<Option<Vec<String>>, End> {
        let caller = self.caller;
        let mut patience = Patience::of(caller.patience);
        let mut current = current.clone();
        while steps::lacks(self.means(None), &self.asks, &current)
            && patience.waits(&caller.context.stop).await
        {
            match self.by_id(&current.id).await? {
                Some(read) => current = read,
                None => break,
            }
        }
        Ok(current.organizations)
    }

    /// The products of a record; those that an unanswered call may have given are waited for, since what is given twice is
    /// there twice.
    async fn products_of_now(&self, id: &str) -> Result<Option<Vec<String>>, End> {
        let caller = self.caller;
        let mut patience = Patience::of(self.patience());
        loop {
            let products = self.products(id).await?;
            let has = products.as_deref().unwrap_or_default();
            if self.asks.products.iter().all(|id| has.contains(id)) {
                return Ok(products);
            }
            if !patience.waits(&caller.context.stop).await {
                if self.lost && caller.context.stop.why().is_some() {
                    let tried = "a stop came before its products had to be shown";
                    return Err(self.unclear(interrupted(), tried));
                }
                return Ok(products);
            }
        }
    }

    /// How long reads may lag behind a call without an answer; no time where there is none.
    pub(super) fn patience(&self) -> Duration {
        if self.lost {
            self.caller.patience
        } else {
            Duration::ZERO
        }
    }

    pub(super) fn means<'m>(&self, many: Option<&'m HashSet<String>>) -> Means<'m> {
        Means {
            membership: self.caller.context.client.contract().membership,
            many,
        }
    }

    async fn set_details(&mut self) -> Result<(), End> {
        let id = self.asks.id.clone().unwrap_or_default();
        let current = if steps::reads_details(&self.asks) {
            let Some(current) = self.by_id(&id).await? else {
                return Err(self.no_such_record());
            };
            current
        } else {
            Current {
                id,
                ..Current::default()
            }
        };
        self.change(current).await
    }

    pub(super) async fn by_id(&self, id: &str) -> Result<Option<Current>, End> {
        let found = self.caller.finder.by_id(id).await;
        found.map_err(|error| self.failed(error, "its record was asked for by id"))
    }

    pub(super) async fn by_key(&self) -> Result<Found, End> {
        let found = self.caller.finder.by_key(&self.asks).await;
        found.map_err(|error| self.failed(error, "its record was looked for"))
    }

    pub(super) fn is_customer(&self) -> bool {
        self.caller.target.entity == Entity::Customer
    }
}
