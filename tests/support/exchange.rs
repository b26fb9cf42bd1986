//! What a client and a site said to each other.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// A request with its answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    /// From the host on, without query, percent-encoded.
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// `None` where only the request is to be judged.
    pub(crate) status: Option<u16>,
    pub(crate) answer: String,
    /// The site misbehaved on purpose.
    pub(crate) fault: Option<String>,
}

impl Exchange {
    /// Reads what the sandbox logged; nothing, if it never ran.
    pub(crate) fn logged(path: &Path) -> Vec<Self> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        // a process that was killed may leave half a line
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(Self::of_line).collect()
    }

    fn of_line(line: &str) -> Self {
        let line: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let headers = line["headers"].as_object().expect("headers").iter();
        let headers = headers.map(|(name, value)| {
            let value = value.as_str().expect("a text");
            (name.clone(), value.to_owned())
        });
        let status = line["status"]
            .as_u64()
            .and_then(|status| status.try_into().ok());
        Self {
            method: text("method"),
            path: text("path"),
            query: text("query"),
            headers: headers.collect(),
            body: text("body"),
            status: Some(status.expect("a status")),
            answer: text("answer"),
            fault: line["fault"].as_str().map(str::to_owned),
        }
    }

    /// Whether it is part of the API: the sandbox's own pages are not, and what it spoils on purpose proves nothing.
    pub(crate) fn counts(&self) -> bool {
        self.fault.is_none() && !OWN.iter().any(|own| self.path.starts_with(own))
    }
}

/// What the sandbox has beside the API: its inspection, and the page on which people consent.
const OWN: [&str; 2] = ["/admin/", "/authorize"];

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |text: &str| -> String {
            if text.chars().count() > 1_000 {
                text.chars().take(1_000).chain("…".chars()).collect()
            } else {
                text.to_owned()
            }
        };
        write!(f, "{} {}", self.method, self.path)?;
        if !self.query.is_empty() {
            write!(f, "?{}", self.query)?;
        }
        writeln!(f, " {:?}\n  > {}", self.headers, short(&self.body))?;
        match self.status {
            Some(status) => write!(f, "  < {status} {}", short(&self.answer)),
            None => write!(f, "  < (not judged)"),
        }
    }
}
