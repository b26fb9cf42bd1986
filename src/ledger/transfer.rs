//! Moving the state to another machine: an export is a ledger in one file, written whole.

use super::error::{LedgerError, failed};
use super::lock::{self, StateFolder};
use super::reader::Reader;
use super::schema;
use super::store::{FILE, Ledger};
use rusqlite::Connection;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where an import is written first.
const NEW: &str = "ledger.sqlite.new";
/// What SQLite keeps beside a ledger.
const BESIDE: [&str; 2] = ["ledger.sqlite-wal", "ledger.sqlite-shm"];

impl Ledger {
    /// Writes all runs and what is remembered to a new file, readable by its owner alone: an SQLite file with the schema of
    /// the ledger.
    ///
    /// # Errors
    /// When the file exists, cannot be written, or the ledger cannot be read.
    pub fn export(&self, to: &Path) -> Result<(), LedgerError> {
        copy(&self.connect()?, to).map_err(|error| match error {
            Copy::Sqlite(source) => failed("copy", to)(source),
            Copy::Io(source) if source.kind() == io::ErrorKind::AlreadyExists => {
                LedgerError::Exists {
                    file: to.to_owned(),
                }
            }
            Copy::Io(source) => LedgerError::Transfer {
                doing: "write",
                file: to.to_owned(),
                source,
            },
        })
    }

    /// Takes over an export, of this version of the program or an older one, into a state folder that holds no runs and
    /// remembers nothing. When that fails, nothing is there that was not there before.
    ///
    /// # Errors
    /// When the folder is in use, its ledger is not empty, the file is not an export, or either cannot be used.
    pub fn import(folder: &Path, from: &Path) -> Result<Self, LedgerError> {
        let folders = absent_folders(folder);
        let lock = absent_files(folder, &[lock::NAME]);
        let imported = StateFolder::open(folder).and_then(|state| {
            // looked for only now that nobody else can make them, and held until they are removed again
            let held = state.twice()?;
            let files = absent_files(folder, &[NEW, BESIDE[0], BESIDE[1], FILE]);
            Self::take_over(state, from).inspect_err(|_| {
                // what cannot be removed is no news beside why this is done
                for file in files.iter().chain(&lock) {
                    let _ = fs::remove_file(file);
                }
                drop(held);
            })
        });
        imported.inspect_err(|_| {
            for folder in &folders {
                // unless somebody has put something into it
                let _ = fs::remove_dir(folder);
            }
        })
    }

    fn take_over(folder: StateFolder, from: &Path) -> Result<Self, LedgerError> {
        let export = open_export(from)?;
        let place = folder.path().to_owned();
        let empty = Self::open(folder)?;
        let held: bool = empty
            .connect()?
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM run) OR EXISTS (SELECT 1 FROM page)",
                [],
                |row| row.get(0),
            )
            .map_err(empty.failed("read"))?;
        if held {
            return Err(LedgerError::NotEmpty { folder: place });
        }
        let folder = empty.into_folder();
        let new = place.join(NEW);
        let unusable = |source| LedgerError::folder(&place, source);
        remove(&new).map_err(unusable)?;
        copy(&export, &new).map_err(|error| match error {
            Copy::Io(source) => unusable(source),
            Copy::Sqlite(source) if full(&source) => failed("write", &new)(source),
            Copy::Sqlite(_) => not_an_export(from),
        })?;
        for beside in BESIDE {
            remove(&place.join(beside)).map_err(unusable)?;
        }
        fs::rename(&new, place.join(FILE)).map_err(unusable)?;
        File::open(&place)
            .and_then(|folder| folder.sync_all())
            .map_err(unusable)?;
        Self::open(folder)
    }
}

/// The folder and those above it that are not there, from the innermost on.
fn absent_folders(folder: &Path) -> Vec<PathBuf> {
    let absent = folder.ancestors().take_while(|folder| !is_there(folder));
    absent.map(Path::to_owned).collect()
}

/// Those of these files that a folder does not have.
fn absent_files(folder: &Path, names: &[&str]) -> Vec<PathBuf> {
    let files = names.iter().map(|name| folder.join(name));
    files.filter(|file| !is_there(file)).collect()
}

fn is_there(path: &Path) -> bool {
    // of a relative path, what is above its first part
    path.as_os_str().is_empty() || path.symlink_metadata().is_ok()
}

fn open_export(from: &Path) -> Result<Connection, LedgerError> {
    // SQLite would take a file that is not there for an empty one
    File::open(from).map_err(|source| LedgerError::Transfer {
        doing: "read",
        file: from.to_owned(),
        source,
    })?;
    let Reader { db, file, .. } = Reader::on(from)?;
    let version = schema::version_of(&db, &file).map_err(|error| match error {
        LedgerError::Damaged { .. } => not_an_export(from),
        other => other,
    })?;
    let sound = version == 1 || (version == schema::VERSION && schema::check(&db, &file).is_ok());
    if sound {
        Ok(db)
    } else {
        Err(not_an_export(from))
    }
}

fn not_an_export(file: &Path) -> LedgerError {
    LedgerError::NotAnExport {
        file: file.to_owned(),
    }
}

enum Copy {
    Io(io::Error),
    Sqlite(rusqlite::Error),
}

/// Copies a database, of which other programs may hold parts in a write-ahead log, to a new file, and makes it durable.
fn copy(db: &Connection, to: &Path) -> Result<(), Copy> {
    let file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(to)
        .map_err(Copy::Io)?;
    let name = to.to_string_lossy();
    let copied = db
        .execute("VACUUM INTO ?", [name])
        .map_err(Copy::Sqlite)
        .and_then(|_| file.sync_all().map_err(Copy::Io));
    if copied.is_err() {
        // half a copy is of no use; that it cannot be removed is no news
        let _ = fs::remove_file(to);
    }
    copied
}

