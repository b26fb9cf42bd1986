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
    missing: [HashSet<String>; 2],
    /// The kinds of which all names of the site are known: what has no id is not there.
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
            missing: [HashSet::new(), HashSet::new()],
            complete: [true; 2],
            on_missing: [None; 2],
            created: false,
        }
    }

    /// Of names that were looked up: `missing` were not found, and of the kinds that are `complete` all were.
    #[must_use]
    pub fn new(
        references: References,
        missing: [HashSet<String>; 2],
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

    /// How many names it holds.
    fn names(&self) -> u64 {
        let ids = |known: &Known| match known {
            Known::Unchecked => 0,
            Known::Resolved(ids) => ids.len(),
        };
        let known = &self.references;
        (ids(&known.organizations)
            + ids(&known.products)
            + self.missing.iter().map(HashSet::len).sum::<usize>()) as u64
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
                self.complete[kind as usize] || self.missing[kind as usize].contains(folded)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::contract::Contract;
    use crate::engine::drafts::{Drafted, Drafts};
    use crate::engine::stop::Stop;
    use crate::engine::survey::SurveyError;
    use crate::mapping::{MappingFile, Plan};
    use crate::model::row::RowId;
    use crate::source::{CsvOptions, Dataset, SourceSpec};
    use std::collections::HashMap;

    /// A draft whose rows refer to the organizations Acme and Umbra.
    fn draft() -> Draft {
        let folder = tempfile::tempdir().unwrap();
        let text = "email,org\na@x.org,Acme\nb@x.org,Umbra\n";
        std::fs::write(folder.path().join("a.csv"), text).unwrap();
        let spec = SourceSpec {
            inputs: vec!["a.csv".to_owned()],
            base: folder.path().to_owned(),
            spool: folder.path().to_owned(),
            format: None,
            csv: CsvOptions::default(),
        };
        let dataset = Dataset::open(&spec).unwrap();
        let mapping = "entity = \"customer\"\n[fields]\nemail = \"email\"\ndisplay_name = \"org\"\n[organizations]\nnames = \"org\"\n";
        let mapping = MappingFile::parse("m.toml", mapping.to_owned()).unwrap();
        let plan = Plan::compile(&mapping, dataset.schema(), &Contract::default());
        let plan = Arc::new(plan.unwrap_or_else(|faults| panic!("{faults}")));
        let mut drafts = Drafts::start(&dataset, &plan, &Stop::default()).unwrap();
        let Drafted { draft, .. } = drafts.next().unwrap().unwrap();
        draft.unwrap()
    }

    fn settled(
        ids: &[(&str, &str)],
        missing: &[&str],
        on_missing: OnMissing,
        created: bool,
    ) -> Settled {
        let ids = ids.iter();
        let ids: HashMap<_, _> = ids
            .map(|(name, id)| ((*name).to_owned(), (*id).to_owned()))
            .collect();
        let references = References {
            organizations: Known::Resolved(ids),
            products: Known::Resolved(HashMap::new()),
        };
        let missing = missing.iter().map(|name| (*name).to_owned()).collect();
        let missing = [missing, HashSet::new()];
        Settled::new(
            references,
            missing,
            [false; 2],
            [Some(on_missing), None],
            created,
        )
    }

    #[test]
    fn a_draft_is_covered_once_asking_for_its_names_would_change_nothing() {
        use OnMissing::{Create, Reject, Skip};
        let draft = draft();
        let (acme, umbra, new) = (("acme", "1"), ("umbra", "2"), ("umbra", ""));
        for (ids, missing, on_missing, created, covered) in [
            (&[acme, umbra][..], &[][..], Reject, false, true),
            (&[acme], &[], Reject, false, false),
            (&[acme], &["umbra"], Reject, false, true),
            (&[acme], &["umbra"], Skip, true, true),
            (&[acme], &["umbra"], Create, false, false),
            (&[acme, new], &[], Create, false, true),
            (&[acme, new], &[], Create, true, false),
            (&[acme, umbra], &[], Create, true, true),
        ] {
            let board = Board::default();
            assert!(board.covering(&draft).is_none());
            board.show(settled(ids, missing, on_missing, created));
            assert_eq!(
                board.covering(&draft).is_some(),
                covered,
                "{ids:?} {missing:?} {on_missing:?} {created}"
            );
        }
        let board = Board::default();
        board.show(Settled::unasked());
        assert!(board.covering(&draft).is_some());
    }

    /// So many names are known.
    struct Learned(u64);

    impl Names for Learned {
        fn ensure(
            &mut self,
            _: &Draft,
            _: &dyn Fn(RowId) -> bool,
        ) -> Result<&References, SurveyError> {
            Ok(&References::UNCHECKED)
        }

        fn organizations(&mut self, _: Vec<String>) -> Result<&Known, SurveyError> {
            Ok(&Known::Unchecked)
        }

        fn settled(&self) -> Option<Settled> {
            let names: Vec<_> = (0..self.0).map(|name| name.to_string()).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            Some(settled(&[], &names, OnMissing::Reject, false))
        }

        fn learned(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn no_more_names_are_copied_than_rows_are_read() {
        let mut teller = Teller::new(&Learned(0));
        let shown = |teller: &Teller| teller.board().0.lock().unwrap().as_ref().unwrap().names();
        for (rows, names, expected) in [(1, 5, 5), (4, 6, 5), (0, 6, 5), (1, 7, 7), (9, 7, 7)] {
            teller.read(rows, &Learned(names));
            assert_eq!(shown(&teller), expected);
        }
    }
}
