//! Writes one row by single calls.

use super::context::Context;
use super::seen::{Called, Target};
use crate::model::reply::{ApiError, ErrorClass};
use crate::model::row::PreparedRow;

fn not_wired() -> Called {
    Called::NotSent {
        error: ApiError {
            class: ErrorClass::NotSent,
            request: String::new(),
            status: None,
            message: "single calls are not wired".to_owned(),
            trace_id: None,
        },
    }
}

/// Writes a row. `look_first`: an earlier process may have made its calls.
pub async fn call(
    _context: &Context,
    _target: &Target,
    _row: &PreparedRow,
    _look_first: bool,
) -> Called {
    not_wired()
}

/// Makes a customer a member of organizations.
pub async fn join(
    _context: &Context,
    _target: &Target,
    _customer: &str,
    _organizations: &[String],
) -> Called {
    not_wired()
}