fn full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::ledger::record::Record;
    use crate::ledger::tests::{begin, hash, open, sending, sent, settled, shape};
    use crate::ledger::{Ledger, LedgerError, StateFolder};
    use crate::model::entity::Entity;
    use crate::model::outcome::Status;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn import(folder: &Path, from: &Path) -> Result<Ledger, LedgerError> {
        Ledger::import(folder, from)
    }

    #[test]
    fn an_export_brings_runs_and_memory_to_another_machine() {
        let place = tempfile::tempdir().unwrap();
        let shape = shape(1, &["display_name"]);
        let (here, there) = (place.path().join("here"), place.path().join("there"));
        let file = place.path().join("state.sqlite");
        let ledger = open(&here);
        let run = begin(&ledger, "r1", Some(shape.clone()));
        run.write_now(vec![
            sending(1, [sent(1, 1, 5)]),
            sending(2, [sent(2, 2, 5)]),
            settled(1, &[(1, Status::Loaded)]),
        ])
        .unwrap();
        drop(run);
        ledger.export(&file).unwrap();
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );

        let moved = import(&there, &file).unwrap();
        let memory = moved
            .memory("sandbox", Entity::Customer, Some(&shape))
            .unwrap();
        let known = memory.look_up(&[hash(1)]).unwrap().remove(0).unwrap();
        assert!(known.confirmed.is_some());
        let run = moved.resume("r1").unwrap();
        let progress = run.reader().unwrap().progress("r1", 0).unwrap().unwrap();
        assert_eq!(progress.undecided[0].body, b"body 2");
        assert_eq!(progress.undecided[0].rows.to_vec(), [sent(2, 2, 5)]);
        run.write_now(vec![Record::RunFinished {
            at: 1,
            stopped: None,
        }])
        .unwrap();

        let said = |error: LedgerError| {
            error
                .to_string()
                .replace(&place.path().display().to_string(), "…")
        };
        insta::assert_snapshot!(said(ledger.export(&file).unwrap_err()), @"…/state.sqlite exists already; name another file");
        drop((run, memory, moved));
        insta::assert_snapshot!(said(import(&there, &file).unwrap_err()), @"the state folder …/there holds runs or loaded content already; import into an empty one: choose it with --state-dir");
    }

    #[test]
    fn what_is_no_export_is_refused_and_no_folder_is_made() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("x.sqlite");
        let folder = place.path().join("state");
        let said = |error: LedgerError| {
            error
                .to_string()
                .replace(&place.path().display().to_string(), "…")
        };
        insta::assert_snapshot!(said(import(&folder, &file).unwrap_err()), @"failed to read …/x.sqlite");
        for content in ["", "email,name\nana@example.com,Ana\n"] {
            fs::write(&file, content.repeat(100)).unwrap();
            insta::allow_duplicates! {
                insta::assert_snapshot!(said(import(&folder, &file).unwrap_err()), @"…/x.sqlite is not an export of csm-loader's state");
            }
        }
        assert!(!folder.exists());
    }

    /// A copy that lost its end is only found out when it is read to there.
    #[test]
    fn an_import_that_fails_late_leaves_nothing_that_was_not_there() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("x.sqlite");
        let ledger = open(&place.path().join("here"));
        drop(begin(&ledger, "r1", Some(shape(1, &["display_name"]))));
        ledger.export(&file).unwrap();
        let whole = fs::read(&file).unwrap();
        let mut late = 0;
        for page in 1..whole.len() / 4_096 {
            let mut bytes = whole.clone();
            bytes[page * 4_096..][..4_096].fill(0xAB);
            fs::write(&file, bytes).unwrap();
            let fresh = place.path().join("some/where/fresh");
            let used = place.path().join("used");
            fs::create_dir_all(&used).unwrap();
            fs::write(used.join("theirs"), "").unwrap();
            if import(&fresh, &file).is_err() {
                late += 1;
                assert!(!place.path().join("some").exists(), "page {page}");
                import(&used, &file).unwrap_err();
                let left: Vec<_> = fs::read_dir(&used).unwrap().flatten().collect();
                assert_eq!(left.len(), 1, "page {page}: {left:?}");
            }
            for folder in ["some", "used"] {
                let _ = fs::remove_dir_all(place.path().join(folder));
            }
        }
        assert!(late > 3, "{late} of {}", whole.len() / 4_096);
    }

    #[test]
    fn an_import_into_a_folder_in_use_leaves_it_alone() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("x.sqlite");
        open(&place.path().join("here")).export(&file).unwrap();
        let folder = place.path().join("state");
        let _held = StateFolder::open(&folder).unwrap();
        let error = import(&folder, &file).unwrap_err();
        assert!(matches!(error, LedgerError::InUse { .. }), "{error}");
        assert!(folder.join("lock").exists());
    }

    #[test]
    fn a_ledger_of_version_1_is_an_export_too() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("old.sqlite");
        let old = rusqlite::Connection::open(&file).unwrap();
        old.execute_batch(include_str!("schema/v1.sql")).unwrap();
        old.execute_batch(
            "PRAGMA user_version = 1; INSERT INTO run VALUES (1, 'r1', 'n', 's', '0', 1, 2, NULL);",
        )
        .unwrap();
        let ledger = import(&place.path().join("state"), &file).unwrap();
        assert_eq!(ledger.reader().unwrap().runs().unwrap()[0].id, "r1");
    }
}
