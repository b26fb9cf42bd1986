//! What becomes of an entitlement, given what the site has and what it answered.

use crate::model::code::Code;
use crate::model::entity::Operation;
use crate::model::outcome::Status;
use crate::model::row::Reason;
use std::collections::BTreeSet;

/// A detail field's folded name and its values.
pub(super) type Value = (String, Vec<String>);

/// An entitlement as a list of the site shows it. What it does not tell is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its id.
    pub(super) id: String,
    /// The product's id.
    pub(super) product: Option<String>,
    /// Whether whoever was asked about has it, and not an organization that it belongs to.
    pub(super) own: Option<bool>,
    /// Its values.
    pub(super) details: Option<Vec<Value>>,
}

/// An entitlement that the site has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// Its id.
    pub(super) id: String,
    /// Its values, where they are known.
    pub(super) details: Option<Vec<Value>>,
}

/// What a list says of one owner and one product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Own {
    /// There is one; of several the first.
    Has(Held),
    /// There is none of its own.
    Lacks,
    /// There are some, and the list does not say whose they are.
    Unclear,
}

/// Finds in a list what the owner itself has of a product. What it inherits is another's.
pub(super) fn own(list: Vec<Listed>, product: &str) -> Own {
    // a list of one product need not name it
    let named = |listed: &Listed| listed.product.as_deref().is_none_or(|id| id == product);
    let mut unclear = false;
    for listed in list.into_iter().filter(named) {
        match listed.own {
            Some(true) => {
                return Own::Has(Held {
                    id: listed.id,
                    details: listed.details,
                });
            }
            Some(false) => {}
            None => unclear = true,
        }
    }
    if unclear { Own::Unclear } else { Own::Lacks }
}

/// What to do first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// Give the product.
    Create,
    /// It is given: compare the values.
    Compare,
    /// Nothing: the row ends like this.
    End(Status, Code, &'static str),
}

/// Decides by what is there. `begun`: an interrupted run was about to create it, so that what is there now is ours.
pub(super) fn first(operation: Operation, present: bool, begun: bool) -> First {
    match (operation, present) {
        (Operation::Create | Operation::Upsert, false) => First::Create,
        (Operation::Update | Operation::Upsert, true) => First::Compare,
        (Operation::Create, true) if begun => First::Compare,
        (Operation::Create, true) => First::End(
            Status::Failed,
            Code::AlreadyExists,
            "the site has this entitlement already",
        ),
        (Operation::Update, false) => First::End(
            Status::Failed,
            Code::NotFound,
            "the site does not have this entitlement",
        ),
    }
}

/// Which of the wanted values, by number, the site does not have. Of several values the order does not count.
pub(super) fn differing(wanted: &[Value], held: Option<&[Value]>) -> Vec<usize> {
    fn set(values: &[String]) -> BTreeSet<&str> {
        let values = values.iter().map(|value| value.trim());
        values.filter(|value| !value.is_empty()).collect()
    }
    let has = |(name, values): &Value| {
        held.is_some_and(|held| {
            let found = held.iter().find(|(other, _)| other == name);
            set(found.map_or(&[], |(_, values)| values)) == set(values)
        })
    };
    let lacking = wanted.iter().enumerate().filter(|(_, value)| !has(value));
    lacking.map(|(number, _)| number).collect()
}

/// What the calls of a row have come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Calls {
    /// Calls that write, as often as they were made.
    pub(super) made: u32,
    /// An interrupted run may have written some of it.
    pub(super) begun: bool,
    /// The product was given.
    pub(super) created: bool,
    /// Detail fields that were written.
    pub(super) written: Vec<String>,
    /// What the site refused, in its words: a detail field, or the whole.
    pub(super) refused: Vec<(Option<String>, String)>,
    /// What ended the calls early.
    pub(super) broken: Option<Broken>,
}

