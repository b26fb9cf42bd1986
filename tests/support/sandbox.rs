//! The sandbox served by a process of its own, and its inspection.

use super::place::Place;
use super::process::Process;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// A served sandbox; killed when dropped, which it survives by design.
pub(crate) struct Sandbox {
    process: Process,
    pub(crate) base_url: String,
    pub(crate) cloud_id: String,
}

/// One write of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) entity: String,
    pub(crate) key: String,
    pub(crate) operation: String,
    /// Of a bulk write: the idempotency key that it came under, or its task where the site has forgotten the key.
    pub(crate) request: Option<String>,
    /// What it set.
    pub(crate) content: Value,
}

impl Sandbox {
    /// Serves the sandbox of a state folder, on a free port.
    pub(crate) fn serve(place: &Place, flags: &str) -> Self {
        let process = place.start(&format!("sandbox --listen 127.0.0.1:0 {flags}"));
        let line = process.first_line();
        let (base_url, rest) = line
            .strip_prefix("serving ")
            .and_then(|rest| rest.split_once(" (cloud id "))
            .unwrap_or_else(|| panic!("{line}"));
        let (cloud_id, _) = rest.split_once(')').expect("a cloud id");
        Self {
            base_url: base_url.to_owned(),
            cloud_id: cloud_id.to_owned(),
            process,
        }
    }

    /// Stops it as a person does.
    pub(crate) fn stop(self) {
        self.process.signal("TERM");
        self.process.end().expect(0);
    }

    fn get(&self, path: &str) -> Value {
        let address = self.base_url.strip_prefix("http://").expect("http");
        let mut stream = TcpStream::connect(address).expect("a connection");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
        assert!(head.contains(" 200 "), "{path}: {answer}");
        serde_json::from_str(body).expect("JSON")
    }

    /// How much there is: `customers`, `organizations`, `products`, `writes`, …
    pub(crate) fn count(&self, of: &str) -> u64 {
        let counts = self.get("/admin/state");
        counts[of]
            .as_u64()
            .unwrap_or_else(|| panic!("{of} in {counts}"))
    }

    /// What a loader did that it should not have, and what the site did on purpose.
    pub(crate) fn violations(&self) -> Value {
        self.get("/admin/violations")
    }

    /// All writes, oldest first.
    pub(crate) fn audit(&self) -> Vec<Write> {
        let mut writes = Vec::new();
        loop {
            let page = self.get(&format!("/admin/audit?after={}", writes.len()));
            let entries = page["entries"].as_array().expect("entries");
            writes.extend(entries.iter().map(|entry| {
                let text = |key: &str| entry[key].as_str().expect("text").to_owned();
                Write {
                    entity: text("entity"),
                    key: text("key"),
                    operation: text("operation"),
                    request: ["idempotencyKey", "task"]
                        .iter()
                        .find_map(|key| entry[key].as_str().map(str::to_owned)),
                    content: entry["content"].clone(),
                }
            }));
            if writes.len() as u64 == page["last"].as_u64().expect("a number") {
                return writes;
            }
        }
    }

    /// The records of one kind (`customers`, …), by natural key.
    pub(crate) fn records(&self, kind: &str) -> BTreeMap<String, Value> {
        let mut records = BTreeMap::new();
        let mut path = format!("/admin/{kind}");
        loop {
            let page = self.get(&path);
            for record in page["results"].as_array().expect("results") {
                let key = record["key"].as_str().expect("a key").to_owned();
                let other = records.insert(key, record.clone());
                assert!(other.is_none(), "two {kind} share a key: {record}");
            }
            match page["next"].as_str() {
                Some(next) => path = format!("/admin/{kind}?after={next}"),
                None => return records,
            }
        }
    }

    /// The `[site]` of a job that loads into it.
    pub(crate) fn site_table(&self) -> String {
        format!(
            "[site]\ncloud_id = \"{}\"\nbase_url = \"{}\"\n",
            self.cloud_id, self.base_url
        )
    }
}
