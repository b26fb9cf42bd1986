//! A record → the JSON that the loader makes of it, by hand and without a look at anything.

use crate::Fault;
use csv::StringRecord;

/// A request's body, and the keys of its rows.
pub(crate) struct Body {
    pub(crate) keys: Vec<String>,
    pub(crate) json: Vec<u8>,
}

impl Body {
    pub(crate) fn new() -> Self {
        let mut json = Vec::with_capacity(64 * 1024);
        json.extend_from_slice(b"{\"customerProfiles\":[");
        Self {
            keys: Vec::with_capacity(crate::ROWS),
            json,
        }
    }

    /// Appends a row: the columns of `input`, mapped as `benches/customers.toml` says.
    pub(crate) fn push(&mut self, record: &StringRecord) -> Result<(), Fault> {
        let cell = |column: usize| record.get(column).ok_or("a record is too short");
        let [key, first, last, email] = [cell(0)?, cell(1)?, cell(2)?, cell(3)?];
        let [country, plan, account, created_at] = [cell(5)?, cell(7)?, cell(8)?, cell(9)?];
        let [mrr, seats, notes] = [cell(11)?, cell(12)?, cell(14)?];
        let out = &mut self.json;
        if !self.keys.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"operationType\":\"UPSERT\",\"payload\":{\"email\":\"");
        let start = out.len();
        escape(out, email.trim());
        out[start..].make_ascii_lowercase();
        out.extend_from_slice(b"\",\"displayName\":\"");
        escape(out, first);
        out.push(b' ');
        escape(out, last);
        out.extend_from_slice(b"\",\"details\":[{\"name\":\"Plan\",\"values\":[\"");
        out.extend_from_slice(match plan {
            "free" => b"Free",
            "pro" => b"Professional",
            _ => b"Enterprise",
        });
        next(out, "Segment");
        let mrr: f64 = mrr.parse()?;
        out.extend_from_slice(if mrr >= 1_000.0 {
            b"large"
        } else if mrr >= 100.0 {
            b"medium"
        } else {
            b"small"
        });
        next(out, "Customer Since");
        out.extend_from_slice(created_at.get(..10).unwrap_or(created_at).as_bytes());
        next(out, "Seats");
        out.extend_from_slice(seats.as_bytes());
        next(out, "Account");
        escape(out, account);
        out.extend_from_slice(b", ");
        let start = out.len();
        escape(out, country);
        out[start..].make_ascii_uppercase();
        if !notes.is_empty() {
            next(out, "Notes");
            escape(out, notes);
        }
        next(out, "External ID");
        escape(out, key);
        out.extend_from_slice(b"\"]}]}}");
        self.keys.push(key.to_owned());
        Ok(())
    }

    /// The body as it is sent.
    pub(crate) fn finish(mut self) -> Self {
        self.json.extend_from_slice(b"]}");
        self
    }
}

/// Ends a detail value and begins the next.
fn next(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b"\"]},{\"name\":\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\",\"values\":[\"");
}

/// Text as it stands between the quotes of a JSON string.
fn escape(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut rest = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            out.extend_from_slice(&bytes[rest..at]);
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
                _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            }
            rest = at + 1;
        }
    }
    out.extend_from_slice(&bytes[rest..]);
}
