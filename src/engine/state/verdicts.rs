//! From a task's end to one outcome per row.

use super::Engine;
use crate::engine::attribute::attribute;
use crate::engine::flight::{End, Left, Phase};
use crate::engine::judging::{Doubt, Judging, unconfirmed};
use crate::engine::message::{Command, Durable, Now};
use crate::ledger::record::Record;
use crate::model::code::Code;
use crate::model::outcome::{BatchSeq, Counts, Route, RowOutcome, Status};
use crate::model::reply::TaskFailure;
use std::collections::HashMap;

impl Engine {
    /// Reads the failures of a task that ended; remote ids that match no row are looked up first.
    pub(super) fn ended_with(
        &mut self,
        now: Now,
        seq: BatchSeq,
        finished: bool,
        failures: Vec<TaskFailure>,
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get_mut(&seq) else {
            return;
        };
        let fold = self.config.fold;
        let mut unknown: Vec<String> =
            failures
                .iter()
                .filter_map(|failure| failure.entity_id.clone())
                .filter(|id| {
                    let folded = fold(id);
                    // the ids of organizations are digits, and so may be a name
                    id.bytes().all(|byte| byte.is_ascii_digit())
                        || !flight.batch.rows().iter().any(|row| {
                            row.identity.as_str() == folded || row.identity.as_str() == id
                        })
                })
                .collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return self.attribute(now, seq, finished, &failures, &HashMap::new(), commands);
        }
        flight.phase = Phase::Identifying { finished, failures };
        commands.push(Command::Identify(seq, unknown));
    }

    pub(super) fn identified(
        &mut self,
        now: Now,
        seq: BatchSeq,
        known: &HashMap<String, String>,
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get_mut(&seq) else {
            return;
        };
        let Phase::Identifying { finished, failures } = &mut flight.phase else {
            return;
        };
        let (finished, failures) = (*finished, std::mem::take(failures));
        self.attribute(now, seq, finished, &failures, known, commands);
    }

    fn attribute(
        &mut self,
        now: Now,
        seq: BatchSeq,
        finished: bool,
        failures: &[TaskFailure],
        known: &HashMap<String, String>,
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get(&seq) else {
            return;
        };
        let (verdicts, suspects) = attribute(
            flight.batch.rows(),
            failures,
            &self.config.details,
            known,
            self.config.fold,
        );
        let doubt = if finished {
            Doubt::Finished
        } else {
            let errors: Vec<_> = failures
                .iter()
                .map(|failure| failure.error.clone())
                .collect();
            Doubt::Ended(unconfirmed(Code::TaskFailed, &errors))
        };
        self.judge(now, seq, Judging::new(doubt, verdicts, suspects), commands);
    }

    /// Ends a batch whose task ended without a word, or was never seen to end: its rows are looked for.
    pub(super) fn end_in_doubt(
        &mut self,
        now: Now,
        seq: BatchSeq,
        code: Code,
        errors: &[String],
        commands: &mut Vec<Command>,
    ) {
        let Some(flight) = self.flights.get(&seq) else {
            return;
        };
        let doubt = Doubt::Ended(unconfirmed(code, errors));
        let judging = Judging::of_all(doubt, flight.batch.rows().len());
        self.judge(now, seq, judging, commands);
    }

    pub(super) fn settle(
        &mut self,
        now: Now,
        seq: BatchSeq,
        ends: Vec<End>,
        trace_id: Option<String>,
        commands: &mut Vec<Command>,
    ) {
        let ends = ends.into_iter().map(Some).collect();
        self.settle_and(
            now,
            seq,
            ends,
            trace_id,
            (Left::default(), Vec::new()),
            commands,
        );
    }

    /// Ends those rows of a batch that have an end, and begins what the others go on in: one transaction.
    pub(super) fn settle_and(
        &mut self,
        now: Now,
        seq: BatchSeq,
        ends: Vec<Option<End>>,
        trace_id: Option<String>,
        (left, intents): (Left, Vec<Record>),
        commands: &mut Vec<Command>,
    ) {
        let Some(outcomes) = self.outcomes(now, seq, ends, left) else {
            return;
        };
        let stage = self.config.stage;
        // rows that were judged before anything was sent for them were in no request
        let mut records = if self.flights[&seq].route == Route::Bulk {
            vec![Record::Settled {
                stage,
                batch: seq,
                trace_id,
                outcomes,
                at: now.unix,
            }]
        } else if outcomes.is_empty() {
            Vec::new()
        } else {
            vec![Record::Rows { stage, outcomes }]
        };
        records.extend(intents);
        commands.push(Command::Persist(records, Durable::Settled(seq)));
    }

    /// Gives a batch up while its fate is open: a later process goes on with it.
    pub(super) fn suspend(
        &mut self,
        now: Now,
        seq: BatchSeq,
        errors: &[String],
        commands: &mut Vec<Command>,
    ) {
        let rows = self
            .flights
            .get(&seq)
            .map_or(0, |flight| flight.batch.rows().len());
        let reason = unconfirmed(Code::AnswerLost, errors);
        let end = Some(End::new(Status::Unconfirmed, vec![reason]));
        let Some(outcomes) = self.outcomes(now, seq, vec![end; rows], Left::default()) else {
            return;
        };
        self.suspended = true;
        let record = Record::Suspended {
            stage: self.config.stage,
            batch: seq,
            outcomes,
        };
        commands.push(Command::Persist(vec![record], Durable::Settled(seq)));
    }

    /// The outcomes of a batch that is at its end.
    fn outcomes(
        &mut self,
        now: Now,
        seq: BatchSeq,
        ends: Vec<Option<End>>,
        left: Left,
    ) -> Option<Vec<RowOutcome>> {
        let flight = self.flights.get_mut(&seq)?;
        let mut counts = Counts::default();
        let looked_for = flight.route == Route::Single && self.stopped.is_some();
        let rows = flight.batch.rows().iter().zip(ends);
        let outcomes = rows
            .filter_map(|(row, end)| {
                let End {
                    status,
                    reasons,
                    remote_id,
                } = end?;
                counts.add(status, 1);
                self.batcher.decided(row, status);
                Some(RowOutcome {
                    row: row.row.clone(),
                    status,
                    reasons,
                    remote_id,
                    route: Some(flight.route)
                        .filter(|_| flight.attempts > 0 && status != Status::NotSent),
                    batch: Some(seq).filter(|_| flight.route == Route::Bulk),
                    attempts: flight.attempts,
                    finished_at: now.unix,
                })
            })
            .collect();
        // a look that a stop cut short is made again by whoever goes on with the run
        self.suspended |= looked_for && counts.of(Status::Unconfirmed) > 0;
        flight.phase = Phase::Settling { counts, left };
        Some(outcomes)
    }
}
