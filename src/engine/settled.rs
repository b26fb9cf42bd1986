//! What is known of the names that rows refer to, for the threads that map: a chunk of which all names are known is
//! finished there, and nobody waits for it.

use super::survey::Names;
use crate::mapping::{Draft, Known, OnMissing, RefKind, References};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// A copy of what is known at some time.
#[derive(Debug)]
pub struct Settled {
    references: References,
    /// Names, folded, that the site does not have.
    missing: HashSet<String>,
    /// Of which kinds each name that has no id is known not to be there.
    complete: [bool; 2],
    on_missing: [Option<OnMissing>; 2],
    /// Whether names that are to be created count only once they have an id.
    created: bool,
}

impl Settled {
    /// Of names that nobody looks up.
    #[must_use]
    pub fn unasked() -> Self {
        Self {
            references: References::UNCHECKED,
            missing: HashSet::new(),
            complete: [true; 2],
            on_missing: [None; 2],
            created: false,
        }
    }

    /// Of names that were looked up: `missing` were not found, and of the kinds that are `complete` all were.
    #[must_use]
    pub fn new(
        references: References,
        missing: HashSet<String>,
        complete: [bool; 2],
        on_missing: [Option<OnMissing>; 2],
        created: bool,
    ) -> Self {
        Self {
            references,
            missing,
            complete,
            on_missing,
            created,
        }
    }

    /// The ids.
    #[must_use]
    pub const fn references(&self) -> &References {
        &self.references
    }

    /// Whether asking for the names of a draft would change nothing.
    fn covers(&self, draft: &Draft) -> bool {
        RefKind::ALL.into_iter().all(|kind| {
            let Some(on_missing) = self.on_missing[kind as usize] else {
                return true;
            };
            draft.all_names(kind, |folded| self.is_settled(kind, on_missing, folded))
        })
    }

    fn is_settled(&self, kind: RefKind, on_missing: OnMissing, folded: &str) -> bool {
        let known = match kind {
            RefKind::Organization => &self.references.organizations,
            RefKind::Product => &self.references.products,
        };
        let Known::Resolved(ids) = known else {
            return true;
        };
        match (ids.get(folded), on_missing) {
            (Some(id), OnMissing::Create) => !self.created || !id.is_empty(),
            (Some(_), _) => true,
            (None, OnMissing::Create) => false,
            (None, OnMissing::Reject | OnMissing::Skip) => {
                self.complete[kind as usize] || self.missing.contains(folded)
            }
        }
    }
}

/// Where the newest copy hangs. Clones show the same.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<Mutex<Option<Arc<Settled>>>>);

impl Board {
    /// What is known, if it is enough for a draft.
    #[must_use]
    pub fn covering(&self, draft: &Draft) -> Option<Arc<Settled>> {
        let newest = {
            let newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            newest.clone()?
        };
        newest.covers(draft).then_some(newest)
    }

    fn show(&self, settled: Settled) {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *newest = Some(Arc::new(settled));
    }
}

/// Keeps a board up to date, at the cost of copying one name for each row that was read at most.
#[derive(Debug)]
pub struct Teller {
    board: Board,
    /// What was shown last.
    shown: u64,
    /// Names that were copied then.
    names: u64,
    /// Rows read since.
    rows: u64,
}

impl Teller {
    /// Shows on a board what is known before the reading begins.
    pub fn new(names: &impl Names) -> Self {
        let mut teller = Self {
            board: Board::default(),
            shown: 0,
            names: 0,
            rows: 0,
        };
        teller.show(names);
        teller
    }

    /// The board.
    #[must_use]
    pub const fn board(&self) -> &Board {
        &self.board
    }

    /// Takes note that so many rows were read, and of what was learned of names on the way.
    pub fn read(&mut self, rows: u64, names: &impl Names) {
        self.rows += rows;
        if self.rows >= self.names && names.learned() > self.shown {
            self.show(names);
        }
    }

    fn show(&mut self, names: &impl Names) {
        if let Some(settled) = names.settled() {
            (self.shown, self.rows) = (names.learned(), 0);
            self.names = settled.names();
            self.board.show(settled);
        }
    }
}

impl Settled {
    /// How many names it holds.
    fn names(&self) -> u64 {
        let ids = |known: &Known| match known {
            Known::Unchecked => 0,
            Known::Resolved(ids) => ids.len(),
        };
        let References {
            organizations,
            products,
        } = &self.references;
        (ids(organizations) + ids(products) + self.missing.len()) as u64
    }
}
