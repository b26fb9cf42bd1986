//! How strict and how fast the site is: limits and times. The site's rules read it and never change it.

use crate::api::contract::{self, Contract};
use std::sync::Arc;

/// The limits and times of a site.
#[derive(Clone)]
pub struct Policy {
    /// Unfinished tasks a site allows; one more is refused.
    pub max_tasks: usize,
    /// Tasks worked at the same time, at least one.
    pub workers: usize,
    /// Microseconds of work for each item of a task.
    pub item_micros: u64,
    /// Microseconds of work for each task, whatever its size.
    pub task_micros: u64,
    /// Milliseconds after which an unfinished task no longer takes a slot. It is still worked.
    pub task_timeout_ms: i64,
    /// Milliseconds for which a finished task and its idempotency key are remembered.
    pub result_ttl_ms: i64,
    /// HTTP status of an accepted bulk request; 200 or 202, which one is not documented.
    pub submit_status: u16,
    /// Whether bulk and task calls without `X-ExperimentalApi: opt-in` are refused with 412.
    pub require_experimental: bool,
    /// The only `Authorization` header that is let in, as sent; `None` lets in any Basic or Bearer.
    pub authorization: Option<String>,
    /// What the site takes the names and forms for that are guessed.
    pub contract: Arc<Contract>,
    /// Milliseconds after which the Jira API's search finds a new customer. Minutes were seen.
    pub user_search_lag_ms: i64,
}

impl Default for Policy {
    /// As documented, but with quick tasks.
    fn default() -> Self {
        Self {
            max_tasks: contract::MAX_TASKS,
            workers: 5,
            item_micros: 200,
            task_micros: 20_000,
            task_timeout_ms: 30 * 60 * 1000,
            result_ttl_ms: 3 * 24 * 60 * 60 * 1000,
            submit_status: 202,
            require_experimental: false,
            authorization: None,
            contract: Arc::default(),
            user_search_lag_ms: 0,
        }
    }
}
