//! What was said of rows: a text that thousands of rows share is kept once.

use super::insert::unwritable;
use crate::model::row::Reason;
use rusqlite::{Transaction, params};
use std::collections::HashMap;

/// Texts whose numbers are remembered. More distinct ones are about single rows, mostly, and would not be met again.
const MOST: usize = 1_024;

/// The texts that were written last, with their numbers.
#[derive(Debug, Default)]
pub(super) struct Said(HashMap<(i64, String), i64>);

impl Said {
    /// The number of what is said of a row, which is written where it is not remembered; `None` when nothing is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn number_of(
        &mut self,
        db: &Transaction<'_>,
        part: i64,
        reasons: &[Reason],
    ) -> rusqlite::Result<Option<i64>> {
        if reasons.is_empty() {
            return Ok(None);
        }
        let text = serde_json::to_string(reasons).map_err(unwritable)?;
        let key = (part, text);
        if let Some(number) = self.0.get(&key) {
            return Ok(Some(*number));
        }
        if self.0.len() >= MOST {
            self.0.clear();
        }
        let number = insert(db, part, &key.1)?;
        self.0.insert(key, number);
        Ok(Some(number))
    }
}

/// Writes a text of a part; gives its number.
///
/// # Errors
/// When it cannot be written.
pub(super) fn insert(db: &Transaction<'_>, part: i64, reasons: &str) -> rusqlite::Result<i64> {
    db.prepare_cached("INSERT INTO said (part, reasons) VALUES (?, ?)")?
        .execute(params![part, reasons])?;
    Ok(db.last_insert_rowid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::schema;
    use crate::model::code::Code;
    use rusqlite::Connection;
    use std::path::Path;

    fn reasons(message: String) -> Vec<Reason> {
        vec![Reason {
            code: Code::SiteRejected.into(),
            field: None,
            message,
        }]
    }

    #[test]
    fn the_same_text_of_a_part_is_written_once_and_however_many_there_are_none_is_mistaken() {
        let mut db = Connection::open_in_memory().unwrap();
        schema::prepare(&mut db, Path::new("x")).unwrap();
        let db = db.transaction().unwrap();
        db.execute_batch(
            "INSERT INTO run (id, nonce, site, version, state, started_at) VALUES ('r', 'n', 's', '1', 0, 1);
             INSERT INTO stage (run, stage, entity, operation, mapping, settings) VALUES (1, 0, '', '', '', ''), (1, 1, '', '', '', '');",
        )
        .unwrap();
        let mut said = Said::default();
        assert_eq!(said.number_of(&db, 1, &[]).unwrap(), None);
        for _ in 0..2 {
            for (part, message, number) in [(1, "a", 1), (1, "b", 2), (2, "a", 3)] {
                let given = said.number_of(&db, part, &reasons(message.into()));
                assert_eq!(given.unwrap(), Some(number));
            }
        }
        for round in 0..2 {
            for n in 0..2 * MOST {
                let number = said.number_of(&db, 1, &reasons(format!("{n}")));
                let text: String = db
                    .query_row(
                        "SELECT reasons FROM said WHERE said = ?",
                        [number.unwrap()],
                        |row| row.get(0),
                    )
                    .unwrap();
                assert!(text.contains(&format!("\"{n}\"")), "{round} {text}");
                assert!(said.0.len() <= MOST);
            }
        }
    }
}
