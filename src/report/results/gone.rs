//! The list of records that were loaded before and that a full export no longer has: CSV, beside the results.

use super::ResultsError;
use super::writer::{begin, put_in_place};
use crate::model::clock::UnixMillis;
use crate::report::figures;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Where the list goes whose results go to `results`: `out/customers-results-gone.csv`, whatever their format.
#[must_use]
pub fn gone_name(results: &Path) -> PathBuf {
    let stem = results.file_stem().unwrap_or_default().to_string_lossy();
    results.with_file_name(format!("{stem}-gone.csv"))
}

/// Writes the list beside its place, and moves it there when it is complete.
///
/// Dropped without [`finish`](Self::finish), it leaves nothing behind, and a file that was there before untouched.
pub struct GoneWriter {
    writer: csv::Writer<File>,
    temporary: NamedTempFile,
    path: PathBuf,
    place: PathBuf,
    records: u64,
}

impl GoneWriter {
    /// Starts a list, readable by its owner alone; makes missing directories.
    ///
    /// # Errors
    /// When something other than a file has the name, or the directory cannot be written to.
    pub fn create(path: &Path) -> Result<Self, ResultsError> {
        let (place, temporary) = begin(path)?;
        let started = temporary.as_file().try_clone().and_then(|file| {
            let mut writer = csv::Writer::from_writer(file);
            writer.write_record(["key", "remote_id", "confirmed_at"])?;
            Ok(writer)
        });
        Ok(Self {
            writer: started.map_err(|source| failed(path, "start writing", source))?,
            temporary,
            path: path.to_owned(),
            place,
            records: 0,
        })
    }

    /// Lists a record: the key that people know it by, the site's id where it told one, and when it was confirmed last.
    ///
    /// # Errors
    /// When writing fails.
    pub fn write(
        &mut self,
        key: &str,
        remote_id: Option<&str>,
        confirmed_at: UnixMillis,
    ) -> Result<(), ResultsError> {
        let confirmed_at = figures::timestamp(confirmed_at);
        self.records += 1;
        self.writer
            .write_record([key, remote_id.unwrap_or_default(), &confirmed_at])
            .map_err(|error| failed(&self.path, "write", error.into()))
    }

    /// Makes the file durable and puts it in its place; returns the number of its records.
    ///
    /// # Errors
    /// When writing, syncing or moving fails: then what was in the file's place is still there.
    pub fn finish(mut self) -> Result<u64, ResultsError> {
        self.writer
            .flush()
            .map_err(|source| failed(&self.path, "write", source))?;
        put_in_place(self.temporary, &self.place, &self.path)?;
        Ok(self.records)
    }
}

fn failed(path: &Path, doing: &'static str, source: io::Error) -> ResultsError {
    ResultsError::Io {
        path: path.to_owned(),
        doing,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_stands_beside_the_results_and_is_csv() {
        for (results, list) in [
            (
                "out/customers-results.csv",
                "out/customers-results-gone.csv",
            ),
            ("customers.parquet", "customers-gone.csv"),
        ] {
            assert_eq!(gone_name(Path::new(results)), Path::new(list));
        }
    }

    #[test]
    fn nothing_is_there_before_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/gone.csv");
        let mut list = GoneWriter::create(&path).unwrap();
        list.write("a,\"b\"", Some("7"), 1_769_846_400_000).unwrap();
        list.write("", None, 1_769_846_400_000).unwrap();
        assert!(!path.exists());
        assert_eq!(list.finish().unwrap(), 2);
        insta::assert_snapshot!(std::fs::read_to_string(&path).unwrap(), @r#"
        key,remote_id,confirmed_at
        "a,""b""",7,2026-01-31T08:00:00.000Z
        ,,2026-01-31T08:00:00.000Z
        "#);
    }
}
