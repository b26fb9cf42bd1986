//! Which rows a task's failures mean. A failure item has no row number and may not name its row.
//!
//! A failure is matched by the record it names; else by the detail field it names, since only rows that carry the
//! field can have failed on it; what then fits several rows is not guessed. Once it is known which of these the site
//! holds, what is left may fit no more than it must: [`eliminate`].

use super::seen::Seen;
use crate::model::code::Code;
use crate::model::reply::TaskFailure;
use crate::model::row::{PreparedRow, Reason};
use std::collections::{BTreeMap, BTreeSet, HashMap};

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

/// A failure that may mean any of several rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspects {
    /// What it says.
    pub reason: Reason,
    /// The rows, by index, in order.
    pub rows: Vec<usize>,
}

/// Reads the failures of a task: one verdict per row, in the rows' order, and the failures that fit several. `details` names the plan's detail
/// fields, `fold` makes identities comparable, `known` gives the folded identity of remote ids that were looked up.
#[must_use]
#[expect(clippy::implicit_hasher, reason = "one caller, one hasher")]
pub fn attribute(
    rows: &[PreparedRow],
    failures: &[TaskFailure],
    details: &[String],
    known: &HashMap<String, String>,
    fold: impl Fn(&str) -> String,
) -> (Vec<Verdict>, Vec<Suspects>) {
    if failures.is_empty() {
        return (vec![Verdict::Clean; rows.len()], Vec::new());
    }
    let mut by_identity: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        by_identity
            .entry(row.identity.as_str())
            .or_default()
            .push(index);
    }
    let mut verdicts = vec![Verdict::Clean; rows.len()];
    let mut suspects = Vec::new();
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
            _ => suspects.push(doubt(&mut verdicts, named, failure)),
        }
    }
    for failure in unnamed {
        let candidates = candidates(rows, failure, details);
        match candidates.as_slice() {
            [only] => refuse(&mut verdicts[*only], failure),
            _ => suspects.push(doubt(&mut verdicts, candidates, failure)),
        }
    }
    (verdicts, suspects)
}

/// The rows that failures mean, now that it is known what the site holds: `seen` by row, for those that were read.
/// A failure that can mean one row alone is that row's; where as many failures as rows say the same, it is said of
/// each. Of any other row nothing is said. No row that the site holds is ever named.
#[must_use]
pub fn eliminate(suspects: &[Suspects], seen: &[Option<Seen>]) -> BTreeMap<usize, Vec<Reason>> {
    let holds = |row: &usize| matches!(seen[*row], Some(Seen::Holds { .. }));
    let lacks = |row: &usize| matches!(seen[*row], Some(Seen::Absent | Seen::Differs { .. }));
    let left: Vec<Vec<usize>> = suspects
        .iter()
        .map(|suspects| {
            let rows = suspects.rows.iter().copied();
            rows.filter(|row| !holds(row)).collect()
        })
        .collect();
    let mut blamed: BTreeMap<usize, Vec<Reason>> = BTreeMap::new();
    for row in (0..seen.len()).filter(lacks) {
        let may_mean = || {
            let all = suspects.iter().zip(&left);
            all.filter(move |(_, rows)| rows.contains(&row))
        };
        let own: Vec<_> = may_mean()
            .filter(|(_, rows)| rows.len() == 1)
            .map(|(suspects, _)| suspects.reason.clone())
            .collect();
        if !own.is_empty() {
            blamed.insert(row, own);
            continue;
        }
        let mut reasons = may_mean().map(|(suspects, _)| &suspects.reason);
        let Some(first) = reasons.next() else {
            continue;
        };
        // a row more than failures was not written for a reason that none of them tells
        let rows: BTreeSet<usize> = may_mean().flat_map(|(_, rows)| rows).copied().collect();
        if reasons.all(|reason| reason == first) && rows.len() <= may_mean().count() {
            blamed.insert(row, vec![first.clone()]);
        }
    }
    blamed
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
    let reason = reason_of(failure);
    match verdict {
        Verdict::Refused(reasons) => reasons.push(reason),
        Verdict::Clean | Verdict::Ambiguous(_) => *verdict = Verdict::Refused(vec![reason]),
    }
}

/// Each of these rows may be the one that a failure means.
fn doubt(verdicts: &mut [Verdict], rows: Vec<usize>, failure: &TaskFailure) -> Suspects {
    for row in &rows {
        match &mut verdicts[*row] {
            // it certainly failed; whether for one reason more does not change its status
            Verdict::Refused(_) => {}
            Verdict::Ambiguous(errors) => errors.push(failure.error.clone()),
            verdict @ Verdict::Clean => *verdict = Verdict::Ambiguous(vec![failure.error.clone()]),
        }
    }
    let reason = reason_of(failure);
    Suspects { reason, rows }
}