/// Why a row's calls ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// A call may have been carried out, and the site does not tell.
    Lost(String),
    /// A call that is left never reached the site, and the run has to stop.
    Unsent(Code, String),
}

/// How the row ends.
pub(super) fn verdict(calls: &Calls) -> (Status, Vec<Reason>) {
    let any = calls.created || !calls.written.is_empty();
    let mut reasons: Vec<_> = calls
        .refused
        .iter()
        .map(|(field, words)| reason(Code::SiteRejected, field.clone(), words.clone()))
        .collect();
    match &calls.broken {
        Some(Broken::Lost(words)) => {
            let message = match parts(calls) {
                Some(parts) => format!("{words}; written before: {parts}"),
                None => words.clone(),
            };
            reasons.insert(0, reason(Code::AnswerLost, None, message));
            return (Status::Unconfirmed, reasons);
        }
        Some(Broken::Unsent(code, words)) if !any && reasons.is_empty() => {
            return (Status::NotSent, vec![reason(*code, None, words.clone())]);
        }
        Some(Broken::Unsent(_, words)) => {
            let parts = parts(calls).unwrap_or_else(|| "nothing".to_owned());
            let message = format!("written: {parts}; then the run stopped: {words}");
            reasons.push(reason(Code::PartlyApplied, None, message));
        }
        None if reasons.is_empty() => {
            return if any || calls.begun {
                (Status::Loaded, Vec::new())
            } else {
                let message = "the site has this entitlement with these values already";
                let reason = reason(Code::AlreadyPresent, None, message.to_owned());
                (Status::Unchanged, vec![reason])
            };
        }
        None => {
            if let Some(parts) = parts(calls) {
                let message = format!("written all the same: {parts}");
                reasons.push(reason(Code::PartlyApplied, None, message));
            }
        }
    }
    (Status::Failed, reasons)
}

