//! Requests as whoever examines a site asks them: any body to any endpoint, and the answer as it came.

use crate::api::classify::Headers;
use crate::api::client::{Client, Request};
use crate::api::contract::Endpoint;
use crate::model::reply::ApiError;
use serde_json::Value;

/// A request whose keys are for the caller to choose.
#[derive(Debug, Clone, PartialEq)]
pub struct Inquiry {
    /// Where it goes.
    pub endpoint: Endpoint,
    /// The parameter of the path; empty where that has none.
    pub of: String,
    /// The query.
    pub query: Vec<(&'static str, String)>,
    /// The body.
    pub body: Option<Value>,
    /// The idempotency key of a bulk write.
    pub key: Option<String>,
}

impl Inquiry {
    /// A request without parameter, query and body.
    #[must_use]
    pub const fn to(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            of: String::new(),
            query: Vec::new(),
            body: None,
            key: None,
        }
    }

    /// Fills the parameter of the path.
    #[must_use]
    pub fn of(mut self, parameter: &str) -> Self {
        parameter.clone_into(&mut self.of);
        self
    }

    /// Adds to the query.
    #[must_use]
    pub fn query(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    /// The JSON to send.
    #[must_use]
    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

/// A successful answer, as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole {
    /// The HTTP status.
    pub status: u16,
    /// The body; null where there was none.
    pub body: Value,
    /// Those headers that are kept.
    pub headers: Headers,
}

impl Client {
    /// Sends it once.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn inquire(&self, inquiry: &Inquiry) -> Result<Whole, ApiError> {
        let mut request = Request::to(inquiry.endpoint).may_be_empty();
        if !inquiry.of.is_empty() {
            request = request.of(&inquiry.of);
        }
        for (key, value) in &inquiry.query {
            request = request.query(key, value);
        }
        if let Some(body) = &inquiry.body {
            request = request.json(body);
        }
        if let Some(key) = &inquiry.key {
            request = request.key(key);
        }
        let read = |value: &Value, answer: &crate::api::classify::Answer| {
            Ok(Whole {
                status: answer.status,
                body: value.clone(),
                headers: answer.headers.clone(),
            })
        };
        Ok(self.call_whole(request, read).await?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::contract::query;
    use crate::api::scripted::exchange;
    use serde_json::json;

    #[tokio::test]
    async fn what_is_asked_goes_out_and_the_whole_answer_comes_back() {
        let inquiry = Inquiry::to(Endpoint::SetOrganizationDetail)
            .of("1/2")
            .query(query::FIELD_NAME, "a b")
            .body(json!({ "x": [1] }));
        let (given, asked) = exchange(202, r#"{"id":7}"#, async |client| {
            client.inquire(&inquiry).await
        })
        .await;
        insta::assert_snapshot!(asked, @r#"PUT /api/v1/organization/1%2F2/details?fieldName=a+b {"x":[1]}"#);
        let whole = given.expect("an answer");
        assert_eq!((whole.status, &whole.body["id"]), (202, &json!(7)));
    }

    #[tokio::test]
    async fn an_answer_without_a_body_is_null() {
        let (given, _) = exchange(204, "", async |client| {
            let inquiry = Inquiry::to(Endpoint::DeleteProduct).of("p");
            client.inquire(&inquiry).await
        })
        .await;
        assert_eq!(given.expect("an answer").body, Value::Null);
    }
}
