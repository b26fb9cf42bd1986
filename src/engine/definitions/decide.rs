//! What becomes of a definition, given what the site has and what it answered.

use crate::model::code::Code;
use crate::model::entity::Owner;
use crate::model::outcome::Status;
use crate::model::reply::{DetailField, TaskFailure, TaskView};
use crate::model::row::PreparedRow;
use serde::Deserialize;

/// Options that a message names.
const NAMED: usize = 3;

/// A detail field that a row asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) owner: Owner,
    /// The name as names are compared.
    pub(super) folded: String,
    pub(super) field: DetailField,
}

impl Wanted {
    /// What a prepared row asks for; `None` for a row that the mapping of another entity made.
    pub(super) fn of(row: &PreparedRow) -> Option<Self> {
        #[derive(Deserialize)]
        struct Item {
            name: String,
            r#type: Type,
        }
        #[derive(Deserialize)]
        struct Type {
            name: String,
            #[serde(default)]
            options: Vec<String>,
        }
        let (owner, folded) = row.identity.as_str().split_once('/')?;
        let item: Item = serde_json::from_slice(&row.item).ok()?;
        Some(Self {
            owner: Owner::ALL.into_iter().find(|known| known.name() == owner)?,
            folded: folded.to_owned(),
            field: DetailField {
                name: item.name,
                kind: item.r#type.name,
                options: item.r#type.options,
            },
        })
    }
}

/// How a wanted field compares with what the site has under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing.
    Missing,
    /// A field of its type, with all of its options.
    Same,
    /// Another field: how it differs.
    Differs(String),
}

/// Compares. Options that the site has beyond those wanted do no harm.
pub(super) fn compare(wanted: &DetailField, present: Option<&DetailField>) -> Standing {
    let Some(present) = present else {
        return Standing::Missing;
    };
    if !present.kind.eq_ignore_ascii_case(&wanted.kind) {
        let message = format!(
            "the site has a field of this name, of type {} instead of {}",
            present.kind, wanted.kind
        );
        return Standing::Differs(message);
    }
    let lacking: Vec<_> = wanted
        .options
        .iter()
        .filter(|option| !present.options.contains(option))
        .collect();
    if lacking.is_empty() {
        return Standing::Same;
    }
    let named: Vec<_> = lacking
        .iter()
        .take(NAMED)
        .map(|option| format!("\"{option}\""))
        .collect();
    let more = match lacking.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Standing::Differs(format!(
        "the site has a field of this name, without the option{} {}{more}",
        if lacking.len() == 1 { "" } else { "s" },
        named.join(", ")
    ))
}

/// What the answers to requests say of one definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was created.
    Created,
    /// The site refused it, in these words. `before`: an earlier attempt may have been applied.
    Refused { words: String, before: bool },
    /// The site refused the whole request that held it, in these words: nothing of it was applied.
    TurnedAway(String),
    /// It may have been created; the code says why that is not known.
    Unclear(Code),
    /// It may have been created, and the site answers no more.
    Lost(String),
    /// No request with it reached the site.
    Unsent(Code, String),
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// The row ends like this; the reason is that of a row that did not load.
    End(Status, Option<(Code, String)>),
    /// It is still missing: send it again, under a new key or by itself.
    Again,
}

impl Next {
    /// The end of a row whose field is another one on the site.
    pub(super) fn differs(how: &str) -> Self {
        Self::End(Status::Failed, Some((Code::FieldDiffers, how.to_owned())))
    }
}

/// What follows from what was answered and from what the site has since then; `None` when it could not be asked.
pub(super) fn resolve(fate: &Fate, standing: Option<&Standing>) -> Next {
    let end =
        |status, code: Code, message: &str| Next::End(status, Some((code, message.to_owned())));
    match (fate, standing) {
        (Fate::Unsent(code, message), _) => end(Status::NotSent, *code, message),
        // that a task ended well is as good as the list, which may lag behind; what the list has now was missing
        // before it was sent
        (Fate::Created, _)
        | (
            Fate::Unclear(_) | Fate::Lost(_) | Fate::Refused { before: true, .. },
            Some(Standing::Same),
        ) => Next::End(Status::Loaded, None),
        (_, Some(Standing::Differs(how))) => Next::differs(how),
        // somebody else was faster
        (Fate::Refused { .. } | Fate::TurnedAway(_), Some(Standing::Same)) => present(),
        // it may be refused because of what an earlier attempt made
        (
            Fate::Refused {
                words,
                before: true,
            },
            None,
        )
        | (Fate::Lost(words), Some(Standing::Missing) | None) => {
            end(Status::Unconfirmed, Code::AnswerLost, words)
        }
        (Fate::Refused { words, .. }, Some(Standing::Missing) | None) => {
            end(Status::Failed, Code::SiteRejected, words)
        }
        (Fate::TurnedAway(_) | Fate::Unclear(_), Some(Standing::Missing)) => Next::Again,
        (Fate::TurnedAway(words), None) => end(Status::Failed, Code::RequestRejected, words),
        (Fate::Unclear(code), None) => end(Status::Unconfirmed, *code, code.cause()),
    }
}

