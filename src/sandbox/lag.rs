//! The site as its readers see it: a copy that learns of every change a while later.

use super::site::{Change, Site};
use crate::model::clock::UnixMillis;
use std::collections::VecDeque;

/// A copy of a site that lags behind it.
pub(super) struct Lagging {
    site: Site,
    lag: UnixMillis,
    /// Changes with the times at which they are seen, oldest first.
    waiting: VecDeque<(UnixMillis, Change)>,
}

impl Lagging {
    /// A copy that is so many milliseconds behind; none where that is no time at all.
    pub(super) fn new(site: &Site, lag: UnixMillis) -> Option<Self> {
        (lag > 0).then(|| Self {
            site: site.clone(),
            lag,
            waiting: VecDeque::new(),
        })
    }

    /// Takes note of what changed.
    pub(super) fn note(&mut self, now: UnixMillis, changes: &[Change]) {
        let seen = now.saturating_add(self.lag);
        let changes = changes.iter().map(|change| (seen, change.clone()));
        self.waiting.extend(changes);
    }

    /// The site as it is seen now.
    pub(super) fn seen(&mut self, now: UnixMillis) -> &Site {
        while let Some((_, change)) = self.waiting.pop_front_if(|(seen, _)| *seen <= now) {
            let repeated = self.site.repeat(change);
            repeated.expect("changes fit the site that made them, in their order");
        }
        &self.site
    }
}
