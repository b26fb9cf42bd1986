//! From the first row to a file in its place: order, counts, and the step that makes the file appear whole.

use super::columnar::{arrow_file, parquet_file};
use super::csv_file::CsvFile;
use super::json_lines::JsonLines;
use super::temporary;
use super::{ResultRow, ResultsError, ResultsFormat, ResultsHeader, format_of};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// One format's way of writing rows.
pub(super) trait Encode: Send {
    /// Writes a row, or keeps it for the next batch.
    fn write(&mut self, header: &ResultsHeader, row: &ResultRow<'_>) -> io::Result<()>;
    /// Hands everything to the operating system.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Writes a results file beside its place, under a temporary name, and moves it there when it is complete.
///
/// Dropped without [`finish`](Self::finish), it leaves nothing behind, and a file that was there before untouched.
pub struct ResultsWriter {
    encoder: Box<dyn Encode>,
    header: ResultsHeader,
    temporary: NamedTempFile,
    /// The name as given, for messages.
    path: PathBuf,
    /// Where the file goes: the same, but for symbolic links, which stay and get new content.
    place: PathBuf,
    previous: u64,
    rows: u64,
    /// Whether a row could be written in part only: then the file never gets into its place.
    broken: bool,
}

impl ResultsWriter {
    /// Starts a results file, readable by its owner alone; makes missing directories.
    ///
    /// # Errors
    /// When the name's ending is unknown, something other than a file has the name, or the directory
    /// cannot be written to.
    pub fn create(path: &Path, header: &ResultsHeader) -> Result<Self, ResultsError> {
        let format = format_of(path)?;
        let (place, temporary) = begin(path)?;
        let failed = |doing| {
            move |source| ResultsError::Io {
                path: path.to_path_buf(),
                doing,
                source,
            }
        };
        let encoder = temporary
            .as_file()
            .try_clone()
            .and_then(|file| encoder(format, file, header))
            .map_err(failed("start writing"))?;
        let (path, header) = (path.to_path_buf(), header.clone());
        Ok(Self {
            encoder,
            header,
            temporary,
            path,
            place,
            previous: 0,
            rows: 0,
            broken: false,
        })
    }

    /// Writes the next row.
    ///
    /// # Errors
    /// When writing fails, when the row's number is not higher than the one before, or when it has another
    /// number of source cells than the file has columns for.
    pub fn write(&mut self, row: &ResultRow<'_>) -> Result<(), ResultsError> {
        if row.row <= self.previous {
            let (path, previous) = (self.path.clone(), self.previous);
            return Err(ResultsError::OutOfOrder {
                path,
                row: row.row,
                previous,
            });
        }
        let (cells, columns) = (row.cells.len(), self.header.source_columns.len());
        if cells != columns && cells != 0 {
            let path = self.path.clone();
            return Err(ResultsError::SourceCells {
                path,
                row: row.row,
                cells,
                columns,
            });
        }
        if let Err(source) = self.encoder.write(&self.header, row) {
            self.broken = true;
            return Err(ResultsError::Io {
                path: self.path.clone(),
                doing: "write",
                source,
            });
        }
        self.previous = row.row;
        self.rows += 1;
        Ok(())
    }

    /// Makes the file durable and puts it in its place, if it has as many rows as were read; returns their number.
    ///
    /// # Errors
    /// When the number of rows is another one, or when writing, syncing or moving fails: then what was in the
    /// file's place is still there.
    pub fn finish_expecting(self, expected: u64) -> Result<u64, ResultsError> {
        if self.rows != expected {
            return Err(ResultsError::RowCount {
                path: self.path,
                expected,
                written: self.rows,
            });
        }
        self.finish()
    }

    /// Makes the file durable and puts it in its place; returns the number of its rows.
    ///
    /// # Errors
    /// When writing, syncing or moving fails: then what was in the file's place is still there.
    pub fn finish(self) -> Result<u64, ResultsError> {
        let Self {
            encoder,
            temporary,
            path,
            place,
            rows,
            broken,
            ..
        } = self;
        let failed = |doing| {
            let path = path.clone();
            move |source| ResultsError::Io {
                path,
                doing,
                source,
            }
        };
        if broken {
            return Err(failed("complete it")(io::Error::other(
                "a row could not be written",
            )));
        }
        encoder.finish().map_err(failed("write"))?;
        put_in_place(temporary, &place, &path)?;
        Ok(rows)
    }
}

/// Makes a complete file durable and moves it into its place.
pub(super) fn put_in_place(
    temporary: NamedTempFile,
    place: &Path,
    path: &Path,
) -> Result<(), ResultsError> {
    let failed = |doing| {
        move |source| ResultsError::Io {
            path: path.to_path_buf(),
            doing,
            source,
        }
    };
    temporary
        .as_file()
        .sync_all()
        .map_err(failed("sync to disk"))?;
    temporary
        .persist(place)
        .map_err(|error| failed("move into its place")(error.error))?;
    sync_directory(directory_of(place)).map_err(failed("sync its directory to disk"))
}

/// Checks that a results file can be written, and makes missing directories, so that it is known before rows are sent.
///
/// # Errors
/// As [`ResultsWriter::create`].
pub fn check_place(path: &Path) -> Result<(), ResultsError> {
    format_of(path)?;
    begin(path).map(drop)
}

/// Where the file goes, and a temporary file beside it.
pub(super) fn begin(path: &Path) -> Result<(PathBuf, NamedTempFile), ResultsError> {
    let failed = |doing| {
        move |source| ResultsError::Io {
            path: path.to_path_buf(),
            doing,
            source,
        }
    };
    let place = match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            return Err(ResultsError::NotAFile {
                path: path.to_path_buf(),
            });
        }
        Ok(_) => fs::canonicalize(path).map_err(failed("resolve its name"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_path_buf(),
        Err(error) => return Err(failed("look at what is there")(error)),
    };
    make_directory(directory_of(&place)).map_err(failed("make its directory"))?;
    let temporary = temporary::beside(directory_of(&place), place.file_name().unwrap_or_default())
        .map_err(failed("start a temporary file in its directory"))?;
    Ok((place, temporary))
}

fn encoder(
    format: ResultsFormat,
    file: File,
    header: &ResultsHeader,
) -> io::Result<Box<dyn Encode>> {
    Ok(match format {
        ResultsFormat::Csv => Box::new(CsvFile::new(file, header)?),
        ResultsFormat::JsonLines => Box::new(JsonLines::new(file, header)),
        ResultsFormat::Parquet => Box::new(parquet_file(file, header)?),
        ResultsFormat::Arrow => Box::new(arrow_file(file, header)?),
    })
}

/// The directory that holds a file, never empty.
fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a directory and those above it, where missing, for their owner alone.
fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a rename durable. Only Unix can, and needs to.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entity::{Entity, Operation};
    use crate::model::outcome::Status;

    /// A disk that is full from the start and has room again at the end.
    struct Full;

    impl Encode for Full {
        fn write(&mut self, _: &ResultsHeader, _: &ResultRow<'_>) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn finish(self: Box<Self>) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_file_with_a_row_cut_off_never_gets_into_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let header = ResultsHeader {
            run: "r-7".into(),
            entity: Entity::Customer,
            operation: Operation::Upsert.into(),
            source_columns: Vec::new(),
        };
        let row = ResultRow {
            row: 1,
            source: "",
            line: None,
            key: "",
            status: Status::Loaded,
            reasons: &[],
            remote_id: None,
            route: None,
            batch: None,
            task_id: None,
            trace_id: None,
            attempts: 1,
            finished_at: 0,
            cells: &[],
        };
        let mut writer = ResultsWriter::create(&dir.path().join("r.csv"), &header).unwrap();
        writer.encoder = Box::new(Full);
        let text = |error: ResultsError| {
            let source = std::error::Error::source(&error).unwrap().to_string();
            format!("{error}: {source}").replace(dir.path().to_str().unwrap(), "DIR")
        };
        insta::assert_snapshot!(text(writer.write(&row).unwrap_err()), @"results file DIR/r.csv: failed to write: no storage space");
        insta::assert_snapshot!(text(writer.finish().unwrap_err()), @"results file DIR/r.csv: failed to complete it: a row could not be written");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
