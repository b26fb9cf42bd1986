//! What rows that were not applied go on in: a new batch, halves of the old one, or calls of their own.

use super::Engine;
use super::answers::reason;
use crate::engine::attribute::Verdict;
use crate::engine::flight::{End, Flight, Left, Phase};
use crate::engine::judging::{Doubt, Judging, Ruling};
use crate::engine::message::{Command, Now};
use crate::engine::outcome::stop_reason;
use crate::engine::route::Wish;
use crate::engine::why;
use crate::ledger::record::Record;
use crate::model::code::Code;
use crate::model::outcome::{BatchSeq, Status};
use crate::model::reply::ApiError;
use crate::model::row::{PreparedRow, Reason};

/// So few rows are not worth a task of their own.
const FEW: usize = 4;
/// How often rows are sent anew as one batch, before they are sent in halves.
const WHOLE_ROUNDS: u32 = 2;

/// How rows go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Whole,
    Halves,
    /// Halves, and the row between them alone, ahead of both.
    Scout,
    Calls,
}

/// Which way brings most: a batch again while that may help, then smaller ones, at last each row by itself.
fn how(judging: &Judging, wish: Wish, rows: usize, rounds: u32) -> How {
    match &judging.doubt {
        _ if wish == Wish::Single => How::Calls,
        Doubt::Refused(_) => How::Halves,
        Doubt::Begun => How::Calls,
        // which failure is whose: each row's own call tells
        Doubt::Finished if !judging.suspects.is_empty() => How::Calls,
        Doubt::Finished | Doubt::Ended(_) => match rounds {
            _ if rows <= FEW => How::Calls,
            0..WHOLE_ROUNDS => How::Whole,
            WHOLE_ROUNDS => How::Halves,
            _ => How::Calls,
        },
    }
}

impl Engine {
    /// The site refused a whole request for what stands in it. Unless an earlier attempt may have been applied,
    /// nothing of it is: each half goes by itself, so that a row that is refused is so alone.
    pub(super) fn isolate(
        &mut self,
        now: Now,
        seq: BatchSeq,
        error: &ApiError,
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get(&seq) else {
            return;
        };
        let rows = flight.batch.rows().len();
        if flight.maybe_applied {
            let mut judging = Judging::of_all(Doubt::Refused(error.clone()), rows);
            if rows == 1 {
                let refused = vec![reason(Code::RequestRejected, error)];
                judging.verdicts = vec![Verdict::Refused(refused)];
            }
            return self.judge(now, seq, judging, commands);
        }
        if rows == 1
            && let Some(alone) = self.refusals.alone(&error.message)
        {
            self.stop(why::refuses_all(alone, error));
        }
        // nothing of it was written, and which row is to blame stays open
        if rows > 1 && self.stopped.is_some() {
            return self.end_whole(now, seq, Status::NotSent, Code::RunStopped, error, commands);
        }
        if rows == 1 || !self.config.resend {
            let code = Code::RequestRejected;
            return self.end_whole(now, seq, Status::Failed, code, error, commands);
        }
        commands.push(self.notice(format!(
            "batch {} was refused, and is sent in halves: {error}",
            seq.0
        )));
        let again: Vec<_> = (0..rows).collect();
        let how = if self.refusals.several() {
            How::Scout
        } else {
            How::Halves
        };
        let left = self.successors(now, seq, again, how, None);
        let ends = vec![None; rows];
        let trace_id = error.trace_id.clone();
        self.settle_and(now, seq, ends, trace_id, left, commands);
    }

    /// Ends what is decided; what was not applied goes on.
    pub(super) fn go_on(
        &mut self,
        now: Now,
        seq: BatchSeq,
        judging: &Judging,
        rulings: Vec<Ruling>,
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get(&seq) else {
            return;
        };
        let rounds = flight.rounds;
        let mut again = Vec::new();
        let mut ends: Vec<Option<End>> = Vec::new();
        for (index, ruling) in rulings.into_iter().enumerate() {
            ends.push(match ruling {
                Ruling::End(end) => Some(end),
                Ruling::Again if !self.config.resend => Some(not_applied(judging)),
                Ruling::Again => {
                    let stopped = self.stopped.as_ref();
                    let end = stopped.map(|why| End::new(Status::NotSent, vec![stop_reason(why)]));
                    if end.is_none() {
                        again.push(index);
                    }
                    end
                }
            });
        }
        let mut left = (Left::default(), Vec::new());
        if !again.is_empty() {
            self.sent_again += again.len() as u64;
            let how = how(judging, self.config.route, again.len(), rounds);
            let way = match how {
                How::Whole => "as a new batch",
                How::Halves | How::Scout => "in halves",
                How::Calls => "one by one",
            };
            commands.push(self.notice(format!(
                "batch {}: the site does not hold {} of its rows; they are sent again, {way}",
                seq.0,
                again.len()
            )));
            left = self.successors(now, seq, again, how, Some(&judging.doubt));
        }
        let trace_id = match &judging.doubt {
            Doubt::Refused(error) => error.trace_id.clone(),
            Doubt::Finished | Doubt::Ended(_) | Doubt::Begun => None,
        };
        self.settle_and(now, seq, ends, trace_id, left, commands);
    }

    /// The flights that rows of a batch, by index, go on in, and what is written down before they leave. `unseen`: in what
    /// doubt a reading did not show them; else none was made.
    fn successors(
        &mut self,
        now: Now,
        seq: BatchSeq,
        rows: Vec<usize>,
        how: How,
        unseen: Option<&Doubt>,
    ) -> (Left, Vec<Record>) {
        let Some(flight) = self.flights.get(&seq) else {
            return (Left::default(), Vec::new());
        };
        let (rounds, attempts) = (flight.rounds + 1, flight.attempts);
        let begun = matches!(unseen, Some(Doubt::Begun));
        let unseen = unseen.is_some() || flight.unseen;
        let all = flight.batch.rows();
        let of = |rows: &[usize]| -> Vec<PreparedRow> {
            rows.iter().map(|index| all[*index].clone()).collect()
        };
        let parts = match how {
            How::Whole | How::Calls => vec![of(&rows)],
            How::Halves => {
                let (first, second) = rows.split_at(rows.len().div_ceil(2));
                vec![of(first), of(second)]
            }
            How::Scout => {
                let (first, second) = rows.split_at(rows.len() / 2);
                let (scout, second) = second.split_at(1);
                vec![of(scout), of(first), of(second)]
            }
        };
        let (mut flights, mut intents) = (Vec::new(), Vec::new());
        for part in parts {
            let Some(batch) = self.batcher.again(part) else {
                continue;
            };
            let mut flight = if how == How::Calls {
                Flight::of_calls(batch)
            } else {
                let (flight, intent) = self.intent(now, batch);
                intents.push(intent);
                Flight {
                    phase: Phase::Queued,
                    ..flight
                }
            };
            (flight.rounds, flight.attempts, flight.begun) = (rounds, attempts, begun);
            flight.unseen = unseen;
            flights.push(flight);
        }
        (Left { rows, flights }, intents)
    }
}

/// A row that the site was seen not to hold, and that is not sent again.
fn not_applied(judging: &Judging) -> End {
    let mut message = Code::NotApplied.cause().to_owned();
    if let Some(words) = judging.doubt.words().first() {
        message = format!("{message}; the site said: {words}");
    }
    let reason = Reason {
        code: Code::NotApplied.into(),
        field: None,
        message,
    };
    End::new(Status::Unconfirmed, vec![reason])
}
