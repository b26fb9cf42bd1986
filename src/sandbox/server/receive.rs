//! How requests are taken apart: path, query, body.

use super::Shared;
use crate::sandbox::site::{Page, Refusal, requests};
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header;
use axum::http::request::Parts;
use serde::Deserialize;
use std::future::poll_fn;
use std::pin::pin;

/// Bytes a request body may hold.
pub(super) const MAX_BODY: usize = 8 * 1024 * 1024;
/// What is read beyond them to let the client see its 413.
const MAX_DISCARDED: usize = 64 * 1024 * 1024;

/// The body of a request that says it is JSON.
pub(super) struct JsonBytes(pub(super) Vec<u8>);

impl<S: Sync> FromRequest<S> for JsonBytes {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let (head, body) = request.into_parts();
        let kind = head
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok());
        let essence = kind
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default();
        let is_json = essence.trim().eq_ignore_ascii_case("application/json");
        let bytes = read_body(body).await?;
        if !is_json {
            return Err(Refusal {
                status: 415,
                message: "Content-Type must be application/json".to_owned(),
            });
        }
        Ok(Self(bytes))
    }
}

async fn read_body(body: Body) -> Result<Vec<u8>, Refusal> {
    let mut body = pin!(body);
    let (mut bytes, mut read) = (Vec::new(), 0);
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|_| Refusal::bad_request("The request body ends too early"))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        read += data.len();
        if read <= MAX_BODY {
            bytes.extend_from_slice(&data);
        } else if read > MAX_DISCARDED {
            break;
        }
    }
    if read > MAX_BODY {
        return Err(Refusal {
            status: 413,
            message: format!("The request body is larger than {MAX_BODY} bytes"),
        });
    }
    Ok(bytes)
}

/// The body of a request, read by the contract.
pub(super) struct Received<T>(pub(super) T);

impl<T: for<'de> requests::Read<'de>> FromRequest<Shared> for Received<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Refusal> {
        let JsonBytes(bytes) = JsonBytes::from_request(request, app).await?;
        crate::sandbox::site::parse(&app.contract, &bytes).map(Self)
    }
}

/// The id or name in a request's path, percent-decoded.
pub(super) struct Id(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let path = path.map_err(|_| Refusal::not_found("There is no such resource"))?;
        Ok(Self(path.0.1))
    }
}

/// What queries may ask for. Numbers that are none count as absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    pub(super) limit: Option<String>,
    pub(super) start: Option<String>,
    pub(super) cursor: Option<String>,
    pub(super) after: Option<String>,
    pub(super) page: Option<String>,
    pub(super) max_results: Option<String>,
    pub(super) field_name: Option<String>,
    pub(super) product: Option<String>,
    pub(super) product_id: Option<String>,
    pub(super) entity_type: Option<String>,
    pub(super) entity_id: Option<String>,
    pub(super) expand: Option<String>,
    pub(super) query: Option<String>,
}

impl Asked {
    /// `start` and `limit`.
    pub(super) fn records(&self) -> Page {
        Page {
            start: number(self.start.as_ref()),
            limit: number(self.limit.as_ref()),
        }
    }

    /// `fieldName`.
    pub(super) fn field(self) -> Result<String, Refusal> {
        let field = self.field_name.filter(|name| !name.trim().is_empty());
        field.ok_or_else(|| Refusal::bad_request("Query parameter 'fieldName' is required"))
    }
}

/// A number of a query.
pub(super) fn number(text: Option<&String>) -> Option<usize> {
    text.and_then(|text| text.parse().ok())
}
