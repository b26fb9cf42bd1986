//! What the site answered, in the engine's terms.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A bulk task's id on the site, opaque.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TaskId(pub String);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A bulk request was accepted: nothing is loaded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The task to wait for.
    pub task: TaskId,
    /// The answer's trace id, for the site's support.
    pub trace_id: Option<String>,
}

/// One failed operation of a task, in the site's words. Any of it may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskFailure {
    /// The record: a remote id, an e-mail, a name, or nothing.
    pub entity_id: Option<String>,
    /// The verb (`CREATE`, …).
    pub operation: Option<String>,
    /// Which part of the record (`CUSTOMER_ACCOUNT`, …).
    pub operated_on: Option<String>,
    /// Names of the detail fields or ids concerned.
    pub operated_on_ids: Vec<String>,
    /// The reason.
    pub error: String,
}

/// What a poll of a task showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskView {
    /// Queued or running.
    Running,
    /// Ended; rows not named in the failures were written.
    Finished(Vec<TaskFailure>),
    /// Ended as failed; which rows were written is unknown.
    Failed(Vec<TaskFailure>),
    /// The site does not know the task (any more).
    Gone,
}

/// A detail field of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetailField {
    /// Its name, as the site writes it.
    pub name: String,
    /// Its type, in capitals where it is a documented one.
    pub kind: String,
    /// Its options; empty for a type without.
    pub options: Vec<String>,
}

/// What a failed request means for what to do next. `engine::retry` reads this and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorClass {
    /// The request never reached the site: sending it again is safe.
    NotSent,
    /// The request may have been applied: only an identical repetition with the same key is safe.
    MaybeApplied,
    /// The site asks to wait.
    Throttled {
        /// How long, where it says so.
        after: Option<Duration>,
        /// Which requests it means.
        scope: Throttle,
    },
    /// All task slots of the site are taken: back-pressure, not an error.
    Busy,
    /// The site refused the request and applied nothing of it.
    Refused,
    /// The access token may have expired: with a new one the same request may succeed. Nothing was applied.
    AuthExpired,
    /// The credentials or permissions do not suffice, or the site is not there: no request of this kind can succeed.
    AuthWrong,
    /// The answer makes no sense: a defect of ours, or a change of the API.
    Broken,
}

/// Which requests a wait means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Throttle {
    /// Too many within a second: requests to the same endpoint.
    Burst,
    /// A quota is used up, or the site does not say: every request.
    Quota,
}

/// A request that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// What it means.
    pub class: ErrorClass,
    /// What was asked, as `POST /api/v1/customer/profile/bulk`; empty where it did not come to asking.
    pub request: String,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// The site's own words, or what the transport reported. Holds no secret.
    pub message: String,
    /// The answer's trace id, for the site's support.
    pub trace_id: Option<String>,
}

impl ApiError {
    /// What to look at where there was no connection; else nothing.
    #[must_use]
    pub fn what_to_check(&self) -> &'static str {
        match (&self.class, self.status) {
            (ErrorClass::NotSent, None) => {
                "; check the site's address and the network: csm-loader doctor looks at each"
            }
            _ => "",
        }
    }

    /// Whether the API says that what was asked for is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.class == ErrorClass::Refused && self.status == Some(404)
    }

    /// Whether the request may have been carried out. A 503 that asks to wait may come from behind the API, unlike a 429.
    #[must_use]
    pub fn may_be_applied(&self) -> bool {
        match self.class {
            ErrorClass::MaybeApplied | ErrorClass::Broken => true,
            ErrorClass::Throttled { .. } => self.status == Some(503),
            ErrorClass::NotSent
            | ErrorClass::Busy
            | ErrorClass::Refused
            | ErrorClass::AuthExpired
            | ErrorClass::AuthWrong => false,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.request.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{} ", self.request)?;
        match self.status {
            Some(status) => write!(f, "was answered {status}: {}", self.message)?,
            None => write!(f, "had no answer: {}", self.message)?,
        }
        match &self.trace_id {
            Some(id) => write!(f, " (trace id {id})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {}