/// What was written, in words; `None` when nothing was.
fn parts(calls: &Calls) -> Option<String> {
    let created = calls.created.then(|| "the entitlement".to_owned());
    let fields = calls.written.iter().map(|field| format!("\"{field}\""));
    let parts: Vec<_> = created.into_iter().chain(fields).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

pub(super) fn reason(code: Code, field: Option<String>, message: String) -> Reason {
    Reason {
        code: code.into(),
        field,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(id: &str, product: Option<&str>, own: Option<bool>) -> Listed {
        Listed {
            id: id.to_owned(),
            product: product.map(str::to_owned),
            own,
            details: None,
        }
    }

    fn has(id: &str) -> Own {
        Own::Has(Held {
            id: id.to_owned(),
            details: None,
        })
    }

    #[test]
    fn what_is_inherited_or_another_product_is_not_the_owners() {
        let (mine, others) = (Some(true), Some(false));
        for (list, expected) in [
            (vec![], Own::Lacks),
            (vec![listed("1", Some("p"), mine)], has("1")),
            (vec![listed("1", None, mine)], has("1")),
            (vec![listed("1", Some("q"), mine)], Own::Lacks),
            (vec![listed("1", Some("p"), others)], Own::Lacks),
            (
                vec![
                    listed("1", Some("p"), others),
                    listed("2", Some("p"), mine),
                    listed("3", Some("p"), mine),
                ],
                has("2"),
            ),
            (vec![listed("1", Some("p"), None)], Own::Unclear),
            (
                vec![listed("1", None, None), listed("2", None, mine)],
                has("2"),
            ),
            (vec![listed("1", Some("q"), None)], Own::Lacks),
        ] {
            assert_eq!(own(list.clone(), "p"), expected, "{list:?}");
        }
    }

    #[test]
    fn what_is_there_decides_what_is_done_first() {
        use Operation::{Create, Update, Upsert};
        for (operation, present, begun, expected) in [
            (Upsert, false, false, None),
            (Create, false, true, None),
            (Upsert, true, false, Some(First::Compare)),
            (Update, true, false, Some(First::Compare)),
            (Create, true, true, Some(First::Compare)),
        ] {
            let expected = expected.unwrap_or(First::Create);
            assert_eq!(first(operation, present, begun), expected);
        }
        for (operation, present, code) in [
            (Create, true, Code::AlreadyExists),
            (Update, false, Code::NotFound),
        ] {
            let First::End(status, ended, _) = first(operation, present, false) else {
                panic!("{operation} goes on")
            };
            assert_eq!((status, ended), (Status::Failed, code));
        }
    }

    fn value(name: &str, values: &[&str]) -> Value {
        let values = values.iter().map(|value| (*value).to_owned());
        (name.to_owned(), values.collect())
    }

    #[test]
    fn only_values_that_differ_are_written() {
        let wanted = [
            value("seats", &["5"]),
            value("modules", &["a", "b"]),
            value("notes", &[]),
        ];
        let held = |values: &[Value]| differing(&wanted, Some(values));
        assert_eq!(differing(&wanted, None), [0, 1, 2]);
        assert_eq!(held(&[]), [0, 1]);
        let same = [value("modules", &["b", "a"]), value("seats", &["5"])];
        assert_eq!(held(&same), [0; 0]);
        let others = [
            value("seats", &["6"]),
            value("modules", &["a"]),
            value("notes", &["x"]),
        ];
        assert_eq!(held(&others), [0, 1, 2]);
        assert_eq!(held(&[value("notes", &[""]), value("seats", &["5"])]), [1]);
    }

    fn told(calls: &Calls) -> String {
        let (status, reasons) = verdict(calls);
        let reasons = reasons.iter().map(|reason| {
            let field = reason.field.as_deref().unwrap_or("-");
            format!("\n  {} {field}: {}", reason.code, reason.message)
        });
        format!("{status}{}", reasons.collect::<String>())
    }

    #[test]
    fn a_row_ends_as_its_calls_did() {
        let some = Calls {
            made: 2,
            created: true,
            written: vec!["Seats".to_owned()],
            ..Calls::default()
        };
        let refused = vec![(Some("Level".to_owned()), "Invalid value".to_owned())];
        let lost = Some(Broken::Lost("no answer".to_owned()));
        let unsent = Some(Broken::Unsent(Code::SiteUnreachable, "no route".to_owned()));
        let begun = Calls {
            begun: true,
            ..Calls::default()
        };
        let all = [
            Calls::default(),
            begun,
            some.clone(),
            Calls {
                refused: refused.clone(),
                ..Calls::default()
            },
            Calls {
                refused: refused.clone(),
                ..some.clone()
            },
            Calls {
                broken: lost.clone(),
                ..Calls::default()
            },
            Calls {
                broken: lost,
                ..some.clone()
            },
            Calls {
                broken: unsent.clone(),
                ..Calls::default()
            },
            Calls {
                broken: unsent.clone(),
                ..some
            },
            Calls {
                broken: unsent,
                refused,
                ..Calls::default()
            },
        ];
        let all: Vec<_> = all.iter().map(told).collect();
        insta::assert_snapshot!(all.join("\n"), @r#"
        unchanged
          ALREADY_PRESENT -: the site has this entitlement with these values already
        loaded
        loaded
        failed
          SITE_REJECTED Level: Invalid value
        failed
          SITE_REJECTED Level: Invalid value
          PARTLY_APPLIED -: written all the same: the entitlement, "Seats"
        unconfirmed
          ANSWER_LOST -: no answer
        unconfirmed
          ANSWER_LOST -: no answer; written before: the entitlement, "Seats"
        not_sent
          SITE_UNREACHABLE -: no route
        failed
          PARTLY_APPLIED -: written: the entitlement, "Seats"; then the run stopped: no route
        failed
          SITE_REJECTED Level: Invalid value
          PARTLY_APPLIED -: written: nothing; then the run stopped: no route
        "#);
    }
}
