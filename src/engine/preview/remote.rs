//! What the site holds of the rows that would be sent. Reads alone.

use crate::api::contract::{
    MAX_FETCH_CUSTOMERS, MAX_FETCH_ORGANIZATION_PROFILES, MAX_FETCH_ORGANIZATIONS,
};
use crate::engine::asking::Asking;
use crate::engine::seen::{Seen, Target, Wanted};
use crate::engine::verify;
use crate::model::entity::{Entity, Family};
use futures_util::stream::{self, StreamExt};
use std::collections::BTreeMap;
use tokio::runtime::Handle;

/// Different reasons that are told apart.
const REASONS: usize = 50;

/// What the site said of the rows that would be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remote {
    /// Rows whose record it does not have.
    pub absent: u64,
    /// Rows whose record it has, with other content.
    pub differs: u64,
    /// Rows whose record it has as they say.
    pub holds: u64,
    /// Rows of which it cannot be told, by why.
    pub untold: BTreeMap<String, u64>,
}

impl Remote {
    /// Rows of which it cannot be told.
    #[must_use]
    pub fn untold(&self) -> u64 {
        self.untold.values().sum()
    }

    /// Takes note of rows of which it cannot be told.
    pub(super) fn not_told(&mut self, why: String, rows: u64) {
        if rows == 0 {
            return;
        }
        let others = || "for other reasons".to_owned();
        let full = self.untold.len() >= REASONS && !self.untold.contains_key(&why);
        *self
            .untold
            .entry(if full { others() } else { why })
            .or_default() += rows;
    }

    fn see(&mut self, seen: Seen) {
        match seen {
            Seen::Holds { .. } => self.holds += 1,
            Seen::Differs { .. } => self.differs += 1,
            Seen::Absent => self.absent += 1,
            Seen::Unknown { tried } => self.not_told(tried, 1),
        }
    }
}

/// Asks the site about rows.
#[derive(Clone, Copy)]
pub struct Looker<'a> {
    /// What asking it takes.
    pub asking: Asking<'a>,
    /// The most rows that it is asked about.
    pub most: u64,
    /// Looks that are under way at a time.
    pub in_flight: usize,
    /// Where they run.
    pub handle: &'a Handle,
}

impl Looker<'_> {
    /// Rows that one look asks about.
    fn at_once(target: &Target) -> usize {
        match target.entity {
            Entity::Customer => MAX_FETCH_CUSTOMERS,
            _ => MAX_FETCH_ORGANIZATIONS,
        }
    }

    /// Rows that are worth handing over together.
    pub(super) fn stretch(&self, target: &Target) -> usize {
        Self::at_once(target) * self.in_flight.max(1)
    }

    /// The requests that it takes at most where nothing has to be repeated, for so many rows, of which for so many the
    /// site's id is remembered.
    pub(super) fn requests(&self, target: &Target, rows: u64, remembered: u64) -> u64 {
        let contract = self.asking.client.contract();
        if target.entity != Entity::Customer {
            let profiles = rows.div_ceil(MAX_FETCH_ORGANIZATION_PROFILES as u64);
            let names = (rows - remembered).div_ceil(MAX_FETCH_ORGANIZATIONS as u64);
            return profiles + names;
        }
        let searched = match target.family {
            Family::Details => 0,
            Family::Profile | Family::Account => rows - remembered,
        };
        let ways = u64::from(target.key_detail.is_some()) + u64::from(contract.user_search);
        let fetched = if ways == 0 { rows - searched } else { rows };
        ways * searched + fetched.div_ceil(MAX_FETCH_CUSTOMERS as u64)
    }

    /// Asks about rows; several looks at a time. Blocks.
    pub(super) fn look(&self, target: &Target, rows: &[Wanted], remote: &mut Remote) {
        self.handle.block_on(self.looks(target, rows, remote));
    }

    async fn looks(&self, target: &Target, rows: &[Wanted], remote: &mut Remote) {
        let looks = stream::iter(rows.chunks(Self::at_once(target)))
            .map(|rows| verify::look(self.asking, target, rows))
            .buffer_unordered(self.in_flight.max(1));
        let mut looks = std::pin::pin!(looks);
        while let Some(seen) = looks.next().await {
            for seen in seen {
                remote.see(seen);
            }
        }
    }
}

/// Whether the site can be asked about such records as a whole.
#[must_use]
pub const fn is_asked(entity: Entity) -> bool {
    matches!(entity, Entity::Customer | Entity::Organization)
}
