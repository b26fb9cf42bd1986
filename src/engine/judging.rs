//! Judging a batch: from what the site said and what it is seen to hold to one ruling for each row.
//!
//! A row that the site holds is loaded, whatever was said of it. One that it does not hold is failed where the site's
//! words can mean no other, and otherwise goes out again: nothing is guessed, and nothing that holds is blamed.

use super::attribute::{Suspects, Verdict, eliminate};
use super::flight::End;
use super::seen::{Called, Lacks, Seen};
use crate::model::code::Code;
use crate::model::outcome::Status;
use crate::model::reply::ApiError;
use crate::model::row::Reason;
use std::collections::{BTreeMap, VecDeque};

/// Why a batch's rows are not all known to be written.
#[derive(Debug)]
pub(super) enum Doubt {
    /// Its task finished; failures of it may fit several rows.
    Finished,
    /// It ended otherwise, or was never seen to end.
    Ended(Reason),
    /// Its request was refused after an earlier attempt that may have been applied.
    Refused(ApiError),
    /// An interrupted run may have called for its rows.
    Begun,
}

impl Doubt {
    /// The site's words, or ours, about the whole batch.
    pub(super) fn words(&self) -> Vec<String> {
        match self {
            Self::Finished | Self::Begun => Vec::new(),
            Self::Ended(reason) => vec![reason.message.clone()],
            Self::Refused(error) => vec![error.message.clone()],
        }
    }
}

/// Why the word of a task is not enough for a row.
const SEEN_MISSING: &str = "a reading of the site did not show the row, it was sent again, its task finished, and whether it is there \
                            now cannot be told";

/// What becomes of a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    End(End),
    /// It was not applied, and is sent again.
    Again,
}

/// A batch whose rows are being judged.
#[derive(Debug)]
pub(super) struct Judging {
    pub(super) doubt: Doubt,
    /// What the site's answer says of each row.
    pub(super) verdicts: Vec<Verdict>,
    /// The failures that fit several rows.
    pub(super) suspects: Vec<Suspects>,
    /// What it holds of each row, where it was read.
    pub(super) seen: Vec<Option<Seen>>,
    /// An earlier reading did not show its rows: the site's word alone is not enough.
    pub(super) unseen: bool,
    /// It is read for what the first rows say of the site's associations.
    pub(super) first: bool,
    /// The rows whose reading is under way.
    pub(super) reading: Vec<usize>,
    /// The rows whose memberships and products wait to be repaired.
    pub(super) joins: VecDeque<usize>,
    /// Repairs under way.
    pub(super) joining: usize,
    /// How repairs ended.
    pub(super) joined: BTreeMap<usize, Called>,
    /// Rows whose repair the site took, and what was read of them since.
    pub(super) repaired: BTreeMap<usize, Option<Seen>>,
}

impl Judging {
    pub(super) fn new(doubt: Doubt, verdicts: Vec<Verdict>, suspects: Vec<Suspects>) -> Self {
        let rows = verdicts.len();
        Self {
            doubt,
            verdicts,
            suspects,
            seen: vec![None; rows],
            unseen: false,
            first: false,
            reading: Vec::new(),
            joins: VecDeque::new(),
            joining: 0,
            joined: BTreeMap::new(),
            repaired: BTreeMap::new(),
        }
    }

    /// Every row is in the same doubt.
    pub(super) fn of_all(doubt: Doubt, rows: usize) -> Self {
        Self::new(doubt, vec![Verdict::Clean; rows], Vec::new())
    }

    /// Whether it takes a reading to know of a row.
    pub(super) fn in_doubt(&self, index: usize) -> bool {
        match self.doubt {
            Doubt::Finished => matches!(self.verdicts[index], Verdict::Ambiguous(_)),
            Doubt::Ended(_) | Doubt::Refused(_) | Doubt::Begun => true,
        }
    }

    /// The site says that it wrote the row.
    fn is_clean(&self, index: usize) -> bool {
        matches!(self.doubt, Doubt::Finished) && self.verdicts[index] == Verdict::Clean
    }

    /// Nothing of it is being read or repaired.
    pub(super) fn is_idle(&self) -> bool {
        self.reading.is_empty() && self.joins.is_empty() && self.joining == 0
    }

    /// Rows that were not read though the site says that it wrote them.
    pub(super) fn unread(&self) -> impl Iterator<Item = usize> {
        (0..self.seen.len()).filter(|index| self.is_clean(*index) && self.seen[*index].is_none())
    }

    /// What was read of the rows that were asked for. Gives what it says of rows that the site said to have written.
    pub(super) fn read(&mut self, found: Vec<Seen>) -> Distrust {
        let mut distrust = Distrust::default();
        for (index, seen) in std::mem::take(&mut self.reading).into_iter().zip(found) {
            if let Some(repaired) = self.repaired.get_mut(&index) {
                *repaired = Some(seen);
                continue;
            }
            if only_missing(&seen).is_some() {
                self.joins.push_back(index);
            }
            if self.is_clean(index) {
                match &seen {
                    Seen::Absent => distrust.rows = true,
                    Seen::Differs {
                        missing, products, ..
                    } => distrust.associations |= !(missing.is_empty() && products.is_empty()),
                    Seen::Holds { .. } | Seen::Unknown { .. } => {}
                }
            }
            self.seen[index] = Some(seen);
        }
        distrust
    }

    /// The record of a row that waits for its memberships and products, and what it lacks.
    pub(super) fn missing(&self, index: usize) -> Option<(String, Lacks)> {
        only_missing(self.seen[index].as_ref()?)
    }

    /// A repair ended.
    pub(super) fn repaired(&mut self, index: usize, called: Called) {
        self.joining -= 1;
        if matches!(called, Called::Loaded { .. }) {
            self.repaired.insert(index, None);
        }
        self.joined.insert(index, called);
    }

