//! What a person is told about the rows and columns of the file, without cell values.

use crate::model::outcome::{Counts, Status};
use crate::source::At;
use std::fmt;

/// Places that are named.
const SHOWN: usize = 5;

/// Rows that have something in common: how many, and where the first stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examples {
    /// How many.
    pub count: u64,
    /// The first few.
    pub places: Vec<At>,
}

impl Examples {
    /// One more.
    pub(super) fn add(&mut self, at: At) {
        self.count += 1;
        if self.places.len() < SHOWN {
            self.places.push(at);
        }
    }
}

impl fmt::Display for Examples {
    /// `lines 4, 7, 9 and 12 more`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.places.first() else {
            return Ok(());
        };
        let plural = if self.count > 1 { "s" } else { "" };
        write!(f, "{}{plural} ", first.parts().0)?;
        for (index, at) in self.places.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{}", at.parts().1)?;
        }
        match self.count - self.places.len() as u64 {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// What was found in a results file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Rows that are loaded again, by the status that the ledger knows them by.
    pub again: Counts,
    /// Rows that were not asked for, by the same.
    pub left: Counts,
    /// Rows that have loaded, although the file says that they did not.
    pub refused: Examples,
    /// Rows of those loaded again that have a cell that cannot be read as its column's type.
    pub unreadable: Examples,
    /// Columns that this program did not write; not read.
    pub added: Vec<String>,
    /// `src.` columns that the source did not have; not read.
    pub foreign: Vec<String>,
    /// Columns of the source that are not in the file.
    pub absent: Vec<String>,
}

impl Told {
    /// The same in sentences, the most important first.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let mut said = Vec::new();
        said.push(format!(
            "{} loaded again{}",
            rows_are(self.again.total()),
            by_status(&self.again)
        ));
        if self.refused.count > 0 {
            said.push(format!(
                "{} not loaded again, because the ledger knows that {} loaded: {}",
                rows_are(self.refused.count),
                if self.refused.count == 1 {
                    "it"
                } else {
                    "they"
                },
                self.refused
            ));
        }
        if self.left.total() > 0 {
            let by = by_status(&self.left);
            said.push(format!("{} left out{by}", rows_are(self.left.total())));
        }
        if self.unreadable.count > 0 {
            said.push(format!(
                "{} rejected, because a cell cannot be read as its column's type: {}",
                rows_are(self.unreadable.count),
                self.unreadable
            ));
        }
        for (what, columns) in [
            ("ignored, as this program did not write them", &self.added),
            ("ignored, as the source did not have them", &self.foreign),
            (
                "no longer in the file, and so not there for the mapping",
                &self.absent,
            ),
        ] {
            if !columns.is_empty() {
                said.push(format!("columns {what}: {}", columns.join(", ")));
            }
        }
        said
    }
}

fn rows_are(count: u64) -> String {
    match count {
        1 => "1 row is".to_owned(),
        count => format!("{count} rows are"),
    }
}

/// ` (2 failed, 1 rejected)`
pub(super) fn by_status(counts: &Counts) -> String {
    let each: Vec<_> = Status::ALL
        .into_iter()
        .filter(|status| counts.of(*status) > 0)
        .map(|status| format!("{} {status}", counts.of(status)))
        .collect();
    match each.as_slice() {
        [] => String::new(),
        each => format!(" ({})", each.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_was_found_is_told() {
        let mut told = Told::default();
        insta::assert_snapshot!(told.sentences().join("\n"), @"0 rows are loaded again");
        told.again.add(Status::Failed, 1);
        told.left.add(Status::Loaded, 990);
        told.left.add(Status::Duplicate, 3);
        for line in 4..11 {
            told.refused.add(At::Line(line));
        }
        told.unreadable.add(At::Record(7));
        told.added = vec!["comment".into(), "owner".into()];
        told.foreign = vec!["src.Fax".into()];
        told.absent = vec!["src.phone".into()];
        insta::assert_snapshot!(told.sentences().join("\n"), @"
        1 row is loaded again (1 failed)
        7 rows are not loaded again, because the ledger knows that they loaded: lines 4, 5, 6, 7, 8 and 2 more
        993 rows are left out (990 loaded, 3 duplicate)
        1 row is rejected, because a cell cannot be read as its column's type: record 7
        columns ignored, as this program did not write them: comment, owner
        columns ignored, as the source did not have them: src.Fax
        columns no longer in the file, and so not there for the mapping: src.phone
        ");
    }
}