/// The end of a row whose field the site has already.
pub(super) fn present() -> Next {
    let message = "the site has a field of this name, type and options already";
    Next::End(
        Status::Unchanged,
        Some((Code::AlreadyPresent, message.to_owned())),
    )
}

/// What a task that ended, or was given up, says of the definitions with these folded names.
pub(super) fn fates(view: &TaskView, names: &[&str], fold: impl Fn(&str) -> String) -> Vec<Fate> {
    let all = |fate: Fate| vec![fate; names.len()];
    match view {
        TaskView::Running => all(Fate::Unclear(Code::TaskTimeout)),
        TaskView::Failed(_) => all(Fate::Unclear(Code::TaskFailed)),
        TaskView::Gone => all(Fate::Unclear(Code::TaskGone)),
        TaskView::Finished(failures) => {
            let mut fates = all(Fate::Created);
            for failure in failures {
                let meant = meant_by(failure, names, &fold);
                for (at, fate) in fates.iter_mut().enumerate() {
                    match fate {
                        Fate::Refused { .. } => {}
                        _ if meant.contains(&at) => {
                            let words = failure.error.clone();
                            *fate = Fate::Refused {
                                words,
                                before: false,
                            };
                        }
                        // a failure that names none may mean any
                        _ if meant.is_empty() => *fate = Fate::Unclear(Code::FailureAmbiguous),
                        _ => {}
                    }
                }
            }
            fates
        }
    }
}

