//! Reading answers: what is documented as present must be there, all else may be missing, and nothing odd is guessed at.

use crate::api::client::Lacks;
use crate::api::contract::{answer, keys};
use serde_json::Value;

/// The values of one detail field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The field's name.
    pub name: String,
    /// Its values as texts; empty where it has none.
    pub values: Vec<String>,
}

/// An id, which comes as a string or a number.
pub(super) fn id(value: &Value) -> Option<String> {
    scalar(value.get(answer::ID)?)
}

/// A string that is not empty, or a number.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A text that may be missing.
pub(super) fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// Every item of a list that must be there, or none: one left out would be taken for missing.
pub(super) fn all<T>(
    value: &Value,
    key: &str,
    what: &'static str,
    read: impl FnMut(&Value) -> Result<T, Lacks>,
) -> Result<Vec<T>, Lacks> {
    let list = value.get(key).and_then(Value::as_array);
    list.ok_or(Lacks(what))?.iter().map(read).collect()
}

/// The same of a list that may be missing or null.
pub(super) fn any<T>(
    value: &Value,
    key: &str,
    what: &'static str,
    read: impl FnMut(&Value) -> Result<T, Lacks>,
) -> Result<Option<Vec<T>>, Lacks> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => all(value, key, what, read).map(Some),
    }
}

/// The detail values of a record, where the answer has them.
pub(super) fn details(record: &Value) -> Result<Option<Vec<Detail>>, Lacks> {
    any(record, keys::DETAILS, "the list details", detail)
}

/// One detail field with its values.
pub(super) fn detail(item: &Value) -> Result<Detail, Lacks> {
    let name = text(item, keys::NAME).ok_or(Lacks("a detail's name"))?;
    let values = any(item, keys::VALUES, "a detail's values", |value| {
        match value {
            Value::String(text) => Ok(text.clone()),
            // documented as texts for every type; a number or a boolean still says which
            Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
            _ => Err(Lacks("a detail's values")),
        }
    })?;
    Ok(Detail {
        name,
        values: values.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Option<Vec<Detail>>, &'static str> {
        details(&serde_json::from_str(json).expect("JSON")).map_err(|Lacks(what)| what)
    }

    #[test]
    fn details_are_read_whole_or_not_at_all() {
        assert_eq!(read("{}"), Ok(None));
        assert_eq!(read(r#"{"details":null}"#), Ok(None));
        assert_eq!(read(r#"{"details":[]}"#), Ok(Some(vec![])));
        let found = read(
            r#"{"details":[{"name":"A","values":["x","",7,true]},{"name":"B"},{"name":"C","values":null}]}"#,
        );
        let detail = |name: &str, values: &[&str]| Detail {
            name: name.to_owned(),
            values: values.iter().map(|&value| value.to_owned()).collect(),
        };
        let expected = vec![
            detail("A", &["x", "", "7", "true"]),
            detail("B", &[]),
            detail("C", &[]),
        ];
        assert_eq!(found, Ok(Some(expected)));
        for (json, lacking) in [
            (r#"{"details":{}}"#, "the list details"),
            (r#"{"details":[{"values":[]}]}"#, "a detail's name"),
            (r#"{"details":["A"]}"#, "a detail's name"),
            (
                r#"{"details":[{"name":"A","values":"x"}]}"#,
                "a detail's values",
            ),
            (
                r#"{"details":[{"name":"A","values":[{}]}]}"#,
                "a detail's values",
            ),
        ] {
            assert_eq!(read(json), Err(lacking), "{json}");
        }
    }
}
