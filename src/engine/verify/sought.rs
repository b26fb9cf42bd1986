//! A row that is looked for: how its record is known, and what was seen of it last. Pure.

use super::compare::{Difference, Verdict};
use super::held::Held;
use super::sent::Sent;
use crate::engine::seen::{Seen, Wanted};

/// A row that is looked for.
#[derive(Debug)]
pub(super) struct Sought {
    /// What it sends.
    pub sent: Sent,
    /// How its record is known.
    pub known: Known,
    /// What was seen last; `None` before the first reading.
    pub seen: Option<Seen>,
    /// Whether nothing that may still be read can change that.
    pub settled: bool,
    /// Whether it is only looked for where new records appear late.
    pub late: bool,
}

/// How a row's record is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    /// By the id that the row itself sends.
    Named(String),
    /// By an id that the site once told for the row's natural key.
    Remembered(String),
    /// Only by what the row says of it.
    Unnamed,
}

impl Known {
    /// The id to ask for.
    pub(super) fn id(&self) -> Option<&String> {
        match self {
            Self::Named(id) | Self::Remembered(id) => Some(id),
            Self::Unnamed => None,
        }
    }
}

/// What one reading found of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Its record.
    Here(Box<Held>),
    /// No record, by ways that would show it.
    Nowhere {
        /// Whether these show new records late.
        late: bool,
    },
    /// It cannot be told now.
    Unsure(String),
    /// It can never be told.
    NoWay(String),
}

impl Sought {
    /// A row before the first reading.
    pub(super) fn new(wanted: &Wanted, sent: Sent) -> Self {
        let known = match (&sent.id, &wanted.remote_id) {
            (Some(id), _) => Known::Named(id.clone()),
            (None, Some(id)) => Known::Remembered(id.clone()),
            (None, None) => Known::Unnamed,
        };
        Self {
            sent,
            known,
            seen: None,
            settled: false,
            late: false,
        }
    }

    /// Takes note of a record and how it compares.
    pub(super) fn compared(&mut self, held: Held, verdict: Verdict) {
        let remote_id = Some(held.id);
        self.late = false;
        self.settled = matches!(verdict, Verdict::Holds { .. } | Verdict::Untold(_));
        self.seen = Some(match verdict {
            Verdict::Holds { notes } => Seen::Holds { remote_id, notes },
            Verdict::Differs(Difference {
                fields,
                missing,
                products,
                why,
                ..
            }) => Seen::Differs {
                remote_id,
                fields,
                missing,
                products,
                why,
            },
            Verdict::Untold(part) => Seen::Unknown {
                tried: format!("the record was read, and the site does not tell {part}"),
            },
        });
    }

    /// Takes note that no record was found.
    pub(super) fn not_here(&mut self, found: Found) {
        let unknown = |tried| Seen::Unknown { tried };
        let (seen, late, settled) = match found {
            Found::Here(_) => return,
            Found::Nowhere { late } => (Seen::Absent, late, false),
            Found::Unsure(tried) => (unknown(tried), false, false),
            Found::NoWay(tried) => (unknown(tried), false, true),
        };
        self.seen = Some(seen);
        self.late = late;
        self.settled = settled;
    }

    /// Ends it after a stop: without patience, what is not there may only not be there yet.
    pub(super) fn stop_at(&mut self, why: &str) {
        match self.seen {
            // it says better what is the matter
            Some(Seen::Unknown { .. }) => self.settled = true,
            _ => self.give_up(why),
        }
    }

    /// Ends it without another reading: what does not hold cannot be told.
    pub(super) fn give_up(&mut self, why: &str) {
        if !self.settled {
            self.settled = true;
            self.seen = Some(Seen::Unknown {
                tried: why.to_owned(),
            });
        }
    }
}
