//! Which rows are loaded again: a decision on one row at a time.

use super::ledgered::KnownRow;
use crate::model::outcome::Status;

/// The statuses of rows that are loaded again unless others are named.
const RETRIED: [Status; 4] = [
    Status::Rejected,
    Status::Failed,
    Status::Unconfirmed,
    Status::NotSent,
];

/// Which rows a person wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Statuses that the ledger must know the row by; when empty: rejected, failed, unconfirmed and `not_sent`.
    pub statuses: Vec<Status>,
    /// Codes of which the row must have one, in any case; when empty: whichever.
    pub codes: Vec<String>,
}

/// What is done with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// It is loaded again.
    Again,
    /// It has loaded, although the file says that it did not.
    Refused,
    /// It was not asked for.
    Left,
}

impl Filter {
    /// Decides on a row. `said` is its status in the file, for what it is worth: people edit it, and a later run may have
    /// loaded the row since.
    pub(super) fn choose(&self, known: &KnownRow, said: Option<&str>) -> Choice {
        let wanted = self.wants(known.status) && self.has_code(known);
        match (known.status, said.map(str::trim)) {
            (Status::Loaded, None | Some("")) => Choice::Left,
            (Status::Loaded, Some(said)) if said == Status::Loaded.name() => Choice::Left,
            (Status::Loaded, Some(_)) => Choice::Refused,
            _ if wanted => Choice::Again,
            _ => Choice::Left,
        }
    }

    fn wants(&self, status: Status) -> bool {
        match self.statuses.as_slice() {
            [] => RETRIED.contains(&status),
            named => named.contains(&status),
        }
    }

    /// Whether the row has one of the codes, where some are named.
    pub(super) fn has_code(&self, known: &KnownRow) -> bool {
        let has = |code: &String| {
            known
                .codes
                .iter()
                .any(|one| one.name().eq_ignore_ascii_case(code))
        };
        self.codes.is_empty() || self.codes.iter().any(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::code::{Code, ReasonCode};
    use crate::model::row::FileId;

    fn row(status: Status, codes: &[ReasonCode]) -> KnownRow {
        KnownRow {
            file: FileId(0),
            line: None,
            status,
            codes: codes.to_vec(),
        }
    }

    #[test]
    fn by_default_rows_that_did_not_load_are_loaded_again() {
        let filter = Filter::default();
        for (status, choice) in [
            (Status::Rejected, Choice::Again),
            (Status::Failed, Choice::Again),
            (Status::Unconfirmed, Choice::Again),
            (Status::NotSent, Choice::Again),
            (Status::Duplicate, Choice::Left),
            (Status::Unchanged, Choice::Left),
            (Status::Loaded, Choice::Left),
        ] {
            let known = row(status, &[]);
            assert_eq!(
                filter.choose(&known, Some(status.name())),
                choice,
                "{status}"
            );
            assert_eq!(
                filter.choose(&known, None),
                choice,
                "{status} without a column"
            );
        }
    }

    #[test]
    fn the_ledger_says_what_loaded_and_the_file_does_not() {
        let failed_only = Filter {
            statuses: vec![Status::Failed, Status::Loaded],
            codes: Vec::new(),
        };
        for (known, said, choice) in [
            (Status::Loaded, Some("failed"), Choice::Refused),
            (Status::Loaded, Some("please retry"), Choice::Refused),
            (Status::Loaded, Some(" loaded "), Choice::Left),
            (Status::Loaded, Some(""), Choice::Left),
            (Status::Failed, Some("loaded"), Choice::Again),
            (Status::Failed, Some(""), Choice::Again),
            (Status::Rejected, Some("failed"), Choice::Left),
        ] {
            let known = row(known, &[]);
            assert_eq!(
                failed_only.choose(&known, said),
                choice,
                "{known:?} {said:?}"
            );
        }
    }

    #[test]
    fn a_row_needs_one_of_the_codes_and_one_of_the_statuses() {
        let codes = [Code::EmailInvalid.into(), ReasonCode::Rule("ENDED".into())];
        for (statuses, codes_wanted, choice) in [
            (&[][..], &["ENDED"][..], Choice::Again),
            (&[], &["TOO_LONG", "email_invalid"], Choice::Again),
            (&[], &["TOO_LONG"], Choice::Left),
            (&[Status::Rejected], &["ENDED"], Choice::Again),
            (&[Status::Failed], &["ENDED"], Choice::Left),
        ] {
            let filter = Filter {
                statuses: statuses.to_vec(),
                codes: codes_wanted.iter().map(ToString::to_string).collect(),
            };
            let known = row(Status::Rejected, &codes);
            assert_eq!(filter.choose(&known, None), choice, "{filter:?}");
        }
        let duplicates = Filter {
            statuses: vec![Status::Duplicate],
            codes: Vec::new(),
        };
        assert_eq!(
            duplicates.choose(&row(Status::Duplicate, &[]), None),
            Choice::Again
        );
    }
}
