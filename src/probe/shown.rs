//! What was sent and what came back, in one line that names no record of anybody else.

use crate::api::raw::{Inquiry, Whole};
use crate::model::reply::ApiError;
use serde_json::Value;

/// Characters of a body that are shown.
const MOST: usize = 400;

/// A request with what came of it.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) inquiry: Inquiry,
    pub(super) answer: Result<Whole, ApiError>,
    /// Whether a read showed its effect afterwards.
    pub(super) showed: bool,
}

impl Exchange {
    /// The body of a success.
    pub(super) fn body(&self) -> Option<&Value> {
        self.answer.as_ref().ok().map(|whole| &whole.body)
    }

    /// In one line. Of lists only those items are shown that mention one of `ours`.
    pub(super) fn line(&self, ours: &[String]) -> String {
        let showed = if self.showed {
            "; then read as written"
        } else {
            ""
        };
        format!("sent {}; came {}{showed}", self.sent(), self.came(ours))
    }

    /// The path with its parameter, for people: nothing in it is encoded.
    fn path(&self) -> String {
        let path = self.inquiry.endpoint.path();
        match (path.find('{'), path.find('}')) {
            (Some(start), Some(end)) => {
                format!("{}{}{}", &path[..start], self.inquiry.of, &path[end + 1..])
            }
            _ => path.to_owned(),
        }
    }

    fn sent(&self) -> String {
        let endpoint = self.inquiry.endpoint;
        let mut text = format!("{} {}", endpoint.method().name(), self.path());
        let query: Vec<_> = self
            .inquiry
            .query
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        if !query.is_empty() {
            text = format!("{text}?{}", query.join("&"));
        }
        match &self.inquiry.body {
            Some(body) => format!("{text} {}", cut(&body.to_string())),
            None => text,
        }
    }

    /// What came back.
    pub(super) fn came(&self, ours: &[String]) -> String {
        match &self.answer {
            Ok(whole) if whole.body.is_null() => whole.status.to_string(),
            Ok(whole) => {
                let mut body = whole.body.clone();
                leave_out(&mut body, ours);
                format!("{} {}", whole.status, cut(&body.to_string()))
            }
            Err(error) => match error.status {
                Some(status) => format!("{status}: {}", error.message),
                None => format!("no answer: {}", error.message),
            },
        }
    }
}

/// Leaves those objects out of lists that mention none of `ours`.
fn leave_out(value: &mut Value, ours: &[String]) {
    match value {
        Value::Array(items) => {
            items.retain(|item| {
                let text = item.to_string();
                !item.is_object() || ours.iter().any(|own| text.contains(own))
            });
            for item in items {
                leave_out(item, ours);
            }
        }
        Value::Object(entries) => {
            for (_, value) in entries.iter_mut() {
                leave_out(value, ours);
            }
        }
        _ => {}
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::classify::Headers;
    use crate::api::contract::{Endpoint, query};
    use serde_json::json;

    #[test]
    fn other_peoples_records_are_not_shown() {
        let body = json!({"organizations": [{"id": "1", "name": "Secret Ltd"}, {"id": "7", "name": "probe-x a"}]});
        let exchange = Exchange {
            inquiry: Inquiry::to(Endpoint::FetchOrganizations)
                .query(query::LIMIT, "1")
                .body(json!({"names": ["probe-x a"]})),
            answer: Ok(Whole {
                status: 200,
                body,
                headers: Headers::default(),
            }),
            showed: false,
        };
        insta::assert_snapshot!(
            exchange.line(&["probe-x".to_owned()]),
            @r#"sent POST /api/v1/organization/fetch?limit=1 {"names":["probe-x a"]}; came 200 {"organizations":[{"id":"7","name":"probe-x a"}]}"#
        );
    }

    #[test]
    fn long_bodies_are_cut() {
        let text = cut(&"ä".repeat(500));
        assert_eq!(text.chars().count(), MOST + 1);
    }
}