    /// One ruling for each row.
    pub(super) fn rule(&self) -> Vec<Ruling> {
        let blamed = match self.doubt {
            Doubt::Finished => eliminate(&self.suspects, &self.seen),
            // what a task that failed says of rows that it does not name means none in particular
            Doubt::Ended(_) | Doubt::Refused(_) | Doubt::Begun => BTreeMap::new(),
        };
        (0..self.seen.len())
            .map(|index| self.rule_on(index, blamed.get(&index)))
            .collect()
    }

    fn rule_on(&self, index: usize, blamed: Option<&Vec<Reason>>) -> Ruling {
        let failed = |reasons: &[Reason]| Ruling::End(End::new(Status::Failed, reasons.to_vec()));
        let refused = match &self.verdicts[index] {
            Verdict::Refused(reasons) => Some(reasons),
            Verdict::Clean | Verdict::Ambiguous(_) => None,
        };
        let Some(seen) = &self.seen[index] else {
            return match refused {
                Some(reasons) => failed(reasons),
                None => Ruling::End(End::new(Status::Loaded, Vec::new())),
            };
        };
        match seen {
            Seen::Holds { remote_id, notes } => Ruling::End(End {
                status: Status::Loaded,
                reasons: notes.clone(),
                remote_id: remote_id.clone(),
            }),
            // the site's word stands where nothing speaks against it
            Seen::Unknown { .. } if self.is_clean(index) && !self.unseen => {
                Ruling::End(End::new(Status::Loaded, Vec::new()))
            }
            Seen::Unknown { tried } => Ruling::End(self.unknown(index, tried)),
            Seen::Differs { why: Some(why), .. } => failed(std::slice::from_ref(why)),
            Seen::Differs { .. } | Seen::Absent => {
                if let Some(called) = self.joined.get(&index) {
                    return self.rule_on_repair(index, called);
                }
                match refused.or(blamed) {
                    Some(reasons) => failed(reasons),
                    None => Ruling::Again,
                }
            }
        }
    }

    /// A row whose memberships or products did not arrive.
    fn rule_on_repair(&self, index: usize, called: &Called) -> Ruling {
        let (remote_id, lacks) = self.missing(index).unwrap_or_default();
        let mut end = End {
            status: Status::Failed,
            reasons: vec![Reason {
                code: Code::AssociationMissing.into(),
                field: None,
                message: format!("the record is written, but {lacks}"),
            }],
            remote_id: Some(remote_id),
        };
        match called {
            Called::Loaded { .. } => match self.repaired.get(&index).and_then(Option::as_ref) {
                Some(Seen::Holds { remote_id, notes }) => {
                    end.status = Status::Loaded;
                    end.reasons.clone_from(notes);
                    end.remote_id = remote_id.clone().or(end.remote_id);
                }
                // the site took the call, and nothing speaks against it
                Some(Seen::Unknown { .. }) | None => {
                    end.status = Status::Loaded;
                    end.reasons.clear();
                }
                Some(Seen::Differs { .. } | Seen::Absent) => {}
            },
            // it says the same, and why no call helps
            Called::Refused { reasons, .. } if !reasons.is_empty() => {
                end.reasons.clone_from(reasons);
            }
            Called::Refused { .. } => {}
            Called::Lost { error, tried } => {
                let errors = [error.message.clone()];
                let mut reason = unconfirmed(Code::AnswerLost, &errors);
                reason.message = format!("{}; {tried}", reason.message);
                end.status = Status::Unconfirmed;
                end.reasons = vec![reason];
            }
            Called::NotSent { error } => {
                end.reasons[0].message = format!("{}: {error}", end.reasons[0].message);
            }
        }
        Ruling::End(end)
    }

    /// A row of which nothing can be found out.
    fn unknown(&self, index: usize, tried: &str) -> End {
        let mut reason = match (&self.doubt, &self.verdicts[index]) {
            (Doubt::Finished, Verdict::Ambiguous(errors)) => {
                unconfirmed(Code::FailureAmbiguous, errors)
            }
            (Doubt::Ended(reason), _) => reason.clone(),
            (Doubt::Refused(error), _) => {
                unconfirmed(Code::AnswerLost, std::slice::from_ref(&error.message))
            }
            (Doubt::Finished, _) => Reason {
                code: Code::AnswerLost.into(),
                field: None,
                message: SEEN_MISSING.to_owned(),
            },
            (Doubt::Begun, _) => unconfirmed(Code::AnswerLost, &[]),
        };
        reason.message = format!("{}; {tried}", reason.message);
        End::new(Status::Unconfirmed, vec![reason])
    }
}

/// What a reading says of rows that the site said to have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Distrust {
    /// Memberships or products did not arrive.
    pub(super) associations: bool,
    /// A row did not.
    pub(super) rows: bool,
}

/// The id of a record that is as it should be but for organizations and products, and which of them it lacks.
fn only_missing(seen: &Seen) -> Option<(String, Lacks)> {
    match seen {
        Seen::Differs {
            remote_id: Some(id),
            fields,
            missing,
            products,
            why: None,
        } if fields.is_empty() && !(missing.is_empty() && products.is_empty()) => {
            let lacks = Lacks {
                organizations: missing.clone(),
                products: products.clone(),
            };
            Some((id.clone(), lacks))
        }
        _ => None,
    }
}

/// Why a row is unconfirmed, with the first of what the site said.
pub(super) fn unconfirmed(code: Code, errors: &[String]) -> Reason {
    let mut message = code.cause().to_owned();
    if let Some(first) = errors.first() {
        message = format!("{message}; the site said: {first}");
    }
    Reason {
        code: code.into(),
        field: None,
        message,
    }
}
