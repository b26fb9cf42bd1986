//! The layer around the API: takes requests in, has their fate decided, and performs it.

use super::trickle::Trickle;
use super::wire::Wire;
use super::{Fate, Faults, answers};
use crate::api::contract::Kind;
use crate::sandbox::policy::RequestFault;
use crate::sandbox::traffic::Fault;
use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;
use tokio::time::sleep;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes of a body that are read for its digest; larger ones count as they are refused, by their path.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// The layer around the API.
pub(in crate::sandbox) async fn misbehave(
    State(faults): State<Arc<Faults>>,
    request: Request,
    next: Next,
) -> Response {
    let matched = request.extensions().get::<MatchedPath>();
    let place = matched.map(|path| (request.method().clone(), path.as_str().to_owned()));
    let endpoint = place.and_then(|place| faults.endpoints.get(&place));
    let Some(endpoint) = endpoint.copied() else {
        return next.run(request).await;
    };
    let wire = request.extensions().get::<ConnectInfo<Wire>>();
    let wire = wire.map(|ConnectInfo(wire)| wire.clone());
    let single = endpoint.kind() == Kind::Single;
    let (request, digest) = if faults.plan.is_any() || single {
        digested(request).await
    } else {
        (request, 0)
    };
    let mut response = match faults.decide(endpoint, digest, request.headers()) {
        Fate::Answered(name, mut response) => {
            drain(request).await;
            response.extensions_mut().insert(Fault(name));
            return response;
        }
        Fate::Dropped => {
            drain(request).await;
            cut(wire.as_ref());
            let mut response = Response::default();
            let fault = Fault(RequestFault::DroppedBefore.name());
            response.extensions_mut().insert(fault);
            return response;
        }
        Fate::Passed(fault) => {
            let response = next.run(request).await;
            if single && response.status().is_success() {
                faults.memory().applied.insert(digest);
            }
            let latency = faults.latency(endpoint);
            if !latency.is_zero() {
                sleep(latency).await;
            }
            match fault {
                None => response,
                Some(fault) => {
                    let mut response = faults.tamper(fault, response, wire.as_ref()).await;
                    response.extensions_mut().insert(Fault(fault.name()));
                    response
                }
            }
        }
    };
    let allowance = faults.memory().gate.allowance();
    if let Some((limit, left)) = allowance {
        answers::tell_allowance(response.headers_mut(), limit, left);
    }
    response
}

/// Reads a request's body, and gives a digest of what is asked.
async fn digested(request: Request) -> (Request, u64) {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("", |path| path.as_str());
    let path = xxh3_64_with_seed(path.as_bytes(), method_number(&head.method));
    let bytes = read(body).await;
    let digest = xxh3_64_with_seed(&bytes, path);
    (Request::from_parts(head, bytes.into()), digest)
}

fn method_number(method: &Method) -> u64 {
    xxh3_64_with_seed(method.as_str().as_bytes(), 0)
}

/// A body's bytes; none of one that breaks off or never ends.
async fn read(body: Body) -> Bytes {
    if body.is_end_stream() {
        return Bytes::new();
    }
    to_bytes(body, MAX_BODY).await.unwrap_or_default()
}

/// Takes in what the caller still sends, so that it is there to hear the answer.
async fn drain(request: Request) {
    let _ = read(request.into_body()).await;
}

fn cut(wire: Option<&Wire>) {
    if let Some(wire) = wire {
        wire.cut();
    }
}

impl Faults {
    /// What becomes of the site's answer.
    async fn tamper(
        &self,
        fault: RequestFault,
        response: Response,
        wire: Option<&Wire>,
    ) -> Response {
        match fault {
            RequestFault::Applied504 => answers::bad_gateway(StatusCode::GATEWAY_TIMEOUT),
            RequestFault::DroppedAfter => {
                cut(wire);
                response
            }
            RequestFault::Truncated => {
                let (mut head, body) = response.into_parts();
                head.headers.remove(header::CONTENT_LENGTH);
                let bytes = read(body).await;
                Response::from_parts(head, bytes.slice(..bytes.len() / 2).into())
            }
            RequestFault::SlowAnswer => {
                sleep(self.real(self.policy.slow_answer_ms)).await;
                response
            }
            RequestFault::SlowBody => {
                let over = self.real(self.policy.slow_body_ms);
                let (head, body) = response.into_parts();
                let body = Trickle::new(read(body).await, over);
                Response::from_parts(head, Body::new(body))
            }
            _ => response,
        }
    }
}
