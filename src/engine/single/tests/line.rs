//! A line to the site that fails as told, one request a connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What happens to the first requests whose line holds a text.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    /// `POST /api/v1/customer/profile`, without the site's prefix.
    pub(super) on: &'static str,
    /// To how many of them.
    pub(super) times: u32,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// It reaches the site, and its answer comes back.
    None,
    /// It reaches the site, and this answer takes the place of the site's. With a `Retry-After` of no time.
    Applied(u16),
    /// It reaches the site, and the connection ends without an answer.
    AppliedAndDropped,
    /// It does not reach the site, and is answered like this. With a `Retry-After` of no time.
    Answered(u16),
    /// A gateway refuses it with a page.
    Filtered,
}

/// So many requests meet a fault.
pub(super) fn on(times: u32, on: &'static str, what: What) -> Fault {
    Fault { on, times, what }
}

pub(super) struct Line {
    pub(super) origin: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Line {
    pub(super) fn to(site: SocketAddr, faults: Vec<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, faults) = (Arc::clone(&asked), Arc::new(Mutex::new(faults)));
        // ends with the test's process
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, faults) = (Arc::clone(&log), Arc::clone(&faults));
                // a client that has gone away is no one's loss
                std::thread::spawn(move || pass(stream, site, &log, &faults).ok());
            }
        });
        Self { origin, asked }
    }

    /// Requests so far: `PUT /api/v1/organization/1`.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn pass(
    mut client: TcpStream,
    site: SocketAddr,
    log: &Mutex<Vec<String>>,
    faults: &Mutex<Vec<Fault>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let lower = line.to_lowercase();
        if let Some(bytes) = lower.strip_prefix("content-length:") {
            length = bytes.trim().parse().unwrap();
        }
        if !lower.starts_with("connection:") && !lower.starts_with("accept-encoding:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let asked = name(&head);
    log.lock().unwrap().push(asked.clone());
    let what = {
        let mut faults = faults.lock().unwrap();
        let mut due = faults.iter_mut();
        let fault = due.find(|fault| fault.times > 0 && asked.starts_with(fault.on));
        fault.map(|fault| {
            fault.times -= 1;
            fault.what
        })
    };
    let forward = || -> std::io::Result<Vec<u8>> {
        let mut upstream = TcpStream::connect(site)?;
        let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
        upstream.write_all(head.as_bytes())?;
        upstream.write_all(&body)?;
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = match what {
        None | Some(What::None) => forward()?,
        Some(What::Applied(status)) => {
            forward()?;
            plain(status, "application/json", "{}")
        }
        Some(What::AppliedAndDropped) => {
            forward()?;
            return Ok(());
        }
        Some(What::Answered(status)) => plain(status, "application/json", "{}"),
        Some(What::Filtered) => plain(400, "text/html", "<title>Bad Request</title>"),
    };
    client.write_all(&answer)
}

/// A request by method and path, the site's prefix and the query left out.
fn name(head: &str) -> String {
    let mut words = head.split(' ');
    let method = words.next().unwrap_or_default();
    let path = words.next().unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let start = ["/api/v1/", "/rest/"].iter().find_map(|at| path.find(at));
    format!("{method} {}", &path[start.unwrap_or(0)..])
}

fn plain(status: u16, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nRetry-After: 0\r\n\
         Connection: close\r\n\r\n{body}"
    )
    .into_bytes()
}
