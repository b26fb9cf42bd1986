//! Whether two files can be one dataset: the same columns of the same types, in whatever order.

use super::error::{SourceError, SourceErrorKind};
use super::kind::in_words;
use polars::prelude::DataType;

/// What keeps two files from being one dataset.
pub(super) fn differences(
    name: &str,
    columns: &[(String, DataType)],
    first_name: &str,
    first: &[(String, DataType)],
) -> Vec<SourceError> {
    let fault = |what: String, cure: &str| {
        SourceError::new(SourceErrorKind::Schema, what, cure).in_file(name)
    };
    let kind = |columns: &[(String, DataType)], name: &str| {
        columns
            .iter()
            .find(|(column, _)| column == name)
            .map(|(_, kind)| kind.clone())
    };
    let mut faults = Vec::new();
    for (column, expected) in first {
        match kind(columns, column) {
            None => faults.push(fault(
                format!("column \"{column}\" is missing; {first_name} has it"),
                "export both with the same columns, or load them apart",
            )),
            Some(found) if found != *expected => faults.push(fault(
                format!(
                    "column \"{column}\" is {}; in {first_name} it is {}",
                    in_words(&found),
                    in_words(expected)
                ),
                "export both with the same types, or load them apart",
            )),
            Some(_) => {}
        }
    }
    for (column, _) in columns {
        if kind(first, column).is_none() {
            faults.push(fault(
                format!("column \"{column}\" is surplus; {first_name} does not have it"),
                "export both with the same columns, or load them apart",
            ));
        }
    }
    faults
}
