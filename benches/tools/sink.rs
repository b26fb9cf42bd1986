//! An instant site for measurements: takes every bulk request, and has done every task by the time it is asked for it.
//! What the loader costs shows beside it, and not what a site costs. It knows every organization that it is asked for,
//! and the products of the samples; it keeps nothing, and looks at no credentials. Any `…/bulk` will do, so that other
//! programs can be measured against it. `GET /counts` tells how many bulk requests and polls came, and the bytes of the former.
//! usage: sink [MILLISECONDS before a bulk request is answered]

#![expect(clippy::print_stdout, reason = "tells where it listens")]

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use csm_loader::api::contract::{Endpoint, Name, answer, keys, task_status};
use serde_json::{Value, json};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;
use xxhash_rust::xxh3::xxh3_64;

/// The products of the samples, of which the samples' site has some from the start.
const PRODUCTS: &str = include_str!("../../samples/products.csv");
const SITE: &str = include_str!("../../samples/site.toml");

#[derive(Debug)]
struct Sink {
    requests: AtomicU64,
    bytes: AtomicU64,
    polls: AtomicU64,
    delay: Duration,
}

fn main() -> Result<(), Box<dyn Error>> {
    let millis = std::env::args().nth(1);
    let millis = millis.map_or(Ok(0), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_current_thread();
    { runtime }
        .enable_all()
        .build()?
        .block_on(listen(Duration::from_millis(millis)))
}

async fn listen(delay: Duration) -> Result<(), Box<dyn Error>> {
    let sink = Sink {
        requests: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        polls: AtomicU64::new(0),
        delay,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("serving http://{}", listener.local_addr()?);
    let site = Router::new()
        .fallback(serve)
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::new(sink));
    Ok(axum::serve(listener, site).await?)
}

async fn serve(State(sink): State<Arc<Sink>>, method: Method, uri: Uri, body: Bytes) -> Response {
    let path = uri.path();
    let is = |endpoint: Endpoint| path.ends_with(endpoint.path());
    if method == Method::GET {
        return if path.contains("/tasks/") {
            sink.polls.fetch_add(1, Ordering::Relaxed);
            let done = json!({ answer::STATUS: task_status::FINISHED, answer::FAILURES: [] });
            said(StatusCode::OK, &done)
        } else if path == "/counts" {
            said(StatusCode::OK, &counts(&sink))
        } else if is(Endpoint::ListProducts) {
            said(StatusCode::OK, &json!({ answer::RESULTS: products() }))
        } else {
            StatusCode::NOT_FOUND.into_response()
        };
    }
    if is(Endpoint::FetchOrganizations) {
        return said(StatusCode::OK, &organizations(&body));
    }
    if !path.ends_with("/bulk") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let delay = sink.delay;
    // the runtime's own timer is up to a millisecond late
    if !delay.is_zero() && spawn_blocking(move || thread::sleep(delay)).await.is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    sink.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
    let task = sink.requests.fetch_add(1, Ordering::Relaxed);
    let accepted =
        json!({ answer::ID: task.to_string(), answer::STATUS: task_status::NOT_STARTED });
    said(StatusCode::ACCEPTED, &accepted)
}

fn said(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, body.to_string()).into_response()
}

fn counts(sink: &Sink) -> Value {
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    json!({ "requests": read(&sink.requests), "polls": read(&sink.polls), "bytes": read(&sink.bytes) })
}

/// Those that are asked for, under ids that follow from their names.
fn organizations(body: &[u8]) -> Value {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let names = asked[Name::FetchOrganizationNames.default()].as_array();
    let found = names.into_iter().flatten().filter_map(Value::as_str);
    let found: Vec<_> = found.map(record).collect();
    json!({ Name::FetchedOrganizations.default(): found })
}

fn products() -> Vec<Value> {
    let mut lines = csv::ReaderBuilder::new()
        .delimiter(b';')
        .from_reader(PRODUCTS.as_bytes());
    let records = lines.records().filter_map(Result::ok);
    let names = records.filter_map(|record| record.get(1).map(str::to_owned));
    let before = SITE.split("[[product]]\nname = \"").skip(1);
    let before = before.filter_map(|rest| rest.split('"').next());
    let before: Vec<_> = before.map(record).collect();
    names
        .map(|name| record(name.trim()))
        .chain(before)
        .collect()
}

fn record(name: &str) -> Value {
    let id = (xxh3_64(name.as_bytes()) >> 24).to_string();
    json!({ answer::ID: id, keys::NAME: name })
}
