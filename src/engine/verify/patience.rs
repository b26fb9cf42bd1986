//! Reading until everything is seen, or reads can no longer lag behind.

use super::compare::{Kinds, Verdict, compare};
use super::fetch::Halt;
use super::held::Held;
use super::sent::Sent;
use super::site::Site;
use super::sought::{Found, Sought};
use super::{customers, organizations};
use crate::engine::seen::{Seen, Target, Wanted};
use crate::model::entity::{Entity, Owner};
use std::time::Duration;

/// How many times as late the user search may show a new account as other reads show a write: minutes, it was seen.
const LATE: u32 = 4;
/// The first pause, as a part of the patience: a second of the usual 90.
const FIRST: u32 = 90;
/// The longest pause, as a part of the patience: a quarter of a minute of the usual 90 seconds.
const LONGEST: u32 = 6;

/// Reads rows until each is seen, or its patience is over.
pub(super) async fn read<S: Site>(
    site: &S,
    target: &Target,
    rows: &[Wanted],
    patience: Duration,
) -> Vec<Seen> {
    let began = site.now();
    let mut reading = Reading::new(site, target);
    let mut sought: Vec<_> = rows.iter().map(|row| sought(site, target, row)).collect();
    let mut pause = (patience / FIRST).max(Duration::from_millis(1));
    loop {
        let mut open: Vec<_> = sought.iter_mut().filter(|row| !row.settled).collect();
        if open.is_empty() {
            break;
        }
        let is_last = site.is_stopped();
        let waited = site.now().saturating_duration_since(began);
        if let Err(Halt(error)) = reading.round(&mut open).await {
            let why = format!("the site could not be read: {error}");
            for row in open {
                row.give_up(&why);
            }
            break;
        }
        let mut next = None;
        for row in open.iter_mut().filter(|row| !row.settled) {
            if is_last {
                row.stop_at("the run stopped, and the one reading after that did not show the row");
                continue;
            }
            let until = patience.saturating_mul(if row.late { LATE } else { 1 });
            if waited >= until {
                row.settled = true;
            } else {
                next = Some(next.map_or(until, |next: Duration| next.min(until)));
            }
        }
        if let Some(until) = next {
            let left = until.saturating_sub(site.now().saturating_duration_since(began));
            site.rest(pause.min(left)).await;
            pause = pause.saturating_mul(2).min(patience / LONGEST).max(pause);
        }
    }
    let unread = || Seen::Unknown {
        tried: "the record was not looked for".to_owned(),
    };
    let seen = sought
        .into_iter()
        .map(|row| row.seen.unwrap_or_else(unread));
    seen.collect()
}

/// A row before the first reading; settled where there is nothing to look for.
fn sought<S: Site>(site: &S, target: &Target, row: &Wanted) -> Sought {
    let mut sought = match Sent::read(target, site.contract(), &row.row.item) {
        Some(sent) => return Sought::new(row, sent),
        None => Sought::new(row, Sent::default()),
    };
    let entity = target.entity;
    sought.give_up(match entity {
        Entity::Customer | Entity::Organization => "what the row sends is not what mappings write",
        Entity::Product | Entity::DetailField | Entity::Entitlement => {
            "products, detail fields and entitlements are looked up by their own stages"
        }
    });
    sought
}

/// The means of a reading.
struct Reading<'a, S> {
    site: &'a S,
    target: &'a Target,
    /// The types of the site's detail fields, once they were asked for.
    kinds: Option<Kinds>,
}

impl<'a, S: Site> Reading<'a, S> {
    const fn new(site: &'a S, target: &'a Target) -> Self {
        Self {
            site,
            target,
            kinds: None,
        }
    }

    /// Looks for each row once.
    async fn round(&mut self, rows: &mut [&mut Sought]) -> Result<(), Halt> {
        let found = match self.target.entity {
            Entity::Customer => {
                let key = self.target.key_detail.as_deref();
                customers::find(self.site, key, rows).await?
            }
            _ => organizations::find(self.site, rows).await?,
        };
        for (row, found) in rows.iter_mut().zip(found) {
            match found {
                Found::Here(held) => {
                    let verdict = self.compare(&row.sent, &held).await;
                    row.compared(*held, verdict);
                }
                not_here => row.not_here(not_here),
            }
        }
        Ok(())
    }

    /// Compares values as texts, and where these differ, by the types of their fields.
    async fn compare(&mut self, sent: &Sent, held: &Held) -> Verdict {
        let entity = self.target.entity;
        let as_texts = Kinds::default();
        let verdict = compare(entity, sent, held, self.kinds.as_ref().unwrap_or(&as_texts));
        match &verdict {
            Verdict::Differs(difference) if difference.details && self.kinds.is_none() => {
                let owner = match entity {
                    Entity::Customer => Owner::Customer,
                    _ => Owner::Organization,
                };
                // not everybody may list the fields; without their types, texts it is
                let fields = self.site.detail_fields(owner).await.unwrap_or_default();
                compare(entity, sent, held, self.kinds.insert(Kinds::of(fields)))
            }
            _ => verdict,
        }
    }
}
