//! Which rows a task's failures mean. A failure item has no row number and may not name its row.
//!
//! A failure is matched by the record it names; else by the detail field it names, since only rows that carry the
//! field can have failed on it; what then fits several rows is not guessed.

use crate::model::code::Code;
use crate::model::reply::TaskFailure;
use crate::model::row::{PreparedRow, Reason};
use std::collections::HashMap;

/// What a finished task says of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No failure can mean it.
    Clean,
    /// These failures mean it and no other row.
    Refused(Vec<Reason>),
    /// Failures may mean it or another row; what they say.
    Ambiguous(Vec<String>),
}

/// Reads the failures of a task: one verdict per row, in the rows' order. `details` names the plan's detail
/// fields, `fold` makes identities comparable, `known` gives the folded identity of remote ids that were looked up.
#[must_use]
#[expect(clippy::implicit_hasher, reason = "one caller, one hasher")]
pub fn attribute(
    rows: &[PreparedRow],
    failures: &[TaskFailure],
    details: &[String],
    known: &HashMap<String, String>,
    fold: impl Fn(&str) -> String,
) -> Vec<Verdict> {
    let mut by_identity: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        by_identity
            .entry(row.identity.as_str())
            .or_default()
            .push(index);
    }
    let mut verdicts = vec![Verdict::Clean; rows.len()];
    let mut unnamed = Vec::new();
    for failure in failures {
        // an id may read like another row's name: what it was found to mean and what it says both count
        let mut named = Vec::new();
        if let Some(id) = failure.entity_id.as_deref() {
            let folded = fold(id);
            let meant = known.get(id).map(String::as_str);
            for identity in [meant, Some(folded.as_str()), Some(id)]
                .into_iter()
                .flatten()
            {
                named.extend(by_identity.get(identity).into_iter().flatten().copied());
            }
            named.sort_unstable();
            named.dedup();
        }
        match named.as_slice() {
            [] => unnamed.push(failure),
            [only] => refuse(&mut verdicts[*only], failure),
            several => several
                .iter()
                .for_each(|index| doubt(&mut verdicts[*index], failure)),
        }
    }
    for failure in unnamed {
        let candidates = candidates(rows, failure, details);
        match candidates.as_slice() {
            [only] => refuse(&mut verdicts[*only], failure),
            several => {
                for index in several {
                    doubt(&mut verdicts[*index], failure);
                }
            }
        }
    }
    verdicts
}

/// The rows that a failure without a known record may mean: those that carry the detail field it names, or all.
fn candidates(rows: &[PreparedRow], failure: &TaskFailure, details: &[String]) -> Vec<usize> {
    let fields = failure
        .operated_on_ids
        .iter()
        .filter_map(|name| details.iter().position(|detail| detail == name))
        .fold(0_u64, |fields, index| fields | 1 << index);
    let carrying: Vec<_> = (0..rows.len())
        .filter(|index| fields != 0 && rows[*index].details & fields != 0)
        .collect();
    if carrying.is_empty() {
        (0..rows.len()).collect()
    } else {
        carrying
    }
}

fn refuse(verdict: &mut Verdict, failure: &TaskFailure) {
    let reason = Reason {
        code: Code::SiteRejected.into(),
        field: field_of(failure),
        message: failure.error.clone(),
    };
    match verdict {
        Verdict::Refused(reasons) => reasons.push(reason),
        Verdict::Clean | Verdict::Ambiguous(_) => *verdict = Verdict::Refused(vec![reason]),
    }
}

fn doubt(verdict: &mut Verdict, failure: &TaskFailure) {
    match verdict {
        // it certainly failed; whether for one reason more does not change its status
        Verdict::Refused(_) => {}
        Verdict::Ambiguous(errors) => errors.push(failure.error.clone()),
        Verdict::Clean => *verdict = Verdict::Ambiguous(vec![failure.error.clone()]),
    }
}

fn field_of(failure: &TaskFailure) -> Option<String> {
    (!failure.operated_on_ids.is_empty()).then(|| failure.operated_on_ids.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::batcher::tests::row;
    use proptest::prelude::*;

    fn failure(entity_id: Option<&str>, field: Option<&str>) -> TaskFailure {
        TaskFailure {
            entity_id: entity_id.map(Into::into),
            operated_on_ids: field.iter().map(ToString::to_string).collect(),
            error: "Invalid detail field value".into(),
            ..TaskFailure::default()
        }
    }

    fn verdicts(rows: &[PreparedRow], failures: &[TaskFailure]) -> Vec<Verdict> {
        let details = ["Region".to_owned(), "Tier".to_owned()];
        let known = HashMap::from([("qm:1".to_owned(), "c2@example.com".to_owned())]);
        attribute(rows, failures, &details, &known, str::to_lowercase)
    }

    fn rows() -> Vec<PreparedRow> {
        let mut rows = vec![row(1, 1, "{}"), row(2, 2, "{}"), row(3, 3, "{}")];
        rows[0].details = 0b01;
        rows[1].details = 0b11;
        rows
    }

    #[test]
    fn a_named_record_fails_alone_however_it_is_spelled() {
        for id in ["C2@Example.com", "c2@example.com", "qm:1"] {
            let verdicts = verdicts(&rows(), &[failure(Some(id), Some("Region"))]);
            let Verdict::Refused(reasons) = &verdicts[1] else {
                panic!("{verdicts:?}")
            };
            assert_eq!(reasons[0].field.as_deref(), Some("Region"));
            assert_eq!(reasons[0].message, "Invalid detail field value");
            assert_eq!(
                (&verdicts[0], &verdicts[2]),
                (&Verdict::Clean, &Verdict::Clean)
            );
        }
    }

    #[test]
    fn an_id_that_reads_like_another_rows_name_is_not_guessed() {
        let mut rows = rows();
        rows[0].identity = crate::model::slice::Slice::owned("qm:1");
        let verdicts = verdicts(&rows, &[failure(Some("qm:1"), None)]);
        assert!(matches!(
            verdicts[..],
            [Verdict::Ambiguous(_), Verdict::Ambiguous(_), Verdict::Clean]
        ));
    }

    #[test]
    fn an_unnamed_failure_falls_on_the_only_row_that_carries_its_field() {
        let verdicts = verdicts(&rows(), &[failure(None, Some("Tier"))]);
        assert!(matches!(verdicts[1], Verdict::Refused(_)));
        assert_eq!(verdicts[0], Verdict::Clean);
    }

    #[test]
    fn what_fits_several_rows_is_not_guessed() {
        let by_field = verdicts(&rows(), &[failure(Some("qm:unknown"), Some("Region"))]);
        assert!(matches!(
            by_field[..],
            [Verdict::Ambiguous(_), Verdict::Ambiguous(_), Verdict::Clean]
        ));
        let by_nothing = verdicts(&rows(), &[failure(None, None)]);
        assert!(
            by_nothing
                .iter()
                .all(|verdict| matches!(verdict, Verdict::Ambiguous(_)))
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn every_failure_leaves_a_mark(
            failures in prop::collection::vec((prop::option::of("(c[0-9]@example\\.com|qm:[0-9])"), prop::option::of("(Region|Tier|Other)")), 1..8)
        ) {
            let rows = rows();
            let failures: Vec<_> = failures.iter().map(|(id, field)| failure(id.as_deref(), field.as_deref())).collect();
            let verdicts = verdicts(&rows, &failures);
            prop_assert_eq!(verdicts.len(), rows.len());
            prop_assert!(verdicts.iter().any(|verdict| *verdict != Verdict::Clean));
        }
    }
}
