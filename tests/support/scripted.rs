//! A site that answers as a test tells it to, over real sockets.

use super::exchange::Exchange;
use super::openapi;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// A secret that no output may hold.
pub(crate) const TOKEN: &str = "s3cr3t-t0ken-ATATT3xFfGF0";
/// The account of the secret.
pub(crate) const ACCOUNT: &str = "ana.loader@corp.example";
/// `ACCOUNT:TOKEN` as HTTP sends it.
pub(crate) const ENCODED: &str =
    "YW5hLmxvYWRlckBjb3JwLmV4YW1wbGU6czNjcjN0LXQwa2VuLUFUQVRUM3hGZkdGMA==";
/// The variables that hold account and secret.
pub(crate) const CREDENTIALS: [(&str, &str); 2] = [
    ("CSM_LOADER_EMAIL", ACCOUNT),
    ("CSM_LOADER_API_TOKEN", TOKEN),
];

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// From `/api/v1`, without query.
    pub(crate) path: String,
    /// As it came, with its query.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Instant,
}

impl Request {
    /// Whether it is a bulk write.
    pub(crate) fn is_bulk(&self) -> bool {
        self.method == "POST" && self.path.ends_with("/bulk")
    }

    /// The task asked for, if it asks for one.
    pub(crate) fn task(&self) -> Option<&str> {
        self.path.strip_prefix("/api/v1/tasks/")
    }

    /// The idempotency key.
    pub(crate) fn key(&self) -> &str {
        self.headers
            .get("idempotency-key")
            .map_or("", String::as_str)
    }

    /// The e-mails of a bulk write's items.
    pub(crate) fn emails(&self) -> Vec<String> {
        let body: Value = serde_json::from_slice(&self.body).expect("JSON");
        let items = body["customerProfiles"].as_array().expect("items");
        let email = |item: &Value| {
            item["payload"]["email"]
                .as_str()
                .expect("an e-mail")
                .to_owned()
        };
        items.iter().map(email).collect()
    }
}

/// What the site does with a request.
pub(crate) enum Answer {
    /// An answer: status, headers beside `Content-Type`, body.
    Send(u16, Vec<(&'static str, String)>, String),
    /// None: the connection is closed.
    Drop,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let kind = ("Content-Type", "application/json".to_owned());
        Self::Send(status, vec![kind], body.to_string())
    }

    /// An error in the API's own shape.
    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self::json(
            status,
            &json!({ "errorMessage": message, "statusCode": status }),
        )
    }

    /// A task's state.
    pub(crate) fn task(id: &str, status: &str, failures: &Value) -> Self {
        Self::json(
            200,
            &json!({ "id": id, "status": status, "failures": failures }),
        )
    }
}

/// A site without faults: accepts everything, finishes every task at once.
#[derive(Default)]
pub(crate) struct Willing {
    tasks: HashMap<String, String>,
}

impl Willing {
    pub(crate) fn answer(&mut self, request: &Request) -> Answer {
        if request.is_bulk() {
            let next = format!("task-{}", self.tasks.len() + 1);
            let task = self.tasks.entry(request.key().to_owned()).or_insert(next);
            return Answer::json(202, &json!({ "id": task }));
        }
        match request.task() {
            Some(task) => Answer::task(task, "FINISHED", &json!([])),
            None => Answer::error(404, "There is no such resource"),
        }
    }
}

type Script = Box<dyn FnMut(&Request) -> Answer + Send>;

/// A served site. Its threads end with the connections of its client.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
    exempt: Cell<bool>,
}

impl Scripted {
    /// Serves on a free port.
    pub(crate) fn serve(script: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, seen) = (Arc::clone(&script), Arc::clone(&shared));
                thread::spawn(move || converse(&stream, &script, &seen));
            }
        });
        Self {
            address,
            seen,
            exempt: Cell::new(false),
        }
    }

    /// Some requests are not as the API's description says, on purpose and for this reason.
    pub(crate) fn exempt(&self, _why: &str) {
        self.exempt.set(true);
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Request> {
        lock(&self.seen).clone()
    }

    /// The bulk writes so far.
    pub(crate) fn bulks(&self) -> Vec<Request> {
        let mut seen = self.seen();
        seen.retain(Request::is_bulk);
        seen
    }

    /// A job that loads `people.csv` into it, results in `out.csv`; `more` stands before the stage.
    pub(crate) fn job(&self, more: &str) -> String {
        format!(
            "[site]\ncloud_id = \"c-1\"\nbase_url = \"http://{}\"\n[state]\ndir = \"state\"\n{more}\n\
             [[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\nresults = \"out.csv\"\n",
            self.address
        )
    }
}

impl Drop for Scripted {
    /// Its answers are what a test wants them to be, but requests are held to the API's description.
    fn drop(&mut self) {
        if thread::panicking() || self.exempt.get() {
            return;
        }
        let requests = self.seen().into_iter().map(Exchange::from);
        openapi::judge(&requests.collect::<Vec<_>>());
    }
}

impl From<Request> for Exchange {
    fn from(request: Request) -> Self {
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        Self {
            path: path.to_owned(),
            query: query.to_owned(),
            method: request.method,
            headers: request.headers.into_iter().collect(),
            body: String::from_utf8(request.body).expect("UTF-8"),
            ..Self::default()
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn converse(stream: &TcpStream, script: &Mutex<Script>, seen: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = receive(&mut reader) {
        // in the order in which they came, whatever the script does
        let answer = {
            let mut script = lock(script);
            lock(seen).push(request.clone());
            script(&request)
        };
        let Answer::Send(status, headers, body) = answer else {
            return;
        };
        let mut head = format!("HTTP/1.1 {status} -\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            head.extend([name, ": ", &value, "\r\n"]);
        }
        let mut stream = stream;
        if write!(stream, "{head}\r\n{body}").is_err() {
            return;
        }
    }
}

fn receive(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let path = target
        .strip_prefix("/jsm/csm/cloudid/c-1")
        .unwrap_or(&target);
    let path = path.split('?').next().unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|n| n.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path,
        target,
        headers,
        body,
        at: Instant::now(),
    })
}
