//! Bulk requests and the tasks they start.

use crate::api::classify::Kind;
use crate::api::client::{Client, Lacks, Request};
use crate::api::contract::{self, BulkEndpoint, answers};
use crate::api::site::path;
use crate::api::words;
use crate::model::reply::{Accepted, ApiError, ErrorClass, TaskFailure, TaskId, TaskView};
use serde_json::Value;

impl Client {
    /// Submits a bulk request. Accepted is not loaded: the task tells. The answer's shape is documented, its status
    /// is not, so that any 2xx will do.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; after `MaybeApplied` only the same body with the same key may follow.
    pub async fn submit(
        &self,
        endpoint: BulkEndpoint,
        body: Vec<u8>,
        idempotency_key: &str,
    ) -> Result<Accepted, ApiError> {
        let request = Request {
            path: endpoint.path,
            kind: Kind::Bulk,
            body: Some(body),
            key: Some(idempotency_key),
        };
        let read = |value: &Value| id(value).map(TaskId).ok_or(Lacks("the task's id"));
        let (task, trace_id) = self.call(request, read).await?;
        Ok(Accepted { task, trace_id })
    }

    /// Asks for a task's state. Documented; how failures name their records is not, so that any of it may be missing.
    ///
    /// # Errors
    /// An [`ApiError`]; never for a task that the site does not know, which is [`TaskView::Gone`].
    pub async fn task(&self, task: &TaskId) -> Result<TaskView, ApiError> {
        let path = path(contract::TASK, &task.0);
        match self.call(Request::get(&path), view).await {
            Ok((view, _)) => Ok(view),
            // refused by the API itself: a gateway's page is of another class
            Err(ApiError {
                class: ErrorClass::Refused,
                status: Some(404 | 410),
                ..
            }) => Ok(TaskView::Gone),
            Err(error) => Err(error),
        }
    }
}

/// An id, which comes as a string or a number.
pub(super) fn id(value: &Value) -> Option<String> {
    scalar(value.get(answers::ID)?)
}

/// A state other than the two documented final ones counts as running: whoever polls has a deadline.
fn view(value: &Value) -> Result<TaskView, Lacks> {
    let status = value.get(answers::STATUS).and_then(Value::as_str);
    let failures = || {
        value
            .get(answers::FAILURES)
            .map(failures)
            .unwrap_or_default()
    };
    match status.map(str::trim) {
        None | Some("") => Err(Lacks("the task's status")),
        Some(word) if word.eq_ignore_ascii_case(answers::FINISHED) => {
            Ok(TaskView::Finished(failures()))
        }
        Some(word) if word.eq_ignore_ascii_case(answers::FAILED) => {
            Ok(TaskView::Failed(failures()))
        }
        Some(_) => Ok(TaskView::Running),
    }
}

/// Absent, null and empty are the same; whatever stands in the list is a failure.
fn failures(value: &Value) -> Vec<TaskFailure> {
    match value {
        Value::Array(items) => items.iter().map(failure).collect(),
        Value::Null => Vec::new(),
        single => vec![failure(single)],
    }
}

fn failure(item: &Value) -> TaskFailure {
    let text = |key| item.get(key).and_then(scalar);
    let error = match item.get(answers::FAILURE_ERROR) {
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => words::said(item),
    };
    TaskFailure {
        entity_id: text(answers::FAILURE_ENTITY_ID),
        operation: text(answers::FAILURE_OPERATION),
        operated_on: text(answers::FAILURE_OPERATED_ON),
        operated_on_ids: match item.get(answers::FAILURE_OPERATED_ON_IDS) {
            Some(Value::Array(ids)) => ids.iter().filter_map(scalar).collect(),
            Some(single) => scalar(single).into_iter().collect(),
            None => Vec::new(),
        },
        error: match error {
            Some(error) => words::line(&error),
            None => "the site gave no reason".to_owned(),
        },
    }
}

/// A string that is not empty, or a number.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
