//! What an answer says, in the site's own words.
//!
//! Four shapes of error bodies are known: the CSM API's `{errorMessage, errors[], statusCode}` (seen), the gateway's
//! `{code, message}` (seen), Jira's `{errorMessages[], errors{}}` (documented) and `{message}`; besides them HTML pages
//! of the edge (seen). Guarantee: what is returned is one line of at most 500 characters of the site's, and never
//! a part of an answer that is not an error text.

use serde_json::Value;

/// Characters of the site's text that are passed on.
const MOST: usize = 500;
/// Bytes of an HTML page in which its title is looked for.
const TITLE_WITHIN: usize = 16 * 1024;

/// What an answer's body turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Words {
    /// A text meant for people.
    Said(String),
    /// An HTML page: a gateway, a proxy or a login form answered, not the API.
    Page(String),
    /// Nothing that could be passed on; describes what came instead.
    Mute(String),
    /// The beginning of an answer whose end is missing; describes it. The rest may have said anything.
    Cut(String),
}

impl Words {
    /// The text for a message.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Said(text) | Self::Page(text) | Self::Mute(text) | Self::Cut(text) => text,
        }
    }

    /// The text and what we know beyond it.
    pub(super) fn with(&self, hint: &str) -> String {
        match self {
            Self::Said(text) => format!("{text} ({hint})"),
            Self::Page(text) | Self::Mute(text) | Self::Cut(text) => format!("{text}; {hint}"),
        }
    }
}

/// Reads a body by its content type; looks at its first character where there is none.
pub(super) fn words(content_type: Option<&str>, body: &[u8]) -> Words {
    let start = body.trim_ascii_start();
    if start.is_empty() {
        return Words::Mute("an empty answer".to_owned());
    }
    let kind = content_type
        .map(str::to_ascii_lowercase)
        .unwrap_or_default();
    if kind.contains("html") || (kind.is_empty() && start.starts_with(b"<")) {
        return Words::Page(page(start));
    }
    match serde_json::from_slice::<Value>(start) {
        Ok(value) => match said(&value) {
            Some(text) => Words::Said(line(&text)),
            None => Words::Mute("JSON without a message".to_owned()),
        },
        Err(error) if error.is_eof() => Words::Cut("JSON that breaks off".to_owned()),
        Err(_) if kind.starts_with("text/plain") => {
            Words::Said(line(&String::from_utf8_lossy(start)))
        }
        Err(_) => Words::Mute("an answer that is not JSON".to_owned()),
    }
}