fn reason_of(failure: &TaskFailure) -> Reason {
    Reason {
        code: Code::SiteRejected.into(),
        field: field_of(failure),
        message: failure.error.clone(),
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
        attribute(rows, failures, &details, &known, str::to_lowercase).0
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

    const HOLDS: Seen = Seen::Holds {
        remote_id: None,
        notes: Vec::new(),
    };

    fn suspects(message: &str, rows: &[usize]) -> Suspects {
        let failure = TaskFailure {
            error: message.into(),
            ..TaskFailure::default()
        };
        let reason = reason_of(&failure);
        let rows = rows.to_vec();
        Suspects { reason, rows }
    }

    /// Who is blamed, and with which words. `seen`: `+` holds, `-` absent, `?` unknown, `.` not read.
    fn blamed(all: &[(&str, &[usize])], seen: &str) -> Vec<(usize, Vec<String>)> {
        let all: Vec<_> = all
            .iter()
            .map(|(says, rows)| suspects(says, rows))
            .collect();
        let seen: Vec<_> = seen
            .chars()
            .map(|mark| match mark {
                '+' => Some(HOLDS),
                '-' => Some(Seen::Absent),
                '?' => Some(Seen::Unknown {
                    tried: String::new(),
                }),
                _ => None,
            })
            .collect();
        let words = |reasons: Vec<Reason>| reasons.into_iter().map(|reason| reason.message);
        eliminate(&all, &seen)
            .into_iter()
            .map(|(row, reasons)| (row, words(reasons).collect()))
            .collect()
    }

    #[test]
    fn what_is_left_of_failures_falls_on_the_rows_that_do_not_hold() {
        let all: &[usize] = &[0, 1, 2, 3];
        let says = |rows: &[(usize, &str)]| -> Vec<(usize, Vec<String>)> {
            rows.iter()
                .map(|(row, word)| (*row, vec![(*word).to_owned()]))
                .collect()
        };
        // one failure, one row that does not hold
        assert_eq!(blamed(&[("bad", all)], "+-++"), says(&[(1, "bad")]));
        // as many as rows, in the same words
        let twice = [("bad", all), ("bad", all)];
        assert_eq!(blamed(&twice, "-+-+"), says(&[(0, "bad"), (2, "bad")]));
        // in different words: which is whose is not guessed
        assert_eq!(blamed(&[("bad", all), ("worse", all)], "-+-+"), []);
        // more rows than failures: one was not written for another reason
        assert_eq!(blamed(&[("bad", all)], "--++"), []);
        // a row that cannot be read may be the one
        assert_eq!(blamed(&[("bad", all)], "-?++"), []);
        // a field narrows it down
        let by_field: [(&str, &[usize]); 2] = [("bad", all), ("worse", &[2, 3])];
        assert_eq!(blamed(&by_field, "-++-"), says(&[(3, "worse")]));
        // all hold: nobody is blamed
        assert_eq!(blamed(&twice, "++++"), []);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn no_row_that_holds_is_blamed_and_none_with_words_that_cannot_be_its(
            seen in "[-+?]{1,6}",
            failures in prop::collection::vec(("(bad|worse)", prop::collection::btree_set(0..6_usize, 2..6)), 0..5)
        ) {
            let rows = seen.len();
            let failures: Vec<(String, Vec<usize>)> = failures
                .into_iter()
                .map(|(says, of)| (says, of.into_iter().filter(|row| *row < rows).collect()))
                .collect();
            let all: Vec<_> = failures.iter().map(|(says, of)| (says.as_str(), of.as_slice())).collect();
            for (row, words) in blamed(&all, &seen) {
                prop_assert_eq!(&seen[row..=row], "-");
                for word in words {
                    prop_assert!(all.iter().any(|(says, of)| *says == word && of.contains(&row)));
                }
            }
        }

        #[test]
        fn as_many_alike_failures_as_rows_that_do_not_hold_are_theirs(seen in "[-+]{2,9}") {
            let lacking: Vec<usize> = seen.match_indices('-').map(|(row, _)| row).collect();
            let rows: Vec<usize> = (0..seen.len()).collect();
            let failures = vec![("bad", rows.as_slice()); lacking.len()];
            let found: Vec<usize> = blamed(&failures, &seen).into_iter().map(|(row, _)| row).collect();
            prop_assert_eq!(found, lacking);
        }
    }
}
