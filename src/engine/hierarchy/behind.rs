//! The second reading's share: which rows are laid aside until their parents were handed over.

use super::tree::{Tree, Turn};
use super::waiting::Waiting;
use crate::ledger::RowSet;
use crate::mapping::Draft;
use crate::model::row::{PreparedRow, Reason, RowId};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

/// What orders the rows of a stage.
#[derive(Debug)]
pub struct Behind {
    tree: Tree,
    spool: PathBuf,
    /// Rows that an interrupted run decided, and whose records the site is not known to hold.
    pub unloaded: RowSet,
}

impl Behind {
    /// For a stage whose rows have parents. Rows that wait lie in an unnamed file in `spool`.
    #[must_use]
    pub fn of(tree: Option<Tree>, unloaded: RowSet, spool: &Path) -> Option<Self> {
        let spool = spool.to_owned();
        tree.map(|tree| Self {
            tree,
            spool,
            unloaded,
        })
    }

    /// A place for the rows that wait.
    ///
    /// # Errors
    /// When no file can be made there.
    pub fn waiting(&self) -> io::Result<Waiting> {
        Waiting::new(&self.spool)
    }

    /// Lays the rows aside that go out behind their parents; gives the others.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn lay_aside(
        &self,
        rows: Vec<PreparedRow>,
        waiting: &mut Waiting,
    ) -> io::Result<Vec<PreparedRow>> {
        let mut at_once = Vec::with_capacity(rows.len());
        for row in rows {
            match self.tree.turn(row.row.id) {
                Turn::Behind { rank, parent } => waiting.push(rank, parent, &row)?,
                Turn::AtOnce | Turn::Refused => at_once.push(row),
            }
        }
        Ok(at_once)
    }

    /// The rows of a draft that are refused for their parents; `field` is the detail that names these.
    #[must_use]
    pub fn refused(&self, draft: &Draft, field: Option<&str>) -> HashMap<RowId, Reason> {
        let parents = draft.parents();
        parents
            .filter_map(|(row, name)| Some((row, self.tree.reason(row, field, name)?)))
            .collect()
    }
}
