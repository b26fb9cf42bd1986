//! An answer to one question about a site.

use std::fmt;

/// One question with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was asked.
    pub about: &'static str,
    /// What was found.
    pub told: Told,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The site showed it.
    Seen {
        /// The answer.
        answer: String,
        /// What was sent and what came back, in one line; nothing of records that the probe did not make.
        evidence: String,
    },
    /// It stays open.
    Open {
        /// Why.
        why: String,
    },
}

/// One line, and a second one for the evidence.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.told {
            Told::Seen { answer, evidence } => {
                write!(f, "seen  {}: {answer}\n      {evidence}", self.about)
            }
            Told::Open { why } => write!(f, "open  {}: {why}", self.about),
        }
    }
}
