//! What a load begins with, before anything was seen of the site's tasks.

use super::{CallTimes, Choice, Facts, Queue, RouteConfig, Router, TaskTimes};
use std::time::Instant;

/// Whether a load sends a bulk request at all before it knows what tasks take, where a row is expected to take so many
/// calls. If not, its rows go by single calls: fewer are left with each, and fewer
/// risk less. (Where a little more would be risked, a probe may go by bulk all the same.)
///
/// `seen` are the times of calls as they will turn out: where these are slow, a request may be worth its risk once the first
/// of them have ended.
#[must_use]
pub fn risks_bulk(
    config: &RouteConfig,
    slots: usize,
    expected_calls: f64,
    seen: &CallTimes,
    now: Instant,
) -> bool {
    let facts = Facts {
        rows_left: Some(config.expected_rows),
        slots,
        // as many again as there are slots may wait for one
        free_slots: 2 * slots,
        unfinished: Queue::default(),
        single_rows: 0,
        calls: Some(expected_calls),
    };
    [CallTimes::default(), seen.clone()]
        .into_iter()
        .any(|calls| {
            let mut router = Router::new(config.clone()).knowing(TaskTimes::default(), calls);
            matches!(router.assign(now, &facts), Choice::Bulk { .. })
        })
}
