//! For tests: a server on this machine that follows a script, one step a connection, and remembers what it was sent.

use crate::api::auth::Auth;
use crate::api::client::{Client, ClientConfig, Gate};
use crate::api::contract::{Contract, Endpoint};
use crate::api::site::Site;
use crate::model::reply::ApiError;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// What happens on one connection.
pub(super) enum Step {
    /// The request is read, then answered with these bytes.
    Answer(Vec<u8>),
    /// The connection is closed at once.
    Hang,
    /// The request is read, then the connection is closed.
    Drop,
    /// The request is read and these bytes are sent; then nothing, until the client gives up.
    Stall(Vec<u8>),
}

/// A request as it arrived.
pub(super) struct Seen {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn line(&self) -> &str {
        self.head.lines().next().expect("a request line")
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

pub(super) struct Scripted {
    pub(super) origin: String,
    server: JoinHandle<Vec<Seen>>,
}

impl Scripted {
    pub(super) fn start(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("bound"));
        let server = std::thread::spawn(move || {
            let perform = |step| perform(step, &listener.accept().expect("a connection").0);
            steps.iter().filter_map(perform).collect()
        });
        Self { origin, server }
    }

    /// One answer with a JSON body.
    pub(super) fn json(status: u16, body: &str) -> Self {
        Self::start(vec![Step::Answer(answer(status, &[], body.as_bytes()))])
    }

    pub(super) fn client(&self) -> Client {
        self.hasty_client(Duration::from_secs(10))
    }

    /// A client for which the API's names are these.
    pub(super) fn client_of(&self, contract: Contract) -> Client {
        let site = Site::cloud(&self.origin, "c-1").expect("a usable address");
        Client::new(config(site, Duration::from_secs(10), contract)).expect("a client")
    }

    pub(super) fn hasty_client(&self, timeout: Duration) -> Client {
        client(&self.origin, timeout)
    }

    /// What was sent, once the script is over.
    pub(super) fn seen(self) -> Vec<Seen> {
        self.server.join().expect("the script ran")
    }
}

pub(super) fn client(origin: &str, timeout: Duration) -> Client {
    let site = Site::cloud(origin, "c-1").expect("a usable address");
    Client::new(config(site, timeout, Contract::default())).expect("a client")
}

fn config(site: Site, timeout: Duration, contract: Contract) -> ClientConfig {
    ClientConfig {
        site,
        auth: Auth::Basic {
            email: "ana@example.com".to_owned(),
            token: "s3cret".into(),
        },
        timeout,
        user_agent: "jira-csm-loader-int/0.0".to_owned(),
        contract: Arc::new(contract),
        gate: Arc::new(AtOnce),
    }
}

/// Lets every request leave at once.
#[derive(Debug)]
pub(super) struct AtOnce;

impl Gate for AtOnce {
    fn ready(&self, _: Endpoint) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {})
    }

    fn refused(&self, _: Endpoint, _: &ApiError) {}
}

/// An answer's bytes; JSON unless a header says otherwise.
pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    let defaults = [
        ("Content-Type", "application/json"),
        ("Content-Length", &length),
    ];
    let given = |name: &str| headers.iter().any(|(key, _)| *key == name);
    let lines = defaults
        .iter()
        .filter(|(name, _)| !given(name))
        .chain(headers);
    let lines: Vec<_> = lines
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!(
        "HTTP/1.1 {status} Any\r\nConnection: close\r\n{}\r\n",
        lines.concat()
    );
    [head.as_bytes(), body].concat()
}

/// Makes one call against one answer. Gives what the call gave, and the request it made: method, path below the cloud
/// prefix with its query, and the body if there was one.
pub(super) async fn exchange<T>(
    status: u16,
    body: &str,
    call: impl AsyncFnOnce(&Client) -> Result<T, ApiError>,
) -> (Result<T, ApiError>, String) {
    let server = Scripted::json(status, body);
    let given = call(&server.client()).await;
    let seen = server.seen().remove(0);
    let line = seen.line().trim_end_matches(" HTTP/1.1");
    let line = line.replace("/jsm/csm/cloudid/c-1", "");
    let body = String::from_utf8(seen.body).expect("UTF-8");
    (given, format!("{line} {body}").trim_end().to_owned())
}

/// The texts as a call takes them.
pub(super) fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn perform(step: &Step, mut stream: &TcpStream) -> Option<Seen> {
    let bytes = match step {
        Step::Hang => return None,
        Step::Drop => &[][..],
        Step::Answer(bytes) | Step::Stall(bytes) => bytes,
    };
    let seen = read(stream);
    // a client that has read enough may be gone
    let _ = stream.write_all(bytes);
    if let Step::Stall(_) = step {
        let _ = stream.read_to_end(&mut Vec::new());
    }
    Some(seen)
}

fn read(stream: &TcpStream) -> Seen {
    let mut reader = BufReader::new(stream);
    let mut seen = Seen {
        head: String::new(),
        body: Vec::new(),
    };
    while !seen.head.ends_with("\r\n\r\n") {
        assert_ne!(
            reader.read_line(&mut seen.head).expect("a line"),
            0,
            "the head breaks off"
        );
    }
    let length = seen
        .header("content-length")
        .map_or(0, |length| length.parse().expect("a number"));
    seen.body.resize(length, 0);
    reader.read_exact(&mut seen.body).expect("the body");
    seen
}
