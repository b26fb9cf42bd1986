//! Taking an interrupted stage up again: what was under way goes on where it stood.
//!
//! A batch whose task is known is waited for. One whose acceptance is not known goes out again with the same key and
//! bytes, for as long as the site remembers the key; after that a repetition could be applied a second time, and its
//! rows are looked for.

use super::Engine;
use crate::engine::flight::{Flight, Phase, Wait};
use crate::engine::judging::{Doubt, Judging};
use crate::engine::message::{Command, Now, Recovered, Undecided};
use crate::engine::retry::Tries;
use crate::model::code::Code;
use crate::model::outcome::{Counts, Status};
use crate::model::row::Reason;

/// Why a batch is not sent again.
const FORGOTTEN: &str = "the run was interrupted before an answer arrived, too long ago to send the request again: \
                         the site may have forgotten its idempotency key";

impl Engine {
    /// Goes on from where an interrupted run stopped. To be called before any event.
    #[must_use]
    pub fn recover(&mut self, now: Now, recovered: Recovered) -> Vec<Command> {
        let mut commands = Vec::new();
        self.counts = recovered.counts;
        self.given = recovered.counts.total();
        if let Some(last) = recovered.last {
            self.batcher.continue_after(last);
        }
        self.begun = recovered.begun;
        // what the site took of an earlier process may be all that it takes; of what that one left open nobody knows
        let Recovered { counts, .. } = recovered;
        if counts.of(Status::Loaded) + counts.of(Status::Unconfirmed) > 0
            || !(recovered.undecided.is_empty() && self.begun.is_empty())
        {
            self.refusals.taken();
        }
        for undecided in recovered.undecided {
            self.given += undecided.rows.len() as u64;
            self.take_up(now, undecided, &mut commands);
        }
        // the errors may be too many already
        self.count(Counts::default());
        commands
    }

    fn take_up(&mut self, now: Now, undecided: Undecided, commands: &mut Vec<Command>) {
        let Undecided {
            seq,
            key,
            body,
            rows,
            task,
            age,
        } = undecided;
        let batch = self.batcher.adopt(seq, rows);
        let forgotten = task.is_none() && age >= self.config.key_lifetime;
        let phase = match task {
            Some(task) => Phase::Waiting(Wait {
                task,
                // its deadline begins anew: nobody asked for it meanwhile
                since: now.at,
                inherited: true,
                gone: false,
                next_poll: now.at,
                asked: None,
                running: None,
                tries: Tries::default(),
                senseless: 0,
            }),
            None => Phase::Queued,
        };
        let rows = batch.rows().len();
        let flight = Flight {
            phase,
            // it may have left; how often is not known
            attempts: 1,
            maybe_applied: true,
            first_sent: Some(now.at),
            ..Flight::new(batch, key, body)
        };
        self.flights.insert(seq, flight);
        if forgotten {
            let doubt = Doubt::Ended(Reason {
                code: Code::AnswerLost.into(),
                field: None,
                message: FORGOTTEN.to_owned(),
            });
            self.judge(now, seq, Judging::of_all(doubt, rows), commands);
        }
    }
}
