//! The schema's versions, and the way from each to the next.

use super::error::{LedgerError, damaged, failed};
use rusqlite::{Connection, ErrorCode};
use std::path::Path;

/// The version of the schema, in `user_version`.
pub(super) const VERSION: i64 = 2;
/// The tables and the view.
const SCHEMA: &str = include_str!("schema/v2.sql");
/// What leads from a version (the first is 1) to the one after it.
const MIGRATIONS: [&[&str]; 1] = [&[
    include_str!("schema/v1_aside.sql"),
    SCHEMA,
    include_str!("schema/v1_into_v2.sql"),
]];
/// Every table, to see whether it can be read.
const TABLES: [&str; 11] = [
    "run", "stage", "file", "batch", "body", "said", "row", "shape", "intent", "map", "page",
];

/// Brings a file to this version: makes the tables, or migrates what an older program wrote.
///
/// # Errors
/// When the file is of a newer version, damaged, or cannot be written.
pub(super) fn prepare(db: &mut Connection, file: &Path) -> Result<(), LedgerError> {
    let mut version = version_of(db, file)?;
    if version == 0 {
        if tables(db).map_err(failed("open", file))? > 0 {
            return Err(failed("open", file)(damaged(0)));
        }
        step(db, &[SCHEMA], VERSION).map_err(failed("open", file))?;
        version = VERSION;
    }
    while version < VERSION {
        let index = usize::try_from(version - 1).unwrap_or(usize::MAX);
        let Some(steps) = MIGRATIONS.get(index) else {
            return Err(failed("open", file)(damaged(0)));
        };
        step(db, steps, version + 1).map_err(failed("migrate", file))?;
        version += 1;
        // so that the file can give back what is free; that takes writing it anew
        db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM;")
            .map_err(failed("migrate", file))?;
    }
    check(db, file)
}

/// The version of a file; 0 when it is empty.
///
/// # Errors
/// When it is newer than this program, or cannot be read.
pub(super) fn version_of(db: &Connection, file: &Path) -> Result<i64, LedgerError> {
    let version: i64 = db
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(failed("open", file))?;
    if version > VERSION {
        return Err(LedgerError::Version {
            file: file.to_owned(),
            found: version,
        });
    }
    Ok(version)
}

/// Looks at each table. A whole check would read all of a file that may have gigabytes.
///
/// # Errors
/// When one is missing or cannot be read.
pub(super) fn check(db: &Connection, file: &Path) -> Result<(), LedgerError> {
    for table in TABLES {
        let read = db.query_row(
            &format!("SELECT count(*) FROM (SELECT * FROM {table} LIMIT 1)"),
            [],
            |_| Ok(()),
        );
        read.map_err(|error| match error.sqlite_error_code() {
            // "no such table" and "no such column" have no code of their own
            Some(ErrorCode::Unknown) => LedgerError::Damaged {
                file: file.to_owned(),
                source: error,
            },
            _ => failed("open", file)(error),
        })?;
    }
    Ok(())
}

fn tables(db: &Connection) -> rusqlite::Result<u64> {
    db.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
}

/// One transaction: all of it, or nothing.
fn step(db: &mut Connection, steps: &[&str], version: i64) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    for sql in steps {
        transaction.execute_batch(sql)?;
    }
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What version 1 wrote: one run that ended and one that was killed.
    const ROWS_OF_V1: &str = "
        PRAGMA user_version = 1;
        INSERT INTO run VALUES (1, 'r1', 'n1', 'sandbox', '0.1.0', 1000, 2000, NULL);
        INSERT INTO run VALUES (2, 'r2', 'n2', 'sandbox', '0.1.0', 3000, NULL, NULL);
        INSERT INTO stage VALUES (1, 0, 'customer', 'upsert', 'ab', 'out.csv', 2000);
        INSERT INTO stage VALUES (2, 0, 'customer', 'upsert', 'ab', 'out.csv', NULL);
        INSERT INTO file VALUES (1, 0, 0, 'a.csv', 10, 'cd');
        INSERT INTO batch VALUES (1, 0, 1, 'k1', 2, NULL, NULL, 't1', 'x1', 1100, 1200);
        INSERT INTO batch VALUES (2, 0, 1, 'k2', 1, x'7b7d', '[[1,0,2,\"ana\"]]', 't2', 'x2', 3100, NULL);
        INSERT INTO row VALUES (1, 0, 2, 0, 5, 'bo', 3, '[]', NULL, 0, 1, 2, 1199);
        INSERT INTO row VALUES (1, 0, 1, 0, 2, 'ana', 0, NULL, '7', 0, 1, 1, 1200);
        INSERT INTO row VALUES (1, 0, 3, 0, NULL, 'cy', 2, '[]', NULL, NULL, NULL, 0, 1100);";

    fn dump(db: &Connection, sql: &str) -> Vec<String> {
        let mut query = db.prepare(sql).unwrap();
        let columns = query.column_count();
        let rows = query.query_map([], |row| {
            let cells: Vec<_> = (0..columns)
                .map(|i| format!("{:?}", row.get_ref(i).unwrap()))
                .collect();
            Ok(cells.join("|"))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    fn version_1() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("schema/v1.sql")).unwrap();
        db.execute_batch(ROWS_OF_V1).unwrap();
        db.pragma_update(None, "foreign_keys", "ON").unwrap();
        db
    }

    #[test]
    fn version_1_is_migrated_and_shows_the_same_results() {
        let mut db = version_1();
        let before = dump(&db, "SELECT * FROM results ORDER BY run, row");
        assert_eq!(before.len(), 3);
        prepare(&mut db, Path::new("x")).unwrap();
        assert_eq!(dump(&db, "SELECT * FROM results ORDER BY run, row"), before);
        let runs = dump(&db, "SELECT run, state, job IS NULL FROM run ORDER BY run");
        assert_eq!(
            runs,
            [
                "Integer(1)|Integer(1)|Integer(1)",
                "Integer(2)|Integer(2)|Integer(1)"
            ]
        );
        let held = "SELECT count(*) FROM body";
        assert_eq!(dump(&db, held), ["Integer(0)"]);
    }

    #[test]
    fn a_migrated_file_has_the_schema_of_a_new_one() {
        let mut old = version_1();
        prepare(&mut old, Path::new("x")).unwrap();
        let mut new = Connection::open_in_memory().unwrap();
        prepare(&mut new, Path::new("x")).unwrap();
        let schema = "SELECT type, name, sql FROM sqlite_master ORDER BY name";
        assert_eq!(dump(&old, schema), dump(&new, schema));
        assert_eq!(dump(&old, "PRAGMA user_version"), ["Integer(2)"]);
    }

    #[test]
    fn a_migration_that_fails_leaves_the_file_as_it_was() {
        let mut db = version_1();
        // in the way of the one that is to be made
        db.execute_batch("CREATE TABLE page (page INTEGER)")
            .unwrap();
        let before = dump(&db, "SELECT name, sql FROM sqlite_master ORDER BY name");
        assert!(prepare(&mut db, Path::new("x")).is_err());
        assert_eq!(
            dump(&db, "SELECT name, sql FROM sqlite_master ORDER BY name"),
            before
        );
        assert_eq!(dump(&db, "PRAGMA user_version"), ["Integer(1)"]);
    }
}
