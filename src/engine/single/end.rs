//! How a row ends that is not loaded.

use super::call::Row;
use super::find::Finder;
use super::steps;
use super::told;
use crate::engine::seen::Called;
use crate::model::code::Code;
use crate::model::reply::{ApiError, ErrorClass};
use crate::model::row::Reason;

/// The end of a row that is not loaded.
pub(super) struct End(pub(super) Box<Called>);

impl<F: Finder> Row<'_, '_, F> {
    pub(super) fn no_such_record(&self) -> End {
        let reason = steps::against_creation(self.caller.target, &self.asks);
        let why = || "the site has no such record".to_owned();
        self.refused(
            reason.unwrap_or_else(|| steps::reason(Code::NotFound, None, why())),
            None,
        )
    }

    /// Nothing can be written without an id that cannot be found.
    pub(super) fn without_id(&self, tried: &str) -> End {
        let message = format!(
            "single calls write an existing {} by its id, which cannot be found: {tried}",
            self.caller.target.entity
        );
        self.refused(steps::reason(Code::BulkOnly, None, message), None)
    }

    /// The row ends refused.
    pub(super) fn refused(&self, reason: Reason, trace_id: Option<String>) -> End {
        let before = self.begun && self.remote_id.is_some();
        End(Box::new(Called::Refused {
            reasons: told::with_written(reason, &self.written, before),
            remote_id: self.remote_id.clone(),
            trace_id,
        }))
    }

    /// The row ends without an answer, or refused where it is one.
    pub(super) fn failed(&self, error: ApiError, tried: &str) -> End {
        // what was lost before is not undone by a look that is refused
        if error.class == ErrorClass::Refused && !self.lost {
            let trace_id = error.trace_id.clone();
            return self.refused(told::creation(&error), trace_id);
        }
        if !self.lost && self.written.is_empty() {
            return End(Box::new(Called::NotSent { error }));
        }
        self.unclear(error, tried)
    }

    /// The row ends, and whether it was written cannot be told.
    pub(super) fn unclear(&self, error: ApiError, tried: &str) -> End {
        let tried = if self.written.is_empty() {
            tried.to_owned()
        } else {
            format!("{tried}; written before: {}", self.written.join(", "))
        };
        End(Box::new(Called::Lost { error, tried }))
    }
}

/// The error of a row whose item is none.
pub(super) fn unreadable() -> ApiError {
    ApiError {
        class: ErrorClass::Broken,
        request: String::new(),
        status: None,
        message: "the row's item cannot be read, which is a defect".to_owned(),
        trace_id: None,
    }
}

/// The error of a row that an interrupted run may have created.
pub(super) fn interrupted() -> ApiError {
    ApiError {
        // nothing that a look says of it can be wrong with the site
        class: ErrorClass::Refused,
        request: String::new(),
        status: None,
        message: "an interrupted run may have created this record".to_owned(),
        trace_id: None,
    }
}
