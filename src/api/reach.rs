//! Whether a server answers at all: name, connection and TLS, without credentials.

use crate::api::client::{Http, Request};
use crate::api::contract::Endpoint;
use crate::api::site::Site;
use crate::api::throttle::http_date;
use crate::model::clock::UnixMillis;
use crate::model::reply::{ApiError, ErrorClass};
use std::time::Duration;

/// A server that answered, whatever it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The HTTP status.
    pub status: u16,
    /// What the time is by its clock, to the second; `None` where it does not say.
    pub date: Option<UnixMillis>,
}

/// Asks a server for what everyone may know, and takes any answer for good.
///
/// # Errors
/// An [`ApiError`] without a status: no connection, no TLS, no answer; `Broken` where `origin` is not usable.
pub async fn reach(origin: &str, user_agent: &str, timeout: Duration) -> Result<Reached, ApiError> {
    let unusable = |error: crate::api::error::ClientError| ApiError {
        class: ErrorClass::Broken,
        request: String::new(),
        status: None,
        message: error.to_string(),
        trace_id: None,
    };
    let site = Site::host(origin).map_err(unusable)?;
    let http = Http::new(&site, user_agent, timeout).map_err(unusable)?;
    let answer = http
        .answer(&site, None, Request::to(Endpoint::TenantInfo))
        .await?;
    Ok(Reached {
        status: answer.status,
        date: answer.headers.get("date").and_then(http_date),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::scripted::Scripted;

    #[tokio::test]
    async fn any_answer_will_do() {
        let server = Scripted::json(404, "{}");
        let origin = server.origin.clone();
        let reached = reach(&origin, "t", Duration::from_secs(5)).await;
        assert_eq!(reached.map(|reached| reached.status), Ok(404));
    }

    #[tokio::test]
    async fn a_closed_port_is_told() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        drop(listener);
        let error = reach(&origin, "t", Duration::from_secs(5)).await;
        let error = error.expect_err("nobody listens");
        assert_eq!((error.class, error.status), (ErrorClass::NotSent, None));
    }
}
