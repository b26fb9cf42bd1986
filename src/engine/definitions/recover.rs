//! Requests that an interrupted run has under way: waited for, or, where the run goes on, sent again with the same key
//! and bytes.

use super::bulk::Request;
use super::decide::{Fate, fates};
use super::{Asked, Definitions, Travelled};
use crate::api::contract::{self, keys};
use crate::api::fold;
use crate::engine::context::Context;
use crate::engine::driver::{self, DriveError};
use crate::ledger::OpenBatch;
use crate::ledger::record::Record;
use crate::model::code::Code;
use crate::model::entity::Owner;
use crate::model::outcome::{Route, Status};
use crate::model::row::Reason;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

impl Definitions<'_> {
    /// Brings the requests to their end that rows of this owner are in; gives the other rows. Rows of a request whose
    /// key the site may have forgotten are given back too, to be looked for before anything is sent.
    pub(super) async fn recover(
        &mut self,
        owner: Owner,
        mut rows: Vec<Asked>,
    ) -> Result<Vec<Asked>, DriveError> {
        let Some(endpoint) = contract::definitions_bulk(owner) else {
            return Ok(rows);
        };
        for open in std::mem::take(&mut self.underway) {
            let held = open.rows.iter().map(|sent| sent.row.id).zip(0..);
            let held: HashMap<_, usize> = held.collect();
            let (mut ours, others): (Vec<_>, Vec<_>) = rows
                .into_iter()
                .partition(|asked| held.contains_key(&asked.row.row.id));
            rows = others;
            if ours.is_empty() {
                self.underway.push(open);
            } else if ours.len() == held.len() && self.is_remembered(&open) {
                ours.sort_by_key(|asked| held[&asked.row.row.id]);
                let prepared = ours.iter().map(|asked| asked.row.clone()).collect();
                let batch = self.batcher.adopt(open.batch, prepared);
                let request = Request {
                    key: open.key,
                    body: Arc::new(open.body),
                    task: open.task,
                    maybe_applied: true,
                };
                self.bring_to_end(endpoint, batch, ours, request).await?;
            } else {
                rows.extend(self.give_up(&open, ours).await?);
                rows.sort_by_key(|asked| asked.row.row.id);
            }
        }
        Ok(rows)
    }

    /// Whether repeating a request gives its task again, and not another one.
    fn is_remembered(&self, open: &OpenBatch) -> bool {
        let age = self
            .context
            .clock
            .unix_millis()
            .saturating_sub(open.sent_at);
        let age = Duration::from_millis(u64::try_from(age).unwrap_or(0));
        open.task.is_some() || age < self.context.client.contract().key_lifetime
    }

    /// Ends a request without a verdict; its rows travel on.
    async fn give_up(
        &mut self,
        open: &OpenBatch,
        mut rows: Vec<Asked>,
    ) -> Result<Vec<Asked>, DriveError> {
        let closed = Record::Settled {
            stage: self.stage,
            batch: open.batch,
            trace_id: None,
            outcomes: Vec::new(),
            at: self.context.clock.unix_millis(),
        };
        driver::write(self.context, vec![closed]).await?;
        for asked in &mut rows {
            let travelled = Travelled {
                route: Some(Route::Bulk),
                batch: Some(open.batch),
                attempts: 1,
            };
            asked.unclear = Some((Code::AnswerLost, travelled));
        }
        Ok(rows)
    }
}

/// How the rows of a request end of which nothing but its bytes and its task is known, in their order; `None` without
/// a task that tells.
pub(in crate::engine) async fn verdicts(
    context: &Context,
    stage: u32,
    open: &OpenBatch,
) -> Option<Vec<(Status, Vec<Reason>)>> {
    let definitions = Definitions::new(context, stage, None);
    let view = definitions.wait(open.task.as_ref()?).await.ok()?;
    let body: Value = serde_json::from_slice(&open.body).ok()?;
    let items = body.get(keys::DETAIL_FIELDS)?.as_array()?.iter();
    let names: Option<Vec<_>> = items
        .map(|item| Some(fold::name(item.get(keys::NAME)?.as_str()?).into_owned()))
        .collect();
    let names = names.filter(|names| names.len() == open.rows.len())?;
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let fates = fates(&view, &names, |text| fold::name(text).into_owned());
    Some(fates.into_iter().map(verdict).collect())
}

/// How a row ends whose field is not looked for.
fn verdict(fate: Fate) -> (Status, Vec<Reason>) {
    let (status, code, message) = match fate {
        Fate::Created => return (Status::Loaded, Vec::new()),
        Fate::Refused {
            words,
            before: false,
        } => (Status::Failed, Code::SiteRejected, words),
        Fate::Unclear(code) => (Status::Unconfirmed, code, code.cause().to_owned()),
        Fate::Refused { words, .. }
        | Fate::TurnedAway(words)
        | Fate::Lost(words)
        | Fate::Unsent(_, words) => (Status::Unconfirmed, Code::AnswerLost, words),
    };
    let reason = Reason {
        code: code.into(),
        field: None,
        message,
    };
    (status, vec![reason])
}