/// The definitions that a failure names.
fn meant_by(failure: &TaskFailure, names: &[&str], fold: impl Fn(&str) -> String) -> Vec<usize> {
    let said: Vec<_> = failure
        .operated_on_ids
        .iter()
        .chain(&failure.entity_id)
        .map(|name| fold(name))
        .collect();
    let names = names.iter().enumerate();
    names
        .filter(|(_, name)| said.iter().any(|said| said == *name))
        .map(|(at, _)| at)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::batcher::tests::row;
    use crate::model::slice::Slice;

    fn field(kind: &str, options: &[&str]) -> DetailField {
        DetailField {
            name: "Region".into(),
            kind: kind.into(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
        }
    }

    #[test]
    fn a_prepared_row_says_what_it_asks_for() {
        let item = r#"{"name":"Region","type":{"name":"SELECT","options":["EMEA"]}}"#;
        let mut row = row(1, 1, item);
        row.identity = Slice::owned("organization/north/south");
        let wanted = Wanted::of(&row).unwrap();
        assert_eq!(wanted.owner, Owner::Organization);
        assert_eq!(wanted.folded, "north/south");
        assert_eq!(wanted.field, field("SELECT", &["EMEA"]));
        row.identity = Slice::owned("c1@example.com");
        assert_eq!(Wanted::of(&row), None);
    }

    #[test]
    fn a_field_is_the_same_when_its_type_is_and_no_option_lacks() {
        let select = |options: &[&str]| field("SELECT", options);
        for (wanted, present, expected) in [
            (select(&["a"]), None, Standing::Missing),
            (
                select(&["a", "b"]),
                Some(select(&["b", "c", "a"])),
                Standing::Same,
            ),
            (field("TEXT", &[]), Some(field("Text", &[])), Standing::Same),
        ] {
            assert_eq!(compare(&wanted, present.as_ref()), expected);
        }
        let differs =
            |wanted: DetailField, present: DetailField| match compare(&wanted, Some(&present)) {
                Standing::Differs(how) => how,
                other => panic!("{other:?}"),
            };
        insta::assert_snapshot!(differs(field("DATE", &[]), field("TEXT", &[])), @"the site has a field of this name, of type TEXT instead of DATE");
        insta::assert_snapshot!(differs(select(&["a", "B"]), select(&["a", "b"])), @r#"the site has a field of this name, without the option "B""#);
        insta::assert_snapshot!(differs(select(&["a", "b", "c", "d", "e"]), select(&[])), @r#"the site has a field of this name, without the options "a", "b", "c" and 2 more"#);
    }

    #[test]
    fn nothing_is_claimed_that_neither_answer_nor_list_says() {
        use Standing::{Differs, Missing, Same};
        let refused = |before| Fate::Refused {
            words: "no".into(),
            before,
        };
        let turned_away = || Fate::TurnedAway("no".into());
        let unclear = || Fate::Unclear(Code::TaskFailed);
        let lost = || Fate::Lost("gone".into());
        let other = || Differs("other".into());
        for (fate, standing, expected) in [
            (Fate::Created, Some(Missing), "loaded"),
            (Fate::Created, None, "loaded"),
            (
                Fate::Unsent(Code::RunStopped, "stop".into()),
                None,
                "not_sent RUN_STOPPED",
            ),
            (refused(false), Some(Same), "unchanged ALREADY_PRESENT"),
            (refused(false), Some(Missing), "failed SITE_REJECTED"),
            (refused(false), Some(other()), "failed FIELD_DIFFERS"),
            (refused(false), None, "failed SITE_REJECTED"),
            (refused(true), Some(Same), "loaded"),
            (refused(true), Some(Missing), "failed SITE_REJECTED"),
            (refused(true), None, "unconfirmed ANSWER_LOST"),
            (turned_away(), Some(Same), "unchanged ALREADY_PRESENT"),
            (turned_away(), Some(Missing), "again"),
            (turned_away(), Some(other()), "failed FIELD_DIFFERS"),
            (turned_away(), None, "failed REQUEST_REJECTED"),
            (unclear(), Some(Same), "loaded"),
            (unclear(), Some(Missing), "again"),
            (unclear(), Some(other()), "failed FIELD_DIFFERS"),
            (unclear(), None, "unconfirmed TASK_FAILED"),
            (lost(), Some(Same), "loaded"),
            (lost(), Some(Missing), "unconfirmed ANSWER_LOST"),
            (lost(), None, "unconfirmed ANSWER_LOST"),
        ] {
            let next = match resolve(&fate, standing.as_ref()) {
                Next::Again => "again".to_owned(),
                Next::End(status, None) => status.to_string(),
                Next::End(status, Some((code, _))) => {
                    assert_eq!(code.status(), status);
                    format!("{status} {code}")
                }
            };
            assert_eq!(next, expected, "{fate:?} {standing:?}");
        }
    }

    #[test]
    fn failures_fall_on_the_fields_they_name_or_leave_all_open() {
        let failure = |entity_id: Option<&str>, named: &[&str]| TaskFailure {
            entity_id: entity_id.map(str::to_owned),
            operated_on_ids: named.iter().map(|name| (*name).to_owned()).collect(),
            error: "exists".into(),
            ..TaskFailure::default()
        };
        let said = |failures: Vec<TaskFailure>| {
            let view = TaskView::Finished(failures);
            let fates = fates(&view, &["region", "tier", "seats"], |text| {
                text.trim().to_lowercase()
            });
            let fates: Vec<_> = fates
                .iter()
                .map(|fate| match fate {
                    Fate::Created => "created",
                    Fate::Refused {
                        before: false,
                        words,
                    } => words,
                    Fate::Unclear(Code::FailureAmbiguous) => "unclear",
                    other => panic!("{other:?}"),
                })
                .collect();
            fates.join(" ")
        };
        assert_eq!(said(vec![]), "created created created");
        assert_eq!(
            said(vec![failure(None, &[" Tier "])]),
            "created exists created"
        );
        assert_eq!(
            said(vec![failure(Some("SEATS"), &[])]),
            "created created exists"
        );
        let both = vec![failure(Some("qm:7"), &[]), failure(None, &["Region"])];
        assert_eq!(said(both), "exists unclear unclear");
        for (view, code) in [
            (TaskView::Running, Code::TaskTimeout),
            (
                TaskView::Failed(vec![failure(None, &["Tier"])]),
                Code::TaskFailed,
            ),
            (TaskView::Gone, Code::TaskGone),
        ] {
            assert_eq!(
                fates(&view, &["region"], str::to_owned),
                [Fate::Unclear(code)]
            );
        }
    }
}
