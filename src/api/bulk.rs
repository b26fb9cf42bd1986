//! Bulk requests and the tasks they start.

use crate::api::client::{Client, Lacks, Request};
use crate::api::contract::{Endpoint, Kind, answer, task_status};
use crate::api::read::{id, scalar};
use crate::api::words;
use crate::model::reply::{Accepted, ApiError, ErrorClass, TaskFailure, TaskId, TaskView};
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;

/// A body whose bytes others hold, too: it goes out without being copied.
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Client {
    /// Submits a bulk request. Accepted is not loaded: the task tells. The answer's shape is documented, its status
    /// is not, so that any 2xx will do.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; after `MaybeApplied` only the same body with the same key may follow.
    pub async fn submit(
        &self,
        endpoint: Endpoint,
        body: Arc<Vec<u8>>,
        idempotency_key: &str,
    ) -> Result<Accepted, ApiError> {
        debug_assert!(endpoint.kind() == Kind::Bulk, "no bulk endpoint");
        let request = Request::to(endpoint)
            .body(Bytes::from_owner(Shared(body)))
            .key(idempotency_key);
        let read = |value: &Value| id(value).map(TaskId).ok_or(Lacks("the task's id"));
        let (task, trace_id) = self.call(request, read).await?;
        Ok(Accepted { task, trace_id })
    }

    /// Asks for a task's state. Documented; how failures name their records is not, so that any of it may be missing.
    ///
    /// # Errors
    /// An [`ApiError`]; never for a task that the site does not know, which is [`TaskView::Gone`].
    pub async fn task(&self, task: &TaskId) -> Result<TaskView, ApiError> {
        let request = Request::to(Endpoint::GetTask).of(&task.0);
        match self.call(request, view).await {
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

/// A state other than the two documented final ones counts as running: whoever polls has a deadline.
fn view(value: &Value) -> Result<TaskView, Lacks> {
    let status = value.get(answer::STATUS).and_then(Value::as_str);
    let failures = || {
        value
            .get(answer::FAILURES)
            .map(failures)
            .unwrap_or_default()
    };
    match status.map(str::trim) {
        None | Some("") => Err(Lacks("the task's status")),
        Some(word) if word.eq_ignore_ascii_case(task_status::FINISHED) => {
            Ok(TaskView::Finished(failures()))
        }
        Some(word) if word.eq_ignore_ascii_case(task_status::FAILED) => {
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
    let error = match item.get(answer::ERROR) {
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => words::said(item),
    };
    TaskFailure {
        entity_id: text(answer::ENTITY_ID),
        operation: text(answer::OPERATION),
        operated_on: text(answer::OPERATED_ON),
        operated_on_ids: match item.get(answer::OPERATED_ON_IDS) {
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

#[cfg(test)]
mod tests {
    use super::*;

    use crate::api::scripted::{Scripted, Step, answer};

    fn seen(body: &str) -> Result<TaskView, &'static str> {
        view(&serde_json::from_str(body).expect("JSON")).map_err(|Lacks(what)| what)
    }

    #[test]
    fn task_states_are_read_and_unknown_ones_count_as_running() {
        for (body, expected) in [
            (r#"{"status":"NOT_STARTED"}"#, TaskView::Running),
            (
                r#"{"status":"IN_PROGRESS","failures":[{"error":"early"}]}"#,
                TaskView::Running,
            ),
            (r#"{"status":"CANCELLING"}"#, TaskView::Running),
            (r#"{"status":"FINISHED"}"#, TaskView::Finished(vec![])),
            (
                r#"{"status":"finished ","failures":null}"#,
                TaskView::Finished(vec![]),
            ),
            (
                r#"{"status":"FAILED","failures":[]}"#,
                TaskView::Failed(vec![]),
            ),
        ] {
            assert_eq!(seen(body), Ok(expected), "{body}");
        }
        for body in [
            "{}",
            "[]",
            r#"{"status":null}"#,
            r#"{"status":" "}"#,
            r#"{"status":3}"#,
        ] {
            assert_eq!(seen(body), Err("the task's status"), "{body}");
        }
    }

    #[test]
    fn failures_are_read_whatever_is_missing() {
        let body = r#"{"status":"FINISHED","failures":[
            {"entity":"CUSTOMER","entityId":"qm:1:2","operation":"CREATE","operatedOn":"CUSTOMER_ACCOUNT",
             "operatedOnIds":["Region",7,null],"error":"Invalid detail field"},
            {"entityId":null,"operatedOnIds":null,"error":" two\n lines "},
            {"entityId":123,"operatedOnIds":"Region","error":{"message":"nested"}},
            {"entityId":"","error":17},
            "a bare text",
            {},
            null
        ]}"#;
        let Ok(TaskView::Finished(failures)) = seen(body) else {
            panic!("finished")
        };
        let shown: Vec<_> = failures
            .iter()
            .map(|f| {
                format!(
                    "{:?} {:?} {:?} {:?}: {}",
                    f.entity_id, f.operation, f.operated_on, f.operated_on_ids, f.error
                )
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        Some("qm:1:2") Some("CREATE") Some("CUSTOMER_ACCOUNT") ["Region", "7"]: Invalid detail field
        None None None []: two lines
        Some("123") None None ["Region"]: nested
        None None None []: 17
        None None None []: a bare text
        None None None []: the site gave no reason
        None None None []: the site gave no reason
        "#);
        let Ok(TaskView::Failed(failures)) = seen(r#"{"status":"FAILED","failures":"timed out"}"#)
        else {
            panic!("failed")
        };
        assert_eq!(failures[0].error, "timed out");
    }

    #[tokio::test]
    async fn any_success_with_an_id_is_accepted() {
        for (status, body, expected) in [
            (200, r#"{"id":"a-1"}"#, "a-1"),
            (201, r#"{"id":17}"#, "17"),
            (202, r#"{"id":"x","y":1}"#, "x"),
        ] {
            let bytes = answer(status, &[("Atl-Request-Id", "r-1")], body.as_bytes());
            let server = Scripted::start(vec![Step::Answer(bytes)]);
            let accepted = server
                .client()
                .submit(
                    Endpoint::BulkOrganizationProfiles,
                    Arc::new(b"{}".to_vec()),
                    "k",
                )
                .await;
            let accepted = accepted.expect("accepted");
            assert_eq!(accepted.task.0, expected);
            assert_eq!(accepted.trace_id.as_deref(), Some("r-1"));
        }
    }

    #[tokio::test]
    async fn a_success_without_an_id_leaves_open_whether_it_was_applied() {
        for body in [
            "{}",
            r#"{"id":null}"#,
            r#"{"id":""}"#,
            "[]",
            "",
            "<p>",
            r#"{"id":"#,
        ] {
            let server = Scripted::json(202, body);
            let refused = server
                .client()
                .submit(
                    Endpoint::BulkOrganizationProfiles,
                    Arc::new(b"{}".to_vec()),
                    "k",
                )
                .await;
            assert_eq!(
                refused.expect_err("unusable").class,
                ErrorClass::MaybeApplied,
                "{body}"
            );
        }
    }

    #[tokio::test]
    async fn a_task_is_gone_only_if_the_api_says_so() {
        let task = TaskId("a/b:1".to_owned());
        let server = Scripted::json(404, r#"{"errorMessage":"Task not found","statusCode":404}"#);
        assert_eq!(server.client().task(&task).await, Ok(TaskView::Gone));
        assert_eq!(
            server.seen()[0].line(),
            "GET /jsm/csm/cloudid/c-1/api/v1/tasks/a%2Fb%3A1 HTTP/1.1"
        );

        let page = answer(
            404,
            &[("Content-Type", "text/html")],
            b"<title>Page Unavailable</title>",
        );
        let server = Scripted::start(vec![Step::Answer(page)]);
        let error = server
            .client()
            .task(&task)
            .await
            .expect_err("not the API's word");
        assert_eq!(error.class, ErrorClass::MaybeApplied);
        insta::assert_snapshot!(error, @r#"GET /api/v1/tasks/a%2Fb%3A1 was answered 404: an HTML page ("Page Unavailable")"#);

        let server = Scripted::json(200, r#"{"state":"FINISHED"}"#);
        let error = server.client().task(&task).await.expect_err("not a task");
        assert_eq!(error.class, ErrorClass::Broken);
        insta::assert_snapshot!(error, @"GET /api/v1/tasks/a%2Fb%3A1 was answered 200: JSON without the task's status, which the API should give");
    }
}
