//! Where rows stand in a results file, for messages about them.

use super::error::RetryError;
use super::file::{ResultsFile, row_number};
use crate::model::row::RowId;
use crate::source::At;
use std::collections::BTreeMap;
use std::path::Path;

/// Finds where these rows stand; one that is not there is left out. Reads the file once.
///
/// # Errors
/// When it cannot be read.
pub fn places(
    file: &Path,
    encoding: Option<&str>,
    rows: &[RowId],
) -> Result<BTreeMap<RowId, At>, RetryError> {
    let mut found = BTreeMap::new();
    ResultsFile::open(file, encoding)?.each(|seen| {
        if let Ok(entry) = seen
            && let Some(row) = entry.row().and_then(row_number).map(RowId)
            && rows.contains(&row)
        {
            found.insert(row, entry.at);
        }
        Ok::<_, RetryError>(())
    })?;
    Ok(found)
}