/// The message inside any of the known shapes; `None` where there is none.
pub(super) fn said(value: &Value) -> Option<String> {
    let mut found = Vec::new();
    collect(value, &mut found);
    // codes such as BAD_REQUEST only where nothing else was said
    if found.iter().any(|text| !is_code(text)) {
        found.retain(|text| !is_code(text));
    }
    (!found.is_empty()).then(|| found.join("; "))
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => push(text, found),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(object) => {
            const ONE: [&str; 7] = [
                "errorMessage",
                "message",
                "error_description",
                "detail",
                "error",
                "title",
                "reason",
            ];
            if let Some(one) = ONE
                .iter()
                .find_map(|key| object.get(*key).filter(|v| !v.is_null()))
            {
                collect(one, found);
            }
            if let Some(several) = object.get("errorMessages") {
                collect(several, found);
            }
            match object.get("errors") {
                // Jira's: field → text
                Some(Value::Object(fields)) => {
                    for (field, text) in fields {
                        match said(text) {
                            Some(text) => push(&format!("{field}: {text}"), found),
                            None => push(field, found),
                        }
                    }
                }
                Some(errors) => collect(errors, found),
                None => {}
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn push(text: &str, found: &mut Vec<String>) {
    let text = text.trim();
    if !text.is_empty() && !found.iter().any(|other| other == text) {
        found.push(text.to_owned());
    }
}

fn is_code(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// One line of at most [`MOST`] characters: white space and control characters become single spaces.
pub(super) fn line(text: &str) -> String {
    let words = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|w| !w.is_empty());
    let spaced = words
        .flat_map(|word| std::iter::once(' ').chain(word.chars()))
        .skip(1);
    let mut line: String = spaced.take(MOST + 1).collect();
    if let Some((last, _)) = line.char_indices().nth(MOST) {
        line.truncate(last);
        line.pop();
        line.push('…');
    }
    line
}

/// `an HTML page ("title")`.
fn page(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(TITLE_WITHIN)]);
    // ASCII lower case keeps every offset
    let lower = text.to_ascii_lowercase();
    let element = |name: &str| {
        let open = lower.find(&format!("<{name}"))?;
        let start = open + lower[open..].find('>')? + 1;
        let end = start + lower[start..].find("</")?;
        let title: String = line(&text[start..end]).chars().take(100).collect();
        (!title.is_empty()).then_some(title)
    };
    match element("title").or_else(|| element("h1")) {
        Some(title) => format!("an HTML page (\"{title}\")"),
        None => "an HTML page".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(body: &str) -> String {
        words(Some("application/json;charset=UTF-8"), body.as_bytes())
            .text()
            .to_owned()
    }

    #[test]
    fn every_known_shape_gives_its_message() {
        for (body, expected) in [
            (
                r#"{"errorMessage":"Maximum number of tasks reached","errors":["BAD_REQUEST"],"statusCode":400}"#,
                "Maximum number of tasks reached",
            ),
            (
                r#"{"errorMessage":"Invalid request","errors":["Region: unknown option"],"statusCode":400}"#,
                "Invalid request; Region: unknown option",
            ),
            (
                r#"{"errors":["BAD_REQUEST"],"statusCode":400}"#,
                "BAD_REQUEST",
            ),
            (
                r#"{"code":401,"message":"Unauthorized; scope does not match"}"#,
                "Unauthorized; scope does not match",
            ),
            (
                r#"{"errorMessages":["Rate limited.","Wait."],"errors":{}}"#,
                "Rate limited.; Wait.",
            ),
            (
                r#"{"errorMessages":[],"errors":{"name":"is taken","plan":{"message":"too small"},"x":null}}"#,
                "name: is taken; plan: too small; x",
            ),
            (r#"{"message":"no","errorMessages":["no"]}"#, "no"),
            (r#"{"message":null,"error":{"message":"nested"}}"#, "nested"),
            (r#"{"errors":[{"title":"t"},{"detail":"d"}]}"#, "t; d"),
            (
                r#"{"timestamp":1,"status":404,"error":"Not Found","path":"/x"}"#,
                "Not Found",
            ),
            (r#""just a text""#, "just a text"),
            ("{}", "JSON without a message"),
            (r#"{"ids":[1,2]}"#, "JSON without a message"),
            (r#"{"errorMessage":"Maxi"#, "JSON that breaks off"),
            ("{oops}", "an answer that is not JSON"),
            ("  \n", "an empty answer"),
        ] {
            assert_eq!(json(body), expected, "{body}");
        }
    }

    #[test]
    fn the_content_type_decides_before_the_body() {
        let page = b"<!DOCTYPE html><html><TITLE lang=en>\n HTTP Status 400 \xe2\x80\x93 Bad Request</TITLE>";
        let expected = Words::Page("an HTML page (\"HTTP Status 400 – Bad Request\")".to_owned());
        assert_eq!(words(Some("text/html;charset=utf-8"), page), expected);
        assert_eq!(words(None, page), expected);
        assert_eq!(
            words(Some("TEXT/HTML"), b"{}"),
            Words::Page("an HTML page".to_owned())
        );
        assert_eq!(
            words(Some("text/html"), b"<h1>Oops</h1>"),
            Words::Page("an HTML page (\"Oops\")".to_owned())
        );
        for stump in [
            "<",
            "<title",
            "<title>",
            "<title></title>",
            "<title>never closed",
        ] {
            assert_eq!(
                words(None, stump.as_bytes()),
                Words::Page("an HTML page".to_owned())
            );
        }
        assert_eq!(
            words(Some("text/plain"), b"upstream connect error"),
            Words::Said("upstream connect error".to_owned())
        );
        assert_eq!(
            words(Some("application/octet-stream"), b"\x00\x01"),
            Words::Mute("an answer that is not JSON".to_owned())
        );
        assert_eq!(
            words(None, br#"{"message":"m"}"#),
            Words::Said("m".to_owned())
        );
    }

    #[test]
    fn texts_become_one_line_of_at_most_500_characters() {
        assert_eq!(line(" a\r\n\tb\u{1b}[31m\u{0}c "), "a b [31m c");
        let long = line(&"wort ".repeat(200));
        assert_eq!(long.chars().count(), 500);
        assert!(long.ends_with('…'));
        let unbroken = line(&"ü".repeat(501));
        assert_eq!(unbroken.chars().count(), 500);
        assert_eq!(line(&"ü".repeat(500)), "ü".repeat(500));
    }

    proptest! {
        #[test]
        fn any_body_gives_one_short_line(kind in "(text/html|text/plain|application/json)?", body in any::<Vec<u8>>()) {
            let words = words((!kind.is_empty()).then_some(&*kind), &body);
            prop_assert!(words.text().chars().count() <= MOST);
            prop_assert!(!words.text().chars().any(char::is_control));
        }

        #[test]
        fn a_line_never_exceeds_its_bound(text in "\\PC{0,700}") {
            let line = line(&text);
            prop_assert!(line.chars().count() <= MOST);
            prop_assert!(!line.ends_with(' '));
        }
    }
}
